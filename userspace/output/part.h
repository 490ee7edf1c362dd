/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * part.h - the lists of a view and the fields of their rows: one table that JSON and CSV both print from.
 *
 * A part is what one command shows, or one list of it. Its rows have fields (named here), figures (named in
 * correlate/figure.h) and absences. Text has its own columns in text_tables.
 */
#ifndef TAP_USERSPACE_OUTPUT_PART_H
#define TAP_USERSPACE_OUTPUT_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/view.h"

/*
 * id, the JSON object it sits in, name there. IO, MEMORY and LOCKS are all of theirs; as rows they are the first of
 * them.
 */
#define TAP_VIEW_PARTS(X) \
	X(QUERIES, NULL, "queries") \
	X(SESSIONS, NULL, "sessions") \
	X(WAITS, NULL, "waits") \
	X(INSTANCES, NULL, "instances") \
	X(IO, NULL, "io") \
	X(IO_QUERIES, "io", "queries") \
	X(IO_RELATIONS, "io", "relations") \
	X(IO_DEVICES, "io", "devices") \
	X(IO_STREAMS, "io", "streams") \
	X(IO_BLAME, "io", "blame") \
	X(IO_CHECKPOINTS, "io", "checkpoints") \
	X(IO_HINTS, "io", "hints") \
	X(MEMORY, NULL, "memory") \
	X(MEMORY_PROCESSES, "memory", "processes") \
	X(MEMORY_GROUPS, "memory", "groups") \
	X(MEMORY_KILLS, "memory", "kills") \
	X(MEMORY_HOST, "memory", "host") \
	X(LOCKS, NULL, "locks") \
	X(LOCK_WAITS, "locks", "waits") \
	X(LOCK_HOLDERS, "locks", "holders") \
	X(LOCK_CYCLES, "locks", "cycles") \
	X(LOCK_RISKS, "locks", "risks") \
	X(LOCK_PAST, "locks", "past") \
	X(LOCK_LOSSES, "locks", "losses") \
	X(LOCK_BY_QUERY, "locks", "by_query") \
	X(LOCK_BY_LOCK, "locks", "by_lock") \
	X(LOCK_INTERNAL, "locks", "internal") \
	X(STATEMENTS, NULL, "statements")

enum tap_view_part {
#define X(id, group, name) TAP_PART_##id,
	TAP_VIEW_PARTS(X)
#undef X
	TAP_PART_COUNT
};

/* The name of the list in JSON, which is also the command's: "queries". */
const char *tap_part_name(enum tap_view_part part);
/* The JSON object the list sits in, which is then the command's name: "io"; NULL: none. */
const char *tap_part_group(enum tap_view_part part);
/* IO, MEMORY or LOCKS for each of its lists; any other part itself. */
enum tap_view_part tap_part_whole(enum tap_view_part part);

enum tap_field_type {
	TAP_FIELD_STRING,	/* const char *; NULL: absent */
	TAP_FIELD_ENGINE,	/* const char *, the instance's id; the value is that instance's engine */
	TAP_FIELD_INT,		/* int64_t, always there */
	TAP_FIELD_POSITIVE,	/* int64_t; 0 and less: absent */
	TAP_FIELD_AGE,		/* int64_t; negative: absent */
	TAP_FIELD_COUNT,	/* uint64_t */
	TAP_FIELD_DOUBLE,	/* double; not finite: absent */
	TAP_FIELD_BOOL,		/* bool */
	TAP_FIELD_RESIDUAL,	/* int64_t; -1: absent */
	TAP_FIELD_MEMORY,	/* int64_t; TAP_MEMORY_NONE: absent */
	TAP_FIELD_TIME,		/* int64_t, nanoseconds since the epoch; negative: absent */
	TAP_FIELD_PART_OF,	/* int64_t; absent unless the one at count_offset is positive */
	TAP_FIELD_SIZES,	/* uint64_t[TAP_SIZE_BUCKETS] */
	TAP_FIELD_OCTAVES,	/* uint64_t[TAP_LATENCY_OCTAVES] */
	TAP_FIELD_WAIT_OCTAVES, /* uint64_t[TAP_LOCK_WAIT_OCTAVES] */
	TAP_FIELD_PIDS,		/* int32_t *, how many at count_offset */
	TAP_FIELD_ROWS,		/* pointer to rows of their own, how many at count_offset */
};

struct tap_field {
	const char *group; /* NULL, or the JSON object it sits in; CSV puts it before the name: top_query */
	const char *name;
	enum tap_field_type type;
	size_t offset;			   /* in the row */
	size_t count_offset;		   /* in the row, of a size_t; PART_OF: of the whole */
	const struct tap_row_shape *shape; /* of the rows it holds */
};

/* What the rows of a list look like. */
struct tap_row_shape {
	size_t size;
	const struct tap_field *fields; /* those of one group stand together */
	size_t n_fields;
};

/* A histogram whose bounds double. */
struct tap_buckets {
	const uint64_t *counts;
	size_t count;
	const char *bound; /* what JSON calls a bucket's bound: "up_to_bytes" */
	const char
		*last;	/* ... and the last one's, which is open: then it is that of the bucket before; NULL: no such */
	uint64_t first; /* bound of the first bucket that has one, doubled from bucket to bucket */
	bool from_zero; /* bounds are lower ones, and the first bucket's is 0 */
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
		TAP_VALUE_TIME,
		TAP_VALUE_BUCKETS,
		TAP_VALUE_PIDS,
		TAP_VALUE_ROWS,
	} type;
	union {
		const char *string;
		int64_t i;
		uint64_t u;
		double d;
		bool b;
		struct tap_buckets buckets;
		struct {
			const void *first; /* int32_t, or rows */
			size_t count;
			const struct tap_row_shape *shape;
		} list;
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
	const struct tap_field *tail;			       /* fields that stand after the figures */
	size_t n_tail;
	const struct tap_absence *(*absent)(const void *row, size_t *ret_count);
};

#define TAP_ABSENT_MAX 64
_Static_assert(TAP_FIGURE_COUNT + 16 <= TAP_ABSENT_MAX, "every figure of a row may be absent, and some fields");

void tap_rows_init(struct tap_rows *rows, const struct tap_view *view, enum tap_view_part part);
const void *tap_rows_at(const struct tap_rows *rows, size_t index);
struct tap_value tap_rows_value(const struct tap_rows *rows, const void *row, const struct tap_field *field);
/* The rows that a value of type ROWS holds. */
struct tap_rows tap_rows_within(const struct tap_rows *rows, const struct tap_value *value);
/* Name and number of a bucket's bound. */
const char *tap_buckets_bound(const struct tap_buckets *buckets, size_t index, uint64_t *ret);

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
