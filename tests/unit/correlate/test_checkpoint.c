// SPDX-License-Identifier: BSD-2-Clause
/* test_checkpoint.c - correlate/checkpoint: what a server's memory says of its checkpoints, laid over a window. */
#include "correlate/checkpoint.h"

#include <string.h>

#include "tests/lib/check_main.h"

/* 2026-01-01 in the server's microseconds since 2000, and in ns since the epoch. */
#define DAY_US 820540800000000ll
#define DAY_NS 1767225600000000000ll
#define SECOND 1000000000ll

enum {
	PG15 = 150018,
	PG18 = 180001,
};

static struct tap_checkpoints all;
static struct tap_checkpoint_window window;
static struct tap_checkpoint_run runs[TAP_CHECKPOINT_RUNS_MAX];
static bool cut;

static void set_up(void)
{
	memset(&all, 0, sizeof(all));
	/* From second 10 to second 20 of the day; the monotonic clock began at second 0. */
	window = (struct tap_checkpoint_window){ DAY_NS + 10 * SECOND, DAY_NS + 20 * SECOND, DAY_NS };
}

static struct tap_pg_checkpoint stats(int64_t begin_s, int64_t end_s)
{
	struct tap_pg_checkpoint ret = { .start_us = DAY_US + begin_s * 1000000 };

	if (end_s >= 0)
		ret.end_us = DAY_US + end_s * 1000000;
	return ret;
}

static void ended(int64_t begin_s, int64_t end_s)
{
	struct tap_checkpoint *kept = &all.kept[all.ended++ % TAP_CHECKPOINTS_KEPT];

	*kept = (struct tap_checkpoint){ .stats = stats(begin_s, end_s), .seen_ns = (uint64_t)(end_s * SECOND) };
}

static size_t found(void)
{
	return tap_checkpoint_runs(&all, PG15, &window, runs, &cut);
}

START_TEST(test_none)
{
	ck_assert_uint_eq(found(), 0);
	ck_assert(!cut);
	ck_assert_int_eq(tap_checkpoint_covered_ns(runs, 0, &window), 0);
}
END_TEST

/* What lies before the window, touches it, begins before it, lies in it, ends after it, or follows it. */
START_TEST(test_within_a_window)
{
	ended(1, 5);
	ended(6, 10);
	ended(8, 12);
	ended(13, 14);
	ended(19, 25);
	ended(20, 26);
	ck_assert_uint_eq(found(), 3);
	ck_assert_int_eq(runs[0].begin_ns, DAY_NS + 8 * SECOND);
	ck_assert_int_eq(runs[0].end_ns, DAY_NS + 12 * SECOND);
	ck_assert_int_eq(runs[2].begin_ns, DAY_NS + 19 * SECOND);
	ck_assert_int_eq(runs[2].phase, TAP_CHECKPOINT_ENDED);
	ck_assert_int_eq(tap_checkpoint_covered_ns(runs, 3, &window), (2 + 1 + 1) * SECOND);
}
END_TEST

START_TEST(test_running)
{
	ended(9, 11);
	all.running = 1;
	all.now = stats(15, -1);
	ck_assert_uint_eq(found(), 2);
	ck_assert_int_eq(runs[1].begin_ns, DAY_NS + 15 * SECOND);
	ck_assert_int_eq(runs[1].end_ns, -1);
	ck_assert_int_eq(runs[1].phase, TAP_CHECKPOINT_PREPARING);
	ck_assert_int_eq(runs[1].write_ns, -1);
	ck_assert_int_eq(runs[1].files, -1);
	ck_assert_int_eq(tap_checkpoint_covered_ns(runs, 2, &window), 6 * SECOND);
	/* It began long ago, and ends some time. */
	all.now.start_us = DAY_US - 3600 * 1000000ll;
	all.ended = 0;
	ck_assert_uint_eq(found(), 1);
	ck_assert_int_eq(tap_checkpoint_covered_ns(runs, 1, &window), 10 * SECOND);
	all.now.write_us = DAY_US;
	found();
	ck_assert_int_eq(runs[0].phase, TAP_CHECKPOINT_WRITING);
	all.now.sync_us = DAY_US + 1000000;
	all.now.counts[4] = 77;
	found();
	ck_assert_int_eq(runs[0].phase, TAP_CHECKPOINT_SYNCING);
	ck_assert_int_eq(runs[0].write_ns, SECOND);
	ck_assert_int_eq(runs[0].sync_ns, -1);
	ck_assert_int_eq(runs[0].files, -1);
	all.now.sync_end_us = DAY_US + 3000000;
	all.now.longest_sync_us = 1500000;
	found();
	ck_assert_int_eq(runs[0].phase, TAP_CHECKPOINT_FINISHING);
	ck_assert_int_eq(runs[0].sync_ns, 2 * SECOND);
	ck_assert_int_eq(runs[0].longest_sync_ns, 3 * SECOND / 2);
	ck_assert_int_eq(runs[0].files, 77);
	ck_assert_str_eq(tap_checkpoint_phase_name(runs[0].phase), "finishing");
	/* Not in this window. */
	all.now.start_us = DAY_US + 20 * 1000000;
	ck_assert_uint_eq(found(), 0);
}
END_TEST

START_TEST(test_counts_by_version)
{
	static const struct {
		int32_t version;
		int64_t files;
	} versions[] = { { 130000, 44 }, { PG15, 44 },	 { 170009, 44 }, { PG18, 55 },
			 { 190000, 55 }, { 200000, -1 }, { 0, -1 },	 { -5, -1 } };

	all.running = 1;
	all.now = stats(15, -1);
	all.now.sync_us = all.now.sync_end_us = all.now.start_us;
	all.now.counts[0] = 11;
	all.now.counts[4] = 44;
	all.now.counts[5] = 55;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		ck_assert_uint_eq(tap_checkpoint_runs(&all, versions[i].version, &window, runs, &cut), 1);
		ck_assert_int_eq(runs[0].buffers, 11);
		ck_assert_int_eq(runs[0].files, versions[i].files);
	}
}
END_TEST

/* It did not come to its end: over when it was seen to be, by the kernel's clock. */
START_TEST(test_failed)
{
	all.kept[0] = (struct tap_checkpoint){ .stats = stats(12, -1), .seen_ns = 14 * SECOND };
	all.ended = 1;
	ck_assert_uint_eq(found(), 1);
	ck_assert_int_eq(runs[0].phase, TAP_CHECKPOINT_FAILED);
	ck_assert_int_eq(runs[0].end_ns, DAY_NS + 14 * SECOND);
	ck_assert_int_eq(tap_checkpoint_covered_ns(runs, 1, &window), 2 * SECOND);
	/* A clock that makes no sense. */
	all.kept[0].seen_ns = UINT64_MAX / 2;
	ck_assert_uint_eq(found(), 1);
	ck_assert_int_eq(runs[0].end_ns, runs[0].begin_ns);
	ck_assert_int_eq(tap_checkpoint_covered_ns(runs, 1, &window), 0);
}
END_TEST

START_TEST(test_more_than_are_kept)
{
	for (int i = 0; i < TAP_CHECKPOINTS_KEPT; i++)
		ended(10 + i / 4, 10 + i / 4 + 1);
	ck_assert_uint_eq(found(), TAP_CHECKPOINTS_KEPT);
	ck_assert(!cut);
	ended(18, 19);
	all.running = 1;
	all.now = stats(19, -1);
	/* The oldest is gone: the next one begins with the window, so nothing of it is missing. */
	ck_assert_uint_eq(found(), TAP_CHECKPOINT_RUNS_MAX);
	ck_assert(!cut);
	for (int i = 0; i < 4; i++)
		ended(18, 19);
	ck_assert_uint_eq(found(), TAP_CHECKPOINT_RUNS_MAX);
	ck_assert(cut);
	ck_assert_int_le(tap_checkpoint_covered_ns(runs, TAP_CHECKPOINT_RUNS_MAX, &window), 10 * SECOND);
}
END_TEST

/* All that may be in a server's memory: no time is negative, past its window, or overflows. */
START_TEST(test_hostile)
{
	static const int64_t values[] = {
		0, 1, -1, INT64_MIN, INT64_MAX, DAY_US, DAY_US + 15000000, 6400000000000000ll
	};
	enum {
		VALUES = sizeof(values) / sizeof(values[0])
	};

	for (int i = 0; i < VALUES * VALUES * VALUES; i++) {
		struct tap_pg_checkpoint *kept = &all.kept[0].stats;
		size_t count;

		kept->start_us = values[i % VALUES];
		kept->end_us = values[i / VALUES % VALUES];
		kept->write_us = kept->sync_end_us = kept->end_us;
		kept->sync_us = values[i / VALUES / VALUES];
		kept->longest_sync_us = (uint64_t)kept->sync_us;
		memset(kept->counts, 0xff, sizeof(kept->counts));
		all.kept[0].seen_ns = (uint64_t)kept->sync_us;
		all.ended = 1;
		all.now = *kept;
		all.running = 1;
		count = found();
		ck_assert_uint_le(count, 2);
		for (size_t j = 0; j < count; j++) {
			ck_assert_int_ge(runs[j].begin_ns, 0);
			ck_assert_int_ge(runs[j].write_ns, -1);
			ck_assert_int_ge(runs[j].sync_ns, -1);
			ck_assert_int_ge(runs[j].longest_sync_ns, -1);
			ck_assert_int_ge(runs[j].files, -1);
		}
		ck_assert_int_ge(tap_checkpoint_covered_ns(runs, count, &window), 0);
		ck_assert_int_le(tap_checkpoint_covered_ns(runs, count, &window), 10 * SECOND);
	}
	all.ended = UINT64_MAX;
	ck_assert_uint_le(found(), TAP_CHECKPOINT_RUNS_MAX);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/checkpoint");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, NULL);
	tcase_add_test(tests, test_none);
	tcase_add_test(tests, test_within_a_window);
	tcase_add_test(tests, test_running);
	tcase_add_test(tests, test_counts_by_version);
	tcase_add_test(tests, test_failed);
	tcase_add_test(tests, test_more_than_are_kept);
	tcase_add_test(tests, test_hostile);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
