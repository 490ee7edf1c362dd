// SPDX-License-Identifier: BSD-2-Clause
/* test_lock_tree.c - userspace/output/lock_tree.h: who stands below whom, cycles, prepared transactions, any graph. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/output/sample_locks.h"
#include "userspace/output/lock_tree.h"

static struct tap_lock_tree tree;

static void make(const struct tap_view *view)
{
	ck_assert_int_eq(tap_lock_tree_make(view, &tree), 0);
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_lock_tree_done(&tree);
}

static const struct tap_lock_node *node_of(int32_t pid)
{
	for (size_t i = 0; i < tree.n_nodes; i++)
		if (tree.nodes[i].key.pid == pid)
			return &tree.nodes[i];
	ck_abort_msg("no node of pid %d", pid);
	return NULL;
}

static int32_t parent_of(int32_t pid)
{
	size_t parent = node_of(pid)->parent;

	return parent == TAP_LOCK_NO_NODE ? -1 : tree.nodes[parent].key.pid;
}

/* What holds of every tree, whatever it was made from. */
static void check_invariants(void)
{
	size_t *place = calloc(tree.n_nodes + 1, sizeof(*place)), roots = 0, waiters = 0;

	ck_assert_ptr_nonnull(place);
	for (size_t i = 0; i < tree.n_nodes; i++) {
		if (tree.order[i] >= tree.n_nodes || place[tree.order[i]])
			ck_abort_msg("order[%zu] is node %zu, out of range or a second time", i, tree.order[i]);
		place[tree.order[i]] = i + 1;
	}
	for (size_t i = 0; i < tree.n_nodes; i++) {
		const struct tap_lock_node *node = &tree.nodes[i];
		size_t at = place[i] - 1;

		waiters += node->wait != NULL;
		roots += node->first_link == tree.n_links;
		if (node->parent == TAP_LOCK_NO_NODE) {
			ck_assert_uint_eq(node->depth, 0);
			continue;
		}
		ck_assert_uint_eq(node->depth, tree.nodes[node->parent].depth + 1);
		/* In preorder a child comes after its parent and everything between is deeper than the parent. */
		ck_assert_uint_gt(at, place[node->parent] - 1);
		for (size_t j = place[node->parent]; j < at; j++)
			ck_assert_uint_gt(tree.nodes[tree.order[j]].depth, tree.nodes[node->parent].depth);
		if (node->last)
			for (size_t j = at + 1; j < tree.n_nodes; j++)
				ck_assert(tree.nodes[tree.order[j]].parent != node->parent);
	}
	ck_assert_uint_eq(roots, tree.n_roots);
	ck_assert_uint_eq(waiters, tree.n_waiters);
	for (size_t i = 0; i < tree.n_links; i++)
		ck_assert_uint_ne(tree.links[i].waiter, tree.links[i].blocker);
	free(place);
}

START_TEST(test_sample)
{
	struct tap_view view = sample_locks_view();

	make(&view);
	check_invariants();
	ck_assert_uint_eq(tree.n_nodes, 10);
	ck_assert_uint_eq(tree.n_waiters, 8);
	ck_assert_uint_eq(tree.n_roots, 2);
	ck_assert_uint_eq(tree.n_links, 9);
	ck_assert_int_eq(parent_of(4711), -1);
	ck_assert_int_eq(parent_of(4712), 4711);
	ck_assert_int_eq(parent_of(4713), 4711); /* not behind 4712, who is only ahead in the queue */
	ck_assert_int_eq(parent_of(4715), 4714);
	ck_assert_int_eq(parent_of(4716), 0);
	ck_assert(node_of(4714)->last && !node_of(4713)->last);
	ck_assert_str_eq(tree.nodes[node_of(4716)->parent].holder->gid, "order-17");
	ck_assert(node_of(5001)->cyclic && node_of(5002)->cyclic && !node_of(5003)->cyclic);
	ck_assert_int_eq(parent_of(5003), 5001);
}
END_TEST

START_TEST(test_links)
{
	struct tap_view view = sample_locks_view();
	size_t in_queue = 0, in_tree = 0;

	make(&view);
	for (size_t i = 0; i < tree.n_links; i++) {
		in_queue += tap_lock_link_in_queue(&tree, &tree.links[i]);
		in_tree += tap_lock_link_in_tree(&tree, &tree.links[i]);
	}
	ck_assert_uint_eq(in_queue, 1);
	/* Every link but that one and the one that closes the cycle. */
	ck_assert_uint_eq(in_tree, 7);
}
END_TEST

static void check_text(void (*add)(const struct tap_lock_node *, struct tap_strbuf *), int32_t pid,
		       const char *expected)
{
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	add(node_of(pid), &out);
	ck_assert_str_eq(out.data, expected);
	tap_strbuf_done(&out);
}

START_TEST(test_words)
{
	struct tap_view view = sample_locks_view();

	make(&view);
	check_text(tap_lock_node_name, 4711, "4711");
	check_text(tap_lock_node_name, 0, "prepared 743");
	check_text(tap_lock_node_title, 4711, "4711 admin@shop psql [local]");
	check_text(tap_lock_node_what, 4711, "idle in transaction, waits for its client");
	check_text(tap_lock_node_what, 0, "prepared transaction order-17");
	check_text(tap_lock_node_what, 4713, "tuple (3,7) of public.accounts, ExclusiveLock");
	check_text(tap_lock_node_times, 4711, "held at most 12.0 s, blocks 4, cost 5.25 s");
	check_text(tap_lock_node_times, 4714, "waits 900 ms, blocks 1, cost 850 ms");
	ck_assert_str_eq(tap_lock_node_query(node_of(4715)), "SELECT * FROM accounts");
	ck_assert_ptr_null(tap_lock_node_query(node_of(0)));
}
END_TEST

/* A blocker that no holder describes, a prepared one that none claims, oneself. */
START_TEST(test_unknown_blockers)
{
	struct tap_view view = sample_locks_view();
	struct tap_view_lock_wait wait = sample_lock_waits[0];

	wait.blocked_by = (int32_t[]){ 9, 0, 0, 9, 4712 };
	wait.n_blocked_by = 5;
	view.locks.waits = &wait;
	view.locks.n_waits = 1;
	view.locks.n_holders = 0;
	make(&view);
	check_invariants();
	ck_assert_uint_eq(tree.n_nodes, 3);
	ck_assert_int_eq(parent_of(4712), 9);
	check_text(tap_lock_node_what, 9, "nothing known of it");
	check_text(tap_lock_node_name, 0, "prepared");
	check_text(tap_lock_node_what, 0, "prepared transaction");
	check_text(tap_lock_node_title, 9, "9");
	check_text(tap_lock_node_times, 9, "");
}
END_TEST

/* The same pid in two instances is two sessions, also where an instance is not in the view's list. */
START_TEST(test_instances_are_apart)
{
	struct tap_view view = sample_locks_view();
	struct tap_view_lock_wait waits[3] = { sample_lock_waits[0], sample_lock_waits[0], sample_lock_waits[0] };

	view.n_instances = 2;
	waits[1].instance = "postgres-5433";
	waits[2].instance = NULL;
	view.locks.waits = waits;
	view.locks.n_waits = 3;
	view.locks.n_holders = 1;
	make(&view);
	check_invariants();
	ck_assert_uint_eq(tree.n_nodes, 6);
	ck_assert_uint_eq(tree.n_roots, 3);
}
END_TEST

/* A wait listed twice, a session that waits and is listed nowhere as a holder. */
START_TEST(test_a_wait_counts_once)
{
	struct tap_view view = sample_locks_view();
	struct tap_view_lock_wait waits[2] = { sample_lock_waits[0], sample_lock_waits[0] };

	view.locks.waits = waits;
	view.locks.n_waits = 2;
	make(&view);
	ck_assert_uint_eq(tree.n_waiters, 1);
	ck_assert_uint_eq(tree.n_links, 1);
}
END_TEST

START_TEST(test_nothing)
{
	struct tap_view view = sample_view();

	make(&view);
	ck_assert_uint_eq(tree.n_nodes, 0);
	check_invariants();
}
END_TEST

/* A queue: each waits for the holder and all before it. All are shown below the holder, in their order. */
START_TEST(test_convoy)
{
	enum {
		N = 300,
	};
	static struct tap_view_lock_wait waits[N];
	static int32_t blockers[N];
	struct tap_view view = sample_locks_view();

	blockers[0] = 4711;
	for (int i = 0; i < N; i++) {
		if (i)
			blockers[i] = 10000 + i - 1;
		waits[i] = sample_lock_waits[0];
		waits[i].pid = 10000 + i;
		waits[i].blocked_by = blockers;
		waits[i].n_blocked_by = (size_t)i + 1;
	}
	view.locks.waits = waits;
	view.locks.n_waits = N;
	view.locks.n_holders = 1;
	make(&view);
	check_invariants();
	ck_assert_uint_eq(tree.n_roots, 1);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(parent_of(10000 + i), 4711);
		ck_assert_int_eq(tree.nodes[tree.order[i + 1]].key.pid, 10000 + i);
	}
}
END_TEST

/* A chain as deep as there are sessions: nothing here recurses. */
START_TEST(test_deep_chain)
{
	enum {
		N = 20000,
	};
	struct tap_view_lock_wait *waits = calloc(N, sizeof(*waits));
	int32_t *blockers = calloc(N, sizeof(*blockers));
	struct tap_view view = sample_locks_view();

	for (int i = 0; i < N; i++) {
		blockers[i] = i + 1;
		waits[i] = (struct tap_view_lock_wait){
			.instance = "postgres-5432", .pid = i + 2, .blocked_by = &blockers[i], .n_blocked_by = 1
		};
	}
	view.locks = (struct tap_lock_view){ .waits = waits, .n_waits = N };
	make(&view);
	ck_assert_uint_eq(node_of(N + 1)->depth, N);
	tap_lock_tree_done(&tree);
	/* Closed to a ring. */
	blockers[0] = N + 1;
	make(&view);
	ck_assert_uint_eq(tree.n_roots, 0);
	ck_assert_uint_eq(tree.n_nodes, N);
	for (size_t i = 0; i < tree.n_nodes; i++)
		if (!tree.nodes[i].cyclic)
			ck_abort_msg("node %zu is in the ring", i);
	free(waits);
	free(blockers);
}
END_TEST

/* Any graph at all: each node is drawn once, marked ones wait for themselves. */
START_TEST(test_random_graphs)
{
	static struct tap_view_lock_wait waits[40];
	static int32_t blockers[40][4];
	static struct tap_view_lock_holder holders[10];
	struct tap_view view = sample_locks_view();
	unsigned seed = 7;

	for (int round = 0; round < 1000; round++) {
		size_t n_waits = (size_t)(rand_r(&seed) % 40), n_holders = (size_t)(rand_r(&seed) % 10);
		int pids = 2 + rand_r(&seed) % 40;

		for (size_t i = 0; i < n_waits; i++) {
			waits[i] = (struct tap_view_lock_wait){ .instance = "postgres-5432",
								.pid = rand_r(&seed) % pids,
								.blocked_by = blockers[i],
								.n_blocked_by = (size_t)(rand_r(&seed) % 5) };
			for (int j = 0; j < 4; j++)
				blockers[i][j] = rand_r(&seed) % pids - 1;
		}
		for (size_t i = 0; i < n_holders; i++)
			holders[i] = (struct tap_view_lock_holder){ .instance = "postgres-5432",
								    .pid = rand_r(&seed) % pids,
								    .blocks = blockers[i],
								    .n_blocks = 4 };
		view.locks = (struct tap_lock_view){
			.waits = waits, .n_waits = n_waits, .holders = holders, .n_holders = n_holders
		};
		make(&view);
		check_invariants();
		tap_lock_tree_done(&tree);
	}
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct tap_view view = sample_locks_view();

	for (long n = 1;; n++) {
		struct tap_lock_tree made = { .n_nodes = 77 };
		int err;

		tap_alloc_fail_at(n);
		err = tap_lock_tree_make(&view, &made);
		if (!tap_alloc_failed()) {
			ck_assert_int_eq(err, 0);
			tap_lock_tree_done(&made);
			break;
		}
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_uint_eq(made.n_nodes, 77);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/output/lock_tree");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, NULL, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_sample);
	tcase_add_test(tests, test_links);
	tcase_add_test(tests, test_words);
	tcase_add_test(tests, test_unknown_blockers);
	tcase_add_test(tests, test_instances_are_apart);
	tcase_add_test(tests, test_a_wait_counts_once);
	tcase_add_test(tests, test_nothing);
	tcase_add_test(tests, test_convoy);
	tcase_add_test(tests, test_deep_chain);
	tcase_add_test(tests, test_random_graphs);
	tcase_add_test(tests, test_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
