/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * statement.bpf.h - from what a process said at the last boundary and says now to the rows its time belongs to.
 *
 * The rules (docs/architecture.md, "Statements"): a new activity start after an idle state is a new statement; a new
 * one while the state stays active is the same statement; an id found late belongs to the whole statement.
 */
#ifndef TAP_BPF_STATEMENT_BPF_H
#define TAP_BPF_STATEMENT_BPF_H

#include "bpf/account.bpf.h"
#include "bpf/pg.bpf.h"
#include "bpf/text.bpf.h"

/*
 * Whether the growth of the entry's change count from idle to idle is that of one statement. Each report adds 2: the
 * activity, the reset of the id and the id, going idle, and the transaction's begin and end where they fall within.
 * Measured on PostgreSQL 15, within a transaction of its own:
 *	engine ids	simple 12, prepared 14, extended (Parse, Bind, Execute) 18, each further one of a string 4
 *	none		simple 14, prepared 12, extended 16, each further one of a string 6
 * The same on 14, 16 and 17. On 18, which resets the id of the plan, too:
 *	engine ids	simple 16, prepared 14, extended 20, each further one of a string 8
 *	none		simple 18, prepared 12, extended 18, each further one of a string 10
 * On 13, which has no ids: simple 8, prepared 10, extended 12, and further ones of a string add nothing: they are not
 * found out. What passed unseen or was pipelined adds 6 and more (13: 4).
 */
static __always_inline bool changes_are_of_one(const struct tap_pg_layout *layout, __u32 changes, __u8 before,
					       __u8 after, bool own_ids)
{
	bool began_in = before == TAP_PG_STATE_IDLE_IN_TRANSACTION;
	bool ended_in = after == TAP_PG_STATE_IDLE_IN_TRANSACTION;
	__u32 elsewhere = 2 * began_in + 2 * ended_in;

	/* The session was never seen idle before: what it wrote while it started is in the count. */
	if (before == TAP_PG_STATE_UNDEFINED)
		return true;
	if (own_ids)
		return changes + elsewhere <= layout->changes_of_one[1];
	return changes + elsewhere <= layout->changes_of_one[0] || changes + elsewhere == layout->changes_extended;
}

/*
 * How many statements may have ended since the last idle boundary without our seeing it, besides the one that was seen.
 * At most: none adds less than changes_least.
 */
static __always_inline __u32 statements_unseen(const struct tap_task *task, const struct tap_instance *instance,
					       const struct tap_identity *now)
{
	const struct tap_pg_layout *layout = &instance->layout;
	__u32 changes = now->change_count - task->idle_change_count;
	__u32 least = layout->changes_least ?: 1;

	if (task->progress || changes_are_of_one(layout, changes, now->idle_state, now->state, instance->own_ids))
		return 0;
	return changes < 2 * least ? 1 : changes / least - 1;
}

/*
 * The two rows of a boundary: of the run that ends here, and of what the thread does from here on, with its kind. A
 * number, because functions that the verifier walks on their own return nothing else.
 */
typedef __u32 rows_t;

static __always_inline rows_t rows_make(__u32 run, __u32 next, __u8 next_kind)
{
	return (run & 0xff) | (next & 0xff) << 8 | (__u32)next_kind << 16;
}

static __always_inline __u32 rows_run(rows_t rows)
{
	return rows & 0xff;
}

static __always_inline __u32 rows_next(rows_t rows)
{
	return rows >> 8 & 0xff;
}

static __always_inline __u8 rows_next_kind(rows_t rows)
{
	return rows >> 16;
}

/*
 * Notes that the statement of a row came after the last one's, and what came after it before. A session that repeats
 * one statement changes nothing here: the line of the tags stays untouched.
 */
static __always_inline void way_follow(struct tap_task *task, __u32 way)
{
	__u32 last = task->last_way;

	if (way == last && way == task->next_way)
		return;
	barrier_var(last);
	if (last < TAP_WAYS) {
		barrier_var(last);
		task->next_ways[last] = way;
	}
	task->last_way = way;
	barrier_var(way);
	if (way < TAP_WAYS) {
		barrier_var(way);
		task->next_way = task->next_ways[way];
	}
}

/* Way of a row that is not the expected one; its text is sent when the row is new here. */
TAP_GLOBAL __u32 row_way_other(struct tap_task *task, struct tap_row_key *key)
{
	__u32 way;

	if (!task || !key)
		return TAP_NO_WAY;
	way = way_find(task, key);
	if (way == TAP_NO_WAY) {
		if (key->source != TAP_QUERY_ID_NONE)
			text_send(task, key);
		way = way_make(task, key);
	}
	if (!kind_is_idle(key->kind))
		way_follow(task, way);
	return way;
}

/* Way of the row of this kind and id for the thread's session. */
static __always_inline __u32 row_way(struct tap_task *task, __u8 kind, __u8 source, __u64 query_id)
{
	struct tap_way *expected;
	struct tap_row_key key;
	__u32 way;

	/* A session's database and user are settled before it is first idle. */
	if (kind_is_idle(kind) && task->idle_ways[idle_slot(kind)] < TAP_WAYS)
		return task->idle_ways[idle_slot(kind)];
	key_make(&key, task, kind, source, query_id);
	way = task->next_way;
	expected = way_at(task, way);
	if (!expected || !way_is_of(expected, &key))
		return row_way_other(task, &key);
	way_follow(task, way);
	return way;
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
 * Gives `now` an own id where the engine has none and one is wanted: the statement has ended without one or sleeps
 * without one (it may do so for long), the engine computes none, or the process is no client (autovacuum and walsenders
 * report a text and never an id).
 */
static __always_inline void identity_complete(struct tap_task *task, const struct tap_instance *instance,
					      struct tap_identity *now, bool at_rest)
{
	bool wanted = at_rest || instance->own_ids || (now->kind != TAP_KIND_CLIENT && now->kind != TAP_KIND_PARALLEL);

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

/* What the statement gathered under no id or its own fingerprint goes with it when a better id is known. */
static __always_inline __u32 statement_way(struct tap_task *task, const struct tap_identity *now)
{
	__u32 before = task->current_way;
	__u32 way = row_way(task, now->kind, now->source, now->query_id);
	struct tap_way *earlier = way_at(task, before);

	if (task->in_statement && now->source != TAP_QUERY_ID_NONE && task->identity.source != TAP_QUERY_ID_ENGINE &&
	    task->identity.source != now->source && earlier && earlier->key.kind == now->kind &&
	    earlier->key.source == task->identity.source)
		way_merge(task, before, way);
	task->current_way = way;
	return way;
}

/* What earlier statements that never got an id left in the nameless row is not this one's to take along. */
static __always_inline void anonymous_clear(struct tap_task *task, const struct tap_identity *now)
{
	struct tap_row_key key;

	key_make(&key, task, now->kind, TAP_QUERY_ID_NONE, 0);
	way_evict(task, way_find(task, &key));
}

TAP_GLOBAL rows_t rows_running(struct tap_task *task, struct tap_instance *instance, struct tap_identity *now,
			       __u32 id_wanted)
{
	__u32 before, way;
	bool overtaken;

	if (!task || !instance || !now)
		return rows_make(TAP_NO_WAY, TAP_NO_WAY, TAP_KIND_UNKNOWN);
	before = task->current_way;
	identity_complete(task, instance, now, id_wanted);
	if (!task->in_statement && now->source == TAP_QUERY_ID_NONE)
		anonymous_clear(task, now);
	/* Two ids with no idle between: the first statement ended unseen, and others may have. */
	overtaken = task->in_statement && now->kind == TAP_KIND_CLIENT && now->query_id && task->identity.query_id &&
		    now->query_id != task->identity.query_id && now->source == task->identity.source;
	way = statement_way(task, now);
	if (overtaken) {
		way_count(task, before, 1, 1);
		way_count(task, way, 0, 1);
	}
	task->in_statement = 1;
	return rows_make(way, way, now->kind);
}

/* A session between statements, or a process that runs none. */
static __always_inline rows_t rows_between(struct tap_task *task, struct tap_instance *instance,
					   struct tap_identity *now)
{
	bool restamped = now->activity_start_us != task->identity.activity_start_us;
	bool ended = task->in_statement || (restamped && tap_pg_state_idle_kind(now->state));
	__u8 next_kind = tap_pg_kind_between(now->kind, now->state);
	__u32 run = TAP_NO_WAY, next;

	if (ended) {
		identity_complete(task, instance, now, true);
		run = statement_way(task, now);
		if (now->kind == TAP_KIND_CLIENT)
			way_count(task, run, 1, statements_unseen(task, instance, now));
	}
	task->in_statement = 0;
	task->progress = 0;
	task->idle_change_count = now->change_count;
	now->idle_state = now->state;
	next = row_way(task, next_kind, TAP_QUERY_ID_NONE, 0);
	return rows_make(ended ? run : next, next, next_kind);
}

static __always_inline rows_t rows_of_kind(struct tap_task *task, __u8 kind)
{
	__u32 way = row_way(task, kind, TAP_QUERY_ID_NONE, 0);

	return rows_make(way, way, kind);
}

/* A statement that was seen to run has ended when its session is on its way out, by itself or not. */
static __always_inline void statement_end_at_exit(struct tap_task *task)
{
	if (task->in_statement && task->identity.kind == TAP_KIND_CLIENT)
		way_count(task, task->current_way, 1, 0);
	task->in_statement = 0;
}

/* The rows of a thread whose memory is not read, or says nothing (yet, or any more). */
TAP_GLOBAL rows_t rows_unread(struct tap_task *task, __u32 kind)
{
	return task ? rows_of_kind(task, kind) : rows_make(TAP_NO_WAY, TAP_NO_WAY, TAP_KIND_UNKNOWN);
}

/*
 * The rows of a boundary of a PostgreSQL backend; brings the task's identity up to date. A thread that does not go to
 * sleep, or not where sessions wait for their clients, is most often within a statement: worth asking first whether
 * anything was written since the last boundary. `id_wanted`: a statement without an id yet is looked at for its own;
 * one that sleeps may do so for long.
 */
static __always_inline rows_t pg_rows(struct tap_task *task, bool exiting, bool id_wanted, bool in_epoll)
{
	rows_t same = rows_make(task->current_way, task->current_way, task->current_kind), rows;
	struct tap_identity now = {};
	struct tap_instance *instance;
	__u32 index = task->instance;
	int reading;

	instance = bpf_map_lookup_elem(&instances, &index);
	if (!instance)
		return same;
	if (exiting) {
		statement_end_at_exit(task);
		return rows_unread(task, TAP_KIND_EXITING);
	}
	if ((!id_wanted || (!in_epoll && task->identity.query_id)) && task->current_way < TAP_WAYS &&
	    pg_unchanged(task, instance))
		return same;
	reading = pg_read(task, instance, &now);
	if (reading == PG_READ_BETWEEN && task->current_way < TAP_WAYS)
		return same;
	if (reading == PG_READ_EXITING)
		statement_end_at_exit(task);
	if (reading != PG_READ_CURRENT)
		return rows_unread(task, reading == PG_READ_EXITING ? TAP_KIND_EXITING : task->identity.kind);
	task->identity.database = now.database;
	task->identity.user = now.user;
	rows = tap_pg_state_is_running(now.state) ? rows_running(task, instance, &now, id_wanted)
						  : rows_between(task, instance, &now);
	task->identity = now;
	return rows;
}

#endif
