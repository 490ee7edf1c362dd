/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * io.h - what is added up per block request and per dirtied page, and how it leaves the kernel.
 *
 * A request's owner is the row its submitter worked for; kernel threads and processes of no watched instance have rows
 * of kind KERNEL and OTHER. Figures only grow; userspace takes differences.
 */
#ifndef TAP_BPF_ABI_IO_H
#define TAP_BPF_ABI_IO_H

#include "bpf/abi/account.h"

enum {
	TAP_DISKS_MAX = 64,
	TAP_FILE_NAMES = 4,	/* the file's own name and those of three folders above it */
	TAP_FILE_NAME_MAX = 48, /* bytes kept of each, with the NUL */
	TAP_STREAMS = 16,	/* positions kept per owner, file and direction */
	TAP_SIZE_BUCKETS = 13,	/* of request sizes: see tap_size_bucket */
	TAP_LATENCY_STEPS = 8,	/* buckets per octave: a bucket is at most 12.5 % wide, its middle at most 6.3 % off */
	TAP_LATENCY_OCTAVES = 24, /* from 2^10 ns, about 1 us, to 2^34 ns, about 17 s */
	TAP_LATENCY_BUCKETS = TAP_LATENCY_STEPS * TAP_LATENCY_OCTAVES,
	TAP_STREAM_GAP = 32 * 1024,	/* up to which the next request continues a stream: pages that were cached */
	TAP_STREAM_NEAR = 256 * 1024,	/* up to which it is near */
	TAP_STREAM_PARTS = 256,		/* of a file: what is in one of them is near */
	TAP_INSTANCE_NONE = 0xffffffff, /* the owner belongs to no watched instance */
};

enum tap_io_op {
	TAP_IO_READ,
	TAP_IO_WRITE, /* secure erase and write zeroes too, as the disk's own counter has them */
	TAP_IO_DISCARD,
	TAP_IO_FLUSH, /* carries no bytes */
	TAP_IO_OPS,
};

/*
 * How a request lies to those before it of the same owner, file and direction (bpf/stream.bpf.h).
 *
 * SEQUENTIAL: it begins where one of the last TAP_STREAMS positions ended, or within it and ends no earlier (the last
 * block written again), or it ends where one began; a gap of at most TAP_STREAM_GAP may lie between when that position
 * is the last request's, or had continued another. Or it begins the file; or it is TAP_STREAM_NEAR long or longer, a
 * run by itself. Or the read call that asks for it begins where the last one on that open file ended, at most
 * TAP_STREAM_GAP behind it: what lies before was read in order, from the page cache.
 *
 * NEAR: not that, but within TAP_STREAM_NEAR, or 1 / TAP_STREAM_PARTS of a smaller file, of the last request or of a
 * position that was continued before.
 *
 * RANDOM: neither.
 *
 * What a read call brings in ahead of itself, beyond what it asked for, is what the call's first request was: reading
 * ahead makes nothing sequential.
 */
enum tap_pattern {
	TAP_PATTERN_SEQUENTIAL,
	TAP_PATTERN_NEAR,
	TAP_PATTERN_RANDOM,
	TAP_PATTERNS,
};

/*
 * A small set of device numbers (major << 20 | minor; 0 is none) that one side adds to and the other asks at every
 * request: open addressing, a number is at most TAP_NUMBER_STEPS slots from its own.
 */
enum {
	TAP_NUMBER_SLOTS = 256,
	TAP_NUMBER_STEPS = 16,
};

struct tap_number_set {
	__u32 slots[TAP_NUMBER_SLOTS];
};
TAP_ABI_SIZE(tap_number_set, 1024);

static inline __u32 tap_number_slot(__u32 number, __u32 step)
{
	return ((number ^ number >> 16) + step) & (TAP_NUMBER_SLOTS - 1);
}

static inline __u8 tap_number_has(const struct tap_number_set *set, __u32 number)
{
	for (__u32 step = 0; step < TAP_NUMBER_STEPS; step++) {
		__u32 found = set->slots[tap_number_slot(number, step)];

		if (!found)
			return 0;
		if (found == number)
			return 1;
	}
	return 0;
}

/* A file as the kernel knows it. Compared as bytes. */
struct tap_file_key {
	__u64 inode;	  /* 0: none: the file system's own metadata and journal, or a request without pages */
	__u32 device;	  /* the superblock's: major << 20 | minor */
	__u32 generation; /* tells a file from an earlier one of the same inode number */
};
TAP_ABI_SIZE(tap_file_key, 16);

/* Whose requests: key of `io_key_to_total`. Compared as bytes, so every byte is set. */
struct tap_io_key {
	struct tap_row_key row; /* parity 0 */
	struct tap_file_key file;
	__u32 disk; /* the whole disk: major << 20 | minor */
	__u8 op;    /* enum tap_io_op */
	/* 1: submitted while a checkpoint ran of an instance that has files on the disk. */
	__u8 checkpoint;
	__u8 pad[2];
};
TAP_ABI_SIZE(tap_io_key, 48);

/* What was added up of requests that completed. */
struct tap_io {
	__u64 requests; /* completed for good, failed ones too */
	__u64 bytes;	/* as the disk's own counter has them */
	__u64 failed;	/* requests */
	__u64 pattern_bytes[TAP_PATTERNS];
	__u64 asked_bytes; /* of `bytes`, what the submitter's own system call had asked for; the rest was read ahead */
	__u64 queue_ns;	   /* submitted to issued */
	__u64 device_ns;   /* issued to completed */
	__u64 max_ns;	   /* largest submitted to completed */
	__u32 sizes[TAP_SIZE_BUCKETS];
	__u32 latency[TAP_LATENCY_BUCKETS];	   /* submitted to completed */
	__u32 device_latency[TAP_LATENCY_BUCKETS]; /* issued to completed */
	__u32 pad;
};
TAP_ABI_SIZE(tap_io, 80 + 56 + 2 * 4 * 192);

/* Requests by what they took, submitted to completed and issued to completed: one next to the other, as their times. */
struct tap_io_times {
	__u32 whole;
	__u32 device;
};
TAP_ABI_SIZE(tap_io_times, 8);

/*
 * The same as the kernel side adds it up: value of `io_totals`, in cache lines of 64 bytes. The key's line is written
 * once; a completion writes the line behind it, one of the sizes and, mostly, one of the times. What follows from the
 * others is not kept: bytes are those of all patterns, requests those of all sizes, asked for is what was not ahead.
 */
struct tap_io_total {
	struct tap_io_key key; /* kind NONE: not used yet */
	__u64 pad[2];
	__u64 pattern_bytes[TAP_PATTERNS];
	__u64 ahead_bytes; /* of what was read: more than the submitter's own system call had asked for */
	__u64 queue_ns;
	__u64 device_ns;
	__u64 max_ns;
	__u64 failed;
	__u64 sizes[TAP_SIZE_BUCKETS];
	__u64 more_pad[3];
	struct tap_io_times times[TAP_LATENCY_BUCKETS];
};
TAP_ABI_SIZE(tap_io_total, 64 + 64 + 128 + 8 * 192);

/* Page cache dirtied: key of `dirty_totals`; its value is bytes, a __u64. */
struct tap_dirty_key {
	struct tap_row_key row; /* parity 0 */
	struct tap_file_key file;
};
TAP_ABI_SIZE(tap_dirty_key, 40);

/* A file's place, taken once, when it is first seen: value of `files`. */
struct tap_file {
	__u64 folders[TAP_FILE_NAMES - 1]; /* inodes of the folders above it, nearest first; 0: none */
	__u64 size_bytes;		   /* when first seen */
	__u32 unlinked;			   /* had no name any more */
	__u32 pad;
	char names[TAP_FILE_NAMES][TAP_FILE_NAME_MAX]; /* its own, then the folders'; NUL-terminated, cut */
};
TAP_ABI_SIZE(tap_file, 40 + 4 * 48);

/* Positions of one owner in one file. */
struct tap_stream_key {
	struct tap_file_key file;
	__u32 owner; /* pid of the session, of its leader in a parallel group; 0: kernel threads */
	__u8 op;
	__u8 pad[3];
};
TAP_ABI_SIZE(tap_stream_key, 24);

struct tap_stream {
	__u64 begin;	 /* of the last request, bytes in the file */
	__u32 bytes;	 /* its length; 0: free */
	__u16 used;	 /* by the set's clock */
	__u16 continued; /* 1: the last request continued it */
};
TAP_ABI_SIZE(tap_stream, 16);

/* Ordered by use: a request touches the first two cache lines of tap_stream_place and those of one or two positions. */
struct tap_stream_set {
	__u32 clock;
	__u16 last;	    /* index of the stream of the last request */
	__u16 next;	    /* ... and of the one to lose next */
	__u32 reach;	    /* pieces of the largest request */
	__u32 last_pattern; /* enum tap_pattern of the last request */
	__u64 call;	    /* where the read call of the last request asked from, plus one; 0: not known */
	/* Where each one ends, in pieces of TAP_STREAM_NEAR, 16 bits of it: what is far off is passed over. */
	__u64 tags[TAP_STREAMS / 4];
	__u64 bytes[TAP_PATTERNS];
	__u64 requests;
	struct tap_stream streams[TAP_STREAMS];
	struct tap_row_key row; /* the last owner's */
	__u64 pad[5];
};
TAP_ABI_SIZE(tap_stream_set, 24 + 64 + 16 * 16 + 64);

/* Value of `stream_places`: a set where its key's hash puts it, or nearby. */
struct tap_stream_place {
	struct tap_stream_key key;
	__u32 total;   /* index of the last request's entry in `io_totals` */
	__u32 claimed; /* 1: about to become another key's */
	__u32 recent;  /* used since one that needs a place came by */
	__u32 pad;
	struct tap_stream_set set; /* of no request: free */
};
TAP_ABI_SIZE(tap_stream_place, 40 + 408);

/* Position of the highest bit; 0 for 0. Without a loop, and without an instruction that BPF does not have. */
static inline __u32 tap_log2(__u64 value)
{
	__u32 log = 0;

	if (value >> 32) {
		value >>= 32;
		log += 32;
	}
	if (value >> 16) {
		value >>= 16;
		log += 16;
	}
	if (value >> 8) {
		value >>= 8;
		log += 8;
	}
	if (value >> 4) {
		value >>= 4;
		log += 4;
	}
	if (value >> 2) {
		value >>= 2;
		log += 2;
	}
	return log + (__u32)(value >> 1);
}

/* 0: up to 512 bytes, each next one twice that, the last: more than 1 MiB. */
static inline __u32 tap_size_bucket(__u64 bytes)
{
	__u64 sectors = bytes ? (bytes - 1) >> 9 : 0;
	__u32 bucket = sectors ? tap_log2(sectors) + 1 : 0;

	return bucket < TAP_SIZE_BUCKETS ? bucket : TAP_SIZE_BUCKETS - 1;
}

/*
 * The bucket of a time in a histogram of so many octaves. What is shorter than the first or longer than the last is
 * counted in them.
 */
static inline __u32 tap_latency_bucket_of(__u64 ns, __u32 octaves)
{
	__u32 log = tap_log2(ns);

	if (log < 10)
		return 0;
	if (log >= 10 + octaves)
		return TAP_LATENCY_STEPS * octaves - 1;
	return (log - 10) * TAP_LATENCY_STEPS + (__u32)(ns >> (log - 3) & (TAP_LATENCY_STEPS - 1));
}

static inline __u32 tap_latency_bucket(__u64 ns)
{
	return tap_latency_bucket_of(ns, TAP_LATENCY_OCTAVES);
}

/* The time in the middle of a bucket. */
static inline __u64 tap_latency_middle_ns(__u32 bucket)
{
	__u32 log = 10 + bucket / TAP_LATENCY_STEPS;
	__u64 step = 1ull << (log - 3);

	return (1ull << log) + bucket % TAP_LATENCY_STEPS * step + step / 2;
}

#endif
