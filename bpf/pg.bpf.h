/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pg.bpf.h - what a PostgreSQL process says of itself in its own memory.
 *
 * Reads the current thread's PgBackendStatus and wait event word; where they are is data (struct tap_instance). Knows
 * nothing of rows and accounting.
 */
#ifndef TAP_BPF_PG_BPF_H
#define TAP_BPF_PG_BPF_H

#include "bpf/account.bpf.h"

enum pg_reading {
	PG_READ_CURRENT,  /* the entry is the task's own and whole */
	PG_READ_BETWEEN,  /* a write was going on, or memory could not be read: the last identity holds */
	PG_READ_STARTING, /* the process has no entry yet */
	PG_READ_EXITING,  /* the process has given its entry back */
};

static __always_inline int user_read_pointer(__u64 *ret, __u64 address)
{
	return bpf_probe_read_user(ret, sizeof(*ret), (const void *)address);
}

/*
 * Fields of a status entry copied to scratch, aligned as the server's compiler aligned them; the masks bound the
 * offsets. The entry is copied whole: under load a second read of user memory costs 100 ns and more, the further lines
 * next to nothing.
 */
static __always_inline __u32 pg_u32(const struct tap_scratch *copy, __u32 offset)
{
	return *(const __u32 *)&copy->status[offset & (sizeof(copy->status) - 4)];
}

static __always_inline __u64 pg_u64(const struct tap_scratch *copy, __u32 offset)
{
	return *(const __u64 *)&copy->status[offset & (sizeof(copy->status) - 8)];
}

/* First time: is there an entry, and is it this process's? Then its addresses are final. */
TAP_GLOBAL int pg_resolve(struct tap_task *task, struct tap_instance *instance)
{
	__u64 status = 0, wait = 0, activity = 0, logical = 0;
	__s32 pid = 0, worker = -1;
	__s32 type = 0;

	if (!task || !instance)
		return PG_READ_STARTING;
	if (user_read_pointer(&status, instance->addresses.my_beentry) || !status)
		return PG_READ_STARTING;
	if (bpf_probe_read_user(&pid, sizeof(pid), (const void *)(status + instance->layout.status_procpid)))
		return PG_READ_STARTING;
	if (pid != task->ns_pid)
		return PG_READ_STARTING;
	if (bpf_probe_read_user(&type, sizeof(type), (const void *)(status + instance->layout.status_backend_type)))
		return PG_READ_STARTING;
	if (user_read_pointer(&wait, instance->addresses.my_wait_event_info) || !wait)
		return PG_READ_STARTING;
	if (user_read_pointer(&activity, status + instance->layout.status_activity))
		return PG_READ_STARTING;
	bpf_probe_read_user(&worker, sizeof(worker), (const void *)instance->addresses.parallel_worker_number);
	task->identity.kind = TAP_KIND_UNKNOWN;
	if ((__u32)type < TAP_PG_BACKEND_TYPES &&
	    instance->layout.kind_of_type[(__u32)type & (TAP_PG_BACKEND_TYPES - 1)])
		task->identity.kind = instance->layout.kind_of_type[(__u32)type & (TAP_PG_BACKEND_TYPES - 1)];
	if (task->identity.kind == TAP_KIND_BGWORKER && worker >= 0)
		task->identity.kind = TAP_KIND_PARALLEL;
	if (task->identity.kind == TAP_KIND_BGWORKER && instance->addresses.my_logical_worker &&
	    !user_read_pointer(&logical, instance->addresses.my_logical_worker) && logical)
		task->identity.kind = TAP_KIND_LOGICAL_WORKER;
	task->wait_address = wait + instance->layout.wait_event_offset;
	task->activity_address = activity;
	task->status_address = status;
	return PG_READ_CURRENT;
}

/* Has nothing been written to the entry since the last boundary? Cheaper than reading it all. */
static __always_inline bool pg_unchanged(const struct tap_task *task, const struct tap_instance *instance)
{
	__u32 count;

	if (!task->status_address)
		return false;
	if (bpf_probe_read_user(&count, sizeof(count),
				(const void *)(task->status_address + instance->layout.status_changecount)))
		return false;
	return count == task->identity.change_count;
}

static __always_inline __u8 pg_state(const struct tap_pg_layout *layout, __u32 state)
{
	if (state >= TAP_PG_BACKEND_STATES)
		return TAP_PG_STATE_UNDEFINED;
	return layout->state_of[state & (TAP_PG_BACKEND_STATES - 1)];
}

static __always_inline void pg_decode(struct tap_identity *ret, const struct tap_scratch *copy,
				      const struct tap_pg_layout *layout)
{
	ret->change_count = pg_u32(copy, layout->status_changecount);
	ret->database = pg_u32(copy, layout->status_database);
	ret->user = pg_u32(copy, layout->status_user);
	ret->state = pg_state(layout, pg_u32(copy, layout->status_state));
	ret->activity_start_us = (__s64)pg_u64(copy, layout->status_activity_start);
	ret->query_id = 0;
	if (layout->status_query_id != TAP_PG_ABSENT)
		ret->query_id = pg_u64(copy, layout->status_query_id);
	ret->source = ret->query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE;
}

static __always_inline int pg_read(struct tap_task *task, struct tap_instance *instance, struct tap_identity *ret)
{
	__u32 zero = 0, size = instance->layout.status_size;
	struct tap_scratch *copy = bpf_map_lookup_elem(&scratch, &zero);
	int reading;

	if (!copy)
		return PG_READ_BETWEEN;
	if (!task->status_address) {
		reading = pg_resolve(task, instance);
		if (reading != PG_READ_CURRENT)
			return reading;
	}
	if (size > sizeof(copy->status))
		return PG_READ_BETWEEN;
	if (bpf_probe_read_user(copy->status, size, (const void *)task->status_address)) {
		count_loss(TAP_LOSS_READ_FAILED);
		return PG_READ_BETWEEN;
	}
	if ((__s32)pg_u32(copy, instance->layout.status_procpid) != task->ns_pid)
		return PG_READ_EXITING;
	if (pg_u32(copy, instance->layout.status_changecount) & 1)
		return PG_READ_BETWEEN;
	pg_decode(ret, copy, &instance->layout);
	/* A command that reports progress writes to the entry each time. */
	task->progress |= pg_u32(copy, instance->layout.status_progress_command) != 0;
	ret->kind = task->identity.kind;
	ret->idle_state = task->identity.idle_state;
	return PG_READ_CURRENT;
}

/*
 * The pid of the leader of the process's parallel group, as the engine knows it; its own where there is none. Kept once
 * known: a parallel worker lives for one leader.
 */
TAP_GLOBAL __s32 pg_group_pid(struct tap_task *task, struct tap_instance *instance)
{
	__u64 proc = 0, leader = 0;
	__s32 pid = 0;

	if (!task || !instance)
		return 0;
	if (task->group_pid)
		return task->group_pid;
	if (instance->layout.proc_lock_group_leader == TAP_PG_ABSENT || !instance->addresses.my_proc ||
	    user_read_pointer(&proc, instance->addresses.my_proc) || !proc ||
	    user_read_pointer(&leader, proc + instance->layout.proc_lock_group_leader) || !leader ||
	    bpf_probe_read_user(&pid, sizeof(pid), (const void *)(leader + instance->layout.proc_pid)) || pid <= 0)
		return task->ns_pid;
	task->group_pid = pid;
	return pid;
}

/*
 * The wait event the process has set; negative when it could not be read. A process that has no place for one (yet, or
 * at all: version 13's collector of statistics and archiver) has set none.
 */
static __always_inline __s64 pg_wait_event(const struct tap_task *task)
{
	__u32 event;

	if (!task->wait_address)
		return 0;
	if (bpf_probe_read_user(&event, sizeof(event), (const void *)task->wait_address))
		return -1;
	return event;
}

#endif
