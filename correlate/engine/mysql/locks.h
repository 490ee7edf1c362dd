/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * locks.h - who waits for which lock in a MariaDB or MySQL server, as its own views tell.
 *
 * For servers whose memory cannot be read. locks.c puts together what lock_rows.c asks of InnoDB and lock_meta.c of
 * metadata locks; lock_words.c reads the words.
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_LOCKS_H
#define TAP_CORRELATE_ENGINE_MYSQL_LOCKS_H

#include "correlate/engine/mysql/conn.h"
#include "correlate/lock.h"
#include "correlate/relation_names.h"

enum {
	TAP_MY_LOCK_TRXS_MAX = 20000, /* rows of each view; with more the table is not complete */
	TAP_MY_LOCK_ROWS_MAX = 50000,
	TAP_MY_LOCK_PAIRS_MAX = 200000,
	TAP_MY_LOCK_META_MAX = 50000,
};

/*
 * What is waited for, who holds it, and of who waits in InnoDB the tables it has locked, where the server tells. Into
 * the empty `table`; owners are numbers of connections; a transaction without one, prepared and left, is 0 with its
 * number. Who waits for whom in InnoDB is what the server says, in table->told. When a wait began InnoDB tells in whole
 * seconds, and nobody of metadata locks. Names go to `names`, which may be NULL.
 *
 * 0 also where metadata locks are not told: then, and only then, `err` says so in a phrase. Else a negative errno as
 * tap_my_conn_run; what has been added to the table stays there.
 */
int tap_my_query_locks(struct tap_my_conn *conn, struct tap_lock_table *table, struct tap_relation_names *names,
		       struct tap_error *err);

#endif
