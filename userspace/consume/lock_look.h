/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_look.h - what one reading of an instance's lock tables says of the waits in the log: who blocks them, in which
 * order locks are taken, which of them nobody has told of and which are over.
 *
 * lock_events.c decides when to read; lock_cycles.c has what goes round in a circle.
 */
#ifndef TAP_USERSPACE_CONSUME_LOCK_LOOK_H
#define TAP_USERSPACE_CONSUME_LOCK_LOOK_H

#include "correlate/lock_event.h"
#include "correlate/model/lock_order.h"
#include "correlate/texts.h"
#include "userspace/attach/engine.h"
#include "userspace/consume/instances.h"
#include "userspace/consume/lock_names.h"
#include "userspace/consume/lock_place.h"

/* One reading and what it is looked at with; all borrowed. */
struct tap_lock_look {
	struct tap_lock_log *log;
	struct tap_lock_order *order;
	struct tap_texts *texts;
	struct tap_lock_names *names; /* of the instance */
	struct tap_lock_place *place;
	const struct tap_followed *followed;
	const struct tap_target *target;
	uint32_t instance;
	int64_t started_ns; /* CLOCK_REALTIME: waits that began before are ours to tell of */
	/* The kernel side has waits that it did not tell of: what the log lacks is one of those, unless it is older. */
	bool some_untold;
	/* It tells of none: waits begin and end between one reading and the next. */
	bool unfollowed;
	int64_t last_ns; /* CLOCK_REALTIME: when it was read before this; 0: never */
	struct tap_lock_table table;
	struct tap_lock_graph graph; /* of the table */
};

/* Puts what the table says into the log. 0 or -ENOMEM. */
int tap_lock_look_apply(struct tap_lock_look *look);
/* Into the table when waits began that the engine does not date and that were seen to begin. */
void tap_lock_look_starts(struct tap_lock_look *look);

/* When the engine says a wait began, in ns since the epoch; 0: it says nothing that can be. */
int64_t tap_lock_look_start_ns(int64_t wait_start_us);
/* The entry of a process that waits; NULL: it does not. */
const struct tap_lock_entry *tap_lock_look_waiting(const struct tap_lock_table *table, int32_t pid);
/* Whether an entry (may be NULL) is of this wait, not of an earlier or later one for the same lock. */
bool tap_lock_look_is_of(const struct tap_lock_entry *entry, const struct tap_lock_wait *wait);
/* What a process works on; as `statement` of struct tap_attach. */
int tap_lock_look_statement(const struct tap_lock_look *look, int32_t pid, struct tap_statement *ret);
/* The row of that; its text is kept where it is new. */
void tap_lock_look_row(const struct tap_lock_look *look, const struct tap_statement *statement,
		       struct tap_row_key *ret);
/* Whether a wait's statement names a relation, as far as both are known: a tap_lock_mentions of a look. */
bool tap_lock_look_mentions(void *context, const struct tap_lock_wait *wait, uint32_t relation);

#endif
