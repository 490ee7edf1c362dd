// SPDX-License-Identifier: BSD-2-Clause
/* test_hash.c - the index of userspace/base/hash: what was entered is found, also when keys collide and memory runs
 * out. */
#include "userspace/base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

struct item {
	uint64_t key;
	uint64_t value;
};

enum {
	ITEMS = 5000,
	SMALLEST_TABLE = 64,
};

static struct tap_hash hash;
static struct item *items;

static void set_up(void)
{
	items = calloc(ITEMS, sizeof(*items));
	ck_assert_ptr_nonnull(items);
	tap_hash_init(&hash, sizeof(items->key));
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_hash_done(&hash);
	free(items);
}

static size_t find(uint64_t key)
{
	return tap_hash_find(&hash, items, sizeof(*items), &key);
}

static int add(size_t place, uint64_t key)
{
	items[place] = (struct item){ .key = key, .value = ~key };
	return tap_hash_add(&hash, items, sizeof(*items), place);
}

START_TEST(test_an_empty_index_has_nothing)
{
	ck_assert_uint_eq(find(0), TAP_HASH_NONE);
	ck_assert_uint_eq(find(7), TAP_HASH_NONE);
	ck_assert_uint_eq(tap_hash_find(&hash, NULL, 0, "12345678"), TAP_HASH_NONE);
}
END_TEST

START_TEST(test_finds_what_was_added_through_every_growth)
{
	for (size_t i = 0; i < ITEMS; i++) {
		ck_assert_uint_eq(find(i * 3), TAP_HASH_NONE);
		ck_assert_int_eq(add(i, i * 3), 0);
		ck_assert_uint_eq(find(i * 3), i);
	}
	for (size_t i = 0; i < ITEMS; i++) {
		ck_assert_uint_eq(find(i * 3), i);
		ck_assert_uint_eq(find(i * 3 + 1), TAP_HASH_NONE);
	}
	ck_assert_uint_eq(hash.count, ITEMS);
	ck_assert_uint_ge(hash.n_slots, 2 * (size_t)ITEMS);
}
END_TEST

/* Keys that all begin their search in one slot of the smallest table. */
START_TEST(test_keys_that_collide)
{
	uint64_t keys[20];
	uint64_t key = 0;

	for (size_t n = 0; n < 20; key++) {
		if (tap_hash_bytes(&key, sizeof(key)) % SMALLEST_TABLE != SMALLEST_TABLE - 1)
			continue;
		keys[n] = key;
		ck_assert_int_eq(add(n, key), 0);
		n++;
	}
	ck_assert_uint_eq(hash.n_slots, SMALLEST_TABLE);
	for (size_t n = 0; n < 20; n++)
		ck_assert_uint_eq(find(keys[n]), n);
	while (tap_hash_bytes(&key, sizeof(key)) % SMALLEST_TABLE != SMALLEST_TABLE - 1)
		key++;
	ck_assert_uint_eq(find(key), TAP_HASH_NONE);
}
END_TEST

START_TEST(test_places_need_no_order)
{
	ck_assert_int_eq(add(40, 1), 0);
	ck_assert_int_eq(add(3, 2), 0);
	ck_assert_uint_eq(find(1), 40);
	ck_assert_uint_eq(find(2), 3);
}
END_TEST

/* The caller's array moved: the index holds places, not addresses. */
START_TEST(test_the_array_may_move)
{
	struct item *moved = calloc(ITEMS, sizeof(*moved));

	ck_assert_ptr_nonnull(moved);
	ck_assert_int_eq(add(0, 11), 0);
	ck_assert_int_eq(add(1, 12), 0);
	memcpy(moved, items, ITEMS * sizeof(*items));
	free(items);
	items = moved;
	ck_assert_uint_eq(find(12), 1);
}
END_TEST

/* 11 bytes: a whole word and a rest, so that every byte of the key counts. */
START_TEST(test_keys_of_an_odd_size)
{
	char texts[2][11];
	struct tap_hash odd;

	memcpy(texts[0], "abcdefgh\0jk", 11);
	memcpy(texts[1], "abcdefgh\0jl", 11);
	tap_hash_init(&odd, 11);
	ck_assert_int_eq(tap_hash_add(&odd, texts, 11, 0), 0);
	ck_assert_uint_eq(tap_hash_find(&odd, texts, 11, texts[1]), TAP_HASH_NONE);
	ck_assert_int_eq(tap_hash_add(&odd, texts, 11, 1), 0);
	ck_assert_uint_eq(tap_hash_find(&odd, texts, 11, "abcdefgh\0jk"), 0);
	ck_assert_uint_eq(tap_hash_find(&odd, texts, 11, "abcdefgh\0jl"), 1);
	tap_hash_done(&odd);
}
END_TEST

START_TEST(test_without_memory_nothing_changes)
{
	size_t full = SMALLEST_TABLE / 2;

	tap_alloc_fail_at(1);
	ck_assert_int_eq(add(0, 5), -ENOMEM);
	ck_assert_uint_eq(find(5), TAP_HASH_NONE);
	ck_assert_uint_eq(hash.count, 0);
	for (size_t i = 0; i < full; i++)
		ck_assert_int_eq(add(i, 100 + i), 0);
	tap_alloc_fail_at(1);
	ck_assert_int_eq(add(full, 999), -ENOMEM);
	ck_assert(tap_alloc_failed());
	ck_assert_uint_eq(find(999), TAP_HASH_NONE);
	ck_assert_uint_eq(hash.count, full);
	for (size_t i = 0; i < full; i++)
		ck_assert_uint_eq(find(100 + i), i);
	ck_assert_int_eq(add(full, 999), 0);
	ck_assert_uint_eq(find(999), full);
}
END_TEST

START_TEST(test_a_place_beyond_the_slots_is_refused)
{
	ck_assert_int_eq(tap_hash_add(&hash, items, sizeof(*items), UINT32_MAX), -ENOMEM);
	ck_assert_int_eq(tap_hash_add(&hash, items, sizeof(*items), SIZE_MAX), -ENOMEM);
	ck_assert_uint_eq(hash.count, 0);
}
END_TEST

START_TEST(test_done_forgets_all_and_can_begin_again)
{
	ck_assert_int_eq(add(0, 1), 0);
	tap_hash_done(&hash);
	ck_assert_uint_eq(find(1), TAP_HASH_NONE);
	ck_assert_uint_eq(hash.count, 0);
	ck_assert_int_eq(add(0, 2), 0);
	ck_assert_uint_eq(find(2), 0);
	tap_hash_done(NULL);
}
END_TEST

/* Numbers that follow each other, as ids do, must not crowd a few slots. */
START_TEST(test_the_hash_spreads)
{
	unsigned int used[256] = { 0 };
	unsigned int most = 0;

	for (uint64_t key = 0; key < 256 * 16; key++) {
		uint64_t shifted = key << (_i * 8);
		unsigned int count = ++used[tap_hash_bytes(&shifted, sizeof(shifted)) % 256];

		if (count > most)
			most = count;
	}
	ck_assert_uint_lt(most, 64);
}
END_TEST

START_TEST(test_the_hash_depends_on_bytes_and_size)
{
	static const char zeros[16];

	ck_assert_uint_eq(tap_hash_bytes("abc", 3), tap_hash_bytes("abcd", 3));
	ck_assert_uint_ne(tap_hash_bytes("abc", 3), tap_hash_bytes("abd", 3));
	for (size_t size = 0; size < sizeof(zeros); size++)
		ck_assert_uint_ne(tap_hash_bytes(zeros, size), tap_hash_bytes(zeros, size + 1));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("hash");
	TCase *tcase = tcase_create("hash");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_an_empty_index_has_nothing);
	tcase_add_test(tcase, test_finds_what_was_added_through_every_growth);
	tcase_add_test(tcase, test_keys_that_collide);
	tcase_add_test(tcase, test_places_need_no_order);
	tcase_add_test(tcase, test_the_array_may_move);
	tcase_add_test(tcase, test_keys_of_an_odd_size);
	tcase_add_test(tcase, test_without_memory_nothing_changes);
	tcase_add_test(tcase, test_a_place_beyond_the_slots_is_refused);
	tcase_add_test(tcase, test_done_forgets_all_and_can_begin_again);
	tcase_add_loop_test(tcase, test_the_hash_spreads, 0, 7);
	tcase_add_test(tcase, test_the_hash_depends_on_bytes_and_size);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
