/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_layout_search.h - the memory layout of a build that no row of the table fits, found in its own memory.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_LAYOUT_SEARCH_H
#define TAP_USERSPACE_ATTACH_PG_LAYOUT_SEARCH_H

#include "userspace/attach/pg_layout.h"
#include "userspace/attach/pg_sample.h"
#include "userspace/attach/target.h"

/*
 * Where in the samples what is known of each process is: its pid, database, type and start by exported variables, its
 * texts by the strides of their arrays, what a session does by its title. `near` is the row of the version that is
 * nearest, and says where to look first; a field with two places it could be at is not found. *ret is a row like it,
 * with `searched` set. What nothing proves stays absent in it: the lock group and the waits for locks when PGPROC
 * differs from near's, the number by which statements are counted when the version does.
 *
 * -ENODATA: too little to tell by (no session is idle, say); -EBADMSG: a field is nowhere; `err` says which, as a
 * phrase.
 */
int tap_pg_layout_search_samples(const struct tap_target *target, const struct tap_pg_layout_row *near,
				 const struct tap_pg_sample_list *samples, struct tap_pg_layout_row *ret,
				 struct tap_error *err);

/* The same with samples of its own, a few times while the server works on. Other errors: its memory cannot be read. */
int tap_pg_layout_search(const struct tap_target *target, const struct tap_pg_layout_row *near,
			 struct tap_pg_layout_row *ret, struct tap_error *err);

#endif
