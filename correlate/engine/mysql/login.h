/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login.h - where a connection to a MariaDB or MySQL server goes, and as whom.
 *
 * Only conn.c calls this; the rules are those of struct tap_engine_where and conn.h. Knows nothing of the client
 * library.
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_LOGIN_H
#define TAP_CORRELATE_ENGINE_MYSQL_LOGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "correlate/engine/client.h"

enum {
	TAP_MY_USER_MAX = 64,
	TAP_MY_LOGIN_VALUE_MAX = 512,
};

/* What a connection string may say. id, keyword, whether it says where or as whom. */
#define TAP_MY_LOGIN_KEYS(X) \
	X(USER, "user", true) \
	X(HOST, "host", true) \
	X(PORT, "port", false) \
	X(SOCKET, "socket", true) \
	X(DATABASE, "database", false) \
	X(DEFAULTS_FILE, "defaults-file", true) \
	X(DEFAULTS_GROUP, "defaults-group", true) \
	X(SSL_CA, "ssl-ca", false)

enum tap_my_login_key {
#define X(id, keyword, choice) TAP_MY_LOGIN_##id,
	TAP_MY_LOGIN_KEYS(X)
#undef X
	TAP_MY_LOGIN_KEY_COUNT
};

struct tap_my_login {
	const struct tap_engine_where *where;			    /* borrowed */
	char given[TAP_MY_LOGIN_KEY_COUNT][TAP_MY_LOGIN_VALUE_MAX]; /* the user's own settings; "": none */
	bool automatic;			     /* our own way in: the server was found, not chosen */
	char owner[TAP_MY_USER_MAX];	     /* "" when it has no name on this host */
	char self[TAP_MY_USER_MAX];	     /* who we are, likewise */
	gid_t gid;			     /* of the owner */
	char socket[TAP_MY_LOGIN_VALUE_MAX]; /* what the library gets; "" with `host`, or when the options file says it
					      */
	char host[TAP_MY_LOGIN_VALUE_MAX];
	uint32_t port;
	int dir; /* descriptor behind `socket`, -1: none */
};

/* One login to try. */
struct tap_my_login_try {
	const char *user; /* "" leaves it to the library's options files */
	bool as_owner;	  /* with the effective user of the server's process */
};

/* Checks a connection string alone, before anything is done: -EINVAL when it is broken or holds a password. */
int tap_my_login_check(const char *instance, const char *conninfo, struct tap_error *err);
/* Checks the connection string and opens the socket's folder. `login` needs _done also after a failure. */
int tap_my_login_init(struct tap_my_login *login, const struct tap_engine_where *where, struct tap_error *err);
void tap_my_login_done(struct tap_my_login *login);

/* The n-th login to try (from 0); false: no more. */
bool tap_my_login_next(const struct tap_my_login *login, int n, struct tap_my_login_try *ret);

/* NULL: the server's own choice, none. */
const char *tap_my_login_database(const struct tap_my_login *login);

#endif
