// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_cycle.c - who waits for himself in the end.
 *
 * A node is a parallel group, or the one process that is none, and has an edge when one of its members waits. Nodes
 * that wait for nobody, or for whom nobody waits, are taken away until none is left that can be; what remains is
 * searched from each node, breadth first, for the shortest way back to it: among holders alone, and where there is none
 * along queues, too. The other way round a short way along a queue would hide a deadlock. Ways through a deadlock are
 * no cycles of their own: they may be gone when it is.
 */
#include "correlate/lock_cycle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CYCLES_MAX = 4096,
	STEPS_MAX = 20 << 20, /* edges looked at: a fraction of a second */
};

#define NONE SIZE_MAX

/* What is searched: edges of the graph whose blocker waits, too, from node to node. */
struct hop {
	size_t from;
	size_t to;
	int32_t pid; /* the member of `from` that waits */
	bool soft;
};

struct search {
	struct tap_lock_graph *graph;
	int32_t *nodes; /* pids of leaders, sorted */
	size_t n_nodes;
	struct hop *hops; /* by `from` */
	size_t n_hops;
	size_t *first; /* n_nodes + 1: where each node's hops begin */
	bool *live;    /* the node may be in a cycle */
	bool *stuck;   /* it is in one of holders alone */
	bool hard_only;
	size_t *came; /* the hop a node was reached by; NONE: not yet */
	size_t *queue;
	size_t *path; /* hops of the cycle just found, forwards */
	size_t steps;
	size_t pids; /* in graph->cycle_pids */
};

static int compare_pids(const void *a, const void *b)
{
	int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;

	return (left > right) - (left < right);
}

static int32_t leader_of(const struct tap_lock_table *table, const struct tap_lock_edge *edge)
{
	const struct tap_lock_entry *entry = &table->entries[edge->entry];

	return entry->leader_pid ? entry->leader_pid : entry->pid;
}

static size_t node_of(const struct search *search, int32_t pid)
{
	const int32_t *found = NULL;

	if (pid && search->n_nodes)
		found = bsearch(&pid, search->nodes, search->n_nodes, sizeof(pid), compare_pids);
	return found ? (size_t)(found - search->nodes) : NONE;
}

static void nodes_make(struct search *search, const struct tap_lock_table *table)
{
	const struct tap_lock_graph *graph = search->graph;
	size_t kept = 0;

	for (size_t i = 0; i < graph->n_edges; i++)
		search->nodes[i] = leader_of(table, &graph->edges[i]);
	qsort(search->nodes, graph->n_edges, sizeof(*search->nodes), compare_pids);
	for (size_t i = 0; i < graph->n_edges; i++) {
		if (!kept || search->nodes[kept - 1] != search->nodes[i])
			search->nodes[kept++] = search->nodes[i];
	}
	search->n_nodes = kept;
}

static int compare_hops(const void *a, const void *b)
{
	const struct hop *left = a, *right = b;

	if (left->from != right->from)
		return left->from < right->from ? -1 : 1;
	if (left->soft != right->soft)
		return left->soft ? 1 : -1;
	if (left->to != right->to)
		return left->to < right->to ? -1 : 1;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

static void hops_make(struct search *search, const struct tap_lock_table *table)
{
	const struct tap_lock_graph *graph = search->graph;
	size_t at = 0;

	for (size_t i = 0; i < graph->n_edges; i++) {
		const struct tap_lock_edge *edge = &graph->edges[i];
		struct hop hop = {
			.from = node_of(search, leader_of(table, edge)),
			.to = node_of(search, edge->blocker),
			.pid = edge->waiter,
			.soft = edge->soft,
		};

		if (hop.to != NONE && hop.to != hop.from)
			search->hops[search->n_hops++] = hop;
	}
	if (search->n_hops)
		qsort(search->hops, search->n_hops, sizeof(*search->hops), compare_hops);
	for (size_t node = 0; node <= search->n_nodes; node++) {
		while (at < search->n_hops && search->hops[at].from < node)
			at++;
		search->first[node] = at;
	}
}

/*
 * Kahn's algorithm in both directions: degree counts live hops out of (or into) each node; a node that has none left is
 * dropped, and its neighbours count one less. `came` serves as the counter.
 */
static void prune(struct search *search, const size_t *by_end, bool backwards)
{
	size_t *degree = search->came;
	size_t head = 0, tail = 0;

	memset(degree, 0, search->n_nodes * sizeof(*degree));
	for (size_t i = 0; i < search->n_hops; i++) {
		const struct hop *hop = &search->hops[i];

		if (search->live[hop->from] && search->live[hop->to])
			degree[backwards ? hop->to : hop->from]++;
	}
	for (size_t i = 0; i < search->n_nodes; i++) {
		if (search->live[i] && !degree[i]) {
			search->live[i] = false;
			search->queue[tail++] = i;
		}
	}
	while (head < tail) {
		size_t gone = search->queue[head++];
		size_t begin = backwards ? search->first[gone] : by_end[gone];
		size_t end = backwards ? search->first[gone + 1] : by_end[gone + 1];

		for (size_t i = begin; i < end; i++) {
			const struct hop *hop = &search->hops[backwards ? i : by_end[search->n_nodes + 1 + i]];
			size_t next = backwards ? hop->to : hop->from;

			if (!search->live[next] || --degree[next])
				continue;
			search->live[next] = false;
			search->queue[tail++] = next;
		}
	}
}

/* Hops by where they lead: n_nodes + 1 beginnings, then the places of hops. */
static size_t *ends_make(const struct search *search)
{
	size_t *ends = calloc(search->n_nodes + 2 + search->n_hops, sizeof(*ends));
	size_t *places;

	if (!ends)
		return NULL;
	places = ends + search->n_nodes + 1;
	for (size_t i = 0; i < search->n_hops; i++)
		ends[search->hops[i].to + 1]++;
	for (size_t i = 0; i < search->n_nodes; i++)
		ends[i + 1] += ends[i];
	for (size_t i = 0; i < search->n_hops; i++)
		places[ends[search->hops[i].to]++] = i;
	for (size_t i = search->n_nodes; i > 0; i--)
		ends[i] = ends[i - 1];
	ends[0] = 0;
	return ends;
}

static int live_find(struct search *search)
{
	size_t *by_end = ends_make(search);

	if (!by_end)
		return -ENOMEM;
	memset(search->live, true, search->n_nodes);
	prune(search, by_end, false);
	prune(search, by_end, true);
	free(by_end);
	return 0;
}

/* A shortest cycle through `start` into search->path; its length, 0 when there is none. */
static size_t cycle_through(struct search *search, size_t start)
{
	size_t head = 0, tail = 0, length = 0;
	size_t last = NONE;

	for (size_t i = 0; i < search->n_nodes; i++)
		search->came[i] = NONE;
	search->steps += search->n_nodes / 16;
	search->queue[tail++] = start;
	while (head < tail && last == NONE) {
		size_t node = search->queue[head++];

		for (size_t i = search->first[node]; i < search->first[node + 1] && last == NONE; i++) {
			size_t to = search->hops[i].to;

			search->steps++;
			if (search->hard_only && search->hops[i].soft)
				break; /* those of a node stand last */
			if (!search->hard_only && search->stuck[to])
				continue;
			if (to == start) {
				last = i;
			} else if (search->live[to] && search->came[to] == NONE) {
				search->came[to] = i;
				search->queue[tail++] = to;
			}
		}
	}
	for (size_t hop = last; hop != NONE; length++) {
		size_t from = search->hops[hop].from;

		search->path[length] = hop;
		hop = from == start ? NONE : search->came[from];
	}
	for (size_t i = 0; i < length / 2; i++) {
		size_t other = search->path[i];

		search->path[i] = search->path[length - 1 - i];
		search->path[length - 1 - i] = other;
	}
	return length;
}

/* Begins at the lowest node, so that the same cycle is the same list. */
static void path_turn(struct search *search, size_t length)
{
	size_t *path = search->path;
	size_t lowest = 0;

	for (size_t i = 1; i < length; i++) {
		if (search->hops[path[i]].from < search->hops[path[lowest]].from)
			lowest = i;
	}
	memcpy(search->queue, path, lowest * sizeof(*path));
	memmove(path, path + lowest, (length - lowest) * sizeof(*path));
	memcpy(path + length - lowest, search->queue, lowest * sizeof(*path));
}

static bool is_known(const struct search *search, size_t length)
{
	const struct tap_lock_graph *graph = search->graph;

	for (size_t cycle = 0, begin = 0; cycle < graph->n_cycles; begin = graph->cycle_ends[cycle++]) {
		size_t i = 0;

		if (graph->cycle_ends[cycle] - begin != length)
			continue;
		while (i < length && graph->cycle_pids[begin + i] == search->hops[search->path[i]].pid)
			i++;
		if (i == length)
			return true;
	}
	return false;
}

static int cycle_add(struct search *search, size_t length)
{
	struct tap_lock_graph *graph = search->graph;
	size_t cycles = graph->n_cycles + 1;
	int32_t *pids = reallocarray(graph->cycle_pids, search->pids + length, sizeof(*pids));
	size_t *ends;
	bool *soft;

	if (!pids)
		return -ENOMEM;
	graph->cycle_pids = pids;
	ends = reallocarray(graph->cycle_ends, cycles, sizeof(*ends));
	if (!ends)
		return -ENOMEM;
	graph->cycle_ends = ends;
	soft = reallocarray(graph->cycle_soft, cycles, sizeof(*soft));
	if (!soft)
		return -ENOMEM;
	graph->cycle_soft = soft;
	soft[graph->n_cycles] = false;
	for (size_t i = 0; i < length; i++) {
		pids[search->pids++] = search->hops[search->path[i]].pid;
		soft[graph->n_cycles] |= search->hops[search->path[i]].soft;
		search->stuck[search->hops[search->path[i]].from] |= search->hard_only;
	}
	ends[graph->n_cycles++] = search->pids;
	return 0;
}

static int cycles_look(struct search *search, bool hard_only)
{
	int err = 0;

	search->hard_only = hard_only;
	for (size_t node = 0; node < search->n_nodes && !err; node++) {
		size_t length;

		if (!search->live[node] || (!hard_only && search->stuck[node]))
			continue;
		if (search->steps > STEPS_MAX || search->graph->n_cycles >= CYCLES_MAX) {
			search->graph->cut = true;
			break;
		}
		length = cycle_through(search, node);
		if (!length)
			continue;
		path_turn(search, length);
		if (!is_known(search, length))
			err = cycle_add(search, length);
	}
	return err;
}

static void search_done(struct search *search)
{
	free(search->nodes);
	free(search->hops);
	free(search->first);
	free(search->live);
	free(search->stuck);
	free(search->came);
	free(search->queue);
	free(search->path);
}

static int search_init(struct search *search)
{
	size_t count = search->graph->n_edges + 1;

	search->nodes = calloc(count, sizeof(*search->nodes));
	search->hops = calloc(count, sizeof(*search->hops));
	search->first = calloc(count + 1, sizeof(*search->first));
	search->live = calloc(count, sizeof(*search->live));
	search->stuck = calloc(count, sizeof(*search->stuck));
	search->came = calloc(count, sizeof(*search->came));
	search->queue = calloc(count, sizeof(*search->queue));
	search->path = calloc(count, sizeof(*search->path));
	return search->nodes && search->hops && search->first && search->live && search->stuck && search->came &&
			       search->queue && search->path
		       ? 0
		       : -ENOMEM;
}

int tap_lock_cycles_find(const struct tap_lock_table *table, struct tap_lock_graph *graph)
{
	struct search search = { .graph = graph };
	int err;

	if (!graph->n_edges)
		return 0;
	err = search_init(&search);
	if (!err) {
		nodes_make(&search, table);
		hops_make(&search, table);
		err = live_find(&search);
	}
	if (!err)
		err = cycles_look(&search, true);
	if (!err)
		err = cycles_look(&search, false);
	search_done(&search);
	return err;
}
