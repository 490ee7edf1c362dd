// SPDX-License-Identifier: BSD-2-Clause
/* statements.c - `dbtap statements`: single statements that were slow, with where their time went. */
#include <stdio.h>
#include <string.h>

#include "userspace/base/clock.h"
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"
#include "userspace/output/csv.h"
#include "userspace/output/json.h"
#include "userspace/output/text.h"

enum {
	STEP_MS = 200, /* from one look to the next, while statements are followed */
	SLOW_MS = 100,
	SLOWEST = 3,
};

/* The header of CSV once. */
static void render_csv(const struct tap_view *view, bool first, struct tap_strbuf *out)
{
	struct tap_strbuf csv;
	const char *rows;

	tap_strbuf_init(&csv);
	tap_csv_render(view, TAP_PART_STATEMENTS, &csv);
	rows = csv.failed ? NULL : first ? csv.data : strstr(csv.data, "\r\n");
	if (rows)
		tap_strbuf_add_string(out, first ? rows : rows + 2);
	else
		out->failed = true;
	tap_strbuf_done(&csv);
}

/* Each in a few lines, or in a row of CSV; those that came at once in a line of JSON. */
static void render(const struct tap_options *options, const struct tap_view *view, bool first, struct tap_strbuf *out)
{
	switch (options->format) {
	case TAP_FORMAT_JSON:
		tap_json_render_line(view, TAP_PART_STATEMENTS, out);
		break;
	case TAP_FORMAT_CSV:
		render_csv(view, first, out);
		break;
	default:
		tap_text_render_statements_now(view, tap_run_columns(160), out);
		break;
	}
}

static int draw(struct tap_live *live, const struct tap_options *options, bool *first)
{
	struct tap_window_options window = tap_run_window(options, TAP_PART_STATEMENTS);
	struct tap_error err = { "" };
	struct tap_view *view;
	struct tap_strbuf text;
	int status;

	window.as_they_came = true;
	window.limit = 0;
	if (tap_live_view(live, &window, &view, &err)) {
		tap_complain(err.text);
		return TAP_EXIT_FAILED;
	}
	tap_strbuf_init(&text);
	render(options, view, *first, &text);
	status = tap_run_write(options, &text);
	tap_strbuf_done(&text);
	tap_view_free(view);
	tap_live_next(live);
	*first = false;
	return status;
}

static int watch_loop(struct tap_live *live, const struct tap_options *options)
{
	int64_t until = tap_clock_ms() + (int64_t)(options->duration * 1000);
	bool first = true, over = false;
	struct tap_error err = { "" };
	int status = TAP_EXIT_OK;

	while (status == TAP_EXIT_OK && !over) {
		if (tap_live_wait(live, STEP_MS / 1000.0, &tap_run_stop, &err)) {
			tap_complain(err.text);
			return TAP_EXIT_FAILED;
		}
		over = tap_run_stop || (options->duration_given && tap_clock_ms() >= until);
		/* The last look also takes what has come since the one before. */
		if (tap_live_statements(live) || over)
			status = draw(live, options, &first);
	}
	return status;
}

static int watch(const struct tap_options *options)
{
	struct tap_live *live = NULL;
	bool partial = false;
	int status;

	tap_run_signals();
	status = tap_run_open(options, TAP_PART_STATEMENTS, &live, &partial);
	if (status != TAP_EXIT_OK)
		return status;
	tap_live_connect(live);
	status = watch_loop(live, options);
	tap_live_free(live);
	return status == TAP_EXIT_OK && partial ? TAP_EXIT_PARTIAL : status;
}

static int run(const struct tap_options *options)
{
	struct tap_options mine = *options;

	mine.depth = TAP_DEPTH_STATEMENT;
	if (mine.slow_ms < 0)
		mine.slow_ms = SLOW_MS;
	/* As they end there is no telling which will have been the slowest. */
	if (mine.slowest < 0)
		mine.slowest = mine.watch ? 0 : SLOWEST;
	return mine.watch ? watch(&mine) : tap_run_view(&mine, TAP_PART_STATEMENTS);
}

const struct tap_command tap_command_statements = {
	.name = "statements",
	.summary = "single statements that were slow, and where the time of each one went",
	.description =
		"Observes for a while at depth statement, then prints each statement that took as long as --slow "
		"or longer, and the\n"
		"slowest of each query: CPU, run queue, waits, reads, and its whole text. With --watch each is "
		"printed as it ends: a\n"
		"slow log that explains itself. Literals are removed from texts unless --raw-text is given.",
	.arguments = "",
	.options =
		TAP_OPTIONS_VIEW | TAP_OPTIONS_OUTPUT | TAP_OPTIONS_TRACE | TAP_OPTIONS_SELECT | TAP_OPTIONS_STATEMENTS,
	.run = run,
};
