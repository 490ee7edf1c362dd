/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pg_layout.h - where PostgreSQL keeps, in each of its processes, what dbtap reads.
 *
 * A row of the layout table (userspace/attach/pg_layout.c) fills the offsets, the binary's symbols and the load address
 * fill the addresses. BPF programs and userspace read through the same record.
 */
#ifndef TAP_BPF_ABI_PG_LAYOUT_H
#define TAP_BPF_ABI_PG_LAYOUT_H

#include "bpf/abi/kind.h"
#include "bpf/abi/types.h"

enum {
	TAP_PG_BACKEND_TYPES = 32,	 /* bound of BackendType values, all versions */
	TAP_PG_BACKEND_STATES = 8,	 /* the same of BackendState */
	TAP_PG_ABSENT = 0xffff,		 /* an offset of what the version does not have */
	TAP_PG_STATUS_MAX = 448,	 /* bound of sizeof(PgBackendStatus), all versions */
	TAP_PG_CLIENT_READ = 0x06000000, /* wait event ClientRead, all versions from 13 */
	TAP_PG_ACTIVITY_CLASS = 0x05,	 /* of wait events: a background process waits for work */
};

/* What the engine's BackendState numbers mean; the table of a layout maps them. A session that logs in has none. */
enum tap_pg_state {
	TAP_PG_STATE_UNDEFINED = 0,
	TAP_PG_STATE_IDLE = 1,
	TAP_PG_STATE_RUNNING = 2,
	TAP_PG_STATE_IDLE_IN_TRANSACTION = 3,
	TAP_PG_STATE_FASTPATH = 4,
	TAP_PG_STATE_IDLE_IN_TRANSACTION_ABORTED = 5,
	TAP_PG_STATE_DISABLED = 6,
	TAP_PG_STATE_COUNT = 7,
};

/* Whether a statement is running. */
static inline __u8 tap_pg_state_is_running(__u8 state)
{
	return state == TAP_PG_STATE_RUNNING || state == TAP_PG_STATE_FASTPATH;
}

/* The kind of row for a client's time between statements; NONE: the state is not one of a client session. */
static inline __u8 tap_pg_state_idle_kind(__u8 state)
{
	if (state == TAP_PG_STATE_IDLE)
		return TAP_KIND_IDLE;
	if (state == TAP_PG_STATE_IDLE_IN_TRANSACTION || state == TAP_PG_STATE_IDLE_IN_TRANSACTION_ABORTED)
		return TAP_KIND_IDLE_IN_TRANSACTION;
	return TAP_KIND_NONE;
}

/*
 * The kind of row for what a process does while it runs no statement. A client says that it is idle for the first time
 * once it has logged in: until then it is starting.
 */
static inline __u8 tap_pg_kind_between(__u8 kind, __u8 state)
{
	__u8 idle = tap_pg_state_idle_kind(state);

	if (kind != TAP_KIND_CLIENT)
		return kind;
	if (idle)
		return idle;
	return state == TAP_PG_STATE_UNDEFINED ? TAP_KIND_STARTING : kind;
}

/* Offsets in bytes. `status_*` are of PgBackendStatus, `proc_*` of PGPROC. */
struct tap_pg_layout {
	__u16 status_size; /* sizeof(PgBackendStatus), at most TAP_PG_STATUS_MAX */
	__u16 status_changecount;
	__u16 status_procpid;
	__u16 status_backend_type;
	__u16 status_proc_start;
	__u16 status_xact_start;
	__u16 status_activity_start;
	__u16 status_state_start;
	__u16 status_database;
	__u16 status_user;
	__u16 status_client_addr; /* SockAddr: 128 bytes of sockaddr_storage, then its length */
	__u16 status_state;
	__u16 status_appname;  /* char * */
	__u16 status_activity; /* char * */
	__u16 status_progress_command;
	__u16 status_query_id;	      /* TAP_PG_ABSENT before version 14 */
	__u16 proc_lock_group_leader; /* PGPROC *; TAP_PG_ABSENT: not known */
	__u16 proc_pid;
	__u16 proc_wait_event_info;
	__u16 wait_event_offset; /* of the wait event word, from where *my_wait_event_info leads to */
	/* By how much st_changecount grows from idle to idle; bpf/statement.bpf.h. */
	__u8 changes_of_one[2]; /* at most, for one statement: with ids of the engine, without */
	__u8 changes_extended;	/* ... or exactly this, with ids of the engine; 0: no such case */
	__u8 changes_least;	/* of a statement that passed unseen */
	__u16 pad;
	/* The wait for a heavyweight lock. The two after the first lie within 64 bytes of it. */
	__u16 proc_wait_lock;			 /* LOCK *; 0: not known, and nothing of the rest is */
	__u16 proc_wait_lock_mode;		 /* int */
	__u16 proc_wait_start;			 /* uint64; 0: the version has none */
	__u16 proc_wait_status;			 /* int */
	__u16 lock_tag;				 /* of LOCK: LOCKTAG */
	__u8 kind_of_type[TAP_PG_BACKEND_TYPES]; /* enum tap_kind by BackendType; UNKNOWN where the version has none */
	/* enum tap_pg_state by BackendState; TAP_PG_STATE_COUNT where the version has none */
	__u8 state_of[TAP_PG_BACKEND_STATES];
};
TAP_ABI_SIZE(tap_pg_layout, 96);

/* Addresses of the binary's variables in every process of an instance (the postmaster forks, so they are the same). */
struct tap_pg_addresses {
	__u64 my_beentry;	      /* PgBackendStatus *MyBEEntry */
	__u64 my_wait_event_info;     /* uint32 *my_wait_event_info; before version 14 MyProc */
	__u64 my_proc;		      /* PGPROC *MyProc */
	__u64 parallel_worker_number; /* int ParallelWorkerNumber, -1 outside parallel workers */
	__u64 query_id_enabled;	      /* bool query_id_enabled */
	__u64 checkpoint_stats;	      /* CheckpointStatsData CheckpointStats; 0: not known */
	__u64 my_logical_worker;      /* LogicalRepWorker *MyLogicalRepWorker, NULL in all others; 0: not known */
	__u64 debug_query_string;     /* const char *debug_query_string: the whole text; 0: not known */
	__u64 error_depth;	      /* int errordata_stack_depth, -1: no error; 0: not known */
	__u64 error_code;	      /* int sqlerrcode of the first ErrorData */
	__u32 error_size;	      /* of an ErrorData */
	__u32 pad;
};
TAP_ABI_SIZE(tap_pg_addresses, 88);

/*
 * Where an instance keeps what is asked of its io workers, from version 18: arrays in shared memory, and offsets of
 * what is read of their elements. `handles` 0: not known, or the version has none.
 */
struct tap_pg_aio {
	__u64 handles;	   /* PgAioHandle[] */
	__u64 iovecs;	   /* struct iovec[], iovecs_each for each handle */
	__u64 blocks;	   /* the shared buffers */
	__u64 descriptors; /* their BufferDesc[] */
	__u64 statuses;	   /* PgBackendStatus[], and */
	__u64 procs;	   /* PGPROC[], by the same place */
	__u32 n_handles;
	__u32 iovecs_each;
	__u32 n_blocks;
	__u32 block_size;
	__u32 n_procs;
	__u16 proc_size;
	__u16 handle_size;
	__u16 handle_state; /* uint8 */
	__u16 handle_owner; /* int32: a place in `procs` */
	__u16 handle_resowner;
	__u16 submitted; /* the state of one that is under way */
	__u16 descriptor_size;
	__u16 descriptor_wait; /* uint32: the handle that reads into the buffer */
	__u32 pad;
};
TAP_ABI_SIZE(tap_pg_aio, 88);

#endif
