// SPDX-License-Identifier: BSD-2-Clause
/* part.c - the tables of part.h and how they are read. */
#include "userspace/output/part.h"

#include <math.h>
#include <string.h>

#include "userspace/output/part_fields.h"

static const struct tap_field query_fields[] = {
	FIELD(tap_view_query, NULL, "instance", STRING, instance),
	FIELD(tap_view_query, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_query, NULL, "database", STRING, database),
	FIELD(tap_view_query, NULL, "user", STRING, user),
	FIELD(tap_view_query, NULL, "kind", STRING, kind),
	FIELD(tap_view_query, NULL, "query_id", STRING, query_id),
	FIELD(tap_view_query, NULL, "query_id_source", STRING, query_id_source),
	FIELD(tap_view_query, NULL, "query", STRING, query),
};

static const struct tap_field wait_fields[] = {
	FIELD(tap_view_wait, NULL, "class", STRING, class_name),
	FIELD(tap_view_wait, NULL, "event", STRING, event_name),
	FIELD(tap_view_wait, NULL, "count", COUNT, count),
	FIELD(tap_view_wait, NULL, "ns", INT, ns),
};
static const struct tap_row_shape wait_shape = SHAPE(tap_view_wait, wait_fields);

static const struct tap_field relation_fields[] = {
	FIELD(tap_view_relation, NULL, "name", STRING, name),
	FIELD(tap_view_relation, NULL, "kind", STRING, kind),
	FIELD(tap_view_relation, NULL, "parent", STRING, parent),
	FIELD(tap_view_relation, NULL, "read_bytes", COUNT, read_bytes),
	FIELD(tap_view_relation, NULL, "read_requests", COUNT, read_requests),
	FIELD(tap_view_relation, NULL, "read_seq_bytes", COUNT, read_pattern_bytes[TAP_PATTERN_SEQUENTIAL]),
	FIELD(tap_view_relation, NULL, "read_near_bytes", COUNT, read_pattern_bytes[TAP_PATTERN_NEAR]),
	FIELD(tap_view_relation, NULL, "read_rand_bytes", COUNT, read_pattern_bytes[TAP_PATTERN_RANDOM]),
	FIELD(tap_view_relation, NULL, "write_bytes", COUNT, write_bytes),
	FIELD(tap_view_relation, NULL, "dirtied_bytes", COUNT, dirtied_bytes),
};
static const struct tap_row_shape relation_shape = SHAPE(tap_view_relation, relation_fields);

static const struct tap_field error_fields[] = {
	FIELD(tap_view_error, NULL, "sqlstate", STRING, sqlstate),
	FIELD(tap_view_error, NULL, "count", COUNT, count),
};
static const struct tap_row_shape error_shape = SHAPE(tap_view_error, error_fields);

static const struct tap_field query_tail[] = {
	LIST(tap_view_query, "waits", ROWS, waits, &wait_shape),
	LATENCY(tap_view_query, "latency_ns", latency_ns),
	LIST(tap_view_query, "errors_by_code", ROWS, errors, &error_shape),
	LATENCY(tap_view_query, "io_latency_ns", io_latency_ns),
	LIST(tap_view_query, "relations", ROWS, relations, &relation_shape),
	FIELD(tap_view_query, NULL, "digest", STRING, digest),
};

static const struct tap_field session_fields[] = {
	FIELD(tap_view_session, NULL, "instance", STRING, instance),
	FIELD(tap_view_session, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_session, NULL, "pid", INT, pid),
	FIELD(tap_view_session, NULL, "tid", POSITIVE, tid),
	FIELD(tap_view_session, NULL, "connection_id", POSITIVE, connection_id),
	FIELD(tap_view_session, NULL, "leader_pid", POSITIVE, leader_pid),
	FIELD(tap_view_session, NULL, "client_pid", POSITIVE, client_pid),
	FIELD(tap_view_session, NULL, "kind", STRING, kind),
	FIELD(tap_view_session, NULL, "database", STRING, database),
	FIELD(tap_view_session, NULL, "user", STRING, user),
	FIELD(tap_view_session, NULL, "application", STRING, application),
	FIELD(tap_view_session, NULL, "client", STRING, client),
	FIELD(tap_view_session, NULL, "state", STRING, state),
	FIELD(tap_view_session, NULL, "state_since_ns", AGE, state_since_ns),
	FIELD(tap_view_session, NULL, "transaction_since_ns", AGE, transaction_since_ns),
	FIELD(tap_view_session, NULL, "wait_class", STRING, wait_class),
	FIELD(tap_view_session, NULL, "wait_event", STRING, wait_event),
	FIELD(tap_view_session, NULL, "query_id", STRING, query_id),
	FIELD(tap_view_session, NULL, "query_id_source", STRING, query_id_source),
	FIELD(tap_view_session, NULL, "query", STRING, query),
};

static const struct tap_field event_fields[] = {
	FIELD(tap_view_event, NULL, "instance", STRING, instance),
	FIELD(tap_view_event, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_event, NULL, "class", STRING, class_name),
	FIELD(tap_view_event, NULL, "event", STRING, event_name),
	FIELD(tap_view_event, NULL, "count", COUNT, count),
	FIELD(tap_view_event, NULL, "ns", INT, ns),
	FIELD(tap_view_event, NULL, "percent", DOUBLE, percent),
	FIELD(tap_view_event, NULL, "sessions", COUNT, sessions),
	FIELD(tap_view_event, NULL, "idle", BOOL, idle),
	FIELD(tap_view_event, "top", "kind", STRING, top_kind),
	FIELD(tap_view_event, "top", "query_id", STRING, top_query_id),
	FIELD(tap_view_event, "top", "query", STRING, top_query),
	FIELD(tap_view_event, "top", "ns", POSITIVE, top_ns),
};

static const struct tap_field instance_fields[] = {
	FIELD(tap_view_instance, NULL, "id", STRING, id),
	FIELD(tap_view_instance, NULL, "engine", STRING, engine),
	FIELD(tap_view_instance, NULL, "version", STRING, version),
	FIELD(tap_view_instance, NULL, "pid", INT, pid),
	FIELD(tap_view_instance, NULL, "port", POSITIVE, port),
	FIELD(tap_view_instance, NULL, "data_dir", STRING, data_dir),
	FIELD(tap_view_instance, NULL, "build_id", STRING, build_id),
	FIELD(tap_view_instance, NULL, "layout", STRING, layout),
	FIELD(tap_view_instance, NULL, "connected", BOOL, connected),
	FIELD(tap_view_instance, NULL, "not_connected_why", STRING, not_connected_why),
	FIELD(tap_view_instance, NULL, "lock_source", STRING, lock_source),
	FIELD(tap_view_instance, NULL, "processes", COUNT, processes),
};

static const struct tap_field statement_fields[] = {
	FIELD(tap_view_statement, NULL, "ended", TIME, ended_ns),
	FIELD(tap_view_statement, NULL, "instance", STRING, instance),
	FIELD(tap_view_statement, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_statement, NULL, "database", STRING, database),
	FIELD(tap_view_statement, NULL, "user", STRING, user),
	FIELD(tap_view_statement, NULL, "pid", INT, pid),
	FIELD(tap_view_statement, NULL, "query_id", STRING, query_id),
	FIELD(tap_view_statement, NULL, "query_id_source", STRING, query_id_source),
	FIELD(tap_view_statement, NULL, "query", STRING, query),
	FIELD(tap_view_statement, NULL, "query_cut", BOOL, cut),
	FIELD(tap_view_statement, NULL, "duration_ns", INT, duration_ns),
	FIELD(tap_view_statement, NULL, "cpu_ns", INT, cpu_ns),
	FIELD(tap_view_statement, NULL, "runq_ns", INT, runq_ns),
	FIELD(tap_view_statement, NULL, "wait_ns", INT, wait_ns),
	FIELD(tap_view_statement, NULL, "unknown_ns", INT, unknown_ns),
	LIST(tap_view_statement, "waits", ROWS, waits, &wait_shape),
	FIELD(tap_view_statement, NULL, "minor_faults", COUNT, minor_faults),
	FIELD(tap_view_statement, NULL, "major_faults", COUNT, major_faults),
	FIELD(tap_view_statement, NULL, "rchar_bytes", COUNT, rchar_bytes),
	FIELD(tap_view_statement, NULL, "wchar_bytes", COUNT, wchar_bytes),
	FIELD(tap_view_statement, NULL, "read_bytes", COUNT, read_bytes),
	FIELD(tap_view_statement, NULL, "dirtied_bytes", COUNT, dirtied_bytes),
	FIELD(tap_view_statement, NULL, "slow", BOOL, slow),
	FIELD(tap_view_statement, NULL, "failed", BOOL, failed),
	FIELD(tap_view_statement, NULL, "sqlstate", STRING, sqlstate),
};

static const struct {
	const char *group;
	const char *name;
} part_names[] = {
#define X(id, in_group, part_name) [TAP_PART_##id] = { in_group, part_name },
	TAP_VIEW_PARTS(X)
#undef X
};

const char *tap_part_name(enum tap_view_part part)
{
	return part_names[part].name;
}

const char *tap_part_group(enum tap_view_part part)
{
	return part_names[part].group;
}

enum tap_view_part tap_part_whole(enum tap_view_part part)
{
	if (part >= TAP_PART_IO && part <= TAP_PART_IO_HINTS)
		return TAP_PART_IO;
	if (part >= TAP_PART_MEMORY && part <= TAP_PART_MEMORY_HOST)
		return TAP_PART_MEMORY;
	return part >= TAP_PART_LOCKS && part <= TAP_PART_LOCK_INTERNAL ? TAP_PART_LOCKS : part;
}

static const struct tap_figures *query_figures(const void *row)
{
	return &((const struct tap_view_query *)row)->figures;
}

static const struct tap_figures *session_figures(const void *row)
{
	return &((const struct tap_view_session *)row)->figures;
}

static const struct tap_figures *instance_figures(const void *row)
{
	return &((const struct tap_view_instance *)row)->figures;
}

static const struct tap_absence *query_absent(const void *row, size_t *ret_count)
{
	const struct tap_view_query *query = row;

	*ret_count = query->n_absent;
	return query->absent;
}

static const struct tap_absence *session_absent(const void *row, size_t *ret_count)
{
	const struct tap_view_session *session = row;

	*ret_count = session->n_absent;
	return session->absent;
}

void tap_rows_init(struct tap_rows *rows, const struct tap_view *view, enum tap_view_part part)
{
	*rows = (struct tap_rows){ .view = view };
	switch (part) {
	case TAP_PART_QUERIES:
		SET_ROWS(rows, view->queries, view->n_queries, query_fields);
		rows->figures = query_figures;
		rows->tail = query_tail;
		rows->n_tail = COUNT_OF(query_tail);
		rows->absent = query_absent;
		break;
	case TAP_PART_SESSIONS:
		SET_ROWS(rows, view->sessions, view->n_sessions, session_fields);
		rows->figures = session_figures;
		rows->absent = session_absent;
		break;
	case TAP_PART_WAITS:
		SET_ROWS(rows, view->events, view->n_events, event_fields);
		break;
	case TAP_PART_INSTANCES:
		SET_ROWS(rows, view->instances, view->n_instances, instance_fields);
		rows->figures = instance_figures;
		break;
	case TAP_PART_STATEMENTS:
		SET_ROWS(rows, view->statements, view->n_statements, statement_fields);
		break;
	default:
		if (tap_part_whole(part) == TAP_PART_IO)
			tap_part_io_rows(rows, part);
		else if (tap_part_whole(part) == TAP_PART_MEMORY)
			tap_part_memory_rows(rows, part);
		else
			tap_part_lock_rows(rows, part);
		break;
	}
}

const void *tap_rows_at(const struct tap_rows *rows, size_t index)
{
	return rows->first + index * rows->row_size;
}

static const char *engine_of(const struct tap_view *view, const char *instance)
{
	for (size_t i = 0; instance && i < view->n_instances; i++)
		if (view->instances[i].id && strcmp(view->instances[i].id, instance) == 0)
			return view->instances[i].engine;
	return NULL;
}

static struct tap_value string_value(const char *string)
{
	return (struct tap_value){ .type = string ? TAP_VALUE_STRING : TAP_VALUE_ABSENT, .string = string };
}

static struct tap_value int_value(int64_t value, int64_t least)
{
	return (struct tap_value){ .type = value >= least ? TAP_VALUE_INT : TAP_VALUE_ABSENT, .i = value };
}

static struct tap_value size_value(const uint64_t *counts)
{
	return (struct tap_value){ .type = TAP_VALUE_BUCKETS,
				   .buckets = { .counts = counts,
						.count = TAP_SIZE_BUCKETS,
						.bound = "up_to_bytes",
						.last = "over_bytes",
						.first = 512 } };
}

static struct tap_value octave_value(const uint64_t *counts, size_t count)
{
	return (struct tap_value){
		.type = TAP_VALUE_BUCKETS,
		.buckets = { .counts = counts, .count = count, .bound = "from_ns", .first = 1024, .from_zero = true }
	};
}

const char *tap_buckets_bound(const struct tap_buckets *buckets, size_t index, uint64_t *ret)
{
	bool open = buckets->last && index + 1 == buckets->count;

	*ret = buckets->from_zero && index == 0 ? 0 : buckets->first << (open ? index - 1 : index);
	return open ? buckets->last : buckets->bound;
}

static struct tap_value list_value(const void *row, const struct tap_field *field)
{
	const void *first = *(const void *const *)((const char *)row + field->offset);
	size_t count = *(const size_t *)((const char *)row + field->count_offset);

	return (struct tap_value){ .type = field->type == TAP_FIELD_PIDS ? TAP_VALUE_PIDS : TAP_VALUE_ROWS,
				   .list = { .first = first, .count = first ? count : 0, .shape = field->shape } };
}

struct tap_rows tap_rows_within(const struct tap_rows *rows, const struct tap_value *value)
{
	return (struct tap_rows){ .view = rows->view,
				  .first = value->list.first,
				  .row_size = value->list.shape->size,
				  .count = value->list.count,
				  .fields = value->list.shape->fields,
				  .n_fields = value->list.shape->n_fields };
}

struct tap_value tap_rows_value(const struct tap_rows *rows, const void *row, const struct tap_field *field)
{
	const void *at = (const char *)row + field->offset;
	double number;

	switch (field->type) {
	case TAP_FIELD_STRING:
		return string_value(*(const char *const *)at);
	case TAP_FIELD_ENGINE:
		return string_value(engine_of(rows->view, *(const char *const *)at));
	case TAP_FIELD_INT:
		return int_value(*(const int64_t *)at, INT64_MIN);
	case TAP_FIELD_POSITIVE:
		return int_value(*(const int64_t *)at, 1);
	case TAP_FIELD_AGE:
		return int_value(*(const int64_t *)at, 0);
	case TAP_FIELD_COUNT:
		return (struct tap_value){ .type = TAP_VALUE_UINT, .u = *(const uint64_t *)at };
	case TAP_FIELD_BOOL:
		return (struct tap_value){ .type = TAP_VALUE_BOOL, .b = *(const bool *)at };
	case TAP_FIELD_MEMORY:
		return int_value(*(const int64_t *)at, TAP_MEMORY_NONE + 1);
	case TAP_FIELD_RESIDUAL:
		return (struct tap_value){ .type = *(const int64_t *)at == -1 ? TAP_VALUE_ABSENT : TAP_VALUE_INT,
					   .i = *(const int64_t *)at };
	case TAP_FIELD_TIME:
		return (struct tap_value){ .type = *(const int64_t *)at < 0 ? TAP_VALUE_ABSENT : TAP_VALUE_TIME,
					   .i = *(const int64_t *)at };
	case TAP_FIELD_PART_OF:
		return (struct tap_value){ .type = *(const int64_t *)((const char *)row + field->count_offset) > 0
							   ? TAP_VALUE_INT
							   : TAP_VALUE_ABSENT,
					   .i = *(const int64_t *)at };
	case TAP_FIELD_SIZES:
		return size_value(at);
	case TAP_FIELD_OCTAVES:
		return octave_value(at, TAP_LATENCY_OCTAVES);
	case TAP_FIELD_WAIT_OCTAVES:
		return octave_value(at, TAP_LOCK_WAIT_OCTAVES);
	case TAP_FIELD_PIDS:
	case TAP_FIELD_ROWS:
		return list_value(row, field);
	case TAP_FIELD_DOUBLE:
		break;
	}
	number = *(const double *)at;
	return (struct tap_value){ .type = isfinite(number) ? TAP_VALUE_DOUBLE : TAP_VALUE_ABSENT, .d = number };
}

const char *tap_figure_absence(const struct tap_figures *figures, enum tap_figure figure)
{
	uint8_t reason = figures->absent[figure];

	if (reason == TAP_REASON_NONE)
		return NULL;
	return reason < TAP_REASON_COUNT ? tap_reason_texts[reason] : "not known";
}

static bool names_field(const struct tap_absence *list, size_t count, const char *field)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].field, field) == 0)
			return true;
	return false;
}

static bool said_for_all(const struct tap_view *view, const char *field, const char *reason)
{
	for (size_t i = 0; i < view->n_absent; i++)
		if (strcmp(view->absent[i].field, field) == 0 && strcmp(view->absent[i].reason, reason) == 0)
			return true;
	return false;
}

size_t tap_absences_add(struct tap_absence list[TAP_ABSENT_MAX], size_t count, const char *field, const char *reason)
{
	if (count == TAP_ABSENT_MAX || names_field(list, count, field))
		return count;
	list[count] = (struct tap_absence){ .field = field, .reason = reason };
	return count + 1;
}

size_t tap_absences_add_view(struct tap_absence list[TAP_ABSENT_MAX], size_t count, const struct tap_view *view)
{
	for (size_t i = 0; i < view->n_absent; i++)
		count = tap_absences_add(list, count, view->absent[i].field, view->absent[i].reason);
	return count;
}

size_t tap_absences_collect(const struct tap_view *view, const struct tap_figures *figures,
			    const struct tap_absence *fields, size_t n_fields, struct tap_absence ret[TAP_ABSENT_MAX])
{
	size_t count = 0;

	for (int i = 0; figures && i < TAP_FIGURE_COUNT; i++) {
		const char *name = tap_figure_infos[i].name, *reason = tap_figure_absence(figures, i);

		if (reason && !said_for_all(view, name, reason))
			count = tap_absences_add(ret, count, name, reason);
	}
	for (size_t i = 0; i < n_fields; i++)
		if (!said_for_all(view, fields[i].field, fields[i].reason))
			count = tap_absences_add(ret, count, fields[i].field, fields[i].reason);
	return count;
}

size_t tap_rows_absences(const struct tap_rows *rows, const void *row, struct tap_absence ret[TAP_ABSENT_MAX])
{
	const struct tap_absence *fields = NULL;
	size_t n_fields = 0;

	if (rows->absent)
		fields = rows->absent(row, &n_fields);
	return tap_absences_collect(rows->view, rows->figures ? rows->figures(row) : NULL, fields, n_fields, ret);
}
