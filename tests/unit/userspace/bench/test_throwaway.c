// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_throwaway.c - starting and clearing away a server: the bad cases with shell scripts in the place of its
 * programs, the good ones with a real server where one is installed.
 */
#include "userspace/bench/throwaway.h"

#include <dirent.h>
#include <errno.h>
#include <libpq-fe.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/counted_exit.h"
#include "userspace/bench/child.h"
#include "userspace/bench/folder.h"
#include "userspace/bench/server_binaries.h"
#include "userspace/bench/server_program.h"

#define GOOD_INITDB "mkdir data; echo 15 >data/PG_VERSION"

static char *place; /* everything a test makes is in here, so that what is left can be seen */
static char *scripts;

static void set_up(void)
{
	ck_assert_int_eq(tap_folder_make("/tmp", geteuid(), getegid(), &place), 0);
	ck_assert_int_eq(chmod(place, 0755), 0);
	ck_assert_int_eq(tap_folder_make("/tmp", geteuid(), getegid(), &scripts), 0);
	ck_assert_int_eq(chmod(scripts, 0755), 0);
}

static void tear_down(void)
{
	ck_assert_int_eq(tap_folder_remove(place), 0);
	ck_assert_int_eq(tap_folder_remove(scripts), 0);
	free(place);
	free(scripts);
}

static void sleep_ms(long ms)
{
	const struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&span, NULL);
}

static void write_script(const char *name, const char *interpreter, const char *text)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", scripts, name);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "#!%s\n%s\n", interpreter, text);
	fclose(file);
	ck_assert_int_eq(chmod(path, 0755), 0);
}

static unsigned entries_in(const char *path)
{
	DIR *folder = opendir(path);
	unsigned count = 0;
	struct dirent *entry;

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static void check_nothing_left(void)
{
	ck_assert_uint_eq(entries_in(place), 0);
	/* No child, alive or zombie. */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

static int start_scripts(const char *initdb, const char *postgres, struct tap_throwaway_options options,
			 struct tap_error *err)
{
	struct tap_throwaway *throwaway = NULL;
	int code;

	write_script("initdb", "/bin/sh", initdb);
	write_script("postgres", "/bin/sh", postgres);
	options.bin_folder = scripts;
	options.parent_folder = place;
	code = tap_throwaway_start(&options, &throwaway, err);
	ck_assert_int_ne(code, 0);
	ck_assert_ptr_null(throwaway);
	ck_assert_str_ne(err->text, "");
	check_nothing_left();
	return code;
}

START_TEST(failing_initdb_is_quoted)
{
	const struct tap_throwaway_options options = { .timeout_ms = 5000 };
	struct tap_error err = { "" };

	ck_assert_int_eq(start_scripts("echo first; echo 'initdb: error: boom' >&2; echo; exit 1", "", options, &err),
			 -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "initdb failed (initdb: error: boom)"));
	ck_assert_int_eq(start_scripts(": >log; exit 1", "", options, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "no message"));
	ck_assert_int_eq(start_scripts("kill -9 $$", "", options, &err), -EIO);
}
END_TEST

START_TEST(initdb_that_makes_nothing)
{
	const struct tap_throwaway_options options = { .timeout_ms = 5000 };
	struct tap_error err = { "" };

	ck_assert_int_eq(start_scripts("true", "", options, &err), -EIO);
	ck_assert_int_eq(start_scripts("mkdir data; echo devel >data/PG_VERSION", "", options, &err), -EIO);
}
END_TEST

START_TEST(hanging_initdb_is_ended)
{
	const struct tap_throwaway_options options = { .timeout_ms = 100 };
	struct tap_error err = { "" };

	ck_assert_int_eq(start_scripts("exec sleep 60", "", options, &err), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(err.text, "in time"));
}
END_TEST

START_TEST(failing_server_is_quoted)
{
	const struct tap_throwaway_options options = { .timeout_ms = 5000 };
	struct tap_error err = { "" };

	ck_assert_int_eq(start_scripts(GOOD_INITDB, "echo 'x FATAL:  no luck'; echo later; exit 1", options, &err),
			 -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "postgres failed (x FATAL:  no luck)"));
	/* Of a long log only the end is read, and nothing in it gets to the terminal as it is. */
	ck_assert_int_eq(start_scripts(GOOD_INITDB,
				       "echo FATAL: early; head -c 100000 /dev/zero | tr '\\0' 'y'; "
				       "printf '\\n\\033[31mred\\001\\n \\n'; exit 1",
				       options, &err),
			 -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "(?[31mred?)"));
}
END_TEST

START_TEST(silent_server_is_ended)
{
	const struct tap_throwaway_options options = { .timeout_ms = 200 };
	struct tap_error err = { "" };

	ck_assert_int_eq(start_scripts(GOOD_INITDB, "exec sleep 60", options, &err), -ETIMEDOUT);
}
END_TEST

START_TEST(log_that_is_no_file_is_not_read)
{
	const struct tap_throwaway_options options = { .timeout_ms = 5000 };
	struct tap_error err = { "" };

	ck_assert_int_eq(start_scripts("rm log; ln -s /etc/passwd log; exit 1", "", options, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "no message"));
	ck_assert_int_eq(start_scripts("rm log; mkfifo log; exit 1", "", options, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "no message"));
	ck_assert_int_eq(start_scripts("rm log; exit 1", "", options, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "no message"));
}
END_TEST

static bool after_some_asking(void *context)
{
	return --*(int *)context < 0;
}

START_TEST(interrupt_ends_it)
{
	int left = 3;
	struct tap_throwaway_options options = { .interrupted = after_some_asking, .context = &left };
	struct tap_error err = { "" };

	ck_assert_int_eq(start_scripts("exec sleep 60", "", options, &err), -EINTR);
	ck_assert_ptr_nonnull(strstr(err.text, "interrupted"));
	left = 5;
	ck_assert_int_eq(start_scripts(GOOD_INITDB, "exec sleep 60", options, &err), -EINTR);
}
END_TEST

START_TEST(query_ids_only_from_14_on)
{
	static const char server[] =
		"case \"$*\" in *compute_query_id*) echo FATAL: has;; *) echo FATAL: lacks;; esac; exit 1";
	const struct tap_throwaway_options options = { .timeout_ms = 5000 };
	struct tap_error err = { "" };

	start_scripts("mkdir data; echo 13 >data/PG_VERSION", server, options, &err);
	ck_assert_ptr_nonnull(strstr(err.text, "lacks"));
	start_scripts("mkdir data; echo 14 >data/PG_VERSION", server, options, &err);
	ck_assert_ptr_nonnull(strstr(err.text, "has"));
}
END_TEST

START_TEST(environment_is_clean)
{
	const struct tap_throwaway_options options = { .timeout_ms = 5000 };
	struct tap_error err = { "" };

	setenv("PGDATA", "/elsewhere", 1);
	ck_assert_int_eq(start_scripts("echo \"PGDATA=$PGDATA LC_ALL=$LC_ALL\"; exit 1", "", options, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "(PGDATA= LC_ALL=C)"));
}
END_TEST

START_TEST(root_is_given_up)
{
	const struct tap_throwaway_options options = { .timeout_ms = 5000 };
	struct tap_error err = { "" };

	ck_assert_int_eq(start_scripts("echo \"uid $(id -u) groups $(id -G | wc -w)\"; exit 1", "", options, &err),
			 -EIO);
	ck_assert_ptr_null(strstr(err.text, "(uid 0 "));
	if (geteuid() == 0)
		ck_assert_ptr_nonnull(strstr(err.text, "groups 1)"));
}
END_TEST

START_TEST(programs_that_cannot_be_executed)
{
	const struct tap_throwaway_options options = { .parent_folder = place, .bin_folder = scripts };
	struct tap_throwaway *throwaway = NULL;
	struct tap_error err = { "" };

	write_script("initdb", "/no/such/interpreter", "");
	write_script("postgres", "/bin/sh", "");
	ck_assert_int_eq(tap_throwaway_start(&options, &throwaway, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot execute"));
	check_nothing_left();
}
END_TEST

START_TEST(bad_places)
{
	struct tap_throwaway_options options = { .bin_folder = scripts, .parent_folder = "/nonexistent" };
	struct tap_throwaway *throwaway = NULL;
	struct tap_error err = { "" };
	char longer[PATH_MAX];

	ck_assert_int_eq(tap_throwaway_start(&options, &throwaway, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, scripts));
	write_script("initdb", "/bin/sh", GOOD_INITDB);
	write_script("postgres", "/bin/sh", "exit 1");
	ck_assert_int_eq(tap_throwaway_start(&options, &throwaway, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent"));
	snprintf(longer, sizeof(longer), "%s/%0100d", place, 0);
	ck_assert_int_eq(mkdir(longer, 0755), 0);
	options.parent_folder = longer;
	ck_assert_int_eq(tap_throwaway_start(&options, &throwaway, &err), -ENAMETOOLONG);
	ck_assert_uint_eq(entries_in(longer), 0);
	ck_assert_int_eq(rmdir(longer), 0);
	check_nothing_left();
	ck_assert_int_eq(tap_throwaway_stop(NULL, NULL), 0);
}
END_TEST

START_TEST(out_of_memory)
{
	const struct tap_throwaway_options options = { .bin_folder = scripts,
						       .parent_folder = place,
						       .timeout_ms = 5000 };

	write_script("initdb", "/bin/sh", GOOD_INITDB);
	write_script("postgres", "/bin/sh", "exit 1");
	for (long nth = 1; nth < 20; nth++) {
		struct tap_throwaway *throwaway = NULL;
		bool reached;
		int code;

		tap_alloc_fail_at(nth);
		code = tap_throwaway_start(&options, &throwaway, NULL);
		reached = tap_alloc_failed();
		tap_alloc_fail_at(0);
		ck_assert_int_ne(code, 0);
		ck_assert_ptr_null(throwaway);
		check_nothing_left();
		if (!reached)
			return;
	}
	ck_abort_msg("start needs more allocations than the test knows");
}
END_TEST

/* --- with a real server ------------------------------------------------------------------------------------------ */

static struct tap_throwaway *start_real(struct tap_throwaway_options options)
{
	struct tap_throwaway *throwaway = NULL;
	struct tap_error err = { "" };

	options.parent_folder = place;
	ck_assert_msg(!tap_throwaway_start(&options, &throwaway, &err), "%s", err.text);
	return throwaway;
}

static void check_setting(PGconn *connection, const char *name, const char *want)
{
	char sql[128];
	PGresult *result;

	snprintf(sql, sizeof(sql), "SHOW %s", name);
	result = PQexec(connection, sql);
	ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(connection));
	ck_assert_str_eq(PQgetvalue(result, 0, 0), want);
	PQclear(result);
}

START_TEST(real_server_runs_and_goes)
{
	static const char *const settings[] = { "work_mem=3MB", "max_connections=21", NULL };
	const struct tap_throwaway_options options = {
		.settings = settings, .shared_buffers_mb = 32, .max_connections = 33, .port = 7777
	};
	struct tap_throwaway *throwaway = start_real(options);
	PGconn *connection = PQconnectdb(tap_throwaway_conninfo(throwaway));
	struct tap_error err = { "" };
	char path[PATH_MAX];
	struct stat info;
	pid_t pid = tap_throwaway_pid(throwaway);

	ck_assert_msg(PQstatus(connection) == CONNECTION_OK, "%s", PQerrorMessage(connection));
	check_setting(connection, "listen_addresses", "");
	check_setting(connection, "shared_buffers", "32MB");
	check_setting(connection, "work_mem", "3MB");
	check_setting(connection, "max_connections", "21");
	check_setting(connection, "fsync", "off");
	if (tap_throwaway_version(throwaway) >= 14)
		check_setting(connection, "compute_query_id", "on");
	ck_assert_int_eq(PQserverVersion(connection) / 10000, (int)tap_throwaway_version(throwaway));
	ck_assert_uint_eq(tap_throwaway_port(throwaway), 7777);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.7777", tap_throwaway_folder(throwaway));
	ck_assert_int_eq(stat(path, &info), 0);
	ck_assert_uint_ne(info.st_uid, 0);
	ck_assert_int_eq(access(tap_throwaway_bin_folder(throwaway), X_OK), 0);
	/* An open transaction does not hold up the stop. */
	PQclear(PQexec(connection, "BEGIN; CREATE TABLE t (a int)"));
	ck_assert_msg(!tap_throwaway_stop(throwaway, &err), "%s", err.text);
	ck_assert_int_eq(kill(pid, 0), -1);
	PQfinish(connection);
	check_nothing_left();
}
END_TEST

START_TEST(two_real_servers_at_once)
{
	struct tap_throwaway *one = start_real((struct tap_throwaway_options){ .fsync = true });
	struct tap_throwaway *two = start_real((struct tap_throwaway_options){ .shared_buffers_mb = 16 });

	ck_assert_int_eq(PQping(tap_throwaway_conninfo(one)), PQPING_OK);
	ck_assert_int_eq(PQping(tap_throwaway_conninfo(two)), PQPING_OK);
	ck_assert_str_ne(tap_throwaway_folder(one), tap_throwaway_folder(two));
	ck_assert_int_eq(tap_throwaway_stop(one, NULL), 0);
	ck_assert_int_eq(PQping(tap_throwaway_conninfo(two)), PQPING_OK);
	ck_assert_int_eq(tap_throwaway_stop(two, NULL), 0);
	check_nothing_left();
}
END_TEST

START_TEST(real_server_refuses_a_setting)
{
	struct tap_throwaway_options options = { .parent_folder = place, .preload = "no_such_library" };
	struct tap_throwaway *throwaway = NULL;
	struct tap_error err = { "" };

	ck_assert_int_eq(tap_throwaway_start(&options, &throwaway, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "no_such_library"));
	check_nothing_left();
}
END_TEST

START_TEST(real_server_that_died_before_stop)
{
	struct tap_throwaway *throwaway = start_real((struct tap_throwaway_options){ .port = 5433 });

	tap_server_program_kill(tap_throwaway_pid(throwaway));
	ck_assert_int_eq(tap_throwaway_stop(throwaway, NULL), 0);
	check_nothing_left();
}
END_TEST

/* A path that needs quoting in a connection string. */
START_TEST(real_server_in_an_odd_place)
{
	struct tap_throwaway_options options = { .port = 5432 };
	struct tap_throwaway *throwaway = NULL;
	struct tap_error err = { "" };
	char odd[PATH_MAX];

	snprintf(odd, sizeof(odd), "%s/it's \\ odd", place);
	ck_assert_int_eq(mkdir(odd, 0755), 0);
	options.parent_folder = odd;
	ck_assert_msg(!tap_throwaway_start(&options, &throwaway, &err), "%s", err.text);
	ck_assert_int_eq(PQping(tap_throwaway_conninfo(throwaway)), PQPING_OK);
	ck_assert_int_eq(tap_throwaway_stop(throwaway, NULL), 0);
	ck_assert_int_eq(rmdir(odd), 0);
	check_nothing_left();
}
END_TEST

START_TEST(kept_server_stays)
{
	static const struct tap_child_step fast[] = { { SIGINT, 10000 }, { SIGKILL, 5000 } };
	struct tap_throwaway *throwaway = start_real((struct tap_throwaway_options){ .keep = true });
	char *conninfo = strdup(tap_throwaway_conninfo(throwaway)), *folder = strdup(tap_throwaway_folder(throwaway));
	pid_t pid = tap_throwaway_pid(throwaway);

	ck_assert_int_eq(tap_throwaway_stop(throwaway, NULL), 0);
	ck_assert_int_eq(PQping(conninfo), PQPING_OK);
	ck_assert_int_eq(tap_child_end(pid, fast, 2, NULL), 0);
	ck_assert_int_eq(tap_folder_remove(folder), 0);
	free(conninfo);
	free(folder);
	check_nothing_left();
}
END_TEST

struct shared {
	volatile pid_t server;
	char folder[PATH_MAX];
};

static int start_and_wait(void *context)
{
	struct shared *shared = context;
	struct tap_throwaway_options options = { .parent_folder = place };
	struct tap_throwaway *throwaway;

	if (tap_throwaway_start(&options, &throwaway, NULL))
		return 1;
	snprintf(shared->folder, sizeof(shared->folder), "%s", tap_throwaway_folder(throwaway));
	shared->server = tap_throwaway_pid(throwaway);
	for (;;)
		pause();
}

/* Killed without warning: the kernel ends the server, the keeper removes the folder. */
START_TEST(killed_owner_leaves_nothing)
{
	static const struct tap_child_options options = { .keep_fd = -1, .death_signal = SIGKILL };
	static const struct tap_child_step kill_it = { SIGKILL, 5000 };
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t owner;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	ck_assert_int_eq(tap_child_start(&options, start_and_wait, shared, &owner), 0);
	for (int i = 0; i < 3000 && !shared->server; i++)
		sleep_ms(10);
	ck_assert_int_gt(shared->server, 0);
	ck_assert_uint_eq(entries_in(place), 1);
	ck_assert_int_eq(tap_child_end(owner, &kill_it, 1, NULL), 0);
	/* The server and the keeper are ours to reap now, in whatever order. */
	for (int i = 0; i < 1500 && (waitpid(-1, NULL, WNOHANG) >= 0 || entries_in(place)); i++)
		sleep_ms(10);
	check_nothing_left();
	munmap(shared, sizeof(*shared));
}
END_TEST

static void add_real_tests(Suite *suite)
{
	TCase *tcase = tcase_create("real");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 90);
	tcase_add_test(tcase, real_server_runs_and_goes);
	tcase_add_test(tcase, two_real_servers_at_once);
	tcase_add_test(tcase, real_server_refuses_a_setting);
	tcase_add_test(tcase, real_server_that_died_before_stop);
	tcase_add_test(tcase, real_server_in_an_odd_place);
	tcase_add_test(tcase, kept_server_stays);
	tcase_add_test(tcase, killed_owner_leaves_nothing);
	suite_add_tcase(suite, tcase);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("throwaway");
	TCase *tcase = tcase_create("scripts");
	struct tap_error err = { "" };
	char *found = NULL;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, failing_initdb_is_quoted);
	tcase_add_test(tcase, initdb_that_makes_nothing);
	tcase_add_test(tcase, hanging_initdb_is_ended);
	tcase_add_test(tcase, failing_server_is_quoted);
	tcase_add_test(tcase, silent_server_is_ended);
	tcase_add_test(tcase, log_that_is_no_file_is_not_read);
	tcase_add_test(tcase, interrupt_ends_it);
	tcase_add_test(tcase, query_ids_only_from_14_on);
	tcase_add_test(tcase, environment_is_clean);
	tcase_add_test(tcase, root_is_given_up);
	tcase_add_test(tcase, programs_that_cannot_be_executed);
	tcase_add_test(tcase, bad_places);
	tcase_add_test(tcase, out_of_memory);
	suite_add_tcase(suite, tcase);
	if (tap_server_binaries_find(NULL, NULL, NULL, &found, &err))
		fprintf(stderr, "test_throwaway: skipping the tests with a real server: %s\n", err.text);
	else
		add_real_tests(suite);
	free(found);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
