/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * error_set.h - tells clang's analyzer that tap_error_set hands back its code: it looks into one source at a time and
 * would take every failure path for a success. check_tidy.py includes it first, in every source but the function's own.
 */
#ifndef TAP_TESTS_LIB_TIDY_ERROR_SET_H
#define TAP_TESTS_LIB_TIDY_ERROR_SET_H

#include "userspace/base/error.h"

#define tap_error_set(err, code, ...) ((void)(err), (void)(__VA_ARGS__), (code))

#endif
