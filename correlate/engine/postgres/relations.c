// SPDX-License-Identifier: BSD-2-Clause
/* relations.c - the statements of relations.h and how their rows are read. */
#include "correlate/engine/postgres/relations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/base/strbuf.h"

enum {
	OID_TEXT_MAX = 16,
	NAMESPACE_CATALOG = 11, /* pg_catalog, in every version */
};

static const struct tap_pg_request database_query = {
	.name = "database",
	.sql = "SELECT datname::text, datallowconn::text, datistemplate::text FROM pg_catalog.pg_database "
	       "WHERE oid = $1::oid" TAP_PG_LIMIT(1),
	.n_params = 1,
	.columns = 3,
	.rows_max = 1,
	.field_max = 1024,
	.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
};

static int take_database(const struct tap_pg_value *values, void *arg)
{
	struct tap_pg_database *database = arg;

	database->connectable = tap_pg_field_is(&values[1], "true");
	database->template = tap_pg_field_is(&values[2], "true");
	return tap_pg_field_string(&values[0], &database->name);
}

int tap_pg_query_database(struct tap_pg_conn *conn, uint32_t oid, struct tap_pg_database *ret, struct tap_error *err)
{
	struct tap_pg_request request = database_query;
	struct tap_pg_database database = { 0 };
	char number[OID_TEXT_MAX];
	const char *params[] = { number };
	int r;

	snprintf(number, sizeof(number), "%" PRIu32, oid);
	request.params = params;
	r = tap_pg_conn_run(conn, &request, take_database, &database, err);
	if (!r && !database.name)
		r = tap_error_set(err, -ENOENT, "%s: no database has the number %" PRIu32 " any more",
				  tap_pg_conn_instance(conn), oid);
	if (r)
		tap_pg_database_done(&database);
	else
		*ret = database;
	return r;
}

void tap_pg_database_done(struct tap_pg_database *database)
{
	if (!database)
		return;
	free(database->name);
	*database = (struct tap_pg_database){ 0 };
}

enum {
	COLUMN_OID,
	COLUMN_FILENODE,
	COLUMN_TABLESPACE,
	COLUMN_KIND,
	COLUMN_PERSISTENCE,
	COLUMN_NAMESPACE,
	COLUMN_SCHEMA,
	COLUMN_NAME,
	COLUMN_PARENT_SCHEMA,
	COLUMN_PARENT,
	COLUMNS,
};

/*
 * Everything goes by an index, so that what it takes depends on what is wanted and not on how many relations there are:
 * pg_class has the database's own tablespace as 0, and the file number of a mapped catalog as 0 too (those are few, and
 * in no other tablespace). An index's parent is its table; that of a TOAST table, and of its index, the table whose
 * values it holds, found by the TOAST table's name and believed when that table says so too.
 */
#define WANTED \
	"w AS (SELECT u.tablespace, u.filenode, " \
	"CASE WHEN u.tablespace = d.dattablespace THEN 0 ELSE u.tablespace END AS stored " \
	"FROM pg_catalog.pg_database d, " \
	"ROWS FROM (pg_catalog.unnest($2::oid[]), pg_catalog.unnest($3::oid[])) u(tablespace, filenode) " \
	"WHERE d.datname = pg_catalog.current_database() AND $1::oid IN (0, d.oid))"
#define FOUND(condition) \
	"SELECT k.oid, w.filenode, w.tablespace, k.relkind, k.relpersistence, k.relnamespace, k.relname " \
	"FROM w JOIN pg_catalog.pg_class k ON k.reltablespace = w.stored AND k.relisshared = ($1::oid = 0) " \
	"AND " condition
#define TOAST_OWNER \
	"CASE WHEN t.relkind = 't' AND t.relname ~ '^pg_toast_[1-9][0-9]{0,9}$' " \
	"AND pg_catalog.substr(t.relname, 10)::bigint <= 4294967295 " \
	"THEN pg_catalog.substr(t.relname, 10)::oid END"

#define MAPPED \
	"k.reltablespace IN (0, 1664) AND k.relfilenode = 0 AND k.relkind IN ('r', 'i', 't') " \
	"AND pg_catalog.pg_relation_filenode(k.oid) = w.filenode"
#define BY_FILE FOUND("k.relfilenode = w.filenode")
#define BY_MAP FOUND(MAPPED)
#define LIMITED TAP_PG_LIMIT(TAP_PG_RELATIONS_MAX)
#define RELATIONS_SQL \
	"WITH " WANTED ", c AS (" BY_FILE " UNION ALL " BY_MAP ") " \
	"SELECT c.oid::text, c.filenode::text, c.tablespace::text, c.relkind::text, c.relpersistence::text, " \
	"c.relnamespace::text, n.nspname::text, c.relname::text, bn.nspname::text, b.relname::text " \
	"FROM c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace " \
	"LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid " \
	"LEFT JOIN pg_catalog.pg_class t ON t.oid = COALESCE(i.indrelid, c.oid) " \
	"LEFT JOIN pg_catalog.pg_class m ON m.oid = " TOAST_OWNER " AND m.reltoastrelid = t.oid " \
	"LEFT JOIN pg_catalog.pg_class b ON b.oid = COALESCE(m.oid, i.indrelid) " \
	"LEFT JOIN pg_catalog.pg_namespace bn ON bn.oid = b.relnamespace" LIMITED

static const struct tap_pg_request relations_query = {
	.name = "relations",
	.sql = RELATIONS_SQL,
	.n_params = 3,
	.columns = COLUMNS,
	.rows_max = TAP_PG_RELATIONS_MAX,
	.field_max = 1024,
	.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
};

static enum tap_file_kind kind_of(const struct tap_pg_value *kind, const struct tap_pg_value *persistence,
				  uint32_t namespace)
{
	static const struct {
		const char *letter;
		enum tap_file_kind kind;
	} kinds[] = {
		{ "r", TAP_FILE_TABLE },    { "i", TAP_FILE_INDEX },   { "t", TAP_FILE_TOAST },
		{ "S", TAP_FILE_SEQUENCE }, { "m", TAP_FILE_MATVIEW },
	};

	if (tap_pg_field_is(persistence, "t"))
		return TAP_FILE_TEMP_RELATION;
	if (namespace == NAMESPACE_CATALOG)
		return TAP_FILE_CATALOG;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (tap_pg_field_is(kind, kinds[i].letter))
			return kinds[i].kind;
	}
	return TAP_FILE_RELATION;
}

struct relations_read {
	struct tap_objects *objects;
	uint32_t database;
	struct tap_pg_rows rows;
};

static int read_names(const struct tap_pg_value *values, char *names[4])
{
	int r = 0;

	for (int i = 0; i < 4 && !r; i++)
		r = tap_pg_field_string(&values[COLUMN_SCHEMA + i], &names[i]);
	return r;
}

static int take_relation(const struct tap_pg_value *values, void *arg)
{
	struct relations_read *read = arg;
	struct tap_object_key key = { .database = read->database };
	struct tap_object_info info = { 0 };
	char *names[4] = { NULL };
	uint32_t namespace;
	int r = -EINVAL;

	read->rows.seen++;
	if (tap_pg_field_oid(&values[COLUMN_OID], &info.oid) &&
	    tap_pg_field_oid(&values[COLUMN_FILENODE], &key.filenode) &&
	    tap_pg_field_oid(&values[COLUMN_TABLESPACE], &key.tablespace) && key.tablespace &&
	    tap_pg_field_oid(&values[COLUMN_NAMESPACE], &namespace))
		r = read_names(values, names);
	if (!r) {
		info.kind = kind_of(&values[COLUMN_KIND], &values[COLUMN_PERSISTENCE], namespace);
		info.schema = names[0];
		info.name = names[1];
		info.parent_schema = names[2];
		info.parent_name = names[3];
		r = tap_objects_add(read->objects, &key, &info);
	}
	for (int i = 0; i < 4; i++)
		free(names[i]);
	read->rows.cut |= r == -ENOSPC;
	read->rows.skipped += r == -EINVAL;
	return r == -EINVAL || r == -ENOSPC ? 0 : r;
}

/* An array as PostgreSQL reads it, "{16384,16385}", of one number of each key. */
static char *format_numbers(const struct tap_object_key *keys, size_t count, bool tablespaces)
{
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	tap_strbuf_add_char(&text, '{');
	for (size_t i = 0; i < count && i < TAP_OBJECTS_ASKED_MAX; i++)
		tap_strbuf_printf(&text, "%s%" PRIu32, i ? "," : "",
				  tablespaces ? keys[i].tablespace : keys[i].filenode);
	tap_strbuf_add_char(&text, '}');
	return tap_strbuf_take(&text);
}

int tap_pg_query_relations(struct tap_pg_conn *conn, uint32_t database, const struct tap_object_key *wanted,
			   size_t n_wanted, struct tap_objects *objects, struct tap_pg_rows *ret_rows,
			   struct tap_error *err)
{
	struct relations_read read = { .objects = objects, .database = database };
	struct tap_pg_request request = relations_query;
	char *tablespaces = format_numbers(wanted, n_wanted, true);
	char *filenodes = format_numbers(wanted, n_wanted, false);
	char number[OID_TEXT_MAX];
	const char *params[] = { number, tablespaces, filenodes };
	int r;

	snprintf(number, sizeof(number), "%" PRIu32, database);
	request.params = params;
	if (tablespaces && filenodes)
		r = tap_pg_conn_run(conn, &request, take_relation, &read, err);
	else
		r = tap_error_set(err, -ENOMEM, "%s: out of memory", tap_pg_conn_instance(conn));
	free(tablespaces);
	free(filenodes);
	if (!r)
		tap_pg_rows_finish(&read.rows, TAP_PG_RELATIONS_MAX, ret_rows);
	return r;
}
