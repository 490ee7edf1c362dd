// SPDX-License-Identifier: BSD-2-Clause
/* test_queries_scripted.c - what is asked of MariaDB, and answers that make no sense, against the scripted library. */
#include "correlate/engine/mysql/queries.h"

#include <errno.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/engine/mysql/digests.h"
#include "correlate/engine/mysql/number.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/scripted_libmariadb.h"
#include "tests/lib/scripted_libpq.h"

static struct tap_my_conn *conn;
static struct tap_error err;

#ifdef HAVE_LIBMARIADB

#define OK(text) \
	{ \
		.expect = text, .outcome = TAP_SCRIPTED_MY_ROWS \
	}
#define OPENED \
	{ .version = NULL }, OK("READ ONLY"), OK("autocommit"), OK("max_statement_time"), OK("innodb_lock_wait_timeout")
#define ANSWER(text, n_columns, n_rows, values) \
	{ \
		.expect = text, .columns = n_columns, .rows = n_rows, .cells = values \
	}

static void open_with(const struct tap_scripted_my_step *steps, size_t count)
{
	const struct tap_engine_where where = { .instance = "mariadb-3306", .socket = "/tmp/s.sock" };

	tap_scripted_identity(0, NULL);
	tap_scripted_my_play(steps, count);
	ck_assert_int_eq(tap_my_conn_open(&where, &conn, &err), 0);
}
#define OPEN(steps) open_with(steps, sizeof(steps) / sizeof((steps)[0]))

static void close_all(void)
{
	tap_my_conn_close(conn);
	tap_scripted_my_finish();
}

START_TEST(test_settings)
{
	static const char *const cells[] = { "1", "0", "1" };
	static const struct tap_scripted_my_step steps[] = { OPENED, ANSWER("@@performance_schema", 3, 1, cells) };
	struct tap_my_settings settings;

	OPEN(steps);
	ck_assert_int_eq(tap_my_query_settings(conn, &settings, &err), 0);
	ck_assert(settings.performance_schema && !settings.sees_all && settings.thread_pool);
	close_all();
}
END_TEST

START_TEST(test_names)
{
	static const char *const databases[] = { "shop", NULL, "", "mysql" }, *const users[] = { "root", "app" };
	static const struct tap_scripted_my_step steps[] = {
		OPENED,
		ANSWER("SCHEMATA", 1, 4, databases),
		ANSWER("mysql.user", 1, 2, users),
		ANSWER("SCHEMATA", 1, 4, databases),
		{ .expect = "mysql.user", .outcome = TAP_SCRIPTED_MY_ERROR, .number = 1142, .message = "denied" },
	};
	struct tap_names names;

	OPEN(steps);
	tap_names_init(&names);
	ck_assert_int_eq(tap_my_query_names(conn, &names, &err), 0);
	ck_assert_uint_eq(names.count, 4);
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_DATABASE, tap_my_name_number("shop")), "shop");
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_USER, tap_my_name_number("app")), "app");
	/* Users may be hidden: those that have sessions are known from these. */
	ck_assert_int_eq(tap_my_query_names(conn, &names, &err), 0);
	tap_names_done(&names);
	close_all();
}
END_TEST

static const char *const processes[] = {
	"5",
	"root",
	"localhost",
	"shop",
	"Query",
	"1500",
	"Sending data",
	"select 1",
	"77",
	"1700000000000000",
	"6",
	"app",
	"10.0.0.7",
	NULL,
	"Sleep",
	"0",
	"",
	NULL,
	"0",
	"1700000000000000",
	"7",
	"x",
	NULL,
	NULL,
	"Daemon",
	NULL,
	NULL,
	NULL,
	"79",
	"1700000000000000",
	/* None of these is one. */
	"0",
	"x",
	NULL,
	NULL,
	"Sleep",
	"0",
	NULL,
	NULL,
	"80",
	"1700000000000000",
	"8",
	"x",
	NULL,
	NULL,
	"Sleep",
	"soon",
	NULL,
	NULL,
	"80",
	"1700000000000000",
	"9",
	"x",
	NULL,
	NULL,
	"Sleep",
	"0",
	NULL,
	NULL,
	"-1",
	"1700000000000000",
	"9",
	"x",
	NULL,
	NULL,
	"Sleep",
	"0",
	NULL,
	NULL,
	"99999999999",
	"1700000000000000",
	"9",
	"x",
	NULL,
	NULL,
	"Sleep",
	"0",
	NULL,
	NULL,
	"80",
	"now",
};

START_TEST(test_sessions)
{
	static const struct tap_scripted_my_step steps[] = { OPENED, ANSWER("PROCESSLIST", 10, 8, processes) };
	struct tap_session_list list;

	OPEN(steps);
	ck_assert_int_eq(tap_my_query_sessions(conn, &list, &err), 0);
	ck_assert_uint_eq(list.count, 3);
	ck_assert_int_eq(list.items[0].connection_id, 5);
	ck_assert_int_eq(list.items[0].pid, 77);
	ck_assert_int_eq(list.items[0].state, TAP_SESSION_ACTIVE);
	ck_assert_str_eq(list.items[0].client, "[local]");
	ck_assert_str_eq(list.items[0].query, "select 1");
	ck_assert_int_eq(list.items[0].query_start_us, 1700000000000000 - 1500000);
	ck_assert_int_eq(list.items[1].state, TAP_SESSION_IDLE);
	ck_assert_str_eq(list.items[1].client, "10.0.0.7");
	ck_assert_uint_eq(list.items[1].database, 0);
	ck_assert_ptr_null(list.items[1].query);
	ck_assert_int_eq(list.items[2].kind, TAP_KIND_BACKGROUND);
	tap_session_list_done(&list);
	close_all();
}
END_TEST

START_TEST(test_sessions_without_memory)
{
	static const struct tap_scripted_my_step steps[] = { OPENED, ANSWER("PROCESSLIST", 10, 8, processes) };

	for (long n = 1;; n++) {
		struct tap_session_list list;
		int r;

		OPEN(steps);
		tap_alloc_fail_at(n);
		r = tap_my_query_sessions(conn, &list, &err);
		tap_my_conn_close(conn);
		if (!r)
			tap_session_list_done(&list);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(r, -ENOMEM);
		tap_scripted_my_finish();
	}
	tap_alloc_fail_at(0);
	tap_scripted_my_finish();
}
END_TEST

static const char *const on[] = { "1", "1", "0" }, *const off[] = { "0", "1", "0" };
static const char *const digests[] = {
	"aa11",
	"SELECT ? + ? ",
	"bb22",
	"SELECT `a` FROM `t` WHERE `b` IN (...) ",
	/* Not usable: cut, no digest, no text, too long, and two digests of one text. */
	"cc33",
	"SELECT `a` , ...",
	"not hex",
	"SELECT ? ",
	"dd44",
	NULL,
	NULL,
	"SELECT ? ",
	"11112222333344445555666677778888111122223333444455556666777788889",
	"SELECT ? ",
	"ee55",
	"DO ? ",
	"ff66",
	"DO ? ",
};

START_TEST(test_digests)
{
	static const struct tap_scripted_my_step steps[] = { OPENED, ANSWER("@@performance_schema", 3, 1, on),
							     ANSWER("summary_by_digest", 2, 9, digests) };
	struct tap_my_digests found;

	OPEN(steps);
	ck_assert_int_eq(tap_my_query_digests(conn, &found, &err), 0);
	ck_assert_uint_eq(found.count, 4);
	ck_assert_str_eq(tap_my_digests_find(&found, "select 1+2"), "aa11");
	ck_assert_str_eq(tap_my_digests_find(&found, "SELECT a FROM t WHERE b in (1, -5, 'x')"), "bb22");
	ck_assert_ptr_null(tap_my_digests_find(&found, "select 1"));
	ck_assert_ptr_null(tap_my_digests_find(&found, "do 1"));
	ck_assert_ptr_null(tap_my_digests_find(&found, ""));
	tap_my_digests_done(&found);
	ck_assert_ptr_null(tap_my_digests_find(&found, "select 1+2"));
	close_all();
}
END_TEST

START_TEST(test_no_digests)
{
	static const struct tap_scripted_my_step steps[] = { OPENED, ANSWER("@@performance_schema", 3, 1, off) };
	struct tap_my_digests found;

	OPEN(steps);
	ck_assert_int_eq(tap_my_query_digests(conn, &found, &err), -EOPNOTSUPP);
	close_all();
}
END_TEST

static void check_self(const struct tap_engine_self *self, void *arg)
{
	ck_assert_int_eq(self->connection_id, 12);
	ck_assert_str_eq(self->user, "root");
	ck_assert_str_eq(self->database, "");
	++*(int *)arg;
}

START_TEST(test_marked)
{
	static const char *const self[] = { "12", "root", NULL }, *const row[] = { "0", "marker" };
	static const char *const nobody[] = { "-3", "root", NULL };
	static const struct tap_scripted_my_step steps[] = {
		OPENED,
		ANSWER("CONNECTION_ID()", 3, 1, self),
		{ .expect = "SELECT SLEEP(1.040), 'marker'", .columns = 2, .rows = 1, .cells = row, .late = 1 },
		ANSWER("CONNECTION_ID()", 3, 1, nobody),
	};
	int calls = 0;

	OPEN(steps);
	ck_assert_int_eq(tap_my_query_marked(conn, "marker", 1040, check_self, &calls, &err), 0);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(tap_my_query_marked(conn, "marker", 1040, check_self, &calls, &err), -EPROTO);
	ck_assert_int_eq(calls, 1);
	close_all();
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, test_settings);
	tcase_add_test(tests, test_names);
	tcase_add_test(tests, test_sessions);
	tcase_add_test(tests, test_sessions_without_memory);
	tcase_add_test(tests, test_digests);
	tcase_add_test(tests, test_no_digests);
	tcase_add_test(tests, test_marked);
}

#else

START_TEST(test_built_without)
{
	struct tap_names names;

	tap_names_init(&names);
	ck_assert_int_eq(tap_my_query_names(conn, &names, &err), -ECONNRESET);
	tap_names_done(&names);
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, test_built_without);
}

#endif

static Suite *make_suite(void)
{
	Suite *suite = suite_create("mysql_queries");
	TCase *tests = tcase_create("queries");

	add_tests(tests);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
