// SPDX-License-Identifier: BSD-2-Clause
/* my_thread.c - /proc/PID/task. See my_thread.h. */
#include "userspace/attach/my_thread.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "userspace/attach/proc.h"

enum {
	THREADS_MAX = 200000,
};

static int thread_add(struct tap_my_threads *threads, int32_t tid, int32_t ns_tid)
{
	struct tap_my_thread *items;

	/* Room doubles at each power of two. */
	if (!(threads->count & (threads->count + 1)) || !threads->count) {
		items = reallocarray(threads->items, 2 * threads->count + 2, sizeof(*items));
		if (!items)
			return -ENOMEM;
		threads->items = items;
	}
	threads->items[threads->count++] = (struct tap_my_thread){ tid, ns_tid };
	return 0;
}

static int entry_add(const char *root, const struct dirent *entry, bool namespaced, struct tap_my_threads *threads)
{
	long tid = strtol(entry->d_name, NULL, 10);
	int32_t ns_tid = (int32_t)tid;

	if (tid <= 0 || tid > INT32_MAX)
		return 0;
	if (threads->count == THREADS_MAX)
		return -EFBIG;
	if (namespaced && tap_proc_ns_pid(root, (int32_t)tid, &ns_tid))
		return 0; /* it has ended */
	return thread_add(threads, (int32_t)tid, ns_tid);
}

int tap_my_threads_read(const char *root, int32_t pid, struct tap_my_threads *ret)
{
	struct tap_my_threads threads = { 0 };
	struct dirent *entry;
	int32_t ns_pid;
	char path[64];
	DIR *folder;
	int err = tap_proc_ns_pid(root, pid, &ns_pid);

	if (err)
		return err;
	if (snprintf(path, sizeof(path), "%s/%d/task", root, pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && (entry = readdir(folder)))
		err = entry_add(root, entry, ns_pid != pid, &threads);
	closedir(folder);
	if (err) {
		tap_my_threads_done(&threads);
		return err;
	}
	*ret = threads;
	return 0;
}

void tap_my_threads_done(struct tap_my_threads *threads)
{
	if (!threads)
		return;
	free(threads->items);
	*threads = (struct tap_my_threads){ 0 };
}

int32_t tap_my_threads_find(const struct tap_my_threads *threads, int32_t ns_tid)
{
	for (size_t i = 0; i < threads->count; i++) {
		if (threads->items[i].ns_tid == ns_tid)
			return threads->items[i].tid;
	}
	return 0;
}
