/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * governor.h - how much of statement depth the budget leaves room for: all sessions, some of them, none.
 *
 * Decides and does nothing: live.c hands it what the probes cost and moves them where it says. Sheds at once, as far as
 * the cost seen demands; returns one step at a time, after a while that doubles each time a return was a mistake.
 */
#ifndef TAP_USERSPACE_CONSUME_GOVERNOR_H
#define TAP_USERSPACE_CONSUME_GOVERNOR_H

#include <stdint.h>

enum tap_governor_level {
	TAP_GOVERNOR_ALL,
	TAP_GOVERNOR_SOME, /* a fourth of the sessions */
	TAP_GOVERNOR_FEW,  /* a sixteenth */
	TAP_GOVERNOR_NONE,
	TAP_GOVERNOR_LEVELS,
};

enum {
	TAP_GOVERNOR_LOOK_MS = 250, /* from one look to the next */
	TAP_GOVERNOR_HOLD_MS = 5000,
	TAP_GOVERNOR_HOLD_MAX_MS = 120000,
};

struct tap_governor {
	double budget_percent;
	enum tap_governor_level level;
	double share;	     /* of the sessions that are probed, 0 to 1: as it came out */
	int64_t hold_ms;     /* how long it must have been well below the budget before a step back */
	int64_t below_ms;    /* since when it has been; 0: it is not */
	int64_t returned_ms; /* when the last step back was; 0: none */
	int over;	     /* looks above the budget in a row */
};

void tap_governor_init(struct tap_governor *governor, double budget_percent);

/* The part of the sessions that a level probes. */
double tap_governor_share(enum tap_governor_level level);

/*
 * What the probes cost since the last look, percent of a core; negative: not known. The level to be at from here on.
 * Whoever moves the probes sets `share` to what it came to.
 */
enum tap_governor_level tap_governor_look(struct tap_governor *governor, int64_t now_ms, double percent);

#endif
