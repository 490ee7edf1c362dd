// SPDX-License-Identifier: BSD-2-Clause
/*
 * memory.c - process_vm_readv in batches.
 *
 * Called by target, pg_layout_check and pg_memory, which know what is where.
 */
#include "userspace/attach/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

enum {
	BATCH = 256,	     /* at most UIO_MAXIOV, and small enough for the stack */
	STRING_CHUNK = 4096, /* the smallest page: a chunk that ends where a page does cannot fail for the next page */
};

/* One system call over reads[0 .. count); *ret_done of them are settled, at least one. */
static int read_batch(int32_t pid, struct tap_memory_read *reads, size_t count, size_t *ret_done)
{
	struct iovec local[BATCH] = { 0 };
	struct iovec remote[BATCH] = { 0 };
	size_t left;
	ssize_t n;

	for (size_t i = 0; i < count; i++) {
		local[i] = (struct iovec){ .iov_base = reads[i].to, .iov_len = reads[i].size };
		remote[i] = (struct iovec){ .iov_base = (void *)(uintptr_t)reads[i].address, .iov_len = reads[i].size };
		reads[i].ok = false;
	}
	n = process_vm_readv(pid, local, count, remote, count, 0);
	if (n < 0 && errno != EFAULT)
		return -errno;
	/* The kernel stops at the first range it cannot read: that one failed, those before it are whole. */
	left = n < 0 ? 0 : (size_t)n;
	for (size_t i = 0; i < count; i++) {
		if (left < reads[i].size) {
			*ret_done = i + 1;
			return 0;
		}
		left -= reads[i].size;
		reads[i].ok = true;
	}
	*ret_done = count;
	return 0;
}

int tap_memory_read_many(int32_t pid, struct tap_memory_read *reads, size_t count)
{
	for (size_t at = 0; at < count;) {
		size_t batch = count - at < BATCH ? count - at : BATCH;
		size_t done;
		int err = read_batch(pid, reads + at, batch, &done);

		if (err)
			return err;
		at += done;
	}
	return 0;
}

int tap_memory_read(int32_t pid, uint64_t address, void *to, size_t size)
{
	struct tap_memory_read read = { .address = address, .to = to, .size = size };
	int err = tap_memory_read_many(pid, &read, 1);

	if (err)
		return err;
	return read.ok ? 0 : -EFAULT;
}

int tap_memory_read_string(int32_t pid, uint64_t address, char *ret, size_t size)
{
	for (size_t length = 0; length < size;) {
		size_t room = STRING_CHUNK - (address + length) % STRING_CHUNK;
		size_t part = room < size - length ? room : size - length;
		int err = tap_memory_read(pid, address + length, ret + length, part);

		if (err)
			return err;
		if (memchr(ret + length, '\0', part))
			return 0;
		length += part;
	}
	return -ENAMETOOLONG;
}
