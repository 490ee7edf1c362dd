// SPDX-License-Identifier: BSD-2-Clause
/* pg_checkpoint.c - CheckpointStats of a process, and whether it still is about something. */
#include "userspace/attach/pg_checkpoint.h"

#include "userspace/attach/memory.h"

void tap_pg_checkpoint_read(const struct tap_target *target, const struct tap_running *checkpointer,
			    struct tap_checkpoints *ret)
{
	const struct tap_adoption *adoption = &checkpointer->adoption;
	bool at_rest = adoption->wait_address && adoption->wait_event >> 24 == TAP_PG_ACTIVITY_CLASS;
	struct tap_pg_checkpoint stats;

	*ret = (struct tap_checkpoints){ 0 };
	if (!target->addresses.checkpoint_stats ||
	    tap_memory_read(checkpointer->tid, target->addresses.checkpoint_stats, &stats, sizeof(stats)))
		return;
	ret->now = stats;
	ret->running = stats.start_us && !stats.end_us && !at_rest;
}
