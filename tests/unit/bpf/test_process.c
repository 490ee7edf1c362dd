// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_process.c - what a thread is to the BPF programs, from its fork to its exit: starting, some kind of backend,
 * another program, on its way out.
 */
#include "tests/unit/bpf/fake/one_backend.h"

#include "tests/lib/check_main.h"

static void run_one_statement(__u64 query_id)
{
	pg_report_running(&backend, "select 1");
	pg_report_query_id(&backend, query_id);
	pg_cpu(&backend, 3);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
}

START_TEST(test_kinds)
{
	__s32 worker = 0;

	/* Not logged in yet. */
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	assert_conserved();
	ck_assert_uint_eq(row_at(TAP_KIND_STARTING, 0, 0, 0, 0)->account.cpu_ns, 5);
	/* An entry that is not its own, as between fork and InitProcess. */
	pg_login(&backend, PG_TYPE_BGWORKER, DATABASE, USER);
	pg_status_of(&backend)->pid = 199;
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	assert_conserved();
	ck_assert_uint_eq(row_at(TAP_KIND_STARTING, 0, 0, 0, 0)->account.cpu_ns, 10);
	pg_login(&backend, PG_TYPE_BGWORKER, DATABASE, USER);
	memcpy(backend.memory + PG_WORKER, &worker, sizeof(worker));
	pg_report_running(&backend, "select 15");
	pg_report_query_id(&backend, 95);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	assert_conserved();
	ck_assert_uint_eq(row_at(TAP_KIND_PARALLEL, TAP_QUERY_ID_ENGINE, 95, DATABASE, USER)->account.cpu_ns, 5);
	/* Its statement ends: a worker makes no calls. */
	pg_report_idle(&backend, TAP_PG_STATE_UNDEFINED);
	pg_cpu(&backend, 1);
	pg_sleep(&backend, IO_EVENT);
	assert_conserved();
	ck_assert_uint_eq(row_at(TAP_KIND_PARALLEL, TAP_QUERY_ID_ENGINE, 95, DATABASE, USER)->account.calls, 0);
}
END_TEST

/* Between its login and the first time it says that it is idle a client session is starting. */
START_TEST(test_client_before_its_first_idle)
{
	pg_login(&backend, PG_TYPE_CLIENT, DATABASE, USER);
	pg_status_of(&backend)->state = TAP_PG_STATE_UNDEFINED;
	for (int i = 0; i < 3; i++) {
		pg_cpu(&backend, 5);
		pg_sleep_for(&backend, IO_EVENT, 6, 2);
	}
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_cpu(&backend, 7);
	pg_sleep_for(&backend, TAP_PG_CLIENT_READ, 40, 0);
	assert_conserved();
	ck_assert(!has_statement(0));
	ck_assert_uint_eq(of_kind(TAP_KIND_STARTING)->account.cpu_ns, 15);
	ck_assert_uint_eq(of_kind(TAP_KIND_STARTING)->account.runq_ns, 6);
	assert_wait(of_kind(TAP_KIND_STARTING), IO_EVENT, 3, 18);
	ck_assert_uint_eq(of_kind(TAP_KIND_IDLE)->account.cpu_ns, 7);
	run_one_statement(98);
	assert_conserved();
	ck_assert_uint_eq(statement(98)->account.calls, 1);
	ck_assert_uint_eq(statement(98)->account.uncounted, 0);
}
END_TEST

/* With track_activities off a session never says what it does: that is no start that takes long. */
START_TEST(test_client_that_says_nothing)
{
	pg_login(&backend, PG_TYPE_CLIENT, DATABASE, USER);
	pg_status_of(&backend)->state = TAP_PG_STATE_DISABLED;
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	assert_conserved();
	ck_assert_uint_eq(statement(0)->account.cpu_ns, 5);
	ck_assert_uint_eq(statement(0)->account.calls, 0);
}
END_TEST

/* Only a client's idle time is idle: a worker that says so waits for work of its own, with an event of its own. */
START_TEST(test_idle_worker)
{
	pg_login(&backend, PG_TYPE_BGWORKER, DATABASE, USER);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	backend.task.regs.orig_ax = PG_SYSCALL_EPOLL;
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	assert_conserved();
	ck_assert_uint_eq(of_kind(TAP_KIND_BGWORKER)->account.cpu_ns, 10);
	assert_wait(of_kind(TAP_KIND_BGWORKER), IO_EVENT, 2, 12);
}
END_TEST

START_TEST(test_unknown_backend_type)
{
	pg_login(&backend, PG_TYPE_NEW, 0, 0);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	pg_status_of(&backend)->state = TAP_PG_STATE_UNDEFINED;
	pg_status_of(&backend)->change_count += 2;
	pg_cpu(&backend, 5);
	pg_sleep(&backend, IO_EVENT);
	assert_conserved();
	ck_assert_uint_eq(row_at(TAP_KIND_UNKNOWN, 0, 0, 0, 0)->account.cpu_ns, 10);
	/* A number outside the table is no index into it. */
	pg_account(&backend)->status_address = 0;
	pg_status_of(&backend)->type = -1;
	pg_status_of(&backend)->change_count += 2;
	pg_wake(&backend);
	pg_arrive(&backend);
	pg_cpu(&backend, 5);
	pg_sleep(&backend, IO_EVENT);
	ck_assert_uint_eq(pg_account(&backend)->identity.kind, TAP_KIND_UNKNOWN);
}
END_TEST

START_TEST(test_autovacuum_has_own_ids)
{
	pg_login(&backend, PG_TYPE_AUTOVACUUM, DATABASE, 0);
	pg_report_running(&backend, "autovacuum: VACUUM public.t");
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	pg_cpu(&backend, 5);
	pg_report_running(&backend, "autovacuum: VACUUM public.u");
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	assert_conserved();
	ck_assert_uint_eq(fingerprint_count, 2);
	for (size_t i = 0; i < taken.rows.count; i++) {
		ck_assert_uint_eq(taken.rows.rows[i].account.calls, 0);
		ck_assert_uint_eq(taken.rows.rows[i].account.uncounted, 0);
	}
}
END_TEST

START_TEST(test_fork_and_exec)
{
	struct pg_process child;

	client_is_idle();
	woken_after(10, 0);
	/* A backend's child is a program of its own. */
	pg_fork(&backend, &child, 300);
	ck_assert_uint_eq(pg_account(&child)->role, TAP_ROLE_FIXED);
	ck_assert_uint_eq(pg_account(&child)->identity.kind, TAP_KIND_CHILD);
	pg_process_done(&child);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	on_sched_process_exec(&backend.task);
	kernel.memory_is_gone = true;
	kernel.user_reads = 0;
	pg_cpu(&backend, 9);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	ck_assert_uint_eq(kernel.user_reads, 0);
	assert_conserved();
	ck_assert_uint_eq(of_kind(TAP_KIND_CHILD)->account.cpu_ns, 9);
	assert_wait(of_kind(TAP_KIND_CHILD), 0, 1, 6);
	ck_assert_uint_eq(wait_in(of_kind(TAP_KIND_CHILD), 0).open, 0);
	/* No storage: counted, and nothing else. */
	pg_process_init(&child, 301);
	child.task.storage_is_full = true;
	on_sched_process_fork(&postmaster.task, &child.task);
	ck_assert_uint_eq(losses[TAP_LOSS_TASK_STORAGE_FULL], 1);
	pg_switch(&child, false);
	pg_tick(&child);
	on_sched_process_exec(&child.task);
	/* Not a child of ours. */
	on_sched_process_fork(&child.task, &child.task);
	ck_assert_ptr_null(child.task.storage);
}
END_TEST

/* In a namespace a process knows itself by another pid. */
START_TEST(test_namespace_pid)
{
	struct pg_process child;

	pg_process_init(&child, 5000);
	child.pid.level = 1;
	child.pid.numbers[1].nr = 42;
	on_sched_process_fork(&postmaster.task, &child.task);
	ck_assert_int_eq(pg_account(&child)->ns_pid, 42);
	pg_login(&child, PG_TYPE_CLIENT, DATABASE, USER);
	pg_cpu(&child, 5);
	pg_sleep(&child, IO_EVENT);
	ck_assert_uint_eq(pg_account(&child)->identity.kind, TAP_KIND_CLIENT);
	pg_process_done(&child);
	child.pid.level = 33;
	on_sched_process_fork(&postmaster.task, &child.task);
	ck_assert_int_eq(pg_account(&child)->ns_pid, 0);
	pg_process_done(&child);
}
END_TEST

/* The time after the last word of an entry that was given back, and of a thread that dies, has a name too. */
START_TEST(test_exit)
{
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, "select 16");
	pg_report_query_id(&backend, 96);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	pg_status_of(&backend)->pid = 0;
	pg_status_of(&backend)->change_count += 2;
	pg_cpu(&backend, 7);
	pg_sleep_for(&backend, IO_EVENT, 3, 0);
	backend.task.flags |= PF_EXITING;
	pg_cpu(&backend, 2);
	kernel.user_reads = 0;
	pg_sleep_for(&backend, IO_EVENT, 4, 0);
	ck_assert_uint_eq(kernel.user_reads, 0);
	pg_cpu(&backend, 1);
	pg_exit(&backend);
	ck_assert_uint_eq(pg_account(&backend)->role, TAP_ROLE_DEAD);
	for (int i = 0; i < TAP_WAYS; i++)
		ck_assert(way_is_free(&pg_account(&backend)->ways[i]));
	assert_conserved();
	ck_assert_uint_eq(taken.n_threads, 0);
	ck_assert_uint_eq(statement(96)->account.cpu_ns, 5);
	assert_wait(statement(96), IO_EVENT, 1, 6);
	ck_assert_uint_eq(of_kind(TAP_KIND_EXITING)->account.cpu_ns, 7 + 2 + 1);
	assert_wait(of_kind(TAP_KIND_EXITING), IO_EVENT, 1, 3);
	assert_wait(of_kind(TAP_KIND_EXITING), 0, 1, 4);
	/* Dead: nothing more is accounted. */
	pg_cpu(&backend, 100);
	pg_tick(&backend);
	pg_switch(&backend, false);
	kernel.clock_ns -= 100;
	assert_conserved();
}
END_TEST

/* An exit within a single run, before any boundary saw what the process was. */
START_TEST(test_exit_of_the_unseen)
{
	pg_cpu(&backend, 50);
	pg_exit(&backend);
	assert_conserved();
	ck_assert_uint_eq(row_at(TAP_KIND_EXITING, 0, 0, 0, 0)->account.cpu_ns, 50);
}
END_TEST

START_TEST(test_never_ran)
{
	struct pg_process child, *all[] = { &child };

	pg_fork(&postmaster, &child, 300);
	clock_advance(70);
	tap_snapshot_done(&taken);
	snapshot_take(&taken, all, 1, NULL, NULL);
	ck_assert_uint_eq(row_at(TAP_KIND_STARTING, 0, 0, 0, 0)->account.runq_ns, 70);
	ck_assert_int_eq(row_at(TAP_KIND_STARTING, 0, 0, 0, 0)->account.unknown_ns, 0);
	pg_arrive(&child);
	pg_cpu(&child, 5);
	tap_snapshot_done(&taken);
	snapshot_take(&taken, all, 1, NULL, NULL);
	ck_assert_uint_eq(row_at(TAP_KIND_STARTING, 0, 0, 0, 0)->account.runq_ns, 70);
	ck_assert_uint_eq(row_at(TAP_KIND_STARTING, 0, 0, 0, 0)->account.cpu_ns, 5);
	ck_assert_int_eq(row_at(TAP_KIND_STARTING, 0, 0, 0, 0)->account.unknown_ns, 0);
	pg_process_done(&child);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/process");
	TCase *one = tcase_create("one thread");

	tcase_add_checked_fixture(one, set_up, tear_down);
	tcase_add_test(one, test_kinds);
	tcase_add_test(one, test_client_before_its_first_idle);
	tcase_add_test(one, test_client_that_says_nothing);
	tcase_add_test(one, test_idle_worker);
	tcase_add_test(one, test_unknown_backend_type);
	tcase_add_test(one, test_autovacuum_has_own_ids);
	tcase_add_test(one, test_fork_and_exec);
	tcase_add_test(one, test_namespace_pid);
	tcase_add_test(one, test_exit);
	tcase_add_test(one, test_exit_of_the_unseen);
	tcase_add_test(one, test_never_ran);
	suite_add_tcase(suite, one);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
