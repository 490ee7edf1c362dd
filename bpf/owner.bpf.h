/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * owner.bpf.h - the row that the running thread works for right now: whom to charge for a request or a dirtied page.
 */
#ifndef TAP_BPF_OWNER_BPF_H
#define TAP_BPF_OWNER_BPF_H

#include "bpf/abi/io.h"
#include "bpf/aio.bpf.h"
#include "bpf/boundary.bpf.h"
#include "bpf/pg.bpf.h"

static __always_inline void row_of_none(struct tap_row_key *row, __u8 kind)
{
	__builtin_memset(row, 0, sizeof(*row));
	row->instance = TAP_INSTANCE_NONE;
	row->kind = kind;
}

/* Whether processes of this kind go from statement to statement, or are still to say what they are. */
static __always_inline bool kind_has_statements(__u8 kind)
{
	return kind == TAP_KIND_CLIENT || kind == TAP_KIND_PARALLEL || kind == TAP_KIND_AUTOVACUUM ||
	       kind == TAP_KIND_WALSENDER || kind == TAP_KIND_STARTING || kind == TAP_KIND_BGWORKER ||
	       kind == TAP_KIND_UNKNOWN;
}

/* Whether the thread has written to its status entry since its last boundary. */
static __always_inline bool row_is_stale(const struct tap_task *account, const struct tap_instance *instance)
{
	if (account->current_way >= TAP_WAYS)
		return true;
	if (account->in_statement && !account->identity.query_id)
		return true;
	return kind_has_statements(account->identity.kind) && !pg_unchanged(account, instance);
}

static __always_inline void row_copy(struct tap_row_key *row, struct tap_task *account)
{
	struct tap_way *way = way_at(account, account->current_way);

	if (way)
		*row = way->key;
	else
		key_make(row, account, account->identity.kind, TAP_QUERY_ID_NONE, 0);
}

/* Whether a thread of MariaDB or MySQL may work for another row than at its last boundary: all but those that do one
 * thing. */
static __always_inline bool my_row_is_stale(const struct tap_task *account)
{
	return account->status_address || !account->thread_kind || account->thread_kind == TAP_KIND_INNODB_WORKER;
}

/* Its own row, brought up to date first; the pid its session is known by. */
static __always_inline __u32 owner_traced(struct tap_row_key *row, struct tap_task *account, bool exiting)
{
	__u32 index = account->instance, pid = account->ns_pid, asker = 0;
	struct tap_instance *instance;

	/* A boundary was preempted in the middle: only kernels that may preempt tracepoints get here. */
	if (account->seq & 1) {
		key_make(row, account, account->identity.kind, TAP_QUERY_ID_NONE, 0);
		return pid;
	}
	account->seq++;
	barrier();
	if (account->role == TAP_ROLE_BACKEND && !exiting) {
		instance = bpf_map_lookup_elem(&instances, &index);
		if (instance && row_is_stale(account, instance))
			boundary_now(account);
		if (instance && account->identity.kind == TAP_KIND_PARALLEL)
			pid = pg_group_pid(account, instance);
		if (instance && account->identity.kind == TAP_KIND_IO_WORKER)
			asker = aio_owner(account, instance, row);
	}
	if (account->role == TAP_ROLE_MY_THREAD && !exiting && my_row_is_stale(account))
		boundary_now(account);
	if (asker)
		pid = asker;
	else
		row_copy(row, account);
	barrier();
	account->seq++;
	return pid;
}

/*
 * A thread that io_uring started for a backend works for it. The backend may be at a boundary on another CPU: a copy
 * that it disturbed twice is not used.
 */
static __always_inline bool owner_leader(struct tap_row_key *row, struct tap_task *leader)
{
	__u32 seq;

	if (leader->role == TAP_ROLE_MY_THREAD) {
		/* The server's ring is everybody's. */
		key_make(row, leader, TAP_KIND_IO_THREAD, TAP_QUERY_ID_NONE, 0);
		row->database = 0;
		row->user = 0;
		return true;
	}
	if (leader->role != TAP_ROLE_BACKEND)
		return false;
	for (int i = 0; i < 2; i++) {
		seq = *(volatile __u32 *)&leader->seq;
		row_copy(row, leader);
		barrier();
		if (!(seq & 1) && *(volatile __u32 *)&leader->seq == seq)
			return true;
	}
	return false;
}

/* Fills the row of whoever runs; returns the pid that tells its streams from others', 0 for kernel threads. */
TAP_GLOBAL __u32 owner_of_current(struct tap_row_key *row)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tap_task *account, *leader;
	__u32 flags = task->flags;

	if (!row)
		return 0;
	if (flags & PF_KTHREAD) {
		row_of_none(row, TAP_KIND_KERNEL);
		return 0;
	}
	/* The kernel makes these without telling of a fork. */
	if (flags & PF_IO_WORKER) {
		leader = bpf_task_storage_get(&task_to_account, task->group_leader, NULL, 0);
		if (leader && owner_leader(row, leader))
			return leader->ns_pid;
	}
	account = bpf_task_storage_get(&task_to_account, task, NULL, 0);
	if (!account || account->role < TAP_ROLE_BACKEND) {
		row_of_none(row, TAP_KIND_OTHER);
		return task->tgid;
	}
	return owner_traced(row, account, flags & PF_EXITING);
}

#endif
