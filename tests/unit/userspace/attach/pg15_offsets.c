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
