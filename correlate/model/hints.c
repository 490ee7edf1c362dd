// SPDX-License-Identifier: BSD-2-Clause
/*
 * hints.c - what the block I/O of a window suggests to do, with the numbers that it rests on.
 *
 * The rules, and the confidence of each, are in docs/io.md; the numbers they name are below.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/model/io.h"
#include "userspace/base/number.h"
#include "userspace/base/strbuf.h"

enum {
	LARGE_BYTES = 64 << 20,
	SPILL_BYTES = 1 << 20,
	WRITES_BYTES = 16 << 20,
	RANDOM_REQUESTS = 500,
	LATENCY_REQUESTS = 100,
	SLOW_NS = 5000000,
	PER_QUERY_MAX = 3, /* objects of one statement that a rule speaks of */
};

struct statement_key {
	uint32_t instance;
	uint32_t database;
	uint64_t query_id;
	uint32_t source;
	uint32_t pad;
};

struct statement {
	struct statement_key key; /* first, for the index */
	int64_t executions;	  /* -1: not known */
	uint32_t owner;		  /* one of its rows, the client's if there is one: for the text */
	bool client;
	uint64_t rchar_bytes;
	uint64_t read_bytes;
	uint64_t temp_bytes;
	uint64_t relation_bytes; /* dirtied in relations' files */
};

struct pair_key {
	uint32_t statement;
	uint32_t object;
};

/* What a statement did to an object. */
struct pair {
	struct pair_key key; /* first, for the index */
	uint64_t read_bytes;
	uint64_t read_requests;
	uint64_t pattern_bytes[TAP_PATTERNS];
};

struct hints {
	struct tap_build *build;
	struct tap_io_table statements;
	struct tap_io_table pairs;
	struct tap_io_table found; /* of struct found */
};

/* A hint under way; the key only numbers them. */
struct found {
	uint32_t number;
	struct tap_view_hint hint;
};

static struct statement *statement_at(const struct hints *hints, size_t place)
{
	return &((struct statement *)hints->statements.items)[place];
}

static struct pair *pair_at(const struct hints *hints, size_t place)
{
	return &((struct pair *)hints->pairs.items)[place];
}

static double share_of(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static double at_most(double value, double most)
{
	return value < most ? value : most;
}

/* --- statements ------------------------------------------------------------------------------- */

static bool is_relation(enum tap_file_kind kind)
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

static int cell_add(struct hints *hints, uint32_t statement, const struct tap_io_cell *cell)
{
	const struct tap_io_object *object = tap_io_object_at(hints->build->io, cell->key.object);
	struct pair_key key = { statement, cell->key.object };
	uint32_t place;
	struct pair *pair;

	if (is_relation(object->kind))
		tap_io_sum_u64(&statement_at(hints, statement)->relation_bytes, cell->dirtied_bytes);
	if (!cell->read_bytes)
		return 0;
	place = tap_io_table_get(&hints->pairs, &key);
	if (place == TAP_IO_NONE)
		return -ENOMEM;
	pair = pair_at(hints, place);
	tap_io_sum_u64(&pair->read_bytes, cell->read_bytes);
	tap_io_sum_u64(&pair->read_requests, cell->read_requests);
	for (int i = 0; i < TAP_PATTERNS; i++)
		tap_io_sum_u64(&pair->pattern_bytes[i], cell->read_pattern_bytes[i]);
	return 0;
}

/* Executions are counted by the clients' rows; a part that is not known leaves the sum unknown. */
static void executions_add(struct statement *statement, const struct tap_io_owner *owner)
{
	if (owner->row.kind != TAP_KIND_CLIENT || statement->executions < 0)
		return;
	if (owner->calls < 0 || __builtin_add_overflow(statement->executions, owner->calls, &statement->executions))
		statement->executions = -1;
}

static int owner_add(struct hints *hints, uint32_t number)
{
	const struct tap_io_model *model = hints->build->io;
	const struct tap_io_owner *owner = tap_io_owner_at(model, number);
	const struct tap_row *row = tap_row_set_find(&hints->build->rows, &owner->row);
	struct statement_key key = { .instance = owner->row.instance,
				     .database = owner->row.database,
				     .query_id = owner->row.query_id,
				     .source = owner->row.source };
	uint32_t place = tap_io_table_get(&hints->statements, &key);
	struct statement *statement;
	int status = 0;

	if (place == TAP_IO_NONE)
		return -ENOMEM;
	statement = statement_at(hints, place);
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

static int statements_fill(struct hints *hints)
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

static const char *text_of(const struct hints *hints, const struct statement *statement)
{
	return tap_io_owner_text(hints->build->io, statement->owner);
}

/* --- writing one down ------------------------------------------------------------------------- */

/* Hands `evidence` over to the view. */
static void found_add(struct hints *hints, const struct tap_view_hint *hint, struct tap_strbuf *evidence)
{
	uint32_t number = (uint32_t)hints->found.count, place = tap_io_table_get(&hints->found, &number);
	struct tap_arena *arena = hints->build->arena;
	struct tap_view_hint *copy;

	arena->failed |= evidence->failed || place == TAP_IO_NONE;
	if (!arena->failed) {
		copy = &((struct found *)hints->found.items)[place].hint;
		*copy = *hint;
		copy->evidence = tap_arena_string(arena, evidence->data);
	}
	tap_strbuf_done(evidence);
}

static struct tap_view_hint hint_of_instance(const struct hints *hints, uint32_t number, const char *name)
{
	const struct tap_window_instance *instance = tap_build_instance(hints->build, number);

	return (struct tap_view_hint){
		.hint = name,
		.instance = instance ? tap_arena_string(hints->build->arena, instance->id) : NULL,
	};
}

static struct tap_view_hint hint_of(const struct hints *hints, const struct statement *statement, const char *name)
{
	const struct statement_key *key = &statement->key;
	struct tap_view_hint hint = hint_of_instance(hints, key->instance, name);

	hint.database = tap_build_name(hints->build, key->instance, TAP_NAME_DATABASE, key->database);
	hint.query_id = tap_build_query_id(hints->build, (uint8_t)key->source, key->query_id);
	hint.query = text_of(hints, statement);
	return hint;
}

static void put_bytes(struct tap_strbuf *out, uint64_t bytes)
{
	char number[TAP_NUMBER_MAX];

	tap_strbuf_add_string(out, tap_number_bytes(number, tap_io_signed(bytes)));
}

static void put_ns(struct tap_strbuf *out, int64_t ns)
{
	char number[TAP_NUMBER_MAX];

	tap_strbuf_add_string(out, tap_number_ns(number, ns));
}

static void put_percent(struct tap_strbuf *out, double share)
{
	char number[TAP_NUMBER_MAX];

	tap_strbuf_printf(out, "%s %%", tap_number_percent(number, 100 * share, 0));
}

/* "12 executions", or that they could not be counted. */
static void put_executions(struct tap_strbuf *out, const struct statement *statement)
{
	if (statement->executions < 0)
		tap_strbuf_add_string(out, "an unknown number of executions");
	else
		tap_strbuf_printf(out, "%" PRId64 " execution%s", statement->executions,
				  statement->executions == 1 ? "" : "s");
}

/* ", 1.2 MiB each"; nothing where executions are not known. */
static void put_each(struct tap_strbuf *out, const struct statement *statement, uint64_t bytes)
{
	if (statement->executions <= 1)
		return;
	tap_strbuf_add_string(out, ", ");
	put_bytes(out, bytes / (uint64_t)statement->executions);
	tap_strbuf_add_string(out, " each");
}

/* --- rules about a statement and a table ------------------------------------------------------ */

static bool is_table(enum tap_file_kind kind)
{
	return kind == TAP_FILE_TABLE || kind == TAP_FILE_MATVIEW;
}

/* Negative: no full scan. */
static double full_scan_confidence(const struct statement *statement, const struct pair *pair,
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
	confidence = 0.4 + 0.3 * at_most((executions - 1) / 9, 1);
	if (each >= 0.9 * (double)size)
		confidence += 0.1;
	return is_table(object->kind) ? confidence : confidence - 0.2;
}

static bool full_scan(struct hints *hints, const struct statement *statement, const struct pair *pair)
{
	const struct tap_io_object *object = tap_io_object_at(hints->build->io, pair->key.object);
	double in_sequence = share_of(pair->pattern_bytes[TAP_PATTERN_SEQUENTIAL], pair->read_bytes);
	struct tap_view_hint hint;
	struct tap_strbuf evidence;
	double confidence;

	if ((!is_table(object->kind) && object->kind != TAP_FILE_RELATION) || object->size_bytes < LARGE_BYTES ||
	    in_sequence < 0.8 ||
	    tap_build_reports_progress(hints->build, statement->key.instance, text_of(hints, statement)))
		return false;
	confidence = full_scan_confidence(statement, pair, object);
	if (confidence < 0)
		return false;
	hint = hint_of(hints, statement, "full_scan");
	hint.relation = tap_io_object_name(hints->build->io, object);
	hint.confidence = confidence;
	hint.advice = "if it returns few rows, an index on what it filters or joins by spares the scan; if it "
		      "needs most rows, run it less often or keep a summary";
	tap_strbuf_init(&evidence);
	put_executions(&evidence, statement);
	tap_strbuf_add_string(&evidence, " read ");
	put_bytes(&evidence, pair->read_bytes);
	tap_strbuf_add_string(&evidence, " of it from the device");
	put_each(&evidence, statement, pair->read_bytes);
	tap_strbuf_add_string(&evidence, "; ");
	put_percent(&evidence, in_sequence);
	tap_strbuf_add_string(&evidence, " in sequence; its files had ");
	put_bytes(&evidence, object->size_bytes);
	tap_strbuf_add_string(&evidence, " when they were first seen; how many rows it returned is not known");
	found_add(hints, &hint, &evidence);
	return true;
}

static bool random_heap(struct hints *hints, const struct statement *statement, const struct pair *pair)
{
	const struct tap_io_object *object = tap_io_object_at(hints->build->io, pair->key.object);
	uint64_t random = pair->pattern_bytes[TAP_PATTERN_RANDOM];
	double share = share_of(random, statement->read_bytes), part = share_of(random, pair->read_bytes);
	struct tap_view_hint hint;
	struct tap_strbuf evidence;

	if (!is_table(object->kind) || share < 0.5 || (double)pair->read_requests * part < RANDOM_REQUESTS)
		return false;
	hint = hint_of(hints, statement, "random_heap");
	hint.relation = tap_io_object_name(hints->build->io, object);
	hint.confidence = 0.4 + 0.4 * at_most(share, 1);
	hint.advice = "a covering index (INCLUDE) answers from the index alone; CLUSTER in the order of the index, or "
		      "BRIN, makes neighbours of what is read together; else it needs the table in memory";
	tap_strbuf_init(&evidence);
	put_executions(&evidence, statement);
	tap_strbuf_printf(&evidence, " made %" PRIu64 " read requests to the table, ", pair->read_requests);
	put_bytes(&evidence, pair->read_bytes);
	put_each(&evidence, statement, pair->read_bytes);
	tap_strbuf_add_string(&evidence, "; ");
	put_percent(&evidence, part);
	tap_strbuf_add_string(&evidence, " of it at random, ");
	put_percent(&evidence, share);
	tap_strbuf_add_string(&evidence, " of all that the statement read");
	found_add(hints, &hint, &evidence);
	return true;
}

/* Most bytes first; then by object, so that equal ones keep their order. */
static int by_statement(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;

	if (left->key.statement != right->key.statement)
		return left->key.statement < right->key.statement ? -1 : 1;
	if (left->read_bytes != right->read_bytes)
		return left->read_bytes < right->read_bytes ? 1 : -1;
	return (left->key.object > right->key.object) - (left->key.object < right->key.object);
}

static void pairs_judge(struct hints *hints)
{
	uint32_t statement = TAP_IO_NONE, said = 0;

	if (!hints->pairs.count)
		return;
	qsort(hints->pairs.items, hints->pairs.count, sizeof(struct pair), by_statement);
	for (size_t i = 0; i < hints->pairs.count; i++) {
		const struct pair *pair = pair_at(hints, i);
		const struct statement *of = statement_at(hints, pair->key.statement);

		if (pair->key.statement != statement)
			said = 0;
		statement = pair->key.statement;
		if (said < PER_QUERY_MAX)
			said += full_scan(hints, of, pair) || random_heap(hints, of, pair);
	}
}

/* --- rules about a statement ------------------------------------------------------------------ */

static void temp_spill(struct hints *hints, const struct statement *statement)
{
	struct tap_view_hint hint;
	struct tap_strbuf evidence;

	if (statement->temp_bytes < SPILL_BYTES)
		return;
	hint = hint_of(hints, statement, "temp_spill");
	hint.confidence = 0.95;
	hint.advice = tap_build_reports_progress(hints->build, statement->key.instance, hint.query)
			      ? "raise maintenance_work_mem for this command, or work_mem where it runs a query"
			      : "raise work_mem for this statement alone (SET LOCAL work_mem) to more than it "
				"spills each time, or give it less to sort and hash";
	tap_strbuf_init(&evidence);
	put_executions(&evidence, statement);
	tap_strbuf_add_string(&evidence, " wrote ");
	put_bytes(&evidence, statement->temp_bytes);
	tap_strbuf_add_string(&evidence, " into temporary files");
	put_each(&evidence, statement, statement->temp_bytes);
	tap_strbuf_add_string(&evidence, ": what they sorted or hashed did not fit into work_mem");
	found_add(hints, &hint, &evidence);
}

/* --- rules about an instance ------------------------------------------------------------------ */

/* What the processes of an instance did to its relations and devices. */
struct activity {
	uint64_t client_bytes; /* dirtied in relations by clients and their workers */
	uint64_t relation_bytes;
	uint64_t checkpoint_bytes; /* written for the checkpointer */
	struct tap_io requests;	   /* of clients and their workers */
};

static bool is_client(uint8_t kind)
{
	return kind == TAP_KIND_CLIENT || kind == TAP_KIND_PARALLEL;
}

static uint64_t relation_dirtied(const struct tap_io_model *model, const struct tap_io_owner *owner)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < owner->n_cells; i++) {
		const struct tap_io_cell *cell = tap_io_cell_at(model, owner->first_cell + i);

		if (is_relation(tap_io_object_at(model, cell->key.object)->kind))
			tap_io_sum_u64(&bytes, cell->dirtied_bytes);
	}
	return bytes;
}

static struct activity activity_of(const struct hints *hints, uint32_t instance)
{
	const struct tap_io_model *model = hints->build->io;
	struct activity activity = { 0 };

	for (size_t i = 0; i < model->owners.count; i++) {
		const struct tap_io_owner *owner = tap_io_owner_at(model, i);
		uint64_t dirtied;

		if (owner->row.instance != instance || !owner->n_cells)
			continue;
		dirtied = relation_dirtied(model, owner);
		tap_io_sum_u64(&activity.relation_bytes, dirtied);
		if (owner->row.kind == TAP_KIND_CHECKPOINTER)
			tap_io_sum_u64(&activity.checkpoint_bytes, owner->sum->charged_bytes);
		if (!is_client(owner->row.kind))
			continue;
		tap_io_sum_u64(&activity.client_bytes, dirtied);
		tap_io_add(&activity.requests, &owner->sum->read);
		tap_io_add(&activity.requests, &owner->sum->write);
	}
	return activity;
}

static uint64_t written_bytes(const struct tap_io_model *model)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < model->n_disks; i++)
		tap_io_sum_u64(&bytes, model->disks[i].sum->write.bytes);
	return bytes;
}

static void checkpoint_latency(struct hints *hints, uint32_t instance, const struct activity *activity)
{
	struct tap_view_latency latency = tap_io_latency(&activity->requests);
	double share = at_most(share_of(activity->checkpoint_bytes, written_bytes(hints->build->io)), 1);
	struct tap_view_hint hint;
	struct tap_strbuf evidence;

	if (activity->checkpoint_bytes < WRITES_BYTES || share < 0.3 ||
	    activity->requests.requests < LATENCY_REQUESTS || latency.p95 < SLOW_NS || latency.p95 / 5 < latency.p50)
		return;
	hint = hint_of_instance(hints, instance, "checkpoint_latency");
	hint.confidence = 0.3 + 0.3 * share;
	hint.advice = "spread checkpoints: a longer checkpoint_timeout with a larger max_wal_size, "
		      "checkpoint_completion_target 0.9, and a smaller checkpoint_flush_after; compare with a window "
		      "without a checkpoint";
	tap_strbuf_init(&evidence);
	tap_strbuf_add_string(&evidence, "the checkpointer's pages were ");
	put_bytes(&evidence, activity->checkpoint_bytes);
	tap_strbuf_add_string(&evidence, " of what the devices wrote (");
	put_percent(&evidence, share);
	tap_strbuf_printf(&evidence, "); %" PRIu64 " requests of clients took ", (uint64_t)activity->requests.requests);
	put_ns(&evidence, latency.p50);
	tap_strbuf_add_string(&evidence, " at p50, ");
	put_ns(&evidence, latency.p95);
	tap_strbuf_add_string(&evidence, " at p95; nothing outside of the window to compare with");
	found_add(hints, &hint, &evidence);
}

/* The statement that wrote most of an instance's relations itself; NULL: none of them is known. */
static const struct statement *writer_of(const struct hints *hints, uint32_t instance)
{
	const struct statement *most = NULL;

	for (size_t i = 0; i < hints->statements.count; i++) {
		const struct statement *statement = statement_at(hints, i);

		if (statement->key.instance == instance && statement->relation_bytes &&
		    (!most || statement->relation_bytes > most->relation_bytes))
			most = statement;
	}
	return most;
}

static void backend_writes(struct hints *hints, uint32_t instance, const struct activity *activity)
{
	double share = share_of(activity->client_bytes, activity->relation_bytes);
	const struct statement *most;
	struct tap_view_hint hint;
	struct tap_strbuf evidence;

	if (activity->client_bytes < WRITES_BYTES || share < 0.25)
		return;
	most = writer_of(hints, instance);
	hint = most ? hint_of(hints, most, "backend_writes") : hint_of_instance(hints, instance, "backend_writes");
	hint.confidence = 0.3 + 0.5 * share;
	if (most && tap_build_reports_progress(hints->build, instance, hint.query))
		hint.confidence /= 2;
	hint.advice = "unless this is a bulk load, which extends its tables itself: larger shared_buffers, or a "
		      "bgwriter that keeps up (bgwriter_lru_maxpages, bgwriter_delay)";
	tap_strbuf_init(&evidence);
	tap_strbuf_add_string(&evidence, "clients wrote ");
	put_bytes(&evidence, activity->client_bytes);
	tap_strbuf_add_string(&evidence, " of relations' pages themselves, ");
	put_percent(&evidence, share);
	tap_strbuf_add_string(&evidence, " of what was written to relations");
	if (most) {
		tap_strbuf_add_string(&evidence, "; this statement ");
		put_bytes(&evidence, most->relation_bytes);
	}
	found_add(hints, &hint, &evidence);
}

static void instances_judge(struct hints *hints)
{
	const struct tap_window_input *input = hints->build->input;

	for (uint32_t i = 0; i < input->n_instances; i++) {
		struct activity activity;

		if (!tap_build_instance(hints->build, i))
			continue;
		activity = activity_of(hints, i);
		checkpoint_latency(hints, i, &activity);
		backend_writes(hints, i, &activity);
	}
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

static int hints_publish(struct hints *hints)
{
	struct tap_view *view = hints->build->view;
	size_t limit = hints->build->input->options.limit, count = hints->found.count;

	view->hints = tap_arena_new(hints->build->arena, count, sizeof(*view->hints));
	if (!view->hints)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		view->hints[i] = ((struct found *)hints->found.items)[i].hint;
	qsort(view->hints, count, sizeof(*view->hints), by_confidence);
	view->n_hints = limit && limit < count ? limit : count;
	return hints->build->arena->failed ? -ENOMEM : 0;
}

/* Whether there may be a full scan at all: the sizes of all files are not to be had for nothing. */
static bool reads_much(const struct hints *hints)
{
	for (size_t i = 0; i < hints->pairs.count; i++) {
		if (pair_at(hints, i)->read_bytes >= LARGE_BYTES / 10)
			return true;
	}
	return false;
}

int tap_build_hints(struct tap_build *build)
{
	struct hints hints = { .build = build };
	int status;

	tap_io_table_init(&hints.statements, sizeof(struct statement), sizeof(struct statement_key));
	tap_io_table_init(&hints.pairs, sizeof(struct pair), sizeof(struct pair_key));
	tap_io_table_init(&hints.found, sizeof(struct found), sizeof(uint32_t));
	status = statements_fill(&hints);
	if (!status && reads_much(&hints))
		status = tap_io_sizes(build->io);
	if (!status) {
		pairs_judge(&hints);
		for (size_t i = 0; i < hints.statements.count; i++)
			temp_spill(&hints, statement_at(&hints, i));
		instances_judge(&hints);
		status = hints_publish(&hints);
	}
	tap_io_table_done(&hints.statements);
	tap_io_table_done(&hints.pairs);
	tap_io_table_done(&hints.found);
	return status;
}
