// SPDX-License-Identifier: BSD-2-Clause
/* test_stats.c - userspace/load/stats: the child that switches, refuses and ends, and a parent that survives its death.
 */
#include "userspace/load/stats.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/counted_exit.h"
#include "userspace/load/features.h"

/* The parent makes sure of its child's end; here it may have to end by itself. */
static bool child_is_spared;

int kill(pid_t pid, int number)
{
	return child_is_spared ? 0 : (int)syscall(SYS_kill, pid, number);
}

/* The one child of this process; 0: none. */
static pid_t child_pid(void)
{
	char path[64], text[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return atoi(text);
}

static int descriptors_of(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	int count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	if (!folder)
		return -1;
	while ((entry = readdir(folder)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

START_TEST(test_switches)
{
	bool allowed = tap_feature_has(TAP_FEATURE_STATS);
	struct tap_stats_switch *stats = tap_stats_switch_new();

	ck_assert_ptr_nonnull(stats);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(tap_stats_switch_on(stats), allowed ? 0 : -EPERM);
		ck_assert_int_eq(tap_stats_switch_on(stats), allowed ? 0 : -EPERM);
		ck_assert_int_eq(tap_stats_switch_off(stats), 0);
		ck_assert_int_eq(tap_stats_switch_off(stats), 0);
	}
	tap_stats_switch_free(stats);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/* No rights from here on; still the same user, so that coverage can be written. */
static void give_up_all(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	ck_assert_int_eq(syscall(SYS_capset, &header, none), 0);
}

/* Rights that were given up are the parent's, not the child's; without any it refuses. */
START_TEST(test_rights)
{
	bool allowed = tap_feature_has(TAP_FEATURE_STATS);
	struct tap_stats_switch *before, *after;

	before = tap_stats_switch_new();
	ck_assert_int_eq(tap_stats_switch_off(before), 0); /* it runs */
	give_up_all();
	after = tap_stats_switch_new();
	ck_assert_int_eq(tap_stats_switch_on(before), allowed ? 0 : -EPERM);
	ck_assert_int_eq(tap_stats_switch_on(after), -EPERM);
	ck_assert_int_eq(tap_stats_switch_off(after), 0);
	tap_stats_switch_free(after);
	tap_stats_switch_free(before);
}
END_TEST

START_TEST(test_no_switch)
{
	ck_assert_int_eq(tap_stats_switch_on(NULL), -ENOTCONN);
	ck_assert_int_eq(tap_stats_switch_off(NULL), -ENOTCONN);
	tap_stats_switch_free(NULL);
	tap_alloc_fail_at(1);
	ck_assert_ptr_null(tap_stats_switch_new());
	tap_alloc_fail_at(0);
}
END_TEST

START_TEST(test_no_descriptors_left)
{
	struct rlimit before, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_ptr_null(tap_stats_switch_new());
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}
END_TEST

/* The child holds its socket and no more: no link of its parent lives in it. A signal for the group leaves it alone. */
START_TEST(test_child)
{
	int held[2];
	struct tap_stats_switch *stats;
	pid_t pid;

	ck_assert_int_eq(pipe(held), 0);
	stats = tap_stats_switch_new();
	ck_assert_int_eq(tap_stats_switch_off(stats), 0);
	pid = child_pid();
	if (pid > 0) {
		ck_assert_int_eq(descriptors_of(pid), 1);
		kill(pid, SIGINT);
		kill(pid, SIGTERM);
		kill(pid, SIGHUP);
	}
	ck_assert_int_eq(tap_stats_switch_off(stats), 0);
	/* When it dies, the parent hears of it and goes on. */
	if (pid > 0) {
		kill(pid, SIGKILL);
		usleep(20000);
		ck_assert_int_eq(tap_stats_switch_on(stats), -EPIPE);
		ck_assert_int_eq(tap_stats_switch_off(stats), -EPIPE);
	}
	tap_stats_switch_free(stats);
	close(held[0]);
	close(held[1]);
}
END_TEST

/* It ends with its parent's end of the socket, asked for something last or not, and its statistics with it. */
START_TEST(test_child_ends_by_itself)
{
	struct tap_stats_switch *stats = tap_stats_switch_new();

	ck_assert_ptr_nonnull(stats);
	if (_i)
		tap_stats_switch_on(stats);
	if (_i == 2)
		tap_stats_switch_off(stats);
	child_is_spared = true;
	tap_stats_switch_free(stats); /* waits for it */
	child_is_spared = false;
	ck_assert_int_eq(child_pid(), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("load/stats");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_switches);
	tcase_add_test(tests, test_rights);
	tcase_add_test(tests, test_no_switch);
	tcase_add_test(tests, test_no_descriptors_left);
	tcase_add_test(tests, test_child);
	tcase_add_loop_test(tests, test_child_ends_by_itself, 0, 3);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
