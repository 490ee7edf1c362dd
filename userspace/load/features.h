/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * features.h - what this kernel allows, probed and not guessed from its version; one table for doctor and the loader.
 */
#ifndef TAP_USERSPACE_LOAD_FEATURES_H
#define TAP_USERSPACE_LOAD_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "userspace/base/error.h"

enum tap_feature {
	TAP_FEATURE_KERNEL,
	TAP_FEATURE_BTF,
	TAP_FEATURE_PRIVILEGE,
	TAP_FEATURE_PID_NAMESPACE,
	TAP_FEATURE_TASK_STORAGE,
	TAP_FEATURE_RINGBUF,
	TAP_FEATURE_CLOCK,
	TAP_FEATURE_BPF_LOOP,
	TAP_FEATURE_UPROBE,
	TAP_FEATURE_STATS,
	TAP_FEATURE_TASKSTATS_IO,
	TAP_FEATURE_BLOCK,
	TAP_FEATURE_BLOCK_IO_START,
	TAP_FEATURE_DIRTY_FOLIO,
	TAP_FEATURE_DIRECT_IO,
	TAP_FEATURE_SENDS,
	TAP_FEATURE_RECLAIM,
	TAP_FEATURE_VICTIM,
	TAP_FEATURE_COUNT
};

struct tap_feature_info {
	const char *name;
	const char *needed_for;
	const char *without; /* what to do, or what is lost without it */
	bool required;	     /* ambient depth cannot do without */
	bool (*probe)(void);
};

extern const struct tap_feature_info tap_feature_infos[TAP_FEATURE_COUNT];

/* Probed once, then remembered. */
bool tap_feature_has(enum tap_feature feature);

/* 0, or the first required feature that is missing, as a message with what to do: -EPERM or -EOPNOTSUPP. */
int tap_features_require(struct tap_error *err);

#endif
