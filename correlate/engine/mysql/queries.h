/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queries.h - what dbtap asks every MariaDB or MySQL server, one typed function per question.
 *
 * Each is a single read-only statement with a timeout, a LIMIT and, where the two differ, one text for each. conn.c
 * runs it. Rows that make no sense are skipped. On failure nothing is written but what a function says it adds, `err`
 * holds one line, and the codes are those of tap_my_conn_run.
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_QUERIES_H
#define TAP_CORRELATE_ENGINE_MYSQL_QUERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "correlate/engine/mysql/conn.h"
#include "correlate/names.h"
#include "correlate/session.h"

#define TAP_MY_SESSIONS_MAX 20000
#define TAP_MY_NAMES_MAX 10000 /* of databases, and of users */

struct tap_my_settings {
	bool performance_schema;
	bool sees_all; /* the user may see other users' sessions */
	bool thread_pool;
};

int tap_my_query_settings(struct tap_my_conn *conn, struct tap_my_settings *ret, struct tap_error *err);

/* As `mark` of struct tap_client. */
int tap_my_query_marked(struct tap_my_conn *conn, const char *marker, int32_t for_ms, tap_engine_look_fn look,
			void *arg, struct tap_error *err);

/* All databases and, where they may be read, users, added to `names` (also, in part, when it fails halfway). */
int tap_my_query_names(struct tap_my_conn *conn, struct tap_names *names, struct tap_error *err);

/*
 * Every session, our own included (tap_my_conn_id). Pids are those of the threads in the server's pid namespace, 0
 * where a session has none right now. Texts are cut. *ret is the caller's to _done.
 */
int tap_my_query_sessions(struct tap_my_conn *conn, struct tap_session_list *ret, struct tap_error *err);

#endif
