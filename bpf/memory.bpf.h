/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * memory.bpf.h - private memory of a process, charged to the row that gained it or gave it back.
 *
 * Only after page faults is there something to look at, and from then on until the statement is over. Threads of a
 * server share their memory: what one of them gained cannot be told.
 */
#ifndef TAP_BPF_MEMORY_BPF_H
#define TAP_BPF_MEMORY_BPF_H

#include "bpf/account.bpf.h"
#include "bpf/compat.bpf.h"

enum {
	PEAK_ATTEMPTS = 4,
};

/* Raises the row's peak. Whoever tries in vain so often leaves one that several others have raised meanwhile. */
TAP_GLOBAL int peak_raise(struct tap_row_key *row, __u64 peak)
{
	__u64 *kept, before;

	if (!row)
		return 0;
	kept = bpf_map_lookup_elem(&row_to_peak, row);
	if (!kept) {
		if (!bpf_map_update_elem(&row_to_peak, row, &peak, BPF_NOEXIST))
			return 0;
		kept = bpf_map_lookup_elem(&row_to_peak, row);
	}
	if (!kept) {
		count_loss(TAP_LOSS_PEAKS_FULL);
		return 0;
	}
	for (int i = 0; i < PEAK_ATTEMPTS; i++) {
		before = *(volatile __u64 *)kept;
		if (before >= peak || __sync_val_compare_and_swap(kept, before, peak) == before)
			break;
	}
	return 0;
}

/* Whether there may be something to charge at this boundary, with the given count of faults. */
static __always_inline bool memory_concerns(const struct tap_task *account, __u64 minor_faults, bool exiting)
{
	if (account->marks)
		return true;
	if (account->role == TAP_ROLE_MY_THREAD)
		return false;
	return minor_faults != account->counters.minor_faults || (exiting && account->anon_pages);
}

/* What the thread waited for memory since the last boundary. */
TAP_GLOBAL int stall_charge(struct tap_task *account, __u32 run)
{
	struct tap_stall stall, *total;
	struct tap_row_key row;
	struct tap_way *way;

	if (!account)
		return 0;
	stall = account->stall;
	__builtin_memset(&account->stall, 0, sizeof(account->stall));
	way = way_at(account, run);
	if (way)
		row = way->key;
	else
		key_make(&row, account, account->identity.kind, TAP_QUERY_ID_NONE, 0);
	total = bpf_map_lookup_elem(&row_to_stall, &row);
	if (!total) {
		if (!bpf_map_update_elem(&row_to_stall, &row, &stall, BPF_NOEXIST))
			return 0;
		total = bpf_map_lookup_elem(&row_to_stall, &row);
	}
	if (!total) {
		count_loss(TAP_LOSS_STALLS_FULL);
		return 0;
	}
	__sync_fetch_and_add(&total->reclaim_ns, stall.reclaim_ns);
	__sync_fetch_and_add(&total->reclaims, stall.reclaims);
	__sync_fetch_and_add(&total->compact_ns, stall.compact_ns);
	__sync_fetch_and_add(&total->compactions, stall.compactions);
	return 0;
}

/* Charges what was waited for memory, and what came or went of it since the last look, to the row of this run. */
TAP_LOCAL int memory_follow(struct tap_task *account, struct task_struct *task, __u32 run, bool goes_on)
{
	struct tap_row_key row;
	struct tap_way *way;
	__u32 pages;
	__u64 peak;

	if (account->marks & TAP_MARK_STALLED) {
		account->marks &= ~TAP_MARK_STALLED;
		stall_charge(account, run);
	}
	if (account->role == TAP_ROLE_MY_THREAD)
		return 0;
	way = way_at(account, run);
	pages = task_anon_pages(task);
	peak = tap_peak_make(snapshot_epoch, (__u64)pages << page_shift >> 10);
	if (way) {
		way->account.anon_bytes += ((__s64)pages - account->anon_pages) * (1ll << page_shift);
		if (peak > account->peak) {
			row = way->key;
			peak_raise(&row, peak);
		}
	}
	account->anon_pages = pages;
	account->peak = goes_on ? peak : 0;
	account->marks = goes_on ? TAP_MARK_MEMORY : 0;
	return 0;
}

#endif
