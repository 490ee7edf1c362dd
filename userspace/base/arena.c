// SPDX-License-Identifier: BSD-2-Clause
/* arena.c - blocks of doubling size, oldest freed last. */
#include "userspace/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_BLOCK = 4096,
};

struct tap_arena_block {
	struct tap_arena_block *next;
	size_t size;
	size_t used;
	alignas(max_align_t) char data[];
};

void tap_arena_init(struct tap_arena *arena)
{
	*arena = (struct tap_arena){ 0 };
}

void tap_arena_done(struct tap_arena *arena)
{
	while (arena->blocks) {
		struct tap_arena_block *block = arena->blocks;

		arena->blocks = block->next;
		free(block);
	}
	arena->failed = false;
}

static struct tap_arena_block *block_add(struct tap_arena *arena, size_t need)
{
	size_t size = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
	struct tap_arena_block *block;

	if (size < need)
		size = need;
	block = calloc(1, sizeof(*block) + size);
	if (!block)
		return NULL;
	block->size = size;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *tap_arena_new(struct tap_arena *arena, size_t count, size_t size)
{
	struct tap_arena_block *block = arena->blocks;
	size_t need;
	void *place;

	if (__builtin_mul_overflow(count, size, &need) || need > SIZE_MAX / 4) {
		arena->failed = true;
		return NULL;
	}
	need = (need + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!block || block->size - block->used < need)
		block = block_add(arena, need);
	if (!block) {
		arena->failed = true;
		return NULL;
	}
	place = block->data + block->used;
	block->used += need;
	return place;
}

const char *tap_arena_string(struct tap_arena *arena, const char *text)
{
	size_t size;
	char *copy;

	if (!text)
		return NULL;
	size = strlen(text) + 1;
	copy = tap_arena_new(arena, size, 1);
	return copy ? memcpy(copy, text, size) : NULL;
}
