// SPDX-License-Identifier: BSD-2-Clause
/* sessions.c - `dbtap sessions`: what each process and session is doing. */
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"

static int run(const struct tap_options *options)
{
	return tap_run_view(options, TAP_PART_SESSIONS);
}

const struct tap_command tap_command_sessions = {
	.name = "sessions",
	.summary = "what each process and session is doing",
	.description = "Observes for a while, then prints each session and background process as it is at the end, "
		       "with what it used\n"
		       "meanwhile. Works without a connection to the server.",
	.arguments = "",
	.options = TAP_OPTIONS_VIEW | TAP_OPTIONS_SORT | TAP_OPTIONS_OUTPUT | TAP_OPTIONS_TRACE | TAP_OPTIONS_SELECT,
	.run = run,
};
