/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io.h - block requests, dirtied pages, files and disks at one moment, as plain values.
 *
 * userspace/consume fills a set from the kernel's maps; a window is the difference of two. Cumulative since the attach.
 */
#ifndef TAP_CORRELATE_IO_H
#define TAP_CORRELATE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/io.h"
#include "userspace/base/hash.h"

struct tap_io_entry {
	struct tap_io_key key; /* first, for the index */
	struct tap_io io;
};

struct tap_dirty_entry {
	struct tap_dirty_key key;
	uint64_t bytes;
};

struct tap_file_entry {
	struct tap_file_key key;
	struct tap_file file;
};

struct tap_stream_entry {
	struct tap_stream_key key;
	struct tap_stream_set set;
};

/* A watched disk's own counters, from /proc/diskstats. */
struct tap_disk_entry {
	uint32_t disk; /* major << 20 | minor */
	char name[32]; /* "vda" */
	uint64_t reads;
	uint64_t read_bytes;
	uint64_t writes;
	uint64_t write_bytes;
	uint64_t discards;
	uint64_t discard_bytes;
	uint64_t flushes;
};

struct tap_io_set {
	struct tap_io_entry *requests;
	size_t n_requests;
	struct tap_dirty_entry *dirty;
	size_t n_dirty;
	struct tap_file_entry *files;
	size_t n_files;
	struct tap_stream_entry *streams;
	size_t n_streams;
	struct tap_disk_entry *disks;
	size_t n_disks;
	bool traced; /* the kernel side could trace block requests at all */
};

void tap_io_set_init(struct tap_io_set *set);
void tap_io_set_done(struct tap_io_set *set);

/* Append one; 0 or -ENOMEM. Keys are not looked up: a map holds each once. */
int tap_io_set_add_request(struct tap_io_set *set, const struct tap_io_key *key, const struct tap_io *io);
int tap_io_set_add_dirty(struct tap_io_set *set, const struct tap_dirty_key *key, uint64_t bytes);
int tap_io_set_add_file(struct tap_io_set *set, const struct tap_file_key *key, const struct tap_file *file);
int tap_io_set_add_stream(struct tap_io_set *set, const struct tap_stream_key *key,
			  const struct tap_stream_set *streams);
int tap_io_set_add_disk(struct tap_io_set *set, const struct tap_disk_entry *disk);

/*
 * end - begin into the empty set *ret: requests, dirty, streams (their bytes and requests; positions are those of the
 * end) and disks, without those that did not change; disks stay, and one that `begin` does not know has no difference.
 * Files have none: they are the end's, and there may be many. 0 or -ENOMEM.
 */
int tap_io_set_subtract(const struct tap_io_set *end, const struct tap_io_set *begin, struct tap_io_set *ret);

/* What the kernel side's sums say. */
void tap_io_of_total(struct tap_io *ret, const struct tap_io_total *total);

/* Adds the figures of one request account to another; max is the larger one. */
void tap_io_add(struct tap_io *to, const struct tap_io *from);

/* The time below which `percent` of what was counted stayed: middle of the bucket; -1: nothing was counted. */
int64_t tap_latency_percentile_of(const uint32_t *histogram, uint32_t buckets, double percent);
/* ... of the requests' histogram. */
int64_t tap_latency_percentile_ns(const uint32_t histogram[TAP_LATENCY_BUCKETS], double percent);
/* The longest time that falls into a bucket. */
uint64_t tap_latency_top_ns(uint32_t bucket);

#endif
