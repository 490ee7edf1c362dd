// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_statement_end.c - bpf/calls.bpf.c, bpf/statement_end.bpf.h and bpf/spent.bpf.h: what is counted when a statement
 * ends, how long it took by the server's own stamps, and what is told of a slow one.
 */
#include "tests/unit/bpf/fake/one_backend.h"

#include "tests/lib/check_main.h"

enum {
	MS = 1000000,
	PG_ERROR_DEPTH = 64, /* in user memory, nothing else is there */
	PG_DEBUG_QUERY = 72,
	PG_ERRORS = 128,
	ERROR_SIZE = 32,
	DIVISION_BY_ZERO = 33816706, /* 22012 */
};

static struct {
	struct tap_statement_event event;
	char text[TAP_STATEMENT_TEXT_LONG];
	__u64 size;
	unsigned count;
} told;

static void on_submit(const void *event, __u64 size, __u64 flags)
{
	(void)flags;
	if (size < sizeof(told.event) + TAP_STATEMENT_TEXT)
		return;
	memcpy(&told.event, event, sizeof(told.event));
	memcpy(told.text, (const char *)event + sizeof(told.event), size - sizeof(told.event));
	told.size = size;
	told.count++;
}

static struct tap_instance *the_instance(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&instances, &zero);
}

static void set_up_statements(void)
{
	struct tap_row_key rest = { .kind = TAP_KIND_REST };
	struct tap_statement_total *total;
	__u32 first = 0;

	start_with(FAKE_ENTRIES, FAKE_ENTRIES);
	memset(&told, 0, sizeof(told));
	kernel.on_submit = on_submit;
	fake_statement_depth = true;
	wall_ahead_ns = PG_EPOCH_US * 1000;
	bpf_map_update_elem(&row_to_statements, &rest, &first, BPF_ANY);
	total = bpf_map_lookup_elem(&statement_totals, &first);
	total->key = rest;
	statement_totals_used = 1;
	clock_advance(3600ull * 1000 * MS);
	pg_arrive(&backend);
	client_is_idle();
}

/* A message of the client, stamped as the server stamps it. */
static void begins(const char *text, __u64 query_id)
{
	pg_report_running(&backend, text);
	pg_status_of(&backend)->activity_start = (__s64)(kernel.clock_ns / 1000);
	if (query_id)
		pg_report_query_id(&backend, query_id);
}

static void trap(int (*program)(struct pt_regs *))
{
	kernel.current = &backend.task;
	kernel.memory = backend.memory;
	program(NULL);
}

static void goes_idle(void)
{
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
}

static const struct tap_statement_total *total_of(__u64 query_id)
{
	for (__u32 i = 0; i < FAKE_STATEMENTS; i++) {
		const struct tap_statement_total *total = bpf_map_lookup_elem(&statement_totals, &i);

		if (total->key.query_id == query_id && total->key.kind == TAP_KIND_CLIENT)
			return total;
	}
	ck_abort_msg("nothing of %llu ended", (unsigned long long)query_id);
	return NULL;
}

static __u32 times(__u64 query_id, __u64 ns)
{
	return total_of(query_id)->latency[tap_latency_bucket_of(ns, TAP_STATEMENT_OCTAVES)];
}

START_TEST(test_counted_and_timed)
{
	for (int i = 1; i <= 3; i++) {
		woken_after(10, 0);
		begins("select 1", 70);
		pg_cpu(&backend, (__u64)i * MS);
		trap(on_end_command);
		goes_idle();
	}
	ck_assert_uint_eq(total_of(70)->ended, 3);
	ck_assert_uint_eq(total_of(70)->errors, 0);
	ck_assert_uint_eq(total_of(70)->max_ns, 3 * MS);
	for (__u64 i = 1; i <= 3; i++)
		ck_assert_uint_eq(times(70, i * MS), 1);
	ck_assert_uint_eq(statement_hits, 3);
	ck_assert_uint_eq(told.count, 0);
}
END_TEST

/* A string of several has one stamp: each one's time begins where the one before ended. */
START_TEST(test_several_of_one_string)
{
	woken_after(10, 0);
	begins("select 1; select 2", 71);
	pg_cpu(&backend, 5 * MS);
	trap(on_end_command);
	pg_report_query_id(&backend, 72);
	pg_cpu(&backend, 40 * MS);
	trap(on_end_command);
	goes_idle();
	ck_assert_uint_eq(times(71, 5 * MS), 1);
	ck_assert_uint_eq(times(72, 40 * MS), 1);
}
END_TEST

/* Ends that are counted without a time: the server keeps no stamps; its clock was set back; ours is not known. */
START_TEST(test_no_time)
{
	__s64 stamps[] = { 0, (__s64)(kernel.clock_ns / 1000) + 5000000, 1 };

	for (int i = 0; i < 3; i++) {
		if (i == 2)
			wall_ahead_ns = 0;
		woken_after(10, 0);
		begins("select 1", 73);
		pg_status_of(&backend)->activity_start = stamps[i];
		trap(on_end_command);
		goes_idle();
	}
	ck_assert_uint_eq(total_of(73)->ended, 3);
	ck_assert_uint_eq(total_of(73)->max_ns, 0);
	for (int i = 0; i < TAP_STATEMENT_BUCKETS; i++)
		ck_assert_uint_eq(total_of(73)->latency[i], 0);
	ck_assert_uint_eq(losses[TAP_LOSS_STATEMENTS_TIMELESS], 3);
}
END_TEST

static void errors_at(__s32 depth)
{
	__u32 code = DIVISION_BY_ZERO;

	the_instance()->addresses.error_depth = FAKE_MEMORY_START + PG_ERROR_DEPTH;
	the_instance()->addresses.error_code = FAKE_MEMORY_START + PG_ERRORS;
	the_instance()->addresses.error_size = ERROR_SIZE;
	memcpy(backend.memory + PG_ERROR_DEPTH, &depth, sizeof(depth));
	memcpy(backend.memory + PG_ERRORS + ERROR_SIZE, &code, sizeof(code));
}

static __u64 errors_of(__u64 query_id, __u32 code)
{
	struct tap_statement_error_key key = { .row = total_of(query_id)->key, .code = code };
	const __u64 *count = bpf_map_lookup_elem(&statement_errors, &key);

	return count ? *count : 0;
}

/* Depths that no server has are no code. */
START_TEST(test_errors)
{
	static const __s32 depths[] = { 1, -1, 16, 0x7fffffff };

	for (int i = 0; i < 4; i++) {
		errors_at(depths[i]);
		woken_after(10, 0);
		begins("select 1 / 0", 74);
		pg_cpu(&backend, 2 * MS);
		trap(on_error_cleanup);
		goes_idle();
	}
	ck_assert_uint_eq(total_of(74)->ended, 4);
	ck_assert_uint_eq(total_of(74)->errors, 4);
	ck_assert_uint_eq(times(74, 2 * MS), 4);
	ck_assert_uint_eq(errors_of(74, DIVISION_BY_ZERO), 1);
	ck_assert_uint_eq(errors_of(74, 0), 3);
}
END_TEST

/* One that failed before it had an id has its text's. */
START_TEST(test_error_without_an_id)
{
	struct tap_fp state;

	tap_fp_init(&state);
	for (const char *at = "selekt"; *at; at++)
		tap_fp_step(&state, (unsigned char)*at);
	woken_after(10, 0);
	begins("selekt", 0);
	trap(on_error_cleanup);
	goes_idle();
	ck_assert_uint_eq(total_of(tap_fp_final(&state))->errors, 1);
	ck_assert_uint_eq(total_of(tap_fp_final(&state))->key.source, TAP_QUERY_ID_OWN);
}
END_TEST

START_TEST(test_slow_is_told)
{
	statement_slow_ns = 100 * MS;
	woken_after(10, 0);
	begins("select fast", 75);
	pg_cpu(&backend, 99 * MS);
	trap(on_end_command);
	goes_idle();
	ck_assert_uint_eq(told.count, 0);
	woken_after(10, 0);
	begins("select slow", 76);
	pg_cpu(&backend, 10 * MS);
	backend.task.ioac.read_bytes += 8192;
	pg_sleep_for(&backend, IO_EVENT, 30 * MS, 4 * MS);
	pg_cpu(&backend, 10 * MS);
	pg_sleep_for(&backend, LOCK_EVENT, 50 * MS, 0);
	pg_sleep_for(&backend, IO_EVENT, 20 * MS, 0);
	pg_preempt(&backend, 3 * MS);
	clock_advance(2 * MS);
	pg_arrive(&backend);
	trap(on_end_command);
	goes_idle();
	ck_assert_uint_eq(told.count, 1);
	ck_assert_uint_eq(told.event.key.query_id, 76);
	ck_assert_uint_eq(told.event.why, TAP_STATEMENT_SLOW);
	ck_assert_uint_eq(told.event.duration_ns, 129 * MS);
	ck_assert_uint_eq(told.event.spent.runq_ns, 6 * MS);
	ck_assert_int_eq(told.event.spent.unknown_ns, 3 * MS);
	ck_assert_uint_eq(told.event.spent.waits[0].event, IO_EVENT);
	ck_assert_uint_eq(told.event.spent.waits[0].count, 2);
	ck_assert_int_eq(told.event.spent.waits[0].ns, 50 * MS);
	ck_assert_int_eq(told.event.spent.waits[1].ns, 50 * MS);
	ck_assert_uint_eq(told.event.used.read_bytes, 8192);
	ck_assert_int_eq(told.event.ns_pid, 200);
	ck_assert_str_eq(told.text, "select slow");
	ck_assert_uint_eq(told.event.text_size, 11);
	ck_assert_uint_eq(told.event.cut, 0);
	/* The next one has nothing of it. */
	woken_after(10, 0);
	begins("select slow", 76);
	pg_cpu(&backend, 100 * MS);
	trap(on_end_command);
	ck_assert_uint_eq(told.count, 2);
	ck_assert_uint_eq(told.event.used.read_bytes, 0);
	ck_assert_uint_eq(told.event.spent.waits[0].count, 0);
}
END_TEST

/* What a session waits for between a statement's end and the next one's beginning is neither's. */
START_TEST(test_commit_after_the_end)
{
	statement_slow_ns = 1;
	woken_after(10, 0);
	begins("insert", 77);
	pg_cpu(&backend, MS);
	trap(on_end_command);
	pg_sleep_for(&backend, IO_EVENT, 70 * MS, 0);
	begins("insert", 77);
	pg_cpu(&backend, MS);
	trap(on_end_command);
	ck_assert_uint_eq(told.count, 2);
	ck_assert_uint_eq(told.event.duration_ns, MS);
	ck_assert_uint_eq(told.event.spent.waits[0].count, 0);
}
END_TEST

/* The whole text where the server keeps it: longer than what it shows. A text that never ends is cut. */
START_TEST(test_long_text)
{
	__u64 address = FAKE_MEMORY_START + 1100;

	statement_slow_ns = 1;
	the_instance()->addresses.debug_query_string = FAKE_MEMORY_START + PG_DEBUG_QUERY;
	pg_put_u64(&backend, PG_DEBUG_QUERY, address);
	for (int i = 0; i < 2; i++) {
		woken_after(10, 0);
		begins("select", 78);
		memset(backend.memory + 1100, 'x', 2500);
		backend.memory[1100 + (i ? 1022 : 2500)] = '\0';
		pg_cpu(&backend, MS);
		trap(on_end_command);
		goes_idle();
		ck_assert_uint_eq(told.count, (unsigned)i + 1);
		ck_assert_uint_eq(told.size, sizeof(told.event) + (i ? TAP_STATEMENT_TEXT : TAP_STATEMENT_TEXT_LONG));
		ck_assert_uint_eq(told.event.text_size, i ? 1022 : 2500);
		ck_assert_uint_eq(told.event.cut, 0);
	}
	/* Nothing there. */
	pg_put_u64(&backend, PG_DEBUG_QUERY, 16);
	woken_after(10, 0);
	begins("select", 78);
	pg_cpu(&backend, MS);
	trap(on_end_command);
	ck_assert_uint_eq(told.count, 3);
	ck_assert_uint_eq(told.event.text_size, 0);
}
END_TEST

START_TEST(test_slowest)
{
	static const __u64 ms[] = { 5, 3, 9, 4, 1, 10, 9 };
	static const unsigned counts[] = { 1, 2, 3, 3, 3, 4, 4 };

	/* 5 and 3 are in; 9 takes 3's place; 4 and 1 take none; 10 takes 5's; another 9 none. */
	statement_slowest = 2;
	statement_round = 1;
	for (int i = 0; i < 7; i++) {
		woken_after(10, 0);
		begins("select", 79);
		pg_cpu(&backend, ms[i] * MS);
		trap(on_end_command);
		goes_idle();
		ck_assert_uint_eq(told.count, counts[i]);
		ck_assert_uint_eq(told.event.why, TAP_STATEMENT_IS_SLOWEST);
	}
	/* A new window. */
	statement_round = 2;
	woken_after(10, 0);
	begins("select", 79);
	pg_cpu(&backend, MS);
	trap(on_end_command);
	ck_assert_uint_eq(told.count, 5);
}
END_TEST

START_TEST(test_full_ring)
{
	statement_slow_ns = 1;
	kernel.ring.full = true;
	woken_after(10, 0);
	begins("select", 80);
	pg_cpu(&backend, MS);
	trap(on_end_command);
	ck_assert_uint_eq(losses[TAP_LOSS_STATEMENTS_LOST], 1);
	ck_assert_uint_eq(total_of(80)->ended, 1);
}
END_TEST

/* Rows past the last entry are one. */
START_TEST(test_full_sums)
{
	const __u32 first = 0;

	for (__u64 id = 1; id <= 10; id++) {
		woken_after(10, 0);
		begins("select", id);
		pg_cpu(&backend, MS);
		trap(on_end_command);
		goes_idle();
	}
	ck_assert_uint_eq(statement_totals_used, FAKE_STATEMENTS);
	ck_assert_uint_eq(losses[TAP_LOSS_CALLS_FULL], 10 - (FAKE_STATEMENTS - 1));
	ck_assert_uint_eq(((struct tap_statement_total *)bpf_map_lookup_elem(&statement_totals, &first))->ended,
			  10 - (FAKE_STATEMENTS - 1));
}
END_TEST

/* Memory that is gone, a session that is none yet, a process of nobody's, a closed gate. */
START_TEST(test_nothing_to_count)
{
	struct task_struct stranger = { 0 };

	kernel.current = &stranger;
	on_end_command(NULL);
	ck_assert_uint_eq(statement_hits, 0);
	kernel.memory_is_gone = true;
	trap(on_end_command);
	ck_assert_uint_eq(losses[TAP_LOSS_READ_FAILED], 1);
	kernel.memory_is_gone = false;
	pg_account(&backend)->identity.kind = TAP_KIND_WALSENDER;
	trap(on_end_command);
	pg_account(&backend)->identity.kind = TAP_KIND_CLIENT;
	gate_open = false;
	trap(on_end_command);
	ck_assert_uint_eq(statement_totals_used, 1);
	ck_assert_uint_eq(statement_hits, 2);
}
END_TEST

/* At ambient depth the switch adds nothing up. */
START_TEST(test_ambient)
{
	static const struct tap_statement_task nothing;

	fake_statement_depth = false;
	memset(&pg_account(&backend)->statement, 0, sizeof(nothing));
	woken_after(10, 0);
	begins("select", 81);
	pg_cpu(&backend, MS);
	pg_sleep_for(&backend, IO_EVENT, MS, 0);
	goes_idle();
	ck_assert_mem_eq(&pg_account(&backend)->statement, &nothing, sizeof(nothing));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/statement_end");
	TCase *one = tcase_create("one thread");

	tcase_add_checked_fixture(one, set_up_statements, tear_down);
	tcase_add_test(one, test_counted_and_timed);
	tcase_add_test(one, test_several_of_one_string);
	tcase_add_test(one, test_no_time);
	tcase_add_test(one, test_errors);
	tcase_add_test(one, test_error_without_an_id);
	tcase_add_test(one, test_slow_is_told);
	tcase_add_test(one, test_commit_after_the_end);
	tcase_add_test(one, test_long_text);
	tcase_add_test(one, test_slowest);
	tcase_add_test(one, test_full_ring);
	tcase_add_test(one, test_full_sums);
	tcase_add_test(one, test_nothing_to_count);
	tcase_add_test(one, test_ambient);
	suite_add_tcase(suite, one);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
