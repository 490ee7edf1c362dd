// SPDX-License-Identifier: BSD-2-Clause
/* io.c - `dbtap io`: who reads and writes what on which disk, in sequence or at random. */
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"

static int run(const struct tap_options *options)
{
	static const enum tap_view_part parts[] = {
		[TAP_BY_ALL] = TAP_PART_IO,
		[TAP_BY_QUERY] = TAP_PART_IO_QUERIES,
		[TAP_BY_RELATION] = TAP_PART_IO_RELATIONS,
		[TAP_BY_DEVICE] = TAP_PART_IO_DEVICES,
		[TAP_BY_STREAM] = TAP_PART_IO_STREAMS,
		[TAP_BY_CHECKPOINT] = TAP_PART_IO_CHECKPOINTS,
	};

	return tap_run_view(options, parts[options->by]);
}

const struct tap_command tap_command_io = {
	.name = "io",
	.summary = "who reads and writes what on which disk, in sequence or at random",
	.description =
		"Observes the block requests of the disks that hold an instance's files, then prints them by device, "
		"relation, query and\n"
		"stream: bytes, patterns, sizes and latency, who dirtied what was written, when checkpoints ran and "
		"what "
		"others waited\n"
		"meanwhile, and hints. --by shows one of these lists in full, --sort puts them in another order; JSON "
		"always has all of\n"
		"them.",
	.arguments = "",
	.options = TAP_OPTIONS_VIEW | TAP_OPTIONS_IO | TAP_OPTIONS_OUTPUT | TAP_OPTIONS_TRACE | TAP_OPTIONS_SELECT,
	.run = run,
};
