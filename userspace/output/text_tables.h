/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text_tables.h - which columns each part of a view has as text, and what stands in them.
 *
 * Called by text.c, which adds what stands around the table.
 */
#ifndef TAP_USERSPACE_OUTPUT_TEXT_TABLES_H
#define TAP_USERSPACE_OUTPUT_TEXT_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "correlate/view.h"
#include "userspace/base/strbuf.h"
#include "userspace/output/part.h"

/* Append the first `limit` rows (0: all) as a table `width` columns wide (0: no bound). 0 or -ENOMEM. */
int tap_text_table_render(const struct tap_view *view, enum tap_view_part part, size_t limit, size_t width,
			  struct tap_strbuf *out);

/* Whether a field or figure has a column in some width of the table, so that its absence deserves a note. */
bool tap_text_table_shows(enum tap_view_part part, const char *field);

#endif
