// SPDX-License-Identifier: BSD-2-Clause
/* escape.c - the rules of escape.h, as a walk over pieces that are printed whole or not at all. */
#include "userspace/output/escape.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "userspace/output/utf8.h"

enum {
	MAX_MARKS = 4, /* on one base: enough for every script, too few to climb over the lines above */
};

/* A character, a space that stands for a run, or a spelled-out character. */
struct piece {
	char bytes[16];
	size_t size;
	size_t columns;
};

struct cursor {
	const char *at;
	const char *end;
	bool started;	/* something was shown: white space may follow */
	unsigned marks; /* that still fit onto the last base */
};

static void spell_code(struct piece *piece, uint32_t code)
{
	const char *format = code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x";

	piece->size = piece->columns = (size_t)snprintf(piece->bytes, sizeof(piece->bytes), format, (unsigned)code);
}

/* Length of the white space at `at`, 0 for none. */
static size_t space_length(const char *at, const char *end)
{
	size_t total = 0, length;
	uint32_t code;

	while ((length = tap_utf8_decode(at + total, (size_t)(end - at) - total, &code)) && tap_utf8_is_space(code))
		total += length;
	return total;
}

static void take_space(struct cursor *cursor, struct piece *piece)
{
	*piece = (struct piece){ .bytes = " ", .size = 1, .columns = 1 };
	cursor->marks = 0;
}

static void take_character(struct cursor *cursor, struct piece *piece)
{
	uint32_t code;
	size_t length = tap_utf8_decode(cursor->at, (size_t)(cursor->end - cursor->at), &code);
	int columns = length ? tap_utf8_columns(code) : -1;

	if (columns < 0 || (columns == 0 && cursor->marks == 0)) {
		spell_code(piece, length ? code : (unsigned char)*cursor->at);
		cursor->marks = 0;
	} else {
		memcpy(piece->bytes, cursor->at, length);
		piece->size = length;
		piece->columns = (size_t)columns;
		cursor->marks = columns ? MAX_MARKS : cursor->marks - 1;
	}
	cursor->at += length ? length : 1;
	cursor->started = true;
}

/* False at the end. */
static bool next_piece(struct cursor *cursor, struct piece *piece)
{
	size_t space = space_length(cursor->at, cursor->end);

	cursor->at += space;
	if (cursor->at == cursor->end)
		return false;
	if (space && cursor->started)
		take_space(cursor, piece);
	else
		take_character(cursor, piece);
	return true;
}

static bool rest_fits(struct cursor cursor, size_t columns)
{
	struct piece piece;

	while (next_piece(&cursor, &piece)) {
		if (piece.columns > columns)
			return false;
		columns -= piece.columns;
	}
	return true;
}

size_t tap_escape_text(struct tap_strbuf *out, const char *text, size_t columns)
{
	struct cursor cursor = { .at = text, .end = text + strlen(text) }, before = cursor;
	struct piece piece;
	size_t used = 0;

	while (next_piece(&cursor, &piece)) {
		/* The last column is the ellipsis', unless everything that is left fits. */
		if (columns && used + piece.columns >= columns && !rest_fits(before, columns - used)) {
			tap_strbuf_add_string(out, TAP_ELLIPSIS);
			return used + 1;
		}
		tap_strbuf_add(out, piece.bytes, piece.size);
		used += piece.columns;
		before = cursor;
	}
	return used;
}

void tap_escape_code(struct tap_strbuf *out, uint32_t code)
{
	struct piece piece;

	spell_code(&piece, code);
	tap_strbuf_add(out, piece.bytes, piece.size);
}

/* The characters this program draws with, each one column; 0: another. */
static char drawn_as(uint32_t code)
{
	static const struct {
		uint32_t code;
		char ascii;
	} drawn[] = {
		{ 0x2026, '~' }, { 0x2500, '-' }, { 0x2502, '|' }, { 0x2514, '`' }, { 0x251c, '|' },
		{ 0x2581, '_' }, { 0x2582, ',' }, { 0x2583, '-' }, { 0x2584, '=' }, { 0x2585, '+' },
		{ 0x2586, '*' }, { 0x2587, '%' }, { 0x2588, '#' },
	};

	for (size_t i = 0; i < sizeof(drawn) / sizeof(drawn[0]); i++)
		if (drawn[i].code == code)
			return drawn[i].ascii;
	return 0;
}

void tap_escape_to_ascii(struct tap_strbuf *out, const char *text)
{
	const char *end = text + strlen(text);
	uint32_t code;

	while (text < end) {
		size_t length = tap_utf8_decode(text, (size_t)(end - text), &code);
		int columns = length ? tap_utf8_columns(code) : 1;

		if (length == 1 && (columns == 1 || code == '\n'))
			tap_strbuf_add_char(out, (char)code);
		else if (length && drawn_as(code))
			tap_strbuf_add_char(out, drawn_as(code));
		else
			tap_strbuf_add_repeated(out, '?', columns < 0 ? 1 : (size_t)columns);
		text += length ? length : 1;
	}
}
