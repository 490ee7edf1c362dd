/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_slot.h - where a thread's own storage leads to its session, found in the memory of threads that serve one: for a
 * build whose functions do not tell.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_SLOT_H
#define TAP_USERSPACE_ATTACH_MY_SLOT_H

#include <stdint.h>

#include "userspace/attach/target.h"
#include "userspace/base/error.h"

/*
 * The offset from the thread pointer at which every thread that serves a session has that session; the layout has to
 * lead to the sessions already. The nearest, where several do. -ENODATA: nobody is connected; -EBADMSG: there is none;
 * `err` says so as a phrase.
 */
int tap_my_slot_find(const struct tap_target *target, int32_t *ret, struct tap_error *err);

#endif
