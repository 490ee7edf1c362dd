/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lock.h - waits for heavyweight locks as the kernel side tells of them: one record as a wait begins, one as it ends.
 */
#ifndef TAP_BPF_ABI_LOCK_H
#define TAP_BPF_ABI_LOCK_H

#include "bpf/abi/account.h"

enum {
	TAP_PG_LOCK_CLASS = 0x03,	  /* highest byte of the wait events of class Lock, all versions from 13 */
	TAP_LOCK_WAKE_EVERY_NS = 5000000, /* the reader is not woken for each of many waits */
};

enum tap_lock_event_kind {
	TAP_LOCK_EVENT_BEGIN = 1,
	TAP_LOCK_EVENT_END = 2,
};

/* The engine's ProcWaitStatus, as it stands when the wait has ended. */
enum tap_lock_wait_status {
	TAP_LOCK_STATUS_OK = 0,
	TAP_LOCK_STATUS_WAITING = 1,
	TAP_LOCK_STATUS_ERROR = 2, /* deadlock, timeout, cancelled */
	TAP_LOCK_STATUS_UNKNOWN = 255,
};

/* Ring record; its size tells it from the others. END repeats what BEGIN said. */
struct tap_lock_event {
	__u8 kind;    /* enum tap_lock_event_kind */
	__u8 mode;    /* the engine's lock mode */
	__u8 status;  /* END: enum tap_lock_wait_status */
	__u8 adopted; /* it had begun before the thread was adopted: begin_ns is 0 */
	__s32 pid;    /* as this host sees it */
	__s32 tid;
	__s32 ns_pid;		/* as the engine knows it */
	struct tap_row_key row; /* what the thread worked for, as far as it was known by then; parity 0 */
	__u64 lock;		/* address of the lock */
	__s64 wait_start;	/* when the engine says it began, in its own epoch; 0: it does not say */
	__u64 begin_ns;		/* scheduler clock: went to sleep */
	__u64 end_ns;		/* END: woke up. Scheduler clock */
	__u32 tag[4];		/* the engine's LOCKTAG */
};
TAP_ABI_SIZE(tap_lock_event, 88);

enum tap_lock_state {
	TAP_LOCK_STATE_NONE = 0,
	TAP_LOCK_STATE_OPEN = 1,
	TAP_LOCK_STATE_ADOPTED =
		2, /* the thread was asleep for a lock when it was adopted; for which is not known yet */
};

/* A thread's wait that goes on, at the end of tap_task: only threads that wait for locks touch it. */
struct tap_lock_open {
	__u64 proc; /* address of the thread's PGPROC; 0: not known yet */
	__u64 lock;
	__s64 wait_start;
	__u64 begin_ns;
	__u32 tag[4];
	__u32 mode;
	__u32 pad;
};
TAP_ABI_SIZE(tap_lock_open, 56);

#endif
