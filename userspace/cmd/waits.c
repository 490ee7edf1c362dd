// SPDX-License-Identifier: BSD-2-Clause
/* waits.c - `dbtap waits`: wait events, and the query that lost most to each. */
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"

static int run(const struct tap_options *options)
{
	return tap_run_view(options, TAP_PART_WAITS);
}

const struct tap_command tap_command_waits = {
	.name = "waits",
	.summary = "wait events, and the query that lost most to each",
	.description = "Observes for a while, then sums the time all processes slept by wait event, named as the "
		       "server names them.",
	.arguments = "",
	.options = TAP_OPTIONS_VIEW | TAP_OPTIONS_SORT | TAP_OPTIONS_OUTPUT | TAP_OPTIONS_TRACE | TAP_OPTIONS_SELECT,
	.run = run,
};
