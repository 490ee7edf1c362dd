// SPDX-License-Identifier: BSD-2-Clause
/* test_lock_event.c - the log of lock waits: begin and end, what was lost to whom within a window, cycles, bounds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/lock_event.h"
#include "correlate/session.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_lock_log log_;

static void set_up(void)
{
	tap_lock_log_init(&log_, 1000);
}

static void tear_down(void)
{
	tap_lock_log_done(&log_);
}

static struct tap_lock_wait wait_for(int32_t pid, uint32_t relation, int64_t begin_ns)
{
	struct tap_lock_wait wait = {
		.instance = 3,
		.pid = pid,
		.row = { .instance = 3, .kind = TAP_KIND_CLIENT, .source = TAP_QUERY_ID_ENGINE, .query_id = 70 },
		.tag = { .field1 = 5, .field2 = relation, .type = TAP_LOCK_RELATION, .method = 1 },
		.mode = TAP_LOCK_MODE_ACCESS_EXCLUSIVE,
		.begin_ns = begin_ns,
		.waited_ns = -1,
		.wait_start_us = begin_ns / 1000,
	};

	tap_lock_object_of(3, &wait.tag, &wait.object);
	return wait;
}

static void begin(int32_t pid, uint32_t relation, int64_t begin_ns)
{
	struct tap_lock_wait wait = wait_for(pid, relation, begin_ns);

	ck_assert_int_eq(tap_lock_log_begin(&log_, &wait), 0);
}

static void end(int32_t pid, uint32_t relation, int64_t begin_ns, int64_t waited_ns, uint8_t outcome)
{
	struct tap_lock_wait wait = wait_for(pid, relation, begin_ns);

	wait.end_ns = begin_ns + waited_ns;
	wait.waited_ns = waited_ns;
	wait.outcome = outcome;
	ck_assert_int_eq(tap_lock_log_end(&log_, &wait), 0);
}

START_TEST(test_begin_end)
{
	struct tap_lock_wait *open;

	begin(10, 16384, 5000);
	ck_assert_uint_eq(log_.n_open, 1);
	open = tap_lock_log_find(&log_, 3, 10);
	ck_assert_ptr_nonnull(open);
	ck_assert_uint_eq(open->outcome, TAP_LOCK_WAITS);
	ck_assert_int_eq(open->waited_ns, -1);
	ck_assert_ptr_null(tap_lock_log_find(&log_, 2, 10));
	ck_assert_ptr_null(tap_lock_log_find(&log_, 3, 11));
	end(10, 16384, 5000, 700, TAP_LOCK_GRANTED);
	ck_assert_uint_eq(log_.n_open, 0);
	ck_assert_uint_eq(log_.n_past, 1);
	ck_assert_int_eq(log_.past[0].waited_ns, 700);
	ck_assert_int_eq(log_.past[0].end_ns, 5700);
	ck_assert_uint_eq(log_.past[0].outcome, TAP_LOCK_GRANTED);
	ck_assert_uint_eq(log_.n_changes, 2);
	ck_assert_uint_eq(log_.begun, 1);
	ck_assert_uint_eq(log_.ended, 1);
	tap_lock_log_changes_taken(&log_);
	ck_assert_uint_eq(log_.n_changes, 0);
}
END_TEST

/* The table showed it before its record came: one wait. */
START_TEST(test_same_wait_twice)
{
	struct tap_lock_wait wait = wait_for(10, 16384, 5000);

	wait.row.source = TAP_QUERY_ID_OWN;
	wait.row.query_id = 1;
	ck_assert_int_eq(tap_lock_log_begin(&log_, &wait), 0);
	begin(10, 16384, 5000);
	ck_assert_uint_eq(log_.n_open, 1);
	ck_assert_uint_eq(log_.begun, 1);
	/* The engine's id is the better one, and never given up again. */
	ck_assert_uint_eq(log_.open[0].row.query_id, 70);
	ck_assert_int_eq(tap_lock_log_begin(&log_, &wait), 0);
	ck_assert_uint_eq(log_.open[0].row.query_id, 70);
}
END_TEST

START_TEST(test_another_wait_of_the_same_process)
{
	begin(10, 16384, 5000);
	begin(10, 16385, 9000);
	ck_assert_uint_eq(log_.n_open, 1);
	ck_assert_uint_eq(log_.open[0].tag.field2, 16385);
	ck_assert_uint_eq(log_.n_past, 1);
	ck_assert_uint_eq(log_.past[0].outcome, TAP_LOCK_VANISHED);
	ck_assert_int_eq(log_.past[0].waited_ns, 4000);
	/* The same lock again, later, is another wait too. */
	begin(10, 16385, 12000);
	ck_assert_uint_eq(log_.n_past, 2);
}
END_TEST

START_TEST(test_end_without_begin)
{
	struct tap_lock_wait nameless = wait_for(11, 0, 0);

	end(10, 16384, 5000, 700, TAP_LOCK_GRANTED);
	ck_assert_uint_eq(log_.n_past, 1);
	ck_assert_uint_eq(log_.n_losses, 1);
	/* Adopted asleep, awake before it said what for, and the table was not read in time: nothing to tell. */
	nameless.wait_start_us = 0;
	nameless.end_ns = 9000;
	nameless.outcome = TAP_LOCK_GRANTED;
	ck_assert_int_eq(tap_lock_log_end(&log_, &nameless), 0);
	ck_assert_uint_eq(log_.n_past, 1);
	/* ... and with the table's help: its age is the engine's. */
	begin(11, 16384, 5000);
	ck_assert_int_eq(tap_lock_log_end(&log_, &nameless), 0);
	ck_assert_uint_eq(log_.n_past, 2);
	ck_assert_int_eq(log_.past[1].waited_ns, 4000);
}
END_TEST

/* What was lost before the window is not lost in it; the longest wait is told whole. */
START_TEST(test_losses)
{
	struct tap_lock_wait *open;

	tap_lock_log_next(&log_, 100000);
	for (int i = 0; i < 3; i++) {
		begin(10 + i, 16384, i ? 100000 : 40000);
		open = tap_lock_log_find(&log_, 3, 10 + i);
		open->blockers[0] = (struct tap_lock_blocker){
			.pid = 5,
			.state = TAP_SESSION_IDLE_IN_TRANSACTION,
			.row = { .instance = 3, .kind = TAP_KIND_CLIENT, .source = TAP_QUERY_ID_ENGINE, .query_id = 80 }
		};
		open->n_blockers = open->n_blockers_all = 1;
		open->blockers_known = true;
	}
	end(10, 16384, 40000, 70000, TAP_LOCK_GRANTED);
	end(11, 16384, 100000, 30000, TAP_LOCK_GRANTED);
	open = tap_lock_log_find(&log_, 3, 12);
	open->blockers[0].row.query_id = 81;
	end(12, 16384, 100000, 1, TAP_LOCK_FAILED);
	ck_assert_uint_eq(log_.n_losses, 2);
	ck_assert_uint_eq(log_.losses[0].waits, 2);
	ck_assert_int_eq(log_.losses[0].ns, 10000 + 30000);
	ck_assert_int_eq(log_.losses[0].max_ns, 70000);
	ck_assert_uint_eq(log_.losses[0].key.blocker.query_id, 80);
	ck_assert_uint_eq(log_.losses[0].key.blocker_state, TAP_SESSION_IDLE_IN_TRANSACTION);
	ck_assert_uint_eq(log_.losses[0].key.row.query_id, 70);
	ck_assert_uint_eq(log_.losses[0].key.object.relation, 16384);
	ck_assert_uint_eq(log_.losses[1].key.blocker.query_id, 81);
	tap_lock_log_next(&log_, 200000);
	ck_assert_uint_eq(log_.n_losses, 0);
	ck_assert_uint_eq(log_.n_past, 0);
}
END_TEST

static struct tap_lock_cycle cycle_of(int32_t a, int32_t b, int64_t start_us)
{
	struct tap_lock_cycle cycle = { .instance = 3, .at_ns = 7000, .n_members = 2 };

	cycle.members = calloc(2, sizeof(*cycle.members));
	cycle.members[0] = (struct tap_lock_cycle_member){ .pid = a, .waits_for = b, .wait_start_us = start_us };
	cycle.members[1] = (struct tap_lock_cycle_member){ .pid = b, .waits_for = a, .wait_start_us = 5 };
	cycle.members[0].tag = wait_for(a, 16384, 5000).tag;
	cycle.members[1].tag = wait_for(b, 16385, 5000).tag;
	cycle.members[0].query = strdup("update a");
	return cycle;
}

START_TEST(test_cycles_are_told_once)
{
	struct tap_lock_cycle cycle = cycle_of(10, 11, 5), turned, later = cycle_of(10, 11, 6);
	struct tap_lock_cycle_member first;

	ck_assert_int_eq(tap_lock_log_cycle(&log_, &cycle), 0);
	turned = cycle_of(10, 11, 5);
	first = turned.members[0];
	turned.members[0] = turned.members[1];
	turned.members[1] = first;
	ck_assert_int_eq(tap_lock_log_cycle(&log_, &turned), -EEXIST);
	/* The same sessions and locks another time. */
	ck_assert_int_eq(tap_lock_log_cycle(&log_, &later), 0);
	ck_assert_uint_eq(log_.n_cycles, 2);
	ck_assert_uint_eq(log_.n_changes, 2);
	/* Still standing in the next window: not news. */
	tap_lock_log_next(&log_, 9000);
	cycle = cycle_of(10, 11, 6);
	ck_assert_int_eq(tap_lock_log_cycle(&log_, &cycle), -EEXIST);
	ck_assert_uint_eq(log_.n_cycles, 0);
}
END_TEST

START_TEST(test_verdict)
{
	struct tap_lock_cycle cycle = cycle_of(10, 11, 5);

	begin(10, 16384, 5000);
	begin(11, 16385, 5000);
	begin(12, 16385, 5000);
	ck_assert_int_eq(tap_lock_log_cycle(&log_, &cycle), 0);
	end(12, 16385, 5000, 10, TAP_LOCK_FAILED);
	ck_assert_int_eq(log_.cycles[0].verdict_ns, 0);
	end(11, 16385, 5000, 1000, TAP_LOCK_FAILED);
	ck_assert_int_eq(log_.cycles[0].victim, 11);
	ck_assert_int_eq(log_.cycles[0].verdict_ns, 6000);
	end(10, 16384, 5000, 1001, TAP_LOCK_FAILED);
	ck_assert_int_eq(log_.cycles[0].victim, 11);
}
END_TEST

START_TEST(test_bounds)
{
	size_t total = TAP_LOCK_PAST_MAX + TAP_LOCK_PAST_MAX / 4, longest = 0;

	for (size_t i = 0; i < total; i++) {
		begin(10, 16384 + (uint32_t)i, 5000 + (int64_t)i);
		end(10, 16384 + (uint32_t)i, 5000 + (int64_t)i, 1, TAP_LOCK_GRANTED);
	}
	ck_assert_uint_eq(log_.n_past, TAP_LOCK_PAST_MAX);
	ck_assert_uint_eq(log_.n_past + log_.past_dropped, total);
	/* A long one finds a place, and keeps it. */
	begin(11, 7, 5000);
	end(11, 7, 5000, 1000000, TAP_LOCK_GRANTED);
	for (size_t i = 0; i < total; i++) {
		begin(10, 16384, 5000 + (int64_t)i);
		end(10, 16384, 5000 + (int64_t)i, 2, TAP_LOCK_GRANTED);
	}
	for (size_t i = 0; i < TAP_LOCK_PAST_MAX; i++)
		longest += log_.past[i].waited_ns == 1000000;
	ck_assert_uint_eq(longest, 1);
	ck_assert_uint_eq(log_.n_losses, TAP_LOCK_LOSSES_MAX);
	ck_assert_uint_eq(log_.losses_dropped, total - TAP_LOCK_LOSSES_MAX + 1);
	ck_assert_int_eq(log_.losses_dropped_ns, (int64_t)(total - TAP_LOCK_LOSSES_MAX) + 1000000);
	ck_assert_uint_eq(log_.by_lock.dropped, total - TAP_LOCK_STATS_MAX + 1);
	ck_assert_uint_eq(log_.by_query.count, 1);
	ck_assert_uint_eq(log_.by_query.items[0].waits, 2 * total + 1);
	ck_assert_uint_eq(log_.n_changes, 4 * total + 2);
}
END_TEST

START_TEST(test_lasting)
{
	begin(10, 16384, 5000);
	begin(11, 16384, 7000);
	ck_assert(tap_lock_log_has_lasting(&log_, 0, 5000));
	ck_assert(!tap_lock_log_has_lasting(&log_, 0, 4999));
	ck_assert(!tap_lock_log_has_lasting(&log_, 1, 6999));
	ck_assert(tap_lock_log_has_lasting(&log_, 1, 7000));
	ck_assert(!tap_lock_log_has_lasting(&log_, 2, INT64_MAX));
	end(11, 16384, 7000, 100, TAP_LOCK_GRANTED);
	ck_assert(!tap_lock_log_has_lasting(&log_, 1, 7000));
}
END_TEST

/* Waits that were added up: in every sum, with nobody's name for who stood in the way, and none of them by itself. */
START_TEST(test_sums)
{
	uint32_t buckets[TAP_LOCK_WAIT_BUCKETS] = { 0 };
	struct tap_lock_stat_sum sum = { .waits = 40, .failed = 2, .ns = 9000, .max_ns = 700, .buckets = buckets };
	struct tap_lock_wait wait = wait_for(10, 16384, 5000);

	begin(10, 16384, 5000);
	end(10, 16384, 5000, 100, TAP_LOCK_GRANTED);
	wait.row.parity = 1;
	tap_lock_log_add_sum(&log_, &wait.row, &wait.object, wait.mode, &sum);
	ck_assert_uint_eq(log_.n_past, 1);
	ck_assert_uint_eq(log_.past_dropped, 40);
	ck_assert_uint_eq(log_.n_losses, 1);
	ck_assert_uint_eq(log_.losses[0].waits, 41);
	ck_assert_int_eq(log_.losses[0].ns, 9100);
	ck_assert_int_eq(log_.losses[0].max_ns, 700);
	ck_assert_uint_eq(log_.by_query.count, 1);
	ck_assert_uint_eq(log_.by_query.items[0].waits, 41);
	ck_assert_uint_eq(log_.by_query.items[0].failed, 2);
	ck_assert_uint_eq(log_.by_lock.count, 1);
	ck_assert_int_eq(log_.by_lock.items[0].ns, 9100);
	ck_assert_uint_eq(log_.ended, 41);
	tap_lock_log_changes_taken(&log_);
	sum.waits = 0;
	tap_lock_log_add_sum(&log_, &wait.row, &wait.object, wait.mode, &sum);
	ck_assert_uint_eq(log_.n_changes, 0);
}
END_TEST

START_TEST(test_hostile_times)
{
	struct tap_lock_wait wait = wait_for(10, 16384, INT64_MAX);

	ck_assert_int_eq(tap_lock_log_begin(&log_, &wait), 0);
	wait.end_ns = INT64_MIN;
	wait.outcome = TAP_LOCK_GRANTED;
	ck_assert_int_eq(tap_lock_log_end(&log_, &wait), 0);
	ck_assert_int_eq(log_.past[0].waited_ns, 0);
	for (int i = 0; i < 3; i++)
		end(10, 16384, 5000, INT64_MAX / 2, TAP_LOCK_GRANTED);
	wait = wait_for(10, 16384, INT64_MIN);
	ck_assert_int_eq(tap_lock_log_begin(&log_, &wait), 0);
	wait.end_ns = INT64_MAX;
	ck_assert_int_eq(tap_lock_log_end(&log_, &wait), 0);
}
END_TEST

START_TEST(test_tag)
{
	struct tap_lock_tag tag = { .field1 = 5, .field2 = 16384, .field3 = 7, .field4 = 3, .type = TAP_LOCK_TUPLE };
	struct tap_lock_object object;

	tap_lock_object_of(2, &tag, &object);
	ck_assert_uint_eq(object.database, 5);
	ck_assert_uint_eq(object.relation, 16384);
	ck_assert_uint_eq(object.id1, 0);
	tag.type = TAP_LOCK_ADVISORY;
	tap_lock_object_of(2, &tag, &object);
	ck_assert_uint_eq(object.relation, 0);
	ck_assert_uint_eq(object.id1, 16384);
	tag.type = TAP_LOCK_TRANSACTION;
	tap_lock_object_of(2, &tag, &object);
	ck_assert_uint_eq(object.database, 0);
	tag.type = 200;
	tap_lock_object_of(2, &tag, &object);
	ck_assert_uint_eq(object.relation, 0);
}
END_TEST

START_TEST(test_out_of_memory)
{
	bool failed = true;

	for (long n = 1; failed; n++) {
		struct tap_lock_wait wait = wait_for(10, 16384, 5000);
		struct tap_lock_cycle cycle = cycle_of(10, 11, 5);
		int statuses[3];

		tear_down();
		set_up();
		tap_alloc_fail_at(n);
		statuses[0] = tap_lock_log_begin(&log_, &wait);
		wait.end_ns = 6000;
		statuses[1] = tap_lock_log_end(&log_, &wait);
		statuses[2] = tap_lock_log_cycle(&log_, &cycle);
		failed = tap_alloc_failed();
		tap_alloc_fail_at(0);
		for (int i = 0; i < 3; i++)
			ck_assert(statuses[i] == 0 || (failed && statuses[i] == -ENOMEM));
	}
	ck_assert_uint_eq(log_.n_past, 1);
	ck_assert_uint_eq(log_.n_cycles, 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lock_event");
	TCase *tcase = tcase_create("lock_event");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_begin_end);
	tcase_add_test(tcase, test_same_wait_twice);
	tcase_add_test(tcase, test_another_wait_of_the_same_process);
	tcase_add_test(tcase, test_end_without_begin);
	tcase_add_test(tcase, test_losses);
	tcase_add_test(tcase, test_cycles_are_told_once);
	tcase_add_test(tcase, test_verdict);
	tcase_add_test(tcase, test_bounds);
	tcase_add_test(tcase, test_lasting);
	tcase_add_test(tcase, test_sums);
	tcase_add_test(tcase, test_hostile_times);
	tcase_add_test(tcase, test_tag);
	tcase_add_test(tcase, test_out_of_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
