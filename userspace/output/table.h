/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - aligned columns of text.
 *
 * Called by text_tables. Takes raw cells, escapes and cuts them (escape.h), measures display columns. Where the width
 * is bounded, columns of higher rank are left out until the rest fits, and the last column takes what remains.
 */
#ifndef TAP_USERSPACE_OUTPUT_TABLE_H
#define TAP_USERSPACE_OUTPUT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "userspace/base/strbuf.h"

struct tap_table;

struct tap_table_column {
	const char *title; /* trusted ASCII */
	bool right;	   /* numbers */
	unsigned max;	   /* widest cell, cut beyond; 0: no bound. The last column: ignored */
	unsigned rank;	   /* 0: never left out; otherwise the highest is left out first, also when it is empty */
	unsigned min;	   /* the last column: what it needs before others make room; others: narrowed to it before
			      they are left out, 0: not narrowed */
};

/*
 * `columns` is borrowed until tap_table_free. `width` is that of the screen, 0 for none. NULL when out of memory.
 * A bounded table is never wider than `width` unless the columns of rank 0 are.
 */
struct tap_table *tap_table_new(const struct tap_table_column *columns, size_t n_columns, size_t width);
/* NULL is fine. */
void tap_table_free(struct tap_table *table);

/* The next cell, row by row; copied. NULL and "" print as "-". Failed allocations show in tap_table_render. */
void tap_table_cell(struct tap_table *table, const char *text);
/*
 * The same with something before the text that is shown as it is: trusted, printable, one column a character. For
 * columns that are never narrowed.
 */
void tap_table_cell_after(struct tap_table *table, const char *before, const char *text);

/* Append title line and rows, each ended by a newline, none by spaces. 0 or -ENOMEM, then `out` holds no part of it. */
int tap_table_render(const struct tap_table *table, struct tap_strbuf *out);

#endif
