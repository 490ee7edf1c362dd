// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_my_layout.c - rows join what a binary tells, and only what it tells in the way the row was made with.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "tests/lib/check_main.h"
#include "userspace/attach/my_layout.h"

static const struct tap_my_status_offsets counters = { .received = 0x170, .questions = 0x300, .executes = 8 };

START_TEST(finds_the_row_of_a_version)
{
	const struct tap_my_layout_row *row = tap_my_layout_find(TAP_MY_MARIADB, 101119, EM_X86_64);

	ck_assert_ptr_nonnull(row);
	ck_assert_str_eq(row->name, "MariaDB 10.11 x86-64");
	ck_assert_ptr_eq(tap_my_layout_find(TAP_MY_MARIADB, 101100, EM_X86_64), row);
	ck_assert_ptr_nonnull(tap_my_layout_find(TAP_MY_MYSQL, 90704, EM_X86_64));
	/* Another product, series or machine. */
	ck_assert_ptr_null(tap_my_layout_find(TAP_MY_MYSQL, 101119, EM_X86_64));
	ck_assert_ptr_null(tap_my_layout_find(TAP_MY_MARIADB, 90704, EM_X86_64));
	ck_assert_ptr_null(tap_my_layout_find(TAP_MY_MARIADB, 101019, EM_X86_64));
	ck_assert_ptr_null(tap_my_layout_find(TAP_MY_MARIADB, 101119, EM_AARCH64));
	ck_assert_ptr_null(tap_my_layout_find(TAP_MY_MARIADB, 0, EM_X86_64));
}
END_TEST

/* The thread-local slot is the binary's, the rest of what was decoded is the row's. */
START_TEST(every_row_fits_itself)
{
	const struct tap_my_layout_row *rows;
	size_t count;

	rows = tap_my_layout_rows(&count);
	ck_assert_uint_ge(count, 4);
	for (size_t i = 0; i < count; i++) {
		struct tap_my_decoded decoded = rows[i].decoded;
		struct tap_my_layout layout;
		const char *why = "";

		decoded.thd = -0x68;
		ck_assert_int_eq(tap_my_layout_make(&rows[i], &decoded, &counters, &layout, &why), 0);
		ck_assert_ptr_null(why);
		ck_assert_int_eq(layout.thd, -0x68);
		ck_assert_uint_eq(layout.query, rows[i].decoded.query);
		ck_assert_uint_ne(layout.database, 0);
		ck_assert_uint_eq(layout.questions - layout.received, 0x300 - 0x170);
		ck_assert_uint_eq(layout.received - layout.executes, 0x170 - 8);
		ck_assert_uint_ne(layout.statement, 0);
		ck_assert_uint_ne(rows[i].fields.thread, 0);
	}
}
END_TEST

static void refuses(const struct tap_my_layout_row *row, const struct tap_my_decoded *decoded)
{
	struct tap_my_layout layout = { .thd = 4711 };
	const char *why = NULL;

	ck_assert_int_eq(tap_my_layout_make(row, decoded, &counters, &layout, &why), -EBADMSG);
	ck_assert_ptr_nonnull(why);
	ck_assert_int_eq(layout.thd, 4711);
}

/* Every offset that a function told is compared: one word that differs is enough. */
START_TEST(refuses_what_lies_elsewhere)
{
	const struct tap_my_layout_row *rows;
	size_t count;

	rows = tap_my_layout_rows(&count);
	for (size_t i = 0; i < count; i++) {
		for (size_t at = sizeof(int32_t); at < sizeof(struct tap_my_decoded); at += sizeof(uint32_t)) {
			struct tap_my_decoded decoded = rows[i].decoded;
			uint32_t word;

			memcpy(&word, (char *)&decoded + at, sizeof(word));
			word += 8;
			memcpy((char *)&decoded + at, &word, sizeof(word));
			refuses(&rows[i], &decoded);
		}
	}
}
END_TEST

START_TEST(refuses_counters_before_their_block)
{
	const struct tap_my_layout_row *row = tap_my_layout_find(TAP_MY_MARIADB, 101119, EM_X86_64);
	const struct tap_my_status_offsets large = { .received = 0x3000, .questions = 8, .executes = 8 };
	struct tap_my_layout layout;
	const char *why = NULL;

	ck_assert_int_eq(tap_my_layout_make(row, &row->decoded, &large, &layout, &why), -EBADMSG);
	ck_assert_ptr_nonnull(why);
}
END_TEST

/* The rule holds for every version that is known: each row follows from what functions told of it. */
START_TEST(infers_what_is_known)
{
	const struct tap_my_layout_row *rows;
	struct tap_my_layout_row inferred;
	size_t count;

	rows = tap_my_layout_rows(&count);
	for (size_t i = 0; i < count; i++) {
		struct tap_my_decoded decoded = rows[i].decoded;

		if (rows[i].product == TAP_MY_MYSQL)
			decoded.database = 0;
		ck_assert_int_eq(tap_my_layout_infer(rows[i].product, EM_X86_64, &decoded, &inferred), 0);
		ck_assert(inferred.inferred && !rows[i].inferred);
		ck_assert_uint_eq(inferred.decoded.database, rows[i].decoded.database);
		ck_assert_uint_eq(inferred.stage, rows[i].stage);
		ck_assert_uint_eq(inferred.server_status, rows[i].server_status);
		ck_assert_uint_eq(inferred.fields.thread, rows[i].fields.thread);
		ck_assert_uint_eq(inferred.fields.thread_id, rows[i].fields.thread_id);
		ck_assert_uint_eq(inferred.fields.os_thread, rows[i].fields.os_thread);
		ck_assert_uint_eq(inferred.fields.start_time, rows[i].fields.start_time);
		ck_assert_uint_eq(inferred.first_block, rows[i].first_block);
		/* Not guessed. */
		ck_assert_uint_eq(inferred.statement, 0);
		ck_assert_uint_eq(inferred.record_text, 0);
	}
	ck_assert_int_eq(tap_my_layout_infer(TAP_MY_MARIADB, EM_AARCH64, &rows[0].decoded, &inferred), -ENOENT);
}
END_TEST

/* Names are found by what the products call their variables: none of them has no name. */
START_TEST(products_are_told_apart)
{
	for (int i = 0; i < TAP_MY_PRODUCTS; i++) {
		const struct tap_my_product_info *info = tap_my_product_info((enum tap_my_product)i);

		ck_assert_ptr_nonnull(info->name);
		ck_assert_ptr_nonnull(info->title);
		ck_assert_ptr_nonnull(info->sessions);
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(info->sessions, tap_my_product_info((enum tap_my_product)j)->sessions);
		for (size_t j = 0; j < TAP_MY_STAGES_MAX && info->stages[j].name; j++)
			ck_assert_uint_ne(info->stages[j].wait, 0);
	}
	ck_assert_ptr_eq(tap_my_product_info(TAP_MY_PRODUCTS), tap_my_product_info(TAP_MY_MARIADB));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("my_layout");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, finds_the_row_of_a_version);
	tcase_add_test(tests, every_row_fits_itself);
	tcase_add_test(tests, refuses_what_lies_elsewhere);
	tcase_add_test(tests, refuses_counters_before_their_block);
	tcase_add_test(tests, infers_what_is_known);
	tcase_add_test(tests, products_are_told_apart);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
