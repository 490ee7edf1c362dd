/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_tell.h - what the kernel side tells of waits for locks, and what it keeps to itself until it is asked. One is
 * part of each tracer (tracer.h).
 */
#ifndef TAP_USERSPACE_LOAD_LOCK_TELL_H
#define TAP_USERSPACE_LOAD_LOCK_TELL_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_link;
struct tracer_bpf;

struct tap_lock_tell {
	struct tracer_bpf *skeleton;
	struct bpf_link *iterator; /* NULL: not asked for so far */
};

void tap_lock_tell_done(struct tap_lock_tell *tell);

/* Whether waits for locks are told of at all; off at first. Then as ring records, bpf/abi/lock.h, and as sums. */
void tap_lock_tell_set(const struct tap_lock_tell *tell, bool on);

/*
 * Where waits come by the thousand not all are told of as they begin: when one of an instance last began that was not,
 * in ns of the scheduler's clock, to the millisecond; 0: never.
 */
uint64_t tap_lock_tell_untold_ns(const struct tap_lock_tell *tell, uint32_t instance);
/* Tells now, into the ring, of those that go on since `age_ns` at least, `most` of them at most. 0 or -errno. */
int tap_lock_tell_late(struct tap_lock_tell *tell, uint64_t age_ns, uint32_t most, uint32_t *ret_told);
/*
 * Begins the next round of the sums: the number of the one that is over. TAP_MAP_LOCK_SUMS has them, the first
 * *ret_used of it.
 */
uint32_t tap_lock_tell_next_round(const struct tap_lock_tell *tell, uint32_t *ret_used);

#endif
