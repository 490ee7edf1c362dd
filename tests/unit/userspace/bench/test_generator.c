// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_generator.c - schema, loads and worker processes against a throwaway server; without one installed only what
 * needs none. What the workers count is compared with what the server counted.
 */
#include "userspace/bench/generator.h"

#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/counted_exit.h"
#include "userspace/bench/child.h"
#include "userspace/bench/schema.h"
#include "userspace/bench/server_binaries.h"
#include "userspace/bench/throwaway.h"

#define NOWHERE "host=/nonexistent/place user=nobody dbname=none"

static struct tap_throwaway *server; /* one for all tests of the program, started before Check forks */
static const char *conninfo;

static void sleep_ms(long ms)
{
	const struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&span, NULL);
}

/* First column of the first row as a number. */
static long ask(const char *sql)
{
	PGconn *connection = PQconnectdb(conninfo);
	PGresult *result = PQexec(connection, sql);
	long answer = -1;

	ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK, "%s",
		      PQerrorMessage(connection));
	if (PQntuples(result) > 0)
		answer = atol(PQgetvalue(result, 0, 0));
	PQclear(result);
	PQfinish(connection);
	return answer;
}

static void build(uint32_t scale)
{
	struct tap_error err = { "" };

	ck_assert_msg(!tap_schema_build(conninfo, scale, &err), "%s", err.text);
}

static struct tap_generator *start(struct tap_generator_options options)
{
	struct tap_generator *generator = NULL;
	struct tap_error err = { "" };

	options.conninfo = conninfo;
	options.scale = 1;
	ck_assert_msg(!tap_generator_start(&options, &generator, &err), "%s", err.text);
	return generator;
}

static void check_no_child(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

/* --- without a server -------------------------------------------------------------------------------------------- */

START_TEST(loads_have_names_and_roles)
{
	ck_assert_str_eq(tap_load_name(TAP_LOAD_SELECT), "select");
	ck_assert_str_eq(tap_load_name(TAP_LOAD_TPCB), "tpcb");
	ck_assert_str_eq(tap_load_name(TAP_LOAD_MIXED), "mixed");
	ck_assert_ptr_null(tap_load_name(TAP_LOAD_KINDS));
	ck_assert_ptr_null(tap_load_name((enum tap_load_kind) - 1));
	ck_assert_ptr_null(tap_load_role_of(TAP_LOAD_KINDS, 0));
	ck_assert_uint_eq(tap_load_role_count(TAP_LOAD_TPCB), 1);
	ck_assert_ptr_eq(tap_load_role_of(TAP_LOAD_TPCB, 5), tap_load_role_of(TAP_LOAD_TPCB, 0));
	ck_assert_ptr_eq(tap_load_role_of(TAP_LOAD_MIXED, tap_load_role_count(TAP_LOAD_MIXED)),
			 tap_load_role_of(TAP_LOAD_MIXED, 0));
}
END_TEST

START_TEST(bad_options_are_refused)
{
	static const struct tap_generator_options bad[] = {
		{ .conninfo = NOWHERE, .load = TAP_LOAD_KINDS, .scale = 1 },
		{ .conninfo = NOWHERE, .protocol = TAP_PROTOCOLS, .scale = 1 },
		{ .conninfo = NOWHERE, .workers = TAP_GENERATOR_MAX_WORKERS + 1, .scale = 1 },
		{ .conninfo = NOWHERE, .scale = 0 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tap_generator *generator = NULL;
		struct tap_error err = { "" };

		ck_assert_int_eq(tap_generator_start(&bad[i], &generator, &err), -EINVAL);
		ck_assert_str_ne(err.text, "");
		ck_assert_ptr_null(generator);
	}
	ck_assert_int_eq(tap_schema_build(NOWHERE, 0, NULL), -EINVAL);
	ck_assert_int_eq(tap_schema_build(NOWHERE, TAP_SCHEMA_MAX_SCALE + 1, NULL), -EINVAL);
	tap_generator_stop(NULL);
}
END_TEST

START_TEST(no_server_is_reported)
{
	const struct tap_generator_options options = { .conninfo = NOWHERE, .workers = 3, .scale = 1 };
	struct tap_generator *generator = NULL;
	struct tap_error err = { "" };

	ck_assert_int_eq(tap_generator_start(&options, &generator, &err), -ECONNREFUSED);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/place"));
	/* On one line, by libpq's own text and not by replaced bytes. */
	ck_assert_ptr_null(strstr(err.text, "??"));
	ck_assert_ptr_null(generator);
	check_no_child();
	ck_assert_int_eq(tap_schema_build(NOWHERE, 1, &err), -ECONNREFUSED);
	ck_assert_int_eq(tap_schema_drop(NOWHERE, &err), -ECONNREFUSED);
	ck_assert_int_eq(tap_schema_drop("no such=keyword", &err), -ECONNREFUSED);
}
END_TEST

START_TEST(out_of_memory)
{
	const struct tap_generator_options options = { .conninfo = NOWHERE, .workers = 3, .scale = 1 };

	for (long nth = 1; nth <= 3; nth++) {
		struct tap_generator *generator = NULL;
		int code;

		tap_alloc_fail_at(nth);
		code = tap_generator_start(&options, &generator, NULL);
		tap_alloc_fail_at(0);
		ck_assert_int_eq(code, -ENOMEM);
		ck_assert_ptr_null(generator);
	}
}
END_TEST

/* --- with one ---------------------------------------------------------------------------------------------------- */

START_TEST(schema_is_built_rebuilt_and_dropped)
{
	build(2);
	build(1);
	ck_assert_int_eq(ask("SELECT count(*) FROM dbtap_load.pgbench_accounts"), TAP_SCHEMA_ACCOUNTS);
	ck_assert_int_eq(ask("SELECT count(*) FROM dbtap_load.pgbench_tellers"), TAP_SCHEMA_TELLERS);
	ck_assert_int_eq(ask("SELECT count(DISTINCT bid) FROM dbtap_load.pgbench_accounts"), 1);
	ck_assert_int_eq(tap_schema_drop(conninfo, NULL), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbtap_load'"), 0);
	ck_assert_int_eq(tap_schema_drop(conninfo, NULL), 0);
}
END_TEST

START_TEST(schema_of_others_is_left_alone)
{
	struct tap_error err = { "" };

	ask("CREATE SCHEMA dbtap_load");
	ask("CREATE TABLE dbtap_load.precious (a int)");
	ck_assert_int_eq(tap_schema_build(conninfo, 1, &err), -EEXIST);
	ck_assert_int_eq(tap_schema_drop(conninfo, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "dbtap_load"));
	ck_assert_int_eq(ask("SELECT count(*) FROM dbtap_load.precious"), 0);
	ask("DROP TABLE dbtap_load.precious");
	ask("DROP SCHEMA dbtap_load");
}
END_TEST

START_TEST(refused_schema_is_reported)
{
	struct tap_error err = { "" };
	char other[512];

	ask("CREATE ROLE weak LOGIN");
	snprintf(other, sizeof(other), "%s user=weak", conninfo);
	ck_assert_int_eq(tap_schema_build(other, 1, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "permission denied"));
	ask("DROP ROLE weak");
}
END_TEST

/* A finite load: the workers' sums, the server's and the arithmetic agree. */
static void check_finite(enum tap_load_kind load, enum tap_load_protocol protocol, unsigned statements_each)
{
	struct tap_generator *generator;
	struct tap_generator_counts counts;
	long history;

	build(1);
	generator = start((struct tap_generator_options){
		.load = load, .protocol = protocol, .workers = 3, .steps = 50, .seed = 7 });
	ck_assert_int_eq(tap_generator_await_end(generator, 60000), 0);
	ck_assert_int_eq(tap_generator_check(generator, NULL), 0);
	counts = tap_generator_counts(generator);
	ck_assert_uint_eq(counts.transactions, 150);
	ck_assert_uint_eq(counts.statements, 150ull * statements_each);
	ck_assert_uint_eq(counts.errors, 0);
	ck_assert_uint_eq(tap_generator_worker_counts(generator, 1).transactions, 50);
	ck_assert_uint_eq(tap_generator_worker_counts(generator, 3).transactions, 0);
	ck_assert_uint_eq(tap_generator_workers(generator), 3);
	tap_generator_stop(generator);
	check_no_child();
	history = ask("SELECT count(*) FROM dbtap_load.pgbench_history");
	ck_assert_int_eq(history, load == TAP_LOAD_TPCB ? 150 : 0);
	ck_assert_int_eq(ask("SELECT (SELECT sum(abalance) FROM dbtap_load.pgbench_accounts) - "
			     "(SELECT coalesce(sum(delta), 0) FROM dbtap_load.pgbench_history) + "
			     "(SELECT sum(bbalance) FROM dbtap_load.pgbench_branches) - "
			     "(SELECT sum(tbalance) FROM dbtap_load.pgbench_tellers)"),
			 0);
}

START_TEST(select_by_every_protocol)
{
	check_finite(TAP_LOAD_SELECT, (enum tap_load_protocol)_i, 1);
}
END_TEST

START_TEST(tpcb_by_every_protocol)
{
	check_finite(TAP_LOAD_TPCB, (enum tap_load_protocol)_i, 7);
}
END_TEST

/* The last `steps` of each role leave their marks in the server's views. */
START_TEST(mixed_load_has_everything)
{
	struct tap_generator *generator;
	struct tap_error err = { "" };
	long locks = 0, idle = 0, sleeps = 0, parallel = 0;

	build(1);
	generator = start((struct tap_generator_options){ .load = TAP_LOAD_MIXED });
	ck_assert_uint_eq(tap_generator_workers(generator), tap_load_role_count(TAP_LOAD_MIXED));
	ck_assert_int_eq(ask("SELECT count(DISTINCT application_name) FROM pg_stat_activity "
			     "WHERE application_name LIKE 'dbtap-load %'"),
			 11);
	for (int i = 0; i < 400 && !(locks && idle && sleeps && parallel); i++) {
		locks += ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
		idle += ask("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' "
			    "AND application_name = 'dbtap-load idle in transaction'");
		sleeps += ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
		parallel += ask("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'");
	}
	ck_assert_int_gt(locks, 0);
	ck_assert_int_gt(idle, 0);
	ck_assert_int_gt(sleeps, 0);
	ck_assert_int_gt(parallel, 0);
	/* Every role gets round at least once, on a busy host too. */
	for (uint32_t worker = 0, tries = 0; worker < tap_generator_workers(generator) && tries < 6000;) {
		if (tap_generator_worker_counts(generator, worker).transactions) {
			worker++;
			continue;
		}
		sleep_ms(10);
		ck_assert_msg(++tries < 6000, "role %s does not finish",
			      tap_load_role_of(TAP_LOAD_MIXED, worker)->name);
	}
	ck_assert_msg(!tap_generator_check(generator, &err), "%s", err.text);
	tap_generator_stop(generator);
	check_no_child();
	for (int i = 0;
	     i < 500 && ask("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dbtap-load %'"); i++)
		sleep_ms(10);
	ck_assert_int_eq(ask("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dbtap-load %'"), 0);
	for (int i = 0; i < 500 && !ask("SELECT temp_files FROM pg_stat_database WHERE datname = current_database()");
	     i++)
		sleep_ms(10);
	ck_assert_int_gt(ask("SELECT temp_files FROM pg_stat_database WHERE datname = current_database()"), 0);
	ck_assert_int_eq(ask("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM dbtap_load.load_lines"), 0);
}
END_TEST

START_TEST(endless_load_goes_on_until_stopped)
{
	struct tap_generator *generator;
	uint64_t before;
	pid_t pid;

	build(1);
	generator = start((struct tap_generator_options){ .protocol = TAP_PROTOCOL_PREPARED, .workers = 2 });
	ck_assert_int_eq(tap_generator_warm_up(generator, 50, NULL), 0);
	before = tap_generator_counts(generator).transactions;
	ck_assert_uint_gt(before, 0);
	ck_assert_int_eq(tap_generator_await_end(generator, 50), -ETIMEDOUT);
	ck_assert_uint_gt(tap_generator_counts(generator).transactions, before);
	pid = tap_generator_worker_pid(generator, 1);
	ck_assert_int_eq(kill(pid, 0), 0);
	ck_assert_int_eq(tap_generator_worker_pid(generator, 2), 0);
	/* The terminal's Ctrl-C is not the workers' to answer. */
	ck_assert_int_eq(kill(pid, SIGINT), 0);
	ck_assert_int_eq(tap_generator_warm_up(generator, 50, NULL), 0);
	tap_generator_stop(generator);
	ck_assert_int_eq(kill(pid, 0), -1);
	check_no_child();
}
END_TEST

START_TEST(dead_worker_is_noticed)
{
	struct tap_generator *generator;
	struct tap_error err = { "" };

	build(1);
	generator = start((struct tap_generator_options){ .workers = 2 });
	ck_assert_int_eq(kill(tap_generator_worker_pid(generator, 1), SIGKILL), 0);
	ck_assert_int_eq(tap_generator_warm_up(generator, 200, &err), -EPIPE);
	ck_assert_ptr_nonnull(strstr(err.text, "worker 1"));
	tap_generator_stop(generator);
	check_no_child();
}
END_TEST

START_TEST(stuck_worker_is_ended)
{
	struct tap_generator *generator;
	pid_t pid;

	build(1);
	generator = start((struct tap_generator_options){ .workers = 1 });
	pid = tap_generator_worker_pid(generator, 0);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	tap_generator_stop(generator);
	ck_assert_int_eq(kill(pid, 0), -1);
	check_no_child();
}
END_TEST

START_TEST(failing_statements_are_counted_and_quoted)
{
	struct tap_generator *generator;
	struct tap_error err = { "" };
	char text[32];

	build(1);
	generator = start((struct tap_generator_options){ .load = TAP_LOAD_TPCB, .workers = 2 });
	tap_generator_first_error(generator, text, sizeof(text));
	ck_assert_str_eq(text, "");
	ask("DROP TABLE dbtap_load.pgbench_history");
	for (int i = 0; i < 500 && tap_generator_counts(generator).errors < 10; i++)
		sleep_ms(10);
	/* Each time the transaction is rolled back and the next begins. */
	ck_assert_uint_ge(tap_generator_counts(generator).errors, 10);
	ck_assert_int_eq(tap_generator_check(generator, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "pgbench_history"));
	tap_generator_first_error(generator, text, sizeof(text));
	ck_assert_uint_eq(strlen(text), sizeof(text) - 1);
	tap_generator_stop(generator);
	check_no_child();
}
END_TEST

START_TEST(mixed_load_without_tables_is_refused_or_counts)
{
	const struct tap_generator_options prepared = {
		.conninfo = conninfo, .protocol = TAP_PROTOCOL_PREPARED, .workers = 1, .scale = 1
	};
	struct tap_generator *generator = NULL;
	struct tap_error err = { "" };

	ck_assert_int_eq(tap_schema_drop(conninfo, NULL), 0);
	ck_assert_int_eq(tap_generator_start(&prepared, &generator, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "pgbench_accounts"));
	check_no_child();
	/* The other roles start and fail at each step, COPY in both directions too. */
	generator = start((struct tap_generator_options){ .load = TAP_LOAD_MIXED, .steps = 2 });
	ck_assert_int_eq(tap_generator_await_end(generator, 60000), 0);
	ck_assert_int_eq(tap_generator_check(generator, &err), -EIO);
	/* All but sleep. */
	ck_assert_uint_eq(tap_generator_counts(generator).transactions, 2);
	ck_assert_uint_eq(tap_generator_counts(generator).errors, 2 * (tap_load_role_count(TAP_LOAD_MIXED) - 1));
	tap_generator_stop(generator);
	check_no_child();
}
END_TEST

START_TEST(broken_copy_leaves_the_connection_usable)
{
	struct tap_load_session session = { .scale = 1 };
	const struct tap_load_role *copy = NULL;

	build(1);
	for (uint32_t i = 0; i < tap_load_role_count(TAP_LOAD_MIXED); i++) {
		if (!strcmp(tap_load_role_of(TAP_LOAD_MIXED, i)->name, "copy"))
			copy = tap_load_role_of(TAP_LOAD_MIXED, i);
	}
	ck_assert_ptr_nonnull(copy);
	ck_assert_int_eq(tap_bench_postgres.connect(conninfo, "test", &session.connection, NULL), 0);
	ck_assert_int_eq(tap_load_open(copy, &session), 0);
	ck_assert_int_eq(tap_load_step(copy, &session), 0);
	ck_assert_uint_eq(session.statements, 4);
	ask("ALTER TABLE dbtap_load.load_lines DROP COLUMN line");
	ck_assert_int_eq(tap_load_step(copy, &session), -EIO);
	ck_assert_ptr_nonnull(strstr(session.error, "extra data"));
	ck_assert_ptr_null(strchr(session.error, '\n'));
	ck_assert_int_eq(PQtransactionStatus(session.connection), PQTRANS_IDLE);
	PQfinish(session.connection);
}
END_TEST

/* The server cuts them off; they come back and go on. */
START_TEST(lost_connections_are_made_again)
{
	struct tap_generator *generator;
	uint64_t before;

	build(1);
	generator = start((struct tap_generator_options){ .workers = 2 });
	ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'dbtap-load %'");
	for (int i = 0; i < 1000 && tap_generator_counts(generator).errors < 2; i++)
		sleep_ms(10);
	ck_assert_uint_ge(tap_generator_counts(generator).errors, 2);
	before = tap_generator_counts(generator).transactions;
	for (int i = 0; i < 1000 && tap_generator_counts(generator).transactions <= before; i++)
		sleep_ms(10);
	ck_assert_uint_gt(tap_generator_counts(generator).transactions, before);
	tap_generator_stop(generator);
	check_no_child();
}
END_TEST

static bool always(void *context)
{
	(void)context;
	return true;
}

/* Someone holds the table: workers that prepare statements wait behind it while connecting. */
START_TEST(slow_start_has_a_deadline)
{
	struct tap_generator_options options = { .conninfo = conninfo,
						 .protocol = TAP_PROTOCOL_PREPARED,
						 .workers = 1,
						 .scale = 1,
						 .connect_timeout_ms = 200 };
	struct tap_generator *generator = NULL;
	struct tap_error err = { "" };
	PGconn *blocker;

	build(1);
	blocker = PQconnectdb(conninfo);
	PQclear(PQexec(blocker, "BEGIN; LOCK dbtap_load.pgbench_accounts"));
	ck_assert_int_eq(tap_generator_start(&options, &generator, &err), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(err.text, "0 of 1"));
	options.interrupted = always;
	ck_assert_int_eq(tap_generator_start(&options, &generator, &err), -EINTR);
	check_no_child();
	PQfinish(blocker);
}
END_TEST

static bool at_zero(void *context)
{
	return *(int *)context == 0;
}

START_TEST(warm_up_can_be_interrupted)
{
	int left = 1;
	struct tap_generator *generator;
	struct tap_error err = { "" };

	build(1);
	generator = start((struct tap_generator_options){ .workers = 1, .interrupted = at_zero, .context = &left });
	left = 0;
	ck_assert_int_eq(tap_generator_warm_up(generator, 60000, &err), -EINTR);
	tap_generator_stop(generator);
}
END_TEST

static int start_and_wait(void *context)
{
	volatile pid_t *worker = context;
	const struct tap_generator_options options = { .conninfo = conninfo, .workers = 2, .scale = 1 };
	struct tap_generator *generator;

	if (tap_generator_start(&options, &generator, NULL))
		return 1;
	*worker = tap_generator_worker_pid(generator, 0);
	for (;;)
		pause();
}

START_TEST(workers_die_with_their_owner)
{
	static const struct tap_child_options plain = { .keep_fd = -1, .death_signal = SIGKILL };
	static const struct tap_child_step kill_it = { SIGKILL, 5000 };
	volatile pid_t *worker = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t owner;

	build(1);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	ck_assert_int_eq(tap_child_start(&plain, start_and_wait, (void *)worker, &owner), 0);
	for (int i = 0; i < 3000 && !*worker; i++)
		sleep_ms(10);
	ck_assert_int_gt(*worker, 0);
	ck_assert_int_eq(tap_child_end(owner, &kill_it, 1, NULL), 0);
	for (int i = 0; i < 500 && waitpid(-1, NULL, WNOHANG) >= 0; i++)
		sleep_ms(10);
	check_no_child();
	munmap((void *)worker, 4096);
}
END_TEST

static void add_tests_with_server(Suite *suite)
{
	TCase *tcase = tcase_create("server");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, schema_is_built_rebuilt_and_dropped);
	tcase_add_test(tcase, schema_of_others_is_left_alone);
	tcase_add_test(tcase, refused_schema_is_reported);
	tcase_add_loop_test(tcase, select_by_every_protocol, 0, TAP_PROTOCOLS);
	tcase_add_loop_test(tcase, tpcb_by_every_protocol, 0, TAP_PROTOCOLS);
	tcase_add_test(tcase, mixed_load_has_everything);
	tcase_add_test(tcase, endless_load_goes_on_until_stopped);
	tcase_add_test(tcase, dead_worker_is_noticed);
	tcase_add_test(tcase, stuck_worker_is_ended);
	tcase_add_test(tcase, failing_statements_are_counted_and_quoted);
	tcase_add_test(tcase, mixed_load_without_tables_is_refused_or_counts);
	tcase_add_test(tcase, broken_copy_leaves_the_connection_usable);
	tcase_add_test(tcase, lost_connections_are_made_again);
	tcase_add_test(tcase, slow_start_has_a_deadline);
	tcase_add_test(tcase, warm_up_can_be_interrupted);
	tcase_add_test(tcase, workers_die_with_their_owner);
	suite_add_tcase(suite, tcase);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("generator");
	TCase *tcase = tcase_create("alone");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, loads_have_names_and_roles);
	tcase_add_test(tcase, bad_options_are_refused);
	tcase_add_test(tcase, no_server_is_reported);
	tcase_add_test(tcase, out_of_memory);
	suite_add_tcase(suite, tcase);
	if (server)
		add_tests_with_server(suite);
	return suite;
}

/* 0: started, or there is none to start; a server that is installed and does not start is a failure. */
static int start_server(void)
{
	const struct tap_throwaway_options options = { .max_connections = 50 };
	struct tap_error err = { "" };
	char *found = NULL;

	if (tap_server_binaries_find(NULL, NULL, NULL, &found, &err)) {
		fprintf(stderr, "test_generator: skipping the tests with a real server: %s\n", err.text);
		return 0;
	}
	free(found);
	if (tap_throwaway_start(&options, &server, &err)) {
		fprintf(stderr, "test_generator: %s\n", err.text);
		return 1;
	}
	conninfo = tap_throwaway_conninfo(server);
	return 0;
}

int main(void)
{
	int failed = start_server();

	failed |= tap_test_run(make_suite());
	failed |= tap_throwaway_stop(server, NULL) != 0;
	return failed;
}
