/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_place.h - where the lock tables of one live instance come from: its memory, or a connection where that cannot
 * be.
 */
#ifndef TAP_USERSPACE_CONSUME_LOCK_PLACE_H
#define TAP_USERSPACE_CONSUME_LOCK_PLACE_H

#include "userspace/attach/engine.h"
#include "userspace/consume/instances.h"

/* All zero is one that was not tried yet. */
struct tap_lock_place {
	struct tap_engine_locks *locks; /* NULL: not opened */
	enum tap_engine engine;		/* whose */
	int32_t pid;			/* of the server it was tried for, and when that started */
	uint64_t start_ticks;
	int64_t retry_ns;	  /* CLOCK_MONOTONIC: before that opening it again is of no use */
	struct tap_error refused; /* why its memory cannot be read; "": it can */
	struct tap_error why_not; /* for the user: why there is no table, or why it is asked for; "": neither */
};

void tap_lock_place_done(struct tap_lock_place *place);

/*
 * Reads the table anew, `whole` or (where it is cheaper) only what is waited for; a table that is asked for is always
 * whole. Names of what locks are on that the memory has are added to `names`. 0, with `ret` for tap_lock_table_done, or
 * a negative errno.
 */
int tap_lock_place_read(struct tap_lock_place *place, const struct tap_followed *followed, bool whole,
			struct tap_relation_names *names, struct tap_lock_table *ret);

#endif
