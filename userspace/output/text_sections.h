/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text_sections.h - views of several lists as text: what stands between their head and foot.
 *
 * Called by text.c. Out of memory shows in out->failed.
 */
#ifndef TAP_USERSPACE_OUTPUT_TEXT_SECTIONS_H
#define TAP_USERSPACE_OUTPUT_TEXT_SECTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "correlate/view.h"
#include "userspace/base/strbuf.h"
#include "userspace/output/part.h"

/* text_io.c: of TAP_PART_IO all lists in short, of one of its lists that one in full. */
void tap_text_io_render(const struct tap_view *view, enum tap_view_part part, size_t width, struct tap_strbuf *out);
/* text_checkpoints.c: the checkpoints of each instance; `all`: also of those that had none. */
void tap_text_checkpoints_render(const struct tap_view *view, bool all, size_t width, struct tap_strbuf *out);
/* What each disk reads and writes in a second, in one line; nothing when none is known. */
void tap_text_io_rates(const struct tap_view *view, size_t width, struct tap_strbuf *out);

/* text_memory.c: the host, then queries and processes. */
void tap_text_memory_render(const struct tap_view *view, size_t width, struct tap_strbuf *out);

/* text_locks.c: the tree of who waits for whom, and what the window adds. */
/* The tree, the cycles and the waits that ended alone. */
void tap_text_locks_now(const struct tap_view *view, size_t width, struct tap_strbuf *out);
/* Of TAP_PART_LOCKS all lists in short, of one of its lists that one in full. */
void tap_text_locks_render(const struct tap_view *view, enum tap_view_part part, size_t width, struct tap_strbuf *out);

#endif
