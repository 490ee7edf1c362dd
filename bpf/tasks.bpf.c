// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tasks.bpf.c - iterators over all threads: adopt those that already run, read those that are traced, and tell of
 * those that wait for a lock without anybody having been told.
 *
 * Userspace runs them; they never run at the same time as each other.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/account.bpf.h"
#include "bpf/compat.bpf.h"
#include "bpf/lock_tell.bpf.h"
#include "bpf/task.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The scheduler's clock now. */
static __always_inline __u64 sched_now_ns(void)
{
	return bpf_ktime_get_ns() + clock_pair.sched_ns - clock_pair.monotonic_ns;
}

/* What the thread does right now, as userspace read it, becomes its first row and, when it is asleep, its first wait.
 */
static __always_inline void adopt_state(struct tap_task *account, const struct tap_adoption *adoption,
					struct task_struct *task)
{
	bool running = tap_pg_state_is_running(adoption->identity.state);
	__u8 between = tap_pg_kind_between(adoption->identity.kind, adoption->identity.state);
	struct tap_row_key key;

	account->in_statement = running && adoption->role != TAP_ROLE_FIXED;
	account->idle_change_count = adoption->identity.change_count;
	/* These are counted, and the one that runs is counted already. */
	if (running && adoption->role == TAP_ROLE_MY_THREAD)
		account->idle_change_count--;
	account->identity.idle_state = running ? TAP_PG_STATE_UNDEFINED : adoption->identity.state;
	if (running)
		key_make(&key, account, adoption->identity.kind, adoption->identity.source,
			 adoption->identity.query_id);
	else
		key_make(&key, account, between, TAP_QUERY_ID_NONE, 0);
	account->current_kind = key.kind;
	account->sleep_way = TAP_NO_WAY;
	account->idle_ways[0] = TAP_NO_WAY;
	account->idle_ways[1] = TAP_NO_WAY;
	account->last_way = TAP_NO_WAY;
	account->next_way = TAP_NO_WAY;
	account->current_way = way_make(account, &key);
	if (task->on_cpu || task->__state == TASK_RUNNING)
		return;
	account->off = TAP_OFF_SLEEP;
	account->sleep_event = adoption->wait_event;
	if (adoption->wait_event >> 24 == TAP_PG_LOCK_CLASS || tap_my_wait_is_lock(adoption->wait_event))
		account->lock_state = TAP_LOCK_STATE_ADOPTED;
	account->sleep_way = account->current_way;
	account->sleep_wait = wait_of(account, account->current_way, adoption->wait_event);
}

/* Time counts from now: what the thread has waited for a CPU up to now is not in the window. */
static __always_inline void adopt_clock(struct tap_task *account, struct task_struct *task)
{
	__u64 queued_ns = task->sched_info.last_queued;

	counters_read(&account->counters, task);
	account->last_ns = sched_now_ns();
	account->arrival_ns = task->sched_info.last_arrival;
	if (queued_ns && queued_ns < account->last_ns)
		account->counters.run_delay_ns += account->last_ns - queued_ns;
}

SEC("?iter/task")
int adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct tap_adoption *adoption;
	struct tap_task *account;
	__u32 tid;

	if (!task)
		return 0;
	tid = task->pid;
	adoption = bpf_map_lookup_elem(&adopted, &tid);
	if (!adoption)
		return 0;
	account = bpf_task_storage_get(&task_to_account, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!account) {
		count_loss(TAP_LOSS_TASK_STORAGE_FULL);
		return 0;
	}
	if (account->role)
		return 0;
	account->instance = adoption->instance;
	account->identity = adoption->identity;
	account->status_address = adoption->status_address;
	account->wait_address = adoption->wait_address;
	account->activity_address = adoption->activity_address;
	account->group_pid = adoption->group_pid;
	account->thread_kind = adoption->thread_kind;
	account->ns_pid = namespace_pid(task);
	account->read_epoch = snapshot_epoch;
	adopt_clock(account, task);
	if (adoption->role != TAP_ROLE_MY_THREAD)
		account->anon_pages = task_anon_pages(task);
	adopt_state(account, adoption, task);
	/* Last: from here on the thread's own switch writes. */
	__sync_lock_test_and_set(&account->seq, 0);
	account->role = adoption->role;
	return 0;
}

static __always_inline void record_fill(struct tap_task_record *record, struct tap_task *copy, struct task_struct *task)
{
	struct tap_way *way;

	record->tid = task->pid;
	record->tgid = task->tgid;
	record->instance = copy->instance;
	record->last_ns = copy->last_ns;
	record->arrival_ns = copy->arrival_ns;
	record->seen = copy->counters;
	record->identity = copy->identity;
	record->role = copy->role;
	record->off = copy->off;
	record->in_statement = copy->in_statement;
	record->gone = copy->gone;
	record->gone_wait_ns = copy->gone_wait_ns;
	record->gone_sleeps = copy->gone_sleeps;
	record->anon_bytes_seen = (__u64)copy->anon_pages << page_shift;
	way = way_at(copy, copy->current_way);
	if (way)
		record->current_row = way->key;
	way = way_at(copy, copy->sleep_way);
	if (copy->off == TAP_OFF_SLEEP && way) {
		record->sleep_row = way->key;
		record->sleep_event = copy->sleep_event;
		record->asleep = copy->sleep_wait < TAP_WAY_WAITS;
	}
}

static __always_inline void record_read_kernel(struct tap_task_record *record, struct task_struct *task)
{
	record->on_cpu = task->on_cpu != 0;
	record->last_arrival_ns = task->sched_info.last_arrival;
	record->last_queued_ns = task->sched_info.last_queued;
	counters_read(&record->current, task);
	record->now_ns = sched_now_ns();
}

/* seq and read_epoch, the first two members, as one word. */
static __always_inline __u64 *mark_of(struct tap_task *account)
{
	return (__u64 *)account;
}

static __always_inline __u64 mark_make(__u32 seq, __u32 epoch)
{
	return (__u64)epoch << 32 | seq;
}

/*
 * A copy of the thread's accumulators and its kernel counters that belong together: neither a switch-out (seq) nor an
 * arrival fell between. The exchange marks the thread as read by this snapshot if and only if its switch has not begun
 * to write since: so a copy and what is evicted later never hold the same.
 */
static __always_inline void record_take(struct tap_task_record *record, struct tap_task *copy, struct tap_task *account,
					struct task_struct *task)
{
	__u64 before;

	for (int i = 0; i < 8; i++) {
		before = *(volatile __u64 *)mark_of(account);
		bpf_probe_read_kernel(copy, sizeof(*copy), account);
		record_read_kernel(record, task);
		if ((__u32)before & 1 || task->sched_info.last_arrival != record->last_arrival_ns)
			continue;
		if (__sync_val_compare_and_swap(mark_of(account), before, mark_make(before, snapshot_epoch)) == before)
			return;
	}
	record->torn = 1;
	*(volatile __u32 *)&account->read_epoch = snapshot_epoch;
}

SEC("?iter/task")
int snapshot(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct tap_task_record record = {};
	struct tap_task *account, *copy;
	__u32 zero = 0;

	if (!task)
		return 0;
	account = bpf_task_storage_get(&task_to_account, task, NULL, 0);
	copy = bpf_map_lookup_elem(&snapshot_copy, &zero);
	if (!account || !copy || account->role < TAP_ROLE_BACKEND)
		return 0;
	record_take(&record, copy, account, task);
	record_fill(&record, copy, task);
	record.anon_bytes = (__u64)task_anon_pages(task) << page_shift;
	for (int i = 0; i < TAP_WAYS; i++)
		record.n_ways += !way_is_free(&copy->ways[i]);
	record.size = sizeof(record) + record.n_ways * sizeof(struct tap_way);
	bpf_seq_write(seq, &record, sizeof(record));
	for (int i = 0; i < TAP_WAYS; i++) {
		if (!way_is_free(&copy->ways[i]))
			bpf_seq_write(seq, &copy->ways[i], sizeof(copy->ways[i]));
	}
	return 0;
}

SEC("?iter/task")
int tell_locks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct tap_task *account;

	if (!task || !lock_late_left)
		return 0;
	account = bpf_task_storage_get(&task_to_account, task, NULL, 0);
	if (!account || account->role < TAP_ROLE_BACKEND || account->lock_state != TAP_LOCK_STATE_OPEN)
		return 0;
	if (lock_tell_late(account, (__u64)task->tgid << 32 | (__u32)task->pid, sched_now_ns()))
		lock_late_left--;
	return 0;
}
