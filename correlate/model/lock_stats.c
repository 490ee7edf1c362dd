// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_stats.c - how long a window's waits took, by query and by lock, and what queries waited for within the engine.
 *
 * Heavyweight locks come from the log, wait by wait; LWLocks and the like from the rows' wait events, which the kernel
 * side adds up without telling one wait from another.
 */
#include "correlate/model/locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- heavyweight locks ---- */

static const char *instance_id(struct tap_build *build, uint32_t instance)
{
	const struct tap_window_instance *info = tap_build_instance(build, instance);

	return info ? tap_arena_string(build->arena, info->id) : NULL;
}

static void stat_fill(const struct tap_lock_stat *stat, struct tap_view_lock_stat *view)
{
	view->waits = stat->waits;
	view->failed = stat->failed;
	view->ns = stat->ns;
	view->p50 = tap_lock_stat_percentile_ns(stat, 50);
	view->p95 = tap_lock_stat_percentile_ns(stat, 95);
	view->p99 = tap_lock_stat_percentile_ns(stat, 99);
	view->max = stat->max_ns;
	for (size_t i = 0; i < TAP_LOCK_WAIT_BUCKETS; i++)
		view->octaves[i / TAP_LATENCY_STEPS] += stat->buckets[i];
}

/* The members that rows of several lists have under the same names. */
#define ROW_FILL(build, key, view) \
	do { \
		(view)->instance = instance_id(build, (key)->instance); \
		(view)->kind = tap_build_kind((key)->kind); \
		(view)->database = tap_build_name(build, (key)->instance, TAP_NAME_DATABASE, (key)->database); \
		(view)->user = tap_build_name(build, (key)->instance, TAP_NAME_USER, (key)->user); \
		(view)->query_id = tap_build_query_id(build, (key)->source, (key)->query_id); \
		(view)->query_id_source = tap_build_source((key)->source); \
		(view)->query = tap_build_text(build, (key)->instance, (key)->source, (key)->query_id); \
	} while (0)

static int compare_stats(const void *a, const void *b)
{
	const struct tap_view_lock_stat *left = a, *right = b;

	if (left->ns != right->ns)
		return left->ns > right->ns ? -1 : 1;
	return (left->waits < right->waits) - (left->waits > right->waits);
}

static struct tap_view_lock_stat *stats_take(struct tap_build *build, struct tap_lock_list *list, size_t *ret_count)
{
	if (list->count)
		qsort(list->items, list->count, list->size, compare_stats);
	return tap_lock_list_take(list, build->arena, build->input->options.limit, ret_count);
}

static void by_query_build(struct tap_build *build, const struct tap_lock_stats *stats)
{
	struct tap_lock_list list = { .size = sizeof(struct tap_view_lock_stat) };
	struct tap_lock_view *view = &build->view->locks;

	for (size_t i = 0; i < stats->count; i++) {
		const struct tap_row_key *key = &stats->items[i].key.row;
		struct tap_view_lock_stat *row;

		if (!tap_lock_is_wanted(build, key->instance, key->database))
			continue;
		row = tap_lock_list_add(&list);
		if (!row)
			break;
		ROW_FILL(build, key, row);
		stat_fill(&stats->items[i], row);
	}
	view->by_query = stats_take(build, &list, &view->n_by_query);
}

static void by_lock_build(struct tap_build *build, const struct tap_lock_stats *stats)
{
	struct tap_lock_list list = { .size = sizeof(struct tap_view_lock_stat) };
	struct tap_lock_view *view = &build->view->locks;

	for (size_t i = 0; i < stats->count; i++) {
		const struct tap_lock_object *object = &stats->items[i].key.object;
		struct tap_view_lock_stat *row;

		if (!tap_lock_is_wanted(build, object->instance, object->database))
			continue;
		row = tap_lock_list_add(&list);
		if (!row)
			break;
		row->instance = instance_id(build, object->instance);
		tap_lock_describe_object(build, object, TAP_LOCK_MODE_NONE, &row->lock);
		stat_fill(&stats->items[i], row);
	}
	view->by_lock = stats_take(build, &list, &view->n_by_lock);
}

/* ---- within the engine ---- */

/* Whole classes, and of the others those events that stand for a lock of some sort; a star ends a beginning. */
static bool is_internal(const char *class_name, const char *event_name)
{
	static const struct {
		const char *class_name;
		const char *event_name;
	} known[] = {
		{ "LWLock", "*" },	    { "BufferPin", "*" },	    { "Buffer", "*" },
		{ "IPC", "Hash*" },	    { "IPC", "ProcSignalBarrier" }, { "IPC", "BtreePage" },
		{ "Timeout", "SpinDelay" },
	};

	for (size_t i = 0; class_name && event_name && i < sizeof(known) / sizeof(known[0]); i++) {
		size_t length = strcspn(known[i].event_name, "*");

		if (!strcmp(class_name, known[i].class_name) &&
		    (known[i].event_name[length] ? !strncmp(event_name, known[i].event_name, length)
						 : !strcmp(event_name, known[i].event_name)))
			return true;
	}
	return false;
}

static void internal_add(struct tap_build *build, const struct tap_row *row, const struct tap_row_wait *wait,
			 struct tap_lock_list *list)
{
	const char *class_name = NULL, *event_name = NULL;
	struct tap_view_lock_internal *view;

	tap_build_event(build, row->key.instance, wait->event, &class_name, &event_name);
	if (!is_internal(class_name, event_name))
		return;
	view = tap_lock_list_add(list);
	if (!view)
		return;
	ROW_FILL(build, &row->key, view);
	view->class_name = class_name;
	view->event_name = event_name;
	view->waits = wait->count + wait->open;
	view->ns = wait->ns;
}

static int compare_internal(const void *a, const void *b)
{
	const struct tap_view_lock_internal *left = a, *right = b;

	if (left->ns != right->ns)
		return left->ns > right->ns ? -1 : 1;
	return (left->waits < right->waits) - (left->waits > right->waits);
}

static void internal_build(struct tap_build *build)
{
	struct tap_lock_list list = { .size = sizeof(struct tap_view_lock_internal) };
	struct tap_lock_view *view = &build->view->locks;

	for (size_t i = 0; i < build->rows.count; i++) {
		for (size_t j = 0; j < build->rows.rows[i].n_waits; j++)
			internal_add(build, &build->rows.rows[i], &build->rows.rows[i].waits[j], &list);
	}
	if (list.count)
		qsort(list.items, list.count, list.size, compare_internal);
	view->internal = tap_lock_list_take(&list, build->arena, build->input->options.limit, &view->n_internal);
}

int tap_lock_build_stats(struct tap_build *build)
{
	const struct tap_lock_log *log = build->input->locks.log;

	if (log) {
		by_query_build(build, &log->by_query);
		by_lock_build(build, &log->by_lock);
	}
	internal_build(build);
	return build->arena->failed ? -ENOMEM : 0;
}
