// SPDX-License-Identifier: BSD-2-Clause
/* test_disks.c - partitions, stacked devices and btrfs in made-up /sys trees. */
#include "userspace/consume/disks.h"

#include "tests/lib/check_main.h"
#include "tests/unit/userspace/consume/fake_host.h"

#define DEVICE(major, minor) ((uint32_t)(major) << 20 | (uint32_t)(minor))

static struct fake_host host;
static struct tap_disks disks;

static void setup(void)
{
	fake_host_init(&host);
	memset(&disks, 0, sizeof(disks));
}

static void teardown(void)
{
	fake_host_done(&host);
}

static bool has(uint32_t disk)
{
	for (size_t i = 0; i < disks.count; i++) {
		if (disks.items[i] == disk)
			return true;
	}
	return false;
}

START_TEST(test_a_disk_is_itself)
{
	fake_disk(&host, "vda", DEVICE(254, 0));
	ck_assert(tap_disks_is_block(&host.roots, DEVICE(254, 0)));
	ck_assert(!tap_disks_is_block(&host.roots, DEVICE(254, 1)));
	ck_assert(!tap_disks_is_block(&host.roots, 0));
	tap_disks_add(&host.roots, DEVICE(254, 0), &disks);
	tap_disks_add(&host.roots, DEVICE(254, 0), &disks);
	ck_assert_uint_eq(disks.count, 1);
	ck_assert(has(DEVICE(254, 0)));
	ck_assert_str_eq(disks.why_not, "");
}
END_TEST

START_TEST(test_a_partition_is_its_disk)
{
	fake_disk(&host, "pci/nvme0n1", DEVICE(259, 0));
	fake_partition(&host, "pci/nvme0n1/nvme0n1p3", DEVICE(259, 1048575));
	tap_disks_add(&host.roots, DEVICE(259, 1048575), &disks);
	ck_assert_uint_eq(disks.count, 1);
	ck_assert(has(DEVICE(259, 0)));
	ck_assert_str_eq(disks.why_not, "");
}
END_TEST

/* crypt on LVM on two partitions and a whole disk; one of them twice. */
START_TEST(test_devices_without_a_queue_are_what_they_are_made_of)
{
	fake_disk(&host, "sda", DEVICE(8, 0));
	fake_partition(&host, "sda/sda1", DEVICE(8, 1));
	fake_partition(&host, "sda/sda2", DEVICE(8, 2));
	fake_disk(&host, "sdb", DEVICE(8, 16));
	fake_block(&host, "dm-0", DEVICE(253, 0));
	fake_slave(&host, "dm-0", "sda/sda1");
	fake_slave(&host, "dm-0", "sda/sda2");
	fake_slave(&host, "dm-0", "sdb");
	fake_block(&host, "dm-1", DEVICE(253, 1));
	fake_slave(&host, "dm-1", "dm-0");
	tap_disks_add(&host.roots, DEVICE(253, 1), &disks);
	ck_assert_uint_eq(disks.count, 2);
	ck_assert(has(DEVICE(8, 0)) && has(DEVICE(8, 16)));
	ck_assert_str_eq(disks.why_not, "");
}
END_TEST

/* dm-multipath and loop devices have requests of their own: what is below would count them again. */
START_TEST(test_a_queue_hides_what_is_below)
{
	fake_disk(&host, "sda", DEVICE(8, 0));
	fake_disk(&host, "dm-0", DEVICE(253, 0));
	fake_slave(&host, "dm-0", "sda");
	tap_disks_add(&host.roots, DEVICE(253, 0), &disks);
	ck_assert_uint_eq(disks.count, 1);
	ck_assert(has(DEVICE(253, 0)));
}
END_TEST

START_TEST(test_a_partition_of_an_array)
{
	fake_disk(&host, "sda", DEVICE(8, 0));
	fake_disk(&host, "sdb", DEVICE(8, 16));
	fake_block(&host, "md127", DEVICE(9, 127));
	fake_partition(&host, "md127/md127p1", DEVICE(259, 5));
	fake_slave(&host, "md127", "sda");
	fake_slave(&host, "md127", "sdb");
	tap_disks_add(&host.roots, DEVICE(259, 5), &disks);
	ck_assert_uint_eq(disks.count, 2);
	ck_assert_str_eq(disks.why_not, "");
}
END_TEST

START_TEST(test_what_makes_no_requests_is_said)
{
	fake_block(&host, "zram0", DEVICE(253, 0));
	tap_disks_add(&host.roots, DEVICE(253, 0), &disks);
	ck_assert_uint_eq(disks.count, 0);
	ck_assert_str_eq(disks.why_not, "block device 253:0 makes no requests that could be traced");
	tap_disks_add(&host.roots, DEVICE(1, 2), &disks);
	ck_assert_ptr_nonnull(strstr(disks.why_not, "253:0")); /* the first reason stays */
}
END_TEST

/* A circle, and a stack deeper than any real one. */
START_TEST(test_hostile_stacks_end)
{
	char name[16], below[16];

	fake_block(&host, "dm-0", DEVICE(253, 0));
	fake_block(&host, "dm-1", DEVICE(253, 1));
	fake_slave(&host, "dm-0", "dm-1");
	fake_slave(&host, "dm-1", "dm-0");
	tap_disks_add(&host.roots, DEVICE(253, 0), &disks);
	ck_assert_uint_eq(disks.count, 0);
	ck_assert_str_ne(disks.why_not, "");
	for (unsigned int i = 10; i < 30; i++) {
		snprintf(name, sizeof(name), "dm-%u", i);
		fake_block(&host, name, DEVICE(253, i));
		snprintf(below, sizeof(below), "dm-%u", i - 1);
		if (i > 10)
			fake_slave(&host, name, below);
	}
	tap_disks_add(&host.roots, DEVICE(253, 29), &disks);
	ck_assert_uint_eq(disks.count, 0);
}
END_TEST

START_TEST(test_more_disks_than_there_is_room_for)
{
	char name[16];

	fake_block(&host, "md0", DEVICE(9, 0));
	for (unsigned int i = 0; i < TAP_DISKS_OF_ONE_MAX + 8; i++) {
		snprintf(name, sizeof(name), "sd%u", i);
		fake_disk(&host, name, DEVICE(8, i * 16));
		fake_slave(&host, "md0", name);
	}
	fake_disk(&host, "vda", DEVICE(254, 0));
	tap_disks_add(&host.roots, DEVICE(9, 0), &disks);
	tap_disks_add(&host.roots, DEVICE(254, 0), &disks);
	ck_assert_uint_eq(disks.count, TAP_DISKS_OF_ONE_MAX);
	ck_assert_ptr_nonnull(strstr(disks.why_not, "more than"));
}
END_TEST

START_TEST(test_broken_numbers)
{
	static const char *const texts[] = { "", "x", "8", "8:", ":1", "8:x", "99999:1", "-1:-1", "8:99999999" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		memset(&disks, 0, sizeof(disks));
		fake_disk(&host, "sda", DEVICE(8, 0));
		fake_file(&host, "sys/devices/sda/dev", texts[i]);
		tap_disks_add(&host.roots, DEVICE(8, 0), &disks);
		ck_assert_msg(!disks.count, "%s", texts[i]);
		ck_assert_str_ne(disks.why_not, "");
	}
}
END_TEST

START_TEST(test_btrfs_is_all_its_devices)
{
	fake_disk(&host, "sda", DEVICE(8, 0));
	fake_partition(&host, "sda/sda1", DEVICE(8, 1));
	fake_disk(&host, "sdb", DEVICE(8, 16));
	fake_disk(&host, "sdc", DEVICE(8, 32));
	fake_folder(&host, "sys/fs/btrfs/features");
	fake_folder(&host, "sys/fs/btrfs/one/devices");
	fake_folder(&host, "sys/fs/btrfs/two/devices");
	fake_link(&host, "sys/fs/btrfs/one/devices/sdc", "../../../../devices/sdc");
	fake_link(&host, "sys/fs/btrfs/two/devices/sda1", "../../../../devices/sda/sda1");
	fake_link(&host, "sys/fs/btrfs/two/devices/sdb", "../../../../devices/sdb");
	tap_disks_add_btrfs(&host.roots, DEVICE(8, 16), &disks);
	ck_assert_uint_eq(disks.count, 2);
	ck_assert(has(DEVICE(8, 0)) && has(DEVICE(8, 16)));
	/* One that is in none: itself. */
	memset(&disks, 0, sizeof(disks));
	fake_disk(&host, "vda", DEVICE(254, 0));
	tap_disks_add_btrfs(&host.roots, DEVICE(254, 0), &disks);
	ck_assert(disks.count == 1 && has(DEVICE(254, 0)));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("disks");
	TCase *tests = tcase_create("disks");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_a_disk_is_itself);
	tcase_add_test(tests, test_a_partition_is_its_disk);
	tcase_add_test(tests, test_devices_without_a_queue_are_what_they_are_made_of);
	tcase_add_test(tests, test_a_queue_hides_what_is_below);
	tcase_add_test(tests, test_a_partition_of_an_array);
	tcase_add_test(tests, test_what_makes_no_requests_is_said);
	tcase_add_test(tests, test_hostile_stacks_end);
	tcase_add_test(tests, test_more_disks_than_there_is_room_for);
	tcase_add_test(tests, test_broken_numbers);
	tcase_add_test(tests, test_btrfs_is_all_its_devices);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
