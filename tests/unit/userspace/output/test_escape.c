// SPDX-License-Identifier: BSD-2-Clause
/* test_escape.c - hostile text through userspace/output/escape.h: nothing that comes out may act on a terminal. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/check_main.h"
#include "userspace/output/escape.h"
#include "userspace/output/utf8.h"

/* Returns the columns; the result is compared here. */
static size_t check(const char *text, size_t columns, const char *expected)
{
	struct tap_strbuf out;
	size_t used;

	tap_strbuf_init(&out);
	used = tap_escape_text(&out, text, columns);
	ck_assert(!out.failed);
	ck_assert_str_eq(out.data, expected);
	tap_strbuf_done(&out);
	return used;
}

START_TEST(test_plain)
{
	ck_assert_uint_eq(check("", 0, ""), 0);
	ck_assert_uint_eq(check("SELECT 1", 0, "SELECT 1"), 8);
	ck_assert_uint_eq(check("caf\xc3\xa9", 0, "caf\xc3\xa9"), 4);
	ck_assert_uint_eq(check("a\\n\\x1b", 0, "a\\n\\x1b"), 7);
	ck_assert_uint_eq(check("\xe4\xb8\xad\xe6\x96\x87", 0, "\xe4\xb8\xad\xe6\x96\x87"), 4);
}
END_TEST

START_TEST(test_space_is_folded)
{
	ck_assert_uint_eq(check("  SELECT\n\t 1\r\n ;  ", 0, "SELECT 1 ;"), 10);
	check("\n\n", 0, "");
	check("a\xc2\xa0\xe2\x80\xa8\xe3\x80\x80\xc2\x85"
	      "b",
	      0, "a b");
}
END_TEST

START_TEST(test_terminal_escapes)
{
	ck_assert_uint_eq(check("\x1b[2J\x07", 0, "\\x1b[2J\\x07"), 11);
	check("\x7f\x01", 0, "\\x7f\\x01");
	check("\xc2\x9b"
	      "31m",
	      0, "\\x9b31m");
	check("\x9b"
	      "31m",
	      0, "\\x9b31m");
	check("\x1b]0;title\x1b\\", 0, "\\x1b]0;title\\x1b\\");
}
END_TEST

START_TEST(test_invisible_and_bidirectional)
{
	check("a\xe2\x80\xae"
	      "b",
	      0, "a\\u202eb");
	check("\xe2\x81\xa6x\xe2\x81\xa9", 0, "\\u2066x\\u2069");
	check("\xd8\x9c\xe2\x80\x8f", 0, "\\u061c\\u200f");
	check("a\xe2\x80\x8b"
	      "b\xef\xbb\xbf",
	      0, "a\\u200bb\\ufeff");
	check("\xf3\xa0\x80\x81", 0, "\\U000e0001");
}
END_TEST

START_TEST(test_not_utf8)
{
	check("a\xff\xfe", 0, "a\\xff\\xfe");
	check("\xe2\x82", 0, "\\xe2\\x82");
	check("\xc0\xaf", 0, "\\xc0\\xaf");
	check("\xed\xa0\x80", 0, "\\xed\\xa0\\x80");
	check("\xf4\x90\x80\x80", 0, "\\xf4\\x90\\x80\\x80");
}
END_TEST

START_TEST(test_marks)
{
	ck_assert_uint_eq(check("e\xcc\x81", 0, "e\xcc\x81"), 1);
	check("\xcc\x81"
	      "e",
	      0, "\\u0301e");
	check("a \xcc\x81", 0, "a \\u0301");
	check("a\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81", 0, "a\xcc\x81\xcc\x81\xcc\x81\xcc\x81\\u0301");
}
END_TEST

START_TEST(test_cut)
{
	ck_assert_uint_eq(check("abcdef", 6, "abcdef"), 6);
	ck_assert_uint_eq(check("abcdefg", 6, "abcde" TAP_ELLIPSIS), 6);
	ck_assert_uint_eq(check("ab", 1, TAP_ELLIPSIS), 1);
	ck_assert_uint_eq(check("a", 1, "a"), 1);
	ck_assert_uint_eq(check("abc   \n", 3, "abc"), 3);
	ck_assert_uint_eq(check("ab\x1b", 4, "ab" TAP_ELLIPSIS), 3);
	ck_assert_uint_eq(check("ab\x1b", 6, "ab\\x1b"), 6);
	ck_assert_uint_eq(check("e\xcc\x81", 1, "e\xcc\x81"), 1);
	ck_assert_uint_eq(check("ae\xcc\x81z", 2, "a" TAP_ELLIPSIS), 2);
}
END_TEST

START_TEST(test_cut_counts_wide_characters_twice)
{
	ck_assert_uint_eq(check("\xe4\xb8\xad\xe6\x96\x87", 4, "\xe4\xb8\xad\xe6\x96\x87"), 4);
	ck_assert_uint_eq(check("\xe4\xb8\xad\xe6\x96\x87", 3, "\xe4\xb8\xad" TAP_ELLIPSIS), 3);
	ck_assert_uint_eq(check("\xe4\xb8\xad\xe6\x96\x87", 2, TAP_ELLIPSIS), 1);
}
END_TEST

START_TEST(test_a_megabyte)
{
	size_t size = 1 << 20;
	char *text = malloc(size + 1);
	struct tap_strbuf out;

	ck_assert_ptr_nonnull(text);
	memset(text, '\x1b', size);
	text[size] = '\0';
	tap_strbuf_init(&out);
	ck_assert_uint_eq(tap_escape_text(&out, text, 0), 4 * size);
	tap_strbuf_clear(&out);
	ck_assert_uint_le(tap_escape_text(&out, text, 80), 80);
	ck_assert_uint_lt(out.size, 100);
	memset(text, '\n', size);
	text[0] = 'a';
	ck_assert_uint_eq(tap_escape_text(&out, text, 1), 1);
	tap_strbuf_done(&out);
	free(text);
}
END_TEST

/* The invariants of any result: valid, harmless, as wide as said and allowed, and unchanged by a second pass. */
static void check_invariants(const char *text, size_t bound)
{
	struct tap_strbuf once, twice;
	size_t used, again, columns = 0, length;
	uint32_t code = 0;

	tap_strbuf_init(&once);
	tap_strbuf_init(&twice);
	used = tap_escape_text(&once, text, bound);
	for (size_t i = 0; i < once.size; i += length) {
		length = tap_utf8_decode(once.data + i, once.size - i, &code);
		ck_assert_uint_gt(length, 0);
		ck_assert_int_ge(tap_utf8_columns(code), 0);
		columns += (size_t)tap_utf8_columns(code);
	}
	ck_assert_uint_eq(columns, used);
	if (bound)
		ck_assert_uint_le(used, bound);
	again = tap_escape_text(&twice, once.data, bound);
	ck_assert_uint_eq(again, used);
	ck_assert_str_eq(once.data, twice.data);
	tap_strbuf_done(&once);
	tap_strbuf_done(&twice);
}

START_TEST(test_random_bytes)
{
	static const char *const seeds[] = { "\xcc\x81", "\xe2\x80\xae", "\xe4\xb8\xad",
					     " ",	 "\x1b",	 "\xf0\x9f\x98\x80",
					     "x" };
	char text[64];

	srand(2);
	for (int i = 0; i < 30000; i++) {
		size_t size = 0, want = (size_t)rand() % 40;

		while (size < want) {
			const char *seed = seeds[rand() % 7];

			if (rand() % 2) {
				text[size++] = (char)(1 + rand() % 255);
				continue;
			}
			memcpy(text + size, seed, strlen(seed));
			size += strlen(seed);
		}
		text[size] = '\0';
		check_invariants(text, (size_t)rand() % 30);
	}
}
END_TEST

START_TEST(test_to_ascii)
{
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	tap_escape_to_ascii(&out, "caf\xc3\xa9 \xe4\xb8\xad" TAP_ELLIPSIS "\nx\xff\x1b\xcc\x81\xe2\x80\xae.");
	ck_assert_str_eq(out.data, "caf? ??~\nx???.");
	tap_strbuf_clear(&out);
	tap_escape_to_ascii(&out, "│ ├ └ ─ ▁▂▃▄▅▆▇█ ▀");
	ck_assert_str_eq(out.data, "| | ` - _,-=+*%# ?");
	tap_strbuf_done(&out);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/output/escape");
	TCase *tcase = tcase_create("escape");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_plain);
	tcase_add_test(tcase, test_space_is_folded);
	tcase_add_test(tcase, test_terminal_escapes);
	tcase_add_test(tcase, test_invisible_and_bidirectional);
	tcase_add_test(tcase, test_not_utf8);
	tcase_add_test(tcase, test_marks);
	tcase_add_test(tcase, test_cut);
	tcase_add_test(tcase, test_cut_counts_wide_characters_twice);
	tcase_add_test(tcase, test_a_megabyte);
	tcase_add_test(tcase, test_random_bytes);
	tcase_add_test(tcase, test_to_ascii);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
