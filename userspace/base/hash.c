// SPDX-License-Identifier: BSD-2-Clause
/* hash.c - open addressing with linear probing, at most half full. */
#include "userspace/base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tap_hash_init(struct tap_hash *hash, size_t key_size)
{
	*hash = (struct tap_hash){ .key_size = key_size };
}

void tap_hash_done(struct tap_hash *hash)
{
	if (!hash)
		return;
	free(hash->slots);
	tap_hash_init(hash, hash->key_size);
}

uint64_t tap_hash_bytes(const void *bytes, size_t size)
{
	const unsigned char *at = bytes;
	uint64_t hash = 0x9e3779b97f4a7c15ull ^ size;
	uint64_t word;

	while (size) {
		size_t part = size < sizeof(word) ? size : sizeof(word);

		word = 0;
		memcpy(&word, at, part);
		hash = (hash ^ word) * 0xff51afd7ed558ccdull;
		hash ^= hash >> 32;
		at += part;
		size -= part;
	}
	hash *= 0xc4ceb9fe1a85ec53ull;
	return hash ^ hash >> 29;
}

static const void *item_at(const void *items, size_t item_size, size_t place)
{
	return (const char *)items + place * item_size;
}

size_t tap_hash_find(const struct tap_hash *hash, const void *items, size_t item_size, const void *key)
{
	size_t mask = hash->n_slots - 1;

	if (!hash->n_slots)
		return TAP_HASH_NONE;
	for (size_t slot = tap_hash_bytes(key, hash->key_size) & mask; hash->slots[slot]; slot = (slot + 1) & mask) {
		size_t place = hash->slots[slot] - 1;

		if (!memcmp(item_at(items, item_size, place), key, hash->key_size))
			return place;
	}
	return TAP_HASH_NONE;
}

static void slot_fill(uint32_t *slots, size_t n_slots, uint64_t hash, uint32_t entry)
{
	size_t mask = n_slots - 1, slot = hash & mask;

	while (slots[slot])
		slot = (slot + 1) & mask;
	slots[slot] = entry;
}

static int grow(struct tap_hash *hash, const void *items, size_t item_size)
{
	size_t n_slots = hash->n_slots ? hash->n_slots * 2 : 64;
	uint32_t *slots = calloc(n_slots, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < hash->n_slots; i++) {
		if (!hash->slots[i])
			continue;
		slot_fill(slots, n_slots, tap_hash_bytes(item_at(items, item_size, hash->slots[i] - 1), hash->key_size),
			  hash->slots[i]);
	}
	free(hash->slots);
	hash->slots = slots;
	hash->n_slots = n_slots;
	return 0;
}

int tap_hash_add(struct tap_hash *hash, const void *items, size_t item_size, size_t place)
{
	if (place >= UINT32_MAX)
		return -ENOMEM;
	if ((hash->count + 1) * 2 > hash->n_slots && grow(hash, items, item_size))
		return -ENOMEM;
	slot_fill(hash->slots, hash->n_slots, tap_hash_bytes(item_at(items, item_size, place), hash->key_size),
		  (uint32_t)place + 1);
	hash->count++;
	return 0;
}
