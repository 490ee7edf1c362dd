// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_boundary.c - bpf/sched.bpf.c on the host over a fake kernel: which row each nanosecond and sleep between two
 * boundaries goes to. How snapshots are taken meanwhile is in test_snapshot_rule.c.
 */
#include "tests/unit/bpf/fake/one_backend.h"

#include "tests/lib/check_main.h"

START_TEST(test_idle_statement_idle)
{
	client_is_idle();
	woken_after(1000, 0);
	pg_report_running(&backend, "select 1");
	pg_report_query_id(&backend, 77);
	pg_cpu(&backend, 250);
	backend.task.min_flt += 3;
	backend.task.maj_flt += 2;
	backend.task.ioac.rchar += 8192;
	backend.task.ioac.wchar += 100;
	backend.task.ioac.read_bytes += 4096;
	backend.task.ioac.write_bytes += 512;
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	clock_advance(400);
	assert_conserved();
	ck_assert_uint_eq(statement(77)->account.calls, 1);
	ck_assert_uint_eq(statement(77)->account.uncounted, 0);
	ck_assert_uint_eq(statement(77)->account.cpu_ns, 250);
	ck_assert_uint_eq(tap_row_sleeps(statement(77)), 0);
	ck_assert_uint_eq(statement(77)->account.minor_faults, 3);
	ck_assert_uint_eq(statement(77)->account.major_faults, 2);
	ck_assert_uint_eq(statement(77)->account.rchar_bytes, 8192);
	ck_assert_uint_eq(statement(77)->account.wchar_bytes, 100);
	ck_assert_uint_eq(statement(77)->account.read_bytes, 4096);
	ck_assert_uint_eq(statement(77)->account.dirtied_bytes, 512);
	ck_assert_uint_eq(statement(77)->n_waits, 0);
	ck_assert_int_eq(wait_in(of_kind(TAP_KIND_IDLE), TAP_PG_CLIENT_READ).ns, 1400);
	ck_assert_uint_eq(wait_in(of_kind(TAP_KIND_IDLE), TAP_PG_CLIENT_READ).count, 1);
	ck_assert_uint_eq(wait_in(of_kind(TAP_KIND_IDLE), TAP_PG_CLIENT_READ).open, 1);
	ck_assert_uint_eq(of_kind(TAP_KIND_IDLE)->account.cpu_ns, 100);
	ck_assert_uint_eq(tap_row_sleeps(of_kind(TAP_KIND_IDLE)), 2);
	ck_assert_uint_eq(taken.torn, 0);
}
END_TEST

/* A call is counted once, however often the thread sleeps in it; the sleeps are the statement's. */
START_TEST(test_sleeps_within_a_statement)
{
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, "update t set a = 1");
	pg_report_query_id(&backend, 78);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, LOCK_EVENT, 2000, 7);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 30, 0);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, LOCK_EVENT, 1, 0);
	pg_cpu(&backend, 5);
	take();
	ck_assert_uint_eq(statement(78)->running, 1);
	ck_assert_uint_eq(statement(78)->account.calls, 0);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE_IN_TRANSACTION);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	clock_advance(600);
	assert_conserved();
	ck_assert_uint_eq(statement(78)->running, 0);
	ck_assert_uint_eq(statement(78)->account.calls, 1);
	ck_assert_uint_eq(tap_row_sleeps(statement(78)), 3);
	ck_assert_uint_eq(statement(78)->account.cpu_ns, 20);
	ck_assert_uint_eq(statement(78)->account.runq_ns, 7);
	assert_wait(statement(78), LOCK_EVENT, 2, 2001);
	assert_wait(statement(78), IO_EVENT, 1, 30);
	ck_assert_int_eq(wait_in(of_kind(TAP_KIND_IDLE_IN_TRANSACTION), TAP_PG_CLIENT_READ).ns, 600);
}
END_TEST

/* Steal and interrupts after a preemption are no wait and no run-queue time; nor is what they delay. */
START_TEST(test_preemption_is_never_a_wait)
{
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, "select 9");
	pg_report_query_id(&backend, 88);
	pg_cpu(&backend, 5);
	pg_set_wait(&backend, LOCK_EVENT);
	backend.task.__state = TASK_INTERRUPTIBLE; /* on its way to sleep */
	pg_preempt(&backend, 11);
	clock_advance(13);
	take();
	ck_assert_uint_eq(statement(88)->account.runq_ns, 13);
	ck_assert_int_eq(statement(88)->account.unknown_ns, 11);
	pg_arrive(&backend);
	backend.task.__state = TASK_RUNNING;
	pg_cpu(&backend, 5);
	/* Yields: runnable, though not preempted. */
	pg_switch(&backend, false);
	pg_wake(&backend);
	clock_advance(17);
	pg_arrive(&backend);
	pg_cpu(&backend, 1);
	pg_sleep(&backend, IO_EVENT);
	assert_conserved();
	ck_assert_uint_eq(statement(88)->account.preemptions, 2);
	ck_assert_uint_eq(tap_row_sleeps(statement(88)), 1);
	ck_assert_uint_eq(statement(88)->account.runq_ns, 30);
	ck_assert_int_eq(statement(88)->account.unknown_ns, 11);
	ck_assert_int_eq(tap_row_wait_ns(statement(88)), 0);
}
END_TEST

START_TEST(test_run_queue_delay_after_idle_is_the_statements)
{
	client_is_idle();
	woken_after(1000, 44);
	pg_report_running(&backend, "select 10");
	pg_report_query_id(&backend, 89);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 33);
	pg_cpu(&backend, 5);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE_IN_TRANSACTION);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	woken_after(500, 22);
	pg_report_running(&backend, "select 11");
	pg_report_query_id(&backend, 90);
	pg_cpu(&backend, 5);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	assert_conserved();
	ck_assert_uint_eq(statement(89)->account.runq_ns, 44 + 33);
	ck_assert_uint_eq(statement(90)->account.runq_ns, 22);
	ck_assert_uint_eq(of_kind(TAP_KIND_IDLE)->account.runq_ns, 0);
	ck_assert_uint_eq(of_kind(TAP_KIND_IDLE_IN_TRANSACTION)->account.runq_ns, 0);
	assert_wait(of_kind(TAP_KIND_IDLE), TAP_PG_CLIENT_READ, 1, 1000);
	assert_wait(of_kind(TAP_KIND_IDLE_IN_TRANSACTION), TAP_PG_CLIENT_READ, 1, 500);
}
END_TEST

START_TEST(test_ticks_change_nothing_but_the_time)
{
	client_is_idle();
	woken_after(10, 3);
	pg_report_running(&backend, "select 12");
	pg_report_query_id(&backend, 91);
	for (int i = 0; i < 10; i++) {
		pg_cpu(&backend, 100);
		pg_tick(&backend);
		assert_conserved();
		ck_assert_uint_eq(statement(91)->account.cpu_ns, 100 * (i + 1));
		ck_assert_uint_eq(statement(91)->running, 1);
	}
	/* Unseen end, and another begins. */
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_report_running(&backend, "select 13");
	pg_report_query_id(&backend, 92);
	pg_cpu(&backend, 100);
	pg_tick(&backend);
	assert_conserved();
	ck_assert_uint_eq(statement(91)->account.calls, 1);
	ck_assert_uint_eq(statement(91)->account.uncounted, 1);
	ck_assert_uint_eq(statement(92)->account.uncounted, 1);
	ck_assert_uint_eq(statement(92)->account.cpu_ns, 100);
	ck_assert_uint_eq(tap_row_sleeps(statement(91)) + statement(91)->account.preemptions, 0);
	ck_assert_uint_eq(statement(91)->account.runq_ns, 3);
}
END_TEST

START_TEST(test_unreadable_memory_keeps_the_identity)
{
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, "select 8");
	pg_report_query_id(&backend, 87);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	kernel.memory_is_gone = true;
	pg_cpu(&backend, 5);
	/* The event of this sleep is not known: it is no wait, and no other statement's. */
	pg_sleep(&backend, IO_EVENT);
	clock_advance(40);
	take();
	ck_assert_int_eq(statement(87)->account.unknown_ns, 40);
	pg_wake(&backend);
	pg_arrive(&backend);
	kernel.memory_is_gone = false;
	pg_cpu(&backend, 5);
	pg_sleep(&backend, LOCK_EVENT);
	assert_conserved();
	ck_assert_uint_eq(losses[TAP_LOSS_READ_FAILED], 1);
	ck_assert_uint_eq(statement(87)->account.cpu_ns, 15);
	ck_assert_int_eq(statement(87)->account.unknown_ns, 40);
	assert_wait(statement(87), IO_EVENT, 1, 6);
}
END_TEST

START_TEST(test_closed_gate)
{
	struct tap_task before = *pg_account(&backend);
	struct pg_process child;

	gate_open = false;
	pg_login(&backend, PG_TYPE_CLIENT, DATABASE, USER);
	pg_cpu(&backend, 5);
	pg_tick(&backend);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	on_sched_process_exec(&backend.task);
	pg_fork(&postmaster, &child, 300);
	ck_assert_ptr_null(child.task.storage);
	ck_assert_mem_eq(pg_account(&backend), &before, sizeof(before));
}
END_TEST

START_TEST(test_clock_pair)
{
	struct pg_process self;
	struct tap_task account = { .role = TAP_ROLE_CLOCK };

	pg_process_init(&self, 400);
	self.task.storage = &account;
	pg_arrive(&self);
	pg_cpu(&self, 10);
	pg_switch(&self, false);
	ck_assert_uint_eq(clock_pair.sched_ns, 0);
	clock_advance(100);
	pg_wake(&self);
	pg_arrive(&self);
	pg_cpu(&self, 20);
	pg_switch(&self, false);
	ck_assert_uint_eq(clock_pair.sched_ns, kernel.clock_ns);
	ck_assert_uint_eq(clock_pair.monotonic_ns, kernel.clock_ns);
	/* Not accounted. */
	pg_tick(&self);
	ck_assert_uint_eq(account.last_ns, 0);
}
END_TEST

/* Everything at once, in any order: every nanosecond, sleep and preemption is somewhere, once, at any moment. */
static void random_step(bool may_fail, unsigned *sleeps, unsigned *preemptions)
{
	static const __u32 states[] = { TAP_PG_STATE_IDLE,
					TAP_PG_STATE_IDLE_IN_TRANSACTION,
					TAP_PG_STATE_FASTPATH,
					TAP_PG_STATE_IDLE_IN_TRANSACTION_ABORTED,
					TAP_PG_STATE_UNDEFINED,
					TAP_PG_STATE_DISABLED,
					250 };
	__u64 some = (__u64)(rand() % 1000);

	switch (rand() % 12) {
	case 0:
	case 1:
		pg_report_running(&backend, rand() % 2 ? "select 20" : "begin");
		break;
	case 2:
	case 3:
		pg_report_query_id(&backend, (__u64)(rand() % 30));
		break;
	case 4:
		pg_report_idle(&backend, states[rand() % 7]);
		break;
	case 5:
		pg_cpu(&backend, some);
		pg_tick(&backend);
		break;
	case 6:
		pg_status_of(&backend)->change_count++;
		break;
	case 7:
		pg_status_of(&backend)->progress = rand() % 2;
		break;
	case 8:
		pg_cpu(&backend, some + 1);
		pg_preempt(&backend, some / 2);
		clock_advance(some);
		pg_arrive(&backend);
		++*preemptions;
		break;
	case 9:
		kernel.memory_is_gone = may_fail && rand() % 4 == 0;
		break;
	default:
		pg_cpu(&backend, some + 1);
		pg_sleep_for(&backend, IO_EVENT + (__u32)(rand() % 20), some, some / 3);
		++*sleeps;
		break;
	}
}

START_TEST(test_conservation_at_random)
{
	unsigned sleeps = 0, preemptions = 0;
	__u64 counted_sleeps = 0, counted_preemptions = 0;

	srand(_i * 7919 + 1);
	client_is_idle();
	sleeps++;
	woken_after(10, 0);
	for (int i = 0; i < 3000; i++) {
		random_step(_i % 2 == 0, &sleeps, &preemptions);
		if (i % 50 == 0)
			assert_conserved();
	}
	kernel.memory_is_gone = false;
	pg_exit(&backend);
	assert_conserved();
	for (size_t i = 0; i < taken.rows.count; i++) {
		const struct tap_row *row = &taken.rows.rows[i];

		counted_sleeps += tap_row_sleeps(row);
		counted_preemptions += row->account.preemptions;
	}
	ck_assert_uint_eq(counted_preemptions, preemptions);
	/* A sleep whose event cannot be read is no wait. */
	if (_i % 2)
		ck_assert_uint_eq(counted_sleeps, sleeps);
	else
		ck_assert_uint_le(counted_sleeps, sleeps);
}
END_TEST

/* Kernel counters only grow, but a hostile entry may say anything. */
START_TEST(test_random_entries)
{
	srand(_i + 1);
	client_is_idle();
	woken_after(10, 0);
	for (int i = 0; i < 2000; i++) {
		char *entry = backend.memory + PG_STATUS;

		entry[(size_t)rand() % sizeof(struct pg_status)] = (char)rand();
		if (rand() % 2)
			pg_status_of(&backend)->pid = 200;
		if (rand() % 20 == 0)
			pg_put_u64(&backend, PG_MY_WAIT, (__u64)rand());
		pg_cpu(&backend, 1);
		pg_sleep_for(&backend, (__u32)rand(), 3, 1);
	}
	assert_conserved();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/boundary");
	TCase *one = tcase_create("one thread");
	TCase *many = tcase_create("at random");

	tcase_add_checked_fixture(one, set_up, tear_down);
	tcase_add_test(one, test_idle_statement_idle);
	tcase_add_test(one, test_sleeps_within_a_statement);
	tcase_add_test(one, test_preemption_is_never_a_wait);
	tcase_add_test(one, test_run_queue_delay_after_idle_is_the_statements);
	tcase_add_test(one, test_ticks_change_nothing_but_the_time);
	tcase_add_test(one, test_unreadable_memory_keeps_the_identity);
	tcase_add_test(one, test_closed_gate);
	tcase_add_test(one, test_clock_pair);
	tcase_add_checked_fixture(many, set_up, tear_down);
	tcase_set_timeout(many, 60);
	tcase_add_loop_test(many, test_conservation_at_random, 0, 6);
	tcase_add_loop_test(many, test_random_entries, 0, 4);
	suite_add_tcase(suite, one);
	suite_add_tcase(suite, many);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
