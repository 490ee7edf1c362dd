/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_locks.h - a small locks view made by hand, for the tests of the renderers.
 *
 *	4711 idle in transaction  <- 4712, 4713 (behind 4712 in the queue), 4714 <- 4715
 *	prepared 742              <- 4716
 *	5001 and 5002 wait for each other, 5003 for 5001
 */
#ifndef TAP_TESTS_UNIT_USERSPACE_OUTPUT_SAMPLE_LOCKS_H
#define TAP_TESTS_UNIT_USERSPACE_OUTPUT_SAMPLE_LOCKS_H

#include "tests/unit/userspace/output/sample_view.h"

#define SAMPLE_PIDS(...) \
	(int32_t[]) \
	{ \
		__VA_ARGS__ \
	}
#define SAMPLE_WAIT(of_pid, ms, lock_mode, lock_name, text, n, ...) \
	{ \
		.instance = "postgres-5432", .pid = (of_pid), .database = "shop", .user = "app", \
		.application = "checkout", .client = "10.0.0.7:41234", .query_id = "88172633", \
		.query_id_source = "engine", .query = (text), \
		.lock = { .type = "transactionid", .mode = (lock_mode), .database = "shop", .name = (lock_name) }, \
		.waiting_ns = (ms)*MS, .started_realtime_ns = 1767323055LL * 1000000000 - (ms)*MS, \
		.blocked_by = SAMPLE_PIDS(__VA_ARGS__), .n_blocked_by = (n), .depth = 1, .root_pid = 4711 \
	}

static struct tap_view_lock_wait sample_lock_waits[] = {
	SAMPLE_WAIT(4712, 2000, "ShareLock", "transaction 742", "UPDATE accounts SET balance = $1 WHERE id = $2", 1,
		    4711),
	SAMPLE_WAIT(4713, 1500, "ExclusiveLock", "tuple (3,7) of public.accounts", "UPDATE accounts SET x = $1", 2,
		    4711, 4712),
	SAMPLE_WAIT(4714, 900, "AccessExclusiveLock", "public.accounts", "ALTER TABLE accounts ADD COLUMN y int", 1,
		    4711),
	SAMPLE_WAIT(4715, 850, "AccessShareLock", "public.accounts", "SELECT * FROM accounts", 1, 4714),
	SAMPLE_WAIT(4716, 300, "ShareLock", "transaction 743", "DELETE FROM accounts", 1, 0),
	SAMPLE_WAIT(5001, 40, "ShareLock", "transaction 801", "UPDATE a SET x = $1", 1, 5002),
	SAMPLE_WAIT(5002, 20, "ShareLock", "transaction 800", "UPDATE b SET x = $1", 1, 5001),
	SAMPLE_WAIT(5003, 10, "ShareLock", "transaction 800", "UPDATE c SET x = $1", 1, 5001),
};

static struct tap_view_lock_holder sample_lock_holders[] = {
	{
		.instance = "postgres-5432",
		.pid = 4711,
		.database = "shop",
		.user = "admin",
		.application = "psql",
		.client = "[local]",
		.query_id = "4242",
		.query_id_source = "engine",
		.query = "UPDATE accounts SET balance = $1",
		.state = "idle in transaction",
		.doing = "waits for its client",
		.held_ns = 12000 * MS,
		.held_is_bound = true,
		.transaction_ns = 12000 * MS,
		.statement_ns = 9000 * MS,
		.lock = { .type = "relation",
			  .mode = "RowExclusiveLock",
			  .relation = "public.accounts",
			  .name = "public.accounts" },
		.blocks = SAMPLE_PIDS(4712, 4713, 4714),
		.n_blocks = 3,
		.victims = 4,
		.cost_ns = 5250 * MS,
		.root = true,
	},
	{
		.instance = "postgres-5432",
		.pid = 0,
		.xid = 743,
		.gid = "order-17",
		.database = "shop",
		.user = "app",
		.state = "prepared transaction",
		.held_ns = -1,
		.transaction_ns = 86400000 * MS,
		.statement_ns = -1,
		.lock = { .type = "transactionid", .mode = "ExclusiveLock", .name = "transaction 743" },
		.blocks = SAMPLE_PIDS(4716),
		.n_blocks = 1,
		.victims = 1,
		.cost_ns = 300 * MS,
		.root = true,
	},
	{
		.instance = "postgres-5432",
		.pid = 4714,
		.database = "shop",
		.user = "app",
		.query = "ALTER TABLE accounts ADD COLUMN y int",
		.state = "active",
		.doing = "waits for Lock:relation",
		.held_ns = -1,
		.transaction_ns = 900 * MS,
		.statement_ns = 900 * MS,
		.blocks = SAMPLE_PIDS(4715),
		.n_blocks = 1,
		.victims = 1,
		.cost_ns = 850 * MS,
	},
};

static struct tap_view_lock_member sample_lock_members[] = {
	{ 5001, "1", "UPDATE a SET x = $1", { .mode = "ShareLock", .name = "transaction 801" }, 5002, false },
	{ 5002, "2", "UPDATE b SET x = $1", { .mode = "ShareLock", .name = "transaction 800" }, 5001, false },
};

static struct tap_view_lock_cycle sample_lock_cycles[] = { {
	.instance = "postgres-5432",
	.at_realtime_ns = 1767323054LL * 1000000000 + 250 * MS,
	.victim_pid = 5002,
	.verdict_realtime_ns = 1767323055LL * 1000000000 + 1 * MS,
	.kind = "deadlock",
	.outlook = "the server ended it with an error for one of them",
	.members = sample_lock_members,
	.n_members = 2,
} };

static struct tap_view_lock_wait sample_lock_past[] = {
	SAMPLE_WAIT(4720, 120, "ShareLock", "transaction 700", "UPDATE accounts SET z = $1", 2, 4711, 0),
};

static struct tap_view_lock_loss sample_lock_losses[] = { {
	.instance = "postgres-5432",
	.query_id = "88172633",
	.query = "UPDATE accounts SET balance = $1 WHERE id = $2",
	.blocker_query_id = "4242",
	.blocker_query = "UPDATE accounts SET balance = $1",
	.blocker_state = "idle in transaction",
	.lock = { .type = "transactionid",
		  .mode = "ShareLock",
		  .relation = "public.accounts",
		  .name = "transactions of public.accounts" },
	.waits = 41,
	.ns = 6100 * MS,
	.max_ns = 2000 * MS,
} };

static struct tap_view_lock_risk sample_lock_risks[] = { {
	.risk = "order_inversion",
	.instance = "postgres-5432",
	.first_query_id = "1",
	.first_query = "UPDATE a SET x = $1",
	.first_order = "public.a before public.b",
	.second_query_id = "2",
	.second_query = "UPDATE b SET x = $1",
	.second_order = "public.b before public.a",
	.first_seen = 12,
	.second_seen = 3,
	.evidence = "both orders were seen in this window",
	.advice = "Take both in one order",
	.cost_ns = 40 * MS,
} };

static struct tap_view_lock_stat sample_lock_by_query[] = { {
	.instance = "postgres-5432",
	.database = "shop",
	.user = "app",
	.kind = "client",
	.query_id = "88172633",
	.query_id_source = "engine",
	.query = "UPDATE accounts SET balance = $1 WHERE id = $2",
	.waits = 42,
	.failed = 2,
	.ns = 6220 * MS,
	.p50 = 120 * MS,
	.p95 = 300 * MS,
	.p99 = 1500 * MS,
	.max = 2000 * MS,
	.octaves = { [16] = 21, [20] = 20, [33] = 1 },
} };

static struct tap_view_lock_stat sample_lock_by_lock[] = { {
	.instance = "postgres-5432",
	.lock = { .type = "transactionid",
		  .database = "shop",
		  .relation = "public.accounts",
		  .name = "rows of public.accounts" },
	.waits = 41,
	.ns = 6100 * MS,
	.p50 = 120 * MS,
	.p95 = 290 * MS,
	.p99 = 1400 * MS,
	.max = 2000 * MS,
	.octaves = { [0] = 1, [20] = 40 },
} };

static struct tap_view_lock_internal sample_lock_internal[] = { {
	.instance = "postgres-5432",
	.database = "shop",
	.user = "app",
	.kind = "client",
	.query_id = "88172633",
	.query_id_source = "engine",
	.query = "UPDATE accounts SET balance = $1 WHERE id = $2",
	.class_name = "LWLock",
	.event_name = "WALInsert",
	.waits = 500,
	.ns = 25 * MS,
} };

static inline struct tap_view sample_locks_view(void)
{
	struct tap_view view = sample_view();

	view.absent = NULL;
	view.n_absent = 0;
	view.locks = (struct tap_lock_view){
		.waits = sample_lock_waits,
		.n_waits = 8,
		.past = sample_lock_past,
		.n_past = 1,
		.holders = sample_lock_holders,
		.n_holders = 3,
		.cycles = sample_lock_cycles,
		.n_cycles = 1,
		.risks = sample_lock_risks,
		.n_risks = 1,
		.losses = sample_lock_losses,
		.n_losses = 1,
		.by_query = sample_lock_by_query,
		.n_by_query = 1,
		.by_lock = sample_lock_by_lock,
		.n_by_lock = 1,
		.internal = sample_lock_internal,
		.n_internal = 1,
	};
	return view;
}

#endif
