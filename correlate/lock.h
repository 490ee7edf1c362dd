/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.h - heavyweight locks of one instance: who holds and who wants what, and the graph that follows.
 *
 * Two sources fill a tap_lock_table: the server's memory (userspace/attach/pg_locks, my_locks) and its own views of
 * locks over a connection (correlate/engine/<name>/locks). Everything after it is the same for both. Plain values, no
 * process is touched here.
 */
#ifndef TAP_CORRELATE_LOCK_H
#define TAP_CORRELATE_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/lock.h"

/*
 * What locks are on, of all engines, each with the kind of modes it is taken in. First PostgreSQL's LockTagType, in its
 * order and with the names of pg_locks.locktype. Another engine's come behind.
 */
#define TAP_LOCK_TYPES(X) \
	X(RELATION, "relation", HEAVYWEIGHT) \
	X(EXTEND, "extend", HEAVYWEIGHT) \
	X(FROZENID, "frozenid", HEAVYWEIGHT) \
	X(PAGE, "page", HEAVYWEIGHT) \
	X(TUPLE, "tuple", HEAVYWEIGHT) \
	X(TRANSACTION, "transactionid", HEAVYWEIGHT) \
	X(VIRTUALXID, "virtualxid", HEAVYWEIGHT) \
	X(SPECTOKEN, "spectoken", HEAVYWEIGHT) \
	X(OBJECT, "object", HEAVYWEIGHT) \
	X(USERLOCK, "userlock", HEAVYWEIGHT) \
	X(ADVISORY, "advisory", HEAVYWEIGHT) \
	X(APPLY_TRANSACTION, "applytransaction", HEAVYWEIGHT) \
	X(RECORD, "record", RECORD) \
	X(ENGINE_TABLE, "table", TABLE) \
	X(METADATA, "metadata", METADATA) \
	X(NAMED, "user lock", METADATA) \
	X(BACKUP, "backup", BACKUP)

enum tap_lock_type {
#define X(id, name, modes) TAP_LOCK_##id,
	TAP_LOCK_TYPES(X)
#undef X
	TAP_LOCK_TYPE_COUNT,
	TAP_LOCK_PG_TYPE_COUNT = TAP_LOCK_APPLY_TRANSACTION + 1,
};

/* Kinds of modes: numbers that mean something among themselves. */
enum tap_lock_modes {
	TAP_LOCK_MODES_HEAVYWEIGHT, /* enum tap_lock_mode */
	TAP_LOCK_MODES_RECORD,	    /* enum tap_lock_record_mode */
	TAP_LOCK_MODES_TABLE,	    /* enum tap_lock_table_mode */
	TAP_LOCK_MODES_METADATA,    /* enum tap_lock_metadata_mode */
	TAP_LOCK_MODES_BACKUP,	    /* enum tap_lock_backup_mode */
};

/* PostgreSQL's LOCKMODE numbers, with the names of pg_locks.mode. In all kinds 0 is none, and a higher one stronger. */
enum tap_lock_mode {
	TAP_LOCK_MODE_NONE = 0,
	TAP_LOCK_MODE_ACCESS_SHARE = 1,
	TAP_LOCK_MODE_ROW_SHARE,
	TAP_LOCK_MODE_ROW_EXCLUSIVE,
	TAP_LOCK_MODE_SHARE_UPDATE_EXCLUSIVE,
	TAP_LOCK_MODE_SHARE,
	TAP_LOCK_MODE_SHARE_ROW_EXCLUSIVE,
	TAP_LOCK_MODE_EXCLUSIVE,
	TAP_LOCK_MODE_ACCESS_EXCLUSIVE,
	TAP_LOCK_MODE_COUNT
};

/* InnoDB's, on a record of an index, the gap before it, or both; which excludes which is not the same both ways. */
enum tap_lock_record_mode {
	TAP_LOCK_RECORD_S_GAP = 1,
	TAP_LOCK_RECORD_X_GAP,
	TAP_LOCK_RECORD_INSERT, /* wants to insert into the gap */
	TAP_LOCK_RECORD_S_ONLY, /* the record without the gap */
	TAP_LOCK_RECORD_X_ONLY,
	TAP_LOCK_RECORD_S,
	TAP_LOCK_RECORD_X,
	TAP_LOCK_RECORD_COUNT
};

/* InnoDB's, on tables. */
enum tap_lock_table_mode {
	TAP_LOCK_TABLE_IS = 1,
	TAP_LOCK_TABLE_IX,
	TAP_LOCK_TABLE_AUTO_INC,
	TAP_LOCK_TABLE_S,
	TAP_LOCK_TABLE_X,
	TAP_LOCK_TABLE_COUNT
};

/* MariaDB's enum_mdl_type from 10.3 on, each 1 higher. */
enum tap_lock_metadata_mode {
	TAP_LOCK_METADATA_IX = 1,
	TAP_LOCK_METADATA_S,
	TAP_LOCK_METADATA_SH,
	TAP_LOCK_METADATA_SR,
	TAP_LOCK_METADATA_SW,
	TAP_LOCK_METADATA_SU,
	TAP_LOCK_METADATA_SRO,
	TAP_LOCK_METADATA_SNW,
	TAP_LOCK_METADATA_SNRW,
	TAP_LOCK_METADATA_X,
	TAP_LOCK_METADATA_COUNT
};

/* The types of MariaDB's backup lock from 10.5 on, each 1 higher. */
enum tap_lock_backup_mode {
	TAP_LOCK_BACKUP_START = 1,
	TAP_LOCK_BACKUP_FLUSH,
	TAP_LOCK_BACKUP_WAIT_FLUSH,
	TAP_LOCK_BACKUP_WAIT_DDL,
	TAP_LOCK_BACKUP_WAIT_COMMIT,
	TAP_LOCK_BACKUP_FTWRL1,
	TAP_LOCK_BACKUP_FTWRL2,
	TAP_LOCK_BACKUP_DML,
	TAP_LOCK_BACKUP_TRANS_DML,
	TAP_LOCK_BACKUP_SYS_DML,
	TAP_LOCK_BACKUP_DDL,
	TAP_LOCK_BACKUP_BLOCK_DDL,
	TAP_LOCK_BACKUP_ALTER_COPY,
	TAP_LOCK_BACKUP_COMMIT,
	TAP_LOCK_BACKUP_COUNT
};

const char *tap_lock_type_name(uint8_t type);		    /* "?" beyond the table */
const char *tap_lock_mode_name(uint8_t type, uint8_t mode); /* "AccessShareLock"; "?" beyond the table */
/* How many modes there are, with 0. */
uint8_t tap_lock_mode_count(uint8_t type);
/* Whether two modes exclude each other. */
bool tap_lock_modes_conflict(uint8_t type, uint8_t a, uint8_t b);
/* The held modes that exclude this one, bit 1 << mode each; 0 for NONE and beyond the table. */
uint16_t tap_lock_mode_conflicts(uint8_t type, uint8_t mode);
/* The wanted modes whose waiters go before one that wants this, bit 1 << mode each; of queues, those ahead of it. */
uint16_t tap_lock_mode_yields(uint8_t type, uint8_t mode);
/* Whether waiters for such a lock stand in a queue; otherwise the mode alone tells who goes before whom. */
bool tap_lock_is_queue(uint8_t type);
/* Whether it is one of InnoDB's, on rows or tables. */
bool tap_lock_is_of_storage(uint8_t type);
/* Whether the server changes the order of a queue to undo a cycle that it is part of. */
bool tap_lock_is_reordered(uint8_t type);

/*
 * LOCKTAG of PostgreSQL, 16 bytes in the server; another engine's locks are told apart by the same fields. What they
 * mean depends on the type. RECORD: tablespace, page, number of the table, place in the page. ENGINE_TABLE: number in
 * the engine (two fields), number of the table. METADATA: numbers of the database and the name, the server's hash of
 * both, kind of object. NAMED: 0, number of the name, the server's hash. Numbers of names:
 * correlate/engine/mysql/number.
 */
struct tap_lock_tag {
	uint32_t field1;
	uint32_t field2;
	uint32_t field3;
	uint16_t field4;
	uint8_t type;	/* enum tap_lock_type */
	uint8_t method; /* 1 default, 2 user (advisory) */
};

/* The relation a tag is about; false: none. Database 0: the relation's number stands alone. */
bool tap_lock_tag_relation(const struct tap_lock_tag *tag, uint32_t *ret_database, uint32_t *ret_relation);

/* What a wait is about, without what differs from one row to the next: how losses are summed. */
struct tap_lock_object {
	uint32_t instance;
	uint32_t database;
	uint32_t relation; /* of relation, extend, page and tuple locks, and of a transaction's where the row was seen;
			      or 0 */
	uint32_t id1;	   /* advisory and object locks: the tag's own fields */
	uint32_t id2;
	uint8_t type; /* enum tap_lock_type */
	uint8_t pad[3];
};

/* One process's share of one lock: a PROCLOCK, or a fast-path lock. */
struct tap_lock_entry {
	struct tap_lock_tag tag;
	int32_t pid;	    /* the session's, or its number: tap_session_list_find_owner; 0: a prepared transaction */
	int32_t leader_pid; /* of its parallel group; its own pid outside one */
	uint16_t held;	    /* bit 1 << mode for each mode held */
	uint8_t wanted;	    /* mode it waits for; 0: none */
	bool fast_path;
	bool start_is_second;  /* wait_start_us is that second's beginning: the engine says no more */
	uint32_t queue;	       /* place in the lock's wait queue, from 1; 0: not known or not waiting */
	int64_t wait_start_us; /* since the Unix epoch; 0: not known, as before PostgreSQL 14 */
	uint32_t xid;	       /* of a prepared transaction; 0: none */
};

enum tap_lock_source {
	TAP_LOCKS_READ,	 /* from the server's memory */
	TAP_LOCKS_ASKED, /* over a connection */
};

/* That one waits for another, as a server says itself of InnoDB's locks. */
struct tap_lock_told {
	int32_t waiter;
	int32_t blocker; /* 0: a prepared transaction */
	uint32_t xid;	 /* of that */
	bool soft;
};

struct tap_lock_table {
	struct tap_lock_entry *entries;
	size_t count;
	size_t capacity;
	enum tap_lock_source source;
	bool complete;	  /* false: only locks that somebody waits for, and who holds them */
	uint64_t retries; /* torn reads that were read again */
	uint64_t torn; /* locks, and lists of them, that could not be read whole: what is left of them is not in it */
	int64_t realtime_ns; /* when it was read */
	/*
	 * Where the server tells who waits for whom in InnoDB: then that is so, whatever modes say, which it shows in
	 * part only.
	 */
	struct tap_lock_told *told;
	size_t n_told;
	size_t told_capacity;
	bool is_told;
};

/* What the server knows of a prepared transaction beside its locks. Strings are malloc'd, raw; NULL is not known. */
struct tap_lock_prepared {
	uint32_t xid;
	char *gid;
	char *database;
	char *user;
	int64_t prepared_us; /* since the Unix epoch; 0: not known */
};

struct tap_lock_prepared_list {
	struct tap_lock_prepared *items;
	size_t count;
	size_t capacity;
};

/* A zeroed one at the end, owned by the list; NULL when out of memory. NULL lists are fine for _done and _find. */
struct tap_lock_prepared *tap_lock_prepared_add(struct tap_lock_prepared_list *list);
void tap_lock_prepared_done(struct tap_lock_prepared_list *list);
const struct tap_lock_prepared *tap_lock_prepared_find(const struct tap_lock_prepared_list *list, uint32_t xid);

void tap_lock_table_init(struct tap_lock_table *table);
void tap_lock_table_done(struct tap_lock_table *table);
/* 0 or -ENOMEM. */
int tap_lock_table_add(struct tap_lock_table *table, const struct tap_lock_entry *entry);
int tap_lock_table_tell(struct tap_lock_table *table, const struct tap_lock_told *told);
/* The order of entries by lock, session and prepared transaction; for qsort. */
int tap_lock_entry_compare(const void *a, const void *b);
/*
 * Sorts the entries in that order, and makes one of all that a session, or prepared transaction, has of a lock and
 * wants of it: some servers keep these apart.
 */
void tap_lock_table_unite(struct tap_lock_table *table);

/* The wait-for graph: one node a process, one edge "waits for". */
struct tap_lock_edge {
	int32_t waiter;	 /* pid */
	int32_t blocker; /* pid of the blocker's group leader, as pg_blocking_pids tells; 0: a prepared transaction */
	uint32_t xid;	 /* of that */
	bool soft;	 /* ahead in the queue, not a holder */
	size_t entry;	 /* of the waiter, in the table */
};

struct tap_lock_graph {
	struct tap_lock_edge *edges; /* by waiter, blocker, xid; each once, hard where it is both */
	size_t n_edges;
	int32_t *
		cycle_pids; /* who waits, cycles one after the other; each waits for the next, the last for the first */
	size_t *cycle_ends; /* index one past each cycle in cycle_pids */
	bool *cycle_soft;   /* of each cycle: part of it is queue order, which the server may change to resolve it */
	size_t n_cycles;
	bool cut; /* more edges or cycles than anyone could look at: soft edges and cycles are left out */
};

/*
 * Edges by the rules of the server's own pg_blocking_pids, hard and soft. Of the cycles, for every process in one of
 * holders alone a shortest such one through it; for every other one a shortest one of any edges that none of those is
 * in; each once. A parallel group counts as one process. 0 or -ENOMEM.
 */
int tap_lock_graph_make(const struct tap_lock_table *table, struct tap_lock_graph *ret);
void tap_lock_graph_done(struct tap_lock_graph *graph);

enum tap_lock_cycle_kind {
	TAP_LOCK_CYCLE_HARD,  /* of holders alone: the server ends it with an error */
	TAP_LOCK_CYCLE_SOFT,  /* queue order is part of it, and another order undoes it: the server will reorder */
	TAP_LOCK_CYCLE_STUCK, /* queue order is part of it, and no order undoes it: it ends with an error, too */
};

/*
 * Of a cycle that queue order is part of, through the group of `leader_pid`: SOFT or STUCK, as the server's own
 * detector would find; SOFT where that takes too long to tell. 0 or -ENOMEM.
 */
int tap_lock_cycle_resolve(const struct tap_lock_table *table, int32_t leader_pid, enum tap_lock_cycle_kind *ret);

/* --- what a view shows: strings live in the view's arena, NULL is absent ---------------------- */

struct tap_view_lock {
	const char *type;
	const char *mode;
	const char *database;
	const char *relation; /* "public.accounts", or the oid's digits */
	const char
		*name; /* the lock in one phrase: "tuple (3,7) of public.accounts", "transaction 742", "advisory 42" */
};

struct tap_view_lock_wait {
	const char *instance;
	int64_t pid;
	const char *database;
	const char *user;
	const char *application;
	const char *client;
	const char *query_id;
	const char *query_id_source;
	const char *query;
	struct tap_view_lock lock;
	int64_t waiting_ns;	     /* so far, or in all when past */
	int64_t started_realtime_ns; /* -1: not known */
	int32_t *blocked_by;	     /* pids, 0: a prepared transaction */
	size_t n_blocked_by;
	int64_t depth;	  /* in the tree: 1 waits for a root */
	int64_t root_pid; /* the blocker at the end of the chain; -1: a cycle */
	bool past;	  /* ended within the window */
};

struct tap_view_lock_holder {
	const char *instance;
	int64_t pid;	 /* 0: a prepared transaction, which the next two name */
	uint64_t xid;	 /* 0: none */
	const char *gid; /* what PREPARE TRANSACTION called it; NULL: not known */
	const char *database;
	const char *user;
	const char *application;
	const char *client;
	const char *query_id;
	const char *query_id_source;
	const char *query;
	const char *state;	/* "active", "idle in transaction", "prepared transaction" */
	const char *doing;	/* "on CPU", "waits for Lock:transactionid", "waits for its client", ... */
	int64_t held_ns;	/* -1: not known */
	bool held_is_bound;	/* held_ns is at most: the age of the transaction */
	int64_t transaction_ns; /* age; -1: none */
	int64_t statement_ns;
	struct tap_view_lock lock; /* the one most wait for */
	int32_t *blocks;	   /* pids that wait for it directly */
	size_t n_blocks;
	uint64_t victims; /* that wait for it, directly or not */
	int64_t cost_ns;  /* sum of their waits so far */
	bool root;	  /* waits for nobody */
};

struct tap_view_lock_member {
	int64_t pid;
	const char *query_id;
	const char *query;
	struct tap_view_lock lock; /* that it waits for */
	int64_t waits_for;	   /* pid */
	bool soft;		   /* that one holds nothing of the lock: it is ahead in the queue */
};

struct tap_view_lock_cycle {
	const char *instance;
	int64_t at_realtime_ns;
	int64_t victim_pid;	     /* whom the engine sacrificed; 0: nobody yet */
	int64_t verdict_realtime_ns; /* when; -1: not yet */
	struct tap_view_lock_member *members;
	size_t n_members;
	const char *kind; /* "deadlock"; "soft cycle": the order of a queue is part of it, and another one undoes it */
	const char *outlook; /* what the server will do, or has done */
};

/* Two statements, or transactions, that take locks in opposite orders; or a pattern that costs. */
struct tap_view_lock_risk {
	const char *
		risk; /* "order_inversion", "lock_upgrade", "ddl_queue", "many_tuple_locks", "idle_blocker", "convoy" */
	const char *instance;
	const char *first_query_id;
	const char *first_query;
	const char *first_order; /* "public.a before public.b" */
	const char *second_query_id;
	const char *second_query;
	const char *second_order;
	uint64_t first_seen;
	uint64_t second_seen;
	const char *evidence;
	const char *advice;
	int64_t cost_ns;
};

/* Which query lost how long to which, over which lock, within the window. */
struct tap_view_lock_loss {
	const char *instance;
	const char *query_id;
	const char *query;
	const char *blocker_query_id;
	const char *blocker_query;
	const char *blocker_state;
	struct tap_view_lock lock;
	uint64_t waits;
	int64_t ns;
	int64_t max_ns;
};

/* Waits for locks that have ended within the window: all of one query, or all for one lock. */
struct tap_view_lock_stat {
	const char *instance;
	const char *database; /* these up to `query`: of a query */
	const char *user;
	const char *kind;
	const char *query_id;
	const char *query_id_source;
	const char *query;
	struct tap_view_lock lock; /* of a lock; no mode: all of them */
	uint64_t waits;
	uint64_t failed; /* of them: ended by a deadlock, a timeout or a cancel */
	int64_t ns;	 /* within the window */
	int64_t p50;	 /* of whole waits, within 6.3 % */
	int64_t p95;
	int64_t p99;
	int64_t max;				 /* exact */
	uint64_t octaves[TAP_LOCK_WAIT_OCTAVES]; /* the histogram by powers of two from 1 us */
};

/* Waits for what the engine protects within itself: LWLocks, buffer pins, barriers, spin locks. */
struct tap_view_lock_internal {
	const char *instance;
	const char *database;
	const char *user;
	const char *kind;
	const char *query_id;
	const char *query_id_source;
	const char *query;
	const char *class_name; /* "LWLock" */
	const char *event_name; /* "WALInsert" */
	uint64_t waits;		/* sleeps */
	int64_t ns;
};

struct tap_lock_view {
	struct tap_view_lock_wait *waits; /* current ones: roots' victims first, then by depth */
	size_t n_waits;
	struct tap_view_lock_wait *past;
	size_t n_past;
	struct tap_view_lock_holder *holders; /* roots first, dearest first */
	size_t n_holders;
	struct tap_view_lock_cycle *cycles;
	size_t n_cycles;
	struct tap_view_lock_risk *risks;
	size_t n_risks;
	struct tap_view_lock_loss *losses;
	size_t n_losses;
	struct tap_view_lock_stat *by_query; /* dearest first */
	size_t n_by_query;
	struct tap_view_lock_stat *by_lock;
	size_t n_by_lock;
	struct tap_view_lock_internal *internal;
	size_t n_internal;
};

#endif
