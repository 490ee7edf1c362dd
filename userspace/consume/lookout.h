/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lookout.h - the first search for instances, in a thread of its own while the kernel verifies the programs.
 *
 * What it finds may be a moment old when it is taken: those that ended meanwhile are found out when they are adopted,
 * those that started by the first look at new processes.
 */
#ifndef TAP_USERSPACE_CONSUME_LOOKOUT_H
#define TAP_USERSPACE_CONSUME_LOOKOUT_H

#include "userspace/attach/target.h"

/* Zeroed, none is under way. */
struct tap_lookout {
	struct tap_search_ahead *search;
};

/*
 * Where no thread can be had the search waits until it is asked for. What the scope leads to stays as it is until it is
 * taken or done.
 */
void tap_lookout_begin(struct tap_lookout *lookout, const char *proc_root, const struct tap_target_scope *scope);
/* What was found by the search that was begun, once; else tap_targets_find_within. */
int tap_lookout_take(struct tap_lookout *lookout, const char *proc_root, const struct tap_target_scope *scope,
		     struct tap_target_list *ret, struct tap_error *err);
void tap_lookout_done(struct tap_lookout *lookout);

#endif
