// SPDX-License-Identifier: BSD-2-Clause
/* test_statement.c - correlate/statement: sums of rows, what of them is a window's, percentiles, codes of errors. */
#include "correlate/statement.h"

#include <errno.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_statement_set begin, end, window;

static void set_up(void)
{
	tap_statement_set_init(&begin);
	tap_statement_set_init(&end);
	tap_statement_set_init(&window);
}

static void tear_down(void)
{
	tap_statement_set_done(&begin);
	tap_statement_set_done(&end);
	tap_statement_set_done(&window);
}

static struct tap_row_key key_of(uint64_t id)
{
	return (struct tap_row_key){ .kind = TAP_KIND_CLIENT, .source = TAP_QUERY_ID_ENGINE, .query_id = id };
}

static int add(struct tap_statement_set *set, uint64_t id, uint64_t ns, uint32_t count, uint64_t max_ns)
{
	struct tap_statement_total total = { .key = key_of(id), .ended = count, .max_ns = max_ns };

	total.latency[tap_latency_bucket_of(ns, TAP_STATEMENT_OCTAVES)] = count;
	return tap_statement_set_add(set, &total);
}

static const struct tap_statement_sum *in_window(uint64_t id)
{
	struct tap_row_key key = key_of(id);

	return tap_statement_set_find(&window, &key);
}

START_TEST(test_window)
{
	struct tap_statement_error_key error = { .row = key_of(1), .code = 5 };

	add(&begin, 1, 1000000, 10, 1000000);
	add(&begin, 2, 1000000, 10, 1000000);
	add(&end, 1, 1000000, 10, 1000000);
	add(&end, 1, 50000000, 5, 50000000);
	add(&end, 2, 1000000, 10, 1000000);
	add(&end, 3, 2000000, 1, 2000000);
	tap_statement_set_add_error(&begin, &error, 2);
	tap_statement_set_add_error(&end, &error, 6);
	ck_assert_int_eq(tap_statement_set_subtract(&end, &begin, &window), 0);
	ck_assert_uint_eq(window.count, 2);
	ck_assert_uint_eq(in_window(1)->ended, 5);
	ck_assert_uint_eq(in_window(1)->max_ns, 50000000);
	ck_assert_ptr_null(in_window(2));
	ck_assert_uint_eq(in_window(3)->ended, 1);
	ck_assert_uint_eq(window.n_errors, 1);
	ck_assert_uint_eq(window.errors[0].count, 4);
	/* Within a bucket of the truth, and never above the longest. */
	ck_assert_int_eq(tap_statement_percentile_ns(in_window(3), 50), 2000000);
	ck_assert_int_ge(tap_statement_percentile_ns(in_window(1), 99), 46000000);
	ck_assert_int_le(tap_statement_percentile_ns(in_window(1), 99), 50000000);
}
END_TEST

/* A window's longest is not one of before: its highest bucket bounds it. */
START_TEST(test_longest_of_before)
{
	add(&begin, 1, 9000000000, 1, 9000000000);
	add(&end, 1, 9000000000, 1, 9000000000);
	add(&end, 1, 1000000, 7, 1000000);
	ck_assert_int_eq(tap_statement_set_subtract(&end, &begin, &window), 0);
	ck_assert_uint_ge(in_window(1)->max_ns, 1000000);
	ck_assert_uint_le(in_window(1)->max_ns, 1125000);
}
END_TEST

/* Counters that the kernel is just writing, or that wrap: no figure is less than nothing. */
START_TEST(test_torn)
{
	add(&begin, 1, 1000, 9, 5000);
	add(&end, 1, 1000, 8, 5000);
	ck_assert_int_eq(tap_statement_set_subtract(&end, &begin, &window), 0);
	ck_assert_uint_eq(window.count, 0);
}
END_TEST

START_TEST(test_empty)
{
	struct tap_statement_total unused = { .ended = 5 };
	struct tap_statement_sum none = { .ended = 1 };
	struct tap_row_key key = key_of(1);

	ck_assert_int_eq(tap_statement_set_add(&end, &unused), 0);
	ck_assert_uint_eq(end.count, 0);
	ck_assert_ptr_null(tap_statement_set_find(&end, &key));
	ck_assert_int_eq(tap_statement_percentile_ns(&none, 50), -1);
	tap_statement_set_done(NULL);
}
END_TEST

START_TEST(test_buckets)
{
	uint32_t last = 0;

	for (uint64_t ns = 1; ns < 1ull << 45; ns += ns / 16 + 1) {
		uint32_t bucket = tap_latency_bucket_of(ns, TAP_STATEMENT_OCTAVES);

		ck_assert_uint_ge(bucket, last);
		ck_assert_uint_lt(bucket, TAP_STATEMENT_BUCKETS);
		last = bucket;
		if (ns < 1024 || ns >= 1ull << 42)
			continue;
		ck_assert_double_le((double)tap_latency_middle_ns(bucket), (double)ns * 1.07);
		ck_assert_double_ge((double)tap_latency_middle_ns(bucket), (double)ns * 0.93);
	}
	ck_assert_uint_eq(last, TAP_STATEMENT_BUCKETS - 1);
}
END_TEST

START_TEST(test_sqlstate)
{
	static const struct {
		uint32_t code;
		const char *text; /* NULL: none */
	} codes[] = {
		{ 33816706, "22012" }, { 16908420, "42P01" }, { 2600, "XX000" },
		{ 0, NULL },	       { UINT32_MAX, NULL },  { 0x3fffffff, NULL },
	};
	char text[TAP_SQLSTATE_SIZE] = "-";

	if (codes[_i].text) {
		ck_assert_int_eq(tap_sqlstate_format(codes[_i].code, text), 0);
		ck_assert_str_eq(text, codes[_i].text);
	} else {
		ck_assert_int_eq(tap_sqlstate_format(codes[_i].code, text), -EBADMSG);
		ck_assert_str_eq(text, "-");
	}
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct tap_statement_error_key error = { .row = key_of(1) };
	long n = 1;

	for (;; n++) {
		int status = 0;

		tear_down();
		tap_alloc_fail_at(n);
		for (uint64_t id = 1; id <= 40 && !status; id++) {
			error.row.query_id = id;
			status = add(&end, id, 1000, 1, 1);
			if (!status)
				status = tap_statement_set_add_error(&end, &error, 1);
		}
		if (!status)
			status = tap_statement_set_subtract(&end, &begin, &window);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(status, -ENOMEM);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_gt(n, 5);
	ck_assert_uint_eq(window.count, 40);
	ck_assert_uint_eq(window.n_errors, 40);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/statement");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_add_test(all, test_window);
	tcase_add_test(all, test_longest_of_before);
	tcase_add_test(all, test_torn);
	tcase_add_test(all, test_empty);
	tcase_add_test(all, test_buckets);
	tcase_add_loop_test(all, test_sqlstate, 0, 6);
	tcase_add_test(all, test_out_of_memory);
	suite_add_tcase(suite, all);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
