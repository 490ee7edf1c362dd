/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout_cache.h - layouts that were found out, kept by the build they are of; whatever the engine.
 *
 * A file a build below the user's cache folder ($XDG_CACHE_HOME, else /var/cache for root and ~/.cache for others),
 * 0600. What is read from there is bounded, but not believed: each engine compares it with memory like any other
 * layout.
 */
#ifndef TAP_USERSPACE_ATTACH_LAYOUT_CACHE_H
#define TAP_USERSPACE_ATTACH_LAYOUT_CACHE_H

#include <stddef.h>
#include <stdint.h>

/* A number of a row, or a table of them. */
struct tap_layout_number {
	const char *name; /* up to 100 characters */
	size_t offset;	  /* in the row */
	uint8_t size;	  /* 1, 2 or 4 bytes; signed where `min` is negative */
	uint16_t repeat;  /* how many there are of a table; 0: it is none */
	int32_t min;
	int64_t max;
};

struct tap_layout_form {
	const char *first_line; /* with the newline: tells the engine and what belongs into the file */
	const struct tap_layout_number *numbers;
	size_t count;
};

/*
 * `build_id` in hex. The row's numbers become what the file says; when it fails, some of them. -ENOENT: there is none,
 * or the build has no id; -EPERM: somebody else could have written it; -EBADMSG: it is none of that form.
 */
int tap_layout_cache_read(const struct tap_layout_form *form, const char *build_id, void *row);

/* Failing costs nothing but finding out again; negative errno. */
int tap_layout_cache_write(const struct tap_layout_form *form, const char *build_id, const void *row);

#endif
