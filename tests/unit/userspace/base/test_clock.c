// SPDX-License-Identifier: BSD-2-Clause
/* test_clock.c - userspace/base/clock against the C library's other ways to tell the time. */
#include "userspace/base/clock.h"

#include <sys/time.h>
#include <unistd.h>

#include "tests/lib/check_main.h"

static const int64_t second_ns = 1000000000;

START_TEST(test_wall_clock)
{
	struct timeval before, after;
	int64_t now;

	gettimeofday(&before, NULL);
	now = tap_clock_ns(CLOCK_REALTIME);
	gettimeofday(&after, NULL);
	ck_assert_int_ge(now, before.tv_sec * second_ns + before.tv_usec * 1000);
	ck_assert_int_lt(now, after.tv_sec * second_ns + (after.tv_usec + 1) * 1000);
}
END_TEST

START_TEST(test_sleep)
{
	int64_t began = tap_clock_ns(CLOCK_MONOTONIC), began_ms = tap_clock_ms();

	usleep(30000);
	ck_assert_int_ge(tap_clock_ns(CLOCK_MONOTONIC) - began, 30000000);
	ck_assert_int_ge(tap_clock_ms() - began_ms, 29);
	/* The two are the same clock. */
	began = tap_clock_ns(CLOCK_MONOTONIC) / 1000000;
	began_ms = tap_clock_ms();
	ck_assert_int_ge(began_ms, began);
	ck_assert_int_le(began_ms, tap_clock_ns(CLOCK_MONOTONIC) / 1000000);
}
END_TEST

/* Whole seconds and their fractions are put together right: nothing ever goes back. */
START_TEST(test_never_back)
{
	int64_t end = tap_clock_ns(CLOCK_MONOTONIC) + second_ns + second_ns / 10, last = 0, now;

	while ((now = tap_clock_ns(CLOCK_MONOTONIC)) < end) {
		ck_assert_int_ge(now, last);
		last = now;
		usleep(1000);
	}
}
END_TEST

START_TEST(test_cpu_clock_stands_still_asleep)
{
	int64_t cpu = tap_clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	usleep(50000);
	ck_assert_int_lt(tap_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu, 40000000);
	ck_assert_int_gt(tap_clock_ns(CLOCK_PROCESS_CPUTIME_ID), cpu);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("base/clock");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, test_wall_clock);
	tcase_add_test(tests, test_sleep);
	tcase_add_test(tests, test_never_back);
	tcase_add_test(tests, test_cpu_clock_stands_still_asleep);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
