/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * my_lock.h - where MariaDB keeps its sessions' row locks (InnoDB) and metadata locks.
 *
 * Nothing exported tells of these: the offsets are facts of a version (userspace/attach/my_lock_layout.c), tried on the
 * running server before they are believed. BPF programs and userspace read through the same record.
 */
#ifndef TAP_BPF_ABI_MY_LOCK_H
#define TAP_BPF_ABI_MY_LOCK_H

#include "bpf/abi/types.h"

/* Bits of a lock's type_mode; the lowest three are its mode, enum tap_my_lock_mode. */
enum {
	TAP_MY_LOCK_MODE = 0x7,
	TAP_MY_LOCK_WAIT = 0x100,
	TAP_MY_LOCK_GAP = 0x200,
	TAP_MY_LOCK_NOT_GAP = 0x400,
	TAP_MY_LOCK_INSERT = 0x800,
	TAP_MY_LOCK_PREDICATE = 0x6000, /* of spatial indexes */
};

enum tap_my_lock_mode {
	TAP_MY_LOCK_IS = 0,
	TAP_MY_LOCK_IX = 1,
	TAP_MY_LOCK_S = 2,
	TAP_MY_LOCK_X = 3,
	TAP_MY_LOCK_AUTO_INC = 4,
};

/* Offsets in bytes; all 0: this version's locks are not known. */
struct tap_my_lock_layout {
	/* Of THD. */
	__u32 trx;	/* trx_t *; NULL: it never had one */
	__u32 metadata; /* MDL_context, within it */
	/* Of trx_t. */
	__u32 trx_id;	   /* uint64; 0: it has changed nothing so far */
	__u32 wait_lock;   /* lock_t * it waits for, NULL: none; behind it the trx_t * that holds it */
	__u32 wait_start;  /* uint64, microseconds since the epoch */
	__u32 trx_thd;	   /* THD *; NULL: recovered, or of a client that has gone after XA PREPARE */
	__u32 trx_locks;   /* lock_t *, the first of its locks */
	__u32 trx_n_locks; /* uint64, how many they are */
	/* Of lock_t. */
	__u32 lock_trx;	       /* trx_t * */
	__u32 lock_next;       /* lock_t *, of the same trx_t */
	__u32 lock_index;      /* dict_index_t *; NULL: a table's */
	__u32 lock_chain;      /* lock_t *, a later one of the same page, or of another */
	__u32 lock_place;      /* of a record: tablespace << 32 | page, then uint32, bits of the map; of a table:
				  dict_table_t * */
	__u32 lock_table_next; /* lock_t *, a later one of the same table */
	__u32 lock_mode;       /* uint32 */
	__u32 lock_type_table; /* the bit of it that says a table's */
	__u32 lock_size;       /* a record's has its bit map behind it: which places of the page */
	/* Of dict_index_t and dict_table_t. */
	__u32 index_name;  /* const char * */
	__u32 index_table; /* dict_table_t * */
	__u32 table_id;	   /* uint64 */
	__u32 table_name;  /* const char *, "database/table" */
	/* Of MDL_context. */
	__u32 context_owner;  /* where within THD its owner's part is: a pointer */
	__u32 context_ticket; /* MDL_ticket * it waits for; NULL: none. May lead to something else that one waits for */
	/* Of MDL_ticket. */
	__u32 ticket_link;    /* next, previous: links of the lock's list */
	__u32 ticket_mode;    /* uint32 */
	__u32 ticket_context; /* MDL_context * */
	__u32 ticket_lock;    /* MDL_lock * */
	/* Of MDL_lock. */
	__u32 key;     /* uint16 length, uint16 length of the database, uint32 hash, then kind, database, name */
	__u32 granted; /* link of the list of tickets */
	__u32 waiting; /* the same of those who wait */
};
TAP_ABI_SIZE(tap_my_lock_layout, 120);

#endif
