// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_engine.c - MariaDB's table of userspace/attach/engine.h.
 *
 * How its sessions become what the kernel side and the views are told of them; everything else is in the files it
 * names.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "bpf/abi/my_thread.h"
#include "correlate/engine/mysql/digest.h"
#include "correlate/engine/mysql/number.h"
#include "userspace/attach/engine.h"
#include "userspace/attach/my_find.h"
#include "userspace/attach/my_lock_record.h"
#include "userspace/attach/my_locks.h"
#include "userspace/attach/my_server.h"
#include "userspace/attach/my_session.h"
#include "userspace/attach/my_thread.h"

/* Connections that come from now on are counted from their beginning. */
static uint32_t newest_connection(const struct tap_target *target)
{
	struct tap_my_session_list sessions;
	uint64_t newest = 0;

	if (tap_my_sessions_walk(target, &sessions, NULL))
		return UINT32_MAX;
	for (size_t i = 0; i < sessions.count; i++) {
		if (sessions.items[i].id > newest)
			newest = sessions.items[i].id;
	}
	tap_my_sessions_done(&sessions);
	return newest < UINT32_MAX ? (uint32_t)newest : UINT32_MAX;
}

static void instance_of(const struct tap_target *target, struct tap_instance *ret)
{
	ret->my = ((const struct tap_my_own *)target->own)->instance;
	ret->own_ids = true;
	if (ret->my.pooled)
		ret->my.newest = newest_connection(target);
}

/* ---- what a session is ---- */

static bool begins(const char *text, const char *with)
{
	return text && !strncmp(text, with, strlen(with));
}

static uint8_t kind_of_daemon(const struct tap_my_session *session)
{
	if (begins(session->user, TAP_MY_USER_EVENTS))
		return TAP_KIND_EVENT_SCHEDULER;
	return begins(session->stage, TAP_MY_STAGE_PURGE) ? TAP_KIND_PURGE : TAP_KIND_BACKGROUND;
}

/* As bpf/my_kind.bpf.h has it. `thread_kind`: of the thread that serves it, NONE where that was not asked for. */
static uint8_t kind_of(const struct tap_my_session *session, uint8_t thread_kind)
{
	bool pool = thread_kind == TAP_KIND_INNODB_WORKER || thread_kind == TAP_KIND_POOL_WORKER;

	if (thread_kind && !pool)
		return thread_kind;
	switch (session->command) {
	case TAP_MY_COM_DAEMON:
		return kind_of_daemon(session);
	case TAP_MY_COM_SLAVE_IO:
		return TAP_KIND_REPLICATION_RECEIVER;
	case TAP_MY_COM_SLAVE_SQL:
	case TAP_MY_COM_SLAVE_WORKER:
		return TAP_KIND_REPLICATION_APPLIER;
	case TAP_MY_COM_CONNECT:
		return session->query && !session->received ? TAP_KIND_EVENT_WORKER : TAP_KIND_STARTING;
	default:
		return TAP_KIND_CLIENT;
	}
}

static enum tap_session_state state_of(const struct tap_my_session *session, uint8_t kind)
{
	if (kind != TAP_KIND_CLIENT)
		return TAP_SESSION_NONE;
	if (session->command != TAP_MY_COM_SLEEP)
		return TAP_SESSION_ACTIVE;
	return session->server_status & TAP_MY_STATUS_IN_TRANS ? TAP_SESSION_IDLE_IN_TRANSACTION : TAP_SESSION_IDLE;
}

/* The kernel side knows states by these numbers, whatever the engine. */
static uint8_t adopted_state(const struct tap_my_session *session, uint8_t kind)
{
	switch (state_of(session, kind)) {
	case TAP_SESSION_ACTIVE:
		return TAP_PG_STATE_RUNNING;
	case TAP_SESSION_IDLE:
		return TAP_PG_STATE_IDLE;
	case TAP_SESSION_IDLE_IN_TRANSACTION:
		return TAP_PG_STATE_IDLE_IN_TRANSACTION;
	default:
		return TAP_PG_STATE_UNDEFINED;
	}
}

/* ---- threads ---- */

static const struct tap_my_session *session_of(const struct tap_my_session_list *sessions, int32_t tid)
{
	for (size_t i = 0; i < sessions->count; i++) {
		if (sessions->items[i].tid == tid && sessions->items[i].served)
			return &sessions->items[i];
	}
	return NULL;
}

/* Threads that serve no client, told apart; one that does has got something from it. */
struct told {
	struct tap_my_thread_asked *items;
	size_t count;
};

static int told_make(const struct tap_target *target, const struct tap_my_threads *threads,
		     const struct tap_my_session_list *sessions, struct told *ret)
{
	const struct tap_my_own *own = target->own;
	struct told told = { .items = calloc(threads->count + 1, sizeof(*told.items)) };

	if (!told.items)
		return -ENOMEM;
	for (size_t i = 0; i < threads->count; i++) {
		const struct tap_my_session *session = session_of(sessions, threads->items[i].tid);

		if (!session || !session->received)
			told.items[told.count++] = (struct tap_my_thread_asked){
				.tid = threads->items[i].tid,
				.ns_tid = threads->items[i].ns_tid,
			};
	}
	tap_my_threads_tell(target->proc_root, target->pid, &own->marks, told.items, told.count);
	*ret = told;
	return 0;
}

static uint8_t told_kind(const struct told *told, int32_t tid)
{
	for (size_t i = 0; i < told->count; i++) {
		if (told->items[i].tid == tid)
			return told->items[i].kind;
	}
	return TAP_KIND_NONE;
}

/* ---- running threads ---- */

static void adoption_fill(struct tap_running *running, const struct tap_target *target,
			  const struct tap_my_session *session)
{
	struct tap_adoption *adoption = &running->adoption;
	uint32_t lock = tap_my_locks_wait(target, session->thd);

	adoption->identity.kind = kind_of(session, adoption->thread_kind);
	adoption->status_address = session->thd;
	adoption->wait_address = session->executes;
	adoption->group_pid = (int32_t)session->id;
	adoption->identity.change_count = (uint32_t)session->questions;
	adoption->identity.activity_start_us = (int64_t)session->received;
	adoption->identity.database = tap_my_name_number(session->database);
	adoption->identity.user = tap_my_name_number(session->user);
	adoption->identity.state = adopted_state(session, adoption->identity.kind);
	adoption->wait_event = session->command == TAP_MY_COM_SLEEP ? TAP_MY_WAIT_CLIENT
			       : lock				    ? lock
								    : TAP_MY_WAIT_OTHER;
	if (session->command == TAP_MY_COM_SLEEP || !session->query)
		return;
	adoption->activity_address = session->query_address;
	adoption->identity.query_id = tap_my_statement_id(session->query, strlen(session->query));
	adoption->identity.source = TAP_QUERY_ID_OWN;
	running->text = strdup(session->query);
}

static int running_fill(const struct tap_target *target, const struct tap_my_threads *threads,
			const struct tap_my_session_list *sessions, const struct told *told, uint32_t index,
			struct tap_running_list *ret)
{
	ret->items = calloc(threads->count + 1, sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	for (size_t i = 0; i < threads->count; i++) {
		const struct tap_my_session *session = session_of(sessions, threads->items[i].tid);
		struct tap_running *running = &ret->items[ret->count++];

		running->tid = threads->items[i].tid;
		running->adoption.instance = index;
		running->adoption.role = TAP_ROLE_MY_THREAD;
		running->adoption.thread_kind = told_kind(told, running->tid);
		running->adoption.identity.kind =
			running->adoption.thread_kind ? running->adoption.thread_kind : TAP_KIND_BACKGROUND;
		running->adoption.wait_event = TAP_MY_WAIT_OTHER;
		if (session)
			adoption_fill(running, target, session);
	}
	return 0;
}

static int running_read(const struct tap_target *target, uint32_t index, struct tap_running_list *ret,
			struct tap_error *err)
{
	struct tap_running_list list = { 0 };
	struct tap_my_session_list sessions;
	struct tap_my_threads threads;
	struct told told = { 0 };
	int code = tap_my_sessions_walk(target, &sessions, err);

	if (code)
		return code;
	code = tap_my_threads_read(target->proc_root, target->pid, &threads);
	if (!code) {
		code = told_make(target, &threads, &sessions, &told);
		if (!code)
			code = running_fill(target, &threads, &sessions, &told, index, &list);
		free(told.items);
		tap_my_threads_done(&threads);
	}
	tap_my_sessions_done(&sessions);
	if (code)
		return tap_error_set(err, code, "threads of process %d cannot be listed: %s", target->pid,
				     strerror(-code));
	*ret = list;
	return 0;
}

/* ---- sessions ---- */

static char *client_of(const struct tap_my_session *session)
{
	const char *host = session->address ? session->address : session->host;

	if (!host)
		return NULL;
	return strdup(!session->address && !strcmp(host, "localhost") ? "[local]" : host);
}

/* Takes the texts over. */
static int session_add(const struct tap_target *target, struct tap_my_session *from, const struct told *told,
		       struct tap_session_list *list)
{
	bool pooled = ((const struct tap_my_own *)target->own)->instance.pooled;
	struct tap_session *session = tap_session_list_add(list);

	if (!session)
		return -ENOMEM;
	/* Between statements a session of a pool has no thread; the one that served it last serves others. */
	session->pid = from->tid && (from->served || !pooled) ? from->tid : target->pid;
	session->connection_id = (int64_t)from->id;
	session->kind = kind_of(from, told_kind(told, from->tid));
	session->state = state_of(from, session->kind);
	session->database = tap_my_name_number(from->database);
	session->user = tap_my_name_number(from->user);
	session->database_name = from->database;
	session->user_name = from->user;
	session->query = from->query;
	session->client = client_of(from);
	session->application = from->stage;
	session->state_change_us = from->start_us;
	session->query_start_us = session->state == TAP_SESSION_ACTIVE ? from->start_us : 0;
	from->database = from->user = from->query = from->stage = NULL;
	return 0;
}

/* Threads of the server's own that hold no session, as far as it is known what they are. */
static int thread_add(const struct tap_my_thread_asked *thread, const struct tap_my_session_list *sessions,
		      struct tap_session_list *list)
{
	struct tap_session *session;

	if (!thread->kind || thread->kind == TAP_KIND_BACKGROUND || session_of(sessions, thread->tid))
		return 0;
	session = tap_session_list_add(list);
	if (!session)
		return -ENOMEM;
	session->pid = thread->tid;
	session->kind = thread->kind;
	return 0;
}

static int all_add(const struct tap_target *target, const struct tap_my_threads *threads,
		   struct tap_my_session_list *sessions, struct tap_session_list *list)
{
	struct told told;
	int code = told_make(target, threads, sessions, &told);

	if (code)
		return code;
	for (size_t i = 0; i < sessions->count && !code; i++)
		code = session_add(target, &sessions->items[i], &told, list);
	for (size_t i = 0; i < told.count && !code; i++)
		code = thread_add(&told.items[i], sessions, list);
	free(told.items);
	return code;
}

static int sessions_read(const struct tap_target *target, struct tap_session_list *list, struct tap_error *err)
{
	struct tap_my_session_list sessions;
	struct tap_my_threads threads;
	int code = tap_my_sessions_walk(target, &sessions, err);

	if (code)
		return code;
	code = tap_my_threads_read(target->proc_root, target->pid, &threads);
	if (!code) {
		code = all_add(target, &threads, &sessions, list);
		tap_my_threads_done(&threads);
	}
	tap_my_sessions_done(&sessions);
	return code ? tap_error_set(err, code, "sessions of process %d cannot be told: %s", target->pid,
				    strerror(-code))
		    : 0;
}

/* The session of a connection, whichever thread serves it. */
static const struct tap_my_session *session_owning(const struct tap_my_session_list *sessions, int32_t owner)
{
	for (size_t i = 0; i < sessions->count && owner > 0; i++) {
		if (sessions->items[i].id == (uint64_t)owner)
			return &sessions->items[i];
	}
	return NULL;
}

static int statement_read(const struct tap_target *target, int32_t owner, struct tap_statement *ret)
{
	struct tap_my_session_list sessions;
	const struct tap_my_session *session;
	int code = tap_my_sessions_walk(target, &sessions, NULL);

	if (code)
		return code;
	session = session_owning(&sessions, owner);
	if (session) {
		*ret = (struct tap_statement){
			.kind = kind_of(session, TAP_KIND_NONE),
			.state = state_of(session, kind_of(session, TAP_KIND_NONE)),
			.database = tap_my_name_number(session->database),
			.user = tap_my_name_number(session->user),
			.query_start_us = session->start_us,
		};
		if (session->query)
			snprintf(ret->text, sizeof(ret->text), "%s", session->query);
	}
	tap_my_sessions_done(&sessions);
	return session ? 0 : -ENODATA;
}

/* ---- our own session ---- */

static bool same_text(const char *memory, const char *said)
{
	return !strcmp(memory ? memory : "", said);
}

static int session_compare(const struct tap_my_session *session, const struct tap_engine_self *self, const char *marker,
			   struct tap_error *err)
{
	if (!same_text(session->user, self->user))
		return tap_error_set(err, -EBADMSG, "its user lies elsewhere");
	if (!same_text(session->database, self->database))
		return tap_error_set(err, -EBADMSG, "its database lies elsewhere");
	if (session->command == TAP_MY_COM_SLEEP)
		return -EAGAIN;
	if (session->command != TAP_MY_COM_QUERY)
		return tap_error_set(err, -EBADMSG, "its command lies elsewhere");
	if (!session->query)
		return -EAGAIN;
	if (!strstr(session->query, marker))
		return tap_error_set(err, -EBADMSG, "its query lies elsewhere");
	if (session->tid && !session->served)
		return tap_error_set(err, -EBADMSG, "its thread does not lead to it");
	return 0;
}

static int session_confirm(const struct tap_target *target, const struct tap_engine_self *self, const char *marker,
			   struct tap_error *err)
{
	struct tap_my_session_list sessions;
	int code = tap_my_sessions_walk(target, &sessions, err);

	if (code)
		return code;
	code = tap_error_set(err, -EBADMSG, "it is not among those in memory");
	for (size_t i = 0; i < sessions.count; i++) {
		if (sessions.items[i].id == (uint64_t)self->connection_id)
			code = session_compare(&sessions.items[i], self, marker, err);
	}
	tap_my_sessions_done(&sessions);
	return code;
}

/* ---- locks ---- */

static int locks_open(const struct tap_target *target, struct tap_engine_locks **ret, struct tap_error *err)
{
	struct tap_my_locks *locks = calloc(1, sizeof(*locks));
	int code;

	if (!locks)
		return tap_error_set(err, -ENOMEM, "out of memory");
	code = tap_my_locks_open(target, locks, err);
	if (code)
		free(locks);
	else
		*ret = (struct tap_engine_locks *)locks;
	return code;
}

static int locks_read(const struct tap_engine_locks *locks, const struct tap_target *target, bool all,
		      struct tap_lock_table *table, struct tap_relation_names *names, struct tap_error *err)
{
	return tap_my_locks_read((const struct tap_my_locks *)locks, target, all, table, names, err);
}

static bool locks_followed(const struct tap_target *target)
{
	return ((const struct tap_my_own *)target->own)->instance.locks.trx;
}

static void locks_close(struct tap_engine_locks *locks)
{
	free(locks);
}

const struct tap_attach tap_attach_mysql = {
	.product = "MariaDB",
	.statement_end = "dispatch_command",
	.folder = { .changed_at_start = "ibtmp1" },
	.first_role = TAP_ROLE_MY_THREAD,
	.first_kind = TAP_KIND_BACKGROUND,
	.find = tap_my_find,
	.target_done = tap_my_target_done,
	.instance = instance_of,
	.running = running_read,
	.sessions = sessions_read,
	.confirm = session_confirm,
	.statement = statement_read,
	.lock_decode = tap_my_lock_decode,
	.locks_open = locks_open,
	.locks_read = locks_read,
	.locks_close = locks_close,
	.locks_followed = locks_followed,
};
