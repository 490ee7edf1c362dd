// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_memory.c - an instance's processes as rows for the tracer, and as sessions for views.
 *
 * Called at the attach and at every sample without a connection. Reading and classifying is pg_backend's, titles are
 * pg_title's; here they become the records others know.
 */
#include "userspace/attach/pg_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "userspace/attach/pg_backend.h"
#include "userspace/attach/pg_names.h"
#include "userspace/attach/pg_title.h"

static size_t count_torn(const struct tap_pg_backend_list *list)
{
	size_t torn = 0;

	for (size_t i = 0; i < list->count; i++)
		torn += list->items[i].torn;
	return torn;
}

static void process_fill(const struct tap_pg_backend *backend, struct tap_pg_process *ret)
{
	ret->pid = backend->proc.pid;
	ret->kind = backend->kind;
	if (backend->has_wait_event) {
		ret->wait_event = backend->my_wait_event_info;
		ret->wait_event_now = backend->wait_event;
	}
	if (backend->has_status) {
		ret->status = backend->my_beentry;
		memcpy(ret->entry, backend->entry, sizeof(ret->entry));
	}
}

int tap_pg_processes_read(const struct tap_target *target, struct tap_pg_process **ret, size_t *ret_count,
			  size_t *ret_torn, struct tap_error *err)
{
	struct tap_pg_backend_list list;
	struct tap_pg_process *processes;
	int code = tap_pg_backends_read(target, false, &list, err);

	if (code)
		return code;
	processes = calloc(list.count, sizeof(*processes));
	if (processes) {
		for (size_t i = 0; i < list.count; i++)
			process_fill(&list.items[i], &processes[i]);
		*ret = processes;
		*ret_count = list.count;
		*ret_torn = count_torn(&list);
	}
	tap_pg_backends_done(&list);
	return processes ? 0 : tap_error_set(err, -ENOMEM, "%s: out of memory", target->id);
}

enum tap_session_state tap_pg_session_state(uint32_t state)
{
	static const enum tap_session_state states[TAP_PG_STATE_COUNT] = {
		[TAP_PG_STATE_UNDEFINED] = TAP_SESSION_NONE,
		[TAP_PG_STATE_IDLE] = TAP_SESSION_IDLE,
		[TAP_PG_STATE_RUNNING] = TAP_SESSION_ACTIVE,
		[TAP_PG_STATE_IDLE_IN_TRANSACTION] = TAP_SESSION_IDLE_IN_TRANSACTION,
		[TAP_PG_STATE_FASTPATH] = TAP_SESSION_FASTPATH,
		[TAP_PG_STATE_IDLE_IN_TRANSACTION_ABORTED] = TAP_SESSION_IDLE_IN_TRANSACTION_ABORTED,
		[TAP_PG_STATE_DISABLED] = TAP_SESSION_DISABLED,
	};

	return state < TAP_PG_STATE_COUNT ? states[state] : TAP_SESSION_NONE;
}

/* Processes of a group share the leader's PGPROC, which has the same address in each of them. */
static int32_t leader_pid(const struct tap_pg_backend_list *list, const struct tap_pg_backend *backend)
{
	if (backend->kind != TAP_KIND_PARALLEL || !backend->has_proc || !backend->lock_group_leader)
		return 0;
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].my_proc == backend->lock_group_leader && &list->items[i] != backend)
			return list->items[i].proc.pid;
	}
	return 0;
}

static int client_fill(const struct tap_target *target, const struct tap_pg_backend *backend,
		       struct tap_session *session)
{
	char client[TAP_PG_CLIENT_MAX];
	uint16_t port;

	tap_pg_status_client(&target->layout, backend->entry, client, &port);
	if (!*client)
		return 0;
	session->client = strdup(client);
	return session->client ? 0 : -ENOMEM;
}

/* What the status entry says; the texts move from the backend to the session. */
static int status_fill(const struct tap_target *target, struct tap_pg_backend *backend, struct tap_session *session)
{
	const struct tap_pg_status *status = &backend->status;

	session->state = tap_pg_session_state(status->state);
	session->database = status->database;
	session->user = status->user;
	session->query_id = status->query_id;
	session->backend_start_us = tap_pg_time_us(status->proc_start);
	session->transaction_start_us = tap_pg_time_us(status->xact_start);
	session->query_start_us = tap_pg_time_us(status->activity_start);
	session->state_change_us = tap_pg_time_us(status->state_start);
	session->application = backend->application;
	session->query = backend->activity;
	backend->application = NULL;
	backend->activity = NULL;
	return client_fill(target, backend, session);
}

static int session_fill(const struct tap_target *target, struct tap_pg_backend_list *list, size_t at,
			struct tap_session *session)
{
	struct tap_pg_backend *backend = &list->items[at];

	session->pid = backend->proc.pid;
	session->kind = backend->kind;
	session->leader_pid = leader_pid(list, backend);
	session->wait_event = backend->has_wait_event ? backend->wait_event : 0;
	return backend->has_status ? status_fill(target, backend, session) : 0;
}

/* Sessions of `list` are appended in its order, from index `first` on. */
static int sessions_append(const struct tap_target *target, struct tap_pg_backend_list *list,
			   struct tap_session_list *sessions)
{
	for (size_t i = 0; i < list->count; i++) {
		struct tap_session *session = tap_session_list_add(sessions);
		int err = session ? session_fill(target, list, i, session) : -ENOMEM;

		if (err)
			return err;
	}
	return 0;
}

/* A client that was never idle yet is starting; last, because what its title says goes by what the process is. */
static void starting_mark(const struct tap_pg_backend_list *list, struct tap_session *sessions)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct tap_pg_backend *backend = &list->items[i];

		if (backend->has_status && backend->kind == TAP_KIND_CLIENT &&
		    backend->status.state == TAP_PG_STATE_UNDEFINED)
			sessions[i].kind = TAP_KIND_STARTING;
	}
}

int tap_pg_sessions_read(const struct tap_target *target, struct tap_session_list *list, size_t *ret_torn,
			 struct tap_error *err)
{
	struct tap_pg_backend_list backends;
	size_t first = list->count;
	int code = tap_pg_backends_read(target, true, &backends, err);

	if (code)
		return code;
	code = sessions_append(target, &backends, list);
	if (!code)
		code = tap_pg_names_fill(target, list->items + first, list->count - first);
	if (code) {
		tap_error_set(err, code, "%s: out of memory", target->id);
	} else {
		starting_mark(&backends, list->items + first);
		*ret_torn = count_torn(&backends);
	}
	tap_pg_backends_done(&backends);
	return code;
}
