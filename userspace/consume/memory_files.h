/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_files.h - memory of processes, control groups and the host, from the kernel's files.
 */
#ifndef TAP_USERSPACE_CONSUME_MEMORY_FILES_H
#define TAP_USERSPACE_CONSUME_MEMORY_FILES_H

#include "correlate/snapshot.h"

/* Where the kernel's files are: "/proc" and "/sys/fs/cgroup" but for tests. */
struct tap_memory_roots {
	const char *proc;
	const char *cgroup;
};

/*
 * Of each process that has a thread in the snapshot, each control group one of them is in, and the host, into
 * snapshot->memory. What cannot be read, or is gone, is left out or TAP_MEMORY_NONE. 0 or -ENOMEM.
 */
int tap_memory_files_read(const struct tap_memory_roots *roots, struct tap_snapshot *snapshot);

#endif
