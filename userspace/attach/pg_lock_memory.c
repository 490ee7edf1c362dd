// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_lock_memory.c - which records to read, in few large steps, and again where they do not fit together.
 *
 * First all PGPROCs; then, from the lists in them, all PROCLOCKs, one of every list a step; then the LOCKs these lead
 * to. Most locks are settled with that. One that changed meanwhile is read again by itself: the LOCK, its PROCLOCKs and
 * the PGPROCs of these, and the LOCK once more.
 */
#include "userspace/attach/pg_lock_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/attach/pg_lock_record.h"
#include "userspace/attach/pg_lock_scan.h"

enum {
	ROUNDS = 12,		 /* of reading again what was torn */
	LOCK_SHARES_MAX = 65536, /* of one lock */
	READS_MAX = 1 << 19,	 /* of single records, all rounds together */
};

/* A lock that is read by itself: what is known of it are addresses of its PROCLOCKs. */
struct pending {
	uint64_t lock;
	uint64_t *shares;
	size_t n_shares;
};

struct reader {
	struct tap_pg_lock_scan scan;
	struct tap_lock_table *table;
	struct pending *pending;
	size_t n_pending;
	size_t reads; /* single records read so far */
};

static const struct tap_pg_proc_record *proc_at(const void *context, uint64_t address)
{
	const struct tap_pg_lock_scan *scan = context;
	size_t index = tap_pg_lock_scan_proc(scan, address);

	return index == SIZE_MAX ? NULL : &scan->procs[index];
}

static struct tap_pg_lock_set set_of(const struct tap_pg_lock_scan *scan, const struct tap_pg_share_record *shares,
				     size_t count)
{
	return (struct tap_pg_lock_set){
		.layout = scan->memory->layout,
		.shares = shares,
		.n_shares = count,
		.proc_at = proc_at,
		.context = scan,
	};
}

/* ---- one lock by itself ---- */

/* What one try reads. */
struct capture {
	uint8_t *before; /* the LOCK's bytes, twice */
	uint8_t *after;
	struct tap_pg_share_record *shares;
	size_t count;
	size_t capacity;
};

static int share_keep(struct capture *capture, const struct tap_pg_share_record *share)
{
	size_t wanted = capture->capacity ? capture->capacity * 2 : 16;
	struct tap_pg_share_record *shares;

	if (capture->count == capture->capacity) {
		shares = realloc(capture->shares, wanted * sizeof(*shares));
		if (!shares)
			return -ENOMEM;
		capture->shares = shares;
		capture->capacity = wanted;
	}
	capture->shares[capture->count++] = *share;
	return 0;
}

/* The lock and the PROCLOCKs known of it, in one go; `known` is filled in the order of pending->shares, address 0: not
 * there. */
static int known_read(struct reader *reader, const struct pending *pending, struct capture *capture,
		      struct tap_pg_share_record *known)
{
	const struct tap_pg_lock_layout *layout = reader->scan.memory->layout;
	struct tap_memory_read *reads = calloc(pending->n_shares + 1, sizeof(*reads));
	uint8_t *bytes = calloc(pending->n_shares + 1, layout->share_size);
	int err = reads && bytes ? 0 : -ENOMEM;

	if (!err) {
		reads[0] = (struct tap_memory_read){ pending->lock, capture->before, layout->lock_size, false };
		for (size_t i = 0; i < pending->n_shares; i++)
			reads[i + 1] = (struct tap_memory_read){ pending->shares[i], bytes + i * layout->share_size,
								 layout->share_size, false };
		reader->reads += pending->n_shares + 1;
		err = tap_pg_lock_scan_read(&reader->scan, reads, pending->n_shares + 1);
	}
	for (size_t i = 0; i < pending->n_shares && !err; i++) {
		if (reads[i + 1].ok)
			tap_pg_share_record_decode(layout, pending->shares[i], bytes + i * layout->share_size,
						   &known[i]);
	}
	if (!err && !reads[0].ok)
		err = -EAGAIN;
	free(reads);
	free(bytes);
	return err;
}

static int compare_shares(const void *a, const void *b)
{
	const struct tap_pg_share_record *left = a, *right = b;

	return (left->address > right->address) - (left->address < right->address);
}

static int share_get(struct reader *reader, const struct tap_pg_share_record *known, size_t n_known, uint64_t address,
		     struct tap_pg_share_record *ret)
{
	const struct tap_pg_lock_layout *layout = reader->scan.memory->layout;
	const struct tap_pg_share_record key = { .address = address }, *found = NULL;
	uint8_t bytes[TAP_PG_SHARE_MAX];
	struct tap_memory_read read = { address, bytes, layout->share_size, false };
	int err;

	if (n_known)
		found = bsearch(&key, known, n_known, sizeof(key), compare_shares);
	if (found) {
		*ret = *found;
		return 0;
	}
	reader->reads++;
	err = tap_pg_lock_scan_read(&reader->scan, &read, 1);
	if (err)
		return err;
	if (!read.ok)
		return -EAGAIN;
	tap_pg_share_record_decode(layout, address, bytes, ret);
	return 0;
}

/* Along the lock's own list; what is known already is not read again. */
static int shares_walk(struct reader *reader, const struct pending *pending, const struct tap_pg_lock_record *lock,
		       const struct tap_pg_share_record *known, size_t n_known, struct capture *capture)
{
	const struct tap_pg_lock_layout *layout = reader->scan.memory->layout;
	uint64_t head = pending->lock + layout->lock_shares;
	struct tap_pg_share_record share;
	int err = 0;

	if (tap_pg_link_is_empty(&lock->shares, head))
		return 0;
	for (uint64_t at = lock->shares.next, before = head; at != head && !err;) {
		if (capture->count >= LOCK_SHARES_MAX || reader->reads > READS_MAX)
			return -EAGAIN;
		err = share_get(reader, known, n_known, at - layout->share_lock_link, &share);
		if (!err && (share.lock != pending->lock || share.lock_link.prev != before))
			err = -EAGAIN;
		if (!err)
			err = share_keep(capture, &share);
		before = at;
		at = share.lock_link.next;
	}
	return err;
}

/* The processes anew, and the lock once more: it must not have changed since. */
static int owners_read(struct reader *reader, const struct pending *pending, struct capture *capture)
{
	const struct tap_pg_lock_layout *layout = reader->scan.memory->layout;
	size_t size = tap_pg_proc_record_size(layout), count = 0;
	struct tap_memory_read *reads = calloc(capture->count + 1, sizeof(*reads));
	uint8_t *bytes = calloc(capture->count + 1, size);
	int err = reads && bytes ? 0 : -ENOMEM;

	for (size_t i = 0; i < capture->count && !err; i++) {
		if (tap_pg_lock_scan_proc(&reader->scan, capture->shares[i].proc) == SIZE_MAX)
			err = -EAGAIN;
		else
			reads[count++] =
				(struct tap_memory_read){ capture->shares[i].proc, bytes + i * size, size, false };
	}
	if (!err) {
		reads[count++] = (struct tap_memory_read){ pending->lock, capture->after, layout->lock_size, false };
		reader->reads += count;
		err = tap_pg_lock_scan_read(&reader->scan, reads, count);
	}
	for (size_t i = 0; i < count && !err; i++) {
		size_t index = tap_pg_lock_scan_proc(&reader->scan, reads[i].address);

		if (!reads[i].ok)
			err = -EAGAIN;
		else if (i < count - 1)
			tap_pg_lock_scan_set_proc(&reader->scan, index, reads[i].to);
	}
	if (!err && memcmp(capture->before, capture->after, layout->lock_size))
		err = -EAGAIN;
	free(reads);
	free(bytes);
	return err;
}

static int capture_read(struct reader *reader, const struct pending *pending, struct capture *capture)
{
	struct tap_pg_share_record *known = calloc(pending->n_shares + 1, sizeof(*known));
	struct tap_pg_lock_set set;
	int err = known ? known_read(reader, pending, capture, known) : -ENOMEM;

	if (!err) {
		set = set_of(&reader->scan, NULL, 0);
		tap_pg_lock_record_decode(set.layout, pending->lock, capture->before, &set.lock);
		qsort(known, pending->n_shares, sizeof(*known), compare_shares);
		err = shares_walk(reader, pending, &set.lock, known, pending->n_shares, capture);
	}
	free(known);
	if (!err)
		err = owners_read(reader, pending, capture);
	if (err)
		return err;
	if (capture->count)
		qsort(capture->shares, capture->count, sizeof(*capture->shares), compare_shares);
	set.shares = capture->shares;
	set.n_shares = capture->count;
	return tap_pg_lock_set_take(&set, reader->table);
}

/* What was found this time is where the next try begins. */
static int known_replace(struct pending *pending, const struct capture *capture)
{
	uint64_t *shares;

	if (!capture->count)
		return 0;
	shares = calloc(capture->count, sizeof(*shares));
	if (!shares)
		return -ENOMEM;
	for (size_t i = 0; i < capture->count; i++)
		shares[i] = capture->shares[i].address;
	free(pending->shares);
	pending->shares = shares;
	pending->n_shares = capture->count;
	return 0;
}

/* One try. -EAGAIN: torn. */
static int pending_read(struct reader *reader, struct pending *pending)
{
	uint8_t before[TAP_PG_LOCK_MAX] = { 0 }, after[TAP_PG_LOCK_MAX] = { 0 };
	struct capture capture = { .before = before, .after = after };
	int err;

	if (reader->reads > READS_MAX)
		return -EAGAIN;
	err = capture_read(reader, pending, &capture);
	if (err == -EAGAIN && known_replace(pending, &capture))
		err = -ENOMEM;
	free(capture.shares);
	return err;
}

static int round_run(struct reader *reader)
{
	size_t kept = 0;
	int fatal = 0;

	for (size_t i = 0; i < reader->n_pending; i++) {
		struct pending *pending = &reader->pending[i];
		int err = fatal ? -EAGAIN : pending_read(reader, pending);

		if (err == -EAGAIN) {
			reader->pending[kept++] = *pending;
			continue;
		}
		free(pending->shares);
		if (err && err != -ENOENT)
			fatal = err;
	}
	reader->n_pending = kept;
	return fatal;
}

static int pending_run(struct reader *reader)
{
	const struct tap_pg_lock_memory *memory = reader->scan.memory;
	int err = 0;

	for (unsigned int round = 0; round < ROUNDS && reader->n_pending && !err; round++) {
		if (round) {
			reader->table->retries += reader->n_pending;
			if (memory->pause)
				memory->pause(memory->context, round);
		}
		err = round_run(reader);
	}
	reader->table->torn += reader->n_pending;
	return err;
}

static int pending_add(struct reader *reader, uint64_t lock, const struct tap_pg_share_record *shares, size_t count)
{
	struct pending *pending = reallocarray(reader->pending, reader->n_pending + 1, sizeof(*pending));
	uint64_t *addresses;

	if (!pending)
		return -ENOMEM;
	reader->pending = pending;
	addresses = calloc(count + 1, sizeof(*addresses));
	if (!addresses)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		addresses[i] = shares[i].address;
	pending[reader->n_pending++] = (struct pending){ lock, addresses, count };
	return 0;
}

/* ---- all of them ---- */

/* The end of the run of shares of one lock that begins at `first`. */
static size_t run_end(const struct tap_pg_share_record *shares, size_t count, size_t first)
{
	size_t end = first + 1;

	while (end < count && shares[end].lock == shares[first].lock)
		end++;
	return end;
}

/* Locks that do not fit, or whose memory is not there, are read by themselves. */
static int locks_take(struct reader *reader, const uint8_t *bytes, const struct tap_memory_read *reads)
{
	const struct tap_pg_lock_scan *scan = &reader->scan;
	size_t size = scan->memory->layout->lock_size, end;
	int err = 0;

	for (size_t first = 0, i = 0; first < scan->n_shares && !err; first = end, i++) {
		const struct tap_pg_share_record *shares = &scan->shares[first];
		struct tap_pg_lock_set set;

		end = run_end(scan->shares, scan->n_shares, first);
		set = set_of(scan, shares, end - first);
		err = -EAGAIN;
		if (reads[i].ok) {
			tap_pg_lock_record_decode(set.layout, shares->lock, bytes + i * size, &set.lock);
			err = tap_pg_lock_set_take(&set, reader->table);
		}
		if (err == -EAGAIN) {
			reader->table->retries++;
			err = pending_add(reader, shares->lock, shares, end - first);
		}
		if (err == -ENOENT)
			err = 0;
	}
	return err;
}

/* scan->shares are sorted by lock. */
static int locks_read(struct reader *reader)
{
	struct tap_pg_lock_scan *scan = &reader->scan;
	size_t size = scan->memory->layout->lock_size, count = 0;
	struct tap_memory_read *reads = calloc(scan->n_shares + 1, sizeof(*reads));
	uint8_t *bytes = calloc(scan->n_shares + 1, size);
	int err = reads && bytes ? 0 : -ENOMEM;

	for (size_t first = 0; first < scan->n_shares && !err; count++) {
		reads[count] = (struct tap_memory_read){ scan->shares[first].lock, bytes + count * size, size, false };
		first = run_end(scan->shares, scan->n_shares, first);
	}
	if (!err)
		err = tap_pg_lock_scan_read(scan, reads, count);
	if (!err)
		err = locks_take(reader, bytes, reads);
	free(reads);
	free(bytes);
	return err;
}

/* Each run of scan->shares, which have no more than an address and their lock. */
static int waited_add(struct reader *reader)
{
	const struct tap_pg_lock_scan *scan = &reader->scan;
	size_t end;
	int err = 0;

	for (size_t first = 0; first < scan->n_shares && !err; first = end) {
		end = run_end(scan->shares, scan->n_shares, first);
		err = pending_add(reader, scan->shares[first].lock, &scan->shares[first], end - first);
	}
	return err;
}

static int scope_read(struct reader *reader, enum tap_pg_lock_scope scope)
{
	struct tap_pg_lock_scan *scan = &reader->scan;
	int err = -E2BIG;

	if (scope == TAP_PG_LOCKS_ALL) {
		err = tap_pg_lock_scan_shares(scan);
		if (!err)
			err = locks_read(reader);
		reader->table->complete = !err;
	}
	if (err == -E2BIG) {
		err = tap_pg_lock_scan_waiters(scan);
		if (!err)
			err = waited_add(reader);
	}
	reader->table->retries += scan->retries;
	reader->table->torn += scan->torn;
	if (!err)
		err = pending_run(reader);
	if (!err && reader->table->complete)
		err = tap_pg_lock_scan_fast(scan, reader->table);
	return err;
}

int tap_pg_lock_memory_read(const struct tap_pg_lock_memory *memory, enum tap_pg_lock_scope scope,
			    struct tap_lock_table *table)
{
	struct reader reader = { .table = table };
	int err = tap_pg_lock_scan_open(memory, &reader.scan);

	if (err)
		return err;
	table->complete = false;
	err = scope_read(&reader, scope);
	for (size_t i = 0; i < reader.n_pending; i++)
		free(reader.pending[i].shares);
	free(reader.pending);
	tap_pg_lock_scan_done(&reader.scan);
	return err;
}
