// SPDX-License-Identifier: BSD-2-Clause
/*
 * hint_statements.c - the rules about what statements read and spill. The numbers are named in docs/io.md.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "correlate/model/hints.h"

enum {
	LARGE_BYTES = 64 << 20,
	SPILL_BYTES = 1 << 20,
	RANDOM_REQUESTS = 500,
	PER_QUERY_MAX = 3, /* objects of one statement that a rule speaks of */
};

/* --- rules about a statement and a table ------------------------------------------------------ */

static bool is_table(enum tap_file_kind kind)
{
	return kind == TAP_FILE_TABLE || kind == TAP_FILE_MATVIEW;
}

/* Negative: no full scan. */
static double full_scan_confidence(const struct tap_hint_statement *statement, const struct tap_hint_pair *pair,
				   const struct tap_io_object *object)
{
	uint64_t size = object->size_bytes;
	double executions = (double)statement->executions, each, asked;
	double confidence;

	if (statement->executions <= 0)
		return pair->read_bytes >= size ? 0.3 : -1;
	each = (double)pair->read_bytes / executions;
	asked = (double)statement->rchar_bytes / executions;
	if (each < 0.5 * (double)size && (each < 0.1 * (double)size || asked < 0.5 * (double)size))
		return -1;
	confidence = 0.4 + 0.3 * tap_hint_at_most((executions - 1) / 9, 1);
	if (each >= 0.9 * (double)size)
		confidence += 0.1;
	return is_table(object->kind) ? confidence : confidence - 0.2;
}

static const char *advice_of(const struct tap_hints *hints, const struct tap_hint_statement *statement,
			     enum tap_advice advice)
{
	return tap_build_terms(hints->build, statement->key.instance)->advice[advice];
}

static bool full_scan(struct tap_hints *hints, const struct tap_hint_statement *statement,
		      const struct tap_hint_pair *pair)
{
	const struct tap_io_object *object = tap_io_object_at(hints->build->io, pair->key.object);
	double in_sequence = tap_hint_share(pair->pattern_bytes[TAP_PATTERN_SEQUENTIAL], pair->read_bytes);
	struct tap_view_hint hint;
	struct tap_strbuf evidence;
	double confidence;

	if ((!is_table(object->kind) && object->kind != TAP_FILE_RELATION) || object->size_bytes < LARGE_BYTES ||
	    in_sequence < 0.8 ||
	    tap_build_reports_progress(hints->build, statement->key.instance, tap_hint_text(hints, statement)))
		return false;
	confidence = full_scan_confidence(statement, pair, object);
	if (confidence < 0)
		return false;
	hint = tap_hint_of(hints, statement, "full_scan");
	hint.relation = tap_io_object_name(hints->build->io, object);
	hint.confidence = confidence;
	hint.advice = advice_of(hints, statement, TAP_ADVICE_FULL_SCAN);
	tap_strbuf_init(&evidence);
	tap_hint_put_executions(&evidence, statement);
	tap_strbuf_add_string(&evidence, " read ");
	tap_hint_put_bytes(&evidence, pair->read_bytes);
	tap_strbuf_add_string(&evidence, " of it from the device");
	tap_hint_put_each(&evidence, statement, pair->read_bytes);
	tap_strbuf_add_string(&evidence, "; ");
	tap_hint_put_percent(&evidence, in_sequence);
	tap_strbuf_add_string(&evidence, " in sequence; its files had ");
	tap_hint_put_bytes(&evidence, object->size_bytes);
	tap_strbuf_add_string(&evidence, " when they were first seen; how many rows it returned is not known");
	tap_hint_add(hints, &hint, &evidence);
	return true;
}

static bool random_heap(struct tap_hints *hints, const struct tap_hint_statement *statement,
			const struct tap_hint_pair *pair)
{
	const struct tap_io_object *object = tap_io_object_at(hints->build->io, pair->key.object);
	uint64_t random = pair->pattern_bytes[TAP_PATTERN_RANDOM];
	double share = tap_hint_share(random, statement->read_bytes), part = tap_hint_share(random, pair->read_bytes);
	struct tap_view_hint hint;
	struct tap_strbuf evidence;

	if (!is_table(object->kind) || share < 0.5 || (double)pair->read_requests * part < RANDOM_REQUESTS)
		return false;
	hint = tap_hint_of(hints, statement, "random_heap");
	hint.relation = tap_io_object_name(hints->build->io, object);
	hint.confidence = 0.4 + 0.4 * tap_hint_at_most(share, 1);
	hint.advice = advice_of(hints, statement, TAP_ADVICE_RANDOM_HEAP);
	tap_strbuf_init(&evidence);
	tap_hint_put_executions(&evidence, statement);
	tap_strbuf_printf(&evidence, " made %" PRIu64 " read requests to the table, ", pair->read_requests);
	tap_hint_put_bytes(&evidence, pair->read_bytes);
	tap_hint_put_each(&evidence, statement, pair->read_bytes);
	tap_strbuf_add_string(&evidence, "; ");
	tap_hint_put_percent(&evidence, part);
	tap_strbuf_add_string(&evidence, " of it at random, ");
	tap_hint_put_percent(&evidence, share);
	tap_strbuf_add_string(&evidence, " of all that the statement read");
	tap_hint_add(hints, &hint, &evidence);
	return true;
}

/* Most bytes first; then by object, so that equal ones keep their order. */
static int by_statement(const void *a, const void *b)
{
	const struct tap_hint_pair *left = a, *right = b;

	if (left->key.statement != right->key.statement)
		return left->key.statement < right->key.statement ? -1 : 1;
	if (left->read_bytes != right->read_bytes)
		return left->read_bytes < right->read_bytes ? 1 : -1;
	return (left->key.object > right->key.object) - (left->key.object < right->key.object);
}

void tap_hints_of_pairs(struct tap_hints *hints)
{
	uint32_t statement = TAP_IO_NONE, said = 0;

	if (!hints->pairs.count)
		return;
	qsort(hints->pairs.items, hints->pairs.count, sizeof(struct tap_hint_pair), by_statement);
	for (size_t i = 0; i < hints->pairs.count; i++) {
		const struct tap_hint_pair *pair = tap_hint_pair_at(hints, i);
		const struct tap_hint_statement *of = tap_hint_statement_at(hints, pair->key.statement);

		if (pair->key.statement != statement)
			said = 0;
		statement = pair->key.statement;
		if (said < PER_QUERY_MAX)
			said += full_scan(hints, of, pair) || random_heap(hints, of, pair);
	}
}

/* --- rules about a statement ------------------------------------------------------------------ */

static void temp_spill(struct tap_hints *hints, const struct tap_hint_statement *statement)
{
	struct tap_view_hint hint;
	struct tap_strbuf evidence;

	if (statement->temp_bytes < SPILL_BYTES)
		return;
	hint = tap_hint_of(hints, statement, "temp_spill");
	hint.confidence = 0.95;
	hint.advice = advice_of(hints, statement,
				tap_build_reports_progress(hints->build, statement->key.instance, hint.query)
					? TAP_ADVICE_MAINTENANCE_SPILL
					: TAP_ADVICE_TEMP_SPILL);
	tap_strbuf_init(&evidence);
	tap_hint_put_executions(&evidence, statement);
	tap_strbuf_add_string(&evidence, " wrote ");
	tap_hint_put_bytes(&evidence, statement->temp_bytes);
	tap_strbuf_add_string(&evidence, " into temporary files");
	tap_hint_put_each(&evidence, statement, statement->temp_bytes);
	tap_strbuf_printf(&evidence, ": what they sorted or hashed did not fit into %s",
			  tap_build_terms(hints->build, statement->key.instance)->sort_memory);
	tap_hint_add(hints, &hint, &evidence);
}

void tap_hints_of_statements(struct tap_hints *hints)
{
	for (size_t i = 0; i < hints->statements.count; i++)
		temp_spill(hints, tap_hint_statement_at(hints, i));
}

bool tap_hints_want_sizes(const struct tap_hints *hints)
{
	for (size_t i = 0; i < hints->pairs.count; i++) {
		if (tap_hint_pair_at(hints, i)->read_bytes >= LARGE_BYTES / 10)
			return true;
	}
	return false;
}
