// SPDX-License-Identifier: BSD-2-Clause
/* statements.c - what statement depth knows: of each row its latencies and errors. */
#include <stdlib.h>

#include "bpf/abi/kind.h"
#include "correlate/model/build.h"

static const struct tap_view_latency no_latency = { -1, -1, -1, -1 };

static struct tap_view_latency latency_of(const struct tap_statement_sum *statement)
{
	struct tap_view_latency latency = {
		.p50 = tap_statement_percentile_ns(statement, 50),
		.p95 = tap_statement_percentile_ns(statement, 95),
		.p99 = tap_statement_percentile_ns(statement, 99),
		.max = statement->max_ns > INT64_MAX ? INT64_MAX : (int64_t)statement->max_ns,
	};

	return latency.p50 < 0 ? no_latency : latency;
}

static int by_count(const void *a, const void *b)
{
	const struct tap_view_error *left = a, *right = b;

	return (left->count < right->count) - (left->count > right->count);
}

static bool is_of(const struct tap_statement_error *error, const struct tap_row_key *row)
{
	const struct tap_row_key *key = &error->key.row;

	return key->query_id == row->query_id && key->instance == row->instance && key->kind == row->kind &&
	       key->source == row->source && key->database == row->database && key->user == row->user;
}

static const char *code_text(struct tap_build *build, uint32_t code)
{
	char text[TAP_SQLSTATE_SIZE];

	return tap_sqlstate_format(code, text) ? NULL : tap_arena_string(build->arena, text);
}

static void errors_fill(struct tap_build *build, struct tap_view_query *query, const struct tap_row_key *key)
{
	const struct tap_statement_set *set = &build->statements;
	size_t count = 0;

	for (size_t i = 0; i < set->n_errors; i++)
		count += is_of(&set->errors[i], key);
	query->errors = tap_arena_new(build->arena, count, sizeof(*query->errors));
	if (!query->errors)
		return;
	for (size_t i = 0; i < set->n_errors; i++) {
		if (is_of(&set->errors[i], key))
			query->errors[query->n_errors++] =
				(struct tap_view_error){ code_text(build, set->errors[i].key.code),
							 set->errors[i].count };
	}
	qsort(query->errors, query->n_errors, sizeof(*query->errors), by_count);
}

/* Why a row of a client has no errors; NONE: it has. */
static enum tap_reason errors_absence(const struct tap_build *build, const struct tap_row_key *key)
{
	const struct tap_window_options *options = &build->input->options;
	const struct tap_window_instance *instance = tap_build_instance(build, key->instance);

	if (options->sampled_calls)
		return TAP_REASON_SAMPLED;
	if (!options->exact_calls)
		return TAP_REASON_DEPTH_STATEMENT;
	if (instance && instance->unprobed)
		return TAP_REASON_UNPROBED;
	return instance && instance->no_errors ? TAP_REASON_NO_ERRORS : TAP_REASON_NONE;
}

void tap_build_statement_figures(struct tap_build *build, struct tap_view_query *query, const struct tap_row *row)
{
	const struct tap_statement_sum *statement = tap_statement_set_find(&build->statements, &row->key);
	enum tap_reason reason = errors_absence(build, &row->key);

	query->latency_ns = statement ? latency_of(statement) : no_latency;
	if (row->key.kind != TAP_KIND_CLIENT) {
		tap_build_absent(&query->figures, TAP_FIGURE_ERRORS, TAP_REASON_NOT_A_STATEMENT);
		return;
	}
	if (reason != TAP_REASON_NONE)
		tap_build_absent(&query->figures, TAP_FIGURE_ERRORS, reason);
	else
		query->figures.value[TAP_FIGURE_ERRORS] = statement ? (int64_t)statement->errors : 0;
	if (statement && statement->errors)
		errors_fill(build, query, &row->key);
	if (query->latency_ns.p50 < 0 && reason == TAP_REASON_UNPROBED)
		tap_build_query_absent(build, query, "latency_ns", tap_reason_texts[reason]);
}
