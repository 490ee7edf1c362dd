// SPDX-License-Identifier: BSD-2-Clause
/* csv.c - the rows of csv.h. */
#include "userspace/output/csv.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "userspace/output/csv_writer.h"
#include "userspace/output/moment.h"

static void put_names(struct tap_csv *csv, const struct tap_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct tap_strbuf name;

		tap_strbuf_init(&name);
		if (fields[i].group)
			tap_strbuf_printf(&name, "%s_", fields[i].group);
		tap_strbuf_add_string(&name, fields[i].name);
		tap_csv_string(csv, name.data);
		csv->out->failed |= name.failed;
		tap_strbuf_done(&name);
	}
}

static void put_header(struct tap_csv *csv, const struct tap_rows *rows)
{
	put_names(csv, rows->fields, rows->n_fields);
	for (int i = 0; rows->figures && i < TAP_FIGURE_COUNT; i++)
		tap_csv_string(csv, tap_figure_infos[i].name);
	put_names(csv, rows->tail, rows->n_tail);
	tap_csv_string(csv, "absent");
	tap_csv_row_end(csv);
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

static void put_moment(struct tap_csv *csv, int64_t realtime_ns)
{
	char text[TAP_MOMENT_MAX];

	tap_csv_string(csv, tap_moment_format(text, realtime_ns));
}

static void put_buckets(struct tap_csv *csv, const struct tap_buckets *buckets)
{
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	for (size_t i = 0; i < buckets->count; i++) {
		uint64_t bound;

		tap_buckets_bound(buckets, i, &bound);
		if (buckets->counts[i])
			tap_strbuf_printf(&text, "%s%s%" PRIu64 "=%" PRIu64, text.size ? ";" : "",
					  buckets->last && i + 1 == buckets->count ? ">" : "", bound,
					  buckets->counts[i]);
	}
	put_text(csv, &text);
}

static void put_pids(struct tap_csv *csv, const struct tap_value *value)
{
	const int32_t *pids = value->list.first;
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	for (size_t i = 0; i < value->list.count; i++)
		tap_strbuf_printf(&text, "%s%" PRId32, i ? ";" : "", pids[i]);
	put_text(csv, &text);
}

/* "Name:name=number/number": the texts of a row within a row, then its numbers and times. */
static void add_row_within(struct tap_strbuf *text, const struct tap_rows *rows, const void *row)
{
	const char *separator = "";
	char moment[TAP_MOMENT_MAX];

	for (size_t i = 0; i < rows->n_fields; i++) {
		struct tap_value value = tap_rows_value(rows, row, &rows->fields[i]);

		if (rows->fields[i].type != TAP_FIELD_STRING)
			continue;
		tap_strbuf_add_string(text, separator);
		add_name(text, value.type == TAP_VALUE_STRING ? value.string : NULL);
		separator = ":";
	}
	separator = "=";
	for (size_t i = 0; i < rows->n_fields; i++) {
		struct tap_value value = tap_rows_value(rows, row, &rows->fields[i]);

		if (value.type == TAP_VALUE_INT)
			tap_strbuf_printf(text, "%s%" PRId64, separator, value.i);
		else if (value.type == TAP_VALUE_UINT)
			tap_strbuf_printf(text, "%s%" PRIu64, separator, value.u);
		else if (value.type == TAP_VALUE_TIME)
			tap_strbuf_printf(text, "%s%s", separator, tap_moment_format(moment, value.i));
		else
			continue;
		separator = "/";
	}
}

static void put_rows_within(struct tap_csv *csv, const struct tap_rows *rows, const struct tap_value *value)
{
	struct tap_rows within = tap_rows_within(rows, value);
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	for (size_t i = 0; i < within.count; i++) {
		if (i)
			tap_strbuf_add_char(&text, ';');
		add_row_within(&text, &within, tap_rows_at(&within, i));
	}
	put_text(csv, &text);
}

static void put_value(struct tap_csv *csv, const struct tap_rows *rows, const struct tap_value *value)
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
	case TAP_VALUE_TIME:
		put_moment(csv, value->i);
		break;
	case TAP_VALUE_BUCKETS:
		put_buckets(csv, &value->buckets);
		break;
	case TAP_VALUE_PIDS:
		put_pids(csv, value);
		break;
	case TAP_VALUE_ROWS:
		put_rows_within(csv, rows, value);
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

static void put_fields(struct tap_csv *csv, const struct tap_rows *rows, const void *row,
		       const struct tap_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct tap_value value = tap_rows_value(rows, row, &fields[i]);

		put_value(csv, rows, &value);
	}
}

static void put_row(struct tap_csv *csv, const struct tap_rows *rows, const void *row)
{
	put_fields(csv, rows, row, rows->fields, rows->n_fields);
	if (rows->figures)
		put_figures(csv, rows->figures(row));
	put_fields(csv, rows, row, rows->tail, rows->n_tail);
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
