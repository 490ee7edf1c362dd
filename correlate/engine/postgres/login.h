/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login.h - what a connection logs in with: the connection string handed to libpq, and as whom.
 *
 * Only conn.c calls this; the rules are those of struct tap_engine_where and conn.h.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_LOGIN_H
#define TAP_CORRELATE_ENGINE_POSTGRES_LOGIN_H

#include <stdbool.h>
#include <sys/types.h>

#include "correlate/engine/postgres/conn.h"
#include "userspace/base/strbuf.h"

#define TAP_PG_USER_MAX 64

struct tap_pg_login {
	const struct tap_engine_where *where; /* borrowed */
	struct tap_strbuf given;	      /* the user's settings, checked and quoted anew */
	struct tap_strbuf options;	      /* for the server: the user's, then ours, as the last one wins */
	bool automatic;			      /* our own way in: the server was found, not chosen */
	bool has_place;			      /* `given` says where */
	bool has_database;
	bool switches; /* log in as the owner of the server */
	gid_t gid;
	char owner[TAP_PG_USER_MAX]; /* "" when it has no name on this host */
	char host[128];		     /* what libpq gets as host; "" when `given` says it */
	int dir;		     /* descriptor behind `host`, -1: none */
};

/* Checks a connection string alone, before anything is done: -EINVAL when it is broken or holds a password. */
int tap_pg_login_check(const char *instance, const char *conninfo, struct tap_error *err);
/* Checks the connection string and opens the socket directory. `login` needs _done also after a failure. */
int tap_pg_login_init(struct tap_pg_login *login, const struct tap_engine_where *where, struct tap_error *err);
void tap_pg_login_done(struct tap_pg_login *login);

/* The role to try as the n-th (from 0), NULL: no more. "" leaves it to the connection string and libpq. */
const char *tap_pg_login_user(const struct tap_pg_login *login, int n);

/* The connection string for that role; malloc'd, NULL when out of memory. */
char *tap_pg_login_conninfo(const struct tap_pg_login *login, const char *user);

#endif
