/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * strbuf.h - a growing byte string.
 *
 * Invariants: `data` is always NUL-terminated at data[size] and never NULL, also before the first append (it then
 * points to a shared empty string); `size` does not count the NUL. A failed allocation sets `failed`, later appends do
 * nothing, and the owner checks it once at the end: what was appended before stays.
 */
#ifndef TAP_USERSPACE_BASE_STRBUF_H
#define TAP_USERSPACE_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

struct tap_strbuf {
	char *data;
	size_t size;
	size_t capacity; /* bytes allocated, 0 while `data` is the shared empty string */
	bool failed;	 /* out of memory at some append */
};

void tap_strbuf_init(struct tap_strbuf *buf);
/* Frees the contents; `buf` is empty and usable again. NULL is fine. */
void tap_strbuf_done(struct tap_strbuf *buf);
/* Forgets the contents and keeps the memory. */
void tap_strbuf_clear(struct tap_strbuf *buf);

void tap_strbuf_add(struct tap_strbuf *buf, const void *bytes, size_t size);
void tap_strbuf_add_char(struct tap_strbuf *buf, char byte);
void tap_strbuf_add_string(struct tap_strbuf *buf, const char *text);
void tap_strbuf_add_repeated(struct tap_strbuf *buf, char byte, size_t times);
void tap_strbuf_printf(struct tap_strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Hands the string (malloc'd, NUL-terminated) to the caller and leaves `buf` empty; NULL when an append had failed. */
char *tap_strbuf_take(struct tap_strbuf *buf);

#endif
