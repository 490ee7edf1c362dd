// SPDX-License-Identifier: BSD-2-Clause
/* test_lock_stat.c - histograms of waits: buckets, percentiles against a sorted list, bounds, hostile times, memory. */
#include "correlate/lock_stat.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_lock_stats stats;

static void set_up(void)
{
	tap_lock_stats_init(&stats);
}

static void tear_down(void)
{
	tap_lock_stats_done(&stats);
}

static struct tap_lock_stat_key key_of(uint64_t query_id)
{
	struct tap_lock_stat_key key;

	memset(&key, 0, sizeof(key));
	key.row.query_id = query_id;
	return key;
}

static void add(uint64_t query_id, int64_t ns)
{
	struct tap_lock_stat_key key = key_of(query_id);

	tap_lock_stats_add(&stats, &key, ns, ns, false);
}

START_TEST(test_buckets)
{
	uint32_t last = 0;

	ck_assert_uint_eq(tap_lock_wait_bucket(INT64_MIN), 0);
	ck_assert_uint_eq(tap_lock_wait_bucket(0), 0);
	ck_assert_uint_eq(tap_lock_wait_bucket(1024), 0);
	ck_assert_uint_eq(tap_lock_wait_bucket(INT64_MAX), TAP_LOCK_WAIT_BUCKETS - 1);
	for (int64_t ns = 1024; ns < 1LL << 43; ns += ns / 10) {
		uint32_t bucket = tap_lock_wait_bucket(ns);
		int64_t middle = (int64_t)tap_latency_middle_ns(bucket);

		ck_assert_uint_ge(bucket, last);
		ck_assert_msg(llabs(middle - ns) * 1000 <= ns * 63, "%lld is not %lld", (long long)middle,
			      (long long)ns);
		last = bucket;
	}
}
END_TEST

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

START_TEST(test_percentiles)
{
	static const int percents[] = { 1, 50, 95, 99, 100 };
	int64_t waits[1000];
	unsigned int seed = (unsigned int)_i;

	for (size_t i = 0; i < 1000; i++) {
		waits[i] = (int64_t)(rand_r(&seed) % 1000000 + 2000) << (rand_r(&seed) % 16);
		add(1, waits[i]);
	}
	qsort(waits, 1000, sizeof(*waits), compare);
	ck_assert_uint_eq(stats.items[0].waits, 1000);
	ck_assert_int_eq(stats.items[0].max_ns, waits[999]);
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		int64_t is = tap_lock_stat_percentile_ns(&stats.items[0], percents[i]);
		int64_t expected = waits[percents[i] * 10 - 1];

		ck_assert_msg(llabs(is - expected) * 1000 <= expected * 63, "p%d: %lld, not %lld", percents[i],
			      (long long)is, (long long)expected);
		ck_assert_int_le(is, waits[999]);
	}
}
END_TEST

START_TEST(test_keys)
{
	struct tap_lock_stat_key key = key_of(2);

	add(1, 5000);
	tap_lock_stats_add(&stats, &key, 7000, 3000, true);
	add(1, 6000);
	ck_assert_uint_eq(stats.count, 2);
	ck_assert_uint_eq(stats.items[0].waits, 2);
	ck_assert_int_eq(stats.items[0].ns, 11000);
	ck_assert_uint_eq(stats.items[0].failed, 0);
	ck_assert_int_eq(stats.items[1].ns, 3000);
	ck_assert_int_eq(stats.items[1].max_ns, 7000);
	ck_assert_uint_eq(stats.items[1].failed, 1);
	tap_lock_stats_clear(&stats);
	ck_assert_uint_eq(stats.count, 0);
	add(2, 1);
	ck_assert_uint_eq(stats.items[0].waits, 1);
	ck_assert_int_eq(tap_lock_stat_percentile_ns(&stats.items[0], 50), 1);
}
END_TEST

START_TEST(test_bounds)
{
	for (uint64_t i = 0; i < TAP_LOCK_STATS_MAX + 10; i++)
		add(i, 2000);
	add(3, 2000);
	ck_assert_uint_eq(stats.count, TAP_LOCK_STATS_MAX);
	ck_assert_uint_eq(stats.dropped, 10);
	ck_assert_uint_eq(stats.items[3].waits, 2);
}
END_TEST

/* Several at once are as each by itself. */
START_TEST(test_sum)
{
	uint32_t buckets[TAP_LOCK_WAIT_BUCKETS] = { 0 };
	struct tap_lock_stat_sum sum = {
		.waits = 3, .failed = 1, .ns = 6000000, .max_ns = 4000000, .buckets = buckets
	};
	struct tap_lock_stat_key key = key_of(1), other = key_of(2);
	struct tap_lock_stat *one, *both;

	buckets[tap_lock_wait_bucket(1000000)] = 2;
	buckets[tap_lock_wait_bucket(4000000)] = 1;
	for (int i = 0; i < 2; i++) {
		tap_lock_stats_add(&stats, &key, 1000000, 1000000, false);
		tap_lock_stats_add(&stats, &key, 1000000, 1000000, true);
		tap_lock_stats_add(&stats, &key, 4000000, 4000000, false);
		tap_lock_stats_add_sum(&stats, &other, &sum);
	}
	one = &stats.items[0];
	both = &stats.items[1];
	ck_assert_uint_eq(stats.count, 2);
	ck_assert_uint_eq(both->waits, 6);
	ck_assert_uint_eq(both->failed, 2);
	ck_assert_int_eq(both->ns, one->ns);
	ck_assert_int_eq(both->max_ns, 4000000);
	ck_assert_mem_eq(both->buckets, one->buckets, sizeof(one->buckets));
	/* Full buckets stay full. */
	memset(buckets, 0xff, sizeof(buckets));
	tap_lock_stats_add_sum(&stats, &other, &sum);
	ck_assert_uint_eq(both->buckets[tap_lock_wait_bucket(1000000)], UINT32_MAX);
	for (uint64_t i = 3; stats.count < TAP_LOCK_STATS_MAX; i++)
		add(i, 1);
	key = key_of(999999);
	tap_lock_stats_add_sum(&stats, &key, &sum);
	ck_assert_uint_eq(stats.dropped, 3);
}
END_TEST

START_TEST(test_hostile_times)
{
	static const int64_t times[] = { INT64_MIN, -1, 0, INT64_MAX };
	struct tap_lock_stat none = { 0 };

	for (size_t i = 0; i < 4; i++)
		add(1, times[i]);
	ck_assert_uint_eq(stats.items[0].waits, 4);
	ck_assert_int_eq(stats.items[0].max_ns, INT64_MAX);
	/* The last bucket is open. */
	ck_assert_int_eq(tap_lock_stat_percentile_ns(&stats.items[0], 100), INT64_MAX);
	ck_assert_int_eq(tap_lock_stat_percentile_ns(&stats.items[0], 1e9), INT64_MAX);
	ck_assert_int_ge(tap_lock_stat_percentile_ns(&stats.items[0], -5), 0);
	ck_assert_int_eq(tap_lock_stat_percentile_ns(&none, 50), -1);
}
END_TEST

START_TEST(test_out_of_memory)
{
	for (long fail_at = 1; fail_at < 4; fail_at++) {
		tap_lock_stats_done(&stats);
		tap_alloc_fail_at(fail_at);
		add(1, 2000);
		tap_alloc_fail_at(0);
		ck_assert_uint_eq(stats.count + stats.dropped, 1);
		add(1, 2000);
		ck_assert_uint_eq(stats.count, 1);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lock_stat");
	TCase *tcase = tcase_create("stats");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_buckets);
	tcase_add_loop_test(tcase, test_percentiles, 0, 8);
	tcase_add_test(tcase, test_keys);
	tcase_add_test(tcase, test_bounds);
	tcase_add_test(tcase, test_sum);
	tcase_add_test(tcase, test_hostile_times);
	tcase_add_test(tcase, test_out_of_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
