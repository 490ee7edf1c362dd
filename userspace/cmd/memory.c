// SPDX-License-Identifier: BSD-2-Clause
/* memory.c - `dbtap memory`: which query and process holds how much, and how short it is. */
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"

static int run(const struct tap_options *options)
{
	return tap_run_view(options, TAP_PART_MEMORY);
}

const struct tap_command tap_command_memory = {
	.name = "memory",
	.summary = "which query and process holds how much memory, and how short it is",
	.description =
		"Observes for a while, then prints the private memory that queries gained and held at most, page "
		"faults and spills,\n"
		"what each process holds at the end, the limits of its control group with what was killed for them, "
		"and how long\n"
		"the host's tasks waited for memory.",
	.arguments = "",
	.options = TAP_OPTIONS_VIEW | TAP_OPTIONS_SORT | TAP_OPTIONS_OUTPUT | TAP_OPTIONS_TRACE | TAP_OPTIONS_SELECT,
	.run = run,
};
