// SPDX-License-Identifier: BSD-2-Clause
/* test_lock_sums.c - what has come to sums of lock waits between two looks, and whose longest wait is whose. */
#include <errno.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/lock_event.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "userspace/consume/lock_sums.h"

static struct tap_lock_sums sums;
static struct tap_lock_sum_growth last;
static struct tap_lock_sum_key last_key;
static unsigned n_grown;

static int on_grown(void *context, const struct tap_lock_sum_key *key, const struct tap_lock_sum_growth *growth)
{
	last = *growth;
	last_key = *key;
	n_grown++;
	return context ? *(int *)context : 0;
}

static void set_up(void)
{
	tap_lock_sums_init(&sums);
	n_grown = 0;
}

static void tear_down(void)
{
	tap_lock_sums_done(&sums);
}

static struct tap_lock_sum sum_of(uint32_t relation, uint64_t waits)
{
	return (struct tap_lock_sum){ .key = { .row = { .kind = TAP_KIND_CLIENT, .query_id = 7 },
					       .tag = { 5, relation, 0, 1u << 24 },
					       .mode = 8 },
				      .waits = waits };
}

static void put(uint32_t round, uint32_t place, const struct tap_lock_sum *sum)
{
	ck_assert_int_eq(tap_lock_sums_put(&sums, round, place, sum, on_grown, NULL), 0);
}

START_TEST(test_growth)
{
	struct tap_lock_sum sum = sum_of(16384, 10);

	sum.failed = 1;
	sum.ns = 5000;
	sum.longest[0] = 900;
	sum.buckets[3] = 10;
	put(0, 7, &sum);
	ck_assert_uint_eq(n_grown, 1);
	ck_assert_uint_eq(last_key.tag[1], 16384);
	ck_assert_uint_eq(last.waits, 10);
	ck_assert_uint_eq(last.failed, 1);
	ck_assert_uint_eq(last.ns, 5000);
	ck_assert_uint_eq(last.longest_ns, 900);
	ck_assert_uint_eq(last.buckets[3], 10);
	/* Nothing has come. */
	put(1, 7, &sum);
	ck_assert_uint_eq(n_grown, 1);
	/* One that is new is not mistaken for another. */
	put(1, 8, &sum);
	ck_assert_uint_eq(n_grown, 2);
	ck_assert_uint_eq(last.waits, 10);
	sum.waits = 12;
	sum.ns = 5700;
	sum.buckets[3] = 11;
	sum.buckets[200] = 1;
	sum.longest[0] = 2ull << TAP_LOCK_LONGEST_BITS | 400;
	put(2, 7, &sum);
	ck_assert_uint_eq(last.waits, 2);
	ck_assert_uint_eq(last.failed, 0);
	ck_assert_uint_eq(last.ns, 700);
	ck_assert_uint_eq(last.longest_ns, 400);
	ck_assert_uint_eq(last.buckets[3], 1);
	ck_assert_uint_eq(last.buckets[200], 1);
}
END_TEST

/* What an earlier or a later round left is not this one's; rounds wrap. */
START_TEST(test_longest)
{
	struct tap_lock_sum sum = { .waits = 1, .longest = { 2ull << TAP_LOCK_LONGEST_BITS | 400, 800 } };

	put(4, 1, &sum);
	ck_assert_uint_eq(last.longest_ns, 0);
	put(2, 2, &sum);
	ck_assert_uint_eq(last.longest_ns, 400);
	put(3, 3, &sum);
	ck_assert_uint_eq(last.longest_ns, 0);
	put(0x10002, 4, &sum);
	ck_assert_uint_eq(last.longest_ns, 400);
}
END_TEST

/* Counters of 32 bits that have gone round, and figures that make no sense. */
START_TEST(test_hostile)
{
	struct tap_lock_sum sum = { .waits = 5 };

	sum.buckets[0] = UINT32_MAX - 1;
	put(0, 1, &sum);
	sum.waits = 9;
	sum.buckets[0] = 2;
	put(1, 1, &sum);
	ck_assert_uint_eq(last.waits, 4);
	ck_assert_uint_eq(last.buckets[0], 4);
	memset(&sum, 0xff, sizeof(sum));
	put(2, 1, &sum);
	ck_assert_uint_eq(n_grown, 3);
}
END_TEST

START_TEST(test_errors)
{
	struct tap_lock_sum sum = sum_of(1, 5), nothing = { .waits = 0 };
	int refusal = -EIO;

	ck_assert_int_eq(tap_lock_sums_put(&sums, 0, 1, &sum, on_grown, &refusal), -EIO);
	for (uint32_t i = 2; i < 100; i++)
		put(0, i, &sum);
	ck_assert_uint_eq(sums.count, 100);
	/* A place that was taken and is not used yet. */
	n_grown = 0;
	put(0, 200, &nothing);
	ck_assert_uint_eq(n_grown, 0);
	ck_assert_int_eq(tap_lock_sums_put(&sums, 0, TAP_LOCK_SUMS_MAX, &sum, on_grown, NULL), -ERANGE);
	/* No map at all. */
	ck_assert_int_eq(tap_lock_sums_read(&sums, -1, 0, 0, on_grown, NULL), 0);
	ck_assert_int_lt(tap_lock_sums_read(&sums, -1, UINT32_MAX, 0, on_grown, NULL), 0);
}
END_TEST

START_TEST(test_without_memory)
{
	struct tap_lock_sum sum = sum_of(1, 5);
	int status;

	tap_alloc_fail_at(1);
	status = tap_lock_sums_put(&sums, 0, 0, &sum, on_grown, NULL);
	ck_assert(tap_alloc_failed());
	tap_alloc_fail_at(0);
	ck_assert_int_eq(status, -ENOMEM);
	tap_alloc_fail_at(1);
	status = tap_lock_sums_read(&sums, -1, 1, 0, on_grown, NULL);
	tap_alloc_fail_at(0);
	ck_assert_int_eq(status, -ENOMEM);
	ck_assert_uint_eq(n_grown, 0);
	put(0, 0, &sum);
	ck_assert_uint_eq(n_grown, 1);
}
END_TEST

/* Two tags that are one object to the log have one sum, and its words say which object. */
START_TEST(test_words_are_those_of_the_object)
{
	for (uint32_t type = 0; type < TAP_LOCK_PG_TYPE_COUNT; type++) {
		struct tap_lock_tag tag = { 5, 16384, 77, 3, (uint8_t)type, 1 }, shared;
		__u32 words[4], kept[4];
		struct tap_lock_object object, again;

		memcpy(words, &tag, sizeof(words));
		tap_pg_lock_shared(words, kept);
		memcpy(&shared, kept, sizeof(shared));
		ck_assert_uint_eq(shared.type, type);
		tap_lock_object_of(1, &tag, &object);
		tap_lock_object_of(1, &shared, &again);
		ck_assert_mem_eq(&object, &again, sizeof(object));
		/* Nothing is kept that the object does not have. */
		ck_assert(!kept[0] || object.database == 5);
		ck_assert(!kept[2] || object.id2 == 77);
		ck_assert_uint_eq(shared.field4, 0);
	}
	{
		__u32 words[4] = { 1, 2, 3, 0xffffffff }, kept[4];

		tap_pg_lock_shared(words, kept);
		ck_assert_uint_eq(kept[0] | kept[1] | kept[2], 0);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lock_sums");
	TCase *tcase = tcase_create("lock_sums");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_growth);
	tcase_add_test(tcase, test_longest);
	tcase_add_test(tcase, test_hostile);
	tcase_add_test(tcase, test_errors);
	tcase_add_test(tcase, test_without_memory);
	tcase_add_test(tcase, test_words_are_those_of_the_object);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
