// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_resolve.c - whether a cycle that the order of queues is part of can be undone by another order of them.
 *
 * What the server's own deadlock detector does when it finds one (src/backend/storage/lmgr/README, "The Deadlock
 * Detection Algorithm"): it supposes that a waiter passes the one it is queued behind, looks whether a cycle through
 * any of those concerned is left, and goes on so with what it finds. A cycle of holders alone is never undone. The same
 * is tried here, on a copy of the queues, with a bound on the attempts.
 */
#include "correlate/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CONSTRAINTS_MAX = 16,
	TRIES_MAX = 256,
	DEPTH_MAX = 128,
	STEPS_MAX = 4 << 20, /* pairs of entries looked at */
};

enum answer {
	STUCK,
	UNDONE,
	GIVEN_UP,
};

/* Entries: `waiter` is to stand before `blocker` in the queue they share. */
struct constraint {
	size_t waiter;
	size_t blocker;
};

struct resolve {
	const struct tap_lock_table *table;
	size_t *order; /* entries that are no fast-path locks, by lock; in it those that wait by their place */
	size_t count;
	size_t *lock;	 /* of each entry: where its lock begins in `order` */
	size_t *end;	 /* ... and ends */
	size_t *waiting; /* entries that wait, by leader */
	size_t n_waiting;
	uint32_t *place; /* of each entry, in the order that is tried */
	bool *seen;	 /* by place in `waiting`, of a leader's first */
	struct constraint constraints[CONSTRAINTS_MAX];
	size_t n_constraints;
	struct constraint soft[DEPTH_MAX]; /* of the cycle just found */
	size_t n_soft;
	size_t depth;
	size_t tries;
	size_t steps;
};

static const struct tap_lock_entry *entry_at(const struct resolve *resolve, size_t index)
{
	return &resolve->table->entries[index];
}

static int32_t leader_of(const struct tap_lock_entry *entry)
{
	return entry->leader_pid ? entry->leader_pid : entry->pid;
}

static int compare_order(const void *a, const void *b, void *arg)
{
	const struct tap_lock_table *table = arg;
	const struct tap_lock_entry *left = &table->entries[*(const size_t *)a];
	const struct tap_lock_entry *right = &table->entries[*(const size_t *)b];
	int by_tag = memcmp(&left->tag, &right->tag, sizeof(left->tag));

	return by_tag ? by_tag : (left->queue > right->queue) - (left->queue < right->queue);
}

static int compare_leaders(const void *a, const void *b, void *arg)
{
	const struct tap_lock_table *table = arg;
	int32_t left = leader_of(&table->entries[*(const size_t *)a]);
	int32_t right = leader_of(&table->entries[*(const size_t *)b]);

	return (left > right) - (left < right);
}

static void locks_mark(struct resolve *resolve)
{
	size_t end;

	for (size_t first = 0; first < resolve->count; first = end) {
		const struct tap_lock_tag *tag = &entry_at(resolve, resolve->order[first])->tag;

		for (end = first + 1; end < resolve->count; end++) {
			if (memcmp(tag, &entry_at(resolve, resolve->order[end])->tag, sizeof(*tag)))
				break;
		}
		for (size_t i = first; i < end; i++) {
			resolve->lock[resolve->order[i]] = first;
			resolve->end[resolve->order[i]] = end;
		}
	}
}

static int resolve_init(struct resolve *resolve, const struct tap_lock_table *table)
{
	size_t count = table->count + 1;

	*resolve = (struct resolve){ .table = table };
	resolve->order = calloc(count, sizeof(*resolve->order));
	resolve->lock = calloc(count, sizeof(*resolve->lock));
	resolve->end = calloc(count, sizeof(*resolve->end));
	resolve->waiting = calloc(count, sizeof(*resolve->waiting));
	resolve->place = calloc(count, sizeof(*resolve->place));
	resolve->seen = calloc(count, sizeof(*resolve->seen));
	if (!resolve->order || !resolve->lock || !resolve->end || !resolve->waiting || !resolve->place ||
	    !resolve->seen)
		return -ENOMEM;
	for (size_t i = 0; i < table->count; i++) {
		if (table->entries[i].fast_path)
			continue;
		resolve->order[resolve->count++] = i;
		if (table->entries[i].wanted && table->entries[i].pid > 0)
			resolve->waiting[resolve->n_waiting++] = i;
	}
	qsort_r(resolve->order, resolve->count, sizeof(*resolve->order), compare_order, (void *)table);
	qsort_r(resolve->waiting, resolve->n_waiting, sizeof(*resolve->waiting), compare_leaders, (void *)table);
	locks_mark(resolve);
	return 0;
}

static void resolve_done(struct resolve *resolve)
{
	free(resolve->order);
	free(resolve->lock);
	free(resolve->end);
	free(resolve->waiting);
	free(resolve->place);
	free(resolve->seen);
}

/* ---- the order that is tried ---- */

/* Whether an entry has to stand before one of the same lock that has no place yet. */
static bool is_held_back(const struct resolve *resolve, size_t entry)
{
	for (size_t i = 0; i < resolve->n_constraints; i++) {
		const struct constraint *constraint = &resolve->constraints[i];

		if (resolve->lock[constraint->waiter] == resolve->lock[entry] && !resolve->place[constraint->blocker] &&
		    leader_of(entry_at(resolve, constraint->waiter)) == leader_of(entry_at(resolve, entry)) &&
		    leader_of(entry_at(resolve, constraint->blocker)) != leader_of(entry_at(resolve, entry)))
			return true;
	}
	return false;
}

/*
 * Places of one lock's waiters, from the last: each time the last of the old order that nothing holds back, so that
 * nobody moves who need not. False: the constraints contradict each other.
 */
static bool queue_arrange(struct resolve *resolve, size_t first, size_t end)
{
	uint32_t left = 0;

	for (size_t i = first; i < end; i++) {
		const struct tap_lock_entry *entry = entry_at(resolve, resolve->order[i]);

		resolve->place[resolve->order[i]] = 0;
		left += entry->wanted && entry->queue;
	}
	for (; left; left--) {
		size_t i = end;

		while (i-- > first) {
			size_t at = resolve->order[i];
			const struct tap_lock_entry *entry = entry_at(resolve, at);

			resolve->steps++;
			if (entry->wanted && entry->queue && !resolve->place[at] && !is_held_back(resolve, at)) {
				resolve->place[at] = left;
				break;
			}
			if (i == first)
				return false;
		}
	}
	return true;
}

static bool queues_arrange(struct resolve *resolve)
{
	for (size_t i = 0; i < resolve->count; i++) {
		const struct tap_lock_entry *entry = entry_at(resolve, resolve->order[i]);

		resolve->place[resolve->order[i]] = entry->wanted ? entry->queue : 0;
	}
	for (size_t i = 0; i < resolve->n_constraints; i++) {
		size_t waiter = resolve->constraints[i].waiter;

		if (!queue_arrange(resolve, resolve->lock[waiter], resolve->end[waiter]))
			return false;
	}
	return true;
}

/* ---- cycles under that order ---- */

static bool visit(struct resolve *resolve, int32_t leader, int32_t start);

/* First of the entries by which a group waits; n_waiting: it does not. */
static size_t waiting_of(const struct resolve *resolve, int32_t leader)
{
	size_t low = 0, high = resolve->n_waiting;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (leader_of(entry_at(resolve, resolve->waiting[middle])) < leader)
			low = middle + 1;
		else
			high = middle;
	}
	return low < resolve->n_waiting && leader_of(entry_at(resolve, resolve->waiting[low])) == leader
		       ? low
		       : resolve->n_waiting;
}

/* Whether the other one, which waits, too, goes first in the order that is tried. */
static bool is_ahead(const struct resolve *resolve, size_t other_at, size_t at)
{
	const struct tap_lock_entry *waiter = entry_at(resolve, at);

	if (!(tap_lock_mode_yields(waiter->tag.type, waiter->wanted) >> entry_at(resolve, other_at)->wanted & 1))
		return false;
	return !tap_lock_is_queue(waiter->tag.type) ||
	       (resolve->place[other_at] && resolve->place[at] && resolve->place[other_at] < resolve->place[at]);
}

/*
 * Behind those who hold what `at` cannot have, or, `soft`, those who want it and go first. Only an order that the
 * server would change is noted.
 */
static bool follow(struct resolve *resolve, size_t at, bool soft, int32_t start)
{
	const struct tap_lock_entry *waiter = entry_at(resolve, at);
	uint16_t colliding = tap_lock_mode_conflicts(waiter->tag.type, waiter->wanted);

	for (size_t i = resolve->lock[at]; i < resolve->end[at]; i++) {
		size_t other_at = resolve->order[i];
		const struct tap_lock_entry *other = entry_at(resolve, other_at);

		resolve->steps++;
		if (leader_of(other) == leader_of(waiter))
			continue;
		if (soft ? !is_ahead(resolve, other_at, at) : !(colliding & other->held))
			continue;
		if (!visit(resolve, leader_of(other), start))
			continue;
		if (soft && tap_lock_is_reordered(waiter->tag.type) && resolve->n_soft < DEPTH_MAX)
			resolve->soft[resolve->n_soft++] = (struct constraint){ at, other_at };
		return true;
	}
	return false;
}

/* Whether who waits for `leader` waits for `start` in the end; the edges of the way back that are soft are noted. */
static bool visit(struct resolve *resolve, int32_t leader, int32_t start)
{
	size_t first = waiting_of(resolve, leader);
	bool found = false;

	if (leader == start && resolve->depth)
		return true;
	if (first == resolve->n_waiting || resolve->seen[first] || resolve->depth == DEPTH_MAX ||
	    resolve->steps > STEPS_MAX)
		return false;
	resolve->seen[first] = true;
	resolve->depth++;
	for (size_t i = first; i < resolve->n_waiting && !found; i++) {
		if (leader_of(entry_at(resolve, resolve->waiting[i])) != leader)
			break;
		found = follow(resolve, resolve->waiting[i], false, start) ||
			follow(resolve, resolve->waiting[i], true, start);
	}
	resolve->depth--;
	return found;
}

static bool cycle_find(struct resolve *resolve, int32_t start)
{
	memset(resolve->seen, 0, (resolve->n_waiting + 1) * sizeof(*resolve->seen));
	resolve->n_soft = 0;
	resolve->depth = 0;
	return visit(resolve, start, start);
}

/* Cycles through `start` and all whom the constraints name. False: one of holders alone. */
static bool cycles_look(struct resolve *resolve, int32_t start, struct constraint *ret, size_t *ret_count)
{
	for (size_t i = 0; i <= 2 * resolve->n_constraints; i++) {
		const struct constraint *constraint = &resolve->constraints[i / 2];
		int32_t from = start;

		if (i < 2 * resolve->n_constraints)
			from = leader_of(entry_at(resolve, i % 2 ? constraint->blocker : constraint->waiter));
		if (!cycle_find(resolve, from))
			continue;
		if (!resolve->n_soft)
			return false;
		*ret_count = resolve->n_soft < CONSTRAINTS_MAX ? resolve->n_soft : CONSTRAINTS_MAX;
		memcpy(ret, resolve->soft, *ret_count * sizeof(*ret));
	}
	return true;
}

static enum answer attempt(struct resolve *resolve, int32_t start)
{
	struct constraint soft[CONSTRAINTS_MAX];
	size_t n_soft = 0;

	if (++resolve->tries > TRIES_MAX || resolve->steps > STEPS_MAX)
		return GIVEN_UP;
	if (!queues_arrange(resolve) || !cycles_look(resolve, start, soft, &n_soft))
		return STUCK;
	if (!n_soft)
		return resolve->steps > STEPS_MAX ? GIVEN_UP : UNDONE;
	if (resolve->n_constraints == CONSTRAINTS_MAX)
		return GIVEN_UP;
	for (size_t i = 0; i < n_soft; i++) {
		enum answer answer;

		resolve->constraints[resolve->n_constraints++] = soft[i];
		answer = attempt(resolve, start);
		resolve->n_constraints--;
		if (answer != STUCK)
			return answer;
	}
	return STUCK;
}

int tap_lock_cycle_resolve(const struct tap_lock_table *table, int32_t leader_pid, enum tap_lock_cycle_kind *ret)
{
	struct resolve resolve;
	int err = resolve_init(&resolve, table);

	if (!err)
		*ret = attempt(&resolve, leader_pid) == STUCK ? TAP_LOCK_CYCLE_STUCK : TAP_LOCK_CYCLE_SOFT;
	resolve_done(&resolve);
	return err;
}
