// SPDX-License-Identifier: BSD-2-Clause
/*
 * client.c - MariaDB's and MySQL's table of correlate/engine/client.h: its connection and queries behind the common
 * names.
 */
#include "correlate/engine/client.h"

#include <string.h>

#include "correlate/engine/mysql/conn.h"
#include "correlate/engine/mysql/digests.h"
#include "correlate/engine/mysql/locks.h"
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

static int ask_digests(struct tap_engine_conn *conn, uint32_t instance, const uint64_t *ids, size_t count,
		       struct tap_texts *texts, struct tap_error *err)
{
	struct tap_my_digests digests;
	int status = tap_my_query_digests(own(conn), &digests, err);

	if (status)
		return status;
	for (size_t i = 0; i < count; i++) {
		struct tap_text_key key = { .instance = instance, .source = TAP_QUERY_ID_OWN, .query_id = ids[i] };
		const struct tap_text *text = tap_texts_find(texts, &key);
		const char *digest = text && text->raw ? tap_my_digests_find(&digests, text->raw) : NULL;

		if (digest)
			tap_texts_put(texts, &key, digest, strlen(digest), TAP_TEXT_DIGEST);
	}
	tap_my_digests_done(&digests);
	return 0;
}

static int ask_locks(struct tap_engine_conn *conn, struct tap_lock_table *table, struct tap_relation_names *names,
		     struct tap_error *err)
{
	return tap_my_query_locks(own(conn), table, names, err);
}

static int mark(struct tap_engine_conn *conn, const char *marker, int32_t for_ms, tap_engine_look_fn look, void *arg,
		struct tap_error *err)
{
	return tap_my_query_marked(own(conn), marker, for_ms, look, arg, err);
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
	.digests = ask_digests,
	.locks = ask_locks,
	.mark = mark,
	.advise = advise,
};
