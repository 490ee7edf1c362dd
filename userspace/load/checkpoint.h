/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checkpoint.h - the checkpoints of instances in the kernel side's map. Part of the tracer (tracer.h), which others
 * use.
 */
#ifndef TAP_USERSPACE_LOAD_CHECKPOINT_H
#define TAP_USERSPACE_LOAD_CHECKPOINT_H

#include <stdint.h>

#include "bpf/abi/checkpoint.h"

struct tracer_bpf;

/*
 * What is known of an instance's checkpoints before its checkpointer is adopted. Nothing once this checkpointer (by its
 * pid) has been told of: from its adoption on it is the kernel side's. 0 or -errno.
 */
int tap_checkpoint_begin(const struct tracer_bpf *skeleton, uint32_t instance, int32_t pid,
			 const struct tap_checkpoints *checkpoints);

/* A copy that nobody wrote to meanwhile; -EAGAIN: there was none to be had. */
int tap_checkpoint_read(const struct tracer_bpf *skeleton, uint32_t instance, struct tap_checkpoints *ret);

#endif
