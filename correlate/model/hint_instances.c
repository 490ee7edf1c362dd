// SPDX-License-Identifier: BSD-2-Clause
/*
 * hint_instances.c - the rules about an instance as a whole: its checkpoints, and pages that clients write themselves.
 * The numbers are named in docs/io.md.
 */
#include <inttypes.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/model/hints.h"

enum {
	WRITES_BYTES = 16 << 20,
	LATENCY_REQUESTS = 100,
	COMPARED_REQUESTS = 50, /* during a checkpoint and outside, at least */
	SLOW_NS = 5000000,
};

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

		if (tap_hint_is_relation(tap_io_object_at(model, cell->key.object)->kind))
			tap_io_sum_u64(&bytes, cell->dirtied_bytes);
	}
	return bytes;
}

static struct activity activity_of(const struct tap_hints *hints, uint32_t instance)
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

static const struct tap_view_checkpoints *checkpoints_of(const struct tap_hints *hints, uint32_t instance)
{
	const struct tap_window_instance *of = tap_build_instance(hints->build, instance);
	const struct tap_view *view = hints->build->view;

	for (size_t i = 0; of && i < view->n_checkpoints; i++) {
		if (view->checkpoints[i].instance && !strcmp(view->checkpoints[i].instance, of->id))
			return &view->checkpoints[i];
	}
	return NULL;
}

/* What others asked for in one way, during checkpoints and outside. */
struct comparison {
	const char *what;
	const struct tap_view_span *during;
	const struct tap_view_span *outside;
};

/* How many times as long it took; 0: no longer, or too few to say. */
static double times_slower(const struct comparison *comparison)
{
	const struct tap_view_span *during = comparison->during, *outside = comparison->outside;

	if (during->requests < COMPARED_REQUESTS || outside->requests < COMPARED_REQUESTS ||
	    during->latency.p95 < SLOW_NS || during->latency.p95 / 2 < outside->latency.p95)
		return 0;
	return (double)during->latency.p95 / (double)(outside->latency.p95 > 0 ? outside->latency.p95 : 1);
}

static void put_span(struct tap_strbuf *out, const struct tap_view_span *span, const char *what)
{
	tap_strbuf_printf(out, "%" PRId64 " %s of others took ", span->requests, what);
	tap_hint_put_ns(out, span->latency.p95);
	tap_strbuf_add_string(out, " at p95");
}

/* Others' requests during checkpoints against those outside, of the kind that suffers most. */
static void checkpoint_compared(struct tap_hints *hints, uint32_t instance, const struct tap_view_checkpoints *row)
{
	const struct comparison comparisons[] = {
		{ "reads", &row->read_during, &row->read_outside },
		{ "writes", &row->write_during, &row->write_outside },
		{ "flushes", &row->flush_during, &row->flush_outside },
	};
	const struct comparison *worst = comparisons;
	struct tap_view_hint hint;
	struct tap_strbuf evidence;

	for (size_t i = 1; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
		if (times_slower(&comparisons[i]) > times_slower(worst))
			worst = &comparisons[i];
	}
	if (times_slower(worst) <= 0)
		return;
	hint = tap_hint_of_instance(hints, instance, "checkpoint_latency");
	hint.confidence = 0.4 + 0.05 * tap_hint_at_most(times_slower(worst), 10);
	if (row->write_bytes < WRITES_BYTES && row->submitted_write_bytes < WRITES_BYTES)
		hint.confidence -= 0.2;
	hint.advice = tap_build_terms(hints->build, instance)->advice[TAP_ADVICE_CHECKPOINT_LATENCY];
	tap_strbuf_init(&evidence);
	tap_strbuf_add_string(&evidence, "checkpoints ran ");
	tap_hint_put_ns(&evidence, row->running_ns);
	tap_strbuf_add_string(&evidence, " of the window (");
	tap_hint_put_percent(&evidence, row->running_percent / 100);
	tap_strbuf_add_string(&evidence, "); during them ");
	put_span(&evidence, worst->during, worst->what);
	tap_strbuf_add_string(&evidence, ", outside ");
	put_span(&evidence, worst->outside, worst->what);
	tap_strbuf_add_string(&evidence, "; the checkpointer's pages were ");
	tap_hint_put_bytes(&evidence, row->write_bytes > 0 ? (uint64_t)row->write_bytes : 0);
	tap_strbuf_add_string(&evidence, " of what was written");
	tap_hint_add(hints, &hint, &evidence);
}

/* Where there is nothing to compare with: the window lies within a checkpoint, or none can be seen. */
static void checkpoint_uncompared(struct tap_hints *hints, uint32_t instance, const struct activity *activity)
{
	struct tap_view_latency latency = tap_io_latency(&activity->requests);
	double share = tap_hint_at_most(tap_hint_share(activity->checkpoint_bytes, written_bytes(hints->build->io)), 1);
	struct tap_view_hint hint;
	struct tap_strbuf evidence;

	if (activity->checkpoint_bytes < WRITES_BYTES || share < 0.3 ||
	    activity->requests.requests < LATENCY_REQUESTS || latency.p95 < SLOW_NS || latency.p95 / 5 < latency.p50)
		return;
	hint = tap_hint_of_instance(hints, instance, "checkpoint_latency");
	hint.confidence = 0.3 + 0.3 * share;
	hint.advice = tap_build_terms(hints->build, instance)->advice[TAP_ADVICE_CHECKPOINT_LATENCY];
	tap_strbuf_init(&evidence);
	tap_strbuf_add_string(&evidence, "the checkpointer's pages were ");
	tap_hint_put_bytes(&evidence, activity->checkpoint_bytes);
	tap_strbuf_add_string(&evidence, " of what the devices wrote (");
	tap_hint_put_percent(&evidence, share);
	tap_strbuf_printf(&evidence, "); %" PRIu64 " requests of clients took ", (uint64_t)activity->requests.requests);
	tap_hint_put_ns(&evidence, latency.p50);
	tap_strbuf_add_string(&evidence, " at p50, ");
	tap_hint_put_ns(&evidence, latency.p95);
	tap_strbuf_add_string(&evidence, " at p95; nothing without a checkpoint to compare with");
	tap_hint_add(hints, &hint, &evidence);
}

static void checkpoint_latency(struct tap_hints *hints, uint32_t instance, const struct activity *activity)
{
	const struct tap_view_checkpoints *row = checkpoints_of(hints, instance);

	if (!row || row->count < 0 || (row->count && row->read_outside.requests < 0))
		checkpoint_uncompared(hints, instance, activity);
	else if (row->count)
		checkpoint_compared(hints, instance, row);
}

/* The statement that wrote most of an instance's relations itself; NULL: none of them is known. */
static const struct tap_hint_statement *writer_of(const struct tap_hints *hints, uint32_t instance)
{
	const struct tap_hint_statement *most = NULL;

	for (size_t i = 0; i < hints->statements.count; i++) {
		const struct tap_hint_statement *statement = tap_hint_statement_at(hints, i);

		if (statement->key.instance == instance && statement->relation_bytes &&
		    (!most || statement->relation_bytes > most->relation_bytes))
			most = statement;
	}
	return most;
}

static void backend_writes(struct tap_hints *hints, uint32_t instance, const struct activity *activity)
{
	double share = tap_hint_share(activity->client_bytes, activity->relation_bytes);
	const struct tap_hint_statement *most;
	struct tap_view_hint hint;
	struct tap_strbuf evidence;

	if (activity->client_bytes < WRITES_BYTES || share < 0.25)
		return;
	most = writer_of(hints, instance);
	hint = most ? tap_hint_of(hints, most, "backend_writes")
		    : tap_hint_of_instance(hints, instance, "backend_writes");
	hint.confidence = 0.3 + 0.5 * share;
	if (most && tap_build_reports_progress(hints->build, instance, hint.query))
		hint.confidence /= 2;
	hint.advice = tap_build_terms(hints->build, instance)->advice[TAP_ADVICE_BACKEND_WRITES];
	tap_strbuf_init(&evidence);
	tap_strbuf_add_string(&evidence, "clients wrote ");
	tap_hint_put_bytes(&evidence, activity->client_bytes);
	tap_strbuf_add_string(&evidence, " of relations' pages themselves, ");
	tap_hint_put_percent(&evidence, share);
	tap_strbuf_add_string(&evidence, " of what was written to relations");
	if (most) {
		tap_strbuf_add_string(&evidence, "; this statement ");
		tap_hint_put_bytes(&evidence, most->relation_bytes);
	}
	tap_hint_add(hints, &hint, &evidence);
}

void tap_hints_of_instances(struct tap_hints *hints)
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
