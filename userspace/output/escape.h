/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * escape.h - hostile text made safe for one line of a terminal.
 *
 * Called by the table and the text renderer on every string that is not a literal of this program. JSON and CSV have
 * their own escapes in json_writer and csv_writer.
 *
 * White space of any kind and length becomes one space, none at both ends. What must not reach a terminal (escape and
 * control characters of both sets, bidirectional and invisible format characters, variation selectors, bytes that are
 * not UTF-8) is spelled out: \x1b for bytes below 0x100, \u202e and \U000e0001 above. Marks without a base, and beyond
 * the fourth on one base, too. A backslash of the text itself stays as it is: the result is for reading, not for
 * parsing back, and escaping it twice changes nothing.
 */
#ifndef TAP_USERSPACE_OUTPUT_ESCAPE_H
#define TAP_USERSPACE_OUTPUT_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

#include "userspace/base/strbuf.h"

#define TAP_ELLIPSIS "\xe2\x80\xa6" /* U+2026, one column */

/*
 * Append `text`, at most `columns` display columns wide (0: no bound). What is cut ends in an ellipsis, also when that
 * is all there is room for. Reads no further than it has to. Returns the columns used.
 */
size_t tap_escape_text(struct tap_strbuf *out, const char *text, size_t columns);

/* Append the spelling of one code point: \x.., \u.... or \U......... */
void tap_escape_code(struct tap_strbuf *out, uint32_t code);

/*
 * Append already rendered `text` for a terminal whose character set is not UTF-8 (there the bytes of a harmless
 * character may be control codes): the ellipsis, lines and blocks of drawings get a look-alike (~ | ` - _ #), each
 * other character as many question marks as it had columns, so that tables stay aligned. Newlines stay.
 */
void tap_escape_to_ascii(struct tap_strbuf *out, const char *text);

#endif
