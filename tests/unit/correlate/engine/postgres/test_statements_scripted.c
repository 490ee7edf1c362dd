// SPDX-License-Identifier: BSD-2-Clause
/* test_statements_scripted.c - texts and calls from pg_stat_statements: every outcome, wherever it is installed. */
#include "correlate/engine/postgres/statements.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/scripted_libpq.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct tap_pg_conn *conn;
static struct tap_error err;
static struct tap_pg_rows rows;
static struct tap_pg_texts texts;
static const char *const public_schema[] = { "public" };
static const struct tap_scripted_step schema_step = { .expect = "pg_catalog.pg_extension",
						      .outcome = TAP_SCRIPTED_ROWS,
						      .columns = 1,
						      .rows = 1,
						      .cells = public_schema };

/* A login, then these steps (`second` may be NULL). */
static void play(const struct tap_scripted_step *first, const struct tap_scripted_step *second)
{
	static struct tap_scripted_step steps[3];
	const struct tap_engine_where where = { .instance = "postgres-5432", .socket = "@x", .query_timeout_ms = 100 };

	steps[0] = (struct tap_scripted_step){ .outcome = TAP_SCRIPTED_LOGIN, .version = 130000 };
	steps[1] = *first;
	if (second)
		steps[2] = *second;
	tap_scripted_play(steps, second ? 3 : 2);
	memset(&rows, 0, sizeof(rows));
	memset(&texts, 0, sizeof(texts));
	err.text[0] = '\0';
	ck_assert_msg(tap_pg_conn_open(&where, &conn, &err) == 0, "%s", err.text);
}

static void finish(void)
{
	tap_pg_texts_done(&texts);
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}

static void expect_error(int r, int code, const char *part)
{
	ck_assert_msg(r == code, "got %d, wanted %d: %s", r, code, err.text);
	ck_assert_msg(strstr(err.text, part), "no \"%s\" in: %s", part, err.text);
}

static int ask_texts(void)
{
	static const uint64_t ids[] = { 1, UINT64_MAX };

	return tap_pg_query_statement_texts(conn, ids, 2, &texts, &rows, &err);
}

static int ask_calls(void)
{
	struct tap_pg_calls *calls = NULL;
	size_t count = 77;
	int r = tap_pg_query_statement_calls(conn, &calls, &count, NULL, &err);

	/* No assertion here: Check allocates too, which would spoil the test without memory. */
	if (r && (calls || count != 77))
		return -EDOM;
	free(calls);
	return r;
}

static const struct question {
	int (*ask)(void);
	int columns;
	const char *expect;
} questions[] = {
	{ ask_texts, 2, "\"public\".pg_stat_statements(true)" },
	{ ask_calls, 5, "\"public\".pg_stat_statements(false)" },
};

static const char *const garbage[] = { "x", "\xff", "-1", "", "1e9", "x" };
static const char *const nulls[6];

static const struct outcome {
	struct tap_scripted_step step;
	int columns; /* more or fewer than asked for */
	int code;
	const char *part;
} outcomes[] = {
	{ { .outcome = TAP_SCRIPTED_ROWS }, 0, 0, "" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .rows = 1, .cells = nulls }, 0, 0, "" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .rows = 1, .cells = garbage }, 0, 0, "" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .rows = 1, .cells = nulls }, 1, -EPROTO, "other columns" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .rows = 1, .cells = nulls, .type = 20 }, 0, -EPROTO, "types" },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "55000", .message = "must be loaded" },
	  0,
	  -EOPNOTSUPP,
	  "must be loaded" },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "42501", .message = "denied" }, 0, -EACCES, "pg_monitor" },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "22021", .message = "invalid byte" }, 0, -EILSEQ, "not valid" },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "57014", .message = "timeout" }, 0, -ETIMEDOUT, "57014" },
	{ { .outcome = TAP_SCRIPTED_LOST, .rows = 1, .cells = nulls }, 0, -ECONNRESET, "closed" },
	{ { .outcome = TAP_SCRIPTED_HANG, .rows = 1, .cells = nulls }, 0, -ETIMEDOUT, "no answer" },
};

START_TEST(test_outcomes_of_every_query)
{
	const struct outcome *outcome = &outcomes[_i % COUNT(outcomes)];
	const struct question *question = &questions[_i / COUNT(outcomes)];
	struct tap_scripted_step step = outcome->step;

	step.columns = question->columns + outcome->columns;
	step.expect = question->expect;
	play(&schema_step, &step);
	expect_error(question->ask(), outcome->code, outcome->part);
	if (!outcome->code)
		ck_assert_ptr_nonnull(strstr(tap_scripted_sql(), " LIMIT "));
	finish();
}
END_TEST

/* ---- where the extension is ---- */

static const struct {
	struct tap_scripted_step step;
	int code;
	const char *part;
} schemas[] = {
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = 1 }, -ENOENT, "not installed" },
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = 1, .rows = 1, .cells = nulls }, -ENOENT, "not installed" },
	{ { .outcome = TAP_SCRIPTED_ENDLESS, .columns = 1, .rows = 1, .cells = public_schema }, -EPROTO, "more rows" },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "57014", .message = "timeout" }, -ETIMEDOUT, "schema of" },
	{ { .outcome = TAP_SCRIPTED_LOST, .columns = 1 }, -ECONNRESET, "schema of" },
	{ { .outcome = TAP_SCRIPTED_HANG, .columns = 1 }, -ETIMEDOUT, "schema of" },
};

START_TEST(test_no_extension)
{
	int i = _i / COUNT(questions);

	play(&schemas[i].step, NULL);
	expect_error(questions[_i % COUNT(questions)].ask(), schemas[i].code, schemas[i].part);
	finish();
}
END_TEST

START_TEST(test_hostile_schema_is_quoted)
{
	static const char *const name[] = { "a\"; DROP \xff" };
	static const struct tap_scripted_step schema = {
		.outcome = TAP_SCRIPTED_ROWS, .columns = 1, .rows = 1, .cells = name
	};
	static const struct tap_scripted_step step = { .expect = " FROM \"a\"\"; DROP \xff\".pg_stat_statements(true)",
						       .outcome = TAP_SCRIPTED_ROWS,
						       .columns = 2 };

	play(&schema, &step);
	ck_assert_int_eq(ask_texts(), 0);
	finish();
}
END_TEST

/* ---- texts ---- */

static const char *const text_cells[] = {
	"7",  "select $1",
	"-1", "select '\x1b\xff'",
	"7",  "select $1",
	NULL, "<insufficient privilege>",
	"12", "<insufficient privilege>",
	"0",  "none",
	"x",  "bad",
	"8",  NULL,
	"9",  "",
	"3",  "three",
};

static const struct tap_scripted_step text_step = {
	.outcome = TAP_SCRIPTED_ROWS, .columns = 2, .rows = COUNT(text_cells) / 2, .cells = text_cells
};

START_TEST(test_texts)
{
	play(&schema_step, &text_step);
	ck_assert_int_eq(ask_texts(), 0);
	ck_assert_str_eq(tap_scripted_param(0), "{1,-1}");
	ck_assert_uint_eq(texts.count, 3);
	ck_assert(rows.seen == 10 && rows.hidden == 2 && rows.skipped == 1 && !rows.cut);
	ck_assert_str_eq(tap_pg_texts_find(&texts, 7), "select $1");
	ck_assert_str_eq(tap_pg_texts_find(&texts, 3), "three");
	ck_assert_str_eq(tap_pg_texts_find(&texts, UINT64_MAX), "select '\x1b\xff'");
	ck_assert_ptr_null(tap_pg_texts_find(&texts, 8));
	ck_assert_ptr_null(tap_pg_texts_find(&texts, 12));
	finish();
	tap_pg_texts_done(NULL);
	ck_assert_ptr_null(tap_pg_texts_find(&texts, 7));
}
END_TEST

START_TEST(test_all_texts)
{
	play(&schema_step, &text_step);
	ck_assert_int_eq(tap_pg_query_statement_texts(conn, NULL, 0, &texts, NULL, &err), 0);
	ck_assert_ptr_null(tap_scripted_param(0));
	ck_assert_uint_eq(texts.count, 3);
	finish();
}
END_TEST

START_TEST(test_bound_of_wanted)
{
	static uint64_t ids[TAP_PG_WANTED_MAX + 5];
	static const struct tap_scripted_step step = { .outcome = TAP_SCRIPTED_ROWS, .columns = 2 };

	play(&schema_step, &step);
	ck_assert_int_eq(tap_pg_query_statement_texts(conn, ids, 0, &texts, &rows, &err), 0);
	ck_assert_str_eq(tap_scripted_param(0), "{}");
	finish();
	play(&schema_step, &step);
	/* The script keeps the beginning only: that nothing overruns is what ASan says. */
	ck_assert_int_eq(tap_pg_query_statement_texts(conn, ids, TAP_PG_WANTED_MAX + 5, &texts, &rows, &err), 0);
	ck_assert_int_eq(strncmp(tap_scripted_param(0), "{0,0,0", 6), 0);
	finish();
}
END_TEST

/* As many texts, as long as they come: more than fit in all. */
START_TEST(test_bound_of_texts)
{
	enum {
		N = TAP_PG_TEXTS_MAX / TAP_PG_TEXT_MAX + 10
	};
	static char text[TAP_PG_TEXT_MAX + 1];
	static char ids[N][8];
	static const char *cells[N * 2];
	const struct tap_engine_where where = { .instance = "x", .socket = "@x" };
	const struct tap_scripted_step steps[] = {
		{ .outcome = TAP_SCRIPTED_LOGIN, .version = 130000 },
		schema_step,
		{ .outcome = TAP_SCRIPTED_ROWS, .columns = 2, .rows = N, .cells = cells },
	};

	memset(text, 't', sizeof(text) - 1);
	for (int i = 0; i < N; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%d", i + 1);
		cells[2 * i] = ids[i];
		cells[2 * i + 1] = text;
	}
	tap_scripted_play(steps, COUNT(steps));
	ck_assert_int_eq(tap_pg_conn_open(&where, &conn, &err), 0);
	ck_assert_msg(tap_pg_query_statement_texts(conn, NULL, 0, &texts, &rows, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(texts.count, N - 10);
	ck_assert(rows.cut);
	finish();
}
END_TEST

/* ---- calls ---- */

static const char *const call_cells[] = {
	"-7", "5", "10", "123", "4567", NULL, "5", "10", "1", "1", "8", "x",  "10", "1", "1", "8", "5",	 "-1",
	"1",  "1", "8",	 "5",	"1",	"-1", "1", "8",	 "5", "1", "1", "-1", "8",  "5", "1", "1", NULL,
};

static const struct tap_scripted_step call_step = {
	.outcome = TAP_SCRIPTED_ROWS, .columns = 5, .rows = COUNT(call_cells) / 5, .cells = call_cells
};

START_TEST(test_calls)
{
	struct tap_pg_calls *calls = NULL;
	size_t count = 0;

	play(&schema_step, &call_step);
	ck_assert_int_eq(tap_pg_query_statement_calls(conn, &calls, &count, &rows, &err), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert(calls[0].query_id == (uint64_t)-7 && calls[0].database == 5 && calls[0].user == 10);
	ck_assert(calls[0].calls == 123 && calls[0].elapsed_us == 4567);
	ck_assert(calls[1].query_id == 8 && calls[1].elapsed_us == 0);
	ck_assert(rows.seen == 7 && rows.skipped == 4 && rows.hidden == 1);
	free(calls);
	finish();
}
END_TEST

/* ---- no memory ---- */

START_TEST(test_out_of_memory)
{
	long n;

	for (n = 1;; n++) {
		int r;

		play(&schema_step, _i ? &call_step : &text_step);
		tap_alloc_fail_at(n);
		r = questions[_i].ask();
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		expect_error(r, -ENOMEM, "memory");
		ck_assert_uint_eq(texts.count, 0);
		/* Not every step may have been reached. */
		tap_pg_conn_close(conn);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_gt(n, 3);
	finish();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("postgres statements");
	TCase *tests = tcase_create("statements");

	tcase_set_timeout(tests, 30);
	tcase_add_loop_test(tests, test_outcomes_of_every_query, 0, COUNT(questions) * COUNT(outcomes));
	tcase_add_loop_test(tests, test_no_extension, 0, COUNT(questions) * COUNT(schemas));
	tcase_add_test(tests, test_hostile_schema_is_quoted);
	tcase_add_test(tests, test_texts);
	tcase_add_test(tests, test_all_texts);
	tcase_add_test(tests, test_bound_of_wanted);
	tcase_add_test(tests, test_bound_of_texts);
	tcase_add_test(tests, test_calls);
	tcase_add_loop_test(tests, test_out_of_memory, 0, COUNT(questions));
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
