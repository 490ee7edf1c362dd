// SPDX-License-Identifier: BSD-2-Clause
/* test_figure.c - the tables of correlate/figure.h are complete and consistent. */
#include <errno.h>
#include <string.h>

#include "correlate/figure.h"
#include "tests/lib/check_main.h"

START_TEST(test_every_figure_has_a_name_of_its_own)
{
	for (int i = 0; i < TAP_FIGURE_COUNT; i++) {
		ck_assert_ptr_nonnull(tap_figure_infos[i].name);
		ck_assert_uint_gt(strlen(tap_figure_infos[i].meaning), 0);
		ck_assert_int_eq(tap_figure_by_name(tap_figure_infos[i].name), i);
	}
}
END_TEST

START_TEST(test_units_are_in_the_names)
{
	for (int i = 0; i < TAP_FIGURE_COUNT; i++) {
		const struct tap_figure_info *info = &tap_figure_infos[i];
		size_t size = strlen(info->name);
		bool ns = size > 3 && strcmp(info->name + size - 3, "_ns") == 0;
		bool bytes = size > 6 && strcmp(info->name + size - 6, "_bytes") == 0;

		ck_assert_int_eq(info->unit, ns ? TAP_UNIT_NS : bytes ? TAP_UNIT_BYTES : TAP_UNIT_COUNT);
	}
}
END_TEST

START_TEST(test_unknown_names)
{
	ck_assert_int_eq(tap_figure_by_name(""), -ENOENT);
	ck_assert_int_eq(tap_figure_by_name("cpu"), -ENOENT);
	ck_assert_int_eq(tap_figure_by_name("cpu_ns "), -ENOENT);
	ck_assert_int_eq(tap_figure_by_name("CPU_NS"), -ENOENT);
}
END_TEST

START_TEST(test_every_reason_has_a_text)
{
	ck_assert_str_eq(tap_reason_texts[TAP_REASON_NONE], "");
	for (int i = 1; i < TAP_REASON_COUNT; i++)
		ck_assert_uint_gt(strlen(tap_reason_texts[i]), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/figure");
	TCase *tcase = tcase_create("tables");

	tcase_add_test(tcase, test_every_figure_has_a_name_of_its_own);
	tcase_add_test(tcase, test_units_are_in_the_names);
	tcase_add_test(tcase, test_unknown_names);
	tcase_add_test(tcase, test_every_reason_has_a_text);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
