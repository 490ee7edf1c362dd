/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_memory.h - PostgreSQL sessions read from the processes' memory, read-only, with no connection.
 *
 * process_vm_readv on the postmaster's children; every pointer and size found there is hostile. A record whose change
 * count is odd or moves while it is read is retried a few times, then counted in `torn` and left out.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_MEMORY_H
#define TAP_USERSPACE_ATTACH_PG_MEMORY_H

#include "correlate/session.h"
#include "userspace/attach/target.h"

/* Of an enum tap_pg_state; NONE for what is none. */
enum tap_session_state tap_pg_session_state(uint32_t state);

/* One process's identity, in the form the BPF side wants at the attach. */
struct tap_pg_process {
	int32_t pid;
	uint8_t kind;	     /* enum tap_kind: POSTMASTER, LOGGER, STARTING, CHILD known without a status entry */
	uint64_t status;     /* address of its PgBackendStatus; 0: none (yet) */
	uint64_t wait_event; /* address of its wait event word; 0: none */
	uint32_t wait_event_now;
	uint8_t entry[TAP_PG_STATUS_MAX]; /* its PgBackendStatus; valid when status is not 0 */
};

/*
 * Every process of the instance now. *ret is malloc'd and the caller's. `*ret_torn` counts entries that could not be
 * read whole. Processes that vanish meanwhile are left out. -ESRCH when the postmaster is gone, -EPERM when memory is
 * not ours to read (say so in err).
 */
int tap_pg_processes_read(const struct tap_target *target, struct tap_pg_process **ret, size_t *ret_count,
			  size_t *ret_torn, struct tap_error *err);

/*
 * The same as sessions: states, ids, times, texts, application and client from memory; database and user names from the
 * process titles ("postgres: [cluster: ]user database client state"). Appends to `list` every process of the instance;
 * what a failing call had appended stays there until tap_session_list_done.
 */
int tap_pg_sessions_read(const struct tap_target *target, struct tap_session_list *list, size_t *ret_torn,
			 struct tap_error *err);

#endif
