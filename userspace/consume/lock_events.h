/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_events.h - follows the waits for locks of the live instances as they begin and end.
 *
 * Takes the kernel side's records from the reader, and reads the lock tables of instances where waits have begun: who
 * blocks, whether a cycle has closed, what the waiters hold besides. How often tables are read follows from what a
 * reading costs: never more than a small share of one CPU.
 */
#ifndef TAP_USERSPACE_CONSUME_LOCK_EVENTS_H
#define TAP_USERSPACE_CONSUME_LOCK_EVENTS_H

#include "bpf/abi/lock.h"
#include "correlate/lock_event.h"
#include "correlate/model/lock_order.h"
#include "correlate/texts.h"
#include "userspace/consume/instances.h"
#include "userspace/load/lock_tell.h"

struct tap_lock_events;

/* Borrows all but the result; texts of statements seen on the way go to `texts`. -ENOMEM. */
int tap_lock_events_new(struct tap_instances *instances, struct tap_texts *texts, struct tap_lock_events **ret);
/* NULL is fine. */
void tap_lock_events_free(struct tap_lock_events *events);

/*
 * Where the kernel side does not tell of every wait: what it keeps to itself is had through `tell`, and from the map of
 * sums. Both borrowed.
 */
void tap_lock_events_set_tell(struct tap_lock_events *events, struct tap_lock_tell *tell, int sums_fd);
/*
 * Asks for waits that last and that nobody was told of, if there may be any; `all`: for every one of them, and takes
 * the sums of those that have ended into the log. Their records are in the ring then. 0 or a negative errno.
 */
int tap_lock_events_ask(struct tap_lock_events *events, bool all);

/* Before records are put: what to add to the scheduler's clock for CLOCK_REALTIME. */
void tap_lock_events_set_clock(struct tap_lock_events *events, int64_t sched_to_real_ns);
/* One record of the ring. 0 or -ENOMEM; one that makes no sense is passed over. */
int tap_lock_events_put(struct tap_lock_events *events, const struct tap_lock_event *record);

/*
 * Reads the lock tables of instances where waits have begun since and whose turn it is; `all`: of every instance, now.
 * 0 or -ENOMEM. A table that cannot be read is tried again later.
 */
int tap_lock_events_settle(struct tap_lock_events *events, bool all);
/* Milliseconds until it is worth settling again; -1: until something happens. */
int tap_lock_events_due_ms(const struct tap_lock_events *events);

/* How long to sleep at most, for waits that wake nobody as they begin since others have just done so; -1: at will. */
int tap_lock_events_step_ms(const struct tap_lock_events *events);

/* Whether waits are so many that not all are told of. */
bool tap_lock_events_are_many(const struct tap_lock_events *events);

/*
 * The table as it was when all were read last; NULL: it could not be, and `*ret_why_not` says why. With a table that
 * was not read from memory it says why not.
 */
const struct tap_lock_table *tap_lock_events_table(const struct tap_lock_events *events, size_t instance,
						   const char **ret_why_not);

/* Asks connected servers for names of relations that locks are on, at most about `budget_ms`. */
void tap_lock_events_learn_names(struct tap_lock_events *events, int64_t budget_ms);
const struct tap_relation_names *tap_lock_events_names(const struct tap_lock_events *events, size_t instance);

/* Everything of the window so far; borrowed, valid until the next call. */
struct tap_lock_log *tap_lock_events_log(struct tap_lock_events *events);
const struct tap_lock_order *tap_lock_events_order(const struct tap_lock_events *events);

#endif
