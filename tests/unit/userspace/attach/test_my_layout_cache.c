// SPDX-License-Identifier: BSD-2-Clause
/* test_my_layout_cache.c - what is written is read again, with its sign; what is broken, or another product's, is not.
 */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/check_main.h"
#include "userspace/attach/my_layout_cache.h"
#include "userspace/attach/pg_layout_cache.h"

#define BUILD "0123456789abcdef0123456789abcdef01234567"

static char home[64], folder[96], path[192];
static struct tap_my_layout_row row, found;

static void setup(void)
{
	strcpy(home, "/tmp/dbtap-test-cache-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(home));
	setenv("XDG_CACHE_HOME", home, 1);
	snprintf(folder, sizeof(folder), "%s/dbtap", home);
	snprintf(path, sizeof(path), "%s/%s", folder, BUILD);
	row = *tap_my_layout_find(TAP_MY_MARIADB, 101119, EM_X86_64);
	row.decoded.thd = -0x68;
	row.inferred = true;
	memset(&found, 0x55, sizeof(found));
}

static void teardown(void)
{
	unlink(path);
	rmdir(folder);
	rmdir(home);
}

static int read_back(void)
{
	return tap_my_layout_cache_read(BUILD, &row, &found);
}

static void text_get(char text[8192])
{
	FILE *file = fopen(path, "r");
	size_t size;

	ck_assert_ptr_nonnull(file);
	size = fread(text, 1, 8191, file);
	text[size] = '\0';
	fclose(file);
}

static void text_put(const char *text, size_t size)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, size, file), size);
	fclose(file);
}

START_TEST(round_trip)
{
	struct stat st;

	ck_assert_int_eq(read_back(), -ENOENT);
	ck_assert_int_eq(tap_my_layout_cache_write(BUILD, &row), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(read_back(), 0);
	ck_assert_int_eq(found.decoded.thd, -0x68);
	ck_assert(tap_my_layout_cache_is_same(&row, &found));
	ck_assert_ptr_eq(found.name, row.name);
	found.fields.start_time += 8;
	ck_assert(!tap_my_layout_cache_is_same(&row, &found));
}
END_TEST

START_TEST(another_engines_or_products)
{
	struct tap_pg_layout_row postgres = *tap_pg_layout_find(150018, EM_X86_64);

	ck_assert_int_eq(tap_pg_layout_cache_write(BUILD, &postgres), 0);
	ck_assert_int_eq(read_back(), -EBADMSG);
	row.product = TAP_MY_MYSQL;
	ck_assert_int_eq(tap_my_layout_cache_write(BUILD, &row), 0);
	row.product = TAP_MY_MARIADB;
	ck_assert_int_eq(read_back(), -EBADMSG);
	ck_assert_uint_eq(*(unsigned char *)&found, 0x55);
}
END_TEST

/* Cut anywhere, or with any byte changed: refused, or numbers within their bounds. */
START_TEST(mutated)
{
	char text[8192], broken[8192];
	size_t size, refused = 0;

	ck_assert_int_eq(tap_my_layout_cache_write(BUILD, &row), 0);
	text_get(text);
	size = strlen(text);
	for (size_t i = 0; i < size; i += 3) {
		text_put(text, i);
		ck_assert_int_eq(read_back(), -EBADMSG);
		memcpy(broken, text, size);
		broken[i] = (char)(broken[i] ^ (1 << (i % 7)));
		text_put(broken, size);
		if (read_back()) {
			refused++;
			continue;
		}
		ck_assert_int_lt(found.decoded.thd, 0);
		ck_assert_uint_le(found.stage, 1 << 17);
		ck_assert_uint_le(found.fields.start_time, 1 << 17);
		ck_assert_uint_le(found.fields.wide_id, 1);
	}
	ck_assert_uint_gt(refused, size / 6);
}
END_TEST

START_TEST(written_by_others)
{
	ck_assert_int_eq(tap_my_layout_cache_write(BUILD, &row), 0);
	ck_assert_int_eq(chmod(path, 0620), 0);
	ck_assert_int_eq(read_back(), -EPERM);
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(chmod(folder, 0770), 0);
	ck_assert_int_eq(read_back(), -EPERM);
	ck_assert_int_eq(tap_my_layout_cache_write(BUILD, &row), -EPERM);
	ck_assert_int_eq(chmod(folder, 0700), 0);
	ck_assert_int_eq(tap_my_layout_cache_write("../../etc/passwd", &row), -ENOENT);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("my_layout_cache");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, round_trip);
	tcase_add_test(tests, another_engines_or_products);
	tcase_add_test(tests, mutated);
	tcase_add_test(tests, written_by_others);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
