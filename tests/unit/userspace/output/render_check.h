/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * render_check.h - what the tests of all renderers look at: harmless bytes, lines, widths, whole words.
 */
#ifndef TAP_TESTS_UNIT_USERSPACE_OUTPUT_RENDER_CHECK_H
#define TAP_TESTS_UNIT_USERSPACE_OUTPUT_RENDER_CHECK_H

#include <string.h>

#include "correlate/view.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "userspace/base/strbuf.h"
#include "userspace/output/utf8.h"

/* What a database's users may have typed. */
static const char *const hostile_texts[] = {
	"\x1b[2J\x1b]0;owned\x07",
	"\u202edrop table\u2066",
	"\xff\xfe\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80",
	"a\r\nb\"c',;=\t\\",
	"",
	"   ",
	"=HYPERLINK(\"http://x\")",
	"%s%n%d",
	"\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
	"\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97\xe7\xac\xa6",
	"\xc2\x9b[31m\xc2\x85\xe2\x80\xa8",
	"</text></svg><script>alert(1)</script>",
	"<![CDATA[ ]]> &lt; &#60; &bogus; --> <!-- \xef\xbf\xbe\xef\xbf\xbf",
	"\"]; evil [label=\"x\\N\\G\\",
};

#define N_HOSTILE_TEXTS (sizeof(hostile_texts) / sizeof(hostile_texts[0]))

static inline void check_holds(const struct tap_strbuf *out, const char *text)
{
	ck_assert_msg(strstr(out->data, text) != NULL, "no \"%s\" in:\n%s", text, out->data);
}

static inline void check_lacks(const struct tap_strbuf *out, const char *text)
{
	ck_assert_msg(strstr(out->data, text) == NULL, "\"%s\" in:\n%s", text, out->data);
}

/* Valid UTF-8 of which a terminal acts on nothing but the newline. */
static inline void check_harmless(const struct tap_strbuf *out, bool csv)
{
	uint32_t code = 0;

	for (size_t i = 0, length; i < out->size; i += length) {
		length = tap_utf8_decode(out->data + i, out->size - i, &code);
		/* No ck_assert for each character: every one is a system call. */
		if (!length || !(code == '\n' || (csv && code == '\r') || tap_utf8_columns(code) >= 0))
			ck_abort_msg("byte %zu of: %s", i, out->data);
	}
}

static inline size_t count_lines(const struct tap_strbuf *out)
{
	size_t lines = 0;

	for (size_t i = 0; i < out->size; i++)
		lines += out->data[i] == '\n';
	return lines;
}

static inline size_t count_of(const struct tap_strbuf *out, const char *text)
{
	size_t count = 0;

	for (const char *at = strstr(out->data, text); at; at = strstr(at + 1, text))
		count++;
	return count;
}

/* Whatever allocation fails in one of the renderers, the buffer says so. */
typedef void render_fn(const struct tap_view *view, struct tap_strbuf *out);

static inline void check_out_of_memory(const struct tap_view *view, render_fn *const renderers[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool failed = true;

		for (long n = 1; failed; n++) {
			struct tap_strbuf out;

			tap_strbuf_init(&out);
			tap_alloc_fail_at(n);
			renderers[i](view, &out);
			failed = out.failed;
			tap_strbuf_done(&out);
			ck_assert_int_eq(failed, tap_alloc_failed());
		}
	}
	tap_alloc_fail_at(0);
}

/* No line is wider than so many columns. */
static inline void check_width(const struct tap_strbuf *out, size_t width)
{
	size_t columns = 0;

	for (size_t i = 0, length; i < out->size; i += length) {
		uint32_t code = 0;

		length = tap_utf8_decode(out->data + i, out->size - i, &code);
		ck_assert_uint_gt(length, 0);
		columns = code == '\n' ? 0 : columns + (size_t)tap_utf8_columns(code);
		if (columns > width)
			ck_abort_msg("wider than %zu at byte %zu of:\n%s", width, i, out->data);
	}
}

#endif
