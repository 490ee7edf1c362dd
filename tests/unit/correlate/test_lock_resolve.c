// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_lock_resolve.c - which cycles another order of the queues undoes: known pictures, and random tables against a
 * reference that tries all orders of each queue.
 */
#include "correlate/lock.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

enum {
	PIDS = 6,
	LOCKS = 3,
	ROUNDS = 600,
};

static struct tap_lock_table table;

static void set_up(void)
{
	tap_lock_table_init(&table);
}

static void tear_down(void)
{
	tap_lock_table_done(&table);
}

static struct tap_lock_entry *add(uint32_t lock, int32_t pid, uint16_t held, uint8_t wanted, uint32_t queue)
{
	struct tap_lock_entry entry = { .tag = { .field1 = 5, .field2 = lock, .method = 1 },
					.pid = pid,
					.leader_pid = pid,
					.held = held,
					.wanted = wanted,
					.queue = queue };

	ck_assert_int_eq(tap_lock_table_add(&table, &entry), 0);
	return &table.entries[table.count - 1];
}

static enum tap_lock_cycle_kind kind_of(int32_t pid)
{
	enum tap_lock_cycle_kind kind = TAP_LOCK_CYCLE_HARD;

	ck_assert_int_eq(tap_lock_cycle_resolve(&table, pid, &kind), 0);
	return kind;
}

#define HELD(mode) (1u << TAP_LOCK_MODE_##mode)

/* 1 reads the table, 2 wants it alone, 3 wants to read it, and 1 wants what 3 has. */
static void reader_behind_ddl(void)
{
	add(1, 1, HELD(ACCESS_SHARE), 0, 0);
	add(1, 2, 0, TAP_LOCK_MODE_ACCESS_EXCLUSIVE, 1);
	add(1, 3, 0, TAP_LOCK_MODE_ACCESS_SHARE, 2);
	add(2, 3, HELD(EXCLUSIVE), 0, 0);
	add(2, 1, 0, TAP_LOCK_MODE_EXCLUSIVE, 1);
}

START_TEST(test_a_reader_may_pass)
{
	reader_behind_ddl();
	for (int32_t pid = 1; pid <= 3; pid++)
		ck_assert_int_eq(kind_of(pid), TAP_LOCK_CYCLE_SOFT);
}
END_TEST

/* The same, but the one who is to pass wants what the holder of the table excludes as well. */
START_TEST(test_a_writer_may_not)
{
	reader_behind_ddl();
	table.entries[2].wanted = TAP_LOCK_MODE_ACCESS_EXCLUSIVE;
	ck_assert_int_eq(kind_of(1), TAP_LOCK_CYCLE_STUCK);
	ck_assert_int_eq(kind_of(3), TAP_LOCK_CYCLE_STUCK);
}
END_TEST

/* Passing would help 3, but the one to be passed is in a deadlock of holders as well. */
START_TEST(test_a_deadlock_beside)
{
	reader_behind_ddl();
	add(1, 4, HELD(ACCESS_SHARE), 0, 0);
	add(3, 2, HELD(EXCLUSIVE), 0, 0);
	add(3, 4, 0, TAP_LOCK_MODE_EXCLUSIVE, 1);
	ck_assert_int_eq(kind_of(2), TAP_LOCK_CYCLE_STUCK);
	ck_assert_int_eq(kind_of(4), TAP_LOCK_CYCLE_STUCK);
}
END_TEST

/* A long queue: the one at its end has to pass all of those before it. */
START_TEST(test_passing_many)
{
	add(1, 1, HELD(ACCESS_SHARE), 0, 0);
	for (int32_t i = 0; i < 5; i++)
		add(1, 10 + i, 0, TAP_LOCK_MODE_ACCESS_EXCLUSIVE, (uint32_t)i + 1);
	add(1, 3, 0, TAP_LOCK_MODE_ACCESS_SHARE, 6);
	add(2, 3, HELD(EXCLUSIVE), 0, 0);
	add(2, 1, 0, TAP_LOCK_MODE_EXCLUSIVE, 1);
	ck_assert_int_eq(kind_of(1), TAP_LOCK_CYCLE_SOFT);
	ck_assert_int_eq(kind_of(3), TAP_LOCK_CYCLE_SOFT);
}
END_TEST

/* A parallel worker's queue place counts for its group. */
START_TEST(test_group)
{
	reader_behind_ddl();
	table.entries[2].pid = 30;
	table.entries[2].leader_pid = 3;
	ck_assert_int_eq(kind_of(3), TAP_LOCK_CYCLE_SOFT);
}
END_TEST

/* --- random tables ---------------------------------------------------------------------------- */

static unsigned int seed;

static unsigned int pick(unsigned int below)
{
	return (unsigned int)rand_r(&seed) % below;
}

static void random_table(void)
{
	uint32_t places[LOCKS] = { 0 };

	tap_lock_table_done(&table);
	for (int32_t pid = 1; pid <= PIDS; pid++) {
		uint32_t wants = pick(LOCKS), holds = pick(LOCKS);

		add(wants, pid, 0, (uint8_t)(pick(2) ? TAP_LOCK_MODE_ACCESS_SHARE : 1 + pick(8)), ++places[wants]);
		if (holds == wants)
			table.entries[table.count - 1].held = (uint16_t)(pick(3) ? 0 : 1u << (1 + pick(3)));
		else
			add(holds, pid, (uint16_t)(1u << (1 + pick(8))), 0, 0);
	}
}

static bool blocked(const uint32_t place[2 * PIDS], size_t i, size_t j)
{
	const struct tap_lock_entry *waiter = &table.entries[i], *other = &table.entries[j];

	if (!waiter->wanted || waiter->pid == other->pid || waiter->tag.field2 != other->tag.field2)
		return false;
	if (tap_lock_mode_conflicts(waiter->tag.type, waiter->wanted) & other->held)
		return true;
	return tap_lock_modes_conflict(waiter->tag.type, waiter->wanted, other->wanted) && place[j] < place[i];
}

static bool has_cycle(const uint32_t place[2 * PIDS], int32_t pid)
{
	bool reach[PIDS + 1][PIDS + 1] = { { false } };

	for (size_t i = 0; i < table.count; i++)
		for (size_t j = 0; j < table.count; j++)
			reach[table.entries[i].pid][table.entries[j].pid] |= blocked(place, i, j);
	for (int k = 1; k <= PIDS; k++)
		for (int i = 1; i <= PIDS; i++)
			for (int j = 1; j <= PIDS; j++)
				reach[i][j] |= reach[i][k] && reach[k][j];
	return reach[pid][pid];
}

/* Any order of the waiting entries at all without a cycle through the process. */
static bool can_be_undone(uint32_t place[2 * PIDS], size_t at, uint32_t used, int32_t pid)
{
	while (at < table.count && !table.entries[at].wanted)
		at++;
	if (at == table.count)
		return !has_cycle(place, pid);
	for (uint32_t i = 0; i < PIDS; i++) {
		if (used >> i & 1)
			continue;
		place[at] = i + 1;
		if (can_be_undone(place, at + 1, used | 1u << i, pid))
			return true;
	}
	return false;
}

/* The server undoes nothing that no order would; it does not look at more than it must, so that it may give up before.
 */
START_TEST(test_random)
{
	size_t soft = 0, stuck = 0;

	seed = (unsigned int)_i + 1;
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t place[2 * PIDS] = { 0 };

		random_table();
		for (size_t i = 0; i < table.count; i++)
			place[i] = table.entries[i].queue;
		for (int32_t pid = 1; pid <= PIDS; pid++) {
			bool cycle = has_cycle(place, pid);
			enum tap_lock_cycle_kind kind = kind_of(pid);
			uint32_t other[2 * PIDS] = { 0 };

			if (!cycle) {
				ck_assert_int_eq(kind, TAP_LOCK_CYCLE_SOFT);
				continue;
			}
			if (kind == TAP_LOCK_CYCLE_SOFT)
				ck_assert_msg(can_be_undone(other, 0, 0, pid), "no order undoes the cycle of %d", pid);
			soft += kind == TAP_LOCK_CYCLE_SOFT;
			stuck += kind == TAP_LOCK_CYCLE_STUCK;
		}
	}
	ck_assert_uint_gt(soft, ROUNDS / 20);
	ck_assert_uint_gt(stuck, ROUNDS / 20);
}
END_TEST

/* What no server would have: places that are missing or the same, waits for several locks at once. */
START_TEST(test_hostile)
{
	seed = 77;
	for (int round = 0; round < ROUNDS; round++) {
		tap_lock_table_done(&table);
		for (int i = 0; i < 40; i++) {
			struct tap_lock_entry *entry = add(pick(5), (int32_t)pick(9) - 1, (uint16_t)rand_r(&seed),
							   (uint8_t)pick(12), pick(4) ? pick(50) : UINT32_MAX);

			entry->leader_pid = (int32_t)pick(12) - 1;
			entry->fast_path = !pick(10);
		}
		kind_of((int32_t)pick(9));
	}
	tap_lock_table_done(&table);
	ck_assert_int_eq(kind_of(1), TAP_LOCK_CYCLE_SOFT);
}
END_TEST

START_TEST(test_without_memory)
{
	enum tap_lock_cycle_kind kind;

	reader_behind_ddl();
	for (long fail_at = 1; fail_at <= 6; fail_at++) {
		int status;

		tap_alloc_fail_at(fail_at);
		status = tap_lock_cycle_resolve(&table, 1, &kind);
		tap_alloc_fail_at(0);
		ck_assert_int_lt(status, 0);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lock_resolve");
	TCase *tcase = tcase_create("cycles");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_a_reader_may_pass);
	tcase_add_test(tcase, test_a_writer_may_not);
	tcase_add_test(tcase, test_a_deadlock_beside);
	tcase_add_test(tcase, test_passing_many);
	tcase_add_test(tcase, test_group);
	tcase_add_loop_test(tcase, test_random, 0, 4);
	tcase_add_test(tcase, test_hostile);
	tcase_add_test(tcase, test_without_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
