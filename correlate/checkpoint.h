/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checkpoint.h - from what a checkpointer kept of its checkpoints to those that ran within a time.
 *
 * Everything in it comes from a server's memory: times that make no sense are as if they were not known.
 */
#ifndef TAP_CORRELATE_CHECKPOINT_H
#define TAP_CORRELATE_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/checkpoint.h"

enum tap_checkpoint_phase {
	TAP_CHECKPOINT_PREPARING,
	TAP_CHECKPOINT_WRITING,	  /* buffers */
	TAP_CHECKPOINT_SYNCING,	  /* files */
	TAP_CHECKPOINT_FINISHING, /* its own record, old WAL */
	TAP_CHECKPOINT_ENDED,
	TAP_CHECKPOINT_FAILED, /* or its process ended */
};

/* "writing"; never NULL. */
const char *tap_checkpoint_phase_name(enum tap_checkpoint_phase phase);

/* Times in ns since the epoch; what is not known is -1. */
struct tap_checkpoint_run {
	enum tap_checkpoint_phase phase;
	int64_t begin_ns;
	int64_t end_ns; /* -1: it runs */
	/* Of those parts that are over. */
	int64_t write_ns;
	int64_t sync_ns;
	int64_t longest_sync_ns;
	int64_t buffers;
	int64_t files;
};

/* A time, and what to add to the kernel's monotonic clock for a time since the epoch. */
struct tap_checkpoint_window {
	int64_t begin_ns;
	int64_t end_ns;
	int64_t monotonic_ns;
};

enum {
	TAP_CHECKPOINT_RUNS_MAX = TAP_CHECKPOINTS_KEPT + 1,
};

/*
 * Those of which a part lies in the window, oldest first. `version_number` is the server's (150018), 0: not known.
 * *ret_cut: there may have been earlier ones in it, which are not kept any more.
 */
size_t tap_checkpoint_runs(const struct tap_checkpoints *checkpoints, int32_t version_number,
			   const struct tap_checkpoint_window *window,
			   struct tap_checkpoint_run ret[TAP_CHECKPOINT_RUNS_MAX], bool *ret_cut);

/* How much of the window runs, which begin one after the other, cover. */
int64_t tap_checkpoint_covered_ns(const struct tap_checkpoint_run *runs, size_t count,
				  const struct tap_checkpoint_window *window);

/* Where tap_pg_checkpoint.counts has the files that were synced; -1: not known of this version. */
int tap_checkpoint_files_place(int32_t version_number);

#endif
