/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decimal.h - a finite double as JSON and CSV write it.
 *
 * Shared by json_writer and csv_writer, so that both show the same digits. What people read is formatted in
 * userspace/base/number.
 */
#ifndef TAP_USERSPACE_OUTPUT_DECIMAL_H
#define TAP_USERSPACE_OUTPUT_DECIMAL_H

#define TAP_DECIMAL_MAX 40

/* At most 10 significant digits, a point whatever the locale, no "-0". `value` is finite. Returns `text`. */
char *tap_decimal_format(char text[TAP_DECIMAL_MAX], double value);

#endif
