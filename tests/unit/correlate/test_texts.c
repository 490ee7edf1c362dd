// SPDX-License-Identifier: BSD-2-Clause
/* test_texts.c - correlate/texts: the first text stays, both forms, cut characters, no memory. */
#include "correlate/texts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_texts texts;

static void set_up(void)
{
	tap_texts_init(&texts);
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_texts_done(&texts);
	tap_texts_done(&texts);
	tap_texts_done(NULL);
}

static struct tap_text_key key_of(uint64_t id)
{
	return (struct tap_text_key){ .instance = 1, .source = 1, .query_id = id };
}

static int put(uint64_t id, const char *text, size_t size, enum tap_text_form form)
{
	struct tap_text_key key = key_of(id);

	return tap_texts_put(&texts, &key, text, size, form);
}

static const struct tap_text *find(uint64_t id)
{
	struct tap_text_key key = key_of(id);

	return tap_texts_find(&texts, &key);
}

START_TEST(test_first_of_each_form_stays)
{
	ck_assert_ptr_null(find(1));
	ck_assert_int_eq(put(1, "select 1", 8, TAP_TEXT_RAW), 0);
	ck_assert_str_eq(find(1)->raw, "select 1");
	ck_assert_ptr_null(find(1)->normalised);
	ck_assert_int_eq(put(1, "select 2", 8, TAP_TEXT_RAW), 0);
	ck_assert_str_eq(find(1)->raw, "select 1");
	ck_assert_int_eq(put(1, "select $1", 9, TAP_TEXT_NORMALISED), 0);
	ck_assert_int_eq(put(1, "other", 5, TAP_TEXT_NORMALISED), 0);
	ck_assert_str_eq(find(1)->normalised, "select $1");
	ck_assert_uint_eq(texts.count, 1);
}
END_TEST

START_TEST(test_many)
{
	char text[32];

	for (uint64_t id = 0; id < 300; id++) {
		int size = snprintf(text, sizeof(text), "select %d", (int)id);

		ck_assert_int_eq(put(id, text, (size_t)size, TAP_TEXT_RAW), 0);
	}
	for (uint64_t id = 0; id < 300; id++) {
		snprintf(text, sizeof(text), "select %d", (int)id);
		ck_assert_str_eq(find(id)->raw, text);
	}
	ck_assert_ptr_null(find(300));
}
END_TEST

START_TEST(test_size_and_nul_end_a_text)
{
	ck_assert_int_eq(put(1, "abcdef", 3, TAP_TEXT_RAW), 0);
	ck_assert_str_eq(find(1)->raw, "abc");
	ck_assert_int_eq(put(2, "ab\0cd", 5, TAP_TEXT_RAW), 0);
	ck_assert_str_eq(find(2)->raw, "ab");
	ck_assert_int_eq(put(3, "", 0, TAP_TEXT_RAW), 0);
	ck_assert_str_eq(find(3)->raw, "");
}
END_TEST

/* A character cut at the end goes; whole ones, and bytes that are no UTF-8, stay. */
static const struct {
	const char *text;
	const char *kept;
} cuts[] = {
	{ "a\xc3\xa4", "a\xc3\xa4" },
	{ "a\xc3", "a" },
	{ "a\xe2\x82\xac", "a\xe2\x82\xac" },
	{ "a\xe2\x82", "a" },
	{ "a\xe2", "a" },
	{ "a\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80" },
	{ "a\xf0\x9f\x98", "a" },
	{ "a\xf0\x9f", "a" },
	{ "a\xf0", "a" },
	{ "\xf0", "" },
	{ "a\x80", "a\x80" },
	{ "\x80\x80", "\x80\x80" },
	{ "\x80\x80\x80\x80\x80", "\x80\x80\x80\x80\x80" },
	{ "a\xc3\xa4\x80", "a\xc3\xa4\x80" },
	{ "a\xff", "a" },
};

START_TEST(test_cut_characters)
{
	ck_assert_int_eq(put(1, cuts[_i].text, strlen(cuts[_i].text), TAP_TEXT_RAW), 0);
	ck_assert_str_eq(find(1)->raw, cuts[_i].kept);
}
END_TEST

START_TEST(test_out_of_memory)
{
	long n;

	for (uint64_t id = 0; id < 64; id++)
		ck_assert_int_eq(put(id, "x", 1, TAP_TEXT_RAW), 0);
	for (n = 1;; n++) {
		int status;

		tap_alloc_fail_at(n);
		status = put(1000, "select", 6, TAP_TEXT_RAW);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert_int_eq(status, -ENOMEM);
		ck_assert_str_eq(find(63)->raw, "x");
		ck_assert(!find(1000) || !find(1000)->raw);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_ge(n, 3);
	ck_assert_str_eq(find(1000)->raw, "select");
	tap_texts_done(&texts);
	for (n = 1; n <= 2; n++) {
		tap_alloc_fail_at(n);
		ck_assert_int_eq(put(1, "x", 1, TAP_TEXT_RAW), -ENOMEM);
		tap_alloc_fail_at(0);
		tap_texts_done(&texts);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/texts");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_first_of_each_form_stays);
	tcase_add_test(tests, test_many);
	tcase_add_test(tests, test_size_and_nul_end_a_text);
	tcase_add_loop_test(tests, test_cut_characters, 0, (int)(sizeof(cuts) / sizeof(cuts[0])));
	tcase_add_test(tests, test_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
