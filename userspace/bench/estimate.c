// SPDX-License-Identifier: BSD-2-Clause
/* estimate.c - ratio of means, its interval, quartiles. Called by paired.c; the reasons are in estimate.h. */
#include "userspace/bench/estimate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define NORMAL_975 1.959963984540054

double tap_estimate_t975(size_t freedom)
{
	static const double small[] = { 12.7062, 12.7062, 4.30265, 3.18245, 2.77645, 2.57058 };
	double v = (double)freedom, z = NORMAL_975;

	if (freedom < sizeof(small) / sizeof(small[0]))
		return small[freedom];
	/* The Cornish-Fisher series of t around the normal quantile, Abramowitz and Stegun 26.7.5. */
	return z + (pow(z, 3) + z) / (4 * v) + (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * v * v) +
	       (3 * pow(z, 7) + 19 * pow(z, 5) + 17 * pow(z, 3) - 15 * z) / (384 * v * v * v);
}

static int check_quads(const struct tap_quad *quads, size_t count)
{
	if (!quads || count < 2)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (!isfinite(quads[i].on) || !isfinite(quads[i].off) || quads[i].on < 0 || quads[i].off < 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < count; i++) {
		if (quads[i].off <= 0)
			return -ENODATA;
	}
	return 0;
}

static void set_means(const struct tap_quad *quads, size_t count, struct tap_estimate *estimate)
{
	double on = 0, off = 0;

	for (size_t i = 0; i < count; i++) {
		on += quads[i].on;
		off += quads[i].off;
	}
	estimate->quads = count;
	estimate->on_per_second = on / (double)count;
	estimate->off_per_second = off / (double)count;
	estimate->ratio.value = on / off;
}

static void set_interval(const struct tap_quad *quads, size_t count, struct tap_estimate *estimate)
{
	double squares = 0, products = 0, previous = 0, half;

	for (size_t i = 0; i < count; i++) {
		double residual = quads[i].on - estimate->ratio.value * quads[i].off;

		squares += residual * residual;
		products += residual * previous;
		previous = residual;
	}
	estimate->error = sqrt(squares / (double)(count - 1) / (double)count) / estimate->off_per_second;
	estimate->lag1 = squares > 0 ? products / squares : 0;
	half = tap_estimate_t975(count - 1) * estimate->error;
	estimate->ratio.low = estimate->ratio.value - half;
	estimate->ratio.high = estimate->ratio.value + half;
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* Linear interpolation between the neighbouring order statistics. */
static double quantile(const double *sorted, size_t count, double share)
{
	double at = share * (double)(count - 1);
	size_t below = (size_t)at;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* How many order statistics lie outside the median's interval on each side: binomial(n, 1/2), normal approximation. */
static size_t median_outside(size_t count)
{
	double rank = floor((double)count / 2 - NORMAL_975 / 2 * sqrt((double)count));

	return count < 6 || rank < 1 ? 0 : (size_t)rank - 1;
}

static int set_quartiles(const struct tap_quad *quads, size_t count, struct tap_estimate *estimate)
{
	double *ratios = calloc(count, sizeof(*ratios));
	size_t outside = median_outside(count);

	if (!ratios)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		ratios[i] = quads[i].on / quads[i].off;
	qsort(ratios, count, sizeof(*ratios), compare_doubles);
	for (int i = 0; i < 3; i++)
		estimate->quartile[i] = quantile(ratios, count, 0.25 * (i + 1));
	estimate->median.value = estimate->quartile[1];
	estimate->median.low = ratios[outside];
	estimate->median.high = ratios[count - 1 - outside];
	free(ratios);
	return 0;
}

int tap_estimate_make(const struct tap_quad *quads, size_t count, struct tap_estimate *ret)
{
	struct tap_estimate estimate = { 0 };
	int err = check_quads(quads, count);

	if (err)
		return err;
	set_means(quads, count, &estimate);
	set_interval(quads, count, &estimate);
	err = set_quartiles(quads, count, &estimate);
	if (!err)
		*ret = estimate;
	return err;
}

struct tap_interval tap_estimate_correct(const struct tap_estimate *real, const struct tap_estimate *null_run)
{
	size_t fewer = real->quads < null_run->quads ? real->quads : null_run->quads;
	struct tap_interval corrected = { 0 };
	double half;

	if (real->ratio.value <= 0 || null_run->ratio.value <= 0)
		return corrected;
	half = tap_estimate_t975(fewer ? fewer - 1 : 0) *
	       hypot(real->error / real->ratio.value, null_run->error / null_run->ratio.value);
	corrected.value = real->ratio.value / null_run->ratio.value;
	corrected.low = corrected.value * exp(-half);
	corrected.high = corrected.value * exp(half);
	return corrected;
}

struct tap_interval tap_estimate_overhead_percent(struct tap_interval ratio)
{
	return (struct tap_interval){
		.value = 100 * (1 - ratio.value),
		.low = 100 * (1 - ratio.high),
		.high = 100 * (1 - ratio.low),
	};
}
