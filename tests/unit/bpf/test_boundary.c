// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_boundary.c - the accounting of the BPF programs, compiled for the host over a fake kernel: which row each
 * nanosecond, sleep and call goes to. How snapshots are taken meanwhile is in test_snapshot_rule.c.
 */
#include "tests/unit/bpf/fake/pg_snapshot.h"

#include "tests/lib/check_main.h"

enum {
	DATABASE = 5,
	USER = 10,
	LOCK_EVENT = 0x03000004,
	IO_EVENT = 0x0a000012,
};

static struct pg_process postmaster, backend;
static struct tap_snapshot taken;
static __u64 began_ns;

static void start_with(size_t rows_max, size_t waits_max)
{
	struct tap_instance instance = pg_instance();
	__u32 zero = 0;

	fake_programs_init(rows_max, waits_max);
	bpf_map_update_elem(&instances, &zero, &instance, BPF_ANY);
	fake_rest_add(0);
	pg_postmaster_init(&postmaster);
	pg_fork(&postmaster, &backend, 200);
	began_ns = kernel.clock_ns;
	pg_arrive(&backend);
	tap_snapshot_init(&taken);
}

static void set_up(void)
{
	start_with(FAKE_ENTRIES, FAKE_ENTRIES);
}

static void tear_down(void)
{
	tap_snapshot_done(&taken);
	pg_process_done(&backend);
	pg_process_done(&postmaster);
	fake_kernel_done();
}

/* A client that has logged in, said hello and begins to wait for its client 100 ns after it was forked. */
static void client_is_idle(void)
{
	pg_login(&backend, PG_TYPE_CLIENT, DATABASE, USER);
	pg_cpu(&backend, 100);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
}

static void woken_after(__u64 sleep_ns, __u64 runq_ns)
{
	clock_advance(sleep_ns);
	pg_wake(&backend);
	clock_advance(runq_ns);
	pg_arrive(&backend);
}

static void take(void)
{
	struct pg_process *all[] = { &backend };

	tap_snapshot_done(&taken);
	/* The clocks are the same here: the scheduler's is not ahead. */
	snapshot_take(&taken, all, 1, NULL, NULL);
}

static const struct tap_row *row_at(__u8 kind, __u8 source, __u64 query_id, __u32 database, __u32 user)
{
	struct tap_row_key key = {
		.kind = kind, .source = source, .query_id = query_id, .database = database, .user = user
	};
	const struct tap_row *row = tap_row_set_find(&taken.rows, &key);

	ck_assert_msg(row, "no row of kind %d, id %llu", kind, query_id);
	return row;
}

static const struct tap_row *statement(__u64 query_id)
{
	return row_at(TAP_KIND_CLIENT, query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE, query_id, DATABASE, USER);
}

static bool has_statement(__u64 query_id)
{
	struct tap_row_key key = { .kind = TAP_KIND_CLIENT,
				   .source = query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE,
				   .query_id = query_id,
				   .database = DATABASE,
				   .user = USER };
	const struct tap_row *row = tap_row_set_find(&taken.rows, &key);

	return row && (tap_row_elapsed_ns(row) || row->account.calls || tap_row_sleeps(row));
}

static const struct tap_row *of_kind(__u8 kind)
{
	return row_at(kind, TAP_QUERY_ID_NONE, 0, DATABASE, USER);
}

static struct tap_row_wait wait_in(const struct tap_row *row, __u32 event)
{
	struct tap_row_wait none = { .event = event };

	for (size_t i = 0; i < row->n_waits; i++) {
		if (row->waits[i].event == event)
			return row->waits[i];
	}
	return none;
}

static void assert_wait(const struct tap_row *row, __u32 event, __u64 count, __s64 ns)
{
	ck_assert_uint_eq(wait_in(row, event).count, count);
	ck_assert_int_eq(wait_in(row, event).ns, ns);
}

/* What the head of a thread's storage knows of its ways is so. */
static void assert_head(const struct tap_task *account)
{
	for (__u32 i = 0; i < TAP_WAYS; i++) {
		const struct tap_way *way = &account->ways[i];

		ck_assert_int_eq(way_is_free(way), !account->tags[i]);
		for (__u32 j = 0; j < i && !way_is_free(way); j++)
			ck_assert(!way_is_of(&account->ways[j], &way->key));
	}
	for (int i = 0; i < TAP_IDLE_KINDS; i++) {
		if (account->idle_ways[i] != TAP_NO_WAY)
			ck_assert_uint_eq(account->ways[account->idle_ways[i]].key.kind, TAP_KIND_IDLE + i);
	}
}

/* Every nanosecond since the fork is in exactly one place. */
static void assert_conserved(void)
{
	__s64 sum = 0;

	assert_head(pg_account(&backend));
	take();
	for (size_t i = 0; i < taken.rows.count; i++)
		sum += tap_row_elapsed_ns(&taken.rows.rows[i]);
	ck_assert_int_eq(sum, (__s64)(kernel.clock_ns - began_ns));
}

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

START_TEST(test_restamps_are_one_statement)
{
	client_is_idle();
	woken_after(10, 0);
	/* Parse, Bind, Execute. */
	for (int i = 0; i < 3; i++) {
		pg_report_running(&backend, "select $1");
		pg_report_query_id(&backend, 79);
		pg_cpu(&backend, 10);
		pg_sleep_for(&backend, IO_EVENT, 5, 0);
	}
	pg_cpu(&backend, 10);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	assert_conserved();
	ck_assert_uint_eq(statement(79)->account.calls, 1);
	ck_assert_uint_eq(statement(79)->account.uncounted, 0);
	ck_assert_uint_eq(statement(79)->account.cpu_ns, 40);
	assert_wait(statement(79), IO_EVENT, 3, 15);
	ck_assert(!has_statement(0));
}
END_TEST

/* Never seen running: the new start stamp tells that there was one. */
START_TEST(test_statement_within_one_run)
{
	client_is_idle();
	for (int i = 0; i < 5; i++) {
		woken_after(10, 0);
		pg_report_running(&backend, "select 2");
		pg_report_query_id(&backend, 80);
		pg_cpu(&backend, 3);
		pg_report_idle(&backend, TAP_PG_STATE_IDLE);
		pg_sleep(&backend, TAP_PG_CLIENT_READ);
	}
	/* Woken for nothing, such as a signal: no statement. */
	woken_after(10, 0);
	pg_cpu(&backend, 4);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	assert_conserved();
	ck_assert_uint_eq(statement(80)->account.calls, 5);
	ck_assert_uint_eq(statement(80)->account.cpu_ns, 15);
	ck_assert_uint_eq(of_kind(TAP_KIND_IDLE)->account.cpu_ns, 104);
}
END_TEST

START_TEST(test_id_found_late)
{
	fake_has_bpf_loop = false;
	client_is_idle();
	woken_after(10, 9);
	pg_report_running(&backend, "select 3");
	pg_cpu(&backend, 20);
	pg_sleep_for(&backend, IO_EVENT, 6, 2);
	pg_cpu(&backend, 1);
	take();
	ck_assert_uint_eq(statement(0)->running, 1);
	ck_assert_uint_eq(statement(0)->account.cpu_ns, 21);
	pg_preempt(&backend, 4);
	clock_advance(3);
	pg_arrive(&backend);
	pg_report_query_id(&backend, 81);
	pg_cpu(&backend, 30);
	pg_sleep_for(&backend, LOCK_EVENT, 8, 0);
	assert_conserved();
	ck_assert(!has_statement(0));
	ck_assert_uint_eq(statement(81)->account.cpu_ns, 51);
	ck_assert_uint_eq(statement(81)->account.runq_ns, 9 + 2 + 3);
	ck_assert_uint_eq(tap_row_sleeps(statement(81)), 2);
	ck_assert_uint_eq(statement(81)->account.preemptions, 1);
	ck_assert_int_eq(statement(81)->account.unknown_ns, 4);
	assert_wait(statement(81), IO_EVENT, 1, 6);
	/* Over, although no boundary has seen it. */
	ck_assert_uint_eq(wait_in(statement(81), LOCK_EVENT).open, 0);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	take();
	ck_assert_uint_eq(statement(81)->account.calls, 1);
}
END_TEST

/* What statements that never had an id left in the nameless row is not the next statement's. */
START_TEST(test_late_id_takes_only_its_own)
{
	fake_has_bpf_loop = false;
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, "nameless");
	pg_cpu(&backend, 1000);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	woken_after(10, 0);
	pg_report_running(&backend, "select 3");
	pg_cpu(&backend, 20);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	pg_report_query_id(&backend, 82);
	pg_cpu(&backend, 5);
	pg_sleep(&backend, IO_EVENT);
	assert_conserved();
	ck_assert_uint_eq(statement(82)->account.cpu_ns, 25);
	ck_assert_uint_eq(statement(82)->account.calls, 0);
	ck_assert_uint_eq(statement(0)->account.cpu_ns, 1000);
	ck_assert_uint_eq(statement(0)->account.calls, 1);
}
END_TEST

START_TEST(test_own_id_at_the_end)
{
	const char *text = "truncate t";
	const struct tap_row *row;
	struct tap_fp state;
	__u64 own;

	tap_fp_init(&state);
	for (const char *at = text; *at; at++)
		tap_fp_step(&state, (unsigned char)*at);
	own = tap_fp_final(&state);
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, text);
	pg_cpu(&backend, 20);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	pg_cpu(&backend, 4);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	assert_conserved();
	row = row_at(TAP_KIND_CLIENT, TAP_QUERY_ID_OWN, own, DATABASE, USER);
	ck_assert_uint_eq(row->account.calls, 1);
	ck_assert_uint_eq(row->account.cpu_ns, 24);
	ck_assert(!has_statement(0));
	ck_assert_uint_eq(fingerprint_count, 1);
	ck_assert_uint_eq(kernel.ring.sent, 1);
	/* The text goes up once. */
	woken_after(10, 0);
	pg_report_running(&backend, text);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_cpu(&backend, 1);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	ck_assert_uint_eq(kernel.ring.sent, 1);
	take();
	ck_assert_uint_eq(row_at(TAP_KIND_CLIENT, TAP_QUERY_ID_OWN, own, DATABASE, USER)->account.calls, 2);
}
END_TEST

/* An instance that computes no ids: the text is hashed once a statement, not at every boundary. */
START_TEST(test_own_ids_everywhere)
{
	__u32 zero = 0;
	struct tap_instance *instance = bpf_map_lookup_elem(&instances, &zero);

	instance->own_ids = 1;
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, "select 4");
	for (int i = 0; i < 4; i++) {
		pg_cpu(&backend, 5);
		pg_sleep_for(&backend, IO_EVENT, 6, 0);
		pg_status_of(&backend)->change_count += 2; /* progress */
	}
	pg_cpu(&backend, 5);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	assert_conserved();
	ck_assert_uint_eq(fingerprint_count, 1);
	ck_assert(!has_statement(0));
}
END_TEST

START_TEST(test_lost_texts_are_counted)
{
	client_is_idle();
	kernel.ring.full = true;
	woken_after(10, 0);
	pg_report_running(&backend, "select 5");
	pg_report_query_id(&backend, 83);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	ck_assert_uint_eq(losses[TAP_LOSS_RING_FULL], 1);
	ck_assert_uint_eq(kernel.ring.sent, 0);
	kernel.ring.full = false;
	pg_account(&backend)->activity_address = 1; /* nowhere */
	pg_report_running(&backend, "select 6");
	pg_report_query_id(&backend, 84);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	ck_assert_uint_eq(losses[TAP_LOSS_TEXT_FAILED], 1);
	ck_assert_uint_eq(kernel.ring.sent, 0);
	assert_conserved();
	ck_assert_uint_eq(statement(84)->account.cpu_ns, 5);
}
END_TEST

START_TEST(test_odd_change_count_keeps_the_identity)
{
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, "select 7");
	pg_report_query_id(&backend, 85);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	/* In the middle of a write everything may be nonsense. */
	pg_status_of(&backend)->change_count++;
	pg_status_of(&backend)->query_id = 86;
	pg_status_of(&backend)->state = TAP_PG_STATE_IDLE;
	pg_cpu(&backend, 7);
	pg_preempt(&backend, 0);
	pg_arrive(&backend);
	pg_status_of(&backend)->query_id = 85;
	pg_status_of(&backend)->state = TAP_PG_STATE_RUNNING;
	pg_status_of(&backend)->change_count++;
	pg_cpu(&backend, 1);
	pg_sleep(&backend, IO_EVENT);
	assert_conserved();
	ck_assert_uint_eq(statement(85)->account.cpu_ns, 13);
	ck_assert_uint_eq(statement(85)->account.calls, 0);
	ck_assert(!has_statement(86));
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

START_TEST(test_pipelined_statements_are_marked)
{
	client_is_idle();
	woken_after(10, 0);
	for (int i = 0; i < 6; i++) {
		pg_report_running(&backend, "select 14");
		pg_report_query_id(&backend, 93);
		pg_cpu(&backend, 1);
		pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	}
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	assert_conserved();
	ck_assert_uint_eq(statement(93)->account.calls, 1);
	ck_assert_uint_eq(statement(93)->account.uncounted, 3);
}
END_TEST

/* A command that reports progress writes to its entry all the time: that says nothing of other statements. */
START_TEST(test_progress_is_not_pipelining)
{
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, "create index on t (a)");
	pg_report_query_id(&backend, 94);
	pg_status_of(&backend)->progress = 4;
	for (int i = 0; i < 50; i++) {
		pg_status_of(&backend)->change_count += 2;
		pg_cpu(&backend, 1);
		pg_sleep_for(&backend, IO_EVENT, 2, 0);
	}
	pg_status_of(&backend)->progress = 0;
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_cpu(&backend, 1);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
	assert_conserved();
	ck_assert_uint_eq(statement(94)->account.calls, 1);
	ck_assert_uint_eq(statement(94)->account.uncounted, 0);
}
END_TEST

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

START_TEST(test_unknown_backend_type)
{
	pg_login(&backend, PG_TYPE_NEW, 0, 0);
	pg_cpu(&backend, 5);
	pg_sleep_for(&backend, IO_EVENT, 6, 0);
	assert_conserved();
	ck_assert_uint_eq(row_at(TAP_KIND_IDLE, 0, 0, 0, 0)->account.cpu_ns, 5);
	pg_status_of(&backend)->state = TAP_PG_STATE_UNDEFINED;
	pg_status_of(&backend)->change_count += 2;
	pg_cpu(&backend, 5);
	pg_sleep(&backend, IO_EVENT);
	assert_conserved();
	ck_assert_uint_eq(row_at(TAP_KIND_UNKNOWN, 0, 0, 0, 0)->account.cpu_ns, 5);
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

/* One statement of each id; afterwards idle. */
static void run_statement(__u64 query_id, __u32 event)
{
	pg_report_running(&backend, "select 17");
	pg_report_query_id(&backend, query_id);
	pg_cpu(&backend, query_id);
	pg_sleep_for(&backend, event, 10 * query_id, query_id % 3);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_cpu(&backend, 1);
	pg_sleep_for(&backend, TAP_PG_CLIENT_READ, 2, 0);
}

static void assert_statements(__u64 first, __u64 last, __u64 times)
{
	for (__u64 id = first; id <= last; id++) {
		ck_assert_uint_eq(statement(id)->account.calls, times);
		ck_assert_uint_eq(statement(id)->account.cpu_ns, times * (id + 1));
		ck_assert_uint_eq(statement(id)->account.runq_ns, times * (id % 3));
		assert_wait(statement(id), IO_EVENT, times, (__s64)(times * 10 * id));
	}
}

START_TEST(test_more_rows_than_ways)
{
	client_is_idle();
	woken_after(10, 0);
	for (int round = 0; round < 3; round++) {
		for (__u64 id = 1; id <= 40; id++)
			run_statement(id, IO_EVENT);
	}
	ck_assert_uint_ge(fake_map_of(&row_to_account)->count, 2 + 28);
	assert_conserved();
	assert_statements(1, 40, 3);
	ck_assert_uint_eq(losses[TAP_LOSS_TOTALS_FULL], 0);
	ck_assert_uint_eq(losses[TAP_LOSS_WAITS_FULL], 0);
}
END_TEST

/* What a thread used, as `sessions` shows it, is not less because its rows were moved to the totals. */
START_TEST(test_thread_figures_survive_evictions)
{
	__u64 before;

	client_is_idle();
	woken_after(10, 0);
	for (__u64 id = 100; id > 60; id--) {
		take();
		before = taken.threads[0].account.cpu_ns;
		run_statement(id, IO_EVENT);
		take();
		ck_assert_uint_ge(taken.threads[0].account.cpu_ns, before + id);
	}
}
END_TEST

/* Evictions of a thread go to the entries of the first snapshot that has not read it yet. */
START_TEST(test_parity_follows_the_snapshots)
{
	const struct fake_map *rows = fake_map_of(&row_to_account);
	unsigned seen[2] = { 0 };

	client_is_idle();
	woken_after(10, 0);
	for (__u64 id = 1; id <= 20; id++)
		run_statement(id, IO_EVENT);
	for (size_t i = 2; i < rows->count; i++)
		ck_assert_uint_eq(((const struct tap_row_key *)(rows->keys + i * rows->key_size))->parity, 1);
	take();
	ck_assert_uint_eq(pg_account(&backend)->read_epoch, 1);
	for (__u64 id = 21; id <= 40; id++)
		run_statement(id, IO_EVENT);
	for (size_t i = 2; i < rows->count; i++)
		seen[((const struct tap_row_key *)(rows->keys + i * rows->key_size))->parity]++;
	ck_assert_uint_gt(seen[0], 10);
	assert_conserved();
	assert_statements(1, 40, 1);
}
END_TEST

START_TEST(test_more_waits_than_a_way_keeps)
{
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, "select 18");
	pg_report_query_id(&backend, 97);
	for (int round = 0; round < 3; round++) {
		for (__u32 event = 0; event < 30; event++) {
			pg_cpu(&backend, 1);
			pg_sleep_for(&backend, IO_EVENT + event, 5 + event, 0);
		}
	}
	pg_cpu(&backend, 1);
	pg_sleep(&backend, IO_EVENT + 29);
	clock_advance(1);
	assert_conserved();
	for (__u32 event = 0; event < 29; event++)
		assert_wait(statement(97), IO_EVENT + event, 3, 3 * (5 + (__s64)event));
	assert_wait(statement(97), IO_EVENT + 29, 3, 3 * (5 + 29) + 1);
}
END_TEST

/* Merging two rows that have eight different events each. */
START_TEST(test_late_id_with_many_waits)
{
	client_is_idle();
	woken_after(10, 0);
	pg_report_running(&backend, "select 19");
	pg_report_query_id(&backend, 98);
	for (__u32 event = 0; event < TAP_WAY_WAITS; event++)
		pg_sleep_for(&backend, IO_EVENT + event, 7, 0), pg_cpu(&backend, 1);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep_for(&backend, TAP_PG_CLIENT_READ, 2, 0);
	pg_report_running(&backend, "select 19");
	for (__u32 event = 4; event < 4 + TAP_WAY_WAITS; event++)
		pg_cpu(&backend, 1), pg_sleep_for(&backend, IO_EVENT + event, 7, 0);
	pg_report_query_id(&backend, 98);
	pg_cpu(&backend, 1);
	pg_sleep(&backend, LOCK_EVENT);
	assert_conserved();
	ck_assert(!has_statement(0));
	for (__u32 event = 0; event < 4 + TAP_WAY_WAITS; event++) {
		__u64 times = event >= 4 && event < TAP_WAY_WAITS ? 2 : 1;

		assert_wait(statement(98), IO_EVENT + event, times, (__s64)(7 * times));
	}
}
END_TEST

START_TEST(test_full_totals_spill_into_the_rest)
{
	const struct tap_row *rest;
	__u64 calls = 0;

	tear_down();
	start_with(2 + 3, 2 + 3);
	client_is_idle();
	woken_after(10, 0);
	for (__u64 id = 1; id <= 40; id++)
		run_statement(id, IO_EVENT);
	ck_assert_uint_ge(losses[TAP_LOSS_TOTALS_FULL], 25);
	ck_assert_uint_ge(losses[TAP_LOSS_WAITS_FULL], 25);
	assert_conserved();
	rest = row_at(TAP_KIND_REST, 0, 0, 0, 0);
	ck_assert_uint_ge(rest->account.calls, 25);
	ck_assert_uint_eq(rest->n_waits, 1);
	ck_assert_uint_eq(rest->waits[0].event, TAP_EVENT_ANY);
	ck_assert_uint_ge(rest->waits[0].count, 25);
	for (size_t i = 0; i < taken.rows.count; i++)
		calls += taken.rows.rows[i].account.calls;
	ck_assert_uint_eq(calls, 40);
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

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/boundary");
	TCase *one = tcase_create("one thread");
	TCase *many = tcase_create("at random");

	tcase_add_checked_fixture(one, set_up, tear_down);
	tcase_add_test(one, test_idle_statement_idle);
	tcase_add_test(one, test_sleeps_within_a_statement);
	tcase_add_test(one, test_restamps_are_one_statement);
	tcase_add_test(one, test_statement_within_one_run);
	tcase_add_test(one, test_id_found_late);
	tcase_add_test(one, test_late_id_takes_only_its_own);
	tcase_add_test(one, test_own_id_at_the_end);
	tcase_add_test(one, test_own_ids_everywhere);
	tcase_add_test(one, test_lost_texts_are_counted);
	tcase_add_test(one, test_odd_change_count_keeps_the_identity);
	tcase_add_test(one, test_unreadable_memory_keeps_the_identity);
	tcase_add_test(one, test_preemption_is_never_a_wait);
	tcase_add_test(one, test_run_queue_delay_after_idle_is_the_statements);
	tcase_add_test(one, test_ticks_change_nothing_but_the_time);
	tcase_add_test(one, test_pipelined_statements_are_marked);
	tcase_add_test(one, test_progress_is_not_pipelining);
	tcase_add_test(one, test_kinds);
	tcase_add_test(one, test_unknown_backend_type);
	tcase_add_test(one, test_autovacuum_has_own_ids);
	tcase_add_test(one, test_fork_and_exec);
	tcase_add_test(one, test_namespace_pid);
	tcase_add_test(one, test_closed_gate);
	tcase_add_test(one, test_exit);
	tcase_add_test(one, test_exit_of_the_unseen);
	tcase_add_test(one, test_never_ran);
	tcase_add_test(one, test_more_rows_than_ways);
	tcase_add_test(one, test_thread_figures_survive_evictions);
	tcase_add_test(one, test_parity_follows_the_snapshots);
	tcase_add_test(one, test_more_waits_than_a_way_keeps);
	tcase_add_test(one, test_late_id_with_many_waits);
	tcase_add_test(one, test_full_totals_spill_into_the_rest);
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
