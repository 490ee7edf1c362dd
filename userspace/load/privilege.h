/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privilege.h - the capabilities dbtap works with, and giving up all others once the programs are loaded.
 */
#ifndef TAP_USERSPACE_LOAD_PRIVILEGE_H
#define TAP_USERSPACE_LOAD_PRIVILEGE_H

#include <stdbool.h>

#include "userspace/base/error.h"

/* Whether the process has what loading, attaching and reading other processes' memory need. */
bool tap_privilege_suffices(void);

/*
 * Drops every capability but those that reading goes on needing (maps, iterators, /proc, memory, logging in as the
 * server's own user), also from the bounding set. With `probes` those that uprobes take, too: they are moved while
 * dbtap runs. 0 or a negative errno.
 */
int tap_privilege_drop(bool probes, struct tap_error *err);

#endif
