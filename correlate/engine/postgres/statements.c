// SPDX-License-Identifier: BSD-2-Clause
/* statements.c - the statements of statements.h and how their rows are read. */
#include "correlate/engine/postgres/statements.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/base/strbuf.h"

/* Room for one more of an array of `size` bytes each. */
static void *make_room(void *items, size_t count, size_t *capacity, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return items;
	grown = realloc(items, wanted * size);
	if (grown)
		*capacity = wanted;
	return grown;
}

/* Extensions live where the administrator put them, and our search_path holds pg_catalog only. */
static const struct tap_pg_request schema_query = {
	.name = "schema of pg_stat_statements",
	.sql = "SELECT n.nspname::text FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n "
	       "ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'" TAP_PG_LIMIT(1),
	.columns = 1,
	.rows_max = 1,
	.field_max = 1024,
	.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
};

static int take_schema(const struct tap_pg_value *values, void *arg)
{
	return tap_pg_field_string(&values[0], arg);
}

static int out_of_memory(struct tap_pg_conn *conn, struct tap_error *err)
{
	return tap_error_set(err, -ENOMEM, "%s: out of memory", tap_pg_conn_instance(conn));
}

static int find_schema(struct tap_pg_conn *conn, char **ret, struct tap_error *err)
{
	int r = tap_pg_conn_run(conn, &schema_query, take_schema, ret, err);

	if (r || *ret)
		return r;
	return tap_error_set(
		err, -ENOENT,
		"%s: pg_stat_statements is not installed in the database dbtap is connected to; CREATE EXTENSION "
		"pg_stat_statements there, or name another with --dsn NAME='dbname=...'",
		tap_pg_conn_instance(conn));
}

/* `head` "schema".pg_stat_statements`tail`, malloc'd. */
static char *compose(const char *head, const char *schema, const char *tail)
{
	struct tap_strbuf sql;

	tap_strbuf_init(&sql);
	tap_strbuf_add_string(&sql, head);
	tap_strbuf_add_char(&sql, '"');
	for (; *schema; schema++)
		tap_strbuf_add_repeated(&sql, *schema, *schema == '"' ? 2 : 1);
	tap_strbuf_add_string(&sql, "\".pg_stat_statements");
	tap_strbuf_add_string(&sql, tail);
	return tap_strbuf_take(&sql);
}

/* Ask the extension: `query->sql` is what stands before its name, `tail` what follows. `ids` is the parameter or NULL.
 */
static int ask_statements(struct tap_pg_conn *conn, const struct tap_pg_request *query, const char *tail,
			  const char *ids, tap_pg_row_fn row, void *arg, struct tap_error *err)
{
	struct tap_pg_request request = *query;
	char *schema = NULL;
	char *sql = NULL;
	int r = find_schema(conn, &schema, err);

	if (!r) {
		sql = compose(query->sql, schema, tail);
		request.sql = sql;
		request.params = &ids;
		r = sql ? tap_pg_conn_run(conn, &request, row, arg, err) : out_of_memory(conn, err);
	}
	free(schema);
	free(sql);
	return r;
}

static const struct tap_pg_request texts_query = {
	.name = "statement texts",
	.sql = "SELECT queryid::text, " TAP_PG_BYTES("query", TAP_PG_TEXT_MAX) " FROM ",
	.n_params = 1,
	.columns = 2,
	.rows_max = TAP_PG_STATEMENTS_MAX,
	.field_max = TAP_PG_TEXT_MAX,
	.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
};
static const char texts_tail[] =
	"(true) WHERE $1::bigint[] IS NULL OR queryid = ANY ($1::bigint[])" TAP_PG_LIMIT(TAP_PG_STATEMENTS_MAX);

struct texts_read {
	struct tap_pg_texts texts;
	struct tap_pg_rows rows;
	size_t bytes;
};

static int take_text(const struct tap_pg_value *values, void *arg)
{
	struct texts_read *read = arg;
	struct tap_pg_text *items;
	struct tap_pg_text text = { 0 };
	int r;

	read->rows.seen++;
	read->rows.hidden += tap_pg_field_is(&values[1], TAP_PG_NO_PRIVILEGE);
	read->rows.skipped += !tap_pg_field_query_id(&values[0], &text.query_id);
	if (!text.query_id || tap_pg_field_is(&values[1], TAP_PG_NO_PRIVILEGE))
		return 0;
	if (values[1].size > TAP_PG_TEXTS_MAX - read->bytes) {
		read->rows.cut = true;
		return 0;
	}
	r = tap_pg_field_string(&values[1], &text.text);
	if (r || !text.text)
		return r;
	items = make_room(read->texts.items, read->texts.count, &read->texts.capacity, sizeof(*items));
	if (!items) {
		free(text.text);
		return -ENOMEM;
	}
	read->bytes += values[1].size;
	items[read->texts.count++] = text;
	read->texts.items = items;
	return 0;
}

static int compare_texts(const void *a, const void *b)
{
	const struct tap_pg_text *left = a;
	const struct tap_pg_text *right = b;

	return (left->query_id > right->query_id) - (left->query_id < right->query_id);
}

/* One text each: the server has a row for every user, database and level. */
static void sort_texts(struct tap_pg_texts *texts)
{
	size_t kept = 0;

	if (texts->count)
		qsort(texts->items, texts->count, sizeof(texts->items[0]), compare_texts);
	for (size_t i = 0; i < texts->count; i++) {
		if (kept && texts->items[kept - 1].query_id == texts->items[i].query_id)
			free(texts->items[i].text);
		else
			texts->items[kept++] = texts->items[i];
	}
	texts->count = kept;
}

/* An array as PostgreSQL reads it: "{1,-2}". */
static char *format_ids(const uint64_t *ids, size_t count)
{
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	tap_strbuf_add_char(&text, '{');
	for (size_t i = 0; i < count && i < TAP_PG_WANTED_MAX; i++)
		tap_strbuf_printf(&text, "%s%" PRId64, i ? "," : "", (int64_t)ids[i]);
	tap_strbuf_add_char(&text, '}');
	return tap_strbuf_take(&text);
}

int tap_pg_query_statement_texts(struct tap_pg_conn *conn, const uint64_t *wanted, size_t n_wanted,
				 struct tap_pg_texts *ret, struct tap_pg_rows *ret_rows, struct tap_error *err)
{
	struct texts_read read = { 0 };
	char *ids = wanted ? format_ids(wanted, n_wanted) : NULL;
	int r;

	if (wanted && !ids)
		return out_of_memory(conn, err);
	r = ask_statements(conn, &texts_query, texts_tail, ids, take_text, &read, err);
	free(ids);
	if (r) {
		tap_pg_texts_done(&read.texts);
		return r;
	}
	sort_texts(&read.texts);
	tap_pg_rows_finish(&read.rows, TAP_PG_STATEMENTS_MAX, ret_rows);
	*ret = read.texts;
	return 0;
}

void tap_pg_texts_done(struct tap_pg_texts *texts)
{
	if (!texts)
		return;
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i].text);
	free(texts->items);
	*texts = (struct tap_pg_texts){ 0 };
}

const char *tap_pg_texts_find(const struct tap_pg_texts *texts, uint64_t query_id)
{
	const struct tap_pg_text key = { .query_id = query_id };
	const struct tap_pg_text *found = NULL;

	if (texts->count)
		found = bsearch(&key, texts->items, texts->count, sizeof(key), compare_texts);
	return found ? found->text : NULL;
}

static const struct tap_pg_request calls_query = {
	.name = "statement calls",
	.sql = "SELECT queryid::text, dbid::text, userid::text, sum(calls)::bigint::text, "
	       "(sum(total_exec_time) * 1000)::bigint::text FROM ",
	.columns = 5,
	.rows_max = TAP_PG_STATEMENTS_MAX,
	.field_max = 64,
	.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
};
static const char calls_tail[] = "(false) GROUP BY queryid, dbid, userid" TAP_PG_LIMIT(TAP_PG_STATEMENTS_MAX);

struct calls_read {
	struct tap_pg_calls *items;
	size_t count;
	size_t capacity;
	struct tap_pg_rows rows;
};

static int take_calls(const struct tap_pg_value *values, void *arg)
{
	struct calls_read *read = arg;
	struct tap_pg_calls *items;
	struct tap_pg_calls row;
	int64_t calls;

	read->rows.seen++;
	if (!tap_pg_field_query_id(&values[0], &row.query_id) || !tap_pg_field_oid(&values[1], &row.database) ||
	    !tap_pg_field_oid(&values[2], &row.user) || !tap_pg_field_number(&values[3], 0, INT64_MAX, &calls) ||
	    !tap_pg_field_number(&values[4], 0, INT64_MAX, &row.elapsed_us)) {
		read->rows.skipped++;
		return 0;
	}
	if (!row.query_id) {
		read->rows.hidden++;
		return 0;
	}
	items = make_room(read->items, read->count, &read->capacity, sizeof(*items));
	if (!items)
		return -ENOMEM;
	row.calls = (uint64_t)calls;
	items[read->count++] = row;
	read->items = items;
	return 0;
}

int tap_pg_query_statement_calls(struct tap_pg_conn *conn, struct tap_pg_calls **ret, size_t *ret_count,
				 struct tap_pg_rows *ret_rows, struct tap_error *err)
{
	struct calls_read read = { 0 };
	int r = ask_statements(conn, &calls_query, calls_tail, NULL, take_calls, &read, err);

	if (r) {
		free(read.items);
		return r;
	}
	tap_pg_rows_finish(&read.rows, TAP_PG_STATEMENTS_MAX, ret_rows);
	*ret = read.items;
	*ret_count = read.count;
	return 0;
}
