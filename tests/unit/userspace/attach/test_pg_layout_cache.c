// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_pg_layout_cache.c - what is written is read again; what somebody else may have written, or broke, is not.
 */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/check_main.h"
#include "userspace/attach/pg_layout_cache.h"

#define BUILD "0123456789abcdef0123456789abcdef01234567"

static char home[64], folder[96], path[192];
static struct tap_pg_layout_row row, found;

static void setup(void)
{
	strcpy(home, "/tmp/dbtap-test-cache-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(home));
	setenv("XDG_CACHE_HOME", home, 1);
	snprintf(folder, sizeof(folder), "%s/dbtap", home);
	snprintf(path, sizeof(path), "%s/%s", folder, BUILD);
	row = *tap_pg_layout_find(150018, EM_X86_64);
	row.layout.status_state = 240;
	row.layout.proc_lock_group_leader = TAP_PG_ABSENT;
	row.layout.kind_of_type[3] = 7;
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
	return tap_pg_layout_cache_read(BUILD, tap_pg_layout_find(190000, EM_X86_64), &found);
}

START_TEST(test_round_trip)
{
	struct stat st;

	ck_assert_int_eq(read_back(), -ENOENT);
	ck_assert_int_eq(tap_pg_layout_cache_write(BUILD, &row), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(stat(folder, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(read_back(), 0);
	ck_assert(found.searched);
	ck_assert_uint_eq(found.proc_size, row.proc_size);
	ck_assert_mem_eq(&found.layout, &row.layout, sizeof(row.layout));
	/* Written over. */
	row.layout.status_user = 60;
	ck_assert_int_eq(tap_pg_layout_cache_write(BUILD, &row), 0);
	ck_assert_int_eq(read_back(), 0);
	ck_assert_uint_eq(found.layout.status_user, 60);
}
END_TEST

START_TEST(test_names_that_are_none)
{
	static const char *const names[] = {
		"", "../../etc/passwd", "12", "ABCDEF0123456789", "0123456789abcdeg", ".123456789"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		ck_assert_int_eq(tap_pg_layout_cache_write(names[i], &row), -ENOENT);
		ck_assert_int_eq(tap_pg_layout_cache_read(names[i], &row, &found), -ENOENT);
	}
	setenv("XDG_CACHE_HOME", "/proc/no/such", 1);
	ck_assert_int_lt(tap_pg_layout_cache_write(BUILD, &row), 0);
	ck_assert_int_lt(tap_pg_layout_cache_read(BUILD, &row, &found), 0);
}
END_TEST

START_TEST(test_what_others_can_write)
{
	ck_assert_int_eq(tap_pg_layout_cache_write(BUILD, &row), 0);
	chmod(path, 0660);
	ck_assert_int_eq(read_back(), -EPERM);
	chmod(path, 0600);
	ck_assert_int_eq(read_back(), 0);
	chmod(folder, 0777);
	ck_assert_int_eq(read_back(), -EPERM);
	ck_assert_int_eq(tap_pg_layout_cache_write(BUILD, &row), -EPERM);
	chmod(folder, 0700);
	unlink(path);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(read_back(), -ELOOP);
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(read_back(), -EPERM);
}
END_TEST

static size_t text_get(char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t length;

	ck_assert_ptr_nonnull(file);
	length = fread(text, 1, size - 1, file);
	text[length] = '\0';
	fclose(file);
	return length;
}

static void text_put(const char *text, size_t length)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, length, file), length);
	fclose(file);
}

/* A number that leads out of the record, in turn. */
START_TEST(test_numbers_out_of_bounds)
{
	static const char *const lines[] = {
		"layout.status_size 440\n",  "layout.status_size 440\nlayout.",
		"layout.status_size 449\n",  "layout.status_size -1\n",
		"layout.status_size 0\n",    "layout.status_size 65536\n",
		"layout.status_size 432 \n", "layout.status_size 99999999999999999999\n",
		"layout.status_other 432\n", "layout.status_size\n",
		"layout.status_size 200\n",
	};
	char text[8192], changed[8192];
	size_t length;
	char *at, *end;

	ck_assert_int_eq(tap_pg_layout_cache_write(BUILD, &row), 0);
	length = text_get(text, sizeof(text));
	at = strstr(text, "layout.status_size ");
	ck_assert_ptr_nonnull(at);
	end = strchr(at, '\n') + 1;
	length = (size_t)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, lines[_i], end);
	text_put(changed, length);
	/* The first is one that could be. */
	ck_assert_int_eq(read_back(), _i ? -EBADMSG : 0);
}
END_TEST

START_TEST(test_cut_and_spoilt)
{
	char text[8192], changed[8192];
	size_t length;
	unsigned int seed = 7;

	ck_assert_int_eq(tap_pg_layout_cache_write(BUILD, &row), 0);
	length = text_get(text, sizeof(text));
	for (size_t cut = 0; cut < length; cut += 7) {
		text_put(text, cut);
		ck_assert_int_eq(read_back(), -EBADMSG);
	}
	for (int round = 0; round < 300; round++) {
		memcpy(changed, text, length);
		changed[(size_t)rand_r(&seed) % length] = (char)rand_r(&seed);
		text_put(changed, length);
		if (!read_back()) {
			ck_assert_uint_le(found.layout.status_size, TAP_PG_STATUS_MAX);
			ck_assert_uint_le(found.layout.status_state + 4, found.layout.status_size);
		}
	}
	text_put("", 0);
	ck_assert_int_eq(read_back(), -EBADMSG);
	memset(changed, 'x', sizeof(changed));
	text_put(changed, sizeof(changed));
	ck_assert_int_eq(read_back(), -EBADMSG);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_layout_cache");
	TCase *tcase = tcase_create("pg_layout_cache");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_round_trip);
	tcase_add_test(tcase, test_names_that_are_none);
	tcase_add_test(tcase, test_what_others_can_write);
	tcase_add_loop_test(tcase, test_numbers_out_of_bounds, 0, 11);
	tcase_add_test(tcase, test_cut_and_spoilt);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
