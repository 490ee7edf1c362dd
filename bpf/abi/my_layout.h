/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * my_layout.h - where MariaDB and MySQL keep, for each session, what dbtap reads; and how its sleeps are told apart.
 *
 * A session is an object, THD, that the thread which serves it right now points to in thread-local storage. The binary
 * and a table (userspace/attach/my_layout.c) fill the offsets. BPF programs and userspace read through the same record.
 */
#ifndef TAP_BPF_ABI_MY_LAYOUT_H
#define TAP_BPF_ABI_MY_LAYOUT_H

#include "bpf/abi/my_lock.h"
#include "bpf/abi/types.h"

/* Commands of the protocol that mean something here; all versions. */
enum tap_my_command {
	TAP_MY_COM_SLEEP = 0, /* between statements */
	TAP_MY_COM_QUIT = 1,
	TAP_MY_COM_QUERY = 3,
	TAP_MY_COM_CONNECT = 11, /* logging in */
	TAP_MY_COM_BINLOG_DUMP = 18,
	TAP_MY_COM_STMT_PREPARE = 22,
	TAP_MY_COM_STMT_EXECUTE = 23,
	TAP_MY_COM_DAEMON = 29,	       /* a thread of the server's own */
	TAP_MY_COM_SLAVE_WORKER = 251, /* this and the two that follow: MariaDB */
	TAP_MY_COM_SLAVE_IO = 252,
	TAP_MY_COM_SLAVE_SQL = 253,
	TAP_MY_COM_COUNT = 256, /* bound: none of any version is larger */
};

/* Bits of a session's server_status. */
enum {
	TAP_MY_STATUS_IN_TRANS = 1,
	TAP_MY_STATUS_AUTOCOMMIT = 2,
};

/*
 * What a thread sleeps for: by the system call it is in, and where that is the wait for a mutex or condition, by the
 * stage the session is in. id, class, name.
 */
#define TAP_MY_WAITS(X) \
	X(OTHER, "Other", "SystemCall") \
	X(CLIENT, "Client", "ClientRead") \
	X(NETWORK, "Network", "Network") \
	X(FILE_READ, "IO", "FileRead") \
	X(FILE_WRITE, "IO", "FileWrite") \
	X(FILE_SYNC, "IO", "FileSync") \
	X(FILE_META, "IO", "FileMeta") \
	X(ASYNC_IO, "IO", "AsyncIO") \
	X(FUTEX, "Sync", "MutexOrCondition") \
	X(MEMORY, "Memory", "AddressSpace") \
	X(PAGE_FAULT, "Memory", "PageFault") \
	X(TIMER, "Timeout", "Timer") \
	X(METADATA_LOCK, "Lock", "MetadataLock") \
	X(TABLE_LOCK, "Lock", "TableLock") \
	X(USER_LOCK, "Lock", "UserLock") \
	X(USER_SLEEP, "Timeout", "UserSleep") \
	X(COMMIT_ORDER, "Commit", "PriorCommit") \
	X(GLOBAL_LOCK, "Lock", "GlobalReadLock") \
	X(IDLE_THREAD, "Activity", "Idle") \
	X(COMMIT_SYNC, "Commit", "HandlerCommit") \
	X(ROW_LOCK, "Lock", "RowLock") \
	X(ENGINE_TABLE_LOCK, "Lock", "EngineTableLock")

/* The number of a wait in records: class and place are one enumeration, with a mark of its own above. */
enum tap_my_wait {
	TAP_MY_WAIT_NONE = 0x4d000000,
#define X(id, class_name, name) TAP_MY_WAIT_##id,
	TAP_MY_WAITS(X)
#undef X
	TAP_MY_WAIT_END,
};

/* Whether it is one for a lock that records tell of (bpf/my_lock.bpf.h). */
static inline __u8 tap_my_wait_is_lock(__u32 event)
{
	return event == TAP_MY_WAIT_METADATA_LOCK || event == TAP_MY_WAIT_USER_LOCK ||
	       event == TAP_MY_WAIT_GLOBAL_LOCK || event == TAP_MY_WAIT_ROW_LOCK ||
	       event == TAP_MY_WAIT_ENGINE_TABLE_LOCK;
}

enum {
	TAP_MY_STAGES = 8, /* stages that name a wait */
};

/* Offsets in bytes, of THD where nothing else is said. */
struct tap_my_layout {
	__s32 thd;	       /* from the thread pointer: THD * */
	__u32 query;	       /* char *, with the length behind it; NULL between statements */
	__u32 database;	       /* char *, with the length behind it; NULL: none */
	__u32 command;	       /* uint32, enum tap_my_command */
	__u32 stage;	       /* const char * */
	__u32 server_status;   /* uint32 */
	__u32 connection;      /* uint32, the connection's number, or the lower half of it */
	__u32 security;	       /* Security_context * */
	__u32 user;	       /* of that: char *; NULL: not logged in yet */
	__u32 questions;       /* uint64: statements the client has sent */
	__u32 received;	       /* uint64: bytes it has sent */
	__u32 executes;	       /* uint64: executions of prepared statements */
	__u32 statement;       /* Statement *, the prepared statement used last; NULL: none */
	__u32 statement_query; /* of that: char *, with the length behind it */
	__u32 memory;	       /* MEM_ROOT * */
	__u32 first_block;     /* of that: its first block; what is allocated first is the text that came last ... */
	__u32 block_header;    /* ... behind this many bytes */
	/* MySQL keeps the text of the last statement for its performance schema. */
	__u32 record;		/* the schema's record of the thread; 0: there is none in this product */
	__u32 record_statement; /* of that: its outermost statement */
	__u32 record_text;	/* of that: char *, with the length, uint32, behind it; no NUL ends it */
};
TAP_ABI_SIZE(tap_my_layout, 80);

/* Where the texts lie that stages of a wait point to, and what it is to sleep in one. */
struct tap_my_stages {
	__u64 base;
	__u32 offset[TAP_MY_STAGES]; /* from `base`; 0: none */
	__u8 wait[TAP_MY_STAGES];    /* enum tap_my_wait less TAP_MY_WAIT_NONE */
};
TAP_ABI_SIZE(tap_my_stages, 48);

/* What the kernel side is told of an instance. */
struct tap_my_instance {
	struct tap_my_layout layout;
	__u32 newest; /* number of the newest connection when the instance was adopted; with `pooled` */
	__u32 pooled; /* sessions move between the threads of a pool */
	struct tap_my_stages stages;
	struct tap_my_lock_layout locks; /* all 0: they are not known */
};
TAP_ABI_SIZE(tap_my_instance, 272);

/* What a session of a pool had got from its client when a thread last let go of it: its statements up to here are
 * counted. */
struct tap_my_pooled_key {
	__u64 thd;
	__u32 instance;
	__u32 pad;
};
TAP_ABI_SIZE(tap_my_pooled_key, 16);

struct tap_my_pooled {
	__u64 received;
	__u64 executes;
	__u32 questions;
	__s32 connection;
};
TAP_ABI_SIZE(tap_my_pooled, 24);

enum {
	TAP_MY_POOLED_MAX = 8192, /* of a host; of more sessions those that rested longest count anew */
};

/*
 * Databases and users have no numbers here: a hash of the name stands in, never 0. It is taken over words of 8 bytes,
 * zeros behind the name; names that share their first TAP_MY_NAME_SIZE bytes are one.
 */
enum {
	TAP_MY_NAME_SIZE = 64,
	TAP_MY_TABLE_NAME_SIZE = 192, /* of tables, as InnoDB calls them: "database/table#P#partition" */
};

static inline __u64 tap_my_name_step(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

static inline __u32 tap_my_name_final(__u64 hash)
{
	return (__u32)hash ? (__u32)hash : 1;
}

#endif
