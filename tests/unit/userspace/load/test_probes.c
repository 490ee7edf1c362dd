// SPDX-License-Identifier: BSD-2-Clause
/* test_probes.c - userspace/load/probes over a libbpf that refuses: in which processes probes are, and none is left. */
#include "userspace/load/probes.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "tests/lib/check_main.h"

static struct {
	int whole; /* links alive */
	int single;
	int attached; /* ever */
	int fail_with;
} kernel;

static struct tap_probes probes;
static struct tap_error err;

struct bpf_link {
	bool whole;
};

static struct bpf_link whole_link = { true }, single_link = { false };

struct bpf_link *bpf_program__attach_uprobe(const struct bpf_program *program, bool retprobe, pid_t pid,
					    const char *binary_path, size_t func_offset)
{
	(void)program;
	(void)retprobe;
	(void)func_offset;
	ck_assert_int_eq(access(binary_path, R_OK), 0);
	if (kernel.fail_with) {
		errno = kernel.fail_with;
		return NULL;
	}
	kernel.attached++;
	*(pid < 0 ? &kernel.whole : &kernel.single) += 1;
	return pid < 0 ? &whole_link : &single_link;
}

int bpf_link__destroy(struct bpf_link *link)
{
	if (link)
		*(link->whole ? &kernel.whole : &kernel.single) -= 1;
	return 0;
}

static void set_up(void)
{
	kernel.whole = kernel.single = kernel.attached = kernel.fail_with = 0;
	probes = (struct tap_probes){ 0 };
	for (uint64_t offset = 16; offset <= 32; offset += 16)
		ck_assert_int_eq(tap_probes_add(&probes, NULL, "/proc/self/exe", offset, &err), 0);
}

static void tear_down(void)
{
	tap_probes_done(&probes);
	ck_assert_int_eq(kernel.whole + kernel.single, 0);
}

START_TEST(test_some_and_all)
{
	/* The second is no process of this program, the third none at all. */
	int32_t pids[] = { getpid(), 1, 0x7ffffff0 };

	ck_assert_int_eq(kernel.whole, 2);
	ck_assert_int_eq(tap_probes_some(&probes, pids, 3), 0);
	ck_assert_int_eq(kernel.whole, 0);
	ck_assert_int_eq(kernel.single, 2);
	/* Those that are probed already stay so. */
	ck_assert_int_eq(tap_probes_some(&probes, pids, 1), 0);
	ck_assert_int_eq(kernel.single, 2);
	ck_assert_int_eq(kernel.attached, 4);
	/* A place more waits. */
	ck_assert_int_eq(tap_probes_add(&probes, NULL, "/proc/self/exe", 48, &err), 0);
	ck_assert_int_eq(kernel.attached, 4);
	ck_assert(tap_probes_are_on(&probes));
	ck_assert_int_eq(tap_probes_some(&probes, NULL, 0), 0);
	ck_assert(!tap_probes_are_on(&probes));
	ck_assert_int_eq(kernel.single, 0);
	ck_assert_int_eq(tap_probes_all(&probes), 0);
	ck_assert_int_eq(tap_probes_all(&probes), 0);
	ck_assert_int_eq(kernel.whole, 3);
}
END_TEST

/* What cannot be probed again stays off, and nothing is half on. */
START_TEST(test_refused)
{
	int32_t self = getpid();

	ck_assert_int_eq(tap_probes_some(&probes, NULL, 0), 0);
	kernel.fail_with = EACCES;
	ck_assert_int_eq(tap_probes_all(&probes), -EACCES);
	ck_assert_int_eq(tap_probes_some(&probes, &self, 1), -EACCES);
	ck_assert_int_eq(kernel.whole + kernel.single, 0);
	/* One that ended just now is no failure. */
	kernel.fail_with = ESRCH;
	ck_assert_int_eq(tap_probes_some(&probes, &self, 1), 0);
	ck_assert(!tap_probes_are_on(&probes));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("load/probes");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_add_test(all, test_some_and_all);
	tcase_add_test(all, test_refused);
	suite_add_tcase(suite, all);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
