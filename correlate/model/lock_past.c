// SPDX-License-Identifier: BSD-2-Clause
/* lock_past.c - waits that ended within the window, what they cost whom, and the cycles that closed in it. */
#include "correlate/model/locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void row_statement(struct tap_build *build, const struct tap_row_key *row, const char **ret_id,
			  const char **ret_source, const char **ret_query)
{
	*ret_id = tap_build_query_id(build, row->source, row->query_id);
	*ret_query = tap_build_text(build, row->instance, row->source, row->query_id);
	if (ret_source)
		*ret_source = tap_build_source(row->source);
}

static const char *instance_id(struct tap_build *build, uint32_t instance)
{
	const struct tap_window_instance *info = tap_build_instance(build, instance);

	return info ? tap_arena_string(build->arena, info->id) : NULL;
}

/* ---- waits ---- */

static void past_fill(struct tap_build *build, const struct tap_lock_wait *wait, struct tap_view_lock_wait *view)
{
	view->instance = instance_id(build, wait->instance);
	view->pid = wait->pid;
	view->database = tap_build_name(build, wait->instance, TAP_NAME_DATABASE, wait->row.database);
	view->user = tap_build_name(build, wait->instance, TAP_NAME_USER, wait->row.user);
	row_statement(build, &wait->row, &view->query_id, &view->query_id_source, &view->query);
	tap_lock_describe_seen(build, &wait->tag, wait->mode, &wait->object, &view->lock);
	view->waiting_ns = wait->waited_ns;
	view->started_realtime_ns = wait->begin_ns ? wait->begin_ns : -1;
	view->root_pid = -1;
	view->past = true;
	view->blocked_by = tap_arena_new(build->arena, wait->n_blockers + 1, sizeof(*view->blocked_by));
	for (uint32_t i = 0; i < wait->n_blockers && i < TAP_LOCK_BLOCKERS_MAX && view->blocked_by; i++)
		view->blocked_by[view->n_blocked_by++] = wait->blockers[i].pid;
}

static int compare_past(const void *a, const void *b)
{
	const struct tap_lock_wait *left = *(const struct tap_lock_wait *const *)a;
	const struct tap_lock_wait *right = *(const struct tap_lock_wait *const *)b;

	if (left->waited_ns != right->waited_ns)
		return left->waited_ns > right->waited_ns ? -1 : 1;
	if (left->begin_ns != right->begin_ns)
		return left->begin_ns < right->begin_ns ? -1 : 1;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

/* Ordered before anything is described: of many few are shown. */
static int past_build(struct tap_build *build, const struct tap_lock_log *log)
{
	const struct tap_lock_wait **sorted = reallocarray(NULL, log->n_past + 1, sizeof(*sorted));
	size_t limit = build->input->options.limit, count = 0;
	struct tap_lock_view *view = &build->view->locks;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < log->n_past; i++) {
		if (tap_lock_is_wanted(build, log->past[i].instance, log->past[i].row.database))
			sorted[count++] = &log->past[i];
	}
	qsort(sorted, count, sizeof(struct tap_lock_wait *), compare_past);
	count = limit && limit < count ? limit : count;
	view->past = tap_arena_new(build->arena, count + 1, sizeof(*view->past));
	for (size_t i = 0; i < count && view->past; i++)
		past_fill(build, sorted[i], &view->past[view->n_past++]);
	free(sorted);
	return 0;
}

/* ---- losses ---- */

static void loss_fill(struct tap_build *build, const struct tap_lock_loss *loss, struct tap_view_lock_loss *view)
{
	const struct tap_lock_loss_key *key = &loss->key;

	view->instance = instance_id(build, key->object.instance);
	row_statement(build, &key->row, &view->query_id, NULL, &view->query);
	if (key->blocker_known) {
		row_statement(build, &key->blocker, &view->blocker_query_id, NULL, &view->blocker_query);
		if (key->blocker_state < TAP_SESSION_STATE_COUNT)
			view->blocker_state = tap_session_state_name(key->blocker_state);
	}
	tap_lock_describe_object(build, &key->object, key->mode, &view->lock);
	view->waits = loss->waits;
	view->ns = loss->ns;
	view->max_ns = loss->max_ns;
}

static int compare_losses(const void *a, const void *b)
{
	const struct tap_view_lock_loss *left = a, *right = b;

	if (left->ns != right->ns)
		return left->ns > right->ns ? -1 : 1;
	return (left->waits < right->waits) - (left->waits > right->waits);
}

static void losses_build(struct tap_build *build, const struct tap_lock_log *log)
{
	struct tap_lock_list list = { .size = sizeof(struct tap_view_lock_loss) };
	struct tap_lock_view *view = &build->view->locks;

	for (size_t i = 0; i < log->n_losses; i++) {
		const struct tap_lock_loss *loss = &log->losses[i];
		struct tap_view_lock_loss *row;

		if (!tap_lock_is_wanted(build, loss->key.object.instance, loss->key.row.database))
			continue;
		row = tap_lock_list_add(&list);
		if (row)
			loss_fill(build, loss, row);
	}
	if (list.count)
		qsort(list.items, list.count, list.size, compare_losses);
	view->losses = tap_lock_list_take(&list, build->arena, build->input->options.limit, &view->n_losses);
}

/* ---- cycles ---- */

static void member_fill(struct tap_build *build, const struct tap_lock_cycle_member *member,
			struct tap_view_lock_member *view)
{
	view->pid = member->pid;
	view->waits_for = member->waits_for;
	view->soft = member->soft;
	if (member->row.kind)
		row_statement(build, &member->row, &view->query_id, NULL, &view->query);
	if (!view->query && member->query)
		view->query = tap_build_redact(build, member->row.instance, member->query);
	tap_lock_describe_seen(build, &member->tag, member->mode, &member->object, &view->lock);
}

void tap_lock_cycle_words(struct tap_view_lock_cycle *view, enum tap_lock_cycle_kind kind)
{
	bool soft = kind == TAP_LOCK_CYCLE_SOFT;

	view->kind = soft ? "soft cycle" : "deadlock";
	if (view->victim_pid)
		view->outlook = "the server ended it with an error for one of them";
	else if (view->verdict_realtime_ns >= 0)
		view->outlook = "the server has reordered a queue: nobody failed";
	else if (soft)
		view->outlook = "the server will reorder a queue after deadlock_timeout: nobody fails";
	else if (kind == TAP_LOCK_CYCLE_STUCK)
		view->outlook = "no order of the queues undoes it: the server will end it with an error for one of "
				"them after deadlock_timeout";
	else
		view->outlook = "the server will end it with an error for one of them after deadlock_timeout";
}

static void cycle_fill(struct tap_build *build, const struct tap_lock_cycle *cycle, struct tap_view_lock_cycle *view)
{
	view->instance = instance_id(build, cycle->instance);
	view->at_realtime_ns = cycle->at_ns;
	view->victim_pid = cycle->victim;
	view->verdict_realtime_ns = cycle->verdict_ns ? cycle->verdict_ns : -1;
	tap_lock_cycle_words(view, cycle->kind);
	view->members = tap_arena_new(build->arena, cycle->n_members + 1, sizeof(*view->members));
	for (size_t i = 0; i < cycle->n_members && view->members; i++)
		member_fill(build, &cycle->members[i], &view->members[view->n_members++]);
}

static void cycles_build(struct tap_build *build, const struct tap_lock_log *log)
{
	struct tap_lock_list list = { .size = sizeof(struct tap_view_lock_cycle) };
	struct tap_lock_view *view = &build->view->locks;

	for (size_t i = 0; i < log->n_cycles; i++) {
		const struct tap_lock_cycle *cycle = &log->cycles[i];
		struct tap_view_lock_cycle *row;

		if (!cycle->n_members || !tap_lock_is_wanted(build, cycle->instance, cycle->members[0].row.database))
			continue;
		row = tap_lock_list_add(&list);
		if (row)
			cycle_fill(build, cycle, row);
	}
	view->cycles = tap_lock_list_take(&list, build->arena, 0, &view->n_cycles);
}

int tap_lock_build_past(struct tap_build *build)
{
	const struct tap_lock_log *log = build->input->locks.log;

	if (past_build(build, log))
		return -ENOMEM;
	losses_build(build, log);
	cycles_build(build, log);
	return build->arena->failed ? -ENOMEM : 0;
}
