// SPDX-License-Identifier: BSD-2-Clause
/* test_pg_relation_files.c - userspace/attach/pg_relation_files over a data folder made for it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "tests/lib/check_main.h"
#include "userspace/attach/pg_relation_files.h"

static char data[64];
static struct tap_objects objects;

static void folder(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", data, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void file(const char *name, off_t size)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", data, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

static void set_up(void)
{
	strcpy(data, "/tmp/dbtap_relation_files_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(data));
	tap_objects_init(&objects);
}

static void tear_down(void)
{
	char command[128];

	tap_objects_done(&objects);
	snprintf(command, sizeof(command), "rm -rf %s", data);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(test_large_ones)
{
	folder("base");
	folder("base/5");
	folder("base/5/16390"); /* a folder is no file */
	folder("base/16384");
	folder("base/pgsql_tmp");
	file("base/5/16400", TAP_PG_RELATION_FILE_LARGE);
	file("base/5/16401", TAP_PG_RELATION_FILE_LARGE - 1);
	file("base/5/16402.1", 2 * TAP_PG_RELATION_FILE_LARGE);
	file("base/5/16403_fsm", 2 * TAP_PG_RELATION_FILE_LARGE);
	file("base/5/t3_16404", 2 * TAP_PG_RELATION_FILE_LARGE);
	file("base/5/99999999999", 2 * TAP_PG_RELATION_FILE_LARGE);
	file("base/16384/16500", 2 * TAP_PG_RELATION_FILE_LARGE);
	file("base/pgsql_tmp/16600", 2 * TAP_PG_RELATION_FILE_LARGE);
	file("base/17000", 2 * TAP_PG_RELATION_FILE_LARGE);
	tap_pg_relation_files_want(data, &objects, 1);
	ck_assert_uint_eq(objects.missing.count, 2);
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, 1), 1);
	ck_assert_uint_eq(tap_objects_missing(&objects, 16384, 1), 1);
	for (size_t i = 0; i < 2; i++) {
		const struct tap_object_key *key = &objects.missing.items[i].key;

		ck_assert_uint_eq(key->tablespace, 1663);
		ck_assert_uint_eq(key->filenode, key->database == 5 ? 16400 : 16500);
	}
}
END_TEST

START_TEST(test_nothing_there)
{
	tap_pg_relation_files_want(data, &objects, 1);
	tap_pg_relation_files_want("/nowhere/at/all", &objects, 1);
	file("base", TAP_PG_RELATION_FILE_LARGE);
	tap_pg_relation_files_want(data, &objects, 1);
	ck_assert_uint_eq(objects.missing.count, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/attach/pg_relation_files");
	TCase *tests = tcase_create("pg_relation_files");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_large_ones);
	tcase_add_test(tests, test_nothing_there);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
