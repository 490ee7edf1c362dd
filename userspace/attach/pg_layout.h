/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_layout.h - the table of PostgreSQL memory layouts this build knows.
 *
 * A row is a fact about a major version and machine, taken from the server's own headers; whether it holds for the
 * instance at hand is for pg_layout_check to find out.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_LAYOUT_H
#define TAP_USERSPACE_ATTACH_PG_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/pg_layout.h"

struct tap_pg_layout_row {
	int32_t major;
	uint16_t machine;   /* of the ELF header */
	const char *name;   /* "15 x86-64" */
	uint16_t proc_size; /* sizeof(PGPROC), the stride of that array */
	uint16_t types;	    /* how many BackendType values there are */
	bool searched;	    /* found in the memory of a build (pg_layout_search), no row of the table */
	struct tap_pg_layout layout;
};

enum {
	TAP_PG_LOCK_MODES = 10,		 /* MAX_LOCKMODES, the length of LOCK's counters */
	TAP_PG_LOCK_PARTITIONS_MAX = 64, /* bound of lists a PGPROC has */
	TAP_PG_FAST_SLOTS_MAX = 16,	 /* of fast-path locks in a group */
	TAP_PG_FAST_GROUPS_MAX = 1024,
};

/*
 * Where the lock manager keeps what only userspace reads: offsets in bytes, `header_*` of PROC_HDR, `proc_*` of PGPROC,
 * `lock_*` of LOCK, `share_*` of PROCLOCK. A link is two pointers, to the one before and the one after; a list's head
 * is one, too, and an element's link leads to links, not to elements.
 */
struct tap_pg_lock_layout {
	int32_t major;
	uint16_t machine;
	uint16_t header_procs; /* PGPROC *, an array */
	uint16_t header_count; /* uint32, its length, prepared transactions not counted */
	uint16_t header_xacts; /* PGXACT *, an array with an element for each PGPROC, those of prepared ones, too */
	uint16_t xact_size;    /* 0: there is no such array, PGPROC has the xid; else it is the first word there */
	uint16_t proc_size;
	uint16_t proc_links; /* in the queue it waits in */
	uint16_t proc_xid;   /* before version 14 the lxid, of which nothing is to be made */
	uint16_t proc_pid;
	uint16_t proc_backend_id;
	uint16_t proc_database;
	uint16_t proc_wait_lock;
	uint16_t proc_wait_share;
	uint16_t proc_wait_mode;
	uint16_t proc_wait_start; /* TAP_PG_ABSENT before version 14 */
	uint16_t proc_lists;	  /* heads, one a partition of the lock table, of its PROCLOCKs */
	uint16_t proc_n_lists;
	uint16_t proc_fast_bits; /* uint64, 3 bits a slot: the three weakest modes */
	uint16_t proc_fast_relations;
	uint16_t proc_fast_slots;
	bool fast_apart;	 /* from version 18 these two lead to arrays, with so many slots a group */
	uint16_t proc_fast_vxid; /* bool */
	uint16_t proc_fast_lxid;
	uint16_t lock_size;
	uint16_t lock_tag;
	uint16_t lock_grant_mask;
	uint16_t lock_wait_mask;
	uint16_t lock_shares; /* head of its PROCLOCKs */
	uint16_t lock_queue;  /* head of the PGPROCs that wait, first come first */
	uint16_t lock_queue_size;
	uint16_t lock_requested; /* int[TAP_PG_LOCK_MODES] and their sum */
	uint16_t lock_granted;	 /* the same */
	uint16_t share_size;
	uint16_t share_lock;
	uint16_t share_proc;
	uint16_t share_leader;
	uint16_t share_held;
	uint16_t share_lock_link;
	uint16_t share_proc_link;
};

/*
 * Asynchronous reads and writes, from version 18: offsets in PgAioCtl (`control_*`), PgAioHandle (`handle_*`) and
 * BufferDesc (`descriptor_*`).
 */
struct tap_pg_aio_layout {
	int32_t major;
	uint16_t machine;
	uint16_t control_iovec_count; /* uint32: of all handles together, the same number each */
	uint16_t control_iovecs;      /* struct iovec * */
	uint16_t control_handle_count;
	uint16_t control_handles;
	uint16_t handle_size;
	uint16_t handle_state; /* uint8 */
	uint16_t handle_owner; /* int32: place of the process that asked, in the arrays of processes */
	uint16_t handle_resowner;
	uint16_t handle_iovec; /* uint32: place of its first one */
	uint16_t submitted;    /* the state of one that is under way */
	uint16_t descriptor_size;
	uint16_t descriptor_wait; /* uint32: the handle that reads into the buffer */
	uint16_t block_size;
};

/* NULL: this build has none, and nothing may be guessed. */
const struct tap_pg_layout_row *tap_pg_layout_find(int32_t version_number, uint16_t machine);
const struct tap_pg_lock_layout *tap_pg_lock_layout_find(int32_t version_number, uint16_t machine);
const struct tap_pg_aio_layout *tap_pg_aio_layout_find(int32_t version_number, uint16_t machine);

/* The row that a search begins with: the version's own, the newest for a newer one; NULL: none is near. */
const struct tap_pg_layout_row *tap_pg_layout_near(int32_t version_number, uint16_t machine);

/* All rows, for messages and tests. */
const struct tap_pg_layout_row *tap_pg_layout_rows(size_t *ret_count);

#endif
