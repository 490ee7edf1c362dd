// SPDX-License-Identifier: BSD-2-Clause
/* locks.c - who waits for a lock at the end of the window, who blocks them, and which of them will wait for ever. */
#include "correlate/model/locks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "userspace/base/number.h"
#include "userspace/base/strbuf.h"

/* ---- lists ---- */

void *tap_lock_list_add(struct tap_lock_list *list)
{
	size_t wanted = list->capacity ? list->capacity * 2 : 16;
	void *items;

	if (list->count == list->capacity) {
		items = reallocarray(list->items, wanted, list->size);
		if (!items) {
			list->failed = true;
			return NULL;
		}
		list->items = items;
		list->capacity = wanted;
	}
	items = (char *)list->items + list->count++ * list->size;
	memset(items, 0, list->size);
	return items;
}

void *tap_lock_list_take(struct tap_lock_list *list, struct tap_arena *arena, size_t limit, size_t *ret_count)
{
	size_t count = limit && limit < list->count ? limit : list->count;
	void *copy = tap_arena_new(arena, count + 1, list->size);

	if (copy && count)
		memcpy(copy, list->items, count * list->size);
	arena->failed |= list->failed;
	free(list->items);
	*ret_count = copy ? count : 0;
	memset(list, 0, sizeof(*list));
	return copy;
}

/* ---- what is known of a process ---- */

const struct tap_session *tap_lock_session(const struct tap_lock_part *part, int32_t pid)
{
	return pid && part->info->sessions ? tap_session_list_find_owner(part->info->sessions, pid) : NULL;
}

int64_t tap_lock_age_ns(const struct tap_lock_part *part, int64_t since_us)
{
	int64_t since_ns, age;

	if (!since_us || __builtin_mul_overflow(since_us, 1000, &since_ns) ||
	    __builtin_sub_overflow(part->table->realtime_ns, since_ns, &age))
		return -1;
	return age < 0 ? 0 : age;
}

bool tap_lock_is_wanted(const struct tap_build *build, uint32_t instance, uint32_t database)
{
	const struct tap_window_options *options = &build->input->options;
	const struct tap_window_instance *info = tap_build_instance(build, instance);
	const char *name;

	if (!info || !tap_window_wants(options, info))
		return false;
	if (!options->database)
		return true;
	name = info->names ? tap_names_find(info->names, TAP_NAME_DATABASE, database) : NULL;
	return name && !strcmp(name, options->database);
}

/* The fields that waits and holders share, which is why they have the same names in both. */
#define WHO_FILL(build, part, session, to) \
	do { \
		struct tap_build_statement statement_ = tap_build_session_statement(build, (part)->instance, session); \
		(to)->database = tap_build_name_or_oid(build, (part)->instance, TAP_NAME_DATABASE, \
						       (session)->database_name, (session)->database); \
		(to)->user = tap_build_name_or_oid(build, (part)->instance, TAP_NAME_USER, (session)->user_name, \
						   (session)->user); \
		(to)->application = tap_arena_string((build)->arena, (session)->application); \
		(to)->client = tap_arena_string((build)->arena, (session)->client); \
		(to)->query_id = statement_.query_id; \
		(to)->query_id_source = statement_.query_id_source; \
		(to)->query = statement_.query; \
	} while (0)

/* A copy in the arena, sorted, each once. */
static int32_t *pids_copy(struct tap_build *build, const int32_t *pids, size_t count, size_t *ret_count)
{
	int32_t *copy = tap_arena_new(build->arena, count + 1, sizeof(*copy));
	size_t kept = 0;

	for (size_t i = 0; i < count && copy; i++) {
		if (!kept || copy[kept - 1] != pids[i])
			copy[kept++] = pids[i];
	}
	*ret_count = kept;
	return copy;
}

/* ---- waits ---- */

/* A wait and what it is sorted by. */
struct wait_row {
	struct tap_view_lock_wait view; /* first: what is taken */
	int64_t root_cost_ns;
};

static void wait_blockers(struct tap_build *build, const struct tap_lock_part *part, size_t first, size_t end,
			  struct tap_view_lock_wait *view)
{
	int32_t *pids = calloc(end - first + 1, sizeof(*pids));

	if (!pids) {
		build->arena->failed = true;
		return;
	}
	/* Edges of a waiter are sorted by blocker. */
	for (size_t i = first; i < end; i++)
		pids[i - first] = part->graph.edges[i].blocker;
	view->blocked_by = pids_copy(build, pids, end - first, &view->n_blocked_by);
	free(pids);
}

/* What the log found out about a wait that the table of this moment does not tell. */
static void wait_lock(struct tap_build *build, const struct tap_lock_part *part, const struct tap_lock_entry *entry,
		      struct tap_view_lock *ret)
{
	const struct tap_lock_log *log = build->input->locks.log;

	tap_lock_describe_wait(build, part->instance, part->table, entry, ret);
	for (size_t i = 0; log && i < log->n_open && !ret->relation; i++) {
		const struct tap_lock_wait *wait = &log->open[i];

		if (wait->instance == part->instance && wait->pid == entry->pid &&
		    !memcmp(&wait->tag, &entry->tag, sizeof(wait->tag))) {
			tap_lock_describe_seen(build, &entry->tag, entry->wanted, &wait->object, ret);
			break;
		}
	}
}

static void wait_fill(struct tap_build *build, const struct tap_lock_part *part, size_t first, size_t end,
		      struct wait_row *row)
{
	const struct tap_lock_edge *edge = &part->graph.edges[first];
	const struct tap_lock_entry *entry = &part->table->entries[edge->entry];
	const struct tap_lock_node *node = &part->chain.nodes[tap_lock_chain_waiter(&part->chain, edge)];
	const struct tap_session *session = tap_lock_session(part, entry->pid);
	struct tap_view_lock_wait *view = &row->view;

	view->instance = part->id;
	view->pid = entry->pid;
	if (session)
		WHO_FILL(build, part, session, view);
	wait_lock(build, part, entry, &view->lock);
	view->waiting_ns = tap_lock_waiting_ns(part->table, entry);
	view->started_realtime_ns = view->waiting_ns < 0 ? -1 : entry->wait_start_us * 1000;
	view->depth = (int64_t)node->depth;
	view->root_pid = node->root == TAP_LOCK_NO_NODE ? -1 : part->chain.nodes[node->root].pid;
	row->root_cost_ns = node->root == TAP_LOCK_NO_NODE ? INT64_MAX : part->chain.nodes[node->root].cost_ns;
	wait_blockers(build, part, first, end, view);
}

/* The database a process is in; 0: not known. */
static uint32_t database_of(const struct tap_lock_part *part, int32_t pid)
{
	const struct tap_session *session = tap_lock_session(part, pid);

	return session ? session->database : 0;
}

/* Edges are sorted by waiter. */
static void waits_add(struct tap_build *build, const struct tap_lock_part *part, struct tap_lock_list *list)
{
	size_t end;

	for (size_t first = 0; first < part->graph.n_edges; first = end) {
		int32_t waiter = part->graph.edges[first].waiter;
		struct wait_row *row;

		for (end = first + 1; end < part->graph.n_edges && part->graph.edges[end].waiter == waiter;)
			end++;
		if (!tap_lock_is_wanted(build, part->instance, database_of(part, waiter)))
			continue;
		row = tap_lock_list_add(list);
		if (row)
			wait_fill(build, part, first, end, row);
	}
}

static int compare_waits(const void *a, const void *b)
{
	const struct wait_row *left = a, *right = b;

	if (left->root_cost_ns != right->root_cost_ns)
		return left->root_cost_ns > right->root_cost_ns ? -1 : 1;
	if (left->view.root_pid != right->view.root_pid)
		return left->view.root_pid < right->view.root_pid ? -1 : 1;
	if (left->view.depth != right->view.depth)
		return left->view.depth < right->view.depth ? -1 : 1;
	if (left->view.waiting_ns != right->view.waiting_ns)
		return left->view.waiting_ns > right->view.waiting_ns ? -1 : 1;
	return (left->view.pid > right->view.pid) - (left->view.pid < right->view.pid);
}

static void waits_take(struct tap_build *build, struct tap_lock_list *list)
{
	struct tap_lock_view *view = &build->view->locks;
	const struct wait_row *rows = list->items;

	if (list->count)
		qsort(list->items, list->count, list->size, compare_waits);
	view->waits = tap_arena_new(build->arena, list->count + 1, sizeof(*view->waits));
	for (size_t i = 0; i < list->count && view->waits; i++)
		view->waits[view->n_waits++] = rows[i].view;
	build->arena->failed |= list->failed;
	free(list->items);
}

/* ---- holders ---- */

static int compare_tags(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tap_lock_tag));
}

/* The tag that most edges into a node are about. */
static struct tap_lock_tag tag_most_wanted(const struct tap_lock_part *part, const struct tap_lock_node *node)
{
	size_t count = node[1].first - node->first, best = 0, best_run = 0;
	struct tap_lock_tag *tags = calloc(count + 1, sizeof(*tags));
	struct tap_lock_tag tag = { 0 };

	for (size_t i = 0; i < count; i++) {
		const struct tap_lock_edge *edge = &part->graph.edges[part->chain.incoming[node->first + i]];

		tag = part->table->entries[edge->entry].tag;
		if (tags)
			tags[i] = tag;
	}
	if (!tags)
		return tag;
	qsort(tags, count, sizeof(*tags), compare_tags);
	for (size_t i = 0, run = 0; i < count; i++) {
		run = i && !compare_tags(&tags[i], &tags[i - 1]) ? run + 1 : 1;
		if (run > best_run) {
			best_run = run;
			best = i;
		}
	}
	tag = tags[best];
	free(tags);
	return tag;
}

/* What the group holds of a lock. */
static uint16_t modes_held(const struct tap_lock_part *part, const struct tap_lock_node *node,
			   const struct tap_lock_tag *tag)
{
	uint16_t held = 0;

	for (size_t i = 0; i < part->table->count; i++) {
		const struct tap_lock_entry *entry = &part->table->entries[i];
		bool own = node->pid ? entry->leader_pid == node->pid : !entry->pid && entry->xid == node->xid;

		if (own && !entry->fast_path && !compare_tags(&entry->tag, tag))
			held |= entry->held;
	}
	return held;
}

static uint8_t strongest(uint16_t modes)
{
	uint8_t mode = 15;

	while (mode && !(modes >> mode & 1))
		mode--;
	return mode;
}

/* The held lock that most wait for; of one who is only ahead in a queue the one he waits for himself. */
static void holder_lock(struct tap_build *build, const struct tap_lock_part *part, const struct tap_lock_node *node,
			struct tap_view_lock_holder *view)
{
	struct tap_lock_tag tag = tag_most_wanted(part, node);
	uint16_t held = modes_held(part, node, &tag);
	uint8_t mode = strongest(held);

	for (size_t i = 0; i < part->table->count && !held; i++) {
		const struct tap_lock_entry *entry = &part->table->entries[i];

		if (entry->leader_pid == node->pid && entry->wanted && !compare_tags(&entry->tag, &tag))
			mode = entry->wanted;
	}
	tap_lock_describe(build, part->instance, &tag, mode, &view->lock);
	/* When it was taken is not written anywhere: not before the transaction began. Sessions hold longer. */
	view->held_ns = held && tag.method == 1 ? view->transaction_ns : -1;
	view->held_is_bound = view->held_ns >= 0;
}

static const char *doing_of(struct tap_build *build, const struct tap_lock_part *part,
			    const struct tap_session *session)
{
	const char *class_name = session->wait_class, *event_name = session->wait_name;
	struct tap_strbuf text;
	const char *copy;

	if (!event_name && session->wait_event)
		tap_build_event(build, part->instance, session->wait_event, &class_name, &event_name);
	if (!event_name)
		return session->state == TAP_SESSION_ACTIVE ? "on CPU" : NULL;
	if (!strcmp(event_name, tap_build_terms(build, part->instance)->client_read))
		return "waits for its client";
	tap_strbuf_init(&text);
	tap_strbuf_printf(&text, "waits for %s:%s", class_name ? class_name : "?", event_name);
	copy = text.failed ? NULL : tap_arena_string(build->arena, text.data);
	build->arena->failed |= text.failed;
	tap_strbuf_done(&text);
	return copy;
}

static void holder_session(struct tap_build *build, const struct tap_lock_part *part, const struct tap_session *session,
			   struct tap_view_lock_holder *view)
{
	WHO_FILL(build, part, session, view);
	view->state = tap_session_state_name(session->state);
	if (!view->state)
		view->state = tap_build_kind(session->kind);
	view->doing = doing_of(build, part, session);
	view->transaction_ns = tap_lock_age_ns(part, session->transaction_start_us);
	if (session->state == TAP_SESSION_ACTIVE || session->state == TAP_SESSION_FASTPATH)
		view->statement_ns = tap_lock_age_ns(part, session->query_start_us);
}

/* When it began is not kept: it had what it has at the latest when it was prepared, and has had it for no less. */
static void holder_prepared(struct tap_build *build, const struct tap_lock_part *part, const struct tap_lock_node *node,
			    struct tap_view_lock_holder *view)
{
	const struct tap_lock_prepared *prepared = tap_lock_prepared_find(part->info->prepared, node->xid);
	int64_t age_ns = prepared ? tap_lock_age_ns(part, prepared->prepared_us) : -1;
	char age[TAP_NUMBER_MAX], doing[64];

	view->state = "prepared transaction";
	if (!prepared)
		return;
	view->gid = tap_arena_string(build->arena, prepared->gid);
	view->database = tap_arena_string(build->arena, prepared->database);
	view->user = tap_arena_string(build->arena, prepared->user);
	if (age_ns < 0)
		return;
	snprintf(doing, sizeof(doing), "prepared %s ago", tap_number_ns(age, age_ns));
	view->doing = tap_arena_string(build->arena, doing);
}

static void holder_blocks(struct tap_build *build, const struct tap_lock_part *part, const struct tap_lock_node *node,
			  struct tap_view_lock_holder *view)
{
	size_t count = node[1].first - node->first;

	view->blocks = tap_arena_new(build->arena, count + 1, sizeof(*view->blocks));
	for (size_t i = 0; i < count && view->blocks; i++)
		view->blocks[view->n_blocks++] = part->graph.edges[part->chain.incoming[node->first + i]].waiter;
}

static void holder_fill(struct tap_build *build, const struct tap_lock_part *part, const struct tap_lock_node *node,
			struct tap_view_lock_holder *view)
{
	const struct tap_session *session = tap_lock_session(part, node->pid);

	view->instance = part->id;
	view->pid = node->pid;
	view->xid = node->xid;
	view->held_ns = view->transaction_ns = view->statement_ns = -1;
	view->victims = node->victims;
	view->cost_ns = node->cost_ns;
	view->root = !node->waits;
	if (session)
		holder_session(build, part, session, view);
	else if (!node->pid)
		holder_prepared(build, part, node, view);
	holder_lock(build, part, node, view);
	holder_blocks(build, part, node, view);
}

/* Somebody of the wanted database waits for it; a holder may be of another (shared objects) or of none. */
static bool holder_is_wanted(const struct tap_build *build, const struct tap_lock_part *part,
			     const struct tap_lock_node *node)
{
	for (size_t i = node->first; i < node[1].first; i++) {
		int32_t waiter = part->graph.edges[part->chain.incoming[i]].waiter;

		if (tap_lock_is_wanted(build, part->instance, database_of(part, waiter)))
			return true;
	}
	return false;
}

static void holders_add(struct tap_build *build, const struct tap_lock_part *part, struct tap_lock_list *list)
{
	for (size_t i = 0; i < part->chain.n_nodes; i++) {
		const struct tap_lock_node *node = &part->chain.nodes[i];
		struct tap_view_lock_holder *view;

		if (!node->blocks || !holder_is_wanted(build, part, node))
			continue;
		view = tap_lock_list_add(list);
		if (view)
			holder_fill(build, part, node, view);
	}
}

static int compare_holders(const void *a, const void *b)
{
	const struct tap_view_lock_holder *left = a, *right = b;

	if (left->root != right->root)
		return left->root ? -1 : 1;
	if (left->cost_ns != right->cost_ns)
		return left->cost_ns > right->cost_ns ? -1 : 1;
	if (left->victims != right->victims)
		return left->victims > right->victims ? -1 : 1;
	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return (left->xid > right->xid) - (left->xid < right->xid);
}

/* ---- cycles ---- */

static const struct tap_lock_edge *edge_of(const struct tap_lock_part *part, int32_t waiter)
{
	const struct tap_lock_graph *graph = &part->graph;
	size_t low = 0, high = graph->n_edges;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (graph->edges[middle].waiter < waiter)
			low = middle + 1;
		else
			high = middle;
	}
	return low < graph->n_edges && graph->edges[low].waiter == waiter ? &graph->edges[low] : NULL;
}

static int32_t leader_of(const struct tap_lock_part *part, int32_t waiter)
{
	const struct tap_lock_edge *edge = edge_of(part, waiter);
	const struct tap_lock_entry *entry = edge ? &part->table->entries[edge->entry] : NULL;

	return entry && entry->leader_pid ? entry->leader_pid : waiter;
}

static bool edge_is_soft(const struct tap_lock_part *part, int32_t waiter, int32_t next)
{
	const struct tap_lock_edge *edge = edge_of(part, waiter), *end = part->graph.edges + part->graph.n_edges;
	int32_t blocker = leader_of(part, next);

	for (; edge && edge < end && edge->waiter == waiter; edge++) {
		if (edge->blocker == blocker)
			return edge->soft;
	}
	return false;
}

static void cycle_fill(struct tap_build *build, const struct tap_lock_part *part, const int32_t *pids, size_t count,
		       struct tap_view_lock_cycle *view)
{
	enum tap_lock_cycle_kind kind = TAP_LOCK_CYCLE_HARD;
	bool soft = false;

	view->instance = part->id;
	view->at_realtime_ns = part->table->realtime_ns;
	view->verdict_realtime_ns = -1;
	view->members = tap_arena_new(build->arena, count, sizeof(*view->members));
	for (size_t i = 0; i < count && view->members; i++) {
		const struct tap_lock_edge *edge = edge_of(part, pids[i]);
		const struct tap_session *session = tap_lock_session(part, pids[i]);
		struct tap_view_lock_member *member = &view->members[view->n_members++];

		member->pid = pids[i];
		member->waits_for = pids[(i + 1) % count];
		member->soft = edge_is_soft(part, pids[i], pids[(i + 1) % count]);
		if (session) {
			struct tap_build_statement statement =
				tap_build_session_statement(build, part->instance, session);

			member->query_id = statement.query_id;
			member->query = statement.query;
		}
		if (edge)
			tap_lock_describe_wait(build, part->instance, part->table, &part->table->entries[edge->entry],
					       &member->lock);
		soft |= member->soft;
	}
	if (soft && tap_lock_cycle_resolve(part->table, leader_of(part, pids[0]), &kind))
		build->arena->failed = true;
	tap_lock_cycle_words(view, kind);
}

/* Only where there is no log, which remembers the cycles of the whole window, those of now among them. */
static void cycles_add(struct tap_build *build, const struct tap_lock_part *part, struct tap_lock_list *list)
{
	const struct tap_lock_graph *graph = &part->graph;

	for (size_t i = 0, first = 0; i < graph->n_cycles; first = graph->cycle_ends[i++]) {
		struct tap_view_lock_cycle *view;

		if (!tap_lock_is_wanted(build, part->instance, database_of(part, graph->cycle_pids[first])))
			continue;
		view = tap_lock_list_add(list);
		if (view)
			cycle_fill(build, part, graph->cycle_pids + first, graph->cycle_ends[i] - first, view);
	}
}

/* ---- all of it ---- */

static int part_make(struct tap_build *build, uint32_t instance, struct tap_lock_part *ret)
{
	struct tap_lock_part part = { .instance = instance, .info = tap_build_instance(build, instance) };
	int err;

	part.id = tap_arena_string(build->arena, part.info->id);
	part.table = part.info->locks;
	err = tap_lock_graph_make(part.table, &part.graph);
	if (err)
		return err;
	/* The chain borrows the graph, which stays where it is. */
	*ret = part;
	err = tap_lock_chain_make(ret->table, &ret->graph, &ret->chain);
	if (err)
		tap_lock_graph_done(&ret->graph);
	return err;
}

static void parts_free(struct tap_lock_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		tap_lock_chain_done(&parts[i].chain);
		tap_lock_graph_done(&parts[i].graph);
	}
	free(parts);
}

static int parts_make(struct tap_build *build, struct tap_lock_part **ret, size_t *ret_count)
{
	const char *wanted = build->input->options.instance;
	struct tap_lock_part *parts = calloc(build->input->n_instances + 1, sizeof(*parts));
	size_t count = 0;
	int err = parts ? 0 : -ENOMEM;

	for (size_t i = 0; i < build->input->n_instances && !err; i++) {
		const struct tap_window_instance *info = tap_build_instance(build, (uint32_t)i);

		if (!info || !info->locks || (wanted && strcmp(wanted, info->id)))
			continue;
		err = part_make(build, (uint32_t)i, &parts[count]);
		count += !err;
	}
	if (err) {
		parts_free(parts, count);
		return err;
	}
	*ret = parts;
	*ret_count = count;
	return 0;
}

static void now_build(struct tap_build *build, const struct tap_lock_part *parts, size_t n_parts)
{
	struct tap_lock_list waits = { .size = sizeof(struct wait_row) };
	struct tap_lock_list holders = { .size = sizeof(struct tap_view_lock_holder) };
	struct tap_lock_list cycles = { .size = sizeof(struct tap_view_lock_cycle) };
	struct tap_lock_view *view = &build->view->locks;

	for (size_t i = 0; i < n_parts; i++) {
		waits_add(build, &parts[i], &waits);
		holders_add(build, &parts[i], &holders);
		if (!build->input->locks.log)
			cycles_add(build, &parts[i], &cycles);
	}
	waits_take(build, &waits);
	if (holders.count)
		qsort(holders.items, holders.count, holders.size, compare_holders);
	view->holders = tap_lock_list_take(&holders, build->arena, 0, &view->n_holders);
	view->cycles = tap_lock_list_take(&cycles, build->arena, 0, &view->n_cycles);
}

int tap_build_locks(struct tap_build *build)
{
	struct tap_lock_part *parts = NULL;
	size_t n_parts = 0;
	int err = parts_make(build, &parts, &n_parts);

	if (err)
		return err;
	now_build(build, parts, n_parts);
	if (build->input->locks.log)
		err = tap_lock_build_past(build);
	if (!err)
		err = tap_lock_build_stats(build);
	if (!err)
		err = tap_lock_build_risks(build, parts, n_parts);
	parts_free(parts, n_parts);
	return err ? err : build->arena->failed ? -ENOMEM : 0;
}
