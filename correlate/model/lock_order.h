/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_order.h - in which order transactions take locks, as far as their waits show it, and which orders contradict.
 *
 * A transaction that waits for B while it holds A takes A before B. Two statements that do so in opposite orders will
 * deadlock one day. Fed by userspace/consume/lock_events with each wait and the lock table read just after it began.
 * Memory is bounded: the least recently seen pairs are forgotten.
 */
#ifndef TAP_CORRELATE_MODEL_LOCK_ORDER_H
#define TAP_CORRELATE_MODEL_LOCK_ORDER_H

#include "correlate/lock_event.h"

enum {
	TAP_LOCK_PAIRS_MAX = 8192,
	TAP_LOCK_FIRST_USER_OID = 16384, /* the server's own catalogs are below */
};

/* One observation: `row` waits for `after` and has `before` already. */
struct tap_lock_step {
	struct tap_row_key row;
	struct tap_lock_object before;
	struct tap_lock_object after;
	uint16_t held; /* modes of `before`, bit 1 << mode */
	uint8_t mode;  /* wanted of `after` */
	bool rows; /* it is for a row of `after` that it waits: whoever may have locked rows there stands in the way */
	/*
	 * That it had `before` first is beyond doubt: somebody waits for it there. Otherwise the statement that waits
	 * may have taken both, in whichever order.
	 */
	bool sure;
	uint64_t serial; /* of the wait: seen again, it is not counted again */
	int64_t at_ns;
};

/* Steps x before y by one statement. */
struct tap_lock_pair_key {
	struct tap_row_key row;
	struct tap_lock_object before;
	struct tap_lock_object after;
};

struct tap_lock_pair {
	struct tap_lock_pair_key key; /* first, for the index */
	uint64_t seen;
	uint64_t seen_sure;
	uint64_t last_serial;
	uint64_t last_sure_serial;
	int64_t first_ns;
	int64_t last_ns;
	uint16_t held;
	uint16_t wanted; /* modes, bit 1 << mode */
	bool rows;
};

struct tap_lock_order {
	struct tap_lock_pair *pairs;
	size_t count;
	size_t capacity;
	struct tap_hash index;
	uint64_t forgotten;
};

/* Two statements (or one, with itself) that take the same two locks in opposite orders. */
struct tap_lock_inversion {
	struct tap_row_key first;  /* takes a before b */
	struct tap_row_key second; /* takes b before a */
	struct tap_lock_object a;
	struct tap_lock_object b;
	uint64_t first_seen;
	uint64_t second_seen;
	bool sure; /* both orders are beyond doubt */
	int64_t last_ns;
};

void tap_lock_order_init(struct tap_lock_order *order);
void tap_lock_order_done(struct tap_lock_order *order);

/* 0, -EINVAL for a step from a lock to itself, or -ENOMEM. */
int tap_lock_order_learn(struct tap_lock_order *order, const struct tap_lock_step *step);

/* Whether the text of the statement that waits names the relation: then it may have locked it itself. */
typedef bool (*tap_lock_mentions)(void *context, const struct tap_lock_wait *wait, uint32_t relation);

/*
 * Everything that the table says about one open wait: what its transaction holds besides. `table` has at least all
 * entries of the waiter. `mentions` may be NULL: names are not known, and a statement that takes two
 * locks at once is told only by showing both orders itself. 0 or -ENOMEM.
 */
int tap_lock_order_observe(struct tap_lock_order *order, const struct tap_lock_table *table,
			   const struct tap_lock_wait *wait, tap_lock_mentions mentions, void *context);

/*
 * The relation that a wait for a transaction, or another lock without one, is about: that of the row lock the waiter
 * holds at that moment, else the only one that its statement names. Leaves *object alone when neither is known.
 */
void tap_lock_object_settle(const struct tap_lock_table *table, const struct tap_lock_wait *wait,
			    tap_lock_mentions mentions, void *context, struct tap_lock_object *object);

/* The contradictions, most often seen first; *ret is malloc'd. 0 or -ENOMEM. */
int tap_lock_order_inversions(const struct tap_lock_order *order, struct tap_lock_inversion **ret, size_t *ret_count);

#endif
