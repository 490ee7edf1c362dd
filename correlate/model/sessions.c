// SPDX-License-Identifier: BSD-2-Clause
/* sessions.c - the processes of the instances at the end of the window, each with what it used within it. */
#include "correlate/model/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/model/io.h"

static const struct tap_thread *thread_of(const struct tap_snapshot *snapshot, uint32_t instance, int32_t tid)
{
	for (size_t i = 0; i < snapshot->n_threads; i++) {
		if (snapshot->threads[i].tid == tid && snapshot->threads[i].instance == instance)
			return &snapshot->threads[i];
	}
	return NULL;
}

/* Growth of a thread's figures within the window; all of them when it began in it. */
static void figures_fill(struct tap_build *build, struct tap_view_session *session, uint32_t instance)
{
	const struct tap_thread *end = thread_of(build->input->end, instance, (int32_t)session->tid);
	const struct tap_thread *begin = thread_of(build->input->begin, instance, (int32_t)session->tid);
	struct tap_figures before;
	struct tap_account nothing = { 0 };

	if (!end) {
		tap_build_figures(&session->figures, &nothing, 0, 0);
		for (int i = 0; i < TAP_FIGURE_COUNT; i++)
			tap_build_absent(&session->figures, i, TAP_REASON_NOT_TRACED);
		return;
	}
	tap_build_figures(&session->figures, &end->account, end->wait_ns, end->sleeps);
	/* A figure that shrank: the tid is another process's now. */
	if (begin && begin->account.cpu_ns <= end->account.cpu_ns) {
		tap_build_figures(&before, &begin->account, begin->wait_ns, begin->sleeps);
		for (int i = 0; i < TAP_FIGURE_COUNT; i++)
			session->figures.value[i] -= before.value[i];
	}
	tap_build_absent(&session->figures, TAP_FIGURE_CALLS, TAP_REASON_SHARED);
	tap_build_absent(&session->figures, TAP_FIGURE_UNSEEN, TAP_REASON_SHARED);
	tap_build_absent(&session->figures, TAP_FIGURE_RUNNING, TAP_REASON_SHARED);
	tap_build_absent(&session->figures, TAP_FIGURE_ERRORS, TAP_REASON_SHARED);
	tap_build_absent(&session->figures, TAP_FIGURE_ANON_PEAK, TAP_REASON_SHARED);
	for (int i = TAP_FIGURE_RECLAIM; i <= TAP_FIGURE_COMPACT; i++)
		tap_build_absent(&session->figures, i, TAP_REASON_SHARED);
	if (tap_build_terms(build, instance)->threads)
		tap_build_absent(&session->figures, TAP_FIGURE_ANON_GROWTH, TAP_REASON_ONE_PROCESS);
	tap_io_figures_absent(&session->figures, build->io ? TAP_REASON_SHARED : TAP_REASON_IO_OFF);
}

static void query_fill(struct tap_build *build, struct tap_view_session *session, const struct tap_session *from,
		       uint32_t instance)
{
	struct tap_build_statement statement = tap_build_session_statement(build, instance, from);

	session->query_id = statement.query_id;
	session->query_id_source = statement.query_id_source;
	session->query = statement.query;
}

/* Sessions are read a moment after the snapshot: what began meanwhile has age 0. -1: not known, or no time at all. */
static int64_t age_ns(const struct tap_build *build, int64_t since_us)
{
	int64_t since_ns, age;

	if (!since_us || __builtin_mul_overflow(since_us, 1000, &since_ns) ||
	    __builtin_sub_overflow(build->input->end->realtime_ns, since_ns, &age))
		return -1;
	return age < 0 ? 0 : age;
}

static void wait_fill(struct tap_build *build, struct tap_view_session *session, const struct tap_session *from,
		      uint32_t instance)
{
	if (from->wait_name) {
		session->wait_class = tap_arena_string(build->arena, from->wait_class);
		session->wait_event = tap_arena_string(build->arena, from->wait_name);
	} else if (from->wait_event) {
		tap_build_event(build, instance, from->wait_event, &session->wait_class, &session->wait_event);
	}
}

static void session_fill(struct tap_build *build, struct tap_view_session *session, const struct tap_session *from,
			 uint32_t instance)
{
	session->instance = tap_arena_string(build->arena, tap_build_instance(build, instance)->id);
	/* A connection of a server of threads is a number of its own, and its process is the server's. */
	session->pid = from->connection_id ? tap_build_instance(build, instance)->pid : from->pid;
	session->tid = from->pid;
	session->connection_id = from->connection_id;
	session->leader_pid = from->leader_pid;
	session->kind = tap_build_kind(from->kind);
	session->database =
		tap_build_name_or_oid(build, instance, TAP_NAME_DATABASE, from->database_name, from->database);
	session->user = tap_build_name_or_oid(build, instance, TAP_NAME_USER, from->user_name, from->user);
	session->application = tap_arena_string(build->arena, from->application);
	session->client = tap_arena_string(build->arena, from->client);
	session->state = tap_session_state_name(from->state);
	session->state_since_ns = age_ns(build, from->state_change_us);
	session->transaction_since_ns = age_ns(build, from->transaction_start_us);
	wait_fill(build, session, from, instance);
	query_fill(build, session, from, instance);
	figures_fill(build, session, instance);
}

static bool is_wanted(const struct tap_build *build, const struct tap_window_instance *instance,
		      const struct tap_session *session)
{
	const char *database = build->input->options.database;
	const char *name = session->database_name;

	if (!database)
		return true;
	if (!name && instance->names)
		name = tap_names_find(instance->names, TAP_NAME_DATABASE, session->database);
	return name && !strcmp(name, database);
}

static bool instance_is_wanted(const struct tap_build *build, const struct tap_window_instance *instance)
{
	return instance->present && instance->sessions && tap_window_wants(&build->input->options, instance);
}

/* Who works first, then who waits in a transaction, then the idle, then the background. */
static int rank_of(const struct tap_view_session *session)
{
	if (!session->state)
		return 3;
	if (!strcmp(session->state, "active"))
		return 0;
	return !strncmp(session->state, "idle in", 7) ? 1 : 2;
}

static int by_order(const void *a, const void *b, void *context)
{
	const struct tap_view_session *left = a, *right = b;
	int sort = *(const int *)context;
	int rank = sort < 0 ? rank_of(left) - rank_of(right) : 0;
	int figure = sort < 0 ? TAP_FIGURE_CPU : sort;
	int64_t l = left->figures.value[figure], r = right->figures.value[figure];

	if (rank)
		return rank;
	if (l != r)
		return l < r ? 1 : -1;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

static size_t sessions_total(const struct tap_build *build)
{
	size_t total = 0;

	for (size_t i = 0; i < build->input->n_instances; i++) {
		if (instance_is_wanted(build, &build->input->instances[i]))
			total += build->input->instances[i].sessions->count;
	}
	return total;
}

int tap_build_sessions(struct tap_build *build)
{
	struct tap_view *view = build->view;
	int sort = build->input->options.sort;
	size_t limit = build->input->options.limit, count = 0;

	view->sessions = tap_arena_new(build->arena, sessions_total(build), sizeof(*view->sessions));
	if (!view->sessions)
		return -ENOMEM;
	for (size_t i = 0; i < build->input->n_instances; i++) {
		const struct tap_window_instance *instance = &build->input->instances[i];

		if (!instance_is_wanted(build, instance))
			continue;
		for (size_t j = 0; j < instance->sessions->count; j++) {
			if (is_wanted(build, instance, &instance->sessions->items[j]))
				session_fill(build, &view->sessions[count++], &instance->sessions->items[j],
					     (uint32_t)i);
		}
	}
	view->n_sessions_all = count;
	qsort_r(view->sessions, count, sizeof(*view->sessions), by_order, &sort);
	view->n_sessions = limit && limit < count ? limit : count;
	return build->arena->failed ? -ENOMEM : 0;
}
