// SPDX-License-Identifier: BSD-2-Clause
/* paragraph.c - the line breaking of paragraph.h. */
#include "userspace/output/paragraph.h"

#include <stdbool.h>
#include <string.h>

#include "userspace/output/escape.h"

enum {
	INDENT = 2,
};

/* Appends one word in a new line or the current one; returns the columns used in it. */
static size_t add_word(struct tap_strbuf *out, const char *word, size_t width, size_t used)
{
	size_t room = width > INDENT ? width - INDENT : width, columns;
	struct tap_strbuf cut;

	tap_strbuf_init(&cut);
	columns = tap_escape_text(&cut, word, room);
	if (used && width && used + 1 + columns > width) {
		tap_strbuf_add_char(out, '\n');
		tap_strbuf_add_repeated(out, ' ', INDENT);
		used = INDENT;
	} else if (used) {
		tap_strbuf_add_char(out, ' ');
		used++;
	}
	tap_strbuf_add(out, cut.data, cut.size);
	out->failed |= cut.failed;
	tap_strbuf_done(&cut);
	return used + columns;
}

void tap_paragraph_add(struct tap_strbuf *out, const char *text, size_t width)
{
	struct tap_strbuf escaped;
	size_t used = 0;
	char *rest = NULL;

	tap_strbuf_init(&escaped);
	tap_escape_text(&escaped, text, 0);
	out->failed |= escaped.failed;
	/* Escaped text has no white space but single spaces. */
	if (escaped.size)
		for (char *word = strtok_r(escaped.data, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
			used = add_word(out, word, width, used);
	if (used)
		tap_strbuf_add_char(out, '\n');
	tap_strbuf_done(&escaped);
}
