// SPDX-License-Identifier: BSD-2-Clause
/* json.c - the object of json.h. */
#include "userspace/output/json.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "userspace/output/json_writer.h"
#include "userspace/output/moment.h"

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

static void put_time(struct tap_json *json, const char *key, int64_t realtime_ns)
{
	char text[TAP_MOMENT_MAX];

	put_string(json, key, tap_moment_format(text, realtime_ns));
}

/* Buckets that counted nothing are left out. */
static void put_buckets(struct tap_json *json, const struct tap_buckets *buckets)
{
	tap_json_array_begin(json);
	for (size_t i = 0; i < buckets->count; i++) {
		uint64_t bound;
		const char *name = tap_buckets_bound(buckets, i, &bound);

		if (!buckets->counts[i])
			continue;
		tap_json_object_begin(json);
		tap_json_key(json, name);
		tap_json_uint(json, bound);
		tap_json_key(json, "count");
		tap_json_uint(json, buckets->counts[i]);
		tap_json_object_end(json);
	}
	tap_json_array_end(json);
}

static void put_pids(struct tap_json *json, const struct tap_value *value)
{
	const int32_t *pids = value->list.first;

	tap_json_array_begin(json);
	for (size_t i = 0; i < value->list.count; i++)
		tap_json_int(json, pids[i]);
	tap_json_array_end(json);
}

static void put_moment(struct tap_json *json, int64_t realtime_ns)
{
	char text[TAP_MOMENT_MAX];

	tap_json_string(json, tap_moment_format(text, realtime_ns));
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
	case TAP_VALUE_TIME:
		put_moment(json, value->i);
		break;
	case TAP_VALUE_BUCKETS:
		put_buckets(json, &value->buckets);
		break;
	case TAP_VALUE_PIDS:
		put_pids(json, value);
		break;
	case TAP_VALUE_ROWS:
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

static void put_rows(struct tap_json *json, const struct tap_rows *rows);

static void put_fields(struct tap_json *json, const struct tap_rows *rows, const void *row,
		       const struct tap_field *fields, size_t count)
{
	const char *open = NULL;

	for (size_t i = 0; i < count; i++) {
		struct tap_value value = tap_rows_value(rows, row, &fields[i]);

		if (value.type == TAP_VALUE_ABSENT)
			continue;
		open = change_group(json, open, fields[i].group);
		tap_json_key(json, fields[i].name);
		if (value.type == TAP_VALUE_ROWS) {
			struct tap_rows within = tap_rows_within(rows, &value);

			put_rows(json, &within);
		} else {
			put_value(json, &value);
		}
	}
	change_group(json, open, NULL);
}

/* Rows within a row: fields only. Their tables hold no further rows, so this goes one level deep. */
static void put_rows(struct tap_json *json, const struct tap_rows *rows)
{
	tap_json_array_begin(json);
	for (size_t i = 0; i < rows->count; i++) {
		tap_json_object_begin(json);
		put_fields(json, rows, tap_rows_at(rows, i), rows->fields, rows->n_fields);
		tap_json_object_end(json);
	}
	tap_json_array_end(json);
}

static void put_figures(struct tap_json *json, const struct tap_figures *figures)
{
	for (int i = 0; i < TAP_FIGURE_COUNT; i++)
		if (!tap_figure_absence(figures, i))
			put_int(json, tap_figure_infos[i].name, figures->value[i]);
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
	put_fields(json, rows, row, rows->fields, rows->n_fields);
	if (with_figures && rows->figures)
		put_figures(json, rows->figures(row));
	put_fields(json, rows, row, rows->tail, rows->n_tail);
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

/* All lists that sit in the object of that name. */
static void put_group(struct tap_json *json, const struct tap_view *view, const char *group)
{
	tap_json_key(json, group);
	tap_json_object_begin(json);
	for (int part = 0; part < TAP_PART_COUNT; part++)
		if (tap_part_group(part) && strcmp(tap_part_group(part), group) == 0)
			put_list(json, view, part, true);
	tap_json_object_end(json);
}

static void put_part(struct tap_json *json, const struct tap_view *view, enum tap_view_part part)
{
	enum tap_view_part whole = tap_part_whole(part);

	if (whole == TAP_PART_IO || whole == TAP_PART_MEMORY)
		put_list(json, view, TAP_PART_QUERIES, true);
	if (whole == TAP_PART_IO || whole == TAP_PART_MEMORY || whole == TAP_PART_LOCKS)
		put_group(json, view, tap_part_name(whole));
	else if (part != TAP_PART_INSTANCES)
		put_list(json, view, part, true);
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
	if (view->budget_percent > 0) {
		put_double(json, "budget_percent", view->budget_percent);
		tap_json_key(json, "over_budget");
		tap_json_bool(json, view->over_budget);
	}
	put_string(json, "probed", view->probed);
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

static void render(const struct tap_view *view, enum tap_view_part part, bool pretty, struct tap_strbuf *out)
{
	struct tap_json json;

	tap_json_begin(&json, out, pretty);
	tap_json_object_begin(&json);
	put_origin(&json, view);
	put_list(&json, view, TAP_PART_INSTANCES, part == TAP_PART_INSTANCES);
	put_loss(&json, view);
	put_overhead(&json, view);
	put_totals(&json, view);
	put_view_absent(&json, view);
	put_part(&json, view, part);
	tap_json_object_end(&json);
	tap_json_end(&json);
}

void tap_json_render(const struct tap_view *view, enum tap_view_part part, struct tap_strbuf *out)
{
	render(view, part, true, out);
}

void tap_json_render_line(const struct tap_view *view, enum tap_view_part part, struct tap_strbuf *out)
{
	render(view, part, false, out);
}
