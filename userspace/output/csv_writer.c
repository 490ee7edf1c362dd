// SPDX-License-Identifier: BSD-2-Clause
/* csv_writer.c - the writer of csv_writer.h. */
#include "userspace/output/csv_writer.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "userspace/output/decimal.h"
#include "userspace/output/escape.h"
#include "userspace/output/utf8.h"

void tap_csv_begin(struct tap_csv *csv, struct tap_strbuf *out)
{
	*csv = (struct tap_csv){ .out = out };
}

static void next_cell(struct tap_csv *csv)
{
	if (csv->in_row)
		tap_strbuf_add_char(csv->out, ',');
	csv->in_row = true;
}

/* An optional sign and digits only. */
static bool is_whole_number(const char *text)
{
	text += *text == '-' || *text == '+';
	return *text && text[strspn(text, "0123456789")] == '\0';
}

static bool starts_formula(const char *text)
{
	const char *end = text + strlen(text);
	uint32_t code = 0;
	size_t length;

	while ((length = tap_utf8_decode(text, (size_t)(end - text), &code)) && tap_utf8_is_space(code))
		text += length;
	if (!length)
		return false;
	if (code >= 0xff01 && code <= 0xff5e) /* full-width ASCII */
		code -= 0xff01 - '!';
	return code == '=' || code == '+' || code == '-' || code == '@';
}

static bool needs_quotes(const char *text, bool formula)
{
	size_t size = strlen(text);

	return formula || strpbrk(text, ",\"\r\n\t\v\f;") || (size && (text[0] == ' ' || text[size - 1] == ' '));
}

static void add_character(struct tap_strbuf *out, const char *at, size_t length, uint32_t code)
{
	if (!length)
		tap_strbuf_add_string(out, TAP_UTF8_REPLACEMENT);
	else if (code == '"')
		tap_strbuf_add_string(out, "\"\"");
	else if (tap_utf8_columns(code) >= 0)
		tap_strbuf_add(out, at, length);
	else if (tap_utf8_is_space(code))
		tap_strbuf_add_char(out, ' ');
	else
		tap_escape_code(out, code);
}

void tap_csv_string(struct tap_csv *csv, const char *text)
{
	bool formula, quotes;
	const char *end;

	next_cell(csv);
	if (!text)
		return;
	formula = !is_whole_number(text) && starts_formula(text);
	quotes = needs_quotes(text, formula);
	if (quotes)
		tap_strbuf_add_char(csv->out, '"');
	if (formula)
		tap_strbuf_add_char(csv->out, '\'');
	for (end = text + strlen(text); text < end;) {
		uint32_t code = 0;
		size_t length = tap_utf8_decode(text, (size_t)(end - text), &code);

		add_character(csv->out, text, length, code);
		text += length ? length : 1;
	}
	if (quotes)
		tap_strbuf_add_char(csv->out, '"');
}

void tap_csv_int(struct tap_csv *csv, int64_t value)
{
	next_cell(csv);
	tap_strbuf_printf(csv->out, "%" PRId64, value);
}

void tap_csv_uint(struct tap_csv *csv, uint64_t value)
{
	next_cell(csv);
	tap_strbuf_printf(csv->out, "%" PRIu64, value);
}

void tap_csv_double(struct tap_csv *csv, double value)
{
	char text[TAP_DECIMAL_MAX];

	next_cell(csv);
	if (isfinite(value))
		tap_strbuf_add_string(csv->out, tap_decimal_format(text, value));
}

void tap_csv_bool(struct tap_csv *csv, bool value)
{
	next_cell(csv);
	tap_strbuf_add_string(csv->out, value ? "true" : "false");
}

void tap_csv_empty(struct tap_csv *csv)
{
	next_cell(csv);
}

void tap_csv_row_end(struct tap_csv *csv)
{
	tap_strbuf_add_string(csv->out, "\r\n");
	csv->in_row = false;
}
