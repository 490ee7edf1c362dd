// SPDX-License-Identifier: BSD-2-Clause
/* lock_event.c - the log of one window's lock waits: open ones, ended ones, what was lost to whom, and cycles. */
#include "correlate/lock_event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/row.h"

enum {
	CANDIDATES = 4, /* ended waits, of which the shortest makes room */
};

void tap_lock_log_init(struct tap_lock_log *log, int64_t now_ns)
{
	*log = (struct tap_lock_log){ .window_begin_ns = now_ns };
	tap_hash_init(&log->losses_index, sizeof(struct tap_lock_loss_key));
	tap_lock_stats_init(&log->by_query);
	tap_lock_stats_init(&log->by_lock);
}

void tap_lock_cycle_done(struct tap_lock_cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_members && cycle->members; i++)
		free(cycle->members[i].query);
	free(cycle->members);
	cycle->members = NULL;
	cycle->n_members = 0;
}

static void cycles_forget(struct tap_lock_log *log)
{
	for (size_t i = 0; i < log->n_cycles; i++)
		tap_lock_cycle_done(&log->cycles[i]);
	log->n_cycles = 0;
}

void tap_lock_log_done(struct tap_lock_log *log)
{
	if (!log)
		return;
	cycles_forget(log);
	free(log->open);
	free(log->waiters);
	free(log->past);
	free(log->losses);
	free(log->cycles);
	tap_hash_done(&log->losses_index);
	tap_lock_stats_done(&log->by_query);
	tap_lock_stats_done(&log->by_lock);
	tap_lock_log_init(log, 0);
}

void tap_lock_log_changes_taken(struct tap_lock_log *log)
{
	log->n_changes = 0;
}

void tap_lock_log_next(struct tap_lock_log *log, int64_t now_ns)
{
	cycles_forget(log);
	tap_hash_done(&log->losses_index);
	tap_hash_init(&log->losses_index, sizeof(struct tap_lock_loss_key));
	tap_lock_stats_clear(&log->by_query);
	tap_lock_stats_clear(&log->by_lock);
	tap_lock_log_changes_taken(log);
	log->n_past = 0;
	log->next_past = 0;
	log->past_dropped = 0;
	log->n_losses = 0;
	log->losses_dropped = 0;
	log->losses_dropped_ns = 0;
	log->cycles_dropped = 0;
	log->window_begin_ns = now_ns;
}

/* Room for one more item; 0 or -ENOMEM. */
static int reserve(void **items, size_t *capacity, size_t count, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : 16;
	void *more;

	if (count < *capacity)
		return 0;
	more = reallocarray(*items, wanted, size);
	if (!more)
		return -ENOMEM;
	*items = more;
	*capacity = wanted;
	return 0;
}

struct tap_lock_wait *tap_lock_log_find(struct tap_lock_log *log, uint32_t instance, int32_t pid)
{
	for (size_t i = 0; i < log->n_open; i++) {
		if (log->waiters[i].pid == pid && log->waiters[i].instance == instance)
			return &log->open[i];
	}
	return NULL;
}

bool tap_lock_log_has_lasting(const struct tap_lock_log *log, uint64_t serial, int64_t until_ns)
{
	for (size_t i = 0; i < log->n_open; i++) {
		if (log->open[i].serial > serial && log->open[i].begin_ns <= until_ns)
			return true;
	}
	return false;
}

static bool tags_equal(const struct tap_lock_tag *a, const struct tap_lock_tag *b)
{
	return a->field1 == b->field1 && a->field2 == b->field2 && a->field3 == b->field3 && a->field4 == b->field4 &&
	       a->type == b->type && a->method == b->method;
}

static bool is_same_wait(const struct tap_lock_wait *a, const struct tap_lock_wait *b)
{
	return tags_equal(&a->tag, &b->tag) && a->wait_start_us == b->wait_start_us;
}

/* A query id that became known later: PostgreSQL waits for relations before it has computed one. */
static void row_better(struct tap_row_key *row, const struct tap_row_key *later)
{
	if (later->kind == row->kind && later->source == TAP_QUERY_ID_ENGINE && row->source != TAP_QUERY_ID_ENGINE)
		*row = *later;
}

static struct tap_lock_loss *loss_get(struct tap_lock_log *log, const struct tap_lock_loss_key *key)
{
	size_t place = tap_hash_find(&log->losses_index, log->losses, sizeof(*log->losses), key);

	if (place != TAP_HASH_NONE)
		return &log->losses[place];
	if (log->n_losses == TAP_LOCK_LOSSES_MAX ||
	    reserve((void **)&log->losses, &log->losses_capacity, log->n_losses, sizeof(*log->losses)))
		return NULL;
	log->losses[log->n_losses] = (struct tap_lock_loss){ .key = *key };
	if (tap_hash_add(&log->losses_index, log->losses, sizeof(*log->losses), log->n_losses))
		return NULL;
	return &log->losses[log->n_losses++];
}

static void loss_key(struct tap_lock_loss_key *key, const struct tap_lock_wait *wait)
{
	memset(key, 0, sizeof(*key));
	key->row = wait->row;
	key->object = wait->object;
	key->mode = wait->mode;
	if (!wait->blockers_known || !wait->n_blockers)
		return;
	key->blocker = wait->blockers[0].row;
	key->blocker_state = wait->blockers[0].state;
	key->blocker_known = wait->blockers[0].row.kind != 0;
}

/* From one moment to a later one; 0 when it is not later. Moments may be anything. */
static int64_t span_ns(int64_t from_ns, int64_t to_ns)
{
	int64_t ns = (int64_t)((uint64_t)to_ns - (uint64_t)from_ns);

	return to_ns > from_ns && ns > 0 ? ns : 0;
}

static void stat_keys(const struct tap_row_key *row, const struct tap_lock_object *object,
		      struct tap_lock_stat_key *ret_query, struct tap_lock_stat_key *ret_lock)
{
	memset(ret_query, 0, sizeof(*ret_query));
	memset(ret_lock, 0, sizeof(*ret_lock));
	ret_query->row = *row;
	ret_query->row.parity = 0;
	ret_lock->object = *object;
}

static void stats_add(struct tap_lock_log *log, const struct tap_lock_wait *wait, int64_t window_ns)
{
	struct tap_lock_stat_key query, lock;
	bool failed = wait->outcome == TAP_LOCK_FAILED;

	stat_keys(&wait->row, &wait->object, &query, &lock);
	tap_lock_stats_add(&log->by_query, &query, wait->waited_ns, window_ns, failed);
	tap_lock_stats_add(&log->by_lock, &lock, wait->waited_ns, window_ns, failed);
}

static void loss_add(struct tap_lock_log *log, const struct tap_lock_loss_key *key, uint64_t waits, int64_t ns,
		     int64_t max_ns)
{
	struct tap_lock_loss *loss = loss_get(log, key);

	if (!loss) {
		log->losses_dropped += waits;
		log->losses_dropped_ns = tap_add_ns(log->losses_dropped_ns, ns);
		return;
	}
	loss->waits += waits;
	loss->ns = tap_add_ns(loss->ns, ns);
	if (max_ns > loss->max_ns)
		loss->max_ns = max_ns;
}

/* Where all places are taken the shortest of a few goes, if it is shorter: the long ones are what one looks for. */
static void past_replace(struct tap_lock_log *log, const struct tap_lock_wait *wait)
{
	size_t shortest = log->next_past % log->n_past;

	for (size_t i = 1; i < CANDIDATES; i++) {
		size_t other = (log->next_past + i) % log->n_past;

		if (log->past[other].waited_ns < log->past[shortest].waited_ns)
			shortest = other;
	}
	log->next_past = (log->next_past + CANDIDATES) % log->n_past;
	log->past_dropped++;
	if (log->past[shortest].waited_ns < wait->waited_ns)
		log->past[shortest] = *wait;
}

static int past_add(struct tap_lock_log *log, const struct tap_lock_wait *wait)
{
	if (log->n_past == TAP_LOCK_PAST_MAX) {
		past_replace(log, wait);
		return 0;
	}
	if (reserve((void **)&log->past, &log->past_capacity, log->n_past, sizeof(*log->past)))
		return -ENOMEM;
	log->past[log->n_past++] = *wait;
	return 0;
}

/* The engine chose a member of a cycle to fail; or, of a soft one, let a member pass. */
static void verdict_note(struct tap_lock_log *log, const struct tap_lock_wait *wait)
{
	bool failed = wait->outcome == TAP_LOCK_FAILED;

	if (!failed && wait->outcome != TAP_LOCK_GRANTED)
		return;
	for (size_t i = log->n_cycles; i-- > 0;) {
		struct tap_lock_cycle *cycle = &log->cycles[i];

		if (!failed && cycle->kind != TAP_LOCK_CYCLE_SOFT)
			continue;
		for (size_t j = 0; j < cycle->n_members && !cycle->verdict_ns && cycle->instance == wait->instance;
		     j++) {
			if (cycle->members[j].pid != wait->pid || !tags_equal(&cycle->members[j].tag, &wait->tag))
				continue;
			cycle->victim = failed ? wait->pid : 0;
			cycle->verdict_ns = wait->end_ns;
			return;
		}
	}
}

static int close_wait(struct tap_lock_log *log, struct tap_lock_wait *wait)
{
	struct tap_lock_loss_key key;
	int64_t before, window_ns;

	if (wait->waited_ns < 0)
		wait->waited_ns = wait->begin_ns ? span_ns(wait->begin_ns, wait->end_ns) : 0;
	before = wait->begin_ns ? span_ns(wait->begin_ns, log->window_begin_ns) : 0;
	window_ns = span_ns(before, wait->waited_ns);
	loss_key(&key, wait);
	loss_add(log, &key, 1, window_ns, wait->waited_ns);
	stats_add(log, wait, window_ns);
	verdict_note(log, wait);
	log->n_changes++;
	log->ended++;
	return past_add(log, wait);
}

static int open_remove(struct tap_lock_log *log, struct tap_lock_wait *open)
{
	struct tap_lock_wait ended = *open;
	size_t place = (size_t)(open - log->open);

	log->waiters[place] = log->waiters[--log->n_open];
	*open = log->open[log->n_open];
	return close_wait(log, &ended);
}

int tap_lock_log_vanish(struct tap_lock_log *log, struct tap_lock_wait *open, int64_t now_ns)
{
	open->outcome = TAP_LOCK_VANISHED;
	open->end_ns = now_ns;
	return open_remove(log, open);
}

int tap_lock_log_begin(struct tap_lock_log *log, const struct tap_lock_wait *wait)
{
	struct tap_lock_wait *open = tap_lock_log_find(log, wait->instance, wait->pid);
	int status;

	if (open && is_same_wait(open, wait)) {
		row_better(&open->row, &wait->row);
		return 0;
	}
	if (open) {
		status = tap_lock_log_vanish(log, open, wait->begin_ns);
		if (status)
			return status;
	}
	if (reserve((void **)&log->open, &log->open_capacity, log->n_open, sizeof(*log->open)) ||
	    reserve((void **)&log->waiters, &log->waiters_capacity, log->n_open, sizeof(*log->waiters)))
		return -ENOMEM;
	log->waiters[log->n_open] = (struct tap_lock_waiter){ wait->instance, wait->pid };
	open = &log->open[log->n_open++];
	*open = *wait;
	open->outcome = TAP_LOCK_WAITS;
	open->end_ns = 0;
	open->waited_ns = -1;
	open->serial = ++log->serial;
	log->begun++;
	log->n_changes++;
	return 0;
}

/* What the end knows better than the beginning: one that the kernel side had seen begin is timed by it. */
static void end_merge(struct tap_lock_wait *open, const struct tap_lock_wait *end)
{
	row_better(&open->row, &end->row);
	open->outcome = end->outcome;
	open->end_ns = end->end_ns;
	open->waited_ns = end->waited_ns;
}

int tap_lock_log_end(struct tap_lock_log *log, const struct tap_lock_wait *wait)
{
	struct tap_lock_wait *open = tap_lock_log_find(log, wait->instance, wait->pid), unseen;
	bool nameless = !wait->begin_ns && !wait->wait_start_us; /* adopted asleep, and awake before it said for what */

	if (open && (nameless || is_same_wait(open, wait))) {
		end_merge(open, wait);
		return open_remove(log, open);
	}
	if (nameless)
		return 0;
	unseen = *wait;
	unseen.serial = ++log->serial;
	log->begun++;
	return close_wait(log, &unseen);
}

void tap_lock_log_add_sum(struct tap_lock_log *log, const struct tap_row_key *row, const struct tap_lock_object *object,
			  uint8_t mode, const struct tap_lock_stat_sum *sum)
{
	struct tap_lock_stat_key query, lock;
	struct tap_lock_loss_key key;

	if (!sum->waits)
		return;
	memset(&key, 0, sizeof(key));
	key.row = *row;
	key.row.parity = 0;
	key.object = *object;
	key.mode = mode;
	loss_add(log, &key, sum->waits, sum->ns, sum->max_ns);
	stat_keys(row, object, &query, &lock);
	tap_lock_stats_add_sum(&log->by_query, &query, sum);
	tap_lock_stats_add_sum(&log->by_lock, &lock, sum);
	log->past_dropped += sum->waits;
	log->n_changes++;
	log->begun += sum->waits;
	log->ended += sum->waits;
}

/* The same members waiting for the same locks since the same moments, whichever comes first. */
static uint64_t cycle_signature(const struct tap_lock_cycle *cycle)
{
	uint64_t sum = cycle->instance;

	for (size_t i = 0; i < cycle->n_members; i++) {
		const struct tap_lock_cycle_member *member = &cycle->members[i];
		const int64_t words[] = { member->pid,	      member->waits_for,  member->wait_start_us,
					  member->tag.field1, member->tag.field2, member->tag.field3,
					  member->tag.field4, member->tag.type };

		sum += tap_hash_bytes(words, sizeof(words));
	}
	return sum;
}

static bool is_known(const struct tap_lock_log *log, uint64_t signature)
{
	for (size_t i = 0; i < TAP_LOCK_KNOWN_CYCLES; i++) {
		if (log->known_cycles[i] == signature)
			return true;
	}
	return false;
}

int tap_lock_log_cycle(struct tap_lock_log *log, struct tap_lock_cycle *cycle)
{
	uint64_t signature = cycle_signature(cycle);
	int status = is_known(log, signature) ? -EEXIST : 0;

	if (!status && log->n_cycles == TAP_LOCK_CYCLES_MAX) {
		log->cycles_dropped++;
		status = -EEXIST;
	}
	if (!status)
		status = reserve((void **)&log->cycles, &log->cycles_capacity, log->n_cycles, sizeof(*log->cycles));
	if (status) {
		tap_lock_cycle_done(cycle);
		return status;
	}
	log->known_cycles[log->next_known++ % TAP_LOCK_KNOWN_CYCLES] = signature;
	log->cycles[log->n_cycles] = *cycle;
	log->n_cycles++;
	log->n_changes++;
	return 0;
}

void tap_lock_object_of(uint32_t instance, const struct tap_lock_tag *tag, struct tap_lock_object *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->instance = instance;
	ret->type = tag->type;
	if (tap_lock_tag_relation(tag, &ret->database, &ret->relation))
		return;
	switch (tag->type) {
	case TAP_LOCK_NAMED:
		ret->id1 = tag->field2;
		break;
	case TAP_LOCK_OBJECT:
		ret->database = tag->field1;
		ret->id1 = tag->field2;
		ret->id2 = tag->field3;
		break;
	case TAP_LOCK_USERLOCK:
	case TAP_LOCK_ADVISORY:
		ret->database = tag->field1;
		ret->id1 = tag->field2;
		ret->id2 = tag->field3;
		break;
	default: /* a transaction's number, or a database's: no two waits share what it says */
		break;
	}
}
