// SPDX-License-Identifier: BSD-2-Clause
/* part_locks.c - the fields of the locks view's lists. */
#include "userspace/output/part_fields.h"

#define LOCK(row) \
	FIELD(row, "lock", "type", STRING, lock.type), FIELD(row, "lock", "mode", STRING, lock.mode), \
		FIELD(row, "lock", "database", STRING, lock.database), \
		FIELD(row, "lock", "relation", STRING, lock.relation), FIELD(row, "lock", "name", STRING, lock.name)

/* Who, and what it runs. */
#define SESSION(row) \
	FIELD(row, NULL, "database", STRING, database), FIELD(row, NULL, "user", STRING, user), \
		FIELD(row, NULL, "application", STRING, application), FIELD(row, NULL, "client", STRING, client), \
		FIELD(row, NULL, "query_id", STRING, query_id), \
		FIELD(row, NULL, "query_id_source", STRING, query_id_source), FIELD(row, NULL, "query", STRING, query)

/* Current and past ones. root_pid 0 is a prepared transaction. */
static const struct tap_field wait_fields[] = {
	FIELD(tap_view_lock_wait, NULL, "instance", STRING, instance),
	FIELD(tap_view_lock_wait, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_lock_wait, NULL, "pid", INT, pid),
	SESSION(tap_view_lock_wait),
	LOCK(tap_view_lock_wait),
	FIELD(tap_view_lock_wait, NULL, "waiting_ns", AGE, waiting_ns),
	FIELD(tap_view_lock_wait, NULL, "started", TIME, started_realtime_ns),
	LIST(tap_view_lock_wait, "blocked_by", PIDS, blocked_by, NULL),
	FIELD(tap_view_lock_wait, NULL, "depth", POSITIVE, depth),
	FIELD(tap_view_lock_wait, NULL, "root_pid", AGE, root_pid),
};

/* A prepared transaction has pid 0, an xid and perhaps a gid. */
static const struct tap_field holder_fields[] = {
	FIELD(tap_view_lock_holder, NULL, "instance", STRING, instance),
	FIELD(tap_view_lock_holder, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_lock_holder, NULL, "pid", INT, pid),
	FIELD(tap_view_lock_holder, NULL, "xid", POSITIVE, xid),
	FIELD(tap_view_lock_holder, NULL, "gid", STRING, gid),
	SESSION(tap_view_lock_holder),
	FIELD(tap_view_lock_holder, NULL, "state", STRING, state),
	FIELD(tap_view_lock_holder, NULL, "doing", STRING, doing),
	FIELD(tap_view_lock_holder, NULL, "held_ns", AGE, held_ns),
	FIELD(tap_view_lock_holder, NULL, "held_is_bound", BOOL, held_is_bound),
	FIELD(tap_view_lock_holder, NULL, "transaction_ns", AGE, transaction_ns),
	FIELD(tap_view_lock_holder, NULL, "statement_ns", AGE, statement_ns),
	LOCK(tap_view_lock_holder),
	LIST(tap_view_lock_holder, "blocks", PIDS, blocks, NULL),
	FIELD(tap_view_lock_holder, NULL, "victims", COUNT, victims),
	FIELD(tap_view_lock_holder, NULL, "cost_ns", AGE, cost_ns),
	FIELD(tap_view_lock_holder, NULL, "root", BOOL, root),
};

static const struct tap_field member_fields[] = {
	FIELD(tap_view_lock_member, NULL, "pid", INT, pid),
	FIELD(tap_view_lock_member, NULL, "query_id", STRING, query_id),
	FIELD(tap_view_lock_member, NULL, "query", STRING, query),
	LOCK(tap_view_lock_member),
	FIELD(tap_view_lock_member, NULL, "waits_for", INT, waits_for),
	FIELD(tap_view_lock_member, NULL, "soft", BOOL, soft),
};
static const struct tap_row_shape member_shape = SHAPE(tap_view_lock_member, member_fields);

static const struct tap_field cycle_fields[] = {
	FIELD(tap_view_lock_cycle, NULL, "instance", STRING, instance),
	FIELD(tap_view_lock_cycle, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_lock_cycle, NULL, "kind", STRING, kind),
	FIELD(tap_view_lock_cycle, NULL, "outlook", STRING, outlook),
	FIELD(tap_view_lock_cycle, NULL, "at", TIME, at_realtime_ns),
	FIELD(tap_view_lock_cycle, NULL, "victim_pid", POSITIVE, victim_pid),
	FIELD(tap_view_lock_cycle, NULL, "verdict", TIME, verdict_realtime_ns),
	LIST(tap_view_lock_cycle, "members", ROWS, members, &member_shape),
};

static const struct tap_field risk_fields[] = {
	FIELD(tap_view_lock_risk, NULL, "risk", STRING, risk),
	FIELD(tap_view_lock_risk, NULL, "instance", STRING, instance),
	FIELD(tap_view_lock_risk, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_lock_risk, "first", "query_id", STRING, first_query_id),
	FIELD(tap_view_lock_risk, "first", "query", STRING, first_query),
	FIELD(tap_view_lock_risk, "first", "order", STRING, first_order),
	FIELD(tap_view_lock_risk, "first", "seen", POSITIVE, first_seen),
	FIELD(tap_view_lock_risk, "second", "query_id", STRING, second_query_id),
	FIELD(tap_view_lock_risk, "second", "query", STRING, second_query),
	FIELD(tap_view_lock_risk, "second", "order", STRING, second_order),
	FIELD(tap_view_lock_risk, "second", "seen", POSITIVE, second_seen),
	FIELD(tap_view_lock_risk, NULL, "evidence", STRING, evidence),
	FIELD(tap_view_lock_risk, NULL, "advice", STRING, advice),
	FIELD(tap_view_lock_risk, NULL, "cost_ns", POSITIVE, cost_ns),
};

static const struct tap_field loss_fields[] = {
	FIELD(tap_view_lock_loss, NULL, "instance", STRING, instance),
	FIELD(tap_view_lock_loss, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_lock_loss, NULL, "query_id", STRING, query_id),
	FIELD(tap_view_lock_loss, NULL, "query", STRING, query),
	FIELD(tap_view_lock_loss, "blocker", "query_id", STRING, blocker_query_id),
	FIELD(tap_view_lock_loss, "blocker", "query", STRING, blocker_query),
	FIELD(tap_view_lock_loss, "blocker", "state", STRING, blocker_state),
	LOCK(tap_view_lock_loss),
	FIELD(tap_view_lock_loss, NULL, "waits", COUNT, waits),
	FIELD(tap_view_lock_loss, NULL, "ns", INT, ns),
	FIELD(tap_view_lock_loss, NULL, "max_ns", INT, max_ns),
};

#define WAITS \
	FIELD(tap_view_lock_stat, NULL, "waits", COUNT, waits), \
		FIELD(tap_view_lock_stat, NULL, "failed", COUNT, failed), \
		FIELD(tap_view_lock_stat, NULL, "ns", INT, ns), FIELD(tap_view_lock_stat, "wait_ns", "p50", AGE, p50), \
		FIELD(tap_view_lock_stat, "wait_ns", "p95", AGE, p95), \
		FIELD(tap_view_lock_stat, "wait_ns", "p99", AGE, p99), \
		FIELD(tap_view_lock_stat, "wait_ns", "max", AGE, max), \
		FIELD(tap_view_lock_stat, NULL, "wait_histogram", WAIT_OCTAVES, octaves)

#define QUERY(row) \
	FIELD(row, NULL, "instance", STRING, instance), FIELD(row, NULL, "engine", ENGINE, instance), \
		FIELD(row, NULL, "database", STRING, database), FIELD(row, NULL, "user", STRING, user), \
		FIELD(row, NULL, "kind", STRING, kind), FIELD(row, NULL, "query_id", STRING, query_id), \
		FIELD(row, NULL, "query_id_source", STRING, query_id_source), FIELD(row, NULL, "query", STRING, query)

static const struct tap_field by_query_fields[] = {
	QUERY(tap_view_lock_stat),
	WAITS,
};

static const struct tap_field by_lock_fields[] = {
	FIELD(tap_view_lock_stat, NULL, "instance", STRING, instance),
	FIELD(tap_view_lock_stat, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_lock_stat, "lock", "type", STRING, lock.type),
	FIELD(tap_view_lock_stat, "lock", "database", STRING, lock.database),
	FIELD(tap_view_lock_stat, "lock", "relation", STRING, lock.relation),
	FIELD(tap_view_lock_stat, "lock", "name", STRING, lock.name),
	WAITS,
};

static const struct tap_field internal_fields[] = {
	QUERY(tap_view_lock_internal),
	FIELD(tap_view_lock_internal, NULL, "class", STRING, class_name),
	FIELD(tap_view_lock_internal, NULL, "event", STRING, event_name),
	FIELD(tap_view_lock_internal, NULL, "waits", COUNT, waits),
	FIELD(tap_view_lock_internal, NULL, "ns", INT, ns),
};

static const struct tap_absence *internal_absent(const void *row, size_t *ret_count)
{
	static const struct tap_absence absent[] = {
		{ "wait_ns", "the kernel side adds these waits up: one histogram per query and event would cost every "
			     "switch of a thread" },
	};

	(void)row;
	*ret_count = COUNT_OF(absent);
	return absent;
}

void tap_part_lock_rows(struct tap_rows *rows, enum tap_view_part part)
{
	const struct tap_lock_view *locks = &rows->view->locks;

	switch (part) {
	case TAP_PART_LOCK_HOLDERS:
		SET_ROWS(rows, locks->holders, locks->n_holders, holder_fields);
		break;
	case TAP_PART_LOCK_CYCLES:
		SET_ROWS(rows, locks->cycles, locks->n_cycles, cycle_fields);
		break;
	case TAP_PART_LOCK_RISKS:
		SET_ROWS(rows, locks->risks, locks->n_risks, risk_fields);
		break;
	case TAP_PART_LOCK_PAST:
		SET_ROWS(rows, locks->past, locks->n_past, wait_fields);
		break;
	case TAP_PART_LOCK_LOSSES:
		SET_ROWS(rows, locks->losses, locks->n_losses, loss_fields);
		break;
	case TAP_PART_LOCK_BY_QUERY:
		SET_ROWS(rows, locks->by_query, locks->n_by_query, by_query_fields);
		break;
	case TAP_PART_LOCK_BY_LOCK:
		SET_ROWS(rows, locks->by_lock, locks->n_by_lock, by_lock_fields);
		break;
	case TAP_PART_LOCK_INTERNAL:
		SET_ROWS(rows, locks->internal, locks->n_internal, internal_fields);
		rows->absent = internal_absent;
		break;
	default:
		SET_ROWS(rows, locks->waits, locks->n_waits, wait_fields);
		break;
	}
}
