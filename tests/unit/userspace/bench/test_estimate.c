// SPDX-License-Identifier: BSD-2-Clause
/* test_estimate.c - the arithmetic of the paired measurement on small cases worked out by hand. */
#include "userspace/bench/estimate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

#define ck_near(got, want, tolerance) ck_assert_double_eq_tol((got), (want), (tolerance))

START_TEST(equal_quads_have_no_width)
{
	const struct tap_quad quads[] = { { 99, 100 }, { 198, 200 }, { 49.5, 50 } };
	struct tap_estimate estimate;

	ck_assert_int_eq(tap_estimate_make(quads, 3, &estimate), 0);
	ck_assert_uint_eq(estimate.quads, 3);
	ck_near(estimate.ratio.value, 0.99, 1e-12);
	ck_near(estimate.ratio.low, 0.99, 1e-9);
	ck_near(estimate.ratio.high, 0.99, 1e-9);
	ck_near(estimate.on_per_second, 346.5 / 3, 1e-9);
	ck_near(estimate.off_per_second, 350.0 / 3, 1e-9);
	for (int i = 0; i < 3; i++)
		ck_near(estimate.quartile[i], 0.99, 1e-12);
}
END_TEST

/* R = 300/310; residuals of the quads by hand; t(0.975, 2) = 4.30265. */
START_TEST(interval_follows_the_formula)
{
	const struct tap_quad quads[] = { { 90, 100 }, { 110, 100 }, { 100, 110 } };
	struct tap_estimate estimate;
	double r = 300.0 / 310, e[3] = { 90 - r * 100, 110 - r * 100, 100 - r * 110 };
	double squares = e[0] * e[0] + e[1] * e[1] + e[2] * e[2];
	double error = sqrt(squares / 2 / 3) / (310.0 / 3);

	ck_assert_int_eq(tap_estimate_make(quads, 3, &estimate), 0);
	ck_near(estimate.ratio.value, r, 1e-12);
	ck_near(estimate.error, error, 1e-12);
	ck_near(estimate.ratio.low, r - 4.30265 * error, 1e-9);
	ck_near(estimate.ratio.high, r + 4.30265 * error, 1e-9);
	ck_near(estimate.lag1, (e[0] * e[1] + e[1] * e[2]) / squares, 1e-12);
}
END_TEST

/* A mean of ratios would say 1.25: twice as fast in a slow moment does not make up for half as fast in a fast one. */
START_TEST(work_done_counts_and_not_ratios)
{
	const struct tap_quad quads[] = { { 20, 10 }, { 500, 1000 } };
	struct tap_estimate estimate;

	ck_assert_int_eq(tap_estimate_make(quads, 2, &estimate), 0);
	ck_near(estimate.ratio.value, 520.0 / 1010, 1e-12);
	ck_near(estimate.quartile[1], 1.25, 1e-12);
}
END_TEST

START_TEST(quartiles_and_median)
{
	struct tap_quad quads[101];
	struct tap_estimate estimate;

	for (int i = 0; i < 101; i++)
		quads[i] = (struct tap_quad){ .on = 1 + (i * 37) % 101, .off = 1 };
	ck_assert_int_eq(tap_estimate_make(quads, 101, &estimate), 0);
	ck_near(estimate.quartile[0], 26, 1e-9);
	ck_near(estimate.quartile[1], 51, 1e-9);
	ck_near(estimate.quartile[2], 76, 1e-9);
	/* Ranks 40 and 62 of 101: binomial(101, 1/2) leaves out 2.3 % on each side. */
	ck_near(estimate.median.low, 40, 1e-9);
	ck_near(estimate.median.high, 62, 1e-9);
	ck_assert_int_eq(tap_estimate_make(quads, 5, &estimate), 0);
	ck_near(estimate.median.low, 1, 1e-9);
	ck_near(estimate.median.high, 75, 1e-9);
}
END_TEST

START_TEST(bad_input_is_refused)
{
	const struct tap_quad fine = { 1, 1 };
	const struct {
		struct tap_quad quad;
		int code;
	} cases[] = {
		{ { NAN, 1 }, -EINVAL }, { { 1, INFINITY }, -EINVAL }, { { -1, 1 }, -EINVAL },
		{ { 1, -1 }, -EINVAL },	 { { 1, 0 }, -ENODATA },       { { 0, 0 }, -ENODATA },
	};
	struct tap_estimate estimate = { .quads = 7 };

	ck_assert_int_eq(tap_estimate_make(&fine, 1, &estimate), -EINVAL);
	ck_assert_int_eq(tap_estimate_make(NULL, 5, &estimate), -EINVAL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct tap_quad quads[] = { fine, cases[i].quad, fine };

		ck_assert_int_eq(tap_estimate_make(quads, 3, &estimate), cases[i].code);
	}
	ck_assert_uint_eq(estimate.quads, 7);
}
END_TEST

START_TEST(nothing_done_while_on_is_a_ratio_of_zero)
{
	const struct tap_quad quads[] = { { 0, 5 }, { 0, 7 } };
	struct tap_estimate estimate;

	ck_assert_int_eq(tap_estimate_make(quads, 2, &estimate), 0);
	ck_near(estimate.ratio.value, 0, 1e-12);
	ck_near(tap_estimate_correct(&estimate, &estimate).value, 0, 1e-12);
}
END_TEST

START_TEST(out_of_memory)
{
	const struct tap_quad quads[] = { { 1, 1 }, { 1, 1 } };
	struct tap_estimate estimate = { .quads = 7 };

	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_estimate_make(quads, 2, &estimate), -ENOMEM);
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(estimate.quads, 7);
}
END_TEST

START_TEST(correction_divides_and_widens)
{
	const struct tap_estimate real = { .quads = 1000, .ratio = { .value = 0.98 }, .error = 0.003 };
	const struct tap_estimate null_run = { .quads = 1000, .ratio = { .value = 0.99 }, .error = 0.004 };
	struct tap_interval corrected = tap_estimate_correct(&real, &null_run);
	double half = 1.9623 * hypot(0.003 / 0.98, 0.004 / 0.99);

	ck_near(corrected.value, 0.98 / 0.99, 1e-12);
	ck_near(corrected.low, corrected.value * exp(-half), 1e-5);
	ck_near(corrected.high, corrected.value * exp(half), 1e-5);
}
END_TEST

START_TEST(overhead_turns_the_interval_round)
{
	struct tap_interval lost = tap_estimate_overhead_percent((struct tap_interval){ 0.99, 0.98, 1.01 });

	ck_near(lost.value, 1, 1e-9);
	ck_near(lost.low, -1, 1e-9);
	ck_near(lost.high, 2, 1e-9);
}
END_TEST

/* From printed tables of t. */
START_TEST(quantiles_of_t)
{
	static const struct {
		size_t freedom;
		double t;
	} table[] = {
		{ 0, 12.7062 },	 { 1, 12.7062 },   { 2, 4.30265 },	 { 3, 3.18245 },  { 4, 2.77645 },
		{ 5, 2.57058 },	 { 6, 2.44691 },   { 7, 2.36462 },	 { 10, 2.22814 }, { 20, 2.08596 },
		{ 60, 2.00030 }, { 120, 1.97993 }, { 1000000, 1.95997 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_near(tap_estimate_t975(table[i].freedom), table[i].t, table[i].t * 0.001);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("estimate");
	TCase *tcase = tcase_create("estimate");

	tcase_add_test(tcase, equal_quads_have_no_width);
	tcase_add_test(tcase, interval_follows_the_formula);
	tcase_add_test(tcase, work_done_counts_and_not_ratios);
	tcase_add_test(tcase, quartiles_and_median);
	tcase_add_test(tcase, bad_input_is_refused);
	tcase_add_test(tcase, nothing_done_while_on_is_a_ratio_of_zero);
	tcase_add_test(tcase, out_of_memory);
	tcase_add_test(tcase, correction_divides_and_widens);
	tcase_add_test(tcase, overhead_turns_the_interval_round);
	tcase_add_test(tcase, quantiles_of_t);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
