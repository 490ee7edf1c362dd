/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * checkpoint.h - the checkpoints (and restartpoints) of an instance, as its checkpointer keeps them for its own log.
 *
 * PostgreSQL's checkpointer has one record of the checkpoint it is at, or was at last. It is read in the checkpointer's
 * own context switches; nothing of it is guessed from what the process waits for or writes.
 */
#ifndef TAP_BPF_ABI_CHECKPOINT_H
#define TAP_BPF_ABI_CHECKPOINT_H

#include "bpf/abi/types.h"

enum {
	TAP_CHECKPOINTS_KEPT = 16, /* that ended, per instance; a power of two */
	TAP_CHECKPOINT_COUNTS = 6,
	TAP_INSTANCE_WORDS = 2,
};

/* Instances by their index. */
struct tap_instance_set {
	__u64 words[TAP_INSTANCE_WORDS];
};
TAP_ABI_SIZE(tap_instance_set, 16);

/*
 * CheckpointStatsData of src/include/access/xlog.h, PostgreSQL 13 and newer, LP64. Times are microseconds since 2000 by
 * the host's clock; 0: it has not come to that. All of it is set to 0 when a checkpoint begins.
 */
struct tap_pg_checkpoint {
	__s64 start_us;
	__s64 write_us;	   /* it began to write buffers */
	__s64 sync_us;	   /* ... to sync files */
	__s64 sync_end_us; /* all of them are synced */
	__s64 end_us;
	__u32 counts[TAP_CHECKPOINT_COUNTS]; /* buffers written, ...; what the others are differs by version */
	__u64 longest_sync_us;
	__u64 sync_total_us; /* sum over the files */
};
TAP_ABI_SIZE(tap_pg_checkpoint, 80);

/* One that is over. */
struct tap_checkpoint {
	struct tap_pg_checkpoint stats; /* end_us 0: it failed, or its process ended */
	__u64 seen_ns;			/* when it was seen to be over; the kernel's monotonic clock */
};
TAP_ABI_SIZE(tap_checkpoint, 88);

/* Of an instance: map `checkpoints`. Userspace fills it before it adopts the checkpointer, which then is its writer. */
struct tap_checkpoints {
	__u32 seq; /* odd while it is written */
	__u8 running;
	__u8 pad[3];
	__s32 pid; /* of the checkpointer that userspace told of; 0: of none */
	__u32 pad2;
	__u64 ended;		      /* the n-th that ended, from 0, is in kept[n % TAP_CHECKPOINTS_KEPT] */
	struct tap_pg_checkpoint now; /* as last read */
	struct tap_checkpoint kept[TAP_CHECKPOINTS_KEPT];
};
TAP_ABI_SIZE(tap_checkpoints, 24 + 80 + 16 * 88);

#endif
