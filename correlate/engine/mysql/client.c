// SPDX-License-Identifier: BSD-2-Clause
/*
 * client.c - MariaDB's and MySQL's table of correlate/engine/client.h: its connection and queries behind the common
 * names.
 */
#include "correlate/engine/client.h"

#include "correlate/engine/mysql/conn.h"
#include "correlate/engine/mysql/login.h"
#include "correlate/engine/mysql/queries.h"

static struct tap_my_conn *own(struct tap_engine_conn *conn)
{
	return (struct tap_my_conn *)conn;
}

static int conn_open(const struct tap_engine_where *where, struct tap_engine_conn **ret, struct tap_error *err)
{
	struct tap_my_conn *conn;
	int status = tap_my_conn_open(where, &conn, err);

	if (!status)
		*ret = (struct tap_engine_conn *)conn;
	return status;
}

static void conn_close(struct tap_engine_conn *conn)
{
	tap_my_conn_close(own(conn));
}

static bool conn_alive(struct tap_engine_conn *conn)
{
	return tap_my_conn_alive(own(conn));
}

static int ask_names(struct tap_engine_conn *conn, struct tap_names *names, struct tap_error *err)
{
	return tap_my_query_names(own(conn), names, err);
}

static int ask_sessions(struct tap_engine_conn *conn, struct tap_session_list *ret, struct tap_error *err)
{
	return tap_my_query_sessions(own(conn), ret, err);
}

/* No id is the server's. */
static int ask_texts(struct tap_engine_conn *conn, uint32_t instance, const uint64_t *ids, size_t count,
		     struct tap_texts *texts, struct tap_error *err)
{
	(void)conn;
	(void)instance;
	(void)ids;
	(void)count;
	(void)texts;
	(void)err;
	return 0;
}

static int advise(struct tap_engine_conn *conn, struct tap_engine_advice *ret, struct tap_error *err)
{
	struct tap_engine_advice advice = { .count = 0 };
	struct tap_my_settings settings;
	int status = tap_my_query_settings(own(conn), &settings, err);

	if (status)
		return status;
	if (!settings.performance_schema)
		advice.lines[advice.count++] = "note: performance_schema is off: statements have dbtap's own digests "
					       "only, not the server's";
	if (!settings.sees_all)
		advice.lines[advice.count++] = "advice: grant PROCESS to the user dbtap logs in as";
	*ret = advice;
	return 0;
}

const struct tap_client tap_client_mysql = {
	.library = tap_my_conn_library,
	.conninfo_check = tap_my_login_check,
	.open = conn_open,
	.close = conn_close,
	.alive = conn_alive,
	.names = ask_names,
	.sessions = ask_sessions,
	.texts = ask_texts,
	.advise = advise,
};
