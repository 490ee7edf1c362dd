/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash.h - an index from fixed-size keys to places in the caller's array.
 *
 * The caller owns an array of items that each begin with a key of `key_size` bytes; the index stores places only. Items
 * are never removed, only all forgotten.
 */
#ifndef TAP_USERSPACE_BASE_HASH_H
#define TAP_USERSPACE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define TAP_HASH_NONE SIZE_MAX

struct tap_hash {
	uint32_t *slots; /* place + 1; 0: free */
	size_t n_slots;	 /* a power of two, or 0 */
	size_t count;
	size_t key_size;
};

void tap_hash_init(struct tap_hash *hash, size_t key_size);
void tap_hash_done(struct tap_hash *hash);

/* 64-bit hash of bytes; for tables only, not stable across releases. */
uint64_t tap_hash_bytes(const void *bytes, size_t size);

/* Place of `key` among `items` (spaced `item_size` bytes), or TAP_HASH_NONE. */
size_t tap_hash_find(const struct tap_hash *hash, const void *items, size_t item_size, const void *key);

/*
 * Enters items[place], whose key must not be there yet and must already be in the array. 0, or -ENOMEM with nothing
 * changed.
 */
int tap_hash_add(struct tap_hash *hash, const void *items, size_t item_size, size_t place);

#endif
