// SPDX-License-Identifier: BSD-2-Clause
/* test_table.c - userspace/output/table.h and paragraph.h: alignment in display columns, what gives way when it is
 * narrow. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "userspace/output/escape.h"
#include "userspace/output/paragraph.h"
#include "userspace/output/table.h"
#include "userspace/output/utf8.h"

static const struct tap_table_column columns[] = {
	{ .title = "NAME", .max = 6 },	 { .title = "N", .right = true }, { .title = "WAIT", .rank = 1, .min = 4 },
	{ .title = "EXTRA", .rank = 2 }, { .title = "TEXT", .min = 8 },
};

static const char *const cells[] = {
	"ab", "7", "Lock:row", "x", "SELECT one, two", "abcdefgh", "1234", NULL, "", "\xe4\xb8\xad\xe6\x96\x87",
};

static void check(size_t width, const char *expected)
{
	struct tap_table *table = tap_table_new(columns, 5, width);
	struct tap_strbuf out;

	ck_assert_ptr_nonnull(table);
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		tap_table_cell(table, cells[i]);
	tap_strbuf_init(&out);
	ck_assert_int_eq(tap_table_render(table, &out), 0);
	ck_assert_str_eq(out.data, expected);
	tap_strbuf_done(&out);
	tap_table_free(table);
}

START_TEST(test_unbounded)
{
	check(0, "NAME       N  WAIT      EXTRA  TEXT\n"
		 "ab         7  Lock:row  x      SELECT one, two\n"
		 "abcde" TAP_ELLIPSIS "  1234  -         -      \xe4\xb8\xad\xe6\x96\x87\n");
}
END_TEST

START_TEST(test_last_column_gives_way_first)
{
	check(40, "NAME       N  WAIT      EXTRA  TEXT\n"
		  "ab         7  Lock:row  x      SELECT o" TAP_ELLIPSIS "\n"
		  "abcde" TAP_ELLIPSIS "  1234  -         -      \xe4\xb8\xad\xe6\x96\x87\n");
}
END_TEST

START_TEST(test_columns_are_left_out_by_rank)
{
	check(34, "NAME       N  WAIT      TEXT\n"
		  "ab         7  Lock:row  SELECT on" TAP_ELLIPSIS "\n"
		  "abcde" TAP_ELLIPSIS "  1234  -         \xe4\xb8\xad\xe6\x96\x87\n");
}
END_TEST

START_TEST(test_a_column_narrows_before_it_goes)
{
	check(30, "NAME       N  WAIT    TEXT\n"
		  "ab         7  Lock:" TAP_ELLIPSIS "  SELECT " TAP_ELLIPSIS "\n"
		  "abcde" TAP_ELLIPSIS "  1234  -       \xe4\xb8\xad\xe6\x96\x87\n");
	check(22, "NAME       N  TEXT\n"
		  "ab         7  SELECT " TAP_ELLIPSIS "\n"
		  "abcde" TAP_ELLIPSIS "  1234  \xe4\xb8\xad\xe6\x96\x87\n");
}
END_TEST

START_TEST(test_too_narrow_for_anything)
{
	check(1, "NAME  N  " TAP_ELLIPSIS "\n" TAP_ELLIPSIS "     7  " TAP_ELLIPSIS "\n" TAP_ELLIPSIS
		 "     " TAP_ELLIPSIS "  " TAP_ELLIPSIS "\n");
}
END_TEST

START_TEST(test_hostile_cells_stay_in_their_line)
{
	static const struct tap_table_column two[] = { { .title = "A" }, { .title = "B" } };
	struct tap_table *table = tap_table_new(two, 2, 0);
	struct tap_strbuf out;

	tap_table_cell(table, "a\nb\x1b[2J");
	tap_table_cell(table, "\xcc\x81\xe2\x80\xae");
	tap_table_cell(table, "a row that was never finished");
	tap_strbuf_init(&out);
	ck_assert_int_eq(tap_table_render(table, &out), 0);
	ck_assert_str_eq(out.data, "A           B\na b\\x1b[2J  \\u0301\\u202e\n");
	tap_strbuf_done(&out);
	tap_table_free(table);
	tap_table_free(NULL);
}
END_TEST

static size_t line_columns(const char *line, size_t size)
{
	size_t columns_used = 0, length;
	uint32_t code = 0;

	for (size_t i = 0; i < size; i += length) {
		length = tap_utf8_decode(line + i, size - i, &code);
		ck_assert_uint_gt(length, 0);
		columns_used += (size_t)tap_utf8_columns(code);
	}
	return columns_used;
}

static void check_lines(const char *text, size_t width)
{
	while (*text) {
		size_t size = strcspn(text, "\n");

		ck_assert_uint_le(line_columns(text, size), width);
		ck_assert(size == 0 || text[size - 1] != ' ');
		ck_assert_int_eq(text[size], '\n');
		text += size + 1;
	}
}

START_TEST(test_never_wider_than_the_screen)
{
	static const struct tap_table_column many[] = {
		{ .title = "A", .max = 5 },
		{ .title = "B", .right = true, .rank = 3 },
		{ .title = "C", .rank = 1, .min = 6 },
		{ .title = "D", .rank = 2 },
		{ .title = "E", .min = 10 },
	};
	char text[60];

	srand(5);
	for (int i = 0; i < 3000; i++) {
		size_t width = 8 + (size_t)rand() % 80;
		struct tap_table *table = tap_table_new(many, 5, width);
		struct tap_strbuf out;

		for (int j = 0; j < 15; j++) {
			size_t size = (size_t)rand() % sizeof(text);

			for (size_t k = 0; k < size; k++)
				text[k] = (char)(1 + rand() % 255);
			text[size] = '\0';
			tap_table_cell(table, text);
		}
		tap_strbuf_init(&out);
		ck_assert_int_eq(tap_table_render(table, &out), 0);
		check_lines(out.data, width);
		tap_strbuf_done(&out);
		tap_table_free(table);
	}
}
END_TEST

static int make_table(struct tap_strbuf *out)
{
	struct tap_table *table = tap_table_new(columns, 5, 80);
	int err;

	if (!table)
		return -ENOMEM;
	for (int i = 0; i < 300; i++)
		tap_table_cell(table, "cell");
	err = tap_table_render(table, out);
	tap_table_free(table);
	return out->failed ? -ENOMEM : err;
}

START_TEST(test_out_of_memory)
{
	for (long n = 1;; n++) {
		struct tap_strbuf out;
		int err;

		tap_strbuf_init(&out);
		tap_alloc_fail_at(n);
		err = make_table(&out);
		tap_strbuf_done(&out);
		if (!tap_alloc_failed()) {
			ck_assert_int_eq(err, 0);
			break;
		}
		ck_assert_int_eq(err, -ENOMEM);
	}
	tap_alloc_fail_at(0);
}
END_TEST

static void check_paragraph(const char *text, size_t width, const char *expected)
{
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	tap_paragraph_add(&out, text, width);
	ck_assert_str_eq(out.data, expected);
	tap_strbuf_done(&out);
}

START_TEST(test_paragraph)
{
	check_paragraph("one two three", 0, "one two three\n");
	check_paragraph("one two three", 13, "one two three\n");
	check_paragraph("one two three", 12, "one two\n  three\n");
	check_paragraph("one two three", 7, "one two\n  three\n");
	check_paragraph("one\ntwo \x1b", 0, "one two \\x1b\n");
	check_paragraph("", 10, "");
	check_paragraph(" \n ", 10, "");
	check_paragraph("abcdefghijkl", 8, "abcde" TAP_ELLIPSIS "\n");
	check_paragraph("a b", 1, "a\n  b\n");
}
END_TEST

/* What stands before a cell's text is shown as it is and counts as one column a character. */
START_TEST(test_branches)
{
	struct tap_table *table = tap_table_new(columns, 2, 20);
	struct tap_strbuf out;

	ck_assert_ptr_nonnull(table);
	tap_table_cell_after(table, "│ └ ", "a \x1b b");
	tap_table_cell(table, "1");
	tap_table_cell_after(table, "  ", NULL);
	tap_table_cell(table, "2");
	tap_strbuf_init(&out);
	ck_assert_int_eq(tap_table_render(table, &out), 0);
	/* The bound of 6 columns is the text's. */
	ck_assert_str_eq(out.data, "NAME     N\n│ └ a " TAP_ELLIPSIS "  1\n  -      2\n");
	tap_strbuf_done(&out);
	tap_table_free(table);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/output/table");
	TCase *tcase = tcase_create("table");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_unbounded);
	tcase_add_test(tcase, test_branches);
	tcase_add_test(tcase, test_last_column_gives_way_first);
	tcase_add_test(tcase, test_columns_are_left_out_by_rank);
	tcase_add_test(tcase, test_a_column_narrows_before_it_goes);
	tcase_add_test(tcase, test_too_narrow_for_anything);
	tcase_add_test(tcase, test_hostile_cells_stay_in_their_line);
	tcase_add_test(tcase, test_never_wider_than_the_screen);
	tcase_add_test(tcase, test_out_of_memory);
	tcase_add_test(tcase, test_paragraph);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
