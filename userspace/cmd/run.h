/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.h - what the commands that show a view share: signals, the live source, rendering, and where output goes.
 */
#ifndef TAP_USERSPACE_CMD_RUN_H
#define TAP_USERSPACE_CMD_RUN_H

#include <signal.h>

#include "correlate/view.h"
#include "userspace/base/strbuf.h"
#include "userspace/cmd/command.h"
#include "userspace/output/part.h"

/* Set by SIGINT, SIGTERM and SIGHUP once tap_run_signals was called. */
extern volatile sig_atomic_t tap_run_stop;
void tap_run_signals(void);

/* Observe for --duration, then print one part: the whole of most commands. */
int tap_run_view(const struct tap_options *options, enum tap_view_part part);

/*
 * Opens the live source; notes go to stderr as one line each and make *partial true. TAP_EXIT_OK, or a failure that has
 * been said.
 */
int tap_run_open(const struct tap_options *options, enum tap_view_part part, struct tap_live **ret, bool *partial);

/* What the model builds for one part. */
struct tap_window_options tap_run_window(const struct tap_options *options, enum tap_view_part part);

void tap_run_render(const struct tap_options *options, const struct tap_view *view, enum tap_view_part part,
		    unsigned width, struct tap_strbuf *out);

/* Writes all of it to --output or stdout. TAP_EXIT_OK, or a failure that has been said. */
int tap_run_write(const struct tap_options *options, const struct tap_strbuf *text);

/* Columns of the terminal on stdout; of $COLUMNS, else `fallback`, when it is none. */
unsigned tap_run_columns(unsigned fallback);
unsigned tap_run_lines(unsigned fallback);

#endif
