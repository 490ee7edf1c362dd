// SPDX-License-Identifier: BSD-2-Clause
/* test_symbols.c - addresses out of lists like /proc/kallsyms, also out of what is none. */
#include "userspace/load/symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/check_main.h"

static char path[] = "/tmp/test_symbols_XXXXXX";

static void set_up(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/test_symbols_XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void tear_down(void)
{
	unlink(path);
}

static uint64_t found(const char *text, const char *name)
{
	struct tap_symbol symbols[] = { { .name = "another", .address = 1 }, { .name = name, .address = 1 } };
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	tap_symbols_find(symbols, 2, path);
	ck_assert_uint_eq(symbols[0].address, 0);
	return symbols[1].address;
}

START_TEST(test_found)
{
	ck_assert_uint_eq(found("ffffffff81000000 T _text\nffffffff81763350 T wanted\n", "wanted"), 0xffffffff81763350);
	ck_assert_uint_eq(found("ffffffffc0001000 t wanted\t[a_module]\n", "wanted"), 0xffffffffc0001000);
	ck_assert_uint_eq(found("ffffffffc0001000 t wanted", "wanted"), 0xffffffffc0001000);
}
END_TEST

/* Another's name that begins or ends so, a list with its addresses hidden, two of one name, no list. */
START_TEST(test_not_known)
{
	struct tap_symbol symbol = { .name = "wanted", .address = 1 };

	ck_assert_uint_eq(found("ffffffff81000000 T wanted_too\nffffffff81000010 T __wanted\n", "wanted"), 0);
	ck_assert_uint_eq(found("0000000000000000 T wanted\n", "wanted"), 0);
	ck_assert_uint_eq(found("ffffffff81000000 t wanted\nffffffff81000010 t wanted\n", "wanted"), 0);
	ck_assert_uint_eq(found("", "wanted"), 0);
	unlink(path);
	tap_symbols_find(&symbol, 1, path);
	ck_assert_uint_eq(symbol.address, 0);
}
END_TEST

START_TEST(test_garbage)
{
	static const char *const texts[] = { "\n\n\n", "x T wanted\n", "1\n",	      "1 \n",
					     "1 T\n",  "1 T \n",       "1  wanted\n", " T wanted\n" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_uint_eq(found(texts[i], "wanted"), 0);
	srand(1);
	for (int i = 0; i < 500; i++) {
		char text[2000];

		for (size_t j = 0; j < sizeof(text) - 1; j++)
			text[j] = (char)(rand() % 255 + 1);
		text[sizeof(text) - 1] = '\0';
		ck_assert_uint_eq(found(text, "wanted"), 0);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("load/symbols");
	TCase *tests = tcase_create("list");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_found);
	tcase_add_test(tests, test_not_known);
	tcase_add_test(tests, test_garbage);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
