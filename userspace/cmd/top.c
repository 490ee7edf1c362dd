// SPDX-License-Identifier: BSD-2-Clause
/* top.c - `dbtap top`: the queries view again and again, one screen each. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"

enum {
	HEAD_AND_FOOT_LINES = 10, /* of the text view, around its rows */
};

/* Only as many rows as the screen has room for. */
static struct tap_window_options window_for_screen(const struct tap_options *options)
{
	struct tap_window_options window = tap_options_window(options, true);
	unsigned lines = tap_run_lines(40);

	window.disks = true;
	window.limit = lines > HEAD_AND_FOOT_LINES + 3 ? lines - HEAD_AND_FOOT_LINES : 3;
	return window;
}

static int draw(struct tap_live *live, const struct tap_options *options, bool clear)
{
	struct tap_window_options window = window_for_screen(options);
	struct tap_error err = { "" };
	struct tap_view *view;
	struct tap_strbuf screen;
	int status;

	if (tap_live_view(live, &window, &view, &err)) {
		tap_complain(err.text);
		return TAP_EXIT_FAILED;
	}
	tap_strbuf_init(&screen);
	/* Home and erase below in the same write as the text: no flicker. */
	tap_strbuf_add_string(&screen, clear ? "\033[H\033[2J" : "");
	tap_run_render(options, view, TAP_PART_QUERIES, tap_run_columns(120), &screen);
	status = tap_run_write(options, &screen);
	tap_strbuf_done(&screen);
	tap_view_free(view);
	tap_live_next(live);
	return status;
}

static int loop(struct tap_live *live, const struct tap_options *options)
{
	bool clear = !options->once && isatty(STDOUT_FILENO);
	struct tap_error err = { "" };
	int status = TAP_EXIT_OK;

	do {
		if (tap_live_wait(live, options->interval, &tap_run_stop, &err)) {
			tap_complain(err.text);
			return TAP_EXIT_FAILED;
		}
		if (!tap_run_stop || options->once)
			status = draw(live, options, clear);
	} while (status == TAP_EXIT_OK && !options->once && !tap_run_stop);
	return status;
}

static int run(const struct tap_options *options)
{
	struct tap_live *live = NULL;
	bool partial = false;
	int status;

	tap_run_signals();
	status = tap_run_open(options, TAP_PART_QUERIES, &live, &partial);
	if (status != TAP_EXIT_OK)
		return status;
	tap_live_connect(live);
	status = loop(live, options);
	tap_live_free(live);
	return status == TAP_EXIT_OK && partial ? TAP_EXIT_PARTIAL : status;
}

const struct tap_command tap_command_top = {
	.name = "top",
	.summary = "the queries of the last second, again and again",
	.description = "Shows where the time of the last interval went, query by query, and refreshes. Ctrl-C ends it.",
	.arguments = "",
	.options = TAP_OPTIONS_TOP | TAP_OPTIONS_TRACE | TAP_OPTIONS_SELECT,
	.run = run,
};
