/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_locks.h - the lock tables of an instance, read from one of its processes, with no connection to it.
 *
 * Shared memory is mapped at the same address in every process of a server, so that the postmaster, which is always
 * there, is the one that is read.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_LOCKS_H
#define TAP_USERSPACE_ATTACH_PG_LOCKS_H

#include "correlate/lock.h"
#include "userspace/attach/pg_lock_memory.h"
#include "userspace/attach/target.h"

struct tap_pg_locks {
	struct tap_pg_lock_memory memory;
	bool same_pids; /* the server counts pids as this host does */
};

/*
 * Finds the tables and checks that they look like what the layout says. `target` is borrowed. `ret` may not be moved.
 * One line in `err`, and: -ENOTSUP no layout for this server, or a symbol is missing; -EBADMSG what is there is not
 * what the layout says; -ESRCH, -EPERM the process cannot be read.
 */
int tap_pg_locks_open(const struct tap_target *target, struct tap_pg_locks *ret, struct tap_error *err);

/*
 * Into the empty `table`, of the target that was opened: pids as this host sees them; 0 for prepared transactions. What
 * a failing call has read stays in the table until tap_lock_table_done.
 */
int tap_pg_locks_read(const struct tap_pg_locks *locks, const struct tap_target *target, enum tap_pg_lock_scope scope,
		      struct tap_lock_table *table, struct tap_error *err);

/* Pids as the server counts them, in a table that came over a connection, to pids as this host does. 0 or -errno. */
int tap_pg_locks_translate(const struct tap_target *target, struct tap_lock_table *table);

#endif
