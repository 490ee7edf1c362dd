// SPDX-License-Identifier: BSD-2-Clause
/* relation_names.c - the statement of relation_names.h and how its rows are read. */
#include "correlate/engine/postgres/relation_names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/base/strbuf.h"

enum {
	COLUMN_OID,
	COLUMN_SCHEMA,
	COLUMN_NAME,
	COLUMNS,
	OID_TEXT_MAX = 16,
};

static const struct tap_pg_request names_query = {
	.name = "relation names",
	.sql = "SELECT c.oid::text, n.nspname::text, c.relname::text FROM pg_catalog.unnest($2::oid[]) w(oid) "
	       "JOIN pg_catalog.pg_class c ON c.oid = w.oid "
	       "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
	       "JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database() "
	       "AND $1::oid = CASE WHEN c.relisshared THEN 0 ELSE d.oid END" TAP_PG_LIMIT(TAP_PG_RELATION_NAMES_MAX),
	.n_params = 2,
	.columns = COLUMNS,
	.rows_max = TAP_PG_RELATION_NAMES_MAX,
	.field_max = 1024,
	.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
};

struct names_read {
	struct tap_relation_names *names;
	uint32_t database;
	struct tap_pg_rows rows;
};

static int take_name(const struct tap_pg_value *values, void *arg)
{
	struct names_read *read = arg;
	char *schema = NULL, *name = NULL;
	uint32_t oid = 0;
	int r = -EINVAL;

	read->rows.seen++;
	if (tap_pg_field_oid(&values[COLUMN_OID], &oid))
		r = tap_pg_field_string(&values[COLUMN_SCHEMA], &schema);
	if (!r)
		r = tap_pg_field_string(&values[COLUMN_NAME], &name);
	if (!r)
		r = schema && name ? tap_relation_names_add(read->names, read->database, oid, schema, strlen(schema),
							    name, strlen(name))
				   : -EINVAL;
	free(schema);
	free(name);
	read->rows.skipped += r == -EINVAL;
	return r == -EINVAL ? 0 : r;
}

/* An array as PostgreSQL reads it: "{16384,16385}". */
static char *format_oids(const uint32_t *oids, size_t count)
{
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	tap_strbuf_add_char(&text, '{');
	for (size_t i = 0; i < count && i < TAP_PG_RELATION_NAMES_MAX; i++)
		tap_strbuf_printf(&text, "%s%" PRIu32, i ? "," : "", oids[i]);
	tap_strbuf_add_char(&text, '}');
	return tap_strbuf_take(&text);
}

int tap_pg_query_relation_names(struct tap_pg_conn *conn, uint32_t database, const uint32_t *oids, size_t n_oids,
				struct tap_relation_names *names, struct tap_pg_rows *ret_rows, struct tap_error *err)
{
	struct names_read read = { .names = names, .database = database };
	struct tap_pg_request request = names_query;
	char *wanted = format_oids(oids, n_oids);
	char number[OID_TEXT_MAX];
	const char *params[] = { number, wanted };
	int r;

	if (!wanted)
		return tap_error_set(err, -ENOMEM, "%s: out of memory", tap_pg_conn_instance(conn));
	snprintf(number, sizeof(number), "%" PRIu32, database);
	request.params = params;
	r = tap_pg_conn_run(conn, &request, take_name, &read, err);
	free(wanted);
	if (!r)
		tap_pg_rows_finish(&read.rows, TAP_PG_RELATION_NAMES_MAX, ret_rows);
	return r;
}
