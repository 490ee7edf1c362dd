/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json_writer.h - JSON text, value by value, into a string buffer.
 *
 * Called by the JSON renderers. Whatever bytes it is given, what comes out is valid JSON in valid UTF-8 and safe to
 * show on a terminal: bytes that are not UTF-8 become U+FFFD, and control, bidirectional, invisible and separator
 * characters are written as \u escapes, so a parser gives the original characters back. Numbers never become NaN or
 * infinite.
 *
 * A mistake in the order of calls (a value without a key in an object, an end without a begin, nesting over
 * TAP_JSON_DEPTH) is a programming error: it is remembered, nothing more is written, and tap_json_end tells.
 */
#ifndef TAP_USERSPACE_OUTPUT_JSON_WRITER_H
#define TAP_USERSPACE_OUTPUT_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/base/strbuf.h"

#define TAP_JSON_DEPTH 16

/* Private to the writer; lives on the caller's stack and owns nothing. */
struct tap_json {
	struct tap_strbuf *out; /* borrowed */
	bool pretty;		/* two spaces a level, one value a line */
	bool misused;
	bool has_key;		     /* a key waits for its value */
	unsigned depth;		     /* open objects and arrays */
	bool done;		     /* the outermost value is complete */
	char closer[TAP_JSON_DEPTH]; /* '}' or ']' of each open level */
	bool filled[TAP_JSON_DEPTH]; /* the level has a member already */
};

/* Start one document at the end of `out`. */
void tap_json_begin(struct tap_json *json, struct tap_strbuf *out, bool pretty);
/* Ends the document with a newline. -EINVAL: calls were out of order or something is open; -ENOMEM: `out` failed. */
int tap_json_end(struct tap_json *json);

void tap_json_object_begin(struct tap_json *json);
void tap_json_object_end(struct tap_json *json);
void tap_json_array_begin(struct tap_json *json);
void tap_json_array_end(struct tap_json *json);
/* Within an object, before each value. The caller keeps keys of one object distinct. */
void tap_json_key(struct tap_json *json, const char *key);

/* NULL is written as null. */
void tap_json_string(struct tap_json *json, const char *text);
void tap_json_int(struct tap_json *json, int64_t value);
void tap_json_uint(struct tap_json *json, uint64_t value);
/* At most 10 significant digits; what is not finite is written as null. */
void tap_json_double(struct tap_json *json, double value);
void tap_json_bool(struct tap_json *json, bool value);
void tap_json_null(struct tap_json *json);

#endif
