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

/* How a wait for a metadata lock has ended: MDL_wait::enum_wait_status. */
enum tap_my_wait_status {
	TAP_MY_WAIT_STATUS_GRANTED = 1,
	TAP_MY_WAIT_STATUS_VICTIM = 2,
	TAP_MY_WAIT_STATUS_TIMEOUT = 3,
	TAP_MY_WAIT_STATUS_KILLED = 4,
};

/*
 * What the kernel side says of a lock, in the tag of its record. word[3]: enum tap_lock_type of correlate/lock.h is the
 * reader's; here what is read: place in the page, and what kind of lock it is. RECORD: tablespace, page, number of the
 * table's name. TABLE: its id, number of its name. METADATA: numbers of the database's and the table's name, hash; in
 * place of a place the kind of object.
 */
enum tap_my_lock_kind {
	TAP_MY_LOCK_RECORD = 1,
	TAP_MY_LOCK_TABLE = 2,
	TAP_MY_LOCK_METADATA = 3,
	TAP_MY_LOCK_KIND_SHIFT = 16, /* above the place */
	TAP_MY_LOCK_NO_PLACE = 0xffff,
};

/* What two waits for the same thing share of such words: of records the table. */
static inline void tap_my_lock_shared(const __u32 tag[4], __u32 ret[4])
{
	__u32 kind = tag[3] >> TAP_MY_LOCK_KIND_SHIFT;

	ret[0] = kind == TAP_MY_LOCK_RECORD ? 0 : tag[0];
	ret[1] = kind == TAP_MY_LOCK_RECORD ? 0 : tag[1];
	ret[2] = tag[2];
	ret[3] = kind == TAP_MY_LOCK_RECORD ? kind << TAP_MY_LOCK_KIND_SHIFT : tag[3];
}

/* Flags of a lock's type_mode in a record's mode: its lowest bits stay, these move to the bits from 3 on. */
enum {
	TAP_MY_LOCK_FLAGS_SHIFT = 6, /* GAP, NOT_GAP, INSERT: 0x200 to 0x8 */
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
	__u32 trx_state;   /* uint32 */
	__u32 trx_active;  /* the number that says it is under way */
	__u32 trx_victim;  /* uint8: its lowest bit says that it was chosen to end a deadlock */
	__u32 trx_thd;	   /* THD *; NULL: recovered, or of a client that has gone after XA PREPARE */
	__u32 trx_locks;   /* lock_t *, the first of its locks; behind it the last */
	__u32 trx_n_locks; /* uint64, how many they are */
	/* Of lock_t. */
	__u32 lock_trx;	       /* trx_t * */
	__u32 lock_next;       /* lock_t *, of the same trx_t; before it the one before; both NULL: it was given up */
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
	__u32 context_status; /* uint32, enum tap_my_wait_status, how the last wait has ended */
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
TAP_ABI_SIZE(tap_my_lock_layout, 136);

#endif
