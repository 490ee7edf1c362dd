/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_backend.h - the processes of a PostgreSQL instance with what each keeps in its memory, read whole or not at all.
 *
 * Shared by pg_memory (rows for the tracer and for views) and pg_layout_check (whether what is read makes sense).
 */
#ifndef TAP_USERSPACE_ATTACH_PG_BACKEND_H
#define TAP_USERSPACE_ATTACH_PG_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/attach/pg_status.h"
#include "userspace/attach/proc.h"
#include "userspace/attach/target.h"

struct tap_pg_backend {
	struct tap_proc proc;
	uint8_t kind; /* enum tap_kind */

	/* Its own variables; 0 where the process is no server process (kind CHILD). */
	uint64_t my_beentry;
	uint64_t my_wait_event_info;
	uint64_t my_proc;
	int32_t parallel_worker_number;
	uint64_t my_logical_worker; /* 0: it is none, or that is not known */
	int32_t my_proc_pid;
	uint32_t my_database_id;
	int64_t my_start_timestamp;
	uint32_t my_backend_type;
	bool exiting;

	/* What these lead to. */
	bool has_status;     /* `entry` and `status` are whole and of this process */
	bool torn;	     /* a status entry is there and could not be read whole */
	int32_t foreign_pid; /* the pid an entry was found to carry that is not this process's; 0: none */
	uint8_t entry[TAP_PG_STATUS_MAX];
	struct tap_pg_status status;
	bool has_wait_event;
	uint32_t wait_event;
	bool has_proc;
	int32_t proc_pid;
	uint64_t lock_group_leader; /* address of a PGPROC */

	char *activity; /* malloc'd, only with texts asked for; NULL: none or empty */
	char *application;
};

struct tap_pg_backend_list {
	struct tap_pg_backend *items; /* the postmaster first */
	size_t count;
};

/*
 * Every process now. Those that vanish while they are read are left out. -ESRCH: the postmaster is gone; -EPERM: memory
 * is not ours to read.
 */
int tap_pg_backends_read(const struct tap_target *target, bool texts, struct tap_pg_backend_list *ret,
			 struct tap_error *err);
void tap_pg_backends_done(struct tap_pg_backend_list *list);

#endif
