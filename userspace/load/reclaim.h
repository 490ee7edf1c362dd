/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reclaim.h - the programs of threads that wait for memory and of processes killed for want of it; tracer.c's.
 *
 * They run when memory is short and not otherwise.
 */
#ifndef TAP_USERSPACE_LOAD_RECLAIM_H
#define TAP_USERSPACE_LOAD_RECLAIM_H

#include "userspace/base/error.h"

enum {
	TAP_RECLAIM_PROGRAMS = 7,
};

struct bpf_link;
struct tracer_bpf;

struct tap_reclaim {
	struct bpf_link *links[TAP_RECLAIM_PROGRAMS];
};

/* Those that this kernel has tracepoints for are loaded. */
void tap_reclaim_choose(struct tracer_bpf *skeleton);
int tap_reclaim_attach(struct tap_reclaim *reclaim, const struct tracer_bpf *skeleton, struct tap_error *err);
void tap_reclaim_detach(struct tap_reclaim *reclaim);

#endif
