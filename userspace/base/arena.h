/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.h - memory that is given up all at once. A view's rows and strings live in one.
 */
#ifndef TAP_USERSPACE_BASE_ARENA_H
#define TAP_USERSPACE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct tap_arena_block;

struct tap_arena {
	struct tap_arena_block *blocks;
	bool failed; /* out of memory at some call: checked once at the end */
};

void tap_arena_init(struct tap_arena *arena);
void tap_arena_done(struct tap_arena *arena);

/* Zeroed and aligned for any type; NULL (and `failed`) when out of memory or count * size overflows. */
void *tap_arena_new(struct tap_arena *arena, size_t count, size_t size);
/* A copy; NULL for NULL. */
const char *tap_arena_string(struct tap_arena *arena, const char *text);

#endif
