// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * block.bpf.c - block requests of the watched disks, from submission to completion, and pages dirtied.
 *
 * A request's owner is taken where it is submitted, in the submitter's own context; kernel workers issue and complete
 * it. What is added up equals the disk's own counters: bytes at each completion, the request at its last.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/io.bpf.h"
#include "bpf/slot.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	BIOS_MAX = 32, /* of a request that are looked up; those behind them go to its own row */
};

/* Number of the disk when it is watched, else 0 (no disk has that one). */
static __always_inline __u32 disk_watched(const struct gendisk *disk)
{
	__u32 number = device_number(disk);

	return tap_number_has(&watched_disks, number) ? number : 0;
}

/* Each in a frame of its own: the owner's takes most of the stack. */
TAP_LOCAL int io_begin_cast(struct io_request *request, struct bio *bio, __u32 disk, __u32 owner,
			    const struct tap_row_key *row)
{
	return io_begin(request, bio, disk, owner, row, true);
}

TAP_LOCAL int io_begin_copy(struct io_request *request, struct bio *bio, __u32 disk, __u32 owner,
			    const struct tap_row_key *row)
{
	return io_begin(request, bio, disk, owner, row, false);
}

/* A bio on its own: not (yet) the first of a request. */
static __always_inline int bio_submit(struct bio *bio)
{
	__u32 zero = 0, disk = disk_watched(bio->bi_bdev->bd_disk);
	__u64 address = (__u64)bio;
	struct io_scratch *space;
	struct tap_row_key row;
	__u32 owner;

	if (!disk || io_op(bio->bi_opf, bio->bi_iter.bi_size) == TAP_IO_OPS)
		return 0;
	space = bpf_map_lookup_elem(&io_space, &zero);
	if (!space)
		return 0;
	owner = owner_of_current(&row);
	io_begin_copy(&space->request, bio, disk, owner, &row);
	bpf_map_update_elem(&bio_to_io, &address, &space->request, BPF_ANY);
	return 0;
}

/*
 * A request whose completion no program was run for has been completed all the same: its bytes are in the disk's own
 * counters.
 */
TAP_LOCAL int request_end_unseen(struct io_request *request)
{
	struct tap_io_total *total = io_total_at(request->total);

	count_loss(TAP_LOSS_COMPLETIONS_MISSED);
	if (!total)
		return 0;
	io_add_size(total, request->bytes);
	if (request->ahead_bytes)
		__sync_fetch_and_add(&total->ahead_bytes, request->ahead_bytes);
	if (request->bytes > request->done_bytes)
		io_add_bytes(total, request->pattern, request->bytes - request->done_bytes);
	return 0;
}

SEC("?tp_btf/block_io_start")
int BPF_PROG(on_block_io_start, struct request *rq)
{
	struct io_request *request;
	bool unfinished = false;
	struct tap_row_key row;
	__u32 disk, owner;
	struct bio *bio;

	if (!gate_open)
		return 0;
	disk = disk_watched(rq->q->disk);
	bio = rq->bio;
	if (!disk || !bio || io_op(bio->bi_opf, bio->bi_iter.bi_size) == TAP_IO_OPS)
		return 0;
	request = slot_take(pointer_number(rq), &unfinished);
	if (request && unfinished)
		request_end_unseen(request);
	if (!request)
		return 0;
	owner = owner_of_current(&row);
	io_begin_cast(request, bio, disk, owner, &row);
	return 0;
}

/*
 * In place of block_io_start before 6.5: the bio that a request is about to be made of. It is also what the two below
 * go on to, so that the verifier walks it once; their tracepoints have the same arguments.
 */
SEC("?tp_btf/block_getrq")
int BPF_PROG(on_block_getrq, struct bio *bio)
{
	return gate_open && bio ? bio_submit(bio) : 0;
}

/* Bios that join a request do not pass block_io_start. */
static __always_inline void bio_merge(void *ctx, struct bio *bio)
{
	if (gate_open && disk_watched(bio->bi_bdev->bd_disk))
		bpf_tail_call(ctx, &bio_programs, 0);
}

SEC("?tp_btf/block_bio_backmerge")
int BPF_PROG(on_block_bio_backmerge, struct bio *bio)
{
	bio_merge(ctx, bio);
	return 0;
}

SEC("?tp_btf/block_bio_frontmerge")
int BPF_PROG(on_block_bio_frontmerge, struct bio *bio)
{
	bio_merge(ctx, bio);
	return 0;
}

/* Where there is no block_io_start a request is met first when it is issued or done: as what its bio was. */
TAP_LOCAL struct io_request *request_adopt(__u64 number, __u64 bio)
{
	struct io_request *submitted, *request;
	bool unfinished;

	submitted = bpf_map_lookup_elem(&bio_to_io, &bio);
	if (!submitted || submitted->epoch != io_epoch)
		return NULL;
	request = slot_take(number, &unfinished);
	if (!request)
		return NULL;
	*request = *submitted;
	request->number = number;
	bpf_map_delete_elem(&bio_to_io, &bio);
	return request;
}

/* What is kept of a request whose submission was seen. */
static __always_inline struct io_request *request_known(struct request *rq)
{
	__u64 number = pointer_number(rq);
	struct io_request *request = slot_find(number);

	if (request)
		return request;
	return has_block_io_start ? NULL : request_adopt(number, (__u64)rq->bio);
}

SEC("?tp_btf/block_rq_issue")
int BPF_PROG(on_block_rq_issue, struct request *rq)
{
	struct io_request *request;

	if (!gate_open)
		return 0;
	request = request_known(rq);
	if (request)
		request->issued_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("?tp_btf/block_rq_requeue")
int BPF_PROG(on_block_rq_requeue, struct request *rq)
{
	struct io_request *request;

	if (!gate_open)
		return 0;
	request = request_known(rq);
	if (request)
		request->issued_ns = 0;
	return 0;
}

/* A request joins another: from here on it is one of the other's bios. */
SEC("?tp_btf/block_rq_merge")
int BPF_PROG(on_block_rq_merge, struct request *rq)
{
	struct io_request *request;
	__u64 bio;

	if (!gate_open)
		return 0;
	request = request_known(rq);
	if (!request)
		return 0;
	bio = (__u64)rq->bio;
	bpf_map_update_elem(&bio_to_io, &bio, request, BPF_ANY);
	slot_leave(request);
	return 0;
}

/* Charges what a bio that joined the request has got to its own row; false: it is not known as one. */
TAP_LOCAL bool bio_charge(__u64 address, __u32 bytes, bool is_done)
{
	struct io_request *merged = bpf_map_lookup_elem(&bio_to_io, &address);
	struct tap_io_total *total;

	if (!merged || merged->epoch != io_epoch)
		return false;
	total = io_total_at(merged->total);
	if (total)
		io_add_bytes(total, merged->pattern, bytes);
	if (total && is_done && merged->ahead_bytes)
		__sync_fetch_and_add(&total->ahead_bytes, merged->ahead_bytes);
	if (is_done)
		bpf_map_delete_elem(&bio_to_io, &address);
	return true;
}

/* The same for all of the request's bios that this completion reaches; the bytes that are left for its own row. */
TAP_LOCAL __u32 bios_charge(struct request *rq, __u32 bytes)
{
	struct bio *bio = rq->bio;
	__u32 own = bytes, left = bytes, size;

	for (int i = 0; i < BIOS_MAX; i++) {
		if (!bio || !left)
			break;
		size = bio->bi_iter.bi_size;
		if (size > left)
			size = left;
		if (bio_charge((__u64)bio, size, size == bio->bi_iter.bi_size))
			own -= size;
		left -= size;
		bio = bio->bi_next;
	}
	return own;
}

SEC("?tp_btf/block_rq_complete")
int BPF_PROG(on_block_rq_complete, struct request *rq, int error, unsigned int bytes)
{
	struct io_request *request;
	struct tap_io_total *total;
	struct io_done done;

	if (!gate_open)
		return 0;
	request = request_known(rq);
	if (!request)
		return 0;
	request->done_bytes += bytes;
	done.bytes = rq->bio == rq->biotail ? bytes : bios_charge(rq, bytes);
	done.has_failed = error != 0;
	/* With a flush before or behind its data a request is completed once more without any. */
	done.is_last = bytes >= rq->__data_len && !(rq->rq_flags & flag_flush_sequence());
	total = io_total_at(request->total);
	if (total && done.bytes)
		io_add_bytes(total, request->pattern, done.bytes);
	if (!done.is_last)
		return 0;
	done.now_ns = bpf_ktime_get_ns();
	if (total)
		io_add_request(total, request, &done);
	slot_leave(request);
	return 0;
}

/* Holders of the request of this number; 0: the kernel has it back, nothing of it is under way. */
static __always_inline int request_holders(__u64 number)
{
	const __u32 *epoch = &io_epoch;
	__u64 base = 0;
	int holders = 1;

	/* The detour makes a number of the pointer that pointer_number() subtracted. */
	bpf_probe_read_kernel(&base, sizeof(base), &epoch);
	bpf_core_read(&holders, sizeof(holders), &((const struct request *)(base + number))->ref);
	return holders;
}

/*
 * Run by userspace over all slots before it reads the totals: ends the requests whose completion no program was run for
 * and that the kernel has not used again since.
 */
SEC("?iter/bpf_map_elem")
int end_unseen(struct bpf_iter__bpf_map_elem *ctx)
{
	const __u32 *key = ctx->key;
	struct io_request *request;
	__u64 submitted_ns;
	__u32 index;

	if (!key)
		return 0;
	index = *key;
	request = bpf_map_lookup_elem(&request_slots, &index);
	if (!request || request->epoch != io_epoch)
		return 0;
	submitted_ns = request->submitted_ns;
	if (request_holders(request->number) || !slot_claim(request, io_epoch))
		return 0;
	/* Else it ended, and began again, after the look at its holders. */
	if (request->submitted_ns == submitted_ns) {
		request_end_unseen(request);
		slot_leave(request);
	} else {
		request->epoch = io_epoch;
	}
	return 0;
}

/* The file is looked at first: a page of no watched file system costs nothing more. */
static __always_inline int dirty(struct address_space *mapping, const void *folio)
{
	struct inode *inode = mapping->host;
	__u32 device = inode->i_sb->s_dev;
	struct tap_dirty_key key = {};
	__u64 *total, bytes, zero = 0;

	if ((inode->i_mode & MODE_FORMAT) == MODE_BLOCK)
		device = inode->i_rdev;
	else
		key.file.inode = inode->i_ino;
	if (!tap_number_has(&watched_devices, device))
		return 0;
	key.file.device = device;
	if (key.file.inode)
		key.file.generation = inode->i_generation;
	bytes = (__u64)folio_pages(folio) << page_shift;
	owner_of_current(&key.row);
	total = bpf_map_lookup_elem(&dirty_totals, &key);
	if (!total) {
		file_note(&key.file, inode);
		bpf_map_update_elem(&dirty_totals, &key, &zero, BPF_NOEXIST);
		total = bpf_map_lookup_elem(&dirty_totals, &key);
	}
	if (total)
		__sync_fetch_and_add(total, bytes);
	else
		count_loss(TAP_LOSS_DIRTY_FULL);
	return 0;
}

SEC("?tp_btf/writeback_dirty_folio")
int BPF_PROG(on_writeback_dirty_folio, struct folio *folio, struct address_space *mapping)
{
	return gate_open && mapping ? dirty(mapping, folio) : 0;
}

/* Its name before 5.18. */
SEC("?tp_btf/writeback_dirty_page")
int BPF_PROG(on_writeback_dirty_page, struct page *page, struct address_space *mapping)
{
	return gate_open && mapping ? dirty(mapping, page) : 0;
}
