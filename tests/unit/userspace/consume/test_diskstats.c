// SPDX-License-Identifier: BSD-2-Clause
/* test_diskstats.c - lines of old and new kernels, broken ones, disks that were not asked for. */
#include "userspace/consume/diskstats.h"

#include <errno.h>

#include "tests/lib/check_main.h"
#include "tests/unit/userspace/consume/fake_host.h"

#define DEVICE(major, minor) ((uint32_t)(major) << 20 | (uint32_t)(minor))

static struct fake_host host;
static struct tap_io_set set;

static void setup(void)
{
	fake_host_init(&host);
	tap_io_set_init(&set);
}

static void teardown(void)
{
	tap_io_set_done(&set);
	fake_host_done(&host);
}

static int read_disks(const char *text, size_t n_disks)
{
	static const uint32_t disks[] = { DEVICE(254, 0), DEVICE(8, 16), DEVICE(7, 1) };

	if (text)
		fake_file(&host, "proc/diskstats", text);
	return tap_diskstats_read(host.proc, disks, n_disks, &set);
}

START_TEST(test_counters)
{
	ck_assert_int_eq(read_disks("   7       0 loop0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"
				    " 254       0 vda 70584 31319 5001370 13993 921899 675069 96765560 366101 0 103100 "
				    "433111 560043 46 "
				    "76962992 42571 379388 10445\n"
				    " 254       1 vda1 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n"
				    "   8      16 sdb 1 2 3 4 5 6 7 8 9 10 11\n",
				    3),
			 0);
	ck_assert_uint_eq(set.n_disks, 2);
	ck_assert_uint_eq(set.disks[0].disk, DEVICE(254, 0));
	ck_assert_str_eq(set.disks[0].name, "vda");
	ck_assert_uint_eq(set.disks[0].reads, 70584);
	ck_assert_uint_eq(set.disks[0].read_bytes, 5001370ull * 512);
	ck_assert_uint_eq(set.disks[0].writes, 921899);
	ck_assert_uint_eq(set.disks[0].write_bytes, 96765560ull * 512);
	ck_assert_uint_eq(set.disks[0].discards, 560043);
	ck_assert_uint_eq(set.disks[0].discard_bytes, 76962992ull * 512);
	ck_assert_uint_eq(set.disks[0].flushes, 379388);
	/* A kernel that counts neither discards nor flushes. */
	ck_assert_uint_eq(set.disks[1].read_bytes, 3 * 512);
	ck_assert_uint_eq(set.disks[1].write_bytes, 7 * 512);
	ck_assert_uint_eq(set.disks[1].flushes, 0);
}
END_TEST

START_TEST(test_nothing_asked_for)
{
	ck_assert_int_eq(read_disks(NULL, 0), 0); /* the file is not even there */
	ck_assert_int_eq(read_disks(NULL, 3), -ENOENT);
	ck_assert_int_eq(read_disks("", 3), 0);
	ck_assert_uint_eq(set.n_disks, 0);
}
END_TEST

START_TEST(test_broken_lines)
{
	ck_assert_int_eq(read_disks("254\n"
				    "254 0\n"
				    "254 0 vda\n"
				    "254 0 vda 1 2 3 4 5 6 7 8 9 10\n"
				    "254 0 vda -1 2 3 4 5 6 7 8 9 10 11\n"
				    "254 0 vda 1 2 x 4 5 6 7 8 9 10 11\n"
				    "-254 0 vda 1 2 3 4 5 6 7 8 9 10 11\n"
				    "99999 0 vda 1 2 3 4 5 6 7 8 9 10 11\n"
				    "254 0 a-name-that-is-longer-than-any-disk-may-have 1 2 3 4 5 6 7 8 9 10 11\n"
				    "\n"
				    "8 16 sdb 1 2 99999999999999999999999999 4 5 6 7 8 9 10 11\n"
				    "8 16 sdb 1 2 3 4 5 6 7 8 9 10 11\n"
				    "7 1 loop1 1 2 3 4 5 6 7 8 9 10 11",
				    3),
			 0);
	ck_assert_uint_eq(set.n_disks, 2);
	ck_assert_str_eq(set.disks[0].name, "sdb"); /* the first of two */
	ck_assert_uint_ne(set.disks[0].read_bytes, 3 * 512);
	ck_assert_str_eq(set.disks[1].name, "loop1");
	ck_assert_uint_eq(set.disks[1].write_bytes, 7 * 512);
}
END_TEST

START_TEST(test_a_line_without_an_end)
{
	char text[8192];

	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "254 0 vda ", 10);
	ck_assert_int_eq(read_disks(text, 3), 0);
	ck_assert_uint_eq(set.n_disks, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("diskstats");
	TCase *tests = tcase_create("diskstats");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_counters);
	tcase_add_test(tests, test_nothing_asked_for);
	tcase_add_test(tests, test_broken_lines);
	tcase_add_test(tests, test_a_line_without_an_end);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
