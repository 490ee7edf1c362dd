/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spent.bpf.h - what the statement under way has spent off the CPU: added up at each boundary, taken when it ends.
 *
 * Only at statement depth: sched.bpf.c calls it behind a constant that is false at ambient depth.
 */
#ifndef TAP_BPF_SPENT_BPF_H
#define TAP_BPF_SPENT_BPF_H

#include "bpf/account.bpf.h"

static __always_inline void spent_clear(struct tap_statement_spent *spent, __s64 began)
{
	__builtin_memset(spent, 0, sizeof(*spent));
	spent->began = began;
}

TAP_GLOBAL int spent_add_wait(struct tap_task *account, __u32 event, __s64 ns)
{
	if (!account)
		return 0;
	for (int i = 0; i < TAP_STATEMENT_WAITS; i++) {
		struct tap_wait *wait = &account->statement.spent.waits[i];

		if (wait->count && wait->event != event)
			continue;
		wait->event = event;
		wait->count++;
		wait->ns += ns;
		return 0;
	}
	account->statement.spent.other_ns += ns;
	return 0;
}

/* A time off the CPU is over: `account` is still as it was when it began. Between statements it is of none. */
static __always_inline void spent_add(struct tap_task *account, __s64 off_ns, __u64 runq_ns)
{
	struct tap_statement_spent *spent = &account->statement.spent;

	if (kind_is_idle(account->current_kind) || account->current_kind == TAP_KIND_STARTING)
		return;
	if (spent->began != account->identity.activity_start_us)
		spent_clear(spent, account->identity.activity_start_us);
	spent->runq_ns += runq_ns;
	if (account->off == TAP_OFF_SLEEP && account->sleep_event != TAP_EVENT_ANY)
		spent_add_wait(account, account->sleep_event, off_ns);
	else
		spent->unknown_ns += off_ns;
}

/* The same from a trap, which comes before the boundary that would add it up: that one passes it over then. */
static __always_inline void spent_add_pending(struct tap_task *account, struct task_struct *task)
{
	__u64 arrival_ns = task->sched_info.last_arrival, runq_ns;

	if (arrival_ns == account->arrival_ns || arrival_ns == account->statement.arrival_ns || !account->last_ns)
		return;
	runq_ns = task->sched_info.run_delay - account->counters.run_delay_ns;
	spent_add(account, (__s64)(arrival_ns - account->last_ns - runq_ns), runq_ns);
	account->statement.arrival_ns = arrival_ns;
}

static __always_inline void statement_counters(struct tap_statement_counters *ret, const struct tap_counters *now)
{
	ret->minor_faults = now->minor_faults;
	ret->major_faults = now->major_faults;
	ret->rchar_bytes = now->rchar_bytes;
	ret->wchar_bytes = now->wchar_bytes;
	ret->read_bytes = now->read_bytes;
	ret->dirtied_bytes = now->dirtied_bytes;
}

/* A session goes idle: what it uses from here on is of its next statement. `account->counters` are of now. */
static __always_inline void spent_begin(struct tap_task *account)
{
	if (kind_is_idle(account->current_kind))
		statement_counters(&account->statement.base, &account->counters);
}

#endif
