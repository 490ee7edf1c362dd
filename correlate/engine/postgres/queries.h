/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queries.h - what dbtap asks every PostgreSQL server, one typed function per question.
 *
 * Each is a single read-only statement with a timeout, a LIMIT and, where servers differ, one text per version. conn.c
 * runs it; the commands call it once an interval and join the answer with what memory says. Rows that make no sense
 * are skipped and counted. On failure nothing is written, `err` holds one line, and the codes are those of
 * tap_pg_conn_run.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_QUERIES_H
#define TAP_CORRELATE_ENGINE_POSTGRES_QUERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/engine/postgres/field.h"
#include "correlate/names.h"
#include "correlate/session.h"

#define TAP_PG_SESSIONS_MAX 10000
#define TAP_PG_NAMES_MAX 10000 /* of databases, and of users */

/* NULL strings and 0 numbers: the role may not see it, or the version does not have it. */
struct tap_pg_settings {
	char *cluster_name;
	char *compute_query_id; /* as set, on or auto, ... */
	char *data_directory;	/* as the server sees it */
	char *server_version;	/* "15.18 (Debian 15.18-1)" */
	char *shared_preload_libraries;
	int64_t max_connections;
	int64_t superuser_reserved_connections;
	int64_t track_activity_query_size;
	int64_t postmaster_start_us; /* since the Unix epoch: tells a restart, or another server at the same address */
	bool track_activities;
	bool query_ids; /* our own statement has one */
	bool in_recovery;
	bool reads_all_stats; /* the role sees the other users' sessions */
	bool has_statements;  /* pg_stat_statements is installed in this database */
};

int tap_pg_query_settings(struct tap_pg_conn *conn, struct tap_pg_settings *ret, struct tap_error *err);
void tap_pg_settings_done(struct tap_pg_settings *settings);

/* When the server started, since the Unix epoch: what its postmaster's memory says, to the microsecond. */
int tap_pg_query_start(struct tap_pg_conn *conn, int64_t *ret_us, struct tap_error *err);

/*
 * Every process in pg_stat_activity, our own session included (tap_pg_conn_backend_pid). Pids are those of the server's
 * pid namespace. Texts are cut at TAP_PG_TEXT_MAX; what the role may not see is NULL, 0 or kind UNKNOWN. *ret is the
 * caller's to _done. `ret_rows` may be NULL.
 */
int tap_pg_query_sessions(struct tap_pg_conn *conn, struct tap_session_list *ret, struct tap_pg_rows *ret_rows,
			  struct tap_error *err);

/* All databases and roles, added to `names` (also, in part, when it fails halfway). `ret_rows` may be NULL. */
int tap_pg_query_names(struct tap_pg_conn *conn, struct tap_names *names, struct tap_pg_rows *ret_rows,
		       struct tap_error *err);

/* The kind of a pg_stat_activity.backend_type: BGWORKER for a name not known here, UNKNOWN for NULL and "". */
uint8_t tap_pg_kind_of_backend_type(const char *backend_type);

#endif
