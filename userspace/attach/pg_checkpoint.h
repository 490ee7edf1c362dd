/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_checkpoint.h - what a checkpointer is at, read from its memory: where the kernel side takes it up from.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_CHECKPOINT_H
#define TAP_USERSPACE_ATTACH_PG_CHECKPOINT_H

#include "bpf/abi/checkpoint.h"
#include "userspace/attach/engine.h"

/* tap_attach.checkpoints */
void tap_pg_checkpoint_read(const struct tap_target *target, const struct tap_running *checkpointer,
			    struct tap_checkpoints *ret);

#endif
