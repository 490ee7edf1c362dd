/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * number.h - numbers as people read them, and option values as people type them.
 *
 * Called by the text renderer, the footers and the option parser. Nothing here depends on the locale. JSON and CSV
 * print plain numbers and do not come here.
 */
#ifndef TAP_USERSPACE_BASE_NUMBER_H
#define TAP_USERSPACE_BASE_NUMBER_H

#include <stdint.h>

#define TAP_NUMBER_MAX 32

/* Each writes into `text` and returns it. ASCII, NUL-terminated, always fits, at most 3 digits of precision. */

/* "450 ns", "12.3 ms", "1.50 s", "2m05s", "3h07m", "12d04h", "0"; negative with a minus sign. */
char *tap_number_ns(char text[TAP_NUMBER_MAX], int64_t ns);
/* "512 B", "8.00 KiB", "1.25 GiB", "0"; binary multiples. */
char *tap_number_bytes(char text[TAP_NUMBER_MAX], int64_t bytes);
/* Exact below 100,000, then "123 k", "4.56 M", "7.89 G". */
char *tap_number_count(char text[TAP_NUMBER_MAX], int64_t count);
/* All digits in groups of three: "1,234,567". */
char *tap_number_grouped(char text[TAP_NUMBER_MAX], int64_t count);
/* Without a percent sign, `decimals` 0 to 3: "99.97"; "-" for what is not finite. Clamped to nine digits. */
char *tap_number_percent(char text[TAP_NUMBER_MAX], double percent, int decimals);

/*
 * A whole decimal number with an optional sign and nothing around it, from `min` to `max`.
 * -EINVAL: no such number; -ERANGE: outside the bounds.
 */
int tap_number_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret);
/* The same for a number that may have a fraction ("10", "0.25", ".5"); no exponent, no "inf", no "nan". */
int tap_number_parse_decimal(const char *text, double min, double max, double *ret);

#endif
