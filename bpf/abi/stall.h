/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stall.h - what a row waited because memory was short, and who was killed for it.
 */
#ifndef TAP_BPF_ABI_STALL_H
#define TAP_BPF_ABI_STALL_H

#include "bpf/abi/account.h"

/* By row; all only grow. The times are part of the row's own: on the CPU and off it. */
struct tap_stall {
	__u64 reclaim_ns; /* freeing memory itself, for the host or its control group */
	__u64 reclaims;
	__u64 compact_ns; /* moving pages together for a large one */
	__u64 compactions;
};
TAP_ABI_SIZE(tap_stall, 32);

/* Ring record: the kernel has chosen a process of a followed instance to be killed. */
struct tap_kill_event {
	struct tap_row_key row; /* what its first thread worked for */
	__u64 monotonic_ns;
	__u64 anon_bytes; /* its private memory */
	__s32 pid;	  /* as this host sees it */
	__u32 pad;
};
TAP_ABI_SIZE(tap_kill_event, 48);

#endif
