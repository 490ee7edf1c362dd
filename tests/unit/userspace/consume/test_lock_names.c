// SPDX-License-Identifier: BSD-2-Clause
/* test_lock_names.c - whether a text names a relation, and which relations are asked for, how often and how many. */
#include <errno.h>
#include <stdio.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "userspace/consume/lock_names.h"

START_TEST(test_mentioned)
{
	ck_assert(tap_lock_names_mentioned("update a set v = 1", "public.a"));
	ck_assert(tap_lock_names_mentioned("UPDATE Accounts SET v = 1", "public.accounts"));
	ck_assert(tap_lock_names_mentioned("update public.\"a\" set v = 1", "public.a"));
	ck_assert(tap_lock_names_mentioned("insert into b select * from a", "other.a"));
	ck_assert(tap_lock_names_mentioned("a", "public.a"));
	ck_assert(!tap_lock_names_mentioned("update ab set va = a_b + a1", "public.a"));
	ck_assert(!tap_lock_names_mentioned("update b set v = 1", "public.a"));
	ck_assert(!tap_lock_names_mentioned("update \xc3\xa4"
					    "a\xc3\xa4 set v = 1",
					    "public.a"));
	ck_assert(!tap_lock_names_mentioned("", "public.a"));
	ck_assert(!tap_lock_names_mentioned("update a", "public."));
	ck_assert(!tap_lock_names_mentioned("update a", ""));
	ck_assert(tap_lock_names_mentioned("update a", "a"));
}
END_TEST

START_TEST(test_wanted_once)
{
	struct tap_lock_names names;

	tap_lock_names_init(&names);
	ck_assert_int_eq(tap_lock_names_want(&names, 5, 0), 0);
	ck_assert_uint_eq(names.missing.count, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(tap_lock_names_want(&names, 5, 16384), 0);
	ck_assert_int_eq(tap_lock_names_want(&names, 6, 16384), 0);
	ck_assert_uint_eq(names.missing.count, 2);
	ck_assert_int_eq(tap_relation_names_add(&names.names, 7, 1, "public", 6, "t", 1), 0);
	ck_assert_int_eq(tap_lock_names_want(&names, 7, 1), 0);
	ck_assert_uint_eq(names.missing.count, 2);
	tap_lock_names_done(&names);
}
END_TEST

START_TEST(test_table)
{
	const struct tap_lock_tag tags[] = {
		{ .type = TAP_LOCK_RELATION, .field1 = 5, .field2 = 16384 },
		{ .type = TAP_LOCK_TUPLE, .field1 = 5, .field2 = 16385 },
		{ .type = TAP_LOCK_TRANSACTION, .field1 = 742, .field2 = 16386 },
		{ .type = TAP_LOCK_ADVISORY, .field1 = 5, .field2 = 16387 },
		{ .type = 99, .field1 = 5, .field2 = 16388 },
	};
	struct tap_lock_table table;
	struct tap_lock_names names;

	tap_lock_table_init(&table);
	tap_lock_names_init(&names);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		struct tap_lock_entry entry = { .tag = tags[i], .pid = 1 };

		ck_assert_int_eq(tap_lock_table_add(&table, &entry), 0);
	}
	ck_assert_int_eq(tap_lock_names_want_table(&names, &table), 0);
	ck_assert_uint_eq(names.missing.count, 2);
	tap_lock_names_done(&names);
	tap_lock_table_done(&table);
}
END_TEST

/* More relations than anyone names. */
START_TEST(test_bounded)
{
	struct tap_lock_names names;

	tap_lock_names_init(&names);
	for (uint32_t i = 1; i <= TAP_LOCK_NAMES_MISSING_MAX + 1; i++)
		ck_assert_int_eq(tap_lock_names_want(&names, 5, i), 0);
	ck_assert_uint_eq(names.missing.count, TAP_LOCK_NAMES_MISSING_MAX);
	tap_lock_names_done(&names);
	tap_lock_names_done(NULL);
}
END_TEST

/* Without a connection nothing is asked, and nothing is put off. */
START_TEST(test_no_connection)
{
	const struct tap_target target = { .engine = TAP_ENGINE_POSTGRES };
	const struct tap_catalog catalog = { .target = &target };
	struct tap_lock_names names;

	tap_lock_names_init(&names);
	ck_assert_int_eq(tap_lock_names_want(&names, 5, 16384), 0);
	tap_lock_names_learn(&names, &catalog, 1000);
	ck_assert_uint_eq(names.missing.items[0].tries, 0);
	tap_lock_names_done(&names);
}
END_TEST

START_TEST(test_out_of_memory)
{
	bool failed = true;

	for (long n = 1; failed; n++) {
		struct tap_lock_names names;
		int status;

		tap_lock_names_init(&names);
		tap_alloc_fail_at(n);
		status = tap_lock_names_want(&names, 5, 16384);
		failed = tap_alloc_failed();
		tap_alloc_fail_at(0);
		ck_assert_int_eq(status, failed ? -ENOMEM : 0);
		ck_assert_uint_eq(names.missing.count, failed ? 0 : 1);
		tap_lock_names_done(&names);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lock_names");
	TCase *tcase = tcase_create("lock_names");

	tcase_add_test(tcase, test_mentioned);
	tcase_add_test(tcase, test_wanted_once);
	tcase_add_test(tcase, test_table);
	tcase_add_test(tcase, test_bounded);
	tcase_add_test(tcase, test_no_connection);
	tcase_add_test(tcase, test_out_of_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
