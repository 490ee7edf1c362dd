// SPDX-License-Identifier: BSD-2-Clause
/* test_server_binaries.c - which of several installed servers is found. */
#include "userspace/bench/server_binaries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "userspace/bench/folder.h"

static char *root;

static void set_up(void)
{
	ck_assert_int_eq(tap_folder_make(NULL, geteuid(), getegid(), &root), 0);
}

static void tear_down(void)
{
	tap_folder_remove(root);
	free(root);
}

static void make_program(const char *folder, const char *name, mode_t mode)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", root, folder, name);
	for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(path, 0755);
		*at = '/';
	}
	fd = open(path, O_CREAT | O_WRONLY, mode);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void make_server(const char *folder)
{
	make_program(folder, "initdb", 0755);
	make_program(folder, "postgres", 0755);
}

static void check_found(const char *packages, const char *search_path, const char *want)
{
	char wanted[512], *found = NULL;

	snprintf(wanted, sizeof(wanted), "%s/%s", root, want);
	ck_assert_int_eq(tap_server_binaries_find(NULL, packages, search_path, &found, NULL), 0);
	ck_assert_str_eq(found, wanted);
	free(found);
}

START_TEST(newest_version_wins_by_number)
{
	make_server("9/bin");
	make_server("15/bin");
	make_server("13/bin");
	make_server("2000/bin");
	make_server("17beta/bin");
	make_server("-18/bin");
	make_program("16/bin", "postgres", 0755); /* without initdb */
	make_program("18/bin", "initdb", 0755);
	make_program("18/bin", "postgres", 0644); /* not executable */
	check_found(root, "", "15/bin");
}
END_TEST

START_TEST(path_is_searched_next)
{
	char path[2048];

	make_server("a");
	make_server("b");
	make_program("half", "postgres", 0755);
	snprintf(path, sizeof(path), "::relative:%s/none:%s/half:%s/b:%s/a", root, root, root, root);
	check_found("/nonexistent", path, "b");
	setenv("PATH", path, 1);
	check_found("/nonexistent", NULL, "b");
}
END_TEST

START_TEST(wanted_folder_is_taken_or_refused)
{
	char folder[512], *found = NULL;
	struct tap_error err = { "" };

	make_server("mine");
	make_server("15/bin");
	snprintf(folder, sizeof(folder), "%s/mine", root);
	ck_assert_int_eq(tap_server_binaries_find(folder, root, NULL, &found, NULL), 0);
	ck_assert_str_eq(found, folder);
	free(found);
	found = NULL;
	snprintf(folder, sizeof(folder), "%s/15", root);
	ck_assert_int_eq(tap_server_binaries_find(folder, root, NULL, &found, &err), -ENOENT);
	ck_assert_ptr_null(strstr(err.text, "package"));
	ck_assert_ptr_nonnull(strstr(err.text, folder));
	ck_assert_ptr_null(found);
}
END_TEST

START_TEST(none_is_reported)
{
	struct tap_error err = { "" };
	char *found = NULL;

	ck_assert_int_eq(tap_server_binaries_find(NULL, root, "", &found, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "install"));
	/* Folders where programs should be. */
	make_program("15/bin/initdb", "x", 0755);
	make_program("15/bin/postgres", "x", 0755);
	ck_assert_int_eq(tap_server_binaries_find(NULL, root, "", &found, &err), -ENOENT);
	unsetenv("PATH");
	ck_assert_int_eq(tap_server_binaries_find(NULL, root, NULL, &found, &err), -ENOENT);
	ck_assert_ptr_null(found);
}
END_TEST

START_TEST(out_of_memory)
{
	char folder[512], *found = NULL;

	make_server("mine");
	snprintf(folder, sizeof(folder), "%s/mine", root);
	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_server_binaries_find(folder, NULL, NULL, &found, NULL), -ENOMEM);
	tap_alloc_fail_at(0);
	ck_assert_ptr_null(found);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server_binaries");
	TCase *tcase = tcase_create("server_binaries");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, newest_version_wins_by_number);
	tcase_add_test(tcase, path_is_searched_next);
	tcase_add_test(tcase, wanted_folder_is_taken_or_refused);
	tcase_add_test(tcase, none_is_reported);
	tcase_add_test(tcase, out_of_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
