// SPDX-License-Identifier: BSD-2-Clause
/* queries.c - the rows of a window as the queries view shows them: figures, waits, names, texts; sorted and limited. */
#include "correlate/model/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/engine/terms.h"
#include "correlate/model/io.h"
#include "userspace/base/strbuf.h"

enum {
	ABSENT_MAX = 4, /* the text, latencies of requests and of statements, relations */
};

/* Several statements in one string share its text: a semicolon with something after it, literals being gone. */
static bool text_is_several(const char *text)
{
	const char *semicolon = strchr(text, ';');

	while (semicolon) {
		if (semicolon[1 + strspn(semicolon + 1, " \t\r\n;")])
			return true;
		semicolon = strchr(semicolon + 1, ';');
	}
	return false;
}

/* Whether the string that brought the row's statement held others: what the session showed, not what the engine keeps.
 */
static bool row_is_several(struct tap_build *build, const struct tap_row_key *row)
{
	struct tap_text_key key = { .instance = row->instance, .source = row->source, .query_id = row->query_id };
	const struct tap_text *text = tap_texts_find(build->input->texts, &key);
	struct tap_strbuf normalised;
	bool several;

	if (!text || !text->raw || !strchr(text->raw, ';'))
		return false;
	tap_strbuf_init(&normalised);
	tap_build_terms(build, row->instance)->statement_normalise(text->raw, strlen(text->raw), &normalised);
	build->arena->failed |= normalised.failed;
	several = text_is_several(normalised.data);
	tap_strbuf_done(&normalised);
	return several;
}

static bool kind_has_calls(uint8_t kind)
{
	return kind == TAP_KIND_CLIENT;
}

static void calls_fill(struct tap_build *build, const struct tap_unseen *unseen, struct tap_view_query *query,
		       const struct tap_row *row)
{
	const struct tap_window_options *options = &build->input->options;
	bool unprobed =
		row->key.instance < build->input->n_instances && build->input->instances[row->key.instance].unprobed;
	struct tap_figures *figures = &query->figures;

	if (!kind_has_calls(row->key.kind)) {
		tap_build_absent(figures, TAP_FIGURE_CALLS, TAP_REASON_NOT_A_STATEMENT);
		tap_build_absent(figures, TAP_FIGURE_UNSEEN, TAP_REASON_NOT_A_STATEMENT);
		tap_build_absent(figures, TAP_FIGURE_RUNNING, TAP_REASON_NOT_A_STATEMENT);
		return;
	}
	figures->value[TAP_FIGURE_RUNNING] = (int64_t)row->running;
	if (unprobed) {
		tap_build_absent(figures, TAP_FIGURE_CALLS, TAP_REASON_UNPROBED);
		return;
	}
	if (options->exact_calls) {
		figures->value[TAP_FIGURE_CALLS] = (int64_t)row->exact_calls;
		figures->value[TAP_FIGURE_UNSEEN] = 0;
		return;
	}
	if (row_is_several(build, &row->key) || tap_unseen_spoils(unseen, row))
		tap_build_absent(figures, TAP_FIGURE_CALLS, TAP_REASON_PIPELINED);
}

static int by_ns(const void *a, const void *b)
{
	const struct tap_view_wait *left = a, *right = b;

	return (left->ns < right->ns) - (left->ns > right->ns);
}

static void waits_fill(struct tap_build *build, struct tap_view_query *query, const struct tap_row *row)
{
	query->waits = tap_arena_new(build->arena, row->n_waits, sizeof(*query->waits));
	if (!query->waits)
		return;
	for (size_t i = 0; i < row->n_waits; i++) {
		struct tap_view_wait *wait = &query->waits[i];

		tap_build_event(build, row->key.instance, row->waits[i].event, &wait->class_name, &wait->event_name);
		wait->count = row->waits[i].count + row->waits[i].open;
		wait->ns = row->waits[i].ns;
	}
	query->n_waits = row->n_waits;
	qsort(query->waits, query->n_waits, sizeof(*query->waits), by_ns);
}

void tap_build_query_absent(struct tap_build *build, struct tap_view_query *query, const char *field,
			    const char *reason)
{
	if (!query->absent)
		query->absent = tap_arena_new(build->arena, ABSENT_MAX, sizeof(*query->absent));
	if (query->absent && query->n_absent < ABSENT_MAX)
		query->absent[query->n_absent++] = (struct tap_absence){ field, reason };
}

static void io_fill(struct tap_build *build, struct tap_view_query *query, const struct tap_row *row)
{
	const int64_t *value = query->figures.value;
	enum tap_reason reason;

	if (build->io)
		tap_io_owner_calls(build->io, &row->key,
				   query->figures.absent[TAP_FIGURE_CALLS]
					   ? -1
					   : value[TAP_FIGURE_CALLS] + value[TAP_FIGURE_RUNNING]);
	tap_io_figures_fill(build, row, query->query, &query->figures);
	if (tap_io_query_fill(build, &row->key, query, &reason) || reason == TAP_REASON_IO_OFF)
		return; /* that nothing is traced is said once for all rows */
	tap_build_query_absent(build, query, "io_latency_ns", tap_reason_texts[reason]);
	tap_build_query_absent(build, query, "relations", tap_reason_texts[reason]);
}

/* Private memory; build.h gave the growth. */
static void memory_fill(struct tap_build *build, struct tap_figures *figures, const struct tap_row *row)
{
	figures->value[TAP_FIGURE_RECLAIM] = (int64_t)row->stall.reclaim_ns;
	figures->value[TAP_FIGURE_RECLAIMS] = (int64_t)row->stall.reclaims;
	figures->value[TAP_FIGURE_COMPACT] = (int64_t)row->stall.compact_ns;
	for (int i = TAP_FIGURE_RECLAIM; i <= TAP_FIGURE_COMPACT && !build->input->end->stalls_traced; i++)
		tap_build_absent(figures, i, TAP_REASON_NO_RECLAIM);
	if (tap_build_terms(build, row->key.instance)->threads) {
		tap_build_absent(figures, TAP_FIGURE_ANON_GROWTH, TAP_REASON_ONE_PROCESS);
		tap_build_absent(figures, TAP_FIGURE_ANON_PEAK, TAP_REASON_ONE_PROCESS);
	} else if (tap_peak_is_since(row->peak, build->input->begin->epoch)) {
		figures->value[TAP_FIGURE_ANON_PEAK] = (int64_t)tap_peak_bytes(row->peak);
	} else {
		tap_build_absent(figures, TAP_FIGURE_ANON_PEAK, TAP_REASON_NO_GROWTH);
	}
}

static const char *digest_of(struct tap_build *build, const struct tap_row_key *row)
{
	struct tap_text_key key = { .instance = row->instance, .source = row->source, .query_id = row->query_id };
	const struct tap_text *text = tap_texts_find(build->input->texts, &key);

	return text && text->digest ? tap_arena_string(build->arena, text->digest) : NULL;
}

static void query_fill(struct tap_build *build, const struct tap_unseen *unseen, struct tap_view_query *query,
		       const struct tap_row *row)
{
	const struct tap_row_key *key = &row->key;
	const struct tap_window_instance *instance = tap_build_instance(build, key->instance);

	query->instance = instance ? tap_arena_string(build->arena, instance->id) : "?";
	query->kind = tap_build_kind(key->kind);
	query->database = tap_build_name(build, key->instance, TAP_NAME_DATABASE, key->database);
	query->user = tap_build_name(build, key->instance, TAP_NAME_USER, key->user);
	query->query_id = tap_build_query_id(build, key->source, key->query_id);
	query->query_id_source = tap_build_source(key->source);
	query->digest = digest_of(build, key);
	query->query = tap_build_text(build, key->instance, key->source, key->query_id);
	if (query->query_id && !query->query)
		tap_build_query_absent(build, query, "query", "the statement's text was not seen");
	tap_build_figures(&query->figures, &row->account, tap_row_wait_ns(row), tap_row_sleeps(row));
	calls_fill(build, unseen, query, row);
	tap_build_statement_figures(build, query, row);
	memory_fill(build, &query->figures, row);
	io_fill(build, query, row);
	waits_fill(build, query, row);
}

/* Statements first, then what works in the background, then what waits for work. */
static int rank_of(const struct tap_view_query *query)
{
	if (query->query_id || !strcmp(query->kind, "client") || !strcmp(query->kind, "parallel"))
		return 0;
	return strncmp(query->kind, "idle", 4) ? 1 : 2;
}

static int by_order(const void *a, const void *b, void *context)
{
	const struct tap_view_query *left = a, *right = b;
	int sort = *(const int *)context;
	int figure = sort < 0 ? TAP_FIGURE_ELAPSED : sort;
	int rank = sort < 0 ? rank_of(left) - rank_of(right) : 0;
	int64_t l = left->figures.value[figure], r = right->figures.value[figure];

	if (rank)
		return rank;
	return (l < r) - (l > r);
}

int tap_build_queries(struct tap_build *build)
{
	struct tap_view *view = build->view;
	int sort = build->input->options.sort;
	size_t limit = build->input->options.limit;
	struct tap_unseen *unseen;

	view->queries = tap_arena_new(build->arena, build->rows.count, sizeof(*view->queries));
	unseen = tap_unseen_new(build);
	if (!view->queries || !unseen) {
		tap_unseen_free(unseen);
		return -ENOMEM;
	}
	for (size_t i = 0; i < build->rows.count; i++)
		query_fill(build, unseen, &view->queries[i], &build->rows.rows[i]);
	tap_unseen_free(unseen);
	view->n_queries_all = build->rows.count;
	for (size_t i = 0; i < view->n_queries_all; i++)
		tap_build_figures_add(&view->totals, &view->queries[i].figures);
	qsort_r(view->queries, view->n_queries_all, sizeof(*view->queries), by_order, &sort);
	view->n_queries = limit && limit < view->n_queries_all ? limit : view->n_queries_all;
	return build->arena->failed ? -ENOMEM : 0;
}
