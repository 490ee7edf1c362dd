// SPDX-License-Identifier: BSD-2-Clause
/* test_memory.c - bpf/memory.bpf.h on the host: whose private memory is, and the most of it. */
#include "tests/unit/bpf/fake/one_backend.h"

#include "tests/lib/check_main.h"

enum {
	PAGE = 4096,
};

/* The backend's private memory is `pages` now; more than before comes by faults. */
static void hold(long long pages)
{
	long long *held = &backend.mm.rss_stat[MM_ANONPAGES].count;

	if (pages > *held)
		backend.task.min_flt += (unsigned long)(pages - *held);
	*held = pages;
}

static void statement_begins(__u64 id)
{
	woken_after(100, 0);
	pg_report_running(&backend, "select 1");
	pg_report_query_id(&backend, id);
	pg_cpu(&backend, 10);
}

static void statement_ends(void)
{
	pg_cpu(&backend, 10);
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_sleep(&backend, TAP_PG_CLIENT_READ);
}

static __u64 peak_of(const struct tap_row *row)
{
	return tap_peak_bytes(row->peak) / PAGE;
}

static __s64 sum_of_growth(void)
{
	__s64 sum = 0;

	for (size_t i = 0; i < taken.rows.count; i++)
		sum += taken.rows.rows[i].account.anon_bytes;
	return sum / PAGE;
}

START_TEST(test_gained_and_given_back)
{
	client_is_idle();
	statement_begins(77);
	hold(500);
	on_tick(NULL);
	hold(900);
	pg_sleep_for(&backend, IO_EVENT, 10, 0);
	hold(40);
	statement_ends();
	take();
	ck_assert_int_eq(statement(77)->account.anon_bytes, 40 * PAGE);
	ck_assert_uint_eq(peak_of(statement(77)), 900);
	ck_assert_int_eq(sum_of_growth(), 40);
}
END_TEST

/* What is given back between two looks without a fault is still the statement's. */
START_TEST(test_given_back_at_the_end)
{
	client_is_idle();
	statement_begins(77);
	hold(900);
	on_tick(NULL);
	statement_ends();
	statement_begins(78);
	hold(10);
	statement_ends();
	take();
	ck_assert_int_eq(statement(77)->account.anon_bytes, 900 * PAGE);
	/* It had no fault, so nothing was looked at: a later look has it. */
	ck_assert_int_eq(statement(78)->account.anon_bytes, 0);
	ck_assert_int_eq(sum_of_growth(), 10);
}
END_TEST

START_TEST(test_a_peak_is_of_its_window)
{
	__u32 begin;

	client_is_idle();
	statement_begins(77);
	hold(900);
	statement_ends();
	take();
	begin = taken.epoch;
	ck_assert(tap_peak_is_since(statement(77)->peak, 0));
	statement_begins(77);
	hold(10);
	statement_ends();
	statement_begins(77);
	hold(30);
	statement_ends();
	take();
	ck_assert(tap_peak_is_since(statement(77)->peak, begin));
	ck_assert_uint_eq(peak_of(statement(77)), 30);
}
END_TEST

START_TEST(test_without_faults_there_is_no_peak)
{
	client_is_idle();
	statement_begins(77);
	statement_ends();
	take();
	ck_assert(!tap_peak_is_since(statement(77)->peak, 0));
	ck_assert_int_eq(statement(77)->account.anon_bytes, 0);
}
END_TEST

/* One that sleeps holds what it holds, whatever the window. */
START_TEST(test_one_that_sleeps_has_its_peak)
{
	client_is_idle();
	statement_begins(77);
	hold(900);
	pg_sleep(&backend, LOCK_EVENT);
	take();
	clock_advance(1000);
	take();
	ck_assert(tap_peak_is_since(statement(77)->peak, taken.epoch));
	ck_assert_uint_eq(peak_of(statement(77)), 900);
}
END_TEST

START_TEST(test_an_exit_gives_all_back)
{
	client_is_idle();
	statement_begins(77);
	hold(900);
	statement_ends();
	woken_after(10, 0);
	backend.task.flags |= PF_EXITING;
	backend.task.mm = NULL;
	pg_sleep_for(&backend, 0, 10, 0);
	take();
	ck_assert_int_eq(statement(77)->account.anon_bytes, 900 * PAGE);
	ck_assert_int_eq(sum_of_growth(), 0);
}
END_TEST

START_TEST(test_no_room_for_peaks)
{
	client_is_idle();
	fake_map_of(&row_to_peak)->max = fake_map_of(&row_to_peak)->count;
	statement_begins(77);
	hold(900);
	statement_ends();
	take();
	ck_assert_uint_ge(losses[TAP_LOSS_PEAKS_FULL], 1);
	ck_assert_int_eq(statement(77)->account.anon_bytes, 900 * PAGE);
	ck_assert(!tap_peak_is_since(statement(77)->peak, 0));
}
END_TEST

START_TEST(test_threads_of_a_server_share_theirs)
{
	client_is_idle();
	pg_account(&backend)->role = TAP_ROLE_MY_THREAD;
	hold(900);
	ck_assert(!memory_concerns(pg_account(&backend), backend.task.min_flt, false));
	pg_account(&backend)->role = TAP_ROLE_BACKEND;
	ck_assert(memory_concerns(pg_account(&backend), backend.task.min_flt, false));
}
END_TEST

START_TEST(test_peaks_are_numbers_to_compare)
{
	ck_assert_uint_gt(tap_peak_make(2, 1), tap_peak_make(1, 1000));
	ck_assert_uint_gt(tap_peak_make(2, 1001), tap_peak_make(2, 1000));
	ck_assert_uint_eq(tap_peak_bytes(tap_peak_make(7, 3)), 3072);
	ck_assert(tap_peak_is_since(tap_peak_make(7, 3), 7));
	ck_assert(!tap_peak_is_since(tap_peak_make(7, 3), 8));
	ck_assert(!tap_peak_is_since(0, 0));
	/* Of the number 24 bits are kept. */
	ck_assert(tap_peak_is_since(tap_peak_make(0x1000001, 3), 0xffffff));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("memory");
	TCase *tcase = tcase_create("memory");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_gained_and_given_back);
	tcase_add_test(tcase, test_given_back_at_the_end);
	tcase_add_test(tcase, test_a_peak_is_of_its_window);
	tcase_add_test(tcase, test_without_faults_there_is_no_peak);
	tcase_add_test(tcase, test_one_that_sleeps_has_its_peak);
	tcase_add_test(tcase, test_an_exit_gives_all_back);
	tcase_add_test(tcase, test_no_room_for_peaks);
	tcase_add_test(tcase, test_threads_of_a_server_share_theirs);
	tcase_add_test(tcase, test_peaks_are_numbers_to_compare);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
