// SPDX-License-Identifier: BSD-2-Clause
/* queries.c - the statements of queries.h and how their rows are read. pg_stat_statements is in statements.c. */
#include "correlate/engine/postgres/queries.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "userspace/base/strbuf.h"

/* A statement and, from some version on, a fuller one. */
struct query {
	struct tap_pg_request request;
	int32_t newer_version; /* 0: the same for all */
	const char *newer_sql;
};

static int run(struct tap_pg_conn *conn, const struct query *query, tap_pg_row_fn row, void *arg, struct tap_error *err)
{
	struct tap_pg_request request = query->request;

	if (query->newer_version && tap_pg_conn_version(conn) >= query->newer_version)
		request.sql = query->newer_sql;
	return tap_pg_conn_run(conn, &request, row, arg, err);
}

/* ---- settings ---- */

#define POSTMASTER_START TAP_PG_MICROSECONDS("pg_catalog.pg_postmaster_start_time()")
/* Rows named dbtap.* are not settings of the server; they are what else there is to know once. */
#define SETTINGS_SQL(query_id) \
	"SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('cluster_name', 'compute_query_id', " \
	"'data_directory', 'max_connections', 'server_version', 'shared_preload_libraries', " \
	"'superuser_reserved_connections', 'track_activities', 'track_activity_query_size') " \
	"UNION ALL VALUES ('dbtap.in_recovery', pg_catalog.pg_is_in_recovery()::text), " \
	"('dbtap.postmaster_start', " POSTMASTER_START "), " \
	"('dbtap.reads_all_stats', pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')::text), " \
	"('dbtap.has_statements', EXISTS (SELECT FROM pg_catalog.pg_extension " \
	"WHERE extname = 'pg_stat_statements')::text), " \
	"('dbtap.query_ids', " query_id "::text)" TAP_PG_LIMIT(32)

static const struct query settings_query = {
	.request = {
		.name = "settings",
		.sql = SETTINGS_SQL("false"),
		.columns = 2,
		.rows_max = 32,
		.field_max = 16384,
		.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
	},
	.newer_version = 140000,
	.newer_sql = SETTINGS_SQL("EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) "
				  "WHERE query_id IS NOT NULL)"),
};

enum setting_type {
	SETTING_STRING,
	SETTING_NUMBER,
	SETTING_BOOL,
};

struct setting {
	const char *name;
	enum setting_type type;
	size_t offset; /* in struct tap_pg_settings */
};

#define SETTING(name, type, field) \
	{ \
		name, SETTING_##type, offsetof(struct tap_pg_settings, field) \
	}

static const struct setting known_settings[] = {
	SETTING("cluster_name", STRING, cluster_name),
	SETTING("compute_query_id", STRING, compute_query_id),
	SETTING("data_directory", STRING, data_directory),
	SETTING("server_version", STRING, server_version),
	SETTING("shared_preload_libraries", STRING, shared_preload_libraries),
	SETTING("max_connections", NUMBER, max_connections),
	SETTING("superuser_reserved_connections", NUMBER, superuser_reserved_connections),
	SETTING("track_activity_query_size", NUMBER, track_activity_query_size),
	SETTING("dbtap.postmaster_start", NUMBER, postmaster_start_us),
	SETTING("track_activities", BOOL, track_activities),
	SETTING("dbtap.query_ids", BOOL, query_ids),
	SETTING("dbtap.in_recovery", BOOL, in_recovery),
	SETTING("dbtap.reads_all_stats", BOOL, reads_all_stats),
	SETTING("dbtap.has_statements", BOOL, has_statements),
};

/* A setting that does not parse stays unknown. */
static int set_setting(struct tap_pg_settings *settings, const struct setting *setting,
		       const struct tap_pg_value *value)
{
	void *field = (char *)settings + setting->offset;
	int64_t number;

	if (setting->type == SETTING_STRING)
		return tap_pg_field_string(value, field);
	if (setting->type == SETTING_BOOL)
		*(bool *)field = tap_pg_field_is(value, "on") || tap_pg_field_is(value, "true");
	else if (tap_pg_field_number(value, 0, INT64_MAX, &number))
		memcpy(field, &number, sizeof(number));
	return 0;
}

static int take_setting(const struct tap_pg_value *values, void *arg)
{
	for (size_t i = 0; i < sizeof(known_settings) / sizeof(known_settings[0]); i++) {
		if (tap_pg_field_is(&values[0], known_settings[i].name))
			return set_setting(arg, &known_settings[i], &values[1]);
	}
	return 0;
}

int tap_pg_query_settings(struct tap_pg_conn *conn, struct tap_pg_settings *ret, struct tap_error *err)
{
	struct tap_pg_settings settings = { 0 };
	int r = run(conn, &settings_query, take_setting, &settings, err);

	if (r)
		tap_pg_settings_done(&settings);
	else
		*ret = settings;
	return r;
}

void tap_pg_settings_done(struct tap_pg_settings *settings)
{
	if (!settings)
		return;
	free(settings->cluster_name);
	free(settings->compute_query_id);
	free(settings->data_directory);
	free(settings->server_version);
	free(settings->shared_preload_libraries);
	*settings = (struct tap_pg_settings){ 0 };
}

/* ---- which server it is ---- */

static const struct query start_query = {
	.request = {
		.name = "start",
		.sql = "SELECT " POSTMASTER_START TAP_PG_LIMIT(1),
		.columns = 1,
		.rows_max = 1,
		.field_max = 64,
		.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
	},
};

static int take_start(const struct tap_pg_value *values, void *arg)
{
	int64_t *start_us = arg;

	/* What is no number leaves it at 0, when no server started. */
	tap_pg_field_number(&values[0], 0, INT64_MAX, start_us);
	return 0;
}

int tap_pg_query_start(struct tap_pg_conn *conn, int64_t *ret_us, struct tap_error *err)
{
	int64_t start_us = 0;
	int r = run(conn, &start_query, take_start, &start_us, err);

	if (!r)
		*ret_us = start_us;
	return r;
}

/* ---- sessions ---- */

/* The columns, in the order of the statement. */
enum session_column {
	COLUMN_PID,
	COLUMN_LEADER_PID,
	COLUMN_BACKEND_TYPE,
	COLUMN_STATE,
	COLUMN_DATABASE,
	COLUMN_USER,
	COLUMN_DATABASE_NAME,
	COLUMN_USER_NAME,
	COLUMN_APPLICATION,
	COLUMN_CLIENT_ADDRESS,
	COLUMN_CLIENT_PORT,
	COLUMN_QUERY_ID,
	COLUMN_QUERY,
	COLUMN_BACKEND_START,
	COLUMN_TRANSACTION_START,
	COLUMN_QUERY_START,
	COLUMN_STATE_CHANGE,
	COLUMN_WAIT_CLASS,
	COLUMN_WAIT_NAME,
	COLUMN_COUNT
};

#define APPLICATION TAP_PG_BYTES("application_name", 256)
#define QUERY TAP_PG_BYTES("query", TAP_PG_TEXT_MAX)
#define BACKEND_START TAP_PG_MICROSECONDS("backend_start")
#define TRANSACTION_START TAP_PG_MICROSECONDS("xact_start")
#define QUERY_START TAP_PG_MICROSECONDS("query_start")
#define STATE_CHANGE TAP_PG_MICROSECONDS("state_change")
#define SESSIONS_SQL(query_id) \
	"SELECT pid::text, leader_pid::text, backend_type, state, datid::text, usesysid::text, datname::text, " \
	"usename::text, " APPLICATION ", pg_catalog.host(client_addr), client_port::text, " query_id "::text, " QUERY \
	", " BACKEND_START ", " TRANSACTION_START ", " QUERY_START ", " STATE_CHANGE ", wait_event_type, wait_event " \
	"FROM pg_catalog.pg_stat_activity" TAP_PG_LIMIT(TAP_PG_SESSIONS_MAX)

static const struct query sessions_query = {
	.request = {
		.name = "sessions",
		.sql = SESSIONS_SQL("NULL"),
		.columns = COLUMN_COUNT,
		.rows_max = TAP_PG_SESSIONS_MAX,
		.field_max = TAP_PG_TEXT_MAX,
		.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
	},
	.newer_version = 140000,
	.newer_sql = SESSIONS_SQL("query_id"),
};

struct sessions_read {
	struct tap_session_list list;
	struct tap_pg_rows rows;
	size_t text_bytes;
};

struct backend_type {
	const char *name;
	uint8_t kind;
};

static const struct backend_type backend_types[] = {
	{ "client backend", TAP_KIND_CLIENT },
	{ "standalone backend", TAP_KIND_CLIENT },
	{ "parallel worker", TAP_KIND_PARALLEL },
	{ "autovacuum worker", TAP_KIND_AUTOVACUUM },
	{ "autovacuum launcher", TAP_KIND_AUTOVACUUM_LAUNCHER },
	{ "walsender", TAP_KIND_WALSENDER },
	{ "background writer", TAP_KIND_BGWRITER },
	{ "checkpointer", TAP_KIND_CHECKPOINTER },
	{ "startup", TAP_KIND_STARTUP },
	{ "walreceiver", TAP_KIND_WALRECEIVER },
	{ "walwriter", TAP_KIND_WALWRITER },
	{ "archiver", TAP_KIND_ARCHIVER },
	{ "logger", TAP_KIND_LOGGER },
	{ "slotsync worker", TAP_KIND_SLOTSYNC_WORKER },
	{ "walsummarizer", TAP_KIND_WALSUMMARIZER },
	{ "io worker", TAP_KIND_IO_WORKER },
	{ "", TAP_KIND_UNKNOWN },
};

uint8_t tap_pg_kind_of_backend_type(const char *backend_type)
{
	if (!backend_type)
		return TAP_KIND_UNKNOWN;
	for (size_t i = 0; i < sizeof(backend_types) / sizeof(backend_types[0]); i++) {
		if (strcmp(backend_type, backend_types[i].name) == 0)
			return backend_types[i].kind;
	}
	/* "logical replication worker", from 17 on also "apply", "tablesync" and so on. */
	if (!strncmp(backend_type, "logical replication ", 20) && strcmp(backend_type + 20, "launcher") != 0)
		return TAP_KIND_LOGICAL_WORKER;
	return TAP_KIND_BGWORKER;
}

static uint8_t read_kind(const struct tap_pg_value *value)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", value->data ? (int)value->size : 0, value->data ? value->data : "");
	return tap_pg_kind_of_backend_type(name);
}

static enum tap_session_state read_state(const struct tap_pg_value *value)
{
	for (int state = TAP_SESSION_NONE + 1; state < TAP_SESSION_STATE_COUNT; state++) {
		if (tap_pg_field_is(value, tap_session_state_name(state)))
			return state;
	}
	return TAP_SESSION_NONE;
}

/* "[local]" for a Unix socket, which has port -1; nothing for a background process. */
static int read_client(const struct tap_pg_value *address, const struct tap_pg_value *port, char **ret)
{
	struct tap_strbuf text;
	int64_t number;
	bool v6;

	if (!port->data || !tap_pg_field_number(port, -1, 65535, &number))
		return 0;
	tap_strbuf_init(&text);
	if (number < 0 || !address->data || memchr(address->data, '\0', address->size)) {
		tap_strbuf_add_string(&text, number < 0 ? "[local]" : "?");
	} else {
		v6 = memchr(address->data, ':', address->size);
		tap_strbuf_printf(&text, v6 ? "[%.*s]:%d" : "%.*s:%d", (int)address->size, address->data, (int)number);
	}
	*ret = tap_strbuf_take(&text);
	return *ret ? 0 : -ENOMEM;
}

static bool read_numbers(const struct tap_pg_value *values, struct tap_session *ret)
{
	return tap_pg_field_pid(&values[COLUMN_PID], &ret->pid) && ret->pid &&
	       tap_pg_field_pid(&values[COLUMN_LEADER_PID], &ret->leader_pid) &&
	       tap_pg_field_oid(&values[COLUMN_DATABASE], &ret->database) &&
	       tap_pg_field_oid(&values[COLUMN_USER], &ret->user) &&
	       tap_pg_field_query_id(&values[COLUMN_QUERY_ID], &ret->query_id) &&
	       tap_pg_field_number(&values[COLUMN_BACKEND_START], 0, INT64_MAX, &ret->backend_start_us) &&
	       tap_pg_field_number(&values[COLUMN_TRANSACTION_START], 0, INT64_MAX, &ret->transaction_start_us) &&
	       tap_pg_field_number(&values[COLUMN_QUERY_START], 0, INT64_MAX, &ret->query_start_us) &&
	       tap_pg_field_number(&values[COLUMN_STATE_CHANGE], 0, INT64_MAX, &ret->state_change_us);
}

static int read_strings(const struct tap_pg_value *values, struct tap_session *session)
{
	int r = tap_pg_field_string(&values[COLUMN_DATABASE_NAME], &session->database_name);

	r = r ? r : tap_pg_field_string(&values[COLUMN_USER_NAME], &session->user_name);
	r = r ? r : tap_pg_field_string(&values[COLUMN_APPLICATION], &session->application);
	r = r ? r : tap_pg_field_string(&values[COLUMN_WAIT_CLASS], &session->wait_class);
	r = r ? r : tap_pg_field_string(&values[COLUMN_WAIT_NAME], &session->wait_name);
	return r ? r : read_client(&values[COLUMN_CLIENT_ADDRESS], &values[COLUMN_CLIENT_PORT], &session->client);
}

/* The server says in the text's place that there is one. */
static int read_text(struct sessions_read *read, const struct tap_pg_value *value, struct tap_session *session)
{
	if (tap_pg_field_is(value, TAP_PG_NO_PRIVILEGE)) {
		read->rows.hidden++;
		return 0;
	}
	if (value->size > TAP_PG_TEXTS_MAX - read->text_bytes) {
		read->rows.cut = true;
		return 0;
	}
	read->text_bytes += value->size;
	return tap_pg_field_string(value, &session->query);
}

static int take_session(const struct tap_pg_value *values, void *arg)
{
	struct sessions_read *read = arg;
	struct tap_session numbers = { 0 };
	struct tap_session *session;
	int r;

	read->rows.seen++;
	if (!read_numbers(values, &numbers)) {
		read->rows.skipped++;
		return 0;
	}
	session = tap_session_list_add(&read->list);
	if (!session)
		return -ENOMEM;
	*session = numbers;
	session->state = read_state(&values[COLUMN_STATE]);
	session->kind = read_kind(&values[COLUMN_BACKEND_TYPE]);
	/* It has logged in and was never idle yet. */
	if (session->kind == TAP_KIND_CLIENT && !values[COLUMN_STATE].data)
		session->kind = TAP_KIND_STARTING;
	r = read_strings(values, session);
	return r ? r : read_text(read, &values[COLUMN_QUERY], session);
}

int tap_pg_query_sessions(struct tap_pg_conn *conn, struct tap_session_list *ret, struct tap_pg_rows *ret_rows,
			  struct tap_error *err)
{
	struct sessions_read read = { 0 };
	int r = run(conn, &sessions_query, take_session, &read, err);

	if (r) {
		tap_session_list_done(&read.list);
		return r;
	}
	tap_pg_rows_finish(&read.rows, TAP_PG_SESSIONS_MAX, ret_rows);
	*ret = read.list;
	return 0;
}

/* ---- names ---- */

static const struct query names_query = {
	.request = {
		.name = "names",
		.sql = "(SELECT 'd', oid::text, datname::text FROM pg_catalog.pg_database" TAP_PG_LIMIT(TAP_PG_NAMES_MAX) ") "
		       "UNION ALL "
		       "(SELECT 'u', oid::text, rolname::text FROM pg_catalog.pg_roles" TAP_PG_LIMIT(TAP_PG_NAMES_MAX) ")",
		.columns = 3,
		.rows_max = 2 * TAP_PG_NAMES_MAX,
		.field_max = 1024,
		.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
	},
};

struct names_read {
	struct tap_names *names;
	struct tap_pg_rows rows;
};

static int take_name(const struct tap_pg_value *values, void *arg)
{
	struct names_read *read = arg;
	enum tap_name_kind kind = tap_pg_field_is(&values[0], "d") ? TAP_NAME_DATABASE : TAP_NAME_USER;
	uint32_t oid;
	int r = -EINVAL;

	read->rows.seen++;
	if (tap_pg_field_oid(&values[1], &oid))
		r = tap_names_add(read->names, kind, oid, values[2].data, values[2].size);
	if (r == -EINVAL) {
		read->rows.skipped++;
		return 0;
	}
	return r;
}

int tap_pg_query_names(struct tap_pg_conn *conn, struct tap_names *names, struct tap_pg_rows *ret_rows,
		       struct tap_error *err)
{
	struct names_read read = { .names = names };
	int r = run(conn, &names_query, take_name, &read, err);

	if (!r)
		tap_pg_rows_finish(&read.rows, TAP_PG_NAMES_MAX, ret_rows);
	return r;
}
