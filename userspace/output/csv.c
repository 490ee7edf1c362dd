// SPDX-License-Identifier: BSD-2-Clause
/* csv.c - the rows of csv.h. */
#include "userspace/output/csv.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "userspace/output/csv_writer.h"

static void put_header(struct tap_csv *csv, const struct tap_rows *rows)
{
	for (size_t i = 0; i < rows->n_fields; i++) {
		const struct tap_field *field = &rows->fields[i];
		struct tap_strbuf name;

		tap_strbuf_init(&name);
		if (field->group)
			tap_strbuf_printf(&name, "%s_", field->group);
		tap_strbuf_add_string(&name, field->name);
		tap_csv_string(csv, name.data);
		csv->out->failed |= name.failed;
		tap_strbuf_done(&name);
	}
	for (int i = 0; rows->figures && i < TAP_FIGURE_COUNT; i++)
		tap_csv_string(csv, tap_figure_infos[i].name);
	if (rows->has_waits)
		tap_csv_string(csv, "waits");
	tap_csv_string(csv, "absent");
	tap_csv_row_end(csv);
}

static void put_value(struct tap_csv *csv, const struct tap_value *value)
{
	switch (value->type) {
	case TAP_VALUE_STRING:
		tap_csv_string(csv, value->string);
		break;
	case TAP_VALUE_INT:
		tap_csv_int(csv, value->i);
		break;
	case TAP_VALUE_UINT:
		tap_csv_uint(csv, value->u);
		break;
	case TAP_VALUE_DOUBLE:
		tap_csv_double(csv, value->d);
		break;
	case TAP_VALUE_BOOL:
		tap_csv_bool(csv, value->b);
		break;
	case TAP_VALUE_ABSENT:
		tap_csv_empty(csv);
		break;
	}
}

static void put_figures(struct tap_csv *csv, const struct tap_figures *figures)
{
	for (int i = 0; i < TAP_FIGURE_COUNT; i++) {
		if (tap_figure_absence(figures, i))
			tap_csv_empty(csv);
		else
			tap_csv_int(csv, figures->value[i]);
	}
}

/* Names come from a server's catalog too: they must not look like more entries. */
static void add_name(struct tap_strbuf *text, const char *name)
{
	for (; name && *name; name++)
		tap_strbuf_add_char(text, strchr(":=/;", *name) ? '_' : *name);
}

static void put_text(struct tap_csv *csv, struct tap_strbuf *text)
{
	csv->out->failed |= text->failed;
	if (text->size)
		tap_csv_string(csv, text->data);
	else
		tap_csv_empty(csv);
	tap_strbuf_done(text);
}

static void put_waits(struct tap_csv *csv, const struct tap_view_query *query)
{
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	for (size_t i = 0; i < query->n_waits; i++) {
		const struct tap_view_wait *wait = &query->waits[i];

		if (i)
			tap_strbuf_add_char(&text, ';');
		add_name(&text, wait->class_name);
		tap_strbuf_add_char(&text, ':');
		add_name(&text, wait->event_name);
		tap_strbuf_printf(&text, "=%" PRIu64 "/%" PRId64, wait->count, wait->ns);
	}
	put_text(csv, &text);
}

static void put_absent(struct tap_csv *csv, const struct tap_rows *rows, const void *row)
{
	struct tap_absence absent[TAP_ABSENT_MAX];
	size_t count = tap_rows_absences(rows, row, absent);
	struct tap_strbuf text;

	if (rows->figures)
		count = tap_absences_add_view(absent, count, rows->view);
	tap_strbuf_init(&text);
	for (size_t i = 0; i < count; i++)
		tap_strbuf_printf(&text, "%s%s=%s", i ? ";" : "", absent[i].field, absent[i].reason);
	put_text(csv, &text);
}

static void put_row(struct tap_csv *csv, const struct tap_rows *rows, const void *row)
{
	for (size_t i = 0; i < rows->n_fields; i++) {
		struct tap_value value = tap_rows_value(rows, row, &rows->fields[i]);

		put_value(csv, &value);
	}
	if (rows->figures)
		put_figures(csv, rows->figures(row));
	if (rows->has_waits)
		put_waits(csv, row);
	put_absent(csv, rows, row);
	tap_csv_row_end(csv);
}

void tap_csv_render(const struct tap_view *view, enum tap_view_part part, struct tap_strbuf *out)
{
	struct tap_rows rows;
	struct tap_csv csv;

	tap_rows_init(&rows, view, part);
	tap_csv_begin(&csv, out);
	put_header(&csv, &rows);
	for (size_t i = 0; i < rows.count; i++)
		put_row(&csv, &rows, tap_rows_at(&rows, i));
}
