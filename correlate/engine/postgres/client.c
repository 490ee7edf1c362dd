// SPDX-License-Identifier: BSD-2-Clause
/*
 * client.c - PostgreSQL's table of correlate/engine/client.h: its connection and queries behind the common names.
 */
#include "correlate/engine/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libpq-fe.h>

#include "correlate/engine/postgres/conn.h"
#include "correlate/engine/postgres/lock_queue.h"
#include "correlate/engine/postgres/locks.h"
#include "correlate/engine/postgres/login.h"
#include "correlate/engine/postgres/queries.h"
#include "correlate/engine/postgres/relation_names.h"
#include "correlate/engine/postgres/relations.h"
#include "correlate/engine/postgres/statements.h"

_Static_assert((int)TAP_TEXTS_ASKED_MAX <= TAP_PG_WANTED_MAX, "texts asked for at once");
_Static_assert((int)TAP_RELATIONS_ASKED_MAX <= TAP_PG_RELATION_NAMES_MAX, "names asked for at once");

static struct tap_pg_conn *own(struct tap_engine_conn *conn)
{
	return (struct tap_pg_conn *)conn;
}

static void library_name(char ret[TAP_LIBRARY_MAX])
{
	int version = PQlibVersion();

	snprintf(ret, TAP_LIBRARY_MAX, "libpq %d.%d", version / 10000, version % 10000);
}

/*
 * A port may be another server's where namespaces, a proxy or a connection string lead elsewhere: its catalogs would
 * name this one's tables.
 */
static int server_check(struct tap_pg_conn *conn, const struct tap_engine_where *where, struct tap_error *err)
{
	int64_t start_us = 0;
	int status = where->start_us ? tap_pg_query_start(conn, &start_us, err) : 0;

	if (status || !where->start_us || start_us == where->start_us)
		return status;
	return tap_error_set(err, -EXDEV,
			     "%s: another server answers there, started at another time: say where with --dsn "
			     "%s='host=...'",
			     where->instance, where->instance);
}

static int conn_open(const struct tap_engine_where *where, struct tap_engine_conn **ret, struct tap_error *err)
{
	struct tap_pg_conn *conn;
	int status = tap_pg_conn_open(where, &conn, err);

	if (status)
		return status;
	status = server_check(conn, where, err);
	if (status)
		tap_pg_conn_close(conn);
	else
		*ret = (struct tap_engine_conn *)conn;
	return status;
}

static void conn_close(struct tap_engine_conn *conn)
{
	tap_pg_conn_close(own(conn));
}

static bool conn_alive(struct tap_engine_conn *conn)
{
	return tap_pg_conn_alive(own(conn));
}

static int ask_names(struct tap_engine_conn *conn, struct tap_names *names, struct tap_error *err)
{
	return tap_pg_query_names(own(conn), names, NULL, err);
}

static int ask_sessions(struct tap_engine_conn *conn, struct tap_session_list *ret, struct tap_error *err)
{
	return tap_pg_query_sessions(own(conn), ret, NULL, err);
}

static int ask_texts(struct tap_engine_conn *conn, uint32_t instance, const uint64_t *ids, size_t count,
		     struct tap_texts *texts, struct tap_error *err)
{
	struct tap_pg_texts found = { 0 };
	int status = tap_pg_query_statement_texts(own(conn), ids, count, &found, NULL, err);

	if (status)
		return status;
	for (size_t i = 0; i < found.count; i++) {
		const struct tap_pg_text *text = &found.items[i];
		struct tap_text_key key = { .instance = instance,
					    .source = TAP_QUERY_ID_ENGINE,
					    .query_id = text->query_id };

		if (text->text)
			tap_texts_put(texts, &key, text->text, strlen(text->text), TAP_TEXT_NORMALISED);
	}
	tap_pg_texts_done(&found);
	return 0;
}

/* Places in queues stay as they were worked out where pg_blocking_pids may not be called. */
static int ask_locks(struct tap_engine_conn *conn, struct tap_lock_table *table, struct tap_relation_names *names,
		     struct tap_error *err)
{
	struct tap_error ignored;
	int status = tap_pg_query_locks(own(conn), table, NULL, err);

	(void)names;
	if (!status && tap_pg_query_queues(own(conn), table, &ignored) == -ENOMEM)
		status = tap_error_set(err, -ENOMEM, "out of memory");
	return status;
}

static int ask_prepared(struct tap_engine_conn *conn, struct tap_lock_prepared_list *list, struct tap_error *err)
{
	return tap_pg_query_prepared(own(conn), list, NULL, err);
}

static int advise(struct tap_engine_conn *conn, struct tap_engine_advice *ret, struct tap_error *err)
{
	struct tap_engine_advice advice = { .count = 0 };
	struct tap_pg_settings settings = { 0 };
	int status = tap_pg_query_settings(own(conn), &settings, err);

	if (status)
		return status;
	if (!settings.query_ids && tap_pg_conn_version(own(conn)) >= 140000)
		advice.lines[advice.count++] =
			"advice: compute_query_id = on (ALTER SYSTEM and reload, no restart): engine ids instead of "
			"own fingerprints, which cost 0.5 to 4 us a statement";
	if (!settings.track_activities)
		advice.lines[advice.count++] =
			"advice: track_activities = on: without it no statement can be told apart";
	if (!settings.has_statements)
		advice.lines[advice.count++] = "note: pg_stat_statements is not installed in this database: texts "
					       "longer than track_activity_query_size stay cut";
	if (!settings.reads_all_stats)
		advice.lines[advice.count++] = "advice: grant pg_monitor to the role dbtap logs in as";
	tap_pg_settings_done(&settings);
	*ret = advice;
	return 0;
}

/* A catalog is read from inside its own database. Never a template: a connection would keep it from being copied. */
static int catalog_open(struct tap_engine_conn *conn, const struct tap_engine_where *where, uint32_t oid,
			struct tap_engine_conn **ret, struct tap_error *err)
{
	struct tap_engine_where there = *where;
	struct tap_pg_database database = { 0 };
	int status = tap_pg_query_database(own(conn), oid, &database, err);

	if (status)
		return status;
	there.database = database.name;
	there.this_database = true;
	if (database.template || !database.connectable)
		status = tap_error_set(err, -EPERM, "%s: database %s: %s", where->instance, database.name,
				       database.template ? "a template, which a connection would keep from being copied"
							 : "it takes no connections");
	else
		status = conn_open(&there, ret, err);
	tap_pg_database_done(&database);
	return status;
}

static int ask_relations(struct tap_engine_conn *conn, uint32_t database, const struct tap_object_key *wanted,
			 size_t count, struct tap_objects *objects, struct tap_error *err)
{
	return tap_pg_query_relations(own(conn), database, wanted, count, objects, NULL, err);
}

static int ask_relation_names(struct tap_engine_conn *conn, uint32_t database, const uint32_t *oids, size_t count,
			      struct tap_relation_names *names, struct tap_error *err)
{
	return tap_pg_query_relation_names(own(conn), database, oids, count, names, NULL, err);
}

const struct tap_client tap_client_postgres = {
	.library = library_name,
	.conninfo_check = tap_pg_login_check,
	.open = conn_open,
	.close = conn_close,
	.alive = conn_alive,
	.names = ask_names,
	.sessions = ask_sessions,
	.texts = ask_texts,
	.locks = ask_locks,
	.prepared = ask_prepared,
	.advise = advise,
	.catalog_open = catalog_open,
	.relations = ask_relations,
	.relation_names = ask_relation_names,
};
