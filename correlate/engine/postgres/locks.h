/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * locks.h - the lock tables as pg_locks shows them.
 *
 * For instances whose memory cannot be read, and for comparing. conn.c runs the query; the codes are its codes.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_LOCKS_H
#define TAP_CORRELATE_ENGINE_POSTGRES_LOCKS_H

#include "correlate/engine/postgres/field.h"
#include "correlate/lock.h"

#define TAP_PG_LOCKS_MAX 100000 /* rows */

/*
 * All locks but those of our own session and predicate locks, into the empty `table`; pids are those of the server's
 * pid namespace. pg_locks does not show the order of a wait queue: it is worked out from when each wait began (version
 * 14 and newer, else no places) and from what the waiters hold; lock_queue.h asks for it. That misses what nobody can
 * see any more: a queue that was rearranged to resolve a deadlock, and a waiter that was put before one who has left
 * since. Holders are exact. With more rows than TAP_PG_LOCKS_MAX the table is not complete.
 */
int tap_pg_query_locks(struct tap_pg_conn *conn, struct tap_lock_table *table, struct tap_pg_rows *ret_rows,
		       struct tap_error *err);

/* All prepared transactions, added to `list` (also, in part, when it fails halfway). `ret_rows` may be NULL. */
#define TAP_PG_PREPARED_MAX 10000
int tap_pg_query_prepared(struct tap_pg_conn *conn, struct tap_lock_prepared_list *list, struct tap_pg_rows *ret_rows,
			  struct tap_error *err);

#endif
