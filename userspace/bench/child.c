// SPDX-License-Identifier: BSD-2-Clause
/* child.c - fork, set up, wait with a deadline, end in steps. Used by the bench's processes; see child.h. */
#include "userspace/bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "userspace/base/clock.h"

/* Where the kept descriptor waits, at least, while 0 to 3 are replaced. */
#define PARKED_FD (TAP_CHILD_KEPT_FD + 1)

static int reset_descriptors(int keep_fd)
{
	int null_fd, first = TAP_CHILD_KEPT_FD, parked = -1;

	if (keep_fd >= 0) {
		parked = fcntl(keep_fd, F_DUPFD, PARKED_FD);
		if (parked < 0)
			return -errno;
	}
	null_fd = open("/dev/null", O_RDWR);
	if (null_fd < 0)
		return -errno;
	for (int fd = 0; fd < TAP_CHILD_KEPT_FD; fd++) {
		if (dup2(null_fd, fd) < 0)
			return -errno;
	}
	if (parked >= 0 && dup2(parked, first++) < 0)
		return -errno;
	return close_range((unsigned)first, ~0u, 0) ? -errno : 0;
}

static void reset_signals(void)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &usual, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int change_user(const struct tap_child_options *options)
{
	if (!options->change_user)
		return 0;
	if (setgroups(0, NULL) || setgid(options->gid) || setuid(options->uid))
		return -errno;
	return 0;
}

/* After change_user: a change of credentials forgets the signal. */
static int tie_to_parent(int death_signal, pid_t parent)
{
	if (!death_signal)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0))
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

static int set_up(const struct tap_child_options *options, pid_t parent)
{
	int err;

	reset_signals();
	if (options->own_session && setsid() < 0)
		return -errno;
	err = reset_descriptors(options->keep_fd);
	if (!err)
		err = change_user(options);
	if (!err)
		err = tie_to_parent(options->death_signal, parent);
	if (!err && options->name)
		prctl(PR_SET_NAME, options->name, 0, 0, 0);
	return err;
}

int tap_child_start(const struct tap_child_options *options, int (*body)(void *context), void *context, pid_t *ret_pid)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(set_up(options, parent) ? TAP_CHILD_FAILED : body(context));
	*ret_pid = pid;
	return 0;
}

static int reap(pid_t pid, int *ret_status)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, WNOHANG);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (got == 0)
		return -ETIMEDOUT;
	if (ret_status)
		*ret_status = status;
	return 0;
}

/* A pidfd becomes readable at the end of its process; signals only make the poll shorter. */
static void poll_for_end(int fd, unsigned timeout_ms)
{
	long until_ms = (long)tap_clock_ms() + timeout_ms, left_ms;
	struct pollfd waiting = { .fd = fd, .events = POLLIN };

	while ((left_ms = until_ms - (long)tap_clock_ms()) > 0) {
		if (poll(&waiting, 1, (int)left_ms) >= 0 || errno != EINTR)
			return;
	}
}

int tap_child_wait(pid_t pid, unsigned timeout_ms, int *ret_status)
{
	int fd, err;

	if (pid <= 0)
		return -ECHILD;
	err = reap(pid, ret_status);
	if (err != -ETIMEDOUT || timeout_ms == 0)
		return err;
	fd = pidfd_open(pid, 0);
	if (fd < 0)
		return -errno;
	poll_for_end(fd, timeout_ms);
	close(fd);
	return reap(pid, ret_status);
}

int tap_child_end(pid_t pid, const struct tap_child_step *steps, size_t count, int *ret_status)
{
	int err = tap_child_wait(pid, 0, ret_status);

	/* Not reaped yet, so the number cannot have gone to another process. */
	for (size_t i = 0; err == -ETIMEDOUT && i < count; i++) {
		kill(pid, steps[i].signal);
		err = tap_child_wait(pid, steps[i].wait_ms, ret_status);
	}
	return err;
}
