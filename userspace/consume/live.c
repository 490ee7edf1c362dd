// SPDX-License-Identifier: BSD-2-Clause
/* live.c - stages of a live run: load, attach, open the gate, adopt, then windows. */
#include "userspace/consume/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/abi/kind.h"
#include "correlate/statement_log.h"
#include "userspace/attach/engine.h"
#include "userspace/base/clock.h"
#include "userspace/consume/catalogs.h"
#include "userspace/consume/cost.h"
#include "userspace/consume/diskstats.h"
#include "userspace/consume/instances.h"
#include "userspace/consume/lock_events.h"
#include "userspace/consume/reader.h"
#include "userspace/consume/shed.h"
#include "userspace/load/features.h"
#include "userspace/load/privilege.h"

#ifndef TAP_VERSION
#define TAP_VERSION "unknown"
#endif

enum {
	STEP_MS = 100, /* how long a signal may go unnoticed */
	LOOK_EVERY_MS = 1000,
	COST_SAMPLE_MS = 40,
	LASTING_NS = TAP_LOCK_LONG_NS,
	LOCK_NAMES_MS = 50,
	LOCK_NAMES_VIEW_MS = 500,
	FILES_SHARE = 200,   /* of the time, its inverse, that looking for new files may take: there may be very many */
	SERVERS_SHARE = 200, /* ... of CPU time, looking for new servers among thousands of processes */
	SERVERS_LATEST_MS = 5000,
};

/* While time passes anyway; and before a view, where what was just committed is worth another question. */
static const struct tap_asking asking_meanwhile = { .budget_ms = 300 };
static const struct tap_asking asking_for_view = { .budget_ms = 2000, .ahead_ms = 4 * TAP_MISSING_RETRY_MS };

struct tap_live {
	struct tap_live_options options;
	tap_live_note note;
	void *note_context;
	struct tap_tracer *tracer;
	struct tap_reader *reader;
	struct tap_instances instances;
	struct tap_texts texts;
	struct tap_snapshot begin;
	struct tap_snapshot end;
	bool is_first;		       /* `begin` is the first one */
	struct tap_memory_kills kills; /* in this window */
	struct tap_lock_events *locks; /* NULL: not wanted */
	struct tap_statement_log statements;
	bool tells; /* statements are told of one by one */
	uint32_t round;
	struct tap_cost cost;
	struct tap_shed shed;
	int64_t searched_ms;
	int64_t look_every_ms;
	int64_t names_due_ms;
	int64_t servers_due_ms;
	uint64_t shown_serial; /* of the last wait for a lock of the window before */
};

static void note(const struct tap_live *live, const char *text)
{
	if (live->note && text && *text)
		live->note(live->note_context, text);
}

static int on_kill(void *context, const struct tap_kill_event *record)
{
	struct tap_live *live = context;

	if (live->kills.count < TAP_KILLS_MAX)
		live->kills.items[live->kills.count++] =
			(struct tap_memory_kill){ .row = record->row,
						  .pid = record->pid,
						  .realtime_ns = tap_clock_ahead_ns() + (int64_t)record->monotonic_ns,
						  .anon = (int64_t)record->anon_bytes };
	return 0;
}

static int on_lock(void *context, const struct tap_lock_event *record)
{
	return tap_lock_events_put(context, record);
}

static int on_statement(void *context, const void *record, size_t size)
{
	struct tap_live *live = context;
	int status = tap_statement_log_put(&live->statements, record, size, tap_clock_ahead_ns());

	/* One that contradicts itself is passed over. */
	return status == -ENOMEM ? status : 0;
}

/* Everything attached first, then the gate. */
static int start(struct tap_live *live, struct tap_error *err)
{
	int status = tap_tracer_open(&live->options.tracer, &live->tracer, err);

	if (!status && live->options.depth == TAP_DEPTH_STATEMENT)
		live->cost.trap_ns = tap_cost_calibrate_trap(live->tracer);
	if (!status)
		status = tap_tracer_attach(live->tracer, err);
	if (!status)
		status = tap_reader_new(live->tracer, &live->reader, err);
	if (!status)
		tap_reader_set_on_kill(live->reader, on_kill, live);
	if (!status && live->tells)
		tap_reader_set_on_statement(live->reader, on_statement, live);
	if (!status && live->options.locks) {
		status = tap_lock_events_new(&live->instances, &live->texts, &live->locks);
		if (!status) {
			tap_lock_events_set_tell(live->locks, tap_tracer_locks(live->tracer),
						 tap_tracer_map_fd(live->tracer, TAP_MAP_LOCK_SUMS));
			tap_reader_set_on_lock(live->reader, on_lock, live->locks);
		}
		tap_lock_tell_set(tap_tracer_locks(live->tracer), !status);
	}
	if (!status) {
		tap_tracer_set_wall(live->tracer, tap_clock_ahead_ns());
		tap_tracer_set_gate(live->tracer, true);
		status = tap_tracer_sync_clock(live->tracer, err);
	}
	return status;
}

static int none_found(const struct tap_live *live, struct tap_error *err)
{
	if (live->instances.n_refused)
		return tap_error_set(err, -EOPNOTSUPP, "%s", live->instances.refused);
	if (live->options.instance)
		return tap_error_set(err, -ENOENT,
				     "no instance is called %s: `dbtap instances` lists those of this host",
				     live->options.instance);
	return tap_error_set(
		err, -ENOENT,
		"no database instance found on this host: start one, or run `dbtap demo` to see one traced");
}

static bool is_followed(const struct tap_live *live, const char *id)
{
	for (size_t i = 0; i < live->instances.count; i++) {
		if (!strcmp(live->instances.items[i].target.id, id))
			return true;
	}
	return false;
}

/* A way in to an instance that is not there is a slip of the pen worth a word. */
static void note_dsns(const struct tap_live *live)
{
	struct tap_error err;

	for (size_t i = 0; i < live->options.n_dsns; i++) {
		if (is_followed(live, live->options.dsns[i].instance))
			continue;
		tap_error_set(&err, 0, "--dsn: no instance is called %s: `dbtap instances` lists those of this host",
			      live->options.dsns[i].instance);
		note(live, err.text);
	}
}

/* Whether statements of one at least are counted. */
static bool some_probed(const struct tap_live *live)
{
	for (size_t i = 0; i < live->instances.count; i++) {
		if (live->instances.items[i].alive && !live->instances.items[i].unprobed)
			return true;
	}
	return false;
}

static void note_unprobed(struct tap_live *live)
{
	note(live, live->instances.unprobed.text);
	live->instances.unprobed.text[0] = '\0';
}

static int find(struct tap_live *live, struct tap_error *err)
{
	int status = tap_instances_search(&live->instances, live->tracer, &live->texts, err);

	live->searched_ms = tap_clock_ms();
	if (status)
		return status;
	if (!live->instances.count)
		return none_found(live, err);
	if (*live->instances.unprobed.text && !some_probed(live))
		return tap_error_set(err, -ENOTSUP, "%s", live->instances.unprobed.text);
	note_unprobed(live);
	note(live, live->instances.refused);
	note_dsns(live);
	/* Texts and names of what was going on before. */
	tap_instances_read_sessions(&live->instances, &live->texts);
	return 0;
}

/* Streams are read for the views that show them. */
static int snapshot_take(struct tap_live *live, bool io, struct tap_snapshot *ret, struct tap_error *err)
{
	const struct tap_reader_wants wants = {
		.disks = live->instances.disks.items,
		.n_disks = live->instances.disks.count,
		.n_instances = live->instances.count,
		.streams = io,
		.memory = live->options.memory,
	};

	return tap_reader_take(live->reader, &wants, ret, err);
}

/* What is told of from here on is of a window of its own. */
static void statements_begin(struct tap_live *live)
{
	tap_statement_log_next(&live->statements);
	if (live->tells)
		tap_tracer_tell_statements(live->tracer, live->options.slow_ns, live->options.slowest, ++live->round);
}

static int window_begin(struct tap_live *live, struct tap_error *err)
{
	int status;

	tap_cost_begin(&live->cost, live->tracer);
	live->shed.hits = live->cost.hits_begin;
	live->shed.wall_ns = live->cost.wall_begin_ns;
	status = snapshot_take(live, false, &live->begin, err);
	statements_begin(live);
	live->is_first = true;
	if (live->locks)
		tap_lock_log_next(tap_lock_events_log(live->locks), live->begin.realtime_ns);
	return status;
}

int tap_live_open(const struct tap_live_options *options, tap_live_note note_fn, void *note_context,
		  struct tap_live **ret, struct tap_error *err)
{
	struct tap_live *live;
	int status = tap_features_require(err);

	if (status)
		return status;
	live = calloc(1, sizeof(*live));
	if (!live)
		return tap_error_set(err, -ENOMEM, "out of memory");
	live->options = *options;
	live->options.tracer.statements = options->depth == TAP_DEPTH_STATEMENT;
	live->note = note_fn;
	live->note_context = note_context;
	live->cost.trap_ns = -1;
	tap_shed_init(&live->shed, options->budget_percent);
	live->look_every_ms = options->interval > 0 ? (int64_t)(options->interval * 1000) : LOOK_EVERY_MS;
	tap_instances_init(&live->instances, &live->options);
	tap_texts_init(&live->texts);
	tap_snapshot_init(&live->begin);
	tap_snapshot_init(&live->end);
	tap_statement_log_init(&live->statements);
	live->tells = live->options.tracer.statements && (options->slow_ns || options->slowest);
	tap_instances_begin_search(&live->instances);
	status = start(live, err);
	if (!status)
		status = find(live, err);
	/* What has come before the window begins is not of it. */
	if (!status && live->locks && tap_lock_events_ask(live->locks, true))
		status = tap_error_set(err, -EIO, "cannot read the sums of lock waits from the kernel");
	if (!status && live->locks && tap_lock_events_settle(live->locks, true))
		status = tap_error_set(err, -ENOMEM, "out of memory");
	if (!status)
		status = window_begin(live, err);
	if (!status)
		status = tap_privilege_drop(live->options.tracer.statements, err);
	if (status) {
		tap_live_free(live);
		return status;
	}
	*ret = live;
	return 0;
}

void tap_live_free(struct tap_live *live)
{
	if (!live)
		return;
	tap_lock_events_free(live->locks);
	tap_reader_free(live->reader);
	tap_tracer_free(live->tracer);
	tap_instances_done(&live->instances);
	tap_texts_done(&live->texts);
	tap_snapshot_done(&live->begin);
	tap_snapshot_done(&live->end);
	tap_statement_log_done(&live->statements);
	free(live);
}

/* Before something rewrites them. What fails here is had later, when the files are seen. */
static void learn_large_relations(struct tap_live *live)
{
	const struct tap_io_set nothing = { 0 };

	for (size_t i = 0; i < live->instances.count; i++) {
		struct tap_followed *followed = &live->instances.items[i];
		const struct tap_attach *engine = tap_attach_of(followed->target.engine);

		if (followed->alive && followed->conn && engine->want_relations)
			engine->want_relations(followed->target.data_dir, &followed->files.objects, tap_clock_ms());
	}
	tap_instances_read_catalogs(&live->instances, &nothing, &asking_meanwhile);
}

void tap_live_connect(struct tap_live *live)
{
	tap_instances_connect(&live->instances);
	for (size_t i = 0; i < live->instances.count; i++) {
		const struct tap_followed *followed = &live->instances.items[i];

		/* A way in that the user named and that does not work is said; the automatic one shows in the view. */
		if (followed->alive && !followed->conn &&
		    tap_dsn_find(live->options.dsns, live->options.n_dsns, followed->target.id))
			note(live, followed->why_not);
	}
	if (live->options.relations)
		learn_large_relations(live);
}

/* Moves the probes where their cost asks for it, and says so. */
static void budget_check(struct tap_live *live)
{
	struct tap_error said = { "" };

	if (live->options.depth == TAP_DEPTH_STATEMENT &&
	    tap_shed_look(&live->shed, live->tracer, &live->cost, &live->instances, &live->begin, &said))
		note(live, said.text);
}

/* Relations are asked for while they are there: one that is dropped before the window ends keeps its name. */
static int keep_names(struct tap_live *live, struct tap_error *err)
{
	int64_t begin_ms = tap_clock_ms(), begin_ns = tap_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	struct tap_io_set io;
	int status = tap_instances_refresh_files(&live->instances, live->tracer, err);

	if (status || live->options.no_connect || begin_ms < live->names_due_ms)
		return status;
	/* Who follows locks wants the names of those, and soon. */
	if (live->locks) {
		tap_lock_events_learn_names(live->locks, LOCK_NAMES_MS);
		return 0;
	}
	if (!live->options.relations)
		return 0;
	tap_io_set_init(&io);
	status = tap_reader_take_files(live->reader, &io);
	/* What it cost, not how long it took: a CPU that stood still meanwhile is no reason to look for names later. */
	live->names_due_ms = begin_ms + FILES_SHARE * (tap_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin_ns) / 1000000;
	if (!status)
		status = tap_instances_read_catalogs(&live->instances, &io, &asking_meanwhile);
	tap_io_set_done(&io);
	return status ? tap_error_set(err, status, "cannot keep up with the files: %s", strerror(-status)) : 0;
}

/* A disk that is watched from the middle of a window on: its counters begin there as its requests do. */
static void begin_disks(struct tap_live *live)
{
	const struct tap_disk_list *disks = &live->instances.disks;

	if (disks->count > live->begin.io.n_disks)
		tap_diskstats_read("/proc", disks->items, disks->count, &live->begin.io);
}

/*
 * New and ended instances. A look that found nothing puts the next one off, so that among thousands of processes
 * looking takes little of a CPU; a server that is just starting is looked for again at once.
 */
static int keep_servers(struct tap_live *live, struct tap_error *err)
{
	int64_t begin_ns = tap_clock_ns(CLOCK_THREAD_CPUTIME_ID), pause_ms;
	int status;

	if (tap_clock_ms() < live->servers_due_ms)
		return 0;
	if (!tap_instances_check(&live->instances)) {
		pause_ms = SERVERS_SHARE * (tap_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns) / 1000000;
		live->servers_due_ms = tap_clock_ms() + (pause_ms < SERVERS_LATEST_MS ? pause_ms : SERVERS_LATEST_MS);
		return 0;
	}
	status = tap_instances_search(&live->instances, live->tracer, &live->texts, err);
	note(live, live->instances.renamed.text);
	live->instances.renamed.text[0] = '\0';
	return status;
}

/* Instances, names, and what all this costs. */
static int keep_up(struct tap_live *live, struct tap_error *err)
{
	int status;

	if (tap_clock_ms() - live->searched_ms < live->look_every_ms)
		return 0;
	live->searched_ms = tap_clock_ms();
	status = keep_servers(live, err);
	note_unprobed(live);
	if (!status)
		status = keep_names(live, err);
	begin_disks(live);
	tap_cost_sample(&live->cost, live->tracer, COST_SAMPLE_MS);
	return status;
}

/*
 * Everything the ring holds. What the two clocks say belongs to the records that are there now. `all`: also of locks
 * that nobody was told of.
 */
static int drain(struct tap_live *live, bool all)
{
	struct tap_clock_pair pair;
	int status;

	if (live->locks) {
		status = tap_lock_events_ask(live->locks, all);
		if (status)
			return status;
		tap_tracer_clock(live->tracer, &pair);
		tap_lock_events_set_clock(live->locks,
					  (int64_t)(pair.monotonic_ns - pair.sched_ns) + tap_clock_ahead_ns());
	}
	return tap_reader_drain(live->reader, &live->texts);
}

/* How long to sleep when `left` ms are left. */
static int step_ms(const struct tap_live *live, int64_t left)
{
	int step = left < STEP_MS ? (int)left : STEP_MS;
	int due, most;

	if (!live->locks)
		return step;
	due = tap_lock_events_due_ms(live->locks);
	most = tap_lock_events_step_ms(live->locks);
	if (most >= 0 && step > most)
		step = most;
	return due >= 0 && due < step ? due : step;
}

/* One sleep, and what it brought. */
static int step(struct tap_live *live, int64_t left, struct tap_error *err)
{
	int status;

	tap_reader_sleep(live->reader, step_ms(live, left));
	/* Only somebody who sets the clock changes it. */
	tap_tracer_set_wall(live->tracer, tap_clock_ahead_ns());
	budget_check(live);
	status = drain(live, false);
	if (!status && live->locks)
		status = tap_lock_events_settle(live->locks, false);
	return status ? tap_error_set(err, status, "cannot take events from the kernel: %s", strerror(-status))
		      : keep_up(live, err);
}

int tap_live_wait(struct tap_live *live, double seconds, const volatile sig_atomic_t *stop, struct tap_error *err)
{
	int64_t until = tap_clock_ms() + (int64_t)(seconds * 1000), left;
	int status = 0;

	while (!status && !*stop && (left = until - tap_clock_ms()) > 0) {
		status = step(live, left, err);
	}
	return status;
}

/*
 * Where waits are so many that not all are told of, that some have begun and ended is none: a cycle is, and one that
 * was not there when the window began and lasts.
 */
static bool has_news(const struct tap_live *live, const struct tap_lock_log *log)
{
	if (!log->n_changes || !tap_lock_events_are_many(live->locks))
		return log->n_changes > 0;
	return log->n_cycles ||
	       tap_lock_log_has_lasting(log, live->shown_serial, tap_clock_ns(CLOCK_REALTIME) - LASTING_NS);
}

int tap_live_wait_locks(struct tap_live *live, double seconds, const volatile sig_atomic_t *stop, bool *ret_changed,
			struct tap_error *err)
{
	int64_t until = tap_clock_ms() + (int64_t)(seconds * 1000), left;
	struct tap_lock_log *log;
	int status = 0;

	if (!live->locks)
		return tap_error_set(err, -EINVAL, "locks are not followed");
	log = tap_lock_events_log(live->locks);
	while (!status && !*stop && !has_news(live, log) && (left = until - tap_clock_ms()) > 0)
		status = step(live, left, err);
	*ret_changed = log->n_changes > 0;
	return status;
}

/* What the view is told of locks. *ret_inversions is malloc'd. */
static int locks_describe(const struct tap_live *live, struct tap_window_instance *rows, struct tap_window_input *input,
			  struct tap_lock_inversion **ret_inversions)
{
	if (!live->locks)
		return 0;
	for (size_t i = 0; i < live->instances.count; i++) {
		rows[i].relations = tap_lock_events_names(live->locks, i);
		rows[i].locks = tap_lock_events_table(live->locks, i, &rows[i].locks_why_not);
	}
	input->locks.log = tap_lock_events_log(live->locks);
	return tap_lock_order_inversions(tap_lock_events_order(live->locks), ret_inversions,
					 &input->locks.n_inversions);
}

size_t tap_live_statements(const struct tap_live *live)
{
	return live->statements.count;
}

static int view_make(struct tap_live *live, const struct tap_window_options *options, struct tap_view **ret,
		     struct tap_error *err)
{
	struct tap_window_input input = {
		.tool_version = TAP_VERSION,
		.depth = live->options.depth == TAP_DEPTH_STATEMENT ? "statement" : "ambient",
		.begin = &live->begin,
		.end = &live->end,
		.n_instances = live->instances.count,
		.texts = &live->texts,
		.statements = live->tells ? &live->statements : NULL,
		.kills = &live->kills,
		.options = *options,
	};
	struct tap_window_instance *rows = NULL;
	struct tap_lock_inversion *inversions = NULL;
	struct tap_file_root *roots = NULL;
	int status = tap_instances_describe(&live->instances, &rows);

	if (!status)
		status = tap_instances_roots(&live->instances, &roots, &input.n_roots);
	if (!status)
		status = locks_describe(live, rows, &input, &inversions);
	input.locks.inversions = inversions;
	input.instances = rows;
	input.roots = roots;
	input.options.exact_calls = live->options.depth == TAP_DEPTH_STATEMENT && !live->shed.partial;
	input.options.sampled_calls = live->options.depth == TAP_DEPTH_STATEMENT && live->shed.partial;
	tap_cost_end(&live->cost, live->tracer, &input.cost);
	input.cost.budget_percent = live->options.budget_percent;
	if (live->options.depth == TAP_DEPTH_STATEMENT) {
		input.cost.probed = tap_shed_level_name(live->shed.governor.level);
		input.cost.shed_steps = live->shed.steps;
	}
	if (!status)
		status = tap_window_view(&input, ret);
	free(rows);
	free(roots);
	free(inversions);
	return status ? tap_error_set(err, status, "out of memory") : 0;
}

/* What the view needs beside the figures: sessions where they are shown, names and texts of rows that lack them. */
static void learn(struct tap_live *live, const struct tap_row_set *rows, bool sessions)
{
	if (sessions || tap_instances_lack_names(&live->instances, rows))
		tap_instances_read_sessions(&live->instances, &live->texts);
	tap_instances_connect(&live->instances);
	tap_instances_read_texts(&live->instances, rows, &live->texts);
}

/* Names of prepared transactions, only where somebody waits and there are some. */
static void learn_prepared(struct tap_live *live)
{
	for (size_t i = 0; i < live->instances.count; i++) {
		const char *why_not;
		const struct tap_lock_table *table = tap_lock_events_table(live->locks, i, &why_not);
		bool waited = false, prepared = false;

		for (size_t j = 0; table && j < table->count; j++) {
			waited |= table->entries[j].wanted != 0;
			prepared |= table->entries[j].xid != 0;
		}
		if (waited && prepared)
			tap_instances_read_prepared(&live->instances, i);
	}
}

int tap_live_view(struct tap_live *live, const struct tap_window_options *options, struct tap_view **ret,
		  struct tap_error *err)
{
	struct tap_snapshot earlier;
	struct tap_row_set rows;
	int status;

	if (!live->cost.sampled_ns)
		tap_cost_sample(&live->cost, live->tracer, COST_SAMPLE_MS);
	tap_tracer_sync_clock(live->tracer, err);
	earlier = live->end;
	tap_snapshot_init(&live->end);
	status = snapshot_take(live, options->io, &live->end, err);
	if (!status && earlier.epoch > live->begin.epoch)
		tap_snapshot_keep_peaks(&live->end, &earlier, live->begin.epoch);
	tap_snapshot_done(&earlier);
	if (status)
		return status;
	status = drain(live, true);
	if (!status && live->locks)
		status = tap_lock_events_settle(live->locks, true);
	if (status)
		return tap_error_set(err, status, "cannot take events from the kernel: %s", strerror(-status));
	/* What the first snapshot has is of the milliseconds since the threads were adopted. */
	if (live->is_first)
		tap_row_set_forget_moved(&live->begin.rows, &live->end.rows);
	tap_row_set_init(&rows);
	status = tap_row_set_subtract(&live->end.rows, &live->begin.rows, &rows);
	if (!status)
		learn(live, &rows, options->sessions || options->locks);
	tap_row_set_done(&rows);
	if (live->locks && options->locks) {
		tap_lock_events_learn_names(live->locks, LOCK_NAMES_VIEW_MS);
		learn_prepared(live);
	}
	if (!status && live->options.relations)
		status = tap_instances_read_catalogs(&live->instances, &live->end.io, &asking_for_view);
	if (status)
		return tap_error_set(err, status, "out of memory");
	return view_make(live, options, ret, err);
}

void tap_live_next(struct tap_live *live)
{
	struct tap_snapshot swap = live->begin;

	live->begin = live->end;
	live->end = swap;
	live->is_first = false;
	statements_begin(live);
	live->kills.count = 0;
	if (live->locks) {
		tap_lock_log_next(tap_lock_events_log(live->locks), live->begin.realtime_ns);
		live->shown_serial = tap_lock_events_log(live->locks)->serial;
	}
	tap_cost_begin(&live->cost, live->tracer);
	tap_shed_begin(&live->shed);
}

int tap_live_adopt(struct tap_live *live, struct tap_error *err)
{
	return tap_instances_adopt(&live->instances, live->tracer, &live->texts, err);
}

struct tap_tracer *tap_live_tracer(struct tap_live *live)
{
	return live->tracer;
}
