// SPDX-License-Identifier: BSD-2-Clause
/* dot.c - the graph of dot.h. */
#include "userspace/output/dot.h"

#include <inttypes.h>
#include <string.h>

#include "userspace/base/number.h"
#include "userspace/output/escape.h"
#include "userspace/output/lock_tree.h"

enum {
	LINE = 60, /* characters of a label's line */
};

/*
 * `text` (raw, hostile) as a part of a quoted label: nothing that a terminal acts on, and none of the characters that
 * mean something to Graphviz (quote, backslash, the & of an entity).
 */
static void add_text(struct tap_strbuf *out, const char *text)
{
	struct tap_strbuf escaped;

	tap_strbuf_init(&escaped);
	tap_escape_text(&escaped, text, LINE);
	for (const char *at = escaped.data; *at; at++) {
		if (*at == '&')
			tap_strbuf_add_string(out, "&amp;");
		else if (*at == '"' || *at == '\\')
			tap_strbuf_printf(out, "\\%c", *at);
		else
			tap_strbuf_add_char(out, *at);
	}
	out->failed |= escaped.failed;
	tap_strbuf_done(&escaped);
}

/* A line of a label that is made from several texts; empties `line`. */
static void add_line(struct tap_strbuf *out, struct tap_strbuf *line)
{
	if (line->size) {
		add_text(out, line->data);
		tap_strbuf_add_string(out, "\\l");
	}
	out->failed |= line->failed;
	tap_strbuf_done(line);
}

static void add_node(struct tap_strbuf *out, const struct tap_lock_tree *tree, size_t place)
{
	const struct tap_lock_node *node = &tree->nodes[place];
	const char *query = tap_lock_node_query(node), *color = "black";
	struct tap_strbuf line;

	if (node->cyclic)
		color = "red";
	else if (!node->wait)
		color = "darkorange";
	tap_strbuf_printf(out, "  n%zu [color=%s, label=\"", place, color);
	tap_strbuf_init(&line);
	tap_lock_node_title(node, &line);
	add_line(out, &line);
	tap_lock_node_what(node, &line);
	add_line(out, &line);
	tap_lock_node_times(node, &line);
	add_line(out, &line);
	tap_strbuf_add_string(&line, query ? query : "");
	add_line(out, &line);
	tap_strbuf_add_string(out, "\"];\n");
}

static void add_edge(struct tap_strbuf *out, const struct tap_lock_tree *tree, const struct tap_lock_link *link)
{
	const char *mode = tree->nodes[link->waiter].wait->lock.mode;

	tap_strbuf_printf(out, "  n%zu -> n%zu", link->waiter, link->blocker);
	if (tap_lock_link_in_queue(tree, link)) {
		tap_strbuf_add_string(out, " [style=dotted, constraint=false];\n");
		return;
	}
	tap_strbuf_add_string(out, " [label=\"");
	add_text(out, mode ? mode : "");
	tap_strbuf_add_string(out, "\"];\n");
}

void tap_dot_render(const struct tap_view *view, struct tap_strbuf *out)
{
	struct tap_lock_tree tree;

	if (tap_lock_tree_make(view, &tree)) {
		out->failed = true;
		return;
	}
	tap_strbuf_add_string(out, "digraph locks {\n  rankdir=RL;\n"
				   "  node [shape=box, fontname=\"monospace\", fontsize=10];\n"
				   "  edge [fontname=\"monospace\", fontsize=9];\n");
	if (!tree.n_waiters)
		tap_strbuf_add_string(out, "  label=\"nobody waits for a lock\";\n");
	for (size_t i = 0; i < tree.n_nodes && tree.n_waiters; i++)
		add_node(out, &tree, tree.order[i]);
	for (size_t i = 0; i < tree.n_links; i++)
		add_edge(out, &tree, &tree.links[i]);
	tap_strbuf_add_string(out, "}\n");
	tap_lock_tree_done(&tree);
}
