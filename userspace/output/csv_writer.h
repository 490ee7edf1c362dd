/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * csv_writer.h - rows of comma-separated values, RFC 4180, into a string buffer.
 *
 * Called by the CSV renderer. Fields that hold a comma, a quote or surrounding space are quoted, lines end in CR LF.
 * A text cell never breaks its line and never reaches a terminal raw: each white-space control becomes one space, other
 * control and invisible characters are spelled as in escape.h, bytes that are not UTF-8 become U+FFFD. JSON has the
 * exact text; CSV is the form that people open.
 *
 * That is also why formulas are defused: query texts, application and user names come from whoever may connect, and
 * spreadsheets run a cell that starts with = + - or @ (their full-width forms too, leading space or not). Such a text
 * cell gets an apostrophe in front, inside the quotes. A text that is a plain whole number, such as PostgreSQL's signed
 * query id, is left alone, and cells written as numbers always are.
 */
#ifndef TAP_USERSPACE_OUTPUT_CSV_WRITER_H
#define TAP_USERSPACE_OUTPUT_CSV_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "userspace/base/strbuf.h"

/* Private to the writer; lives on the caller's stack and owns nothing. */
struct tap_csv {
	struct tap_strbuf *out; /* borrowed */
	bool in_row;
};

void tap_csv_begin(struct tap_csv *csv, struct tap_strbuf *out);

/* Each appends one cell to the row. NULL is an empty cell; so is a double that is not finite. */
void tap_csv_string(struct tap_csv *csv, const char *text);
void tap_csv_int(struct tap_csv *csv, int64_t value);
void tap_csv_uint(struct tap_csv *csv, uint64_t value);
void tap_csv_double(struct tap_csv *csv, double value);
void tap_csv_bool(struct tap_csv *csv, bool value);
void tap_csv_empty(struct tap_csv *csv);

void tap_csv_row_end(struct tap_csv *csv);

#endif
