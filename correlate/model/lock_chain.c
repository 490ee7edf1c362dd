// SPDX-License-Identifier: BSD-2-Clause
/* lock_chain.c - breadth first from those who wait for nobody to everybody who waits for them. */
#include "correlate/model/lock_chain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEPS_MAX = 50 << 20, /* edges followed for the victims */
};

struct work {
	struct tap_lock_chain *chain;
	size_t *queue;
	size_t *seen; /* by whose search a node was met last, + 1 */
	size_t steps;
};

int64_t tap_lock_waiting_ns(const struct tap_lock_table *table, const struct tap_lock_entry *entry)
{
	int64_t start_ns, age;

	if (!entry->wanted || !entry->wait_start_us || __builtin_mul_overflow(entry->wait_start_us, 1000, &start_ns) ||
	    __builtin_sub_overflow(table->realtime_ns, start_ns, &age))
		return -1;
	return age < 0 ? 0 : age;
}

static int32_t leader_of(const struct tap_lock_entry *entry)
{
	return entry->leader_pid ? entry->leader_pid : entry->pid;
}

static int compare_nodes(const void *a, const void *b)
{
	const struct tap_lock_node *left = a, *right = b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return (left->xid > right->xid) - (left->xid < right->xid);
}

size_t tap_lock_chain_find(const struct tap_lock_chain *chain, int32_t leader_pid, uint32_t xid)
{
	const struct tap_lock_node key = { .pid = leader_pid, .xid = xid }, *found = NULL;

	if (chain->n_nodes)
		found = bsearch(&key, chain->nodes, chain->n_nodes, sizeof(key), compare_nodes);
	return found ? (size_t)(found - chain->nodes) : TAP_LOCK_NO_NODE;
}

size_t tap_lock_chain_waiter(const struct tap_lock_chain *chain, const struct tap_lock_edge *edge)
{
	return tap_lock_chain_find(chain, leader_of(&chain->table->entries[edge->entry]), 0);
}

static size_t blocker_of(const struct tap_lock_chain *chain, const struct tap_lock_edge *edge)
{
	return tap_lock_chain_find(chain, edge->blocker, edge->xid);
}

static int nodes_make(struct tap_lock_chain *chain)
{
	const struct tap_lock_graph *graph = chain->graph;
	size_t count = 0, kept = 0;

	chain->nodes = calloc(2 * graph->n_edges + 1, sizeof(*chain->nodes));
	if (!chain->nodes)
		return -ENOMEM;
	for (size_t i = 0; i < graph->n_edges; i++) {
		const struct tap_lock_edge *edge = &graph->edges[i];

		chain->nodes[count++].pid = leader_of(&chain->table->entries[edge->entry]);
		chain->nodes[count].xid = edge->xid;
		chain->nodes[count++].pid = edge->blocker;
	}
	if (count)
		qsort(chain->nodes, count, sizeof(*chain->nodes), compare_nodes);
	for (size_t i = 0; i < count; i++) {
		if (!kept || compare_nodes(&chain->nodes[kept - 1], &chain->nodes[i]))
			chain->nodes[kept++] = (struct tap_lock_node){ .pid = chain->nodes[i].pid,
								       .xid = chain->nodes[i].xid,
								       .root = TAP_LOCK_NO_NODE };
	}
	memset(&chain->nodes[kept], 0, sizeof(*chain->nodes));
	chain->n_nodes = kept;
	return 0;
}

/* Edges are sorted by waiter: each waiting process is counted at its first one. */
static void waits_sum(struct tap_lock_chain *chain)
{
	const struct tap_lock_graph *graph = chain->graph;

	for (size_t i = 0; i < graph->n_edges; i++) {
		struct tap_lock_node *node = &chain->nodes[tap_lock_chain_waiter(chain, &graph->edges[i])];
		int64_t ns = tap_lock_waiting_ns(chain->table, &chain->table->entries[graph->edges[i].entry]);

		chain->nodes[blocker_of(chain, &graph->edges[i])].blocks = true;
		node->waits = true;
		if (i && graph->edges[i - 1].waiter == graph->edges[i].waiter)
			continue;
		node->waiting++;
		node->wait_ns += ns > 0 ? ns : 0;
	}
}

static int incoming_make(struct tap_lock_chain *chain)
{
	const struct tap_lock_graph *graph = chain->graph;
	size_t total = 0;

	chain->incoming = calloc(graph->n_edges + 1, sizeof(*chain->incoming));
	if (!chain->incoming)
		return -ENOMEM;
	for (size_t i = 0; i < graph->n_edges; i++)
		chain->nodes[blocker_of(chain, &graph->edges[i])].first++;
	for (size_t i = 0; i <= chain->n_nodes; i++) {
		size_t count = chain->nodes[i].first;

		chain->nodes[i].first = total;
		total += count;
	}
	/* Filling moves each beginning to its end: moved back below. */
	for (int soft = 0; soft < 2; soft++) {
		for (size_t i = 0; i < graph->n_edges; i++) {
			if (graph->edges[i].soft == soft)
				chain->incoming[chain->nodes[blocker_of(chain, &graph->edges[i])].first++] = i;
		}
	}
	for (size_t i = chain->n_nodes; i > 0; i--)
		chain->nodes[i].first = chain->nodes[i - 1].first;
	chain->nodes[0].first = 0;
	return 0;
}

static void cycles_mark(struct tap_lock_chain *chain)
{
	const struct tap_lock_graph *graph = chain->graph;
	size_t n_pids = graph->n_cycles ? graph->cycle_ends[graph->n_cycles - 1] : 0;

	for (size_t i = 0; i < n_pids; i++) {
		/* The waiting member's own edges lead to its node. */
		for (size_t low = 0, high = graph->n_edges; low < high;) {
			size_t middle = low + (high - low) / 2;

			if (graph->edges[middle].waiter == graph->cycle_pids[i]) {
				chain->nodes[tap_lock_chain_waiter(chain, &graph->edges[middle])].in_cycle = true;
				break;
			}
			if (graph->edges[middle].waiter < graph->cycle_pids[i])
				low = middle + 1;
			else
				high = middle;
		}
	}
}

/* Whoever waits for what is in the queue, and for those in turn; each goes where it was met first. */
static void spread(struct work *work, size_t tail)
{
	struct tap_lock_chain *chain = work->chain;

	for (size_t head = 0; head < tail; head++) {
		size_t at = work->queue[head];

		for (size_t i = chain->nodes[at].first; i < chain->nodes[at + 1].first; i++) {
			size_t next = tap_lock_chain_waiter(chain, &chain->graph->edges[chain->incoming[i]]);

			if (work->seen[next])
				continue;
			work->seen[next] = 1;
			chain->nodes[next].depth = chain->nodes[at].depth + 1;
			chain->nodes[next].root = chain->nodes[at].root;
			work->queue[tail++] = next;
		}
	}
}

static int compare_costs(const void *a, const void *b, void *arg)
{
	const struct tap_lock_chain *chain = arg;
	size_t left = *(const size_t *)a, right = *(const size_t *)b;

	if (chain->nodes[left].cost_ns != chain->nodes[right].cost_ns)
		return chain->nodes[left].cost_ns > chain->nodes[right].cost_ns ? -1 : 1;
	return (left > right) - (left < right);
}

/* The dearest root first: who waits for two is shown below that one. */
static void depths_find(struct work *work)
{
	struct tap_lock_chain *chain = work->chain;
	size_t tail = 0;

	for (size_t i = 0; i < chain->n_nodes; i++) {
		if (chain->nodes[i].waits)
			continue;
		chain->nodes[i].root = i;
		work->seen[i] = 1;
		work->queue[tail++] = i;
	}
	qsort_r(work->queue, tail, sizeof(*work->queue), compare_costs, chain);
	spread(work, tail);
	tail = 0;
	for (size_t i = 0; i < chain->n_nodes; i++) {
		if (work->seen[i] || !chain->nodes[i].in_cycle)
			continue;
		chain->nodes[i].depth = 1;
		work->seen[i] = 1;
		work->queue[tail++] = i;
	}
	spread(work, tail);
}

/* Everybody who waits for `start` in the end, itself not counted. */
static void victims_count(struct work *work, size_t start)
{
	struct tap_lock_chain *chain = work->chain;
	struct tap_lock_node *node = &chain->nodes[start];
	size_t tail = 0;

	work->seen[start] = start + 1;
	work->queue[tail++] = start;
	for (size_t head = 0; head < tail; head++) {
		size_t at = work->queue[head];

		/* Too much to follow: the direct ones, at least. */
		if (head && work->steps > STEPS_MAX) {
			chain->cut = true;
			break;
		}
		for (size_t i = chain->nodes[at].first; i < chain->nodes[at + 1].first; i++) {
			size_t next = tap_lock_chain_waiter(chain, &chain->graph->edges[chain->incoming[i]]);

			work->steps++;
			if (work->seen[next] == start + 1)
				continue;
			work->seen[next] = start + 1;
			work->queue[tail++] = next;
			node->victims += chain->nodes[next].waiting;
			node->cost_ns += chain->nodes[next].wait_ns;
		}
	}
}

static void victims_find(struct work *work)
{
	struct tap_lock_chain *chain = work->chain;

	for (int waits = 0; waits < 2; waits++) {
		for (size_t i = 0; i < chain->n_nodes; i++) {
			if (chain->nodes[i].waits == waits && chain->nodes[i].blocks)
				victims_count(work, i);
		}
	}
}

int tap_lock_chain_make(const struct tap_lock_table *table, const struct tap_lock_graph *graph,
			struct tap_lock_chain *ret)
{
	struct tap_lock_chain chain = { .table = table, .graph = graph };
	struct work work = { .chain = &chain };
	int err = nodes_make(&chain);

	if (!err) {
		waits_sum(&chain);
		err = incoming_make(&chain);
	}
	if (!err) {
		work.queue = calloc(chain.n_nodes + 1, sizeof(*work.queue));
		work.seen = calloc(chain.n_nodes + 1, sizeof(*work.seen));
		err = work.queue && work.seen ? 0 : -ENOMEM;
	}
	if (!err) {
		cycles_mark(&chain);
		victims_find(&work);
		memset(work.seen, 0, (chain.n_nodes + 1) * sizeof(*work.seen));
		depths_find(&work);
	}
	free(work.queue);
	free(work.seen);
	if (err) {
		tap_lock_chain_done(&chain);
		return err;
	}
	*ret = chain;
	return 0;
}

void tap_lock_chain_done(struct tap_lock_chain *chain)
{
	if (!chain)
		return;
	free(chain->nodes);
	free(chain->incoming);
	memset(chain, 0, sizeof(*chain));
}
