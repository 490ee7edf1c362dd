/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_locks.h - the locks of a MariaDB server, read from its process, with no connection to it; for my_engine.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_LOCKS_H
#define TAP_USERSPACE_ATTACH_MY_LOCKS_H

#include "correlate/lock.h"
#include "correlate/relation_names.h"
#include "userspace/attach/my_lock_memory.h"
#include "userspace/attach/target.h"

struct tap_my_locks {
	struct tap_my_lock_memory memory;
};

/*
 * Finds them and tries a reading. One line in `err`, and: -ENOTSUP this version's locks are not known; -EBADMSG what is
 * there is not what the layout says; -ESRCH, -EPERM; -EAGAIN it was being changed each time.
 */
int tap_my_locks_open(const struct tap_target *target, struct tap_my_locks *ret, struct tap_error *err);

/* Into the empty `table`: owners are numbers of connections. As tap_my_lock_memory_read. */
int tap_my_locks_read(const struct tap_my_locks *locks, const struct tap_target *target, bool all,
		      struct tap_lock_table *table, struct tap_relation_names *names, struct tap_error *err);

/* The lock that a session waits for, as enum tap_my_wait; 0: none, or it is not known. */
uint32_t tap_my_locks_wait(const struct tap_target *target, uint64_t thd);

#endif
