/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paragraph.h - running text between the tables: escaped, broken at spaces.
 *
 * Called by the text renderer for headers and footers.
 */
#ifndef TAP_USERSPACE_OUTPUT_PARAGRAPH_H
#define TAP_USERSPACE_OUTPUT_PARAGRAPH_H

#include <stddef.h>

#include "userspace/base/strbuf.h"

/*
 * Append `text` (raw, hostile) in lines of at most `width` columns (0: one line), each after the first indented by two
 * spaces, and a newline. A word wider than a line is cut. Nothing at all when the text is blank.
 */
void tap_paragraph_add(struct tap_strbuf *out, const char *text, size_t width);

#endif
