// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sched.bpf.c - the ambient engine: context switches, ticks and forks of traced threads.
 *
 * Only the outgoing thread of a switch is looked at. Its CPU and run-queue time are the growth of the kernel's own
 * counters; its time off the CPU follows by subtraction from the moment it last left: no clock is read.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/boundary.bpf.h"
#include "bpf/checkpoint.bpf.h"
#include "bpf/compat.bpf.h"
#include "bpf/engine.bpf.h"
#include "bpf/lock.bpf.h"
#include "bpf/memory.bpf.h"
#include "bpf/my_lock.bpf.h"
#include "bpf/spent.bpf.h"
#include "bpf/task.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Charges the time the thread was off the CPU to what it left for. */
static __always_inline void off_close(struct tap_task *account, __s64 off_ns)
{
	struct tap_way *way = way_at(account, account->sleep_way);
	__u32 wait = account->sleep_wait;

	if (account->off == TAP_OFF_SLEEP && way && wait < TAP_WAY_WAITS) {
		way->waits[wait].ns += off_ns;
		way->waits[wait].count++;
	} else {
		way = way_at(account, account->current_way);
		if (way)
			way->account.unknown_ns += off_ns;
	}
	account->sleep_way = TAP_NO_WAY;
}

/* Charges the run that ends here, and what was waited for a CPU before it, to a row. */
static __always_inline void run_charge(struct tap_task *account, __u32 index, const struct tap_counters *now,
				       __u64 runq_ns)
{
	struct tap_way *way = way_at(account, index);
	const struct tap_counters *then = &account->counters;
	struct tap_account *to;

	if (!way)
		return;
	to = &way->account;
	to->runq_ns += runq_ns;
	to->cpu_ns += now->sum_exec_ns - then->sum_exec_ns;
	/* Most runs of a cached query change none of these: their line stays where it is. */
	if (now->minor_faults != then->minor_faults || now->major_faults != then->major_faults) {
		to->minor_faults += now->minor_faults - then->minor_faults;
		to->major_faults += now->major_faults - then->major_faults;
	}
	if (now->rchar_bytes != then->rchar_bytes || now->wchar_bytes != then->wchar_bytes ||
	    now->read_bytes != then->read_bytes || now->dirtied_bytes != then->dirtied_bytes) {
		to->rchar_bytes += now->rchar_bytes - then->rchar_bytes;
		to->wchar_bytes += now->wchar_bytes - then->wchar_bytes;
		to->read_bytes += now->read_bytes - then->read_bytes;
		to->dirtied_bytes += now->dirtied_bytes - then->dirtied_bytes;
	}
}

static __always_inline void sleep_open(struct tap_task *account, bool exiting, bool in_epoll)
{
	__s64 event = sleep_event(account, exiting, in_epoll);
	__u32 index = account->current_way;
	__u32 slot = idle_slot(account->current_kind);
	bool for_client = event == TAP_PG_CLIENT_READ && index == account->idle_ways[slot];
	__u32 wait = for_client ? account->idle_waits[slot] : TAP_NO_WAY;

	if (wait == TAP_NO_WAY && event >= 0)
		wait = wait_of(account, index, event);
	if (for_client)
		account->idle_waits[slot] = wait;
	account->sleep_event = event;
	account->sleep_wait = wait;
	account->sleep_way = index;
}

static __always_inline void off_open(struct tap_task *account, enum tap_off why, bool exiting, bool in_epoll)
{
	struct tap_way *way;

	account->off = why;
	if (why == TAP_OFF_SLEEP)
		sleep_open(account, exiting, in_epoll);
	if (why != TAP_OFF_PREEMPTED)
		return;
	way = way_at(account, account->current_way);
	if (way)
		way->account.preemptions++;
}

/*
 * Charges what was waited for a CPU to the row the thread worked for before. Not after idle: it is the statement that
 * follows that suffers it. Returns what is left to charge.
 */
static __always_inline __u64 runq_charge_before(struct tap_task *account, __u64 runq_ns)
{
	struct tap_way *before;

	if (!runq_ns || kind_is_idle(account->current_kind))
		return runq_ns;
	before = way_at(account, account->current_way);
	if (!before)
		return runq_ns;
	before->account.runq_ns += runq_ns;
	return 0;
}

/* The one place where time is accounted: from the last boundary to this one. seq is odd. */
static __always_inline void time_account(struct tap_task *account, struct task_struct *task, enum tap_off why,
					 bool id_wanted)
{
	bool exiting = task->flags & PF_EXITING;
	__u64 arrival_ns = task->sched_info.last_arrival;
	struct tap_counters now;
	rows_t rows;
	__u64 runq_ns, woke_ns;
	bool in_epoll;

	counters_read(&now, task);
	runq_ns = now.run_delay_ns - account->counters.run_delay_ns;
	woke_ns = arrival_ns - runq_ns;
	if (arrival_ns != account->arrival_ns) {
		if (statement_depth && account->last_ns && arrival_ns != account->statement.arrival_ns)
			spent_add(account, (__s64)(arrival_ns - account->last_ns - runq_ns), runq_ns);
		if (account->last_ns)
			off_close(account, (__s64)(arrival_ns - account->last_ns - runq_ns));
		account->last_ns = arrival_ns;
		account->arrival_ns = arrival_ns;
	}
	account->last_ns += now.sum_exec_ns - account->counters.sum_exec_ns;
	runq_ns = runq_charge_before(account, runq_ns);
	in_epoll = why == TAP_OFF_SLEEP && account->role == TAP_ROLE_BACKEND && is_epoll_wait(task_syscall(task));
	rows = rows_follow(account, exiting, id_wanted || why == TAP_OFF_SLEEP, in_epoll);
	run_charge(account, rows_run(rows), &now, runq_ns);
	if (memory_concerns(account, now.minor_faults, exiting))
		memory_follow(account, task, rows_run(rows),
			      rows_run(rows) == rows_next(rows) && !kind_is_idle(rows_next_kind(rows)));
	account->counters = now;
	account->current_way = rows_next(rows);
	account->current_kind = rows_next_kind(rows);
	if (statement_depth)
		spent_begin(account);
	off_open(account, why, exiting, in_epoll);
	if (lock_concerns(account) && account->role == TAP_ROLE_MY_THREAD)
		my_lock_follow(account, (__u64)task->tgid << 32 | (__u32)task->pid, woke_ns, rows_run(rows));
	else if (lock_concerns(account))
		lock_follow(account, (__u64)task->tgid << 32 | (__u32)task->pid, woke_ns, rows_run(rows));
	if (checkpoint_concerns(account))
		checkpoint_follow(account, exiting);
	if (why != TAP_OFF_NONE && task->__state & TASK_DEAD) {
		task_evict(account);
		account->role = TAP_ROLE_DEAD;
	}
}

/*
 * A switch or tick that finds seq odd has come in between a boundary of the same thread, which a block request or a
 * dirtied page made: what it would account is accounted at the next one.
 */
static __always_inline void boundary(struct tap_task *account, struct task_struct *task, enum tap_off why)
{
	if (account->seq & 1)
		return;
	account->seq++;
	time_account(account, task, why, false);
	account->seq++;
}

/* For what is charged at once and stays where it is: a statement without an id gets its own. */
__noinline int boundary_now(struct tap_task *account)
{
	if (account)
		time_account(account, bpf_get_current_task_btf(), TAP_OFF_NONE, true);
	return 0;
}

/* dbtap's own switch tells what the scheduler's clock and the monotonic clock say at one moment. */
static __noinline int clock_boundary(struct tap_task *account, struct task_struct *task)
{
	__u64 sum_exec_ns = task->se.sum_exec_runtime;

	if (account->counters.sum_exec_ns) {
		clock_pair.sched_ns = task->sched_info.last_arrival + sum_exec_ns - account->counters.sum_exec_ns;
		clock_pair.monotonic_ns = bpf_ktime_get_ns();
	}
	account->counters.sum_exec_ns = sum_exec_ns;
	return 0;
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, bool preempt, struct task_struct *prev)
{
	struct tap_task *account;

	if (!gate_open)
		return 0;
	account = bpf_task_storage_get(&task_to_account, prev, NULL, 0);
	if (!account)
		return 0;
	if (account->role < TAP_ROLE_BACKEND)
		return account->role == TAP_ROLE_CLOCK ? clock_boundary(account, prev) : 0;
	/* Tested before the state: a thread preempted on its way to sleep is not asleep. */
	boundary(account, prev, preempt || prev->__state == TASK_RUNNING ? TAP_OFF_PREEMPTED : TAP_OFF_SLEEP);
	return 0;
}

/* A thread that computes for long is brought up to date, so that a statement that ends unseen costs the next one
 * little. */
SEC("?perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tap_task *account;

	if (!gate_open)
		return 0;
	account = bpf_task_storage_get(&task_to_account, task, NULL, 0);
	if (!account || account->role < TAP_ROLE_BACKEND)
		return 0;
	boundary(account, task, TAP_OFF_NONE);
	return 0;
}

/*
 * The child of a postmaster is a backend that has yet to say which, and a thread of a server of threads says what it
 * does by itself; the child of anything else is a program or thread it started. The child is not yet visible elsewhere,
 * so its record needs no sequence.
 */
SEC("?tp_btf/sched_process_fork")
int BPF_PROG(on_sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct tap_task *from, *account;

	if (!gate_open)
		return 0;
	from = bpf_task_storage_get(&task_to_account, parent, NULL, 0);
	if (!from || from->role < TAP_ROLE_BACKEND)
		return 0;
	account = bpf_task_storage_get(&task_to_account, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!account) {
		count_loss(TAP_LOSS_TASK_STORAGE_FULL);
		return 0;
	}
	account->instance = from->instance;
	account->read_epoch = snapshot_epoch;
	account->current_way = TAP_NO_WAY;
	account->sleep_way = TAP_NO_WAY;
	account->idle_ways[0] = TAP_NO_WAY;
	account->idle_ways[1] = TAP_NO_WAY;
	account->last_way = TAP_NO_WAY;
	account->next_way = TAP_NO_WAY;
	account->ns_pid = namespace_pid(child);
	account->identity.kind = TAP_KIND_STARTING;
	account->role = TAP_ROLE_BACKEND;
	if (from->role == TAP_ROLE_MY_THREAD && child->tgid == parent->tgid) {
		account->role = TAP_ROLE_MY_THREAD;
		account->identity.kind = TAP_KIND_BACKGROUND;
	} else if (from->role != TAP_ROLE_POSTMASTER) {
		account->role = TAP_ROLE_FIXED;
		account->identity.kind = TAP_KIND_CHILD;
	}
	counters_read(&account->counters, child);
	return 0;
}

/* A backend that becomes another program: its memory no longer means anything. */
SEC("?tp_btf/sched_process_exec")
int BPF_PROG(on_sched_process_exec, struct task_struct *task)
{
	struct tap_task *account;

	if (!gate_open)
		return 0;
	account = bpf_task_storage_get(&task_to_account, task, NULL, 0);
	if (!account || account->role != TAP_ROLE_BACKEND)
		return 0;
	account->identity.kind = TAP_KIND_CHILD;
	account->role = TAP_ROLE_FIXED;
	return 0;
}
