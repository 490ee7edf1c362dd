/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lock.bpf.h - waits for heavyweight locks: what MyProc says of them, as one record at the beginning and one at the
 * end.
 *
 * One wait may be many sleeps: the server wakes to look for deadlocks, takes locks of its own for that, and sleeps on.
 * It is the same wait as long as MyProc waits for the same lock since the same moment.
 */
#ifndef TAP_BPF_LOCK_BPF_H
#define TAP_BPF_LOCK_BPF_H

#include "bpf/abi/lock.h"
#include "bpf/pg.bpf.h"

/* What PGPROC says of a wait. */
struct lock_words {
	__u64 lock; /* 0: it waits for none */
	__s64 wait_start;
	__u32 mode;
};

/* Only threads asleep for a lock, and those that were, get further than this. */
static __always_inline bool lock_concerns(const struct tap_task *task)
{
	return task->lock_state != TAP_LOCK_STATE_NONE ||
	       (task->off == TAP_OFF_SLEEP && task->sleep_event >> 24 == TAP_PG_LOCK_CLASS);
}

/* The thread's own PGPROC. Stays what it is until the process exits. */
static __always_inline __u64 lock_proc(struct tap_task *task, const struct tap_instance *instance)
{
	__u64 proc = task->lock.proc;
	__s32 pid = 0;

	if (proc || !instance->layout.proc_wait_lock)
		return proc;
	if (user_read_pointer(&proc, instance->addresses.my_proc) || !proc ||
	    bpf_probe_read_user(&pid, sizeof(pid), (const void *)(proc + instance->layout.proc_pid)) ||
	    pid != task->ns_pid)
		return 0;
	task->lock.proc = proc;
	return proc;
}

/*
 * One read: the mode and the start lie just behind the lock's address in all versions; the masks bound the offsets.
 * 0 or negative.
 */
static __always_inline int lock_read(struct tap_task *task, const struct tap_instance *instance, struct lock_words *ret)
{
	const struct tap_pg_layout *layout = &instance->layout;
	__u64 words[8] = {}, proc = lock_proc(task, instance);
	__u32 mode_at = (__u32)layout->proc_wait_lock_mode - layout->proc_wait_lock;
	__u32 start_at = (__u32)layout->proc_wait_start - layout->proc_wait_lock;

	if (!proc)
		return -1;
	if (bpf_probe_read_user(words, sizeof(words), (const void *)(proc + layout->proc_wait_lock))) {
		count_loss(TAP_LOSS_READ_FAILED);
		return -1;
	}
	ret->lock = words[0];
	ret->mode = *(const __u32 *)((const char *)words + (mode_at & (sizeof(words) - 4)));
	ret->wait_start = 0;
	if (layout->proc_wait_start)
		ret->wait_start = (__s64)words[start_at / 8 & 7];
	return 0;
}

static __always_inline void lock_event_fill(struct tap_lock_event *event, const struct tap_task *task, __u64 pids)
{
	const struct tap_lock_open *open = &task->lock;

	event->mode = open->mode;
	event->status = TAP_LOCK_STATUS_WAITING;
	event->adopted = !open->begin_ns;
	event->pid = (__s32)(pids >> 32);
	event->tid = (__s32)pids;
	event->ns_pid = task->ns_pid;
	event->lock = open->lock;
	event->wait_start = open->wait_start;
	event->begin_ns = open->begin_ns;
	event->end_ns = 0;
	__builtin_memcpy(event->tag, open->tag, sizeof(event->tag));
}

static __always_inline void lock_event_set_row(struct tap_lock_event *event, struct tap_task *task, __u32 index)
{
	struct tap_way *way = way_at(task, index);

	__builtin_memset(&event->row, 0, sizeof(event->row));
	event->row.instance = task->instance;
	if (way)
		event->row = way->key;
}

/* Whether the reader is to be woken: waits come by the thousand, and it takes all that are there. */
static __always_inline __u64 lock_wakeup(void)
{
	__u64 now_ns = bpf_ktime_get_ns();

	if (now_ns - lock_woken_ns < TAP_LOCK_WAKE_EVERY_NS)
		return BPF_RB_NO_WAKEUP;
	lock_woken_ns = now_ns;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void lock_begin(struct tap_task *task, const struct tap_instance *instance,
				       const struct lock_words *now, __u64 pids)
{
	struct tap_lock_open *open = &task->lock;
	struct tap_lock_event *event;

	if (bpf_probe_read_user(open->tag, sizeof(open->tag), (const void *)(now->lock + instance->layout.lock_tag))) {
		count_loss(TAP_LOSS_READ_FAILED);
		return;
	}
	open->begin_ns = task->lock_state == TAP_LOCK_STATE_ADOPTED ? 0 : task->last_ns;
	open->lock = now->lock;
	open->wait_start = now->wait_start;
	open->mode = now->mode;
	task->lock_state = TAP_LOCK_STATE_OPEN;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_loss(TAP_LOSS_LOCK_WAITS_LOST);
		return;
	}
	event->kind = TAP_LOCK_EVENT_BEGIN;
	lock_event_fill(event, task, pids);
	lock_event_set_row(event, task, task->current_way);
	bpf_ringbuf_submit(event, lock_wakeup());
}

static __always_inline void lock_end(struct tap_task *task, const struct tap_instance *instance, __u64 pids,
				     __u64 woke_ns, __u32 run)
{
	__u32 status = TAP_LOCK_STATUS_UNKNOWN;
	struct tap_lock_event *event;

	task->lock_state = TAP_LOCK_STATE_NONE;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_loss(TAP_LOSS_LOCK_WAITS_LOST);
		return;
	}
	if (!task->lock.proc || task->current_kind == TAP_KIND_EXITING ||
	    bpf_probe_read_user(&status, sizeof(status),
				(const void *)(task->lock.proc + instance->layout.proc_wait_status)))
		status = TAP_LOCK_STATUS_UNKNOWN;
	event->kind = TAP_LOCK_EVENT_END;
	lock_event_fill(event, task, pids);
	event->status = status > TAP_LOCK_STATUS_ERROR ? TAP_LOCK_STATUS_UNKNOWN : status;
	event->end_ns = woke_ns;
	lock_event_set_row(event, task, run);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* Whether the wait that was open goes on. */
static __always_inline bool lock_goes_on(const struct tap_task *task, const struct lock_words *now)
{
	if (task->lock_state == TAP_LOCK_STATE_ADOPTED)
		return now->lock != 0;
	return now->lock == task->lock.lock && now->wait_start == task->lock.wait_start;
}

/*
 * At a boundary of a thread that lock_concerns. `pids`: process << 32 | thread; `woke_ns`: when its last sleep ended;
 * `run`: the way it worked for since.
 */
TAP_GLOBAL int lock_follow(struct tap_task *task, __u64 pids, __u64 woke_ns, __u32 run)
{
	struct lock_words now = {};
	struct tap_instance *instance;
	__u32 index;

	if (!task || !lock_events_on)
		return 0;
	index = task->instance;
	instance = bpf_map_lookup_elem(&instances, &index);
	if (!instance)
		return 0;
	if (task->current_kind != TAP_KIND_EXITING && lock_read(task, instance, &now))
		return 0;
	if (task->lock_state != TAP_LOCK_STATE_NONE && !lock_goes_on(task, &now)) {
		if (task->lock_state == TAP_LOCK_STATE_ADOPTED)
			__builtin_memset(&task->lock.lock, 0, sizeof(task->lock) - sizeof(task->lock.proc));
		lock_end(task, instance, pids, woke_ns, run);
	}
	if (task->lock_state != TAP_LOCK_STATE_OPEN && now.lock && task->off == TAP_OFF_SLEEP &&
	    task->sleep_event >> 24 == TAP_PG_LOCK_CLASS)
		lock_begin(task, instance, &now, pids);
	return 0;
}

#endif
