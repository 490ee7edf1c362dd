/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_lock_scan.h - the PGPROCs of a server and the PROCLOCKs their lists lead to; for pg_lock_memory.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_LOCK_SCAN_H
#define TAP_USERSPACE_ATTACH_PG_LOCK_SCAN_H

#include "userspace/attach/pg_lock_memory.h"
#include "userspace/attach/pg_lock_record.h"

enum {
	TAP_PG_LOCK_MAX = 256, /* bounds of sizeof(LOCK), PROCLOCK, PGPROC, all versions */
	TAP_PG_SHARE_MAX = 128,
	TAP_PG_PROC_MAX = 2048,
};

/* A group of fast-path locks, as read. */
struct tap_pg_fast_group {
	uint64_t bits;
	uint32_t relations[TAP_PG_FAST_SLOTS_MAX];
};

/* Fast-path locks of a PGPROC, as read. */
struct tap_pg_fast_record {
	struct tap_pg_fast_group group; /* where they do not lie apart */
	uint64_t bits_at;		/* addresses, where they do */
	uint64_t relations_at;
	uint32_t database;
	uint32_t backend_id;
	uint32_t lxid; /* 0: none */
};

struct tap_pg_lock_list; /* one that is being walked */

struct tap_pg_lock_scan {
	const struct tap_pg_lock_memory *memory;
	struct tap_pg_proc_record *procs; /* memory->n_procs, then memory->n_prepared */
	struct tap_pg_fast_record *fast;  /* of the first n_procs */
	size_t n_procs;
	struct tap_pg_lock_list *lists; /* that are not empty */
	size_t n_lists;
	struct tap_pg_share_record *shares; /* by lock, then address */
	size_t n_shares;
	uint64_t retries;
	uint64_t torn; /* lists given up */
};

/* Reads all PGPROCs. -EBADMSG: they are not in shared memory, or too many. */
int tap_pg_lock_scan_open(const struct tap_pg_lock_memory *memory, struct tap_pg_lock_scan *ret);
void tap_pg_lock_scan_done(struct tap_pg_lock_scan *scan);

/* memory->read of what lies in shared memory, at an address a record can have; other reads are not tried: not ok. */
int tap_pg_lock_scan_read(const struct tap_pg_lock_scan *scan, struct tap_memory_read *reads, size_t count);

/* The place of the PGPROC at `address`; SIZE_MAX: there is none. */
size_t tap_pg_lock_scan_proc(const struct tap_pg_lock_scan *scan, uint64_t address);
/* A newer reading of it. */
void tap_pg_lock_scan_set_proc(struct tap_pg_lock_scan *scan, size_t index, const uint8_t *bytes);

/* All PROCLOCKs. -E2BIG: too many. */
int tap_pg_lock_scan_shares(struct tap_pg_lock_scan *scan);
/* Those PROCLOCKs that PGPROCs say they wait with: addresses and locks, unread. */
int tap_pg_lock_scan_waiters(struct tap_pg_lock_scan *scan);
/* Reads the fast-path locks a second time and adds those that did not change to `table`. */
int tap_pg_lock_scan_fast(struct tap_pg_lock_scan *scan, struct tap_lock_table *table);

#endif
