/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.h - what processes, their control groups and the host hold in memory at one moment, as the kernel tells it.
 *
 * userspace/consume/memory_files reads it; correlate/model/memory makes lists of it. Plain values, all in bytes.
 */
#ifndef TAP_CORRELATE_MEMORY_H
#define TAP_CORRELATE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/account.h"

#define TAP_MEMORY_NONE INT64_MIN /* a figure that could not be had */

struct tap_process_memory {
	int32_t pid; /* as this host sees it */
	uint32_t instance;
	int64_t anon;	/* resident, its own */
	int64_t file;	/* ... of mapped files */
	int64_t shared; /* ... of memory it shares: buffers it has touched */
	int64_t swap;
	int64_t page_tables;
};

/* A control group that bounds the memory of a followed instance. */
struct tap_memory_group {
	char *path;
	uint32_t instance; /* the first one found in it */
	int64_t current;
	int64_t most;  /* since it was made */
	int64_t limit; /* NONE: without one */
	int64_t oom_kills;
};

struct tap_host_memory {
	int64_t total;
	int64_t available;
	int64_t swap_total;
	int64_t swap_free;
	int64_t some_stall_ns; /* since boot: some tasks, all tasks waited for memory */
	int64_t full_stall_ns;
};

struct tap_memory_set {
	bool read; /* else nothing below was asked for */
	struct tap_process_memory *processes;
	size_t n_processes;
	struct tap_memory_group *groups;
	size_t n_groups;
	struct tap_host_memory host;
};

enum {
	TAP_KILLS_MAX = 64, /* kept of one window; what a host that kills more needs is no list */
};

/* A process that the kernel killed for want of memory. */
struct tap_memory_kill {
	struct tap_row_key row; /* what it worked for */
	int32_t pid;		/* as this host sees it */
	int64_t realtime_ns;	/* when it was chosen, since the epoch */
	int64_t anon;
};

struct tap_memory_kills {
	struct tap_memory_kill items[TAP_KILLS_MAX];
	size_t count;
};

void tap_memory_set_init(struct tap_memory_set *set);
void tap_memory_set_done(struct tap_memory_set *set);

/* Copied; `path` too. 0 or -ENOMEM. */
int tap_memory_set_add_process(struct tap_memory_set *set, const struct tap_process_memory *process);
int tap_memory_set_add_group(struct tap_memory_set *set, const struct tap_memory_group *group);

/* NULL: it is not there. */
const struct tap_process_memory *tap_memory_set_find_process(const struct tap_memory_set *set, int32_t pid);
const struct tap_memory_group *tap_memory_set_find_group(const struct tap_memory_set *set, const char *path);

#endif
