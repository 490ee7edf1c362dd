// SPDX-License-Identifier: BSD-2-Clause
/* test_arena.c - userspace/base/arena: zeroed, aligned, apart from each other, given up at once, honest when full. */
#include "userspace/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_arena arena;

static void set_up(void)
{
	tap_arena_init(&arena);
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_arena_done(&arena);
	tap_arena_done(&arena);
}

START_TEST(test_pieces_are_zeroed_aligned_and_apart)
{
	unsigned char *pieces[2000];
	size_t sizes[2000];

	for (size_t i = 0; i < 2000; i++) {
		sizes[i] = 1 + i * 7 % 300;
		pieces[i] = tap_arena_new(&arena, sizes[i], 1);
		ck_assert_ptr_nonnull(pieces[i]);
		ck_assert_uint_eq((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t j = 0; j < sizes[i]; j++)
			ck_assert_uint_eq(pieces[i][j], 0);
		memset(pieces[i], (int)(i % 255) + 1, sizes[i]);
	}
	for (size_t i = 0; i < 2000; i++) {
		for (size_t j = 0; j < sizes[i]; j++)
			ck_assert_uint_eq(pieces[i][j], i % 255 + 1);
	}
	ck_assert(!arena.failed);
}
END_TEST

START_TEST(test_large_and_empty_pieces)
{
	char *large = tap_arena_new(&arena, 3, 1 << 20);
	char *nothing = tap_arena_new(&arena, 0, 100);
	char *exact = tap_arena_new(&arena, 1, 3 << 20);

	ck_assert_ptr_nonnull(large);
	ck_assert_ptr_nonnull(nothing);
	ck_assert_ptr_nonnull(exact);
	memset(large, 1, 3 << 20);
	memset(exact, 2, 3 << 20);
	ck_assert_int_eq(large[(3 << 20) - 1], 1);
}
END_TEST

/* An empty arena has no block to point into. */
START_TEST(test_first_piece_is_empty)
{
	ck_assert_ptr_nonnull(tap_arena_new(&arena, 0, 8));
	ck_assert(!arena.failed);
}
END_TEST

START_TEST(test_absurd_sizes)
{
	ck_assert_ptr_null(tap_arena_new(&arena, SIZE_MAX, 2));
	ck_assert(arena.failed);
	tap_arena_done(&arena);
	ck_assert(!arena.failed);
	ck_assert_ptr_null(tap_arena_new(&arena, SIZE_MAX, 1));
	ck_assert(arena.failed);
	tap_arena_done(&arena);
	ck_assert_ptr_null(tap_arena_new(&arena, 1, SIZE_MAX / 4));
	ck_assert(arena.failed);
	/* It remembers, and works on. */
	ck_assert_ptr_nonnull(tap_arena_new(&arena, 1, 1));
	ck_assert(arena.failed);
}
END_TEST

START_TEST(test_strings)
{
	char text[] = "copied";
	const char *copy = tap_arena_string(&arena, text);

	text[0] = 'X';
	ck_assert_str_eq(copy, "copied");
	ck_assert_str_eq(tap_arena_string(&arena, ""), "");
	ck_assert_ptr_null(tap_arena_string(&arena, NULL));
	ck_assert(!arena.failed);
}
END_TEST

START_TEST(test_out_of_memory)
{
	tap_alloc_fail_at(1);
	ck_assert_ptr_null(tap_arena_string(&arena, "text"));
	ck_assert(tap_alloc_failed());
	ck_assert(arena.failed);
	tap_alloc_fail_at(0);
	ck_assert_str_eq(tap_arena_string(&arena, "text"), "text");
	/* A second block that cannot be had leaves the first as it was. */
	tap_alloc_fail_at(1);
	ck_assert_ptr_null(tap_arena_new(&arena, 1, 100000));
	ck_assert_ptr_nonnull(tap_arena_new(&arena, 1, 100));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("base/arena");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_pieces_are_zeroed_aligned_and_apart);
	tcase_add_test(tests, test_large_and_empty_pieces);
	tcase_add_test(tests, test_first_piece_is_empty);
	tcase_add_test(tests, test_absurd_sizes);
	tcase_add_test(tests, test_strings);
	tcase_add_test(tests, test_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
