/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lock.bpf.h - waits for heavyweight locks of PostgreSQL: what MyProc says of them, when one begins and when it ends.
 * lock_tell.bpf.h has what becomes of that.
 *
 * One wait may be many sleeps: the server wakes to look for deadlocks, takes locks of its own for that, and sleeps on.
 * It is the same wait as long as MyProc waits for the same lock since the same moment.
 */
#ifndef TAP_BPF_LOCK_BPF_H
#define TAP_BPF_LOCK_BPF_H

#include "bpf/abi/lock.h"
#include "bpf/lock_tell.bpf.h"
#include "bpf/pg.bpf.h"

/* What PGPROC says of a wait. */
struct lock_words {
	__u64 lock; /* 0: it waits for none */
	__s64 wait_start;
	__u32 mode;
};

static __always_inline bool lock_sleeps(const struct tap_task *task)
{
	return task->off == TAP_OFF_SLEEP && task->sleep_event >> 24 == TAP_PG_LOCK_CLASS;
}

/* Only threads asleep for a lock, and those that were, get further than this. */
static __always_inline bool lock_concerns(const struct tap_task *task)
{
	return task->lock_state != TAP_LOCK_STATE_NONE || lock_sleeps(task);
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
static __always_inline int lock_read(__u64 proc, const struct tap_instance *instance, struct lock_words *ret)
{
	const struct tap_pg_layout *layout = &instance->layout;
	__u64 words[8] = {};
	__u32 mode_at = (__u32)layout->proc_wait_lock_mode - layout->proc_wait_lock;
	__u32 start_at = (__u32)layout->proc_wait_start - layout->proc_wait_lock;

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

/* How the last wait ended, or that one goes on; UNKNOWN where it cannot be read. */
static __always_inline __u32 lock_status(__u64 proc, const struct tap_instance *instance)
{
	__u32 status;

	if (bpf_probe_read_user(&status, sizeof(status), (const void *)(proc + instance->layout.proc_wait_status)) ||
	    status > TAP_LOCK_STATUS_ERROR)
		return TAP_LOCK_STATUS_UNKNOWN;
	return status;
}

static __always_inline void lock_begin(struct tap_task *task, const struct tap_instance *instance,
				       const struct lock_words *now, __u64 pids)
{
	struct tap_lock_open *open = &task->lock;

	if (bpf_probe_read_user(open->tag, sizeof(open->tag), (const void *)(now->lock + instance->layout.lock_tag))) {
		count_loss(TAP_LOSS_READ_FAILED);
		return;
	}
	open->begin_ns = task->lock_state == TAP_LOCK_STATE_ADOPTED ? 0 : task->last_ns;
	open->lock = now->lock;
	open->wait_start = now->wait_start;
	open->mode = now->mode;
	task->lock_state = TAP_LOCK_STATE_OPEN;
	lock_tell_begin(task, pids);
}

static __always_inline void lock_end(struct tap_task *task, __u64 pids, __u64 woke_ns, __u32 run, __u32 status)
{
	if (task->lock_state == TAP_LOCK_STATE_ADOPTED) {
		__builtin_memset(&task->lock.lock, 0,
				 __builtin_offsetof(struct tap_lock_open, mark) -
					 __builtin_offsetof(struct tap_lock_open, lock));
	}
	task->lock_state = TAP_LOCK_STATE_NONE;
	lock_tell_end(task, pids, woke_ns, run, status);
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
 * `run`: the way it worked for since. Each read of PGPROC costs lines that other processes write: awake, it has most
 * often got what it waited for, and the status says so; asleep, what it waits for now says whether it is another wait.
 */
TAP_GLOBAL int lock_follow(struct tap_task *task, __u64 pids, __u64 woke_ns, __u32 run)
{
	__u32 status = TAP_LOCK_STATUS_UNKNOWN, index;
	struct tap_instance *instance;
	struct lock_words now = {};
	__u64 proc = 0;

	if (!task || !lock_events_on)
		return 0;
	index = task->instance;
	instance = bpf_map_lookup_elem(&instances, &index);
	if (!instance)
		return 0;
	if (task->current_kind != TAP_KIND_EXITING) {
		proc = lock_proc(task, instance);
		if (!proc)
			return 0;
		if (!lock_sleeps(task))
			status = lock_status(proc, instance);
		if ((lock_sleeps(task) || status == TAP_LOCK_STATUS_WAITING) && lock_read(proc, instance, &now))
			return 0;
	}
	if (task->lock_state != TAP_LOCK_STATE_NONE && !lock_goes_on(task, &now)) {
		/* Granted on its way to sleep; else it waits again, and how the last one ended is not there any more.
		 */
		if (lock_sleeps(task))
			status = now.lock || !proc ? TAP_LOCK_STATUS_UNKNOWN : lock_status(proc, instance);
		lock_end(task, pids, woke_ns, run, status);
	}
	if (task->lock_state != TAP_LOCK_STATE_OPEN && now.lock && lock_sleeps(task))
		lock_begin(task, instance, &now, pids);
	return 0;
}

#endif
