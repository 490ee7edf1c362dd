// SPDX-License-Identifier: BSD-2-Clause
/*
 * checkpoints.c - the checkpoints of each instance in a window, and how long the requests of others took meanwhile.
 *
 * "During" is a matter of the device: while a checkpoint of any instance with files on it runs. An instance that had
 * none of its own in the window has no such part, whatever its neighbours did.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/checkpoint.h"
#include "correlate/io_order.h"
#include "correlate/model/io.h"
#include "userspace/base/strbuf.h"

enum {
	SPANS = 6,
	ABSENT_MAX = 2 * SPANS + 8,
};

static const char not_readable[] = "this server's memory does not tell of its checkpoints";
static const char none_ran[] = "no checkpoint ran in this window";
static const char all_of_it[] = "a checkpoint ran during all of this window";

struct making {
	struct tap_build *build;
	struct tap_view_checkpoints *row;
	uint32_t instance;
	const struct tap_window_instance *of;
	struct tap_checkpoint_window window;
};

static void absent_add(const struct making *making, const char *field, const char *reason)
{
	struct tap_view_checkpoints *row = making->row;

	if (!row->absent)
		row->absent = tap_arena_new(making->build->arena, ABSENT_MAX, sizeof(*row->absent));
	if (row->absent && row->n_absent < ABSENT_MAX)
		row->absent[row->n_absent++] = (struct tap_absence){ field, reason };
}

/* --- what ran --------------------------------------------------------------------------------- */

static void runs_fill(const struct making *making, const struct tap_checkpoint_run *runs, size_t count)
{
	struct tap_view_checkpoints *row = making->row;

	row->runs = tap_arena_new(making->build->arena, count, sizeof(*row->runs));
	if (!row->runs)
		return;
	for (size_t i = 0; i < count; i++)
		row->runs[i] = (struct tap_view_checkpoint_run){
			.phase = tap_checkpoint_phase_name(runs[i].phase),
			.begin_ns = runs[i].begin_ns,
			.end_ns = runs[i].end_ns,
			.write_ns = runs[i].write_ns,
			.sync_ns = runs[i].sync_ns,
			.longest_sync_ns = runs[i].longest_sync_ns,
			.buffers = runs[i].buffers,
			.files = runs[i].files,
		};
	row->n_runs = count;
}

static void time_fill(const struct making *making)
{
	const struct tap_snapshot *end = making->build->input->end;
	const struct tap_checkpoint_window *window = &making->window;
	struct tap_checkpoint_run runs[TAP_CHECKPOINT_RUNS_MAX];
	struct tap_view_checkpoints *row = making->row;
	size_t count;

	if (!making->of->checkpoints || making->instance >= end->n_checkpoints) {
		static const char *const fields[] = { "count", "running_ns", "running_percent", "runs" };

		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
			absent_add(making, fields[i], not_readable);
		return;
	}
	count = tap_checkpoint_runs(&end->checkpoints[making->instance], making->of->version_number, window, runs,
				    &row->cut);
	row->count = (int64_t)count;
	row->running_ns = tap_checkpoint_covered_ns(runs, count, window);
	if (window->end_ns > window->begin_ns)
		row->running_percent = 100.0 * (double)row->running_ns / (double)(window->end_ns - window->begin_ns);
	if (count && runs[count - 1].end_ns < 0)
		row->running_since_ns = runs[count - 1].begin_ns;
	runs_fill(making, runs, count);
}

/* --- what it wrote, and how long others took -------------------------------------------------- */

static void bytes_fill(const struct making *making)
{
	const struct tap_io_model *model = making->build->io;
	uint64_t charged = 0, submitted = 0;

	for (size_t i = 0; i < model->owners.count; i++) {
		const struct tap_io_owner *owner = tap_io_owner_at(model, i);

		if (owner->row.instance != making->instance || owner->row.kind != TAP_KIND_CHECKPOINTER)
			continue;
		tap_io_sum_u64(&charged, owner->sum->charged_bytes);
		tap_io_sum_u64(&submitted, owner->sum->write.bytes);
	}
	making->row->write_bytes = tap_io_signed(charged);
	making->row->submitted_write_bytes = tap_io_signed(submitted);
}

static void span_fill(struct tap_view_span *span, const struct tap_io *io)
{
	span->requests = tap_io_signed(io->requests);
	span->latency = tap_io_latency(io);
}

/* Which parts of the window there are. */
struct parts {
	bool during;
	bool outside;
	const char *why_not_during;
	const char *why_not_outside;
};

static struct parts parts_of(const struct making *making)
{
	const struct tap_view_checkpoints *row = making->row;
	const char *reason = NULL;

	if (!making->build->io)
		reason = tap_reason_texts[TAP_REASON_IO_OFF];
	else if (!making->of->n_disks)
		reason = tap_reason_texts[TAP_REASON_NO_DISK];
	else if (row->count < 0)
		reason = not_readable;
	if (reason)
		return (struct parts){ .why_not_during = reason, .why_not_outside = reason };
	return (struct parts){
		.during = row->count > 0,
		.outside = row->running_ns < making->window.end_ns - making->window.begin_ns,
		.why_not_during = none_ran,
		.why_not_outside = all_of_it,
	};
}

static const char *const fields_during[] = {
	"read_during_requests",	   "read_during_latency_ns", "write_during_requests",
	"write_during_latency_ns", "flush_during_requests",  "flush_during_latency_ns",
};

static const char *const fields_outside[] = {
	"read_outside_requests",    "read_outside_latency_ns", "write_outside_requests",
	"write_outside_latency_ns", "flush_outside_requests",  "flush_outside_latency_ns",
};

static void spans_absent(const struct making *making, const struct parts *parts)
{
	for (size_t i = 0; i < sizeof(fields_during) / sizeof(fields_during[0]); i++) {
		if (!parts->during)
			absent_add(making, fields_during[i], parts->why_not_during);
	}
	for (size_t i = 0; i < sizeof(fields_outside) / sizeof(fields_outside[0]); i++) {
		if (!parts->outside)
			absent_add(making, fields_outside[i], parts->why_not_outside);
	}
}

/* A neighbour's checkpoint is outside of all checkpoints of an instance that had none. */
static void others_sum(const struct making *making, bool during, struct tap_io_others *ret)
{
	bool has_own = making->row->count > 0;

	for (size_t i = 0; i < making->of->n_disks; i++) {
		for (int side = 0; side < 2; side++) {
			const struct tap_io_others *others =
				tap_io_disk_others(making->build->io, making->of->disks[i], side);

			if (!others || (side && has_own) != during)
				continue;
			tap_io_add(&ret->read, &others->read);
			tap_io_add(&ret->write, &others->write);
			tap_io_add(&ret->flush, &others->flush);
		}
	}
}

static int spans_fill(const struct making *making)
{
	const struct parts parts = parts_of(making);
	struct tap_view_checkpoints *row = making->row;
	struct tap_io_others *others = tap_arena_new(making->build->arena, 2, sizeof(*others));

	if (!others)
		return -ENOMEM;
	spans_absent(making, &parts);
	if (parts.during) {
		others_sum(making, true, &others[1]);
		span_fill(&row->read_during, &others[1].read);
		span_fill(&row->write_during, &others[1].write);
		span_fill(&row->flush_during, &others[1].flush);
	}
	if (parts.outside) {
		others_sum(making, false, &others[0]);
		span_fill(&row->read_outside, &others[0].read);
		span_fill(&row->write_outside, &others[0].write);
		span_fill(&row->flush_outside, &others[0].flush);
	}
	return 0;
}

/* --- the list --------------------------------------------------------------------------------- */

static void devices_fill(const struct making *making)
{
	const struct tap_io_set *set = &making->build->input->end->io;
	struct tap_strbuf names;

	if (!making->of->n_disks)
		return;
	tap_strbuf_init(&names);
	for (size_t i = 0; i < making->of->n_disks; i++) {
		uint32_t disk = making->of->disks[i];
		const char *name = NULL;

		for (size_t j = 0; j < set->n_disks && !name; j++)
			name = set->disks[j].disk == disk && *set->disks[j].name ? set->disks[j].name : NULL;
		if (name)
			tap_strbuf_printf(&names, "%s%s", i ? ", " : "", name);
		else
			tap_strbuf_printf(&names, "%s%" PRIu32 ":%" PRIu32, i ? ", " : "", disk >> 20, disk & 0xfffff);
	}
	making->build->arena->failed |= names.failed;
	making->row->devices = tap_arena_string(making->build->arena, names.data);
	tap_strbuf_done(&names);
}

static void row_init(struct tap_view_checkpoints *row)
{
	static const struct tap_view_span none = { -1, { -1, -1, -1, -1 } };

	row->read_during = row->read_outside = row->write_during = row->write_outside = none;
	row->flush_during = row->flush_outside = none;
	row->count = row->running_ns = row->running_since_ns = -1;
	row->running_percent = NAN;
	row->write_bytes = row->submitted_write_bytes = -1;
}

static int row_make(const struct making *making)
{
	row_init(making->row);
	making->row->instance = tap_arena_string(making->build->arena, making->of->id);
	devices_fill(making);
	time_fill(making);
	if (making->build->io) {
		bytes_fill(making);
	} else {
		absent_add(making, "write_bytes", tap_reason_texts[TAP_REASON_IO_OFF]);
		absent_add(making, "submitted_write_bytes", tap_reason_texts[TAP_REASON_IO_OFF]);
	}
	return spans_fill(making);
}

int tap_build_checkpoints(struct tap_build *build)
{
	const struct tap_window_input *input = build->input;
	struct tap_view *view = build->view;
	int status = 0;

	view->checkpoints = tap_arena_new(build->arena, input->n_instances, sizeof(*view->checkpoints));
	if (!view->checkpoints)
		return -ENOMEM;
	for (uint32_t i = 0; i < input->n_instances && !status; i++) {
		const struct tap_window_instance *instance = &input->instances[i];
		struct making making = {
			.build = build,
			.instance = i,
			.of = instance,
			.row = &view->checkpoints[view->n_checkpoints],
			.window = { input->begin->realtime_ns, input->end->realtime_ns,
				    input->end->realtime_ns - input->end->monotonic_ns },
		};

		if (!instance->present || !tap_window_wants(&input->options, instance))
			continue;
		view->n_checkpoints++;
		status = row_make(&making);
	}
	tap_io_order_sort(TAP_IO_LIST_CHECKPOINTS, input->options.io_sort, view->checkpoints, view->n_checkpoints,
			  sizeof(*view->checkpoints), NULL);
	return build->arena->failed ? -ENOMEM : status;
}
