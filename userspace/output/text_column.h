/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text_column.h - how the columns of a list are written down as text, and the cells that several lists have.
 *
 * Private to the files text_*.c: each owns the column tables of some parts; text_tables.c lays them out.
 */
#ifndef TAP_USERSPACE_OUTPUT_TEXT_COLUMN_H
#define TAP_USERSPACE_OUTPUT_TEXT_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/view.h"
#include "userspace/base/strbuf.h"
#include "userspace/output/part.h"
#include "userspace/output/table.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum {
	TAP_TEXT_COLUMNS_MAX = 20, /* of one table */
};

/* What the cells of one table are made from. */
struct tap_text_context {
	const struct tap_view *view;
	struct tap_table *table;
	const void *more; /* what the table's own cells need */
	bool many;	  /* instances: rows name theirs */
	bool compact;	  /* a narrow screen: the kind of a row stands in another column */
	bool *failed;	  /* out of memory while a cell was put together */
};

/* Titles and cells must stand in the same order; a column with a condition is left out of both. */
enum tap_text_condition {
	TAP_TEXT_ALWAYS,
	TAP_TEXT_IF_MANY,
	TAP_TEXT_IF_WIDE,
	TAP_TEXT_IF_COMPACT,
	TAP_TEXT_IF_LATENCY, /* statements were timed */
};

struct tap_text_column {
	struct tap_table_column look;
	enum tap_text_condition condition;
	void (*cell)(const struct tap_text_context *context, const void *row);
};

struct tap_text_table {
	const struct tap_text_column *columns;
	size_t count;
	const char *fields; /* that have a column, with a space before and after each */
};

/* The tables of text_io.c, text_memory.c, text_locks.c and text_lock_stats.c. NULL: that list is no table. */
const struct tap_text_table *tap_text_io_table(enum tap_view_part part);
const struct tap_text_table *tap_text_memory_table(enum tap_view_part part);
const struct tap_text_table *tap_text_lock_table(enum tap_view_part part);
const struct tap_text_table *tap_text_lock_stat_table(enum tap_view_part part);
/* text_statements.c */
const struct tap_text_table *tap_text_statement_table(void);

/* Append the first `limit` rows (0: all) as a table. 0 or -ENOMEM. */
int tap_text_rows_render(const struct tap_text_table *table, const struct tap_rows *rows, size_t limit,
			 const void *more, size_t width, struct tap_strbuf *out);

/* Print what was collected in `line` (raw, hostile) as a paragraph and free it. */
void tap_text_flush_line(struct tap_strbuf *out, struct tap_strbuf *line, size_t width);

void tap_cell_figure(const struct tap_text_context *context, const struct tap_figures *figures, enum tap_figure figure);
/* Of the row's elapsed time. */
void tap_cell_share(const struct tap_text_context *context, const struct tap_figures *figures, enum tap_figure figure);
void tap_cell_int(const struct tap_text_context *context, int64_t value);
void tap_cell_count(const struct tap_text_context *context, uint64_t count);
void tap_cell_bytes(const struct tap_text_context *context, uint64_t bytes);
void tap_cell_ns(const struct tap_text_context *context, int64_t ns);
/* Negative: none. */
void tap_cell_age(const struct tap_text_context *context, int64_t ns);
/* "85.0us/1.20ms/9.10ms": without the spaces that would make three columns of it. */
void tap_cell_latency(const struct tap_text_context *context, const struct tap_view_latency *latency);
/* Two texts with something between, either may be missing. */
void tap_cell_pair(const struct tap_text_context *context, const char *first, const char *between, const char *second);
/* The text; where the kind has no column of its own and is not what one expects, the kind before it. */
void tap_cell_query(const struct tap_text_context *context, const char *kind, const char *query, bool kind_shown);
/* A block for each power of two from 1 us on, as high as its share of the largest; a point where there was nothing. */
void tap_text_add_octaves(struct tap_strbuf *text, const uint64_t *octaves, size_t count);
/* Empties `text`. */
void tap_cell_buffer(const struct tap_text_context *context, struct tap_strbuf *text);

/* Generates the cell function that shows one member of a row. */
#define TAP_TEXT_CELL(function, row_type, statement) \
	static void function(const struct tap_text_context *context, const void *row_pointer) \
	{ \
		const struct row_type *row = row_pointer; \
\
		statement; \
	}

#endif
