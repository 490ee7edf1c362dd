/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * my_lock.bpf.h - waits of MariaDB's sessions for row locks and metadata locks, when one begins and
 * when it ends.
 *
 * my_wait_event has found that the thread sleeps for one: the lock of its transaction, or the ticket of its session.
 * What becomes of that is in lock_tell.bpf.h.
 */
#ifndef TAP_BPF_MY_LOCK_BPF_H
#define TAP_BPF_MY_LOCK_BPF_H

#include "bpf/lock.bpf.h"
#include "bpf/my.bpf.h"

enum {
	MY_LOCK_MAP_WORDS = 16, /* of a lock's bit map that are looked at: a thousand places of a page */
};

/* A lock's own words, and where they were read. */
struct my_lock_words {
	__u64 lock; /* 0: it waits for none */
	__s64 wait_start;
	bool of_engine; /* of InnoDB; otherwise a ticket */
};

static __always_inline void my_lock_read(const struct tap_task *task, const struct tap_my_lock_layout *locks,
					 struct my_lock_words *ret)
{
	__u64 thd = task->status_address, trx = my_pointer(thd, locks->trx);

	ret->lock = my_pointer(trx, locks->wait_lock);
	ret->of_engine = ret->lock;
	ret->wait_start = 0;
	if (ret->lock)
		my_read(&ret->wait_start, sizeof(ret->wait_start), trx, locks->wait_start);
	else
		ret->lock = my_pointer(thd, locks->metadata + locks->context_ticket);
}

/* The number that stands for a table's name, as tap_my_table_number; 0: none. */
TAP_GLOBAL __u32 my_table_number(__u64 address)
{
	__u32 zero = 0;
	struct tap_scratch *copy = bpf_map_lookup_elem(&scratch, &zero);
	__u64 *words, hash = 0;
	long size;

	if (!copy || !address)
		return 0;
	words = (__u64 *)copy->status;
	for (__u32 i = 0; i < TAP_MY_TABLE_NAME_SIZE / 8; i++)
		words[i] = 0;
	size = bpf_probe_read_user_str(words, TAP_MY_TABLE_NAME_SIZE, (const void *)address);
	if (size <= 1)
		return 0;
	for (__u32 i = 0; i < TAP_MY_TABLE_NAME_SIZE / 8; i++) {
		if (8 * (long)i < size - 1)
			hash = tap_my_name_step(hash, words[i]);
	}
	return tap_my_name_final(hash);
}

/* Number of the lowest bit that is set. */
static __always_inline __u32 my_lowest_bit(__u64 word)
{
	__u32 bit = 0;

	for (__u32 step = 32; step; step /= 2) {
		if (!(word & ((1ull << step) - 1))) {
			word >>= step;
			bit += step;
		}
	}
	return bit;
}

/* Which place of the page a waiting lock is for: the one bit of its map. */
TAP_GLOBAL __u32 my_lock_place(__u64 map)
{
	__u64 word = 0;

	for (__u32 i = 0; i < MY_LOCK_MAP_WORDS; i++) {
		if (bpf_probe_read_user(&word, sizeof(word), (const void *)(map + 8 * i)))
			break;
		if (word)
			return 64 * i + my_lowest_bit(word);
	}
	return TAP_MY_LOCK_NO_PLACE;
}

/* The bits of a type_mode that tell what a lock excludes, in eight. */
static __always_inline __u32 my_lock_mode(__u32 mode)
{
	return (mode & TAP_MY_LOCK_MODE) |
	       ((mode & (TAP_MY_LOCK_GAP | TAP_MY_LOCK_NOT_GAP | TAP_MY_LOCK_INSERT)) >> TAP_MY_LOCK_FLAGS_SHIFT);
}

/* InnoDB's. 0 or negative. */
static __always_inline int my_engine_lock_tell(struct tap_lock_open *open, const struct tap_my_lock_layout *locks)
{
	__u64 place = 0, table;
	__u32 mode = 0, heap;

	if (my_read(&place, sizeof(place), open->lock, locks->lock_place) ||
	    my_read(&mode, sizeof(mode), open->lock, locks->lock_mode))
		return -1;
	open->mode = my_lock_mode(mode);
	if (mode & locks->lock_type_table) {
		open->tag[2] = my_table_number(my_pointer(place, locks->table_name));
		open->tag[3] = TAP_MY_LOCK_TABLE << TAP_MY_LOCK_KIND_SHIFT;
		return my_read(open->tag, sizeof(__u64), place, locks->table_id);
	}
	table = my_pointer(my_pointer(open->lock, locks->lock_index), locks->index_table);
	heap = mode & TAP_MY_LOCK_PREDICATE ? TAP_MY_LOCK_NO_PLACE : my_lock_place(open->lock + locks->lock_size);
	open->tag[0] = place >> 32;
	open->tag[1] = (__u32)place;
	open->tag[2] = my_table_number(my_pointer(table, locks->table_name));
	open->tag[3] = TAP_MY_LOCK_RECORD << TAP_MY_LOCK_KIND_SHIFT | (heap & 0xffff);
	return 0;
}

/* A ticket's: the lock has its key, two lengths, a hash, then kind, database and name. 0 or negative. */
static __always_inline int my_ticket_tell(struct tap_lock_open *open, const struct tap_my_lock_layout *locks)
{
	__u64 lock = my_pointer(open->lock, locks->ticket_lock), key = lock + locks->key;
	struct {
		__u16 size;
		__u16 database;
		__u32 hash;
		__u8 kind;
	} head = {};

	if (!lock || my_read(&open->mode, sizeof(open->mode), open->lock, locks->ticket_mode) ||
	    bpf_probe_read_user(&head, 9, (const void *)key))
		return -1;
	open->mode++;
	open->tag[0] = my_name_number(key + 9);
	open->tag[1] = my_table_number(key + 9 + head.database + 1);
	open->tag[2] = head.hash;
	open->tag[3] = TAP_MY_LOCK_METADATA << TAP_MY_LOCK_KIND_SHIFT | head.kind;
	return 0;
}

static __always_inline void my_lock_begin(struct tap_task *task, const struct tap_my_lock_layout *locks,
					  const struct my_lock_words *now, __u64 pids)
{
	struct tap_lock_open *open = &task->lock;

	open->begin_ns = task->lock_state == TAP_LOCK_STATE_ADOPTED ? 0 : task->last_ns;
	open->lock = now->lock;
	open->wait_start = now->wait_start;
	task->lock_state = TAP_LOCK_STATE_NONE;
	if (now->of_engine ? my_engine_lock_tell(open, locks) : my_ticket_tell(open, locks)) {
		count_loss(TAP_LOSS_READ_FAILED);
		return;
	}
	task->lock_state = TAP_LOCK_STATE_OPEN;
	lock_tell_begin(task, pids);
}

/*
 * InnoDB takes a lock whose wait has failed out of its transaction's list. One that was granted may be gone, too, with
 * the transaction that has ended since; then it counts as granted unless the transaction was chosen as a victim.
 */
static __always_inline __u8 my_engine_lock_status(const struct tap_task *task, const struct tap_my_lock_layout *locks)
{
	__u64 trx = my_pointer(task->status_address, locks->trx), last = 0, links[2] = {};
	__u32 state = 0;
	__u8 victim = 0;

	if (!trx || my_read(links, sizeof(links), task->lock.lock, locks->lock_next - sizeof(__u64)) ||
	    my_read(&last, sizeof(last), trx, locks->trx_locks + sizeof(__u64)) ||
	    my_read(&state, sizeof(state), trx, locks->trx_state) ||
	    my_read(&victim, sizeof(victim), trx, locks->trx_victim))
		return TAP_LOCK_STATUS_UNKNOWN;
	if (links[0] || links[1] || last == task->lock.lock)
		return TAP_LOCK_STATUS_OK;
	return state == locks->trx_active || victim & 1 ? TAP_LOCK_STATUS_ERROR : TAP_LOCK_STATUS_OK;
}

static __always_inline __u8 my_lock_status(const struct tap_task *task, const struct tap_my_lock_layout *locks)
{
	__u32 status = 0;

	if (task->lock.tag[3] >> TAP_MY_LOCK_KIND_SHIFT != TAP_MY_LOCK_METADATA)
		return task->lock.lock ? my_engine_lock_status(task, locks) : TAP_LOCK_STATUS_UNKNOWN;
	if (my_read(&status, sizeof(status), task->status_address, locks->metadata + locks->context_status))
		return TAP_LOCK_STATUS_UNKNOWN;
	if (status == TAP_MY_WAIT_STATUS_GRANTED)
		return TAP_LOCK_STATUS_OK;
	return status >= TAP_MY_WAIT_STATUS_VICTIM && status <= TAP_MY_WAIT_STATUS_KILLED ? TAP_LOCK_STATUS_ERROR
											  : TAP_LOCK_STATUS_UNKNOWN;
}

/* Arguments as lock_follow. */
TAP_GLOBAL int my_lock_follow(struct tap_task *task, __u64 pids, __u64 woke_ns, __u32 run)
{
	struct my_lock_words now = {};
	struct tap_instance *instance;
	__u32 index, state;

	if (!task || !lock_events_on)
		return 0;
	index = task->instance;
	instance = bpf_map_lookup_elem(&instances, &index);
	if (!instance || !instance->my.locks.trx)
		return 0;
	if (task->status_address && task->current_kind != TAP_KIND_EXITING)
		my_lock_read(task, &instance->my.locks, &now);
	state = task->lock_state;
	if ((state == TAP_LOCK_STATE_ADOPTED && !now.lock) ||
	    (state == TAP_LOCK_STATE_OPEN && (now.lock != task->lock.lock || now.wait_start != task->lock.wait_start)))
		lock_end(task, pids, woke_ns, run,
			 state == TAP_LOCK_STATE_OPEN && task->status_address
				 ? my_lock_status(task, &instance->my.locks)
				 : TAP_LOCK_STATUS_UNKNOWN);
	if (task->lock_state == TAP_LOCK_STATE_ASLEEP && (!now.lock || task->off != TAP_OFF_SLEEP))
		task->lock_state = TAP_LOCK_STATE_NONE;
	if (task->lock_state != TAP_LOCK_STATE_OPEN && now.lock && task->off == TAP_OFF_SLEEP &&
	    tap_my_wait_is_lock(task->sleep_event))
		my_lock_begin(task, &instance->my.locks, &now, pids);
	return 0;
}

#endif
