// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench.c - `dbtap bench overhead`: what tracing costs a saturated server, and a context switch.
 *
 * The links themselves are attached and destroyed under a load that never stops: an attached but closed program would
 * cost too, and hide it. The schedule and the arithmetic are in userspace/bench.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "correlate/row.h"
#include "userspace/bench/engine.h"
#include "userspace/bench/generator.h"
#include "userspace/bench/paired.h"
#include "userspace/bench/pingpong.h"
#include "userspace/bench/throwaway.h"
#include "userspace/cmd/command.h"
#include "userspace/cmd/run.h"
#include "userspace/output/csv_writer.h"
#include "userspace/output/json_writer.h"

enum {
	SETTLE_MS = 10,
	WARM_UP_MS = 2000,
	SWITCH_SAMPLE_MS = 2000,
};

/* Nanoseconds of one run of a program, as the kernel's run statistics see it. */
struct switch_cost {
	double empty_ns;
	double untracked_ns;  /* net of the empty program */
	double tracked_ns;    /* net of the empty program */
	double tracked_share; /* of all switches */
};

struct bench_load {
	const char *name;
	struct switch_cost cost;
	struct tap_paired_result result;
};

struct bench {
	const struct tap_options *options;
	const struct tap_bench_engine *engine;
	enum tap_load_protocol protocol;
	struct tap_live *live;
	struct tap_tracer *tracer;
	struct tap_throwaway *server;
	struct tap_generator *generator;
};

static bool interrupted(void *context)
{
	(void)context;
	return tap_run_stop;
}

static void sleep_ms(long milliseconds)
{
	struct timespec wait = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 };

	nanosleep(&wait, NULL);
}

static int on_attach(void *context, struct tap_error *err)
{
	struct bench *bench = context;

	if (bench->options->floor)
		return tap_tracer_attach_empty(bench->tracer, err);
	return tap_tracer_attach(bench->tracer, err);
}

static int on_detach(void *context, struct tap_error *err)
{
	struct bench *bench = context;

	(void)err;
	if (bench->options->floor)
		tap_tracer_detach_empty(bench->tracer);
	else
		tap_tracer_detach(bench->tracer);
	return 0;
}

static int on_read(void *context, uint64_t *ret_count, struct tap_error *err)
{
	struct bench *bench = context;

	(void)err;
	*ret_count = tap_generator_counts(bench->generator).transactions;
	return 0;
}

static void on_progress(void *context, uint32_t done, uint32_t total)
{
	(void)context;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%3u %%%s", done * 100 / total, done == total ? "\n" : "");
}

/* Mean time of a run over a while; `stats` tells runs and time so far. */
static double sample_ns(struct tap_tracer *tracer, int (*stats)(const struct tap_tracer *, uint64_t *, uint64_t *),
			uint64_t *ret_runs)
{
	uint64_t runs_before = 0, runs_after = 0, ns_before = 0, ns_after = 0;

	if (tap_tracer_stats_on(tracer))
		return -1;
	sleep_ms(50);
	stats(tracer, &runs_before, &ns_before);
	sleep_ms(SWITCH_SAMPLE_MS);
	stats(tracer, &runs_after, &ns_after);
	tap_tracer_stats_off(tracer);
	*ret_runs = runs_after - runs_before;
	return *ret_runs ? (double)(ns_after - ns_before) / (double)*ret_runs : -1;
}

/* Switches of traced threads within a window. */
static uint64_t tracked_switches(struct tap_live *live, struct tap_error *err)
{
	struct tap_window_options all = { .sort = -1 };
	struct tap_view *view;
	uint64_t switches;

	if (tap_live_view(live, &all, &view, err))
		return 0;
	switches = (uint64_t)(view->totals.value[TAP_FIGURE_SLEEPS] + view->totals.value[TAP_FIGURE_PREEMPTIONS]);
	tap_view_free(view);
	tap_live_next(live);
	return switches;
}

static int measure_empty(struct bench *bench, double *ret_ns, struct tap_error *err)
{
	uint64_t runs;
	int status = tap_tracer_attach_empty(bench->tracer, err);

	if (status)
		return status;
	*ret_ns = sample_ns(bench->tracer, tap_tracer_stats_empty, &runs);
	tap_tracer_detach_empty(bench->tracer);
	return 0;
}

/* Two processes of no database on one CPU, switching as fast as they can, without the load. */
static int measure_untracked(struct bench *bench, double *ret_empty_ns, double *ret_ns, struct tap_error *err)
{
	struct tap_pingpong *pingpong;
	uint64_t runs;
	int status = tap_pingpong_start((unsigned)sysconf(_SC_NPROCESSORS_ONLN) - 1, &pingpong, err);

	if (status)
		return status;
	status = measure_empty(bench, ret_empty_ns, err);
	if (!status)
		status = tap_tracer_attach(bench->tracer, err);
	if (!status) {
		*ret_ns = sample_ns(bench->tracer, tap_tracer_stats_switch, &runs) - *ret_empty_ns;
		tap_tracer_detach(bench->tracer);
	}
	tap_pingpong_stop(pingpong);
	return status;
}

/* Under the load: all switches' mean time, less what the untracked ones take. */
static int measure_tracked(struct bench *bench, double untracked_ns, struct switch_cost *ret, struct tap_error *err)
{
	double mean_ns, all_ms = SWITCH_SAMPLE_MS + 50;
	uint64_t runs, tracked;
	int status = measure_empty(bench, &ret->empty_ns, err);

	if (!status)
		status = tap_tracer_attach(bench->tracer, err);
	if (!status)
		status = tap_live_adopt(bench->live, err);
	if (status)
		return status;
	tracked_switches(bench->live, err);
	mean_ns = sample_ns(bench->tracer, tap_tracer_stats_switch, &runs);
	tracked = tracked_switches(bench->live, err);
	tap_tracer_detach(bench->tracer);
	ret->untracked_ns = untracked_ns;
	ret->tracked_share = runs ? (double)tracked * SWITCH_SAMPLE_MS / all_ms / (double)runs : 0;
	if (ret->tracked_share > 0)
		ret->tracked_ns =
			(mean_ns - ret->empty_ns - (1 - ret->tracked_share) * untracked_ns) / ret->tracked_share;
	return 0;
}

static uint32_t workers_of(const struct tap_options *options)
{
	return options->clients ? (uint32_t)options->clients : (uint32_t)sysconf(_SC_NPROCESSORS_ONLN) * 2;
}

static int start_load(struct bench *bench, enum tap_load_kind kind, struct tap_error *err)
{
	struct tap_generator_options load = {
		.engine = bench->engine,
		.conninfo = tap_throwaway_conninfo(bench->server),
		.load = kind,
		.protocol = bench->protocol,
		.workers = workers_of(bench->options),
		.scale = workers_of(bench->options),
		.interrupted = interrupted,
	};
	int status = tap_generator_start(&load, &bench->generator, err);

	return status ? status : tap_generator_warm_up(bench->generator, WARM_UP_MS, err);
}

/* The links come and go from here on; the source was opened with them attached. */
static int open_live(struct bench *bench)
{
	bool partial = false;
	struct tap_options options = *bench->options;
	char instance[64];
	int status;

	tap_throwaway_instance(bench->server, instance, sizeof(instance));
	options.instance = instance;
	options.no_connect = true;
	status = tap_run_open(&options, TAP_PART_QUERIES, &bench->live, &partial);
	if (status == TAP_EXIT_OK) {
		bench->tracer = tap_live_tracer(bench->live);
		tap_tracer_detach(bench->tracer);
	}
	return status == TAP_EXIT_OK ? 0 : -EIO;
}

static int measure_load(struct bench *bench, enum tap_load_kind kind, double untracked_ns, struct bench_load *ret,
			struct tap_error *err)
{
	struct tap_paired_options schedule = { .pairs = (uint32_t)bench->options->pairs,
					       .window_ms = (uint32_t)bench->options->window_ms,
					       .settle_ms = SETTLE_MS };
	struct tap_paired_hooks hooks = { .context = bench,
					  .attach = on_attach,
					  .detach = on_detach,
					  .read = on_read,
					  .interrupted = interrupted,
					  .progress = on_progress };
	int status;

	ret->name = tap_load_name(kind);
	fprintf(stderr, "dbtap: %s load on %s, %u pairs, about %" PRIu64 " s\n", ret->name, bench->engine->product,
		schedule.pairs, tap_paired_planned_ms(&schedule) / 1000 + 1);
	status = start_load(bench, kind, err);
	if (!status)
		status = measure_tracked(bench, untracked_ns, &ret->cost, err);
	if (!status)
		status = tap_paired_run(&schedule, &hooks, &ret->result, err);
	if (!status)
		status = tap_generator_check(bench->generator, err);
	tap_generator_stop(bench->generator);
	bench->generator = NULL;
	return status;
}

static const char *program_of(const struct bench *bench, const char *empty, const char *tracer)
{
	return bench->options->floor ? empty : tracer;
}

static void print_text(const struct bench *bench, const struct bench_load *loads, size_t count, struct tap_strbuf *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct bench_load *load = &loads[i];
		struct tap_interval lost = tap_estimate_overhead_percent(load->result.real.ratio);
		struct tap_interval null_lost = tap_estimate_overhead_percent(load->result.null_run.ratio);

		tap_strbuf_printf(out, "%s: %.0f transactions/s of %s, %s, without, %.0f with %s\n", load->name,
				  load->result.real.off_per_second, bench->engine->product, bench->options->protocol,
				  load->result.real.on_per_second, program_of(bench, "an empty program", "the tracer"));
		tap_strbuf_printf(out, "  overhead      %6.2f %%   95 %% interval %6.2f to %6.2f   (%u pairs)\n",
				  lost.value, lost.low, lost.high, load->result.real_pairs);
		tap_strbuf_printf(
			out,
			"  null run      %6.2f %%   95 %% interval %6.2f to %6.2f   (%u pairs, nothing attached)\n",
			null_lost.value, null_lost.low, null_lost.high, load->result.null_pairs);
		tap_strbuf_printf(out, "  quartiles of on/off  %.4f %.4f %.4f\n", load->result.real.quartile[0],
				  load->result.real.quartile[1], load->result.real.quartile[2]);
		tap_strbuf_printf(out,
				  "  a switch      %.0f ns tracked, %.0f ns untracked, net of an empty program (%.0f "
				  "ns); %.0f %% "
				  "of the switches are tracked\n",
				  load->cost.tracked_ns, load->cost.untracked_ns, load->cost.empty_ns,
				  100 * load->cost.tracked_share);
	}
}

static void interval_json(struct tap_json *json, const char *name, struct tap_interval interval)
{
	tap_json_key(json, name);
	tap_json_object_begin(json);
	tap_json_key(json, "value");
	tap_json_double(json, interval.value);
	tap_json_key(json, "low");
	tap_json_double(json, interval.low);
	tap_json_key(json, "high");
	tap_json_double(json, interval.high);
	tap_json_object_end(json);
}

enum {
	N_NUMBERS = 7,
};

/* The numbers of a load beside its two intervals, by name in JSON and CSV. */
static const char *const number_names[N_NUMBERS] = {
	"pairs",	   "off_per_second",	"on_per_second",
	"empty_switch_ns", "tracked_switch_ns", "untracked_switch_ns",
	"tracked_share",
};

static void numbers_of(const struct bench_load *load, double ret[N_NUMBERS])
{
	const double all[N_NUMBERS] = {
		load->result.real_pairs,	 load->result.real.off_per_second,
		load->result.real.on_per_second, load->cost.empty_ns,
		load->cost.tracked_ns,		 load->cost.untracked_ns,
		load->cost.tracked_share,
	};

	memcpy(ret, all, sizeof(all));
}

static void load_json(struct tap_json *json, const struct bench_load *load)
{
	double numbers[N_NUMBERS];

	numbers_of(load, numbers);
	tap_json_object_begin(json);
	tap_json_key(json, "load");
	tap_json_string(json, load->name);
	interval_json(json, "overhead_percent", tap_estimate_overhead_percent(load->result.real.ratio));
	interval_json(json, "null_percent", tap_estimate_overhead_percent(load->result.null_run.ratio));
	for (int i = 0; i < N_NUMBERS; i++) {
		tap_json_key(json, number_names[i]);
		tap_json_double(json, numbers[i]);
	}
	tap_json_object_end(json);
}

static void print_json(const struct bench *bench, const struct bench_load *loads, size_t count, struct tap_strbuf *out)
{
	struct tap_json json;

	tap_json_begin(&json, out, true);
	tap_json_object_begin(&json);
	tap_json_key(&json, "schema");
	tap_json_int(&json, 1);
	tap_json_key(&json, "program");
	tap_json_string(&json, program_of(bench, "empty", "tracer"));
	tap_json_key(&json, "engine");
	tap_json_string(&json, bench->engine->name);
	tap_json_key(&json, "protocol");
	tap_json_string(&json, bench->options->protocol);
	tap_json_key(&json, "loads");
	tap_json_array_begin(&json);
	for (size_t i = 0; i < count; i++)
		load_json(&json, &loads[i]);
	tap_json_array_end(&json);
	tap_json_object_end(&json);
	tap_json_end(&json);
	tap_strbuf_add_char(out, '\n');
}

static void interval_csv(struct tap_csv *csv, struct tap_interval interval)
{
	tap_csv_double(csv, interval.value);
	tap_csv_double(csv, interval.low);
	tap_csv_double(csv, interval.high);
}

static void print_csv(const struct bench *bench, const struct bench_load *loads, size_t count, struct tap_strbuf *out)
{
	static const char *const names[] = {
		"load",		"program",	    "overhead_percent", "overhead_percent_low", "overhead_percent_high",
		"null_percent", "null_percent_low", "null_percent_high"
	};
	double numbers[N_NUMBERS];
	struct tap_csv csv;

	tap_csv_begin(&csv, out);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		tap_csv_string(&csv, names[i]);
	for (int i = 0; i < N_NUMBERS; i++)
		tap_csv_string(&csv, number_names[i]);
	tap_csv_string(&csv, "engine");
	tap_csv_string(&csv, "protocol");
	tap_csv_row_end(&csv);
	for (size_t i = 0; i < count; i++) {
		tap_csv_string(&csv, loads[i].name);
		tap_csv_string(&csv, program_of(bench, "empty", "tracer"));
		interval_csv(&csv, tap_estimate_overhead_percent(loads[i].result.real.ratio));
		interval_csv(&csv, tap_estimate_overhead_percent(loads[i].result.null_run.ratio));
		numbers_of(&loads[i], numbers);
		for (int j = 0; j < N_NUMBERS; j++)
			tap_csv_double(&csv, numbers[j]);
		tap_csv_string(&csv, bench->engine->name);
		tap_csv_string(&csv, bench->options->protocol);
		tap_csv_row_end(&csv);
	}
}

static const enum tap_load_kind kinds[] = { TAP_LOAD_SELECT, TAP_LOAD_TPCB };

static bool is_wanted(const struct bench *bench, enum tap_load_kind kind)
{
	const char *load = bench->options->load;

	return bench->engine->role_of(kind, 0) && (!strcmp(load, "both") || !strcmp(load, tap_load_name(kind)));
}

/* A branch for each worker: on fewer, a TPC-B run measures the wait for one row. */
static int measure(struct bench *bench, struct bench_load *loads, size_t *ret_count, struct tap_error *err)
{
	struct tap_throwaway_options wanted = { .engine = bench->engine,
						.shared_buffers_mb = 128,
						.interrupted = interrupted };
	double empty_ns = 0, untracked_ns = 0;
	int status;

	status = tap_throwaway_start(&wanted, &bench->server, err);
	if (!status)
		status = bench->engine->build(tap_throwaway_conninfo(bench->server), workers_of(bench->options), err);
	if (!status)
		status = open_live(bench);
	if (!status)
		status = measure_untracked(bench, &empty_ns, &untracked_ns, err);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !status && !tap_run_stop; i++) {
		if (!is_wanted(bench, kinds[i]))
			continue;
		status = measure_load(bench, kinds[i], untracked_ns, &loads[*ret_count], err);
		*ret_count += !status;
	}
	return status;
}

static int report(const struct bench *bench, const struct bench_load *loads, size_t count)
{
	const struct tap_options *options = bench->options;
	struct tap_strbuf text;
	int status;

	tap_strbuf_init(&text);
	if (options->format == TAP_FORMAT_JSON)
		print_json(bench, loads, count, &text);
	else if (options->format == TAP_FORMAT_CSV)
		print_csv(bench, loads, count, &text);
	else
		print_text(bench, loads, count, &text);
	status = tap_run_write(options, &text);
	tap_strbuf_done(&text);
	return status;
}

/* The engine, and whether it has what is asked for. */
static int choose(struct bench *bench)
{
	const struct tap_options *options = bench->options;
	char text[128];
	bool any = false;

	bench->engine = tap_bench_engine_or_default(tap_bench_engine_find(options->engine));
	while (strcmp(tap_load_protocol_name(bench->protocol), options->protocol))
		bench->protocol++;
	if (bench->engine->absent) {
		tap_complain(bench->engine->absent);
		return TAP_EXIT_FAILED;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		any |= is_wanted(bench, kinds[i]);
	if (any && bench->engine->protocols >> bench->protocol & 1)
		return TAP_EXIT_OK;
	snprintf(text, sizeof(text), "%s has no %s %s; `dbtap bench --help` lists what there is", bench->engine->name,
		 any ? "protocol" : "load", any ? options->protocol : options->load);
	tap_complain(text);
	return TAP_EXIT_USAGE;
}

static int run(const struct tap_options *options)
{
	struct bench bench = { .options = options };
	struct bench_load loads[2] = { 0 };
	struct tap_error err = { "" };
	size_t count = 0;
	int status;

	if (options->n_arguments != 1 || strcmp(options->arguments[0], "overhead")) {
		tap_complain("the only benchmark is `dbtap bench overhead`");
		return TAP_EXIT_USAGE;
	}
	status = choose(&bench);
	if (status != TAP_EXIT_OK)
		return status;
	tap_run_signals();
	status = measure(&bench, loads, &count, &err);
	tap_live_free(bench.live);
	tap_throwaway_stop(bench.server, NULL);
	if (status && *err.text)
		tap_complain(err.text);
	if (!status && !count)
		tap_complain("interrupted before anything was measured");
	if (!count)
		return TAP_EXIT_FAILED;
	return report(&bench, loads, count) == TAP_EXIT_OK && !status ? TAP_EXIT_OK : TAP_EXIT_FAILED;
}

const struct tap_command tap_command_bench = {
	.name = "bench",
	.summary = "what tracing costs on this host: `bench overhead`",
	.description = "Starts a throwaway PostgreSQL or MariaDB, saturates it, and attaches and destroys the tracer's "
		       "links in "
		       "turn, 400 times and\n"
		       "more, with a null run beside it. Prints the loss of throughput with its 95 % interval and the "
		       "time of a\n"
		       "context switch in the tracer, net of an empty program.",
	.arguments = " overhead",
	.options = TAP_OPTIONS_OUTPUT | TAP_OPTIONS_BENCH,
	.max_arguments = 1,
	.run = run,
};
