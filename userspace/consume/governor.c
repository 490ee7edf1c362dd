// SPDX-License-Identifier: BSD-2-Clause
/* governor.c - the steps and when they are taken. */
#include "userspace/consume/governor.h"

/* Slightly above the budget may be a moment's: it takes two looks. Far above takes one. */
#define FAR_ABOVE 1.5
/* What a step down must come to, and what a step back may. Between the two nothing changes. */
#define SHED_TO 0.8
#define RETURN_BELOW 0.6

void tap_governor_init(struct tap_governor *governor, double budget_percent)
{
	*governor = (struct tap_governor){
		.budget_percent = budget_percent,
		.share = 1,
		.hold_ms = TAP_GOVERNOR_HOLD_MS,
	};
}

double tap_governor_share(enum tap_governor_level level)
{
	static const double shares[TAP_GOVERNOR_LEVELS] = { 1, 0.25, 0.0625, 0 };

	return level < TAP_GOVERNOR_LEVELS ? shares[level] : 0;
}

/* What another level would cost, by what this one does. */
static double cost_at(const struct tap_governor *governor, enum tap_governor_level level, double percent)
{
	return governor->share > 0 ? percent / governor->share * tap_governor_share(level) : 0;
}

static void shed(struct tap_governor *governor, int64_t now_ms, double percent)
{
	enum tap_governor_level level = governor->level + 1;

	while (level < TAP_GOVERNOR_NONE && cost_at(governor, level, percent) > SHED_TO * governor->budget_percent)
		level++;
	/* The last step back was a mistake: the next one waits longer. */
	if (governor->returned_ms && now_ms - governor->returned_ms < 2 * governor->hold_ms &&
	    governor->hold_ms < TAP_GOVERNOR_HOLD_MAX_MS)
		governor->hold_ms *= 2;
	governor->level = level;
	governor->below_ms = 0;
	governor->over = 0;
}

static void step_back(struct tap_governor *governor, int64_t now_ms)
{
	governor->level--;
	governor->returned_ms = now_ms;
	governor->below_ms = 0;
}

/* A step back that has held for long was none. */
static void forgive(struct tap_governor *governor, int64_t now_ms)
{
	if (governor->returned_ms && now_ms - governor->returned_ms > 4 * governor->hold_ms) {
		governor->hold_ms = TAP_GOVERNOR_HOLD_MS;
		governor->returned_ms = 0;
	}
}

enum tap_governor_level tap_governor_look(struct tap_governor *governor, int64_t now_ms, double percent)
{
	enum tap_governor_level back = governor->level ? governor->level - 1 : governor->level;

	/* Where nothing is probed nothing is known: a few sessions are tried after a while. */
	if (percent < 0 && governor->level != TAP_GOVERNOR_NONE)
		return governor->level;
	governor->over = percent > governor->budget_percent ? governor->over + 1 : 0;
	if (governor->over >= 2 || percent > FAR_ABOVE * governor->budget_percent) {
		if (governor->level < TAP_GOVERNOR_NONE)
			shed(governor, now_ms, percent);
		return governor->level;
	}
	forgive(governor, now_ms);
	if (governor->level == TAP_GOVERNOR_ALL)
		return governor->level;
	if (cost_at(governor, back, percent) > RETURN_BELOW * governor->budget_percent) {
		governor->below_ms = 0;
		return governor->level;
	}
	if (!governor->below_ms)
		governor->below_ms = now_ms;
	else if (now_ms - governor->below_ms >= governor->hold_ms)
		step_back(governor, now_ms);
	return governor->level;
}
