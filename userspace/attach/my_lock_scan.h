/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_lock_scan.h - one reading of a MariaDB server's locks: sessions and transactions first, then what they wait for.
 *
 * Private to my_lock_*: my_lock_scan finds sessions and transactions, my_lock_rows reads InnoDB's locks, my_lock_meta
 * the metadata locks; my_lock_memory has them read twice and believes what both times say. Everything that is read is
 * hostile: each object has to say itself that it belongs to what led to it, and every walk has an end.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_LOCK_SCAN_H
#define TAP_USERSPACE_ATTACH_MY_LOCK_SCAN_H

#include <stdbool.h>

#include "bpf/abi/my_lock.h"
#include "correlate/lock.h"
#include "correlate/relation_names.h"
#include "userspace/attach/my_lock_cache.h"

enum {
	TAP_MY_SESSIONS_MAX = 100000,
	TAP_MY_LOCKS_WALKED_MAX = 1 << 17, /* locks of all transactions together */
	TAP_MY_LOCKS_OF_ONE_MAX = 1 << 15, /* of one transaction */
	TAP_MY_CHAIN_MAX = 1 << 16,	   /* locks one after the other in a queue */
	TAP_MY_TICKETS_MAX = 1 << 16,	   /* of one metadata lock */
	TAP_MY_ENTRIES_MAX = 1 << 18,
	TAP_MY_LOCK_NAMES_MAX = 1 << 16,
	TAP_MY_OBJECT_NAME_MAX = 400, /* bytes of "database/table" as InnoDB writes it that are looked at */
};

/* Where a server keeps its sessions. */
struct tap_my_lock_place {
	struct tap_my_lock_layout layout;
	uint64_t sessions;  /* address of the list */
	uint32_t next;	    /* of THD: the session after it; what leads to it lies before */
	uint32_t thread_id; /* of THD */
};

struct tap_my_trx {
	uint64_t address;
	uint64_t id;
	uint64_t wait_lock;
	uint64_t wait_trx;
	int64_t wait_start_us;
	uint64_t locks;
	uint64_t n_locks;
	int32_t owner; /* the session's number; 0: it has none */
};

struct tap_my_lock_session {
	uint64_t thd;
	int32_t owner;
	uint64_t trx;	 /* 0: none */
	uint64_t ticket; /* 0: it waits for no metadata lock */
};

struct tap_my_scan {
	const struct tap_my_lock_place *place;
	bool all;
	struct tap_my_cache cache;
	struct tap_my_lock_session *sessions; /* by thd */
	size_t n_sessions;
	size_t sessions_capacity;
	struct tap_my_trx *trxs; /* by address */
	size_t n_trxs;
	size_t trxs_capacity;
	struct tap_lock_table *table;
	struct tap_relation_names *names; /* NULL: not wanted */
};

/*
 * Sessions, and the transactions that have locks or wait. -EAGAIN: it was being changed; begin anew. -EBADMSG: a
 * session is not what the layout says.
 */
int tap_my_scan_sessions(struct tap_my_scan *scan);
void tap_my_scan_done(struct tap_my_scan *scan);

/* The session that begins there; NULL: none. */
const struct tap_my_lock_session *tap_my_scan_session(const struct tap_my_scan *scan, uint64_t thd);
const struct tap_my_trx *tap_my_scan_trx(const struct tap_my_scan *scan, uint64_t address);

/* One object's words: 0, -EAGAIN when it is not there (any more), or what the reader says. */
int tap_my_scan_get(struct tap_my_scan *scan, uint64_t address, void *to, size_t size);
uint64_t tap_my_u64(const unsigned char *bytes, uint32_t offset);
uint32_t tap_my_u32(const unsigned char *bytes, uint32_t offset);

/* A text of at most `size` - 1 bytes; -EAGAIN: there is none, or it does not end. */
int tap_my_scan_text(struct tap_my_scan *scan, uint64_t address, char *ret, size_t size);
/* Notes a name, as tap_relation_names_add; one that is no name is left out. 0 or -ENOMEM. */
int tap_my_scan_name(struct tap_my_scan *scan, uint32_t database, uint32_t number, const char *schema,
		     const char *relation);
/* What one has of a lock, joined with what he was found to have before. 0, -ENOMEM, -EAGAIN: more than can be. */
int tap_my_scan_add(struct tap_my_scan *scan, const struct tap_lock_entry *entry);

/* All waits for InnoDB's locks and who stands in their way; with `all`, what who waits has locked besides. */
int tap_my_scan_rows(struct tap_my_scan *scan);
/* The same of metadata locks. */
int tap_my_scan_metadata(struct tap_my_scan *scan);

#endif
