// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_lock_rows.c - InnoDB's locks: what transactions wait for, who has it, and who is ahead.
 *
 * A transaction says itself which lock it waits for. That lock names a record, by tablespace, page and place in the
 * page, or a table; everybody's locks are then looked through for it. The order of the queue is that of the chain that
 * a page's locks form. What has a session write to a record without a lock of its own is given one by the server before
 * anybody waits for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/engine/mysql/number.h"
#include "userspace/attach/my_lock_record.h"
#include "userspace/attach/my_lock_scan.h"

enum {
	LOCK_SIZE_MAX = 256,
	BITS_MAX = 1 << 16,
	NO_PLACE = TAP_MY_LOCK_NO_PLACE,
	INDEX_NAME_MAX = 200,
};

/* A lock as its memory has it. */
struct lock {
	uint64_t address;
	uint64_t trx;
	uint64_t next;
	uint64_t index;
	uint64_t chain;
	uint64_t place; /* tablespace << 32 | page, or the table */
	uint32_t bits;
	uint64_t table_next;
	uint32_t mode;
	bool is_table;
};

/* What somebody waits for. */
struct target {
	bool is_table;
	uint64_t place;
	uint16_t heap;
	struct tap_lock_tag tag;
};

struct wait {
	const struct tap_my_trx *trx;
	struct lock lock;
	struct target target;
	uint32_t distance; /* to the end of its queue; 0: not known */
};

struct rows {
	struct tap_my_scan *scan;
	struct wait *waits; /* by address of the lock */
	size_t n_waits;
	struct target *targets; /* each once, sorted */
	size_t n_targets;
	size_t walked;
	size_t *passed; /* waits met in one walk along a queue, and after how many steps */
	uint32_t *steps;
};

/* ---- single locks ---- */

static int lock_read(struct tap_my_scan *scan, uint64_t address, struct lock *ret)
{
	const struct tap_my_lock_layout *layout = &scan->place->layout;
	unsigned char bytes[LOCK_SIZE_MAX];
	int err;

	if (layout->lock_size > sizeof(bytes))
		return -EAGAIN;
	err = tap_my_scan_get(scan, address, bytes, layout->lock_size);
	if (err)
		return err;
	*ret = (struct lock){
		.address = address,
		.trx = tap_my_u64(bytes, layout->lock_trx),
		.next = tap_my_u64(bytes, layout->lock_next),
		.index = tap_my_u64(bytes, layout->lock_index),
		.chain = tap_my_u64(bytes, layout->lock_chain),
		.place = tap_my_u64(bytes, layout->lock_place),
		.bits = tap_my_u32(bytes, layout->lock_place + 8),
		.table_next = tap_my_u64(bytes, layout->lock_table_next),
		.mode = tap_my_u32(bytes, layout->lock_mode),
	};
	ret->is_table = ret->mode & layout->lock_type_table;
	return 0;
}

static bool has_bit(const unsigned char *map, uint32_t bit)
{
	return map[bit / 8] >> bit % 8 & 1;
}

/* A waiting lock is for one record. */
static int heap_find(struct tap_my_scan *scan, const struct lock *lock, uint16_t *ret)
{
	unsigned char map[BITS_MAX / 8];
	uint32_t found = NO_PLACE;
	int err;

	if (!lock->bits || lock->bits > BITS_MAX)
		return -EAGAIN;
	err = tap_my_scan_get(scan, lock->address + scan->place->layout.lock_size, map, (lock->bits + 7) / 8);
	if (err)
		return err;
	for (uint32_t i = 0; i < lock->bits; i++) {
		if (!has_bit(map, i))
			continue;
		if (found != NO_PLACE)
			return -EAGAIN;
		found = i;
	}
	if (found == NO_PLACE)
		return -EAGAIN;
	*ret = (uint16_t)found;
	return 0;
}

/* 0 or 1: whether it is for that record, too; negative: could not be read. */
static int lock_has(struct tap_my_scan *scan, const struct lock *lock, uint16_t heap)
{
	unsigned char byte;
	int err;

	if (heap >= lock->bits)
		return 0;
	err = tap_my_scan_get(scan, lock->address + scan->place->layout.lock_size + heap / 8, &byte, 1);
	return err ? err : byte >> heap % 8 & 1;
}

/* ---- names and tags ---- */

static int hex_of(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* In file names bytes that a file system may not take stand as "@002d", their number; only ASCII ones are put back. */
static void name_decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (from[0] == '@' && from[1] == '0' && from[2] == '0' && hex_of(from[3]) >= 0 && hex_of(from[3]) < 8 &&
		    hex_of(from[4]) >= 0 && hex_of(from[3]) * 16 + hex_of(from[4]) > 0) {
			*to++ = (char)(hex_of(from[3]) * 16 + hex_of(from[4]));
			from += 4;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

/* The number of a table's name; the name is noted. */
static int table_number(struct tap_my_scan *scan, uint64_t table, uint32_t *ret)
{
	char name[TAP_MY_OBJECT_NAME_MAX], *slash;
	uint64_t address;
	int err = tap_my_scan_get(scan, table + scan->place->layout.table_name, &address, sizeof(address));

	if (!err)
		err = tap_my_scan_text(scan, address, name, sizeof(name));
	if (err)
		return err;
	*ret = tap_my_table_number(name);
	slash = strchr(name, '/');
	if (!slash || !*ret)
		return -EAGAIN;
	*slash = '\0';
	name_decode(name);
	name_decode(slash + 1);
	return tap_my_scan_name(scan, 0, *ret, name, slash + 1);
}

/* An index is known by the page that the record is in. */
static int index_note(struct tap_my_scan *scan, const struct lock *lock)
{
	char name[INDEX_NAME_MAX];
	uint64_t address;
	int err = tap_my_scan_get(scan, lock->index + scan->place->layout.index_name, &address, sizeof(address));

	if (!err)
		err = tap_my_scan_text(scan, address, name, sizeof(name));
	if (err)
		return err;
	return tap_my_scan_name(scan, (uint32_t)(lock->place >> 32) + 1, (uint32_t)lock->place, "index", name);
}

static int record_tag(struct tap_my_scan *scan, const struct lock *lock, uint16_t heap, struct tap_lock_tag *ret)
{
	struct tap_lock_tag tag = { .type = TAP_LOCK_RECORD,
				    .method = 1,
				    .field1 = (uint32_t)(lock->place >> 32),
				    .field2 = (uint32_t)lock->place,
				    .field4 = heap };
	uint64_t table;
	int err = tap_my_scan_get(scan, lock->index + scan->place->layout.index_table, &table, sizeof(table));

	if (!err)
		err = table_number(scan, table, &tag.field3);
	if (!err)
		err = index_note(scan, lock);
	if (!err)
		*ret = tag;
	return err;
}

static int table_tag(struct tap_my_scan *scan, const struct lock *lock, struct tap_lock_tag *ret)
{
	struct tap_lock_tag tag = { .type = TAP_LOCK_ENGINE_TABLE, .method = 1 };
	uint64_t id;
	int err = tap_my_scan_get(scan, lock->place + scan->place->layout.table_id, &id, sizeof(id));

	if (!err)
		err = table_number(scan, lock->place, &tag.field3);
	if (err)
		return err;
	tag.field1 = (uint32_t)id;
	tag.field2 = (uint32_t)(id >> 32);
	*ret = tag;
	return 0;
}

/* ---- who waits for what ---- */

static int wait_read(struct tap_my_scan *scan, const struct tap_my_trx *trx, struct wait *ret)
{
	struct wait wait = { .trx = trx };
	int err = lock_read(scan, trx->wait_lock, &wait.lock);

	if (err)
		return err;
	if (wait.lock.trx != trx->address || !(wait.lock.mode & TAP_MY_LOCK_WAIT))
		return -EAGAIN;
	wait.target.is_table = wait.lock.is_table;
	wait.target.place = wait.lock.place;
	if (wait.lock.is_table) {
		err = table_tag(scan, &wait.lock, &wait.target.tag);
	} else {
		/* What a spatial index's lock is for no place tells: who is in the way the transaction says itself. */
		wait.target.heap = NO_PLACE;
		if (!(wait.lock.mode & TAP_MY_LOCK_PREDICATE))
			err = heap_find(scan, &wait.lock, &wait.target.heap);
		if (!err)
			err = record_tag(scan, &wait.lock, wait.target.heap, &wait.target.tag);
	}
	if (!err)
		*ret = wait;
	return err;
}

static int compare_waits(const void *a, const void *b)
{
	const struct wait *left = a, *right = b;

	return (left->lock.address > right->lock.address) - (left->lock.address < right->lock.address);
}

static int compare_targets(const void *a, const void *b)
{
	const struct target *left = a, *right = b;

	if (left->is_table != right->is_table)
		return left->is_table ? 1 : -1;
	if (left->place != right->place)
		return left->place < right->place ? -1 : 1;
	return (left->heap > right->heap) - (left->heap < right->heap);
}

static int waits_find(struct rows *rows)
{
	struct tap_my_scan *scan = rows->scan;
	size_t count = 0;
	int err = 0;

	for (size_t i = 0; i < scan->n_trxs; i++)
		count += scan->trxs[i].wait_lock && scan->trxs[i].owner;
	rows->waits = calloc(count + 1, sizeof(*rows->waits));
	rows->targets = calloc(count + 1, sizeof(*rows->targets));
	rows->passed = calloc(count + 1, sizeof(*rows->passed));
	rows->steps = calloc(count + 1, sizeof(*rows->steps));
	if (!rows->waits || !rows->targets || !rows->passed || !rows->steps)
		return -ENOMEM;
	for (size_t i = 0; i < scan->n_trxs && !err; i++) {
		if (!scan->trxs[i].wait_lock || !scan->trxs[i].owner)
			continue;
		err = wait_read(scan, &scan->trxs[i], &rows->waits[rows->n_waits]);
		if (!err)
			rows->targets[rows->n_waits] = rows->waits[rows->n_waits].target;
		rows->n_waits += !err;
	}
	if (err || !rows->n_waits)
		return err;
	qsort(rows->waits, rows->n_waits, sizeof(*rows->waits), compare_waits);
	qsort(rows->targets, rows->n_waits, sizeof(*rows->targets), compare_targets);
	for (size_t i = 0; i < rows->n_waits; i++) {
		if (!i || compare_targets(&rows->targets[rows->n_targets - 1], &rows->targets[i]))
			rows->targets[rows->n_targets++] = rows->targets[i];
	}
	return 0;
}

/* ---- queues ---- */

static struct wait *wait_at(const struct rows *rows, uint64_t lock)
{
	const struct wait key = { .lock.address = lock };

	return bsearch(&key, rows->waits, rows->n_waits, sizeof(key), compare_waits);
}

/* From one wait to the end of its queue, or to one whose distance is known; all that are met learn theirs. */
static int queue_walk(struct rows *rows, const struct wait *start)
{
	uint64_t at = start->lock.address;
	uint32_t step = 0, known = 0;
	size_t n_passed = 0;

	while (at && !known) {
		struct wait *wait = wait_at(rows, at);
		struct lock lock;
		int err;

		if (wait && wait->distance) {
			known = wait->distance;
			break;
		}
		if (++step > TAP_MY_CHAIN_MAX)
			return -EAGAIN;
		err = lock_read(rows->scan, at, &lock);
		if (err)
			return err;
		/* A ring that meets a wait twice has more of them than there are. */
		if (wait && n_passed == rows->n_waits)
			return -EAGAIN;
		if (wait) {
			rows->steps[n_passed] = step;
			rows->passed[n_passed++] = (size_t)(wait - rows->waits);
		}
		at = start->lock.is_table ? lock.table_next : lock.chain;
	}
	for (size_t i = 0; i < n_passed; i++)
		rows->waits[rows->passed[i]].distance = step - rows->steps[i] + 1 + known;
	return 0;
}

static int compare_order(const void *a, const void *b)
{
	const struct wait *left = a, *right = b;
	int by_target = compare_targets(&left->target, &right->target);

	if (by_target)
		return by_target;
	return (left->distance < right->distance) - (left->distance > right->distance);
}

/* Entries of those who wait, with their places in the queues. Afterwards the waits are in that order. */
static int waiters_add(struct rows *rows)
{
	uint32_t place = 0;
	int err = 0;

	for (size_t i = 0; i < rows->n_waits && !err; i++) {
		if (!rows->waits[i].distance)
			err = queue_walk(rows, &rows->waits[i]);
	}
	if (err)
		return err;
	qsort(rows->waits, rows->n_waits, sizeof(*rows->waits), compare_order);
	for (size_t i = 0; i < rows->n_waits && !err; i++) {
		const struct wait *wait = &rows->waits[i];
		struct tap_lock_entry entry = { .tag = wait->target.tag,
						.pid = wait->trx->owner,
						.leader_pid = wait->trx->owner,
						.wait_start_us = wait->trx->wait_start_us };

		place = i && !compare_targets(&rows->waits[i - 1].target, &wait->target) ? place + 1 : 1;
		entry.queue = place;
		entry.wanted = wait->lock.is_table ? tap_my_lock_table_mode(wait->lock.mode)
						   : tap_my_lock_record_mode(wait->lock.mode, wait->target.heap);
		err = entry.wanted ? tap_my_scan_add(rows->scan, &entry) : -EAGAIN;
	}
	return err;
}

/* ---- who has it ---- */

/* Targets of this page or table: first of them, and how many. */
static size_t targets_at(const struct rows *rows, bool is_table, uint64_t place, size_t *ret_count)
{
	size_t low = 0, high = rows->n_targets, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct target *target = &rows->targets[middle];

		if (target->is_table < is_table || (target->is_table == is_table && target->place < place))
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < rows->n_targets; end++) {
		if (rows->targets[end].is_table != is_table || rows->targets[end].place != place)
			break;
	}
	*ret_count = end - low;
	return low;
}

static int holder_add(struct tap_my_scan *scan, const struct tap_my_trx *trx, const struct tap_lock_tag *tag,
		      uint8_t mode)
{
	struct tap_lock_entry entry = { .tag = *tag,
					.pid = trx->owner,
					.leader_pid = trx->owner,
					.held = (uint16_t)(1u << mode),
					.xid = trx->owner ? 0 : (uint32_t)trx->id };

	return mode ? tap_my_scan_add(scan, &entry) : -EAGAIN;
}

static int record_held(struct rows *rows, const struct tap_my_trx *trx, const struct lock *lock)
{
	size_t count, first = targets_at(rows, false, lock->place, &count);
	int err = 0;

	for (size_t i = first; i < first + count && !err; i++) {
		const struct target *target = &rows->targets[i];
		int has = target->heap == NO_PLACE ? 0 : lock_has(rows->scan, lock, target->heap);

		if (has < 0)
			err = has;
		else if (has)
			err = holder_add(rows->scan, trx, &target->tag,
					 tap_my_lock_record_mode(lock->mode, target->heap));
	}
	return err;
}

static int table_held(struct rows *rows, const struct tap_my_trx *trx, const struct lock *lock)
{
	size_t count, first = targets_at(rows, true, lock->place, &count);
	struct tap_lock_tag tag;
	int err;

	if (count)
		return holder_add(rows->scan, trx, &rows->targets[first].tag, tap_my_lock_table_mode(lock->mode));
	/* In which order tables are taken is told by what is held by who waits. */
	if (!rows->scan->all || !trx->wait_lock)
		return 0;
	err = table_tag(rows->scan, lock, &tag);
	return err ? err : holder_add(rows->scan, trx, &tag, tap_my_lock_table_mode(lock->mode));
}

/* All locks of one transaction. One that has more than can be looked at is counted as torn. */
static int locks_walk(struct rows *rows, const struct tap_my_trx *trx)
{
	uint64_t at = trx->locks;
	size_t seen = 0;
	int err = 0;

	while (at && !err) {
		struct lock lock;

		if (++seen > TAP_MY_LOCKS_OF_ONE_MAX || ++rows->walked > TAP_MY_LOCKS_WALKED_MAX) {
			rows->scan->table->torn++;
			return 0;
		}
		err = lock_read(rows->scan, at, &lock);
		if (!err && lock.trx != trx->address)
			err = -EAGAIN;
		if (!err && !(lock.mode & TAP_MY_LOCK_WAIT))
			err = lock.is_table ? table_held(rows, trx, &lock) : record_held(rows, trx, &lock);
		at = lock.next;
	}
	return err;
}

static bool has_entry(const struct tap_lock_table *table, const struct tap_lock_tag *tag, const struct tap_my_trx *trx)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct tap_lock_entry *entry = &table->entries[i];

		if (entry->pid == trx->owner && (entry->pid || entry->xid == (uint32_t)trx->id) &&
		    !memcmp(&entry->tag, tag, sizeof(*tag)))
			return true;
	}
	return false;
}

/* Who the server itself says is waited for, where the locks that were looked through do not have him. */
static int named_add(struct rows *rows)
{
	struct tap_my_scan *scan = rows->scan;
	int err = 0;

	for (size_t i = 0; i < rows->n_waits && !err; i++) {
		const struct wait *wait = &rows->waits[i];
		const struct tap_my_trx *blocker = tap_my_scan_trx(scan, wait->trx->wait_trx);

		if (!blocker || blocker == wait->trx || has_entry(scan->table, &wait->target.tag, blocker))
			continue;
		err = holder_add(scan, blocker, &wait->target.tag,
				 wait->lock.is_table ? TAP_LOCK_TABLE_X : TAP_LOCK_RECORD_X);
	}
	return err;
}

int tap_my_scan_rows(struct tap_my_scan *scan)
{
	struct rows rows = { .scan = scan };
	int err = waits_find(&rows);

	if (!err && rows.n_waits)
		err = waiters_add(&rows);
	for (size_t i = 0; i < scan->n_trxs && rows.n_waits && !err; i++)
		err = locks_walk(&rows, &scan->trxs[i]);
	if (!err && rows.n_waits)
		err = named_add(&rows);
	free(rows.waits);
	free(rows.targets);
	free(rows.passed);
	free(rows.steps);
	return err;
}
