/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_lock_memory.h - a table of the locks of a MariaDB server, out of memory that goes on changing.
 *
 * The table is read twice, one reading after the other; what both say alike was so all the time between. What differs
 * is read again, a few times; what does not come to rest is left out and counted.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_LOCK_MEMORY_H
#define TAP_USERSPACE_ATTACH_MY_LOCK_MEMORY_H

#include <stdbool.h>

#include "correlate/lock.h"
#include "correlate/relation_names.h"
#include "userspace/attach/my_lock_scan.h"

struct tap_my_lock_memory {
	struct tap_my_lock_place place;
	tap_my_read read;
	void (*pause)(void *context, unsigned int round); /* between two readings; may be NULL */
	void *context;
};

/*
 * Into the empty `table`: what is waited for and who is in the way; with `all`, what who waits has locked besides.
 * Names of tables and indexes that locks are on go to `names`, which may be NULL. -EAGAIN: no two readings were whole;
 * -EBADMSG: sessions are not what the layout says; -ESRCH, -EPERM, -ENOMEM.
 */
int tap_my_lock_memory_read(const struct tap_my_lock_memory *memory, bool all, struct tap_lock_table *table,
			    struct tap_relation_names *names);

#endif
