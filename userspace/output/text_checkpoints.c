// SPDX-License-Identifier: BSD-2-Clause
/* text_checkpoints.c - the checkpoints of the io view as text: when they ran, and what others waited meanwhile. */
#include <inttypes.h>

#include "userspace/base/number.h"
#include "userspace/output/moment.h"
#include "userspace/output/text_column.h"
#include "userspace/output/text_sections.h"

enum {
	RUNS_SHOWN = 5, /* of one instance: the last ones */
};

static void add_ns(struct tap_strbuf *line, const char *before, int64_t ns, const char *after)
{
	char number[TAP_NUMBER_MAX];

	if (ns >= 0)
		tap_strbuf_printf(line, "%s%s%s", before, tap_number_ns(number, ns), after);
}

static void add_run(const struct tap_view_checkpoint_run *run, size_t width, struct tap_strbuf *out)
{
	const char *phase = run->phase ? run->phase : "?";
	char moment[TAP_MOMENT_MAX], number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "- from %s", tap_moment_clock(moment, run->begin_ns));
	if (run->end_ns >= 0)
		tap_strbuf_printf(&line, " to %s, %s", tap_moment_clock(moment, run->end_ns), phase);
	else
		tap_strbuf_printf(&line, ", %s", phase);
	if (run->buffers >= 0)
		tap_strbuf_printf(&line, ": wrote %s buffers", tap_number_grouped(number, run->buffers));
	add_ns(&line, " in ", run->write_ns, "");
	if (run->files >= 0)
		tap_strbuf_printf(&line, ", synced %s files", tap_number_grouped(number, run->files));
	else if (run->sync_ns >= 0)
		tap_strbuf_add_string(&line, ", synced");
	add_ns(&line, " in ", run->sync_ns, "");
	add_ns(&line, " (longest ", run->longest_sync_ns, ")");
	tap_text_flush_line(out, &line, width);
}

static void add_span(struct tap_strbuf *line, const struct tap_view_span *span, const char *when)
{
	char number[TAP_NUMBER_MAX];

	if (span->requests < 0 || span->latency.p50 < 0) {
		tap_strbuf_printf(line, " none %s", when);
		return;
	}
	add_ns(line, " ", span->latency.p50, " /");
	add_ns(line, " ", span->latency.p95, " /");
	add_ns(line, " ", span->latency.p99, "");
	tap_strbuf_printf(line, " %s (%s)", when, tap_number_grouped(number, span->requests));
}

static void add_direction(const struct tap_view_checkpoints *row, const char *direction,
			  const struct tap_view_span *during, const struct tap_view_span *outside, size_t width,
			  struct tap_strbuf *out)
{
	struct tap_strbuf line;

	if (during->requests <= 0 && outside->requests <= 0)
		return;
	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "- others' %s on %s, 50/95/99 %%:", direction, row->devices ? row->devices : "?");
	add_span(&line, during, "during");
	tap_strbuf_add_char(&line, ';');
	add_span(&line, outside, "outside");
	tap_text_flush_line(out, &line, width);
}

static void add_head(const struct tap_view_checkpoints *row, size_t width, struct tap_strbuf *out)
{
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%s: ", row->instance ? row->instance : "?");
	if (row->count < 0)
		tap_strbuf_printf(&line, "not known: %s", row->n_absent ? row->absent[0].reason : "?");
	else if (!row->count)
		tap_strbuf_add_string(&line, "no checkpoint ran in this window");
	else
		tap_strbuf_printf(&line, "%s%" PRId64 " checkpoint%s", row->cut ? "at least " : "", row->count,
				  row->count == 1 ? "" : "s");
	if (row->count > 0) {
		add_ns(&line, ", ", row->running_ns, " of the window");
		tap_strbuf_printf(&line, " (%s %%)", tap_number_percent(number, row->running_percent, 0));
	}
	if (row->count > 0 && row->write_bytes >= 0) {
		tap_strbuf_printf(&line, "; charged with %s written", tap_number_bytes(number, row->write_bytes));
		tap_strbuf_printf(&line, ", submitted %s", tap_number_bytes(number, row->submitted_write_bytes));
	}
	tap_text_flush_line(out, &line, width);
}

static void add_instance(const struct tap_view_checkpoints *row, size_t width, struct tap_strbuf *out)
{
	size_t first = row->n_runs > RUNS_SHOWN ? row->n_runs - RUNS_SHOWN : 0;

	add_head(row, width, out);
	for (size_t i = first; i < row->n_runs; i++)
		add_run(&row->runs[i], width, out);
	if (row->count <= 0)
		return;
	add_direction(row, "reads", &row->read_during, &row->read_outside, width, out);
	add_direction(row, "writes", &row->write_during, &row->write_outside, width, out);
	add_direction(row, "flushes", &row->flush_during, &row->flush_outside, width, out);
}

void tap_text_checkpoints_render(const struct tap_view *view, bool all, size_t width, struct tap_strbuf *out)
{
	bool titled = all;

	for (size_t i = 0; i < view->n_checkpoints; i++) {
		const struct tap_view_checkpoints *row = &view->checkpoints[i];

		if (!all && row->count <= 0)
			continue;
		if (!titled)
			tap_strbuf_add_string(out, "\nCHECKPOINTS (--by checkpoint)\n");
		titled = true;
		add_instance(row, width, out);
	}
}
