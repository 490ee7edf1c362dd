// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * reclaim.bpf.c - threads that have to free memory before they get some, and processes killed for want of it.
 *
 * None of these runs while there is memory enough.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/account.bpf.h"
#include "bpf/compat.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum stall {
	STALL_RECLAIM,
	STALL_COMPACT,
};

static __always_inline struct tap_task *account_of(struct task_struct *task)
{
	struct tap_task *account = bpf_task_storage_get(&task_to_account, task, NULL, 0);

	return account && account->role >= TAP_ROLE_BACKEND ? account : NULL;
}

static __always_inline __u64 stall_key(const struct task_struct *task, enum stall what)
{
	return (__u64)what << 32 | (__u32)task->pid;
}

static __always_inline int stall_begin(enum stall what)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 key = stall_key(task, what), now_ns;

	if (!gate_open || !account_of(task))
		return 0;
	now_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&stall_begins, &key, &now_ns, BPF_ANY);
	return 0;
}

/* What the thread is in, taken off; false: nothing that was seen to begin. */
static __always_inline bool stall_take(const struct task_struct *task, enum stall what, __u64 *ret_began_ns)
{
	__u64 key = stall_key(task, what), *began_ns = bpf_map_lookup_elem(&stall_begins, &key);

	if (!began_ns)
		return false;
	*ret_began_ns = *began_ns;
	bpf_map_delete_elem(&stall_begins, &key);
	return true;
}

/* The three below are attached to several tracepoints each: as raw ones, which belong to none. */
SEC("?raw_tp")
int on_reclaim_begin(void *ctx)
{
	return stall_begin(STALL_RECLAIM);
}

SEC("?raw_tp")
int on_compaction_begin(void *ctx)
{
	return stall_begin(STALL_COMPACT);
}

/* Charged at the thread's next boundary, with all else that the run has taken. */
SEC("?raw_tp")
int on_stall_end(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tap_task *account;
	__u64 began_ns, *ns, *count;

	if (!gate_open)
		return 0;
	account = account_of(task);
	if (!account || account->seq & 1)
		return 0;
	if (stall_take(task, STALL_COMPACT, &began_ns)) {
		ns = &account->stall.compact_ns;
		count = &account->stall.compactions;
	} else if (stall_take(task, STALL_RECLAIM, &began_ns)) {
		ns = &account->stall.reclaim_ns;
		count = &account->stall.reclaims;
	} else {
		return 0;
	}
	/* Neither a tick nor a switch of the thread comes between. */
	account->seq++;
	barrier();
	*ns += bpf_ktime_get_ns() - began_ns;
	*count += 1;
	account->marks |= TAP_MARK_STALLED;
	barrier();
	account->seq++;
	return 0;
}

/* Before 6.9 (commit 72ba14deb40a) there is a number in place of the task: then it is not loaded. */
SEC("?tp_btf/mark_victim")
int BPF_PROG(on_mark_victim, struct task_struct *victim)
{
	struct tap_kill_event *event;
	struct tap_task *account;
	struct tap_way *way;

	if (!gate_open || !victim)
		return 0;
	account = account_of(victim);
	if (!account)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_loss(TAP_LOSS_RING_FULL);
		return 0;
	}
	way = way_at(account, account->current_way);
	if (way)
		event->row = way->key;
	else
		key_make(&event->row, account, account->identity.kind, TAP_QUERY_ID_NONE, 0);
	event->monotonic_ns = bpf_ktime_get_ns();
	event->anon_bytes = (__u64)task_anon_pages(victim) << page_shift;
	event->pid = victim->tgid;
	event->pad = 0;
	bpf_ringbuf_submit(event, 0);
	return 0;
}
