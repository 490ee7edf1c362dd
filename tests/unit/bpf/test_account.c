// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_account.c - bpf/account.bpf.h: a thread that works for more rows, or waits for more events, than it can keep.
 */
#include "tests/unit/bpf/fake/one_backend.h"

#include "tests/lib/check_main.h"

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

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/account");
	TCase *one = tcase_create("one thread");

	tcase_add_checked_fixture(one, set_up, tear_down);
	tcase_add_test(one, test_more_rows_than_ways);
	tcase_add_test(one, test_thread_figures_survive_evictions);
	tcase_add_test(one, test_parity_follows_the_snapshots);
	tcase_add_test(one, test_more_waits_than_a_way_keeps);
	tcase_add_test(one, test_late_id_with_many_waits);
	tcase_add_test(one, test_full_totals_spill_into_the_rest);
	suite_add_tcase(suite, one);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
