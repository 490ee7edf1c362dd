/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * child.h - child processes that cannot outlive dbtap by accident.
 *
 * Owns what every child of the bench has in common: it is told when its parent dies, keeps none of the parent's
 * descriptors (a copied BPF link would stay attached after the parent closed its own), has default signal handling, and
 * is waited for with a deadline. What the child does is its caller's: generator.c, pingpong.c, throwaway.c.
 */
#ifndef TAP_USERSPACE_BENCH_CHILD_H
#define TAP_USERSPACE_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tap_child_options {
	/*
	 * Sent by the kernel when the thread that started the child ends (so: start children from a thread that lives
	 * as long as they should); 0 for a child that may outlive its parent.
	 */
	int death_signal;
	int keep_fd;	  /* becomes descriptor 3 in the child; -1 for none. 0, 1 and 2 are /dev/null. */
	bool own_session; /* no signal from the terminal or to the parent's group reaches it */
	bool change_user; /* to `uid` and `gid`, without supplementary groups */
	uid_t uid;
	gid_t gid;
	const char *name; /* of the process, at most 15 bytes; NULL keeps the parent's */
};

#define TAP_CHILD_KEPT_FD 3
/* Exit status of a child that could not be set up. */
#define TAP_CHILD_FAILED 126

/* Runs `body(context)` in a child, which exits with what it returns (no atexit handlers). Negative errno of fork. */
int tap_child_start(const struct tap_child_options *options, int (*body)(void *context), void *context, pid_t *ret_pid);

/*
 * Waits for the child's end and reaps it. -ETIMEDOUT; -ECHILD when it is not ours (any more). `ret_status` is what
 * waitpid gives and may be NULL.
 */
int tap_child_wait(pid_t pid, unsigned timeout_ms, int *ret_status);

/* One step in ending a child: a signal and how long to wait for its effect. */
struct tap_child_step {
	int signal;
	unsigned wait_ms;
};

/* Takes the steps until the child has ended and is reaped; -ETIMEDOUT when it outlived all of them. */
int tap_child_end(pid_t pid, const struct tap_child_step *steps, size_t count, int *ret_status);

#endif
