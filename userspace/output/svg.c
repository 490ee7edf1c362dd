// SPDX-License-Identifier: BSD-2-Clause
/* svg.c - the picture of svg.h: a column for each level of the tree, a line for each leaf. */
#include "userspace/output/svg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/base/number.h"
#include "userspace/output/escape.h"
#include "userspace/output/lock_tree.h"
#include "userspace/output/moment.h"

enum {
	BOX_WIDTH = 400,
	BOX_HEIGHT = 90,
	STEP_X = BOX_WIDTH + 70,
	STEP_Y = BOX_HEIGHT + 20,
	MARGIN = 20,
	HEAD = 52,
	ABOVE = 10, /* of a box: where an arrow against the flow passes */
	LINE_HEIGHT = 16,
	LINE_CHARACTERS = 52, /* of 7.3 pixels at most fit into a box */
	TOOLTIP = 2000,	      /* characters of a query */
	NODES_MAX = 1000,     /* drawn; a picture of more is of no use to anyone */
	DEPTH_MAX = 100,
};

struct picture {
	const struct tap_lock_tree *tree;
	size_t count; /* nodes drawn: the first ones of the order */
	bool *drawn;
	size_t *line; /* of each node */
	size_t lines;
	size_t columns;
	struct tap_strbuf *out;
};

/* `text` (raw, hostile) as character data: nothing XML forbids or acts on is left. */
static void add_text(struct tap_strbuf *out, const char *text, size_t columns)
{
	struct tap_strbuf escaped;

	tap_strbuf_init(&escaped);
	tap_escape_text(&escaped, text, columns);
	for (const char *at = escaped.data; *at; at++) {
		switch (*at) {
		case '<':
			tap_strbuf_add_string(out, "&lt;");
			break;
		case '>':
			tap_strbuf_add_string(out, "&gt;");
			break;
		case '&':
			tap_strbuf_add_string(out, "&amp;");
			break;
		case '"':
			tap_strbuf_add_string(out, "&quot;");
			break;
		case '\'':
			tap_strbuf_add_string(out, "&#39;");
			break;
		default:
			tap_strbuf_add_char(out, *at);
			break;
		}
	}
	out->failed |= escaped.failed;
	tap_strbuf_done(&escaped);
}

static size_t column_of(const struct tap_lock_node *node)
{
	return node->depth < DEPTH_MAX ? node->depth : DEPTH_MAX;
}

static size_t left_of(const struct picture *picture, size_t place)
{
	return MARGIN + column_of(&picture->tree->nodes[place]) * STEP_X;
}

static size_t top_of(const struct picture *picture, size_t place)
{
	return HEAD + picture->line[place] * STEP_Y;
}

/* A node stands in the line of its first child: each that is no first child begins a line. */
static void lay_out(struct picture *picture)
{
	const struct tap_lock_tree *tree = picture->tree;

	for (size_t i = 0; i < picture->count; i++) {
		size_t place = tree->order[i], parent = tree->nodes[place].parent;
		bool first = parent != TAP_LOCK_NO_NODE && i && tree->order[i - 1] == parent;

		if (!first && i)
			picture->lines++;
		picture->line[place] = picture->lines;
		picture->drawn[place] = true;
		if (column_of(&tree->nodes[place]) + 1 > picture->columns)
			picture->columns = column_of(&tree->nodes[place]) + 1;
	}
	picture->lines++;
}

/* Prints `line` (raw) as the n-th of a box, and empties it. */
static void add_line(struct picture *picture, size_t place, unsigned n, const char *style, struct tap_strbuf *line)
{
	tap_strbuf_printf(picture->out, "<text x=\"%zu\" y=\"%zu\"%s>", left_of(picture, place) + 10,
			  top_of(picture, place) + n * LINE_HEIGHT, style);
	add_text(picture->out, line->data, LINE_CHARACTERS);
	tap_strbuf_add_string(picture->out, "</text>");
	picture->out->failed |= line->failed;
	tap_strbuf_done(line);
}

static const char *class_of(const struct tap_lock_node *node)
{
	if (node->cyclic)
		return node->soft ? "cycle soft" : "cycle";
	return node->wait ? "waiter" : "root";
}

/* Which lock; or what a holder is and does. */
static void put_lock(const struct tap_lock_node *node, struct tap_strbuf *line)
{
	const struct tap_view_lock *lock = node->wait ? &node->wait->lock : NULL;

	if (!lock)
		tap_lock_node_what(node, line);
	else
		tap_strbuf_add_string(line, lock->name	     ? lock->name
					    : lock->relation ? lock->relation
					    : lock->type     ? lock->type
							     : "");
}

static void put_wait(const struct tap_lock_node *node, struct tap_strbuf *line)
{
	char number[TAP_NUMBER_MAX];

	if (!node->wait)
		return;
	tap_strbuf_add_string(line, node->wait->lock.mode ? node->wait->lock.mode : "");
	if (node->wait->waiting_ns >= 0)
		tap_strbuf_printf(line, "%swaits %s", line->size ? ", " : "",
				  tap_number_ns(number, node->wait->waiting_ns));
}

/* What it does to others: its own wait stands in the line before. */
static void put_held(const struct tap_lock_node *node, struct tap_strbuf *line)
{
	struct tap_lock_node holder = *node;

	holder.wait = NULL;
	tap_lock_node_times(&holder, line);
}

static void add_box(struct picture *picture, size_t place)
{
	const struct tap_lock_node *node = &picture->tree->nodes[place];
	const char *query = tap_lock_node_query(node);
	struct tap_strbuf line;
	unsigned n = 2;

	tap_strbuf_printf(picture->out, "<g class=\"%s\"><title>", class_of(node));
	tap_strbuf_init(&line);
	tap_lock_node_title(node, &line);
	tap_strbuf_printf(&line, " - ");
	tap_lock_node_what(node, &line);
	tap_strbuf_printf(&line, " - %s", query ? query : "");
	add_text(picture->out, line.data, TOOLTIP);
	picture->out->failed |= line.failed;
	tap_strbuf_done(&line);
	tap_strbuf_printf(picture->out, "</title><rect x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\" rx=\"5\"/>",
			  left_of(picture, place), top_of(picture, place), BOX_WIDTH, BOX_HEIGHT);
	tap_lock_node_title(node, &line);
	add_line(picture, place, 1, " class=\"who\"", &line);
	put_lock(node, &line);
	add_line(picture, place, n++, "", &line);
	put_wait(node, &line);
	if (line.size)
		add_line(picture, place, n++, "", &line);
	put_held(node, &line);
	if (line.size)
		add_line(picture, place, n++, "", &line);
	tap_strbuf_add_string(&line, query ? query : "");
	add_line(picture, place, n, " class=\"query\"", &line);
	tap_strbuf_add_string(picture->out, "</g>\n");
}

/*
 * From the waiter's left side to the blocker's right one, many to one as one trunk; where the blocker does not stand
 * left of it, from top to top, above what stands between them.
 */
static void add_arrow(struct picture *picture, const struct tap_lock_link *link)
{
	const char *look = tap_lock_link_in_tree(picture->tree, link) ? "edge" : "edge far";
	size_t x1 = left_of(picture, link->waiter), x2 = left_of(picture, link->blocker) + BOX_WIDTH;
	size_t y1 = top_of(picture, link->waiter), y2 = top_of(picture, link->blocker);

	if (x1 > x2)
		tap_strbuf_printf(picture->out, "<path class=\"%s\" d=\"M%zu %zuH%zuV%zuH%zu\"/>\n", look, x1,
				  y1 + BOX_HEIGHT / 2, x1 - (STEP_X - BOX_WIDTH) / 2, y2 + BOX_HEIGHT / 2, x2 + 2);
	else
		tap_strbuf_printf(picture->out, "<path class=\"%s\" d=\"M%zu %zuV%zuH%zuV%zu\"/>\n", look,
				  x1 + BOX_WIDTH / 2, y1, (y1 < y2 ? y1 : y2) - ABOVE, x2 - BOX_WIDTH / 2 - ABOVE,
				  y2 - 2);
}

static const char style[] =
	"text{font:12px monospace;fill:#222}.head,.who{font-weight:bold}.query{fill:#555}"
	"rect{fill:#f4f7fb;stroke:#5b7fa6}.root rect{fill:#fff3e0;stroke:#c77700}"
	".cycle rect{fill:#fdecea;stroke:#c62828}.soft rect{stroke-dasharray:5 4}.page{fill:#fff;stroke:none}"
	".edge{fill:none;stroke:#555;marker-end:url(#to)}.far{stroke-dasharray:5 4;stroke:#c62828}#to path{fill:#555}"
	"@media(prefers-color-scheme:dark){text{fill:#ddd}.query{fill:#aaa}.page{fill:#17191c}"
	"rect{fill:#212a35;stroke:#6d93bd}.root rect{fill:#3a2c14;stroke:#e0962a}"
	".cycle rect{fill:#401d1c;stroke:#ef6a63}.edge{stroke:#aaa}.far{stroke:#ef6a63}#to path{fill:#aaa}}";

static void add_head(struct picture *picture, const struct tap_view *view)
{
	const struct tap_lock_tree *tree = picture->tree;
	size_t columns = picture->columns ? picture->columns : 1;
	size_t width = 2 * MARGIN + (columns - 1) * STEP_X + BOX_WIDTH;
	size_t height = HEAD + picture->lines * STEP_Y + MARGIN;
	char moment[TAP_MOMENT_MAX];
	struct tap_strbuf line;

	tap_strbuf_printf(
		picture->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" viewBox=\"0 0 %zu %zu\">\n"
		"<style>%s</style>\n"
		"<defs><marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" "
		"markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
		"<rect class=\"page\" width=\"%zu\" height=\"%zu\"/>\n<text class=\"head\" x=\"%d\" y=\"22\">",
		width, height, width, height, style, width, height, MARGIN);
	tap_strbuf_init(&line);
	if (tree->n_waiters)
		tap_strbuf_printf(&line, "%zu wait for a lock", tree->n_waiters);
	else
		tap_strbuf_add_string(&line, "nobody waits for a lock");
	tap_strbuf_printf(&line, ", %s, %s", view->host_name ? view->host_name : "this host",
			  tap_moment_format(moment, view->end_realtime_ns));
	if (picture->count < tree->n_nodes)
		tap_strbuf_printf(&line, "; %zu of %zu drawn", picture->count, tree->n_nodes);
	add_text(picture->out, line.data, 0);
	tap_strbuf_add_string(picture->out, "</text>\n");
	picture->out->failed |= line.failed;
	tap_strbuf_done(&line);
}

static void draw(struct picture *picture, const struct tap_view *view)
{
	const struct tap_lock_tree *tree = picture->tree;

	if (picture->count)
		lay_out(picture);
	add_head(picture, view);
	for (size_t i = 0; i < tree->n_links; i++) {
		const struct tap_lock_link *link = &tree->links[i];

		if (picture->drawn[link->waiter] && picture->drawn[link->blocker] &&
		    !tap_lock_link_in_queue(tree, link))
			add_arrow(picture, link);
	}
	for (size_t i = 0; i < picture->count; i++)
		add_box(picture, tree->order[i]);
	tap_strbuf_add_string(picture->out, "</svg>\n");
}

void tap_svg_render(const struct tap_view *view, struct tap_strbuf *out)
{
	struct picture picture = { .out = out };
	struct tap_lock_tree tree;

	if (tap_lock_tree_make(view, &tree)) {
		out->failed = true;
		return;
	}
	picture.tree = &tree;
	if (tree.n_waiters)
		picture.count = tree.n_nodes < NODES_MAX ? tree.n_nodes : NODES_MAX;
	picture.drawn = calloc(tree.n_nodes + 1, sizeof(*picture.drawn));
	picture.line = calloc(tree.n_nodes + 1, sizeof(*picture.line));
	if (picture.drawn && picture.line)
		draw(&picture, view);
	else
		out->failed = true;
	free(picture.line);
	free(picture.drawn);
	tap_lock_tree_done(&tree);
}
