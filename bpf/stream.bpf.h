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
	/* A position that was continued makes room for a single one only when it is older by so many requests. */
	STREAM_GRACE = 64,
	STREAM_NONE = 0x100,
	STREAM_NEAR = 0x200,
	STREAM_SPAN_MAX = 0x4000, /* pieces; what reaches further is compared with every position */
};

static __always_inline __u64 stream_end(const struct tap_stream *stream)
{
	return stream->begin + stream->bytes;
}

/*
 * Whether [begin, end) goes on where the stream is: behind it, or, for one that is read backwards, before it. Forwards
 * an overlap is the last block written again. Pages that were cached may leave a gap; but to a single request long ago
 * a neighbour is one by chance, so that one has to be right beside it.
 */
static __always_inline bool stream_continues(const struct tap_stream *stream, __u64 begin, __u64 end, bool is_last)
{
	__u64 gap = is_last || stream->continued ? TAP_STREAM_GAP : 0;

	if (!stream->bytes)
		return false;
	if (begin >= stream->begin && end >= stream_end(stream))
		return begin <= stream_end(stream) + gap;
	return end <= stream->begin && stream->begin - end <= gap;
}

/* Whether it is at most `near` away, on either side, or overlaps. */
static __always_inline bool stream_is_near(const struct tap_stream *stream, __u64 begin, __u64 end, __u64 near)
{
	return end + near >= stream->begin && begin <= stream_end(stream) + near;
}

/* What is near in a file of this size. */
static __always_inline __u64 stream_near(__u64 file_bytes)
{
	__u64 near = file_bytes / TAP_STREAM_PARTS;

	if (near > TAP_STREAM_NEAR)
		return TAP_STREAM_NEAR;
	return near > TAP_STREAM_GAP ? near : TAP_STREAM_GAP;
}

static __always_inline __u32 stream_tag(__u64 position)
{
	return position / TAP_STREAM_NEAR;
}

static __always_inline __u16 stream_tag_of(const struct tap_stream_set *set, __u32 index)
{
	return set->tags[index / 4 & (TAP_STREAMS / 4 - 1)] >> index % 4 * 16;
}

static __always_inline void stream_tag_put(struct tap_stream_set *set, __u32 index, __u64 end)
{
	__u64 *word = &set->tags[index / 4 & (TAP_STREAMS / 4 - 1)], shift = index % 4 * 16;

	*word = (*word & ~(0xffffull << shift)) | (__u64)(__u16)stream_tag(end) << shift;
}

/*
 * Whether any tag is in [first, first + width], `width` below 0x8000: four at once, each in 16 bits of a word. Of most
 * random requests none is.
 */
static __always_inline bool stream_any_near(const struct tap_stream_set *set, __u16 first, __u16 width)
{
	const __u64 ones = 0x0001000100010001ull, high = ones << 15;
	__u64 from = first * ones, room = (0x7fff - width) * ones, above;

	for (int i = 0; i < TAP_STREAMS / 4; i++) {
		/* How far above `first`; then the highest bit is set where that is more than the width. */
		above = ((set->tags[i] | high) - (from & ~high)) ^ ((set->tags[i] ^ ~from) & high);
		if (~(((above & ~high) + room) | above) & high)
			return true;
	}
	return false;
}

/* Index of the position that [begin, end) continues; else STREAM_NONE, or STREAM_NEAR when it is near one. */
TAP_GLOBAL __u32 stream_search(struct tap_stream_set *set, __u64 begin, __u64 end, __u64 near)
{
	__u32 none = STREAM_NONE, first, span;

	if (!set)
		return STREAM_NONE;
	/* A request that is near another begins at most so many pieces before or behind where that one ends. */
	span = stream_tag(end - begin) + set->reach + 2;
	first = stream_tag(begin) - span;
	if (span < STREAM_SPAN_MAX && !stream_any_near(set, first, 2 * span))
		return STREAM_NONE;
	for (__u32 i = 0; i < TAP_STREAMS; i++) {
		const struct tap_stream *stream = &set->streams[i];

		if ((span < STREAM_SPAN_MAX && (__u16)(stream_tag_of(set, i) - first) > 2 * span) ||
		    !stream_is_near(stream, begin, end, near))
			continue;
		if (stream_continues(stream, begin, end, i == set->last))
			return i;
		if (stream->bytes && (stream->continued || i == set->last))
			none = STREAM_NEAR;
	}
	return none;
}

static __always_inline bool stream_is_kept(const struct tap_stream *stream, __u32 clock)
{
	return stream->continued && (__u16)(clock - stream->used) < STREAM_GRACE;
}

/* The position to lose: the next in turn that is not kept. */
static __always_inline __u32 stream_victim(struct tap_stream_set *set)
{
	__u32 index = set->next;

	for (int i = 0; i < TAP_STREAMS - 1; i++) {
		if (!stream_is_kept(&set->streams[index & (TAP_STREAMS - 1)], set->clock))
			break;
		index++;
	}
	set->next = index + 1;
	return index & (TAP_STREAMS - 1);
}

static __always_inline void stream_put(struct tap_stream_set *set, __u32 index, __u64 begin, __u64 end, bool continues)
{
	struct tap_stream *stream;

	barrier_var(index);
	stream = &set->streams[index & (TAP_STREAMS - 1)];
	stream->begin = begin;
	stream->bytes = end - begin;
	stream->continued = continues;
	stream->used = ++set->clock;
	set->last = index & (TAP_STREAMS - 1);
	stream_tag_put(set, index & (TAP_STREAMS - 1), end);
	if (set->reach < stream_tag(end - begin) + 1)
		set->reach = stream_tag(end - begin) + 1;
}

/* Takes a request of the set's file, `end` above `begin`, `near` at most TAP_STREAM_NEAR; the position it leaves is in
 * the set afterwards. */
static __always_inline enum tap_pattern stream_follow(struct tap_stream_set *set, __u64 begin, __u64 end, __u64 near)
{
	__u32 found = set->last & (TAP_STREAMS - 1);

	/* Most requests continue the stream of the last one. */
	barrier_var(found);
	if (!stream_continues(&set->streams[found & (TAP_STREAMS - 1)], begin, end, true))
		found = stream_search(set, begin, end, near);
	set->requests++;
	if (found < TAP_STREAMS) {
		stream_put(set, found, begin, end, true);
		return TAP_PATTERN_SEQUENTIAL;
	}
	stream_put(set, stream_victim(set), begin, end, false);
	if (!begin || end - begin >= TAP_STREAM_NEAR)
		return TAP_PATTERN_SEQUENTIAL;
	return found == STREAM_NEAR ? TAP_PATTERN_NEAR : TAP_PATTERN_RANDOM;
}

/*
 * The same for a request that a read call brought about: `call` as in tap_stream_set, 0 when there is none; `asked`:
 * some of it is what the call asked for.
 */
static __always_inline enum tap_pattern stream_follow_call(struct tap_stream_set *set, __u64 begin, __u64 end,
							   __u64 near, __u64 call, bool asked)
{
	bool ahead = call && !asked && call == set->call;
	enum tap_pattern pattern = stream_follow(set, begin, end, near);

	if (ahead)
		pattern = set->last_pattern;
	set->call = call;
	set->last_pattern = pattern;
	return pattern;
}

#endif
