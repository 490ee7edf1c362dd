// SPDX-License-Identifier: BSD-2-Clause
/* test_locks.c - the locks view from hand-made tables and logs: the tree, its costs, names, risks, losses. */
#include "correlate/model/lock_chain.h"

#include <errno.h>

#include "correlate/model/locks.h"
#include "tests/lib/alloc_fail.h"
#include "tests/unit/correlate/model/two_snapshots.h"

#define NOW_US 1700000002000000
#define MS 1000000

static struct tap_lock_table table;
static struct tap_relation_names relations;
static struct tap_lock_log log_;

static void set_up(void)
{
	two_init();
	tap_lock_table_init(&table);
	tap_relation_names_init(&relations);
	tap_lock_log_init(&log_, 0);
	table.realtime_ns = NOW_US * 1000;
	table.complete = true;
	tap_relation_names_add(&relations, APP, 16384, "public", 6, "accounts", 8);
	two.instances[0].locks = &table;
	two.instances[0].relations = &relations;
	two.input.options.locks = true;
}

static void tear_down(void)
{
	two_done();
	tap_lock_table_done(&table);
	tap_relation_names_done(&relations);
	tap_lock_log_done(&log_);
}

static struct tap_session *session(int32_t pid, enum tap_session_state state, const char *query)
{
	struct tap_session *one = tap_session_list_add(&two.sessions);

	one->pid = pid;
	one->kind = TAP_KIND_CLIENT;
	one->state = state;
	one->database = APP;
	one->user = ME;
	one->query_id = (uint64_t)pid;
	one->query = strdup(query);
	one->transaction_start_us = NOW_US - 10 * 1000 * 1000;
	one->query_start_us = NOW_US - 1000 * 1000;
	one->state_change_us = NOW_US - 500 * 1000;
	return one;
}

static struct tap_lock_entry *add(struct tap_lock_tag tag, int32_t pid, uint16_t held, uint8_t wanted, uint32_t queue,
				  int64_t waited_ms)
{
	struct tap_lock_entry entry = { .tag = tag,
					.pid = pid,
					.leader_pid = pid,
					.held = held,
					.wanted = wanted,
					.queue = queue,
					.wait_start_us = wanted ? NOW_US - waited_ms * 1000 : 0 };

	entry.tag.method = entry.tag.type == TAP_LOCK_ADVISORY ? 2 : 1;
	ck_assert_int_eq(tap_lock_table_add(&table, &entry), 0);
	return &table.entries[table.count - 1];
}

#define HELD(mode) (1u << TAP_LOCK_MODE_##mode)
#define TRANSACTION(xid) ((struct tap_lock_tag){ .field1 = xid, .type = TAP_LOCK_TRANSACTION })
#define TUPLE \
	((struct tap_lock_tag){ .field1 = APP, .field2 = 16384, .field3 = 3, .field4 = 7, .type = TAP_LOCK_TUPLE })
#define RELATION(oid) ((struct tap_lock_tag){ .field1 = APP, .field2 = oid, .type = TAP_LOCK_RELATION })

static const struct tap_view_lock_wait *wait_of(const struct tap_view *view, int64_t pid)
{
	for (size_t i = 0; i < view->locks.n_waits; i++) {
		if (view->locks.waits[i].pid == pid)
			return &view->locks.waits[i];
	}
	ck_abort_msg("%d does not wait", (int)pid);
	return NULL;
}

static const struct tap_view_lock_holder *holder_of(const struct tap_view *view, int64_t pid)
{
	for (size_t i = 0; i < view->locks.n_holders; i++) {
		if (view->locks.holders[i].pid == pid)
			return &view->locks.holders[i];
	}
	ck_abort_msg("%d blocks nobody", (int)pid);
	return NULL;
}

static const struct tap_view_lock_risk *risk_of(const struct tap_view *view, const char *name)
{
	for (size_t i = 0; i < view->locks.n_risks; i++) {
		if (!strcmp(view->locks.risks[i].risk, name))
			return &view->locks.risks[i];
	}
	return NULL;
}

/* 10 is idle and has a row; 11 waits for its transaction and has the tuple, 12 and 13 wait for that. */
static void row_scene(void)
{
	session(10, TAP_SESSION_IDLE_IN_TRANSACTION, "update accounts set v = 1 where id = 5")->wait_event =
		CLIENT_READ;
	session(11, TAP_SESSION_ACTIVE, "update accounts set v = 2 where id = 5")->wait_event = TRANSACTIONID;
	session(12, TAP_SESSION_ACTIVE, "update accounts set v = 3 where id = 5");
	session(13, TAP_SESSION_ACTIVE, "delete from accounts where id = 5");
	add(TRANSACTION(742), 10, HELD(EXCLUSIVE), 0, 0, 0);
	add(TRANSACTION(742), 11, 0, TAP_LOCK_MODE_SHARE, 1, 3000);
	add(TUPLE, 11, HELD(EXCLUSIVE), 0, 0, 0);
	add(TUPLE, 12, 0, TAP_LOCK_MODE_EXCLUSIVE, 1, 2000);
	add(TUPLE, 13, 0, TAP_LOCK_MODE_EXCLUSIVE, 2, 1000);
}

START_TEST(test_the_tree)
{
	const struct tap_view_lock_wait *wait;
	const struct tap_view_lock_holder *holder;
	const struct tap_view *view;

	row_scene();
	view = two_view();
	ck_assert_uint_eq(view->locks.n_waits, 3);
	wait = &view->locks.waits[0];
	ck_assert_int_eq(wait->pid, 11);
	ck_assert_str_eq(wait->instance, "postgres-5432");
	ck_assert_str_eq(wait->database, "app");
	ck_assert_str_eq(wait->user, "me");
	ck_assert_str_eq(wait->query_id, "11");
	ck_assert_str_eq(wait->query, "update accounts set v = $1 where id = $2");
	ck_assert_int_eq(wait->waiting_ns, 3000ll * MS);
	ck_assert_int_eq(wait->started_realtime_ns, (NOW_US - 3000000) * 1000);
	ck_assert_int_eq(wait->depth, 1);
	ck_assert_int_eq(wait->root_pid, 10);
	ck_assert_str_eq(wait->lock.type, "transactionid");
	ck_assert_str_eq(wait->lock.mode, "ShareLock");
	ck_assert_str_eq(wait->lock.relation, "public.accounts");
	ck_assert_str_eq(wait->lock.name, "transaction 742, for tuple (3,7) of public.accounts");
	wait = wait_of(view, 13);
	ck_assert_int_eq(wait->depth, 2);
	ck_assert_int_eq(wait->root_pid, 10);
	ck_assert_uint_eq(wait->n_blocked_by, 2);
	ck_assert_int_eq(wait->blocked_by[0], 11);
	ck_assert_int_eq(wait->blocked_by[1], 12);
	ck_assert_str_eq(wait->lock.name, "tuple (3,7) of public.accounts");

	ck_assert_uint_eq(view->locks.n_holders, 3);
	holder = &view->locks.holders[0];
	ck_assert_int_eq(holder->pid, 10);
	ck_assert(holder->root);
	ck_assert_uint_eq(holder->victims, 3);
	ck_assert_int_eq(holder->cost_ns, 6000ll * MS);
	ck_assert_uint_eq(holder->n_blocks, 1);
	ck_assert_str_eq(holder->state, "idle in transaction");
	ck_assert_str_eq(holder->doing, "waits for its client");
	ck_assert_int_eq(holder->held_ns, 10000ll * MS);
	ck_assert(holder->held_is_bound);
	ck_assert_int_eq(holder->statement_ns, -1);
	ck_assert_str_eq(holder->lock.mode, "ExclusiveLock");
	holder = holder_of(view, 11);
	ck_assert(!holder->root);
	ck_assert_str_eq(holder->doing, "waits for Lock:transactionid");
	ck_assert_int_eq(holder->statement_ns, 1000ll * MS);
	ck_assert_int_eq(holder->cost_ns, 3000ll * MS);
	/* 12 only stands before 13: it holds nothing. */
	ck_assert_int_eq(holder_of(view, 12)->held_ns, -1);
	ck_assert_str_eq(holder_of(view, 12)->lock.mode, "ExclusiveLock");
	ck_assert_uint_eq(view->locks.n_cycles, 0);
}
END_TEST

START_TEST(test_idle_blocker)
{
	const struct tap_view_lock_risk *risk;

	row_scene();
	risk = risk_of(two_view(), "idle_blocker");
	ck_assert_ptr_nonnull(risk);
	ck_assert_int_eq(risk->cost_ns, 6000ll * MS);
	ck_assert_uint_eq(risk->first_seen, 3);
	ck_assert_str_eq(risk->first_query, "update accounts set v = $1 where id = $2");
	ck_assert_ptr_nonnull(strstr(risk->evidence, "500 ms"));
	ck_assert_ptr_null(risk_of(two.view, "convoy"));
	two.sessions.items[0].state = TAP_SESSION_ACTIVE;
	ck_assert_ptr_null(risk_of(two_view(), "idle_blocker"));
}
END_TEST

START_TEST(test_convoy)
{
	row_scene();
	for (int32_t i = 0; i < 3; i++)
		add(TUPLE, 20 + i, 0, TAP_LOCK_MODE_EXCLUSIVE, (uint32_t)(3 + i), 10);
	ck_assert_ptr_nonnull(risk_of(two_view(), "convoy"));
	ck_assert_uint_eq(risk_of(two.view, "convoy")->first_seen, 6);
}
END_TEST

START_TEST(test_strong_lock_behind_a_reader)
{
	const struct tap_view_lock_risk *risk;
	const struct tap_view *view;

	session(10, TAP_SESSION_ACTIVE, "select sum(v) from accounts");
	session(11, TAP_SESSION_ACTIVE, "alter table accounts add x int");
	session(12, TAP_SESSION_ACTIVE, "select 1 from accounts");
	add(RELATION(16384), 10, HELD(ACCESS_SHARE), 0, 0, 0);
	add(RELATION(16384), 11, 0, TAP_LOCK_MODE_ACCESS_EXCLUSIVE, 1, 400);
	add(RELATION(16384), 12, 0, TAP_LOCK_MODE_ACCESS_SHARE, 2, 300);
	view = two_view();
	risk = risk_of(view, "ddl_queue");
	ck_assert_ptr_nonnull(risk);
	ck_assert_str_eq(risk->first_query_id, "11");
	ck_assert_str_eq(risk->second_query_id, "10");
	ck_assert_uint_eq(risk->first_seen, 1);
	ck_assert_int_eq(risk->cost_ns, 300ll * MS);
	ck_assert_str_eq(holder_of(view, 10)->doing, "on CPU");
	/* The reader behind it would have to wait for the first one, too: then it is not the strong one's fault. */
	table.entries[0].held = HELD(EXCLUSIVE);
	table.entries[2].wanted = TAP_LOCK_MODE_ROW_EXCLUSIVE;
	ck_assert_ptr_null(risk_of(two_view(), "ddl_queue"));
}
END_TEST

START_TEST(test_upgrade_and_tuples)
{
	add(RELATION(16384), 10, HELD(SHARE), TAP_LOCK_MODE_ROW_EXCLUSIVE, 1, 100);
	add(RELATION(16384), 11, HELD(SHARE), 0, 0, 0);
	session(10, TAP_SESSION_ACTIVE, "insert into accounts values (1)");
	ck_assert_ptr_nonnull(risk_of(two_view(), "lock_upgrade"));
	ck_assert_ptr_null(risk_of(two.view, "many_tuple_locks"));
	/* A reader that now wants to write takes nothing back from anybody. */
	table.entries[0].held = HELD(ACCESS_SHARE);
	ck_assert_ptr_null(risk_of(two_view(), "lock_upgrade"));
	for (uint16_t i = 0; i < 20; i++)
		add(TUPLE, 11, HELD(EXCLUSIVE), 0, 0, 0)->tag.field4 = i;
	ck_assert_uint_eq(risk_of(two_view(), "many_tuple_locks")->first_seen, 20);
	ck_assert_ptr_nonnull(strstr(risk_of(two.view, "many_tuple_locks")->evidence, "public.accounts"));
}
END_TEST

START_TEST(test_prepared)
{
	struct tap_lock_prepared_list list = { 0 };
	const struct tap_view_lock_risk *risk;
	struct tap_lock_prepared *prepared;
	const struct tap_view *view;

	add(TRANSACTION(742), 0, HELD(EXCLUSIVE), 0, 0, 0)->xid = 742;
	add(TRANSACTION(742), 11, 0, TAP_LOCK_MODE_SHARE, 1, 3000);
	view = two_view();
	ck_assert_uint_eq(view->locks.n_holders, 1);
	ck_assert_int_eq(view->locks.holders[0].pid, 0);
	ck_assert_uint_eq(view->locks.holders[0].xid, 742);
	ck_assert_str_eq(view->locks.holders[0].state, "prepared transaction");
	ck_assert_int_eq(view->locks.holders[0].held_ns, -1);
	ck_assert_int_eq(wait_of(view, 11)->root_pid, 0);
	/* Nobody is known by that pid: no names, and no guesses. */
	ck_assert_ptr_null(wait_of(view, 11)->query);
	ck_assert_ptr_null(wait_of(view, 11)->user);
	risk = risk_of(view, "idle_blocker");
	ck_assert_ptr_nonnull(strstr(risk->evidence, "742"));
	ck_assert_ptr_null(risk->first_query);
	ck_assert_ptr_null(view->locks.holders[0].gid);
	ck_assert_ptr_null(view->locks.holders[0].doing);
	prepared = tap_lock_prepared_add(&list);
	*prepared = (struct tap_lock_prepared){
		.xid = 742, .gid = strdup("kept"), .database = strdup("app"), .prepared_us = NOW_US - 5000000
	};
	two.instances[0].prepared = &list;
	view = two_view();
	ck_assert_str_eq(view->locks.holders[0].gid, "kept");
	ck_assert_str_eq(view->locks.holders[0].database, "app");
	ck_assert_ptr_null(view->locks.holders[0].user);
	ck_assert_str_eq(view->locks.holders[0].doing, "prepared 5.00 s ago");
	prepared->xid = 743;
	ck_assert_ptr_null(two_view()->locks.holders[0].gid);
	two.instances[0].prepared = NULL;
	tap_lock_prepared_done(&list);
}
END_TEST

/* Two wait for each other, a third for one of them. */
START_TEST(test_cycle)
{
	const struct tap_view *view;

	add(TRANSACTION(1), 10, HELD(EXCLUSIVE), 0, 0, 0);
	add(TRANSACTION(1), 11, 0, TAP_LOCK_MODE_SHARE, 1, 30);
	add(TRANSACTION(1), 12, 0, TAP_LOCK_MODE_SHARE, 2, 20);
	add(TRANSACTION(2), 11, HELD(EXCLUSIVE), 0, 0, 0);
	add(TRANSACTION(2), 10, 0, TAP_LOCK_MODE_SHARE, 1, 10);
	view = two_view();
	ck_assert_uint_eq(view->locks.n_cycles, 1);
	ck_assert_uint_eq(view->locks.cycles[0].n_members, 2);
	ck_assert_int_eq(view->locks.cycles[0].members[0].pid, 10);
	ck_assert_int_eq(view->locks.cycles[0].members[0].waits_for, 11);
	ck_assert_str_eq(view->locks.cycles[0].members[0].lock.name, "transaction 2");
	ck_assert_int_eq(view->locks.cycles[0].verdict_realtime_ns, -1);
	ck_assert_int_eq(wait_of(view, 10)->root_pid, -1);
	ck_assert_int_eq(wait_of(view, 10)->depth, 1);
	ck_assert_int_eq(wait_of(view, 12)->root_pid, -1);
	ck_assert_int_eq(wait_of(view, 12)->depth, 2);
	ck_assert(!holder_of(view, 10)->root);
}
END_TEST

START_TEST(test_unknown_start)
{
	add(TRANSACTION(1), 10, HELD(EXCLUSIVE), 0, 0, 0);
	add(TRANSACTION(1), 11, 0, TAP_LOCK_MODE_SHARE, 1, 0)->wait_start_us = 0;
	ck_assert_int_eq(wait_of(two_view(), 11)->waiting_ns, -1);
	ck_assert_int_eq(wait_of(two.view, 11)->started_realtime_ns, -1);
	ck_assert_int_eq(holder_of(two.view, 10)->cost_ns, 0);
	/* Clocks that say it begins only later. */
	table.entries[1].wait_start_us = NOW_US + 5;
	ck_assert_int_eq(wait_of(two_view(), 11)->waiting_ns, 0);
	table.entries[1].wait_start_us = INT64_MAX;
	ck_assert_int_eq(wait_of(two_view(), 11)->waiting_ns, -1);
}
END_TEST

static const struct named {
	struct tap_lock_tag tag;
	const char *name;
} named[] = {
	{ { APP, 16384, 0, 0, TAP_LOCK_RELATION, 1 }, "relation public.accounts" },
	{ { APP, 999, 0, 0, TAP_LOCK_RELATION, 1 }, "relation 999" },
	{ { 0, 1262, 0, 0, TAP_LOCK_RELATION, 1 }, "relation 1262" },
	{ { APP, 16384, 0, 0, TAP_LOCK_EXTEND, 1 }, "extension of public.accounts" },
	{ { APP, 0, 0, 0, TAP_LOCK_FROZENID, 1 }, "frozen ids of database app" },
	{ { APP, 16384, 9, 0, TAP_LOCK_PAGE, 1 }, "page 9 of public.accounts" },
	{ { APP, 16384, 9, 2, TAP_LOCK_TUPLE, 1 }, "tuple (9,2) of public.accounts" },
	{ { 3, 17, 0, 0, TAP_LOCK_VIRTUALXID, 1 }, "virtual transaction 3/17" },
	{ { 742, 3, 0, 0, TAP_LOCK_SPECTOKEN, 1 }, "speculative insertion 3 of transaction 742" },
	{ { APP, 1259, 77, 0, TAP_LOCK_OBJECT, 1 }, "object 1259/77" },
	{ { APP, 0, 42, 1, TAP_LOCK_ADVISORY, 2 }, "advisory 42" },
	{ { APP, 0xffffffff, 0xffffffff, 1, TAP_LOCK_ADVISORY, 2 }, "advisory -1" },
	{ { APP, 1, 0xfffffffe, 2, TAP_LOCK_ADVISORY, 2 }, "advisory (1,-2)" },
	{ { APP, 1, 2, 3, 77, 2 }, "? 1/2" },
};

START_TEST(test_names)
{
	const struct named *one = &named[_i];

	add(one->tag, 10, HELD(EXCLUSIVE), 0, 0, 0);
	add(one->tag, 11, 0, TAP_LOCK_MODE_EXCLUSIVE, 1, 5);
	ck_assert_str_eq(wait_of(two_view(), 11)->lock.name, one->name);
}
END_TEST

START_TEST(test_selection)
{
	row_scene();
	two.input.options.database = "other";
	ck_assert_uint_eq(two_view()->locks.n_waits, 0);
	ck_assert_uint_eq(two.view->locks.n_holders, 0);
	ck_assert_uint_eq(two.view->locks.n_risks, 0);
	two.input.options.database = "app";
	ck_assert_uint_eq(two_view()->locks.n_waits, 3);
	two.input.options.instance = "postgres-5433";
	ck_assert_uint_eq(two_view()->locks.n_waits, 0);
	two.input.options.instance = NULL;
	two.input.options.locks = false;
	ck_assert_uint_eq(two_view()->locks.n_waits, 0);
	two.input.options.locks = true;
	two.instances[0].locks = NULL;
	ck_assert_uint_eq(two_view()->locks.n_waits, 0);
}
END_TEST

/* --- what the log says ------------------------------------------------------------------------ */

static void past_scene(void)
{
	struct tap_lock_wait wait = { .pid = 11,
				      .tid = 11,
				      .row = two_key(0, TAP_KIND_CLIENT, APP, 8),
				      .tag = TRANSACTION(742),
				      .mode = TAP_LOCK_MODE_SHARE,
				      .outcome = TAP_LOCK_GRANTED,
				      .blockers_known = true,
				      .begin_ns = 1700000001000000000,
				      .waited_ns = -1,
				      .n_blockers = 1,
				      .n_blockers_all = 1 };

	wait.object = (struct tap_lock_object){ .database = APP, .relation = 16384, .type = TAP_LOCK_TRANSACTION };
	wait.blockers[0] = (struct tap_lock_blocker){ .pid = 10,
						      .state = TAP_SESSION_IDLE_IN_TRANSACTION,
						      .row = two_key(0, TAP_KIND_CLIENT, APP, 7) };
	two_text(7, "update accounts set v = 1", "update accounts set v = $1");
	two_text(8, "delete from accounts", "delete from accounts");
	ck_assert_int_eq(tap_lock_log_begin(&log_, &wait), 0);
	wait.end_ns = wait.begin_ns + 250 * MS;
	wait.waited_ns = 250 * MS;
	ck_assert_int_eq(tap_lock_log_end(&log_, &wait), 0);
	two.input.locks.log = &log_;
}

START_TEST(test_past)
{
	const struct tap_view *view;

	past_scene();
	view = two_view();
	ck_assert_uint_eq(view->locks.n_past, 1);
	ck_assert(view->locks.past[0].past);
	ck_assert_int_eq(view->locks.past[0].waiting_ns, 250 * MS);
	ck_assert_str_eq(view->locks.past[0].query, "delete from accounts");
	ck_assert_str_eq(view->locks.past[0].lock.name, "transaction 742, for a row of public.accounts");
	ck_assert_uint_eq(view->locks.past[0].n_blocked_by, 1);
	ck_assert_int_eq(view->locks.past[0].blocked_by[0], 10);
	ck_assert_uint_eq(view->locks.n_losses, 1);
	ck_assert_str_eq(view->locks.losses[0].blocker_query, "update accounts set v = $1");
	ck_assert_str_eq(view->locks.losses[0].blocker_state, "idle in transaction");
	ck_assert_str_eq(view->locks.losses[0].lock.name, "rows of public.accounts");
	ck_assert_uint_eq(view->locks.losses[0].waits, 1);
	ck_assert_int_eq(view->locks.losses[0].max_ns, 250 * MS);
	two.input.options.database = "other";
	ck_assert_uint_eq(two_view()->locks.n_past, 0);
	ck_assert_uint_eq(two.view->locks.n_losses, 0);
}
END_TEST

START_TEST(test_inversion)
{
	struct tap_lock_inversion inversion = {
		.first = two_key(0, TAP_KIND_CLIENT, APP, 7),
		.second = two_key(0, TAP_KIND_CLIENT, APP, 8),
		.a = { .database = APP, .relation = 16384, .type = TAP_LOCK_RELATION },
		.b = { .database = APP, .relation = 99, .type = TAP_LOCK_RELATION },
		.first_seen = 12,
		.second_seen = 3,
		.sure = true,
	};
	const struct tap_view_lock_risk *risk;

	two.input.locks.inversions = &inversion;
	two.input.locks.n_inversions = 1;
	risk = risk_of(two_view(), "order_inversion");
	ck_assert_ptr_nonnull(risk);
	ck_assert_str_eq(risk->first_order, "public.accounts before 99");
	ck_assert_str_eq(risk->second_order, "99 before public.accounts");
	ck_assert_uint_eq(risk->first_seen, 12);
	ck_assert_str_eq(risk->instance, "postgres-5432");
}
END_TEST

/* --- the chain by itself
 * ---------------------------------------------------------------------------------------------- */

/* As many victims and as much cost as searching from each holder by hand gives. */
START_TEST(test_chain_of_many)
{
	struct tap_lock_graph graph;
	struct tap_lock_chain chain;
	size_t node;

	for (uint32_t i = 0; i < 200; i++) {
		add(TRANSACTION(i), (int32_t)i + 1, HELD(EXCLUSIVE), 0, 0, 0);
		add(TRANSACTION(i), (int32_t)i + 2, 0, TAP_LOCK_MODE_SHARE, 1, 1);
	}
	ck_assert_int_eq(tap_lock_graph_make(&table, &graph), 0);
	ck_assert_int_eq(tap_lock_chain_make(&table, &graph, &chain), 0);
	ck_assert_uint_eq(chain.n_nodes, 201);
	for (int32_t pid = 1; pid <= 201; pid++) {
		node = tap_lock_chain_find(&chain, pid, 0);
		ck_assert_uint_eq(chain.nodes[node].depth, (size_t)pid - 1);
		ck_assert_uint_eq(chain.nodes[node].root, tap_lock_chain_find(&chain, 1, 0));
		ck_assert_uint_eq(chain.nodes[node].victims, (uint64_t)(201 - pid));
		ck_assert_int_eq(chain.nodes[node].cost_ns, (201 - pid) * (int64_t)MS);
	}
	ck_assert_uint_eq(tap_lock_chain_find(&chain, 999, 0), TAP_LOCK_NO_NODE);
	ck_assert(!chain.cut);
	tap_lock_chain_done(&chain);
	tap_lock_graph_done(&graph);
}
END_TEST

START_TEST(test_without_memory)
{
	row_scene();
	past_scene();
	for (long n = 1;; n++) {
		struct tap_view *view = NULL;
		bool reached;
		int err;

		tap_alloc_fail_at(n);
		err = tap_window_view(&two.input, &view);
		reached = tap_alloc_failed();
		tap_alloc_fail_at(0);
		if (!err)
			tap_view_free(view);
		ck_assert(!err || err == -ENOMEM);
		if (!reached)
			break;
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("locks");
	TCase *tcase = tcase_create("view");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_the_tree);
	tcase_add_test(tcase, test_idle_blocker);
	tcase_add_test(tcase, test_convoy);
	tcase_add_test(tcase, test_strong_lock_behind_a_reader);
	tcase_add_test(tcase, test_upgrade_and_tuples);
	tcase_add_test(tcase, test_prepared);
	tcase_add_test(tcase, test_cycle);
	tcase_add_test(tcase, test_unknown_start);
	tcase_add_loop_test(tcase, test_names, 0, sizeof(named) / sizeof(*named));
	tcase_add_test(tcase, test_selection);
	tcase_add_test(tcase, test_past);
	tcase_add_test(tcase, test_inversion);
	tcase_add_test(tcase, test_chain_of_many);
	tcase_add_test(tcase, test_without_memory);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
