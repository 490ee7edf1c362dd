// SPDX-License-Identifier: BSD-2-Clause
/* test_pg_engine.c - PostgreSQL's table of userspace/attach/engine.h: what becomes of a lock record, hostile ones too.
 */
#include <string.h>

#include "tests/lib/check_main.h"
#include "userspace/attach/engine.h"

static const int64_t PG_EPOCH_US = 946684800LL * 1000000;

static struct tap_lock_words decode(uint32_t last, int64_t wait_start)
{
	const struct tap_lock_event record = { .tag = { 5, 16384, 7, last }, .wait_start = wait_start };
	struct tap_lock_words words;

	memset(&words, 0xff, sizeof(words));
	tap_attach_postgres.lock_decode(&record, &words);
	return words;
}

START_TEST(test_lock_record)
{
	struct tap_lock_words words = decode(3 | 4u << 16 | 1u << 24, 12);

	ck_assert_uint_eq(words.tag.field1, 5);
	ck_assert_uint_eq(words.tag.field2, 16384);
	ck_assert_uint_eq(words.tag.field3, 7);
	ck_assert_uint_eq(words.tag.field4, 3);
	ck_assert_uint_eq(words.tag.type, TAP_LOCK_TUPLE);
	ck_assert_uint_eq(words.tag.method, 1);
	ck_assert_int_eq(words.wait_start_us, PG_EPOCH_US + 12);
}
END_TEST

/* No number makes one of another engine's locks of it. */
START_TEST(test_hostile_record)
{
	for (uint32_t type = TAP_LOCK_PG_TYPE_COUNT; type < 256; type++)
		ck_assert_uint_eq(decode(type << 16, 0).tag.type, UINT8_MAX);
	ck_assert_int_eq(decode(0, 0).wait_start_us, 0);
	decode(0, INT64_MAX);
	decode(0, INT64_MIN);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/attach/pg_engine");
	TCase *tests = tcase_create("pg_engine");

	tcase_add_test(tests, test_lock_record);
	tcase_add_test(tests, test_hostile_record);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
