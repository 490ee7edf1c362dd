// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_layout_cache.c - what of PostgreSQL's layout is kept. See pg_layout_cache.h.
 *
 * Called by pg_find around pg_layout_search.
 */
#include "userspace/attach/pg_layout_cache.h"

#include <errno.h>

#include "userspace/attach/layout_cache.h"

/* The numbers of a row. */
static const struct tap_layout_number numbers[] = {
#define ROW(field, most) \
	{ \
#field, offsetof(struct tap_pg_layout_row, field), sizeof(((struct tap_pg_layout_row *)0)->field), 0, \
			0, most \
	}
#define TABLE(name, field, most) \
	{ \
		name, offsetof(struct tap_pg_layout_row, field), 1, sizeof(((struct tap_pg_layout_row *)0)->field), 0, \
			most \
	}
#define STATUS(field, bytes) ROW(layout.status_##field, TAP_PG_STATUS_MAX - (bytes))
#define PROC(field) ROW(layout.proc_##field, TAP_PG_ABSENT)
	ROW(proc_size, UINT16_MAX),
	ROW(types, TAP_PG_BACKEND_TYPES),
	ROW(layout.status_size, TAP_PG_STATUS_MAX),
	STATUS(changecount, 4),
	STATUS(procpid, 4),
	STATUS(backend_type, 4),
	STATUS(proc_start, 8),
	STATUS(xact_start, 8),
	STATUS(activity_start, 8),
	STATUS(state_start, 8),
	STATUS(database, 4),
	STATUS(user, 4),
	STATUS(client_addr, 132),
	STATUS(state, 4),
	STATUS(appname, 8),
	STATUS(activity, 8),
	STATUS(progress_command, 4),
	ROW(layout.status_query_id, TAP_PG_ABSENT),
	PROC(lock_group_leader),
	PROC(pid),
	PROC(wait_event_info),
	ROW(layout.wait_event_offset, UINT16_MAX),
	ROW(layout.changes_of_one[0], UINT8_MAX),
	ROW(layout.changes_of_one[1], UINT8_MAX),
	ROW(layout.changes_extended, UINT8_MAX),
	ROW(layout.changes_least, UINT8_MAX),
	PROC(wait_lock),
	PROC(wait_lock_mode),
	PROC(wait_start),
	PROC(wait_status),
	ROW(layout.lock_tag, UINT16_MAX),
	TABLE("kind", layout.kind_of_type, TAP_KIND_COUNT - 1),
	TABLE("state", layout.state_of, TAP_PG_STATE_COUNT),
#undef TABLE
#undef PROC
#undef STATUS
#undef ROW
};

static const struct tap_layout_form form = {
	.first_line = "dbtap layout 1\n",
	.numbers = numbers,
	.count = sizeof(numbers) / sizeof(*numbers),
};

/* Every offset names bytes inside its struct, so that readers need not check again. */
static bool is_bounded(const struct tap_pg_layout_row *row)
{
	const struct tap_pg_layout *layout = &row->layout;
	const uint16_t ends[] = {
		layout->status_changecount + 4,	  layout->status_procpid + 4,
		layout->status_backend_type + 4,  layout->status_proc_start + 8,
		layout->status_xact_start + 8,	  layout->status_activity_start + 8,
		layout->status_state_start + 8,	  layout->status_database + 4,
		layout->status_user + 4,	  layout->status_state + 4,
		layout->status_appname + 8,	  layout->status_activity + 8,
		layout->status_client_addr + 132, layout->status_progress_command + 4,
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		if (ends[i] > layout->status_size || ends[i] % 4)
			return false;
	}
	return row->proc_size &&
	       (layout->status_query_id == TAP_PG_ABSENT ||
		(layout->status_query_id + 8 <= layout->status_size && !(layout->status_query_id % 8)));
}

int tap_pg_layout_cache_read(const char *build_id, const struct tap_pg_layout_row *near, struct tap_pg_layout_row *ret)
{
	struct tap_pg_layout_row row = *near;
	int code = tap_layout_cache_read(&form, build_id, &row);

	if (!code && !is_bounded(&row))
		code = -EBADMSG;
	if (code)
		return code;
	row.searched = true;
	*ret = row;
	return 0;
}

int tap_pg_layout_cache_write(const char *build_id, const struct tap_pg_layout_row *row)
{
	return tap_layout_cache_write(&form, build_id, row);
}
