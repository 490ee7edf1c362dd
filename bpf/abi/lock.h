/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lock.h - waits for heavyweight locks as the kernel side tells of them: one record as a wait begins, one as it ends;
 * where there are very many of them, sums of those that nobody was told of.
 */
#ifndef TAP_BPF_ABI_LOCK_H
#define TAP_BPF_ABI_LOCK_H

#include "bpf/abi/account.h"
#include "bpf/abi/io.h"

enum {
	TAP_PG_LOCK_CLASS = 0x03,	  /* highest byte of the wait events of class Lock, all versions from 13 */
	TAP_LOCK_WAKE_EVERY_NS = 5000000, /* the reader is not woken for each of many waits */
	TAP_LOCK_WAKE_MANY_NS = 25000000, /* ... of very many, of which not all are told */
	/*
	 * So many waits are told of as they begin, one in so much time, and what quiet times have saved up to. Of the
	 * others those that end as long ones, and those that the reader asks for while they last; the rest is summed.
	 */
	TAP_LOCK_TELL_EVERY_NS = 2000000,
	TAP_LOCK_TELL_SAVED_NS = 1000000000,
	TAP_LOCK_LONG_NS = 20000000,
	TAP_LOCK_LONG_EVERY_NS = 2000000,
	TAP_LOCK_LONG_SAVED_NS = 200000000,
	/* The histograms of waits are as those of requests, but waits last longer: to 2^44 ns, almost 5 hours. */
	TAP_LOCK_WAIT_OCTAVES = 34,
	TAP_LOCK_WAIT_BUCKETS = TAP_LATENCY_STEPS * TAP_LOCK_WAIT_OCTAVES,
	TAP_LOCK_SUMS_MAX = 2048,
	TAP_LOCK_LONGEST_BITS = 48, /* of tap_lock_sum.longest: the time; above it the round */
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
	TAP_LOCK_STATE_ASLEEP = 3, /* it goes to sleep for one at this boundary: for which is looked at next */
};

/* A thread's wait that goes on, at the end of tap_task: only threads that wait for locks touch it. */
struct tap_lock_open {
	__u64 proc; /* address of the thread's PGPROC; 0: not known yet */
	__u64 lock;
	__s64 wait_start;
	__u64 begin_ns;
	__u32 tag[4];
	__u32 mode;
	/*
	 * Odd: the wait is open and nobody was told of it. Whoever adds one to the odd number, the thread as the wait
	 * ends or the iterator that tells of it, has it: by exchange, since both may want to.
	 */
	__u32 mark;
	__u32 sum; /* index, plus 1, of the sum that the last wait of all went to: most often the next one does, too */
	__u32 pad;
};
TAP_ABI_SIZE(tap_lock_open, 64);

/* Which sum. Compared as bytes, so every byte is set. */
struct tap_lock_sum_key {
	struct tap_row_key row; /* what the threads worked for; parity 0 */
	__u32 tag[4];		/* the engine's LOCKTAG without what differs from one row or transaction to the next */
	__u32 mode;
	__u32 pad;
};
TAP_ABI_SIZE(tap_lock_sum_key, 48);

/*
 * Waits that have ended and of which there is no record. Only grows, but for `longest`. Entries are never taken back.
 * What each wait looks at is one cache line.
 */
struct tap_lock_sum {
	struct tap_lock_sum_key key;
	__u64 waits; /* 0: not in use */
	__u64 ns;
	__u64 failed; /* of them, with an error */
	/*
	 * The longest of a round, by its parity: the round's number << TAP_LOCK_LONGEST_BITS | ns. The reader begins a
	 * round and reads what the last one left.
	 */
	__u64 longest[2];
	__u64 pad[5];
	__u32 buckets[TAP_LOCK_WAIT_BUCKETS];
};
TAP_ABI_SIZE(tap_lock_sum, 128 + 4 * TAP_LOCK_WAIT_BUCKETS);

/* The bucket of a wait. What is shorter than the first or longer than the last is counted in them. */
static inline __u32 tap_lock_sum_bucket(__u64 ns)
{
	__u32 log = tap_log2(ns);

	if (log < 10)
		return 0;
	if (log >= 10 + TAP_LOCK_WAIT_OCTAVES)
		return TAP_LOCK_WAIT_BUCKETS - 1;
	return (log - 10) * TAP_LATENCY_STEPS + (__u32)(ns >> (log - 3) & (TAP_LATENCY_STEPS - 1));
}

/*
 * The last word of a LOCKTAG has its type in the third byte; these, of all versions, have what two waits for the same
 * thing share in the first two or three words of the tag, the others in none.
 */
enum {
	TAP_PG_LOCKS_OF_TWO_WORDS = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4, /* relation, extend, page, tuple */
	TAP_PG_LOCKS_OF_THREE_WORDS = 1 << 8 | 1 << 9 | 1 << 10,       /* object, userlock, advisory */
};

static inline void tap_pg_lock_shared(const __u32 tag[4], __u32 ret[4])
{
	__u32 type = tag[3] >> 16 & 0xff, bit = type < 32 ? 1u << type : 0;
	__u32 three = bit & TAP_PG_LOCKS_OF_THREE_WORDS, two = bit & (TAP_PG_LOCKS_OF_TWO_WORDS | three);

	ret[0] = two ? tag[0] : 0;
	ret[1] = two ? tag[1] : 0;
	ret[2] = three ? tag[2] : 0;
	ret[3] = tag[3] & 0xffff0000;
}

#endif
