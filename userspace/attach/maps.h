/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.h - the memory mappings of a process, from /proc/PID/maps.
 */
#ifndef TAP_USERSPACE_ATTACH_MAPS_H
#define TAP_USERSPACE_ATTACH_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap_map {
	uint64_t start;
	uint64_t end; /* first byte past it */
	uint64_t offset;
	bool readable;
	bool writable;
	bool shared;
	const char *path; /* as the kernel writes it, " (deleted)" mark included; "" for anonymous memory */
};

struct tap_maps {
	struct tap_map *items; /* by address */
	size_t count;
	char *text;
};

/* -ESRCH: no such process; -EACCES: not ours to look at; -EFBIG: more than any server has. */
int tap_maps_read(const char *root, int32_t pid, struct tap_maps *ret);
void tap_maps_done(struct tap_maps *maps);

/* The mapping that holds all of [address, address + size); NULL when none does. */
const struct tap_map *tap_maps_at(const struct tap_maps *maps, uint64_t address, uint64_t size);

/* The lowest mapping of that file; NULL when it is not mapped. */
const struct tap_map *tap_maps_of_file(const struct tap_maps *maps, const char *path);

#endif
