// SPDX-License-Identifier: BSD-2-Clause
/* test_arrivals.c - userspace/attach/arrivals over a made-up /proc: which new process is worth a search. */
#include "userspace/attach/arrivals.h"

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_proc.h"

enum {
	SERVER = 100,
	NEW = 5000,
};

static struct fake_proc proc;
static struct tap_arrivals arrivals;

static bool look(void)
{
	const int32_t servers[] = { 7, SERVER };

	return tap_arrivals_look(&arrivals, proc.root, servers, 2);
}

static void process(int pid, int ppid, const char *comm, const char *exe)
{
	struct fake_process one = { .pid = pid, .ppid = ppid, .comm = comm, .exe = exe };

	fake_proc_add(&proc, &one);
}

/* A folder with anything that /proc has beside processes, one server and its child; looked at once. */
static void set_up(void)
{
	fake_proc_init(&proc);
	tap_arrivals_init(&arrivals);
	process(1, 0, "init", "/sbin/init");
	process(SERVER, 1, "postgres", "/usr/lib/postgresql/15/bin/postgres");
	process(101, SERVER, "postgres", "/usr/lib/postgresql/15/bin/postgres");
	ck_assert(look());
	ck_assert(!look());
}

static void tear_down(void)
{
	tap_arrivals_done(&arrivals);
	fake_proc_done(&proc);
}

static const struct {
	int ppid;
	const char *comm, *exe;
	bool found;
} news[] = {
	{ 1, "postgres", "/opt/pg/bin/postgres", true },
	{ 1, "postmaster", NULL, true },
	{ 1, "my db (old)", "/opt/pg/bin/postgres", true }, /* called otherwise */
	{ 1, "x", "/opt/bin/postgres-16 (deleted)", true },
	{ 1, "x", "postgres", true }, /* no folder at all */
	{ SERVER, "postgres", "/opt/pg/bin/postgres", false },
	{ 7, "postgres", "/opt/pg/bin/postgres", false },
	{ 101, "postgres", "/opt/pg/bin/postgres", true }, /* a program of a backend may be a server */
	{ 1, "bash", "/bin/bash", false },
	{ 1, "bash", "/home/postgres/bin/bash", false },
	{ 1, "kworker/0:1", NULL, false },
};

START_TEST(test_who_is_new)
{
	process(NEW, news[_i].ppid, news[_i].comm, news[_i].exe);
	ck_assert_int_eq(look(), news[_i].found);
	/* It is known now, whatever it is. */
	ck_assert(!look());
}
END_TEST

START_TEST(test_between_older_ones)
{
	process(50, 1, "postgres", NULL);
	ck_assert(look());
	process(2, 1, "postgres", NULL);
	process(NEW, 1, "bash", NULL);
	ck_assert(look());
	ck_assert(!look());
}
END_TEST

static void gone(int pid)
{
	char path[PATH_MAX];

	fake_proc_path(&proc, pid, "", path);
	nftw(path, fake_proc_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* A process that ends is no arrival; one that comes under its pid after a look without it is. */
START_TEST(test_gone_and_back)
{
	gone(SERVER);
	gone(101);
	ck_assert(!look());
	process(SERVER, 1, "postgres", NULL);
	ck_assert(look());
}
END_TEST

/* Gone between the list and the look at it. */
START_TEST(test_vanished)
{
	char path[PATH_MAX];

	fake_proc_path(&proc, NEW, "", path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert(!look());
}
END_TEST

START_TEST(test_hostile_names)
{
	static const char *const names[] = { "self", "-5", "0", "99999999999999999999", "2147483648", "12x", "..." };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", proc.root, names[i]);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
	ck_assert(!look());
}
END_TEST

START_TEST(test_many)
{
	char path[PATH_MAX];

	for (int pid = 1000; pid < 4000; pid++) {
		fake_proc_path(&proc, pid, "", path);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
	ck_assert(!look());
	ck_assert_uint_eq(arrivals.count, 3003);
	for (size_t i = 1; i < arrivals.count; i++)
		ck_assert_int_lt(arrivals.pids[i - 1], arrivals.pids[i]);
	process(NEW, 1, "postgres", NULL);
	ck_assert(look());
}
END_TEST

/* What cannot be known is worth a search, and what was known stays. */
START_TEST(test_cannot_look)
{
	const int32_t none = 0;

	ck_assert(tap_arrivals_look(&arrivals, "/nowhere/at/all", &none, 0));
	ck_assert_uint_eq(arrivals.count, 3);
	tap_alloc_fail_at(1);
	ck_assert(look());
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(arrivals.count, 3);
	ck_assert(!look());
}
END_TEST

START_TEST(test_this_host)
{
	tap_arrivals_done(&arrivals);
	ck_assert(tap_arrivals_look(&arrivals, "/proc", NULL, 0));
	ck_assert_uint_ge(arrivals.count, 1);
	for (size_t i = 0; i < arrivals.count; i++) {
		if (arrivals.pids[i] == getpid())
			return;
	}
	ck_abort_msg("this process is not in /proc");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("attach/arrivals");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_loop_test(tests, test_who_is_new, 0, sizeof(news) / sizeof(news[0]));
	tcase_add_test(tests, test_between_older_ones);
	tcase_add_test(tests, test_gone_and_back);
	tcase_add_test(tests, test_vanished);
	tcase_add_test(tests, test_hostile_names);
	tcase_add_test(tests, test_many);
	tcase_add_test(tests, test_cannot_look);
	tcase_add_test(tests, test_this_host);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
