// SPDX-License-Identifier: BSD-2-Clause
/*
 * hints.c - what the block I/O of a window suggests to do, with the numbers that it rests on: what the rules look at is
 * put together here, and what they found is put in order.
 *
 * The rules (hint_statements.c, hint_instances.c), and the confidence of each, are in docs/io.md.
 */
#include "correlate/model/hints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"

/* --- what the rules look at ------------------------------------------------------------------- */

bool tap_hint_is_relation(enum tap_file_kind kind)
{
	switch (kind) {
	case TAP_FILE_RELATION:
	case TAP_FILE_TABLE:
	case TAP_FILE_INDEX:
	case TAP_FILE_TOAST:
	case TAP_FILE_SEQUENCE:
	case TAP_FILE_MATVIEW:
	case TAP_FILE_CATALOG:
		return true;
	default:
		return false;
	}
}

static bool is_statement(const struct tap_row_key *row)
{
	return row->source != TAP_QUERY_ID_NONE && (row->kind == TAP_KIND_CLIENT || row->kind == TAP_KIND_PARALLEL);
}

static int cell_add(struct tap_hints *hints, uint32_t statement, const struct tap_io_cell *cell)
{
	const struct tap_io_object *object = tap_io_object_at(hints->build->io, cell->key.object);
	struct tap_hint_pair_key key = { statement, cell->key.object };
	uint32_t place;
	struct tap_hint_pair *pair;

	if (tap_hint_is_relation(object->kind))
		tap_io_sum_u64(&tap_hint_statement_at(hints, statement)->relation_bytes, cell->dirtied_bytes);
	if (!cell->read_bytes)
		return 0;
	place = tap_io_table_get(&hints->pairs, &key);
	if (place == TAP_IO_NONE)
		return -ENOMEM;
	pair = tap_hint_pair_at(hints, place);
	tap_io_sum_u64(&pair->read_bytes, cell->read_bytes);
	tap_io_sum_u64(&pair->read_requests, cell->read_requests);
	for (int i = 0; i < TAP_PATTERNS; i++)
		tap_io_sum_u64(&pair->pattern_bytes[i], cell->read_pattern_bytes[i]);
	return 0;
}

/* Executions are counted by the clients' rows; a part that is not known leaves the sum unknown. */
static void executions_add(struct tap_hint_statement *statement, const struct tap_io_owner *owner)
{
	if (owner->row.kind != TAP_KIND_CLIENT || statement->executions < 0)
		return;
	if (owner->calls < 0 || __builtin_add_overflow(statement->executions, owner->calls, &statement->executions))
		statement->executions = -1;
}

static int owner_add(struct tap_hints *hints, uint32_t number)
{
	const struct tap_io_model *model = hints->build->io;
	const struct tap_io_owner *owner = tap_io_owner_at(model, number);
	const struct tap_row *row = tap_row_set_find(&hints->build->rows, &owner->row);
	struct tap_hint_statement_key key = { .instance = owner->row.instance,
					      .database = owner->row.database,
					      .query_id = owner->row.query_id,
					      .source = owner->row.source };
	uint32_t place = tap_io_table_get(&hints->statements, &key);
	struct tap_hint_statement *statement;
	int status = 0;

	if (place == TAP_IO_NONE)
		return -ENOMEM;
	statement = tap_hint_statement_at(hints, place);
	if (!statement->client) {
		statement->owner = number;
		statement->client = owner->row.kind == TAP_KIND_CLIENT;
	}
	executions_add(statement, owner);
	tap_io_sum_u64(&statement->rchar_bytes, row ? row->account.rchar_bytes : 0);
	tap_io_sum_u64(&statement->read_bytes, owner->sum->read.bytes);
	tap_io_sum_u64(&statement->temp_bytes, owner->temp_bytes);
	for (uint32_t i = 0; i < owner->n_cells && !status; i++)
		status = cell_add(hints, place, tap_io_cell_at(model, owner->first_cell + i));
	return status;
}

static int statements_fill(struct tap_hints *hints)
{
	const struct tap_io_model *model = hints->build->io;
	int status = 0;

	for (size_t i = 0; i < model->owners.count && !status; i++) {
		const struct tap_io_owner *owner = tap_io_owner_at(model, i);

		if (owner->wanted && owner->n_cells && is_statement(&owner->row))
			status = owner_add(hints, (uint32_t)i);
	}
	return status;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int by_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

static int by_confidence(const void *a, const void *b)
{
	const struct tap_view_hint *left = a, *right = b;
	int order = (left->confidence < right->confidence) - (left->confidence > right->confidence);

	if (!order)
		order = by_text(left->hint, right->hint);
	if (!order)
		order = by_text(left->instance, right->instance);
	if (!order)
		order = by_text(left->database, right->database);
	if (!order)
		order = by_text(left->query_id, right->query_id);
	return order ? order : by_text(left->relation, right->relation);
}

static int hints_publish(struct tap_hints *hints)
{
	struct tap_view *view = hints->build->view;
	size_t limit = hints->build->input->options.limit, count = hints->found.count;

	view->hints = tap_arena_new(hints->build->arena, count, sizeof(*view->hints));
	if (!view->hints)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		view->hints[i] = ((struct tap_hint_found *)hints->found.items)[i].hint;
	qsort(view->hints, count, sizeof(*view->hints), by_confidence);
	view->n_hints = limit && limit < count ? limit : count;
	return hints->build->arena->failed ? -ENOMEM : 0;
}

int tap_build_hints(struct tap_build *build)
{
	struct tap_hints hints = { .build = build };
	int status;

	tap_io_table_init(&hints.statements, sizeof(struct tap_hint_statement), sizeof(struct tap_hint_statement_key));
	tap_io_table_init(&hints.pairs, sizeof(struct tap_hint_pair), sizeof(struct tap_hint_pair_key));
	tap_io_table_init(&hints.found, sizeof(struct tap_hint_found), sizeof(uint32_t));
	status = statements_fill(&hints);
	if (!status && tap_hints_want_sizes(&hints))
		status = tap_io_sizes(build->io);
	if (!status) {
		tap_hints_of_pairs(&hints);
		tap_hints_of_statements(&hints);
		tap_hints_of_instances(&hints);
		status = hints_publish(&hints);
	}
	tap_io_table_done(&hints.statements);
	tap_io_table_done(&hints.pairs);
	tap_io_table_done(&hints.found);
	return status;
}
