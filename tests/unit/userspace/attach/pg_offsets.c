// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_offsets.c - prints where a PostgreSQL version's own headers put what the layout table names, as "name value"
 * lines. A program of its own: built and run by test_pg_layout and by tests/lib/pg_layout_row.py where a server's
 * headers are to be had; it is no part of dbtap.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lock.h"
#include "storage/proc.h"
#if PG_VERSION_NUM >= 140000
#include "utils/backend_status.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "storage/aio_internal.h"
#include "storage/buf_internals.h"
#endif

/* The server's headers send printf to a library that is not linked here. */
#undef printf
#include <stdio.h>

enum {
	ABSENT = 0xffff,
};

#define NUMBER(name, value) printf(name " %ld\n", (long)(value))
#define OFFSET(name, type, member) NUMBER(name, offsetof(type, member))

static void status_print(void)
{
	NUMBER("layout.status_size", sizeof(PgBackendStatus));
	OFFSET("layout.status_changecount", PgBackendStatus, st_changecount);
	OFFSET("layout.status_procpid", PgBackendStatus, st_procpid);
	OFFSET("layout.status_backend_type", PgBackendStatus, st_backendType);
	OFFSET("layout.status_proc_start", PgBackendStatus, st_proc_start_timestamp);
	OFFSET("layout.status_xact_start", PgBackendStatus, st_xact_start_timestamp);
	OFFSET("layout.status_activity_start", PgBackendStatus, st_activity_start_timestamp);
	OFFSET("layout.status_state_start", PgBackendStatus, st_state_start_timestamp);
	OFFSET("layout.status_database", PgBackendStatus, st_databaseid);
	OFFSET("layout.status_user", PgBackendStatus, st_userid);
	OFFSET("layout.status_client_addr", PgBackendStatus, st_clientaddr);
	OFFSET("layout.status_state", PgBackendStatus, st_state);
	OFFSET("layout.status_appname", PgBackendStatus, st_appname);
	OFFSET("layout.status_activity", PgBackendStatus, st_activity_raw);
	OFFSET("layout.status_progress_command", PgBackendStatus, st_progress_command);
#if PG_VERSION_NUM >= 140000
	OFFSET("layout.status_query_id", PgBackendStatus, st_query_id);
#else
	NUMBER("layout.status_query_id", ABSENT);
#endif
}

static void proc_print(void)
{
	OFFSET("layout.proc_lock_group_leader", PGPROC, lockGroupLeader);
	OFFSET("layout.proc_pid", PGPROC, pid);
	OFFSET("layout.proc_wait_event_info", PGPROC, wait_event_info);
#if PG_VERSION_NUM >= 140000
	NUMBER("layout.wait_event_offset", 0);
	OFFSET("layout.proc_wait_start", PGPROC, waitStart);
	OFFSET("locks.proc_wait_start", PGPROC, waitStart);
	OFFSET("locks.proc_xid", PGPROC, xid);
	NUMBER("locks.header_xacts", 0);
	NUMBER("locks.xact_size", 0);
#else
	OFFSET("layout.wait_event_offset", PGPROC, wait_event_info);
	NUMBER("layout.proc_wait_start", 0);
	NUMBER("locks.proc_wait_start", ABSENT);
	OFFSET("locks.proc_xid", PGPROC, lxid);
	OFFSET("locks.header_xacts", PROC_HDR, allPgXact);
	NUMBER("locks.xact_size", sizeof(PGXACT));
#endif
	OFFSET("layout.proc_wait_lock", PGPROC, waitLock);
	OFFSET("layout.proc_wait_lock_mode", PGPROC, waitLockMode);
	OFFSET("layout.proc_wait_status", PGPROC, waitStatus);
	OFFSET("layout.lock_tag", LOCK, tag);
	OFFSET("locks.header_procs", PROC_HDR, allProcs);
	OFFSET("locks.header_count", PROC_HDR, allProcCount);
	NUMBER("locks.proc_size", sizeof(PGPROC));
#if PG_VERSION_NUM >= 190000
	OFFSET("locks.proc_links", PGPROC, waitLink);
#else
	OFFSET("locks.proc_links", PGPROC, links);
#endif
	OFFSET("locks.proc_pid", PGPROC, pid);
#if PG_VERSION_NUM >= 170000
	OFFSET("locks.proc_backend_id", PGPROC, vxid.procNumber);
#else
	OFFSET("locks.proc_backend_id", PGPROC, backendId);
#endif
	OFFSET("locks.proc_database", PGPROC, databaseId);
	OFFSET("locks.proc_wait_lock", PGPROC, waitLock);
	OFFSET("locks.proc_wait_share", PGPROC, waitProcLock);
	OFFSET("locks.proc_wait_mode", PGPROC, waitLockMode);
	OFFSET("locks.proc_lists", PGPROC, myProcLocks);
	NUMBER("locks.proc_n_lists", NUM_LOCK_PARTITIONS);
	OFFSET("locks.proc_fast_bits", PGPROC, fpLockBits);
	OFFSET("locks.proc_fast_relations", PGPROC, fpRelId);
	OFFSET("locks.proc_fast_vxid", PGPROC, fpVXIDLock);
	OFFSET("locks.proc_fast_lxid", PGPROC, fpLocalTransactionId);
#if PG_VERSION_NUM >= 180000
	NUMBER("locks.proc_fast_slots", FP_LOCK_SLOTS_PER_GROUP);
	NUMBER("locks.fast_apart", 1);
#else
	NUMBER("locks.proc_fast_slots", FP_LOCK_SLOTS_PER_BACKEND);
	NUMBER("locks.fast_apart", 0);
#endif
}

/* Lists: two pointers in a head and in a link, under names that changed with 16. */
static void lock_print(void)
{
	NUMBER("locks.lock_size", sizeof(LOCK));
	OFFSET("locks.lock_tag", LOCK, tag);
	OFFSET("locks.lock_grant_mask", LOCK, grantMask);
	OFFSET("locks.lock_wait_mask", LOCK, waitMask);
	OFFSET("locks.lock_shares", LOCK, procLocks);
#if PG_VERSION_NUM >= 160000
	OFFSET("locks.lock_queue", LOCK, waitProcs.dlist);
	OFFSET("locks.lock_queue_size", LOCK, waitProcs.count);
	OFFSET("check.link_prev", dlist_node, prev);
	OFFSET("check.link_next", dlist_node, next);
#else
	OFFSET("locks.lock_queue", LOCK, waitProcs.links);
	OFFSET("locks.lock_queue_size", LOCK, waitProcs.size);
	OFFSET("check.link_prev", SHM_QUEUE, prev);
	OFFSET("check.link_next", SHM_QUEUE, next);
#endif
	OFFSET("locks.lock_requested", LOCK, requested);
	OFFSET("check.lock_n_requested", LOCK, nRequested);
	OFFSET("locks.lock_granted", LOCK, granted);
	OFFSET("check.lock_n_granted", LOCK, nGranted);
	NUMBER("locks.share_size", sizeof(PROCLOCK));
	OFFSET("locks.share_lock", PROCLOCK, tag.myLock);
	OFFSET("locks.share_proc", PROCLOCK, tag.myProc);
	OFFSET("locks.share_leader", PROCLOCK, groupLeader);
	OFFSET("locks.share_held", PROCLOCK, holdMask);
	OFFSET("locks.share_lock_link", PROCLOCK, lockLink);
	OFFSET("locks.share_proc_link", PROCLOCK, procLink);
	NUMBER("check.lock_modes", MAX_LOCKMODES);
	NUMBER("check.lock_types", LOCKTAG_LAST_TYPE + 1);
	NUMBER("check.namedatalen", NAMEDATALEN);
}

static void kinds_print(void)
{
	NUMBER("kind.autovacuum_launcher", B_AUTOVAC_LAUNCHER);
	NUMBER("kind.autovacuum", B_AUTOVAC_WORKER);
	NUMBER("kind.client", B_BACKEND);
	NUMBER("kind.bgworker", B_BG_WORKER);
	NUMBER("kind.bgwriter", B_BG_WRITER);
	NUMBER("kind.checkpointer", B_CHECKPOINTER);
	NUMBER("kind.startup", B_STARTUP);
	NUMBER("kind.walreceiver", B_WAL_RECEIVER);
	NUMBER("kind.walsender", B_WAL_SENDER);
	NUMBER("kind.walwriter", B_WAL_WRITER);
	NUMBER("kind.archiver", B_ARCHIVER);
	NUMBER("kind.logger", B_LOGGER);
#if PG_VERSION_NUM < 150000
	NUMBER("kind.stats_collector", B_STATS_COLLECTOR);
#endif
#if PG_VERSION_NUM >= 170000
	NUMBER("kind.slotsync_worker", B_SLOTSYNC_WORKER);
	NUMBER("kind.walsummarizer", B_WAL_SUMMARIZER);
#endif
#if PG_VERSION_NUM >= 180000
	NUMBER("kind.starting", B_DEAD_END_BACKEND);
	NUMBER("kind.io_worker", B_IO_WORKER);
#endif
}

static void states_print(void)
{
	NUMBER("state.undefined", STATE_UNDEFINED);
	NUMBER("state.idle", STATE_IDLE);
	NUMBER("state.running", STATE_RUNNING);
	NUMBER("state.idle_in_transaction", STATE_IDLEINTRANSACTION);
	NUMBER("state.fastpath", STATE_FASTPATH);
	NUMBER("state.idle_in_transaction_aborted", STATE_IDLEINTRANSACTION_ABORTED);
	NUMBER("state.disabled", STATE_DISABLED);
}

static void checkpoint_print(void)
{
	NUMBER("checkpoint.size", sizeof(CheckpointStatsData));
	OFFSET("checkpoint.start", CheckpointStatsData, ckpt_start_t);
	OFFSET("checkpoint.write", CheckpointStatsData, ckpt_write_t);
	OFFSET("checkpoint.sync", CheckpointStatsData, ckpt_sync_t);
	OFFSET("checkpoint.sync_end", CheckpointStatsData, ckpt_sync_end_t);
	OFFSET("checkpoint.end", CheckpointStatsData, ckpt_end_t);
	OFFSET("checkpoint.buffers", CheckpointStatsData, ckpt_bufs_written);
	OFFSET("checkpoint.files", CheckpointStatsData, ckpt_sync_rels);
	OFFSET("checkpoint.longest_sync", CheckpointStatsData, ckpt_longest_sync);
	OFFSET("checkpoint.sync_total", CheckpointStatsData, ckpt_agg_sync_time);
}

#if PG_VERSION_NUM >= 180000
static void aio_print(void)
{
	OFFSET("aio.control_iovec_count", PgAioCtl, iovec_count);
	OFFSET("aio.control_iovecs", PgAioCtl, iovecs);
	OFFSET("aio.control_handle_count", PgAioCtl, io_handle_count);
	OFFSET("aio.control_handles", PgAioCtl, io_handles);
	NUMBER("aio.handle_size", sizeof(PgAioHandle));
	OFFSET("aio.handle_state", PgAioHandle, state);
	OFFSET("aio.handle_owner", PgAioHandle, owner_procno);
	OFFSET("aio.handle_resowner", PgAioHandle, resowner);
	OFFSET("aio.handle_iovec", PgAioHandle, iovec_off);
	NUMBER("aio.submitted", PGAIO_HS_SUBMITTED);
	NUMBER("aio.descriptor_size", sizeof(BufferDescPadded));
	OFFSET("aio.descriptor_wait", BufferDesc, io_wref.aio_index);
	NUMBER("aio.block_size", BLCKSZ);
}
#endif

int main(void)
{
	NUMBER("row.major", PG_VERSION_NUM / 10000);
	NUMBER("row.proc_size", sizeof(PGPROC));
	status_print();
	proc_print();
	lock_print();
	kinds_print();
	states_print();
	checkpoint_print();
#if PG_VERSION_NUM >= 180000
	aio_print();
#endif
	return 0;
}
