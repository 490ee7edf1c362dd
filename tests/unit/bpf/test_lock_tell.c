// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_lock_tell.c - bpf/lock_tell.bpf.h on the host: where waits are too many to be told of one by one, each is told
 * of as it begins, told of later, told of at its end, or part of a sum; never two of these, and never none.
 */
#include "tests/unit/bpf/fake/lock_waits.h"

#include "tests/lib/check_main.h"

enum {
	TURNS = 20000,
};

static const __u64 NEVER_NS = 1ull << 60;

/* From here on nobody is told of a wait that begins, or of a long one that ends. */
static void tell_nothing(void)
{
	lock_tell_due_ns = lock_long_due_ns = NEVER_NS;
}

/* The iterator comes by. */
static __u32 tell_late(__u64 age_ns, __u32 most)
{
	struct bpf_iter__task context = { NULL, &backend.task };

	/* The clocks are the same here, as in a snapshot. */
	clock_pair.sched_ns = clock_pair.monotonic_ns = 0;
	lock_late_age_ns = age_ns;
	lock_late_left = most;
	tell_locks(&context);
	return most - lock_late_left;
}

static const struct tap_lock_sum *sum_at(__u32 at)
{
	return bpf_map_lookup_elem(&lock_sums, &at);
}

static const struct tap_lock_sum_key *sum_key(__u32 at)
{
	return &sum_at(at)->key;
}

/* A whole wait, granted, that nothing comes in between of. */
static void wait_once(size_t lock, __s64 start, __u64 ns)
{
	wait_begins(lock, start);
	pg_sleep_for(&backend, LOCK_EVENT, ns, 0);
	wait_ends(TAP_LOCK_STATUS_OK);
	pg_cpu(&backend, 10);
	pg_sleep_for(&backend, IO_EVENT, 10, 0);
	pg_cpu(&backend, 10);
}

START_TEST(test_sum_of_those_nobody_was_told_of)
{
	const struct tap_lock_sum *sum;

	tell_nothing();
	wait_once(PG_LOCK, 1, 5000);
	wait_once(PG_LOCK, 2, 7000);
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_uint_eq(lock_sums_used, 1);
	sum = sum_at(0);
	ck_assert_uint_eq(sum_key(0)->row.query_id, 77);
	ck_assert_uint_eq(sum_key(0)->row.kind, TAP_KIND_CLIENT);
	ck_assert_uint_eq(sum_key(0)->mode, 5);
	ck_assert_uint_eq(sum->waits, 2);
	ck_assert_uint_eq(sum->failed, 0);
	ck_assert_uint_eq(sum->ns, 12000);
	ck_assert_uint_eq(sum->longest[0], 7000);
	ck_assert_uint_eq(sum->buckets[tap_lock_sum_bucket(5000)], 1);
	ck_assert_uint_eq(sum->buckets[tap_lock_sum_bucket(7000)], 1);
	ck_assert_uint_ne(lock_untold_ns[0], 0);
	/* The next round's longest one is its own. */
	lock_round = 1;
	wait_once(PG_LOCK, 3, 6000);
	ck_assert_uint_eq(sum->longest[0], 7000);
	ck_assert_uint_eq(sum->longest[1], 1ull << TAP_LOCK_LONGEST_BITS | 6000);
	lock_round = 2;
	wait_once(PG_LOCK, 4, 3000);
	ck_assert_uint_eq(sum->longest[0], 2ull << TAP_LOCK_LONGEST_BITS | 3000);
	assert_conserved();
}
END_TEST

/* Rows of a relation are one thing to wait for, transactions another; what tells two rows apart is not kept. */
START_TEST(test_what_a_sum_is_of)
{
	__u32 *tag = tag_of(PG_LOCK);

	tell_nothing();
	wait_once(PG_LOCK, 1, 5000);
	tag[2] = 99;
	tag[3] = 7 | 4u << 16 | 1u << 24;
	wait_once(PG_LOCK, 2, 5000);
	ck_assert_uint_eq(lock_sums_used, 1);
	ck_assert_uint_eq(sum_key(0)->tag[1], 16384);
	ck_assert_uint_eq(sum_key(0)->tag[2], 0);
	ck_assert_uint_eq(sum_key(0)->tag[3], 4u << 16 | 1u << 24);
	wait_once(PG_OTHER_LOCK, 3, 5000);
	ck_assert_uint_eq(lock_sums_used, 2);
	tag[3] = 5u << 16 | 1u << 24;
	wait_once(PG_LOCK, 4, 5000);
	tag[0] = 743;
	tag[1] = 1;
	wait_once(PG_LOCK, 5, 5000);
	ck_assert_uint_eq(lock_sums_used, 3);
	ck_assert_uint_eq(sum_at(2)->waits, 2);
	ck_assert_uint_eq(sum_key(2)->tag[0], 0);
}
END_TEST

START_TEST(test_failed)
{
	tell_nothing();
	wait_begins(PG_LOCK, 1);
	pg_sleep_for(&backend, LOCK_EVENT, 5000, 0);
	wait_ends(TAP_LOCK_STATUS_ERROR);
	pg_cpu(&backend, 10);
	pg_sleep(&backend, IO_EVENT);
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_uint_eq(sum_at(0)->waits, 1);
	ck_assert_uint_eq(sum_at(0)->failed, 1);
}
END_TEST

/* Told of while it lasts: then the end is told of, and no sum has it. */
START_TEST(test_told_late)
{
	tell_nothing();
	wait_begins(PG_LOCK, 1);
	pg_sleep(&backend, LOCK_EVENT);
	ck_assert_uint_eq(tell_late(5000, 8), 0);
	clock_advance(5000);
	ck_assert_uint_eq(tell_late(5001, 8), 0);
	ck_assert_uint_eq(tell_late(5000, 0), 0);
	ck_assert_uint_eq(n_seen, 0);
	kernel.ring.full = true;
	ck_assert_uint_eq(tell_late(5000, 8), 0);
	kernel.ring.full = false;
	ck_assert_uint_eq(tell_late(5000, 8), 1);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(events_seen[0].kind, TAP_LOCK_EVENT_BEGIN);
	ck_assert_uint_eq(events_seen[0].row.query_id, 77);
	ck_assert_uint_eq(events_seen[0].begin_ns, kernel.clock_ns - 5000);
	ck_assert_uint_eq(events_seen[0].tag[1], 16384);
	ck_assert_int_eq(events_seen[0].pid, 200);
	ck_assert_uint_eq(tell_late(0, 8), 0);
	clock_advance(1000);
	wait_ends(TAP_LOCK_STATUS_OK);
	pg_wake(&backend);
	pg_arrive(&backend);
	pg_cpu(&backend, 10);
	pg_sleep(&backend, IO_EVENT);
	ck_assert_uint_eq(n_seen, 2);
	ck_assert_uint_eq(events_seen[1].kind, TAP_LOCK_EVENT_END);
	ck_assert_uint_eq(events_seen[1].end_ns - events_seen[1].begin_ns, 6000);
	ck_assert_uint_eq(lock_sums_used, 0);
	ck_assert_uint_eq(tell_late(0, 8), 0);
}
END_TEST

static void the_wait_ends(void)
{
	kernel.on_reserve = NULL;
	wait_ends(TAP_LOCK_STATUS_OK);
	pg_wake(&backend);
	pg_arrive(&backend);
	pg_cpu(&backend, 10);
	pg_sleep(&backend, IO_EVENT);
}

static void the_next_wait_is_on(void)
{
	the_wait_ends();
	pg_wake(&backend);
	pg_arrive(&backend);
	pg_cpu(&backend, 10);
	wait_begins(PG_OTHER_LOCK, 2);
	pg_sleep(&backend, LOCK_EVENT);
}

/* The thread goes on while the iterator looks at it: the wait is summed, and what was about to be told is not. */
START_TEST(test_ends_while_it_is_looked_at)
{
	tell_nothing();
	wait_begins(PG_LOCK, 1);
	pg_sleep(&backend, LOCK_EVENT);
	clock_advance(5000);
	kernel.on_reserve = the_wait_ends;
	ck_assert_uint_eq(tell_late(0, 8), 0);
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_uint_eq(sum_at(0)->waits, 1);
	pg_wake(&backend);
	pg_arrive(&backend);
	pg_cpu(&backend, 10);
	wait_begins(PG_LOCK, 2);
	pg_sleep(&backend, LOCK_EVENT);
	clock_advance(5000);
	kernel.on_reserve = the_next_wait_is_on;
	ck_assert_uint_eq(tell_late(0, 8), 0);
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_uint_eq(sum_at(0)->waits, 2);
	/* The next one is told of when it is asked for again. */
	ck_assert_uint_eq(tell_late(0, 8), 1);
	ck_assert_uint_eq(events_seen[0].tag[1], 16385);
}
END_TEST

START_TEST(test_long_ones_are_told_of_at_their_end)
{
	tell_nothing();
	lock_long_due_ns = 0;
	wait_once(PG_LOCK, 1, TAP_LOCK_LONG_NS - 1);
	ck_assert_uint_eq(n_seen, 0);
	wait_once(PG_LOCK, 2, TAP_LOCK_LONG_NS);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(events_seen[0].kind, TAP_LOCK_EVENT_END);
	ck_assert_uint_eq(events_seen[0].end_ns - events_seen[0].begin_ns, TAP_LOCK_LONG_NS);
	ck_assert_uint_eq(sum_at(0)->waits, 1);
	tell_nothing();
	wait_once(PG_LOCK, 3, TAP_LOCK_LONG_NS);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(sum_at(0)->waits, 2);
}
END_TEST

/* Where there is no room for another sum the end is told of after all. */
START_TEST(test_no_room_for_a_sum)
{
	tell_nothing();
	for (__u32 i = 0; i < FAKE_LOCK_SUMS; i++) {
		tag_of(PG_LOCK)[1] = 20000 + i;
		wait_once(PG_LOCK, 1 + (__s64)i, 1000);
	}
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_uint_eq(lock_sums_used, FAKE_LOCK_SUMS);
	/* Those that have one keep it. */
	tag_of(PG_LOCK)[1] = 20000;
	wait_once(PG_LOCK, 50, 1000);
	ck_assert_uint_eq(sum_at(0)->waits, 2);
	ck_assert_uint_eq(n_seen, 0);
	wait_once(PG_OTHER_LOCK, 100, 1000);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(events_seen[0].kind, TAP_LOCK_EVENT_END);
	ck_assert_uint_eq(events_seen[0].tag[1], 16385);
}
END_TEST

/* What is saved up in quiet times is told at once, then one in so much time. */
START_TEST(test_credit)
{
	const __u64 now_ns = 5000000000;
	__u64 due_ns = 0;
	unsigned told = 0;

	while (lock_may_tell(&due_ns, now_ns, 1000, 10000))
		told++;
	ck_assert_uint_eq(told, 11);
	ck_assert(!lock_may_tell(&due_ns, now_ns + 999, 1000, 10000));
	ck_assert(lock_may_tell(&due_ns, now_ns + 1000, 1000, 10000));
	ck_assert(!lock_may_tell(&due_ns, now_ns + 1001, 1000, 10000));
	/* Another CPU's clock may be a little behind. */
	ck_assert(!lock_may_tell(&due_ns, now_ns - 1000, 1000, 10000));
}
END_TEST

static unsigned begun, told, ended;

static void count(const void *event, __u64 size, __u64 flags)
{
	const struct tap_lock_event *record = event;

	(void)flags;
	if (size != sizeof(*record))
		return;
	/* The end of a wait that was told of comes before anything of the next one. */
	told += record->kind == TAP_LOCK_EVENT_BEGIN;
	ended += record->kind == TAP_LOCK_EVENT_END;
	ck_assert_uint_le(told, begun);
	ck_assert_uint_le(ended, begun);
}

static __u64 random_state = 88172645463325252ull;

static __u32 random_below(__u32 limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (__u32)(random_state >> 33) % limit;
}

static __u64 summed(void)
{
	__u64 waits = 0;

	for (__u32 i = 0; i < lock_sums_used; i++)
		waits += sum_at(i)->waits;
	return waits;
}

/* Whatever comes when: each wait ends once, in a record or in a sum, and buckets and numbers agree. */
START_TEST(test_each_wait_once)
{
	__u64 in_buckets = 0;
	bool waits = false;

	kernel.on_submit = count;
	begun = told = ended = 0;
	for (__u32 turn = 0; turn < TURNS; turn++) {
		lock_tell_due_ns = random_below(3) ? NEVER_NS : 0;
		lock_long_due_ns = random_below(3) ? NEVER_NS : 0;
		lock_round += !random_below(50);
		if (!waits) {
			wait_begins(random_below(2) ? PG_LOCK : PG_OTHER_LOCK, turn + 1);
			begun++;
			pg_sleep(&backend, LOCK_EVENT);
			waits = true;
		}
		clock_advance(random_below(2) ? random_below(5000) : TAP_LOCK_LONG_NS);
		if (!random_below(3))
			tell_late(random_below(2) ? 0 : TAP_LOCK_LONG_NS, 1);
		pg_wake(&backend);
		waits = !random_below(4);
		if (!waits)
			wait_ends(random_below(8) ? TAP_LOCK_STATUS_OK : TAP_LOCK_STATUS_ERROR);
		pg_arrive(&backend);
		pg_cpu(&backend, 10);
		if (waits) {
			pg_sleep(&backend, LOCK_EVENT);
		} else {
			pg_sleep_for(&backend, IO_EVENT, 10, 0);
			pg_cpu(&backend, 10);
			ck_assert_uint_eq(ended + summed(), begun);
		}
	}
	for (__u32 i = 0; i < lock_sums_used; i++) {
		for (size_t j = 0; j < TAP_LOCK_WAIT_BUCKETS; j++)
			in_buckets += sum_at(i)->buckets[j];
	}
	ck_assert_uint_eq(in_buckets, summed());
	ck_assert_uint_gt(told, 0);
	ck_assert_uint_gt(ended, told);
	ck_assert_uint_gt(summed(), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/lock_tell");
	TCase *tcase = tcase_create("lock_tell");

	tcase_add_checked_fixture(tcase, lock_set_up, lock_tear_down);
	tcase_add_test(tcase, test_sum_of_those_nobody_was_told_of);
	tcase_add_test(tcase, test_what_a_sum_is_of);
	tcase_add_test(tcase, test_failed);
	tcase_add_test(tcase, test_told_late);
	tcase_add_test(tcase, test_ends_while_it_is_looked_at);
	tcase_add_test(tcase, test_long_ones_are_told_of_at_their_end);
	tcase_add_test(tcase, test_no_room_for_a_sum);
	tcase_add_test(tcase, test_credit);
	tcase_add_test(tcase, test_each_wait_once);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
