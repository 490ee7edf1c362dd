// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_lock_record.c - decodes LOCK, PROCLOCK and PGPROC, and compares what they say of each other.
 *
 * Sources: src/include/storage/lock.h, proc.h and shmem.h (SHM_QUEUE), and the invariants that lock.c and proc.c of
 * src/backend/storage/lmgr keep whenever nobody holds the lock's partition lock.
 */
#include "userspace/attach/pg_lock_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/attach/pg_status.h"

#define MODES_MASK ((1u << TAP_LOCK_MODE_COUNT) - 2) /* a bit for each mode there is */

static uint64_t u64_at(const uint8_t *bytes, size_t offset)
{
	uint64_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static uint32_t u32_at(const uint8_t *bytes, size_t offset)
{
	uint32_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

struct tap_pg_link tap_pg_link_decode(const uint8_t *bytes)
{
	return (struct tap_pg_link){ .prev = u64_at(bytes, 0), .next = u64_at(bytes, 8) };
}

bool tap_pg_link_is_empty(const struct tap_pg_link *head, uint64_t address)
{
	return (head->prev == address && head->next == address) || (!head->prev && !head->next);
}

size_t tap_pg_proc_record_size(const struct tap_pg_lock_layout *layout)
{
	const size_t ends[] = {
		layout->proc_links + sizeof(struct tap_pg_link),
		layout->proc_xid + 4u,
		layout->proc_pid + 4u,
		layout->proc_wait_lock + 8u,
		layout->proc_wait_share + 8u,
		layout->proc_wait_mode + 4u,
		layout->proc_wait_start == TAP_PG_ABSENT ? 0 : layout->proc_wait_start + 8u,
	};
	size_t size = 0;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		size = ends[i] > size ? ends[i] : size;
	return size;
}

void tap_pg_proc_record_decode(const struct tap_pg_lock_layout *layout, uint64_t address, const uint8_t *bytes,
			       struct tap_pg_proc_record *ret)
{
	*ret = (struct tap_pg_proc_record){
		.address = address,
		.pid = (int32_t)u32_at(bytes, layout->proc_pid),
		.xid = u32_at(bytes, layout->proc_xid),
		.links = tap_pg_link_decode(bytes + layout->proc_links),
		.wait_lock = u64_at(bytes, layout->proc_wait_lock),
		.wait_share = u64_at(bytes, layout->proc_wait_share),
		.wait_mode = (int32_t)u32_at(bytes, layout->proc_wait_mode),
	};
	if (layout->proc_wait_start != TAP_PG_ABSENT)
		ret->wait_start = (int64_t)u64_at(bytes, layout->proc_wait_start);
}

void tap_pg_share_record_decode(const struct tap_pg_lock_layout *layout, uint64_t address, const uint8_t *bytes,
				struct tap_pg_share_record *ret)
{
	*ret = (struct tap_pg_share_record){
		.address = address,
		.lock = u64_at(bytes, layout->share_lock),
		.proc = u64_at(bytes, layout->share_proc),
		.leader = u64_at(bytes, layout->share_leader),
		.held = u32_at(bytes, layout->share_held),
		.lock_link = tap_pg_link_decode(bytes + layout->share_lock_link),
		.proc_link = tap_pg_link_decode(bytes + layout->share_proc_link),
	};
}

void tap_pg_lock_record_decode(const struct tap_pg_lock_layout *layout, uint64_t address, const uint8_t *bytes,
			       struct tap_pg_lock_record *ret)
{
	*ret = (struct tap_pg_lock_record){
		.address = address,
		.grant_mask = u32_at(bytes, layout->lock_grant_mask),
		.wait_mask = u32_at(bytes, layout->lock_wait_mask),
		.shares = tap_pg_link_decode(bytes + layout->lock_shares),
		.queue = tap_pg_link_decode(bytes + layout->lock_queue),
		.queue_size = (int32_t)u32_at(bytes, layout->lock_queue_size),
		.n_requested = (int32_t)u32_at(bytes, layout->lock_requested + sizeof(ret->requested)),
		.n_granted = (int32_t)u32_at(bytes, layout->lock_granted + sizeof(ret->granted)),
	};
	memcpy(&ret->tag, bytes + layout->lock_tag, sizeof(ret->tag));
	memcpy(ret->requested, bytes + layout->lock_requested, sizeof(ret->requested));
	memcpy(ret->granted, bytes + layout->lock_granted, sizeof(ret->granted));
}

/* ---- what belongs together ---- */

static int compare_shares(const void *a, const void *b)
{
	const struct tap_pg_share_record *left = a, *right = b;

	return (left->address > right->address) - (left->address < right->address);
}

static const struct tap_pg_share_record *share_at(const struct tap_pg_lock_set *set, uint64_t address)
{
	const struct tap_pg_share_record key = { .address = address };

	return set->n_shares ? bsearch(&key, set->shares, set->n_shares, sizeof(key), compare_shares) : NULL;
}

static bool tag_makes_sense(const struct tap_lock_tag *tag)
{
	bool is_user = tag->type == TAP_LOCK_USERLOCK || tag->type == TAP_LOCK_ADVISORY;

	return tag->type < TAP_LOCK_PG_TYPE_COUNT && tag->method == (is_user ? 2 : 1);
}

/* The lock's own list leads through all the shares and through no other, forwards as backwards. */
static bool list_fits(const struct tap_pg_lock_set *set)
{
	uint64_t head = set->lock.address + set->layout->lock_shares;
	uint64_t before = head;
	uint64_t at = set->lock.shares.next;

	for (size_t seen = 0; seen <= set->n_shares; seen++) {
		const struct tap_pg_share_record *share;

		if (at == head)
			return seen == set->n_shares && set->lock.shares.prev == before;
		share = share_at(set, at - set->layout->share_lock_link);
		if (!share || share->lock != set->lock.address || share->lock_link.prev != before)
			return false;
		before = at;
		at = share->lock_link.next;
	}
	return false;
}

/* The lock counts how many hold each mode. */
static bool grants_fit(const struct tap_pg_lock_set *set)
{
	int32_t granted[TAP_PG_LOCK_MODES] = { 0 };
	int64_t total = 0;
	uint32_t mask = 0;

	for (size_t i = 0; i < set->n_shares; i++) {
		if (set->shares[i].held & ~MODES_MASK)
			return false;
		mask |= set->shares[i].held;
		for (int mode = 1; mode < TAP_LOCK_MODE_COUNT; mode++)
			granted[mode] += set->shares[i].held >> mode & 1;
	}
	for (int mode = 0; mode < TAP_PG_LOCK_MODES; mode++) {
		if (granted[mode] != set->lock.granted[mode] || set->lock.requested[mode] < granted[mode])
			return false;
		total += granted[mode];
	}
	return mask == set->lock.grant_mask && total == set->lock.n_granted && set->lock.n_requested >= total;
}

static bool waiter_fits(const struct tap_pg_lock_set *set, const struct tap_pg_proc_record *proc)
{
	const struct tap_pg_share_record *share = share_at(set, proc->wait_share);

	return proc->wait_lock == set->lock.address && share && share->proc == proc->address &&
	       proc->wait_mode > TAP_LOCK_MODE_NONE && proc->wait_mode < TAP_LOCK_MODE_COUNT && proc->pid > 0 &&
	       !proc->prepared;
}

/* The queue leads through as many as it counts, each of whom waits for this lock, for modes that the lock names. */
static bool queue_fits(const struct tap_pg_lock_set *set)
{
	uint64_t head = set->lock.address + set->layout->lock_queue;
	uint64_t before = head;
	uint64_t at = set->lock.queue.next;
	uint32_t mask = 0;

	if (tap_pg_link_is_empty(&set->lock.queue, head))
		return !set->lock.queue_size && !set->lock.wait_mask;
	for (int32_t seen = 0; seen <= set->lock.queue_size && (size_t)seen <= set->n_shares; seen++) {
		const struct tap_pg_proc_record *proc;

		if (at == head)
			return seen == set->lock.queue_size && set->lock.queue.prev == before &&
			       mask == set->lock.wait_mask;
		proc = set->proc_at(set->context, at - set->layout->proc_links);
		if (!proc || !waiter_fits(set, proc) || proc->links.prev != before)
			return false;
		mask |= 1u << proc->wait_mode;
		before = at;
		at = proc->links.next;
	}
	return false;
}

static bool owners_fit(const struct tap_pg_lock_set *set)
{
	for (size_t i = 0; i < set->n_shares; i++) {
		const struct tap_pg_proc_record *proc = set->proc_at(set->context, set->shares[i].proc);

		if (!proc || !set->proc_at(set->context, set->shares[i].leader))
			return false;
		if (proc->prepared ? proc->pid || !proc->xid : proc->pid <= 0)
			return false;
		/* Who waits is in the queue, which counts them. */
		if (proc->wait_lock == set->lock.address && proc->wait_share != set->shares[i].address)
			return false;
	}
	return true;
}

/* ---- entries ---- */

static struct tap_lock_entry entry_of(const struct tap_pg_lock_set *set, const struct tap_pg_share_record *share)
{
	const struct tap_pg_proc_record *proc = set->proc_at(set->context, share->proc);
	const struct tap_pg_proc_record *leader = set->proc_at(set->context, share->leader);
	struct tap_lock_entry entry = {
		.tag = set->lock.tag,
		.pid = proc->pid,
		.leader_pid = leader->pid > 0 && !proc->prepared ? leader->pid : proc->pid,
		.held = (uint16_t)share->held,
		.xid = proc->prepared ? proc->xid : 0,
	};

	return entry;
}

/* Places in the queue, once the entries of the shares [first, first + n_shares) are in the table. */
static void queue_number(const struct tap_pg_lock_set *set, struct tap_lock_entry *entries)
{
	uint64_t head = set->lock.address + set->layout->lock_queue;
	uint64_t at = set->lock.queue.next;

	for (uint32_t place = 1; place <= (uint32_t)set->lock.queue_size && at != head; place++) {
		const struct tap_pg_proc_record *proc = set->proc_at(set->context, at - set->layout->proc_links);
		struct tap_lock_entry *entry = &entries[share_at(set, proc->wait_share) - set->shares];

		entry->wanted = (uint8_t)proc->wait_mode;
		entry->queue = place;
		entry->wait_start_us = tap_pg_time_us(proc->wait_start);
		at = proc->links.next;
	}
}

/* A share that neither holds nor waits is about to do one or the other. */
static void idle_drop(struct tap_lock_table *table, size_t first)
{
	size_t kept = first;

	for (size_t i = first; i < table->count; i++) {
		if (table->entries[i].held || table->entries[i].wanted)
			table->entries[kept++] = table->entries[i];
	}
	table->count = kept;
}

int tap_pg_lock_set_take(const struct tap_pg_lock_set *set, struct tap_lock_table *table)
{
	size_t first = table->count;

	if (!set->n_shares && tap_pg_link_is_empty(&set->lock.shares, set->lock.address + set->layout->lock_shares))
		return -ENOENT;
	if (!tag_makes_sense(&set->lock.tag) || !list_fits(set) || !grants_fit(set) || !owners_fit(set) ||
	    !queue_fits(set))
		return -EAGAIN;
	for (size_t i = 0; i < set->n_shares; i++) {
		struct tap_lock_entry entry = entry_of(set, &set->shares[i]);
		int err = tap_lock_table_add(table, &entry);

		if (err) {
			table->count = first;
			return err;
		}
	}
	if (set->lock.queue_size)
		queue_number(set, table->entries + first);
	idle_drop(table, first);
	return 0;
}
