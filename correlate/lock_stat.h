/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_stat.h - how long waits for locks took: one histogram per query, one per lock.
 *
 * Filled by lock_event.c with every wait of a window that has ended, also those that its list of ended waits has no
 * room for and those that the kernel side has summed. Plain values.
 */
#ifndef TAP_CORRELATE_LOCK_STAT_H
#define TAP_CORRELATE_LOCK_STAT_H

#include "bpf/abi/lock.h"
#include "correlate/lock.h"
#include "userspace/base/hash.h"

enum {
	TAP_LOCK_STATS_MAX = 4096, /* of one kind, in one window */
};

/* Of a query `object` is all zero, of a lock `row`. Compared as bytes. */
struct tap_lock_stat_key {
	struct tap_row_key row;
	struct tap_lock_object object;
};

struct tap_lock_stat {
	struct tap_lock_stat_key key; /* first, for the index */
	uint64_t waits;
	uint64_t failed; /* of them, ended by an error: deadlock, timeout, cancelled */
	int64_t ns;	 /* within the window */
	int64_t max_ns;	 /* of one wait, in all */
	uint32_t buckets[TAP_LOCK_WAIT_BUCKETS];
};

struct tap_lock_stats {
	struct tap_lock_stat *items;
	size_t count;
	size_t capacity;
	size_t last; /* the one that was found last: contention repeats itself */
	struct tap_hash index;
	uint64_t dropped; /* waits that found no room for another key */
};

void tap_lock_stats_init(struct tap_lock_stats *stats);
void tap_lock_stats_done(struct tap_lock_stats *stats);
/* Forgets all; the room stays. */
void tap_lock_stats_clear(struct tap_lock_stats *stats);

/* One wait that took `waited_ns` in all, `window_ns` of them within the window. Without memory it is counted dropped.
 */
void tap_lock_stats_add(struct tap_lock_stats *stats, const struct tap_lock_stat_key *key, int64_t waited_ns,
			int64_t window_ns, bool failed);

/* Waits that were added up before: their number, time, longest one and `buckets` (TAP_LOCK_WAIT_BUCKETS of them). */
struct tap_lock_stat_sum {
	uint64_t waits;
	uint64_t failed;
	int64_t ns;
	int64_t max_ns;
	const uint32_t *buckets;
};

/* Several waits at once, all of them within the window. Without memory they are counted dropped. */
void tap_lock_stats_add_sum(struct tap_lock_stats *stats, const struct tap_lock_stat_key *key,
			    const struct tap_lock_stat_sum *sum);

/* The bucket of a wait. What is shorter than the first or longer than the last is counted in them. */
uint32_t tap_lock_wait_bucket(int64_t ns);
/* The time below which `percent` of the waits stayed: middle of the bucket, never above the longest; -1: no wait. */
int64_t tap_lock_stat_percentile_ns(const struct tap_lock_stat *stat, double percent);

#endif
