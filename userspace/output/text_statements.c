// SPDX-License-Identifier: BSD-2-Clause
/* text_statements.c - single statements as text: a table of them, and each one explained as it ends. */
#include <inttypes.h>

#include "userspace/base/number.h"
#include "userspace/output/moment.h"
#include "userspace/output/text.h"
#include "userspace/output/text_column.h"

TAP_TEXT_CELL(statement_instance, tap_view_statement, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(statement_pid, tap_view_statement, tap_cell_int(context, row->pid))
TAP_TEXT_CELL(statement_database, tap_view_statement, tap_table_cell(context->table, row->database))
TAP_TEXT_CELL(statement_user, tap_view_statement, tap_table_cell(context->table, row->user))
TAP_TEXT_CELL(statement_id, tap_view_statement, tap_table_cell(context->table, row->query_id))
TAP_TEXT_CELL(statement_duration, tap_view_statement, tap_cell_ns(context, row->duration_ns))
TAP_TEXT_CELL(statement_cpu, tap_view_statement, tap_cell_ns(context, row->cpu_ns))
TAP_TEXT_CELL(statement_runq, tap_view_statement, tap_cell_ns(context, row->runq_ns))
TAP_TEXT_CELL(statement_wait, tap_view_statement, tap_cell_ns(context, row->wait_ns))
TAP_TEXT_CELL(statement_read, tap_view_statement, tap_cell_bytes(context, row->read_bytes))
TAP_TEXT_CELL(statement_query, tap_view_statement, tap_table_cell(context->table, row->query))

static void statement_ended(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_statement *row = row_pointer;
	char text[TAP_MOMENT_MAX];

	tap_table_cell(context->table, tap_moment_format(text, row->ended_ns));
}

static void statement_why(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_statement *row = row_pointer;

	if (row->failed)
		tap_table_cell(context->table, row->sqlstate ? row->sqlstate : "error");
	else
		tap_table_cell(context->table, row->slow ? "slow" : NULL);
}

static void statement_top_wait(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_statement *row = row_pointer;

	tap_cell_pair(context, row->n_waits ? row->waits[0].class_name : NULL, ":",
		      row->n_waits ? row->waits[0].event_name : NULL);
}

static const struct tap_text_column statement_columns[] = {
	{ { "ENDED", .max = 30, .rank = 4 }, TAP_TEXT_ALWAYS, statement_ended },
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, statement_instance },
	{ { "PID", .right = true, .rank = 5 }, TAP_TEXT_ALWAYS, statement_pid },
	{ { "DATABASE", .max = 16, .rank = 3 }, TAP_TEXT_ALWAYS, statement_database },
	{ { "USER", .max = 16, .rank = 6 }, TAP_TEXT_ALWAYS, statement_user },
	{ { "QUERY ID", .right = true, .max = 20, .rank = 7 }, TAP_TEXT_ALWAYS, statement_id },
	{ { "WHY", .max = 6 }, TAP_TEXT_ALWAYS, statement_why },
	{ { "TIME", .right = true }, TAP_TEXT_ALWAYS, statement_duration },
	{ { "CPU", .right = true }, TAP_TEXT_ALWAYS, statement_cpu },
	{ { "RUNQ", .right = true, .rank = 2 }, TAP_TEXT_ALWAYS, statement_runq },
	{ { "WAIT", .right = true }, TAP_TEXT_ALWAYS, statement_wait },
	{ { "TOP WAIT", .max = 28, .rank = 1, .min = 14 }, TAP_TEXT_ALWAYS, statement_top_wait },
	{ { "READ", .right = true, .rank = 8 }, TAP_TEXT_ALWAYS, statement_read },
	{ { "QUERY", .min = 24 }, TAP_TEXT_ALWAYS, statement_query },
};

_Static_assert(COUNT_OF(statement_columns) <= TAP_TEXT_COLUMNS_MAX, "columns of statements");

const struct tap_text_table *tap_text_statement_table(void)
{
	static const struct tap_text_table table = {
		statement_columns, COUNT_OF(statement_columns),
		" ended pid database user query_id duration_ns cpu_ns runq_ns wait_ns waits read_bytes query "
	};

	return &table;
}

static void add_ns(struct tap_strbuf *line, const char *name, int64_t ns)
{
	char number[TAP_NUMBER_MAX];

	if (ns)
		tap_strbuf_printf(line, ", %s %s", name, tap_number_ns(number, ns));
}

static void add_bytes(struct tap_strbuf *line, const char *name, uint64_t bytes)
{
	char number[TAP_NUMBER_MAX];

	if (bytes)
		tap_strbuf_printf(line, ", %s %s", name,
				  tap_number_bytes(number, bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes));
}

static void add_count(struct tap_strbuf *line, const char *name, uint64_t count)
{
	if (count)
		tap_strbuf_printf(line, ", %" PRIu64 " %s", count, name);
}

static void add_waits(struct tap_strbuf *line, const struct tap_view_statement *statement)
{
	char number[TAP_NUMBER_MAX];

	for (size_t i = 0; i < statement->n_waits; i++)
		tap_strbuf_printf(line, ", %s:%s %s (%" PRIu64 ")", statement->waits[i].class_name,
				  statement->waits[i].event_name, tap_number_ns(number, statement->waits[i].ns),
				  statement->waits[i].count);
}

static void add_who(struct tap_strbuf *line, const struct tap_view_statement *statement)
{
	char text[TAP_MOMENT_MAX];

	tap_strbuf_printf(line, "%s %s", tap_moment_format(text, statement->ended_ns), statement->instance);
	if (statement->database)
		tap_strbuf_printf(line, " %s", statement->database);
	if (statement->user)
		tap_strbuf_printf(line, " %s", statement->user);
	tap_strbuf_printf(line, " pid %" PRId64 ": ", statement->pid);
}

/* Where its time went, then its text. */
static void add_statement(const struct tap_view_statement *statement, unsigned width, struct tap_strbuf *out)
{
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	add_who(&line, statement);
	tap_strbuf_add_string(&line, tap_number_ns(number, statement->duration_ns));
	if (statement->failed)
		tap_strbuf_printf(&line, ", failed%s%s", statement->sqlstate ? ": " : "",
				  statement->sqlstate ? statement->sqlstate : "");
	tap_strbuf_printf(&line, " = CPU %s", tap_number_ns(number, statement->cpu_ns));
	add_ns(&line, "run queue", statement->runq_ns);
	add_waits(&line, statement);
	add_ns(&line, "unknown", statement->unknown_ns);
	add_bytes(&line, "asked to read", statement->rchar_bytes);
	add_bytes(&line, "read", statement->read_bytes);
	add_bytes(&line, "dirtied", statement->dirtied_bytes);
	add_count(&line, "minor faults", statement->minor_faults);
	add_count(&line, "major faults", statement->major_faults);
	tap_text_flush_line(out, &line, width);
	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "    %s%s", statement->query ? statement->query : "-", statement->cut ? " ..." : "");
	tap_text_flush_line(out, &line, width);
}

void tap_text_render_statements_now(const struct tap_view *view, unsigned width, struct tap_strbuf *out)
{
	for (size_t i = 0; i < view->n_statements; i++)
		add_statement(&view->statements[i], width, out);
	for (size_t i = 0; i < view->n_losses; i++) {
		if (view->losses[i].count)
			tap_strbuf_printf(out, "loss: %s %" PRIu64 "\n", view->losses[i].reason, view->losses[i].count);
	}
}
