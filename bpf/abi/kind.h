/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kind.h - what a thread of a database instance is, or what it does between statements.
 *
 * One table: the number travels in records, the name is what every output prints.
 */
#ifndef TAP_BPF_ABI_KIND_H
#define TAP_BPF_ABI_KIND_H

#define TAP_KINDS(X) \
	X(NONE, "none") \
	X(UNKNOWN, "unknown") \
	X(CLIENT, "client") \
	X(PARALLEL, "parallel") \
	X(AUTOVACUUM, "autovacuum") \
	X(WALSENDER, "walsender") \
	X(BGWORKER, "bgworker") \
	X(AUTOVACUUM_LAUNCHER, "autovacuum_launcher") \
	X(BGWRITER, "bgwriter") \
	X(CHECKPOINTER, "checkpointer") \
	X(STARTUP, "startup") \
	X(WALRECEIVER, "walreceiver") \
	X(WALWRITER, "walwriter") \
	X(ARCHIVER, "archiver") \
	X(LOGGER, "logger") \
	X(POSTMASTER, "postmaster") \
	X(STARTING, "starting") \
	X(EXITING, "exiting") \
	X(CHILD, "child") \
	X(BACKGROUND, "background") \
	X(IDLE, "idle") \
	X(IDLE_IN_TRANSACTION, "idle_in_transaction") \
	X(REST, "rest") \
	X(KERNEL, "kernel") \
	X(OTHER, "other") \
	X(STATS_COLLECTOR, "stats_collector") \
	X(SLOTSYNC_WORKER, "slotsync_worker") \
	X(WALSUMMARIZER, "walsummarizer") \
	X(IO_WORKER, "io_worker") \
	X(POOL_WORKER, "pool_worker") \
	X(LOGICAL_WORKER, "logical_worker") \
	X(PURGE, "purge") \
	X(PAGE_CLEANER, "page_cleaner") \
	X(LOG_WRITER, "log_writer") \
	X(IO_THREAD, "io_thread") \
	X(INNODB_WORKER, "innodb_worker") \
	X(REPLICATION_RECEIVER, "replication_receiver") \
	X(REPLICATION_APPLIER, "replication_applier") \
	X(EVENT_SCHEDULER, "event_scheduler") \
	X(EVENT_WORKER, "event_worker") \
	X(SIGNAL_HANDLER, "signal_handler")

/*
 * NONE         no row: a free place in a table; never shown
 * UNKNOWN      the engine shows a type this build of dbtap has no name for
 * STARTING     forked, and has not said yet what it is; a client that was never idle yet
 * EXITING      has left the engine's tables and is on its way out
 * CHILD        a program the instance started (archive_command, COPY ... PROGRAM)
 * BACKGROUND   a thread of the server that serves no client's session
 * IDLE*        a client session between statements
 * REST         what a full map could not keep apart
 * KERNEL       kernel threads: block requests only
 * OTHER        processes of no watched instance: block requests only
 * IO_WORKER    reads that sessions asked for: its own row has what cannot be told to be one's
 * POOL_WORKER  a thread of MariaDB's pool while it serves no session
 * LOGICAL_WORKER applies or copies what a publisher of logical replication sends
 * PURGE        removes what InnoDB's transactions have deleted and nobody sees any more
 * LOG_WRITER   writes and syncs InnoDB's redo log; MySQL
 * IO_THREAD    waits for InnoDB's requests to be done
 * INNODB_WORKER a thread of InnoDB's own pool, whose tasks are told apart only where they have a session; MariaDB
 * REPLICATION_RECEIVER fetches what another server has written, REPLICATION_APPLIER does it here
 * EVENT_WORKER runs what the event scheduler found to be due
 */
enum tap_kind {
#define X(id, name) TAP_KIND_##id,
	TAP_KINDS(X)
#undef X
	TAP_KIND_COUNT
};

#endif
