// SPDX-License-Identifier: BSD-2-Clause
/* text_memory.c - the memory view as text: the host, control groups with a limit, queries, processes. */
#include <inttypes.h>
#include <string.h>

#include "userspace/base/number.h"
#include "userspace/output/moment.h"
#include "userspace/output/text_column.h"
#include "userspace/output/text_sections.h"
#include "userspace/output/text_tables.h"

enum {
	QUERIES = 10, /* shown; JSON and CSV have all */
};

static void cell_memory(const struct tap_text_context *context, int64_t bytes)
{
	char text[TAP_NUMBER_MAX];

	tap_table_cell(context->table, bytes == TAP_MEMORY_NONE ? NULL : tap_number_bytes(text, bytes));
}

TAP_TEXT_CELL(query_instance, tap_view_query, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(query_database, tap_view_query, tap_table_cell(context->table, row->database))
TAP_TEXT_CELL(query_calls, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_CALLS))
TAP_TEXT_CELL(query_peak, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_ANON_PEAK))
TAP_TEXT_CELL(query_growth, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_ANON_GROWTH))
TAP_TEXT_CELL(query_minor, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_MINOR_FAULTS))
TAP_TEXT_CELL(query_major, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_MAJOR_FAULTS))
TAP_TEXT_CELL(query_temp, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_TEMP))
TAP_TEXT_CELL(query_reclaim, tap_view_query, tap_cell_figure(context, &row->figures, TAP_FIGURE_RECLAIM))
TAP_TEXT_CELL(query_text, tap_view_query, tap_cell_query(context, row->kind, row->query, false))

TAP_TEXT_CELL(process_instance, tap_view_process, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(process_pid, tap_view_process, tap_cell_int(context, row->pid))
TAP_TEXT_CELL(process_database, tap_view_process, tap_table_cell(context->table, row->database))
TAP_TEXT_CELL(process_user, tap_view_process, tap_table_cell(context->table, row->user))
TAP_TEXT_CELL(process_state, tap_view_process, tap_table_cell(context->table, row->state ? row->state : row->kind))
TAP_TEXT_CELL(process_anon, tap_view_process, cell_memory(context, row->memory.anon))
TAP_TEXT_CELL(process_growth, tap_view_process, cell_memory(context, row->anon_growth))
TAP_TEXT_CELL(process_shared, tap_view_process, cell_memory(context, row->memory.shared))
TAP_TEXT_CELL(process_file, tap_view_process, cell_memory(context, row->memory.file))
TAP_TEXT_CELL(process_swap, tap_view_process, cell_memory(context, row->memory.swap))
TAP_TEXT_CELL(process_tables, tap_view_process, cell_memory(context, row->memory.page_tables))
TAP_TEXT_CELL(process_query, tap_view_process, tap_table_cell(context->table, row->query))

TAP_TEXT_CELL(kill_pid, tap_view_kill, tap_cell_int(context, row->pid))
TAP_TEXT_CELL(kill_instance, tap_view_kill, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(kill_database, tap_view_kill, tap_table_cell(context->table, row->database))
TAP_TEXT_CELL(kill_user, tap_view_kill, tap_table_cell(context->table, row->user))
TAP_TEXT_CELL(kill_anon, tap_view_kill, cell_memory(context, row->anon))
TAP_TEXT_CELL(kill_query, tap_view_kill, tap_cell_query(context, row->kind, row->query, false))

static void kill_at(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_kill *row = row_pointer;
	char text[TAP_MOMENT_MAX];

	tap_table_cell(context->table, tap_moment_clock(text, row->at_ns));
}

TAP_TEXT_CELL(group_path, tap_view_memory_group, tap_table_cell(context->table, row->path))
TAP_TEXT_CELL(group_instance, tap_view_memory_group, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(group_current, tap_view_memory_group, cell_memory(context, row->memory.current))
TAP_TEXT_CELL(group_most, tap_view_memory_group, cell_memory(context, row->memory.most))
TAP_TEXT_CELL(group_limit, tap_view_memory_group, cell_memory(context, row->memory.limit))

static void group_kills(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_memory_group *row = row_pointer;

	if (row->oom_kills == TAP_MEMORY_NONE)
		tap_table_cell(context->table, NULL);
	else
		tap_cell_int(context, row->oom_kills);
}

static const struct tap_text_column query_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, query_instance },
	{ { "DATABASE", .max = 16, .rank = 3 }, TAP_TEXT_ALWAYS, query_database },
	{ { "CALLS", .right = true, .rank = 2 }, TAP_TEXT_ALWAYS, query_calls },
	{ { "PEAK", .right = true }, TAP_TEXT_ALWAYS, query_peak },
	{ { "GROWTH", .right = true }, TAP_TEXT_ALWAYS, query_growth },
	{ { "FAULTS", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, query_minor },
	{ { "MAJOR", .right = true, .rank = 4 }, TAP_TEXT_ALWAYS, query_major },
	{ { "RECLAIM", .right = true, .rank = 6 }, TAP_TEXT_ALWAYS, query_reclaim },
	{ { "TEMP", .right = true, .rank = 5 }, TAP_TEXT_ALWAYS, query_temp },
	{ { "QUERY", .min = 24 }, TAP_TEXT_ALWAYS, query_text },
};

static const struct tap_text_column process_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, process_instance },
	{ { "PID", .right = true }, TAP_TEXT_ALWAYS, process_pid },
	{ { "DATABASE", .max = 16, .rank = 3 }, TAP_TEXT_ALWAYS, process_database },
	{ { "USER", .max = 16, .rank = 5 }, TAP_TEXT_ALWAYS, process_user },
	{ { "STATE", .max = 20 }, TAP_TEXT_ALWAYS, process_state },
	{ { "OWN", .right = true }, TAP_TEXT_ALWAYS, process_anon },
	{ { "GROWTH", .right = true }, TAP_TEXT_ALWAYS, process_growth },
	{ { "SHARED", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, process_shared },
	{ { "FILES", .right = true, .rank = 6 }, TAP_TEXT_ALWAYS, process_file },
	{ { "SWAPPED", .right = true, .rank = 2 }, TAP_TEXT_ALWAYS, process_swap },
	{ { "PAGE TABLES", .right = true, .rank = 4 }, TAP_TEXT_ALWAYS, process_tables },
	{ { "QUERY", .min = 16 }, TAP_TEXT_ALWAYS, process_query },
};

static const struct tap_text_column group_columns[] = {
	{ { "CONTROL GROUP", .min = 20 }, TAP_TEXT_ALWAYS, group_path },
	{ { "INSTANCE", .max = 24, .rank = 1 }, TAP_TEXT_ALWAYS, group_instance },
	{ { "USED", .right = true }, TAP_TEXT_ALWAYS, group_current },
	{ { "MOST", .right = true, .rank = 2 }, TAP_TEXT_ALWAYS, group_most },
	{ { "LIMIT", .right = true }, TAP_TEXT_ALWAYS, group_limit },
	{ { "OOM KILLS", .right = true }, TAP_TEXT_ALWAYS, group_kills },
};

static const struct tap_text_column kill_columns[] = {
	{ { "AT (UTC)", .max = 24 }, TAP_TEXT_ALWAYS, kill_at },
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, kill_instance },
	{ { "PID", .right = true }, TAP_TEXT_ALWAYS, kill_pid },
	{ { "DATABASE", .max = 16, .rank = 1 }, TAP_TEXT_ALWAYS, kill_database },
	{ { "USER", .max = 16, .rank = 2 }, TAP_TEXT_ALWAYS, kill_user },
	{ { "OWN", .right = true }, TAP_TEXT_ALWAYS, kill_anon },
	{ { "QUERY", .min = 24 }, TAP_TEXT_ALWAYS, kill_query },
};

_Static_assert(COUNT_OF(query_columns) <= TAP_TEXT_COLUMNS_MAX, "columns of queries");
_Static_assert(COUNT_OF(process_columns) <= TAP_TEXT_COLUMNS_MAX, "columns of processes");

static const struct tap_text_table tables[] = {
	[0] = { /* the queries, TAP_PART_MEMORY itself */ query_columns, COUNT_OF(query_columns),
		" database calls anon_peak_bytes anon_growth_bytes minor_faults "
		"major_faults reclaim_ns temp_bytes query " },
	[TAP_PART_MEMORY_PROCESSES - TAP_PART_MEMORY] = { process_columns, COUNT_OF(process_columns), " processes " },
	[TAP_PART_MEMORY_GROUPS - TAP_PART_MEMORY] = { group_columns, COUNT_OF(group_columns), " groups " },
	[TAP_PART_MEMORY_KILLS - TAP_PART_MEMORY] = { kill_columns, COUNT_OF(kill_columns), " kills " },
};

const struct tap_text_table *tap_text_memory_table(enum tap_view_part part)
{
	size_t index = part - TAP_PART_MEMORY;

	return index < COUNT_OF(tables) && tables[index].columns ? &tables[index] : NULL;
}

static void add_bytes(struct tap_strbuf *line, const char *before, int64_t bytes)
{
	char number[TAP_NUMBER_MAX];

	tap_strbuf_printf(line, "%s%s", before, bytes == TAP_MEMORY_NONE ? "-" : tap_number_bytes(number, bytes));
}

static void add_stall(struct tap_strbuf *line, const char *before, int64_t ns)
{
	char number[TAP_NUMBER_MAX];

	tap_strbuf_printf(line, "%s%s", before, ns == TAP_MEMORY_NONE ? "-" : tap_number_ns(number, ns));
}

/* "host: 21.0 GiB of 23.5 GiB available, swap 0 free of 0; tasks waited for memory 1.20 s, all at once 0" */
static void add_host(const struct tap_view_host_memory *host, size_t width, struct tap_strbuf *out)
{
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	add_bytes(&line, "host: ", host->memory.available);
	add_bytes(&line, " available of ", host->memory.total);
	add_bytes(&line, "; swap: ", host->memory.swap_free);
	add_bytes(&line, " free of ", host->memory.swap_total);
	add_stall(&line, "; waited for memory: some tasks ", host->some_stall_ns);
	add_stall(&line, ", all of them ", host->full_stall_ns);
	tap_text_flush_line(out, &line, width);
}

static void add_list(const struct tap_view *view, const char *title, enum tap_view_part part,
		     const struct tap_text_table *table, size_t limit, size_t width, struct tap_strbuf *out)
{
	struct tap_rows rows;

	tap_rows_init(&rows, view, part);
	if (!rows.count)
		return;
	tap_strbuf_printf(out, "\n%s\n", title);
	if (tap_text_rows_render(table, &rows, limit, NULL, width, out))
		out->failed = true;
}

void tap_text_memory_render(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	for (size_t i = 0; i < view->n_host_memory; i++)
		add_host(&view->host_memory[i], width, out);
	add_list(view, "KILLED FOR WANT OF MEMORY", TAP_PART_MEMORY_KILLS, tap_text_memory_table(TAP_PART_MEMORY_KILLS),
		 0, width, out);
	add_list(view, "CONTROL GROUPS", TAP_PART_MEMORY_GROUPS, tap_text_memory_table(TAP_PART_MEMORY_GROUPS), 0,
		 width, out);
	add_list(view, "QUERIES, by the most private memory that one process held", TAP_PART_QUERIES,
		 tap_text_memory_table(TAP_PART_MEMORY), QUERIES, width, out);
	add_list(view, "PROCESSES, at the end of the window", TAP_PART_MEMORY_PROCESSES,
		 tap_text_memory_table(TAP_PART_MEMORY_PROCESSES), 0, width, out);
}
