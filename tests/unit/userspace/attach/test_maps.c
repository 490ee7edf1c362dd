// SPDX-License-Identifier: BSD-2-Clause
/* test_maps.c - /proc/PID/maps: our own, made-up lines, broken lines, far too many. */
#include <check.h>
#include <errno.h>
#include <sys/mman.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_proc.h"
#include "userspace/attach/maps.h"

static struct fake_proc fake;

static void setup(void)
{
	fake_proc_init(&fake);
	fake_proc_add(&fake, &(struct fake_process){ .pid = 7 });
}

static void teardown(void)
{
	tap_alloc_fail_at(0);
	fake_proc_done(&fake);
}

START_TEST(test_lines)
{
	static const char text[] =
		"00400000-00500000 r--p 00000000 fe:01 123                        /usr/bin/a b\n"
		"00500000-00600000 r-xp 00100000 fe:01 123                        /usr/bin/a b\n"
		"7f0000000000-7f0000002000 rw-s 00000000 00:01 5                  /dev/zero (deleted)\n"
		"7f0000003000-7f0000004000 ---p 00000000 00:00 0 \n"
		"7f0000005000-7f0000006000 rw-p 00000000 00:00 0                  /tmp/new\\012line\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0          [vsyscall]\n";
	const struct tap_map *map;
	struct tap_maps maps;

	fake_proc_write(&fake, 7, "maps", text, 0);
	ck_assert_int_eq(tap_maps_read(fake.root, 7, &maps), 0);
	ck_assert_uint_eq(maps.count, 6);
	map = tap_maps_of_file(&maps, "/usr/bin/a b");
	ck_assert_ptr_eq(map, &maps.items[0]);
	ck_assert_uint_eq(map->start, 0x400000);
	ck_assert_uint_eq(map->end, 0x500000);
	ck_assert_uint_eq(maps.items[1].offset, 0x100000);
	ck_assert(map->readable && !map->writable && !map->shared);
	ck_assert(maps.items[2].readable && maps.items[2].writable && maps.items[2].shared);
	ck_assert(!maps.items[3].readable);
	ck_assert_str_eq(maps.items[3].path, "");
	ck_assert_str_eq(maps.items[4].path, "/tmp/new\nline");
	ck_assert_ptr_null(tap_maps_of_file(&maps, "/usr/bin/a"));
	tap_maps_done(&maps);
}
END_TEST

START_TEST(test_ranges)
{
	struct tap_map items[] = { { .start = 0x1000, .end = 0x3000 }, { .start = 0x3000, .end = 0x4000 } };
	const struct tap_maps maps = { .items = items, .count = 2 };

	ck_assert_ptr_eq(tap_maps_at(&maps, 0x1000, 0x2000), &items[0]);
	ck_assert_ptr_eq(tap_maps_at(&maps, 0x2fff, 1), &items[0]);
	ck_assert_ptr_null(tap_maps_at(&maps, 0x2fff, 2));
	ck_assert_ptr_null(tap_maps_at(&maps, 0x1000, UINT64_MAX));
	ck_assert_ptr_eq(tap_maps_at(&maps, 0x3000, 0), &items[1]);
	ck_assert_ptr_null(tap_maps_at(&maps, 0x4000, 0));
	ck_assert_ptr_null(tap_maps_at(&maps, 0, 1));
	tap_maps_done(NULL);
}
END_TEST

START_TEST(test_our_own)
{
	const struct tap_map *map;
	struct tap_maps maps;
	void *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(shared, MAP_FAILED);
	ck_assert_int_eq(tap_maps_read("/proc", getpid(), &maps), 0);
	map = tap_maps_at(&maps, (uint64_t)(uintptr_t)shared, 8192);
	ck_assert_ptr_nonnull(map);
	ck_assert(map->shared && map->readable);
	map = tap_maps_at(&maps, (uint64_t)(uintptr_t)&maps, sizeof(maps));
	ck_assert(map && !map->shared && map->writable);
	tap_maps_done(&maps);
	munmap(shared, 8192);
}
END_TEST

START_TEST(test_broken_lines)
{
	static const char *const lines[] = {
		"x\n",
		"00400000 r--p 00000000 fe:01 123 /x\n",
		"00500000-00400000 r--p 00000000 fe:01 123 /x\n",
		"00400000-00500000 r- 00000000 fe:01 123 /x\n",
		"00400000-00500000 r--p\n",
		"00400000-00500000 zzzz 00000000 fe:01 123 /x\n",
	};
	struct tap_maps maps = { .count = 42 };

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		fake_proc_write(&fake, 7, "maps", lines[i], 0);
		ck_assert_int_eq(tap_maps_read(fake.root, 7, &maps), -EBADMSG);
		ck_assert_uint_eq(maps.count, 42);
	}
	fake_proc_write(&fake, 7, "maps", "", 0);
	ck_assert_int_eq(tap_maps_read(fake.root, 7, &maps), 0);
	ck_assert_uint_eq(maps.count, 0);
	tap_maps_done(&maps);
	ck_assert_int_eq(tap_maps_read(fake.root, 8, &maps), -ESRCH);
}
END_TEST

static char *many_lines(size_t count, size_t *ret_size)
{
	static const char line[] =
		"7f0000000000-7f0000002000 rw-s 00000000 00:01 5                  /dev/zero (deleted)\n";
	char *text = malloc(count * (sizeof(line) - 1));

	ck_assert_ptr_nonnull(text);
	*ret_size = count * (sizeof(line) - 1);
	for (size_t i = 0; i < count; i++)
		memcpy(text + i * (sizeof(line) - 1), line, sizeof(line) - 1);
	return text;
}

START_TEST(test_many_and_too_many)
{
	struct tap_maps maps;
	size_t size;
	char *text = many_lines(65530, &size);

	fake_proc_write(&fake, 7, "maps", text, size);
	ck_assert_int_eq(tap_maps_read(fake.root, 7, &maps), 0);
	ck_assert_uint_eq(maps.count, 65530);
	tap_maps_done(&maps);
	free(text);
	text = many_lines(300000, &size);
	fake_proc_write(&fake, 7, "maps", text, size);
	ck_assert_int_eq(tap_maps_read(fake.root, 7, &maps), -EFBIG);
	free(text);
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct tap_maps maps;
	size_t size;
	char *text = many_lines(2000, &size);

	fake_proc_write(&fake, 7, "maps", text, size);
	free(text);
	for (long n = 1;; n++) {
		int err;

		tap_alloc_fail_at(n);
		err = tap_maps_read(fake.root, 7, &maps);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
	}
	tap_alloc_fail_at(0);
	tap_maps_done(&maps);
}
END_TEST

START_TEST(test_unreadable)
{
	char path[PATH_MAX], root[5000];
	struct tap_maps maps;

	fake_proc_path(&fake, 7, "maps", path);
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(tap_maps_read(fake.root, 7, &maps), -EISDIR);
	memset(root, 'x', sizeof(root) - 1);
	root[sizeof(root) - 1] = '\0';
	ck_assert_int_eq(tap_maps_read(root, 7, &maps), -ENAMETOOLONG);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("maps");
	TCase *tcase = tcase_create("maps");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_lines);
	tcase_add_test(tcase, test_ranges);
	tcase_add_test(tcase, test_our_own);
	tcase_add_test(tcase, test_broken_lines);
	tcase_add_test(tcase, test_many_and_too_many);
	tcase_add_test(tcase, test_out_of_memory);
	tcase_add_test(tcase, test_unreadable);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
