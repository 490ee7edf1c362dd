/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_chain.h - where each process stands among those who wait for locks: how far from whom it all hangs on, and what
 * it costs the others; private to correlate/model.
 */
#ifndef TAP_CORRELATE_MODEL_LOCK_CHAIN_H
#define TAP_CORRELATE_MODEL_LOCK_CHAIN_H

#include "correlate/lock.h"

#define TAP_LOCK_NO_NODE SIZE_MAX

/* A parallel group, a process that is in none, or a prepared transaction. */
struct tap_lock_node {
	int32_t pid;  /* of the leader; 0: a prepared transaction */
	uint32_t xid; /* of that */
	bool waits;   /* one of its members does */
	bool blocks;  /* somebody waits for it */
	bool in_cycle;
	size_t depth;	  /* 0: waits for nobody; 1: for one of those; from 1 in and behind a cycle, too */
	size_t root;	  /* the node its chain ends in; NO_NODE: a cycle */
	uint64_t waiting; /* members that wait */
	int64_t wait_ns;  /* they have waited so far */
	uint64_t victims; /* processes that wait for it, directly or not */
	int64_t cost_ns;  /* they have waited so far */
	size_t first;	  /* of `incoming`: edges whose waiters wait for it; up to the next node's */
};

struct tap_lock_chain {
	const struct tap_lock_table *table;
	const struct tap_lock_graph *graph;
	struct tap_lock_node *nodes; /* by pid, xid; one more at the end, for `first` */
	size_t n_nodes;
	size_t *incoming; /* places of graph->edges by blocker, hard ones first */
	bool cut;	  /* too many to follow them all: victims of some who wait themselves are the direct ones */
};

/* Borrows both. 0 or -ENOMEM. */
int tap_lock_chain_make(const struct tap_lock_table *table, const struct tap_lock_graph *graph,
			struct tap_lock_chain *ret);
void tap_lock_chain_done(struct tap_lock_chain *chain);

/* The node of a process or prepared transaction; NO_NODE: it neither waits nor blocks. A member's is its leader's. */
size_t tap_lock_chain_find(const struct tap_lock_chain *chain, int32_t leader_pid, uint32_t xid);
/* The waiter's node of an edge. */
size_t tap_lock_chain_waiter(const struct tap_lock_chain *chain, const struct tap_lock_edge *edge);

/* How long the process of an entry has waited by the time the table was read; -1: it does not, or it is not known. */
int64_t tap_lock_waiting_ns(const struct tap_lock_table *table, const struct tap_lock_entry *entry);

#endif
