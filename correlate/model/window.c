// SPDX-License-Identifier: BSD-2-Clause
/* window.c - puts a view together: the window's rows, then each list, then the totals. */
#include "correlate/model/window.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bpf/abi/kind.h"
#include "correlate/model/build.h"
#include "correlate/model/io.h"
#include "correlate/statement_log.h"

static const struct {
	const char *name;
	const char *meaning;
} loss_table[TAP_LOSS_COUNT] = {
#define X(id, name, meaning) [TAP_LOSS_##id] = { name, meaning },
	TAP_LOSSES(X)
#undef X
};

/* What a later part of dbtap will fill and this version cannot. */
static const struct tap_absence not_traced[] = {
	{ "client_pid", "this version does not look up local clients" },
};

static int rows_filter(struct tap_build *build, const struct tap_row_set *all)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct tap_row *from = &all->rows[i];
		struct tap_row_key key = from->key;
		struct tap_row *row;

		if (!tap_build_row_is_wanted(build, &from->key))
			continue;
		/* A client's own ids stay: of statements that failed before they had an engine's. */
		if (key.kind == TAP_KIND_PARALLEL && tap_aliases_apply(&build->aliases, &key))
			return -ENOMEM;
		row = tap_row_set_get(&build->rows, &key);
		if (!row || tap_row_add(row, from))
			return -ENOMEM;
	}
	return 0;
}

static int rows_build(struct tap_build *build)
{
	struct tap_row_set all;
	int status;

	tap_row_set_init(&all);
	status = tap_row_set_subtract(&build->input->end->rows, &build->input->begin->rows, &all);
	if (!status)
		status = rows_filter(build, &all);
	tap_row_set_done(&all);
	return status;
}

/*
 * The window's block I/O. What is written back in it may have been dirtied by a row that did nothing else since: it
 * gets its row, so that sums hold.
 */
static int io_build(struct tap_build *build)
{
	int status = tap_io_model_new(build, &build->io);

	for (size_t i = 0; build->io && i < build->io->owners.count && !status; i++) {
		const struct tap_io_owner *owner = tap_io_owner_at(build->io, i);

		if (owner->wanted && owner->n_cells && !tap_row_set_get(&build->rows, &owner->row))
			status = -ENOMEM;
	}
	return status;
}

static void instance_sum(struct tap_build *build, struct tap_view_instance *view)
{
	for (size_t i = 0; i < build->view->n_queries_all; i++) {
		if (!strcmp(build->view->queries[i].instance, view->id))
			tap_build_figures_add(&view->figures, &build->view->queries[i].figures);
	}
}

static uint64_t processes_of(const struct tap_snapshot *snapshot, uint32_t instance)
{
	uint64_t count = 0;

	for (size_t i = 0; i < snapshot->n_threads; i++)
		count += snapshot->threads[i].instance == instance &&
			 snapshot->threads[i].tid == snapshot->threads[i].tgid;
	return count;
}

static void instance_fill(struct tap_build *build, struct tap_view_instance *view,
			  const struct tap_window_instance *from)
{
	view->id = tap_arena_string(build->arena, from->id);
	view->engine = from->engine_name ? from->engine_name : tap_terms_of(from->engine)->name;
	view->version = tap_arena_string(build->arena, from->version);
	view->pid = from->pid;
	view->port = from->port;
	view->data_dir = tap_arena_string(build->arena, from->data_dir);
	view->build_id = from->build_id && *from->build_id ? tap_arena_string(build->arena, from->build_id) : NULL;
	view->layout = tap_arena_string(build->arena, from->layout);
	view->connected = from->connected;
	view->not_connected_why = from->connected ? NULL : tap_arena_string(build->arena, from->not_connected_why);
	if (from->locks)
		view->lock_source = from->locks->source == TAP_LOCKS_ASKED ? tap_terms_of(from->engine)->lock_views
									   : "shared memory";
	view->processes = processes_of(build->input->end, (uint32_t)(from - build->input->instances));
	instance_sum(build, view);
}

bool tap_window_wants(const struct tap_window_options *options, const struct tap_window_instance *instance)
{
	const char *wanted = options->instance;

	return !wanted || !strcmp(wanted, instance->id) || (instance->before && !strcmp(wanted, instance->before));
}

static int instances_build(struct tap_build *build)
{
	const struct tap_window_input *input = build->input;
	struct tap_view *view = build->view;

	view->instances = tap_arena_new(build->arena, input->n_instances, sizeof(*view->instances));
	if (!view->instances)
		return -ENOMEM;
	for (size_t i = 0; i < input->n_instances; i++) {
		const struct tap_window_instance *instance = &input->instances[i];

		if (instance->present && tap_window_wants(&input->options, instance))
			instance_fill(build, &view->instances[view->n_instances++], instance);
	}
	return build->arena->failed ? -ENOMEM : 0;
}

static int losses_build(struct tap_build *build)
{
	struct tap_view *view = build->view;
	const struct tap_snapshot *end = build->input->end, *begin = build->input->begin;
	const struct tap_lock_log *log = build->input->locks.log;

	view->losses = tap_arena_new(build->arena, TAP_LOSS_COUNT + 4, sizeof(*view->losses));
	if (!view->losses)
		return -ENOMEM;
	for (int i = 0; i < TAP_LOSS_COUNT; i++)
		view->losses[i] = (struct tap_view_loss){ loss_table[i].name, loss_table[i].meaning,
							  end->losses[i] - begin->losses[i] };
	view->losses[TAP_LOSS_COUNT] =
		(struct tap_view_loss){ "torn", "a thread switched whenever it was looked at: off by one switch",
					end->torn };
	view->n_losses = TAP_LOSS_COUNT + 1;
	if (log)
		view->losses[view->n_losses++] =
			(struct tap_view_loss){ "lock_waits_unlisted",
						"more queries, locks or pairs than a window keeps: lock waits are in "
						"some lists only",
						log->losses_dropped + log->by_query.dropped + log->by_lock.dropped };
	if (build->input->cost.probed)
		view->losses[view->n_losses++] =
			(struct tap_view_loss){ "probes_moved",
						"to stay inside the budget probes were taken off sessions, or put back",
						build->input->cost.shed_steps };
	if (build->input->statements)
		view->losses[view->n_losses++] =
			(struct tap_view_loss){ "statements_unlisted",
						"more slow statements than a window keeps: the shortest are not shown",
						build->input->statements->dropped };
	return 0;
}

static void host_fill(struct tap_build *build)
{
	struct utsname name;

	if (uname(&name))
		return;
	build->view->host_name = tap_arena_string(build->arena, name.nodename);
	build->view->kernel = tap_arena_string(build->arena, name.release);
	build->view->cpus = sysconf(_SC_NPROCESSORS_ONLN);
}

static void io_absent_fill(struct tap_view *view)
{
	const char *reason = tap_reason_texts[TAP_REASON_IO_OFF];
	struct tap_figures figures = { 0 };

	tap_io_figures_absent(&figures, TAP_REASON_IO_OFF);
	for (int i = 0; i < TAP_FIGURE_COUNT; i++) {
		if (figures.absent[i])
			view->absent[view->n_absent++] = (struct tap_absence){ tap_figure_infos[i].name, reason };
	}
	view->absent[view->n_absent++] = (struct tap_absence){ "io_latency_ns", reason };
	view->absent[view->n_absent++] = (struct tap_absence){ "relations", reason };
}

/* What instances lack in their own words, under one field: of the first one, and how many more there are. */
static void why_not_fill(struct tap_build *build, const char *field, size_t offset)
{
	const struct tap_window_input *input = build->input;
	const char *first = NULL, *id = NULL;
	char text[640], more[48] = "";
	size_t count = 0;

	for (size_t i = 0; i < input->n_instances; i++) {
		const struct tap_window_instance *instance = &input->instances[i];
		const char *why = *(const char *const *)((const char *)instance + offset);

		if (!instance->present || !why || !*why || !tap_window_wants(&input->options, instance))
			continue;
		if (!count++) {
			first = why;
			id = instance->id;
		}
	}
	if (!count)
		return;
	if (count > 1)
		snprintf(more, sizeof(more), "; and %zu instances more", count - 1);
	/* Some reasons name the instance themselves. */
	if (!strncmp(first, id, strlen(id)))
		id = NULL;
	snprintf(text, sizeof(text), "%s%s%s%s", id ? id : "", id ? ": " : "", first, more);
	build->view->absent[build->view->n_absent++] =
		(struct tap_absence){ field, tap_arena_string(build->arena, text) };
}

/* What only statement depth has, said once for all rows where it is not on. */
static void statements_absent_fill(struct tap_build *build)
{
	const struct tap_window_options *options = &build->input->options;
	enum tap_reason reason = TAP_REASON_DEPTH_STATEMENT;
	struct tap_view *view = build->view;

	if (options->exact_calls || options->sampled_calls)
		return;
	view->absent[view->n_absent++] = (struct tap_absence){ "latency_ns", tap_reason_texts[reason] };
	view->absent[view->n_absent++] = (struct tap_absence){ "errors", tap_reason_texts[reason] };
}

/* What no row has in this run. */
static void absent_fill(struct tap_build *build)
{
	struct tap_view *view = build->view;
	size_t fixed = sizeof(not_traced) / sizeof(not_traced[0]);

	view->absent = tap_arena_new(build->arena, fixed + TAP_FIGURE_COUNT + 8, sizeof(*view->absent));
	if (!view->absent)
		return;
	memcpy(view->absent, not_traced, sizeof(not_traced));
	view->n_absent = fixed;
	if (!build->input->begin->io.traced || !build->input->end->io.traced)
		io_absent_fill(view);
	else
		why_not_fill(build, "device", offsetof(struct tap_window_instance, io_why_not));
	why_not_fill(build, "relation", offsetof(struct tap_window_instance, names_why_not));
	if (build->input->options.locks)
		why_not_fill(build, "locks", offsetof(struct tap_window_instance, locks_why_not));
	statements_absent_fill(build);
	if (view->bpf_cpu_percent < 0)
		view->absent[view->n_absent++] =
			(struct tap_absence){ "bpf_cpu_percent",
					      "the kernel's BPF run statistics could not be switched on" };
	if (view->trap_cpu_percent < 0)
		view->absent[view->n_absent++] =
			(struct tap_absence){ "trap_cpu_percent", "the cost of a trap could not be calibrated" };
}

static void head_fill(struct tap_build *build)
{
	const struct tap_window_input *input = build->input;
	struct tap_view *view = build->view;
	double nanoseconds = (double)(input->end->monotonic_ns - input->begin->monotonic_ns);

	view->tool_version = input->tool_version;
	view->depth = input->depth;
	view->start_realtime_ns = input->begin->realtime_ns;
	view->end_realtime_ns = input->end->realtime_ns;
	view->seconds = nanoseconds / 1e9;
	view->bpf_cpu_percent = input->cost.bpf_cpu_percent;
	view->trap_cpu_percent = input->cost.trap_cpu_percent;
	view->tool_cpu_percent = input->cost.tool_cpu_percent;
	view->tool_rss_bytes = input->cost.tool_rss_bytes;
	view->budget_percent = input->cost.budget_percent;
	view->probed = input->cost.probed;
	view->over_budget = view->budget_percent > 0 && view->bpf_cpu_percent >= 0 &&
			    view->bpf_cpu_percent + (view->trap_cpu_percent > 0 ? view->trap_cpu_percent : 0) >
				    view->budget_percent;
	view->fingerprint_cpu_percent =
		nanoseconds > 0
			? 100.0 * (double)(input->end->fingerprint_ns - input->begin->fingerprint_ns) / nanoseconds
			: 0;
	absent_fill(build);
	host_fill(build);
}

static void attributed_fill(struct tap_view *view)
{
	int64_t elapsed = view->totals.value[TAP_FIGURE_ELAPSED];
	int64_t unknown = view->totals.value[TAP_FIGURE_UNKNOWN];

	if (unknown < 0)
		unknown = -unknown;
	view->attributed_percent = elapsed > 0 ? 100.0 * (1.0 - (double)unknown / (double)elapsed) : 100.0;
}

int tap_window_view(const struct tap_window_input *input, struct tap_view **ret)
{
	struct tap_build build = { .input = input };
	int status;

	build.view = calloc(1, sizeof(*build.view));
	if (!build.view)
		return -ENOMEM;
	tap_arena_init(&build.view->memory);
	build.arena = &build.view->memory;
	tap_row_set_init(&build.rows);
	tap_aliases_init(&build.aliases, input->texts);
	tap_statement_set_init(&build.statements);
	head_fill(&build);
	status = tap_statement_set_subtract(&input->end->statements, &input->begin->statements, &build.statements);
	if (!status)
		status = rows_build(&build);
	if (!status)
		status = io_build(&build);
	if (!status)
		status = tap_build_queries(&build);
	if (!status)
		status = tap_build_sessions(&build);
	if (!status)
		status = tap_build_events(&build);
	if (!status && input->begin->memory.read && input->end->memory.read)
		status = tap_build_memory(&build);
	if (!status && build.io && (input->options.io || input->options.disks))
		status = tap_build_disks(&build);
	if (!status && build.io && input->options.io)
		status = tap_build_io(&build);
	if (!status && input->options.io)
		status = tap_build_checkpoints(&build);
	if (!status && build.io && input->options.io)
		status = tap_build_hints(&build);
	if (!status && input->options.locks)
		status = tap_build_locks(&build);
	if (!status && input->statements)
		status = tap_build_statements(&build);
	if (!status)
		status = instances_build(&build);
	if (!status)
		status = losses_build(&build);
	attributed_fill(build.view);
	tap_io_model_free(build.io);
	tap_row_set_done(&build.rows);
	tap_statement_set_done(&build.statements);
	tap_aliases_done(&build.aliases);
	if (status || build.arena->failed) {
		tap_view_free(build.view);
		return -ENOMEM;
	}
	*ret = build.view;
	return 0;
}
