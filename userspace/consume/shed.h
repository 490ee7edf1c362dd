/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shed.h - keeps statement depth inside its budget: looks at what the probes cost, and moves them as the governor says.
 */
#ifndef TAP_USERSPACE_CONSUME_SHED_H
#define TAP_USERSPACE_CONSUME_SHED_H

#include <stdbool.h>

#include "correlate/snapshot.h"
#include "userspace/consume/cost.h"
#include "userspace/consume/governor.h"
#include "userspace/consume/instances.h"

struct tap_shed {
	struct tap_governor governor;
	uint64_t hits; /* at the last look */
	int64_t wall_ns;
	int64_t look_ms;    /* when the next look is due */
	int64_t refresh_ms; /* ... and when those that are probed are chosen anew */
	bool partial;	    /* not all sessions were probed at some time of this window */
	uint64_t steps;	    /* in this window */
};

void tap_shed_init(struct tap_shed *shed, double budget_percent);

/* A window begins, at which the tracer had counted so many traps. */
void tap_shed_begin(struct tap_shed *shed);

/*
 * Looks if that is due. `known`: a snapshot, of any age: whose threads it knows to be no clients are not chosen. True:
 * a step was taken, *ret says which.
 */
bool tap_shed_look(struct tap_shed *shed, struct tap_tracer *tracer, const struct tap_cost *cost,
		   const struct tap_instances *instances, const struct tap_snapshot *known, struct tap_error *ret);

/* Which sessions are probed: "all", "some", "few" or "none". */
const char *tap_shed_level_name(enum tap_governor_level level);

#endif
