/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_layout_cache.h - PostgreSQL's layouts that were searched for, kept by the build they are of (layout_cache.h).
 *
 * What is read from there is not believed: pg_layout_check compares it with memory like any other layout.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_LAYOUT_CACHE_H
#define TAP_USERSPACE_ATTACH_PG_LAYOUT_CACHE_H

#include "userspace/attach/pg_layout.h"

/*
 * `build_id` in hex. *ret gets what the file says, all else as in `near`. -ENOENT: there is none, or the build has no
 * id; -EPERM: somebody else could have written it; -EBADMSG: it is none of ours or not of this version of dbtap.
 */
int tap_pg_layout_cache_read(const char *build_id, const struct tap_pg_layout_row *near, struct tap_pg_layout_row *ret);

/* Failing costs nothing but another search; negative errno. */
int tap_pg_layout_cache_write(const char *build_id, const struct tap_pg_layout_row *row);

#endif
