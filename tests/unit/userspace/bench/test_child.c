// SPDX-License-Identifier: BSD-2-Clause
/* test_child.c - what a child of the bench inherits, how it ends, and that it ends with its parent. */
#include "userspace/bench/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/lib/check_main.h"
#include "tests/lib/counted_exit.h"

static const struct tap_child_options plain = { .death_signal = SIGKILL, .keep_fd = -1 };

static void sleep_ms(long ms)
{
	const struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&span, NULL);
}

static int sleep_long(void *context)
{
	(void)context;
	sleep_ms(60000);
	return 0;
}

static int give(void *context)
{
	return *(int *)context;
}

START_TEST(status_comes_back)
{
	int value = 42, status = -1;
	pid_t pid;

	ck_assert_int_eq(tap_child_start(&plain, give, &value, &pid), 0);
	ck_assert_int_eq(tap_child_wait(pid, 5000, &status), 0);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 42);
	ck_assert_int_eq(tap_child_wait(pid, 0, &status), -ECHILD);
	ck_assert_int_eq(tap_child_wait(pid, 10, NULL), -ECHILD);
}
END_TEST

/* Reports through its exit status which expectation failed; 0: none. */
static int look_around(void *context)
{
	struct sigaction action;
	sigset_t mask;
	DIR *descriptors = opendir("/proc/self/fd");
	struct dirent *entry;
	char name[16], text[2] = "";

	(void)context;
	while ((entry = readdir(descriptors))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd > TAP_CHILD_KEPT_FD && fd != dirfd(descriptors))
			return 1;
	}
	sigprocmask(SIG_SETMASK, NULL, &mask);
	sigaction(SIGTERM, NULL, &action);
	if (sigismember(&mask, SIGUSR1) || action.sa_handler != SIG_DFL)
		return 2;
	if (read(0, text, 1) != 0 || write(1, "x", 1) != 1)
		return 3;
	if (read(TAP_CHILD_KEPT_FD, text, 1) != 1 || *text != 'k')
		return 4;
	prctl(PR_GET_NAME, name);
	if (strcmp(name, "looking") != 0)
		return 5;
	return getsid(0) == getpid() ? 0 : 6;
}

START_TEST(child_has_only_what_it_was_given)
{
	struct tap_child_options options = { .death_signal = SIGKILL, .own_session = true, .name = "looking" };
	int ends[2], status = -1, high;
	sigset_t mask;
	pid_t pid;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGTERM, SIG_IGN);
	ck_assert_int_eq(pipe(ends), 0);
	high = fcntl(ends[1], F_DUPFD, 300);
	ck_assert_int_ge(high, 300);
	ck_assert_int_eq(write(ends[1], "k", 1), 1);
	options.keep_fd = ends[0];
	ck_assert_int_eq(tap_child_start(&options, look_around, NULL, &pid), 0);
	ck_assert_int_eq(tap_child_wait(pid, 5000, &status), 0);
	ck_assert_int_eq(status, 0);
	close(ends[0]);
	close(ends[1]);
	close(high);
}
END_TEST

START_TEST(bad_set_up_ends_the_child)
{
	const struct tap_child_options options = { .keep_fd = 999 };
	int status = -1, value = 0;
	pid_t pid;

	ck_assert_int_eq(tap_child_start(&options, give, &value, &pid), 0);
	ck_assert_int_eq(tap_child_wait(pid, 5000, &status), 0);
	ck_assert_int_eq(WEXITSTATUS(status), TAP_CHILD_FAILED);
}
END_TEST

static int tell_user(void *context)
{
	gid_t groups[4];

	(void)context;
	if (getuid() != 65534 || geteuid() != 65534 || getgid() != 65534 || getgroups(4, groups) != 0)
		return 1;
	return setuid(0) ? 0 : 2;
}

/* As root it becomes the user for good; without the right to, it does not run at all. */
START_TEST(user_is_changed_or_nothing_runs)
{
	const struct tap_child_options options = {
		.death_signal = SIGKILL, .keep_fd = -1, .change_user = true, .uid = 65534, .gid = 65534
	};
	int status = -1;
	pid_t pid;

	ck_assert_int_eq(tap_child_start(&options, tell_user, NULL, &pid), 0);
	ck_assert_int_eq(tap_child_wait(pid, 5000, &status), 0);
	ck_assert_int_eq(WEXITSTATUS(status), geteuid() ? TAP_CHILD_FAILED : 0);
}
END_TEST

START_TEST(wait_has_a_deadline)
{
	struct tap_child_step kill_it = { .signal = SIGKILL, .wait_ms = 5000 };
	struct timespec begin, end;
	int status = -1;
	pid_t pid;

	ck_assert_int_eq(tap_child_start(&plain, sleep_long, NULL, &pid), 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	ck_assert_int_eq(tap_child_wait(pid, 50, &status), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ck_assert_int_eq(status, -1);
	ck_assert_int_ge((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000, 49);
	ck_assert_int_eq(tap_child_end(pid, &kill_it, 1, &status), 0);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	ck_assert_int_eq(kill(pid, 0), -1);
}
END_TEST

static void ignore(int number)
{
	(void)number;
}

/* Signals to the waiting parent do not cut the wait short. */
START_TEST(wait_survives_signals)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval often = { .it_interval = { 0, 5000 }, .it_value = { 0, 5000 } };
	struct itimerval never = { 0 };
	struct tap_child_step kill_it = { .signal = SIGKILL, .wait_ms = 5000 };
	struct timespec begin, end;
	pid_t pid;

	sigaction(SIGALRM, &action, NULL);
	ck_assert_int_eq(tap_child_start(&plain, sleep_long, NULL, &pid), 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	setitimer(ITIMER_REAL, &often, NULL);
	ck_assert_int_eq(tap_child_wait(pid, 100, NULL), -ETIMEDOUT);
	setitimer(ITIMER_REAL, &never, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ck_assert_int_ge((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000, 98);
	ck_assert_int_eq(tap_child_end(pid, &kill_it, 1, NULL), 0);
}
END_TEST

static int refuse_to_end(void *context)
{
	signal(SIGTERM, SIG_IGN);
	*(volatile int *)context = 1;
	return sleep_long(NULL);
}

START_TEST(steps_go_on_until_it_ends)
{
	static const struct tap_child_step steps[] = { { SIGTERM, 30 }, { SIGTERM, 30 }, { SIGKILL, 5000 } };
	volatile int *ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;
	pid_t pid;

	ck_assert_int_eq(tap_child_start(&plain, refuse_to_end, (void *)ready, &pid), 0);
	while (!*ready)
		sleep_ms(1);
	ck_assert_int_eq(tap_child_end(pid, steps, 2, &status), -ETIMEDOUT);
	ck_assert_int_eq(tap_child_end(pid, steps, 3, &status), 0);
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	ck_assert_int_eq(tap_child_end(pid, steps, 3, &status), -ECHILD);
	munmap((void *)ready, sizeof(*ready));
}
END_TEST

START_TEST(nobody_elses_process_is_touched)
{
	static const struct tap_child_step kill_it = { SIGKILL, 10 };

	ck_assert_int_eq(tap_child_end(getppid(), &kill_it, 1, NULL), -ECHILD);
	ck_assert_int_eq(tap_child_end(0, &kill_it, 1, NULL), -ECHILD);
	ck_assert_int_eq(tap_child_end(-1, &kill_it, 1, NULL), -ECHILD);
}
END_TEST

static int start_grandchild(void *context)
{
	pid_t pid;

	if (tap_child_start(&plain, sleep_long, NULL, &pid))
		return 1;
	*(volatile pid_t *)context = pid;
	return sleep_long(NULL);
}

START_TEST(death_of_the_parent_ends_the_child)
{
	static const struct tap_child_step kill_it = { SIGKILL, 5000 };
	volatile pid_t *grandchild = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	/* Otherwise the grandchild would stay a zombie wherever nobody reaps orphans. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	ck_assert_int_eq(tap_child_start(&plain, start_grandchild, (void *)grandchild, &pid), 0);
	while (!*grandchild)
		sleep_ms(1);
	ck_assert_int_eq(kill(*grandchild, 0), 0);
	ck_assert_int_eq(tap_child_end(pid, &kill_it, 1, NULL), 0);
	ck_assert_int_eq(tap_child_wait(*grandchild, 5000, NULL), 0);
	munmap((void *)grandchild, 4096);
}
END_TEST

START_TEST(no_process_left_is_reported)
{
	struct rlimit old, none = { 0, 0 };
	int value = 0;
	pid_t pid = 77;

	if (geteuid() == 0) {
		/* Root is not held by the limit: become somebody. */
		ck_assert_int_eq(setgid(65533), 0);
		ck_assert_int_eq(setuid(65533), 0);
	}
	getrlimit(RLIMIT_NPROC, &old);
	none.rlim_max = old.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
	ck_assert_int_eq(tap_child_start(&plain, give, &value, &pid), -EAGAIN);
	ck_assert_int_eq(pid, 77);
	setrlimit(RLIMIT_NPROC, &old);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("child");
	TCase *tcase = tcase_create("child");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, status_comes_back);
	tcase_add_test(tcase, child_has_only_what_it_was_given);
	tcase_add_test(tcase, bad_set_up_ends_the_child);
	tcase_add_test(tcase, user_is_changed_or_nothing_runs);
	tcase_add_test(tcase, wait_has_a_deadline);
	tcase_add_test(tcase, wait_survives_signals);
	tcase_add_test(tcase, steps_go_on_until_it_ends);
	tcase_add_test(tcase, nobody_elses_process_is_touched);
	tcase_add_test(tcase, death_of_the_parent_ends_the_child);
	tcase_add_test(tcase, no_process_left_is_reported);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
