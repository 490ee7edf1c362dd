// SPDX-License-Identifier: BSD-2-Clause
/* test_strbuf.c - the growing byte string of userspace/base/strbuf: its invariants, also when memory runs out. */
#include "userspace/base/strbuf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_strbuf buf;

static void set_up(void)
{
	tap_strbuf_init(&buf);
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_strbuf_done(&buf);
}

static void assert_holds(const char *text)
{
	ck_assert_str_eq(buf.data, text);
	ck_assert_uint_eq(buf.size, strlen(text));
	ck_assert(!buf.failed);
}

START_TEST(test_is_a_string_before_the_first_append)
{
	assert_holds("");
	ck_assert_uint_eq(buf.capacity, 0);
	tap_strbuf_clear(&buf);
	assert_holds("");
}
END_TEST

START_TEST(test_appends_in_order)
{
	tap_strbuf_add_string(&buf, "ab");
	tap_strbuf_add_char(&buf, 'c');
	tap_strbuf_add_repeated(&buf, 'd', 3);
	tap_strbuf_printf(&buf, "%d|%s", -5, "e");
	tap_strbuf_add(&buf, "xyz", 2);
	assert_holds("abcddd-5|exy");
}
END_TEST

START_TEST(test_empty_appends_keep_the_string)
{
	tap_strbuf_add(&buf, NULL, 0);
	tap_strbuf_add_string(&buf, "");
	tap_strbuf_add_repeated(&buf, 'x', 0);
	tap_strbuf_printf(&buf, "%s", "");
	assert_holds("");
}
END_TEST

START_TEST(test_keeps_nul_bytes)
{
	tap_strbuf_add(&buf, "a\0b", 3);
	tap_strbuf_add_char(&buf, '\0');
	ck_assert_uint_eq(buf.size, 4);
	ck_assert_mem_eq(buf.data, "a\0b\0", 5);
}
END_TEST

START_TEST(test_grows_past_many_sizes)
{
	char *expect = malloc(100001);

	ck_assert_ptr_nonnull(expect);
	for (size_t i = 0; i < 100000; i++) {
		expect[i] = (char)('a' + i % 26);
		tap_strbuf_add_char(&buf, expect[i]);
		ck_assert_uint_gt(buf.capacity, buf.size);
	}
	expect[100000] = '\0';
	assert_holds(expect);
	free(expect);
}
END_TEST

/* Appending n bytes one by one copies a few times n, not n squared. */
START_TEST(test_grows_by_a_factor)
{
	size_t growths = 0, capacity = 0;

	for (size_t i = 0; i < 20000; i++) {
		tap_strbuf_add_char(&buf, 'x');
		growths += buf.capacity != capacity;
		capacity = buf.capacity;
	}
	ck_assert_uint_lt(growths, 40);
}
END_TEST

START_TEST(test_printf_of_a_long_text)
{
	char text[5000];

	memset(text, 'q', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	tap_strbuf_printf(&buf, "<%s>", text);
	ck_assert_uint_eq(buf.size, 5001);
	ck_assert_int_eq(buf.data[0], '<');
	ck_assert_int_eq(buf.data[5000], '>');
}
END_TEST

/* A wide character that the locale has no bytes for. */
START_TEST(test_printf_that_cannot_be_formatted)
{
	tap_strbuf_add_string(&buf, "kept");
	tap_strbuf_printf(&buf, "%ls", L"\x20ac");
	ck_assert(buf.failed);
	ck_assert_str_eq(buf.data, "kept");
}
END_TEST

START_TEST(test_clear_keeps_the_memory)
{
	tap_strbuf_add_repeated(&buf, 'x', 1000);
	size_t capacity = buf.capacity;

	tap_strbuf_clear(&buf);
	assert_holds("");
	ck_assert_uint_eq(buf.capacity, capacity);
	tap_strbuf_add_string(&buf, "again");
	assert_holds("again");
}
END_TEST

START_TEST(test_done_leaves_an_empty_string)
{
	tap_strbuf_add_string(&buf, "x");
	tap_strbuf_done(&buf);
	assert_holds("");
	tap_strbuf_add_string(&buf, "y");
	assert_holds("y");
	tap_strbuf_done(NULL);
}
END_TEST

START_TEST(test_take_hands_the_string_over)
{
	char *text;

	tap_strbuf_add_string(&buf, "mine");
	text = tap_strbuf_take(&buf);
	ck_assert_str_eq(text, "mine");
	free(text);
	assert_holds("");
	ck_assert_uint_eq(buf.capacity, 0);
}
END_TEST

START_TEST(test_take_of_nothing_is_an_empty_string_of_its_own)
{
	char *text = tap_strbuf_take(&buf);

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

/* Sizes that wrap around, and sizes that no machine has. */
START_TEST(test_absurd_sizes_fail_and_keep_what_was_there)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4, SIZE_MAX / 2 };

	tap_strbuf_add_string(&buf, "kept");
	tap_strbuf_add_repeated(&buf, 'x', sizes[_i]);
	ck_assert(buf.failed);
	ck_assert_str_eq(buf.data, "kept");
	ck_assert_uint_eq(buf.size, 4);
}
END_TEST

static void append_by(int way)
{
	switch (way) {
	case 0:
		tap_strbuf_add(&buf, "x", 1);
		break;
	case 1:
		tap_strbuf_add_char(&buf, 'x');
		break;
	case 2:
		tap_strbuf_add_string(&buf, "x");
		break;
	case 3:
		tap_strbuf_add_repeated(&buf, 'x', 1);
		break;
	default:
		tap_strbuf_printf(&buf, "%s", "x");
	}
}

START_TEST(test_a_failed_allocation_sticks)
{
	tap_alloc_fail_at(1);
	append_by(_i);
	ck_assert(tap_alloc_failed());
	ck_assert(buf.failed);
	ck_assert_str_eq(buf.data, "");
	append_by(_i);
	ck_assert_str_eq(buf.data, "");
	ck_assert_ptr_null(tap_strbuf_take(&buf));
	assert_holds("");
}
END_TEST

START_TEST(test_a_failed_growth_keeps_the_old_bytes)
{
	tap_strbuf_add_repeated(&buf, 'o', 60);
	tap_alloc_fail_at(1);
	tap_strbuf_add_repeated(&buf, 'n', 60);
	ck_assert(buf.failed);
	ck_assert_uint_eq(buf.size, 60);
	ck_assert_uint_eq(strspn(buf.data, "o"), 60);
	tap_strbuf_clear(&buf);
	tap_strbuf_add_string(&buf, "fresh");
	assert_holds("fresh");
}
END_TEST

START_TEST(test_take_without_memory)
{
	tap_alloc_fail_at(1);
	ck_assert_ptr_null(tap_strbuf_take(&buf));
	assert_holds("");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("strbuf");
	TCase *tcase = tcase_create("strbuf");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_is_a_string_before_the_first_append);
	tcase_add_test(tcase, test_appends_in_order);
	tcase_add_test(tcase, test_empty_appends_keep_the_string);
	tcase_add_test(tcase, test_keeps_nul_bytes);
	tcase_add_test(tcase, test_grows_past_many_sizes);
	tcase_add_test(tcase, test_grows_by_a_factor);
	tcase_add_test(tcase, test_printf_of_a_long_text);
	tcase_add_test(tcase, test_printf_that_cannot_be_formatted);
	tcase_add_test(tcase, test_clear_keeps_the_memory);
	tcase_add_test(tcase, test_done_leaves_an_empty_string);
	tcase_add_test(tcase, test_take_hands_the_string_over);
	tcase_add_test(tcase, test_take_of_nothing_is_an_empty_string_of_its_own);
	tcase_add_loop_test(tcase, test_absurd_sizes_fail_and_keep_what_was_there, 0, 4);
	tcase_add_loop_test(tcase, test_a_failed_allocation_sticks, 0, 5);
	tcase_add_test(tcase, test_a_failed_growth_keeps_the_old_bytes);
	tcase_add_test(tcase, test_take_without_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
