// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_risks.c - patterns in the tables that cost, or will: who to speak to, and what about.
 *
 * Each is one function over one instance's table. Opposite orders are found elsewhere (lock_order) and only told here.
 */
#include "correlate/model/locks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/engine/terms.h"
#include "userspace/base/number.h"
#include "userspace/base/strbuf.h"

enum {
	CONVOY_MIN = 5,	 /* waiting for one process, to be called a convoy */
	TUPLES_MIN = 16, /* tuple locks one transaction has on one relation */
};

struct risks {
	struct tap_build *build;
	const struct tap_lock_part *part;
	struct tap_lock_list list;
};

static const char *text_take(struct tap_build *build, struct tap_strbuf *text)
{
	const char *copy = text->failed ? NULL : tap_arena_string(build->arena, text->data);

	build->arena->failed |= text->failed;
	tap_strbuf_done(text);
	return copy;
}

__attribute__((format(printf, 2, 3))) static const char *text_of(struct tap_build *build, const char *format, ...)
{
	struct tap_strbuf text;
	char *line = NULL;
	va_list arguments;

	tap_strbuf_init(&text);
	va_start(arguments, format);
	if (vasprintf(&line, format, arguments) < 0)
		build->arena->failed = true;
	else
		tap_strbuf_add_string(&text, line);
	va_end(arguments);
	free(line);
	return text_take(build, &text);
}

static struct tap_view_lock_risk *risk_add(struct risks *risks, const char *risk, int64_t cost_ns)
{
	struct tap_view_lock_risk *row = tap_lock_list_add(&risks->list);

	if (!row)
		return NULL;
	row->risk = risk;
	row->instance = risks->part ? risks->part->id : NULL;
	row->cost_ns = cost_ns;
	return row;
}

static void first_fill(struct risks *risks, int32_t pid, struct tap_view_lock_risk *row)
{
	const struct tap_session *session = tap_lock_session(risks->part, pid);
	struct tap_build_statement statement;

	if (!session)
		return;
	statement = tap_build_session_statement(risks->build, risks->part->instance, session);
	row->first_query_id = statement.query_id;
	row->first_query = statement.query;
}

static void second_fill(struct risks *risks, int32_t pid, struct tap_view_lock_risk *row)
{
	const struct tap_session *session = tap_lock_session(risks->part, pid);
	struct tap_build_statement statement;

	if (!session)
		return;
	statement = tap_build_session_statement(risks->build, risks->part->instance, session);
	row->second_query_id = statement.query_id;
	row->second_query = statement.query;
}

static bool is_idle(const struct tap_session *session)
{
	return session && (session->state == TAP_SESSION_IDLE_IN_TRANSACTION ||
			   session->state == TAP_SESSION_IDLE_IN_TRANSACTION_ABORTED);
}

static const char *advice_of(const struct risks *risks, enum tap_lock_advice advice)
{
	return tap_terms_of(risks->part->info->engine)->lock_advice[advice];
}

/* ---- blockers that do nothing, and blockers of many ---- */

static void idle_look(struct risks *risks, const struct tap_lock_node *node)
{
	const struct tap_session *session = tap_lock_session(risks->part, node->pid);
	char age[TAP_NUMBER_MAX] = "some time";
	struct tap_view_lock_risk *row;
	int64_t idle_ns;

	if (node->pid && !is_idle(session))
		return;
	row = risk_add(risks, "idle_blocker", node->cost_ns);
	if (!row)
		return;
	first_fill(risks, node->pid, row);
	row->first_seen = node->victims;
	if (!node->pid) {
		row->evidence = text_of(risks->build, "prepared transaction %" PRIu32 " blocks %" PRIu64 " sessions",
					node->xid, node->victims);
		row->advice = advice_of(risks, TAP_LOCK_ADVICE_PREPARED);
		return;
	}
	idle_ns = tap_lock_age_ns(risks->part, session->state_change_us);
	if (idle_ns >= 0)
		tap_number_ns(age, idle_ns);
	row->evidence = text_of(risks->build, "session %" PRId32 " has been %s for %s and blocks %" PRIu64 " sessions",
				node->pid, tap_session_state_name(session->state), age, node->victims);
	row->advice = advice_of(risks, TAP_LOCK_ADVICE_IDLE);
}

static void convoy_look(struct risks *risks, const struct tap_lock_node *node)
{
	struct tap_view_lock_risk *row;

	if (node->victims < CONVOY_MIN)
		return;
	row = risk_add(risks, "convoy", node->cost_ns);
	if (!row)
		return;
	first_fill(risks, node->pid, row);
	row->first_seen = node->victims;
	row->evidence =
		text_of(risks->build, "%" PRIu64 " sessions wait behind %s %" PRIu32, node->victims,
			node->pid ? "session" : "prepared transaction", node->pid ? (uint32_t)node->pid : node->xid);
	row->advice =
		"make what it does under this lock shorter, take the lock later, or spread the work over more rows";
}

/* ---- strong locks queued behind readers ---- */

static bool is_strong(const struct tap_lock_entry *entry)
{
	if (entry->tag.type == TAP_LOCK_METADATA)
		return entry->wanted >= TAP_LOCK_METADATA_SNW;
	return entry->tag.type == TAP_LOCK_RELATION && entry->wanted >= TAP_LOCK_MODE_SHARE;
}

/* Who holds the mode that `waiter` cannot have, and has done so for longest; 0: nobody of this host's. */
static int32_t holder_before(const struct tap_lock_part *part, const struct tap_lock_edge *edges, size_t count)
{
	int64_t oldest_us = INT64_MAX;
	int32_t pid = 0;

	for (size_t i = 0; i < count; i++) {
		const struct tap_session *session = tap_lock_session(part, edges[i].blocker);
		int64_t since_us = session && session->transaction_start_us ? session->transaction_start_us : INT64_MAX;

		if (edges[i].soft || (pid && since_us >= oldest_us))
			continue;
		pid = edges[i].blocker;
		oldest_us = since_us;
	}
	return pid;
}

/*
 * Who waits for `waiter` for no other reason than that it is ahead: could have its lock at once if the strong one were
 * not queued. Returns how many, and adds up their waits.
 */
static uint64_t queued_behind(const struct tap_lock_part *part, const struct tap_lock_node *node, int64_t *ret_ns)
{
	const struct tap_lock_graph *graph = &part->graph;
	uint64_t count = 0;

	*ret_ns = 0;
	for (size_t i = node->first; i < node[1].first; i++) {
		const struct tap_lock_edge *edge = &graph->edges[part->chain.incoming[i]];
		int64_t ns = tap_lock_waiting_ns(part->table, &part->table->entries[edge->entry]);
		bool held_up = false;

		/* The waiter's own edges stand together. */
		for (const struct tap_lock_edge *at = edge; at->waiter == edge->waiter; at--) {
			held_up |= !at->soft;
			if (at == graph->edges)
				break;
		}
		for (const struct tap_lock_edge *at = edge; at < graph->edges + graph->n_edges; at++) {
			if (at->waiter != edge->waiter)
				break;
			held_up |= !at->soft;
		}
		if (!edge->soft || held_up)
			continue;
		count++;
		*ret_ns += ns > 0 ? ns : 0;
	}
	return count;
}

static void queue_look(struct risks *risks, size_t first, size_t end)
{
	const struct tap_lock_part *part = risks->part;
	const struct tap_lock_edge *edges = &part->graph.edges[first];
	const struct tap_lock_entry *entry = &part->table->entries[edges->entry];
	const struct tap_lock_node *node = &part->chain.nodes[tap_lock_chain_waiter(&part->chain, edges)];
	struct tap_view_lock_risk *row;
	struct tap_view_lock lock;
	uint64_t behind;
	int64_t ns;
	int32_t pid;

	if (!is_strong(entry))
		return;
	behind = queued_behind(part, node, &ns);
	pid = holder_before(part, edges, end - first);
	if (!behind || !pid)
		return;
	row = risk_add(risks, "ddl_queue", ns);
	if (!row)
		return;
	tap_lock_describe(risks->build, part->instance, &entry->tag, entry->wanted, &lock);
	first_fill(risks, entry->pid, row);
	second_fill(risks, pid, row);
	row->first_seen = behind;
	row->evidence = text_of(risks->build,
				"session %" PRId32 " wants %s on %s and waits for session %" PRId32 "; %" PRIu64
				" sessions queue behind it that could go on otherwise",
				entry->pid, lock.mode, lock.name ? lock.name : "?", pid, behind);
	row->advice = advice_of(risks, TAP_LOCK_ADVICE_QUEUE);
}

/* ---- upgrades ---- */

/* It has the lock in a mode already that the one it wants excludes: two that do so wait for each other for ever. */
static void upgrade_look(struct risks *risks, const struct tap_lock_entry *entry)
{
	const struct tap_lock_part *part = risks->part;
	uint16_t colliding = entry->held & tap_lock_mode_conflicts(entry->tag.type, entry->wanted);
	uint8_t held = tap_lock_mode_count(entry->tag.type) - 1;
	struct tap_view_lock_risk *row;
	struct tap_view_lock lock;
	int64_t ns = tap_lock_waiting_ns(part->table, entry);

	/* What the wanted mode does not exclude in others takes part in no cycle of two upgrades. */
	if (!colliding)
		return;
	while (!(colliding >> held & 1))
		held--;
	row = risk_add(risks, "lock_upgrade", ns > 0 ? ns : 0);
	if (!row)
		return;
	tap_lock_describe(risks->build, part->instance, &entry->tag, entry->wanted, &lock);
	first_fill(risks, entry->pid, row);
	row->first_seen = 1;
	row->evidence = text_of(risks->build, "session %" PRId32 " holds %s on %s and waits for %s on it", entry->pid,
				tap_lock_mode_name(entry->tag.type, held), lock.name ? lock.name : "?", lock.mode);
	row->advice =
		"take the strong lock first: two sessions that hold the weak one and want the strong one deadlock";
}

/* ---- many tuple locks ---- */

static int compare_tuples(const void *a, const void *b)
{
	const struct tap_lock_entry *left = a, *right = b;
	int order = (left->pid > right->pid) - (left->pid < right->pid);

	return order ? order : memcmp(&left->tag.field1, &right->tag.field1, 2 * sizeof(uint32_t));
}

static void tuples_tell(struct risks *risks, const struct tap_lock_entry *entry, uint64_t count)
{
	struct tap_view_lock_risk *row = risk_add(risks, "many_tuple_locks", 0);
	struct tap_view_lock lock;

	if (!row)
		return;
	tap_lock_describe(risks->build, risks->part->instance, &entry->tag, 0, &lock);
	first_fill(risks, entry->pid, row);
	row->first_seen = count;
	row->evidence = text_of(risks->build, "session %" PRId32 " has %" PRIu64 " tuple locks on %s at once",
				entry->pid, count, lock.relation ? lock.relation : "?");
	row->advice = "work in smaller batches, in one order of the key, or lock the table";
}

static int tuples_look(struct risks *risks)
{
	const struct tap_lock_table *table = risks->part->table;
	struct tap_lock_entry *tuples = calloc(table->count + 1, sizeof(*tuples));
	size_t count = 0, run = 0;

	if (!tuples)
		return -ENOMEM;
	for (size_t i = 0; i < table->count; i++) {
		if (table->entries[i].tag.type == TAP_LOCK_TUPLE && table->entries[i].held && table->entries[i].pid)
			tuples[count++] = table->entries[i];
	}
	if (count)
		qsort(tuples, count, sizeof(*tuples), compare_tuples);
	for (size_t i = 0; i < count; i++) {
		run = i && !compare_tuples(&tuples[i], &tuples[i - 1]) ? run + 1 : 1;
		if (run >= TUPLES_MIN && (i + 1 == count || compare_tuples(&tuples[i], &tuples[i + 1])))
			tuples_tell(risks, &tuples[i], run);
	}
	free(tuples);
	return 0;
}

/* ---- all of them ---- */

static bool is_part_wanted(const struct risks *risks, int32_t pid)
{
	const struct tap_session *session = tap_lock_session(risks->part, pid);

	return tap_lock_is_wanted(risks->build, risks->part->instance, session ? session->database : 0);
}

static int part_look(struct risks *risks)
{
	const struct tap_lock_part *part = risks->part;
	size_t end;

	for (size_t i = 0; i < part->chain.n_nodes; i++) {
		const struct tap_lock_node *node = &part->chain.nodes[i];

		if (node->waits || !node->blocks || !is_part_wanted(risks, node->pid))
			continue;
		idle_look(risks, node);
		convoy_look(risks, node);
	}
	for (size_t first = 0; first < part->graph.n_edges; first = end) {
		int32_t waiter = part->graph.edges[first].waiter;

		for (end = first + 1; end < part->graph.n_edges && part->graph.edges[end].waiter == waiter;)
			end++;
		if (is_part_wanted(risks, waiter))
			queue_look(risks, first, end);
	}
	for (size_t i = 0; i < part->table->count; i++) {
		if (is_part_wanted(risks, part->table->entries[i].pid))
			upgrade_look(risks, &part->table->entries[i]);
	}
	return tuples_look(risks);
}

/* "public.a before public.b"; of one relation "row (3,7) before row (3,8) of public.a". */
static const char *order_of(struct tap_build *build, const struct tap_lock_object *a, const struct tap_lock_object *b)
{
	struct tap_view_lock first, second;

	tap_lock_describe_object(build, a, 0, &first);
	tap_lock_describe_object(build, b, 0, &second);
	if (a->relation && a->relation == b->relation && a->database == b->database)
		return text_of(build, "row (%" PRIu32 ",%" PRIu32 ") before row (%" PRIu32 ",%" PRIu32 ") of %s",
			       a->id1, a->id2, b->id1, b->id2, first.relation ? first.relation : "?");
	return text_of(build, "%s before %s",
		       first.relation ? first.relation
		       : first.name   ? first.name
				      : "?",
		       second.relation ? second.relation
		       : second.name   ? second.name
				       : "?");
}

static void inversion_tell(struct risks *risks, const struct tap_lock_inversion *inversion)
{
	struct tap_view_lock_risk *row = risk_add(risks, "order_inversion", 0);
	const struct tap_window_instance *info = tap_build_instance(risks->build, inversion->a.instance);
	const struct tap_row_key *first = &inversion->first, *second = &inversion->second;

	if (!row)
		return;
	row->instance = info ? tap_arena_string(risks->build->arena, info->id) : NULL;
	row->first_query_id = tap_build_query_id(risks->build, first->source, first->query_id);
	row->first_query = tap_build_text(risks->build, first->instance, first->source, first->query_id);
	row->first_order = order_of(risks->build, &inversion->a, &inversion->b);
	row->first_seen = inversion->first_seen;
	row->second_query_id = tap_build_query_id(risks->build, second->source, second->query_id);
	row->second_query = tap_build_text(risks->build, second->instance, second->source, second->query_id);
	row->second_order = order_of(risks->build, &inversion->b, &inversion->a);
	row->second_seen = inversion->second_seen;
	row->evidence = text_of(risks->build, "%s, seen %" PRIu64 " times, and %s, seen %" PRIu64 " times%s",
				row->first_order ? row->first_order : "", inversion->first_seen,
				row->second_order ? row->second_order : "", inversion->second_seen,
				inversion->sure ? "" : "; part of that order is inferred from the statements' texts");
	row->advice = "let all transactions take these two in one order";
}

static int compare_risks(const void *a, const void *b)
{
	const struct tap_view_lock_risk *left = a, *right = b;
	int order;

	if (left->cost_ns != right->cost_ns)
		return left->cost_ns > right->cost_ns ? -1 : 1;
	if (left->first_seen != right->first_seen)
		return left->first_seen > right->first_seen ? -1 : 1;
	order = strcmp(left->risk, right->risk);
	return order ? order : strcmp(left->evidence ? left->evidence : "", right->evidence ? right->evidence : "");
}

int tap_lock_build_risks(struct tap_build *build, const struct tap_lock_part *parts, size_t n_parts)
{
	struct risks risks = { .build = build, .list = { .size = sizeof(struct tap_view_lock_risk) } };
	struct tap_lock_view *view = &build->view->locks;
	int err = 0;

	for (size_t i = 0; i < n_parts && !err; i++) {
		risks.part = &parts[i];
		err = part_look(&risks);
	}
	risks.part = NULL;
	for (size_t i = 0; i < build->input->locks.n_inversions && !err; i++) {
		const struct tap_lock_inversion *inversion = &build->input->locks.inversions[i];

		if (tap_lock_is_wanted(build, inversion->a.instance, inversion->first.database))
			inversion_tell(&risks, inversion);
	}
	if (risks.list.count)
		qsort(risks.list.items, risks.list.count, risks.list.size, compare_risks);
	view->risks = tap_lock_list_take(&risks.list, build->arena, build->input->options.limit, &view->n_risks);
	return err ? err : build->arena->failed ? -ENOMEM : 0;
}
