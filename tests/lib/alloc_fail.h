/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc_fail.h - makes one allocation of a unit test fail, so that out-of-memory paths are tested.
 *
 * Works on malloc, calloc, realloc, reallocarray, strdup and strndup called from the project's code (the linker wraps
 * them, see the Makefile), not on what libraries allocate for themselves. A typical test runs the same work with
 * n = 1, 2, 3, ... until it succeeds:
 *
 *	for (long n = 1;; n++) {
 *		tap_alloc_fail_at(n);
 *		err = work();
 *		if (!tap_alloc_failed())
 *			break;
 *		ck_assert_int_eq(err, -ENOMEM);
 *	}
 *	tap_alloc_fail_at(0);
 *
 * Check is linked in, and its assertions allocate: none belongs within what counts allocations, so not in a stand-in.
 */
#ifndef TAP_TESTS_LIB_ALLOC_FAIL_H
#define TAP_TESTS_LIB_ALLOC_FAIL_H

#include <stdbool.h>

/* The n-th allocation from now on returns NULL (1: the next one), those after it work again. 0: none fails. */
void tap_alloc_fail_at(long n);

/* Whether the allocation asked for by the last tap_alloc_fail_at has been reached. */
bool tap_alloc_failed(void);

#endif
