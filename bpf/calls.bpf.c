// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * calls.bpf.c - statement depth: one trap per statement, at the function that every successful one ends with.
 *
 * PostgreSQL's EndCommand runs once per statement in every protocol, while the status entry still shows the
 * statement's id.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/text.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline void calls_add(const struct tap_row_key *key)
{
	__u64 *calls = bpf_map_lookup_elem(&row_to_calls, key);
	__u64 zero = 0;

	if (!calls) {
		bpf_map_update_elem(&row_to_calls, key, &zero, BPF_NOEXIST);
		calls = bpf_map_lookup_elem(&row_to_calls, key);
	}
	if (calls)
		__sync_fetch_and_add(calls, 1);
	else
		count_loss(TAP_LOSS_CALLS_FULL);
}

SEC("?uprobe")
int on_end_command(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tap_task *account;
	struct tap_instance *instance;
	struct tap_row_key key = {};
	struct tap_scratch *copy;
	__u64 query_id = 0;
	__u32 index;

	if (!gate_open)
		return 0;
	account = bpf_task_storage_get(&task_to_account, task, NULL, 0);
	if (!account || account->role != TAP_ROLE_BACKEND || !account->status_address)
		return 0;
	__sync_fetch_and_add(&statement_hits, 1);
	index = account->instance;
	instance = bpf_map_lookup_elem(&instances, &index);
	if (!instance || account->identity.kind != TAP_KIND_CLIENT)
		return 0;
	if (instance->layout.status_query_id != TAP_PG_ABSENT &&
	    bpf_probe_read_user(&query_id, sizeof(query_id),
				(const void *)(account->status_address + instance->layout.status_query_id))) {
		count_loss(TAP_LOSS_READ_FAILED);
		return 0;
	}
	key.source = query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE;
	copy = query_id ? NULL : bpf_task_storage_get(&task_to_text, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (copy)
		query_id = text_fingerprint_in(account, copy);
	if (copy && query_id)
		key.source = TAP_QUERY_ID_OWN;
	key.instance = account->instance;
	key.kind = TAP_KIND_CLIENT;
	key.database = account->identity.database;
	key.user = account->identity.user;
	key.query_id = query_id;
	calls_add(&key);
	return 0;
}
