/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * statement.h - what is kept at statement depth: sums and latencies by row, what the running statement has spent so
 * far, and the record of one statement that was slow.
 */
#ifndef TAP_BPF_ABI_STATEMENT_H
#define TAP_BPF_ABI_STATEMENT_H

#include "bpf/abi/account.h"
#include "bpf/abi/io.h"

enum {
	TAP_STATEMENT_OCTAVES = 32, /* from 2^10 ns, about 1 us, to 2^42 ns, about 73 minutes */
	TAP_STATEMENT_BUCKETS = TAP_LATENCY_STEPS * TAP_STATEMENT_OCTAVES,
	TAP_STATEMENT_SLOWEST = 8,	 /* of a row, most */
	TAP_STATEMENT_WAITS = 8,	 /* wait events of one statement that are told apart */
	TAP_STATEMENT_TEXT = 1024,	 /* bytes of text in a record ... */
	TAP_STATEMENT_TEXT_LONG = 16384, /* ... and in one of a statement that does not fit */
};

/*
 * Sums of a row: value of the array `statement_totals`. Written by all threads at once. How many ended well and in time
 * is what the latencies add up to; a statement whose beginning is not known is in `ended` alone.
 */
struct tap_statement_total {
	struct tap_row_key key; /* parity 0; kind NONE: not used yet */
	__u64 ended;		/* with errors */
	__u64 errors;
	__u64 max_ns;
	__u32 round; /* of `slowest`: the reader's number of the window */
	__u32 pad;
	__u64 pad2;
	__u64 slowest[TAP_STATEMENT_SLOWEST]; /* times that were told of in this window, in no order */
	__u32 latency[TAP_STATEMENT_BUCKETS];
};
TAP_ABI_SIZE(tap_statement_total, 64 + 64 + 4 * 256);

/* Statements that ended in an error: key of `statement_errors`; its value is a count, a __u64. */
struct tap_statement_error_key {
	struct tap_row_key row; /* parity 0 */
	__u32 code;		/* the engine's: PostgreSQL packs five letters of six bits; 0: not known */
	__u32 pad;
};
TAP_ABI_SIZE(tap_statement_error_key, 32);

/* What a thread's own counters of the kernel were. */
struct tap_statement_counters {
	__u64 minor_faults;
	__u64 major_faults;
	__u64 rchar_bytes;
	__u64 wchar_bytes;
	__u64 read_bytes;
	__u64 dirtied_bytes;
};
TAP_ABI_SIZE(tap_statement_counters, 48);

/*
 * Off the CPU since the statement began. What is left of a statement's time is its time on the CPU: it runs as it ends.
 */
struct tap_statement_spent {
	__s64 began; /* which statement: as its engine marks it, identity.activity_start_us */
	__u64 runq_ns;
	__s64 unknown_ns; /* preempted, less the run queue; or asleep with an unreadable event */
	__s64 other_ns;	  /* asleep with an event for which there was no room */
	struct tap_wait waits[TAP_STATEMENT_WAITS]; /* count 0: free */
};
TAP_ABI_SIZE(tap_statement_spent, 32 + 128);

/* A thread's, at statement depth. */
struct tap_statement_task {
	__s64 began;	/* `began` of the last statement that ended */
	__s64 ended_us; /* ... and when, by the server's clock */
	__u32 total;	/* index of its row's sums plus 1; 0: none */
	__u32 pad;
	__u64 arrival_ns;	/* the run up to whose start `spent` was added up when the last one ended */
	struct tap_row_key key; /* that row */
	struct tap_statement_counters base;
	struct tap_statement_spent spent;
};
TAP_ABI_SIZE(tap_statement_task, 32 + 24 + 48 + 160);

enum tap_statement_why {
	TAP_STATEMENT_SLOW = 1,	      /* took as long as was asked for */
	TAP_STATEMENT_IS_SLOWEST = 2, /* one of its row's slowest of the window so far */
	TAP_STATEMENT_FAILED = 4,     /* ended in an error */
};

/* Ring record: one statement, as it ended. Text follows: TAP_STATEMENT_TEXT bytes or TAP_STATEMENT_TEXT_LONG. */
struct tap_statement_event {
	struct tap_row_key key;
	__s32 tid;
	__s32 ns_pid;	    /* as the engine knows it; of an engine of threads the connection's number */
	__u64 monotonic_ns; /* when it ended */
	__u64 duration_ns;
	__u32 why;  /* bits of enum tap_statement_why */
	__u32 code; /* of the error */
	struct tap_statement_counters used;
	struct tap_statement_spent spent;
	__u32 text_size; /* bytes past it mean nothing; may be cut in the middle of a character */
	__u32 cut;	 /* 1: the text went on */
};
TAP_ABI_SIZE(tap_statement_event, 24 + 8 + 16 + 8 + 48 + 160 + 8);

#endif
