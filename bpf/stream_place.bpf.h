/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stream_place.bpf.h - where the positions of one owner in one file are kept.
 *
 * A hash table of our own in an array: a lookup is a multiplication and a comparison of three words, and the memory is
 * all there from the beginning. A set that was not used since another needed its place makes room.
 */
#ifndef TAP_BPF_STREAM_PLACE_BPF_H
#define TAP_BPF_STREAM_PLACE_BPF_H

#include "bpf/account.bpf.h"
#include "bpf/io_maps.bpf.h"

/* The step-th place of a key; never NULL but for the verifier. */
static __always_inline struct tap_stream_place *stream_place_at(__u32 home, __u32 step)
{
	__u32 index = (home + step) & (IO_STREAM_PLACES - 1);

	return bpf_map_lookup_elem(&stream_places, &index);
}

static __always_inline __u32 stream_home(const struct tap_stream_key *key)
{
	const __u64 *words = (const __u64 *)key;
	__u64 hash = words[0] * 0x9e3779b97f4a7c15ull;

	hash = (hash ^ hash >> 32 ^ words[1]) * 0xff51afd7ed558ccdull;
	hash = (hash ^ hash >> 32 ^ words[2]) * 0xc4ceb9fe1a85ec53ull;
	return hash >> (64 - IO_STREAM_BITS);
}

static __always_inline bool stream_key_is_same(const struct tap_stream_key *a, const struct tap_stream_key *b)
{
	const __u64 *left = (const __u64 *)a, *right = (const __u64 *)b;

	return left[0] == right[0] && left[1] == right[1] && left[2] == right[2];
}

static __always_inline bool stream_place_is_free(const struct tap_stream_place *place)
{
	return !place->key.file.device;
}

/* One that was looked at loses its recent use: the first that had none is replaced. */
static __always_inline bool stream_place_may_go(struct tap_stream_place *place)
{
	if (stream_place_is_free(place) || !place->recent)
		return true;
	place->recent = 0;
	return false;
}

/* Makes it the key's, empty; false: another CPU is at it. A CPU that still uses the old set may spoil a position. */
static __always_inline bool stream_place_take(struct tap_stream_place *place, const struct tap_stream_key *key)
{
	if (__sync_val_compare_and_swap(&place->claimed, 0, 1))
		return false;
	place->key = *key;
	place->total = IO_NO_TOTAL;
	__builtin_memset(&place->set, 0, sizeof(place->set));
	place->claimed = 0;
	return true;
}

/* *ret_new: it was made just now. NULL: there is none to be had. */
TAP_LOCAL struct tap_stream_place *stream_place_seek(const struct tap_stream_key *key, __u32 home, bool *ret_new)
{
	struct tap_stream_place *place, *victim = NULL;

	for (__u32 step = 0; step < IO_STREAM_STEPS; step++) {
		place = stream_place_at(home, step);
		if (!place)
			return NULL;
		if (stream_key_is_same(&place->key, key))
			return place;
		if (stream_place_is_free(place))
			break;
	}
	for (__u32 step = 0; step < IO_STREAM_STEPS && !victim; step++) {
		place = stream_place_at(home, step);
		if (place && stream_place_may_go(place))
			victim = place;
	}
	if (!victim)
		victim = stream_place_at(home, 0);
	if (!victim || !stream_place_take(victim, key))
		return NULL;
	*ret_new = true;
	return victim;
}

static __always_inline struct tap_stream_place *stream_place_of(const struct tap_stream_key *key, bool *ret_new)
{
	__u32 home = stream_home(key);
	struct tap_stream_place *place = stream_place_at(home, 0);

	if (!place || !stream_key_is_same(&place->key, key))
		place = stream_place_seek(key, home, ret_new);
	if (place && !place->recent)
		place->recent = 1;
	return place;
}

#endif
