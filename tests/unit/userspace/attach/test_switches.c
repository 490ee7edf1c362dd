// SPDX-License-Identifier: BSD-2-Clause
/* test_switches.c - sums over the threads of made-up servers, also of files that say nothing of use. */
#include "userspace/attach/switches.h"

#include <errno.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_proc.h"

static struct fake_proc proc;
static struct tap_target targets[2];
static const struct tap_target_list list = { targets, 2 };
static uint64_t sums[2];

static void thread_add(int pid, const char *tid, const char *text)
{
	char path[PATH_MAX], name[64];

	fake_proc_path(&proc, pid, "task", path);
	mkdir(path, 0700);
	snprintf(name, sizeof(name), "task/%s", tid);
	fake_proc_path(&proc, pid, name, path);
	mkdir(path, 0700);
	snprintf(name, sizeof(name), "task/%s/schedstat", tid);
	fake_proc_write(&proc, pid, name, text, 0);
}

static void set_up(void)
{
	fake_proc_init(&proc);
	fake_proc_add(&proc, &(struct fake_process){ .pid = 10, .ppid = 1 });
	fake_proc_add(&proc, &(struct fake_process){ .pid = 11, .ppid = 10 });
	fake_proc_add(&proc, &(struct fake_process){ .pid = 12, .ppid = 11 });
	fake_proc_add(&proc, &(struct fake_process){ .pid = 20, .ppid = 1 });
	targets[0] = (struct tap_target){ .pid = 10 };
	targets[1] = (struct tap_target){ .pid = 20 };
	sums[0] = sums[1] = 77;
}

static void tear_down(void)
{
	fake_proc_done(&proc);
}

START_TEST(test_sums)
{
	thread_add(10, "10", "5000 6000 1\n");
	thread_add(11, "11", "5000 6000 20\n");
	thread_add(12, "12", "1 2 300\n");
	thread_add(12, "13", "1 2 4000\n");
	thread_add(20, "20", "18446744073709551615 0 50000\n");
	ck_assert_int_eq(tap_switches_read(proc.root, &list, sums), 0);
	ck_assert_uint_eq(sums[0], 4321);
	ck_assert_uint_eq(sums[1], 50000);
}
END_TEST

START_TEST(test_of_no_use)
{
	thread_add(10, "10", "");
	thread_add(11, "11", "5000 6000\n");
	thread_add(12, "12", "x y z\n");
	targets[1].pid = 99;
	ck_assert_int_eq(tap_switches_read(proc.root, &list, sums), 0);
	ck_assert(!sums[0] && !sums[1]);
	ck_assert_int_eq(tap_switches_read("/nonexistent", &list, sums), -ENOENT);
}
END_TEST

START_TEST(test_no_memory)
{
	for (long n = 1; n < 4; n++) {
		tap_alloc_fail_at(n);
		sums[0] = (uint64_t)tap_switches_read(proc.root, &list, sums);
		tap_alloc_fail_at(0);
		ck_assert(sums[0] == (uint64_t)-ENOMEM || !sums[0]);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("attach/switches");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_sums);
	tcase_add_test(tests, test_of_no_use);
	tcase_add_test(tests, test_no_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
