// SPDX-License-Identifier: BSD-2-Clause
/* json_writer.c - the writer of json_writer.h. */
#include "userspace/output/json_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "userspace/output/decimal.h"
#include "userspace/output/utf8.h"

void tap_json_begin(struct tap_json *json, struct tap_strbuf *out, bool pretty)
{
	*json = (struct tap_json){ .out = out, .pretty = pretty };
}

int tap_json_end(struct tap_json *json)
{
	if (json->misused || json->depth || !json->done)
		return -EINVAL;
	tap_strbuf_add_char(json->out, '\n');
	return json->out->failed ? -ENOMEM : 0;
}

static void new_line(struct tap_json *json)
{
	if (!json->pretty)
		return;
	tap_strbuf_add_char(json->out, '\n');
	tap_strbuf_add_repeated(json->out, ' ', 2 * (size_t)json->depth);
}

/* A member of the innermost level starts: comma, line, indentation. */
static void next_member(struct tap_json *json)
{
	bool *filled = &json->filled[json->depth - 1];

	if (*filled)
		tap_strbuf_add_char(json->out, ',');
	*filled = true;
	new_line(json);
}

/* What goes before a value; false when none may stand here. */
static bool before_value(struct tap_json *json)
{
	bool in_object = json->depth && json->closer[json->depth - 1] == '}';

	if (json->done || in_object != json->has_key)
		json->misused = true;
	if (json->misused)
		return false;
	if (json->depth && !in_object)
		next_member(json);
	json->has_key = false;
	json->done = json->depth == 0;
	return true;
}

static void level_begin(struct tap_json *json, char opener, char closer)
{
	if (json->depth == TAP_JSON_DEPTH)
		json->misused = true;
	if (!before_value(json))
		return;
	tap_strbuf_add_char(json->out, opener);
	json->closer[json->depth] = closer;
	json->filled[json->depth] = false;
	json->depth++;
	json->done = false;
}

static void level_end(struct tap_json *json, char closer)
{
	if (json->depth == 0 || json->closer[json->depth - 1] != closer || json->has_key)
		json->misused = true;
	if (json->misused)
		return;
	json->depth--;
	if (json->filled[json->depth])
		new_line(json);
	tap_strbuf_add_char(json->out, closer);
	json->done = json->depth == 0;
}

void tap_json_object_begin(struct tap_json *json)
{
	level_begin(json, '{', '}');
}

void tap_json_object_end(struct tap_json *json)
{
	level_end(json, '}');
}

void tap_json_array_begin(struct tap_json *json)
{
	level_begin(json, '[', ']');
}

void tap_json_array_end(struct tap_json *json)
{
	level_end(json, ']');
}

/* 16-bit units, as JSON has no other: two of them above U+FFFF. */
static void add_escape(struct tap_strbuf *out, uint32_t code)
{
	if (code > 0xffff) {
		tap_strbuf_printf(out, "\\u%04x", (unsigned)(0xd800 + ((code - 0x10000) >> 10)));
		code = 0xdc00 + ((code - 0x10000) & 0x3ff);
	}
	tap_strbuf_printf(out, "\\u%04x", (unsigned)code);
}

static void add_special(struct tap_strbuf *out, uint32_t code)
{
	static const char short_codes[] = "\"\\\b\f\n\r\t", short_names[] = "\"\\bfnrt";
	const char *found = code && code < 0x80 ? strchr(short_codes, (int)code) : NULL;

	if (!found) {
		add_escape(out, code);
		return;
	}
	tap_strbuf_add_char(out, '\\');
	tap_strbuf_add_char(out, short_names[found - short_codes]);
}

/* Unescaped runs are appended as one: texts may be a megabyte. */
static void add_quoted(struct tap_strbuf *out, const char *text)
{
	const char *end = text + strlen(text), *run = text;
	uint32_t code = 0;

	tap_strbuf_add_char(out, '"');
	while (text < end) {
		size_t length = tap_utf8_decode(text, (size_t)(end - text), &code);

		if (length && code != '"' && code != '\\' && tap_utf8_columns(code) >= 0) {
			text += length;
			continue;
		}
		tap_strbuf_add(out, run, (size_t)(text - run));
		if (length)
			add_special(out, code);
		else
			tap_strbuf_add_string(out, TAP_UTF8_REPLACEMENT);
		text += length ? length : 1;
		run = text;
	}
	tap_strbuf_add(out, run, (size_t)(end - run));
	tap_strbuf_add_char(out, '"');
}

void tap_json_key(struct tap_json *json, const char *key)
{
	if (json->depth == 0 || json->closer[json->depth - 1] != '}' || json->has_key)
		json->misused = true;
	if (json->misused)
		return;
	next_member(json);
	add_quoted(json->out, key);
	tap_strbuf_add_string(json->out, json->pretty ? ": " : ":");
	json->has_key = true;
}

void tap_json_string(struct tap_json *json, const char *text)
{
	if (!text)
		tap_json_null(json);
	else if (before_value(json))
		add_quoted(json->out, text);
}

void tap_json_int(struct tap_json *json, int64_t value)
{
	if (before_value(json))
		tap_strbuf_printf(json->out, "%" PRId64, value);
}

void tap_json_uint(struct tap_json *json, uint64_t value)
{
	if (before_value(json))
		tap_strbuf_printf(json->out, "%" PRIu64, value);
}

void tap_json_double(struct tap_json *json, double value)
{
	char text[TAP_DECIMAL_MAX];

	if (!isfinite(value))
		tap_json_null(json);
	else if (before_value(json))
		tap_strbuf_add_string(json->out, tap_decimal_format(text, value));
}

void tap_json_bool(struct tap_json *json, bool value)
{
	if (before_value(json))
		tap_strbuf_add_string(json->out, value ? "true" : "false");
}

void tap_json_null(struct tap_json *json)
{
	if (before_value(json))
		tap_strbuf_add_string(json->out, "null");
}
