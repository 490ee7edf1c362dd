// SPDX-License-Identifier: BSD-2-Clause
/* test_folder.c - making and removing the private folder, also full of traps. */
#include "userspace/bench/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/check_main.h"

static char *new_folder(void)
{
	char *path = NULL;

	ck_assert_int_eq(tap_folder_make(NULL, geteuid(), getegid(), &path), 0);
	return path;
}

/* Root may do anything; the rest of the test runs as somebody who may not. */
static void become_nobody(void)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(setgid(65534), 0);
	ck_assert_int_eq(setuid(65534), 0);
}

static void touch_at(int folder, const char *name)
{
	int fd = openat(folder, name, O_CREAT | O_WRONLY, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

START_TEST(private_and_owned)
{
	uid_t uid = geteuid() ? geteuid() : 65534;
	gid_t gid = geteuid() ? getegid() : 65534;
	struct stat info;
	char *path = NULL;

	ck_assert_int_eq(tap_folder_make("/tmp", uid, gid, &path), 0);
	ck_assert_int_eq(strncmp(path, "/tmp/dbtap-", 11), 0);
	ck_assert_int_eq(lstat(path, &info), 0);
	ck_assert_uint_eq(info.st_mode, S_IFDIR | 0700);
	ck_assert_uint_eq(info.st_uid, uid);
	ck_assert_int_eq(tap_folder_remove(path), 0);
	ck_assert_int_eq(lstat(path, &info), -1);
	ck_assert_int_eq(tap_folder_remove(path), 0);
	free(path);
}
END_TEST

START_TEST(place_comes_from_the_environment)
{
	char *outer = new_folder(), *inner = NULL;

	setenv("TMPDIR", outer, 1);
	ck_assert_int_eq(tap_folder_make(NULL, geteuid(), getegid(), &inner), 0);
	ck_assert_int_eq(strncmp(inner, outer, strlen(outer)), 0);
	ck_assert_int_eq(tap_folder_remove(outer), 0);
	free(inner);
	setenv("TMPDIR", "", 1);
	inner = new_folder();
	ck_assert_int_eq(strncmp(inner, "/tmp/", 5), 0);
	ck_assert_int_eq(tap_folder_remove(inner), 0);
	free(inner);
	free(outer);
}
END_TEST

START_TEST(failures_leave_nothing)
{
	char *path = (char *)0x77;

	ck_assert_int_eq(tap_folder_make("/nonexistent/place", 0, 0, &path), -ENOENT);
	ck_assert_ptr_eq(path, (char *)0x77);
	/* Another's folder is only root's to make. */
	become_nobody();
	ck_assert_int_eq(tap_folder_make("/tmp", 0, 0, &path), -EPERM);
	ck_assert_ptr_eq(path, (char *)0x77);
}
END_TEST

/* What is behind a link stays: outside the tree, whether file or folder. */
START_TEST(links_are_not_followed)
{
	char *outside = new_folder(), *path = new_folder(), file[PATH_MAX], link[PATH_MAX];
	struct stat info;

	snprintf(file, sizeof(file), "%s/precious", outside);
	touch_at(AT_FDCWD, file);
	snprintf(link, sizeof(link), "%s/to_folder", path);
	ck_assert_int_eq(symlink(outside, link), 0);
	snprintf(link, sizeof(link), "%s/to_file", path);
	ck_assert_int_eq(symlink(file, link), 0);
	snprintf(link, sizeof(link), "%s/to_itself", path);
	ck_assert_int_eq(symlink(link, link), 0);
	snprintf(link, sizeof(link), "%s/pipe", path);
	ck_assert_int_eq(mkfifo(link, 0600), 0);
	ck_assert_int_eq(tap_folder_remove(path), 0);
	ck_assert_int_eq(lstat(path, &info), -1);
	ck_assert_int_eq(lstat(file, &info), 0);
	/* The folder's own name may be a link by now, too. */
	ck_assert_int_eq(symlink(outside, path), 0);
	ck_assert_int_eq(tap_folder_remove(path), 0);
	ck_assert_int_eq(lstat(file, &info), 0);
	ck_assert_int_eq(tap_folder_remove(outside), 0);
	free(path);
	free(outside);
}
END_TEST

/* Makes `depth` folders inside each other, each with a file. */
static void nest(const char *path, unsigned depth)
{
	int at = open(path, O_RDONLY | O_DIRECTORY), next;

	for (unsigned i = 0; i < depth; i++) {
		touch_at(at, "file");
		ck_assert_int_eq(mkdirat(at, "d", 0700), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY);
		close(at);
		at = next;
	}
	close(at);
}

START_TEST(nesting_is_bounded)
{
	char *path = new_folder(), *deep = new_folder(), command[PATH_MAX + 16];
	struct stat info;

	nest(path, 60);
	ck_assert_int_eq(tap_folder_remove(path), 0);
	ck_assert_int_eq(lstat(path, &info), -1);
	nest(deep, 70);
	ck_assert_int_lt(tap_folder_remove(deep), 0);
	ck_assert_int_eq(lstat(deep, &info), 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", deep);
	ck_assert_int_eq(system(command), 0);
	free(deep);
	free(path);
}
END_TEST

START_TEST(what_cannot_be_removed_is_reported)
{
	char *path, inner[PATH_MAX];
	struct stat info;

	ck_assert_int_lt(tap_folder_remove("/proc/self/status"), 0);
	become_nobody();
	path = new_folder();
	snprintf(inner, sizeof(inner), "%s/closed", path);
	ck_assert_int_eq(mkdir(inner, 0), 0);
	snprintf(inner, sizeof(inner), "%s/other", path);
	touch_at(AT_FDCWD, inner);
	ck_assert_int_eq(tap_folder_remove(path), -EACCES);
	/* What could be removed is. */
	ck_assert_int_eq(lstat(inner, &info), -1);
	ck_assert_int_eq(lstat(path, &info), 0);
	snprintf(inner, sizeof(inner), "%s/closed", path);
	ck_assert_int_eq(chmod(inner, 0700), 0);
	ck_assert_int_eq(tap_folder_remove(path), 0);
	free(path);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("folder");
	TCase *tcase = tcase_create("folder");

	tcase_add_test(tcase, private_and_owned);
	tcase_add_test(tcase, place_comes_from_the_environment);
	tcase_add_test(tcase, failures_leave_nothing);
	tcase_add_test(tcase, links_are_not_followed);
	tcase_add_test(tcase, nesting_is_bounded);
	tcase_add_test(tcase, what_cannot_be_removed_is_reported);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
