/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * io_maps.bpf.h - maps and globals of block requests and dirtied pages. Weak, as in maps.bpf.h.
 */
#ifndef TAP_BPF_IO_MAPS_BPF_H
#define TAP_BPF_IO_MAPS_BPF_H

#include "bpf/abi/io.h"
#include "bpf/maps.bpf.h"

#ifndef IO_SLOT_BITS /* a unit test has fewer */
#define IO_SLOT_BITS 14
#endif

#ifndef IO_STREAM_BITS
#define IO_STREAM_BITS 12
#endif

enum {
	IO_SLOTS = 1 << IO_SLOT_BITS, /* requests under way at once */
	IO_SLOT_STEPS = 8,
	IO_CLAIMED = 0xffffffff,
	IO_BIOS_MAX = 8192,
	IO_STREAM_PLACES = 1 << IO_STREAM_BITS,
	IO_STREAM_STEPS = 8,
	IO_PIECES_MAX = 64, /* of a vectored read that are looked at */
	IO_NO_TOTAL = 0xffffffff,
};

/* A request, or a bio that went into another's request, on its way. Other CPUs may issue and complete it: one line. */
struct io_request {
	__u64 number; /* that stands for the request's address; 0: never used */
	__u64 submitted_ns;
	__u64 issued_ns; /* 0: not, or not again since it was requeued */
	__u32 epoch;	 /* io_epoch when it was submitted; 0: done; IO_CLAIMED: being filled */
	__u32 total;	 /* index of its row's sums; IO_NO_TOTAL: none */
	__u32 done_bytes;
	__u32 ahead_bytes; /* of a read: more than the system call that it came from had asked for */
	__u32 bytes;	   /* when it was submitted; what was merged into it comes on top */
	__u8 pattern;	   /* enum tap_pattern */
	__u8 pad[3];
	__u64 more_pad[2];
};
_Static_assert(sizeof(struct io_request) == 64, "size of io_request");

/*
 * Requests by their address, open addressing: at most IO_SLOT_STEPS from the slot that the address gives. A disk has a
 * fixed number of requests and uses them again and again, so a slot stays its request's when it is done, until another
 * one finds no better. An array that may be mapped begins on a page: what is 64 bytes long is one cache line.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, IO_SLOTS);
	__type(key, __u32);
	__type(value, struct io_request);
} request_slots __weak SEC(".maps");

/* The program that the two of merged bios go on to; put there by userspace, once it is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bio_programs __weak SEC(".maps");

/* Bios that were merged into a request, by their address. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, IO_BIOS_MAX);
	__type(key, __u64);
	__type(value, struct io_request);
} bio_to_io __weak SEC(".maps");

/* Sums of requests, the first io_totals_used of them in use; resized. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tap_io_total);
} io_totals __weak SEC(".maps");

/* Where a row's sums are. Entries are added where a request is submitted, in a thread's own time; resized. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tap_io_key);
	__type(value, __u32);
} io_key_to_total __weak SEC(".maps");

/* resized */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tap_dirty_key);
	__type(value, __u64);
} dirty_totals __weak SEC(".maps");

/* resized */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tap_file_key);
	__type(value, struct tap_file);
} files __weak SEC(".maps");

/* Positions by owner, file and direction: at most IO_STREAM_STEPS from where the key's hash says. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, IO_STREAM_PLACES);
	__type(key, __u32);
	__type(value, struct tap_stream_place);
} stream_places __weak SEC(".maps");

struct io_piece {
	__u64 address;
	__u64 bytes;
};

/* Space too large for the stack; its users are not preempted. */
struct io_scratch {
	struct io_request request;
	struct tap_file file;
	struct io_piece pieces[IO_PIECES_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct io_scratch);
} io_space __weak SEC(".maps");

/* Set by userspace before the load. */
const volatile bool has_block_io_start __weak = true; /* 6.5 (commit 5a80bd075f3b); else block_getrq stands in */
const volatile __u64 direct_end_io __weak = 0;	      /* address of iomap_dio_bio_end_io; 0: not known */
const volatile __u64 chain_end_io __weak = 0;	      /* of bio_chain_endio */

/* Whole disks whose requests, and file systems whose dirtied pages are looked at; filled by userspace. */
struct tap_number_set watched_disks __weak = {};
struct tap_number_set watched_devices __weak = {};
/* Which instances have files on a watched disk, by its slot in the set. */
struct tap_instance_set disk_instances[TAP_NUMBER_SLOTS] __weak = {};

/* Entries of io_totals that are in use; userspace adds some, too. */
__u32 io_totals_used __weak = 0;

#endif
