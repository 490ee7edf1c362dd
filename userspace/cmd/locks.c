// SPDX-License-Identifier: BSD-2-Clause
/* locks.c - `dbtap locks`: who waits for whom, once at the end of a window or again and again. */
#include <stdio.h>
#include <unistd.h>

#include "userspace/base/clock.h"
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"
#include "userspace/output/json.h"
#include "userspace/output/text.h"

enum {
	LEAST_MS = 150,	   /* from one print to the next: a wait that begins is to be seen within 200 */
	WATCH_LIMIT = 100, /* rows of each list in an object of the stream, unless --limit says so */
};

/* A screen that follows, on a terminal; elsewhere one short block, or one JSON object in a line, after the other. */
static void render(const struct tap_options *options, const struct tap_view *view, struct tap_strbuf *out)
{
	bool clear = !options->output && isatty(STDOUT_FILENO);

	if (options->format == TAP_FORMAT_JSON) {
		tap_json_render_line(view, TAP_PART_LOCKS, out);
	} else if (clear) {
		tap_strbuf_add_string(out, "\033[H\033[2J");
		tap_text_render(view, TAP_PART_LOCKS, tap_run_columns(120), out);
	} else {
		tap_text_render_locks_now(view, tap_run_columns(160), out);
	}
}

/* Whether there is something to print: somebody waits or waited, or just now nobody does any more. */
static bool is_news(const struct tap_view *view, bool *waited)
{
	bool waits = view->locks.n_waits || view->locks.n_cycles || view->locks.n_past, before = *waited;

	*waited = waits;
	return waits || before;
}

static int draw(struct tap_live *live, const struct tap_options *options, bool *waited)
{
	struct tap_window_options window = tap_run_window(options, TAP_PART_LOCKS);
	struct tap_error err = { "" };
	int status = TAP_EXIT_OK;
	struct tap_view *view;
	struct tap_strbuf text;

	if (options->limit < 0 && !window.limit)
		window.limit = WATCH_LIMIT;
	if (tap_live_view(live, &window, &view, &err)) {
		tap_complain(err.text);
		return TAP_EXIT_FAILED;
	}
	if (is_news(view, waited)) {
		tap_strbuf_init(&text);
		render(options, view, &text);
		status = tap_run_write(options, &text);
		tap_strbuf_done(&text);
	}
	tap_view_free(view);
	tap_live_next(live);
	return status;
}

/* Until something has changed or the interval is over, but not so soon that printing would be all there is time for. */
static int wait_for_news(struct tap_live *live, const struct tap_options *options)
{
	int64_t begin_ms = tap_clock_ms(), left_ms;
	struct tap_error err = { "" };
	bool changed = false;
	int status = tap_live_wait_locks(live, options->interval, &tap_run_stop, &changed, &err);

	left_ms = begin_ms + LEAST_MS - tap_clock_ms();
	if (!status && changed && left_ms > 0)
		status = tap_live_wait(live, (double)left_ms / 1000, &tap_run_stop, &err);
	if (!status)
		return TAP_EXIT_OK;
	tap_complain(err.text);
	return TAP_EXIT_FAILED;
}

static int watch_loop(struct tap_live *live, const struct tap_options *options)
{
	int64_t until = tap_clock_ms() + (int64_t)(options->duration * 1000);
	int status = TAP_EXIT_OK;
	bool waited = true; /* the first one is printed whatever it shows */

	while (status == TAP_EXIT_OK && !tap_run_stop) {
		if (options->duration_given && tap_clock_ms() >= until)
			break;
		status = draw(live, options, &waited);
		if (status == TAP_EXIT_OK)
			status = wait_for_news(live, options);
	}
	return status;
}

static int watch(const struct tap_options *options)
{
	struct tap_live *live = NULL;
	bool partial = false;
	int status;

	if (options->format != TAP_FORMAT_TEXT && options->format != TAP_FORMAT_JSON) {
		tap_complain("--watch prints text or json: use another --format without it");
		return TAP_EXIT_USAGE;
	}
	tap_run_signals();
	status = tap_run_open(options, TAP_PART_LOCKS, &live, &partial);
	if (status != TAP_EXIT_OK)
		return status;
	tap_live_connect(live);
	status = watch_loop(live, options);
	tap_live_free(live);
	return status == TAP_EXIT_OK && partial ? TAP_EXIT_PARTIAL : status;
}

static int run(const struct tap_options *options)
{
	static const enum tap_view_part parts[] = {
		[TAP_BY_ALL] = TAP_PART_LOCKS,		 [TAP_BY_SESSION] = TAP_PART_LOCK_WAITS,
		[TAP_BY_QUERY] = TAP_PART_LOCK_BY_QUERY, [TAP_BY_LOCK] = TAP_PART_LOCK_BY_LOCK,
		[TAP_BY_BLOCKER] = TAP_PART_LOCK_LOSSES, [TAP_BY_EVENT] = TAP_PART_LOCK_INTERNAL,
	};

	return options->watch ? watch(options) : tap_run_view(options, parts[options->by]);
}

const struct tap_command tap_command_locks = {
	.name = "locks",
	.summary = "who waits for whose locks, who blocks them all, and what may deadlock",
	.description =
		"Observes for a while, then prints the tree of waiting sessions as it is at the end, blockers "
		"first: what they do, how\n"
		"long they held and what it cost; below it deadlocks, convoys, what the window lost to which "
		"query, how long waits\n"
		"took by query and by lock, waits for LWLocks and the like, and what may deadlock. --by shows one "
		"list in full:\n"
		"session (the tree), query, lock, blocker (who lost how long to whom) or event (within the "
		"server). JSON has all.\n"
		"--format dot and svg draw the tree. Where the lock tables cannot be read from the server's "
		"memory, the server is asked over a connection.",
	.arguments = "",
	.options = TAP_OPTIONS_VIEW | TAP_OPTIONS_SORT | TAP_OPTIONS_LOCKS | TAP_OPTIONS_TRACE | TAP_OPTIONS_SELECT,
	.run = run,
};
