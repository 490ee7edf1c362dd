/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_sums.h - waits for locks that the kernel side has added up instead of telling of each: what has come since the
 * last look.
 */
#ifndef TAP_USERSPACE_CONSUME_LOCK_SUMS_H
#define TAP_USERSPACE_CONSUME_LOCK_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/lock.h"

/* What came to a sum between two looks; `longest_ns` is 0 where it is not known. */
struct tap_lock_sum_growth {
	uint64_t waits;
	uint64_t failed;
	uint64_t ns;
	uint64_t longest_ns;
	uint32_t buckets[TAP_LOCK_WAIT_BUCKETS];
};

struct tap_lock_sums {
	struct tap_lock_sum *seen; /* as they were read last, by their places */
	uint32_t count;
	uint32_t capacity;
	struct tap_lock_sum *batch;
};

void tap_lock_sums_init(struct tap_lock_sums *sums);
void tap_lock_sums_done(struct tap_lock_sums *sums);

/* 0 or a negative errno, which ends the reading. */
typedef int (*tap_lock_sum_grown)(void *context, const struct tap_lock_sum_key *key,
				  const struct tap_lock_sum_growth *growth);

/* One sum as it is now, in the round that is over. What it was before is remembered. 0, -ERANGE or -ENOMEM. */
int tap_lock_sums_put(struct tap_lock_sums *sums, uint32_t round, uint32_t place, const struct tap_lock_sum *sum,
		      tap_lock_sum_grown grown, void *context);
/* Reads the first `used` of the array of sums, and calls `grown` for those that have grown. 0 or a negative errno. */
int tap_lock_sums_read(struct tap_lock_sums *sums, int map_fd, uint32_t used, uint32_t round, tap_lock_sum_grown grown,
		       void *context);

#endif
