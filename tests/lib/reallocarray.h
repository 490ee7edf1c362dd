/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reallocarray.h - the C library's reallocarray calls its own realloc, which alloc_fail.h cannot make fail. A test that
 * includes this (in one file) brings another, whose memory comes from the realloc that can.
 */
#ifndef TAP_TESTS_LIB_REALLOCARRAY_H
#define TAP_TESTS_LIB_REALLOCARRAY_H

#include <errno.h>
#include <stdlib.h>

void *reallocarray(void *old, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, total);
}

#endif
