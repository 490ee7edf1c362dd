// SPDX-License-Identifier: BSD-2-Clause
/* cost.c - run statistics, rusage, and a trap tried on ourselves. */
#include "userspace/consume/cost.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "userspace/attach/maps.h"
#include "userspace/base/clock.h"

enum {
	LEAST_RUNS = 20,
};

static uint64_t hits_of(const struct tap_tracer *tracer)
{
	struct tap_tracer_counters counters;

	tap_tracer_counters(tracer, &counters);
	return counters.statement_hits;
}

void tap_cost_begin(struct tap_cost *cost, const struct tap_tracer *tracer)
{
	cost->cpu_begin_ns = tap_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	cost->wall_begin_ns = tap_clock_ns(CLOCK_MONOTONIC);
	cost->hits_begin = hits_of(tracer);
	cost->program_ns = 0;
	cost->sampled_ns = 0;
}

/* A sample of a few runs says little. */
static void end_sample(struct tap_cost *cost, const struct tap_tracer *tracer, uint64_t runs_before, uint64_t ns_before)
{
	uint64_t runs, ns;

	if (!tap_tracer_stats_calls(tracer, &runs, &ns) && runs - runs_before >= LEAST_RUNS)
		cost->end_ns = (double)(ns - ns_before) / (double)(runs - runs_before);
}

void tap_cost_sample(struct tap_cost *cost, struct tap_tracer *tracer, int milliseconds)
{
	struct timespec wait = { .tv_nsec = milliseconds * 1000000l };
	uint64_t runs, before_ns, after_ns, end_runs = 0, end_ns = 0;
	int64_t began_ns;
	bool ends;

	if (tap_tracer_stats_on(tracer))
		return;
	began_ns = tap_clock_ns(CLOCK_MONOTONIC);
	ends = !tap_tracer_stats_calls(tracer, &end_runs, &end_ns);
	if (!tap_tracer_stats(tracer, &runs, &before_ns)) {
		nanosleep(&wait, NULL);
		if (!tap_tracer_stats(tracer, &runs, &after_ns)) {
			cost->program_ns += after_ns - before_ns;
			cost->sampled_ns += tap_clock_ns(CLOCK_MONOTONIC) - began_ns;
		}
	}
	if (ends)
		end_sample(cost, tracer, end_runs, end_ns);
	tap_tracer_stats_off(tracer);
}

/* Resident bytes of this process; -1: not to be had. */
static int64_t resident_bytes(void)
{
	long long size = 0, resident = -1;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return -1;
	if (fscanf(file, "%lld %lld", &size, &resident) != 2)
		resident = -1;
	fclose(file);
	return resident < 0 ? -1 : resident * sysconf(_SC_PAGESIZE);
}

void tap_cost_end(const struct tap_cost *cost, const struct tap_tracer *tracer, struct tap_window_cost *ret)
{
	double wall_ns = (double)(tap_clock_ns(CLOCK_MONOTONIC) - cost->wall_begin_ns);
	uint64_t hits = hits_of(tracer) - cost->hits_begin;

	ret->bpf_cpu_percent = cost->sampled_ns ? 100.0 * (double)cost->program_ns / (double)cost->sampled_ns : -1;
	ret->trap_cpu_percent = !hits ? 0 : cost->trap_ns < 0 ? -1 : 100.0 * (double)hits * cost->trap_ns / wall_ns;
	ret->tool_cpu_percent = 100.0 * (double)(tap_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cost->cpu_begin_ns) / wall_ns;
	ret->tool_rss_bytes = resident_bytes();
}

double tap_cost_trap_rate(const struct tap_cost *cost, const struct tap_tracer *tracer, uint64_t *hits,
			  int64_t *wall_ns)
{
	uint64_t hits_now = hits_of(tracer);
	int64_t now = tap_clock_ns(CLOCK_MONOTONIC);
	double rate = -1;

	if (cost->trap_ns >= 0 && now > *wall_ns)
		rate = 100.0 * (double)(hits_now - *hits) * (cost->trap_ns + cost->end_ns) / (double)(now - *wall_ns);
	*hits = hits_now;
	*wall_ns = now;
	return rate;
}

/*
 * A function that begins like the one that is probed in the server: with a push, which the kernel emulates. With a
 * counter of `make coverage` in front of it that counter would be probed, and cannot be.
 */
#if defined(__x86_64__)
__attribute__((naked, noinline, no_profile_instrument_function)) static void trap_here(void)
{
	__asm__ volatile("push %rbp\n\tpop %rbp\n\tret");
}
#else
__attribute__((noinline)) static void trap_here(void)
{
	__asm__ volatile("");
}
#endif

/* Place of a function of ours in our own binary; 0: not found. */
static uint64_t file_offset(void (*function)(void))
{
	uint64_t address = (uint64_t)(uintptr_t)function, offset = 0;
	const struct tap_map *map;
	struct tap_maps maps;

	if (tap_maps_read("/proc", getpid(), &maps))
		return 0;
	map = tap_maps_at(&maps, address, 1);
	if (map)
		offset = address - map->start + map->offset;
	tap_maps_done(&maps);
	return offset;
}

/* Fastest of a few rounds: what disturbs only makes a round slower. */
static double calls_ns(int count)
{
	void (*volatile function)(void) = trap_here;
	int64_t best_ns = INT64_MAX;

	for (int round = 0; round < 5; round++) {
		int64_t began_ns = tap_clock_ns(CLOCK_MONOTONIC), took_ns;

		for (int i = 0; i < count; i++)
			function();
		took_ns = tap_clock_ns(CLOCK_MONOTONIC) - began_ns;
		if (took_ns < best_ns)
			best_ns = took_ns;
	}
	return (double)best_ns / count;
}

double tap_cost_calibrate_trap(struct tap_tracer *tracer)
{
	uint64_t offset = file_offset(trap_here);
	double bare_ns = calls_ns(1000), trapped_ns;

	if (!offset || tap_tracer_attach_trap(tracer, "/proc/self/exe", offset))
		return -1;
	trapped_ns = calls_ns(1000);
	tap_tracer_detach_trap(tracer);
	return trapped_ns > bare_ns ? trapped_ns - bare_ns : -1;
}
