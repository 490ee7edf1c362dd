// SPDX-License-Identifier: BSD-2-Clause
/* events.c - wait events of the window, each with who lost most to it. */
#include "correlate/model/build.h"

#include <errno.h>
#include <stdlib.h>

#include "bpf/abi/kind.h"

/* One event of one instance while it is summed up; the key is first, for the index. */
struct event_key {
	uint32_t instance;
	uint32_t event;
	uint32_t idle;
	uint32_t pad;
};

struct event {
	struct event_key key;
	uint64_t count;
	int64_t ns;
	const struct tap_row *top;
	int64_t top_ns;
	uint64_t sessions;
};

struct event_list {
	struct event *items;
	size_t count;
	struct tap_hash index;
};

static bool row_is_idle(const struct tap_row_key *key)
{
	return key->kind == TAP_KIND_IDLE || key->kind == TAP_KIND_IDLE_IN_TRANSACTION;
}

static struct event_key key_of(const struct tap_build *build, const struct tap_row_key *row, uint32_t event)
{
	return (struct event_key){ .instance = row->instance,
				   .event = event,
				   .idle = row_is_idle(row) ||
					   tap_build_terms(build, row->instance)->wait_event_is_idle(event) };
}

static struct event *event_get(struct event_list *list, const struct event_key *key, const struct tap_row *row)
{
	size_t place = tap_hash_find(&list->index, list->items, sizeof(*list->items), key);

	if (place != TAP_HASH_NONE)
		return &list->items[place];
	list->items[list->count] = (struct event){ .key = *key, .top = row };
	if (tap_hash_add(&list->index, list->items, sizeof(*list->items), list->count))
		return NULL;
	return &list->items[list->count++];
}

static int events_sum(struct tap_build *build, struct event_list *list)
{
	for (size_t i = 0; i < build->rows.count; i++) {
		const struct tap_row *row = &build->rows.rows[i];

		for (size_t j = 0; j < row->n_waits; j++) {
			struct event_key key = key_of(build, &row->key, row->waits[j].event);
			struct event *event = event_get(list, &key, row);

			if (!event)
				return -ENOMEM;
			event->count += row->waits[j].count + row->waits[j].open;
			event->ns += row->waits[j].ns;
			event->sessions += row->waits[j].open;
			if (row->waits[j].ns > event->top_ns) {
				event->top = row;
				event->top_ns = row->waits[j].ns;
			}
		}
	}
	return 0;
}

static int64_t busy_total(const struct event_list *list, uint32_t instance)
{
	int64_t sum = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].key.instance == instance && !list->items[i].key.idle)
			sum += list->items[i].ns;
	}
	return sum;
}

static void event_fill(struct tap_build *build, struct tap_view_event *view, const struct event *event, int64_t total)
{
	const struct tap_window_instance *instance = tap_build_instance(build, event->key.instance);
	const struct tap_row_key *top = &event->top->key;

	view->instance = instance ? tap_arena_string(build->arena, instance->id) : "?";
	tap_build_event(build, event->key.instance, event->key.event, &view->class_name, &view->event_name);
	view->count = event->count;
	view->ns = event->ns;
	view->idle = event->key.idle;
	view->percent = !view->idle && total > 0 ? 100.0 * (double)event->ns / (double)total : 0;
	view->sessions = event->sessions;
	view->top_kind = tap_build_kind(top->kind);
	view->top_query_id = tap_build_query_id(build, top->source, top->query_id);
	view->top_query = tap_build_text(build, top->instance, top->source, top->query_id);
	view->top_ns = event->top_ns;
}

static int by_order(const void *a, const void *b)
{
	const struct tap_view_event *left = a, *right = b;

	if (left->idle != right->idle)
		return left->idle - right->idle;
	return (left->ns < right->ns) - (left->ns > right->ns);
}

static size_t waits_total(const struct tap_build *build)
{
	size_t total = 0;

	for (size_t i = 0; i < build->rows.count; i++)
		total += build->rows.rows[i].n_waits;
	return total;
}

int tap_build_events(struct tap_build *build)
{
	struct tap_view *view = build->view;
	size_t limit = build->input->options.limit;
	struct event_list list = { 0 };
	int status;

	tap_hash_init(&list.index, sizeof(struct event_key));
	list.items = reallocarray(NULL, waits_total(build) + 1, sizeof(*list.items));
	status = list.items ? events_sum(build, &list) : -ENOMEM;
	if (!status) {
		view->events = tap_arena_new(build->arena, list.count, sizeof(*view->events));
		status = view->events ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < list.count && !status; i++)
		event_fill(build, &view->events[i], &list.items[i], busy_total(&list, list.items[i].key.instance));
	if (!status) {
		view->n_events_all = list.count;
		qsort(view->events, list.count, sizeof(*view->events), by_order);
		view->n_events = limit && limit < list.count ? limit : list.count;
		status = build->arena->failed ? -ENOMEM : 0;
	}
	free(list.items);
	tap_hash_done(&list.index);
	return status;
}
