// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * socket.bpf.c - what a thread of a pool sends to a client.
 *
 * When such a thread next sleeps it has let go of the session it served, and its memory no longer leads there. But it
 * has answered, and in that moment it did. Attached only while a server with a thread pool is followed.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/boundary.bpf.h"
#include "bpf/maps.bpf.h"

SEC("?tp_btf/sock_send_length")
int BPF_PROG(on_sock_send_length)
{
	struct tap_instance *instance;
	struct tap_task *account;
	__u32 index;

	if (!gate_open)
		return 0;
	account = bpf_task_storage_get(&task_to_account, bpf_get_current_task_btf(), NULL, 0);
	if (!account || account->role != TAP_ROLE_MY_THREAD || account->seq & 1)
		return 0;
	index = account->instance;
	instance = bpf_map_lookup_elem(&instances, &index);
	if (!instance || !instance->my.pooled)
		return 0;
	account->seq++;
	barrier();
	boundary_now(account);
	barrier();
	account->seq++;
	return 0;
}
