/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paired.h - the schedule of an on/off measurement on a host too noisy to compare two runs.
 *
 * One load runs all the time. Short windows with the thing under test attached alternate with windows without it, so
 * that both see the same neighbours, checkpoints and clock speeds. `dbtap bench overhead` calls this with hooks that
 * attach and detach the tracer's links; tests call it with simulated ones. The load is generator.h, the arithmetic
 * estimate.h.
 *
 * Order: window w of an arm is "on" when w has an even number of set bits (the Thue-Morse sequence): on-off-off-on,
 * then off-on-on-off, and so on. Every two windows are a pair, every four a quad in ABBA order, and the mirrored quads
 * keep a disturbance with a period of its own from always meeting the same side.
 *
 * The null run is a second arm with the same order in which nothing is ever attached. Blocks of both arms alternate
 * through the session, so that a slow change of the host meets both. Its ratio shows what this measurement calls "no
 * effect" here: an interval that leaves out 1 means the host or the schedule is not fair, and the real figure is not to
 * be trusted.
 *
 * After every change of state, and where a state stays also, `settle_ms` passes outside the windows: patching code
 * stops all processors for a moment, and what a detach leaves to be freed later would otherwise be charged to "off". In
 * the null arm the time that the last real attach or detach took is slept, so that the windows have the same distance.
 */
#ifndef TAP_USERSPACE_BENCH_PAIRED_H
#define TAP_USERSPACE_BENCH_PAIRED_H

#include <stdbool.h>
#include <stdint.h>

#include "userspace/base/error.h"
#include "userspace/bench/estimate.h"

struct tap_paired_options {
	uint32_t pairs;	      /* of the real arm, rounded up to whole quads; the null arm has as many; 4 to 1,000,000 */
	uint32_t window_ms;   /* 1 to 60,000; 100 to 250 is what works */
	uint32_t settle_ms;   /* 0 to 10,000; 5 to 10 is what works */
	uint32_t block_quads; /* quads of one arm before the other's turn; 0 is 2 */
};

/*
 * All are called in the caller's thread with `context`. A hook that fails returns a negative errno and sets the error.
 * A failed attach has to have cleaned up after itself; detach is called only after an attach that worked.
 */
struct tap_paired_hooks {
	void *context;
	int (*attach)(void *context, struct tap_error *err);
	int (*detach)(void *context, struct tap_error *err);
	int (*read)(void *context, uint64_t *ret_count, struct tap_error *err);	    /* work done so far, never falls */
	bool (*interrupted)(void *context);					    /* optional: stop early */
	void (*progress)(void *context, uint32_t quads_done, uint32_t quads_total); /* optional; both arms counted */
	/* Optional, both or none, for tests: CLOCK_MONOTONIC and a sleep that a signal may cut short. */
	uint64_t (*now_ns)(void *context);
	void (*sleep_until_ns)(void *context, uint64_t until_ns);
};

struct tap_paired_result {
	bool partial;		  /* interrupted: fewer quads than asked for */
	uint32_t real_pairs;	  /* used; of whole quads only */
	uint32_t null_pairs;	  /* 0: interrupted before two quads of the null run; null_run and corrected are 0 */
	struct tap_estimate real; /* as measured: this is the figure to report ... */
	struct tap_estimate null_run;  /* ... beside this one */
	struct tap_interval corrected; /* real.ratio / null_run.ratio, see tap_estimate_correct */
	uint64_t attach_mean_ns;       /* what the toggles themselves took */
	uint64_t attach_max_ns;
	uint64_t detach_mean_ns;
	uint64_t detach_max_ns;
	uint64_t elapsed_ns;
};

/*
 * Runs the schedule. On every return nothing is attached, unless detach itself failed, which is then the error. An
 * interrupt with at least two real quads finished gives a partial result and 0, with fewer -EINTR. Other errors: a
 * hook's own, -EINVAL (options), -ENODATA (the load stood still), -EPROTO (the counter fell), -ENOMEM.
 */
int tap_paired_run(const struct tap_paired_options *options, const struct tap_paired_hooks *hooks,
		   struct tap_paired_result *ret, struct tap_error *err);

/* What the windows and settle times add up to; the toggles come on top. */
uint64_t tap_paired_planned_ms(const struct tap_paired_options *options);

#endif
