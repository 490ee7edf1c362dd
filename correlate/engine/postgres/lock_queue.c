// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_queue.c - the order of wait queues, which pg_locks does not show: worked out, or asked of pg_blocking_pids.
 *
 * Asked: a waiter stands behind everybody whom pg_blocking_pids names that holds nothing in its way. Places that grow
 * along those pairs put any two waiters whose modes exclude each other in the order they have; the others' does not
 * matter to anyone.
 */
#include "correlate/engine/postgres/lock_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- as it must have come about ---- */

static int compare_starts(const void *a, const void *b, void *arg)
{
	const struct tap_lock_entry *entries = arg;
	const struct tap_lock_entry *left = &entries[*(const size_t *)a], *right = &entries[*(const size_t *)b];

	/* The start is written a moment after the wait began: without one it is the youngest. */
	if (!left->wait_start_us != !right->wait_start_us)
		return left->wait_start_us ? -1 : 1;
	if (left->wait_start_us != right->wait_start_us)
		return left->wait_start_us < right->wait_start_us ? -1 : 1;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

/* What the waiter's whole group holds of this lock. */
static uint16_t group_held(const struct tap_lock_entry *entries, size_t count, const struct tap_lock_entry *waiter)
{
	uint16_t held = waiter->held;

	for (size_t i = 0; i < count; i++) {
		if (entries[i].leader_pid == waiter->leader_pid)
			held |= entries[i].held;
	}
	return held;
}

/*
 * A newcomer goes to the end, but before the first who would have to wait for what the newcomer holds already: without
 * that both would wait for each other (ProcSleep in src/backend/storage/lmgr/proc.c).
 */
static size_t place_for(const struct tap_lock_entry *entries, size_t count, const size_t *queue, size_t length,
			const struct tap_lock_entry *waiter)
{
	uint16_t held = group_held(entries, count, waiter);

	for (size_t i = 0; i < length && held; i++) {
		const struct tap_lock_entry *other = &entries[queue[i]];

		if (other->leader_pid != waiter->leader_pid &&
		    tap_lock_mode_conflicts(other->tag.type, other->wanted) & held)
			return i;
	}
	return length;
}

void tap_pg_locks_queue(struct tap_lock_entry *entries, size_t count)
{
	size_t n_waiting = 0, length = 0;
	bool ordered = false;
	size_t *waiting, *queue;

	for (size_t i = 0; i < count; i++) {
		n_waiting += entries[i].wanted != 0;
		ordered |= entries[i].wait_start_us != 0;
	}
	waiting = n_waiting && (ordered || n_waiting == 1) ? calloc(2 * n_waiting, sizeof(*waiting)) : NULL;
	if (!waiting)
		return;
	queue = waiting + n_waiting;
	n_waiting = 0;
	for (size_t i = 0; i < count; i++) {
		if (entries[i].wanted)
			waiting[n_waiting++] = i;
	}
	qsort_r(waiting, n_waiting, sizeof(*waiting), compare_starts, entries);
	for (size_t i = 0; i < n_waiting; i++) {
		size_t place = place_for(entries, count, queue, length, &entries[waiting[i]]);

		memmove(queue + place + 1, queue + place, (length - place) * sizeof(*queue));
		queue[place] = waiting[i];
		length++;
	}
	for (size_t i = 0; i < length; i++)
		entries[queue[i]].queue = (uint32_t)i + 1;
	free(waiting);
}

/* ---- as pg_blocking_pids tells ---- */

/* It takes the locks of the whole lock table for a moment, once for each waiter: not for any number of them. */
#define WAITERS_MAX 100
#define PAIRS_MAX 10000

struct pair {
	int32_t waiter;
	int32_t blocker;
};

struct pairs {
	struct pair *items;
	size_t count;
	struct tap_pg_rows rows;
};

static const struct tap_pg_request blockers_request = {
	.name = "blocking processes",
	.sql = "SELECT w.pid::text, b.pid::text FROM (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l WHERE NOT "
	       "l.granted" TAP_PG_LIMIT(WAITERS_MAX) ") w, pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) "
						     "b(pid)" TAP_PG_LIMIT(PAIRS_MAX),
	.columns = 2,
	.rows_max = PAIRS_MAX,
	.field_max = 32,
	.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
};

static int take_pair(const struct tap_pg_value *values, void *arg)
{
	struct pairs *pairs = arg;
	struct pair pair = { 0 };

	pairs->rows.seen++;
	/* Prepared transactions, pid 0, stand in no queue. */
	if (!tap_pg_field_pid(&values[0], &pair.waiter) || !tap_pg_field_pid(&values[1], &pair.blocker)) {
		pairs->rows.skipped++;
		return 0;
	}
	if (pair.waiter && pair.blocker && pairs->count < PAIRS_MAX)
		pairs->items[pairs->count++] = pair;
	return 0;
}

static bool is_behind(const struct pairs *pairs, const struct tap_lock_entry *waiter,
		      const struct tap_lock_entry *other)
{
	for (size_t i = 0; i < pairs->count; i++) {
		if (pairs->items[i].waiter == waiter->pid && pairs->items[i].blocker == other->leader_pid)
			return true;
	}
	return false;
}

static bool is_asked(const struct pairs *pairs, int32_t pid)
{
	for (size_t i = 0; i < pairs->count; i++) {
		if (pairs->items[i].waiter == pid)
			return true;
	}
	return false;
}

/* Entries of one lock. Only where the answer has all that wait for it: half an order is none. */
static void queue_place(const struct pairs *pairs, struct tap_lock_entry *entries, size_t count)
{
	size_t waiting = 0;
	bool moved = true;

	for (size_t i = 0; i < count; i++) {
		if (!entries[i].wanted)
			continue;
		waiting++;
		if (!is_asked(pairs, entries[i].pid))
			return;
	}
	for (size_t i = 0; i < count && waiting > 1; i++)
		entries[i].queue = entries[i].wanted ? 1 : 0;
	/* As often as a place can move where nobody stands behind himself; the answer may say anything. */
	for (size_t round = 0; round < waiting && waiting > 1 && moved; round++) {
		moved = false;
		for (size_t i = 0; i < count; i++) {
			for (size_t j = 0; j < count && entries[i].wanted; j++) {
				if (!tap_lock_modes_conflict(entries[i].tag.type, entries[i].wanted,
							     entries[j].wanted) ||
				    entries[i].leader_pid == entries[j].leader_pid ||
				    entries[j].queue < entries[i].queue || !is_behind(pairs, &entries[i], &entries[j]))
					continue;
				entries[i].queue = entries[j].queue + 1;
				moved = true;
			}
		}
	}
}

/* One past the entries of the lock that begins at `first`. */
static size_t lock_end(const struct tap_lock_table *table, size_t first)
{
	const struct tap_lock_tag *tag = &table->entries[first].tag;
	size_t end = first + 1;

	while (end < table->count && !memcmp(tag, &table->entries[end].tag, sizeof(*tag)))
		end++;
	return end;
}

/* Whether some queue has two in it: otherwise there is no order to ask for. */
static bool has_queues(const struct tap_lock_table *table)
{
	for (size_t first = 0, end; first < table->count; first = end) {
		size_t waiting = 0;

		end = lock_end(table, first);
		for (size_t i = first; i < end; i++)
			waiting += table->entries[i].wanted != 0;
		if (waiting > 1)
			return true;
	}
	return false;
}

int tap_pg_query_queues(struct tap_pg_conn *conn, struct tap_lock_table *table, struct tap_error *err)
{
	struct pairs pairs = { 0 };
	int r;

	if (!has_queues(table))
		return 0;
	pairs.items = calloc(PAIRS_MAX, sizeof(*pairs.items));
	if (!pairs.items)
		return tap_error_set(err, -ENOMEM, "%s: out of memory", tap_pg_conn_instance(conn));
	r = tap_pg_conn_run(conn, &blockers_request, take_pair, &pairs, err);
	for (size_t first = 0, end; !r && first < table->count; first = end) {
		end = lock_end(table, first);
		queue_place(&pairs, table->entries + first, end - first);
	}
	free(pairs.items);
	return r;
}
