// SPDX-License-Identifier: BSD-2-Clause
/* part_memory.c - the fields of the memory view's lists. Its queries are those of the queries view. */
#include "userspace/output/part_fields.h"

#define PROCESS(name, kind, member) FIELD(tap_view_process, NULL, name, kind, member)
#define GROUP(name, kind, member) FIELD(tap_view_memory_group, NULL, name, kind, member)
#define KILL(name, kind, member) FIELD(tap_view_kill, NULL, name, kind, member)
#define HOST(name, kind, member) FIELD(tap_view_host_memory, NULL, name, kind, member)

static const struct tap_field process_fields[] = {
	PROCESS("instance", STRING, instance),
	PROCESS("engine", ENGINE, instance),
	PROCESS("pid", INT, pid),
	PROCESS("kind", STRING, kind),
	PROCESS("database", STRING, database),
	PROCESS("user", STRING, user),
	PROCESS("state", STRING, state),
	PROCESS("query_id", STRING, query_id),
	PROCESS("query", STRING, query),
	PROCESS("anon_bytes", MEMORY, memory.anon),
	PROCESS("anon_growth_bytes", MEMORY, anon_growth),
	PROCESS("file_bytes", MEMORY, memory.file),
	PROCESS("shared_bytes", MEMORY, memory.shared),
	PROCESS("swap_bytes", MEMORY, memory.swap),
	PROCESS("page_table_bytes", MEMORY, memory.page_tables),
};

static const struct tap_field group_fields[] = {
	GROUP("instance", STRING, instance),
	GROUP("engine", ENGINE, instance),
	GROUP("path", STRING, path),
	GROUP("current_bytes", MEMORY, memory.current),
	GROUP("peak_bytes", MEMORY, memory.most),
	GROUP("limit_bytes", MEMORY, memory.limit),
	GROUP("oom_kills", MEMORY, oom_kills),
};

static const struct tap_field kill_fields[] = {
	KILL("instance", STRING, instance),
	KILL("engine", ENGINE, instance),
	KILL("at", TIME, at_ns),
	KILL("pid", INT, pid),
	KILL("kind", STRING, kind),
	KILL("database", STRING, database),
	KILL("user", STRING, user),
	KILL("query_id", STRING, query_id),
	KILL("query", STRING, query),
	KILL("anon_bytes", MEMORY, anon),
};

static const struct tap_field host_fields[] = {
	HOST("total_bytes", MEMORY, memory.total),	     HOST("available_bytes", MEMORY, memory.available),
	HOST("swap_total_bytes", MEMORY, memory.swap_total), HOST("swap_free_bytes", MEMORY, memory.swap_free),
	HOST("some_stall_ns", MEMORY, some_stall_ns),	     HOST("full_stall_ns", MEMORY, full_stall_ns),
};

void tap_part_memory_rows(struct tap_rows *rows, enum tap_view_part part)
{
	const struct tap_view *view = rows->view;

	if (part == TAP_PART_MEMORY_GROUPS)
		SET_ROWS(rows, view->memory_groups, view->n_memory_groups, group_fields);
	else if (part == TAP_PART_MEMORY_KILLS)
		SET_ROWS(rows, view->kills, view->n_kills, kill_fields);
	else if (part == TAP_PART_MEMORY_HOST)
		SET_ROWS(rows, view->host_memory, view->n_host_memory, host_fields);
	else
		SET_ROWS(rows, view->processes, view->n_processes, process_fields);
}
