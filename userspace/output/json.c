// SPDX-License-Identifier: BSD-2-Clause
/* json.c - the object of json.h. */
#include "userspace/output/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "userspace/output/json_writer.h"

enum {
	SCHEMA = 1,
};

static void put_string(struct tap_json *json, const char *key, const char *text)
{
	if (!text)
		return;
	tap_json_key(json, key);
	tap_json_string(json, text);
}

static void put_int(struct tap_json *json, const char *key, int64_t value)
{
	tap_json_key(json, key);
	tap_json_int(json, value);
}

static void put_double(struct tap_json *json, const char *key, double value)
{
	if (!isfinite(value))
		return;
	tap_json_key(json, key);
	tap_json_double(json, value);
}

/* RFC 3339, UTC, microseconds. An int64_t of nanoseconds ends in the year 2262, so the year has four digits. */
static void put_time(struct tap_json *json, const char *key, int64_t realtime_ns)
{
	int64_t us = realtime_ns / 1000 - (realtime_ns % 1000 < 0);
	time_t seconds = us / 1000000 - (us % 1000000 < 0);
	char text[64], full[96];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	snprintf(full, sizeof(full), "%s.%06dZ", text, (int)(us - (int64_t)seconds * 1000000));
	put_string(json, key, full);
}

static void put_value(struct tap_json *json, const struct tap_value *value)
{
	switch (value->type) {
	case TAP_VALUE_STRING:
		tap_json_string(json, value->string);
		break;
	case TAP_VALUE_INT:
		tap_json_int(json, value->i);
		break;
	case TAP_VALUE_UINT:
		tap_json_uint(json, value->u);
		break;
	case TAP_VALUE_DOUBLE:
		tap_json_double(json, value->d);
		break;
	case TAP_VALUE_BOOL:
		tap_json_bool(json, value->b);
		break;
	case TAP_VALUE_ABSENT:
		tap_json_null(json);
		break;
	}
}

/* `open` is the group whose object is open, NULL for none; a group without values gets no object. */
static const char *change_group(struct tap_json *json, const char *open, const char *group)
{
	if (open == group)
		return open;
	if (open)
		tap_json_object_end(json);
	if (group) {
		tap_json_key(json, group);
		tap_json_object_begin(json);
	}
	return group;
}

static void put_fields(struct tap_json *json, const struct tap_rows *rows, const void *row)
{
	const char *open = NULL;

	for (size_t i = 0; i < rows->n_fields; i++) {
		struct tap_value value = tap_rows_value(rows, row, &rows->fields[i]);

		if (value.type == TAP_VALUE_ABSENT)
			continue;
		open = change_group(json, open, rows->fields[i].group);
		tap_json_key(json, rows->fields[i].name);
		put_value(json, &value);
	}
	change_group(json, open, NULL);
}

static void put_figures(struct tap_json *json, const struct tap_figures *figures)
{
	for (int i = 0; i < TAP_FIGURE_COUNT; i++)
		if (!tap_figure_absence(figures, i))
			put_int(json, tap_figure_infos[i].name, figures->value[i]);
}

static void put_waits(struct tap_json *json, const struct tap_view_query *query)
{
	tap_json_key(json, "waits");
	tap_json_array_begin(json);
	for (size_t i = 0; i < query->n_waits; i++) {
		const struct tap_view_wait *wait = &query->waits[i];

		tap_json_object_begin(json);
		put_string(json, "class", wait->class_name);
		put_string(json, "event", wait->event_name);
		tap_json_key(json, "count");
		tap_json_uint(json, wait->count);
		put_int(json, "ns", wait->ns);
		tap_json_object_end(json);
	}
	tap_json_array_end(json);
}

static void put_absent(struct tap_json *json, const struct tap_absence *list, size_t count)
{
	tap_json_key(json, "absent");
	tap_json_object_begin(json);
	for (size_t i = 0; i < count; i++)
		put_string(json, list[i].field, list[i].reason);
	tap_json_object_end(json);
}

static void put_row(struct tap_json *json, const struct tap_rows *rows, const void *row, bool with_figures)
{
	struct tap_absence absent[TAP_ABSENT_MAX];
	size_t n_absent = with_figures ? tap_rows_absences(rows, row, absent) : 0;

	tap_json_object_begin(json);
	put_fields(json, rows, row);
	if (with_figures && rows->figures)
		put_figures(json, rows->figures(row));
	if (rows->has_waits)
		put_waits(json, row);
	if (n_absent)
		put_absent(json, absent, n_absent);
	tap_json_object_end(json);
}

static void put_list(struct tap_json *json, const struct tap_view *view, enum tap_view_part part, bool with_figures)
{
	struct tap_rows rows;

	tap_rows_init(&rows, view, part);
	tap_json_key(json, tap_part_name(part));
	tap_json_array_begin(json);
	for (size_t i = 0; i < rows.count; i++)
		put_row(json, &rows, tap_rows_at(&rows, i), with_figures);
	tap_json_array_end(json);
}

static void put_origin(struct tap_json *json, const struct tap_view *view)
{
	put_int(json, "schema", SCHEMA);
	tap_json_key(json, "tool");
	tap_json_object_begin(json);
	put_string(json, "name", "dbtap");
	put_string(json, "version", view->tool_version);
	tap_json_object_end(json);

	tap_json_key(json, "host");
	tap_json_object_begin(json);
	put_string(json, "name", view->host_name);
	put_string(json, "kernel", view->kernel);
	put_int(json, "cpus", view->cpus);
	tap_json_object_end(json);

	tap_json_key(json, "window");
	tap_json_object_begin(json);
	put_time(json, "start", view->start_realtime_ns);
	put_time(json, "end", view->end_realtime_ns);
	put_double(json, "seconds", view->seconds);
	tap_json_object_end(json);
	put_string(json, "depth", view->depth);
}

static void put_loss(struct tap_json *json, const struct tap_view *view)
{
	tap_json_key(json, "loss");
	tap_json_object_begin(json);
	for (size_t i = 0; i < view->n_losses; i++) {
		tap_json_key(json, view->losses[i].reason);
		tap_json_uint(json, view->losses[i].count);
	}
	tap_json_object_end(json);
}

static void put_percent(struct tap_json *json, const char *key, double percent)
{
	if (percent >= 0)
		put_double(json, key, percent);
}

static void put_overhead(struct tap_json *json, const struct tap_view *view)
{
	tap_json_key(json, "overhead");
	tap_json_object_begin(json);
	put_percent(json, "bpf_cpu_percent", view->bpf_cpu_percent);
	put_percent(json, "trap_cpu_percent", view->trap_cpu_percent);
	put_percent(json, "fingerprint_cpu_percent", view->fingerprint_cpu_percent);
	put_percent(json, "tool_cpu_percent", view->tool_cpu_percent);
	if (view->tool_rss_bytes > 0)
		put_int(json, "tool_rss_bytes", view->tool_rss_bytes);
	tap_json_object_end(json);
}

static void put_totals(struct tap_json *json, const struct tap_view *view)
{
	struct tap_absence absent[TAP_ABSENT_MAX];
	size_t n_absent = tap_absences_collect(view, &view->totals, NULL, 0, absent);

	tap_json_key(json, "totals");
	tap_json_object_begin(json);
	put_figures(json, &view->totals);
	put_double(json, "attributed_percent", view->attributed_percent);
	if (n_absent)
		put_absent(json, absent, n_absent);
	tap_json_object_end(json);
}

/* An overhead without a figure is named even where the model gave no reason. */
static size_t add_overhead_absences(struct tap_absence *list, size_t count, const struct tap_view *view)
{
	static const char reason[] = "not measured";

	if (!(view->bpf_cpu_percent >= 0))
		count = tap_absences_add(list, count, "bpf_cpu_percent", reason);
	if (!(view->trap_cpu_percent >= 0))
		count = tap_absences_add(list, count, "trap_cpu_percent", reason);
	if (!(view->fingerprint_cpu_percent >= 0))
		count = tap_absences_add(list, count, "fingerprint_cpu_percent", reason);
	if (!(view->tool_cpu_percent >= 0))
		count = tap_absences_add(list, count, "tool_cpu_percent", reason);
	if (view->tool_rss_bytes <= 0)
		count = tap_absences_add(list, count, "tool_rss_bytes", reason);
	return count;
}

static void put_view_absent(struct tap_json *json, const struct tap_view *view)
{
	struct tap_absence absent[TAP_ABSENT_MAX];
	size_t count = tap_absences_add_view(absent, 0, view);

	put_absent(json, absent, add_overhead_absences(absent, count, view));
}

void tap_json_render(const struct tap_view *view, enum tap_view_part part, struct tap_strbuf *out)
{
	struct tap_json json;

	tap_json_begin(&json, out, true);
	tap_json_object_begin(&json);
	put_origin(&json, view);
	put_list(&json, view, TAP_PART_INSTANCES, part == TAP_PART_INSTANCES);
	put_loss(&json, view);
	put_overhead(&json, view);
	put_totals(&json, view);
	put_view_absent(&json, view);
	if (part != TAP_PART_INSTANCES)
		put_list(&json, view, part, true);
	tap_json_object_end(&json);
	tap_json_end(&json);
}
