// SPDX-License-Identifier: BSD-2-Clause
/* test_relation_names_scripted.c - names of relations by oid: what is asked, rows that make no sense, failures, bounds.
 */
#include "correlate/engine/postgres/relation_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/scripted_libpq.h"

enum {
	COLUMNS = 3,
};

static struct tap_pg_conn *conn;
static struct tap_error err;
static struct tap_pg_rows rows;
static struct tap_relation_names names;
static const uint32_t wanted[] = { 16384, 4294967295u };

static void play(const struct tap_scripted_step *step)
{
	static struct tap_scripted_step steps[2];
	const struct tap_engine_where where = { .instance = "postgres-5432",
						.socket = "@x",
						.query_timeout_ms = step->outcome == TAP_SCRIPTED_HANG ? 40 : 0 };

	steps[0] = (struct tap_scripted_step){ .outcome = TAP_SCRIPTED_LOGIN, .version = 130000 };
	steps[1] = *step;
	tap_scripted_play(steps, 2);
	memset(&rows, 0, sizeof(rows));
	err.text[0] = '\0';
	tap_relation_names_init(&names);
	ck_assert_msg(tap_pg_conn_open(&where, &conn, &err) == 0, "%s", err.text);
}

static void finish(void)
{
	tap_alloc_fail_at(0);
	tap_relation_names_done(&names);
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}

static int ask(uint32_t database)
{
	return tap_pg_query_relation_names(conn, database, wanted, 2, &names, &rows, &err);
}

START_TEST(test_names)
{
	static const char *const cells[] = { "16384", "public", "acc\xffounts", "4294967295", "My.Schema", "T" };
	const struct tap_scripted_step step = { .expect = "pg_catalog.pg_class",
						.outcome = TAP_SCRIPTED_ROWS,
						.columns = COLUMNS,
						.rows = 2,
						.cells = cells };

	play(&step);
	ck_assert_int_eq(ask(5), 0);
	ck_assert_str_eq(tap_scripted_param(0), "5");
	ck_assert_str_eq(tap_scripted_param(1), "{16384,4294967295}");
	ck_assert_str_eq(tap_relation_names_find(&names, 5, 16384), "public.acc\xffounts");
	ck_assert_str_eq(tap_relation_names_find(&names, 5, 4294967295u), "My.Schema.T");
	ck_assert_ptr_null(tap_relation_names_find(&names, 6, 16384));
	ck_assert_uint_eq(rows.seen, 2);
	ck_assert_uint_eq(rows.skipped, 0);
	finish();
}
END_TEST

START_TEST(test_rows_that_make_no_sense)
{
	static const char *const cells[] = {
		NULL, "public", "a",	  "-1", "public",      "b",	 "0", "public", "c",	  "16384", NULL,
		"d",  "16384",	"public", "",	"99999999999", "public", "e", "16385",	"public", "good",
	};
	const struct tap_scripted_step step = {
		.outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS, .rows = 7, .cells = cells
	};

	play(&step);
	ck_assert_int_eq(ask(5), 0);
	ck_assert_uint_eq(names.count, 1);
	ck_assert_str_eq(tap_relation_names_find(&names, 5, 16385), "public.good");
	ck_assert_uint_eq(rows.seen, 7);
	ck_assert_uint_eq(rows.skipped, 6);
	finish();
}
END_TEST

START_TEST(test_failures)
{
	static const enum tap_scripted_outcome outcomes[] = { TAP_SCRIPTED_HANG, TAP_SCRIPTED_ROWS };

	for (size_t i = 0; i < 2; i++) {
		/* Silence; or an answer of another shape. */
		const struct tap_scripted_step step = { .outcome = outcomes[i], .columns = COLUMNS - 1 };

		play(&step);
		ck_assert_int_lt(ask(5), 0);
		ck_assert_str_ne(err.text, "");
		ck_assert_uint_eq(names.count, 0);
		finish();
	}
}
END_TEST

START_TEST(test_out_of_memory)
{
	static const char *const cells[] = { "16384", "public", "accounts" };
	const struct tap_scripted_step step = {
		.outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS, .rows = 1, .cells = cells
	};
	long n;

	for (n = 1;; n++) {
		int status;

		play(&step);
		tap_alloc_fail_at(n);
		status = ask(5);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert_int_eq(status, -ENOMEM);
		/* Not every step may have been reached. */
		tap_relation_names_done(&names);
		tap_pg_conn_close(conn);
	}
	ck_assert_int_gt(n, 5);
	finish();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("relation_names_scripted");
	TCase *tcase = tcase_create("relation_names");

	tcase_add_test(tcase, test_names);
	tcase_add_test(tcase, test_rows_that_make_no_sense);
	tcase_add_test(tcase, test_failures);
	tcase_add_test(tcase, test_out_of_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
