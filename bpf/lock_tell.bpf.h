/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lock_tell.bpf.h - what becomes known of a wait for a lock: records as it begins and ends, or its part of a sum.
 *
 * A record costs the reader some microseconds, and there may be tens of thousands of waits a second. So many are told
 * of one by one as nobody would notice (bpf/abi/lock.h); of the others the reader learns while they last, when it asks
 * (tell_locks in tasks.bpf.c), or by the end of a long one. The rest is added up here. No wait is in two of these.
 */
#ifndef TAP_BPF_LOCK_TELL_BPF_H
#define TAP_BPF_LOCK_TELL_BPF_H

#include "bpf/abi/lock.h"
#include "bpf/abi/my_lock.h"
#include "bpf/account.bpf.h"

/* One of those that may be told: CPUs that ask at the same moment may get one more than there are. */
static __always_inline bool lock_may_tell(__u64 *due_ns, __u64 now_ns, __u64 every_ns, __u64 saved_ns)
{
	__u64 due = *(volatile __u64 *)due_ns;

	if ((__s64)(now_ns - due) < 0)
		return false;
	if (now_ns - due > saved_ns)
		due = now_ns - saved_ns;
	*(volatile __u64 *)due_ns = due + every_ns;
	return true;
}

/* Whether the reader is to be woken: waits come by the thousand, and it takes all that are there. */
static __always_inline __u64 lock_wakeup(__u64 now_ns)
{
	__u64 every_ns = TAP_LOCK_WAKE_EVERY_NS;

	if ((__s64)(now_ns - lock_tell_due_ns) < TAP_LOCK_TELL_SAVED_NS / 4)
		every_ns = TAP_LOCK_WAKE_MANY_NS;
	if ((__s64)(now_ns - lock_woken_ns) < (__s64)every_ns)
		return BPF_RB_NO_WAKEUP;
	lock_woken_ns = now_ns;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void lock_event_fill(struct tap_lock_event *event, const struct tap_task *task, __u64 pids)
{
	const struct tap_lock_open *open = &task->lock;

	event->mode = open->mode;
	event->status = TAP_LOCK_STATUS_WAITING;
	event->adopted = !open->begin_ns;
	/* MariaDB's locks belong to connections. */
	event->pid = task->role == TAP_ROLE_MY_THREAD ? task->group_pid : (__s32)(pids >> 32);
	event->tid = (__s32)pids;
	event->ns_pid = task->ns_pid;
	event->lock = open->lock;
	event->wait_start = open->wait_start;
	event->begin_ns = open->begin_ns;
	event->end_ns = 0;
	__builtin_memcpy(event->tag, open->tag, sizeof(event->tag));
}

static __always_inline void lock_row(struct tap_row_key *ret, struct tap_task *task, __u32 index)
{
	struct tap_way *way = way_at(task, index);

	__builtin_memset(ret, 0, sizeof(*ret));
	ret->instance = task->instance;
	if (way)
		*ret = way->key;
}

/* Nobody is told of it for now. What was written of the wait is there before the mark is. */
static __always_inline void lock_keep(struct tap_task *task, __u64 now_ns)
{
	__u32 instance = task->instance, mark;

	mark = __sync_fetch_and_add(&task->lock.mark, 1);
	barrier_var(mark);
	if (instance < TAP_INSTANCES_MAX && now_ns - lock_untold_ns[instance] > 1000000)
		lock_untold_ns[instance] = now_ns;
}

/* Whether the wait is still nobody's; from here on it is the caller's. */
static __always_inline bool lock_take(struct tap_lock_open *open, __u32 mark)
{
	return mark & 1 && __sync_val_compare_and_swap(&open->mark, mark, mark + 1) == mark;
}

/* A wait has begun: what task->lock says. */
static __always_inline void lock_tell_begin(struct tap_task *task, __u64 pids)
{
	__u64 now_ns = task->last_ns;
	struct tap_lock_event *event;

	if (task->lock.begin_ns &&
	    !lock_may_tell(&lock_tell_due_ns, now_ns, TAP_LOCK_TELL_EVERY_NS, TAP_LOCK_TELL_SAVED_NS)) {
		lock_keep(task, now_ns);
		return;
	}
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_loss(TAP_LOSS_LOCK_WAITS_LOST);
		return;
	}
	event->kind = TAP_LOCK_EVENT_BEGIN;
	lock_event_fill(event, task, pids);
	lock_row(&event->row, task, task->current_way);
	bpf_ringbuf_submit(event, lock_wakeup(now_ns));
}

/* The longest of this round. Two tries: two CPUs that both had a longest one at the same moment are rare enough. */
static __always_inline void lock_sum_longest(struct tap_lock_sum *sum, __u64 ns)
{
	__u64 most = (1ull << TAP_LOCK_LONGEST_BITS) - 1, round = lock_round, now, before;
	__u64 *longest = &sum->longest[round & 1];

	now = round << TAP_LOCK_LONGEST_BITS | (ns < most ? ns : most);
	for (int i = 0; i < 2; i++) {
		before = *(volatile __u64 *)longest;
		if (before >> TAP_LOCK_LONGEST_BITS == now >> TAP_LOCK_LONGEST_BITS && before >= now)
			return;
		if (__sync_val_compare_and_swap(longest, before, now) == before)
			return;
	}
}

static __always_inline struct tap_lock_sum *lock_sum_at(__u32 index)
{
	return bpf_map_lookup_elem(&lock_sums, &index);
}

static __always_inline bool lock_sum_is_of(const struct tap_lock_sum *sum, const struct tap_lock_sum_key *key)
{
	const __u64 *left = (const __u64 *)&sum->key, *right = (const __u64 *)key;

	for (__u32 i = 0; i < sizeof(*key) / sizeof(*left); i++) {
		if (left[i] != right[i])
			return false;
	}
	return true;
}

/* Index, plus 1, of the sum of a key, made where there is none; 0: there is no room for another. */
TAP_GLOBAL __u32 lock_sum_of(struct tap_lock_sum_key *key)
{
	struct tap_lock_sum *sum;
	const __u32 *known;
	__u32 index;

	if (!key)
		return 0;
	known = bpf_map_lookup_elem(&lock_key_to_sum, key);
	if (known)
		return *known + 1;
	if (!lock_sum_at(*(volatile __u32 *)&lock_sums_used))
		return 0;
	index = __sync_fetch_and_add(&lock_sums_used, 1);
	sum = lock_sum_at(index);
	if (!sum)
		return 0;
	sum->key = *key;
	if (!bpf_map_update_elem(&lock_key_to_sum, key, &index, BPF_NOEXIST))
		return index + 1;
	/* Another CPU was faster: it is given back, unless the next one is in use already. */
	__sync_val_compare_and_swap(&lock_sums_used, index + 1, index);
	known = bpf_map_lookup_elem(&lock_key_to_sum, key);
	return known ? *known + 1 : 0;
}

/* Adds a wait that has ended; false: there is no room for its sum. */
static __always_inline bool lock_sum(struct tap_task *task, __u32 run, __u32 status, __u64 ns)
{
	struct tap_lock_sum_key key;
	struct tap_lock_sum *sum;
	__u32 bucket;

	lock_row(&key.row, task, run);
	if (task->role == TAP_ROLE_MY_THREAD)
		tap_my_lock_shared(task->lock.tag, key.tag);
	else
		tap_pg_lock_shared(task->lock.tag, key.tag);
	key.mode = task->lock.mode;
	key.pad = 0;
	sum = lock_sum_at(task->lock.sum - 1);
	if (!sum || !lock_sum_is_of(sum, &key)) {
		task->lock.sum = lock_sum_of(&key);
		sum = lock_sum_at(task->lock.sum - 1);
	}
	if (!sum)
		return false;
	__sync_fetch_and_add(&sum->ns, ns);
	if (status == TAP_LOCK_STATUS_ERROR)
		__sync_fetch_and_add(&sum->failed, 1);
	bucket = tap_lock_sum_bucket(ns);
	barrier_var(bucket);
	if (bucket < TAP_LOCK_WAIT_BUCKETS)
		__sync_fetch_and_add(&sum->buckets[bucket], 1);
	lock_sum_longest(sum, ns);
	/* Last: whoever sees the number grow sees what belongs to it. */
	__sync_fetch_and_add(&sum->waits, 1);
	return true;
}

/* The wait has ended; `run`: the way that the thread worked for since, `woke_ns`: when it did. */
static __always_inline void lock_tell_end(struct tap_task *task, __u64 pids, __u64 woke_ns, __u32 run, __u32 status)
{
	__u64 begin_ns = task->lock.begin_ns, ns = woke_ns > begin_ns ? woke_ns - begin_ns : 0;
	struct tap_lock_event *event;

	if (lock_take(&task->lock, *(volatile __u32 *)&task->lock.mark) &&
	    !(ns >= TAP_LOCK_LONG_NS &&
	      lock_may_tell(&lock_long_due_ns, woke_ns, TAP_LOCK_LONG_EVERY_NS, TAP_LOCK_LONG_SAVED_NS)) &&
	    lock_sum(task, run, status, ns))
		return;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_loss(TAP_LOSS_LOCK_WAITS_LOST);
		return;
	}
	event->kind = TAP_LOCK_EVENT_END;
	lock_event_fill(event, task, pids);
	event->status = status;
	event->end_ns = woke_ns;
	lock_row(&event->row, task, run);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/*
 * From an iterator, while the thread may do what it likes: tells of a wait that nobody was told of and that is old
 * enough. The record is behind all earlier ones of the thread and before that of the wait's end. Whether it told.
 */
static __always_inline bool lock_tell_late(struct tap_task *task, __u64 pids, __u64 now_ns)
{
	__u32 mark = __sync_fetch_and_add(&task->lock.mark, 0);
	struct tap_lock_event *event;

	if (!(mark & 1) || (__s64)(now_ns - task->lock.begin_ns) < (__s64)lock_late_age_ns)
		return false;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return false;
	event->kind = TAP_LOCK_EVENT_BEGIN;
	lock_event_fill(event, task, pids);
	lock_row(&event->row, task, task->current_way);
	if (!lock_take(&task->lock, mark)) {
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return false;
	}
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return true;
}

#endif
