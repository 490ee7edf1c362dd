// SPDX-License-Identifier: BSD-2-Clause
/*
 * slow.c - the statements that were told of one by one: those above the threshold, and of each row the slowest.
 *
 * The kernel tells of one that is among its row's slowest so far; which ones are in the end is known here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/model/build.h"
#include "correlate/statement_log.h"

/* Of one row together, its slowest first. */
static int by_row(const void *a, const void *b)
{
	const struct tap_statement_told *left = *(const struct tap_statement_told *const *)a;
	const struct tap_statement_told *right = *(const struct tap_statement_told *const *)b;
	int order = memcmp(&left->event.key, &right->event.key, sizeof(left->event.key));
	uint64_t l = left->event.duration_ns, r = right->event.duration_ns;

	return order ? order : (l < r) - (l > r);
}

static int by_duration(const void *a, const void *b)
{
	const struct tap_view_statement *left = a, *right = b;

	return (left->duration_ns < right->duration_ns) - (left->duration_ns > right->duration_ns);
}

static int by_end(const void *a, const void *b)
{
	const struct tap_view_statement *left = a, *right = b;

	return (left->ended_ns > right->ended_ns) - (left->ended_ns < right->ended_ns);
}

static int64_t bounded(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static int by_ns(const void *a, const void *b)
{
	const struct tap_view_wait *left = a, *right = b;

	return (left->ns < right->ns) - (left->ns > right->ns);
}

static void waits_fill(struct tap_build *build, struct tap_view_statement *view,
		       const struct tap_statement_event *event)
{
	view->waits = tap_arena_new(build->arena, TAP_STATEMENT_WAITS + 1, sizeof(*view->waits));
	if (!view->waits)
		return;
	for (int i = 0; i < TAP_STATEMENT_WAITS; i++) {
		const struct tap_wait *from = &event->spent.waits[i];
		struct tap_view_wait *wait = &view->waits[view->n_waits];

		if (!from->count)
			continue;
		tap_build_event(build, event->key.instance, from->event, &wait->class_name, &wait->event_name);
		wait->count = from->count;
		wait->ns = from->ns;
		view->wait_ns = tap_add_ns(view->wait_ns, from->ns);
		view->n_waits++;
	}
	if (event->spent.other_ns) {
		view->waits[view->n_waits++] = (struct tap_view_wait){ "rest", "rest", 0, event->spent.other_ns };
		view->wait_ns = tap_add_ns(view->wait_ns, event->spent.other_ns);
	}
	qsort(view->waits, view->n_waits, sizeof(*view->waits), by_ns);
}

static const char *text_of(struct tap_build *build, const struct tap_statement_told *told)
{
	const struct tap_row_key *key = &told->event.key;

	if (!told->text || !*told->text)
		return tap_build_text(build, key->instance, key->source, key->query_id);
	return build->input->options.raw_text ? tap_arena_string(build->arena, told->text)
					      : tap_build_redact(build, key->instance, told->text);
}

static void statement_fill(struct tap_build *build, struct tap_view_statement *view,
			   const struct tap_statement_told *told)
{
	const struct tap_statement_event *event = &told->event;
	const struct tap_row_key *key = &event->key;
	const struct tap_window_instance *instance = tap_build_instance(build, key->instance);
	char code[TAP_SQLSTATE_SIZE];

	view->instance = instance ? tap_arena_string(build->arena, instance->id) : "?";
	view->database = tap_build_name(build, key->instance, TAP_NAME_DATABASE, key->database);
	view->user = tap_build_name(build, key->instance, TAP_NAME_USER, key->user);
	view->pid = event->ns_pid;
	view->query_id = tap_build_query_id(build, key->source, key->query_id);
	view->query_id_source = tap_build_source(key->source);
	view->query = text_of(build, told);
	view->cut = event->cut;
	view->ended_ns = told->ended_realtime_ns;
	view->duration_ns = bounded(event->duration_ns);
	view->runq_ns = bounded(event->spent.runq_ns);
	view->unknown_ns = event->spent.unknown_ns;
	waits_fill(build, view, event);
	/* It ran as it ended: what it did not spend off the CPU it spent there. */
	view->cpu_ns = (int64_t)((uint64_t)view->duration_ns - (uint64_t)view->runq_ns - (uint64_t)view->unknown_ns -
				 (uint64_t)view->wait_ns);
	view->minor_faults = event->used.minor_faults;
	view->major_faults = event->used.major_faults;
	view->rchar_bytes = event->used.rchar_bytes;
	view->wchar_bytes = event->used.wchar_bytes;
	view->read_bytes = event->used.read_bytes;
	view->dirtied_bytes = event->used.dirtied_bytes;
	view->slow = event->why & TAP_STATEMENT_SLOW;
	view->failed = event->why & TAP_STATEMENT_FAILED;
	if (view->failed && !tap_sqlstate_format(event->code, code))
		view->sqlstate = tap_arena_string(build->arena, code);
}

/* Those that are wanted, rows together. How many. */
static size_t told_collect(const struct tap_build *build, const struct tap_statement_log *log,
			   const struct tap_statement_told **ret)
{
	size_t count = 0, kept = 0, rank = 0;
	struct tap_row_key last = { 0 };

	for (size_t i = 0; i < log->count; i++) {
		if (tap_build_row_is_wanted(build, &log->items[i].event.key))
			ret[count++] = &log->items[i];
	}
	qsort(ret, count, sizeof(const struct tap_statement_told *), by_row);
	for (size_t i = 0; i < count; i++) {
		const struct tap_statement_event *event = &ret[i]->event;

		rank = i && !memcmp(&last, &event->key, sizeof(last)) ? rank + 1 : 0;
		last = event->key;
		if (event->why & TAP_STATEMENT_SLOW || rank < build->input->options.slowest)
			ret[kept++] = ret[i];
	}
	return kept;
}

int tap_build_statements(struct tap_build *build)
{
	const struct tap_statement_log *log = build->input->statements;
	const struct tap_window_options *options = &build->input->options;
	const struct tap_statement_told **told = calloc(log->count + 1, sizeof(const struct tap_statement_told *));
	struct tap_view *view = build->view;
	size_t count;

	if (!told)
		return -ENOMEM;
	count = told_collect(build, log, told);
	view->statements = tap_arena_new(build->arena, count, sizeof(*view->statements));
	for (size_t i = 0; view->statements && i < count; i++)
		statement_fill(build, &view->statements[i], told[i]);
	free(told);
	if (!view->statements)
		return -ENOMEM;
	qsort(view->statements, count, sizeof(*view->statements), options->as_they_came ? by_end : by_duration);
	view->n_statements_all = count;
	view->n_statements = options->limit && options->limit < count ? options->limit : count;
	return build->arena->failed ? -ENOMEM : 0;
}
