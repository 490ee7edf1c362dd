/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * statement.bpf.h - from what a process said at the last boundary and says now to the rows its time belongs to.
 *
 * The rules (docs/architecture.md, "Statements"): a new activity start after an idle state is a new statement; a new one
 * while the state stays active is the same statement; an id found late belongs to the whole statement.
 */
#ifndef TAP_BPF_STATEMENT_BPF_H
#define TAP_BPF_STATEMENT_BPF_H

#include "bpf/account.bpf.h"
#include "bpf/pg.bpf.h"
#include "bpf/text.bpf.h"

/*
 * Whether the growth of the entry's change count from idle to idle is that of one statement. Each report adds 2: the
 * activity, the reset of the id and the id, going idle, and the transaction's begin and end where they fall within. That
 * is one statement of the simple protocol; a prepared one adds 2 more, an extended one (Parse, Bind, Execute) 6; a second
 * statement in the same string adds 4, one that passed unseen or pipelined 8 and more. Measured on PostgreSQL 15.
 */
static __always_inline bool changes_are_of_one(__u32 changes, __u8 before, __u8 after)
{
	bool began_in = before == TAP_PG_STATE_IDLE_IN_TRANSACTION;
	bool ended_in = after == TAP_PG_STATE_IDLE_IN_TRANSACTION;
	__u32 simple = 12 - 2 * began_in - 2 * ended_in;

	return changes <= simple + 2 || changes == simple + 6;
}

/* The two rows of a boundary: of the run that ends here, and of what the thread does from here on. */
struct rows {
	__u32 run;
	__u32 next;
};

static __always_inline bool state_is_running(__u8 state)
{
	return state == TAP_PG_STATE_RUNNING || state == TAP_PG_STATE_FASTPATH;
}

/* The kind of row for the time between statements; 0: the state is not one of a client session. */
static __always_inline __u8 state_idle_kind(__u8 state)
{
	if (state == TAP_PG_STATE_IDLE)
		return TAP_KIND_IDLE;
	if (state == TAP_PG_STATE_IDLE_IN_TRANSACTION || state == TAP_PG_STATE_IDLE_IN_TRANSACTION_ABORTED)
		return TAP_KIND_IDLE_IN_TRANSACTION;
	return TAP_KIND_NONE;
}

/* Way of the row of this kind and id for the thread's session, its text sent when the row is new here. */
static __always_inline __u32 row_way(struct tap_task *task, __u8 kind, __u8 source, __u64 query_id)
{
	__u32 current = task->current_way, way;
	struct tap_way *held = way_at(task, current);
	struct tap_row_key key;

	key_make(&key, task, kind, source, query_id);
	if (held && way_is_of(held, &key))
		return current;
	way = way_find(task, &key);
	if (way != TAP_NO_WAY)
		return way;
	if (source != TAP_QUERY_ID_NONE)
		text_send(task, &key);
	return way_make(task, &key);
}

static __always_inline void way_count(struct tap_task *task, __u32 index, __u64 calls, __u64 uncounted)
{
	struct tap_way *way = way_at(task, index);

	if (!way)
		return;
	way->account.calls += calls;
	way->account.uncounted += uncounted;
}

/*
 * Gives `now` an own id where the engine has none and one is wanted: the statement has ended without one, the engine
 * computes none, or the process is no client (autovacuum and walsenders report a text and never an id).
 */
static __always_inline void identity_complete(struct tap_task *task, struct tap_instance *instance,
					      struct tap_identity *now, bool ended)
{
	bool wanted = ended || instance->own_ids || (now->kind != TAP_KIND_CLIENT && now->kind != TAP_KIND_PARALLEL);

	if (now->query_id || !wanted)
		return;
	if (task->in_statement && task->identity.source == TAP_QUERY_ID_OWN &&
	    task->identity.activity_start_us == now->activity_start_us)
		now->query_id = task->identity.query_id;
	else
		now->query_id = text_fingerprint(task);
	if (now->query_id)
		now->source = TAP_QUERY_ID_OWN;
}

/* What the statement gathered before its id was known is its own. */
static __always_inline __u32 statement_way(struct tap_task *task, const struct tap_identity *now)
{
	__u32 before = task->current_way;
	__u32 way = row_way(task, now->kind, now->source, now->query_id);
	struct tap_way *anonymous = way_at(task, before);

	if (task->in_statement && now->source != TAP_QUERY_ID_NONE && task->identity.source == TAP_QUERY_ID_NONE &&
	    anonymous && anonymous->key.kind == now->kind && anonymous->key.source == TAP_QUERY_ID_NONE)
		way_merge(task, before, way);
	task->current_way = way;
	return way;
}

static __always_inline struct rows rows_running(struct tap_task *task, struct tap_instance *instance,
						struct tap_identity *now)
{
	__u32 before = task->current_way, way;
	bool overtaken;

	identity_complete(task, instance, now, false);
	/* Two ids with no idle between: the first statement ended unseen, and others may have. */
	overtaken = task->in_statement && now->kind == TAP_KIND_CLIENT && now->query_id && task->identity.query_id &&
		    now->query_id != task->identity.query_id;
	way = statement_way(task, now);
	if (overtaken) {
		way_count(task, before, 1, 1);
		way_count(task, way, 0, 1);
	}
	task->in_statement = 1;
	return (struct rows){ way, way };
}

static __always_inline struct rows rows_between(struct tap_task *task, struct tap_instance *instance,
						struct tap_identity *now)
{
	__u8 idle = state_idle_kind(now->state);
	bool restamped = now->activity_start_us != task->identity.activity_start_us;
	bool ended = task->in_statement || (restamped && idle);
	__u32 changes = now->change_count - task->idle_change_count;
	struct rows rows;

	if (ended) {
		identity_complete(task, instance, now, true);
		rows.run = statement_way(task, now);
		if (now->kind == TAP_KIND_CLIENT)
			way_count(task, rows.run, 1,
				  !task->progress && !changes_are_of_one(changes, now->idle_state, now->state));
	}
	task->in_statement = 0;
	task->progress = 0;
	task->idle_change_count = now->change_count;
	now->idle_state = now->state;
	rows.next = row_way(task, idle ? idle : now->kind, TAP_QUERY_ID_NONE, 0);
	if (!ended)
		rows.run = rows.next;
	return rows;
}

static __always_inline struct rows rows_of_kind(struct tap_task *task, __u8 kind)
{
	__u32 way = row_way(task, kind, TAP_QUERY_ID_NONE, 0);

	return (struct rows){ way, way };
}

/*
 * The rows of a boundary; brings the task's identity up to date. `may_be_unchanged`: worth asking first whether
 * anything was written since the last boundary.
 */
static __always_inline struct rows rows_follow(struct tap_task *task, bool exiting, bool may_be_unchanged)
{
	struct rows same = { task->current_way, task->current_way };
	struct tap_identity now = {};
	struct tap_instance *instance;
	__u32 index = task->instance;
	int reading;

	if (task->role != TAP_ROLE_BACKEND)
		return rows_of_kind(task, task->identity.kind);
	instance = bpf_map_lookup_elem(&instances, &index);
	if (!instance)
		return same;
	if (exiting)
		return rows_of_kind(task, TAP_KIND_EXITING);
	if (may_be_unchanged && task->current_way < TAP_WAYS && pg_unchanged(task, instance))
		return same;
	reading = pg_read(task, instance, &now);
	if (reading == PG_READ_BETWEEN && task->current_way < TAP_WAYS)
		return same;
	if (reading != PG_READ_CURRENT)
		return rows_of_kind(task, reading == PG_READ_EXITING ? TAP_KIND_EXITING : task->identity.kind);
	task->identity.database = now.database;
	task->identity.user = now.user;
	if (state_is_running(now.state))
		same = rows_running(task, instance, &now);
	else
		same = rows_between(task, instance, &now);
	task->identity = now;
	return same;
}

#endif
