// SPDX-License-Identifier: BSD-2-Clause
/* lock_cycles.c - confirms the cycles of a reading by a second one, and says what kind they are. */
#include "userspace/consume/lock_cycles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* `look` is a whole reading: it has the row locks that tell which relation a wait for a transaction is about. */
static void member_fill(struct tap_lock_look *look, int32_t pid, int32_t next, struct tap_lock_cycle_member *ret)
{
	const struct tap_lock_entry *entry = tap_lock_look_waiting(&look->table, pid);
	struct tap_lock_wait *wait = tap_lock_log_find(look->log, look->instance, pid);
	struct tap_statement statement;

	*ret = (struct tap_lock_cycle_member){ .pid = pid, .waits_for = next };
	if (entry) {
		ret->tag = entry->tag;
		ret->mode = entry->wanted;
		ret->wait_start_us = entry->wait_start_us;
		tap_lock_object_of(look->instance, &entry->tag, &ret->object);
	}
	if (wait && tap_lock_look_is_of(entry, wait)) {
		tap_lock_object_settle(&look->table, wait, tap_lock_look_mentions, look, &wait->object);
		ret->row = wait->row;
		ret->object = wait->object;
	}
	if (tap_lock_look_statement(look, pid, &statement))
		return;
	if (!ret->row.query_id)
		tap_lock_look_row(look, &statement, &ret->row);
	if (*statement.text)
		ret->query = strdup(statement.text);
}

/* 0 or 1: whether one waits for the other softly; negative: not at all. */
static int softness(const struct tap_lock_graph *graph, int32_t waiter, int32_t blocker)
{
	for (size_t i = 0; i < graph->n_edges; i++) {
		if (graph->edges[i].waiter == waiter && graph->edges[i].blocker == blocker)
			return graph->edges[i].soft;
	}
	return -1;
}

static int32_t leader_of(const struct tap_lock_entry *entry)
{
	return entry->leader_pid ? entry->leader_pid : entry->pid;
}

/* Whether a second reading has every one of its edges, of the same waits: then it stands. */
static bool is_confirmed(const struct tap_lock_look *look, const int32_t *pids, size_t count,
			 const struct tap_lock_look *second)
{
	for (size_t i = 0; i < count; i++) {
		const struct tap_lock_entry *before = tap_lock_look_waiting(&look->table, pids[i]);
		const struct tap_lock_entry *after = tap_lock_look_waiting(&second->table, pids[i]);
		const struct tap_lock_entry *next = tap_lock_look_waiting(&second->table, pids[(i + 1) % count]);

		if (!before || !after || !next || before->wait_start_us != after->wait_start_us ||
		    memcmp(&before->tag, &after->tag, sizeof(before->tag)) ||
		    softness(&second->graph, pids[i], leader_of(next)) < 0)
			return false;
	}
	return true;
}

/* What kind of cycle it is by the second reading: queue order may have changed since the first. */
static int cycle_judge(const struct tap_lock_look *look, struct tap_lock_cycle *cycle)
{
	enum tap_lock_cycle_kind kind = TAP_LOCK_CYCLE_HARD;
	bool soft = false, reordered = false;
	int status = 0;

	for (size_t i = 0; i < cycle->n_members; i++) {
		soft |= cycle->members[i].soft;
		reordered |= cycle->members[i].soft && tap_lock_is_reordered(cycle->members[i].tag.type);
	}
	if (soft && !reordered)
		kind = TAP_LOCK_CYCLE_STUCK;
	else if (soft)
		status = tap_lock_cycle_resolve(
			&look->table, leader_of(tap_lock_look_waiting(&look->table, cycle->members[0].pid)), &kind);
	cycle->kind = (uint8_t)kind;
	return status;
}

static int cycle_report(struct tap_lock_look *look, int64_t at_ns, const int32_t *pids, size_t count)
{
	struct tap_lock_cycle cycle = { .instance = look->instance, .at_ns = at_ns };
	int status;

	cycle.members = calloc(count, sizeof(*cycle.members));
	if (!cycle.members)
		return -ENOMEM;
	cycle.n_members = count;
	for (size_t i = 0; i < count; i++) {
		int32_t next = pids[(i + 1) % count];

		member_fill(look, pids[i], next, &cycle.members[i]);
		cycle.members[i].soft =
			softness(&look->graph, pids[i], leader_of(tap_lock_look_waiting(&look->table, next))) > 0;
	}
	status = cycle_judge(look, &cycle);
	if (status) {
		tap_lock_cycle_done(&cycle);
		return status;
	}
	status = tap_lock_log_cycle(look->log, &cycle);
	return status == -EEXIST ? 0 : status;
}

/* Each is looked at twice, since the table was read while the server went on. */
int tap_lock_cycles_look(struct tap_lock_look *look)
{
	struct tap_lock_look second = *look;
	int status = tap_lock_place_read(look->place, look->followed, true, &look->names->names, &second.table);
	size_t begin = 0;

	if (status)
		return 0;
	status = tap_lock_graph_make(&second.table, &second.graph);
	for (size_t i = 0; i < look->graph.n_cycles && !status; i++) {
		const int32_t *pids = look->graph.cycle_pids + begin;
		size_t count = look->graph.cycle_ends[i] - begin;

		begin = look->graph.cycle_ends[i];
		if (count <= TAP_LOCK_MEMBERS_MAX && is_confirmed(look, pids, count, &second))
			status = cycle_report(&second, look->table.realtime_ns, pids, count);
	}
	if (status != -ENOMEM)
		tap_lock_graph_done(&second.graph);
	tap_lock_table_done(&second.table);
	return status;
}
