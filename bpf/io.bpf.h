/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * io.bpf.h - one request from its submission to its totals: whose, of which file, how it lies, what it took.
 *
 * The owner is in owner.bpf.h, the file in file.bpf.h, what was asked for in read_call.bpf.h, the pattern in
 * stream.bpf.h, the sums in io_total.bpf.h; block.bpf.c has the programs.
 */
#ifndef TAP_BPF_IO_BPF_H
#define TAP_BPF_IO_BPF_H

#include "bpf/file.bpf.h"
#include "bpf/io_total.bpf.h"
#include "bpf/owner.bpf.h"
#include "bpf/read_call.bpf.h"
#include "bpf/stream.bpf.h"
#include "bpf/stream_place.bpf.h"

/* Operations of the block layer, include/linux/blk_types.h; from 32 on they are commands, not input or output. */
enum {
	BLOCK_READ = 0,
	BLOCK_WRITE = 1,
	BLOCK_DISCARD = 3,
	BLOCK_ZONE_APPEND = 7,
	BLOCK_COMMANDS = 32,
	BLOCK_MASK = 0xff,
};

static __always_inline __u32 device_number(const struct gendisk *disk)
{
	return (__u32)disk->major << 20 | disk->first_minor;
}

/* As the disk's own counters group them: what writes without data (zeroes, secure erase) counts as written. */
static __always_inline enum tap_io_op io_op(__u32 flags, __u32 bytes)
{
	__u32 op = flags & BLOCK_MASK;

	if (op >= BLOCK_COMMANDS)
		return TAP_IO_OPS;
	if (op == BLOCK_DISCARD)
		return TAP_IO_DISCARD;
	if (!(op & 1))
		return op == BLOCK_READ ? TAP_IO_READ : TAP_IO_OPS;
	return bytes ? TAP_IO_WRITE : TAP_IO_FLUSH;
}

static __always_inline bool has_pages(__u32 flags)
{
	__u32 op = flags & BLOCK_MASK;

	return op == BLOCK_READ || op == BLOCK_WRITE || op == BLOCK_ZONE_APPEND;
}

/*
 * The positions of the request's owner in its file, which remember where the row's sums are. When they are new, or
 * their last row was another, or a checkpoint began or ended since, the row's sums may be new, too, and the file's
 * name.
 */
static __always_inline struct tap_stream_set *streams_of(struct tap_io_key *io, __u32 owner, const struct inode *inode,
							 __u32 *ret_total)
{
	struct tap_stream_key key = { .file = io->file, .owner = owner, .op = io->op };
	bool is_new = false;
	struct tap_stream_place *place = stream_place_of(&key, &is_new);

	if (place && io_total_is_of(place->total, io)) {
		*ret_total = place->total;
		return &place->set;
	}
	*ret_total = io_total_of(io);
	if (!place)
		return NULL;
	if (is_new)
		file_note(&io->file, inode);
	place->set.row = io->row;
	place->total = *ret_total;
	return &place->set;
}

/* Whether one runs anywhere: all that it costs a request while none does. */
static __always_inline bool checkpoint_runs(void)
{
	return checkpoints_running.words[0] | checkpoints_running.words[1];
}

/* Whether one runs of an instance that has files on this watched disk. */
TAP_GLOBAL int checkpoint_runs_on(__u32 disk)
{
	for (__u32 step = 0; step < TAP_NUMBER_STEPS; step++) {
		__u32 slot = tap_number_slot(disk, step);

		if (watched_disks.slots[slot] != disk)
			continue;
		return (disk_instances[slot].words[0] & checkpoints_running.words[0]) ||
		       (disk_instances[slot].words[1] & checkpoints_running.words[1]);
	}
	return 0;
}

/* How the request lies in its file, added to the set's sums. */
static __always_inline __u32 pattern_of(struct tap_stream_set *set, const struct io_place *place, __u64 call,
					bool asked)
{
	__u32 pattern = stream_follow_call(set, place->begin, place->begin + place->bytes,
					   stream_near(place->file_bytes), call, asked);

	if (pattern != TAP_PATTERN_SEQUENTIAL && call && read_call_goes_on(call - 1)) {
		pattern = TAP_PATTERN_SEQUENTIAL;
		set->last_pattern = TAP_PATTERN_SEQUENTIAL;
	}
	barrier_var(pattern);
	if (pattern >= TAP_PATTERNS)
		return TAP_PATTERN_RANDOM;
	barrier_var(pattern);
	set->bytes[pattern] += place->bytes;
	return pattern;
}

/* Fills what is known of a request when it is submitted: on the given disk, by the given row and pid. */
static __always_inline int io_begin(struct io_request *request, struct bio *bio, __u32 disk, __u32 owner,
				    const struct tap_row_key *row, const bool cast)
{
	__u32 flags = bio->bi_opf, asked = 0, total = IO_NO_TOTAL;
	struct tap_io_key key = { .row = *row, .disk = disk };
	struct tap_stream_set *set;
	struct io_place place;
	__u64 call = 0;

	key.op = io_op(flags, bio->bi_iter.bi_size);
	request->bytes = bio->bi_iter.bi_size;
	request->issued_ns = 0;
	request->done_bytes = 0;
	request->pattern = TAP_PATTERN_SEQUENTIAL;
	key.checkpoint = checkpoint_runs() && checkpoint_runs_on(disk);
	bio_place(&key.file, &place, bio, has_pages(flags) && bio->bi_iter.bi_size, cast);
	if (key.op == TAP_IO_READ && place.is_direct)
		asked = place.bytes;
	else if (key.op == TAP_IO_READ && place.inode && key.row.kind != TAP_KIND_KERNEL)
		asked = asked_bytes(place.begin, place.bytes, &call);
	request->ahead_bytes = key.op == TAP_IO_READ ? place.bytes - asked : 0;
	set = streams_of(&key, owner, place.inode, &total);
	if (set && place.bytes)
		request->pattern = pattern_of(set, &place, call, asked > 0);
	request->total = total;
	request->submitted_ns = bpf_ktime_get_ns();
	request->epoch = io_epoch;
	return 0;
}

/* What of a request is done with this completion. */
struct io_done {
	__u64 bytes;
	__u64 now_ns;
	bool is_last;
	bool has_failed;
};

static __always_inline void io_add_request(struct tap_io_total *total, const struct io_request *request,
					   const struct io_done *done)
{
	__u64 submitted_ns = request->submitted_ns;
	/* Flushes and what was done without an issue: all of it is the disk's time. */
	__u64 issued_ns = request->issued_ns ? request->issued_ns : submitted_ns;
	__u64 device_ns = done->now_ns - issued_ns, ns = done->now_ns - submitted_ns, max_ns = total->max_ns;

	__sync_fetch_and_add(&total->queue_ns, issued_ns - submitted_ns);
	__sync_fetch_and_add(&total->device_ns, device_ns);
	if (request->ahead_bytes)
		__sync_fetch_and_add(&total->ahead_bytes, request->ahead_bytes);
	if (done->has_failed)
		__sync_fetch_and_add(&total->failed, 1);
	/* Two CPUs at once may lose the smaller of two new maxima, or this one: a maximum is not worth a loop. */
	if (ns > max_ns)
		__sync_val_compare_and_swap(&total->max_ns, max_ns, ns);
	io_add_size(total, request->done_bytes);
	io_add_times(total, ns, device_ns);
}

#endif
