/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_lock_memory.h - the lock tables of a PostgreSQL server, out of its shared memory, while it goes on.
 *
 * No lock is taken and nothing is written. Every pointer found is checked against the shared mapping before it is
 * followed, every list is bounded, and the records of a lock count only when they agree (pg_lock_record). How memory is
 * reached is the caller's: pg_locks reads a process, tests and the fuzzer an image.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_LOCK_MEMORY_H
#define TAP_USERSPACE_ATTACH_PG_LOCK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/lock.h"
#include "userspace/attach/memory.h"
#include "userspace/attach/pg_layout.h"

struct tap_pg_lock_memory {
	const struct tap_pg_lock_layout *layout;
	uint64_t start; /* of the shared memory */
	uint64_t end;
	uint64_t procs; /* the array of PGPROCs, and how many it has */
	uint32_t n_procs;
	uint64_t prepared; /* that of prepared transactions */
	uint32_t n_prepared;
	uint64_t xacts;		/* that of PGXACTs, before version 14; 0 */
	uint32_t n_fast_groups; /* of fast-path locks a process has, where they lie apart */
	/* As tap_memory_read_many: `ok` of each read tells; a negative errno ends it all. */
	int (*read)(void *context, struct tap_memory_read *reads, size_t count);
	/* Lets the server get on before what was torn is read again, longer each round; NULL: at once. */
	void (*pause)(void *context, unsigned int round);
	void *context;
};

enum tap_pg_lock_scope {
	TAP_PG_LOCKS_ALL,    /* every lock, fast-path ones, too */
	TAP_PG_LOCKS_WAITED, /* only those somebody waits for: cheap however many there are */
};

/*
 * Appends to `table` and sets its `complete`, `retries` and `torn`. With more locks than anyone would list, ALL falls
 * back to WAITED, as `complete` says. -EBADMSG: the arrays are not where they are said to be, or not of a size a server
 * has; otherwise what `read` returned, or -ENOMEM.
 */
int tap_pg_lock_memory_read(const struct tap_pg_lock_memory *memory, enum tap_pg_lock_scope scope,
			    struct tap_lock_table *table);

#endif
