// SPDX-License-Identifier: BSD-2-Clause
/* test_cost.c - userspace/consume/cost over a tracer that says what the test wants. */
#include "userspace/consume/cost.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/check_main.h"

/* Stands in for userspace/load/tracer: no program is loaded. */
struct tap_tracer {
	struct tap_tracer_counters counters;
	int stats_on_status;
	int stats_status;  /* of the stats_fail_at-th call and those after it */
	int stats_fail_at; /* 0: none */
	int stats_calls;
	uint64_t program_ns;
	uint64_t grows_by_ns; /* at each look */
	int on, off;
	int attach_status;
	uint64_t trap_offset;
	int attached, detached;
};

void tap_tracer_counters(const struct tap_tracer *tracer, struct tap_tracer_counters *ret)
{
	*ret = tracer->counters;
}

int tap_tracer_stats_on(struct tap_tracer *tracer)
{
	tracer->on += !tracer->stats_on_status;
	return tracer->stats_on_status;
}

int tap_tracer_stats_off(struct tap_tracer *tracer)
{
	tracer->off++;
	return 0;
}

int tap_tracer_stats(const struct tap_tracer *tracer, uint64_t *ret_runs, uint64_t *ret_ns)
{
	struct tap_tracer *mutable = (struct tap_tracer *)tracer;

	if (++mutable->stats_calls == tracer->stats_fail_at)
		return tracer->stats_status;
	*ret_runs = 1;
	*ret_ns = tracer->program_ns;
	mutable->program_ns += tracer->grows_by_ns;
	return 0;
}

int tap_tracer_stats_calls(const struct tap_tracer *from, uint64_t *ret_runs, uint64_t *ret_ns)
{
	(void)from;
	(void)ret_runs;
	(void)ret_ns;
	return -ENOENT;
}

int tap_tracer_attach_trap(struct tap_tracer *tracer, const char *binary, uint64_t offset)
{
	ck_assert_str_eq(binary, "/proc/self/exe");
	tracer->trap_offset = offset;
	tracer->attached += !tracer->attach_status;
	return tracer->attach_status;
}

void tap_tracer_detach_trap(struct tap_tracer *tracer)
{
	tracer->detached++;
}

static struct tap_tracer tracer;
static struct tap_cost cost;
static struct tap_window_cost window;

static void set_up(void)
{
	tracer = (struct tap_tracer){ 0 };
	cost = (struct tap_cost){ .trap_ns = -1, .program_ns = 99, .sampled_ns = 99 };
	tap_cost_begin(&cost, &tracer);
}

START_TEST(test_nothing_sampled)
{
	usleep(2000);
	tap_cost_end(&cost, &tracer, &window);
	ck_assert_double_eq(window.bpf_cpu_percent, -1);
	/* No hits cost nothing, whatever one costs. */
	ck_assert_double_eq(window.trap_cpu_percent, 0);
	ck_assert_double_ge(window.tool_cpu_percent, 0);
	ck_assert_double_le(window.tool_cpu_percent, 100.0 * sysconf(_SC_NPROCESSORS_ONLN));
	ck_assert_int_gt(window.tool_rss_bytes, 100000);
}
END_TEST

START_TEST(test_sampled)
{
	tracer.grows_by_ns = 100000;
	tap_cost_sample(&cost, &tracer, 10);
	tap_cost_sample(&cost, &tracer, 10);
	ck_assert_int_eq(tracer.on, 2);
	ck_assert_int_eq(tracer.off, 2);
	ck_assert_uint_eq(cost.program_ns, 200000);
	ck_assert_int_ge(cost.sampled_ns, 20000000);
	tap_cost_end(&cost, &tracer, &window);
	ck_assert_double_gt(window.bpf_cpu_percent, 0);
	ck_assert_double_le(window.bpf_cpu_percent, 1.0);
}
END_TEST

START_TEST(test_sample_fails)
{
	tracer.stats_on_status = -EPERM;
	tap_cost_sample(&cost, &tracer, 1);
	ck_assert_int_eq(tracer.stats_calls, 0);
	tracer.stats_on_status = 0;
	tracer.stats_status = -EIO;
	for (int at = 1; at <= 2; at++) {
		tracer.stats_fail_at = at;
		tracer.stats_calls = 0;
		tap_cost_sample(&cost, &tracer, 1);
		ck_assert_int_eq(tracer.off, at);
	}
	tap_cost_end(&cost, &tracer, &window);
	ck_assert_double_eq(window.bpf_cpu_percent, -1);
}
END_TEST

START_TEST(test_traps)
{
	tracer.counters.statement_hits = 1000;
	tap_cost_end(&cost, &tracer, &window);
	ck_assert_double_eq(window.trap_cpu_percent, -1);
	tap_cost_begin(&cost, &tracer);
	cost.trap_ns = 1000;
	usleep(5000);
	tracer.counters.statement_hits = 2000;
	tap_cost_end(&cost, &tracer, &window);
	/* A millisecond of traps in five or more. */
	ck_assert_double_gt(window.trap_cpu_percent, 0);
	ck_assert_double_le(window.trap_cpu_percent, 20);
}
END_TEST

START_TEST(test_trap_rate)
{
	uint64_t hits = 0;
	int64_t wall_ns = cost.wall_begin_ns, before = wall_ns;

	ck_assert_double_lt(tap_cost_trap_rate(&cost, &tracer, &hits, &wall_ns), 0);
	ck_assert_int_gt(wall_ns, before);
	cost.trap_ns = 1000;
	tracer.counters.statement_hits = 1000;
	usleep(5000);
	ck_assert_double_gt(tap_cost_trap_rate(&cost, &tracer, &hits, &wall_ns), 0);
	ck_assert_uint_eq(hits, 1000);
	usleep(1000);
	ck_assert_double_eq(tap_cost_trap_rate(&cost, &tracer, &hits, &wall_ns), 0);
	/* A clock that stands still. */
	wall_ns = INT64_MAX;
	ck_assert_double_lt(tap_cost_trap_rate(&cost, &tracer, &hits, &wall_ns), 0);
}
END_TEST

/* The function is found in the file of this very program; without a real trap it is hardly slower. */
START_TEST(test_calibration)
{
	double ns = tap_cost_calibrate_trap(&tracer);

	ck_assert_uint_gt(tracer.trap_offset, 0);
	ck_assert_int_eq(tracer.attached, 1);
	ck_assert_int_eq(tracer.detached, 1);
	ck_assert(ns < 0 || ns < 1000);
	tracer.attach_status = -EPERM;
	ck_assert_double_eq(tap_cost_calibrate_trap(&tracer), -1);
	ck_assert_int_eq(tracer.detached, 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("consume/cost");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, NULL);
	tcase_add_test(tests, test_nothing_sampled);
	tcase_add_test(tests, test_sampled);
	tcase_add_test(tests, test_sample_fails);
	tcase_add_test(tests, test_traps);
	tcase_add_test(tests, test_trap_rate);
	tcase_add_test(tests, test_calibration);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
