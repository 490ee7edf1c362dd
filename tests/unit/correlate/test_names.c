// SPDX-License-Identifier: BSD-2-Clause
/* test_names.c - correlate/names: order, replacing, bounds, what sessions add, no memory. */
#include "correlate/names.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_names names;

static void set_up(void)
{
	tap_names_init(&names);
}

static void tear_down(void)
{
	tap_names_done(&names);
	tap_names_done(&names);
	tap_names_done(NULL);
}

static int add(enum tap_name_kind kind, uint32_t oid, const char *text)
{
	return tap_names_add(&names, kind, oid, text, strlen(text));
}

START_TEST(test_finds_what_was_added)
{
	ck_assert_ptr_null(tap_names_find(&names, TAP_NAME_USER, 10));
	ck_assert_int_eq(add(TAP_NAME_USER, 10, "postgres"), 0);
	ck_assert_int_eq(add(TAP_NAME_DATABASE, 10, "app"), 0);
	ck_assert_int_eq(add(TAP_NAME_DATABASE, UINT32_MAX, "last"), 0);
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_USER, 10), "postgres");
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_DATABASE, 10), "app");
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_DATABASE, UINT32_MAX), "last");
	ck_assert_ptr_null(tap_names_find(&names, TAP_NAME_DATABASE, 11));
	ck_assert_ptr_null(tap_names_find(&names, TAP_NAME_USER, 0));
}
END_TEST

START_TEST(test_stays_sorted_in_any_order)
{
	for (uint32_t i = 0; i < 500; i++) {
		uint32_t oid = 1 + i * 337 % 500;

		ck_assert_int_eq(add(oid % 2 ? TAP_NAME_USER : TAP_NAME_DATABASE, oid, "x"), 0);
	}
	ck_assert_uint_eq(names.count, 500);
	for (size_t i = 1; i < names.count; i++) {
		const struct tap_name *a = &names.items[i - 1];
		const struct tap_name *b = &names.items[i];

		ck_assert(a->kind < b->kind || (a->kind == b->kind && a->oid < b->oid));
	}
	for (uint32_t oid = 1; oid <= 500; oid++)
		ck_assert_ptr_nonnull(tap_names_find(&names, oid % 2 ? TAP_NAME_USER : TAP_NAME_DATABASE, oid));
}
END_TEST

START_TEST(test_a_new_name_replaces)
{
	add(TAP_NAME_USER, 10, "old");
	ck_assert_int_eq(add(TAP_NAME_USER, 10, "new"), 0);
	ck_assert_uint_eq(names.count, 1);
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_USER, 10), "new");
}
END_TEST

START_TEST(test_hostile_names)
{
	char endless[1000];

	memset(endless, 'n', sizeof(endless));
	ck_assert_int_eq(tap_names_add(&names, TAP_NAME_USER, 1, endless, sizeof(endless)), 0);
	ck_assert_uint_eq(strlen(tap_names_find(&names, TAP_NAME_USER, 1)), TAP_NAME_MAX);
	ck_assert_int_eq(tap_names_add(&names, TAP_NAME_USER, 2, "a\0b", 3), 0);
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_USER, 2), "a");
	ck_assert_int_eq(tap_names_add(&names, TAP_NAME_USER, 3, "abc", 2), 0);
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_USER, 3), "ab");
	ck_assert_int_eq(tap_names_add(&names, TAP_NAME_USER, 4, "\0b", 2), -EINVAL);
	ck_assert_int_eq(tap_names_add(&names, TAP_NAME_USER, 4, "", 0), -EINVAL);
	ck_assert_int_eq(tap_names_add(&names, TAP_NAME_USER, 4, NULL, 5), -EINVAL);
	ck_assert_int_eq(tap_names_add(&names, TAP_NAME_USER, 0, "x", 1), -EINVAL);
	ck_assert_uint_eq(names.count, 3);
}
END_TEST

START_TEST(test_sessions_add_only_what_is_unknown)
{
	struct tap_session items[] = {
		{ .database = 5, .user = 10, .database_name = "title", .user_name = "root" },
		{ .database = 6, .user = 10, .database_name = "app", .user_name = "other" },
		{ .database = 7 },
		{ .user_name = "nobody", .database_name = "" },
		{ .database = 8, .database_name = "" },
	};
	struct tap_session_list list = { .items = items, .count = 5 };

	add(TAP_NAME_DATABASE, 5, "catalog");
	ck_assert_int_eq(tap_names_add_sessions(&names, &list), 0);
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_DATABASE, 5), "catalog");
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_DATABASE, 6), "app");
	ck_assert_str_eq(tap_names_find(&names, TAP_NAME_USER, 10), "root");
	ck_assert_uint_eq(names.count, 3);
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct tap_session item = { .database = 5, .user = 10, .database_name = "d", .user_name = "u" };
	struct tap_session_list list = { .items = &item, .count = 1 };
	long n;

	for (n = 1;; n++) {
		int r;

		tap_alloc_fail_at(n);
		r = tap_names_add_sessions(&names, &list);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(r, -ENOMEM);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_gt(n, 3);
	ck_assert_uint_eq(names.count, 2);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("names");
	TCase *tests = tcase_create("names");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_finds_what_was_added);
	tcase_add_test(tests, test_stays_sorted_in_any_order);
	tcase_add_test(tests, test_a_new_name_replaces);
	tcase_add_test(tests, test_hostile_names);
	tcase_add_test(tests, test_sessions_add_only_what_is_unknown);
	tcase_add_test(tests, test_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
