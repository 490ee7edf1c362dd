/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine.bpf.h - where a boundary of a thread becomes a matter of its engine.
 *
 * The role tells: a PostgreSQL backend is asked for first, so that it takes one branch that always falls the same way,
 * as it did when there was no other engine. Another engine's threads have roles of their own, behind
 * TAP_ROLE_POSTMASTER, and come after it: their code is best a global function (TAP_GLOBAL), which is verified once and
 * kept out of the hot path.
 */
#ifndef TAP_BPF_ENGINE_BPF_H
#define TAP_BPF_ENGINE_BPF_H

#include "bpf/my_statement.bpf.h"
#include "bpf/pg.bpf.h"
#include "bpf/statement.bpf.h"

/* The rows of a boundary; brings the task's identity up to date. Arguments as pg_rows. */
static __always_inline rows_t rows_follow(struct tap_task *task, bool exiting, bool id_wanted, bool in_epoll)
{
	if (task->role == TAP_ROLE_BACKEND)
		return pg_rows(task, exiting, id_wanted, in_epoll);
	if (task->role == TAP_ROLE_MY_THREAD)
		return my_rows(task, exiting, id_wanted);
	return rows_unread(task, task->identity.kind);
}

/*
 * The wait event of the sleep that begins; negative when it could not be read. An idle session that waits in epoll
 * waits for its client: PostgreSQL sets no other event there, and not reading it saves a quarter of the cost of the
 * most frequent switch there is.
 */
static __always_inline __s64 sleep_event(struct tap_task *task, bool exiting, bool in_epoll)
{
	if (task->role != TAP_ROLE_BACKEND || exiting)
		return task->role == TAP_ROLE_MY_THREAD ? my_wait_event(task) : 0;
	if (kind_is_idle(task->current_kind) && in_epoll)
		return TAP_PG_CLIENT_READ;
	return pg_wait_event(task);
}

#endif
