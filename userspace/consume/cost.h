/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cost.h - what dbtap itself costs: its programs in the kernel, its traps in the databases, its own CPU and memory.
 */
#ifndef TAP_USERSPACE_CONSUME_COST_H
#define TAP_USERSPACE_CONSUME_COST_H

#include "correlate/model/window.h"
#include "userspace/load/tracer.h"

/*
 * Program time is sampled: the kernel's run statistics cost something themselves, so they are on for a short while in
 * every interval only.
 */
struct tap_cost {
	int64_t cpu_begin_ns; /* own CPU and wall clock at the window's begin */
	int64_t wall_begin_ns;
	uint64_t hits_begin;
	uint64_t program_ns; /* within the samples */
	int64_t sampled_ns;
	double trap_ns; /* calibrated, with a program that returns at once; negative: not known */
	double end_ns;	/* ... and what the program takes besides, as last sampled; 0: not yet */
};

/* Begins a window. */
void tap_cost_begin(struct tap_cost *cost, const struct tap_tracer *tracer);
/* Switches statistics on for `milliseconds` and adds what the programs took. Failures leave the figure absent. */
void tap_cost_sample(struct tap_cost *cost, struct tap_tracer *tracer, int milliseconds);
/* The figures of the window up to now. */
void tap_cost_end(const struct tap_cost *cost, const struct tap_tracer *tracer, struct tap_window_cost *ret);

/* Time of one trap, tried on a function of our own; negative when it cannot be had. Takes some milliseconds. */
double tap_cost_calibrate_trap(struct tap_tracer *tracer);

/* Percent of one core that traps and their program took since `*hits` at `*wall_ns`; moves both to now. Negative: not
 * known. */
double tap_cost_trap_rate(const struct tap_cost *cost, const struct tap_tracer *tracer, uint64_t *hits,
			  int64_t *wall_ns);

#endif
