// SPDX-License-Identifier: BSD-2-Clause
/* test_missing.c - what is asked for, of which database and how often; what makes room in a full list. */
#include "correlate/missing.h"

#include <errno.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

enum {
	LIMIT = 8,
};

static struct tap_missing missing;
static uint32_t named_from; /* numbers from here on have a name */

static bool has(const void *names, const struct tap_object_key *key)
{
	/* No assertion of Check's: it would allocate, and be what fails where memory is made to run out. */
	return names == &missing && key->filenode >= named_from;
}

static const struct tap_named named = { has, &missing };

static void set_up(void)
{
	named_from = UINT32_MAX;
	tap_missing_init(&missing, LIMIT);
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_missing_done(&missing);
	tap_missing_done(&missing);
}

static int add(uint32_t database, uint32_t number, int64_t now_ms)
{
	const struct tap_object_key key = { .database = database, .filenode = number };

	return tap_missing_add(&missing, &key, now_ms);
}

static size_t due(uint32_t database, int64_t now_ms)
{
	return tap_missing_due(&missing, database, now_ms, &named);
}

static size_t ask(uint32_t database, int64_t now_ms, size_t max)
{
	struct tap_object_key keys[LIMIT];
	size_t count = tap_missing_take(&missing, database, now_ms, &named, keys, max);

	tap_missing_put_off(&missing, keys, count, now_ms, &named);
	return count;
}

START_TEST(test_by_database)
{
	uint32_t database = 99;

	ck_assert(!tap_missing_next(&missing, 0, &named, &database));
	ck_assert_uint_eq(database, 99);
	ck_assert_int_eq(add(5, 1, 0), 0);
	ck_assert_int_eq(add(0, 1, 0), 0);
	ck_assert_int_eq(add(5, 2, 10), 0);
	ck_assert_int_eq(add(5, 1, 50), 0);
	ck_assert_uint_eq(missing.count, 3);
	ck_assert_uint_eq(due(5, 9), 1);
	ck_assert_uint_eq(due(5, 10), 2);
	ck_assert_uint_eq(due(0, 10), 1);
	ck_assert_uint_eq(due(TAP_MISSING_ANY, 10), 3);
	ck_assert(tap_missing_next(&missing, 10, &named, &database));
	ck_assert_uint_eq(database, 5);
	ck_assert_uint_eq(ask(5, 10, LIMIT), 2);
	ck_assert(tap_missing_next(&missing, 10, &named, &database));
	ck_assert_uint_eq(database, 0);
	ck_assert_uint_eq(ask(0, 10, LIMIT), 1);
	ck_assert(!tap_missing_next(&missing, 10, &named, &database));
}
END_TEST

/* The same number is a file's in one tablespace and another's in another, and a relation's own without one. */
START_TEST(test_tablespaces)
{
	const struct tap_object_key keys[] = { { 5, 0, 1 }, { 5, 1663, 1 }, { 5, 16400, 1 }, { 5, 1663, 1 } };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		ck_assert_int_eq(tap_missing_add(&missing, &keys[i], 0), 0);
	ck_assert_uint_eq(missing.count, 3);
}
END_TEST

/* Asked for in vain it is asked for less and less, and never given up. */
START_TEST(test_back_off)
{
	int64_t now = 0, wait = TAP_MISSING_RETRY_MS;

	ck_assert_int_eq(add(5, 1, 0), 0);
	for (int i = 0; i < 40; i++) {
		ck_assert_uint_eq(ask(5, now, LIMIT), 1);
		ck_assert_uint_eq(due(5, now + wait - 1), 0);
		ck_assert_uint_eq(due(5, now + wait), 1);
		now += wait;
		wait = wait * 2 < TAP_MISSING_RETRY_MAX_MS ? wait * 2 : TAP_MISSING_RETRY_MAX_MS;
	}
	ck_assert_int_eq(wait, TAP_MISSING_RETRY_MAX_MS);
}
END_TEST

/* What has a name by now is not asked for, whoever gave it; and it goes. */
START_TEST(test_named_meanwhile)
{
	for (uint32_t i = 1; i <= 4; i++)
		ck_assert_int_eq(add(5, i, 0), 0);
	named_from = 3;
	ck_assert_uint_eq(due(5, 0), 2);
	ck_assert_uint_eq(ask(5, 0, 1), 1);
	ck_assert_uint_eq(missing.count, 2);
	ck_assert_uint_eq(due(5, 0), 1);
	/* The index knows those that stayed. */
	ck_assert_int_eq(add(5, 1, 0), 0);
	ck_assert_int_eq(add(5, 2, 0), 0);
	ck_assert_uint_eq(missing.count, 2);
}
END_TEST

START_TEST(test_full)
{
	const struct tap_object_key strange = { .database = 7, .filenode = 7 };

	for (uint32_t i = 1; i <= LIMIT; i++)
		ck_assert_int_eq(add(5, i, 0), 0);
	ck_assert_int_eq(add(5, 100, 0), -ENOSPC);
	ck_assert_uint_eq(missing.count, LIMIT);
	/* Keys that are not in the list change nothing. */
	tap_missing_put_off(&missing, &strange, 1, 0, &named);
	ck_assert_int_eq(add(5, 100, 0), -ENOSPC);
	/* Three were asked for in vain: they make room. */
	ck_assert_uint_eq(ask(5, 0, 3), 3);
	ck_assert_int_eq(add(5, 100, 0), 0);
	ck_assert_uint_eq(missing.count, LIMIT - 3 + 1);
	ck_assert_uint_eq(due(5, 0), LIMIT - 3 + 1);
	/* And come back as new ones when they are looked for. */
	ck_assert_int_eq(add(5, 1, 0), 0);
	ck_assert_uint_eq(due(5, 0), LIMIT - 3 + 2);
}
END_TEST

START_TEST(test_out_of_memory)
{
	for (long n = 1; n <= 2; n++) {
		tap_alloc_fail_at(n);
		ck_assert_int_eq(add(5, 1, 0), -ENOMEM);
		tap_alloc_fail_at(0);
		ck_assert_uint_eq(missing.count, 0);
	}
	ck_assert_int_eq(add(5, 1, 0), 0);
	ck_assert_int_eq(add(5, 2, 0), 0);
	tap_alloc_fail_at(1); /* the index, made anew: all is forgotten */
	ck_assert_uint_eq(ask(5, 0, 1), 1);
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(missing.count, 0);
	ck_assert_int_eq(add(5, 2, 0), 0);
	ck_assert_uint_eq(due(5, 0), 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/missing");
	TCase *tests = tcase_create("missing");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_by_database);
	tcase_add_test(tests, test_tablespaces);
	tcase_add_test(tests, test_back_off);
	tcase_add_test(tests, test_named_meanwhile);
	tcase_add_test(tests, test_full);
	tcase_add_test(tests, test_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
