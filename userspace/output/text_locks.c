// SPDX-License-Identifier: BSD-2-Clause
/* text_locks.c - the locks view as text: the tree, then cycles, convoys, losses, ended waits and risks. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "userspace/base/number.h"
#include "userspace/output/lock_tree.h"
#include "userspace/output/moment.h"
#include "userspace/output/text_column.h"
#include "userspace/output/text_sections.h"
#include "userspace/output/text_tables.h"

enum {
	STATS_LIMIT = 10, /* rows of the lists that tell how long waits took */
	DEPTH_SHOWN = 8,  /* levels of the tree that have branches drawn */
	CONVOY_LEAST = 4, /* waiters on one that make a convoy */
	ALSO_SHOWN = 3,	  /* blockers of one waiter that are named, where there are several */
	LIST_LIMIT = 20,  /* rows of what stands below the tree */
};

/* --- the tree --------------------------------------------------------------------------------- */

static const struct tap_lock_tree *tree_of(const struct tap_text_context *context)
{
	return context->more;
}

/* The node that is drawn in a line; rows of the table are the places in the order of drawing. */
static const struct tap_lock_node *node_of(const struct tap_text_context *context, const void *row)
{
	return &tree_of(context)->nodes[*(const size_t *)row];
}

/* Branches from the left: of the nearest DEPTH_SHOWN levels. */
static void add_branches(const struct tap_lock_tree *tree, const struct tap_lock_node *node, struct tap_strbuf *text)
{
	const struct tap_lock_node *levels[DEPTH_SHOWN];
	size_t n = 0;

	for (; node->parent != TAP_LOCK_NO_NODE && n < DEPTH_SHOWN; node = &tree->nodes[node->parent])
		levels[n++] = node;
	if (node->parent != TAP_LOCK_NO_NODE)
		tap_strbuf_add_string(text, "…");
	for (size_t i = n; i > 1; i--)
		tap_strbuf_add_string(text, levels[i - 1]->last ? "  " : "│ ");
	if (n)
		tap_strbuf_add_string(text, levels[0]->last ? "└ " : "├ ");
}

static void node_name(const struct tap_text_context *context, const void *row)
{
	const struct tap_lock_node *node = node_of(context, row);
	struct tap_strbuf branches, name;

	tap_strbuf_init(&branches);
	tap_strbuf_init(&name);
	add_branches(tree_of(context), node, &branches);
	tap_lock_node_name(node, &name);
	tap_table_cell_after(context->table, branches.data, name.data);
	*context->failed |= branches.failed || name.failed;
	tap_strbuf_done(&branches);
	tap_strbuf_done(&name);
}

static void node_waits(const struct tap_text_context *context, const void *row)
{
	const struct tap_lock_node *node = node_of(context, row);

	tap_cell_age(context, node->wait ? node->wait->waiting_ns : -1);
}

static void node_held(const struct tap_text_context *context, const void *row)
{
	const struct tap_view_lock_holder *holder = node_of(context, row)->holder;
	char number[TAP_NUMBER_MAX], text[TAP_NUMBER_MAX + 2];

	if (!holder || holder->held_ns < 0) {
		tap_table_cell(context->table, NULL);
		return;
	}
	snprintf(text, sizeof(text), "%s%s", holder->held_is_bound ? "<=" : "", tap_number_ns(number, holder->held_ns));
	tap_table_cell(context->table, text);
}

static void node_transaction(const struct tap_text_context *context, const void *row)
{
	const struct tap_view_lock_holder *holder = node_of(context, row)->holder;

	tap_cell_age(context, holder ? holder->transaction_ns : -1);
}

static void node_cost(const struct tap_text_context *context, const void *row)
{
	const struct tap_view_lock_holder *holder = node_of(context, row)->holder;

	tap_cell_age(context, holder && holder->victims ? holder->cost_ns : -1);
}

static void node_victims(const struct tap_text_context *context, const void *row)
{
	const struct tap_view_lock_holder *holder = node_of(context, row)->holder;

	if (holder && holder->victims)
		tap_cell_count(context, holder->victims);
	else
		tap_table_cell(context->table, NULL);
}

/* Whom it waits for beside the one it stands below and those before it in the same queue. */
static void add_also(const struct tap_text_context *context, const struct tap_lock_node *node, struct tap_strbuf *text)
{
	const struct tap_lock_tree *tree = tree_of(context);
	const struct tap_lock_link *link = tree->links + node->first_link, *first = NULL;
	size_t n = 0;

	for (; link < tree->links + tree->n_links && &tree->nodes[link->waiter] == node; link++) {
		if (tap_lock_link_in_tree(tree, link) || tap_lock_link_in_queue(tree, link))
			continue;
		first = n++ ? first : link;
	}
	if (n == 1) {
		tap_strbuf_add_string(text, ", also behind ");
		tap_lock_node_name(&tree->nodes[first->blocker], text);
	} else if (n) {
		tap_strbuf_printf(text, ", also behind %zu others", n);
	}
}

static void node_what(const struct tap_text_context *context, const void *row)
{
	const struct tap_lock_node *node = node_of(context, row);
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	if (node->cyclic)
		tap_strbuf_add_string(&text, node->soft ? "soft cycle: " : "deadlock: ");
	tap_lock_node_what(node, &text);
	add_also(context, node, &text);
	tap_cell_buffer(context, &text);
}

#define NODE_CELL(function, member) \
	static void function(const struct tap_text_context *context, const void *row) \
	{ \
		const struct tap_lock_node *node = node_of(context, row); \
\
		tap_table_cell(context->table, node->wait     ? node->wait->member \
					       : node->holder ? node->holder->member \
							      : NULL); \
	}
NODE_CELL(node_database, database)
NODE_CELL(node_user, user)
NODE_CELL(node_application, application)
NODE_CELL(node_client, client)
NODE_CELL(node_query, query)
NODE_CELL(node_query_id, query_id)

static void node_instance(const struct tap_text_context *context, const void *row)
{
	tap_table_cell(context->table, node_of(context, row)->instance);
}

static const struct tap_text_column tree_columns[] = {
	{ { "PID", .right = false }, TAP_TEXT_ALWAYS, node_name },
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, node_instance },
	{ { "WAITS", .right = true }, TAP_TEXT_ALWAYS, node_waits },
	{ { "BLOCKS", .right = true, .rank = 3 }, TAP_TEXT_ALWAYS, node_victims },
	{ { "COST", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, node_cost },
	{ { "HELD", .right = true, .rank = 6 }, TAP_TEXT_ALWAYS, node_held },
	{ { "XACT", .right = true, .rank = 7 }, TAP_TEXT_ALWAYS, node_transaction },
	{ { "DATABASE", .max = 16, .rank = 5 }, TAP_TEXT_ALWAYS, node_database },
	{ { "USER", .max = 16, .rank = 4 }, TAP_TEXT_ALWAYS, node_user },
	{ { "APPLICATION", .max = 20, .rank = 8 }, TAP_TEXT_ALWAYS, node_application },
	{ { "CLIENT", .max = 24, .rank = 9 }, TAP_TEXT_ALWAYS, node_client },
	{ { "QUERY ID", .right = true, .max = 20, .rank = 10 }, TAP_TEXT_ALWAYS, node_query_id },
	{ { "WAITS FOR, OR DOES", .max = 60, .rank = 2, .min = 24 }, TAP_TEXT_ALWAYS, node_what },
	{ { "QUERY", .min = 20 }, TAP_TEXT_ALWAYS, node_query },
};

/* --- the tables below it ------------------------------------------------------------------------------------------ */

static void put_lock(const struct tap_text_context *context, const struct tap_view_lock *lock)
{
	tap_cell_pair(context,
		      lock->name       ? lock->name
		      : lock->relation ? lock->relation
				       : lock->type,
		      ", ", lock->mode);
}

TAP_TEXT_CELL(past_instance, tap_view_lock_wait, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(past_pid, tap_view_lock_wait, tap_cell_int(context, row->pid))
TAP_TEXT_CELL(past_waited, tap_view_lock_wait, tap_cell_age(context, row->waiting_ns))
TAP_TEXT_CELL(past_user, tap_view_lock_wait, tap_table_cell(context->table, row->user))
TAP_TEXT_CELL(past_lock, tap_view_lock_wait, put_lock(context, &row->lock))
TAP_TEXT_CELL(past_query, tap_view_lock_wait, tap_table_cell(context->table, row->query))

static void past_started(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_lock_wait *row = row_pointer;
	char text[TAP_MOMENT_MAX];

	tap_table_cell(context->table,
		       row->started_realtime_ns < 0 ? NULL : tap_moment_clock(text, row->started_realtime_ns));
}

static void past_behind(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_lock_wait *row = row_pointer;
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	for (size_t i = 0; i < row->n_blocked_by && i < ALSO_SHOWN; i++) {
		tap_strbuf_add_string(&text, i ? ", " : "");
		if (row->blocked_by[i])
			tap_strbuf_printf(&text, "%" PRId32, row->blocked_by[i]);
		else
			tap_strbuf_add_string(&text, "prepared");
	}
	if (row->n_blocked_by > ALSO_SHOWN)
		tap_strbuf_printf(&text, ", +%zu", row->n_blocked_by - ALSO_SHOWN);
	tap_cell_buffer(context, &text);
}

TAP_TEXT_CELL(loss_instance, tap_view_lock_loss, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(loss_ns, tap_view_lock_loss, tap_cell_ns(context, row->ns))
TAP_TEXT_CELL(loss_max, tap_view_lock_loss, tap_cell_ns(context, row->max_ns))
TAP_TEXT_CELL(loss_waits, tap_view_lock_loss, tap_cell_count(context, row->waits))
TAP_TEXT_CELL(loss_lock, tap_view_lock_loss, put_lock(context, &row->lock))
TAP_TEXT_CELL(loss_query, tap_view_lock_loss, tap_table_cell(context->table, row->query))
TAP_TEXT_CELL(loss_blocker, tap_view_lock_loss,
	      tap_table_cell(context->table, row->blocker_query ? row->blocker_query : row->blocker_state))

static const struct tap_text_column past_columns[] = {
	{ { "BEGAN", .max = 12, .rank = 4 }, TAP_TEXT_ALWAYS, past_started },
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, past_instance },
	{ { "PID", .right = true }, TAP_TEXT_ALWAYS, past_pid },
	{ { "WAITED", .right = true }, TAP_TEXT_ALWAYS, past_waited },
	{ { "BEHIND", .max = 24, .rank = 2 }, TAP_TEXT_ALWAYS, past_behind },
	{ { "USER", .max = 16, .rank = 3 }, TAP_TEXT_ALWAYS, past_user },
	{ { "LOCK", .max = 60, .rank = 1, .min = 24 }, TAP_TEXT_ALWAYS, past_lock },
	{ { "QUERY", .min = 20 }, TAP_TEXT_ALWAYS, past_query },
};

static const struct tap_text_column loss_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, loss_instance },
	{ { "LOST", .right = true }, TAP_TEXT_ALWAYS, loss_ns },
	{ { "WAITS", .right = true, .rank = 3 }, TAP_TEXT_ALWAYS, loss_waits },
	{ { "LONGEST", .right = true, .rank = 4 }, TAP_TEXT_ALWAYS, loss_max },
	{ { "LOCK", .max = 44, .rank = 1, .min = 16 }, TAP_TEXT_ALWAYS, loss_lock },
	{ { "BY QUERY", .max = 28 }, TAP_TEXT_IF_COMPACT, loss_query },
	{ { "BY QUERY", .max = 60, .rank = 2, .min = 30 }, TAP_TEXT_IF_WIDE, loss_query },
	{ { "TO", .min = 20 }, TAP_TEXT_ALWAYS, loss_blocker },
};

static const struct tap_text_table tree_table = { tree_columns, COUNT_OF(tree_columns),
						  " locks waits holders blocked_by held_ns cost_ns query user database "
						  "application client " };
static const struct tap_text_table past_table = { past_columns, COUNT_OF(past_columns), " past waiting_ns lock " };
static const struct tap_text_table loss_table = { loss_columns, COUNT_OF(loss_columns), " losses " };

_Static_assert(COUNT_OF(tree_columns) <= TAP_TEXT_COLUMNS_MAX, "columns of the tree");

const struct tap_text_table *tap_text_lock_table(enum tap_view_part part)
{
	switch (part) {
	case TAP_PART_LOCK_WAITS:
	case TAP_PART_LOCK_HOLDERS:
		return &tree_table;
	case TAP_PART_LOCK_PAST:
		return &past_table;
	case TAP_PART_LOCK_LOSSES:
		return &loss_table;
	default:
		return tap_text_lock_stat_table(part);
	}
}

/* --- the page --------------------------------------------------------------------------------- */

static void add_tree(const struct tap_view *view, const struct tap_lock_tree *tree, size_t width,
		     struct tap_strbuf *out)
{
	struct tap_rows rows = { .view = view,
				 .first = (const char *)tree->order,
				 .row_size = sizeof(*tree->order),
				 .count = tree->n_nodes };
	char number[TAP_NUMBER_MAX];
	int64_t longest = 0;
	struct tap_strbuf line;

	for (size_t i = 0; i < view->locks.n_waits; i++)
		if (view->locks.waits[i].waiting_ns > longest)
			longest = view->locks.waits[i].waiting_ns;
	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%zu session%s wait%s for a lock, the longest for %s, behind %zu that wait%s for none",
			  tree->n_waiters, tree->n_waiters == 1 ? "" : "s", tree->n_waiters == 1 ? "s" : "",
			  tap_number_ns(number, longest), tree->n_roots, tree->n_roots == 1 ? "s" : "");
	tap_text_flush_line(out, &line, width);
	if (tap_text_rows_render(&tree_table, &rows, 0, tree, width, out))
		out->failed = true;
}

static void add_waits(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	struct tap_lock_tree tree;

	if (!view->locks.n_waits) {
		tap_strbuf_add_string(out, "nobody waits for a lock\n");
		return;
	}
	if (tap_lock_tree_make(view, &tree)) {
		out->failed = true;
		return;
	}
	add_tree(view, &tree, width, out);
	tap_lock_tree_done(&tree);
}

static void add_member(const struct tap_view_lock_member *member, size_t width, struct tap_strbuf *out)
{
	const struct tap_view_lock *lock = &member->lock;
	const char *name = lock->name ? lock->name : lock->relation;
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "- %" PRId64 " %s %" PRId64, member->pid,
			  member->soft ? "is queued behind" : "waits for", member->waits_for);
	if (lock->mode || name)
		tap_strbuf_printf(&line, ", %s%s%s", lock->mode ? lock->mode : "", lock->mode && name ? " on " : "",
				  name ? name : "");
	if (member->query)
		tap_strbuf_printf(&line, ": %s", member->query);
	tap_text_flush_line(out, &line, width);
}

static bool is_soft(const struct tap_view_lock_cycle *cycle)
{
	return cycle->kind && strcmp(cycle->kind, "soft cycle") == 0;
}

static void add_cycle(const struct tap_view_lock_cycle *cycle, size_t width, struct tap_strbuf *out)
{
	char clock[TAP_MOMENT_MAX];
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%s%s%zu sessions", cycle->instance ? cycle->instance : "",
			  cycle->instance ? ": " : "", cycle->n_members);
	if (cycle->at_realtime_ns >= 0)
		tap_strbuf_printf(&line, ", closed at %s UTC", tap_moment_clock(clock, cycle->at_realtime_ns));
	if (cycle->victim_pid > 0)
		tap_strbuf_printf(&line, ", ended by the server's error for %" PRId64, cycle->victim_pid);
	else if (cycle->outlook)
		tap_strbuf_printf(&line, ": %s", cycle->outlook);
	if (cycle->verdict_realtime_ns >= 0)
		tap_strbuf_printf(&line, "%s at %s", cycle->victim_pid > 0 ? "" : ",",
				  tap_moment_clock(clock, cycle->verdict_realtime_ns));
	tap_text_flush_line(out, &line, width);
	for (size_t j = 0; j < cycle->n_members; j++)
		add_member(&cycle->members[j], width, out);
}

/* Deadlocks first: of the others the server makes an end without anybody's failing. */
static void add_cycles(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	static const char *const titles[] = { "\nDEADLOCKS\n", "\nSOFT CYCLES\n" };

	for (int soft = 0; soft < 2; soft++) {
		bool any = false;

		for (size_t i = 0; i < view->locks.n_cycles; i++) {
			if (is_soft(&view->locks.cycles[i]) != soft)
				continue;
			if (!any)
				tap_strbuf_add_string(out, titles[soft]);
			any = true;
			add_cycle(&view->locks.cycles[i], width, out);
		}
	}
}

static void add_convoy(const struct tap_view_lock_holder *holder, size_t width, struct tap_strbuf *out)
{
	const struct tap_view_lock *lock = &holder->lock;
	const char *name = lock->name ? lock->name : lock->relation;
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%" PRIu64 " wait behind ", holder->victims);
	if (holder->pid)
		tap_strbuf_printf(&line, "%" PRId64, holder->pid);
	else
		tap_strbuf_printf(&line, "prepared transaction %" PRIu64, holder->xid);
	if (name)
		tap_strbuf_printf(&line, ", most over %s", name);
	if (holder->cost_ns >= 0)
		tap_strbuf_printf(&line, ", %s lost", tap_number_ns(number, holder->cost_ns));
	if (holder->query)
		tap_strbuf_printf(&line, ": %s", holder->query);
	tap_text_flush_line(out, &line, width);
}

/* Where the risks name them there is more to say: then they stand there. */
static bool tells_convoys(const struct tap_lock_view *locks)
{
	for (size_t i = 0; i < locks->n_risks; i++)
		if (locks->risks[i].risk && strcmp(locks->risks[i].risk, "convoy") == 0)
			return true;
	return false;
}

static void add_convoys(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	bool any = false;

	if (tells_convoys(&view->locks))
		return;
	for (size_t i = 0; i < view->locks.n_holders; i++) {
		const struct tap_view_lock_holder *holder = &view->locks.holders[i];

		if (!holder->root || holder->victims < CONVOY_LEAST)
			continue;
		if (!any)
			tap_strbuf_add_string(out, "\nCONVOYS\n");
		any = true;
		add_convoy(holder, width, out);
	}
}

static void add_list(const struct tap_view *view, enum tap_view_part part, const char *title, size_t limit,
		     size_t width, struct tap_strbuf *out)
{
	struct tap_rows rows;

	tap_rows_init(&rows, view, part);
	if (!rows.count)
		return;
	if (rows.count > limit)
		tap_strbuf_printf(out, "\n%s, %zu of %zu\n", title, limit, rows.count);
	else
		tap_strbuf_printf(out, "\n%s\n", title);
	if (tap_text_table_render(view, part, limit, width, out))
		out->failed = true;
}

/* A statement of a risk; the order in which it takes what it takes, and how often that was seen, where that is it. */
static void add_order(const char *query, const char *order, uint64_t seen, size_t width, struct tap_strbuf *out)
{
	struct tap_strbuf line;

	if (!query && !order)
		return;
	tap_strbuf_init(&line);
	tap_strbuf_add_string(&line, "- ");
	if (order)
		tap_strbuf_printf(&line, "%s, %" PRIu64 " times%s", order, seen, query ? ": " : "");
	tap_strbuf_add_string(&line, query ? query : "");
	tap_text_flush_line(out, &line, width);
}

static void add_risk(const struct tap_view_lock_risk *risk, size_t width, struct tap_strbuf *out)
{
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%s%s%s", risk->instance ? risk->instance : "", risk->instance ? ": " : "",
			  risk->risk ? risk->risk : "risk");
	if (risk->cost_ns > 0)
		tap_strbuf_printf(&line, ", %s lost", tap_number_ns(number, risk->cost_ns));
	if (risk->evidence)
		tap_strbuf_printf(&line, ": %s", risk->evidence);
	tap_text_flush_line(out, &line, width);
	add_order(risk->first_query, risk->first_order, risk->first_seen, width, out);
	add_order(risk->second_query, risk->second_order, risk->second_seen, width, out);
	if (!risk->advice)
		return;
	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "- to do: %s", risk->advice);
	tap_text_flush_line(out, &line, width);
}

static void add_risks(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	if (view->locks.n_risks)
		tap_strbuf_add_string(out, "\nRISKS\n");
	for (size_t i = 0; i < view->locks.n_risks; i++)
		add_risk(&view->locks.risks[i], width, out);
}

void tap_text_locks_now(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	add_waits(view, width, out);
	add_cycles(view, width, out);
	add_list(view, TAP_PART_LOCK_PAST, "WAITS THAT ENDED", LIST_LIMIT, width, out);
}

static void add_overview(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	add_waits(view, width, out);
	add_cycles(view, width, out);
	add_convoys(view, width, out);
	add_list(view, TAP_PART_LOCK_LOSSES, "LOST IN THIS WINDOW", LIST_LIMIT, width, out);
	add_list(view, TAP_PART_LOCK_BY_QUERY, "WAITS THAT ENDED, BY QUERY", STATS_LIMIT, width, out);
	add_list(view, TAP_PART_LOCK_BY_LOCK, "WAITS THAT ENDED, BY LOCK", STATS_LIMIT, width, out);
	add_list(view, TAP_PART_LOCK_INTERNAL, "WAITS WITHIN THE SERVER", STATS_LIMIT, width, out);
	add_list(view, TAP_PART_LOCK_PAST, "WAITS THAT ENDED", LIST_LIMIT, width, out);
	add_risks(view, width, out);
}

void tap_text_locks_render(const struct tap_view *view, enum tap_view_part part, size_t width, struct tap_strbuf *out)
{
	struct tap_rows rows;

	tap_rows_init(&rows, view, part);
	if (part == TAP_PART_LOCKS)
		add_overview(view, width, out);
	else if (part == TAP_PART_LOCK_WAITS)
		add_waits(view, width, out);
	else if (!rows.count)
		tap_strbuf_add_string(out, "nobody waited for such a lock in this window\n");
	else if (tap_text_table_render(view, part, 0, width, out))
		out->failed = true;
}
