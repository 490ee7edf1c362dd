// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_privilege.c - userspace/load/privilege: what is kept, what is dropped and cannot come back. Check runs each test
 * in a child, so the runner keeps its rights. Without root only what an ordinary user can do is tested.
 */
#include "userspace/load/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/check_main.h"

struct sets {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static struct sets sets_get(void)
{
	struct sets sets = { .header.version = _LINUX_CAPABILITY_VERSION_3 };

	ck_assert_int_eq(syscall(SYS_capget, &sets.header, sets.data), 0);
	return sets;
}

static bool permits(int capability)
{
	struct sets sets = sets_get();

	return sets.data[CAP_TO_INDEX(capability)].permitted & CAP_TO_MASK(capability);
}

static bool has(int capability)
{
	struct sets sets = sets_get();

	return sets.data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

static void take_away(int capability)
{
	struct sets sets = sets_get();

	sets.data[CAP_TO_INDEX(capability)].effective &= ~CAP_TO_MASK(capability);
	ck_assert_int_eq(syscall(SYS_capset, &sets.header, sets.data), 0);
}

/* Tests that need more than a container's root say so instead of failing. */
static bool has_all(void)
{
	if (tap_privilege_suffices() && has(CAP_SYS_ADMIN) && has(CAP_SETPCAP) && has(CAP_NET_ADMIN))
		return true;
	printf("SKIP: this part needs root with all capabilities\n");
	return false;
}

START_TEST(test_each_one_is_needed)
{
	static const int needed[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH };

	if (!has_all())
		return;
	take_away(needed[_i]);
	ck_assert(!tap_privilege_suffices());
}
END_TEST

/* CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, as the kernel has it. */
START_TEST(test_admin_stands_for_two)
{
	if (!has_all())
		return;
	take_away(CAP_BPF);
	take_away(CAP_PERFMON);
	ck_assert(tap_privilege_suffices());
	take_away(CAP_SYS_ADMIN);
	ck_assert(!tap_privilege_suffices());
}
END_TEST

START_TEST(test_drop)
{
	static const int kept[] = { CAP_BPF,	      CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
				    CAP_DAC_OVERRIDE, CAP_SETUID,  CAP_SETGID,	   CAP_KILL };
	static const int gone[] = {
		CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SETPCAP, CAP_CHOWN, CAP_SYS_MODULE, CAP_SYS_BOOT
	};
	struct tap_error err = { "" };

	if (!has_all())
		return;
	ck_assert_int_eq(tap_privilege_drop(false, &err), 0);
	ck_assert_str_eq(err.text, "");
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		ck_assert(!has(gone[i]));
		ck_assert(!permits(gone[i]));
		ck_assert_int_eq(prctl(PR_CAPBSET_READ, gone[i]), 0);
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		ck_assert(has(kept[i]));
		ck_assert_int_eq(prctl(PR_CAPBSET_READ, kept[i]), 1);
	}
	for (int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++)
		ck_assert_uint_eq(sets_get().data[word].inheritable, 0);
	ck_assert(tap_privilege_suffices());
	/* Once more changes nothing. */
	ck_assert_int_eq(tap_privilege_drop(false, &err), 0);
	ck_assert(tap_privilege_suffices());
}
END_TEST

/* What was dropped does not come back: not by asking, not through a program that root starts. */
START_TEST(test_dropped_for_good)
{
	struct sets sets;
	char line[256];
	FILE *child;
	unsigned long long effective = ~0ull;

	if (!has_all())
		return;
	ck_assert_int_eq(tap_privilege_drop(false, NULL), 0);
	sets = sets_get();
	sets.data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective |= CAP_TO_MASK(CAP_SYS_ADMIN);
	sets.data[CAP_TO_INDEX(CAP_SYS_ADMIN)].permitted |= CAP_TO_MASK(CAP_SYS_ADMIN);
	ck_assert_int_ne(syscall(SYS_capset, &sets.header, sets.data), 0);
	child = popen("grep CapEff /proc/self/status", "re");
	ck_assert_ptr_nonnull(child);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), child));
	pclose(child);
	ck_assert_int_eq(sscanf(line, "CapEff: %llx", &effective), 1);
	ck_assert_uint_eq(effective >> CAP_SYS_ADMIN & 1, 0);
	ck_assert_uint_eq(effective >> CAP_NET_ADMIN & 1, 0);
}
END_TEST

/* No rights from here on; still the same user, so that coverage can be written. */
static void give_up_all(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	ck_assert_int_eq(syscall(SYS_capset, &header, none), 0);
}

/* An ordinary user has nothing to drop, and that is no error. */
START_TEST(test_nothing_to_drop)
{
	struct tap_error err = { "" };

	give_up_all();
	ck_assert(!tap_privilege_suffices());
	ck_assert_int_eq(tap_privilege_drop(false, &err), 0);
	ck_assert(!has(CAP_KILL));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("load/privilege");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, test_each_one_is_needed, 0, 2);
	tcase_add_test(tests, test_admin_stands_for_two);
	tcase_add_test(tests, test_drop);
	tcase_add_test(tests, test_dropped_for_good);
	tcase_add_test(tests, test_nothing_to_drop);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
