// SPDX-License-Identifier: BSD-2-Clause
/* test_mount.c - mountinfo of real and made-up processes: escapes, optional fields, broken lines, out of memory. */
#include "userspace/consume/mount.h"

#include <errno.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/consume/fake_host.h"

#define DEVICE(major, minor) ((uint32_t)(major) << 20 | (uint32_t)(minor))

static struct fake_host host;
static struct tap_mount mount;

static void setup(void)
{
	fake_host_init(&host);
	fake_folder(&host, "proc/7");
	memset(&mount, 0, sizeof(mount));
}

static void teardown(void)
{
	tap_alloc_fail_at(0);
	tap_mount_done(&mount);
	fake_host_done(&host);
}

static void put(const char *text)
{
	fake_file(&host, "proc/7/mountinfo", text);
}

START_TEST(test_by_number_and_by_device)
{
	put("22 27 0:21 / /proc rw,relatime - proc proc rw\n"
	    "27 1 254:0 / / rw,relatime shared:1 master:2 propagate_from:3 - ext4 /dev/vda rw,discard\n"
	    "40 27 0:33 /@data /srv/my\\040data\\134x rw - btrfs /dev/sda1 rw,subvolid=5,subvol=/@data\n"
	    "41 27 0:33 /@other /srv/two rw - btrfs /dev/sda1 rw\n");
	ck_assert_int_eq(tap_mount_find(host.proc, 7, 27, 0, &mount), 0);
	ck_assert_uint_eq(mount.device, DEVICE(254, 0));
	ck_assert_str_eq(mount.type, "ext4");
	ck_assert_str_eq(mount.source, "/dev/vda");
	ck_assert_str_eq(mount.point, "/");
	tap_mount_done(&mount);
	ck_assert_int_eq(tap_mount_find(host.proc, 7, 40, 0, &mount), 0);
	ck_assert_str_eq(mount.point, "/srv/my data\\x");
	tap_mount_done(&mount);
	/* The last one: it may hide the earlier. */
	ck_assert_int_eq(tap_mount_find(host.proc, 7, 0, DEVICE(0, 33), &mount), 0);
	ck_assert_str_eq(mount.point, "/srv/two");
	ck_assert_int_eq(tap_mount_find(host.proc, 7, 99, DEVICE(0, 33), &mount), -ENOENT);
	ck_assert_str_eq(mount.point, "/srv/two"); /* untouched */
	ck_assert_int_eq(tap_mount_find(host.proc, 8, 27, 0, &mount), -ESRCH);
}
END_TEST

START_TEST(test_options)
{
	char *value;

	put("5 1 0:9 / / rw - overlay overlay "
	    "rw,lowerdir=/a:/b,upperdir=/var/lib/up,workdir=/w,upper=x,xupperdir=/no\n");
	ck_assert_int_eq(tap_mount_find(host.proc, 7, 5, 0, &mount), 0);
	value = tap_mount_option(&mount, "upperdir");
	ck_assert_str_eq(value, "/var/lib/up");
	free(value);
	value = tap_mount_option(&mount, "upper");
	ck_assert_str_eq(value, "x");
	free(value);
	ck_assert_ptr_null(tap_mount_option(&mount, "rw"));
	ck_assert_ptr_null(tap_mount_option(&mount, "dir"));
}
END_TEST

START_TEST(test_broken_lines_are_passed_over)
{
	put("\n"
	    "27\n"
	    "27 1 254:0 / / rw\n"
	    "27 1 254:0 / / rw -\n"
	    "27 1 254:0 / / rw - ext4\n"
	    "27 1 254:0 / / rw - ext4 /dev/vda\n"
	    "27 1 x / / rw - ext4 /dev/vda rw\n"
	    "27 1 254 / / rw - ext4 /dev/vda rw\n"
	    "27 1 99999:0 / / rw - ext4 /dev/vda rw\n"
	    "27 1 254:0x / / rw - ext4 /dev/vda rw\n"
	    "- - - - - - - - -\n"
	    "27 1 254:0 / /\\0 rw - good\\9\\777 /dev/vda\\ rw");
	ck_assert_int_eq(tap_mount_find(host.proc, 7, 27, 0, &mount), 0);
	ck_assert_str_eq(mount.type, "good\\9\\777");
	ck_assert_str_eq(mount.point, "/\\0");
	ck_assert_str_eq(mount.source, "/dev/vda\\");
}
END_TEST

START_TEST(test_many_fields)
{
	char text[4096] = "27 1 254:0 / / rw";

	for (int i = 0; i < 500; i++)
		strcat(text, " x:1");
	strcat(text, " - ext4 /dev/vda rw\n27 1 254:0 / /second rw - ext4 /dev/vda rw\n");
	put(text);
	ck_assert_int_eq(tap_mount_find(host.proc, 7, 27, 0, &mount), 0);
	ck_assert_str_eq(mount.point, "/second");
}
END_TEST

START_TEST(test_reads_its_own)
{
	struct stat info;

	ck_assert_int_eq(stat("/proc", &info), 0);
	ck_assert_int_eq(tap_mount_find("/proc", getpid(), 0, (uint32_t)info.st_dev, &mount), 0);
	ck_assert_str_eq(mount.type, "proc");
}
END_TEST

START_TEST(test_without_memory)
{
	int status = -ENOMEM;

	put("27 1 254:0 / / rw - ext4 /dev/vda rw\n27 1 254:0 / /2 rw - ext4 /dev/vda rw\n");
	for (unsigned int at = 1; at < 40 && status; at++) {
		tap_alloc_fail_at(at);
		status = tap_mount_find(host.proc, 7, 27, 0, &mount);
		tap_alloc_fail_at(0);
		if (status)
			ck_assert_ptr_null(mount.type);
	}
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(mount.point, "/2");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("mount");
	TCase *tests = tcase_create("mount");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_by_number_and_by_device);
	tcase_add_test(tests, test_options);
	tcase_add_test(tests, test_broken_lines_are_passed_over);
	tcase_add_test(tests, test_many_fields);
	tcase_add_test(tests, test_reads_its_own);
	tcase_add_test(tests, test_without_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
