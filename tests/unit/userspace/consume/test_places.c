// SPDX-License-Identifier: BSD-2-Clause
/* test_places.c - data folders, tablespaces and WAL links in made-up roots; hostile links; file systems without a disk.
 */
#include "userspace/consume/places.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/consume/fake_host.h"

#define PID 77

static struct fake_host host;
static struct tap_places places;
static char data_dir[FAKE_PATH_MAX];
static struct tap_target target = { .engine = TAP_ENGINE_POSTGRES, .pid = PID, .data_dir = data_dir };
static uint32_t own_device; /* of the folder that the tests' files are in */

static uint32_t device_of(const char *path)
{
	struct stat info;

	ck_assert_msg(!stat(path, &info), "%s", path);
	return major(info.st_dev) << 20 | minor(info.st_dev);
}

static uint64_t inode_of(const char *name)
{
	char path[FAKE_PATH_MAX];
	struct stat info;

	fake_path(&host, path, "%s", name);
	ck_assert_msg(!stat(path, &info), "%s", path);
	return info.st_ino;
}

static void remove_folder(const char *name)
{
	char path[FAKE_PATH_MAX];

	fake_path(&host, path, "%s", name);
	ck_assert_int_eq(rmdir(path), 0);
}

/* A server whose root is <top>/server and whose data folder is /data in it. */
static void setup(void)
{
	char path[FAKE_PATH_MAX];

	fake_host_init(&host);
	memset(&places, 0, sizeof(places));
	fake_folder(&host, "proc/77");
	fake_folder(&host, "server/data/pg_tblspc");
	fake_path(&host, path, "server");
	fake_link(&host, "proc/77/root", path);
	snprintf(data_dir, sizeof(data_dir), "%s/%d/root/data", host.proc, PID);
	own_device = device_of(host.top);
}

static void teardown(void)
{
	tap_alloc_fail_at(0);
	tap_places_done(&places);
	fake_host_done(&host);
}

static void find(void)
{
	tap_places_done(&places);
	ck_assert_int_eq(tap_places_find(&host.roots, 3, &target, &places), 0);
}

static const struct tap_place *tablespace(uint32_t oid)
{
	for (size_t i = 0; i < places.count; i++) {
		if (places.items[i].root.tablespace == oid)
			return &places.items[i];
	}
	return NULL;
}

START_TEST(test_the_data_folder)
{
	fake_disk(&host, "vda", own_device);
	find();
	ck_assert_uint_eq(places.count, 1);
	ck_assert_uint_eq(places.items[0].root.instance, 3);
	ck_assert_uint_eq(places.items[0].root.device, own_device);
	ck_assert_uint_eq(places.items[0].root.inode, inode_of("server/data"));
	ck_assert(!places.items[0].root.tablespace && !places.items[0].root.wal && !places.cut);
	ck_assert_uint_eq(places.items[0].disks.count, 1);
	ck_assert_uint_eq(places.items[0].disks.items[0], own_device);
	ck_assert_str_eq(places.items[0].disks.why_not, "");
	/* The same by a path of this host. */
	fake_path(&host, data_dir, "server/data");
	find();
	ck_assert_uint_eq(places.items[0].root.inode, inode_of("server/data"));
}
END_TEST

START_TEST(test_no_data_folder)
{
	fake_path(&host, data_dir, "server/none");
	ck_assert_int_eq(tap_places_find(&host.roots, 3, &target, &places), -ENOENT);
	fake_file(&host, "server/none", "");
	ck_assert_int_eq(tap_places_find(&host.roots, 3, &target, &places), -ENOTDIR);
	ck_assert_ptr_null(places.items);
	tap_places_done(NULL);
}
END_TEST

START_TEST(test_tablespaces_are_resolved_in_the_servers_root)
{
	fake_folder(&host, "server/mnt/one");
	fake_folder(&host, "server/elsewhere/two");
	fake_folder(&host, "server/etc");
	fake_folder(&host, "server/data/pg_tblspc/16403");
	fake_link(&host, "server/mnt/moved", "/elsewhere");
	fake_link(&host, "server/data/pg_tblspc/16401", "/mnt/one");
	fake_link(&host, "server/data/pg_tblspc/16402", "/mnt/moved/two");
	fake_link(&host, "server/data/pg_tblspc/16404", "/../../../../../../etc");
	fake_link(&host, "server/data/pg_tblspc/4294967295", "../../mnt/one");
	find();
	ck_assert_uint_eq(places.count, 6);
	ck_assert_uint_eq(tablespace(16401)->root.inode, inode_of("server/mnt/one"));
	ck_assert_uint_eq(tablespace(16402)->root.inode, inode_of("server/elsewhere/two"));
	ck_assert_uint_eq(tablespace(16403)->root.inode, inode_of("server/data/pg_tblspc/16403"));
	ck_assert_uint_eq(tablespace(16404)->root.inode, inode_of("server/etc"));
	ck_assert_uint_eq(tablespace(4294967295u)->root.inode, inode_of("server/mnt/one"));
}
END_TEST

START_TEST(test_what_is_no_tablespace)
{
	static const char *const names[] = { "0", "-1", "16384x", "x", "4294967296", "99999999999999999999", "16 384" };
	char name[FAKE_PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "server/data/pg_tblspc/%s", names[i]);
		fake_folder(&host, name);
	}
	fake_link(&host, "server/data/pg_tblspc/16401", "/nowhere");
	fake_link(&host, "server/data/pg_tblspc/16402", "16402");
	fake_file(&host, "server/data/pg_tblspc/16403", "");
	fake_link(&host, "server/data/pg_tblspc/16404", "16403");
	find();
	ck_assert_uint_eq(places.count, 1);
}
END_TEST

START_TEST(test_tablespaces_folder_is_no_link)
{
	fake_folder(&host, "server/other/16401");
	remove_folder("server/data/pg_tblspc");
	fake_link(&host, "server/data/pg_tblspc", "/other");
	find();
	ck_assert_uint_eq(places.count, 1);
}
END_TEST

START_TEST(test_the_wal_where_it_is_a_link)
{
	fake_folder(&host, "server/fast/log");
	fake_folder(&host, "server/data/pg_wal");
	find();
	ck_assert_uint_eq(places.count, 1);
	remove_folder("server/data/pg_wal");
	fake_link(&host, "server/data/pg_wal", "/fast/log");
	find();
	ck_assert_uint_eq(places.count, 2);
	ck_assert(places.items[1].root.wal && !places.items[1].root.tablespace);
	ck_assert_uint_eq(places.items[1].root.inode, inode_of("server/fast/log"));
}
END_TEST

START_TEST(test_changes_are_noticed)
{
	char path[FAKE_PATH_MAX];
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1, .tv_nsec = 5 } };
	const struct tap_target nowhere = { .engine = TAP_ENGINE_POSTGRES, .data_dir = (char *)"/nowhere" };

	find();
	ck_assert(!tap_places_changed(&places, &target));
	fake_path(&host, path, "server/data/pg_tblspc");
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	ck_assert(tap_places_changed(&places, &target));
	ck_assert(!tap_places_changed(&places, &nowhere));
}
END_TEST

START_TEST(test_more_than_there_is_room_for)
{
	char name[FAKE_PATH_MAX];

	fake_disk(&host, "vda", own_device);
	for (int i = 0; i < TAP_PLACES_MAX + 5; i++) {
		snprintf(name, sizeof(name), "server/data/pg_tblspc/%d", 16384 + i);
		fake_folder(&host, name);
	}
	find();
	ck_assert_uint_eq(places.count, TAP_PLACES_MAX);
	ck_assert(places.cut);
}
END_TEST

/* ---- file systems without a block device ---- */

static uint64_t mount_of(const char *path)
{
	struct statx info = { 0 };

	ck_assert_int_eq(statx(AT_FDCWD, path, 0, STATX_MNT_ID, &info), 0);
	return info.stx_mask & STATX_MNT_ID ? info.stx_mnt_id : 0;
}

/* The server's mountinfo says this of the mount its folder is on. */
static void mounted(const char *point, const char *rest)
{
	char text[2 * FAKE_PATH_MAX];

	snprintf(text, sizeof(text), "%llu 1 0:99 / %s rw - %s\n", (unsigned long long)mount_of(data_dir), point, rest);
	fake_file(&host, "proc/77/mountinfo", text);
}

static const struct {
	const char *mount;
	const char *why;
} diskless[] = {
	{ "tmpfs tmpfs rw", "tmpfs: no known block device" },
	{ "nfs4 server:/export rw", "nfs4: no known block device" },
	{ "btrfs /dev/null rw", "btrfs from /dev/null: not a device of this host" },
	{ "zfs tank/pg rw", "zfs: no known block device" },
	{ "fuse /nowhere/\\012x rw", "fuse from /nowhere/\nx: not a device of this host" },
	{ "overlay overlay rw", "overlay: the folder below it could not be found" },
	{ "overlay overlay rw,upperdir=/nowhere", "overlay: the folder below it could not be found" },
};

START_TEST(test_no_block_device)
{
	mounted("/", diskless[_i].mount);
	find();
	ck_assert_uint_eq(places.count, 1);
	ck_assert_uint_eq(places.items[0].disks.count, 0);
	ck_assert_str_eq(places.items[0].disks.why_not, diskless[_i].why);
	ck_assert_uint_eq(places.items[0].root.device, 99);
}
END_TEST

START_TEST(test_no_such_mount)
{
	char expected[128];

	find();
	snprintf(expected, sizeof(expected), "device %u:%u: no block device, and not among the server's mounts",
		 own_device >> 20, own_device & 0xfffff);
	ck_assert_str_eq(places.items[0].disks.why_not, expected);
}
END_TEST

static void put_pid_file(const char *folder, time_t changed)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = changed, .tv_nsec = 7 } };
	char path[FAKE_PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/postmaster.pid", folder);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs("77\n", file);
	fclose(file);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* The upper folder must lie on another file system than the tests' folder: shared memory is one nearly everywhere. */
START_TEST(test_the_folder_below_an_overlay)
{
	char upper[64] = "/dev/shm/tap_fake_upper_XXXXXX";
	char below[96], rest[FAKE_PATH_MAX];
	struct stat info;

	if (!mkdtemp(upper) || device_of(upper) == own_device)
		return;
	snprintf(below, sizeof(below), "%s/data", upper);
	ck_assert_int_eq(mkdir(below, 0700), 0);
	fake_disk(&host, "vda", device_of(upper));
	fake_path(&host, rest, "server/data");
	put_pid_file(rest, 1000 + _i);
	put_pid_file(below, 1000);
	snprintf(rest, sizeof(rest), "overlay none rw,lowerdir=/x,upperdir=%s,workdir=/w", upper);
	mounted("/", rest);
	find();
	ck_assert_int_eq(stat(below, &info), 0);
	if (!_i) {
		ck_assert_uint_eq(places.items[0].root.inode, info.st_ino);
		ck_assert_uint_eq(places.items[0].root.device, device_of(upper));
		ck_assert_uint_eq(places.items[0].disks.items[0], device_of(upper));
		ck_assert_str_eq(places.items[0].disks.why_not, "");
	} else {
		/* It is another server's data folder. */
		ck_assert_uint_eq(places.items[0].disks.count, 0);
		ck_assert_uint_eq(places.items[0].root.inode, inode_of("server/data"));
	}
	nftw(upper, fake_unlink, 16, FTW_DEPTH | FTW_PHYS);
}
END_TEST

START_TEST(test_without_memory)
{
	long n;
	int status;

	fake_folder(&host, "server/data/pg_tblspc/16401");
	mounted("/", "overlay overlay rw,upperdir=/nowhere");
	for (n = 1;; n++) {
		tap_alloc_fail_at(n);
		status = tap_places_find(&host.roots, 3, &target, &places);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert(!status || status == -ENOMEM);
		tap_places_done(&places);
	}
	ck_assert_int_eq(status, 0);
	ck_assert_int_gt(n, 2);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("places");
	TCase *tests = tcase_create("places");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_the_data_folder);
	tcase_add_test(tests, test_no_data_folder);
	tcase_add_test(tests, test_tablespaces_are_resolved_in_the_servers_root);
	tcase_add_test(tests, test_what_is_no_tablespace);
	tcase_add_test(tests, test_tablespaces_folder_is_no_link);
	tcase_add_test(tests, test_the_wal_where_it_is_a_link);
	tcase_add_test(tests, test_changes_are_noticed);
	tcase_add_test(tests, test_more_than_there_is_room_for);
	tcase_add_loop_test(tests, test_no_block_device, 0, sizeof(diskless) / sizeof(diskless[0]));
	tcase_add_test(tests, test_no_such_mount);
	tcase_add_loop_test(tests, test_the_folder_below_an_overlay, 0, 2);
	tcase_add_test(tests, test_without_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
