/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_cycle.h - the cycles of a wait-for graph; for lock_graph.c.
 */
#ifndef TAP_CORRELATE_LOCK_CYCLE_H
#define TAP_CORRELATE_LOCK_CYCLE_H

#include "correlate/lock.h"

/* Fills the cycles of a graph that has its edges, sorted, and no cycles yet. 0 or -ENOMEM. */
int tap_lock_cycles_find(const struct tap_lock_table *table, struct tap_lock_graph *graph);

#endif
