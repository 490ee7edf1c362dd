// SPDX-License-Identifier: BSD-2-Clause
/* test_conn_scripted.c - every outcome of a login and of running a query, against the scripted libmariadb. */
#include "correlate/engine/mysql/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/scripted_libmariadb.h"
#include "tests/lib/scripted_libpq.h"
#include "userspace/base/clock.h"

static struct tap_engine_where where;
static struct tap_error err;
static struct tap_my_conn *conn;

#define SHORT_MS 40

static void set_up(void)
{
	where = (struct tap_engine_where){ .instance = "mariadb-3306",
					   .socket = "/tmp/s.sock",
					   .port = 3306,
					   .connect_timeout_ms = SHORT_MS,
					   .query_timeout_ms = SHORT_MS };
	err.text[0] = '\0';
	conn = NULL;
	tap_scripted_identity(0, NULL);
}

static int open_conn(void)
{
	return tap_my_conn_open(&where, &conn, &err);
}

static void expect_error(int r, int code, const char *part)
{
	ck_assert_msg(r == code, "got %d, wanted %d: %s", r, code, err.text);
	ck_assert_msg(strstr(err.text, part), "no \"%s\" in: %s", part, err.text);
	ck_assert_msg(!strncmp(err.text, "mariadb-3306: ", 14), "%s", err.text);
}

#ifdef HAVE_LIBMARIADB

#define PLAY(steps) tap_scripted_my_play(steps, sizeof(steps) / sizeof((steps)[0]))
#define ACCEPTED \
	{ \
		.expect = "user=", .outcome = TAP_SCRIPTED_MY_LOGIN \
	}
#define OK(text) \
	{ \
		.expect = text, .outcome = TAP_SCRIPTED_MY_ROWS \
	}
#define SETTINGS \
	OK("SET SESSION TRANSACTION READ ONLY"), OK("autocommit = 1"), OK("max_statement_time"), \
		OK("innodb_lock_wait_timeout")

/* ---- logging in ---- */

START_TEST(test_automatic_login)
{
	static const struct tap_scripted_my_step steps[] = { ACCEPTED, SETTINGS };

	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_uint_eq(tap_my_conn_id(conn), TAP_SCRIPTED_MY_ID);
	ck_assert_int_eq(tap_my_conn_version(conn), 101119);
	ck_assert(tap_my_conn_is_mariadb(conn));
	ck_assert_str_eq(tap_my_conn_instance(conn), "mariadb-3306");
	ck_assert(tap_my_conn_alive(conn));
	ck_assert_ptr_nonnull(strstr(tap_scripted_my_login(), "user=root host=- port=3306 socket=/proc/self/fd/"));
	ck_assert_ptr_nonnull(strstr(tap_scripted_my_login(), "/s.sock database=- password="));
	ck_assert_str_eq(tap_scripted_identity_log(), "");
	tap_my_conn_close(conn);
	ck_assert(!tap_scripted_my_was_cut_off());
	tap_my_conn_close(NULL);
	ck_assert(!tap_my_conn_alive(NULL));
	tap_scripted_my_finish();
}
END_TEST

/* A server that was merely found gets nothing of this host: no file, no plugin, no password. */
START_TEST(test_what_a_found_server_may_ask)
{
	static const struct tap_scripted_my_step steps[] = { ACCEPTED, SETTINGS };
	const char *options = tap_scripted_my_options();

	PLAY(steps);
	where.conninfo = "database=shop";
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_ptr_nonnull(strstr(tap_scripted_my_login(), "database=shop password="));
	ck_assert_str_eq(strstr(tap_scripted_my_login(), "password="), "password=");
	ck_assert_ptr_nonnull(strstr(options, "nonblock\n"));
	ck_assert_ptr_nonnull(strstr(options, "plugin-dir=/dev/null\n"));
	ck_assert_ptr_nonnull(strstr(options, "local-infile=0\n"));
	ck_assert_ptr_nonnull(strstr(options, "max-packet=16777216\n"));
	ck_assert_ptr_nonnull(strstr(options, "program_name=dbtap\n"));
	ck_assert_ptr_null(strstr(options, "defaults"));
	tap_my_conn_close(conn);
	tap_scripted_my_finish();
}
END_TEST

START_TEST(test_the_users_own_choice)
{
	static const struct tap_scripted_my_step steps[] = { ACCEPTED, SETTINGS };
	const char *options = tap_scripted_my_options();

	PLAY(steps);
	where.conninfo = "user=monitor defaults-file=/root/my.cnf defaults-group=mon socket=/tmp/x.sock ssl-ca=/ca";
	where.uid = 70;
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_ptr_nonnull(strstr(tap_scripted_my_login(), "user=monitor"));
	ck_assert_ptr_nonnull(strstr(tap_scripted_my_login(), "/x.sock"));
	ck_assert_str_eq(strstr(tap_scripted_my_login(), "password="), "password=-");
	ck_assert_ptr_nonnull(strstr(options, "defaults-file=/root/my.cnf\ndefaults-group=mon\nssl-ca=/ca\n"));
	ck_assert_ptr_nonnull(strstr(options, "local-infile=0\n"));
	ck_assert_ptr_null(strstr(options, "plugin-dir"));
	ck_assert_str_eq(tap_scripted_identity_log(), "");
	tap_my_conn_close(conn);
	tap_scripted_my_finish();
}
END_TEST

START_TEST(test_mysql_has_other_settings)
{
	static const struct tap_scripted_my_step steps[] = {
		{ .version = "9.7.4" },		OK("READ ONLY"), OK("autocommit"), OK("max_execution_time = 1000"),
		OK("innodb_lock_wait_timeout"),
	};

	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	ck_assert(!tap_my_conn_is_mariadb(conn));
	ck_assert_int_eq(tap_my_conn_version(conn), 90704);
	tap_my_conn_close(conn);
	tap_scripted_my_finish();
}
END_TEST

START_TEST(test_settings_may_be_refused_but_not_lost)
{
	static const struct tap_scripted_my_step steps[] = {
		ACCEPTED,
		OK("READ ONLY"),
		{ .outcome = TAP_SCRIPTED_MY_ERROR, .number = 1193, .message = "Unknown system variable" },
		OK("max_statement_time"),
		{ .outcome = TAP_SCRIPTED_MY_ERROR, .number = 1193, .message = "Unknown system variable" },
		ACCEPTED,
		OK("READ ONLY"),
		{ .outcome = TAP_SCRIPTED_MY_LOST },
	};

	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	tap_my_conn_close(conn);
	conn = NULL;
	expect_error(open_conn(), -ECONNRESET, "session settings");
	ck_assert_ptr_null(conn);
	tap_scripted_my_finish();
}
END_TEST

/* A session that may write is none of ours. */
START_TEST(test_reading_only_must_hold)
{
	static const struct tap_scripted_my_step steps[] = {
		ACCEPTED,
		{ .outcome = TAP_SCRIPTED_MY_ERROR, .number = 1227, .message = "no" },
	};

	PLAY(steps);
	expect_error(open_conn(), -ENOTSUP, "cannot be asked to keep to reading");
	ck_assert_ptr_null(conn);
	tap_scripted_my_finish();
}
END_TEST

static const struct {
	unsigned number;
	int code;
} refusals[] = {
	{ 1045, -EACCES }, { 1698, -EACCES }, { 2059, -EACCES },       { 1040, -EBUSY },	{ 1049, -ENOENT },
	{ 1053, -EAGAIN }, { 2008, -ENOMEM }, { 2002, -ECONNREFUSED }, { 9999, -ECONNREFUSED },
};

START_TEST(test_refused_login)
{
	const struct tap_scripted_my_step steps[] = {
		{ .outcome = TAP_SCRIPTED_MY_REFUSED, .number = refusals[_i].number, .message = "not you\nand more" }
	};

	PLAY(steps);
	expect_error(open_conn(), refusals[_i].code, "cannot connect: not you (error");
	ck_assert_ptr_null(strchr(err.text, '\n'));
	ck_assert_ptr_null(conn);
	tap_scripted_my_finish();
}
END_TEST

START_TEST(test_then_as_the_owner)
{
	static const struct tap_scripted_my_step steps[] = {
		{ .expect = "user=root", .outcome = TAP_SCRIPTED_MY_REFUSED, .number = 1698, .message = "no" },
		{ .expect = "user=postgres" },
		SETTINGS,
	};

	PLAY(steps);
	where.uid = 70;
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_str_eq(tap_scripted_identity_log(), "setgroups(71) setegid(71) seteuid(70) "
						      "seteuid(0) setegid(4) setgroups_back(5) ");
	tap_my_conn_close(conn);
	tap_scripted_my_finish();
}
END_TEST

START_TEST(test_goes_back_after_a_failed_login)
{
	static const struct tap_scripted_my_step steps[] = {
		{ .outcome = TAP_SCRIPTED_MY_REFUSED, .number = 1045, .message = "no" },
		{ .outcome = TAP_SCRIPTED_MY_HANG },
	};

	PLAY(steps);
	where.uid = 70;
	expect_error(open_conn(), -ETIMEDOUT, "no answer");
	ck_assert_ptr_nonnull(strstr(tap_scripted_identity_log(), "seteuid(0) setegid(4) setgroups_back(5) "));
	tap_scripted_my_finish();
}
END_TEST

START_TEST(test_cannot_switch)
{
	static const struct tap_scripted_my_step steps[] = {
		{ .outcome = TAP_SCRIPTED_MY_REFUSED, .number = 1045, .message = "no" },
	};

	PLAY(steps);
	where.uid = 70;
	tap_scripted_identity(0, "seteuid(70)");
	expect_error(open_conn(), -EPERM, "acting as the server's owner (uid 70)");
	tap_scripted_my_finish();
}
END_TEST

START_TEST(test_cannot_switch_back)
{
	static const struct tap_scripted_my_step steps[] = {
		{ .outcome = TAP_SCRIPTED_MY_REFUSED, .number = 1045, .message = "no" },
		ACCEPTED,
	};

	PLAY(steps);
	where.uid = 70;
	tap_scripted_identity(0, "seteuid(0)");
	expect_error(open_conn(), -EPERM, "acting as the server's owner");
	ck_assert(tap_scripted_my_was_cut_off());
	tap_scripted_my_finish();
}
END_TEST

START_TEST(test_login_in_steps)
{
	static const struct tap_scripted_my_step steps[] = { { .late = 3 }, SETTINGS };

	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	tap_my_conn_close(conn);
	tap_scripted_my_finish();
}
END_TEST

static const enum tap_scripted_my_outcome silent[] = { TAP_SCRIPTED_MY_HANG, TAP_SCRIPTED_MY_NO_SOCKET };

START_TEST(test_silent_server)
{
	const struct tap_scripted_my_step steps[] = { { .outcome = silent[_i] } };
	int64_t began = tap_clock_ms();

	PLAY(steps);
	expect_error(open_conn(), -ETIMEDOUT, "no answer in time");
	ck_assert_int_ge(tap_clock_ms() - began, SHORT_MS);
	tap_scripted_my_finish();
}
END_TEST

START_TEST(test_no_memory)
{
	static const struct tap_scripted_my_step steps[] = { { .outcome = TAP_SCRIPTED_MY_NO_MEMORY } };
	static const struct tap_scripted_my_step accepted[] = { ACCEPTED };

	PLAY(steps);
	expect_error(open_conn(), -ENOMEM, "out of memory");
	tap_scripted_my_finish();
	PLAY(accepted);
	/* The library's connection is the first, ours the second. */
	tap_alloc_fail_at(2);
	expect_error(open_conn(), -ENOMEM, "out of memory");
	tap_alloc_fail_at(0);
	tap_scripted_my_finish();
}
END_TEST

START_TEST(test_a_server_that_takes_no_farewell)
{
	static const struct tap_scripted_my_step steps[] = { { .outcome = TAP_SCRIPTED_MY_DEAF }, SETTINGS };

	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	tap_my_conn_close(conn);
	ck_assert(tap_scripted_my_was_cut_off());
	tap_scripted_my_finish();
}
END_TEST

/* ---- running ---- */

struct got {
	char rows[4][64];
	size_t count;
	int fail_at; /* row that fails; -1: none */
};

static int take_row(const struct tap_my_value *values, void *arg)
{
	struct got *got = arg;

	if ((int)got->count == got->fail_at)
		return -E2BIG;
	if (got->count < 4)
		snprintf(got->rows[got->count], 64, "%.*s|%s", (int)values[0].size, values[0].data,
			 values[1].data ? "text" : "NULL");
	got->count++;
	return 0;
}

static const char *const cells[] = { "1", "one", "2", NULL, "3", "three" };
static const struct tap_my_request request = {
	.name = "of the test", .sql = "SELECT 1", .columns = 2, .rows_max = 3, .field_max = 8, .timeout_ms = SHORT_MS
};

#define ANSWER(...) \
	{ \
		.expect = "SELECT 1", .columns = 2, .rows = 3, .cells = cells, __VA_ARGS__ \
	}

/* Opens, runs, and leaves the connection as it is. */
static int run_once(const struct tap_scripted_my_step *answer, struct got *got)
{
	static struct tap_scripted_my_step steps[] = { ACCEPTED, SETTINGS, { .columns = 0 } };

	steps[5] = *answer;
	tap_scripted_my_play(steps, 6);
	ck_assert_int_eq(open_conn(), 0);
	*got = (struct got){ .fail_at = got->fail_at };
	return tap_my_conn_run(conn, &request, take_row, got, &err);
}

static void expect_open(bool open)
{
	struct tap_error again;

	ck_assert_int_eq(tap_my_conn_alive(conn), open);
	if (!open)
		ck_assert_int_eq(tap_my_conn_run(conn, &request, take_row, NULL, &again), -ECONNRESET);
	tap_my_conn_close(conn);
	tap_scripted_my_finish();
}

START_TEST(test_rows)
{
	const struct tap_scripted_my_step answer = ANSWER(.outcome = TAP_SCRIPTED_MY_ROWS, .late = _i);
	struct got got = { .fail_at = -1 };

	ck_assert_int_eq(run_once(&answer, &got), 0);
	ck_assert_uint_eq(got.count, 3);
	ck_assert_str_eq(got.rows[0], "1|text");
	ck_assert_str_eq(got.rows[1], "2|NULL");
	ck_assert_str_eq(tap_scripted_my_sql(), "SELECT 1");
	expect_open(true);
}
END_TEST

/* code, whether the connection survives, part of the message, and the answer. */
static const struct outcome {
	int code;
	bool open;
	const char *part;
	struct tap_scripted_my_step answer;
} outcomes[] = {
	{ -ETIMEDOUT, false, "no answer in time", ANSWER(.outcome = TAP_SCRIPTED_MY_HANG) },
	{ -ETIMEDOUT, false, "no answer in time", { .outcome = TAP_SCRIPTED_MY_HANG } },
	{ -ECONNRESET, false, "Lost connection", ANSWER(.outcome = TAP_SCRIPTED_MY_LOST) },
	{ -ECONNRESET, false, "Lost connection", { .outcome = TAP_SCRIPTED_MY_LOST } },
	{ -EPROTO, false, "more rows", ANSWER(.outcome = TAP_SCRIPTED_MY_ENDLESS) },
	{ -EPROTO, false, "twice", ANSWER(.outcome = TAP_SCRIPTED_MY_TWICE) },
	{ -EPROTO, false, "other columns", { .columns = 3, .rows = 1, .cells = cells } },
	{ -EPROTO, false, "other columns", { .columns = 0 } },
	{ -EPROTO, false, "no length", ANSWER(.outcome = TAP_SCRIPTED_MY_NO_LENGTHS) },
	{ -ENOMEM, false, "out of memory", ANSWER(.outcome = TAP_SCRIPTED_MY_NO_RESULT) },
	{ -ETIMEDOUT, true, "stopped the statement", ANSWER(.outcome = TAP_SCRIPTED_MY_ERROR_AFTER, .number = 1969) },
	{ -ETIMEDOUT, true, "somebody", { .outcome = TAP_SCRIPTED_MY_ERROR, .number = 1317, .message = "x" } },
	{ -EACCES, true, "grant PROCESS", { .outcome = TAP_SCRIPTED_MY_ERROR, .number = 1227, .message = "x" } },
	{ -ENOENT, true, "no such table", { .outcome = TAP_SCRIPTED_MY_ERROR, .number = 1146, .message = "x" } },
	{ -EBUSY, true, "lock", { .outcome = TAP_SCRIPTED_MY_ERROR, .number = 1205, .message = "x" } },
	{ -EIO, true, "log", { .outcome = TAP_SCRIPTED_MY_ERROR, .number = 1064, .message = "x" } },
	{ -ECONNRESET, false, "killed", { .outcome = TAP_SCRIPTED_MY_ERROR, .number = 1927, .message = "killed" } },
};

START_TEST(test_outcome)
{
	struct got got = { .fail_at = -1 };

	expect_error(run_once(&outcomes[_i].answer, &got), outcomes[_i].code, outcomes[_i].part);
	ck_assert_ptr_nonnull(strstr(err.text, "query of the test: "));
	expect_open(outcomes[_i].open);
}
END_TEST

START_TEST(test_a_long_field)
{
	static const unsigned long sizes[] = { 1, 3, 1, 1UL << 40, 1, 9 };
	const struct tap_scripted_my_step answer = ANSWER(.sizes = sizes);
	struct got got = { .fail_at = -1 };

	/* The length beside a NULL is nobody's; the last one is longer than asked for. */
	expect_error(run_once(&answer, &got), -EPROTO, "longer fields");
	ck_assert_uint_eq(got.count, 2);
	expect_open(false);
}
END_TEST

START_TEST(test_a_row_that_is_not_wanted)
{
	const struct tap_scripted_my_step answer = ANSWER(.outcome = TAP_SCRIPTED_MY_ROWS);
	struct got got = { .fail_at = 1 };

	expect_error(run_once(&answer, &got), -E2BIG, "query of the test");
	expect_open(false);
}
END_TEST

START_TEST(test_too_many_columns)
{
	static const char *const row[TAP_MY_COLUMNS_MAX + 1] = { NULL };
	static const struct tap_scripted_my_step steps[] = {
		ACCEPTED, SETTINGS, { .columns = TAP_MY_COLUMNS_MAX + 1, .rows = 1, .cells = row }
	};
	struct tap_my_request many = request;
	struct got got = { .fail_at = -1 };

	many.columns = TAP_MY_COLUMNS_MAX + 1;
	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	expect_error(tap_my_conn_run(conn, &many, take_row, &got, &err), -EPROTO, "other columns");
	expect_open(false);
}
END_TEST

static void count_call(void *arg)
{
	++*(int *)arg;
}

START_TEST(test_meanwhile)
{
	static const struct tap_scripted_my_step steps[] = { ACCEPTED, SETTINGS, ANSWER(.late = 3), ANSWER(.late = 0) };
	struct tap_my_request looking = request;
	struct got got = { .fail_at = -1 };
	int calls = 0;

	looking.meanwhile = count_call;
	looking.meanwhile_arg = &calls;
	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_int_eq(tap_my_conn_run(conn, &looking, take_row, &got, &err), 0);
	ck_assert_int_eq(calls, 1);
	/* The answer was there at once. */
	ck_assert_int_eq(tap_my_conn_run(conn, &looking, take_row, &got, &err), 0);
	ck_assert_int_eq(calls, 1);
	expect_open(true);
}
END_TEST

START_TEST(test_hangs_up_while_idle)
{
	static const struct tap_scripted_my_step steps[] = { ACCEPTED, SETTINGS };

	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	ck_assert(tap_my_conn_alive(conn));
	tap_scripted_my_hang_up();
	expect_open(false);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("mysql_conn");
	TCase *login = tcase_create("login"), *running = tcase_create("running");

	tcase_add_checked_fixture(login, set_up, NULL);
	tcase_add_checked_fixture(running, set_up, NULL);
	tcase_add_test(login, test_automatic_login);
	tcase_add_test(login, test_what_a_found_server_may_ask);
	tcase_add_test(login, test_the_users_own_choice);
	tcase_add_test(login, test_mysql_has_other_settings);
	tcase_add_test(login, test_settings_may_be_refused_but_not_lost);
	tcase_add_test(login, test_reading_only_must_hold);
	tcase_add_loop_test(login, test_refused_login, 0, sizeof(refusals) / sizeof(*refusals));
	tcase_add_test(login, test_then_as_the_owner);
	tcase_add_test(login, test_goes_back_after_a_failed_login);
	tcase_add_test(login, test_cannot_switch);
	tcase_add_test(login, test_cannot_switch_back);
	tcase_add_test(login, test_login_in_steps);
	tcase_add_loop_test(login, test_silent_server, 0, sizeof(silent) / sizeof(*silent));
	tcase_add_test(login, test_no_memory);
	tcase_add_test(login, test_a_server_that_takes_no_farewell);
	suite_add_tcase(suite, login);
	tcase_add_loop_test(running, test_rows, 0, 3);
	tcase_add_loop_test(running, test_outcome, 0, sizeof(outcomes) / sizeof(*outcomes));
	tcase_add_test(running, test_a_long_field);
	tcase_add_test(running, test_a_row_that_is_not_wanted);
	tcase_add_test(running, test_too_many_columns);
	tcase_add_test(running, test_meanwhile);
	tcase_add_test(running, test_hangs_up_while_idle);
	suite_add_tcase(suite, running);
	return suite;
}

#else

START_TEST(test_built_without)
{
	expect_error(open_conn(), -ENOTSUP, "built without libmariadb");
	ck_assert_ptr_null(conn);
	ck_assert(!tap_my_conn_alive(conn));
	tap_my_conn_close(conn);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("mysql_conn");
	TCase *absent = tcase_create("absent");

	tcase_add_checked_fixture(absent, set_up, NULL);
	tcase_add_test(absent, test_built_without);
	suite_add_tcase(suite, absent);
	return suite;
}

#endif

int main(void)
{
	return tap_test_run(make_suite());
}
