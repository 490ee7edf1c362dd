// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_events.c - records in, sums of those there are no records of, and when to read lock tables beside them.
 *
 * lock_place.c knows where a table comes from, lock_look.c what it says together with the log. It is read when a wait
 * has begun, not on a timer: that is when somebody has come to block and a cycle can have closed. The whole table, with
 * what waiters hold besides, costs more and is read less often.
 */
#include "userspace/consume/lock_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/attach/engine.h"
#include "userspace/base/clock.h"
#include "userspace/consume/lock_look.h"
#include "userspace/consume/lock_names.h"
#include "userspace/consume/lock_place.h"
#include "userspace/consume/lock_sums.h"

enum {
	WAITED_SHARE = 250, /* a reading of what is waited for may take 1 / this of the time */
	WHOLE_SHARE = 300,  /* ... of everything */
	MANY_FACTOR = 2,    /* ... and half of that where waits are so many that not all are told of */
	STEP_MS = 5,
	STEP_MANY_MS = TAP_LOCK_WAKE_MANY_NS / 1000000,
	WAITED_REST_MAX_NS = 100000000, /* but a deadlock is to be seen before the server has seen it */
	WHOLE_REST_MAX_NS = 500000000,
	ASKED_SHARE = 20, /* of a table that is asked for */
	ASKED_REST_NS = 150000000,
	ASKED_FOLLOW_NS = 250000000, /* where nothing else tells that somebody waits */
	ASKED_FOLLOW_MAX_NS = 1000000000,
	BURST_MS = 5000,
	RETRY_NS = 1000000000,	   /* after a table could not be read */
	READ_AT_ONCE_NS = 1000000, /* due so soon that it is now */
	/* Waits that nobody was told of: how old, how many at once, how often, and how long since there were any. */
	LATE_AGE_NS = TAP_LOCK_LONG_NS,
	LATE_MOST = 32,
	LATE_MOST_ALL = 1024,
	LATE_EVERY_NS = 100000000,
	LATE_SHARE = 400, /* asking may take 1 / this of the time */
	LATE_REST_MAX_NS = 200000000,
	LATE_FOR_NS = 500000000,
};

/* The lock tables of one instance. */
struct place {
	struct tap_lock_place tables;
	bool wanted;		    /* waits have begun since it was read */
	bool begun;		    /* it was read once: what waited before we came is known */
	bool unfollowed;	    /* nobody tells when waits begin */
	struct tap_lock_table last; /* whole, when all were read last */
	bool has_last;
	int64_t read_ns; /* CLOCK_REALTIME, of the last reading; 0: none */
	struct tap_lock_names names;
	int64_t waited_due_ns; /* CLOCK_MONOTONIC */
	int64_t whole_due_ns;
	uint64_t untold_ns;	 /* as tap_lock_tell_untold_ns had it last */
	int64_t untold_until_ns; /* CLOCK_MONOTONIC: until then it may have waits that nobody was told of */
};

struct tap_lock_events {
	struct tap_instances *instances;
	struct tap_texts *texts;
	struct tap_lock_log log;
	struct tap_lock_order order;
	struct place places[TAP_INSTANCES_MAX];
	struct tap_lock_tell *tell; /* NULL: all waits are told of */
	int sums_fd;
	struct tap_lock_sums sums;
	int64_t late_until_ns; /* CLOCK_MONOTONIC: the latest of the places' untold_until_ns */
	int64_t late_due_ns;   /* ... and when to ask for them */
	int64_t sched_to_real_ns;
	int64_t started_ns;
};

int tap_lock_events_new(struct tap_instances *instances, struct tap_texts *texts, struct tap_lock_events **ret)
{
	struct tap_lock_events *events = calloc(1, sizeof(*events));

	if (!events)
		return -ENOMEM;
	events->instances = instances;
	events->texts = texts;
	events->started_ns = tap_clock_ns(CLOCK_REALTIME);
	tap_lock_log_init(&events->log, events->started_ns);
	tap_lock_order_init(&events->order);
	tap_lock_sums_init(&events->sums);
	for (size_t i = 0; i < TAP_INSTANCES_MAX; i++)
		tap_lock_names_init(&events->places[i].names);
	*ret = events;
	return 0;
}

void tap_lock_events_free(struct tap_lock_events *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < TAP_INSTANCES_MAX; i++) {
		tap_lock_place_done(&events->places[i].tables);
		tap_lock_table_done(&events->places[i].last);
		tap_lock_names_done(&events->places[i].names);
	}
	tap_lock_log_done(&events->log);
	tap_lock_order_done(&events->order);
	tap_lock_sums_done(&events->sums);
	free(events);
}

void tap_lock_events_set_tell(struct tap_lock_events *events, struct tap_lock_tell *tell, int sums_fd)
{
	events->tell = tell;
	events->sums_fd = sums_fd;
}

struct tap_lock_log *tap_lock_events_log(struct tap_lock_events *events)
{
	return &events->log;
}

const struct tap_lock_order *tap_lock_events_order(const struct tap_lock_events *events)
{
	return &events->order;
}

const struct tap_lock_table *tap_lock_events_table(const struct tap_lock_events *events, size_t instance,
						   const char **ret_why_not)
{
	*ret_why_not = NULL;
	if (instance >= TAP_INSTANCES_MAX)
		return NULL;
	*ret_why_not = events->places[instance].tables.why_not.text;
	return events->places[instance].has_last ? &events->places[instance].last : NULL;
}

void tap_lock_events_set_clock(struct tap_lock_events *events, int64_t sched_to_real_ns)
{
	events->sched_to_real_ns = sched_to_real_ns;
}

/* --- records ---------------------------------------------------------------------------------- */

static uint8_t outcome_of(uint8_t status)
{
	if (status == TAP_LOCK_STATUS_OK)
		return TAP_LOCK_GRANTED;
	return status == TAP_LOCK_STATUS_ERROR ? TAP_LOCK_FAILED : TAP_LOCK_VANISHED;
}

/* A record may name an instance that nobody follows (any more): it is read as one of the first engine. */
static enum tap_engine engine_of(const struct tap_lock_events *events, uint32_t instance)
{
	return instance < events->instances->count ? events->instances->items[instance].target.engine
						   : TAP_ENGINE_COUNT;
}

static struct tap_lock_wait wait_of(const struct tap_lock_events *events, const struct tap_lock_event *record)
{
	struct tap_lock_words words;
	struct tap_lock_wait wait = { .instance = record->row.instance,
				      .pid = record->pid,
				      .tid = record->tid,
				      .row = record->row,
				      .adopted = record->adopted,
				      .waited_ns = -1 };

	tap_attach_of(engine_of(events, record->row.instance))->lock_decode(record, &words);
	wait.row.parity = 0;
	wait.tag = words.tag;
	wait.mode = words.mode;
	wait.wait_start_us = words.wait_start_us;
	tap_lock_object_of(wait.instance, &wait.tag, &wait.object);
	if (record->begin_ns)
		wait.begin_ns = tap_add_ns((int64_t)record->begin_ns, events->sched_to_real_ns);
	else
		wait.begin_ns = tap_lock_look_start_ns(wait.wait_start_us);
	return wait;
}

static int put_end(struct tap_lock_events *events, const struct tap_lock_event *record)
{
	struct tap_lock_wait wait = wait_of(events, record);

	wait.outcome = outcome_of(record->status);
	wait.end_ns = tap_add_ns((int64_t)record->end_ns, events->sched_to_real_ns);
	if (record->begin_ns && record->end_ns >= record->begin_ns)
		wait.waited_ns = (int64_t)(record->end_ns - record->begin_ns);
	/* A name for what the kernel side did not know: when the thread was adopted it had been asleep. */
	if (!record->begin_ns && !record->lock)
		wait.begin_ns = wait.wait_start_us = 0;
	return tap_lock_log_end(&events->log, &wait);
}

int tap_lock_events_put(struct tap_lock_events *events, const struct tap_lock_event *record)
{
	struct tap_lock_wait wait;

	if (record->row.instance >= TAP_INSTANCES_MAX)
		return 0;
	if (record->kind == TAP_LOCK_EVENT_END)
		return put_end(events, record);
	if (record->kind != TAP_LOCK_EVENT_BEGIN)
		return 0;
	wait = wait_of(events, record);
	events->places[wait.instance].wanted = true;
	return tap_lock_log_begin(&events->log, &wait);
}

/* --- what nobody was told of ------------------------------------------------------------------ */

/* Somebody waits in an instance who was not told of: its tables are worth a reading all the same. */
static void untold_notice(struct tap_lock_events *events, int64_t now_ns)
{
	for (size_t i = 0; i < events->instances->count && i < TAP_INSTANCES_MAX; i++) {
		struct place *place = &events->places[i];
		uint64_t untold_ns = tap_lock_tell_untold_ns(events->tell, (uint32_t)i);

		if (untold_ns == place->untold_ns)
			continue;
		place->untold_ns = untold_ns;
		place->wanted = true;
		place->untold_until_ns = events->late_until_ns = now_ns + LATE_FOR_NS;
	}
}

/* Not all of them could be asked for. */
static void untold_remain(struct tap_lock_events *events, int64_t now_ns)
{
	events->late_until_ns = now_ns + LATE_FOR_NS;
	for (size_t i = 0; i < TAP_INSTANCES_MAX; i++) {
		if (events->places[i].untold_until_ns > now_ns)
			events->places[i].untold_until_ns = now_ns + LATE_FOR_NS;
	}
}

/* Those that last are told of now. Into the ring, so that they are in order with what else there is of their threads.
 */
static void untold_ask(struct tap_lock_events *events, int64_t now_ns, bool all)
{
	int64_t cpu_ns = tap_clock_ns(CLOCK_THREAD_CPUTIME_ID), rest_ns;
	uint32_t most = all ? LATE_MOST_ALL : LATE_MOST, told = 0;

	if (!all && (now_ns >= events->late_until_ns || now_ns < events->late_due_ns))
		return;
	/* What cannot be asked for now, for want of memory or the like, is asked for the next time. */
	if (tap_lock_tell_late(events->tell, all ? 0 : LATE_AGE_NS, most, &told) || told == most)
		untold_remain(events, now_ns);
	rest_ns = (tap_clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns) * LATE_SHARE;
	if (rest_ns < LATE_EVERY_NS)
		rest_ns = LATE_EVERY_NS;
	events->late_due_ns = now_ns + (rest_ns < LATE_REST_MAX_NS ? rest_ns : LATE_REST_MAX_NS);
}

/* Sums are of all engines: each has its own form of what the lock is. */
static int sum_grown(void *context, const struct tap_lock_sum_key *key, const struct tap_lock_sum_growth *growth)
{
	struct tap_lock_events *events = context;
	struct tap_lock_event record = { .row = key->row, .mode = (uint8_t)key->mode };
	struct tap_lock_stat_sum sum = { .waits = growth->waits,
					 .failed = growth->failed,
					 .ns = growth->ns < INT64_MAX ? (int64_t)growth->ns : INT64_MAX,
					 .max_ns = (int64_t)growth->longest_ns,
					 .buckets = growth->buckets };
	struct tap_lock_object object;
	struct tap_lock_words words;

	if (key->row.instance >= TAP_INSTANCES_MAX)
		return 0;
	memcpy(record.tag, key->tag, sizeof(record.tag));
	tap_attach_of(engine_of(events, key->row.instance))->lock_decode(&record, &words);
	tap_lock_object_of(key->row.instance, &words.tag, &object);
	tap_lock_log_add_sum(&events->log, &key->row, &object, words.mode, &sum);
	return 0;
}

int tap_lock_events_ask(struct tap_lock_events *events, bool all)
{
	int64_t now_ns = tap_clock_ns(CLOCK_MONOTONIC);
	uint32_t round, used;

	if (!events->tell)
		return 0;
	untold_notice(events, now_ns);
	untold_ask(events, now_ns, all);
	if (!all)
		return 0;
	round = tap_lock_tell_next_round(events->tell, &used);
	return tap_lock_sums_read(&events->sums, events->sums_fd, used, round, sum_grown, events);
}

/* --- one instance, then all ------------------------------------------------------------------- */

/*
 * When it may be read again that was due at `due_ns`, now that it took `took_ns`: that long times `share` later. What
 * was not used of it before may be made up for, up to BURST_MS: contention comes in bursts, too.
 */
static int64_t due_next(int64_t due_ns, int64_t began_ns, int64_t took_ns, int64_t share, int64_t rest_max_ns)
{
	int64_t earliest_ns = began_ns - (int64_t)BURST_MS * 1000000;
	int64_t from_ns = due_ns > earliest_ns ? due_ns : earliest_ns;
	int64_t next_ns = from_ns + took_ns * share;

	return next_ns < began_ns + rest_max_ns ? next_ns : began_ns + rest_max_ns;
}

/* Nobody tells when waits begin there: it has to be looked for. */
static bool is_unfollowed(const struct tap_target *target)
{
	const struct tap_attach *attach = tap_attach_of(target->engine);

	return attach->locks_followed && !attach->locks_followed(target);
}

/* `cpu_ns`: of the CPU's clock when it began. On a busy host a reading lasts longer than it costs. */
static void place_rest(struct place *place, int64_t began_ns, int64_t cpu_ns, bool whole, enum tap_lock_source source)
{
	int64_t took_ns = tap_clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	int64_t factor = began_ns < place->untold_until_ns ? MANY_FACTOR : 1, rest_ns;

	/* It is the server that pays for an answer: how much, the time until it was there bounds. */
	if (source == TAP_LOCKS_ASKED) {
		took_ns = tap_clock_ns(CLOCK_MONOTONIC) - began_ns;
		rest_ns = place->unfollowed ? ASKED_FOLLOW_NS : ASKED_REST_NS;
		if (took_ns * ASKED_SHARE > rest_ns)
			rest_ns = took_ns * ASKED_SHARE;
		if (place->unfollowed && rest_ns > ASKED_FOLLOW_MAX_NS)
			rest_ns = ASKED_FOLLOW_MAX_NS;
		place->waited_due_ns = began_ns + rest_ns;
		return;
	}
	place->waited_due_ns =
		due_next(place->waited_due_ns, began_ns, took_ns, WAITED_SHARE * factor, WAITED_REST_MAX_NS);
	if (whole)
		place->whole_due_ns =
			due_next(place->whole_due_ns, began_ns, took_ns, WHOLE_SHARE * factor, WHOLE_REST_MAX_NS);
}

static struct tap_lock_look look_of(struct tap_lock_events *events, uint32_t index)
{
	const struct tap_followed *followed = &events->instances->items[index];

	return (struct tap_lock_look){
		.log = &events->log,
		.order = &events->order,
		.texts = events->texts,
		.names = &events->places[index].names,
		.place = &events->places[index].tables,
		.followed = followed,
		.target = &followed->target,
		.instance = index,
		.started_ns = events->started_ns,
		.some_untold = tap_clock_ns(CLOCK_MONOTONIC) < events->places[index].untold_until_ns,
		.unfollowed = events->places[index].unfollowed,
		.last_ns = events->places[index].read_ns,
	};
}

static int look_at(struct tap_lock_events *events, uint32_t index, bool now)
{
	struct tap_lock_look look = look_of(events, index);
	struct place *place = &events->places[index];
	int64_t now_ns = tap_clock_ns(CLOCK_MONOTONIC);
	int64_t cpu_ns = tap_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	bool whole = now || now_ns >= place->whole_due_ns;
	int status = tap_lock_place_read(&place->tables, look.followed, whole, &place->names.names, &look.table);

	if (status) {
		place->waited_due_ns = now_ns + RETRY_NS;
		place->has_last = false;
		return status == -ENOMEM ? status : 0;
	}
	place->wanted = false;
	place->read_ns = look.table.realtime_ns;
	place->begun = true;
	status = tap_lock_look_apply(&look);
	place_rest(place, now_ns, cpu_ns, whole, look.table.source);
	if (now) {
		tap_lock_look_starts(&look);
		tap_lock_table_done(&place->last);
		place->last = look.table;
		place->has_last = true;
	} else {
		tap_lock_table_done(&look.table);
	}
	return status;
}

static int forget_instance(struct tap_lock_events *events, uint32_t index)
{
	int64_t now_ns = tap_clock_ns(CLOCK_REALTIME);
	struct tap_lock_log *log = &events->log;
	int status = 0;

	for (size_t i = log->n_open; i-- > 0 && !status;) {
		if (log->open[i].instance == index)
			status = tap_lock_log_vanish(log, &log->open[i], now_ns);
	}
	events->places[index].has_last = false;
	events->places[index].begun = false;
	events->places[index].wanted = false;
	events->places[index].read_ns = 0;
	return status;
}

int tap_lock_events_settle(struct tap_lock_events *events, bool all)
{
	int64_t now_ns = tap_clock_ns(CLOCK_MONOTONIC);
	int status = 0;

	for (size_t i = 0; i < events->instances->count && i < TAP_INSTANCES_MAX && !status; i++) {
		struct place *place = &events->places[i];

		if (!events->instances->items[i].alive) {
			status = forget_instance(events, (uint32_t)i);
			continue;
		}
		place->unfollowed = is_unfollowed(&events->instances->items[i].target);
		if (all || ((place->wanted || place->unfollowed || !place->begun) &&
			    now_ns + READ_AT_ONCE_NS >= place->waited_due_ns))
			status = look_at(events, (uint32_t)i, all);
	}
	return status;
}

int tap_lock_events_due_ms(const struct tap_lock_events *events)
{
	int64_t now_ns = tap_clock_ns(CLOCK_MONOTONIC), due_ns = INT64_MAX;

	for (size_t i = 0; i < events->instances->count && i < TAP_INSTANCES_MAX; i++) {
		const struct place *place = &events->places[i];

		if (events->instances->items[i].alive && place->waited_due_ns < due_ns &&
		    (place->wanted || is_unfollowed(&events->instances->items[i].target)))
			due_ns = place->waited_due_ns;
	}
	if (now_ns < events->late_until_ns && events->late_due_ns < due_ns)
		due_ns = events->late_due_ns;
	if (due_ns == INT64_MAX)
		return -1;
	return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns + 999999) / 1000000);
}

bool tap_lock_events_are_many(const struct tap_lock_events *events)
{
	return tap_clock_ns(CLOCK_MONOTONIC) < events->late_until_ns;
}

int tap_lock_events_step_ms(const struct tap_lock_events *events)
{
	if (tap_lock_events_are_many(events))
		return STEP_MANY_MS;
	return events->log.n_open ? STEP_MS : -1;
}

void tap_lock_events_learn_names(struct tap_lock_events *events, int64_t budget_ms)
{
	const struct tap_live_options *options = events->instances->options;
	int64_t until_ms = tap_clock_ms() + budget_ms;

	for (size_t i = 0; i < events->instances->count && i < TAP_INSTANCES_MAX; i++) {
		const struct tap_followed *followed = &events->instances->items[i];
		const struct tap_catalog catalog = {
			.target = &followed->target,
			.conninfo = tap_dsn_find(options->dsns, options->n_dsns, followed->target.id),
			.conn = followed->conn,
			.why_not = followed->why_not,
		};
		int64_t left_ms = until_ms - tap_clock_ms();

		if (followed->alive && left_ms > 0)
			tap_lock_names_learn(&events->places[i].names, &catalog, left_ms);
	}
}

const struct tap_relation_names *tap_lock_events_names(const struct tap_lock_events *events, size_t instance)
{
	return instance < TAP_INSTANCES_MAX ? &events->places[instance].names.names : NULL;
}
