// SPDX-License-Identifier: BSD-2-Clause
/* my_lock_cache.c - pages read once. */
#include "userspace/attach/my_lock_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tap_my_cache_init(struct tap_my_cache *cache, tap_my_read read, void *context)
{
	*cache = (struct tap_my_cache){ .read = read, .context = context };
	tap_hash_init(&cache->index, sizeof(cache->pages->address));
}

void tap_my_cache_done(struct tap_my_cache *cache)
{
	free(cache->pages);
	tap_hash_done(&cache->index);
}

static int page_room(struct tap_my_cache *cache)
{
	size_t wanted = cache->capacity ? cache->capacity * 2 : 16;
	struct tap_my_cache_page *pages;

	if (cache->count == TAP_MY_CACHE_PAGES) {
		tap_hash_done(&cache->index);
		tap_hash_init(&cache->index, sizeof(cache->pages->address));
		cache->count = 0;
	}
	if (cache->count < cache->capacity)
		return 0;
	pages = reallocarray(cache->pages, wanted, sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	cache->pages = pages;
	cache->capacity = wanted;
	return 0;
}

static int page_find(struct tap_my_cache *cache, uint64_t address, const struct tap_my_cache_page **ret)
{
	struct tap_memory_read read = { .address = address, .size = TAP_MY_CACHE_PAGE };
	size_t place = tap_hash_find(&cache->index, cache->pages, sizeof(*cache->pages), &address);
	int err;

	if (place != TAP_HASH_NONE) {
		*ret = &cache->pages[place];
		return 0;
	}
	err = page_room(cache);
	if (err)
		return err;
	cache->pages[cache->count].address = address;
	read.to = cache->pages[cache->count].bytes;
	err = cache->read(cache->context, &read, 1);
	if (!err && !read.ok)
		err = -EFAULT;
	if (!err && tap_hash_add(&cache->index, cache->pages, sizeof(*cache->pages), cache->count))
		err = -ENOMEM;
	if (err)
		return err;
	*ret = &cache->pages[cache->count++];
	return 0;
}

int tap_my_cache_get(struct tap_my_cache *cache, uint64_t address, void *to, size_t size)
{
	unsigned char *at = to;

	if (address + size < address)
		return -EFAULT;
	while (size) {
		const struct tap_my_cache_page *page;
		size_t offset = address % TAP_MY_CACHE_PAGE, part = TAP_MY_CACHE_PAGE - offset;
		int err = page_find(cache, address - offset, &page);

		if (err)
			return err;
		if (part > size)
			part = size;
		memcpy(at, page->bytes + offset, part);
		at += part;
		address += part;
		size -= part;
	}
	return 0;
}
