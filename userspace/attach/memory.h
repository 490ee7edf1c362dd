/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.h - reads another process's memory, never writes it.
 *
 * Addresses come from that memory and are hostile; a read of what is not mapped fails for that read alone.
 */
#ifndef TAP_USERSPACE_ATTACH_MEMORY_H
#define TAP_USERSPACE_ATTACH_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap_memory_read {
	uint64_t address;
	void *to;
	size_t size;
	bool ok; /* out: all of it was read */
};

/*
 * All reads in their order, several a system call. 0 also when some failed; -ESRCH: the process is gone (or a zombie);
 * -EPERM: not ours to read.
 */
int tap_memory_read_many(int32_t pid, struct tap_memory_read *reads, size_t count);

/* One read; -EFAULT when not all of it is there. */
int tap_memory_read(int32_t pid, uint64_t address, void *to, size_t size);

/* A NUL-terminated string of less than `size` bytes; -ENAMETOOLONG when it goes on. `ret` holds nothing of use on
 * failure. */
int tap_memory_read_string(int32_t pid, uint64_t address, char *ret, size_t size);

#endif
