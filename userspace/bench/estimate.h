/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * estimate.h - what a paired on/off measurement says: a ratio with its interval.
 *
 * Pure arithmetic over finished rates; paired.c produces them, commands print the result. No clock, no processes here.
 *
 * The unit is a quad: two neighbouring pairs of windows in the order on-off-off-on or its mirror image, so that a
 * steady drift over its four windows adds the same to both sides and cancels. Pairs alone would carry the drift as
 * noise of alternating sign.
 *
 * The estimate is the ratio of means, R = mean(on) / mean(off): what a user loses in work done, where a mean of ratios
 * would give a slow moment the same weight as a fast one. With residuals e = on - R * off per quad, its standard error
 * is sd(e) / (sqrt(n) * mean(off)) and the interval R +- t(0.975, n - 1) * error: the linearised (delta method)
 * variance of the textbook ratio estimator, e.g. W. G. Cochran, Sampling Techniques, 3rd edition, sections 2.11
 * and 6.4. Chosen over a bootstrap because it needs no random numbers, gives the same answer each time, and its t
 * quantile stays honest for the few quads of an interrupted run. The residuals of neighbouring quads should be
 * unrelated; `lag1` says whether they were.
 *
 * Nothing is dropped. Quartiles and the median with its own distribution-free interval stand beside the ratio: a median
 * far from it says that a few windows made the figure.
 */
#ifndef TAP_USERSPACE_BENCH_ESTIMATE_H
#define TAP_USERSPACE_BENCH_ESTIMATE_H

#include <stddef.h>

/* Mean rates of one quad's windows, work per second. */
struct tap_quad {
	double on;
	double off;
};

/* A figure with the ends of its 95 % interval. */
struct tap_interval {
	double value;
	double low;
	double high;
};

struct tap_estimate {
	size_t quads;		   /* each is two pairs */
	struct tap_interval ratio; /* mean(on) / mean(off); 1 is no effect, below 1 a loss */
	double error;		   /* standard error of `ratio` */
	double quartile[3];	   /* of the quads' own ratios on / off: 25 %, 50 %, 75 % */
	struct tap_interval
		median;	      /* quartile[1] with its interval from order statistics; fewer than 6 quads: min, max */
	double on_per_second; /* mean rates */
	double off_per_second;
	double lag1; /* correlation of neighbouring residuals; clearly above 0: the interval is too narrow */
};

/*
 * Needs at least two quads of finite rates that are not negative: -EINVAL. -ENODATA when nothing was done while off or
 * in one quad while off (a ratio needs a divisor). -ENOMEM.
 */
int tap_estimate_make(const struct tap_quad *quads, size_t count, struct tap_estimate *ret);

/*
 * `real` with what the null run shows taken out: the ratio of both ratios, its interval from the sum of both relative
 * variances on the log scale (the two arms share no window). The null run's expectation is 1, so this adds noise and is
 * worth a look only when the null run itself is off 1.
 */
struct tap_interval tap_estimate_correct(const struct tap_estimate *real, const struct tap_estimate *null_run);

/* A ratio as percent lost: 0.99 [0.98, 1.01] becomes 1 [-1, 2]. */
struct tap_interval tap_estimate_overhead_percent(struct tap_interval ratio);

/* The 0.975 quantile of Student's t; `freedom` 0 counts as 1. Within 0.1 % of the tables. */
double tap_estimate_t975(size_t freedom);

#endif
