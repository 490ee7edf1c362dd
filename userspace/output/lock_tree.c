// SPDX-License-Identifier: BSD-2-Clause
/* lock_tree.c - the tree of lock_tree.h: breadth first from the roots, then from within what cycles are left. */
#include "userspace/output/lock_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/base/hash.h"
#include "userspace/base/number.h"

/* While it is made. */
struct work {
	const struct tap_view *view;
	struct tap_lock_tree *tree;
	struct tap_hash index;
	size_t nodes_capacity;
	size_t links_capacity;
	size_t *waiters;      /* of each node, one after the other */
	size_t *waiters_from; /* where each node's begin; one more at the end */
	size_t *queue;
	size_t n_queue;
};

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static uint32_t instance_index(const struct tap_view *view, const char *id)
{
	for (size_t i = 0; i < view->n_instances; i++)
		if (same(view->instances[i].id, id))
			return (uint32_t)i;
	return UINT32_MAX;
}

/* Room for one more item of `size` bytes. 0 or -ENOMEM. */
static int reserve(void *items, size_t count, size_t *capacity, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return 0;
	if (wanted > SIZE_MAX / 2 / size)
		return -ENOMEM;
	grown = realloc(*(void **)items, wanted * size);
	if (!grown)
		return -ENOMEM;
	*(void **)items = grown;
	*capacity = wanted;
	return 0;
}

/* The node of that key, made when missing. */
static int node_get(struct work *work, const char *instance, int64_t pid, uint32_t prepared, size_t *ret)
{
	struct tap_lock_tree *tree = work->tree;
	struct tap_lock_node_key key = { instance_index(work->view, instance), (int32_t)pid, prepared };
	size_t place = tap_hash_find(&work->index, tree->nodes, sizeof(*tree->nodes), &key);

	if (place != TAP_HASH_NONE) {
		*ret = place;
		return 0;
	}
	if (reserve(&tree->nodes, tree->n_nodes, &work->nodes_capacity, sizeof(*tree->nodes)))
		return -ENOMEM;
	tree->nodes[tree->n_nodes] =
		(struct tap_lock_node){ .key = key, .instance = instance, .parent = TAP_LOCK_NO_NODE };
	if (tap_hash_add(&work->index, tree->nodes, sizeof(*tree->nodes), tree->n_nodes))
		return -ENOMEM;
	*ret = tree->n_nodes++;
	return 0;
}

static int link_add(struct work *work, size_t waiter, size_t blocker)
{
	struct tap_lock_tree *tree = work->tree;

	if (waiter == blocker)
		return 0;
	if (reserve(&tree->links, tree->n_links, &work->links_capacity, sizeof(*tree->links)))
		return -ENOMEM;
	tree->links[tree->n_links++] = (struct tap_lock_link){ waiter, blocker };
	return 0;
}

static int add_holders(struct work *work)
{
	const struct tap_lock_view *locks = &work->view->locks;

	for (size_t i = 0; i < locks->n_holders; i++) {
		const struct tap_view_lock_holder *holder = &locks->holders[i];
		size_t place;

		if (node_get(work, holder->instance, holder->pid, holder->pid ? 0 : (uint32_t)i + 1, &place))
			return -ENOMEM;
		if (!work->tree->nodes[place].holder)
			work->tree->nodes[place].holder = holder;
	}
	return 0;
}

static bool blocks_pid(const struct tap_view_lock_holder *holder, int64_t pid)
{
	for (size_t i = 0; i < holder->n_blocks; i++)
		if (holder->blocks[i] == pid)
			return true;
	return false;
}

/* Pid 0 says only that it is a prepared transaction: which, its own list of victims says. */
static int link_prepared(struct work *work, const struct tap_view_lock_wait *wait, size_t waiter)
{
	const struct tap_lock_view *locks = &work->view->locks;
	bool found = false;
	size_t blocker;

	for (size_t i = 0; i < locks->n_holders; i++) {
		const struct tap_view_lock_holder *holder = &locks->holders[i];

		if (holder->pid || !same(holder->instance, wait->instance) || !blocks_pid(holder, wait->pid))
			continue;
		found = true;
		if (node_get(work, holder->instance, 0, (uint32_t)i + 1, &blocker) || link_add(work, waiter, blocker))
			return -ENOMEM;
	}
	if (found)
		return 0;
	return node_get(work, wait->instance, 0, UINT32_MAX, &blocker) || link_add(work, waiter, blocker) ? -ENOMEM : 0;
}

static int add_links(struct work *work, const struct tap_view_lock_wait *wait, size_t waiter)
{
	bool prepared = false;

	for (size_t i = 0; i < wait->n_blocked_by; i++) {
		size_t blocker;

		if (wait->blocked_by[i] == 0) {
			if (!prepared && link_prepared(work, wait, waiter))
				return -ENOMEM;
			prepared = true;
		} else if (node_get(work, wait->instance, wait->blocked_by[i], 0, &blocker) ||
			   link_add(work, waiter, blocker)) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int add_waits(struct work *work)
{
	const struct tap_lock_view *locks = &work->view->locks;

	for (size_t i = 0; i < locks->n_waits; i++) {
		const struct tap_view_lock_wait *wait = &locks->waits[i];
		size_t place;

		if (node_get(work, wait->instance, wait->pid, 0, &place))
			return -ENOMEM;
		if (work->tree->nodes[place].wait)
			continue;
		work->tree->nodes[place].wait = wait;
		work->tree->n_waiters++;
		if (add_links(work, wait, place))
			return -ENOMEM;
	}
	return 0;
}

/* The links by blocker, in the order of the waits. */
static int sort_waiters(struct work *work)
{
	const struct tap_lock_tree *tree = work->tree;
	size_t *from = calloc(tree->n_nodes + 2, sizeof(*from));

	work->waiters_from = from;
	work->waiters = calloc(tree->n_links + 1, sizeof(*work->waiters));
	work->queue = calloc(tree->n_nodes + 1, sizeof(*work->queue));
	work->tree->order = calloc(tree->n_nodes + 1, sizeof(*tree->order));
	if (!from || !work->waiters || !work->queue || !tree->order)
		return -ENOMEM;
	for (size_t i = 0; i < tree->n_links; i++)
		from[tree->links[i].blocker + 2]++;
	for (size_t i = 2; i < tree->n_nodes + 2; i++)
		from[i] += from[i - 1];
	/* Filling moves each beginning to its end, which is where the next one begins. */
	for (size_t i = 0; i < tree->n_links; i++)
		work->waiters[from[tree->links[i].blocker + 1]++] = tree->links[i].waiter;
	return 0;
}

static void queue_add(struct work *work, size_t place, size_t parent)
{
	struct tap_lock_node *node = &work->tree->nodes[place];

	node->visited = true;
	node->parent = parent;
	node->depth = parent == TAP_LOCK_NO_NODE ? 0 : work->tree->nodes[parent].depth + 1;
	work->queue[work->n_queue++] = place;
}

/* From what is in the queue at `at` and after it to everything that waits for it. Returns the queue's end. */
static size_t spread(struct work *work, size_t at)
{
	for (; at < work->n_queue; at++) {
		size_t place = work->queue[at];

		for (size_t i = work->waiters_from[place]; i < work->waiters_from[place + 1]; i++)
			if (!work->tree->nodes[work->waiters[i]].visited)
				queue_add(work, work->waiters[i], place);
	}
	return at;
}

/* A blocker of the node that is not visited yet; what waits for a visited one is visited itself, so there is one. */
static size_t next_unvisited(const struct work *work, size_t place)
{
	const struct tap_lock_tree *tree = work->tree;

	for (size_t i = tree->nodes[place].first_link; i < tree->n_links && tree->links[i].waiter == place; i++)
		if (!tree->nodes[tree->links[i].blocker].visited)
			return tree->links[i].blocker;
	return TAP_LOCK_NO_NODE;
}

/*
 * Everything that is left waits for a cycle, directly or not. Walking from blocker to blocker ends in one; its members
 * are marked, and the tree is cut open where the walk came back to.
 */
static size_t cycle_entry(struct work *work, size_t *walked, size_t start)
{
	size_t round = start + 1, at = start, next;

	while (walked[at] != round) {
		walked[at] = round;
		next = next_unvisited(work, at);
		if (next == TAP_LOCK_NO_NODE)
			return at;
		at = next;
	}
	for (size_t i = at; !work->tree->nodes[i].cyclic; i = next_unvisited(work, i))
		work->tree->nodes[i].cyclic = true;
	return at;
}

/* The view says which cycles are soft, and which of them go on. */
static void soften_cycles(struct work *work)
{
	const struct tap_lock_view *locks = &work->view->locks;
	struct tap_lock_tree *tree = work->tree;

	for (size_t i = 0; i < locks->n_cycles; i++) {
		const struct tap_view_lock_cycle *cycle = &locks->cycles[i];

		if (!cycle->kind || strcmp(cycle->kind, "soft cycle") || cycle->verdict_realtime_ns >= 0)
			continue;
		for (size_t j = 0; j < cycle->n_members; j++) {
			struct tap_lock_node_key key = { instance_index(work->view, cycle->instance),
							 (int32_t)cycle->members[j].pid, 0 };
			size_t place = tap_hash_find(&work->index, tree->nodes, sizeof(*tree->nodes), &key);

			if (place != TAP_HASH_NONE)
				tree->nodes[place].soft = true;
		}
	}
}

static int visit_cycles(struct work *work, size_t at)
{
	const struct tap_lock_tree *tree = work->tree;
	size_t *walked = calloc(tree->n_nodes + 1, sizeof(*walked));

	if (!walked)
		return -ENOMEM;
	for (size_t i = 0; i < tree->n_nodes; i++) {
		if (tree->nodes[i].visited)
			continue;
		queue_add(work, cycle_entry(work, walked, i), TAP_LOCK_NO_NODE);
		at = spread(work, at);
	}
	free(walked);
	soften_cycles(work);
	return 0;
}

static int visit_all(struct work *work)
{
	struct tap_lock_tree *tree = work->tree;

	for (size_t i = 0; i < tree->n_nodes; i++)
		tree->nodes[i].first_link = tree->n_links;
	for (size_t i = tree->n_links; i > 0; i--)
		tree->nodes[tree->links[i - 1].waiter].first_link = i - 1;
	for (size_t i = 0; i < tree->n_nodes; i++) {
		if (tree->nodes[i].first_link < tree->n_links)
			continue;
		queue_add(work, i, TAP_LOCK_NO_NODE);
		tree->n_roots++;
	}
	return visit_cycles(work, spread(work, 0));
}

/* The queue has each node before its children, but level by level: place them one below the other. */
static int make_order(struct work *work)
{
	struct tap_lock_tree *tree = work->tree;
	size_t *size = calloc(tree->n_nodes + 1, sizeof(*size)), *next = calloc(tree->n_nodes + 1, sizeof(*next));
	size_t roots_at = 0;

	/* Backwards every node comes after its children: the size of what hangs below it is complete. */
	for (size_t i = work->n_queue; size && next && i > 0; i--) {
		size_t place = work->queue[i - 1], parent = tree->nodes[place].parent;

		size[place]++;
		if (parent != TAP_LOCK_NO_NODE)
			size[parent] += size[place];
	}
	for (size_t i = 0; size && next && i < work->n_queue; i++) {
		size_t place = work->queue[i], parent = tree->nodes[place].parent;
		size_t *from = parent == TAP_LOCK_NO_NODE ? &roots_at : &next[parent];

		tree->order[*from] = place;
		next[place] = *from + 1;
		*from += size[place];
		/* The last child is the one that fills up what its parent has. */
		tree->nodes[place].last = parent != TAP_LOCK_NO_NODE && size[parent] == 1 + size[place];
		if (parent != TAP_LOCK_NO_NODE)
			size[parent] -= size[place];
	}
	free(next);
	free(size);
	return size && next ? 0 : -ENOMEM;
}

int tap_lock_tree_make(const struct tap_view *view, struct tap_lock_tree *ret)
{
	struct tap_lock_tree tree = { 0 };
	struct work work = { .view = view, .tree = &tree };
	int err;

	tap_hash_init(&work.index, sizeof(struct tap_lock_node_key));
	err = add_holders(&work) || add_waits(&work) || sort_waiters(&work) || visit_all(&work) || make_order(&work)
		      ? -ENOMEM
		      : 0;
	free(work.queue);
	free(work.waiters);
	free(work.waiters_from);
	tap_hash_done(&work.index);
	if (err)
		tap_lock_tree_done(&tree);
	else
		*ret = tree;
	return err;
}

void tap_lock_tree_done(struct tap_lock_tree *tree)
{
	free(tree->nodes);
	free(tree->order);
	free(tree->links);
	*tree = (struct tap_lock_tree){ 0 };
}

bool tap_lock_link_in_tree(const struct tap_lock_tree *tree, const struct tap_lock_link *link)
{
	return tree->nodes[link->waiter].parent == link->blocker;
}

bool tap_lock_link_in_queue(const struct tap_lock_tree *tree, const struct tap_lock_link *link)
{
	size_t parent = tree->nodes[link->waiter].parent;

	return parent != TAP_LOCK_NO_NODE && parent == tree->nodes[link->blocker].parent;
}

void tap_lock_node_name(const struct tap_lock_node *node, struct tap_strbuf *out)
{
	if (node->key.pid)
		tap_strbuf_printf(out, "%" PRId32, node->key.pid);
	else if (node->holder && node->holder->xid)
		tap_strbuf_printf(out, "prepared %" PRIu64, node->holder->xid);
	else
		tap_strbuf_add_string(out, "prepared");
}

static void add_lock(const struct tap_view_lock *lock, struct tap_strbuf *out)
{
	const char *name = lock->name ? lock->name : lock->relation ? lock->relation : lock->type;

	tap_strbuf_printf(out, "%s%s%s", name ? name : "", lock->mode && name ? ", " : "",
			  lock->mode ? lock->mode : "");
}

void tap_lock_node_what(const struct tap_lock_node *node, struct tap_strbuf *out)
{
	const struct tap_view_lock_holder *holder = node->holder;

	if (node->wait) {
		add_lock(&node->wait->lock, out);
		return;
	}
	if (!node->key.pid)
		tap_strbuf_printf(out, "prepared transaction%s%s", holder && holder->gid ? " " : "",
				  holder && holder->gid ? holder->gid : "");
	else if (holder && (holder->state || holder->doing))
		tap_strbuf_printf(out, "%s%s%s", holder->state ? holder->state : "",
				  holder->state && holder->doing ? ", " : "", holder->doing ? holder->doing : "");
	else
		tap_strbuf_add_string(out, "nothing known of it");
}

static void add_words(struct tap_strbuf *out, const char *before, const char *text)
{
	if (text && *text)
		tap_strbuf_printf(out, "%s%s", before, text);
}

void tap_lock_node_title(const struct tap_lock_node *node, struct tap_strbuf *out)
{
	const struct tap_view_lock_wait *wait = node->wait;
	const struct tap_view_lock_holder *holder = node->holder;

	tap_lock_node_name(node, out);
	if (!wait && !holder)
		return;
	add_words(out, " ", wait ? wait->user : holder->user);
	add_words(out, "@", wait ? wait->database : holder->database);
	add_words(out, " ", wait ? wait->application : holder->application);
	add_words(out, " ", wait ? wait->client : holder->client);
}

void tap_lock_node_times(const struct tap_lock_node *node, struct tap_strbuf *out)
{
	const struct tap_view_lock_holder *holder = node->holder;
	char number[TAP_NUMBER_MAX];
	const char *separator = "";

	if (node->wait && node->wait->waiting_ns >= 0) {
		tap_strbuf_printf(out, "waits %s", tap_number_ns(number, node->wait->waiting_ns));
		separator = ", ";
	}
	if (holder && holder->held_ns >= 0) {
		tap_strbuf_printf(out, "%sheld %s%s", separator, holder->held_is_bound ? "at most " : "",
				  tap_number_ns(number, holder->held_ns));
		separator = ", ";
	}
	if (!holder || !holder->victims)
		return;
	tap_strbuf_printf(out, "%sblocks %" PRIu64, separator, holder->victims);
	if (holder->cost_ns >= 0)
		tap_strbuf_printf(out, ", cost %s", tap_number_ns(number, holder->cost_ns));
}

const char *tap_lock_node_query(const struct tap_lock_node *node)
{
	return node->wait ? node->wait->query : node->holder ? node->holder->query : NULL;
}
