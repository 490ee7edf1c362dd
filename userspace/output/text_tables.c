// SPDX-License-Identifier: BSD-2-Clause
/* text_tables.c - the columns of queries, sessions, waits and instances, cells for all, and how a table is laid out. */
#include "userspace/output/text_tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "userspace/base/number.h"
#include "userspace/output/text_column.h"

enum {
	COMPACT_BELOW = 120, /* columns of screen; under it the kind of a row stands in another column */
	BAR = 11,	     /* columns of the bar, as wide as its title */
};

void tap_cell_figure(const struct tap_text_context *context, const struct tap_figures *figures, enum tap_figure figure)
{
	char text[TAP_NUMBER_MAX];
	int64_t value = figures->value[figure];

	if (tap_figure_absence(figures, figure))
		tap_table_cell(context->table, NULL);
	else if (tap_figure_infos[figure].unit == TAP_UNIT_NS)
		tap_table_cell(context->table, tap_number_ns(text, value));
	else if (tap_figure_infos[figure].unit == TAP_UNIT_BYTES)
		tap_table_cell(context->table, tap_number_bytes(text, value));
	else
		tap_table_cell(context->table, tap_number_count(text, value));
}

void tap_cell_share(const struct tap_text_context *context, const struct tap_figures *figures, enum tap_figure figure)
{
	char text[TAP_NUMBER_MAX];
	int64_t elapsed = figures->value[TAP_FIGURE_ELAPSED];

	if (tap_figure_absence(figures, figure) || tap_figure_absence(figures, TAP_FIGURE_ELAPSED) || elapsed <= 0)
		tap_table_cell(context->table, NULL);
	else
		tap_table_cell(context->table,
			       tap_number_percent(text, 100.0 * (double)figures->value[figure] / (double)elapsed, 0));
}

void tap_cell_latency(const struct tap_text_context *context, const struct tap_view_latency *latency)
{
	const int64_t values[] = { latency->p50, latency->p95, latency->p99 };
	char text[3 * TAP_NUMBER_MAX + 3], *to = text;

	if (latency->p50 < 0) {
		tap_table_cell(context->table, NULL);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		char number[TAP_NUMBER_MAX];

		if (i)
			*to++ = '/';
		for (const char *from = tap_number_ns(number, values[i]); *from; from++)
			if (*from != ' ')
				*to++ = *from;
	}
	*to = '\0';
	tap_table_cell(context->table, text);
}

void tap_cell_int(const struct tap_text_context *context, int64_t value)
{
	char text[TAP_NUMBER_MAX];

	snprintf(text, sizeof(text), "%" PRId64, value);
	tap_table_cell(context->table, text);
}

void tap_cell_count(const struct tap_text_context *context, uint64_t count)
{
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, tap_number_count(text, count > INT64_MAX ? INT64_MAX : (int64_t)count));
}

void tap_cell_bytes(const struct tap_text_context *context, uint64_t bytes)
{
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, tap_number_bytes(text, bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes));
}

void tap_cell_ns(const struct tap_text_context *context, int64_t ns)
{
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, tap_number_ns(text, ns));
}

void tap_cell_age(const struct tap_text_context *context, int64_t ns)
{
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, ns < 0 ? NULL : tap_number_ns(text, ns));
}

void tap_text_add_octaves(struct tap_strbuf *text, const uint64_t *octaves, size_t count)
{
	static const char *const blocks[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	const size_t steps = COUNT_OF(blocks);
	uint64_t most = 0;

	for (size_t i = 0; i < count; i++)
		most = octaves[i] > most ? octaves[i] : most;
	for (size_t i = 0; i < count; i++) {
		size_t level = most ? (size_t)((double)octaves[i] / (double)most * ((double)steps - 0.5)) : 0;

		tap_strbuf_add_string(text, octaves[i] ? blocks[level < COUNT_OF(blocks) ? level : COUNT_OF(blocks) - 1]
						       : ".");
	}
}

void tap_cell_buffer(const struct tap_text_context *context, struct tap_strbuf *text)
{
	tap_table_cell(context->table, text->data);
	*context->failed |= text->failed;
	tap_strbuf_done(text);
}

void tap_cell_pair(const struct tap_text_context *context, const char *first, const char *between, const char *second)
{
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	tap_strbuf_printf(&text, "%s%s%s", first ? first : "", first && second ? between : "", second ? second : "");
	tap_cell_buffer(context, &text);
}

void tap_cell_query(const struct tap_text_context *context, const char *kind, const char *query, bool kind_shown)
{
	struct tap_strbuf mark;

	if (!kind || (query && (kind_shown || strcmp(kind, "client") == 0))) {
		tap_table_cell(context->table, query);
		return;
	}
	if (kind_shown) {
		tap_table_cell(context->table, NULL);
		return;
	}
	tap_strbuf_init(&mark);
	tap_strbuf_printf(&mark, "[%s]", kind);
	tap_cell_pair(context, mark.data, " ", query);
	*context->failed |= mark.failed;
	tap_strbuf_done(&mark);
}

/* A row's time as a bar of letters: rounded at the seams, so that the parts add up to the whole. */
static void make_bar(char bar[BAR + 1], const struct tap_figures *figures)
{
	static const enum tap_figure parts[] = { TAP_FIGURE_CPU, TAP_FIGURE_RUNQ, TAP_FIGURE_WAIT, TAP_FIGURE_UNKNOWN };
	static const char letters[] = "crw?";
	double size[4], total = 0, seam = 0;
	size_t used = 0;

	for (size_t i = 0; i < 4; i++) {
		bool there = !tap_figure_absence(figures, parts[i]) && figures->value[parts[i]] > 0;

		size[i] = there ? (double)figures->value[parts[i]] : 0;
		total += size[i];
	}
	for (size_t i = 0; i < 4 && total > 0; i++) {
		seam += size[i];
		while (used < BAR && (double)used + 0.5 < BAR * seam / total)
			bar[used++] = letters[i];
	}
	bar[used] = '\0';
}

TAP_TEXT_CELL(query_instance, tap_view_query, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(query_kind, tap_view_query, tap_table_cell(context->table, row->kind))
TAP_TEXT_CELL(query_database, tap_view_query, tap_table_cell(context->table, row->database))
TAP_TEXT_CELL(query_user, tap_view_query, tap_table_cell(context->table, row->user))
TAP_TEXT_CELL(query_id, tap_view_query, tap_table_cell(context->table, row->query_id))
TAP_TEXT_CELL(query_calls, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_CALLS))
TAP_TEXT_CELL(query_errors, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_ERRORS))
TAP_TEXT_CELL(query_latency, tap_view_query, tap_cell_latency(context, &row->latency_ns))
TAP_TEXT_CELL(query_time, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_ELAPSED))
TAP_TEXT_CELL(query_cpu, tap_view_query, tap_cell_share(context, &row->figures, TAP_FIGURE_CPU))
TAP_TEXT_CELL(query_runq, tap_view_query, tap_cell_share(context, &row->figures, TAP_FIGURE_RUNQ))
TAP_TEXT_CELL(query_wait, tap_view_query, tap_cell_share(context, &row->figures, TAP_FIGURE_WAIT))
TAP_TEXT_CELL(query_unknown, tap_view_query, tap_cell_share(context, &row->figures, TAP_FIGURE_UNKNOWN))
TAP_TEXT_CELL(query_read, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_READ))
TAP_TEXT_CELL(query_dirtied, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_DIRTIED))
TAP_TEXT_CELL(query_text, tap_view_query, tap_cell_query(context, row->kind, row->query, !context->compact))

static void query_bar(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_query *row = row_pointer;
	char bar[BAR + 1];

	make_bar(bar, &row->figures);
	tap_table_cell(context->table, bar);
}

static void query_top_wait(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_query *row = row_pointer;

	if (row->n_waits)
		tap_cell_pair(context, row->waits[0].class_name, ":", row->waits[0].event_name);
	else
		tap_table_cell(context->table, NULL);
}

TAP_TEXT_CELL(session_instance, tap_view_session, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(session_pid, tap_view_session, tap_cell_int(context, row->pid))
TAP_TEXT_CELL(session_kind, tap_view_session, tap_table_cell(context->table, row->kind))
TAP_TEXT_CELL(session_database, tap_view_session, tap_table_cell(context->table, row->database))
TAP_TEXT_CELL(session_user, tap_view_session, tap_table_cell(context->table, row->user))
TAP_TEXT_CELL(session_application, tap_view_session, tap_table_cell(context->table, row->application))
TAP_TEXT_CELL(session_client, tap_view_session, tap_table_cell(context->table, row->client))
TAP_TEXT_CELL(session_state, tap_view_session,
	      tap_table_cell(context->table, row->state || !context->compact ? row->state : row->kind))
TAP_TEXT_CELL(session_age, tap_view_session, tap_cell_age(context, row->state_since_ns))
TAP_TEXT_CELL(session_transaction, tap_view_session, tap_cell_age(context, row->transaction_since_ns))
TAP_TEXT_CELL(session_wait, tap_view_session, tap_cell_pair(context, row->wait_class, ":", row->wait_event))
TAP_TEXT_CELL(session_read, tap_view_session, tap_cell_figure(context, &row->figures, TAP_FIGURE_READ))
TAP_TEXT_CELL(session_query, tap_view_session, tap_table_cell(context->table, row->query))

/* Of one core, as process monitors show it. */
static void session_cpu(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_session *row = row_pointer;
	char text[TAP_NUMBER_MAX];
	double percent = (double)row->figures.value[TAP_FIGURE_CPU] / 1e7 / context->view->seconds;

	if (tap_figure_absence(&row->figures, TAP_FIGURE_CPU))
		tap_table_cell(context->table, NULL);
	else
		tap_table_cell(context->table, tap_number_percent(text, percent, 1));
}

TAP_TEXT_CELL(event_instance, tap_view_event, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(event_class, tap_view_event, tap_table_cell(context->table, row->class_name))
TAP_TEXT_CELL(event_name, tap_view_event, tap_table_cell(context->table, row->event_name))
TAP_TEXT_CELL(event_count, tap_view_event, tap_cell_count(context, row->count))
TAP_TEXT_CELL(event_sessions, tap_view_event, tap_cell_count(context, row->sessions))
TAP_TEXT_CELL(event_top, tap_view_event, tap_cell_query(context, row->top_kind, row->top_query, false))

static void event_total(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_event *row = row_pointer;
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, tap_number_ns(text, row->ns));
}

static void event_average(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_event *row = row_pointer;
	char text[TAP_NUMBER_MAX];

	/* A count that does not fit is damaged; its average is none. */
	if (row->count == 0 || row->count > INT64_MAX)
		tap_table_cell(context->table, NULL);
	else
		tap_table_cell(context->table, tap_number_ns(text, row->ns / (int64_t)row->count));
}

static void event_percent(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_event *row = row_pointer;
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, row->idle ? "idle" : tap_number_percent(text, row->percent, 1));
}

TAP_TEXT_CELL(instance_id, tap_view_instance, tap_table_cell(context->table, row->id))
TAP_TEXT_CELL(instance_version, tap_view_instance, tap_cell_pair(context, row->engine, " ", row->version))
TAP_TEXT_CELL(instance_pid, tap_view_instance, tap_cell_int(context, row->pid))
TAP_TEXT_CELL(instance_connected, tap_view_instance, tap_table_cell(context->table, row->connected ? "yes" : "no"))
TAP_TEXT_CELL(instance_processes, tap_view_instance, tap_cell_count(context, row->processes))
TAP_TEXT_CELL(instance_cpu, tap_view_instance, tap_cell_figure(context, &row->figures, TAP_FIGURE_CPU))
TAP_TEXT_CELL(instance_runq, tap_view_instance, tap_cell_figure(context, &row->figures, TAP_FIGURE_RUNQ))
TAP_TEXT_CELL(instance_read, tap_view_instance, tap_cell_figure(context, &row->figures, TAP_FIGURE_READ))
TAP_TEXT_CELL(instance_dirtied, tap_view_instance, tap_cell_figure(context, &row->figures, TAP_FIGURE_DIRTIED))
TAP_TEXT_CELL(instance_data_dir, tap_view_instance, tap_table_cell(context->table, row->data_dir))
TAP_TEXT_CELL(instance_layout, tap_view_instance, tap_table_cell(context->table, row->layout))

static void instance_port(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_instance *row = row_pointer;

	if (row->port > 0)
		tap_cell_int(context, row->port);
	else
		tap_table_cell(context->table, NULL);
}

static const struct tap_text_column query_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, query_instance },
	{ { "KIND", .max = 19 }, TAP_TEXT_IF_WIDE, query_kind },
	{ { "DATABASE", .max = 16, .rank = 3 }, TAP_TEXT_ALWAYS, query_database },
	{ { "USER", .max = 16, .rank = 5 }, TAP_TEXT_ALWAYS, query_user },
	{ { "QUERY ID", .right = true, .max = 20, .rank = 7 }, TAP_TEXT_ALWAYS, query_id },
	{ { "CALLS", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, query_calls },
	{ { "ERRORS", .right = true, .rank = 6 }, TAP_TEXT_IF_LATENCY, query_errors },
	{ { "50/95/99%", .right = true, .rank = 2 }, TAP_TEXT_IF_LATENCY, query_latency },
	{ { "TIME", .right = true }, TAP_TEXT_ALWAYS, query_time },
	{ { "CPU%", .right = true }, TAP_TEXT_ALWAYS, query_cpu },
	{ { "RUNQ%", .right = true, .rank = 4 }, TAP_TEXT_ALWAYS, query_runq },
	{ { "WAIT%", .right = true }, TAP_TEXT_ALWAYS, query_wait },
	{ { "UNK%", .right = true, .rank = 9 }, TAP_TEXT_ALWAYS, query_unknown },
	{ { "CPU/RQ/WAIT", .rank = 10 }, TAP_TEXT_ALWAYS, query_bar },
	{ { "TOP WAIT", .max = 28, .rank = 2, .min = 14 }, TAP_TEXT_ALWAYS, query_top_wait },
	{ { "READ", .right = true, .rank = 6 }, TAP_TEXT_ALWAYS, query_read },
	{ { "DIRTIED", .right = true, .rank = 8 }, TAP_TEXT_ALWAYS, query_dirtied },
	{ { "QUERY", .min = 24 }, TAP_TEXT_ALWAYS, query_text },
};

static const struct tap_text_column session_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, session_instance },
	{ { "PID", .right = true }, TAP_TEXT_ALWAYS, session_pid },
	{ { "KIND", .max = 19, .rank = 6 }, TAP_TEXT_IF_WIDE, session_kind },
	{ { "DATABASE", .max = 16, .rank = 3 }, TAP_TEXT_ALWAYS, session_database },
	{ { "USER", .max = 16, .rank = 4 }, TAP_TEXT_ALWAYS, session_user },
	{ { "APPLICATION", .max = 20, .rank = 9 }, TAP_TEXT_ALWAYS, session_application },
	{ { "CLIENT", .max = 24, .rank = 8 }, TAP_TEXT_ALWAYS, session_client },
	{ { "STATE", .max = 20 }, TAP_TEXT_ALWAYS, session_state },
	{ { "AGE", .right = true }, TAP_TEXT_ALWAYS, session_age },
	{ { "XACT", .right = true, .rank = 5 }, TAP_TEXT_ALWAYS, session_transaction },
	{ { "WAIT", .max = 28, .rank = 1, .min = 14 }, TAP_TEXT_ALWAYS, session_wait },
	{ { "CPU%", .right = true, .rank = 2 }, TAP_TEXT_ALWAYS, session_cpu },
	{ { "READ", .right = true, .rank = 7 }, TAP_TEXT_ALWAYS, session_read },
	{ { "QUERY", .min = 16 }, TAP_TEXT_ALWAYS, session_query },
};

static const struct tap_text_column event_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, event_instance },
	{ { "CLASS", .max = 12 }, TAP_TEXT_ALWAYS, event_class },
	{ { "EVENT", .max = 30 }, TAP_TEXT_ALWAYS, event_name },
	{ { "COUNT", .right = true, .rank = 2 }, TAP_TEXT_ALWAYS, event_count },
	{ { "TOTAL", .right = true }, TAP_TEXT_ALWAYS, event_total },
	{ { "AVG", .right = true, .rank = 3 }, TAP_TEXT_ALWAYS, event_average },
	{ { "%", .right = true }, TAP_TEXT_ALWAYS, event_percent },
	{ { "NOW", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, event_sessions },
	{ { "TOP QUERY", .min = 20 }, TAP_TEXT_ALWAYS, event_top },
};

static const struct tap_text_column instance_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_ALWAYS, instance_id },
	{ { "VERSION", .max = 20 }, TAP_TEXT_ALWAYS, instance_version },
	{ { "PID", .right = true }, TAP_TEXT_ALWAYS, instance_pid },
	{ { "PORT", .right = true }, TAP_TEXT_ALWAYS, instance_port },
	{ { "CONN", .max = 4 }, TAP_TEXT_ALWAYS, instance_connected },
	{ { "PROCS", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, instance_processes },
	{ { "CPU", .right = true, .rank = 2 }, TAP_TEXT_ALWAYS, instance_cpu },
	{ { "RUNQ", .right = true, .rank = 5 }, TAP_TEXT_ALWAYS, instance_runq },
	{ { "READ", .right = true, .rank = 3 }, TAP_TEXT_ALWAYS, instance_read },
	{ { "DIRTIED", .right = true, .rank = 4 }, TAP_TEXT_ALWAYS, instance_dirtied },
	{ { "LAYOUT", .max = 48, .rank = 6 }, TAP_TEXT_ALWAYS, instance_layout },
	{ { "DATA DIRECTORY", .min = 20 }, TAP_TEXT_ALWAYS, instance_data_dir },
};

_Static_assert(COUNT_OF(query_columns) <= TAP_TEXT_COLUMNS_MAX, "columns of queries");
_Static_assert(COUNT_OF(session_columns) <= TAP_TEXT_COLUMNS_MAX, "columns of sessions");
_Static_assert(COUNT_OF(event_columns) <= TAP_TEXT_COLUMNS_MAX, "columns of waits");
_Static_assert(COUNT_OF(instance_columns) <= TAP_TEXT_COLUMNS_MAX, "columns of instances");

static const struct tap_text_table part_tables[] = {
	[TAP_PART_QUERIES] = { query_columns, COUNT_OF(query_columns),
			       " kind database user query_id calls elapsed_ns cpu_ns runq_ns wait_ns unknown_ns waits "
			       "read_bytes dirtied_bytes query " },
	[TAP_PART_SESSIONS] = { session_columns, COUNT_OF(session_columns),
				" kind database user application client state state_since_ns transaction_since_ns "
				"wait_class wait_event cpu_ns read_bytes query " },
	[TAP_PART_WAITS] = { event_columns, COUNT_OF(event_columns), " class event count ns percent sessions " },
	[TAP_PART_INSTANCES] = { instance_columns, COUNT_OF(instance_columns),
				 " version port processes cpu_ns runq_ns read_bytes dirtied_bytes layout data_dir " },
};

static const struct tap_text_table *table_of(enum tap_view_part part)
{
	if (part < COUNT_OF(part_tables))
		return &part_tables[part];
	if (part == TAP_PART_STATEMENTS)
		return tap_text_statement_table();
	if (tap_part_whole(part) == TAP_PART_MEMORY)
		return tap_text_memory_table(part);
	return tap_part_whole(part) == TAP_PART_IO ? tap_text_io_table(part) : tap_text_lock_table(part);
}

static bool table_shows(const struct tap_text_table *table, const char *field)
{
	const char *at = table ? table->fields : "";
	size_t size = strlen(field);

	while (size && (at = strstr(at, field))) {
		if (at[-1] == ' ' && at[size] == ' ')
			return true;
		at += size;
	}
	return false;
}

bool tap_text_table_shows(enum tap_view_part part, const char *field)
{
	if (tap_part_whole(part) != part || tap_part_group(part) || part < COUNT_OF(part_tables))
		return table_shows(table_of(part), field);
	for (int each = 0; each < TAP_PART_COUNT; each++)
		if (tap_part_whole(each) == part && table_shows(table_of(each), field))
			return true;
	return false;
}

static bool has_latencies(const struct tap_view *view)
{
	for (size_t i = 0; i < view->n_queries; i++)
		if (view->queries[i].latency_ns.p50 > 0)
			return true;
	return false;
}

static bool applies(const struct tap_text_context *context, const struct tap_text_column *column)
{
	switch (column->condition) {
	case TAP_TEXT_IF_MANY:
		return context->many;
	case TAP_TEXT_IF_WIDE:
		return !context->compact;
	case TAP_TEXT_IF_COMPACT:
		return context->compact;
	case TAP_TEXT_IF_LATENCY:
		return has_latencies(context->view);
	case TAP_TEXT_ALWAYS:
		break;
	}
	return true;
}

int tap_text_rows_render(const struct tap_text_table *table, const struct tap_rows *rows, size_t limit,
			 const void *more, size_t width, struct tap_strbuf *out)
{
	bool failed = false;
	struct tap_text_context context = { .view = rows->view,
					    .more = more,
					    .many = rows->view->n_instances > 1,
					    .compact = width && width < COMPACT_BELOW,
					    .failed = &failed };
	const struct tap_text_column *columns[TAP_TEXT_COLUMNS_MAX];
	struct tap_table_column looks[TAP_TEXT_COLUMNS_MAX];
	size_t n = 0;
	int err;

	for (size_t i = 0; i < table->count; i++) {
		if (!applies(&context, &table->columns[i]))
			continue;
		columns[n] = &table->columns[i];
		looks[n++] = table->columns[i].look;
	}
	context.table = tap_table_new(looks, n, width);
	if (!context.table)
		return -ENOMEM;
	for (size_t i = 0; i < rows->count && (!limit || i < limit); i++)
		for (size_t j = 0; j < n; j++)
			columns[j]->cell(&context, tap_rows_at(rows, i));
	err = failed ? -ENOMEM : tap_table_render(context.table, out);
	tap_table_free(context.table);
	return err;
}

int tap_text_table_render(const struct tap_view *view, enum tap_view_part part, size_t limit, size_t width,
			  struct tap_strbuf *out)
{
	const struct tap_text_table *table = table_of(part);
	struct tap_rows rows;

	tap_rows_init(&rows, view, part);
	return table ? tap_text_rows_render(table, &rows, limit, NULL, width, out) : 0;
}
