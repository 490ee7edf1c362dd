// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_graph.c - who waits for whom, from a table of locks. Cycles are lock_cycle.c's.
 *
 * The rules are those of PostgreSQL's pg_blocking_pids (src/backend/utils/adt/lockfuncs.c describes them): a process is
 * blocked by those that hold a mode that excludes the one it wants, and by those that stand before it in the lock's
 * queue and want such a mode. Where a lock has no queue the mode tells who goes first. Members of a parallel group
 * never block each other, and a member blocks in the name of its leader. Fast-path locks play no part: the server moves
 * them to the shared table before anyone waits for them. Where a server says itself who waits for whom, that is taken.
 */
#include "correlate/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/lock_cycle.h"

enum {
	EDGES_MAX = 2 << 20, /* two thousand waiting for one lock; more are no news */
};

struct maker {
	const struct tap_lock_table *table;
	size_t *order; /* of entries that are not fast-path, by tag */
	size_t count;
	struct tap_lock_graph *graph;
	size_t capacity; /* of graph->edges */
};

static int compare_places(const void *a, const void *b, void *arg)
{
	const struct tap_lock_table *table = arg;
	size_t left = *(const size_t *)a, right = *(const size_t *)b;
	int by_tag = memcmp(&table->entries[left].tag, &table->entries[right].tag, sizeof(struct tap_lock_tag));

	return by_tag ? by_tag : (left > right) - (left < right);
}

static int order_make(struct maker *maker)
{
	const struct tap_lock_table *table = maker->table;

	maker->order = calloc(table->count + 1, sizeof(*maker->order));
	if (!maker->order)
		return -ENOMEM;
	for (size_t i = 0; i < table->count; i++) {
		if (!table->entries[i].fast_path)
			maker->order[maker->count++] = i;
	}
	qsort_r(maker->order, maker->count, sizeof(*maker->order), compare_places, (void *)table);
	return 0;
}

static int edge_add(struct maker *maker, const struct tap_lock_edge *edge)
{
	struct tap_lock_graph *graph = maker->graph;
	size_t wanted = maker->capacity ? maker->capacity * 2 : 64;
	struct tap_lock_edge *edges;

	if (graph->n_edges >= EDGES_MAX && edge->soft) {
		graph->cut = true;
		return 0;
	}
	if (graph->n_edges == maker->capacity) {
		edges = realloc(graph->edges, wanted * sizeof(*edges));
		if (!edges)
			return -ENOMEM;
		graph->edges = edges;
		maker->capacity = wanted;
	}
	graph->edges[graph->n_edges++] = *edge;
	return 0;
}

static bool is_same_group(const struct tap_lock_entry *a, const struct tap_lock_entry *b)
{
	return a->pid == b->pid || (a->leader_pid && a->leader_pid == b->leader_pid);
}

/* Whether the other one, which waits, too, goes first. */
static bool is_ahead(const struct tap_lock_entry *other, const struct tap_lock_entry *waiter)
{
	if (!(tap_lock_mode_yields(waiter->tag.type, waiter->wanted) >> other->wanted & 1))
		return false;
	return !tap_lock_is_queue(waiter->tag.type) || (other->queue && waiter->queue && other->queue < waiter->queue);
}

/* Two entries of one lock. */
static int pair_look(struct maker *maker, size_t place, const struct tap_lock_entry *other)
{
	const struct tap_lock_entry *waiter = &maker->table->entries[place];
	struct tap_lock_edge edge = { .waiter = waiter->pid, .entry = place };

	if (is_same_group(waiter, other))
		return 0;
	if (!(tap_lock_mode_conflicts(waiter->tag.type, waiter->wanted) & other->held)) {
		if (!is_ahead(other, waiter))
			return 0;
		edge.soft = true;
	}
	edge.blocker = other->leader_pid ? other->leader_pid : other->pid;
	edge.xid = edge.blocker ? 0 : other->xid;
	return edge_add(maker, &edge);
}

/* Entries order[first .. end) are one lock's. */
static int lock_look(struct maker *maker, size_t first, size_t end)
{
	int err = 0;

	for (size_t i = first; i < end && !err; i++) {
		const struct tap_lock_entry *waiter = &maker->table->entries[maker->order[i]];

		if (!waiter->wanted || waiter->pid <= 0)
			continue;
		for (size_t j = first; j < end && !err; j++)
			err = pair_look(maker, maker->order[i], &maker->table->entries[maker->order[j]]);
	}
	return err;
}

static int locks_look(struct maker *maker)
{
	const struct tap_lock_entry *entries = maker->table->entries;
	size_t end;
	int err = 0;

	for (size_t first = 0; first < maker->count && !err; first = end) {
		const struct tap_lock_tag *tag = &entries[maker->order[first]].tag;

		for (end = first + 1; end < maker->count; end++) {
			if (memcmp(tag, &entries[maker->order[end]].tag, sizeof(*tag)))
				break;
		}
		if (!maker->table->is_told || !tap_lock_is_of_storage(tag->type))
			err = lock_look(maker, first, end);
	}
	return err;
}

/* Who waits for one of InnoDB's locks, and which entry says so. */
struct waiting {
	int32_t pid;
	size_t entry;
};

static int compare_waiting(const void *a, const void *b)
{
	const struct waiting *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

/* Into `waiting`, which has room for all entries, by pid. Returns how many. */
static size_t waiting_list(const struct tap_lock_table *table, struct waiting *waiting)
{
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct tap_lock_entry *entry = &table->entries[i];

		if (entry->wanted && entry->pid > 0 && tap_lock_is_of_storage(entry->tag.type))
			waiting[count++] = (struct waiting){ entry->pid, i };
	}
	if (count)
		qsort(waiting, count, sizeof(*waiting), compare_waiting);
	return count;
}

/* What the server says itself. */
static int told_look(struct maker *maker)
{
	const struct tap_lock_table *table = maker->table;
	struct waiting *waiting = calloc(table->count + 1, sizeof(*waiting));
	size_t count;
	int err = 0;

	if (!waiting)
		return -ENOMEM;
	count = waiting_list(table, waiting);
	for (size_t i = 0; i < table->n_told && count && !err; i++) {
		const struct tap_lock_told *told = &table->told[i];
		const struct waiting key = { .pid = told->waiter };
		const struct waiting *found = bsearch(&key, waiting, count, sizeof(key), compare_waiting);
		struct tap_lock_edge edge = {
			.waiter = told->waiter, .blocker = told->blocker, .xid = told->xid, .soft = told->soft
		};

		if (!found || told->waiter == told->blocker)
			continue;
		edge.entry = found->entry;
		err = edge_add(maker, &edge);
	}
	free(waiting);
	return err;
}

static int compare_edges(const void *a, const void *b)
{
	const struct tap_lock_edge *left = a, *right = b;

	if (left->waiter != right->waiter)
		return left->waiter < right->waiter ? -1 : 1;
	if (left->blocker != right->blocker)
		return left->blocker < right->blocker ? -1 : 1;
	if (left->xid != right->xid)
		return left->xid < right->xid ? -1 : 1;
	if (left->soft != right->soft)
		return left->soft ? 1 : -1;
	return (left->entry > right->entry) - (left->entry < right->entry);
}

/* Two members of a group are one blocker. */
static void edges_unite(struct tap_lock_graph *graph)
{
	size_t kept = 0;

	if (graph->n_edges)
		qsort(graph->edges, graph->n_edges, sizeof(*graph->edges), compare_edges);
	for (size_t i = 0; i < graph->n_edges; i++) {
		const struct tap_lock_edge *edge = &graph->edges[i];
		const struct tap_lock_edge *last = kept ? &graph->edges[kept - 1] : NULL;

		if (last && last->waiter == edge->waiter && last->blocker == edge->blocker && last->xid == edge->xid)
			continue;
		graph->edges[kept++] = *edge;
	}
	graph->n_edges = kept;
}

int tap_lock_graph_make(const struct tap_lock_table *table, struct tap_lock_graph *ret)
{
	struct tap_lock_graph graph = { 0 };
	struct maker maker = { .table = table, .graph = &graph };
	int err = order_make(&maker);

	if (!err)
		err = locks_look(&maker);
	if (!err && table->is_told)
		err = told_look(&maker);
	if (!err) {
		edges_unite(&graph);
		err = tap_lock_cycles_find(table, &graph);
	}
	free(maker.order);
	if (err) {
		tap_lock_graph_done(&graph);
		return err;
	}
	*ret = graph;
	return 0;
}

void tap_lock_graph_done(struct tap_lock_graph *graph)
{
	if (!graph)
		return;
	free(graph->edges);
	free(graph->cycle_pids);
	free(graph->cycle_ends);
	free(graph->cycle_soft);
	memset(graph, 0, sizeof(*graph));
}
