// SPDX-License-Identifier: BSD-2-Clause
/*
 * client.c - MariaDB's and MySQL's table of correlate/engine/client.h: no connection is made so far.
 *
 * Everything shown comes from the server's memory; `open` says so, and nothing else is ever called.
 */
#include "correlate/engine/client.h"

#include <errno.h>

static int conninfo_check(const char *instance, const char *conninfo, struct tap_error *err)
{
	(void)conninfo;
	return tap_error_set(err, -ENOTSUP, "%s: connections to MariaDB are not made yet: leave --dsn out", instance);
}

static int conn_open(const struct tap_engine_where *where, struct tap_engine_conn **ret, struct tap_error *err)
{
	(void)ret;
	return tap_error_set(err, -ENOTSUP, "%s: connections to MariaDB are not made yet", where->instance);
}

static void conn_close(struct tap_engine_conn *conn)
{
	(void)conn;
}

static bool conn_alive(struct tap_engine_conn *conn)
{
	(void)conn;
	return false;
}

static int ask_names(struct tap_engine_conn *conn, struct tap_names *names, struct tap_error *err)
{
	(void)conn;
	(void)names;
	return tap_error_set(err, -ENOTSUP, "not connected");
}

static int ask_sessions(struct tap_engine_conn *conn, struct tap_session_list *ret, struct tap_error *err)
{
	(void)conn;
	(void)ret;
	return tap_error_set(err, -ENOTSUP, "not connected");
}

static int ask_texts(struct tap_engine_conn *conn, uint32_t instance, const uint64_t *ids, size_t count,
		     struct tap_texts *texts, struct tap_error *err)
{
	(void)conn;
	(void)instance;
	(void)ids;
	(void)count;
	(void)texts;
	return tap_error_set(err, -ENOTSUP, "not connected");
}

static int advise(struct tap_engine_conn *conn, struct tap_engine_advice *ret, struct tap_error *err)
{
	(void)conn;
	(void)ret;
	return tap_error_set(err, -ENOTSUP, "not connected");
}

const struct tap_client tap_client_mysql = {
	.conninfo_check = conninfo_check,
	.open = conn_open,
	.close = conn_close,
	.alive = conn_alive,
	.names = ask_names,
	.sessions = ask_sessions,
	.texts = ask_texts,
	.advise = advise,
};
