// SPDX-License-Identifier: BSD-2-Clause
/* test_memory.c - reading a child's memory: in batches, past the end of mappings, of processes that are gone. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/check_main.h"
#include "userspace/attach/memory.h"

enum {
	PAGE = 4096,
};

static char *region; /* two pages, then one that is not there */
static pid_t child;

static void setup(void)
{
	region = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(region, MAP_FAILED);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		memset(region, 'a', 2 * PAGE);
		munmap(region + 2 * PAGE, PAGE);
		memcpy(region + PAGE - 4, "crossing", 9);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(child, NULL, WUNTRACED);
}

static void teardown(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	munmap(region, 3 * PAGE);
}

static uint64_t address(size_t offset)
{
	return (uint64_t)(uintptr_t)region + offset;
}

START_TEST(test_one)
{
	char bytes[5] = "";

	ck_assert_int_eq(tap_memory_read(child, address(0), bytes, 4), 0);
	ck_assert_str_eq(bytes, "aaaa");
	ck_assert_int_eq(tap_memory_read(child, address(2 * PAGE), bytes, 4), -EFAULT);
	ck_assert_int_eq(tap_memory_read(child, address(2 * PAGE - 2), bytes, 4), -EFAULT);
	ck_assert_int_eq(tap_memory_read(child, 0, bytes, 4), -EFAULT);
	ck_assert_int_eq(tap_memory_read(child, UINT64_MAX - 1, bytes, 4), -EFAULT);
	ck_assert_int_eq(tap_memory_read(child, 0xffffffff81000000, bytes, 4), -EFAULT);
	ck_assert_int_eq(tap_memory_read(child, address(2 * PAGE), bytes, 0), 0);
}
END_TEST

START_TEST(test_many_with_holes)
{
	enum {
		COUNT = 1000
	};
	static struct tap_memory_read reads[COUNT];
	static char bytes[COUNT][8];

	for (size_t i = 0; i < COUNT; i++) {
		bool bad = i % 7 == 3 || i == 0 || i == COUNT - 1;

		reads[i] = (struct tap_memory_read){ bad ? address(2 * PAGE) : address(i), bytes[i], i % 9 == 4 ? 0 : 8,
						     false };
	}
	ck_assert_int_eq(tap_memory_read_many(child, reads, COUNT), 0);
	for (size_t i = 0; i < COUNT; i++) {
		bool bad = (i % 7 == 3 || i == 0 || i == COUNT - 1) && reads[i].size;

		ck_assert_int_eq(reads[i].ok, !bad);
		if (reads[i].ok && reads[i].size)
			ck_assert_mem_eq(bytes[i], "aaaaaaaa", 8);
	}
	ck_assert_int_eq(tap_memory_read_many(child, reads, 0), 0);
}
END_TEST

START_TEST(test_strings)
{
	char text[3 * PAGE];

	ck_assert_int_eq(tap_memory_read_string(child, address(PAGE - 4), text, 16), 0);
	ck_assert_str_eq(text, "crossing");
	ck_assert_int_eq(tap_memory_read_string(child, address(PAGE - 4), text, 9), 0);
	ck_assert_int_eq(tap_memory_read_string(child, address(PAGE - 4), text, 8), -ENAMETOOLONG);
	ck_assert_int_eq(tap_memory_read_string(child, address(PAGE - 4), text, 0), -ENAMETOOLONG);
	/* No end before the mapping's. */
	ck_assert_int_eq(tap_memory_read_string(child, address(PAGE + 10), text, sizeof(text)), -EFAULT);
	ck_assert_int_eq(tap_memory_read_string(child, 8, text, sizeof(text)), -EFAULT);
}
END_TEST

START_TEST(test_gone)
{
	char bytes[4];

	kill(child, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(tap_memory_read(child, address(0), bytes, 4), -ESRCH); /* a zombie */
	waitpid(child, NULL, 0);
	ck_assert_int_eq(tap_memory_read(child, address(0), bytes, 4), -ESRCH);
	ck_assert_int_eq(tap_memory_read_string(child, address(0), bytes, 4), -ESRCH);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("memory");
	TCase *tcase = tcase_create("memory");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_one);
	tcase_add_test(tcase, test_many_with_holes);
	tcase_add_test(tcase, test_strings);
	tcase_add_test(tcase, test_gone);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
