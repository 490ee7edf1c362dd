// SPDX-License-Identifier: BSD-2-Clause
/* text_tables.c - columns and cells of text_tables.h. */
#include "userspace/output/text_tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "userspace/base/number.h"
#include "userspace/output/table.h"

enum {
	COMPACT_BELOW = 120, /* columns of screen; under it the kind of a row stands in another column */
	BAR = 11,	     /* columns of the bar, as wide as its title */
};

/* What the cells of one table are made from. */
struct context {
	const struct tap_view *view;
	struct tap_table *table;
	bool many; /* instances: rows name theirs */
	bool compact;
	bool *failed; /* out of memory while a cell was put together */
};

/* Titles and cells must stand in the same order; a column with a condition is left out of both. */
enum condition {
	ALWAYS,
	IF_MANY,
	IF_WIDE,
};

struct column {
	struct tap_table_column look;
	enum condition condition;
	void (*cell)(const struct context *context, const void *row);
};

static void put_number(const struct context *context, const struct tap_figures *figures, enum tap_figure figure)
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

/* Of the row's elapsed time. */
static void put_share(const struct context *context, const struct tap_figures *figures, enum tap_figure figure)
{
	char text[TAP_NUMBER_MAX];
	int64_t elapsed = figures->value[TAP_FIGURE_ELAPSED];

	if (tap_figure_absence(figures, figure) || tap_figure_absence(figures, TAP_FIGURE_ELAPSED) || elapsed <= 0)
		tap_table_cell(context->table, NULL);
	else
		tap_table_cell(context->table,
			       tap_number_percent(text, 100.0 * (double)figures->value[figure] / (double)elapsed, 0));
}

static void put_int(const struct context *context, int64_t value)
{
	char text[TAP_NUMBER_MAX];

	snprintf(text, sizeof(text), "%" PRId64, value);
	tap_table_cell(context->table, text);
}

static void put_count(const struct context *context, uint64_t count)
{
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, tap_number_count(text, count > INT64_MAX ? INT64_MAX : (int64_t)count));
}

static void put_age(const struct context *context, int64_t ns)
{
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, ns < 0 ? NULL : tap_number_ns(text, ns));
}

/* Two texts with something between, either may be missing. */
static void put_pair(const struct context *context, const char *first, const char *between, const char *second)
{
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	tap_strbuf_printf(&text, "%s%s%s", first ? first : "", first && second ? between : "", second ? second : "");
	tap_table_cell(context->table, text.data);
	*context->failed |= text.failed;
	tap_strbuf_done(&text);
}

/* The text; where the kind has no column of its own and is not what one expects, the kind before it. */
static void put_query(const struct context *context, const char *kind, const char *query, bool kind_shown)
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
	put_pair(context, mark.data, " ", query);
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

/* Generates the cell function that shows one member of a row. */
#define CELL(function, row_type, statement) \
	static void function(const struct context *context, const void *row_pointer) \
	{ \
		const struct row_type *row = row_pointer; \
\
		statement; \
	}

CELL(query_instance, tap_view_query, tap_table_cell(context->table, row->instance))
CELL(query_kind, tap_view_query, tap_table_cell(context->table, row->kind))
CELL(query_database, tap_view_query, tap_table_cell(context->table, row->database))
CELL(query_user, tap_view_query, tap_table_cell(context->table, row->user))
CELL(query_id, tap_view_query, tap_table_cell(context->table, row->query_id))
CELL(query_calls, tap_view_query, put_number(context, &row->figures, TAP_FIGURE_CALLS))
CELL(query_time, tap_view_query, put_number(context, &row->figures, TAP_FIGURE_ELAPSED))
CELL(query_cpu, tap_view_query, put_share(context, &row->figures, TAP_FIGURE_CPU))
CELL(query_runq, tap_view_query, put_share(context, &row->figures, TAP_FIGURE_RUNQ))
CELL(query_wait, tap_view_query, put_share(context, &row->figures, TAP_FIGURE_WAIT))
CELL(query_unknown, tap_view_query, put_share(context, &row->figures, TAP_FIGURE_UNKNOWN))
CELL(query_read, tap_view_query, put_number(context, &row->figures, TAP_FIGURE_READ))
CELL(query_dirtied, tap_view_query, put_number(context, &row->figures, TAP_FIGURE_DIRTIED))
CELL(query_text, tap_view_query, put_query(context, row->kind, row->query, !context->compact))

static void query_bar(const struct context *context, const void *row_pointer)
{
	const struct tap_view_query *row = row_pointer;
	char bar[BAR + 1];

	make_bar(bar, &row->figures);
	tap_table_cell(context->table, bar);
}

static void query_top_wait(const struct context *context, const void *row_pointer)
{
	const struct tap_view_query *row = row_pointer;

	if (row->n_waits)
		put_pair(context, row->waits[0].class_name, ":", row->waits[0].event_name);
	else
		tap_table_cell(context->table, NULL);
}

CELL(session_instance, tap_view_session, tap_table_cell(context->table, row->instance))
CELL(session_pid, tap_view_session, put_int(context, row->pid))
CELL(session_kind, tap_view_session, tap_table_cell(context->table, row->kind))
CELL(session_database, tap_view_session, tap_table_cell(context->table, row->database))
CELL(session_user, tap_view_session, tap_table_cell(context->table, row->user))
CELL(session_application, tap_view_session, tap_table_cell(context->table, row->application))
CELL(session_client, tap_view_session, tap_table_cell(context->table, row->client))
CELL(session_state, tap_view_session,
     tap_table_cell(context->table, row->state || !context->compact ? row->state : row->kind))
CELL(session_age, tap_view_session, put_age(context, row->state_since_ns))
CELL(session_transaction, tap_view_session, put_age(context, row->transaction_since_ns))
CELL(session_wait, tap_view_session, put_pair(context, row->wait_class, ":", row->wait_event))
CELL(session_read, tap_view_session, put_number(context, &row->figures, TAP_FIGURE_READ))
CELL(session_query, tap_view_session, tap_table_cell(context->table, row->query))

/* Of one core, as process monitors show it. */
static void session_cpu(const struct context *context, const void *row_pointer)
{
	const struct tap_view_session *row = row_pointer;
	char text[TAP_NUMBER_MAX];
	double percent = (double)row->figures.value[TAP_FIGURE_CPU] / 1e7 / context->view->seconds;

	if (tap_figure_absence(&row->figures, TAP_FIGURE_CPU))
		tap_table_cell(context->table, NULL);
	else
		tap_table_cell(context->table, tap_number_percent(text, percent, 1));
}

CELL(event_instance, tap_view_event, tap_table_cell(context->table, row->instance))
CELL(event_class, tap_view_event, tap_table_cell(context->table, row->class_name))
CELL(event_name, tap_view_event, tap_table_cell(context->table, row->event_name))
CELL(event_count, tap_view_event, put_count(context, row->count))
CELL(event_sessions, tap_view_event, put_count(context, row->sessions))
CELL(event_top, tap_view_event, put_query(context, row->top_kind, row->top_query, false))

static void event_total(const struct context *context, const void *row_pointer)
{
	const struct tap_view_event *row = row_pointer;
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, tap_number_ns(text, row->ns));
}

static void event_average(const struct context *context, const void *row_pointer)
{
	const struct tap_view_event *row = row_pointer;
	char text[TAP_NUMBER_MAX];

	/* A count that does not fit is damaged; its average is none. */
	if (row->count == 0 || row->count > INT64_MAX)
		tap_table_cell(context->table, NULL);
	else
		tap_table_cell(context->table, tap_number_ns(text, row->ns / (int64_t)row->count));
}

static void event_percent(const struct context *context, const void *row_pointer)
{
	const struct tap_view_event *row = row_pointer;
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, row->idle ? "idle" : tap_number_percent(text, row->percent, 1));
}

CELL(instance_id, tap_view_instance, tap_table_cell(context->table, row->id))
CELL(instance_version, tap_view_instance, put_pair(context, row->engine, " ", row->version))
CELL(instance_pid, tap_view_instance, put_int(context, row->pid))
CELL(instance_connected, tap_view_instance, tap_table_cell(context->table, row->connected ? "yes" : "no"))
CELL(instance_processes, tap_view_instance, put_count(context, row->processes))
CELL(instance_cpu, tap_view_instance, put_number(context, &row->figures, TAP_FIGURE_CPU))
CELL(instance_runq, tap_view_instance, put_number(context, &row->figures, TAP_FIGURE_RUNQ))
CELL(instance_read, tap_view_instance, put_number(context, &row->figures, TAP_FIGURE_READ))
CELL(instance_dirtied, tap_view_instance, put_number(context, &row->figures, TAP_FIGURE_DIRTIED))
CELL(instance_data_dir, tap_view_instance, tap_table_cell(context->table, row->data_dir))
CELL(instance_layout, tap_view_instance, tap_table_cell(context->table, row->layout))

static void instance_port(const struct context *context, const void *row_pointer)
{
	const struct tap_view_instance *row = row_pointer;

	if (row->port > 0)
		put_int(context, row->port);
	else
		tap_table_cell(context->table, NULL);
}

static const struct column query_columns[] = {
	{ { "INSTANCE", .max = 24 }, IF_MANY, query_instance },
	{ { "KIND", .max = 19 }, IF_WIDE, query_kind },
	{ { "DATABASE", .max = 16, .rank = 3 }, ALWAYS, query_database },
	{ { "USER", .max = 16, .rank = 5 }, ALWAYS, query_user },
	{ { "QUERY ID", .right = true, .max = 20, .rank = 7 }, ALWAYS, query_id },
	{ { "CALLS", .right = true, .rank = 1 }, ALWAYS, query_calls },
	{ { "TIME", .right = true }, ALWAYS, query_time },
	{ { "CPU%", .right = true }, ALWAYS, query_cpu },
	{ { "RUNQ%", .right = true, .rank = 4 }, ALWAYS, query_runq },
	{ { "WAIT%", .right = true }, ALWAYS, query_wait },
	{ { "UNK%", .right = true, .rank = 9 }, ALWAYS, query_unknown },
	{ { "CPU/RQ/WAIT", .rank = 10 }, ALWAYS, query_bar },
	{ { "TOP WAIT", .max = 28, .rank = 2, .min = 14 }, ALWAYS, query_top_wait },
	{ { "READ", .right = true, .rank = 6 }, ALWAYS, query_read },
	{ { "DIRTIED", .right = true, .rank = 8 }, ALWAYS, query_dirtied },
	{ { "QUERY", .min = 24 }, ALWAYS, query_text },
};

static const struct column session_columns[] = {
	{ { "INSTANCE", .max = 24 }, IF_MANY, session_instance },
	{ { "PID", .right = true }, ALWAYS, session_pid },
	{ { "KIND", .max = 19, .rank = 6 }, IF_WIDE, session_kind },
	{ { "DATABASE", .max = 16, .rank = 3 }, ALWAYS, session_database },
	{ { "USER", .max = 16, .rank = 4 }, ALWAYS, session_user },
	{ { "APPLICATION", .max = 20, .rank = 9 }, ALWAYS, session_application },
	{ { "CLIENT", .max = 24, .rank = 8 }, ALWAYS, session_client },
	{ { "STATE", .max = 20 }, ALWAYS, session_state },
	{ { "AGE", .right = true }, ALWAYS, session_age },
	{ { "XACT", .right = true, .rank = 5 }, ALWAYS, session_transaction },
	{ { "WAIT", .max = 28, .rank = 1, .min = 14 }, ALWAYS, session_wait },
	{ { "CPU%", .right = true, .rank = 2 }, ALWAYS, session_cpu },
	{ { "READ", .right = true, .rank = 7 }, ALWAYS, session_read },
	{ { "QUERY", .min = 16 }, ALWAYS, session_query },
};

static const struct column event_columns[] = {
	{ { "INSTANCE", .max = 24 }, IF_MANY, event_instance },
	{ { "CLASS", .max = 12 }, ALWAYS, event_class },
	{ { "EVENT", .max = 30 }, ALWAYS, event_name },
	{ { "COUNT", .right = true, .rank = 2 }, ALWAYS, event_count },
	{ { "TOTAL", .right = true }, ALWAYS, event_total },
	{ { "AVG", .right = true, .rank = 3 }, ALWAYS, event_average },
	{ { "%", .right = true }, ALWAYS, event_percent },
	{ { "NOW", .right = true, .rank = 1 }, ALWAYS, event_sessions },
	{ { "TOP QUERY", .min = 20 }, ALWAYS, event_top },
};

static const struct column instance_columns[] = {
	{ { "INSTANCE", .max = 24 }, ALWAYS, instance_id },
	{ { "VERSION", .max = 20 }, ALWAYS, instance_version },
	{ { "PID", .right = true }, ALWAYS, instance_pid },
	{ { "PORT", .right = true }, ALWAYS, instance_port },
	{ { "CONN", .max = 4 }, ALWAYS, instance_connected },
	{ { "PROCS", .right = true, .rank = 1 }, ALWAYS, instance_processes },
	{ { "CPU", .right = true, .rank = 2 }, ALWAYS, instance_cpu },
	{ { "RUNQ", .right = true, .rank = 5 }, ALWAYS, instance_runq },
	{ { "READ", .right = true, .rank = 3 }, ALWAYS, instance_read },
	{ { "DIRTIED", .right = true, .rank = 4 }, ALWAYS, instance_dirtied },
	{ { "LAYOUT", .max = 48, .rank = 6 }, ALWAYS, instance_layout },
	{ { "DATA DIRECTORY", .min = 20 }, ALWAYS, instance_data_dir },
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
enum {
	MAX_COLUMNS = COUNT_OF(query_columns), /* of any part */
};
_Static_assert(COUNT_OF(session_columns) <= MAX_COLUMNS, "columns of sessions");
_Static_assert(COUNT_OF(event_columns) <= MAX_COLUMNS, "columns of waits");
_Static_assert(COUNT_OF(instance_columns) <= MAX_COLUMNS, "columns of instances");

static const struct part_columns {
	const struct column *columns;
	size_t count;
	const char *fields; /* with a space before and after each */
} part_columns[TAP_PART_COUNT] = {
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

bool tap_text_table_shows(enum tap_view_part part, const char *field)
{
	const char *at = part_columns[part].fields;
	size_t size = strlen(field);

	while (size && (at = strstr(at, field))) {
		if (at[-1] == ' ' && at[size] == ' ')
			return true;
		at += size;
	}
	return false;
}

static bool applies(const struct context *context, const struct column *column)
{
	switch (column->condition) {
	case IF_MANY:
		return context->many;
	case IF_WIDE:
		return !context->compact;
	case ALWAYS:
		break;
	}
	return true;
}

int tap_text_table_render(const struct tap_view *view, enum tap_view_part part, size_t width, struct tap_strbuf *out)
{
	bool failed = false;
	struct context context = { .view = view,
				   .many = view->n_instances > 1,
				   .compact = width && width < COMPACT_BELOW,
				   .failed = &failed };
	const struct part_columns *all = &part_columns[part];
	const struct column *columns[MAX_COLUMNS];
	struct tap_table_column looks[MAX_COLUMNS];
	struct tap_rows rows;
	size_t n = 0;
	int err;

	for (size_t i = 0; i < all->count; i++) {
		if (!applies(&context, &all->columns[i]))
			continue;
		columns[n] = &all->columns[i];
		looks[n++] = all->columns[i].look;
	}
	context.table = tap_table_new(looks, n, width);
	if (!context.table)
		return -ENOMEM;
	tap_rows_init(&rows, view, part);
	for (size_t i = 0; i < rows.count; i++)
		for (size_t j = 0; j < n; j++)
			columns[j]->cell(&context, tap_rows_at(&rows, i));
	err = failed ? -ENOMEM : tap_table_render(context.table, out);
	tap_table_free(context.table);
	return err;
}
