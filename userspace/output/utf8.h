/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * utf8.h - strict decoding of UTF-8 and what a code point does on a terminal.
 *
 * Called by escape, json_writer and csv_writer. Independent of the locale, so that output is the same on every host.
 */
#ifndef TAP_USERSPACE_OUTPUT_UTF8_H
#define TAP_USERSPACE_OUTPUT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAP_UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/*
 * The code point at the start of `bytes`; returns its length, 1 to 4, or 0 when the bytes are not UTF-8: truncated,
 * overlong, a surrogate, above U+10FFFF, or size is 0. Then `ret` is untouched.
 */
size_t tap_utf8_decode(const char *bytes, size_t size, uint32_t *ret);

/*
 * Display columns of a code point: 1, 2 (East Asian wide and emoji), 0 (a mark drawn onto the one before), or -1:
 * must not reach a terminal. That is: control characters of both sets, line and paragraph separators, bidirectional and
 * other invisible format characters, variation selectors (terminals disagree on their width) and noncharacters.
 */
int tap_utf8_columns(uint32_t code);

/* White space in the sense of "one space would do": ASCII, U+0085, the space separators, U+2028 and U+2029. */
bool tap_utf8_is_space(uint32_t code);

#endif
