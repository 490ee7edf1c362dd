// SPDX-License-Identifier: BSD-2-Clause
/* test_relations_scripted.c - databases and relations: every outcome, rows that make no sense, bounds. */
#include "correlate/engine/postgres/relations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/scripted_libpq.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

enum {
	COLUMNS = 10,
};

static struct tap_pg_conn *conn;
static struct tap_error err;
static struct tap_pg_rows rows;
static struct tap_objects objects;
static struct tap_pg_database database;
static const struct tap_object_key wanted[] = { { 5, 1663, 16384 }, { 5, 4294967294u, 4294967295u } };

static void play(const struct tap_scripted_step *step)
{
	static struct tap_scripted_step steps[2];
	/* Only a script that ends in silence needs a short wait. */
	const struct tap_engine_where where = { .instance = "postgres-5432",
						.socket = "@x",
						.query_timeout_ms = step->outcome == TAP_SCRIPTED_HANG ? 40 : 0 };

	steps[0] = (struct tap_scripted_step){ .outcome = TAP_SCRIPTED_LOGIN, .version = 130000 };
	steps[1] = *step;
	tap_scripted_play(steps, 2);
	memset(&rows, 0, sizeof(rows));
	memset(&database, 0, sizeof(database));
	err.text[0] = '\0';
	tap_objects_init(&objects);
	ck_assert_msg(tap_pg_conn_open(&where, &conn, &err) == 0, "%s", err.text);
}

static void finish(void)
{
	tap_alloc_fail_at(0);
	tap_objects_done(&objects);
	tap_pg_database_done(&database);
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}

static void expect_error(int r, int code, const char *part)
{
	ck_assert_msg(r == code, "got %d, wanted %d: %s", r, code, err.text);
	ck_assert_msg(strstr(err.text, part), "no \"%s\" in: %s", part, err.text);
}

static int ask(uint32_t oid)
{
	return tap_pg_query_relations(conn, oid, wanted, COUNT(wanted), &objects, &rows, &err);
}

static const struct tap_object *find(uint32_t oid, uint32_t tablespace, uint32_t filenode)
{
	const struct tap_object_key key = { .database = oid, .tablespace = tablespace, .filenode = filenode };

	return tap_objects_find(&objects, &key);
}

/* ---- databases ---- */

static const char *const database_cells[] = { "al\xffpha", "true", "false" };

START_TEST(test_a_database)
{
	const struct tap_scripted_step step = { .expect = "pg_catalog.pg_database",
						.outcome = TAP_SCRIPTED_ROWS,
						.columns = 3,
						.rows = 1,
						.cells = database_cells };

	play(&step);
	ck_assert_int_eq(tap_pg_query_database(conn, 4294967295u, &database, &err), 0);
	ck_assert_str_eq(tap_scripted_param(0), "4294967295");
	ck_assert_str_eq(database.name, "al\xffpha");
	ck_assert(database.connectable && !database.template);
	finish();
	tap_pg_database_done(NULL);
}
END_TEST

static const char *const nameless[] = { NULL, "true", "false", "", "true", "false" };

START_TEST(test_no_database)
{
	for (int i = 0; i < 3; i++) {
		const struct tap_scripted_step step = {
			.outcome = TAP_SCRIPTED_ROWS, .columns = 3, .rows = i > 0, .cells = nameless + (i > 1 ? 3 : 0)
		};

		play(&step);
		expect_error(tap_pg_query_database(conn, 5, &database, &err), -ENOENT, "number 5");
		ck_assert_ptr_null(database.name);
		finish();
	}
}
END_TEST

START_TEST(test_a_database_may_be_closed)
{
	static const char *const cells[] = { "template0", "false", "true" };
	const struct tap_scripted_step step = { .outcome = TAP_SCRIPTED_ROWS, .columns = 3, .rows = 1, .cells = cells };

	play(&step);
	ck_assert_int_eq(tap_pg_query_database(conn, 4, &database, &err), 0);
	ck_assert(!database.connectable && database.template);
	finish();
}
END_TEST

/* ---- relations ---- */

static const char *const cells[] = {
	/* oid, file, tablespace, kind, persistence, namespace, schema, name, parent's schema, parent */
	"16384",      "16390",
	"1663",	      "r",
	"p",	      "2200",
	"public",     "acc\xff",
	NULL,	      NULL,
	"16400",      "16401",
	"16388",      "i",
	"p",	      "2200",
	"public",     "acc_pkey",
	"public",     "acc\xff",
	"16402",      "16402",
	"1663",	      "t",
	"p",	      "99",
	"pg_toast",   "pg_toast_16384",
	"public",     "acc\xff",
	"16403",      "16403",
	"1663",	      "i",
	"p",	      "99",
	"pg_toast",   "pg_toast_16384_index",
	"public",     "acc\xff",
	"1259",	      "1259",
	"1663",	      "r",
	"p",	      "11",
	"pg_catalog", "pg_class",
	NULL,	      NULL,
	"16410",      "16410",
	"1663",	      "S",
	"u",	      "2200",
	"public",     "ids",
	NULL,	      NULL,
	"16411",      "16411",
	"1663",	      "m",
	"p",	      "2200",
	"public",     "summary",
	NULL,	      NULL,
	"16412",      "16412",
	"1663",	      "r",
	"t",	      "16405",
	"pg_temp_3",  "work",
	NULL,	      NULL,
	"16413",      "16413",
	"1663",	      "x",
	"p",	      "2200",
	"public",     "odd",
	NULL,	      NULL,
};

static const struct tap_scripted_step relations_step = { .expect = "pg_catalog.pg_class",
							 .outcome = TAP_SCRIPTED_ROWS,
							 .columns = COLUMNS,
							 .rows = COUNT(cells) / COLUMNS,
							 .cells = cells };

START_TEST(test_relations)
{
	static const struct {
		uint32_t tablespace, filenode;
		enum tap_file_kind kind;
		const char *name, *parent;
	} expected[] = {
		{ 1663, 16390, TAP_FILE_TABLE, "public.acc\xff", NULL },
		{ 16388, 16401, TAP_FILE_INDEX, "public.acc_pkey", "public.acc\xff" },
		{ 1663, 16402, TAP_FILE_TOAST, "pg_toast.pg_toast_16384", "public.acc\xff" },
		{ 1663, 16403, TAP_FILE_INDEX, "pg_toast.pg_toast_16384_index", "public.acc\xff" },
		{ 1663, 1259, TAP_FILE_CATALOG, "pg_catalog.pg_class", NULL },
		{ 1663, 16410, TAP_FILE_SEQUENCE, "public.ids", NULL },
		{ 1663, 16411, TAP_FILE_MATVIEW, "public.summary", NULL },
		{ 1663, 16412, TAP_FILE_TEMP_RELATION, "pg_temp_3.work", NULL },
		{ 1663, 16413, TAP_FILE_RELATION, "public.odd", NULL },
	};

	play(&relations_step);
	ck_assert_msg(ask(5) == 0, "%s", err.text);
	ck_assert_str_eq(tap_scripted_param(0), "5");
	ck_assert_str_eq(tap_scripted_param(1), "{1663,4294967294}");
	ck_assert_str_eq(tap_scripted_param(2), "{16384,4294967295}");
	ck_assert(rows.seen == COUNT(expected) && !rows.skipped && !rows.cut);
	ck_assert_uint_eq(tap_objects_count(&objects), COUNT(expected));
	for (int i = 0; i < COUNT(expected); i++) {
		const struct tap_object *object = find(5, expected[i].tablespace, expected[i].filenode);

		ck_assert_ptr_nonnull(object);
		ck_assert_int_eq(object->kind, expected[i].kind);
		ck_assert_str_eq(object->name, expected[i].name);
		ck_assert_pstr_eq(object->parent, expected[i].parent);
	}
	ck_assert_uint_eq(find(5, 1663, 16390)->oid, 16384);
	ck_assert_ptr_null(find(0, 1663, 16390));
	finish();
}
END_TEST

START_TEST(test_statement_is_bounded_and_qualified)
{
	const struct tap_scripted_step step = { .outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS };
	static const char *const words[] = { "FROM pg_", "JOIN pg_" };

	play(&step);
	ck_assert_int_eq(ask(0), 0);
	ck_assert_str_eq(tap_scripted_param(0), "0");
	ck_assert_ptr_nonnull(strstr(tap_scripted_sql(), " LIMIT "));
	ck_assert_ptr_null(strchr(tap_scripted_sql(), ';'));
	for (int i = 0; i < COUNT(words); i++) {
		for (const char *at = tap_scripted_sql(); (at = strstr(at, words[i])); at++)
			ck_assert_msg(strncmp(at + 5, "pg_catalog.", 11) == 0, "%s", at);
	}
	finish();
}
END_TEST

/* One column of an otherwise good row. */
static const struct {
	int column;
	const char *value;
	bool kept;
} fields[] = {
	{ 0, "x", false },
	{ 0, "-1", false },
	{ 1, NULL, false },
	{ 1, "0", false },
	{ 1, "4294967296", false },
	{ 1, "", false },
	{ 2, NULL, false },
	{ 2, "0", false },
	{ 3, NULL, true },
	{ 4, NULL, true },
	{ 5, "x", false },
	{ 5, NULL, true },
	{ 6, NULL, false },
	{ 6, "", false },
	{ 7, NULL, false },
	{ 7, "", false },
	{ 7, "\x1b[31m'\"\n", true },
	{ 8, "lone", true },
	{ 9, "lone", true },
};

START_TEST(test_odd_fields)
{
	const char *row[COLUMNS];
	const struct tap_scripted_step step = {
		.outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS, .rows = 1, .cells = row
	};

	memcpy(row, cells, sizeof(row));
	row[fields[_i].column] = fields[_i].value;
	play(&step);
	ck_assert_int_eq(ask(5), 0);
	ck_assert_uint_eq(tap_objects_count(&objects), fields[_i].kept);
	ck_assert_uint_eq(rows.skipped, !fields[_i].kept);
	if (fields[_i].kept)
		ck_assert_ptr_null(find(5, 1663, 16390)->parent);
	finish();
}
END_TEST

static const struct {
	struct tap_scripted_step step;
	int code;
	const char *part;
} outcomes[] = {
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS - 1, .rows = 1, .cells = cells },
	  -EPROTO,
	  "other columns" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS, .rows = 1, .cells = cells, .type = 26 },
	  -EPROTO,
	  "column types" },
	{ { .outcome = TAP_SCRIPTED_ENDLESS, .columns = COLUMNS, .rows = 1, .cells = cells }, -EPROTO, "more rows" },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "42501", .message = "permission denied" }, -EACCES, "permission" },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "57014", .message = "timeout" }, -ETIMEDOUT, "57014" },
	{ { .outcome = TAP_SCRIPTED_FATAL, .state = "57P01", .message = "terminating" }, -ECONNRESET, "terminating" },
	{ { .outcome = TAP_SCRIPTED_LOST, .columns = COLUMNS, .rows = 1, .cells = cells }, -ECONNRESET, "closed" },
	{ { .outcome = TAP_SCRIPTED_HANG, .columns = COLUMNS, .rows = 1, .cells = cells }, -ETIMEDOUT, "no answer" },
};

START_TEST(test_outcomes)
{
	play(&outcomes[_i].step);
	expect_error(ask(5), outcomes[_i].code, outcomes[_i].part);
	ck_assert_ptr_nonnull(strstr(err.text, "relations"));
	finish();
}
END_TEST

START_TEST(test_more_wanted_than_there_is_room_for)
{
	static struct tap_object_key many[TAP_OBJECTS_ASKED_MAX + 9];
	const struct tap_scripted_step step = { .outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS };

	play(&step);
	ck_assert_int_eq(tap_pg_query_relations(conn, 5, many, COUNT(many), &objects, NULL, &err), 0);
	ck_assert_int_eq(strncmp(tap_scripted_param(1), "{0,0,0", 6), 0);
	finish();
}
END_TEST

START_TEST(test_without_memory)
{
	long n;

	for (n = 1;; n++) {
		int r;

		play(&relations_step);
		tap_alloc_fail_at(n);
		r = ask(5);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		expect_error(r, -ENOMEM, "memory");
		/* Not every step may have been reached. */
		tap_objects_done(&objects);
		tap_pg_conn_close(conn);
	}
	ck_assert_int_gt(n, 20);
	finish();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("relations");
	TCase *tests = tcase_create("relations");

	tcase_add_test(tests, test_a_database);
	tcase_add_test(tests, test_no_database);
	tcase_add_test(tests, test_a_database_may_be_closed);
	tcase_add_test(tests, test_relations);
	tcase_add_test(tests, test_statement_is_bounded_and_qualified);
	tcase_add_loop_test(tests, test_odd_fields, 0, COUNT(fields));
	tcase_add_loop_test(tests, test_outcomes, 0, COUNT(outcomes));
	tcase_add_test(tests, test_more_wanted_than_there_is_room_for);
	tcase_add_test(tests, test_without_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
