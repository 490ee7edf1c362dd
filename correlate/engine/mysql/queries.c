// SPDX-License-Identifier: BSD-2-Clause
/* queries.c - the statements of queries.h and how their rows are read. */
#include "correlate/engine/mysql/queries.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/engine/mysql/field.h"
#include "correlate/engine/mysql/number.h"

/* ---- settings ---- */

static const struct tap_my_request settings_query = {
	.name = "settings",
	.sql = "SELECT @@performance_schema, EXISTS (SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE "
	       "PRIVILEGE_TYPE = 'PROCESS'), @@thread_handling LIKE '%pool%'",
	.columns = 3,
	.rows_max = 1,
	.field_max = 64,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

static int take_settings(const struct tap_my_value *values, void *arg)
{
	*(struct tap_my_settings *)arg = (struct tap_my_settings){
		.performance_schema = tap_my_field_is(&values[0], "1"),
		.sees_all = tap_my_field_is(&values[1], "1"),
		.thread_pool = tap_my_field_is(&values[2], "1"),
	};
	return 0;
}

int tap_my_query_settings(struct tap_my_conn *conn, struct tap_my_settings *ret, struct tap_error *err)
{
	struct tap_my_settings found = { 0 };
	int r = tap_my_conn_run(conn, &settings_query, take_settings, &found, err);

	if (!r)
		*ret = found;
	return r;
}

/* ---- our own session ---- */

static const struct tap_my_request self_query = {
	.name = "own session",
	.sql = "SELECT CONNECTION_ID(), SUBSTRING_INDEX(USER(), '@', 1), DATABASE()",
	.columns = 3,
	.rows_max = 1,
	.field_max = TAP_NAME_MAX,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

static void name_copy(const struct tap_my_value *value, char ret[TAP_NAME_MAX + 1])
{
	snprintf(ret, TAP_NAME_MAX + 1, "%.*s", (int)value->size, value->data ? value->data : "");
}

static int take_self(const struct tap_my_value *values, void *arg)
{
	struct tap_engine_self *self = arg;

	if (!tap_my_field_number(&values[0], 1, INT64_MAX, &self->connection_id))
		return -EPROTO;
	name_copy(&values[1], self->user);
	name_copy(&values[2], self->database);
	return 0;
}

struct looking {
	const struct tap_engine_self *self;
	tap_engine_look_fn look;
	void *arg;
};

static void look_now(void *arg)
{
	const struct looking *looking = arg;

	looking->look(looking->self, looking->arg);
}

static int ignore_row(const struct tap_my_value *values, void *arg)
{
	(void)values;
	(void)arg;
	return 0;
}

int tap_my_query_marked(struct tap_my_conn *conn, const char *marker, int32_t for_ms, tap_engine_look_fn look,
			void *arg, struct tap_error *err)
{
	struct tap_engine_self self = { 0 };
	struct looking looking = { &self, look, arg };
	struct tap_my_request request = {
		.name = "marked statement",
		.columns = 2,
		.rows_max = 1,
		.field_max = 256,
		.timeout_ms = for_ms + TAP_MY_QUERY_TIMEOUT_MS,
		.meanwhile = look_now,
		.meanwhile_arg = &looking,
	};
	char sql[512];
	int r = tap_my_conn_run(conn, &self_query, take_self, &self, err);

	if (r)
		return r;
	if (snprintf(sql, sizeof(sql), "SELECT SLEEP(%d.%03d), '%s'", for_ms / 1000, for_ms % 1000, marker) >=
	    (int)sizeof(sql))
		return tap_error_set(err, -ENAMETOOLONG, "%s: marker", tap_my_conn_instance(conn));
	request.sql = sql;
	return tap_my_conn_run(conn, &request, ignore_row, NULL, err);
}

/* ---- names ---- */

static const struct tap_my_request databases_query = {
	.name = "databases",
	.sql = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA" TAP_MY_LIMIT(10000),
	.columns = 1,
	.rows_max = TAP_MY_NAMES_MAX,
	.field_max = 1024,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

static const struct tap_my_request users_query = {
	.name = "users",
	.sql = "SELECT DISTINCT User FROM mysql.user" TAP_MY_LIMIT(10000),
	.columns = 1,
	.rows_max = TAP_MY_NAMES_MAX,
	.field_max = 1024,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

struct names_read {
	struct tap_names *names;
	enum tap_name_kind kind;
};

static int take_name(const struct tap_my_value *values, void *arg)
{
	const struct names_read *read = arg;
	char name[TAP_NAME_MAX + 1] = "";
	int r;

	if (values[0].data)
		snprintf(name, sizeof(name), "%.*s",
			 (int)(values[0].size > TAP_NAME_MAX ? TAP_NAME_MAX : values[0].size), values[0].data);
	if (!*name)
		return 0;
	r = tap_names_add(read->names, read->kind, tap_my_name_number(name), name, strlen(name));
	return r == -ENOMEM ? r : 0;
}

int tap_my_query_names(struct tap_my_conn *conn, struct tap_names *names, struct tap_error *err)
{
	struct names_read databases = { names, TAP_NAME_DATABASE }, users = { names, TAP_NAME_USER };
	int r = tap_my_conn_run(conn, &databases_query, take_name, &databases, err);

	if (r)
		return r;
	r = tap_my_conn_run(conn, &users_query, take_name, &users, err);
	/* Users that have sessions are known from these. */
	return r == -EACCES ? 0 : r;
}

/* ---- sessions ---- */

#define SESSIONS(id, user, host, db, command, time_ms, state, info, thread, from) \
	{ \
		.name = "sessions", \
		.sql = "SELECT " id ", " user ", " host ", " db ", " command ", " time_ms ", " state \
		       ", " TAP_MY_BYTES(info) ", " thread \
					       ", FLOOR(UNIX_TIMESTAMP(NOW(6)) * 1000000) FROM " from TAP_MY_LIMIT( \
						       20000), \
		.columns = 10, .rows_max = TAP_MY_SESSIONS_MAX, .field_max = TAP_MY_FIELD_MAX, \
		.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS, \
	}

static const struct tap_my_request mariadb_sessions =
	SESSIONS("ID", "USER", "HOST", "DB", "COMMAND", "FLOOR(TIME_MS)", "STATE", "INFO", "TID",
		 "information_schema.PROCESSLIST");
static const struct tap_my_request mysql_sessions =
	SESSIONS("PROCESSLIST_ID", "PROCESSLIST_USER", "PROCESSLIST_HOST", "PROCESSLIST_DB", "PROCESSLIST_COMMAND",
		 "PROCESSLIST_TIME * 1000", "PROCESSLIST_STATE", "PROCESSLIST_INFO", "THREAD_OS_ID",
		 "performance_schema.threads WHERE TYPE = 'FOREGROUND' AND PROCESSLIST_ID IS NOT NULL");

enum column {
	ID,
	USER,
	HOST,
	DB,
	COMMAND,
	TIME_MS,
	STATE,
	INFO,
	TID,
	NOW
};

static uint8_t kind_of(const struct tap_my_value *command)
{
	if (tap_my_field_is(command, "Daemon"))
		return TAP_KIND_BACKGROUND;
	return tap_my_field_is(command, "Connect") ? TAP_KIND_STARTING : TAP_KIND_CLIENT;
}

static enum tap_session_state state_of(uint8_t kind, const struct tap_my_value *command)
{
	if (kind != TAP_KIND_CLIENT)
		return TAP_SESSION_NONE;
	return tap_my_field_is(command, "Sleep") ? TAP_SESSION_IDLE : TAP_SESSION_ACTIVE;
}

static int texts_fill(struct tap_session *session, const struct tap_my_value *values)
{
	int r = tap_my_field_string(&values[USER], &session->user_name);

	if (!r)
		r = tap_my_field_string(&values[DB], &session->database_name);
	if (!r)
		r = tap_my_field_string(&values[STATE], &session->application);
	if (!r)
		r = tap_my_field_string(&values[INFO], &session->query);
	if (!r && tap_my_field_is(&values[HOST], "localhost")) {
		session->client = strdup("[local]");
		r = session->client ? 0 : -ENOMEM;
	} else if (!r) {
		r = tap_my_field_string(&values[HOST], &session->client);
	}
	session->user = tap_my_name_number(session->user_name);
	session->database = tap_my_name_number(session->database_name);
	return r;
}

static int take_session(const struct tap_my_value *values, void *arg)
{
	int64_t id, time_ms, tid, now_us;
	struct tap_session *session;

	if (!tap_my_field_number(&values[ID], 1, INT64_MAX, &id) ||
	    !tap_my_field_number(&values[TIME_MS], INT64_MIN, INT64_MAX, &time_ms) ||
	    !tap_my_field_number(&values[TID], 0, INT32_MAX, &tid) ||
	    !tap_my_field_number(&values[NOW], 0, INT64_MAX, &now_us))
		return 0;
	session = tap_session_list_add(arg);
	if (!session)
		return -ENOMEM;
	session->connection_id = id;
	session->pid = (int32_t)tid;
	session->kind = kind_of(&values[COMMAND]);
	session->state = state_of(session->kind, &values[COMMAND]);
	if (time_ms >= 0 && time_ms < now_us / 1000)
		session->state_change_us = now_us - time_ms * 1000;
	if (session->state == TAP_SESSION_ACTIVE)
		session->query_start_us = session->state_change_us;
	return texts_fill(session, values);
}

int tap_my_query_sessions(struct tap_my_conn *conn, struct tap_session_list *ret, struct tap_error *err)
{
	struct tap_session_list list;
	int r;

	tap_session_list_init(&list);
	r = tap_my_conn_run(conn, tap_my_conn_is_mariadb(conn) ? &mariadb_sessions : &mysql_sessions, take_session,
			    &list, err);
	if (r)
		tap_session_list_done(&list);
	else
		*ret = list;
	return r;
}
