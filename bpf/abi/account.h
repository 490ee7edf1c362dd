/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * account.h - what is added up per row (query, auxiliary process, idle state) and how it leaves the kernel.
 *
 * A thread's accumulators live in its task storage as a few "ways", one per row it recently worked for, written by the
 * thread's own context switch alone. A way that must make room, and every way of a thread that exits, is moved to the
 * totals maps. Nothing is ever zeroed by a reader: figures only grow, userspace takes differences.
 */
#ifndef TAP_BPF_ABI_ACCOUNT_H
#define TAP_BPF_ABI_ACCOUNT_H

#include "bpf/abi/types.h"

enum {
	TAP_WAYS = 12,	   /* rows a thread keeps at once */
	TAP_WAY_WAITS = 8, /* wait events a way keeps at once */
};

/*
 * Value of the map of peaks: how much private memory a process held at most while it worked for the row, in KiB, and
 * above that the number of the snapshot after which it did; so the larger one of two is the one to keep.
 */
enum {
	TAP_PEAK_BITS = 40,
};

static inline __u64 tap_peak_make(__u32 epoch, __u64 kib)
{
	return (__u64)epoch << TAP_PEAK_BITS | (kib & ((1ull << TAP_PEAK_BITS) - 1));
}

static inline __u64 tap_peak_bytes(__u64 peak)
{
	return (peak & ((1ull << TAP_PEAK_BITS) - 1)) << 10;
}

/* Whether it is of what came after the snapshot of this number; of its number 24 bits are kept. */
static inline int tap_peak_is_since(__u64 peak, __u32 epoch)
{
	return peak && (((peak >> TAP_PEAK_BITS) - epoch) & 0xffffff) < 0x800000;
}

enum tap_query_id_source {
	TAP_QUERY_ID_NONE = 0,	 /* the row has no query id */
	TAP_QUERY_ID_ENGINE = 1, /* the engine's own */
	TAP_QUERY_ID_OWN = 2,	 /* hash of the text with literals skipped, see fingerprint.h */
};

/* Which row. Compared as bytes, so every byte is set. */
struct tap_row_key {
	__u32 instance; /* index of the instance in `instances` */
	__u8 kind;	/* enum tap_kind */
	__u8 source;	/* enum tap_query_id_source */
	__u8 parity;	/* totals maps only: which snapshots the entry belongs to, see tap_task.read_epoch */
	__u8 pad;
	__u32 database; /* the engine's number, 0 where there is none */
	__u32 user;
	__u64 query_id; /* bits of the id; 0 with TAP_QUERY_ID_NONE */
};
TAP_ABI_SIZE(tap_row_key, 24);

/*
 * ns are of the scheduler's clock; growth of the kernel's own per-task counters. Ordered by use: with the key before
 * them, the first five share a cache line, which is all that most switches touch. Sleeps are the sum of the row's wait
 * counts.
 */
struct tap_account {
	__u64 cpu_ns;
	__u64 runq_ns;
	__s64 unknown_ns; /* off the CPU after a preemption (steal, interrupts), or asleep with an unreadable event */
	__u64 calls;	  /* statements seen to end */
	__u64 uncounted;  /* statements of the session, of any row, that may have ended unseen before these: at most */
	__u64 preemptions;
	__s64 anon_bytes; /* private memory gained, less what was given back */
	__u64 minor_faults;
	__u64 major_faults;
	__u64 rchar_bytes;   /* asked of read-like system calls */
	__u64 wchar_bytes;   /* asked of write-like system calls */
	__u64 read_bytes;    /* submitted to the block layer for the task */
	__u64 dirtied_bytes; /* task->ioac.write_bytes: page cache dirtied, or direct writes submitted */
};
TAP_ABI_SIZE(tap_account, 104);

struct tap_wait {
	__u32 event; /* the engine's wait event number; 0: asleep with no event set */
	__u32 count; /* sleeps */
	__s64 ns;
};
TAP_ABI_SIZE(tap_wait, 16);

/* Value of the wait totals map; its key is the row and the event. */
struct tap_wait_total {
	__u64 count;
	__s64 ns;
};
TAP_ABI_SIZE(tap_wait_total, 16);

enum {
	TAP_EVENT_ANY = 0xffffffff, /* the wait of a REST row, of events that were not kept apart */
};

struct tap_wait_key {
	struct tap_row_key row;
	__u32 event;
	__u32 pad;
};
TAP_ABI_SIZE(tap_wait_key, 32);

struct tap_way {
	struct tap_row_key key; /* kind NONE: free */
	struct tap_account account;
	struct tap_wait waits[TAP_WAY_WAITS]; /* count 0: free */
};
TAP_ABI_SIZE(tap_way, 256);

#endif
