// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_statement.c - bpf/statement.bpf.h: where one statement ends and the next begins, which id its time goes to, and
 * how many calls that makes.
 */
#include "tests/unit/bpf/fake/one_backend.h"

#include "tests/lib/check_main.h"

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

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/statement");
	TCase *one = tcase_create("one thread");

	tcase_add_checked_fixture(one, set_up, tear_down);
	tcase_add_test(one, test_restamps_are_one_statement);
	tcase_add_test(one, test_statement_within_one_run);
	tcase_add_test(one, test_id_found_late);
	tcase_add_test(one, test_late_id_takes_only_its_own);
	tcase_add_test(one, test_own_id_at_the_end);
	tcase_add_test(one, test_own_ids_everywhere);
	tcase_add_test(one, test_lost_texts_are_counted);
	tcase_add_test(one, test_odd_change_count_keeps_the_identity);
	tcase_add_test(one, test_pipelined_statements_are_marked);
	tcase_add_test(one, test_progress_is_not_pipelining);
	suite_add_tcase(suite, one);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
