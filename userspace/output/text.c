// SPDX-License-Identifier: BSD-2-Clause
/* text.c - head and foot of text.h. */
#include "userspace/output/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "userspace/base/number.h"
#include "userspace/output/moment.h"
#include "userspace/output/paragraph.h"
#include "userspace/output/text_column.h"
#include "userspace/output/text_sections.h"
#include "userspace/output/text_tables.h"

void tap_text_flush_line(struct tap_strbuf *out, struct tap_strbuf *line, size_t width)
{
	out->failed |= line->failed;
	tap_paragraph_add(out, line->data, width);
	tap_strbuf_done(line);
}

static void add_start(struct tap_strbuf *line, int64_t realtime_ns)
{
	time_t seconds = realtime_ns / 1000000000 - (realtime_ns % 1000000000 < 0);
	char text[64];
	struct tm tm;

	if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		tap_strbuf_printf(line, " from %s UTC", text);
}

static void add_run(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "dbtap %s on %s", view->tool_version ? view->tool_version : "",
			  view->host_name ? view->host_name : "this host");
	if (view->kernel)
		tap_strbuf_printf(&line, ", Linux %s", view->kernel);
	tap_strbuf_printf(&line, ", %" PRId64 " CPU%s", view->cpus, view->cpus == 1 ? "" : "s");
	tap_strbuf_printf(&line, ": %s s", tap_number_percent(number, view->seconds, 1));
	add_start(&line, view->start_realtime_ns);
	if (view->depth)
		tap_strbuf_printf(&line, ", depth %s", view->depth);
	tap_text_flush_line(out, &line, width);
}

static void add_instance(const struct tap_view_instance *instance, size_t width, struct tap_strbuf *out)
{
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%s: %s %s, pid %" PRId64, instance->id, instance->engine,
			  instance->version ? instance->version : "(version unknown)", instance->pid);
	if (instance->port > 0)
		tap_strbuf_printf(&line, ", port %" PRId64, instance->port);
	if (instance->connected)
		tap_strbuf_add_string(&line, ", connected");
	else
		tap_strbuf_printf(&line, ", not connected%s%s", instance->not_connected_why ? ": " : "",
				  instance->not_connected_why ? instance->not_connected_why : "");
	tap_text_flush_line(out, &line, width);
}

static void add_instances(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	size_t connected = 0;
	struct tap_strbuf line;

	if (view->n_instances == 1) {
		add_instance(&view->instances[0], width, out);
		return;
	}
	for (size_t i = 0; i < view->n_instances; i++)
		connected += view->instances[i].connected;
	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%zu instances, %zu of them connected", view->n_instances, connected);
	tap_text_flush_line(out, &line, width);
}

static void add_limit(const struct tap_view *view, enum tap_view_part part, size_t width, struct tap_strbuf *out)
{
	size_t shown = 0, all = 0;
	struct tap_strbuf line;

	if (part == TAP_PART_QUERIES) {
		shown = view->n_queries;
		all = view->n_queries_all;
	} else if (part == TAP_PART_SESSIONS) {
		shown = view->n_sessions;
		all = view->n_sessions_all;
	} else if (part == TAP_PART_WAITS) {
		shown = view->n_events;
		all = view->n_events_all;
	} else if (part == TAP_PART_STATEMENTS) {
		shown = view->n_statements;
		all = view->n_statements_all;
	}
	if (shown >= all)
		return;
	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%zu of %zu %s shown (--limit)", shown, all, tap_part_name(part));
	tap_text_flush_line(out, &line, width);
}

/* One field that stands as "-", the reason, and in how many rows. */
struct note {
	struct tap_absence absence;
	size_t rows;
	bool printed;
};

struct notes {
	struct note items[TAP_ABSENT_MAX];
	size_t count;
};

static void note_absence(struct notes *notes, enum tap_view_part part, const struct tap_absence *absence, size_t rows)
{
	/* The dash of a checkpointer under CALLS needs no explanation. */
	if (!tap_text_table_shows(part, absence->field) ||
	    strcmp(absence->reason, tap_reason_texts[TAP_REASON_NOT_A_STATEMENT]) == 0)
		return;
	for (size_t i = 0; i < notes->count; i++) {
		struct note *note = &notes->items[i];

		if (strcmp(note->absence.field, absence->field) == 0 &&
		    strcmp(note->absence.reason, absence->reason) == 0) {
			note->rows += rows;
			return;
		}
	}
	if (notes->count < TAP_ABSENT_MAX)
		notes->items[notes->count++] = (struct note){ .absence = *absence, .rows = rows };
}

static void collect_notes(const struct tap_view *view, enum tap_view_part part, struct notes *notes)
{
	struct tap_absence absent[TAP_ABSENT_MAX];
	struct tap_rows rows;

	tap_rows_init(&rows, view, part);
	for (size_t i = 0; i < view->n_absent; i++)
		note_absence(notes, part, &view->absent[i], rows.count);
	for (size_t i = 0; i < rows.count; i++) {
		size_t n = tap_rows_absences(&rows, tap_rows_at(&rows, i), absent);

		for (size_t j = 0; j < n; j++)
			note_absence(notes, part, &absent[j], 1);
	}
}

/* All fields with the reason of note `first`, in one line. */
static void add_note(struct notes *notes, size_t first, size_t all_rows, size_t width, struct tap_strbuf *out)
{
	const char *reason = notes->items[first].absence.reason, *separator = "";
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_add_string(&line, "- is ");
	for (size_t i = first; i < notes->count; i++) {
		struct note *note = &notes->items[i];

		if (note->printed || strcmp(note->absence.reason, reason) != 0)
			continue;
		tap_strbuf_printf(&line, "%s%s", separator, note->absence.field);
		if (note->rows < all_rows)
			tap_strbuf_printf(&line, " (%zu row%s)", note->rows, note->rows == 1 ? "" : "s");
		note->printed = true;
		separator = ", ";
	}
	tap_strbuf_printf(&line, ": %s", reason);
	tap_text_flush_line(out, &line, width);
}

static void add_notes(const struct tap_view *view, enum tap_view_part part, size_t width, struct tap_strbuf *out)
{
	struct notes notes = { .count = 0 };
	struct tap_rows rows;

	tap_rows_init(&rows, view, part);
	collect_notes(view, part, &notes);
	for (size_t i = 0; i < notes.count; i++)
		if (!notes.items[i].printed)
			add_note(&notes, i, rows.count, width, out);
}

static void add_time(struct tap_strbuf *line, const char *name, const struct tap_view *view, enum tap_figure figure)
{
	char number[TAP_NUMBER_MAX];

	if (!tap_figure_absence(&view->totals, figure))
		tap_strbuf_printf(line, "%s %s", name, tap_number_ns(number, view->totals.value[figure]));
	else
		tap_strbuf_printf(line, "%s -", name);
}

static void add_attribution(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "time: %s %% attributed of ", tap_number_percent(number, view->attributed_percent, 2));
	add_time(&line, "all", view, TAP_FIGURE_ELAPSED);
	add_time(&line, " = CPU", view, TAP_FIGURE_CPU);
	add_time(&line, " + run queue", view, TAP_FIGURE_RUNQ);
	add_time(&line, " + waits", view, TAP_FIGURE_WAIT);
	add_time(&line, " + unknown", view, TAP_FIGURE_UNKNOWN);
	tap_text_flush_line(out, &line, width);
}

static void add_losses(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	char number[TAP_NUMBER_MAX];
	bool any = false;

	for (size_t i = 0; i < view->n_losses; i++) {
		const struct tap_view_loss *loss = &view->losses[i];
		int64_t count = loss->count > INT64_MAX ? INT64_MAX : (int64_t)loss->count;
		struct tap_strbuf line;

		if (!count)
			continue;
		any = true;
		tap_strbuf_init(&line);
		tap_strbuf_printf(&line, "loss: %s %s", loss->reason, tap_number_grouped(number, count));
		if (loss->meaning)
			tap_strbuf_printf(&line, ": %s", loss->meaning);
		tap_text_flush_line(out, &line, width);
	}
	if (!any)
		tap_strbuf_add_string(out, "loss: none\n");
}

static void add_cost(struct tap_strbuf *line, const char *name, double percent)
{
	char number[TAP_NUMBER_MAX];

	if (percent >= 0)
		tap_strbuf_printf(line, "%s %s %%", name, tap_number_percent(number, percent, 2));
	else
		tap_strbuf_printf(line, "%s -", name);
}

/* Only what is out of the ordinary. */
static void add_budget(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	bool all = !view->probed || strcmp(view->probed, "all") == 0;
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	if (!view->over_budget && all)
		return;
	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "budget of %s %%", tap_number_percent(number, view->budget_percent, 2));
	if (view->over_budget)
		tap_strbuf_printf(&line, " passed%s",
				  !view->probed || strcmp(view->probed, "none") == 0
					  ? ": ambient depth alone, and nothing is left to take off"
					  : "");
	if (!all)
		tap_strbuf_printf(&line, "%s probed: %s", view->over_budget ? "; sessions" : ": sessions",
				  view->probed);
	tap_text_flush_line(out, &line, width);
}

static void add_overhead(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	add_cost(&line, "overhead, of one core: BPF", view->bpf_cpu_percent);
	add_cost(&line, " (fingerprints", view->fingerprint_cpu_percent);
	add_cost(&line, "), traps", view->trap_cpu_percent);
	add_cost(&line, ", dbtap itself", view->tool_cpu_percent);
	if (view->tool_rss_bytes > 0)
		tap_strbuf_printf(&line, " and %s", tap_number_bytes(number, view->tool_rss_bytes));
	tap_text_flush_line(out, &line, width);
	add_budget(view, width, out);
}

static void add_foot(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	add_attribution(view, width, out);
	add_losses(view, width, out);
	add_overhead(view, width, out);
}

/* Why an instance has no connection; for one instance the head has said it. */
static void add_connections(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	for (size_t i = 0; i < view->n_instances; i++) {
		const struct tap_view_instance *instance = &view->instances[i];
		struct tap_strbuf line;

		if (instance->connected || !instance->not_connected_why)
			continue;
		tap_strbuf_init(&line);
		tap_strbuf_printf(&line, "%s: not connected: %s", instance->id, instance->not_connected_why);
		tap_text_flush_line(out, &line, width);
	}
}

static void add_table(const struct tap_view *view, enum tap_view_part part, size_t width, struct tap_strbuf *out)
{
	struct tap_rows rows;

	tap_rows_init(&rows, view, part);
	if (rows.count == 0)
		tap_strbuf_printf(out, "no %s in this window\n", tap_part_name(part));
	else if (tap_text_table_render(view, part, 0, width, out))
		out->failed = true;
}

static void add_body(const struct tap_view *view, enum tap_view_part part, size_t width, struct tap_strbuf *out)
{
	switch (tap_part_whole(part)) {
	case TAP_PART_IO:
		tap_text_io_render(view, part, width, out);
		break;
	case TAP_PART_MEMORY:
		tap_text_memory_render(view, width, out);
		break;
	case TAP_PART_LOCKS:
		tap_text_locks_render(view, part, width, out);
		break;
	default:
		add_table(view, part, width, out);
		break;
	}
}

void tap_text_render(const struct tap_view *view, enum tap_view_part part, unsigned width, struct tap_strbuf *out)
{
	add_run(view, width, out);
	add_instances(view, width, out);
	if (part == TAP_PART_QUERIES)
		tap_text_io_rates(view, width, out);
	tap_strbuf_add_char(out, '\n');
	add_body(view, part, width, out);
	tap_strbuf_add_char(out, '\n');
	add_limit(view, part, width, out);
	add_notes(view, part, width, out);
	if (part == TAP_PART_INSTANCES && view->n_instances > 1)
		add_connections(view, width, out);
	add_foot(view, width, out);
}

void tap_text_render_locks_now(const struct tap_view *view, unsigned width, struct tap_strbuf *out)
{
	char text[TAP_MOMENT_MAX];

	tap_strbuf_printf(out, "%s UTC ", tap_moment_clock(text, view->end_realtime_ns));
	tap_text_locks_now(view, width, out);
	tap_strbuf_add_char(out, '\n');
}

void tap_text_render_footer(const struct tap_view *view, struct tap_strbuf *out)
{
	add_foot(view, 0, out);
}
