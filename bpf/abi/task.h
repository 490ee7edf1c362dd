/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * task.h - what is kept per traced thread, how it is adopted, and how it is read.
 */
#ifndef TAP_BPF_ABI_TASK_H
#define TAP_BPF_ABI_TASK_H

#include "bpf/abi/account.h"
#include "bpf/abi/engine.h"
#include "bpf/abi/lock.h"
#include "bpf/abi/my_layout.h"
#include "bpf/abi/pg_layout.h"
#include "bpf/abi/stall.h"
#include "bpf/abi/statement.h"

enum {
	TAP_INSTANCES_MAX = 128,
	TAP_TEXT_MAX = 1024, /* bytes of a statement that fingerprints and captured texts see */
	TAP_TEXT_PIECE = 32, /* bytes that a fingerprint takes at a time */
	TAP_NO_WAY = 0xff,
	TAP_IDLE_KINDS = TAP_KIND_IDLE_IN_TRANSACTION - TAP_KIND_IDLE + 1,
};

/* In this order: from BACKEND on a thread is accounted. */
enum tap_role {
	TAP_ROLE_NONE = 0, /* being adopted */
	TAP_ROLE_DEAD = 1,
	TAP_ROLE_CLOCK = 2,	 /* dbtap itself: pairs the scheduler's clock with the monotonic one */
	TAP_ROLE_BACKEND = 3,	 /* a child of the postmaster: its memory says what it does */
	TAP_ROLE_FIXED = 4,	 /* `kind` is all there is to know; memory is not read */
	TAP_ROLE_POSTMASTER = 5, /* FIXED, and its children are backends */
	TAP_ROLE_MY_THREAD = 6,	 /* a thread of a MariaDB or MySQL server: says which session it serves, if any */
};

/* Why the last boundary was one. */
enum tap_off {
	TAP_OFF_NONE = 0, /* on the CPU since */
	TAP_OFF_SLEEP = 1,
	TAP_OFF_PREEMPTED = 2,
};

/* Bits of tap_task.marks; written by the owning thread alone, while seq is odd. */
enum tap_mark {
	TAP_MARK_MEMORY = 1,  /* private memory is looked at at each boundary, not only after page faults */
	TAP_MARK_STALLED = 2, /* there are stalls to charge */
};

/* Kernel counters of a thread at a boundary; all only grow. */
struct tap_counters {
	__u64 sum_exec_ns;
	__u64 run_delay_ns;
	__u64 minor_faults;
	__u64 major_faults;
	__u64 rchar_bytes;
	__u64 wchar_bytes;
	__u64 read_bytes;
	__u64 dirtied_bytes;
};
TAP_ABI_SIZE(tap_counters, 64);

/* What a backend's status entry said at the last boundary. */
struct tap_identity {
	__u32 change_count;
	__u32 database;
	__u32 user;
	__u8 kind;	 /* enum tap_kind */
	__u8 state;	 /* enum tap_pg_state */
	__u8 source;	 /* of query_id */
	__u8 idle_state; /* state when the last statement was seen to have ended; MariaDB: it is a pool's thread */
	__s64 activity_start_us; /* the engine's clock */
	__u64 query_id;
};
TAP_ABI_SIZE(tap_identity, 32);

/*
 * The kernel puts a value 8 bytes into a cache line. The head is ordered and padded so that each way begins at a line:
 * what is slow in a context switch is not the instructions but lines that another process has pushed out.
 */
struct tap_task {
	/* These two in one aligned word: the iterator exchanges both at once. */
	__u32 seq;	  /* odd while the owning thread's switch writes */
	__u32 read_epoch; /* the last snapshot that read this thread; written by the snapshot iterator alone */

	__u64 last_ns;	      /* scheduler clock up to which time is accounted */
	__u64 arrival_ns;     /* start of the run on a CPU that is accounted up to last_ns */
	__u64 status_address; /* the thread's status entry; 0 until it is known to be its own */
	__u32 instance;
	__s32 ns_pid;	   /* pid in its own namespace, as the engine knows it */
	__u8 role;	   /* enum tap_role */
	__u8 off;	   /* enum tap_off */
	__u8 in_statement; /* the last boundary saw a statement running */
	__u8 progress;	   /* the running statement reports progress: its change count says nothing about statements */
	__u8 current_way;  /* row the thread works for */
	__u8 current_kind; /* its kind */
	__u8 sleep_way;	   /* row and wait the thread sleeps for; TAP_NO_WAY: none */
	__u8 sleep_wait;
	__u8 marks; /* enum tap_mark */
	/* The ways of both idle kinds, and in each the wait for the client; TAP_NO_WAY: not there. */
	__u8 idle_ways[TAP_IDLE_KINDS];
	__u8 idle_waits[TAP_IDLE_KINDS];
	__u8 last_way;	 /* of the last statement's row */
	__u8 next_way;	 /* ... and of the row expected to follow: next_ways of it */
	__u8 lock_state; /* enum tap_lock_state */

	struct tap_counters counters;

	struct tap_identity identity;
	__u32 idle_change_count; /* identity.change_count when the last statement was seen to have ended */
	__u32 sleep_event;
	__u64 wait_address;	  /* its wait event word */
	__u64 activity_address;	  /* where the entry keeps the text of the current statement */
	__s32 group_pid;	  /* of a parallel worker: its leader's pid, as ns_pid; 0: not looked up yet */
	__u32 text_size;	  /* of the text at activity_address; 0: a NUL ends it */
	__u32 tags[TAP_WAYS];	  /* of the ways' keys, to find one without touching them all; 0: free */
	__u8 next_ways[TAP_WAYS]; /* the statement's row that followed each one last time: most often it does again */
	union {
		struct {
			__u8 thread_kind; /* enum tap_kind: MariaDB's, MySQL's thread while it serves no session; 0: not
					     told */
			__u8 session_kind; /* ... its session, when it is no client's; 0: not told, or it is */
			__u8 pad3[2];
		};
		__u32 anon_pages; /* of others: private memory of the process when it was last looked at */
	};

	struct tap_way ways[TAP_WAYS]; /* kind NONE: free */

	/* Of the ways that were evicted: what the thread's own figures are made of besides. */
	struct tap_account gone;
	__s64 gone_wait_ns;
	__u64 gone_sleeps;

	__u64 peak;		   /* tap_peak_make of what was last seen of the current row; 0: nothing yet */
	struct tap_lock_open lock; /* a cache line of its own */
	struct tap_statement_task statement; /* at statement depth */
	struct tap_stall stall;		     /* since the last boundary */
	__u8 next_victim;		     /* way to lose when a new row needs one */
	__u8 pad4[7];
};
_Static_assert(__builtin_offsetof(struct tap_task, ways) % 64 == 56, "ways begin at a cache line");
_Static_assert(__builtin_offsetof(struct tap_task, lock) % 64 == 56, "a wait is in one cache line");
TAP_ABI_SIZE(tap_task, 3512 + 304);

/* How userspace hands a thread that already runs to the kernel side: map `adopted`, by host tid. */
struct tap_adoption {
	__u32 instance;
	__u8 role;
	__u8 thread_kind; /* of tap_task */
	__u8 pad[2];
	struct tap_identity identity; /* as read from its memory just now; kind is always set */
	__u64 status_address;
	__u64 wait_address;
	__u64 activity_address;
	__u32 wait_event;
	__s32 group_pid; /* of tap_task */
};
TAP_ABI_SIZE(tap_adoption, 72);

/* One thread in the snapshot stream: this head, then `n_ways` struct tap_way. */
struct tap_task_record {
	__u32 size; /* of head and ways */
	__s32 tid;
	__s32 tgid;
	__u32 instance;
	__u64 now_ns; /* scheduler clock when the record was taken */
	__u64 last_ns;
	__u64 arrival_ns;
	__u64 last_arrival_ns;	     /* of the kernel, now */
	__u64 last_queued_ns;	     /* of the kernel, now: not 0 while on a run queue */
	struct tap_counters seen;    /* at the last boundary */
	struct tap_counters current; /* now; sum_exec_ns may lag by a tick while on a CPU */
	struct tap_identity identity;
	struct tap_row_key current_row;
	struct tap_row_key sleep_row;
	__u32 sleep_event;
	__u8 role;
	__u8 off;
	__u8 on_cpu;
	__u8 in_statement;
	__u8 asleep; /* sleep_row and sleep_event hold */
	__u8 torn;   /* the thread switched every time we looked: figures may be off by one switch */
	__u8 pad[2];
	__u32 n_ways;
	struct tap_account gone; /* of tap_task */
	__s64 gone_wait_ns;
	__u64 gone_sleeps;
	__u64 anon_bytes;      /* private memory of the process, now */
	__u64 anon_bytes_seen; /* ... that is accounted for */
};
TAP_ABI_SIZE(tap_task_record, 416);

/* Configuration of an instance: map `instances`. */
struct tap_instance {
	union {
		struct {
			struct tap_pg_layout layout;
			struct tap_pg_addresses addresses;
			struct tap_pg_aio aio;
		};
		struct tap_my_instance my;
	};
	__u8 own_ids; /* the engine computes no query ids: fingerprint every statement */
	__u8 engine;  /* enum tap_engine */
	__u8 pad[6];
};
TAP_ABI_SIZE(tap_instance, 280);

/* The two clocks at one moment. */
struct tap_clock_pair {
	__u64 sched_ns;
	__u64 monotonic_ns;
};
TAP_ABI_SIZE(tap_clock_pair, 16);

#endif
