/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_postmaster.h - whether a process is a running PostgreSQL postmaster, and what its memory says of the instance.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_POSTMASTER_H
#define TAP_USERSPACE_ATTACH_PG_POSTMASTER_H

#include "userspace/attach/pg_binary.h"
#include "userspace/attach/proc.h"
#include "userspace/attach/target.h"

/*
 * Fills a target (all but id, layout and refused) from the process's memory. `binary` is what it runs and has the
 * symbols to recognise a server by. -ENOENT: it is no postmaster that has started its server: a child of one, a
 * stand-alone backend, initdb's helper, `postgres -C`. -ESRCH: gone; -EPERM, -EACCES: not ours to read.
 */
int tap_pg_postmaster_read(const char *root, const struct tap_proc *proc, const struct tap_pg_binary *binary,
			   struct tap_target *ret);

/* Whether the data directory's PG_VERSION names another major version; false also when it cannot be read. */
bool tap_pg_postmaster_contradicts(const struct tap_target *target);

#endif
