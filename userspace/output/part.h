/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * part.h - the lists of a view and the fields of their rows: one table that JSON and CSV both print from.
 *
 * A part is what one command shows. Its rows have fields (named here), figures (named in correlate/figure.h), wait
 * events and absences. Text has its own columns in text_tables.
 */
#ifndef TAP_USERSPACE_OUTPUT_PART_H
#define TAP_USERSPACE_OUTPUT_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/view.h"

#define TAP_VIEW_PARTS(X) \
	X(QUERIES, queries) \
	X(SESSIONS, sessions) \
	X(WAITS, waits) \
	X(INSTANCES, instances)

enum tap_view_part {
#define X(id, name) TAP_PART_##id,
	TAP_VIEW_PARTS(X)
#undef X
	TAP_PART_COUNT
};

/* The name of the list in JSON, which is also the command's: "queries". */
const char *tap_part_name(enum tap_view_part part);

enum tap_field_type {
	TAP_FIELD_STRING,   /* const char *; NULL: absent */
	TAP_FIELD_ENGINE,   /* const char *, the instance's id; the value is that instance's engine */
	TAP_FIELD_INT,	    /* int64_t, always there */
	TAP_FIELD_POSITIVE, /* int64_t; 0 and less: absent */
	TAP_FIELD_AGE,	    /* int64_t; negative: absent */
	TAP_FIELD_COUNT,    /* uint64_t */
	TAP_FIELD_DOUBLE,   /* double; not finite: absent */
	TAP_FIELD_BOOL,	    /* bool */
};

struct tap_field {
	const char *group; /* NULL, or the JSON object it sits in; CSV puts it before the name: top_query */
	const char *name;
	enum tap_field_type type;
	size_t offset; /* in the row */
};

/* What a field holds in one row. */
struct tap_value {
	enum {
		TAP_VALUE_ABSENT,
		TAP_VALUE_STRING,
		TAP_VALUE_INT,
		TAP_VALUE_UINT,
		TAP_VALUE_DOUBLE,
		TAP_VALUE_BOOL,
	} type;
	union {
		const char *string;
		int64_t i;
		uint64_t u;
		double d;
		bool b;
	};
};

/* One list of a view, borrowed from it. */
struct tap_rows {
	const struct tap_view *view;
	const char *first;
	size_t row_size;
	size_t count;
	const struct tap_field *fields; /* those of one group stand together */
	size_t n_fields;
	const struct tap_figures *(*figures)(const void *row); /* NULL: rows without figures */
	const struct tap_absence *(*absent)(const void *row, size_t *ret_count);
	bool has_waits; /* rows are struct tap_view_query */
};

#define TAP_ABSENT_MAX 64

void tap_rows_init(struct tap_rows *rows, const struct tap_view *view, enum tap_view_part part);
const void *tap_rows_at(const struct tap_rows *rows, size_t index);
struct tap_value tap_rows_value(const struct tap_rows *rows, const void *row, const struct tap_field *field);

/*
 * What a row lacks: absent figures, then absent fields, each field once, without what the view says for all rows.
 * `figures` and `fields` may be NULL. At most TAP_ABSENT_MAX, returns how many.
 */
size_t tap_absences_collect(const struct tap_view *view, const struct tap_figures *figures,
			    const struct tap_absence *fields, size_t n_fields, struct tap_absence ret[TAP_ABSENT_MAX]);
/* Append one, unless the field is named already or the list is full; returns the new count. */
size_t tap_absences_add(struct tap_absence list[TAP_ABSENT_MAX], size_t count, const char *field, const char *reason);
/* Append what the view says for all rows. */
size_t tap_absences_add_view(struct tap_absence list[TAP_ABSENT_MAX], size_t count, const struct tap_view *view);
/* tap_absences_collect for a row. */
size_t tap_rows_absences(const struct tap_rows *rows, const void *row, struct tap_absence ret[TAP_ABSENT_MAX]);

/* Why a figure is absent; NULL: it is there. */
const char *tap_figure_absence(const struct tap_figures *figures, enum tap_figure figure);

#endif
