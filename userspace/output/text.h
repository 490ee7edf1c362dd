/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - a view as people read it: a head that says what was observed, a table, and a foot that says how sure it is.
 *
 * Called by the commands. Columns are in text_tables; numbers are rounded here and exact in JSON and CSV.
 */
#ifndef TAP_USERSPACE_OUTPUT_TEXT_H
#define TAP_USERSPACE_OUTPUT_TEXT_H

#include "correlate/view.h"
#include "userspace/base/strbuf.h"
#include "userspace/output/part.h"

/* Append head, table and foot, `width` columns wide, 0 for no bound. Out of memory shows in out->failed. */
void tap_text_render(const struct tap_view *view, enum tap_view_part part, unsigned width, struct tap_strbuf *out);

/* Append the time, who waits for whose locks at the end of the window and who did within it, without head and foot. */
void tap_text_render_locks_now(const struct tap_view *view, unsigned width, struct tap_strbuf *out);

/* Each statement of the view in a few lines, without head and foot: what follows them live. */
void tap_text_render_statements_now(const struct tap_view *view, unsigned width, struct tap_strbuf *out);

/* Append the lines on attribution, loss and overhead alone: what the CSV output has no place for. */
void tap_text_render_footer(const struct tap_view *view, struct tap_strbuf *out);

#endif
