/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * account.bpf.h - a thread's ways: find the one of a row, add to it, move it to the totals.
 *
 * Every function here runs in the owning thread's context switch or tick, interrupts off, so a tap_task has one writer.
 */
#ifndef TAP_BPF_ACCOUNT_BPF_H
#define TAP_BPF_ACCOUNT_BPF_H

#include "bpf/maps.bpf.h"

/*
 * Functions with loops are global: the verifier walks each once, on its own, instead of at every call on every path. It
 * takes their pointers for memory of the pointed-to size that may be NULL. Weak: each program file brings the same one.
 */
#define TAP_GLOBAL __weak __noinline

/* A function with a frame of its own that takes pointers to kernel types: walked at each call. */
#define TAP_LOCAL static __attribute__((noinline, unused))

static __always_inline void key_make(struct tap_row_key *key, const struct tap_task *task, __u8 kind, __u8 source,
				     __u64 query_id)
{
	key->instance = task->instance;
	key->kind = kind;
	key->source = source;
	key->parity = 0;
	key->pad = 0;
	key->database = task->identity.database;
	key->user = task->identity.user;
	key->query_id = query_id;
}

static __always_inline void account_add(struct tap_account *to, const struct tap_account *from)
{
#define ADD(field) \
	if (from->field) \
	__sync_fetch_and_add(&to->field, from->field)
	ADD(cpu_ns);
	ADD(runq_ns);
	ADD(unknown_ns);
	ADD(calls);
	ADD(uncounted);
	ADD(preemptions);
	ADD(anon_bytes);
	ADD(minor_faults);
	ADD(major_faults);
	ADD(rchar_bytes);
	ADD(wchar_bytes);
	ADD(read_bytes);
	ADD(dirtied_bytes);
#undef ADD
}

/* The same where there is one writer. */
static __always_inline void account_sum(struct tap_account *to, const struct tap_account *from)
{
	to->cpu_ns += from->cpu_ns;
	to->runq_ns += from->runq_ns;
	to->unknown_ns += from->unknown_ns;
	to->calls += from->calls;
	to->uncounted += from->uncounted;
	to->preemptions += from->preemptions;
	to->anon_bytes += from->anon_bytes;
	to->minor_faults += from->minor_faults;
	to->major_faults += from->major_faults;
	to->rchar_bytes += from->rchar_bytes;
	to->wchar_bytes += from->wchar_bytes;
	to->read_bytes += from->read_bytes;
	to->dirtied_bytes += from->dirtied_bytes;
}

/* What a full map cannot keep goes to this row, which userspace has put in before the gate opened. */
static __always_inline void key_make_rest(struct tap_row_key *key)
{
	key->kind = TAP_KIND_REST;
	key->source = TAP_QUERY_ID_NONE;
	key->database = 0;
	key->user = 0;
	key->query_id = 0;
}

/* Adds to a row's total. `key` becomes the rest row's when there is no room for another. */
TAP_GLOBAL int total_add_account(struct tap_row_key *key, struct tap_account *account)
{
	struct tap_account *total;

	if (!key || !account)
		return 0;
	total = bpf_map_lookup_elem(&row_to_account, key);
	if (!total) {
		if (!bpf_map_update_elem(&row_to_account, key, account, BPF_NOEXIST))
			return 0;
		total = bpf_map_lookup_elem(&row_to_account, key);
	}
	if (!total) {
		count_loss(TAP_LOSS_TOTALS_FULL);
		key_make_rest(key);
		total = bpf_map_lookup_elem(&row_to_account, key);
		if (!total)
			return 0;
	}
	account_add(total, account);
	return 0;
}

TAP_GLOBAL int total_add_wait(struct tap_row_key *row, struct tap_wait *wait)
{
	struct tap_wait_total *total, fresh;
	struct tap_wait_key key = {};

	if (!row || !wait)
		return 0;
	key.row = *row;
	key.event = wait->event;
	fresh.count = wait->count;
	fresh.ns = wait->ns;
	total = bpf_map_lookup_elem(&row_to_wait, &key);
	if (!total) {
		if (!bpf_map_update_elem(&row_to_wait, &key, &fresh, BPF_NOEXIST))
			return 0;
		total = bpf_map_lookup_elem(&row_to_wait, &key);
	}
	if (!total) {
		count_loss(TAP_LOSS_WAITS_FULL);
		key_make_rest(&key.row);
		key.event = TAP_EVENT_ANY;
		total = bpf_map_lookup_elem(&row_to_wait, &key);
		if (!total)
			return 0;
	}
	__sync_fetch_and_add(&total->count, fresh.count);
	__sync_fetch_and_add(&total->ns, fresh.ns);
	return 0;
}

/*
 * The parity that makes snapshots exact: a thread that snapshot k has read already evicts into the entries of snapshot
 * k + 1, one that it has still to read into those of snapshot k. Userspace reads the odd or even entries accordingly.
 * The atomic read is a barrier: whoever reads the mark has shown that it is writing (seq), see record_take.
 */
static __always_inline void key_set_parity(struct tap_row_key *key, struct tap_task *task)
{
	key->parity = (__sync_fetch_and_add(&task->read_epoch, 0) + 1) & 1;
}

/* A wait leaves its thread for the totals. */
static __always_inline void wait_leave(struct tap_task *task, struct tap_row_key *row, struct tap_wait *wait)
{
	task->gone_wait_ns += wait->ns;
	task->gone_sleeps += wait->count;
	total_add_wait(row, wait);
}

/*
 * The barriers keep the comparison beside the use: the verifier forgets the bounds of an index that went to the stack,
 * and refuses an address that was computed before the index was compared.
 */
static __always_inline struct tap_way *way_at(struct tap_task *task, __u32 index)
{
	barrier_var(index);
	if (index >= TAP_WAYS)
		return NULL;
	barrier_var(index);
	return &task->ways[index];
}

static __always_inline bool kind_is_idle(__u32 kind)
{
	return kind == TAP_KIND_IDLE || kind == TAP_KIND_IDLE_IN_TRANSACTION;
}

/* Place of an idle kind in tap_task.idle_ways. */
static __always_inline __u32 idle_slot(__u32 kind)
{
	return kind == TAP_KIND_IDLE_IN_TRANSACTION;
}

static __always_inline bool way_is_free(const struct tap_way *way)
{
	return way->key.kind == TAP_KIND_NONE;
}

/* What the head knows of a way that is no more. */
static __always_inline void way_forget(struct tap_task *task, __u32 index)
{
	barrier_var(index);
	if (index >= TAP_WAYS)
		return;
	barrier_var(index);
	task->tags[index] = 0;
	for (int i = 0; i < TAP_IDLE_KINDS; i++) {
		if (index == task->idle_ways[i])
			task->idle_ways[i] = TAP_NO_WAY;
	}
	if (index == task->last_way)
		task->last_way = TAP_NO_WAY;
	if (index == task->next_way)
		task->next_way = TAP_NO_WAY;
}

TAP_GLOBAL int way_evict(struct tap_task *task, __u32 index)
{
	struct tap_row_key key;
	struct tap_way *way;

	if (!task)
		return 0;
	way = way_at(task, index);
	if (!way || way_is_free(way))
		return 0;
	key = way->key;
	key_set_parity(&key, task);
	total_add_account(&key, &way->account);
	account_sum(&task->gone, &way->account);
	for (int i = 0; i < TAP_WAY_WAITS; i++) {
		if (way->waits[i].count || way->waits[i].ns)
			wait_leave(task, &key, &way->waits[i]);
	}
	__builtin_memset(way, 0, sizeof(*way));
	way_forget(task, index);
	return 0;
}

/* Moves everything a thread still holds to the totals. */
TAP_GLOBAL int task_evict(struct tap_task *task)
{
	if (!task)
		return 0;
	for (__u32 i = 0; i < TAP_WAYS; i++)
		way_evict(task, i);
	return 0;
}

static __always_inline bool way_is_of(const struct tap_way *way, const struct tap_row_key *key)
{
	return way->key.query_id == key->query_id && way->key.kind == key->kind && way->key.source == key->source &&
	       way->key.user == key->user && way->key.database == key->database;
}

/* Never 0. Two rows of a thread may share one: the key decides. */
static __always_inline __u32 key_tag(const struct tap_row_key *key)
{
	return ((__u32)key->query_id ^ (__u32)(key->query_id >> 32) ^ ((__u32)key->kind << 8) ^ key->source << 16) | 1;
}

/* Index of the way of a row; TAP_NO_WAY when there is none. */
TAP_GLOBAL __u32 way_find(struct tap_task *task, struct tap_row_key *key)
{
	__u32 tag;

	if (!task || !key)
		return TAP_NO_WAY;
	tag = key_tag(key);
	for (__u32 i = 0; i < TAP_WAYS; i++) {
		if (task->tags[i] == tag && way_is_of(&task->ways[i], key))
			return i;
	}
	return TAP_NO_WAY;
}

static __always_inline __u32 way_after(__u32 index)
{
	return index + 1 < TAP_WAYS ? index + 1 : 0;
}

/* Index of a new way for a row that has none: a free one, or the next in turn, moved to the totals. */
TAP_GLOBAL __u32 way_make(struct tap_task *task, struct tap_row_key *key)
{
	__u32 index = TAP_NO_WAY;
	struct tap_way *way;

	if (!task || !key)
		return TAP_NO_WAY;
	for (__u32 i = 0; i < TAP_WAYS && index == TAP_NO_WAY; i++) {
		if (!task->tags[i])
			index = i;
	}
	if (index == TAP_NO_WAY) {
		index = task->next_victim;
		for (int i = 0; i < 2; i++) {
			if (index == task->current_way || index == task->sleep_way)
				index = way_after(index);
		}
		task->next_victim = way_after(index);
		way_evict(task, index);
	}
	way = way_at(task, index);
	if (!way)
		return TAP_NO_WAY;
	way->key = *key;
	barrier_var(index);
	if (index < TAP_WAYS) {
		barrier_var(index);
		task->tags[index] = key_tag(key);
		task->next_ways[index] = index;
	}
	if (kind_is_idle(key->kind)) {
		task->idle_ways[idle_slot(key->kind)] = index;
		task->idle_waits[idle_slot(key->kind)] = TAP_NO_WAY;
	}
	return index;
}

/* Index of the wait of an event in a way, made when there is none by moving another to the totals. */
TAP_GLOBAL __u32 wait_of(struct tap_task *task, __u32 way_index, __u32 event)
{
	__u32 free = TAP_WAY_WAITS;
	struct tap_row_key key;
	struct tap_way *way;

	if (!task)
		return 0;
	way = way_at(task, way_index);
	if (!way)
		return 0;
	for (__u32 i = 0; i < TAP_WAY_WAITS; i++) {
		if (way->waits[i].event == event && way->waits[i].count)
			return i;
		if (!way->waits[i].count && free == TAP_WAY_WAITS)
			free = i;
	}
	if (free == TAP_WAY_WAITS) {
		free = event % TAP_WAY_WAITS;
		key = way->key;
		key_set_parity(&key, task);
		wait_leave(task, &key, &way->waits[free]);
		for (int i = 0; i < TAP_IDLE_KINDS; i++) {
			if (way_index == task->idle_ways[i])
				task->idle_waits[i] = TAP_NO_WAY;
		}
		way->waits[free].count = 0;
		way->waits[free].ns = 0;
	}
	way->waits[free & (TAP_WAY_WAITS - 1)].event = event;
	return free;
}

/* Adds one way to another of the same thread and frees it: a statement's id became known. */
TAP_GLOBAL int way_merge(struct tap_task *task, __u32 from_index, __u32 to_index)
{
	struct tap_way *from, *to;
	__u32 at;

	if (!task || from_index == to_index)
		return 0;
	from = way_at(task, from_index);
	to = way_at(task, to_index);
	if (!from || !to)
		return 0;
	account_sum(&to->account, &from->account);
	for (int i = 0; i < TAP_WAY_WAITS; i++) {
		if (!from->waits[i].count && !from->waits[i].ns)
			continue;
		at = wait_of(task, to_index, from->waits[i].event);
		if (at >= TAP_WAY_WAITS)
			continue;
		to->waits[at].count += from->waits[i].count;
		to->waits[at].ns += from->waits[i].ns;
	}
	__builtin_memset(from, 0, sizeof(*from));
	way_forget(task, from_index);
	return 0;
}

#endif
