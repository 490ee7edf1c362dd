/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_tree.h - who waits for whom, in the order and shape in which it is drawn.
 *
 * Made from a view's current waits and their holders; text_locks, dot and svg draw it. Each process stands once: below
 * the blocker that is nearest to a root. What it waits for beside that is in `links`.
 */
#ifndef TAP_USERSPACE_OUTPUT_LOCK_TREE_H
#define TAP_USERSPACE_OUTPUT_LOCK_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/view.h"
#include "userspace/base/strbuf.h"

#define TAP_LOCK_NO_NODE SIZE_MAX

struct tap_lock_node_key {
	uint32_t instance; /* place in the view's list */
	int32_t pid;
	uint32_t prepared; /* tells prepared transactions apart */
};

struct tap_lock_node {
	struct tap_lock_node_key key; /* first, for the index */
	const char *instance;
	const struct tap_view_lock_holder *holder; /* NULL: blocks nobody, or nothing is known of it */
	const struct tap_view_lock_wait *wait;	   /* NULL: waits for nobody */
	size_t parent;				   /* TAP_LOCK_NO_NODE: a root, or where a cycle was cut open */
	size_t depth;
	size_t first_link; /* of the node's links, which stand together; n_links: none */
	bool visited;
	bool last;   /* of its parent's children */
	bool cyclic; /* waits for itself in the end */
	bool soft;   /* ... but another order of a queue would make an end of that */
};

struct tap_lock_link {
	size_t waiter;
	size_t blocker;
};

struct tap_lock_tree {
	struct tap_lock_node *nodes;
	size_t n_nodes;
	size_t *order;		     /* nodes as they are drawn: each before its children */
	struct tap_lock_link *links; /* those of one waiter together, in the view's order */
	size_t n_links;
	size_t n_waiters;
	size_t n_roots; /* that wait for nobody */
};

/* The tree borrows from the view. 0 or -ENOMEM. */
int tap_lock_tree_make(const struct tap_view *view, struct tap_lock_tree *ret);
void tap_lock_tree_done(struct tap_lock_tree *tree);

/* Whether the link goes to the parent. */
bool tap_lock_link_in_tree(const struct tap_lock_tree *tree, const struct tap_lock_link *link);
/* Whether both wait for the same parent: the place in a queue, which a drawing need not show. */
bool tap_lock_link_in_queue(const struct tap_lock_tree *tree, const struct tap_lock_link *link);

/* Append, raw: "4711", "prepared 742". */
void tap_lock_node_name(const struct tap_lock_node *node, struct tap_strbuf *out);
/* Append, raw: which lock it waits for, or what a holder is and does. */
void tap_lock_node_what(const struct tap_lock_node *node, struct tap_strbuf *out);
/* Append, raw: who it is: "4711 app@shop checkout 10.0.0.7". */
void tap_lock_node_title(const struct tap_lock_node *node, struct tap_strbuf *out);
/* Append, raw: "waits 1.20 s, held at most 3.00 s, blocks 4, cost 9.10 s"; nothing when nothing is known. */
void tap_lock_node_times(const struct tap_lock_node *node, struct tap_strbuf *out);
/* NULL: not known. */
const char *tap_lock_node_query(const struct tap_lock_node *node);

#endif
