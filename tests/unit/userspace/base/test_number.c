// SPDX-License-Identifier: BSD-2-Clause
/* test_number.c - formatting and parsing of userspace/base/number.h, at the seams between units and at the limits. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/check_main.h"
#include "userspace/base/number.h"

struct expected {
	int64_t value;
	const char *text;
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void check_all(char *(*format)(char *, int64_t), const struct expected *list, size_t n)
{
	char text[TAP_NUMBER_MAX];

	for (size_t i = 0; i < n; i++) {
		ck_assert_ptr_eq(format(text, list[i].value), text);
		ck_assert_str_eq(text, list[i].text);
	}
}

START_TEST(test_ns)
{
	static const struct expected list[] = {
		{ 0, "0" },
		{ 1, "1 ns" },
		{ 450, "450 ns" },
		{ 999, "999 ns" },
		{ 1000, "1.00 us" },
		{ 1234, "1.23 us" },
		{ 9994, "9.99 us" },
		{ 9995, "10.0 us" },
		{ 99949, "99.9 us" },
		{ 99950, "100 us" },
		{ 999499, "999 us" },
		{ 999500, "1.00 ms" },
		{ 12345678, "12.3 ms" },
		{ 1500000000, "1.50 s" },
		{ 59949999999, "59.9 s" },
		{ 59950000000, "1m00s" },
		{ 125400000000, "2m05s" },
		{ 3599499999999, "59m59s" },
		{ 3599500000000, "1h00m" },
		{ 11220000000000, "3h07m" },
		{ 86400000000000, "1d00h" },
		{ 1051200000000000, "12d04h" },
		{ -1500000000, "-1.50 s" },
		{ -450, "-450 ns" },
		{ INT64_MAX, "106751d23h" },
		{ INT64_MIN, "-106751d23h" },
	};

	check_all(tap_number_ns, list, COUNT_OF(list));
}
END_TEST

START_TEST(test_bytes)
{
	static const struct expected list[] = {
		{ 0, "0" },
		{ 1, "1 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.00 KiB" },
		{ 1536, "1.50 KiB" },
		{ 1024 * 1000, "1000 KiB" },
		{ 1024 * 1023, "1023 KiB" },
		{ 1024 * 1024 - 1, "1.00 MiB" },
		{ 1288490189, "1.20 GiB" },
		{ -2048, "-2.00 KiB" },
		{ INT64_MAX, "8.00 EiB" },
		{ INT64_MIN, "-8.00 EiB" },
	};

	check_all(tap_number_bytes, list, COUNT_OF(list));
}
END_TEST

START_TEST(test_count)
{
	static const struct expected list[] = {
		{ 0, "0" },
		{ 99999, "99999" },
		{ 100000, "100 k" },
		{ 999499, "999 k" },
		{ 999500, "1.00 M" },
		{ 4560000, "4.56 M" },
		{ 7890000000, "7.89 G" },
		{ -12, "-12" },
		{ -100000, "-100 k" },
		{ INT64_MAX, "9223 P" },
	};

	check_all(tap_number_count, list, COUNT_OF(list));
}
END_TEST

START_TEST(test_grouped)
{
	static const struct expected list[] = {
		{ 0, "0" },
		{ 999, "999" },
		{ 1000, "1,000" },
		{ 1234567, "1,234,567" },
		{ -1000, "-1,000" },
		{ INT64_MAX, "9,223,372,036,854,775,807" },
		{ INT64_MIN, "-9,223,372,036,854,775,808" },
	};

	check_all(tap_number_grouped, list, COUNT_OF(list));
}
END_TEST

START_TEST(test_percent)
{
	char text[TAP_NUMBER_MAX];

	ck_assert_str_eq(tap_number_percent(text, 99.974, 2), "99.97");
	ck_assert_str_eq(tap_number_percent(text, 99.96, 1), "100.0");
	ck_assert_str_eq(tap_number_percent(text, 43.5, 0), "44");
	ck_assert_str_eq(tap_number_percent(text, 0.05, 3), "0.050");
	ck_assert_str_eq(tap_number_percent(text, -0.4, 0), "0");
	ck_assert_str_eq(tap_number_percent(text, -1.25, 1), "-1.3");
	ck_assert_str_eq(tap_number_percent(text, NAN, 1), "-");
	ck_assert_str_eq(tap_number_percent(text, INFINITY, 1), "-");
	ck_assert_str_eq(tap_number_percent(text, -INFINITY, 1), "-");
	ck_assert_str_eq(tap_number_percent(text, 1e300, 9), "999999999.000");
	ck_assert_str_eq(tap_number_percent(text, -1e300, -9), "-999999999");
}
END_TEST

/* Whatever the value, the text fits, is ASCII and starts like a number. */
START_TEST(test_any_value_fits)
{
	static char *(*const formats[])(char *, int64_t) = { tap_number_ns, tap_number_bytes, tap_number_count,
							     tap_number_grouped };
	char text[TAP_NUMBER_MAX];

	srand(1);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();

		for (size_t f = 0; f < COUNT_OF(formats); f++) {
			memset(text, 'x', sizeof(text));
			formats[f](text, (int64_t)(bits >> (unsigned)(i % 64)));
			ck_assert_ptr_nonnull(memchr(text, '\0', sizeof(text)));
			ck_assert_uint_lt(strlen(text), 27);
			ck_assert_ptr_nonnull(strchr("-0123456789", text[0]));
		}
	}
}
END_TEST

START_TEST(test_parse_int)
{
	int64_t value = 77;

	ck_assert_int_eq(tap_number_parse_int("0", 0, 10, &value), 0);
	ck_assert_int_eq(value, 0);
	ck_assert_int_eq(tap_number_parse_int("+10", 0, 10, &value), 0);
	ck_assert_int_eq(value, 10);
	ck_assert_int_eq(tap_number_parse_int("-5", -5, 10, &value), 0);
	ck_assert_int_eq(value, -5);
	ck_assert_int_eq(tap_number_parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &value), 0);
	ck_assert_int_eq(value, INT64_MAX);
	ck_assert_int_eq(tap_number_parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &value), 0);
	ck_assert_int_eq(value, INT64_MIN);
}
END_TEST

START_TEST(test_parse_int_refused)
{
	static const char *const none[] = { "", "-", "+", " 1", "1 ", "1.5", "0x10", "1e3", "--1", "ten", "1\n" };
	static const char *const outside[] = { "11", "-1", "9223372036854775808", "-9223372036854775809",
					       "99999999999999999999999999" };
	int64_t value = 77;

	for (size_t i = 0; i < COUNT_OF(none); i++)
		ck_assert_int_eq(tap_number_parse_int(none[i], 0, 10, &value), -EINVAL);
	for (size_t i = 0; i < COUNT_OF(outside); i++)
		ck_assert_int_eq(tap_number_parse_int(outside[i], 0, 10, &value), -ERANGE);
	ck_assert_int_eq(tap_number_parse_int("9223372036854775808", INT64_MIN, INT64_MAX, &value), -ERANGE);
	ck_assert_int_eq(value, 77);
}
END_TEST

START_TEST(test_parse_decimal)
{
	double value = 77;

	ck_assert_int_eq(tap_number_parse_decimal("10", 0, 100, &value), 0);
	ck_assert_double_eq(value, 10);
	ck_assert_int_eq(tap_number_parse_decimal(".5", 0, 100, &value), 0);
	ck_assert_double_eq(value, 0.5);
	ck_assert_int_eq(tap_number_parse_decimal("0.25", 0, 100, &value), 0);
	ck_assert_double_eq(value, 0.25);
	ck_assert_int_eq(tap_number_parse_decimal("3.", 0, 100, &value), 0);
	ck_assert_double_eq(value, 3);
	ck_assert_int_eq(tap_number_parse_decimal("-1.5", -2, 100, &value), 0);
	ck_assert_double_eq(value, -1.5);
	ck_assert_int_eq(tap_number_parse_decimal("0.333333333333333333333333333333", 0, 1, &value), 0);
	ck_assert_double_eq_tol(value, 1.0 / 3, 1e-12);
}
END_TEST

START_TEST(test_parse_decimal_refused)
{
	static const char *const none[] = {
		"", ".", "-", "+.", "1,5", "1e3", "nan", "inf", " 1", "1 ", "1.2.3", "0x1"
	};
	static char huge[400];
	double value = 77;

	memset(huge, '9', sizeof(huge) - 1);
	for (size_t i = 0; i < COUNT_OF(none); i++)
		ck_assert_int_eq(tap_number_parse_decimal(none[i], 0, 10, &value), -EINVAL);
	ck_assert_int_eq(tap_number_parse_decimal("10.01", 0, 10, &value), -ERANGE);
	ck_assert_int_eq(tap_number_parse_decimal("-0.01", 0, 10, &value), -ERANGE);
	ck_assert_int_eq(tap_number_parse_decimal(huge, 0, 10, &value), -ERANGE);
	ck_assert_double_eq(value, 77);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/base/number");
	TCase *format = tcase_create("format"), *parse = tcase_create("parse");

	tcase_add_test(format, test_ns);
	tcase_add_test(format, test_bytes);
	tcase_add_test(format, test_count);
	tcase_add_test(format, test_grouped);
	tcase_add_test(format, test_percent);
	tcase_add_test(format, test_any_value_fits);
	suite_add_tcase(suite, format);
	tcase_add_test(parse, test_parse_int);
	tcase_add_test(parse, test_parse_int_refused);
	tcase_add_test(parse, test_parse_decimal);
	tcase_add_test(parse, test_parse_decimal_refused);
	suite_add_tcase(suite, parse);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
