/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_queue.h - who stands before whom in the wait queue of a lock, for tables that locks.h has filled.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_LOCK_QUEUE_H
#define TAP_CORRELATE_ENGINE_POSTGRES_LOCK_QUEUE_H

#include "correlate/engine/postgres/field.h"
#include "correlate/lock.h"

/* The places in one lock's queue, from the waits' beginnings and the modes held: the rule by which the server queues.
 */
void tap_pg_locks_queue(struct tap_lock_entry *entries, size_t count);

/*
 * The places as pg_blocking_pids tells them, in the table that tap_pg_query_locks has just filled; of queues that have
 * come or gone since, and beyond the first hundred waiters, they stay as they are. Asks nothing where no queue has two
 * in it. Errors as tap_pg_conn_run, or -ENOMEM: the table is as it was.
 */
int tap_pg_query_queues(struct tap_pg_conn *conn, struct tap_lock_table *table, struct tap_error *err);

#endif
