// SPDX-License-Identifier: BSD-2-Clause
/* strbuf.c - the growing byte string of strbuf.h. */
#include "userspace/base/strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char empty_string[1];

void tap_strbuf_init(struct tap_strbuf *buf)
{
	*buf = (struct tap_strbuf){ .data = empty_string };
}

void tap_strbuf_done(struct tap_strbuf *buf)
{
	if (!buf)
		return;
	if (buf->capacity)
		free(buf->data);
	tap_strbuf_init(buf);
}

void tap_strbuf_clear(struct tap_strbuf *buf)
{
	buf->size = 0;
	buf->failed = false;
	if (buf->capacity)
		buf->data[0] = '\0';
}

/* Make room for `more` bytes and the NUL. */
static bool reserve(struct tap_strbuf *buf, size_t more)
{
	size_t need, capacity;
	char *data;

	if (buf->failed)
		return false;
	if (__builtin_add_overflow(buf->size, more, &need) || __builtin_add_overflow(need, 1, &need)) {
		buf->failed = true;
		return false;
	}
	if (need <= buf->capacity)
		return true;
	capacity = buf->capacity ? buf->capacity : 64;
	while (capacity < need)
		capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
	data = realloc(buf->capacity ? buf->data : NULL, capacity);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->capacity = capacity;
	return true;
}

void tap_strbuf_add(struct tap_strbuf *buf, const void *bytes, size_t size)
{
	if (!reserve(buf, size))
		return;
	if (size)
		memcpy(buf->data + buf->size, bytes, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
}

void tap_strbuf_add_char(struct tap_strbuf *buf, char byte)
{
	tap_strbuf_add(buf, &byte, 1);
}

void tap_strbuf_add_string(struct tap_strbuf *buf, const char *text)
{
	tap_strbuf_add(buf, text, strlen(text));
}

void tap_strbuf_add_repeated(struct tap_strbuf *buf, char byte, size_t times)
{
	if (!reserve(buf, times))
		return;
	memset(buf->data + buf->size, byte, times);
	buf->size += times;
	buf->data[buf->size] = '\0';
}

void tap_strbuf_printf(struct tap_strbuf *buf, const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0 || !reserve(buf, (size_t)size)) {
		buf->failed = true;
		return;
	}
	va_start(args, format);
	vsnprintf(buf->data + buf->size, (size_t)size + 1, format, args);
	va_end(args);
	buf->size += (size_t)size;
}

char *tap_strbuf_take(struct tap_strbuf *buf)
{
	char *data;

	if (buf->failed || !reserve(buf, 0)) {
		tap_strbuf_done(buf);
		return NULL;
	}
	data = buf->data;
	data[buf->size] = '\0';
	tap_strbuf_init(buf);
	return data;
}
