/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_layout_check.h - whether a layout describes the memory of the instance at hand.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_LAYOUT_CHECK_H
#define TAP_USERSPACE_ATTACH_PG_LAYOUT_CHECK_H

#include <stddef.h>

#include "userspace/attach/pg_layout.h"
#include "userspace/attach/target.h"

/*
 * Reads every process of the instance through target->layout (a copy of row->layout) and compares what is found with
 * what the processes say elsewhere in their own variables, with /proc and with each other: entries, strides, pointers,
 * types, times. A few rounds, as processes come and go. *ret_checked: processes that were compared, at least one.
 *
 * -EBADMSG: something does not fit, or there was nothing to compare; `err` says what, as a phrase for the caller's
 * message. Other errors: the memory could not be read.
 */
int tap_pg_layout_check(const struct tap_target *target, const struct tap_pg_layout_row *row, size_t *ret_checked,
			struct tap_error *err);

#endif
