/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_lock_record.h - the records of PostgreSQL's lock manager as plain values, and whether those of one lock fit
 * together.
 *
 * Nothing is read here. pg_lock_memory brings the bytes, which were copied while the server went on: records of one
 * lock count only when everything that is written twice in them says the same.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_LOCK_RECORD_H
#define TAP_USERSPACE_ATTACH_PG_LOCK_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "correlate/lock.h"
#include "userspace/attach/pg_layout.h"

struct tap_pg_link {
	uint64_t prev;
	uint64_t next;
};

/* PGPROC: a process, or a prepared transaction. */
struct tap_pg_proc_record {
	uint64_t address;
	bool prepared; /* of the array of prepared transactions */
	int32_t pid;
	uint32_t xid;
	struct tap_pg_link links;
	uint64_t wait_lock; /* 0: does not wait */
	uint64_t wait_share;
	int32_t wait_mode;
	int64_t wait_start; /* the server's clock; 0: none */
};

/* PROCLOCK */
struct tap_pg_share_record {
	uint64_t address;
	uint64_t lock;
	uint64_t proc;
	uint64_t leader;
	uint32_t held; /* bit 1 << mode */
	struct tap_pg_link lock_link;
	struct tap_pg_link proc_link;
};

/* LOCK */
struct tap_pg_lock_record {
	uint64_t address;
	struct tap_lock_tag tag;
	uint32_t grant_mask;
	uint32_t wait_mask;
	struct tap_pg_link shares;
	struct tap_pg_link queue;
	int32_t queue_size;
	int32_t requested[TAP_PG_LOCK_MODES];
	int32_t granted[TAP_PG_LOCK_MODES];
	int32_t n_requested;
	int32_t n_granted;
};

/* How much of a PGPROC a proc record is made of, from its beginning. */
size_t tap_pg_proc_record_size(const struct tap_pg_lock_layout *layout);

/* From bytes as long as the layout says; all values as they are there. */
void tap_pg_proc_record_decode(const struct tap_pg_lock_layout *layout, uint64_t address, const uint8_t *bytes,
			       struct tap_pg_proc_record *ret);
void tap_pg_share_record_decode(const struct tap_pg_lock_layout *layout, uint64_t address, const uint8_t *bytes,
				struct tap_pg_share_record *ret);
void tap_pg_lock_record_decode(const struct tap_pg_lock_layout *layout, uint64_t address, const uint8_t *bytes,
			       struct tap_pg_lock_record *ret);
struct tap_pg_link tap_pg_link_decode(const uint8_t *bytes);

/* A list nobody is in: the head leads to itself, or was never written. */
bool tap_pg_link_is_empty(const struct tap_pg_link *head, uint64_t address);

/* Everything read about one lock. */
struct tap_pg_lock_set {
	const struct tap_pg_lock_layout *layout;
	struct tap_pg_lock_record lock;
	const struct tap_pg_share_record *shares; /* by address; more than the lock has is a contradiction */
	size_t n_shares;
	/* The PGPROC at an address; NULL when there can be none. */
	const struct tap_pg_proc_record *(*proc_at)(const void *context, uint64_t address);
	const void *context;
};

/*
 * Adds an entry for each share of the lock to `table`. -ENOENT: nobody has or wants it any more; -EAGAIN: the records
 * contradict each other; nothing was added then. -ENOMEM.
 */
int tap_pg_lock_set_take(const struct tap_pg_lock_set *set, struct tap_lock_table *table);

#endif
