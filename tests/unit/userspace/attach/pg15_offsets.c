// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg15_offsets.c - prints where PostgreSQL 15's own headers put what the layout table names. A program of its own,
 * built and run by test_pg_layout where the server's headers are installed; it is no part of dbtap.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/backend_status.h"

/* The server's headers send printf to a library that is not linked here. */
#undef printf
#include <stdio.h>

#define OFFSET(name, type, member) printf("%s %zu\n", name, offsetof(type, member))

int main(void)
{
	printf("major %d\n", PG_VERSION_NUM / 10000);
	printf("status_size %zu\n", sizeof(PgBackendStatus));
	printf("proc_size %zu\n", sizeof(PGPROC));
	OFFSET("changecount", PgBackendStatus, st_changecount);
	OFFSET("procpid", PgBackendStatus, st_procpid);
	OFFSET("backend_type", PgBackendStatus, st_backendType);
	OFFSET("proc_start", PgBackendStatus, st_proc_start_timestamp);
	OFFSET("xact_start", PgBackendStatus, st_xact_start_timestamp);
	OFFSET("activity_start", PgBackendStatus, st_activity_start_timestamp);
	OFFSET("state_start", PgBackendStatus, st_state_start_timestamp);
	OFFSET("database", PgBackendStatus, st_databaseid);
	OFFSET("user", PgBackendStatus, st_userid);
	OFFSET("client_addr", PgBackendStatus, st_clientaddr);
	OFFSET("state", PgBackendStatus, st_state);
	OFFSET("appname", PgBackendStatus, st_appname);
	OFFSET("activity", PgBackendStatus, st_activity_raw);
	OFFSET("progress_command", PgBackendStatus, st_progress_command);
	OFFSET("query_id", PgBackendStatus, st_query_id);
	OFFSET("lock_group_leader", PGPROC, lockGroupLeader);
	OFFSET("pid", PGPROC, pid);
	OFFSET("wait_event_info", PGPROC, wait_event_info);
	OFFSET("wait_lock", PGPROC, waitLock);
	OFFSET("wait_lock_mode", PGPROC, waitLockMode);
	OFFSET("wait_start", PGPROC, waitStart);
	OFFSET("wait_status", PGPROC, waitStatus);
	OFFSET("lock_tag", LOCK, tag);
	OFFSET("header_procs", PROC_HDR, allProcs);
	OFFSET("header_count", PROC_HDR, allProcCount);
	OFFSET("proc_links", PGPROC, links);
	OFFSET("proc_xid", PGPROC, xid);
	OFFSET("proc_backend_id", PGPROC, backendId);
	OFFSET("proc_database", PGPROC, databaseId);
	OFFSET("proc_wait_share", PGPROC, waitProcLock);
	OFFSET("proc_lists", PGPROC, myProcLocks);
	OFFSET("proc_fast_bits", PGPROC, fpLockBits);
	OFFSET("proc_fast_relations", PGPROC, fpRelId);
	OFFSET("proc_fast_vxid", PGPROC, fpVXIDLock);
	OFFSET("proc_fast_lxid", PGPROC, fpLocalTransactionId);
	OFFSET("lock_grant_mask", LOCK, grantMask);
	OFFSET("lock_wait_mask", LOCK, waitMask);
	OFFSET("lock_shares", LOCK, procLocks);
	OFFSET("lock_queue", LOCK, waitProcs.links);
	OFFSET("lock_queue_size", LOCK, waitProcs.size);
	OFFSET("lock_requested", LOCK, requested);
	OFFSET("lock_n_requested", LOCK, nRequested);
	OFFSET("lock_granted", LOCK, granted);
	OFFSET("lock_n_granted", LOCK, nGranted);
	OFFSET("share_lock", PROCLOCK, tag.myLock);
	OFFSET("share_proc", PROCLOCK, tag.myProc);
	OFFSET("share_leader", PROCLOCK, groupLeader);
	OFFSET("share_held", PROCLOCK, holdMask);
	OFFSET("share_lock_link", PROCLOCK, lockLink);
	OFFSET("share_proc_link", PROCLOCK, procLink);
	OFFSET("link_prev", SHM_QUEUE, prev);
	OFFSET("link_next", SHM_QUEUE, next);
	printf("lock_size %zu\n", sizeof(LOCK));
	printf("share_size %zu\n", sizeof(PROCLOCK));
	printf("proc_n_lists %d\n", NUM_LOCK_PARTITIONS);
	printf("proc_fast_slots %d\n", FP_LOCK_SLOTS_PER_BACKEND);
	printf("lock_modes %d\n", MAX_LOCKMODES);
	printf("lock_types %d\n", LOCKTAG_LAST_TYPE + 1);
	printf("autovacuum_launcher %d\n", B_AUTOVAC_LAUNCHER);
	printf("autovacuum %d\n", B_AUTOVAC_WORKER);
	printf("client %d\n", B_BACKEND);
	printf("bgworker %d\n", B_BG_WORKER);
	printf("bgwriter %d\n", B_BG_WRITER);
	printf("checkpointer %d\n", B_CHECKPOINTER);
	printf("startup %d\n", B_STARTUP);
	printf("walreceiver %d\n", B_WAL_RECEIVER);
	printf("walsender %d\n", B_WAL_SENDER);
	printf("walwriter %d\n", B_WAL_WRITER);
	printf("archiver %d\n", B_ARCHIVER);
	printf("logger %d\n", B_LOGGER);
	printf("state_undefined %d\n", STATE_UNDEFINED);
	printf("state_idle %d\n", STATE_IDLE);
	printf("state_running %d\n", STATE_RUNNING);
	printf("state_idle_in_transaction %d\n", STATE_IDLEINTRANSACTION);
	printf("state_fastpath %d\n", STATE_FASTPATH);
	printf("state_idle_in_transaction_aborted %d\n", STATE_IDLEINTRANSACTION_ABORTED);
	printf("state_disabled %d\n", STATE_DISABLED);
	printf("namedatalen %d\n", NAMEDATALEN);
	return 0;
}
