/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_process.h - a backend that the test drives: what it writes into its memory, and how the scheduler treats it.
 *
 * Memory changes as PostgreSQL changes it (each report adds two to the change count); the kernel's counters grow as the
 * scheduler's do. Every process has its own memory at the same addresses.
 */
#ifndef TAP_TESTS_UNIT_BPF_FAKE_PG_PROCESS_H
#define TAP_TESTS_UNIT_BPF_FAKE_PG_PROCESS_H

#include <stddef.h>

#include "tests/unit/bpf/fake/programs.h"

/* Offsets of user memory. */
enum {
	PG_MY_BEENTRY = 0,
	PG_MY_WAIT = 8,
	PG_WORKER = 16,
	PG_WAIT_WORD = 32,
	PG_STATUS = 256,
	PG_TEXT = 1024,
	PG_TEXT_SIZE = 1024,
};

/* The entry of this server: it begins as in all versions, what follows is nobody's, on purpose. */
struct pg_status {
	__u32 change_count;
	__s32 pid;
	__s32 type;
	__u32 pad;
	__s64 proc_start;
	__s64 xact_start;
	__s64 activity_start;
	__s64 state_start;
	__u32 database;
	__u32 user;
	__u32 progress;
	__u32 state;
	__u64 activity;
	__u64 query_id;
};

enum {
	PG_TYPE_CLIENT = 1,
	PG_TYPE_BGWORKER = 2,
	PG_TYPE_AUTOVACUUM = 3,
	PG_TYPE_NEW = 9, /* one the layout has no kind for */

	PG_SYSCALL_EPOLL = 232,
	PG_SYSCALL_READ = 17,
};

struct pg_process {
	struct task_struct task;
	struct pid pid;
	struct mm_struct mm;
	char memory[FAKE_MEMORY] __attribute__((aligned(8)));
};

static inline struct tap_instance pg_instance(void)
{
	struct tap_instance instance = { 0 };
	struct tap_pg_layout *layout = &instance.layout;

	layout->status_size = sizeof(struct pg_status);
	layout->status_changecount = offsetof(struct pg_status, change_count);
	layout->status_procpid = offsetof(struct pg_status, pid);
	layout->status_backend_type = offsetof(struct pg_status, type);
	layout->status_database = offsetof(struct pg_status, database);
	layout->status_user = offsetof(struct pg_status, user);
	layout->status_state = offsetof(struct pg_status, state);
	layout->status_progress_command = offsetof(struct pg_status, progress);
	layout->status_activity_start = offsetof(struct pg_status, activity_start);
	layout->status_query_id = offsetof(struct pg_status, query_id);
	layout->status_activity = offsetof(struct pg_status, activity);
	layout->changes_of_one[0] = 14;
	layout->changes_of_one[1] = 16;
	layout->changes_extended = 18;
	layout->changes_least = 8;
	for (__u8 state = 0; state < TAP_PG_BACKEND_STATES; state++)
		layout->state_of[state] = state;
	layout->kind_of_type[PG_TYPE_CLIENT] = TAP_KIND_CLIENT;
	layout->kind_of_type[PG_TYPE_BGWORKER] = TAP_KIND_BGWORKER;
	layout->kind_of_type[PG_TYPE_AUTOVACUUM] = TAP_KIND_AUTOVACUUM;
	instance.addresses.my_beentry = FAKE_MEMORY_START + PG_MY_BEENTRY;
	instance.addresses.my_wait_event_info = FAKE_MEMORY_START + PG_MY_WAIT;
	instance.addresses.parallel_worker_number = FAKE_MEMORY_START + PG_WORKER;
	return instance;
}

static inline struct pg_status *pg_status_of(struct pg_process *process)
{
	return (struct pg_status *)(process->memory + PG_STATUS);
}

static inline void pg_put_u64(struct pg_process *process, size_t offset, __u64 value)
{
	memcpy(process->memory + offset, &value, sizeof(value));
}

/* A process right after its fork: no entry yet. */
static inline void pg_process_init(struct pg_process *process, int pid)
{
	__s32 no_worker = -1;

	memset(process, 0, sizeof(*process));
	process->pid.numbers[0].nr = pid;
	process->task.thread_pid = &process->pid;
	process->task.mm = &process->mm;
	process->task.group_leader = &process->task;
	process->task.pid = process->task.tgid = pid;
	process->task.regs.orig_ax = PG_SYSCALL_EPOLL;
	pg_put_u64(process, PG_MY_WAIT, FAKE_MEMORY_START + PG_WAIT_WORD);
	memcpy(process->memory + PG_WORKER, &no_worker, sizeof(no_worker));
}

static inline void pg_process_done(struct pg_process *process)
{
	free(process->task.storage);
	process->task.storage = NULL;
}

static inline struct tap_task *pg_account(struct pg_process *process)
{
	return process->task.storage;
}

/* --- what the process writes --- */

/* Takes an entry: the session has logged in. */
static inline void pg_login(struct pg_process *process, int type, __u32 database, __u32 user)
{
	struct pg_status *status = pg_status_of(process);

	*status = (struct pg_status){ .change_count = 2,
				      .pid = process->pid.numbers[process->pid.level].nr,
				      .type = type,
				      .database = database,
				      .user = user,
				      .state = TAP_PG_STATE_IDLE,
				      .activity = FAKE_MEMORY_START + PG_TEXT };
	pg_put_u64(process, PG_MY_BEENTRY, FAKE_MEMORY_START + PG_STATUS);
}

/* A statement begins, or one of its messages is reported again. */
static inline void pg_report_running(struct pg_process *process, const char *text)
{
	struct pg_status *status = pg_status_of(process);

	status->state = TAP_PG_STATE_RUNNING;
	status->activity_start++;
	status->query_id = 0;
	status->change_count += 2;
	strncpy(process->memory + PG_TEXT, text, PG_TEXT_SIZE - 1);
}

static inline void pg_report_query_id(struct pg_process *process, __u64 query_id)
{
	pg_status_of(process)->query_id = query_id;
	pg_status_of(process)->change_count += 2;
}

/* The text and the id of the statement that ended stay. */
static inline void pg_report_idle(struct pg_process *process, __u32 state)
{
	pg_status_of(process)->state = state;
	pg_status_of(process)->change_count += 2;
}

static inline void pg_set_wait(struct pg_process *process, __u32 event)
{
	memcpy(process->memory + PG_WAIT_WORD, &event, sizeof(event));
	process->task.regs.orig_ax = event == TAP_PG_CLIENT_READ ? PG_SYSCALL_EPOLL : PG_SYSCALL_READ;
}

/* --- what the scheduler does --- */

static inline void clock_advance(__u64 ns)
{
	kernel.clock_ns += ns;
}

static inline void pg_cpu(struct pg_process *process, __u64 ns)
{
	clock_advance(ns);
	process->task.se.sum_exec_runtime += ns;
}

static inline void pg_wake(struct pg_process *process)
{
	process->task.__state = TASK_RUNNING;
	process->task.sched_info.last_queued = kernel.clock_ns;
}

static inline void pg_arrive(struct pg_process *process)
{
	struct sched_info *info = &process->task.sched_info;

	if (info->last_queued)
		info->run_delay += kernel.clock_ns - info->last_queued;
	info->last_queued = 0;
	info->last_arrival = kernel.clock_ns;
	process->task.on_cpu = 1;
}

static inline void pg_switch(struct pg_process *process, bool preempt)
{
	kernel.current = &process->task;
	kernel.memory = process->memory;
	on_sched_switch(preempt, &process->task);
	process->task.on_cpu = 0;
}

static inline void pg_tick(struct pg_process *process)
{
	kernel.current = &process->task;
	kernel.memory = process->memory;
	on_tick(NULL);
}

/* Goes to sleep with a wait event set. */
static inline void pg_sleep(struct pg_process *process, __u32 event)
{
	pg_set_wait(process, event);
	process->task.__state = TASK_INTERRUPTIBLE;
	pg_switch(process, false);
	/* Cleared as soon as it runs again, but nobody looks before. */
	pg_set_wait(process, 0);
}

/* Loses its CPU and is on the run queue after `gap_ns`, which nobody accounts for. */
static inline void pg_preempt(struct pg_process *process, __u64 gap_ns)
{
	pg_switch(process, true);
	clock_advance(gap_ns);
	process->task.sched_info.last_queued = kernel.clock_ns;
}

/* Sleeps, is woken, waits for a CPU and has it. */
static inline void pg_sleep_for(struct pg_process *process, __u32 event, __u64 sleep_ns, __u64 runq_ns)
{
	pg_sleep(process, event);
	clock_advance(sleep_ns);
	pg_wake(process);
	clock_advance(runq_ns);
	pg_arrive(process);
}

/* The child of a postmaster, forked and on its first CPU. */
static inline void pg_fork(struct pg_process *parent, struct pg_process *child, int pid)
{
	pg_process_init(child, pid);
	on_sched_process_fork(&parent->task, &child->task);
	child->task.sched_info.last_queued = kernel.clock_ns;
}

static inline void pg_exit(struct pg_process *process)
{
	process->task.flags |= PF_EXITING;
	process->task.__state = TASK_DEAD;
	pg_switch(process, false);
}

/* A traced postmaster of instance 0. */
static inline void pg_postmaster_init(struct pg_process *postmaster)
{
	struct tap_task *account = calloc(1, sizeof(*account));

	pg_process_init(postmaster, 100);
	account->role = TAP_ROLE_POSTMASTER;
	account->identity.kind = TAP_KIND_POSTMASTER;
	account->current_way = account->sleep_way = account->last_way = account->next_way = TAP_NO_WAY;
	account->idle_ways[0] = account->idle_ways[1] = TAP_NO_WAY;
	account->ns_pid = 100;
	postmaster->task.storage = account;
}

#endif
