/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_thread.h - the threads of a process, each with the number it has in its own namespace, which its server knows.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_THREAD_H
#define TAP_USERSPACE_ATTACH_MY_THREAD_H

#include <stddef.h>
#include <stdint.h>

struct tap_my_thread {
	int32_t tid; /* as this host sees it */
	int32_t ns_tid;
};

struct tap_my_threads {
	struct tap_my_thread *items;
	size_t count;
};

/* -ESRCH: no such process; -EACCES: not ours to look at. Threads that end meanwhile are left out. */
int tap_my_threads_read(const char *root, int32_t pid, struct tap_my_threads *ret);
void tap_my_threads_done(struct tap_my_threads *threads);

/* The thread's number here; 0: there is no such thread. */
int32_t tap_my_threads_find(const struct tap_my_threads *threads, int32_t ns_tid);

#endif
