/* SPDX-License-Identifier: BSD-2-Clause */
/* lock_cycles.h - cycles that one reading of the lock tables shows, and whether they are real. */
#ifndef TAP_USERSPACE_CONSUME_LOCK_CYCLES_H
#define TAP_USERSPACE_CONSUME_LOCK_CYCLES_H

#include "userspace/consume/lock_look.h"

/* Reads the tables once more and puts the cycles that stand into the log. 0 or -ENOMEM. */
int tap_lock_cycles_look(struct tap_lock_look *look);

#endif
