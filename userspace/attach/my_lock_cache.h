/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_lock_cache.h - another process's memory, a page at a time and each page once: for walks along many small objects
 * that lie close together.
 *
 * What it gives is a picture of when each page was first asked for. One reading has one cache.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_LOCK_CACHE_H
#define TAP_USERSPACE_ATTACH_MY_LOCK_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "userspace/attach/memory.h"
#include "userspace/base/hash.h"

enum {
	TAP_MY_CACHE_PAGE = 4096,
	TAP_MY_CACHE_PAGES = 4096, /* at once; then it begins anew */
};

/* As tap_memory_read_many. */
typedef int (*tap_my_read)(void *context, struct tap_memory_read *reads, size_t count);

struct tap_my_cache_page {
	uint64_t address; /* first, for the index */
	unsigned char bytes[TAP_MY_CACHE_PAGE];
};

struct tap_my_cache {
	tap_my_read read;
	void *context;
	struct tap_my_cache_page *pages;
	size_t count;
	size_t capacity;
	struct tap_hash index;
};

void tap_my_cache_init(struct tap_my_cache *cache, tap_my_read read, void *context);
void tap_my_cache_done(struct tap_my_cache *cache);

/* 0; -EFAULT: not all of it is there; -ESRCH, -EPERM, -ENOMEM. */
int tap_my_cache_get(struct tap_my_cache *cache, uint64_t address, void *to, size_t size);

#endif
