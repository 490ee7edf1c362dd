/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * csv.h - the rows of a view as comma-separated values.
 *
 * Called by the commands. One header line, then one line a row, with the names of the JSON rows ("top":{"ns":..} is
 * top_ns). Nothing else: what JSON says once a run (window, loss, overhead) the command prints to stderr with
 * tap_text_render_footer, so that every line of the output has the same columns. An absent figure or field is an empty
 * cell; the last column, `absent`, is "field=reason;field=reason". It repeats what is absent in every row, as there is
 * no other place for it. The column `waits` of queries is "Class:Event=count/ns;...", largest first; a character of an
 * event's name that has a meaning there is shown as _. So are other lists within a row: its texts, then its numbers;
 * histograms are "bound=count;...", the open last bucket ">bound=count"; pids "1;2;3".
 */
#ifndef TAP_USERSPACE_OUTPUT_CSV_H
#define TAP_USERSPACE_OUTPUT_CSV_H

#include "correlate/view.h"
#include "userspace/base/strbuf.h"
#include "userspace/output/part.h"

/* Append header and rows. Out of memory shows in out->failed. */
void tap_csv_render(const struct tap_view *view, enum tap_view_part part, struct tap_strbuf *out);

#endif
