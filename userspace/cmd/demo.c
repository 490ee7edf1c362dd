// SPDX-License-Identifier: BSD-2-Clause
/* demo.c - `dbtap demo`: trace what this host has, or a throwaway server with a mixed load when it has nothing. */
#include <stdio.h>
#include <string.h>

#include "userspace/attach/target.h"
#include "userspace/bench/generator.h"
#include "userspace/bench/schema.h"
#include "userspace/bench/throwaway.h"
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"

static bool interrupted(void *context)
{
	(void)context;
	return tap_run_stop;
}

/* Whether some instance of this host can be traced. */
static bool host_has_instance(void)
{
	struct tap_target_list list = { 0 };
	struct tap_error err;
	bool found = false;

	if (tap_targets_find("/proc", &list, &err))
		return false;
	for (size_t i = 0; i < list.count; i++)
		found |= !*list.items[i].refused;
	tap_targets_done(&list);
	return found;
}

static int trace_load(const struct tap_options *options, const struct tap_throwaway *server, struct tap_error *err)
{
	struct tap_generator_options load = {
		.conninfo = tap_throwaway_conninfo(server),
		.load = TAP_LOAD_MIXED,
		.scale = 1,
		.interrupted = interrupted,
	};
	struct tap_generator *generator;
	int status = tap_schema_build(load.conninfo, load.scale, err);

	if (!status)
		status = tap_generator_start(&load, &generator, err);
	if (status)
		return status;
	fprintf(stderr, "dbtap: tracing it under a mixed load for %g s\n", options->duration);
	status = tap_run_view(options, TAP_PART_QUERIES);
	tap_generator_stop(generator);
	return status;
}

static int run_throwaway(const struct tap_options *options)
{
	struct tap_throwaway_options wanted = { .keep = options->keep, .interrupted = interrupted };
	struct tap_throwaway *server;
	struct tap_error err = { "" };
	int status;

	fprintf(stderr, "dbtap: no instance to trace on this host: starting a throwaway PostgreSQL\n");
	status = tap_throwaway_start(&wanted, &server, &err);
	if (!status) {
		status = trace_load(options, server, &err);
		if (options->keep)
			fprintf(stderr, "dbtap: the server goes on: psql \"%s\" (pid %d, folder %s)\n",
				tap_throwaway_conninfo(server), (int)tap_throwaway_pid(server),
				tap_throwaway_folder(server));
		tap_throwaway_stop(server, &err);
	}
	if (status < 0)
		tap_complain(err.text);
	return status < 0 ? TAP_EXIT_FAILED : status;
}

static int run(const struct tap_options *options)
{
	tap_run_signals();
	return host_has_instance() ? tap_run_view(options, TAP_PART_QUERIES) : run_throwaway(options);
}

const struct tap_command tap_command_demo = {
	.name = "demo",
	.summary = "trace what is here, or a throwaway PostgreSQL under load",
	.description = "Traces the instances of this host; with none, starts a throwaway PostgreSQL with a mixed load "
		       "in a temporary\n"
		       "folder, traces that, and removes it again. Prints the queries view.",
	.arguments = "",
	.options = TAP_OPTIONS_VIEW | TAP_OPTIONS_SORT | TAP_OPTIONS_OUTPUT | TAP_OPTIONS_TRACE | TAP_OPTIONS_DEMO,
	.run = run,
};
