// SPDX-License-Identifier: BSD-2-Clause
/* queries.c - `dbtap queries`: what each query used and waited for. */
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"

static int run(const struct tap_options *options)
{
	return tap_run_view(options, TAP_PART_QUERIES);
}

const struct tap_command tap_command_queries = {
	.name = "queries",
	.summary = "what each query used and waited for",
	.description =
		"Observes all instances for a while, then prints each query with its calls and where its time went: "
		"CPU, run queue,\n"
		"each wait event, and what is unknown. Background processes and idle sessions have rows of their own.",
	.arguments = "",
	.options = TAP_OPTIONS_VIEW | TAP_OPTIONS_SORT | TAP_OPTIONS_OUTPUT | TAP_OPTIONS_TRACE | TAP_OPTIONS_SELECT,
	.run = run,
};
