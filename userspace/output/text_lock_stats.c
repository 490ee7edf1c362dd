// SPDX-License-Identifier: BSD-2-Clause
/* text_lock_stats.c - how long waits for locks took, by query and by lock, and waits within the engine, as tables. */
#include <string.h>

#include "userspace/output/text_column.h"

static void put_histogram(const struct tap_text_context *context, const struct tap_view_lock_stat *row)
{
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	tap_text_add_octaves(&text, row->octaves, TAP_LOCK_WAIT_OCTAVES);
	tap_cell_buffer(context, &text);
}

TAP_TEXT_CELL(stat_instance, tap_view_lock_stat, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(stat_waited, tap_view_lock_stat, tap_cell_ns(context, row->ns))
TAP_TEXT_CELL(stat_waits, tap_view_lock_stat, tap_cell_count(context, row->waits))
TAP_TEXT_CELL(stat_failed, tap_view_lock_stat, tap_cell_count(context, row->failed))
TAP_TEXT_CELL(stat_p50, tap_view_lock_stat, tap_cell_age(context, row->p50))
TAP_TEXT_CELL(stat_p95, tap_view_lock_stat, tap_cell_age(context, row->p95))
TAP_TEXT_CELL(stat_p99, tap_view_lock_stat, tap_cell_age(context, row->p99))
TAP_TEXT_CELL(stat_max, tap_view_lock_stat, tap_cell_age(context, row->max))
TAP_TEXT_CELL(stat_histogram, tap_view_lock_stat, put_histogram(context, row))
TAP_TEXT_CELL(stat_database, tap_view_lock_stat, tap_table_cell(context->table, row->database))
TAP_TEXT_CELL(stat_user, tap_view_lock_stat, tap_table_cell(context->table, row->user))
TAP_TEXT_CELL(stat_query, tap_view_lock_stat, tap_cell_query(context, row->kind, row->query, false))
TAP_TEXT_CELL(lock_database, tap_view_lock_stat, tap_table_cell(context->table, row->lock.database))
TAP_TEXT_CELL(stat_lock, tap_view_lock_stat, tap_table_cell(context->table, row->lock.name))
TAP_TEXT_CELL(stat_type, tap_view_lock_stat, tap_table_cell(context->table, row->lock.type))

#define STAT_COLUMNS \
	{ { "WAITED", .right = true }, TAP_TEXT_ALWAYS, stat_waited }, \
		{ { "WAITS", .right = true }, TAP_TEXT_ALWAYS, stat_waits }, \
		{ { "FAILED", .right = true, .rank = 4 }, TAP_TEXT_ALWAYS, stat_failed }, \
		{ { "P50", .right = true, .rank = 2 }, TAP_TEXT_ALWAYS, stat_p50 }, \
		{ { "P95", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, stat_p95 }, \
		{ { "P99", .right = true, .rank = 3 }, TAP_TEXT_ALWAYS, stat_p99 }, \
		{ { "LONGEST", .right = true }, TAP_TEXT_ALWAYS, stat_max }, \
	{ \
		{ "1us TO 5h, POWERS OF TWO", .rank = 7 }, TAP_TEXT_ALWAYS, stat_histogram \
	}

static const struct tap_text_column by_query_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, stat_instance },
	STAT_COLUMNS,
	{ { "DATABASE", .max = 16, .rank = 6 }, TAP_TEXT_ALWAYS, stat_database },
	{ { "USER", .max = 16, .rank = 5 }, TAP_TEXT_ALWAYS, stat_user },
	{ { "QUERY", .min = 24 }, TAP_TEXT_ALWAYS, stat_query },
};

static const struct tap_text_column by_lock_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, stat_instance },
	STAT_COLUMNS,
	{ { "DATABASE", .max = 16, .rank = 6 }, TAP_TEXT_ALWAYS, lock_database },
	{ { "TYPE", .max = 14, .rank = 5 }, TAP_TEXT_ALWAYS, stat_type },
	{ { "LOCK", .min = 24 }, TAP_TEXT_ALWAYS, stat_lock },
};

static void put_mean(const struct tap_text_context *context, const struct tap_view_lock_internal *row)
{
	tap_cell_age(context, row->waits && row->ns >= 0 ? (int64_t)((uint64_t)row->ns / row->waits) : -1);
}

TAP_TEXT_CELL(internal_instance, tap_view_lock_internal, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(internal_waited, tap_view_lock_internal, tap_cell_ns(context, row->ns))
TAP_TEXT_CELL(internal_waits, tap_view_lock_internal, tap_cell_count(context, row->waits))
TAP_TEXT_CELL(internal_mean, tap_view_lock_internal, put_mean(context, row))
TAP_TEXT_CELL(internal_event, tap_view_lock_internal, tap_cell_pair(context, row->class_name, ":", row->event_name))
TAP_TEXT_CELL(internal_database, tap_view_lock_internal, tap_table_cell(context->table, row->database))
TAP_TEXT_CELL(internal_user, tap_view_lock_internal, tap_table_cell(context->table, row->user))
TAP_TEXT_CELL(internal_query, tap_view_lock_internal, tap_cell_query(context, row->kind, row->query, false))

static const struct tap_text_column internal_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, internal_instance },
	{ { "WAITED", .right = true }, TAP_TEXT_ALWAYS, internal_waited },
	{ { "WAITS", .right = true }, TAP_TEXT_ALWAYS, internal_waits },
	{ { "MEAN", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, internal_mean },
	{ { "EVENT", .max = 32 }, TAP_TEXT_ALWAYS, internal_event },
	{ { "DATABASE", .max = 16, .rank = 3 }, TAP_TEXT_ALWAYS, internal_database },
	{ { "USER", .max = 16, .rank = 2 }, TAP_TEXT_ALWAYS, internal_user },
	{ { "QUERY", .min = 24 }, TAP_TEXT_ALWAYS, internal_query },
};

static const struct tap_text_table by_query_table = { by_query_columns, COUNT_OF(by_query_columns),
						      " by_query wait_ns " };
static const struct tap_text_table by_lock_table = { by_lock_columns, COUNT_OF(by_lock_columns), " by_lock wait_ns " };
static const struct tap_text_table internal_table = { internal_columns, COUNT_OF(internal_columns), " internal " };

const struct tap_text_table *tap_text_lock_stat_table(enum tap_view_part part)
{
	switch (part) {
	case TAP_PART_LOCK_BY_QUERY:
		return &by_query_table;
	case TAP_PART_LOCK_BY_LOCK:
		return &by_lock_table;
	case TAP_PART_LOCK_INTERNAL:
		return &internal_table;
	default:
		return NULL;
	}
}
