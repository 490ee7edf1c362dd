/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dot.h - who waits for whom as a graph in Graphviz' language.
 *
 * A node a process or prepared transaction, an edge from each waiter to each blocker. Edges that say no more than the
 * order of a queue are dotted and have no influence on the layout.
 */
#ifndef TAP_USERSPACE_OUTPUT_DOT_H
#define TAP_USERSPACE_OUTPUT_DOT_H

#include "correlate/view.h"
#include "userspace/base/strbuf.h"

/* Append one digraph. Out of memory shows in out->failed. */
void tap_dot_render(const struct tap_view *view, struct tap_strbuf *out);

#endif
