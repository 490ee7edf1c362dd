/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * aio.bpf.h - for whom a PostgreSQL io worker reads: the statement that asked, where that can be known.
 *
 * A worker's read call names memory of a handle, the handle its owner, whose status entry says what it works on; all of
 * it is in shared memory, at the same addresses in the worker. What does not fit together leaves the read to the
 * worker.
 */
#ifndef TAP_BPF_AIO_BPF_H
#define TAP_BPF_AIO_BPF_H

#include "bpf/account.bpf.h"
#include "bpf/compat.bpf.h"
#include "bpf/pg.bpf.h"
#include "bpf/text.bpf.h"

enum {
	AIO_NONE = 0xffffffff,
	AIO_IOVEC = 16, /* sizeof(struct iovec) */
};

/* The handle whose buffer a read call with one piece fills: PostgreSQL passes that by itself, without its iovec. */
static __always_inline __u32 aio_handle_of_buffer(const struct tap_pg_aio *aio, __u64 buffer)
{
	__u64 block = (buffer - aio->blocks) / (aio->block_size ?: 1);
	__u32 index;

	if (buffer < aio->blocks || block >= aio->n_blocks)
		return AIO_NONE;
	if (bpf_probe_read_user(&index, sizeof(index),
				(const void *)(aio->descriptors + block * aio->descriptor_size + aio->descriptor_wait)))
		return AIO_NONE;
	return index;
}

static __always_inline __u32 aio_handle_of_pieces(const struct tap_pg_aio *aio, __u64 pieces)
{
	__u64 index = (pieces - aio->iovecs) / AIO_IOVEC / (aio->iovecs_each ?: 1);

	return pieces >= aio->iovecs && index < aio->n_handles ? index : AIO_NONE;
}

/* The handle that the thread's system call reads for. */
static __always_inline __u32 aio_handle_of_call(const struct tap_pg_aio *aio)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscall_arguments arguments;
	enum read_call call = read_call_of(task_syscall(task));

	if (call != READ_CALL_PREAD && call != READ_CALL_PREADV)
		return AIO_NONE;
	task_syscall_arguments(task, &arguments);
	return call == READ_CALL_PREAD ? aio_handle_of_buffer(aio, arguments.second)
				       : aio_handle_of_pieces(aio, arguments.second);
}

/*
 * Place of the process that a handle is under way for; negative: of nobody. A handle outlives the statement that began
 * it when that ends early: then it has lost its resource owner, and its process may be at another statement.
 */
static __always_inline __s32 aio_owner_of_handle(const struct tap_pg_aio *aio, __u32 index)
{
	__u64 handle = aio->handles + (__u64)index * aio->handle_size, resowner = 0;
	__s32 owner = -1;
	__u8 state = 0;

	if (index >= aio->n_handles ||
	    bpf_probe_read_user(&state, sizeof(state), (const void *)(handle + aio->handle_state)) ||
	    state != aio->submitted || user_read_pointer(&resowner, handle + aio->handle_resowner) || !resowner ||
	    bpf_probe_read_user(&owner, sizeof(owner), (const void *)(handle + aio->handle_owner)) ||
	    (__u32)owner >= aio->n_procs)
		return -1;
	return owner;
}

/* The pid of the owner's group; its own where it is in none. *ret_member: it is led by another. */
static __always_inline __s32 aio_group_of(const struct tap_instance *instance, __u32 owner, __s32 pid, bool *ret_member)
{
	__u64 proc = instance->aio.procs + (__u64)owner * instance->aio.proc_size, leader = 0;
	__s32 leader_pid = 0;

	*ret_member = false;
	if (user_read_pointer(&leader, proc + instance->layout.proc_lock_group_leader) || !leader || leader == proc ||
	    bpf_probe_read_user(&leader_pid, sizeof(leader_pid), (const void *)(leader + instance->layout.proc_pid)) ||
	    leader_pid <= 0)
		return pid;
	*ret_member = true;
	return leader_pid;
}

/* The text of the owner's statement is in shared memory, too. */
static __always_inline __u64 aio_own_id(struct tap_task *worker, __u64 activity)
{
	__u64 saved = worker->activity_address, id;

	worker->activity_address = activity;
	id = text_fingerprint(worker);
	worker->activity_address = saved;
	return id;
}

static __always_inline bool aio_has_statements(__u8 kind)
{
	return kind == TAP_KIND_CLIENT || kind == TAP_KIND_PARALLEL || kind == TAP_KIND_AUTOVACUUM ||
	       kind == TAP_KIND_WALSENDER;
}

/* Fills `row` from the owner's entry, which is in `copy`. */
static __always_inline bool aio_row_make(struct tap_row_key *row, struct tap_task *worker,
					 const struct tap_instance *instance, const struct tap_scratch *copy,
					 bool member)
{
	__u32 type = pg_u32(copy, instance->layout.status_backend_type);
	__u64 activity = pg_u64(copy, instance->layout.status_activity);
	struct tap_identity owner = {};
	__u8 kind;

	if (pg_u32(copy, instance->layout.status_changecount) & 1 || type >= TAP_PG_BACKEND_TYPES)
		return false;
	pg_decode(&owner, copy, &instance->layout);
	kind = instance->layout.kind_of_type[type & (TAP_PG_BACKEND_TYPES - 1)];
	if (kind == TAP_KIND_BGWORKER && member)
		kind = TAP_KIND_PARALLEL;
	if (aio_has_statements(kind)) {
		if (!tap_pg_state_is_running(owner.state))
			return false;
		if (!owner.query_id)
			owner.query_id = aio_own_id(worker, activity);
		if (!owner.query_id)
			return false;
		if (owner.source == TAP_QUERY_ID_NONE)
			owner.source = TAP_QUERY_ID_OWN;
	} else {
		owner.query_id = 0;
		owner.source = TAP_QUERY_ID_NONE;
	}
	key_make(row, worker, kind, owner.source, owner.query_id);
	row->database = owner.database;
	row->user = owner.user;
	return true;
}

/*
 * The row that the running io worker reads for; returns the pid its streams are known by, 0: not known, and `row` is as
 * it was.
 */
TAP_GLOBAL __s32 aio_owner(struct tap_task *worker, struct tap_instance *instance, struct tap_row_key *row)
{
	__u32 zero = 0, size, index;
	struct tap_scratch *copy;
	__s32 owner, pid, group;
	__u64 status;
	bool member;

	if (!worker || !instance || !row || !instance->aio.handles)
		return 0;
	index = aio_handle_of_call(&instance->aio);
	owner = index == AIO_NONE ? -1 : aio_owner_of_handle(&instance->aio, index);
	copy = bpf_map_lookup_elem(&scratch, &zero);
	size = instance->layout.status_size;
	if (owner < 0 || !copy || size > sizeof(copy->status))
		return 0;
	status = instance->aio.statuses + (__u64)(__u32)owner * size;
	if (bpf_probe_read_user(copy->status, size, (const void *)status))
		return 0;
	pid = (__s32)pg_u32(copy, instance->layout.status_procpid);
	if (pid <= 0)
		return 0;
	group = aio_group_of(instance, owner, pid, &member);
	return aio_row_make(row, worker, instance, copy, member) ? group : 0;
}

#endif
