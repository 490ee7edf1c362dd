// SPDX-License-Identifier: BSD-2-Clause
/* test_error.c - the one-line failure text of userspace/base/error. */
#include "userspace/base/error.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/check_main.h"

START_TEST(test_formats_and_hands_back_the_code)
{
	struct tap_error err = { "" };

	ck_assert_int_eq(tap_error_set(&err, -ENOENT, "%s: %d", "file", 7), -ENOENT);
	ck_assert_str_eq(err.text, "file: 7");
	ck_assert_int_eq(tap_error_set(&err, 0, "%s", ""), 0);
	ck_assert_str_eq(err.text, "");
}
END_TEST

START_TEST(test_works_without_a_place)
{
	ck_assert_int_eq(tap_error_set(NULL, -EINVAL, "%s", "nobody reads this"), -EINVAL);
}
END_TEST

START_TEST(test_stays_one_line_of_plain_characters)
{
	struct tap_error err;

	tap_error_set(&err, -1, "a%cb%cc%cd%ce%cf", '\n', '\r', 0x1b, 0x7f, 0x01);
	ck_assert_str_eq(err.text, "a?b?c?d?e?f");
	tap_error_set(&err, -1, "%s", "t\tx");
	ck_assert_str_eq(err.text, "t?x");
}
END_TEST

START_TEST(test_keeps_bytes_above_ascii)
{
	struct tap_error err;

	tap_error_set(&err, -1, "%s",
		      "gr\xc3\xb6\xc3\x9f"
		      "e");
	ck_assert_str_eq(err.text, "gr\xc3\xb6\xc3\x9f"
				   "e");
}
END_TEST

START_TEST(test_cuts_what_is_too_long)
{
	struct {
		struct tap_error err;
		char guard[16];
	} place;
	char text[4 * TAP_ERROR_MAX];

	memset(&place, 'g', sizeof(place));
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(tap_error_set(&place.err, -E2BIG, "%s", text), -E2BIG);
	ck_assert_uint_eq(strlen(place.err.text), TAP_ERROR_MAX - 1);
	ck_assert_uint_eq(strspn(place.err.text, "x"), TAP_ERROR_MAX - 1);
	for (size_t i = 0; i < sizeof(place.guard); i++)
		ck_assert_int_eq(place.guard[i], 'g');
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("error");
	TCase *tcase = tcase_create("error");

	tcase_add_test(tcase, test_formats_and_hands_back_the_code);
	tcase_add_test(tcase, test_works_without_a_place);
	tcase_add_test(tcase, test_stays_one_line_of_plain_characters);
	tcase_add_test(tcase, test_keeps_bytes_above_ascii);
	tcase_add_test(tcase, test_cuts_what_is_too_long);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
