// SPDX-License-Identifier: BSD-2-Clause
/* alloc_fail.c - the wrappers behind alloc_fail.h; the linker's --wrap sends the project's calls here. */
#include "tests/lib/alloc_fail.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

/* Allocations until the one that fails; at and below 0 none does. Some tests have threads. */
static atomic_long remaining;
static atomic_bool reached;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

void tap_alloc_fail_at(long n)
{
	atomic_store(&reached, false);
	atomic_store(&remaining, n);
}

bool tap_alloc_failed(void)
{
	return atomic_load(&reached);
}

static bool fails(void)
{
	if (atomic_load(&remaining) <= 0 || atomic_fetch_sub(&remaining, 1) != 1)
		return false;
	atomic_store(&reached, true);
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
	return fails() ? NULL : __real_strndup(text, size);
}
