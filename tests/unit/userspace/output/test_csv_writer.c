// SPDX-License-Identifier: BSD-2-Clause
/* test_csv_writer.c - userspace/output/csv_writer.h: quoting, formulas, hostile bytes; read back by a parser of its
 * own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/check_main.h"
#include "userspace/output/csv_writer.h"
#include "userspace/output/utf8.h"

static void check(const char *text, const char *expected)
{
	struct tap_strbuf out;
	struct tap_csv csv;

	tap_strbuf_init(&out);
	tap_csv_begin(&csv, &out);
	tap_csv_string(&csv, text);
	ck_assert_str_eq(out.data, expected);
	tap_strbuf_done(&out);
}

START_TEST(test_quoting)
{
	check("plain text", "plain text");
	check("", "");
	check(NULL, "");
	check("a,b", "\"a,b\"");
	check("say \"hi\"", "\"say \"\"hi\"\"\"");
	check(" lead", "\" lead\"");
	check("trail ", "\"trail \"");
	check("a;b", "\"a;b\"");
}
END_TEST

START_TEST(test_hostile)
{
	check("a\r\nb\tc", "\"a  b c\"");
	check("\x1b[2J", "\\x1b[2J");
	check("\xc2\x9b\xe2\x80\xae\x7f", "\\x9b\\u202e\\x7f");
	check("a\xff"
	      "b\xe2\x82",
	      "a\xef\xbf\xbd"
	      "b\xef\xbf\xbd\xef\xbf\xbd");
	check("a\xe2\x80\xa8"
	      "b",
	      "a b");
	check("caf\xc3\xa9 \xe4\xb8\xad", "caf\xc3\xa9 \xe4\xb8\xad");
}
END_TEST

START_TEST(test_formulas)
{
	check("=1+1", "\"'=1+1\"");
	check("+cmd|' /C calc'!A0", "\"'+cmd|' /C calc'!A0\"");
	check("-2+3", "\"'-2+3\"");
	check("@SUM(A1)", "\"'@SUM(A1)\"");
	check(" \t=1", "\"'  =1\"");
	check("\xef\xbc\x9d"
	      "1",
	      "\"'\xef\xbc\x9d"
	      "1\"");
	check("\xef\xbc\xa0"
	      "x",
	      "\"'\xef\xbc\xa0"
	      "x\"");
	check("-- a comment", "\"'-- a comment\"");
	check("=\"a\"", "\"'=\"\"a\"\"\"");
	check("SELECT a=1", "SELECT a=1");
}
END_TEST

START_TEST(test_whole_numbers_are_no_formulas)
{
	check("-4182334091263846512", "-4182334091263846512");
	check("+5", "+5");
	check("-", "\"'-\"");
	check("-5a", "\"'-5a\"");
	check("-1-1", "\"'-1-1\"");
}
END_TEST

START_TEST(test_rows)
{
	struct tap_strbuf out;
	struct tap_csv csv;

	tap_strbuf_init(&out);
	tap_csv_begin(&csv, &out);
	tap_csv_int(&csv, INT64_MIN);
	tap_csv_uint(&csv, UINT64_MAX);
	tap_csv_double(&csv, -0.25);
	tap_csv_double(&csv, NAN);
	tap_csv_bool(&csv, true);
	tap_csv_bool(&csv, false);
	tap_csv_empty(&csv);
	tap_csv_string(&csv, "x");
	tap_csv_row_end(&csv);
	tap_csv_empty(&csv);
	tap_csv_int(&csv, -1);
	tap_csv_row_end(&csv);
	ck_assert_str_eq(out.data, "-9223372036854775808,18446744073709551615,-0.25,,true,false,,x\r\n,-1\r\n");
	tap_strbuf_done(&out);
}
END_TEST

/* Reads one cell as RFC 4180 has it; returns what follows it, or NULL when the text is malformed. */
static const char *read_cell(const char *at, struct tap_strbuf *cell)
{
	if (*at != '"') {
		for (; *at && *at != ',' && *at != '\r'; at++) {
			if (*at == '"' || *at == '\n')
				return NULL;
			tap_strbuf_add_char(cell, *at);
		}
		return at;
	}
	for (at++; *at; at++) {
		if (*at == '"' && *++at != '"')
			return at;
		tap_strbuf_add_char(cell, *at);
	}
	return NULL;
}

static void check_cell_is_harmless(const struct tap_strbuf *cell)
{
	uint32_t code = 0;
	char first = cell->data[strspn(cell->data, " ")];

	for (size_t i = 0, length; i < cell->size; i += length) {
		length = tap_utf8_decode(cell->data + i, cell->size - i, &code);
		ck_assert_uint_gt(length, 0);
		ck_assert_int_ge(tap_utf8_columns(code), 0);
	}
	if (first == '=' || first == '@')
		ck_abort_msg("a formula: %s", cell->data);
}

START_TEST(test_random_bytes_make_three_cells)
{
	static const char special[] = "=+-@\",;\r\n \xef\xbc\x9d";
	char text[40];

	srand(4);
	for (int i = 0; i < 20000; i++) {
		size_t size = (size_t)rand() % sizeof(text);
		struct tap_strbuf out;
		struct tap_csv csv;
		const char *at;

		for (size_t j = 0; j < size; j++)
			text[j] =
				rand() % 3 ? (char)(1 + rand() % 255) : special[(size_t)rand() % (sizeof(special) - 1)];
		text[size] = '\0';
		tap_strbuf_init(&out);
		tap_csv_begin(&csv, &out);
		for (int j = 0; j < 3; j++)
			tap_csv_string(&csv, text);
		tap_csv_row_end(&csv);
		at = out.data;
		for (int j = 0; j < 3; j++) {
			struct tap_strbuf cell;

			tap_strbuf_init(&cell);
			at = read_cell(at, &cell);
			ck_assert_ptr_nonnull(at);
			check_cell_is_harmless(&cell);
			tap_strbuf_done(&cell);
			ck_assert_int_eq(*at, j < 2 ? ',' : '\r');
			at++;
		}
		ck_assert_str_eq(at, "\n");
		tap_strbuf_done(&out);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/output/csv_writer");
	TCase *tcase = tcase_create("csv_writer");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_quoting);
	tcase_add_test(tcase, test_hostile);
	tcase_add_test(tcase, test_formulas);
	tcase_add_test(tcase, test_whole_numbers_are_no_formulas);
	tcase_add_test(tcase, test_rows);
	tcase_add_test(tcase, test_random_bytes_make_three_cells);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
