// SPDX-License-Identifier: BSD-2-Clause
/* test_conn_scripted.c - every outcome of a login and of running a query, against the scripted libpq. */
#include "correlate/engine/postgres/conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/scripted_libpq.h"

#define SHORT_MS 40
#define PLAY(steps) tap_scripted_play(steps, sizeof(steps) / sizeof((steps)[0]))

static const char *const one_cell[] = { "0" };

#define ACCEPTED \
	{ \
		.expect = "dbname=", .outcome = TAP_SCRIPTED_LOGIN \
	}
#define SETTINGS \
	{ \
		.expect = "idle_session_timeout", .outcome = TAP_SCRIPTED_ROWS, .columns = 1, .rows = 1, \
		.cells = one_cell \
	}

static struct tap_engine_where where;
static struct tap_error err;
static struct tap_pg_conn *conn;

static void set_up(void)
{
	where = (struct tap_engine_where){ .instance = "postgres-5432",
					   .socket = "/tmp",
					   .port = 5432,
					   .connect_timeout_ms = SHORT_MS,
					   .query_timeout_ms = SHORT_MS };
	err.text[0] = '\0';
	conn = NULL;
	tap_scripted_identity(0, NULL);
}

static int open_conn(void)
{
	return tap_pg_conn_open(&where, &conn, &err);
}

static void expect_error(int r, int code, const char *part)
{
	ck_assert_msg(r == code, "got %d, wanted %d: %s", r, code, err.text);
	ck_assert_msg(strstr(err.text, part), "no \"%s\" in: %s", part, err.text);
	ck_assert_msg(strncmp(err.text, "postgres-5432: ", 15) == 0, "%s", err.text);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- logging in ---- */

START_TEST(test_automatic_login)
{
	static const struct tap_scripted_step steps[] = { ACCEPTED, SETTINGS };

	PLAY(steps);
	where.socket = "/tmp/../tmp";
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_int_eq(tap_pg_conn_backend_pid(conn), TAP_SCRIPTED_PID);
	ck_assert_int_eq(tap_pg_conn_version(conn), 150018);
	ck_assert_str_eq(tap_pg_conn_instance(conn), "postgres-5432");
	ck_assert(tap_pg_conn_alive(conn));
	ck_assert_int_eq(strncmp(tap_scripted_conninfo("host"), "/proc/self/fd/", 14), 0);
	ck_assert_str_eq(tap_scripted_conninfo("port"), "5432");
	ck_assert_str_eq(tap_scripted_conninfo("user"), "postgres");
	ck_assert_str_eq(tap_scripted_conninfo("dbname"), "postgres");
	ck_assert_str_eq(tap_scripted_conninfo("application_name"), "dbtap");
	ck_assert_str_eq(tap_scripted_conninfo("client_encoding"), "SQL_ASCII");
	/* Nothing of the environment or a password file goes to a server that was merely found. */
	ck_assert_str_eq(tap_scripted_conninfo("password"), "");
	ck_assert_str_eq(tap_scripted_conninfo("hostaddr"), "");
	ck_assert_str_eq(tap_scripted_conninfo("passfile"), "/dev/null/none");
	ck_assert_str_eq(tap_scripted_identity_log(), "");
	tap_pg_conn_close(conn);
	tap_pg_conn_close(NULL);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_session_settings_go_with_the_login)
{
	static const struct tap_scripted_step steps[] = { ACCEPTED, SETTINGS };
	static const char *const wanted[] = { "statement_timeout=1000", "lock_timeout=100",
					      "default_transaction_read_only=on", "jit=off", "search_path=pg_catalog" };
	const char *options;

	PLAY(steps);
	where.conninfo = "options='-c statement_timeout=0 -c a=\\'b\\''";
	ck_assert_int_eq(open_conn(), 0);
	options = tap_scripted_conninfo("options");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		ck_assert_msg(strstr(options, wanted[i]), "%s", options);
	/* The user's come first, as the last one counts. */
	ck_assert_ptr_eq(strstr(options, "-c statement_timeout=0 -c a='b' -c "), options);
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_older_server_gets_no_newer_setting)
{
	static const struct tap_scripted_step steps[] = { { .outcome = TAP_SCRIPTED_LOGIN, .version = 130022 } };

	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_too_old_server)
{
	static const struct tap_scripted_step steps[] = { { .outcome = TAP_SCRIPTED_LOGIN, .version = 120019 } };

	PLAY(steps);
	expect_error(open_conn(), -ENOTSUP, "120019");
	ck_assert_ptr_null(conn);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_settings_may_be_refused_but_not_lost)
{
	static const struct tap_scripted_step steps[] = {
		ACCEPTED,
		{ .outcome = TAP_SCRIPTED_ERROR, .state = "42501", .message = "no" },
		ACCEPTED,
		{ .outcome = TAP_SCRIPTED_LOST },
	};

	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	tap_pg_conn_close(conn);
	conn = NULL;
	expect_error(open_conn(), -ECONNRESET, "session settings");
	ck_assert_ptr_null(conn);
	tap_scripted_finish();
}
END_TEST

/* What the server or libpq says, and what comes of it. */
static const struct refusal {
	struct tap_scripted_step step;
	int code;
	const char *part;
	const char *absent;
} refusals[] = {
	{ { .outcome = TAP_SCRIPTED_REFUSED,
	    .message = "connection to server on socket \"/proc/self/fd/7/.s.PGSQL.5432\" failed: FATAL:  53300: sorry, "
		       "too many "
		       "clients already\nLOCATION:  elsewhere\n" },
	  -EBUSY,
	  "cannot connect: FATAL:  53300: sorry, too many clients already; free",
	  "/proc" },
	{ { .outcome = TAP_SCRIPTED_REFUSED, .message = "FATAL:  53400: limit\n" }, -EBUSY, "lacks a resource", NULL },
	{ { .outcome = TAP_SCRIPTED_REFUSED, .message = "x failed: FATAL:  28P01: password authentication failed" },
	  -EACCES,
	  "pgpass",
	  "x failed" },
	{ { .outcome = TAP_SCRIPTED_REFUSED, .message = "FATAL:  3D000: database \"x\" does not exist" },
	  -ENOENT,
	  "dbname=",
	  NULL },
	{ { .outcome = TAP_SCRIPTED_REFUSED, .message = "FATAL:  57P03: the database system is starting up" },
	  -EAGAIN,
	  "starting up",
	  NULL },
	{ { .outcome = TAP_SCRIPTED_REFUSED, .message = "x:  YYYY: :  \xff\x1b[31m:  " },
	  -ECONNREFUSED,
	  "?[31m",
	  "\x1b" },
	{ { .outcome = TAP_SCRIPTED_REFUSED, .message = "" }, -ECONNREFUSED, "connection lost", NULL },
	{ { .outcome = TAP_SCRIPTED_WANTS_PASSWORD, .message = "fe_sendauth: no password supplied" },
	  -EACCES,
	  "no password supplied",
	  NULL },
	{ { .outcome = TAP_SCRIPTED_UNREACHABLE, .message = "x failed: No such file or directory\n\tIs it running?" },
	  -ECONNREFUSED,
	  "No such file or directory; check --dsn",
	  "Is it" },
	{ { .outcome = TAP_SCRIPTED_NO_SOCKET, .message = "odd" }, -ECONNREFUSED, "odd", NULL },
	{ { .outcome = TAP_SCRIPTED_NO_MEMORY }, -ENOMEM, "out of memory", NULL },
	{ { .outcome = TAP_SCRIPTED_HANG }, -ETIMEDOUT, "no answer in time", NULL },
};

START_TEST(test_refused_login)
{
	const struct refusal *refusal = &refusals[_i];
	int64_t start = now_ms();

	tap_scripted_play(&refusal->step, 1);
	expect_error(open_conn(), refusal->code, refusal->part);
	if (refusal->absent)
		ck_assert_ptr_null(strstr(err.text, refusal->absent));
	ck_assert_ptr_null(conn);
	ck_assert_int_lt(now_ms() - start, 1000);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_default_timeout_when_none_is_given)
{
	static const struct tap_scripted_step steps[] = { { .outcome = TAP_SCRIPTED_HANG } };
	int64_t start = now_ms();

	PLAY(steps);
	where.connect_timeout_ms = 0;
	expect_error(open_conn(), -ETIMEDOUT, "no answer in time");
	ck_assert_int_ge(now_ms() - start, TAP_PG_CONNECT_TIMEOUT_MS - 1);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_message_of_any_length)
{
	static char endless[5000];
	static const struct tap_scripted_step steps[] = { { .outcome = TAP_SCRIPTED_REFUSED, .message = endless } };

	memset(endless, 'e', sizeof(endless) - 1);
	PLAY(steps);
	expect_error(open_conn(), -ECONNREFUSED, "eeee; check --dsn");
	tap_scripted_finish();
}
END_TEST

/* ---- where ---- */

static const char *host_of_login(void)
{
	static const struct tap_scripted_step steps[] = { ACCEPTED, SETTINGS };
	static char host[128];

	PLAY(steps);
	ck_assert_msg(open_conn() == 0, "%s", err.text);
	snprintf(host, sizeof(host), "%s", tap_scripted_conninfo("host"));
	tap_pg_conn_close(conn);
	tap_scripted_finish();
	return host;
}

START_TEST(test_places)
{
	where.socket = "@abstract";
	ck_assert_str_eq(host_of_login(), "@abstract");
	where.socket = NULL;
	where.host = "*";
	ck_assert_str_eq(host_of_login(), "127.0.0.1");
	where.host = "0.0.0.0";
	ck_assert_str_eq(host_of_login(), "127.0.0.1");
	where.host = "::";
	ck_assert_str_eq(host_of_login(), "::1");
	where.host = "10.0.0.7";
	ck_assert_str_eq(host_of_login(), "10.0.0.7");
	where.socket = "/nonexistent";
	ck_assert_str_eq(host_of_login(), "10.0.0.7");
	where.socket = "/tmp";
	where.conninfo = "user=mon";
	ck_assert_str_eq(host_of_login(), "/tmp");
	where.conninfo = "host=db.example";
	ck_assert_str_eq(host_of_login(), "db.example");
}
END_TEST

START_TEST(test_no_place)
{
	static char path[200];

	where.socket = "/nonexistent";
	expect_error(open_conn(), -ENOENT, "/nonexistent: No such file");
	where.socket = NULL;
	expect_error(open_conn(), -ENOENT, "(none)");
	memset(path, 'p', sizeof(path));
	path[0] = '@';
	path[sizeof(path) - 1] = '\0';
	where.socket = path;
	expect_error(open_conn(), -ENOENT, "File name too long");
}
END_TEST

START_TEST(test_given_connection_string)
{
	static const struct tap_scripted_step steps[] = { ACCEPTED, SETTINGS };

	PLAY(steps);
	where.conninfo = "user='we\\'ird' dbname=app port=6000 application_name=me client_encoding=UTF8";
	where.uid = 70;
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_str_eq(tap_scripted_conninfo("user"), "we'ird");
	ck_assert_str_eq(tap_scripted_conninfo("dbname"), "app");
	ck_assert_str_eq(tap_scripted_conninfo("port"), "6000");
	ck_assert_str_eq(tap_scripted_conninfo("application_name"), "dbtap");
	ck_assert_str_eq(tap_scripted_conninfo("client_encoding"), "SQL_ASCII");
	/* The user's choice: pgpass and the environment count, and we stay who we are. */
	ck_assert_ptr_null(tap_scripted_conninfo("password"));
	ck_assert_ptr_null(tap_scripted_conninfo("passfile"));
	ck_assert_str_eq(tap_scripted_identity_log(), "");
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_service_says_everything)
{
	static const struct tap_scripted_step steps[] = { { .expect = "service=" }, SETTINGS };

	PLAY(steps);
	where.conninfo = "service=mon";
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_ptr_null(tap_scripted_conninfo("host"));
	ck_assert_ptr_null(tap_scripted_conninfo("dbname"));
	ck_assert_ptr_null(tap_scripted_conninfo("user"));
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}
END_TEST

/* For catalogs: each database has its own, whatever the user's string says. */
START_TEST(test_this_database_and_no_other)
{
	static const char *const conninfos[] = { "user=mon dbname=app", "service=mon", NULL };

	for (size_t i = 0; i < 3; i++) {
		static const struct tap_scripted_step steps[] = { { .expect = "dbname='o\\'ther=x'" }, SETTINGS };

		PLAY(steps);
		where.conninfo = conninfos[i];
		where.database = "o'ther=x";
		where.this_database = true;
		ck_assert_int_eq(open_conn(), 0);
		ck_assert_str_eq(tap_scripted_conninfo("dbname"), "o'ther=x");
		tap_pg_conn_close(conn);
		tap_scripted_finish();
	}
}
END_TEST

START_TEST(test_database_alone_keeps_the_login_automatic)
{
	static const struct tap_scripted_step steps[] = { ACCEPTED, SETTINGS };

	PLAY(steps);
	where.conninfo = "dbname=app";
	where.uid = 70;
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_str_eq(tap_scripted_conninfo("dbname"), "app");
	ck_assert_str_eq(tap_scripted_conninfo("password"), "");
	ck_assert_ptr_nonnull(strstr(tap_scripted_identity_log(), "seteuid(70)"));
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}
END_TEST

static const char *const bad_conninfo[] = {
	"password=hunter2",
	"user=a password='hunter2'",
	"sslpassword=hunter2",
	"oauth_client_secret=hunter2",
	"user=mon password = hunter2 hunter2",
	"hunter2",
	"hunter2=1",
	"=hunter2",
};

START_TEST(test_refused_connection_string)
{
	where.conninfo = bad_conninfo[_i];
	expect_error(open_conn(), -EINVAL, _i < 4 ? "holds a password" : "");
	ck_assert_ptr_null(strstr(err.text, "hunter"));
	ck_assert_ptr_null(conn);
}
END_TEST

/* ---- as whom ---- */

START_TEST(test_acts_as_the_owner_and_back)
{
	static const struct tap_scripted_step steps[] = { { .expect = "user='postgres'" }, SETTINGS };

	PLAY(steps);
	where.uid = 70;
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_str_eq(tap_scripted_identity_log(), "setgroups(71) setegid(71) seteuid(70) "
						      "seteuid(0) setegid(4) setgroups_back(5) ");
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_goes_back_after_a_failed_login)
{
	static const struct tap_scripted_step steps[] = { { .outcome = TAP_SCRIPTED_HANG } };

	PLAY(steps);
	where.uid = 70;
	where.gid = 99;
	expect_error(open_conn(), -ETIMEDOUT, "no answer");
	ck_assert_str_eq(tap_scripted_identity_log(), "setgroups(99) setegid(99) seteuid(70) "
						      "seteuid(0) setegid(4) setgroups_back(5) ");
	tap_scripted_finish();
}
END_TEST

START_TEST(test_does_not_switch_without_need)
{
	static const struct tap_scripted_step steps[] = { { .expect = "user='postgres'" }, SETTINGS };

	PLAY(steps);
	tap_scripted_identity(70, NULL);
	where.uid = 70;
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_str_eq(tap_scripted_identity_log(), "");
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}
END_TEST

static const struct switch_failure {
	const char *failing;
	const char *log;
	int code;
} switch_failures[] = {
	{ "getgroups(0)", "", -EINVAL },
	{ "getgroups(2)", "", -EINVAL },
	{ "setgroups(71)", "setgroups(71) seteuid(0) setegid(4) setgroups_back(5) ", -EPERM },
	{ "setegid(71)", "setgroups(71) setegid(71) seteuid(0) setegid(4) setgroups_back(5) ", -EPERM },
	{ "seteuid(70)", "setgroups(71) setegid(71) seteuid(70) seteuid(0) setegid(4) setgroups_back(5) ", -EPERM },
};

START_TEST(test_cannot_act_as_the_owner)
{
	const struct switch_failure *failure = &switch_failures[_i];

	tap_scripted_play(NULL, 0);
	tap_scripted_identity(0, failure->failing);
	where.uid = 70;
	expect_error(open_conn(), failure->code, "uid 70");
	ck_assert_str_eq(tap_scripted_identity_log(), failure->log);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_cannot_go_back)
{
	static const struct tap_scripted_step steps[] = { ACCEPTED };

	PLAY(steps);
	tap_scripted_identity(0, "setegid(4)");
	where.uid = 70;
	expect_error(open_conn(), -EPERM, "uid 70");
	ck_assert_ptr_null(conn);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_owner_then_postgres)
{
	static const struct tap_scripted_step steps[] = {
		{ .expect = "user='pgadmin'",
		  .outcome = TAP_SCRIPTED_REFUSED,
		  .message = "FATAL:  28000: no such role" },
		{ .expect = "user='postgres'", .outcome = TAP_SCRIPTED_LOGIN },
		SETTINGS,
	};

	PLAY(steps);
	where.uid = 80;
	ck_assert_int_eq(open_conn(), 0);
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}
END_TEST

START_TEST(test_no_second_try_where_the_name_was_not_the_trouble)
{
	static const struct tap_scripted_step steps[] = {
		{ .expect = "user='pgadmin'", .outcome = TAP_SCRIPTED_REFUSED, .message = "FATAL:  53300: full" },
	};

	PLAY(steps);
	where.uid = 80;
	expect_error(open_conn(), -EBUSY, "full");
	tap_scripted_finish();
}
END_TEST

static const struct owner {
	uint32_t uid;
	const char *user;
	const char *expect;
} owners[] = {
	{ 70, "mon", "user='mon'" },
	{ 90, NULL, "user='postgres'" },   /* the name service fails */
	{ 4000, NULL, "user='postgres'" }, /* no such user on this host */
};

START_TEST(test_role_of_other_owners)
{
	struct tap_scripted_step steps[] = {
		{ .expect = owners[_i].expect, .outcome = TAP_SCRIPTED_REFUSED, .message = "FATAL:  28000: no" },
	};

	PLAY(steps);
	where.uid = owners[_i].uid;
	where.user = owners[_i].user;
	where.database = "other";
	expect_error(open_conn(), -EACCES, "28000");
	ck_assert_str_eq(tap_scripted_conninfo("dbname"), "other");
	tap_scripted_finish();
}
END_TEST

START_TEST(test_out_of_memory)
{
	static const struct tap_scripted_step steps[] = { { .expect = NULL }, SETTINGS };
	long n;

	where.conninfo = "options='-c a=b' dbname=app sslmode=require";
	where.uid = 70;
	for (n = 1;; n++) {
		int r;

		PLAY(steps);
		tap_alloc_fail_at(n);
		r = open_conn();
		if (!tap_alloc_failed())
			break;
		expect_error(r, -ENOMEM, strstr(err.text, "Cannot allocate") ? "uid" : "out of memory");
		ck_assert_ptr_null(conn);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_gt(n, 8);
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}
END_TEST

/* ---- running ---- */

#define COLUMNS 2

static const char *const cells[] = { "a", NULL, "bb", "" };
static const int negative_sizes[] = { -1, 0, 2, 0 };

static struct {
	char text[256];
	int code; /* to answer with at the second row */
	int rows;
} taken;

static void note_row(const struct tap_pg_value *values)
{
	size_t used = strlen(taken.text);

	for (int i = 0; i < COLUMNS; i++) {
		used += (size_t)snprintf(taken.text + used, sizeof(taken.text) - used, "%.*s%s",
					 values[i].data ? (int)values[i].size : 4,
					 values[i].data ? values[i].data : "NULL", i ? ";" : ",");
	}
}

static int take_row(const struct tap_pg_value *values, void *arg)
{
	ck_assert_ptr_eq(arg, &taken);
	if (++taken.rows <= 2)
		note_row(values);
	return taken.rows == 2 ? taken.code : 0;
}

static const struct tap_pg_request request = {
	.name = "greeting",
	.sql = "SELECT greeting",
	.columns = COLUMNS,
	.rows_max = 2,
	.field_max = 4,
	.timeout_ms = 5000,
};

static int run_step(const struct tap_scripted_step *step)
{
	static struct tap_scripted_step steps[3] = { ACCEPTED, SETTINGS };

	steps[2] = *step;
	memset(taken.text, 0, sizeof(taken.text));
	taken.rows = 0;
	steps[2].expect = "greeting";
	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	return tap_pg_conn_run(conn, &request, take_row, &taken, &err);
}

static void finish(bool alive)
{
	ck_assert_int_eq(tap_pg_conn_alive(conn), alive);
	if (!alive)
		expect_error(tap_pg_conn_run(conn, &request, take_row, &taken, &err), -ECONNRESET, "lost before");
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}

#define GREETING .columns = COLUMNS, .rows = 2, .cells = cells

static const struct tap_scripted_step good_answers[] = {
	{ .outcome = TAP_SCRIPTED_ROWS, GREETING },
	{ .outcome = TAP_SCRIPTED_ROWS, GREETING, .late = 3 },
	{ .outcome = TAP_SCRIPTED_ROWS, GREETING, .type = 17 },
	{ .outcome = TAP_SCRIPTED_FLUSH_SLOW, GREETING },
};

START_TEST(test_rows)
{
	int r = run_step(&good_answers[_i]);

	ck_assert_msg(r == 0, "%s", err.text);
	ck_assert_str_eq(taken.text, "a,NULL;bb,;");
	finish(true);
}
END_TEST

START_TEST(test_no_rows)
{
	static const struct tap_scripted_step step = { .outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS };

	ck_assert_int_eq(run_step(&step), 0);
	ck_assert_int_eq(taken.rows, 0);
	finish(true);
}
END_TEST

static const struct outcome {
	struct tap_scripted_step step;
	int code;
	const char *part;
	bool alive;
} outcomes[] = {
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "57014", .message = "canceling statement" },
	  -ETIMEDOUT,
	  "57014",
	  true },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "42501", .message = "no" }, -EACCES, "grant pg_monitor", true },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "42P01", .message = "no" }, -ENOENT, "no such object", true },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "3F000", .message = "no" }, -ENOENT, "schema", true },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "55P03", .message = "no" }, -EBUSY, "lock", true },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "55000", .message = "no" }, -EOPNOTSUPP, "set up", true },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "22021", .message = "no" }, -EILSEQ, "encoding", true },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "XX000", .message = "a\nb\x1b" },
	  -EIO,
	  "greeting: a, SQLSTATE",
	  true },
	{ { .outcome = TAP_SCRIPTED_ERROR, .message = "odd" }, -EIO, "odd; see", true },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "XX000", .message = "after rows", GREETING },
	  -EIO,
	  "after rows",
	  true },
	{ { .outcome = TAP_SCRIPTED_FATAL, .state = "57P01", .message = "terminating" },
	  -ECONNRESET,
	  "terminating",
	  false },
	{ { .outcome = TAP_SCRIPTED_LOST, .columns = COLUMNS }, -ECONNRESET, "closed the connection", false },
	{ { .outcome = TAP_SCRIPTED_LOST, GREETING }, -ECONNRESET, "closed the connection", false },
	{ { .outcome = TAP_SCRIPTED_HANG, .columns = COLUMNS }, -ETIMEDOUT, "no answer in time", false },
	{ { .outcome = TAP_SCRIPTED_HANG, GREETING }, -ETIMEDOUT, "no answer in time", false },
	{ { .outcome = TAP_SCRIPTED_ROWS, GREETING, .late = INT32_MAX }, -ETIMEDOUT, "no answer in time", false },
	{ { .outcome = TAP_SCRIPTED_ENDLESS, GREETING }, -EPROTO, "more rows", false },
	{ { .outcome = TAP_SCRIPTED_COPY, .columns = COLUMNS }, -EPROTO, "something else", false },
	{ { .outcome = TAP_SCRIPTED_NOTHING }, -EPROTO, "nothing", false },
	{ { .outcome = TAP_SCRIPTED_SEND_FAILS }, -ECONNRESET, "Broken pipe", false },
	{ { .outcome = TAP_SCRIPTED_FLUSH_FAILS }, -ECONNRESET, "reset by peer", false },
	{ { .outcome = TAP_SCRIPTED_FLUSH_HANGS }, -ETIMEDOUT, "no answer in time", false },
	{ { .outcome = TAP_SCRIPTED_FLUSH_LOST }, -ECONNRESET, "closed the connection", false },
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = 1, .rows = 1, .cells = cells }, -EPROTO, "other columns", false },
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = 3, .rows = 1, .cells = cells }, -EPROTO, "other columns", false },
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = 0 }, -EPROTO, "other columns", false },
	{ { .outcome = TAP_SCRIPTED_ROWS, GREETING, .type = 20 }, -EPROTO, "column types", false },
	{ { .outcome = TAP_SCRIPTED_ROWS, GREETING, .as_text = true }, -EPROTO, "column types", false },
	{ { .outcome = TAP_SCRIPTED_ROWS, GREETING, .sizes = (const int[]){ 1, 0, 5, 0 } }, -EPROTO, "longer", false },
	{ { .outcome = TAP_SCRIPTED_ROWS, GREETING, .sizes = negative_sizes }, -EPROTO, "longer", false },
};

START_TEST(test_bad_answers)
{
	const struct outcome *outcome = &outcomes[_i];
	int64_t start = now_ms();

	expect_error(run_step(&outcome->step), outcome->code, outcome->part);
	ck_assert_ptr_nonnull(strstr(err.text, "greeting"));
	ck_assert_ptr_null(strchr(err.text, '\n'));
	ck_assert_int_lt(now_ms() - start, 1000);
	finish(outcome->alive);
}
END_TEST

START_TEST(test_the_reader_stops_it)
{
	taken.code = -ENOMEM;
	expect_error(run_step(&good_answers[0]), -ENOMEM, "Cannot allocate");
	ck_assert_int_eq(taken.rows, 2);
	taken.code = 0;
	finish(false);
}
END_TEST

START_TEST(test_a_steady_trickle_ends_at_the_deadline)
{
	static const struct tap_scripted_step steps[] = { ACCEPTED,
							  SETTINGS,
							  { .outcome = TAP_SCRIPTED_ENDLESS, GREETING } };
	struct tap_pg_request endless = request;
	int64_t start = now_ms();

	endless.rows_max = SIZE_MAX;
	endless.timeout_ms = SHORT_MS;
	where.query_timeout_ms = 0;
	PLAY(steps);
	ck_assert_int_eq(open_conn(), 0);
	expect_error(tap_pg_conn_run(conn, &endless, take_row, &taken, &err), -ETIMEDOUT, "no answer in time");
	ck_assert_int_ge(now_ms() - start, SHORT_MS - 1);
	finish(false);
}
END_TEST

START_TEST(test_several_queries_and_parameters)
{
	static const char *const params[] = { "{1,2}", NULL };
	static const struct tap_scripted_step steps[] = {
		ACCEPTED,
		SETTINGS,
		{ .expect = "greeting", .outcome = TAP_SCRIPTED_ERROR, .state = "42P01", .message = "no" },
		{ .expect = "greeting", .outcome = TAP_SCRIPTED_ROWS, GREETING },
	};
	struct tap_pg_request with = request;

	with.params = params;
	with.n_params = 2;
	PLAY(steps);
	memset(&taken, 0, sizeof(taken));
	ck_assert_int_eq(open_conn(), 0);
	ck_assert_int_eq(tap_pg_conn_run(conn, &request, take_row, &taken, &err), -ENOENT);
	ck_assert_int_eq(tap_pg_conn_run(conn, &with, take_row, &taken, &err), 0);
	ck_assert_str_eq(tap_scripted_sql(), "SELECT greeting");
	ck_assert_str_eq(tap_scripted_param(0), "{1,2}");
	ck_assert_ptr_null(tap_scripted_param(1));
	finish(true);
}
END_TEST

START_TEST(test_hang_up_while_idle)
{
	static const struct tap_scripted_step steps[] = { ACCEPTED, SETTINGS };

	PLAY(steps);
	ck_assert(!tap_pg_conn_alive(NULL));
	ck_assert_int_eq(open_conn(), 0);
	ck_assert(tap_pg_conn_alive(conn));
	tap_scripted_hang_up();
	finish(false);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add_login_tests(TCase *tests)
{
	tcase_add_test(tests, test_automatic_login);
	tcase_add_test(tests, test_session_settings_go_with_the_login);
	tcase_add_test(tests, test_older_server_gets_no_newer_setting);
	tcase_add_test(tests, test_too_old_server);
	tcase_add_test(tests, test_settings_may_be_refused_but_not_lost);
	tcase_add_loop_test(tests, test_refused_login, 0, COUNT(refusals));
	tcase_add_test(tests, test_default_timeout_when_none_is_given);
	tcase_add_test(tests, test_message_of_any_length);
	tcase_add_test(tests, test_places);
	tcase_add_test(tests, test_no_place);
	tcase_add_test(tests, test_given_connection_string);
	tcase_add_test(tests, test_service_says_everything);
	tcase_add_test(tests, test_this_database_and_no_other);
	tcase_add_test(tests, test_database_alone_keeps_the_login_automatic);
	tcase_add_loop_test(tests, test_refused_connection_string, 0, COUNT(bad_conninfo));
	tcase_add_test(tests, test_acts_as_the_owner_and_back);
	tcase_add_test(tests, test_goes_back_after_a_failed_login);
	tcase_add_test(tests, test_does_not_switch_without_need);
	tcase_add_loop_test(tests, test_cannot_act_as_the_owner, 0, COUNT(switch_failures));
	tcase_add_test(tests, test_cannot_go_back);
	tcase_add_test(tests, test_owner_then_postgres);
	tcase_add_test(tests, test_no_second_try_where_the_name_was_not_the_trouble);
	tcase_add_loop_test(tests, test_role_of_other_owners, 0, COUNT(owners));
	tcase_add_test(tests, test_out_of_memory);
}

static void add_run_tests(TCase *tests)
{
	tcase_add_loop_test(tests, test_rows, 0, COUNT(good_answers));
	tcase_add_test(tests, test_no_rows);
	tcase_add_loop_test(tests, test_bad_answers, 0, COUNT(outcomes));
	tcase_add_test(tests, test_the_reader_stops_it);
	tcase_add_test(tests, test_a_steady_trickle_ends_at_the_deadline);
	tcase_add_test(tests, test_several_queries_and_parameters);
	tcase_add_test(tests, test_hang_up_while_idle);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("postgres connection");
	TCase *login = tcase_create("login");
	TCase *running = tcase_create("run");

	tcase_add_checked_fixture(login, set_up, NULL);
	tcase_add_checked_fixture(running, set_up, NULL);
	add_login_tests(login);
	add_run_tests(running);
	suite_add_tcase(suite, login);
	suite_add_tcase(suite, running);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
