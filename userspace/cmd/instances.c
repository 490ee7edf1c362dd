// SPDX-License-Identifier: BSD-2-Clause
/* instances.c - `dbtap instances`: which databases run on this host. */
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"

static int run(const struct tap_options *options)
{
	struct tap_options once = *options;

	/* The list needs no observation, the figures beside it a short one. */
	once.duration = options->duration == 10 ? 0.2 : options->duration;
	return tap_run_view(&once, TAP_PART_INSTANCES);
}

const struct tap_command tap_command_instances = {
	.name = "instances",
	.summary = "the database instances of this host",
	.description = "Finds every PostgreSQL instance on this host by its processes and prints its name, version, "
		       "port, folder and\n"
		       "connection, with what its processes used in 0.2 s (or --duration).",
	.arguments = "",
	.options = TAP_OPTIONS_VIEW | TAP_OPTIONS_SORT | TAP_OPTIONS_OUTPUT | TAP_OPTIONS_TRACE | TAP_OPTIONS_SELECT,
	.run = run,
};
