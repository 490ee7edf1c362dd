/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_layout_cache.h - MariaDB's and MySQL's layouts that were inferred and that sessions agreed with, kept by the build
 * they are of (layout_cache.h): for a start at which nobody is connected.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_LAYOUT_CACHE_H
#define TAP_USERSPACE_ATTACH_MY_LAYOUT_CACHE_H

#include "userspace/attach/my_layout.h"

/*
 * The row an earlier start has kept, all else (its name) as in `near`. Errors as tap_layout_cache_read; -EBADMSG also
 * when it is of another product or machine than `near`.
 */
int tap_my_layout_cache_read(const char *build_id, const struct tap_my_layout_row *near, struct tap_my_layout_row *ret);
int tap_my_layout_cache_write(const char *build_id, const struct tap_my_layout_row *row);

/* Whether both have the same numbers. */
bool tap_my_layout_cache_is_same(const struct tap_my_layout_row *a, const struct tap_my_layout_row *b);

#endif
