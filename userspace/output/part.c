// SPDX-License-Identifier: BSD-2-Clause
/* part.c - the tables of part.h and how they are read. */
#include "userspace/output/part.h"

#include <math.h>
#include <string.h>

#define FIELD(row, in_group, field_name, kind, member) \
	{ \
		.group = in_group, .name = field_name, .type = TAP_FIELD_##kind, \
		.offset = offsetof(struct row, member) \
	}

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

static const struct tap_field session_fields[] = {
	FIELD(tap_view_session, NULL, "instance", STRING, instance),
	FIELD(tap_view_session, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_session, NULL, "pid", INT, pid),
	FIELD(tap_view_session, NULL, "tid", POSITIVE, tid),
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
	FIELD(tap_view_instance, NULL, "processes", COUNT, processes),
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *const part_names[] = {
#define X(id, name) [TAP_PART_##id] = #name,
	TAP_VIEW_PARTS(X)
#undef X
};

const char *tap_part_name(enum tap_view_part part)
{
	return part_names[part];
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

static void init_list(struct tap_rows *rows, const void *first, size_t count, size_t row_size,
		      const struct tap_field *fields, size_t n_fields)
{
	rows->first = first;
	rows->count = count;
	rows->row_size = row_size;
	rows->fields = fields;
	rows->n_fields = n_fields;
}

void tap_rows_init(struct tap_rows *rows, const struct tap_view *view, enum tap_view_part part)
{
	*rows = (struct tap_rows){ .view = view };
	switch (part) {
	case TAP_PART_QUERIES:
		init_list(rows, view->queries, view->n_queries, sizeof(*view->queries), query_fields,
			  COUNT_OF(query_fields));
		rows->figures = query_figures;
		rows->absent = query_absent;
		rows->has_waits = true;
		break;
	case TAP_PART_SESSIONS:
		init_list(rows, view->sessions, view->n_sessions, sizeof(*view->sessions), session_fields,
			  COUNT_OF(session_fields));
		rows->figures = session_figures;
		rows->absent = session_absent;
		break;
	case TAP_PART_WAITS:
		init_list(rows, view->events, view->n_events, sizeof(*view->events), event_fields,
			  COUNT_OF(event_fields));
		break;
	case TAP_PART_INSTANCES:
	case TAP_PART_COUNT:
		init_list(rows, view->instances, view->n_instances, sizeof(*view->instances), instance_fields,
			  COUNT_OF(instance_fields));
		rows->figures = instance_figures;
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
