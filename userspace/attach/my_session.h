/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_session.h - the sessions of a MariaDB or MySQL server, read from its memory.
 *
 * The server keeps them in a list; everything in it is hostile, and it changes while it is read: a walk that comes upon
 * something inconsistent is begun again a few times.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_SESSION_H
#define TAP_USERSPACE_ATTACH_MY_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/attach/target.h"
#include "userspace/base/error.h"

struct tap_my_session {
	uint64_t thd;
	uint64_t thread;  /* pthread_t of the one that served it last; 0: none has */
	int32_t tid;	  /* of the thread that serves it, as this host sees it; 0: none does right now */
	bool served;	  /* that thread says so itself */
	bool stage_known; /* it is in none, or in one whose text can be read */
	uint64_t id;	  /* the connection's */
	uint32_t command; /* enum tap_my_command */
	uint32_t server_status;
	uint64_t questions;
	uint64_t received;
	uint64_t executes;
	int64_t start_us;	/* when what it does began, since the Unix epoch; 0: unknown */
	uint64_t query_address; /* 0: it runs none */
	uint64_t query_size;
	/* malloc'd, NULL: none, or not to be had. */
	char *user;
	char *host;
	char *address;
	char *database;
	char *stage;
	char *query; /* literals included, perhaps cut */
};

struct tap_my_session_list {
	struct tap_my_session *items;
	size_t count;
};

/* -ESRCH: the server is gone; -EPERM: not ours to read; -EAGAIN: it was being changed each time. */
int tap_my_sessions_walk(const struct tap_target *target, struct tap_my_session_list *ret, struct tap_error *err);
void tap_my_sessions_done(struct tap_my_session_list *list);

/*
 * Whether the sessions that are there make sense through the target's layout. *ret_checked: how many were looked at, 0
 * when nobody is connected. -EBADMSG: something does not fit, `err` says what as a phrase for the caller's message.
 */
int tap_my_sessions_check(const struct tap_target *target, size_t *ret_checked, struct tap_error *err);

/*
 * More than that: a session that serves a client right now has everything that a session of a client has. For layouts
 * of unknown versions. -ENODATA: there is no such session; -EBADMSG as above.
 */
int tap_my_sessions_agree(const struct tap_target *target, struct tap_error *err);

#endif
