// SPDX-License-Identifier: BSD-2-Clause
/* test_utf8.c - the decoder against every code point and every way to be wrong; widths against the C library's. */
#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "tests/lib/check_main.h"
#include "userspace/output/utf8.h"

/* An encoder of its own, so that the decoder is not its own judge. */
static size_t encode(char *bytes, uint32_t code)
{
	if (code < 0x80) {
		bytes[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		bytes[0] = (char)(0xc0 + code / 64);
		bytes[1] = (char)(0x80 + code % 64);
		return 2;
	}
	if (code < 0x10000) {
		bytes[0] = (char)(0xe0 + code / 4096);
		bytes[1] = (char)(0x80 + code / 64 % 64);
		bytes[2] = (char)(0x80 + code % 64);
		return 3;
	}
	bytes[0] = (char)(0xf0 + code / 262144);
	bytes[1] = (char)(0x80 + code / 4096 % 64);
	bytes[2] = (char)(0x80 + code / 64 % 64);
	bytes[3] = (char)(0x80 + code % 64);
	return 4;
}

START_TEST(test_every_code_point)
{
	for (uint32_t code = 0; code < 0x120000; code++) {
		uint32_t got = 0xdead;
		char bytes[4];
		size_t size = encode(bytes, code);
		bool valid = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);

		if (tap_utf8_decode(bytes, size, &got) != (valid ? size : 0) || got != (valid ? code : 0xdead))
			ck_abort_msg("U+%04X", code);
		if (tap_utf8_decode(bytes, size - 1, &got) != 0)
			ck_abort_msg("U+%04X cut by a byte", code);
	}
}
END_TEST

START_TEST(test_malformed)
{
	static const char *const list[] = { "\x80",
					    "\xbf",
					    "\xc0\x80",
					    "\xc1\xbf",
					    "\xe0\x80\x80",
					    "\xe0\x9f\xbf",
					    "\xc3",
					    "\xc3(",
					    "\xe2\x82",
					    "\xe2(\xa1",
					    "\xff",
					    "\xfe",
					    "\xf0\x8f\xbf\xbf",
					    "\xf5\x80\x80\x80",
					    "\xf0\x9f",
					    "\xf8\x88\x80\x80\x80",
					    "\xed\xa0\x80\xed" };
	uint32_t code = 0xdead;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		ck_assert_uint_eq(tap_utf8_decode(list[i], strlen(list[i]), &code), 0);
	ck_assert_uint_eq(tap_utf8_decode("a", 0, &code), 0);
	ck_assert_uint_eq(code, 0xdead);
}
END_TEST

START_TEST(test_columns)
{
	static const struct {
		uint32_t code;
		int columns;
	} list[] = {
		{ 'a', 1 },	{ ' ', 1 },	{ '~', 1 },	  { 0xe9, 1 },	   { 0x0301, 0 },   { 0x4e2d, 2 },
		{ 0x1f600, 2 }, { 0xac00, 2 },	{ 0xff21, 2 },	  { 0xff61, 1 },   { 0x1160, 0 },   { 0, -1 },
		{ 0x1b, -1 },	{ 0x7f, -1 },	{ 0x9b, -1 },	  { 0xad, -1 },	   { 0x061c, -1 },  { 0x200b, -1 },
		{ 0x200e, -1 }, { 0x202e, -1 }, { 0x2028, -1 },	  { 0x2066, -1 },  { 0x2069, -1 },  { 0xfeff, -1 },
		{ 0xfe0f, -1 }, { 0xfffe, -1 }, { 0xffff, -1 },	  { 0xfdd0, -1 },  { 0xe0041, -1 }, { 0x10ffff, -1 },
		{ 0xfffd, 1 },	{ 0xe000, 1 },	{ 0x110000, -1 }, { 0x2fffe, -1 }, { 0x20000, 2 },  { 0x3fffd, 2 },
		{ 0xa0, 1 },	{ 0x3000, 2 },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (tap_utf8_columns(list[i].code) != list[i].columns)
			ck_abort_msg("U+%04X has %d columns", list[i].code, tap_utf8_columns(list[i].code));
}
END_TEST

/* Tables of another source and version: only wholesale mistakes show. */
START_TEST(test_columns_agree_with_the_c_library)
{
	unsigned differ = 0, compared = 0;

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return;
	for (uint32_t code = 0x20; code < 0x30000; code++) {
		int ours = tap_utf8_columns(code), theirs = wcwidth((wchar_t)code);

		if (ours < 0 || theirs < 0)
			continue;
		compared++;
		differ += ours != theirs;
	}
	ck_assert_uint_gt(compared, 100000);
	ck_assert_uint_lt(differ, 200);
}
END_TEST

START_TEST(test_spaces)
{
	static const uint32_t spaces[] = { ' ',	   '\t',   '\n',   '\v',   '\f',   '\r',   0x85,   0xa0,
					   0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000 };
	static const uint32_t others[] = { 0, 8, 14, 'a', 0x200b, 0x180e, 0xfeff, 0x2030 };

	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		ck_assert(tap_utf8_is_space(spaces[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert(!tap_utf8_is_space(others[i]));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/output/utf8");
	TCase *tcase = tcase_create("utf8");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_every_code_point);
	tcase_add_test(tcase, test_malformed);
	tcase_add_test(tcase, test_columns);
	tcase_add_test(tcase, test_columns_agree_with_the_c_library);
	tcase_add_test(tcase, test_spaces);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
