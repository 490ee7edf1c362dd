// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_lock_wait.c - bpf/lock.bpf.h on the host: what is sent of a wait for a heavyweight lock, however many sleeps it
 * takes, and that nothing else costs a read.
 */
#include "tests/unit/bpf/fake/lock_waits.h"

#include "tests/lib/check_main.h"

START_TEST(test_one_wait)
{
	const struct tap_lock_event *begin = &events_seen[0], *end = &events_seen[1];
	__u64 asleep_ns;

	wait_begins(PG_LOCK, 1234);
	asleep_ns = kernel.clock_ns;
	pg_sleep(&backend, LOCK_EVENT);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(begin->kind, TAP_LOCK_EVENT_BEGIN);
	ck_assert_uint_eq(begin->mode, 5);
	ck_assert_uint_eq(begin->status, TAP_LOCK_STATUS_WAITING);
	ck_assert(!begin->adopted);
	ck_assert_int_eq(begin->pid, 200);
	ck_assert_int_eq(begin->tid, 200);
	ck_assert_int_eq(begin->ns_pid, 200);
	ck_assert_uint_eq(begin->row.query_id, 77);
	ck_assert_uint_eq(begin->row.kind, TAP_KIND_CLIENT);
	ck_assert_uint_eq(begin->row.database, DATABASE);
	ck_assert_uint_eq(begin->lock, FAKE_MEMORY_START + PG_LOCK);
	ck_assert_int_eq(begin->wait_start, 1234);
	ck_assert_uint_eq(begin->begin_ns, asleep_ns);
	ck_assert_uint_eq(begin->tag[0], 5);
	ck_assert_uint_eq(begin->tag[1], 16384);
	ck_assert_uint_eq(begin->tag[3], 1 | 4u << 16 | 1u << 24);
	ck_assert_uint_eq(flags_seen[0], BPF_RB_FORCE_WAKEUP);
	wait_ends(TAP_LOCK_STATUS_OK);
	/* Ready after 5000 ns, on a CPU 300 later: what it waited for the CPU is no wait for the lock. */
	woken_after(5000, 300);
	pg_cpu(&backend, 10);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	ck_assert_uint_eq(n_seen, 2);
	ck_assert_uint_eq(end->kind, TAP_LOCK_EVENT_END);
	ck_assert_uint_eq(end->status, TAP_LOCK_STATUS_OK);
	ck_assert_uint_eq(end->begin_ns, asleep_ns);
	ck_assert_uint_eq(end->end_ns, asleep_ns + 5000);
	ck_assert_uint_eq(end->row.query_id, 77);
	ck_assert_uint_eq(end->tag[1], 16384);
	ck_assert_int_eq(end->wait_start, 1234);
	ck_assert_uint_eq(flags_seen[1], BPF_RB_NO_WAKEUP);
	woken_after(100, 0);
	pg_cpu(&backend, 1);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	ck_assert_uint_eq(n_seen, 2);
	assert_conserved();
}
END_TEST

/* The server wakes up to look for a deadlock, waits for locks of its own meanwhile, is preempted, and sleeps on. */
START_TEST(test_many_sleeps_are_one_wait)
{
	__u64 asleep_ns;

	wait_begins(PG_LOCK, 1234);
	asleep_ns = kernel.clock_ns;
	pg_sleep_for(&backend, LOCK_EVENT, 1000, 0);
	pg_cpu(&backend, 10);
	pg_sleep_for(&backend, LWLOCK_EVENT, 50, 0);
	pg_cpu(&backend, 10);
	pg_tick(&backend);
	pg_preempt(&backend, 5);
	pg_arrive(&backend);
	pg_cpu(&backend, 10);
	pg_sleep(&backend, LOCK_EVENT);
	ck_assert_uint_eq(n_seen, 1);
	clock_advance(400);
	wait_ends(TAP_LOCK_STATUS_ERROR);
	pg_wake(&backend);
	pg_arrive(&backend);
	pg_cpu(&backend, 10);
	pg_tick(&backend);
	ck_assert_uint_eq(n_seen, 2);
	ck_assert_uint_eq(events_seen[1].status, TAP_LOCK_STATUS_ERROR);
	ck_assert_uint_eq(events_seen[1].begin_ns, asleep_ns);
	ck_assert_uint_eq(events_seen[1].end_ns, asleep_ns + 1000 + 10 + 50 + 10 + 5 + 10 + 400);
}
END_TEST

/* No boundary between the end of one and the beginning of the next: another lock, or the same one later. */
START_TEST(test_two_waits_without_a_boundary_between)
{
	wait_begins(PG_LOCK, 1234);
	pg_sleep_for(&backend, LOCK_EVENT, 1000, 0);
	pg_cpu(&backend, 10);
	wait_begins(PG_OTHER_LOCK, 1234);
	pg_sleep_for(&backend, LOCK_EVENT, 2000, 0);
	ck_assert_uint_eq(n_seen, 3);
	ck_assert_uint_eq(events_seen[1].kind, TAP_LOCK_EVENT_END);
	ck_assert_uint_eq(events_seen[1].tag[1], 16384);
	ck_assert_uint_eq(events_seen[1].end_ns - events_seen[1].begin_ns, 1000);
	ck_assert_uint_eq(events_seen[2].kind, TAP_LOCK_EVENT_BEGIN);
	ck_assert_uint_eq(events_seen[2].tag[1], 16385);
	pg_cpu(&backend, 10);
	wait_begins(PG_OTHER_LOCK, 5678);
	pg_sleep(&backend, LOCK_EVENT);
	ck_assert_uint_eq(n_seen, 5);
	ck_assert_uint_eq(events_seen[3].kind, TAP_LOCK_EVENT_END);
	ck_assert_int_eq(events_seen[3].wait_start, 1234);
	ck_assert_uint_eq(events_seen[4].kind, TAP_LOCK_EVENT_BEGIN);
	ck_assert_int_eq(events_seen[4].wait_start, 5678);
	/* All within 5 ms: the reader was woken once. */
	ck_assert_uint_eq(flags_seen[2], BPF_RB_NO_WAKEUP);
	ck_assert_uint_eq(flags_seen[4], BPF_RB_NO_WAKEUP);
}
END_TEST

START_TEST(test_reader_is_woken_again_later)
{
	wait_begins(PG_LOCK, 1);
	pg_sleep_for(&backend, LOCK_EVENT, TAP_LOCK_WAKE_EVERY_NS, 0);
	pg_cpu(&backend, 10);
	wait_begins(PG_LOCK, 2);
	pg_sleep(&backend, LOCK_EVENT);
	ck_assert_uint_eq(n_seen, 3);
	ck_assert_uint_eq(flags_seen[2], BPF_RB_FORCE_WAKEUP);
}
END_TEST

/* An id that is known only after the wait: relations are locked before the server has computed it. */
START_TEST(test_end_has_the_later_id)
{
	pg_status_of(&backend)->query_id = 0;
	wait_begins(PG_LOCK, 1);
	pg_sleep_for(&backend, LOCK_EVENT, 1000, 0);
	ck_assert_uint_eq(events_seen[0].row.source, TAP_QUERY_ID_OWN);
	wait_ends(TAP_LOCK_STATUS_OK);
	pg_report_query_id(&backend, 99);
	pg_cpu(&backend, 10);
	pg_sleep(&backend, IO_EVENT);
	ck_assert_uint_eq(n_seen, 2);
	ck_assert_uint_eq(events_seen[1].row.source, TAP_QUERY_ID_ENGINE);
	ck_assert_uint_eq(events_seen[1].row.query_id, 99);
}
END_TEST

/* A wait event of class Lock without a lock in MyProc (recovery conflicts), or with a granted one, is no wait. */
START_TEST(test_no_lock_no_event)
{
	proc()->lock = 0;
	pg_sleep_for(&backend, LOCK_EVENT, 1000, 0);
	pg_cpu(&backend, 10);
	pg_sleep(&backend, IO_EVENT);
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_uint_eq(pg_account(&backend)->lock_state, TAP_LOCK_STATE_NONE);
}
END_TEST

/* Sleeps for anything else read nothing more than they did before, whatever MyProc says. */
START_TEST(test_other_sleeps_read_nothing)
{
	unsigned before, plain;

	lock_events_on = false;
	/* The first one of a statement reads its text. */
	pg_sleep_for(&backend, IO_EVENT, 1000, 0);
	pg_cpu(&backend, 10);
	before = kernel.user_reads;
	pg_sleep_for(&backend, IO_EVENT, 1000, 0);
	pg_cpu(&backend, 10);
	plain = kernel.user_reads - before;
	lock_events_on = true;
	wait_begins(PG_LOCK, 1);
	before = kernel.user_reads;
	pg_sleep_for(&backend, IO_EVENT, 1000, 0);
	pg_cpu(&backend, 10);
	ck_assert_uint_eq(kernel.user_reads - before, plain);
	ck_assert_uint_eq(n_seen, 0);
}
END_TEST

START_TEST(test_off)
{
	lock_events_on = false;
	wait_begins(PG_LOCK, 1);
	pg_sleep_for(&backend, LOCK_EVENT, 1000, 0);
	ck_assert_uint_eq(n_seen, 0);
}
END_TEST

START_TEST(test_full_ring)
{
	wait_begins(PG_LOCK, 1);
	kernel.ring.full = true;
	pg_sleep_for(&backend, LOCK_EVENT, 1000, 0);
	ck_assert_uint_eq(losses[TAP_LOSS_LOCK_WAITS_LOST], 1);
	kernel.ring.full = false;
	wait_ends(TAP_LOCK_STATUS_OK);
	pg_cpu(&backend, 10);
	pg_sleep(&backend, IO_EVENT);
	/* The end says all of it. */
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(events_seen[0].kind, TAP_LOCK_EVENT_END);
	ck_assert_uint_eq(events_seen[0].end_ns - events_seen[0].begin_ns, 1000);
	ck_assert_uint_eq(events_seen[0].tag[1], 16384);
}
END_TEST

START_TEST(test_killed_while_it_waits)
{
	wait_begins(PG_LOCK, 1);
	pg_sleep_for(&backend, LOCK_EVENT, 1000, 0);
	kernel.memory_is_gone = true;
	pg_exit(&backend);
	kernel.memory_is_gone = false;
	ck_assert_uint_eq(n_seen, 2);
	ck_assert_uint_eq(events_seen[1].kind, TAP_LOCK_EVENT_END);
	ck_assert_uint_eq(events_seen[1].status, TAP_LOCK_STATUS_UNKNOWN);
	ck_assert_uint_eq(events_seen[1].end_ns - events_seen[1].begin_ns, 1000);
}
END_TEST

/* Asleep for a lock when it was adopted: the wait is told with the engine's own start once it wakes to look around. */
START_TEST(test_adopted_asleep_and_still_waiting)
{
	pg_account(&backend)->lock_state = TAP_LOCK_STATE_ADOPTED;
	wait_begins(PG_LOCK, 1234);
	pg_sleep_for(&backend, LOCK_EVENT, 1000, 0);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert(events_seen[0].adopted);
	ck_assert_uint_eq(events_seen[0].begin_ns, 0);
	ck_assert_int_eq(events_seen[0].wait_start, 1234);
	wait_ends(TAP_LOCK_STATUS_OK);
	pg_cpu(&backend, 10);
	pg_sleep(&backend, IO_EVENT);
	ck_assert_uint_eq(n_seen, 2);
	ck_assert(events_seen[1].adopted);
	ck_assert_uint_eq(events_seen[1].begin_ns, 0);
	ck_assert_uint_eq(events_seen[1].lock, FAKE_MEMORY_START + PG_LOCK);
}
END_TEST

START_TEST(test_adopted_asleep_and_granted)
{
	pg_account(&backend)->lock_state = TAP_LOCK_STATE_ADOPTED;
	wait_ends(TAP_LOCK_STATUS_OK);
	pg_sleep(&backend, IO_EVENT);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(events_seen[0].kind, TAP_LOCK_EVENT_END);
	ck_assert(events_seen[0].adopted);
	ck_assert_uint_eq(events_seen[0].lock, 0);
	ck_assert_uint_eq(events_seen[0].status, TAP_LOCK_STATUS_OK);
}
END_TEST

/* Another process's PGPROC, none, or a layout without locks: nothing is believed. */
START_TEST(test_hostile_memory)
{
	__u32 zero = 0;
	struct tap_instance *instance = bpf_map_lookup_elem(&instances, &zero);

	wait_begins(PG_LOCK, 1);
	proc()->pid = 201;
	pg_sleep_for(&backend, LOCK_EVENT, 10, 0);
	proc()->pid = 200;
	pg_put_u64(&backend, PG_MY_PROC, 0);
	pg_sleep_for(&backend, LOCK_EVENT, 10, 0);
	pg_put_u64(&backend, PG_MY_PROC, 0xdead);
	pg_sleep_for(&backend, LOCK_EVENT, 10, 0);
	pg_put_u64(&backend, PG_MY_PROC, FAKE_MEMORY_START + PG_PROC);
	instance->layout.proc_wait_lock = 0;
	pg_sleep_for(&backend, LOCK_EVENT, 10, 0);
	instance->layout.proc_wait_lock = offsetof(struct pg_proc, lock);
	proc()->lock = 0xdead;
	pg_sleep_for(&backend, LOCK_EVENT, 10, 0);
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_uint_eq(pg_account(&backend)->lock_state, TAP_LOCK_STATE_NONE);
	wait_begins(PG_LOCK, 1);
	pg_sleep_for(&backend, LOCK_EVENT, 10, 0);
	ck_assert_uint_eq(n_seen, 1);
	wait_ends(77);
	pg_sleep_for(&backend, IO_EVENT, 10, 0);
	ck_assert_uint_eq(n_seen, 2);
	ck_assert_uint_eq(events_seen[1].status, TAP_LOCK_STATUS_UNKNOWN);
	assert_conserved();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/lock_wait");
	TCase *tcase = tcase_create("lock_wait");

	tcase_add_checked_fixture(tcase, lock_set_up, lock_tear_down);
	tcase_add_test(tcase, test_one_wait);
	tcase_add_test(tcase, test_many_sleeps_are_one_wait);
	tcase_add_test(tcase, test_two_waits_without_a_boundary_between);
	tcase_add_test(tcase, test_reader_is_woken_again_later);
	tcase_add_test(tcase, test_end_has_the_later_id);
	tcase_add_test(tcase, test_no_lock_no_event);
	tcase_add_test(tcase, test_other_sleeps_read_nothing);
	tcase_add_test(tcase, test_off);
	tcase_add_test(tcase, test_full_ring);
	tcase_add_test(tcase, test_killed_while_it_waits);
	tcase_add_test(tcase, test_adopted_asleep_and_still_waiting);
	tcase_add_test(tcase, test_adopted_asleep_and_granted);
	tcase_add_test(tcase, test_hostile_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
