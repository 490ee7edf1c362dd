// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_my_code.c - functions as compilers make them, and everything else refused.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "tests/lib/check_main.h"
#include "userspace/attach/my_code.h"

static const uint8_t thread_local_load[] = { 0x64, 0x48, 0x8b, 0x04, 0x25, 0x98, 0xff, 0xff, 0xff, 0xc3 };
static const uint8_t long_load[] = { 0x48, 0x8b, 0x87, 0x18, 0x3f, 0x00, 0x00, 0xc3 };

START_TEST(finds_the_thread_local)
{
	static const uint8_t protected_load[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x64, 0x48, 0x8b,
						  0x04, 0x25, 0x48, 0xff, 0xff, 0xff, 0xc3 };
	int32_t offset = 0;

	ck_assert_int_eq(tap_my_code_thread_local(EM_X86_64, thread_local_load, sizeof(thread_local_load), &offset), 0);
	ck_assert_int_eq(offset, -0x68);
	ck_assert_int_eq(tap_my_code_thread_local(EM_X86_64, protected_load, sizeof(protected_load), &offset), 0);
	ck_assert_int_eq(offset, -0xb8);
}
END_TEST

/* As Debian's MariaDB 10.11 has it. */
START_TEST(finds_the_thread_local_through_the_pointer)
{
	static const uint8_t framed[] = { 0x55, 0x48, 0x89, 0xe5, 0x66, 0x66, 0x66, 0x64, 0x48, 0x8b, 0x04, 0x25, 0,
					  0,	0,    0,    0x5d, 0x48, 0x8b, 0x80, 0x98, 0xff, 0xff, 0xff, 0xc3 };
	int32_t offset = 0;

	ck_assert_int_eq(tap_my_code_thread_local(EM_X86_64, framed, sizeof(framed), &offset), 0);
	ck_assert_int_eq(offset, -0x68);
	ck_assert_int_eq(tap_my_code_thread_local(EM_X86_64, framed + 4, sizeof(framed) - 4, &offset), -ENOENT);
	for (size_t size = 0; size < sizeof(framed); size++)
		ck_assert_int_eq(tap_my_code_thread_local(EM_X86_64, framed, size, &offset), -ENOENT);
}
END_TEST

START_TEST(finds_parts_counters_and_arguments)
{
	static const uint8_t part[] = { 0x48, 0x8b, 0x87, 0xf8, 0x25, 0,    0,	  0x48, 0x85,
					0xc0, 0x74, 4,	  0x48, 0x8b, 0x40, 0x10, 0xc3 };
	static const uint8_t counter[] = { 0x48, 0x85, 0xff, 0x74, 7, 0x48, 0x01, 0xb7, 0x70, 0x14, 0, 0, 0xc3 };
	static const uint8_t argument[] = { 0x48, 0x8b, 0x7f, 0x28, 0xe9, 0x57, 0x93, 0x71, 0 };
	uint32_t first = 0, second = 0;

	ck_assert_int_eq(tap_my_code_part(EM_X86_64, part, sizeof(part), &first, &second), 0);
	ck_assert_uint_eq(first, 0x25f8);
	ck_assert_uint_eq(second, 0x10);
	ck_assert_int_eq(tap_my_code_counter(EM_X86_64, counter, sizeof(counter), &first), 0);
	ck_assert_uint_eq(first, 0x1470);
	ck_assert_int_eq(tap_my_code_handed_on(EM_X86_64, argument, sizeof(argument), &first), 0);
	ck_assert_uint_eq(first, 0x28);
	ck_assert_int_eq(tap_my_code_part(EM_X86_64, counter, sizeof(counter), &first, &second), -ENOENT);
	ck_assert_int_eq(tap_my_code_counter(EM_X86_64, argument, sizeof(argument), &first), -ENOENT);
	ck_assert_int_eq(tap_my_code_handed_on(EM_X86_64, part, sizeof(part), &first), -ENOENT);
	for (size_t size = 0; size < sizeof(part); size++)
		ck_assert_int_eq(tap_my_code_part(EM_X86_64, part, size, &first, &second), -ENOENT);
}
END_TEST

/* As Debian's MySQL 9.7 has them. */
START_TEST(finds_what_mysql_has)
{
	static const uint8_t text[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x8b, 0x87, 0x10, 5,   0,
					0,    0x48, 0x8b, 0x97, 0x18, 5,    0,	  0,	0xc3 };
	static const uint8_t stored[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x89, 0xb7, 0xb4, 0x19, 0,
					  0,	0x89, 0xf7, 0xe9, 0xaf, 0x0a, 0xeb, 1 };
	static const uint8_t handed_out[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x85, 0xf6, 0x74, 0x17, 0x48, 0x8b,
					      0x87, 0,	  0x18, 0,    0,    0x48, 0x89, 6,    0x31, 0xc0, 0xc3 };
	static const uint8_t flagged[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0xb6, 0x87, 8, 0x12, 0,   0,
					   0x88, 6,    0x48, 0x8d, 0x87, 0xf8, 0x0a, 0, 0,    0xc3 };
	uint8_t apart[sizeof(text)];
	uint32_t offset = 0;

	ck_assert_int_eq(tap_my_code_text(EM_X86_64, text, sizeof(text), &offset), 0);
	ck_assert_uint_eq(offset, 0x510);
	ck_assert_int_eq(tap_my_code_stored(EM_X86_64, stored, sizeof(stored), &offset), 0);
	ck_assert_uint_eq(offset, 0x19b4);
	ck_assert_int_eq(tap_my_code_handed_out(EM_X86_64, handed_out, sizeof(handed_out), &offset), 0);
	ck_assert_uint_eq(offset, 0x1800);
	ck_assert_int_eq(tap_my_code_flagged_address(EM_X86_64, flagged, sizeof(flagged), &offset), 0);
	ck_assert_uint_eq(offset, 0xaf8);
	for (size_t size = 0; size < sizeof(text); size++)
		ck_assert_int_eq(tap_my_code_text(EM_X86_64, text, size, &offset), -ENOENT);
	for (size_t size = 0; size < 13; size++)
		ck_assert_int_eq(tap_my_code_stored(EM_X86_64, stored, size, &offset), -ENOENT);
	for (size_t size = 0; size < 19; size++)
		ck_assert_int_eq(tap_my_code_handed_out(EM_X86_64, handed_out, size, &offset), -ENOENT);
	for (size_t size = 0; size < sizeof(flagged); size++)
		ck_assert_int_eq(tap_my_code_flagged_address(EM_X86_64, flagged, size, &offset), -ENOENT);
	/* A length that lies elsewhere, another shape, another machine. */
	memcpy(apart, text, sizeof(text));
	apart[14] = 0x20;
	ck_assert_int_eq(tap_my_code_text(EM_X86_64, apart, sizeof(apart), &offset), -ENOENT);
	ck_assert_int_eq(tap_my_code_text(EM_X86_64, stored, sizeof(stored), &offset), -ENOENT);
	ck_assert_int_eq(tap_my_code_stored(EM_X86_64, text, sizeof(text), &offset), -ENOENT);
	ck_assert_int_eq(tap_my_code_handed_out(EM_X86_64, flagged, sizeof(flagged), &offset), -ENOENT);
	ck_assert_int_eq(tap_my_code_flagged_address(EM_AARCH64, flagged, sizeof(flagged), &offset), -ENOENT);
}
END_TEST

START_TEST(finds_fields)
{
	static const struct {
		uint8_t code[12];
		size_t size;
		struct tap_my_code_field field;
	} cases[] = {
		{ { 0x48, 0x8b, 0x87, 0x18, 0x3f, 0, 0, 0xc3 }, 8, { 0x3f18, 8, 0 } },
		{ { 0x48, 0x8d, 0x47, 0x68, 0xc3 }, 5, { 0x68, 0, 1 } },
		{ { 0x8b, 0x87, 0xd0, 0x25, 0, 0, 0xc3 }, 7, { 0x25d0, 4, 0 } },
		{ { 0x48, 0x63, 0x87, 0xd8, 0x27, 0, 0, 0xc3 }, 8, { 0x27d8, 4, 0 } },
		{ { 0x0f, 0xb6, 0x47, 0x10, 0xc3 }, 5, { 0x10, 1, 0 } },
		{ { 0x0f, 0xb7, 0x47, 0x10, 0xc3 }, 5, { 0x10, 2, 0 } },
		{ { 0x48, 0x8b, 0x07, 0xc3 }, 4, { 0, 8, 0 } },
		{ { 0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x8b, 0x47, 0x08, 0xc3 }, 9, { 8, 8, 0 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tap_my_code_field field = { 0 };

		ck_assert_int_eq(tap_my_code_field(EM_X86_64, cases[i].code, cases[i].size, &field), 0);
		ck_assert_uint_eq(field.offset, cases[i].field.offset);
		ck_assert_uint_eq(field.size, cases[i].field.size);
		ck_assert_uint_eq(field.address, cases[i].field.address);
	}
}
END_TEST

/* Another register, a negative or huge offset, a test first, a load through two pointers, another machine. */
START_TEST(refuses_what_it_does_not_know)
{
	static const struct {
		uint8_t code[12];
		size_t size;
	} cases[] = {
		{ { 0x48, 0x8b, 0x86, 0x18, 0x3f, 0, 0, 0xc3 }, 8 },
		{ { 0x48, 0x8b, 0x8f, 0x18, 0x3f, 0, 0, 0xc3 }, 8 },
		{ { 0x48, 0x8b, 0x47, 0xf8, 0xc3 }, 5 },
		{ { 0x48, 0x8b, 0x87, 0, 0, 0, 0x7f, 0xc3 }, 8 },
		{ { 0x48, 0x85, 0xff, 0x74, 0x05, 0xc3 }, 6 },
		{ { 0x48, 0x8b, 0x47, 0x08, 0x48, 0x8b, 0x00, 0xc3 }, 8 },
		{ { 0x48, 0x8b, 0xc7, 0xc3 }, 4 },
		{ { 0xc3 }, 1 },
		{ { 0 }, 0 },
	};
	struct tap_my_code_field field;
	int32_t offset;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ck_assert_int_eq(tap_my_code_field(EM_X86_64, cases[i].code, cases[i].size, &field), -ENOENT);
		ck_assert_int_eq(tap_my_code_thread_local(EM_X86_64, cases[i].code, cases[i].size, &offset), -ENOENT);
	}
	ck_assert_int_eq(tap_my_code_field(EM_AARCH64, long_load, sizeof(long_load), &field), -ENOENT);
	ck_assert_int_eq(tap_my_code_thread_local(EM_AARCH64, thread_local_load, sizeof(thread_local_load), &offset),
			 -ENOENT);
}
END_TEST

/* Thread-local storage lies below the thread pointer and is no megabytes away. */
START_TEST(refuses_impossible_thread_locals)
{
	uint8_t code[sizeof(thread_local_load)];
	static const int32_t offsets[] = { 0, 8, INT32_MAX, INT32_MIN };
	int32_t offset;

	memcpy(code, thread_local_load, sizeof(code));
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		memcpy(code + 5, &offsets[i], sizeof(offsets[i]));
		ck_assert_int_eq(tap_my_code_thread_local(EM_X86_64, code, sizeof(code), &offset), -ENOENT);
	}
}
END_TEST

/* Bytes past the end are never looked at: the sanitizer sees to it. */
START_TEST(any_cut_is_harmless)
{
	for (size_t size = 0; size < sizeof(long_load); size++) {
		uint8_t *code = malloc(size + 1);
		struct tap_my_code_field field;
		int32_t offset;

		memcpy(code, long_load, size);
		code = realloc(code, size ? size : 1);
		ck_assert_int_eq(tap_my_code_field(EM_X86_64, code, size, &field), -ENOENT);
		memcpy(code, thread_local_load, size);
		ck_assert_int_eq(tap_my_code_thread_local(EM_X86_64, code, size, &offset), -ENOENT);
		free(code);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("my_code");
	TCase *tests = tcase_create("my_code");

	tcase_add_test(tests, finds_the_thread_local);
	tcase_add_test(tests, finds_the_thread_local_through_the_pointer);
	tcase_add_test(tests, finds_parts_counters_and_arguments);
	tcase_add_test(tests, finds_what_mysql_has);
	tcase_add_test(tests, finds_fields);
	tcase_add_test(tests, refuses_what_it_does_not_know);
	tcase_add_test(tests, refuses_impossible_thread_locals);
	tcase_add_test(tests, any_cut_is_harmless);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
