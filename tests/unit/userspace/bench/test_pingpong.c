// SPDX-License-Identifier: BSD-2-Clause
/* test_pingpong.c - the two switching processes: where they run, that they switch as often as they say, that they end.
 */
#include "userspace/bench/pingpong.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static unsigned first_allowed_cpu(void)
{
	cpu_set_t cpus;
	unsigned cpu = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	while (!CPU_ISSET(cpu, &cpus))
		cpu++;
	return cpu;
}

static unsigned long switches_of(pid_t pid)
{
	char path[64], line[128];
	unsigned long sum = 0, one;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &one) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %lu", &one) == 1)
			sum += one;
	}
	fclose(file);
	return sum;
}

/* The kernel's own count of switches is the outside truth; it also has those that other processes cause. */
START_TEST(every_hand_over_is_a_switch)
{
	const struct timespec while_it_runs = { .tv_nsec = 200000000 };
	unsigned long kernel;
	struct tap_pingpong *pingpong;
	uint64_t own;
	pid_t pids[2];

	ck_assert_int_eq(tap_pingpong_start(first_allowed_cpu(), &pingpong, NULL), 0);
	tap_pingpong_pids(pingpong, pids);
	ck_assert_int_gt(pids[0], 0);
	ck_assert_int_gt(pids[1], 0);
	own = tap_pingpong_switches(pingpong);
	kernel = switches_of(pids[0]) + switches_of(pids[1]);
	nanosleep(&while_it_runs, NULL);
	own = tap_pingpong_switches(pingpong) - own;
	kernel = switches_of(pids[0]) + switches_of(pids[1]) - kernel;
	tap_pingpong_stop(pingpong);
	ck_assert_uint_gt(own, 1000);
	ck_assert_double_eq_tol((double)kernel / (double)own, 1, 0.1);
	ck_assert_int_eq(kill(pids[0], 0), -1);
	ck_assert_int_eq(kill(pids[1], 0), -1);
}
END_TEST

START_TEST(both_are_on_the_processor)
{
	unsigned cpu = first_allowed_cpu();
	struct tap_pingpong *pingpong;
	cpu_set_t cpus;
	pid_t pids[2];

	ck_assert_int_eq(tap_pingpong_start(cpu, &pingpong, NULL), 0);
	tap_pingpong_pids(pingpong, pids);
	for (int side = 0; side < 2; side++) {
		ck_assert_int_eq(sched_getaffinity(pids[side], sizeof(cpus), &cpus), 0);
		ck_assert_int_eq(CPU_COUNT(&cpus), 1);
		ck_assert(CPU_ISSET(cpu, &cpus));
	}
	tap_pingpong_stop(pingpong);
}
END_TEST

START_TEST(processor_that_is_not_there)
{
	static const unsigned bad[] = { 1023, 1024, 4000000000u };
	struct tap_pingpong *pingpong = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tap_error err = { "" };

		ck_assert_int_eq(tap_pingpong_start(bad[i], &pingpong, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "processor"));
		ck_assert_ptr_null(pingpong);
	}
}
END_TEST

START_TEST(out_of_memory)
{
	struct tap_pingpong *pingpong = NULL;

	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_pingpong_start(0, &pingpong, NULL), -ENOMEM);
	tap_alloc_fail_at(0);
	ck_assert_ptr_null(pingpong);
	tap_pingpong_stop(NULL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pingpong");
	TCase *tcase = tcase_create("pingpong");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, every_hand_over_is_a_switch);
	tcase_add_test(tcase, both_are_on_the_processor);
	tcase_add_test(tcase, processor_that_is_not_there);
	tcase_add_test(tcase, out_of_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
