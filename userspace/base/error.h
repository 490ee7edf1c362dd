/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * error.h - the one line a command prints when something failed.
 *
 * Library code never prints: a function that can fail returns 0 or a negative errno and, where the caller passed a
 * struct tap_error, leaves there one line that says what, why and what to do. Commands print it.
 */
#ifndef TAP_USERSPACE_BASE_ERROR_H
#define TAP_USERSPACE_BASE_ERROR_H

#define TAP_ERROR_MAX 512

struct tap_error {
	char text[TAP_ERROR_MAX]; /* one line, no newline, never NULL; "" when nothing failed */
};

/*
 * Write a message and hand back `code`, so that a failure is one statement: return tap_error_set(err, -ENOENT, ...).
 * `err` may be NULL. Control characters in the result are replaced by '?'; an overlong text is cut.
 */
int tap_error_set(struct tap_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
