/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stream.bpf.h - how a request lies to those before it of the same owner, file and direction: sequential, near, random.
 *
 * The rule is told in bpf/abi/io.h. Several positions are kept per set, so scans that take turns stay sequential. Sets
 * of a parallel group have several writers at once: a lost update costs a position, an index never leaves the set.
 */
#ifndef TAP_BPF_STREAM_BPF_H
#define TAP_BPF_STREAM_BPF_H

#include "bpf/abi/io.h"
#include "bpf/account.bpf.h"

enum {
	STREAM_NONE = TAP_STREAMS,
	/* A position that was continued makes room for a single one only when it is older by so many requests. */
	STREAM_GRACE = 64,
	STREAM_NEAR_FLAG = 0x100,
};

/*
 * Whether [begin, end) goes on where the stream is: behind it, or, for one that is read backwards, before it. Forwards
 * an overlap is the last block written again.
 */
static __always_inline bool stream_continues(const struct tap_stream *stream, __u64 begin, __u64 end)
{
	if (!stream->used)
		return false;
	if (begin >= stream->begin && end >= stream->end)
		return begin <= stream->end + TAP_STREAM_GAP;
	return end <= stream->begin && stream->begin - end <= TAP_STREAM_GAP;
}

/* Whether it is at most TAP_STREAM_NEAR away. */
static __always_inline bool stream_is_near(const struct tap_stream *stream, __u64 begin, __u64 end)
{
	if (!stream->used)
		return false;
	if (begin >= stream->end)
		return begin - stream->end <= TAP_STREAM_NEAR;
	return end > stream->begin || stream->begin - end <= TAP_STREAM_NEAR;
}

/* The older, the better to lose; free ones first. */
static __always_inline __u32 stream_age(const struct tap_stream *stream, __u32 clock)
{
	__u32 age = clock - stream->used;

	if (!stream->used)
		return 0xffffffff;
	return stream->continued && age < STREAM_GRACE ? 0 : age;
}

/*
 * Index of the position that [begin, end) continues; else that of the one to lose, with TAP_STREAMS added, and
 * STREAM_NEAR_FLAG when it is near some position.
 */
TAP_GLOBAL __u32 stream_search(struct tap_stream_set *set, __u64 begin, __u64 end)
{
	__u32 victim = 0, victim_age = 0, near = 0;

	if (!set)
		return STREAM_NONE;
	for (__u32 i = 0; i < TAP_STREAMS; i++) {
		const struct tap_stream *stream = &set->streams[i];
		__u32 age;

		if (stream_continues(stream, begin, end))
			return i;
		if ((stream->continued || i == set->last) && stream_is_near(stream, begin, end))
			near = STREAM_NEAR_FLAG;
		age = stream_age(stream, set->clock);
		if (age >= victim_age) {
			victim_age = age;
			victim = i;
		}
	}
	return (victim + TAP_STREAMS) | near;
}

static __always_inline void stream_put(struct tap_stream_set *set, __u32 index, __u64 begin, __u64 end, bool continues)
{
	struct tap_stream *stream;

	set->clock += set->clock == 0xffffffff ? 2 : 1;
	index &= TAP_STREAMS - 1;
	barrier_var(index);
	stream = &set->streams[index & (TAP_STREAMS - 1)];
	stream->begin = begin;
	stream->end = end;
	stream->continued = continues ? stream->continued + 1 : 0;
	stream->used = set->clock;
	set->last = index;
}

/* Takes a request of the set's file, `end` above `begin`; the position it leaves is in the set afterwards. */
static __always_inline enum tap_pattern stream_follow(struct tap_stream_set *set, __u64 begin, __u64 end)
{
	__u32 found = set->last & (TAP_STREAMS - 1);

	barrier_var(found);
	/* Most requests continue the stream of the last one. */
	if (!stream_continues(&set->streams[found & (TAP_STREAMS - 1)], begin, end))
		found = stream_search(set, begin, end);
	stream_put(set, found, begin, end, found < TAP_STREAMS);
	set->requests++;
	if (found < TAP_STREAMS)
		return TAP_PATTERN_SEQUENTIAL;
	return found & STREAM_NEAR_FLAG ? TAP_PATTERN_NEAR : TAP_PATTERN_RANDOM;
}

#endif
