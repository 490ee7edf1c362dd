/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * part_fields.h - how the field tables of part.h are written down. Private to the files part*.c.
 */
#ifndef TAP_USERSPACE_OUTPUT_PART_FIELDS_H
#define TAP_USERSPACE_OUTPUT_PART_FIELDS_H

#include "userspace/output/part.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define FIELD(row, in_group, field_name, kind, member) \
	{ \
		.group = in_group, .name = field_name, .type = TAP_FIELD_##kind, \
		.offset = offsetof(struct row, member) \
	}

/* `member` points to what it holds, n_`member` counts it. */
#define LIST(row, field_name, kind, member, of_shape) \
	{ \
		.name = field_name, .type = TAP_FIELD_##kind, .offset = offsetof(struct row, member), \
		.count_offset = offsetof(struct row, n_##member), .shape = of_shape \
	}

/* A struct tap_view_latency as an object. */
#define LATENCY(row, in_group, member) \
	FIELD(row, in_group, "p50", AGE, member.p50), FIELD(row, in_group, "p95", AGE, member.p95), \
		FIELD(row, in_group, "p99", AGE, member.p99), FIELD(row, in_group, "max", AGE, member.max)

#define SHAPE(row, of_fields) \
	{ \
		.size = sizeof(struct row), .fields = of_fields, .n_fields = COUNT_OF(of_fields) \
	}

#define SET_ROWS(rows, list, list_count, of_fields) \
	do { \
		(rows)->first = (const char *)(list); \
		(rows)->count = (list_count); \
		(rows)->row_size = sizeof(*(list)); \
		(rows)->fields = (of_fields); \
		(rows)->n_fields = COUNT_OF(of_fields); \
	} while (0)

/* part_io.c, part_memory.c and part_locks.c: the lists of those views; rows->view is set. */
void tap_part_io_rows(struct tap_rows *rows, enum tap_view_part part);
void tap_part_memory_rows(struct tap_rows *rows, enum tap_view_part part);
void tap_part_lock_rows(struct tap_rows *rows, enum tap_view_part part);

#endif
