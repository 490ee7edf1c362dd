// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * calls.bpf.c - statement depth: one trap per statement, at the function that every successful one ends with, and one
 * at the function that only failed ones come to.
 *
 * PostgreSQL's EndCommand runs once per statement in every protocol, while the status entry still shows the
 * statement's id, when it began and its text; PortalErrorCleanup once per error that was not caught, before the error
 * is forgotten. When a statement began is read, not stamped: that needs no second trap.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/statement_end.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Whose trap it is; NULL: nobody's who is followed. */
static __always_inline struct tap_task *trapped(struct task_struct *task)
{
	struct tap_task *account;

	if (!gate_open)
		return NULL;
	account = bpf_task_storage_get(&task_to_account, task, NULL, 0);
	if (!account || account->role != TAP_ROLE_BACKEND || !account->status_address)
		return NULL;
	__sync_fetch_and_add(&statement_hits, 1);
	return account->identity.kind == TAP_KIND_CLIENT ? account : NULL;
}

static __always_inline int pg_statement_end(bool failed)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tap_task *account = trapped(task);
	struct tap_statement_end end = { .failed = failed };
	struct tap_instance *instance;
	struct tap_scratch *copy;
	__u32 index;

	if (!account)
		return 0;
	index = account->instance;
	instance = bpf_map_lookup_elem(&instances, &index);
	if (!instance || pg_end_read(account, instance, &end))
		return 0;
	if (!end.key.query_id) {
		copy = bpf_task_storage_get(&task_to_text, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (copy)
			end.key.query_id = text_fingerprint_in(account, copy);
		if (end.key.query_id)
			end.key.source = TAP_QUERY_ID_OWN;
	}
	if (failed)
		end.code = pg_error_code(instance);
	statement_counters_now(&end.used, task);
	spent_add_pending(account, task);
	end.pid_tgid = (__u64)task->tgid << 32 | (__u32)task->pid;
	statement_end(account, instance, &end);
	return 0;
}

SEC("?uprobe")
int on_end_command(struct pt_regs *ctx)
{
	return pg_statement_end(false);
}

SEC("?uprobe")
int on_error_cleanup(struct pt_regs *ctx)
{
	return pg_statement_end(true);
}
