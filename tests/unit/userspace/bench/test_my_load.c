// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_my_load.c - the engines' tables, and the load on a throwaway MariaDB; without one installed, or without
 * libmariadb, only what needs none. What the workers count is compared with what the server counted.
 */
#include "userspace/bench/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_LIBMARIADB
#include <mysql.h>
#endif

#include "tests/lib/check_main.h"
#include "userspace/bench/folder.h"
#include "userspace/bench/generator.h"
#include "userspace/bench/my_load.h"
#include "userspace/bench/schema.h"
#include "userspace/bench/throwaway.h"

#define NOWHERE "/nonexistent/place/s.sock"

static struct tap_throwaway *server; /* one for all tests of the program, started before Check forks */
static const char *where;

/* --- without a server -------------------------------------------------------------------------------------------- */

START_TEST(engines_are_found_by_name)
{
	ck_assert_ptr_eq(tap_bench_engine_find("postgres"), &tap_bench_postgres);
	ck_assert_ptr_eq(tap_bench_engine_find("mariadb"), &tap_bench_mariadb);
	ck_assert_ptr_null(tap_bench_engine_find("oracle"));
	ck_assert_ptr_null(tap_bench_engine_find(NULL));
	ck_assert_ptr_eq(tap_bench_engine_or_default(NULL), &tap_bench_postgres);
	ck_assert_ptr_eq(tap_bench_engine_or_default(&tap_bench_mariadb), &tap_bench_mariadb);
}
END_TEST

START_TEST(arguments_have_an_end)
{
	struct tap_arguments arguments = { 0 };

	for (int i = 0; i < TAP_SERVER_PROGRAM_MAX_ARGUMENTS; i++)
		tap_arguments_add(&arguments, "--n=%d", i);
	ck_assert(!arguments.failed);
	ck_assert_str_eq(arguments.texts[7], "--n=7");
	ck_assert_ptr_null(arguments.texts[TAP_SERVER_PROGRAM_MAX_ARGUMENTS]);
	tap_arguments_add(&arguments, "one more");
	ck_assert(arguments.failed);
	ck_assert_uint_eq(arguments.count, TAP_SERVER_PROGRAM_MAX_ARGUMENTS);
	tap_arguments_done(&arguments);
	ck_assert(!arguments.failed);
	ck_assert_uint_eq(arguments.count, 0);
}
END_TEST

START_TEST(programs_that_are_not_there)
{
	const struct tap_throwaway_options options = { .engine = &tap_bench_mariadb, .bin_folder = "/nonexistent" };
	struct tap_throwaway *none = NULL;
	struct tap_error err = { "" };

	ck_assert_int_eq(tap_throwaway_start(&options, &none, &err), TAP_MY_LOAD_ABSENT ? -EOPNOTSUPP : -ENOENT);
	ck_assert_ptr_null(none);
	ck_assert_str_ne(err.text, "");
	ck_assert_ptr_null(strchr(err.text, '\n'));
}
END_TEST

START_TEST(long_folders_are_refused)
{
	char folder[200];
	struct tap_bench_place place = { .folder = folder, .pid = 7 };
	struct tap_error err = { "" };
	char *path = NULL;

	memset(folder, 'x', sizeof(folder));
	folder[0] = '/';
	folder[sizeof(folder) - 1] = '\0';
	ck_assert_int_eq(tap_bench_mariadb.where(&place, &path, &err), -ENAMETOOLONG);
	ck_assert_ptr_null(path);
	folder[20] = '\0';
	ck_assert_int_eq(tap_bench_mariadb.where(&place, &path, &err), 0);
	ck_assert_str_eq(path + 20, "/s.sock");
	free(path);
	tap_bench_mariadb.instance(&place, folder, sizeof(folder));
	ck_assert_str_eq(folder, "mariadb-pid-7");
}
END_TEST

/* What an installer may leave there. */
START_TEST(versions_of_data_folders)
{
	static const struct {
		const char *text;
		uint32_t version;
	} cases[] = { { "10.11.19-MariaDB", 10 }, { "11.8.6-MariaDB", 11 }, { "", 0 }, { "x", 0 }, { "-3", 0 } };
	char *folder, path[256];

	ck_assert_int_eq(tap_folder_make("/tmp", geteuid(), getegid(), &folder), 0);
	snprintf(path, sizeof(path), "mkdir %s/data", folder);
	ck_assert_int_eq(system(path), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tap_bench_place place = { .folder = folder };
		FILE *file;

		snprintf(path, sizeof(path), "%s/data/mysql_upgrade_info", folder);
		file = fopen(path, "we");
		ck_assert_ptr_nonnull(file);
		fputs(cases[i].text, file);
		fclose(file);
		ck_assert_uint_eq(tap_bench_mariadb.version(&place), cases[i].version);
	}
	ck_assert_int_eq(tap_folder_remove(folder), 0);
	ck_assert_uint_eq(tap_bench_mariadb.version(&(struct tap_bench_place){ .folder = folder }), 0);
	free(folder);
}
END_TEST

START_TEST(what_it_has_not_is_refused)
{
	static const struct tap_generator_options bad[] = {
		{ .load = TAP_LOAD_TPCB },
		{ .load = TAP_LOAD_MIXED },
		{ .protocol = TAP_PROTOCOL_EXTENDED },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tap_generator_options options = bad[i];
		struct tap_generator *generator = NULL;
		struct tap_error err = { "" };

		options.engine = &tap_bench_mariadb;
		options.conninfo = NOWHERE;
		options.scale = 1;
		ck_assert_int_eq(tap_generator_start(&options, &generator, &err),
				 TAP_MY_LOAD_ABSENT ? -EOPNOTSUPP : -EINVAL);
		ck_assert_str_ne(err.text, "");
		ck_assert_ptr_null(generator);
	}
}
END_TEST

START_TEST(no_server_is_reported)
{
	struct tap_error err = { "" };
	void *connection = NULL;

	ck_assert_int_lt(tap_my_load_connect(NOWHERE, "test", &connection, &err), 0);
	ck_assert_ptr_null(connection);
	ck_assert_str_ne(err.text, "");
	ck_assert_int_lt(tap_my_load_build(NOWHERE, 1, &err), 0);
	ck_assert_int_lt(tap_my_load_build(NOWHERE, 0, &err), 0);
	ck_assert_int_lt(tap_my_load_build(NOWHERE, TAP_SCHEMA_MAX_SCALE + 1, &err), 0);
	ck_assert(!tap_my_load_answers(NOWHERE));
	tap_my_load_disconnect(NULL);
}
END_TEST

/* --- with one ---------------------------------------------------------------------------------------------------- */

#ifdef HAVE_LIBMARIADB

static MYSQL *connect_to(void)
{
	MYSQL *my = mysql_init(NULL);

	ck_assert_ptr_nonnull(mysql_real_connect(my, NULL, "root", "", NULL, 0, where, 0));
	return my;
}

/* Second column of the first row as a number. */
static long ask(const char *sql)
{
	MYSQL *my = connect_to();
	long answer = -1;
	MYSQL_RES *result;
	MYSQL_ROW row;

	ck_assert_msg(!mysql_query(my, sql), "%s", mysql_error(my));
	result = mysql_store_result(my);
	row = result ? mysql_fetch_row(result) : NULL;
	if (row && row[mysql_num_fields(result) - 1])
		answer = atol(row[mysql_num_fields(result) - 1]);
	mysql_free_result(result);
	mysql_close(my);
	return answer;
}

static struct tap_generator *start(struct tap_generator_options options)
{
	struct tap_generator *generator = NULL;
	struct tap_error err = { "" };

	options.engine = &tap_bench_mariadb;
	options.conninfo = where;
	options.scale = 1;
	ck_assert_msg(!tap_generator_start(&options, &generator, &err), "%s", err.text);
	return generator;
}

static void build(void)
{
	struct tap_error err = { "" };

	ask("DROP DATABASE IF EXISTS " TAP_SCHEMA);
	ck_assert_msg(!tap_my_load_build(where, 1, &err), "%s", err.text);
}

static void check_no_child(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

START_TEST(the_table_is_sysbenchs)
{
	struct tap_error err = { "" };

	build();
	ck_assert_int_eq(ask("SELECT COUNT(*) FROM " TAP_SCHEMA ".sbtest1"), TAP_MY_LOAD_ROWS);
	ck_assert_int_eq(ask("SELECT MIN(id) FROM " TAP_SCHEMA ".sbtest1"), 1);
	ck_assert_int_eq(ask("SELECT MAX(id) FROM " TAP_SCHEMA ".sbtest1"), TAP_MY_LOAD_ROWS);
	ck_assert_int_eq(ask("SELECT LENGTH(c) FROM " TAP_SCHEMA ".sbtest1 WHERE id = 77"), 119);
	/* It replaces nothing. */
	ck_assert_int_eq(tap_my_load_build(where, 1, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, TAP_SCHEMA));
}
END_TEST

/* A finite load: what the workers counted the server did. */
START_TEST(selects_are_counted)
{
	enum tap_load_protocol protocol = _i ? TAP_PROTOCOL_PREPARED : TAP_PROTOCOL_SIMPLE;
	const char *count = _i ? "SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'" : "SHOW GLOBAL STATUS LIKE 'Com_select'";
	struct tap_generator *generator;
	struct tap_generator_counts counts;
	long before;

	build();
	before = ask(count);
	generator = start((struct tap_generator_options){ .protocol = protocol, .workers = 3, .steps = 50 });
	ck_assert_int_eq(tap_generator_await_end(generator, 60000), 0);
	counts = tap_generator_counts(generator);
	ck_assert_uint_eq(counts.transactions, 150);
	ck_assert_uint_eq(counts.statements, 150);
	ck_assert_uint_eq(counts.errors, 0);
	ck_assert_int_eq(tap_generator_check(generator, NULL), 0);
	tap_generator_stop(generator);
	check_no_child();
	/* The counters of a session are added when it ends, which the client does not wait for. */
	for (int i = 0; i < 1000 && ask(count) - before < 150; i++)
		usleep(10000);
	ck_assert_int_eq(ask(count) - before, 150);
}
END_TEST

START_TEST(failing_statements_are_counted_and_quoted)
{
	struct tap_generator *generator;
	struct tap_error err = { "" };

	build();
	generator = start((struct tap_generator_options){ .protocol = _i ? TAP_PROTOCOL_PREPARED : TAP_PROTOCOL_SIMPLE,
							  .workers = 2 });
	ask("DROP TABLE " TAP_SCHEMA ".sbtest1");
	for (int i = 0; i < 1000 && tap_generator_counts(generator).errors < 10; i++)
		usleep(10000);
	ck_assert_uint_ge(tap_generator_counts(generator).errors, 10);
	ck_assert_int_eq(tap_generator_check(generator, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "sbtest1"));
	tap_generator_stop(generator);
	check_no_child();
}
END_TEST

START_TEST(a_prepared_statement_needs_its_table)
{
	const struct tap_generator_options options = { .engine = &tap_bench_mariadb,
						       .conninfo = where,
						       .protocol = TAP_PROTOCOL_PREPARED,
						       .workers = 1,
						       .scale = 1 };
	struct tap_generator *generator = NULL;
	struct tap_error err = { "" };

	ask("DROP DATABASE IF EXISTS " TAP_SCHEMA);
	ck_assert_int_eq(tap_generator_start(&options, &generator, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, TAP_SCHEMA));
	ck_assert_ptr_null(generator);
	check_no_child();
}
END_TEST

/* The server cuts them off; they come back and go on. */
START_TEST(lost_connections_are_made_again)
{
	struct tap_generator *generator;
	uint64_t before;

	build();
	generator = start((struct tap_generator_options){ .workers = 1 });
	for (int i = 0; i < 1000 && !tap_generator_counts(generator).errors; i++) {
		MYSQL *my = connect_to();
		char sql[64];
		long id = ask("SELECT IFNULL(MAX(id), 0) FROM information_schema.processlist WHERE db = '" TAP_SCHEMA
			      "'");

		snprintf(sql, sizeof(sql), "KILL %ld", id);
		if (id > 0)
			mysql_query(my, sql);
		mysql_close(my);
		usleep(10000);
	}
	ck_assert_uint_ge(tap_generator_counts(generator).errors, 1);
	before = tap_generator_counts(generator).transactions;
	for (int i = 0; i < 1000 && tap_generator_counts(generator).transactions <= before; i++)
		usleep(10000);
	ck_assert_uint_gt(tap_generator_counts(generator).transactions, before);
	tap_generator_stop(generator);
	check_no_child();
}
END_TEST

static void add_tests_with_server(Suite *suite)
{
	TCase *tcase = tcase_create("server");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, the_table_is_sysbenchs);
	tcase_add_loop_test(tcase, selects_are_counted, 0, 2);
	tcase_add_loop_test(tcase, failing_statements_are_counted_and_quoted, 0, 2);
	tcase_add_test(tcase, a_prepared_statement_needs_its_table);
	tcase_add_test(tcase, lost_connections_are_made_again);
	suite_add_tcase(suite, tcase);
}

#else

static void add_tests_with_server(Suite *suite)
{
	(void)suite;
	(void)where;
}

#endif

static Suite *make_suite(void)
{
	Suite *suite = suite_create("my_load");
	TCase *tcase = tcase_create("alone");

	tcase_add_test(tcase, engines_are_found_by_name);
	tcase_add_test(tcase, arguments_have_an_end);
	tcase_add_test(tcase, programs_that_are_not_there);
	tcase_add_test(tcase, long_folders_are_refused);
	tcase_add_test(tcase, versions_of_data_folders);
	tcase_add_test(tcase, what_it_has_not_is_refused);
	tcase_add_test(tcase, no_server_is_reported);
	suite_add_tcase(suite, tcase);
	if (server)
		add_tests_with_server(suite);
	return suite;
}

/* 0: started, or there is none to start; a server that is installed and does not start is a failure. */
static int start_server(void)
{
	const struct tap_throwaway_options options = { .engine = &tap_bench_mariadb };
	struct tap_bench_programs programs;
	struct tap_error err = { "" };
	int code = TAP_MY_LOAD_ABSENT ? -EOPNOTSUPP : tap_bench_mariadb.find(NULL, &programs, &err);

	if (code) {
		fprintf(stderr, "test_my_load: skipping the tests with a real server: %s\n", err.text);
		return 0;
	}
	tap_bench_programs_done(&programs);
	if (tap_throwaway_start(&options, &server, &err)) {
		fprintf(stderr, "test_my_load: %s\n", err.text);
		return 1;
	}
	where = tap_throwaway_conninfo(server);
	return 0;
}

int main(void)
{
	int failed = start_server();

	failed |= tap_test_run(make_suite());
	failed |= tap_throwaway_stop(server, NULL) != 0;
	return failed;
}
