// SPDX-License-Identifier: BSD-2-Clause
/* test_row.c - correlate/row: keys, sums, differences that add up, signs, no memory. */
#include "correlate/row.h"

#include <errno.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_row_set begin, end, difference;

static void set_up(void)
{
	tap_row_set_init(&begin);
	tap_row_set_init(&end);
	tap_row_set_init(&difference);
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_row_set_done(&begin);
	tap_row_set_done(&end);
	tap_row_set_done(&difference);
	tap_row_set_done(&difference);
	tap_row_set_done(NULL);
}

static struct tap_row_key key_of(uint64_t query_id)
{
	return (struct tap_row_key){ .instance = 1, .kind = TAP_KIND_CLIENT, .source = 1, .query_id = query_id };
}

static struct tap_row *get(struct tap_row_set *set, uint64_t query_id)
{
	struct tap_row_key key = key_of(query_id);
	struct tap_row *row = tap_row_set_get(set, &key);

	ck_assert_ptr_nonnull(row);
	return row;
}

static const struct tap_row *find(const struct tap_row_set *set, uint64_t query_id)
{
	struct tap_row_key key = key_of(query_id);

	return tap_row_set_find(set, &key);
}

static void fill(struct tap_row *row, uint64_t cpu_ns, uint32_t event, uint64_t count, int64_t ns)
{
	struct tap_account account = { .cpu_ns = cpu_ns, .calls = 1 };

	tap_row_add_account(row, &account);
	ck_assert_int_eq(tap_row_add_wait(row, event, count, ns, 0), 0);
}

START_TEST(test_get_makes_and_finds)
{
	for (uint64_t id = 0; id < 500; id++)
		get(&begin, id)->running = id;
	ck_assert_uint_eq(begin.count, 500);
	for (uint64_t id = 0; id < 500; id++) {
		ck_assert_uint_eq(find(&begin, id)->running, id);
		ck_assert_uint_eq(get(&begin, id)->running, id);
	}
	ck_assert_uint_eq(begin.count, 500);
	ck_assert_ptr_null(find(&begin, 500));
	ck_assert_ptr_null(find(&end, 1));
}
END_TEST

/* Every other byte of a key tells rows apart; the parity does not. */
START_TEST(test_keys)
{
	struct tap_row_key key = key_of(1), other;

	ck_assert_ptr_nonnull(tap_row_set_get(&begin, &key));
	other = key;
	other.parity = 1;
	other.pad = 7;
	ck_assert_ptr_eq(tap_row_set_find(&begin, &other), begin.rows);
	ck_assert_ptr_eq(tap_row_set_get(&begin, &other), begin.rows);
	ck_assert_uint_eq(begin.rows[0].key.parity, 0);
	other = key, other.instance++;
	ck_assert_ptr_null(tap_row_set_find(&begin, &other));
	other = key, other.kind++;
	ck_assert_ptr_null(tap_row_set_find(&begin, &other));
	other = key, other.source++;
	ck_assert_ptr_null(tap_row_set_find(&begin, &other));
	other = key, other.database++;
	ck_assert_ptr_null(tap_row_set_find(&begin, &other));
	other = key, other.user++;
	ck_assert_ptr_null(tap_row_set_find(&begin, &other));
}
END_TEST

START_TEST(test_every_figure_adds_up)
{
	struct tap_account account = { .cpu_ns = 1,
				       .runq_ns = 2,
				       .unknown_ns = -3,
				       .calls = 4,
				       .uncounted = 5,
				       .preemptions = 7,
				       .anon_bytes = 6,
				       .minor_faults = 8,
				       .major_faults = 9,
				       .rchar_bytes = 10,
				       .wchar_bytes = 11,
				       .read_bytes = 12,
				       .dirtied_bytes = UINT64_MAX };
	struct tap_row *row = get(&begin, 1);

	tap_row_add_account(row, &account);
	tap_row_add_account(row, &account);
	ck_assert_uint_eq(row->account.cpu_ns, 2);
	ck_assert_uint_eq(row->account.runq_ns, 4);
	ck_assert_int_eq(row->account.unknown_ns, -6);
	ck_assert_uint_eq(row->account.calls, 8);
	ck_assert_uint_eq(row->account.uncounted, 10);
	ck_assert_uint_eq(tap_row_sleeps(row), 0);
	ck_assert_uint_eq(row->account.preemptions, 14);
	ck_assert_uint_eq(row->account.minor_faults, 16);
	ck_assert_uint_eq(row->account.major_faults, 18);
	ck_assert_uint_eq(row->account.rchar_bytes, 20);
	ck_assert_uint_eq(row->account.wchar_bytes, 22);
	ck_assert_uint_eq(row->account.read_bytes, 24);
	ck_assert_uint_eq(row->account.dirtied_bytes, UINT64_MAX - 1);
}
END_TEST

START_TEST(test_waits)
{
	struct tap_row *row = get(&begin, 1);

	for (uint32_t event = 0; event < 100; event++)
		ck_assert_int_eq(tap_row_add_wait(row, event, 1, event, 0), 0);
	ck_assert_int_eq(tap_row_add_wait(row, 50, 2, -10, 1), 0);
	ck_assert_uint_eq(row->n_waits, 100);
	ck_assert_uint_eq(row->waits[50].count, 3);
	ck_assert_uint_eq(row->waits[50].open, 1);
	ck_assert_int_eq(row->waits[50].ns, 40);
	ck_assert_int_eq(tap_row_wait_ns(row), 4950 - 10);
	ck_assert_uint_eq(tap_row_sleeps(row), 102 + 1);
	row->account.cpu_ns = 100;
	row->account.runq_ns = 20;
	row->account.unknown_ns = -40;
	ck_assert_int_eq(tap_row_elapsed_ns(row), 4940 + 80);
}
END_TEST

START_TEST(test_subtract)
{
	fill(get(&begin, 1), 10, 7, 1, 100);
	fill(get(&begin, 2), 10, 7, 1, 100);
	fill(get(&begin, 3), 10, 7, 1, 100);
	get(&begin, 3)->running = 2;
	fill(get(&end, 1), 10, 7, 1, 100); /* unchanged */
	fill(get(&end, 2), 15, 7, 3, 150);
	fill(get(&end, 2), 0, 8, 1, 5);
	fill(get(&end, 3), 10, 7, 1, 100); /* unchanged, but it runs */
	get(&end, 3)->running = 1;
	fill(get(&end, 4), 1, 9, 0, 0); /* new; its wait says nothing */
	ck_assert_int_eq(tap_row_set_subtract(&end, &begin, &difference), 0);
	ck_assert_uint_eq(difference.count, 3);
	ck_assert_ptr_null(find(&difference, 1));
	ck_assert_uint_eq(find(&difference, 2)->account.cpu_ns, 5);
	ck_assert_uint_eq(find(&difference, 2)->account.calls, 1);
	ck_assert_uint_eq(find(&difference, 2)->n_waits, 2);
	ck_assert_uint_eq(find(&difference, 2)->waits[0].count, 2);
	ck_assert_int_eq(find(&difference, 2)->waits[0].ns, 50);
	ck_assert_uint_eq(find(&difference, 3)->running, 1);
	ck_assert_uint_eq(find(&difference, 3)->n_waits, 0);
	ck_assert_uint_eq(find(&difference, 4)->account.cpu_ns, 1);
}
END_TEST

/* A row that shrank shows it: sums of windows stay exact. */
START_TEST(test_subtract_below_zero)
{
	fill(get(&begin, 1), 10, 7, 2, 100);
	fill(get(&end, 1), 4, 7, 1, 90);
	fill(get(&begin, 1), 0, 8, 1, 5); /* an event that is gone at the end */
	ck_assert_int_eq(tap_row_set_subtract(&end, &begin, &difference), 0);
	ck_assert_int_eq((int64_t)find(&difference, 1)->account.cpu_ns, -6);
	ck_assert_int_eq(tap_row_wait_ns(find(&difference, 1)), -15);
	ck_assert_int_eq((int64_t)find(&difference, 1)->waits[0].count, -1);
}
END_TEST

static void own(struct tap_row_set *set, uint64_t query_id, uint64_t cpu_ns, uint64_t count, int64_t ns)
{
	struct tap_row_key key = key_of(query_id);
	struct tap_row *row;

	key.source = TAP_QUERY_ID_OWN;
	row = tap_row_set_get(set, &key);
	ck_assert_ptr_nonnull(row);
	fill(row, cpu_ns, 7, count, ns);
}

/* Rows of the first snapshot that are less at the end gave theirs to another; others are subtracted as they are. */
START_TEST(test_forget_moved)
{
	own(&begin, 1, 10, 2, 100); /* goes on */
	own(&end, 1, 12, 2, 180);
	own(&begin, 2, 10, 2, 100); /* gave everything */
	own(&begin, 3, 10, 2, 100); /* gave it, and has a little of another's since */
	own(&end, 3, 11, 3, 90);
	own(&begin, 4, 10, 2, 100);
	own(&end, 4, 9, 2, 100);
	own(&begin, 5, 10, 2, 100);
	own(&end, 5, 10, 1, 100);
	fill(get(&begin, 6), 10, 7, 2, 100); /* the engine's ids are final */
	begin.rows[0].account.unknown_ns = 50;
	tap_row_set_forget_moved(&begin, &end);
	ck_assert_int_eq(tap_row_elapsed_ns(&begin.rows[0]), 160);
	for (size_t i = 1; i < 5; i++) {
		ck_assert_int_eq(tap_row_elapsed_ns(&begin.rows[i]), 0);
		ck_assert_uint_eq(begin.rows[i].account.calls, 0);
		ck_assert_uint_eq(begin.rows[i].n_waits, 0);
	}
	ck_assert_int_eq(tap_row_elapsed_ns(&begin.rows[5]), 110);
	tap_row_set_forget_moved(&begin, &end);
	ck_assert_uint_eq(begin.count, 6);
}
END_TEST

/* A wait that is only open keeps its row. */
START_TEST(test_open_wait_is_kept)
{
	struct tap_row *row = get(&end, 1);

	ck_assert_int_eq(tap_row_add_wait(row, 7, 0, 0, 1), 0);
	ck_assert_int_eq(tap_row_add_wait(get(&begin, 1), 7, 0, 0, 1), 0);
	ck_assert_int_eq(tap_row_set_subtract(&end, &begin, &difference), 0);
	ck_assert_uint_eq(find(&difference, 1)->waits[0].open, 1);
}
END_TEST

START_TEST(test_add)
{
	fill(get(&begin, 1), 10, 7, 2, 100);
	fill(get(&begin, 2), 1, 7, 1, 1);
	get(&begin, 1)->running = 3;
	fill(get(&end, 1), 5, 8, 1, 50);
	ck_assert_int_eq(tap_row_set_add(&end, &begin), 0);
	ck_assert_uint_eq(end.count, 2);
	ck_assert_uint_eq(find(&end, 1)->account.cpu_ns, 15);
	ck_assert_uint_eq(find(&end, 1)->running, 3);
	ck_assert_int_eq(tap_row_wait_ns(find(&end, 1)), 150);
	/* What was subtracted and added again is what it was. */
	ck_assert_int_eq(tap_row_set_subtract(&end, &begin, &difference), 0);
	ck_assert_int_eq(tap_row_set_add(&difference, &begin), 0);
	ck_assert_int_eq(tap_row_elapsed_ns(find(&difference, 1)), tap_row_elapsed_ns(find(&end, 1)));
}
END_TEST

static int all_of_it(void)
{
	struct tap_row_set sum;
	int status;

	tap_row_set_init(&sum);
	status = tap_row_set_subtract(&end, &begin, &difference);
	if (!status)
		status = tap_row_set_add(&sum, &end);
	if (!status)
		status = tap_row_set_add(&sum, &begin);
	tap_row_set_done(&sum);
	return status;
}

START_TEST(test_out_of_memory)
{
	long n;

	for (uint64_t id = 0; id < 100; id++) {
		for (uint32_t event = 0; event < 6; event++)
			fill(get(&end, id), 10, event, 2, 100);
		if (id % 2)
			fill(get(&begin, id), 1, 99, 1, 1);
	}
	for (n = 1;; n++) {
		int status;

		tap_alloc_fail_at(n);
		status = all_of_it();
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(status, -ENOMEM);
		tap_alloc_fail_at(0);
		tap_row_set_done(&difference);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_gt(n, 100);
	ck_assert_uint_eq(difference.count, 100);
}
END_TEST

/* A row that could not be made leaves the set as it was. */
START_TEST(test_out_of_memory_keeps_the_set)
{
	struct tap_row_key key = key_of(1000);

	for (uint64_t id = 0; id < 64; id++)
		get(&begin, id);
	for (long n = 1;; n++) {
		struct tap_row *row;

		tap_alloc_fail_at(n);
		row = tap_row_set_get(&begin, &key);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert_ptr_null(row);
		ck_assert_uint_eq(begin.count, 64);
		ck_assert_ptr_null(find(&begin, 1000));
		ck_assert_ptr_nonnull(find(&begin, 63));
	}
	tap_alloc_fail_at(0);
	ck_assert_ptr_nonnull(find(&begin, 1000));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/row");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_get_makes_and_finds);
	tcase_add_test(tests, test_keys);
	tcase_add_test(tests, test_every_figure_adds_up);
	tcase_add_test(tests, test_waits);
	tcase_add_test(tests, test_subtract);
	tcase_add_test(tests, test_subtract_below_zero);
	tcase_add_test(tests, test_forget_moved);
	tcase_add_test(tests, test_open_wait_is_kept);
	tcase_add_test(tests, test_add);
	tcase_add_test(tests, test_out_of_memory);
	tcase_add_test(tests, test_out_of_memory_keeps_the_set);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
