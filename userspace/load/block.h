/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block.h - the programs of block requests and dirtied pages: which of them this kernel has, and their links.
 *
 * Part of the tracer (tracer.h), which others use. Nothing is attached before a disk is watched: without one the
 * programs would only cost.
 */
#ifndef TAP_USERSPACE_LOAD_BLOCK_H
#define TAP_USERSPACE_LOAD_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/base/error.h"

struct bpf_link;
struct tracer_bpf;

enum {
	TAP_BLOCK_PROGRAMS = 9,
};

/* Zeroed is a valid beginning: no programs. */
struct tap_block {
	struct tracer_bpf *skeleton;
	struct bpf_link *links[TAP_BLOCK_PROGRAMS];
	struct bpf_link *end_unseen;
	const char *missing; /* why requests cannot be traced; NULL: they can */
	size_t n_disks;	     /* watched */
	bool wanted;	     /* attached, or to be as soon as a disk is watched */
};

/* Before the maps are loaded: sizes those of requests, whether they are traced or not. A limit of 0 is the default. */
void tap_block_size(struct tracer_bpf *maps, uint32_t totals_max, uint32_t dirty_max, uint32_t files_max);
/* Chooses the programs of `skeleton` that this kernel has, and what they find in `maps`. Both are loaded after it. */
void tap_block_prepare(struct tap_block *block, struct tracer_bpf *maps, struct tracer_bpf *skeleton);
/* What they need once they are loaded. 0 or -errno. */
int tap_block_complete(struct tap_block *block);
/* There are none; `reason` is a literal. */
void tap_block_give_up(struct tap_block *block, const char *reason);

int tap_block_attach(struct tap_block *block, struct tap_error *err);
void tap_block_detach(struct tap_block *block);
/* Puts into the totals what completed without any program being run for it. Before they are read; 0 or -errno. */
int tap_block_end_unseen(struct tap_block *block);

/* Device numbers as major << 20 | minor. Asked for the same one again it does nothing. */
int tap_block_watch_disk(struct tap_block *block, uint32_t disk, struct tap_error *err);
int tap_block_watch_device(struct tap_block *block, uint32_t device, struct tap_error *err);

/* An instance has files on a watched disk. */
void tap_block_disk_holds(struct tap_block *block, uint32_t disk, uint32_t instance);

/* The index-th program that is loaded; NULL past the last. */
const struct bpf_program *tap_block_program(const struct tap_block *block, size_t index);

#endif
