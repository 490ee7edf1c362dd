// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_lock_graph.c - correlate/lock, lock_graph and lock_cycle: known pictures, and random tables against a slow and
 * obvious reference.
 */
#include "correlate/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

enum {
	PIDS = 9,     /* of random tables */
	FAR = 1000,   /* no way */
	ROUNDS = 400, /* random tables */
};

static struct tap_lock_table table;
static struct tap_lock_graph graph;

static void set_up(void)
{
	tap_lock_table_init(&table);
	memset(&graph, 0, sizeof(graph));
}

static void tear_down(void)
{
	tap_lock_table_done(&table);
	tap_lock_graph_done(&graph);
}

static struct tap_lock_entry *add(uint32_t lock, int32_t pid, uint16_t held, uint8_t wanted, uint32_t queue)
{
	struct tap_lock_entry entry = { .tag = { .field1 = 5, .field2 = lock, .method = 1 },
					.pid = pid,
					.leader_pid = pid,
					.held = held,
					.wanted = wanted,
					.queue = queue };

	ck_assert_int_eq(tap_lock_table_add(&table, &entry), 0);
	return &table.entries[table.count - 1];
}

static void make(void)
{
	tap_lock_graph_done(&graph);
	ck_assert_int_eq(tap_lock_graph_make(&table, &graph), 0);
}

static bool has_edge(int32_t waiter, int32_t blocker, bool soft)
{
	for (size_t i = 0; i < graph.n_edges; i++) {
		const struct tap_lock_edge *edge = &graph.edges[i];

		if (edge->waiter == waiter && edge->blocker == blocker && edge->soft == soft)
			return true;
	}
	return false;
}

#define HELD(mode) (1u << TAP_LOCK_MODE_##mode)

/* --- names and modes ---------------------------------------------------------------------------------------------- */

START_TEST(test_names)
{
	ck_assert_str_eq(tap_lock_type_name(TAP_LOCK_TRANSACTION), "transactionid");
	ck_assert_str_eq(tap_lock_type_name(TAP_LOCK_ADVISORY), "advisory");
	ck_assert_str_eq(tap_lock_type_name(255), "?");
	ck_assert_str_eq(tap_lock_mode_name(TAP_LOCK_TUPLE, 1), "AccessShareLock");
	ck_assert_str_eq(tap_lock_mode_name(TAP_LOCK_TUPLE, 8), "AccessExclusiveLock");
	ck_assert_str_eq(tap_lock_mode_name(TAP_LOCK_TUPLE, 0), "?");
	ck_assert_str_eq(tap_lock_mode_name(TAP_LOCK_TUPLE, 9), "?");
}
END_TEST

/* The manual's table, a row a mode. */
START_TEST(test_conflicts)
{
	static const char *const manual[] = { "",	  ".......X", "......XX", "....XXXX", "...XXXXX",
					      "..XX.XXX", "..XXXXXX", ".XXXXXXX", "XXXXXXXX" };

	for (uint8_t a = 0; a <= 255 - 1; a++) {
		for (uint8_t b = 0; b <= 20; b++) {
			bool wanted = a >= 1 && a <= 8 && b >= 1 && b <= 8 && manual[a][b - 1] == 'X';

			ck_assert_msg(tap_lock_modes_conflict(TAP_LOCK_RELATION, a, b) == wanted, "%d and %d", a, b);
		}
	}
}
END_TEST

/* --- pictures --------------------------------------------------------------------------------- */

START_TEST(test_nobody)
{
	make();
	ck_assert_uint_eq(graph.n_edges, 0);
	add(1, 10, HELD(EXCLUSIVE), 0, 0);
	make();
	ck_assert_uint_eq(graph.n_edges, 0);
}
END_TEST

/* A reader, behind it who wants the table alone, behind that one more readers. */
START_TEST(test_queue)
{
	add(1, 10, HELD(ACCESS_SHARE), 0, 0);
	add(1, 11, 0, TAP_LOCK_MODE_ACCESS_EXCLUSIVE, 1);
	add(1, 12, 0, TAP_LOCK_MODE_ACCESS_SHARE, 2);
	add(1, 13, 0, TAP_LOCK_MODE_ACCESS_SHARE, 3);
	make();
	ck_assert_uint_eq(graph.n_edges, 3);
	ck_assert(has_edge(11, 10, false));
	ck_assert(has_edge(12, 11, true));
	ck_assert(has_edge(13, 11, true));
}
END_TEST

static void tell(int32_t waiter, int32_t blocker, bool soft)
{
	const struct tap_lock_told told = {
		.waiter = waiter, .blocker = blocker, .xid = blocker ? 0 : 77, .soft = soft
	};

	ck_assert_int_eq(tap_lock_table_tell(&table, &told), 0);
}

/* What a server says itself of InnoDB counts there, whatever the modes; of all other locks they do. */
START_TEST(test_told)
{
	add(1, 10, 1u << TAP_LOCK_RECORD_X, 0, 0)->tag.type = TAP_LOCK_RECORD;
	add(1, 11, 0, TAP_LOCK_RECORD_X, 0)->tag.type = TAP_LOCK_RECORD;
	add(1, 12, 0, TAP_LOCK_RECORD_INSERT, 0)->tag.type = TAP_LOCK_RECORD;
	add(2, 13, 1u << TAP_LOCK_METADATA_X, 0, 0)->tag.type = TAP_LOCK_METADATA;
	add(2, 14, 0, TAP_LOCK_METADATA_SR, 0)->tag.type = TAP_LOCK_METADATA;
	table.is_told = true;
	tell(11, 10, false);
	tell(12, 11, true);
	tell(12, 0, false);
	/* Nobody of whom is known to wait, one for himself, and one twice. */
	tell(10, 11, false);
	tell(99, 10, false);
	tell(11, 11, false);
	tell(-5, 10, false);
	tell(11, 10, true);
	make();
	ck_assert_uint_eq(graph.n_edges, 4);
	ck_assert(has_edge(11, 10, false) && has_edge(12, 11, true) && has_edge(12, 0, false));
	ck_assert(has_edge(14, 13, false));
	ck_assert_uint_eq(graph.n_cycles, 0);
	/* A cycle that was told is one. */
	add(3, 10, 0, TAP_LOCK_RECORD_X, 0)->tag.type = TAP_LOCK_RECORD;
	make();
	ck_assert_uint_eq(graph.n_cycles, 1);
}
END_TEST

/* Without places nobody is ahead of anybody. */
START_TEST(test_unknown_order)
{
	add(1, 11, 0, TAP_LOCK_MODE_ACCESS_EXCLUSIVE, 0);
	add(1, 12, 0, TAP_LOCK_MODE_ACCESS_SHARE, 0);
	make();
	ck_assert_uint_eq(graph.n_edges, 0);
}
END_TEST

START_TEST(test_group)
{
	add(1, 10, HELD(SHARE), 0, 0);
	add(1, 11, HELD(SHARE), 0, 0)->leader_pid = 10;
	add(1, 12, 0, TAP_LOCK_MODE_EXCLUSIVE, 1);
	/* A worker that wants what its own leader excludes. */
	add(1, 13, 0, TAP_LOCK_MODE_EXCLUSIVE, 2)->leader_pid = 10;
	make();
	ck_assert_uint_eq(graph.n_edges, 2);
	ck_assert(has_edge(12, 10, false));
	ck_assert(has_edge(13, 12, true));
	/* 12 waits for the group of 10, of which 13 waits for 12. */
	ck_assert_uint_eq(graph.n_cycles, 1);
	ck_assert(graph.cycle_soft[0]);
	ck_assert_uint_eq(graph.cycle_ends[0], 2);
	ck_assert_int_eq(graph.cycle_pids[0] + graph.cycle_pids[1], 12 + 13);
}
END_TEST

START_TEST(test_prepared)
{
	struct tap_lock_entry *entry = add(1, 0, HELD(EXCLUSIVE), 0, 0);

	entry->xid = 700;
	entry = add(1, 0, HELD(ROW_SHARE), 0, 0);
	entry->xid = 701;
	add(1, 12, 0, TAP_LOCK_MODE_EXCLUSIVE, 1);
	make();
	ck_assert_uint_eq(graph.n_edges, 2);
	ck_assert_int_eq(graph.edges[0].blocker, 0);
	ck_assert_uint_eq(graph.edges[0].xid, 700);
	ck_assert_uint_eq(graph.edges[1].xid, 701);
}
END_TEST

/* Who holds a fast-path lock blocks nobody: such locks move first. */
START_TEST(test_fast_path)
{
	add(1, 10, HELD(ACCESS_SHARE), 0, 0)->fast_path = true;
	add(1, 11, 0, TAP_LOCK_MODE_ACCESS_EXCLUSIVE, 1);
	make();
	ck_assert_uint_eq(graph.n_edges, 0);
}
END_TEST

/* Holder and ahead in the queue at once: one edge, a hard one. */
START_TEST(test_hard_wins)
{
	add(1, 10, HELD(SHARE), TAP_LOCK_MODE_EXCLUSIVE, 1);
	add(1, 11, HELD(SHARE), TAP_LOCK_MODE_EXCLUSIVE, 2);
	make();
	ck_assert_uint_eq(graph.n_edges, 2);
	ck_assert(has_edge(10, 11, false));
	ck_assert(has_edge(11, 10, false));
	ck_assert_uint_eq(graph.n_cycles, 1);
	ck_assert(!graph.cycle_soft[0]);
}
END_TEST

START_TEST(test_cycle_of_three_and_one_behind)
{
	for (int32_t i = 0; i < 3; i++) {
		add((uint32_t)i, 10 + i, HELD(EXCLUSIVE), 0, 0);
		add((uint32_t)(i + 1) % 3, 10 + i, 0, TAP_LOCK_MODE_EXCLUSIVE, 1);
	}
	add(0, 20, 0, TAP_LOCK_MODE_EXCLUSIVE, 2);
	make();
	ck_assert_uint_eq(graph.n_cycles, 1);
	ck_assert_uint_eq(graph.cycle_ends[0], 3);
	ck_assert_int_eq(graph.cycle_pids[0], 10);
	ck_assert_int_eq(graph.cycle_pids[1], 11);
	ck_assert_int_eq(graph.cycle_pids[2], 12);
}
END_TEST

/* More than anyone would draw: it ends soon, and says that it left something out. */
START_TEST(test_thousands_in_one_queue)
{
	add(1, 1, HELD(EXCLUSIVE), 0, 0);
	for (int32_t i = 0; i < 3000; i++)
		add(1, 10 + i, 0, TAP_LOCK_MODE_EXCLUSIVE, (uint32_t)i + 1);
	make();
	ck_assert(graph.cut);
	for (int32_t i = 0; i < 3000; i += 100)
		ck_assert(has_edge(10 + i, 1, false));
}
END_TEST

/* --- random tables ---------------------------------------------------------------------------- */

static unsigned int seed;

static unsigned int pick(unsigned int below)
{
	return (unsigned int)rand_r(&seed) % below;
}

/* What no server would have is welcome, too: the rules do not ask how it came about. */
static void random_table(void)
{
	uint32_t places[4] = { 0 };
	size_t count = 6 + pick(24);
	bool waits[PIDS] = { false };

	tap_lock_table_done(&table);
	for (size_t i = 0; i < count; i++) {
		uint32_t lock = pick(4);
		int32_t pid = (int32_t)pick(PIDS);
		struct tap_lock_entry *entry;

		for (size_t j = 0; j < table.count; j++) {
			if (table.entries[j].tag.field2 == lock && table.entries[j].pid == pid)
				pid = -1;
		}
		if (pid < 0)
			continue;
		entry = add(lock, pid, (uint16_t)(pick(2) ? 0 : 1u << (3 + pick(6))), 0, 0);
		entry->fast_path = !pick(12);
		entry->xid = pid ? 0 : 700;
		if (pid > 6)
			entry->leader_pid = 6;
		if (pid && !waits[pid] && pick(5)) {
			waits[pid] = true;
			entry->wanted = (uint8_t)(3 + pick(6));
			entry->queue = pick(8) ? ++places[lock] : 0;
		}
	}
}

/* The rules, word by word. */
static bool blocks(const struct tap_lock_entry *waiter, const struct tap_lock_entry *other, bool *soft)
{
	*soft = false;
	if (waiter == other || !waiter->wanted || !waiter->pid || waiter->fast_path || other->fast_path)
		return false;
	if (memcmp(&waiter->tag, &other->tag, sizeof(waiter->tag)) || waiter->leader_pid == other->leader_pid)
		return false;
	for (uint8_t mode = 1; mode <= 8; mode++) {
		if (other->held >> mode & 1 && tap_lock_modes_conflict(waiter->tag.type, waiter->wanted, mode))
			return true;
	}
	*soft = true;
	return other->wanted && tap_lock_modes_conflict(waiter->tag.type, waiter->wanted, other->wanted) &&
	       other->queue && waiter->queue && other->queue < waiter->queue;
}

/* [waiter][blocker]: 0 none, 1 soft, 2 hard; and from group to group. */
static int expected[PIDS][PIDS];
static int distance[PIDS][PIDS];
static int hard[PIDS][PIDS]; /* of holders alone */

static void close_over(int lengths[PIDS][PIDS])
{
	for (int k = 0; k < PIDS; k++) {
		for (int i = 0; i < PIDS; i++) {
			for (int j = 0; j < PIDS; j++) {
				if (lengths[i][k] + lengths[k][j] < lengths[i][j])
					lengths[i][j] = lengths[i][k] + lengths[k][j];
			}
		}
	}
}

static int leader(int pid)
{
	return pid > 6 ? 6 : pid;
}

static void reference(void)
{
	memset(expected, 0, sizeof(expected));
	for (int i = 0; i < PIDS; i++) {
		for (int j = 0; j < PIDS; j++)
			hard[i][j] = distance[i][j] = FAR;
	}
	for (size_t i = 0; i < table.count; i++) {
		for (size_t j = 0; j < table.count; j++) {
			const struct tap_lock_entry *waiter = &table.entries[i], *other = &table.entries[j];
			bool soft;

			if (!blocks(waiter, other, &soft))
				continue;
			if (expected[waiter->pid][other->leader_pid] < 2 - soft)
				expected[waiter->pid][other->leader_pid] = 2 - soft;
			if (other->leader_pid)
				distance[leader(waiter->pid)][other->leader_pid] = 1;
			if (other->leader_pid && !soft)
				hard[leader(waiter->pid)][other->leader_pid] = 1;
		}
	}
	close_over(hard);
	for (int i = 0; i < PIDS; i++) {
		for (int j = 0; j < PIDS; j++) {
			if (hard[i][i] < FAR || hard[j][j] < FAR)
				distance[i][j] = FAR;
		}
	}
	close_over(distance);
}

static void check_edges(void)
{
	size_t count = 0;

	for (int i = 0; i < PIDS; i++) {
		for (int j = 0; j < PIDS; j++) {
			count += expected[i][j] != 0;
			ck_assert_msg(has_edge(i, j, false) == (expected[i][j] == 2), "%d waits for %d", i, j);
			ck_assert_msg(has_edge(i, j, true) == (expected[i][j] == 1), "%d queues behind %d", i, j);
		}
	}
	ck_assert_uint_eq(graph.n_edges, count);
}

static void check_cycle(const int32_t *pids, size_t length, bool *met, int *shortest)
{
	int seen[PIDS] = { 0 };

	ck_assert_uint_ge(length, 2);
	for (size_t i = 0; i < length; i++) {
		int32_t next = pids[(i + 1) % length];

		ck_assert_int_eq(seen[leader(pids[i])]++, 0);
		ck_assert_int_ne(expected[pids[i]][leader(next)], 0);
		met[leader(pids[i])] = true;
		if ((int)length < shortest[leader(pids[i])])
			shortest[leader(pids[i])] = (int)length;
	}
}

/* Each is one, none comes twice, and whoever is in one is in a shortest one that is told. */
static void check_cycles(void)
{
	bool met[PIDS] = { false };
	int shortest[PIDS];

	for (int i = 0; i < PIDS; i++)
		shortest[i] = FAR;
	for (size_t i = 0, first = 0; i < graph.n_cycles; first = graph.cycle_ends[i++]) {
		size_t length = graph.cycle_ends[i] - first;

		check_cycle(graph.cycle_pids + first, length, met, shortest);
		for (size_t j = 0, other = 0; j < i; other = graph.cycle_ends[j++]) {
			size_t same = 0;

			if (graph.cycle_ends[j] - other != length)
				continue;
			while (same < length && graph.cycle_pids[other + same] == graph.cycle_pids[first + same])
				same++;
			ck_assert_uint_ne(same, length);
		}
	}
	for (int i = 0; i < PIDS; i++) {
		ck_assert_int_eq(met[i], hard[i][i] < FAR || distance[i][i] < FAR);
		if (met[i])
			ck_assert_int_eq(shortest[i], hard[i][i] < FAR ? hard[i][i] : distance[i][i]);
	}
}

START_TEST(test_random)
{
	size_t edges = 0, cycles = 0;

	seed = (unsigned int)_i + 1;
	for (int round = 0; round < ROUNDS; round++) {
		random_table();
		reference();
		make();
		check_edges();
		check_cycles();
		ck_assert(!graph.cut);
		edges += graph.n_edges;
		cycles += graph.n_cycles;
	}
	/* The tables are worth the trouble. */
	ck_assert_uint_gt(edges, 3 * ROUNDS);
	ck_assert_uint_gt(cycles, ROUNDS / 20);
}
END_TEST

START_TEST(test_without_memory)
{
	add(1, 10, HELD(SHARE), TAP_LOCK_MODE_EXCLUSIVE, 1);
	add(1, 11, HELD(SHARE), TAP_LOCK_MODE_EXCLUSIVE, 2);
	for (long n = 1;; n++) {
		int err;

		tap_alloc_fail_at(n);
		err = tap_lock_graph_make(&table, &graph);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_ptr_null(graph.edges);
	}
	tap_alloc_fail_at(1);
	{
		struct tap_lock_table empty = { 0 };
		int err = tap_lock_table_add(&empty, &table.entries[0]);

		tap_alloc_fail_at(0);
		ck_assert_int_eq(err, -ENOMEM);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lock_graph");
	TCase *tcase = tcase_create("graph");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_names);
	tcase_add_test(tcase, test_conflicts);
	tcase_add_test(tcase, test_nobody);
	tcase_add_test(tcase, test_queue);
	tcase_add_test(tcase, test_unknown_order);
	tcase_add_test(tcase, test_group);
	tcase_add_test(tcase, test_prepared);
	tcase_add_test(tcase, test_fast_path);
	tcase_add_test(tcase, test_hard_wins);
	tcase_add_test(tcase, test_cycle_of_three_and_one_behind);
	tcase_add_test(tcase, test_told);
	tcase_add_test(tcase, test_thousands_in_one_queue);
	tcase_add_loop_test(tcase, test_random, 0, 4);
	tcase_add_test(tcase, test_without_memory);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
