/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_waits.h - one_backend.h's backend as one that waits for heavyweight locks: its PGPROC, two locks, and what is
 * sent of its waits.
 */
#ifndef TAP_TESTS_UNIT_BPF_FAKE_LOCK_WAITS_H
#define TAP_TESTS_UNIT_BPF_FAKE_LOCK_WAITS_H

#include "tests/unit/bpf/fake/one_backend.h"

/* Offsets of user memory, and of this server's own structures. */
enum {
	PG_MY_PROC = 24,
	PG_PROC = 2304,
	PG_LOCK = 2560,
	PG_OTHER_LOCK = 2624,
	LWLOCK_EVENT = 0x01000008,
	LAST_EVENTS = 8,
};

struct pg_proc {
	__s32 pid;
	__u32 status;
	__u64 lock;
	__u64 share;
	__u32 mode;
	__u32 held;
	__s64 start;
};

struct pg_lock {
	__u64 hash; /* the tag is not at the beginning, on purpose */
	__u32 tag[4];
};

static struct tap_lock_event events_seen[LAST_EVENTS];
static __u64 flags_seen[LAST_EVENTS];
static unsigned n_seen;

static inline void see(const void *event, __u64 size, __u64 flags)
{
	if (size != sizeof(struct tap_lock_event))
		return;
	ck_assert_uint_lt(n_seen, LAST_EVENTS);
	memcpy(&events_seen[n_seen], event, sizeof(events_seen[0]));
	flags_seen[n_seen++] = flags;
}

static inline struct pg_proc *proc(void)
{
	return (struct pg_proc *)(backend.memory + PG_PROC);
}

static inline __u32 *tag_of(size_t lock)
{
	return ((struct pg_lock *)(backend.memory + lock))->tag;
}

/* The server has put the session into a lock's queue. */
static inline void wait_begins(size_t lock, __s64 start)
{
	proc()->lock = FAKE_MEMORY_START + lock;
	proc()->mode = 5;
	proc()->start = start;
	proc()->status = 1;
}

static inline void wait_ends(__u32 status)
{
	proc()->lock = 0;
	proc()->status = status;
}

static inline void lock_set_up(void)
{
	__u32 zero = 0, tag[4] = { 5, 16384, 0, 1 | 4u << 16 | 1u << 24 };
	struct tap_instance *instance;

	set_up();
	instance = bpf_map_lookup_elem(&instances, &zero);
	instance->addresses.my_proc = FAKE_MEMORY_START + PG_MY_PROC;
	instance->layout.proc_pid = offsetof(struct pg_proc, pid);
	instance->layout.proc_wait_status = offsetof(struct pg_proc, status);
	instance->layout.proc_wait_lock = offsetof(struct pg_proc, lock);
	instance->layout.proc_wait_lock_mode = offsetof(struct pg_proc, mode);
	instance->layout.proc_wait_start = offsetof(struct pg_proc, start);
	instance->layout.lock_tag = offsetof(struct pg_lock, tag);
	pg_put_u64(&backend, PG_MY_PROC, FAKE_MEMORY_START + PG_PROC);
	proc()->pid = 200;
	memcpy(tag_of(PG_LOCK), tag, sizeof(tag));
	tag[1]++;
	memcpy(tag_of(PG_OTHER_LOCK), tag, sizeof(tag));
	kernel.on_submit = see;
	kernel.clock_ns += 1000000000;
	lock_events_on = true;
	n_seen = 0;
	client_is_idle();
	woken_after(1000, 0);
	pg_report_running(&backend, "update a set v = 1");
	pg_report_query_id(&backend, 77);
	pg_cpu(&backend, 50);
}

static inline void lock_tear_down(void)
{
	lock_events_on = false;
	tear_down();
}

#endif
