// SPDX-License-Identifier: BSD-2-Clause
/* table.c - the layout of table.h. */
#include "userspace/output/table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/output/escape.h"

enum {
	GAP = 2, /* spaces between columns */
};

struct cell {
	char *text; /* escaped */
	size_t columns;
};

struct tap_table {
	const struct tap_table_column *columns;
	size_t n_columns;
	size_t width;
	struct cell *cells; /* row by row */
	size_t n_cells;
	size_t capacity;
	bool failed;
};

struct tap_table *tap_table_new(const struct tap_table_column *columns, size_t n_columns, size_t width)
{
	struct tap_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->n_columns = n_columns;
	table->width = width;
	return table;
}

void tap_table_free(struct tap_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

static bool grow(struct tap_table *table)
{
	size_t capacity = table->capacity ? table->capacity * 2 : 256;
	struct cell *cells;

	if (table->n_cells < table->capacity)
		return true;
	if (capacity > SIZE_MAX / sizeof(*cells))
		return false;
	cells = realloc(table->cells, capacity * sizeof(*cells));
	if (!cells)
		return false;
	table->cells = cells;
	table->capacity = capacity;
	return true;
}

static bool is_last(const struct tap_table *table, size_t column)
{
	return column + 1 == table->n_columns;
}

/* No cell is kept wider than the screen, so a text of megabytes costs a line. */
static size_t cell_bound(const struct tap_table *table, size_t column)
{
	size_t max = is_last(table, column) ? 0 : table->columns[column].max;

	if (!table->width)
		return max;
	return max && max < table->width ? max : table->width;
}

static size_t count_characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

void tap_table_cell(struct tap_table *table, const char *text)
{
	tap_table_cell_after(table, "", text);
}

void tap_table_cell_after(struct tap_table *table, const char *before, const char *text)
{
	size_t column = table->n_cells % table->n_columns;
	struct tap_strbuf escaped;
	struct cell cell;

	if (table->failed)
		return;
	tap_strbuf_init(&escaped);
	tap_strbuf_add_string(&escaped, before);
	cell.columns = tap_escape_text(&escaped, text ? text : "", cell_bound(table, column));
	if (cell.columns == 0)
		cell.columns = tap_escape_text(&escaped, "-", 0);
	cell.columns += count_characters(before);
	cell.text = tap_strbuf_take(&escaped);
	if (!cell.text || !grow(table)) {
		free(cell.text);
		table->failed = true;
		return;
	}
	table->cells[table->n_cells++] = cell;
}

/* Cells of a row that was not finished are not shown. */
static size_t whole_rows(const struct tap_table *table)
{
	return table->n_cells - table->n_cells % table->n_columns;
}

static void measure(const struct tap_table *table, size_t *widths)
{
	for (size_t i = 0; i < table->n_columns; i++)
		widths[i] = strlen(table->columns[i].title);
	for (size_t i = 0; i < whole_rows(table); i++)
		if (table->cells[i].columns > widths[i % table->n_columns])
			widths[i % table->n_columns] = table->cells[i].columns;
}

/* What the last column needs before it is a reason to leave out another one. */
static size_t last_need(const struct tap_table *table, const size_t *widths)
{
	size_t last = table->n_columns - 1;

	return widths[last] < table->columns[last].min ? widths[last] : table->columns[last].min;
}

static size_t width_before_last(const struct tap_table *table, const size_t *widths)
{
	size_t total = 0;

	for (size_t i = 0; i + 1 < table->n_columns; i++)
		if (widths[i])
			total += widths[i] + GAP;
	return total;
}

/* Narrow or, by giving it no width, leave out the column of highest rank. False when there is none. */
static bool make_room(const struct tap_table *table, size_t *widths, size_t excess)
{
	size_t victim = table->n_columns, min;

	for (size_t i = 0; i + 1 < table->n_columns; i++) {
		unsigned rank = table->columns[i].rank;

		if (widths[i] && rank && (victim == table->n_columns || rank > table->columns[victim].rank))
			victim = i;
	}
	if (victim == table->n_columns)
		return false;
	min = table->columns[victim].min;
	if (min && widths[victim] > min)
		widths[victim] -= widths[victim] - min < excess ? widths[victim] - min : excess;
	else
		widths[victim] = 0;
	return true;
}

static void fit(const struct tap_table *table, size_t *widths)
{
	size_t last = table->n_columns - 1, before, need;

	measure(table, widths);
	if (!table->width)
		return;
	while ((need = width_before_last(table, widths) + last_need(table, widths)) > table->width)
		if (!make_room(table, widths, need - table->width))
			break;
	before = width_before_last(table, widths);
	if (before + widths[last] > table->width)
		widths[last] = table->width > before ? table->width - before : 1;
}

/* `text` is `columns` wide; padding on the right is owed until something follows. */
static void add_aligned(struct tap_strbuf *out, size_t *owed, const char *text, size_t columns, size_t width,
			bool right)
{
	size_t padding = width > columns ? width - columns : 0;

	tap_strbuf_add_repeated(out, ' ', *owed + (right ? padding : 0));
	if (columns > width)
		tap_escape_text(out, text, width);
	else
		tap_strbuf_add_string(out, text);
	*owed = (right ? 0 : padding) + GAP;
}

static void add_titles(const struct tap_table *table, const size_t *widths, struct tap_strbuf *out)
{
	size_t owed = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		const struct tap_table_column *column = &table->columns[i];

		if (widths[i])
			add_aligned(out, &owed, column->title, strlen(column->title), widths[i], column->right);
	}
	tap_strbuf_add_char(out, '\n');
}

static void add_row(const struct tap_table *table, const size_t *widths, const struct cell *row, struct tap_strbuf *out)
{
	size_t owed = 0;

	for (size_t i = 0; i < table->n_columns; i++)
		if (widths[i])
			add_aligned(out, &owed, row[i].text, row[i].columns, widths[i], table->columns[i].right);
	tap_strbuf_add_char(out, '\n');
}

int tap_table_render(const struct tap_table *table, struct tap_strbuf *out)
{
	size_t *widths;

	if (table->failed)
		return -ENOMEM;
	widths = calloc(table->n_columns, sizeof(*widths));
	if (!widths)
		return -ENOMEM;
	fit(table, widths);
	add_titles(table, widths, out);
	for (size_t i = 0; i < whole_rows(table); i += table->n_columns)
		add_row(table, widths, &table->cells[i], out);
	free(widths);
	return 0;
}
