/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * io_total.bpf.h - sums of requests by row: an entry is found by its key once, and by its index from then on.
 *
 * Entries are never taken back, so an index that a stream's place or a request's slot remembers stays what it was.
 */
#ifndef TAP_BPF_IO_TOTAL_BPF_H
#define TAP_BPF_IO_TOTAL_BPF_H

#include "bpf/account.bpf.h"
#include "bpf/io_maps.bpf.h"
#include "bpf/owner.bpf.h"

/* NULL: there is none. */
static __always_inline struct tap_io_total *io_total_at(__u32 index)
{
	return bpf_map_lookup_elem(&io_totals, &index);
}

static __always_inline bool io_key_is_same(const struct tap_io_key *a, const struct tap_io_key *b)
{
	const __u64 *left = (const __u64 *)a, *right = (const __u64 *)b;

	for (__u32 i = 0; i < sizeof(*a) / sizeof(*left); i++) {
		if (left[i] != right[i])
			return false;
	}
	return true;
}

static __always_inline bool io_total_is_of(__u32 index, const struct tap_io_key *key)
{
	const struct tap_io_total *total = io_total_at(index);

	return total && io_key_is_same(&total->key, key);
}

/* The row into which full totals spill, one per disk and operation; userspace has put it in. */
static __always_inline __u32 io_total_rest(const struct tap_io_key *key)
{
	struct tap_io_key rest = { .disk = key->disk, .op = key->op };
	const __u32 *index;

	count_loss(TAP_LOSS_IO_TOTALS_FULL);
	row_of_none(&rest.row, TAP_KIND_REST);
	index = bpf_map_lookup_elem(&io_key_to_total, &rest);
	return index ? *index : IO_NO_TOTAL;
}

/* The next free entry; IO_NO_TOTAL: all are in use. */
static __always_inline __u32 io_total_take(void)
{
	if (!io_total_at(*(volatile __u32 *)&io_totals_used))
		return IO_NO_TOTAL;
	return __sync_fetch_and_add(&io_totals_used, 1);
}

/* Index of the row's sums, made when there are none; IO_NO_TOTAL: not even those of the rest are there. */
TAP_GLOBAL __u32 io_total_of(struct tap_io_key *key)
{
	struct tap_io_total *total;
	const __u32 *known;
	__u32 index;

	if (!key)
		return IO_NO_TOTAL;
	known = bpf_map_lookup_elem(&io_key_to_total, key);
	if (known)
		return *known;
	index = io_total_take();
	total = io_total_at(index);
	if (!total)
		return io_total_rest(key);
	total->key = *key;
	if (!bpf_map_update_elem(&io_key_to_total, key, &index, BPF_NOEXIST))
		return index;
	/* Another CPU was faster, or memory is short: it is given back, unless the next one is in use already. */
	__sync_val_compare_and_swap(&io_totals_used, index + 1, index);
	known = bpf_map_lookup_elem(&io_key_to_total, key);
	return known ? *known : io_total_rest(key);
}

static __always_inline void io_add_bytes(struct tap_io_total *total, __u8 pattern, __u64 bytes)
{
	if (pattern < TAP_PATTERNS)
		__sync_fetch_and_add(&total->pattern_bytes[pattern], bytes);
}

static __always_inline void io_add_size(struct tap_io_total *total, __u64 bytes)
{
	__u32 size = tap_size_bucket(bytes);

	if (size < TAP_SIZE_BUCKETS)
		__sync_fetch_and_add(&total->sizes[size], 1);
}

/* Mostly both times are in one bucket; then one addition does, to both halves of it. */
static __always_inline void io_add_times(struct tap_io_total *total, __u64 ns, __u64 device_ns)
{
	__u32 whole = tap_latency_bucket(ns), device = tap_latency_bucket(device_ns);

	if (whole >= TAP_LATENCY_BUCKETS || device >= TAP_LATENCY_BUCKETS)
		return;
	if (whole == device) {
		__sync_fetch_and_add((__u64 *)&total->times[whole], 1ull << 32 | 1);
		return;
	}
	__sync_fetch_and_add(&total->times[whole].whole, 1);
	__sync_fetch_and_add(&total->times[device].device, 1);
}

#endif
