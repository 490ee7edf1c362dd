// SPDX-License-Identifier: BSD-2-Clause
/* memory.c - what processes, control groups and the host hold, beside who they are and what they run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/model/build.h"

static int64_t growth(int64_t end, int64_t begin)
{
	return end == TAP_MEMORY_NONE || begin == TAP_MEMORY_NONE ? TAP_MEMORY_NONE : end - begin;
}

/* Of a server of processes each has one session. */
static const struct tap_view_session *session_of(const struct tap_view *view, const char *instance, int32_t pid)
{
	for (size_t i = 0; i < view->n_sessions_all; i++) {
		const struct tap_view_session *session = &view->sessions[i];

		if (session->tid == pid && !session->connection_id && !strcmp(session->instance, instance))
			return session;
	}
	return NULL;
}

/* The kind of a process that is no session, from the row that it works for. */
static const char *kind_of(const struct tap_build *build, const struct tap_window_instance *instance, int32_t pid)
{
	const struct tap_snapshot *end = build->input->end;

	if (tap_terms_of(instance->engine)->threads)
		return NULL;
	for (size_t i = 0; i < end->n_threads; i++) {
		if (end->threads[i].tgid == pid)
			return tap_build_kind(end->threads[i].identity.kind);
	}
	return NULL;
}

static void process_fill(struct tap_build *build, struct tap_view_process *view,
			 const struct tap_window_instance *instance, const struct tap_process_memory *process)
{
	const struct tap_process_memory *before =
		tap_memory_set_find_process(&build->input->begin->memory, process->pid);
	const struct tap_view_session *session;

	view->instance = tap_arena_string(build->arena, instance->id);
	view->pid = process->pid;
	view->memory = *process;
	view->anon_growth = growth(process->anon, before ? before->anon : 0);
	session = session_of(build->view, instance->id, process->pid);
	if (!session) {
		view->kind = kind_of(build, instance, process->pid);
		return;
	}
	view->kind = session->kind;
	view->database = session->database;
	view->user = session->user;
	view->state = session->state;
	view->query_id = session->query_id;
	view->query = session->query;
}

static bool is_wanted(const struct tap_build *build, const struct tap_window_instance *instance)
{
	const char *wanted = build->input->options.instance;

	return instance && (!wanted || !strcmp(wanted, instance->id));
}

static int by_anon(const void *a, const void *b)
{
	const struct tap_view_process *left = a, *right = b;

	if (left->memory.anon != right->memory.anon)
		return left->memory.anon < right->memory.anon ? 1 : -1;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

static int processes_build(struct tap_build *build)
{
	const struct tap_memory_set *end = &build->input->end->memory;
	size_t limit = build->input->options.limit;
	struct tap_view *view = build->view;

	view->processes = tap_arena_new(build->arena, end->n_processes, sizeof(*view->processes));
	if (!view->processes)
		return -ENOMEM;
	for (size_t i = 0; i < end->n_processes; i++) {
		const struct tap_window_instance *instance = tap_build_instance(build, end->processes[i].instance);

		if (is_wanted(build, instance))
			process_fill(build, &view->processes[view->n_processes_all++], instance, &end->processes[i]);
	}
	qsort(view->processes, view->n_processes_all, sizeof(*view->processes), by_anon);
	view->n_processes = limit && limit < view->n_processes_all ? limit : view->n_processes_all;
	return 0;
}

static int groups_build(struct tap_build *build)
{
	const struct tap_memory_set *begin = &build->input->begin->memory, *end = &build->input->end->memory;
	struct tap_view *view = build->view;

	view->memory_groups = tap_arena_new(build->arena, end->n_groups, sizeof(*view->memory_groups));
	if (!view->memory_groups)
		return -ENOMEM;
	for (size_t i = 0; i < end->n_groups; i++) {
		const struct tap_memory_group *group = &end->groups[i];
		const struct tap_memory_group *before = tap_memory_set_find_group(begin, group->path);
		const struct tap_window_instance *instance = tap_build_instance(build, group->instance);
		struct tap_view_memory_group *to;

		if (!is_wanted(build, instance))
			continue;
		to = &view->memory_groups[view->n_memory_groups++];
		to->instance = tap_arena_string(build->arena, instance->id);
		to->path = tap_arena_string(build->arena, group->path);
		to->memory = *group;
		to->memory.path = NULL;
		to->oom_kills = growth(group->oom_kills, before ? before->oom_kills : 0);
	}
	return 0;
}

static int kills_build(struct tap_build *build)
{
	const struct tap_memory_kills *kills = build->input->kills;
	struct tap_view *view = build->view;

	view->kills = tap_arena_new(build->arena, kills ? kills->count : 0, sizeof(*view->kills));
	if (!view->kills)
		return -ENOMEM;
	for (size_t i = 0; kills && i < kills->count; i++) {
		const struct tap_memory_kill *kill = &kills->items[i];
		const struct tap_row_key *row = &kill->row;
		struct tap_view_kill *to;

		/* One that was killed before the window began is not of it, though nobody was told before. */
		if (kill->realtime_ns < build->input->begin->realtime_ns ||
		    !is_wanted(build, tap_build_instance(build, row->instance)))
			continue;
		to = &view->kills[view->n_kills++];
		to->instance = tap_arena_string(build->arena, tap_build_instance(build, row->instance)->id);
		to->at_ns = kill->realtime_ns;
		to->pid = kill->pid;
		to->kind = tap_build_kind(row->kind);
		to->database = tap_build_name(build, row->instance, TAP_NAME_DATABASE, row->database);
		to->user = tap_build_name(build, row->instance, TAP_NAME_USER, row->user);
		to->query_id = tap_build_query_id(build, row->source, row->query_id);
		to->query = tap_build_text(build, row->instance, row->source, row->query_id);
		to->anon = kill->anon;
	}
	return 0;
}

int tap_build_memory(struct tap_build *build)
{
	const struct tap_host_memory *begin = &build->input->begin->memory.host, *end = &build->input->end->memory.host;
	struct tap_view *view = build->view;
	int status = processes_build(build);

	if (!status)
		status = groups_build(build);
	if (!status)
		status = kills_build(build);
	view->host_memory = tap_arena_new(build->arena, 1, sizeof(*view->host_memory));
	if (status || !view->host_memory)
		return -ENOMEM;
	view->n_host_memory = 1;
	view->host_memory->memory = *end;
	view->host_memory->some_stall_ns = growth(end->some_stall_ns, begin->some_stall_ns);
	view->host_memory->full_stall_ns = growth(end->full_stall_ns, begin->full_stall_ns);
	return build->arena->failed ? -ENOMEM : 0;
}
