// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_events.c - records in, lock tables read beside them, and what both say together into the log.
 *
 * lock_place.c knows where a table comes from. It is read when a wait has begun, not on a timer: that is when somebody
 * has come to block and a cycle can have closed. The whole table, with what waiters hold besides, costs more and is
 * read less often.
 */
#include "userspace/consume/lock_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "correlate/engine/terms.h"
#include "userspace/attach/engine.h"
#include "userspace/base/clock.h"
#include "userspace/consume/lock_names.h"
#include "userspace/consume/lock_place.h"

enum {
	WAITED_SHARE = 250,		/* a reading of what is waited for may take 1 / this of the time */
	WHOLE_SHARE = 300,		/* ... of everything */
	WAITED_REST_MAX_NS = 100000000, /* but a deadlock is to be seen before the server has seen it */
	WHOLE_REST_MAX_NS = 500000000,
	ASKED_SHARE = 20, /* of a table that is asked for */
	ASKED_REST_NS = 150000000,
	BURST_MS = 5000,
	RETRY_NS = 1000000000,	     /* after a table could not be read */
	VANISHED_AFTER = 2,	     /* readings without it */
	VANISHED_AGE_NS = 100000000, /* its record may still be under way before */
	READ_AT_ONCE_NS = 1000000,   /* due so soon that it is now */
};

/* The lock tables of one instance. */
struct place {
	struct tap_lock_place tables;
	bool wanted;		    /* waits have begun since it was read */
	bool begun;		    /* it was read once: what waited before we came is known */
	struct tap_lock_table last; /* whole, when all were read last */
	bool has_last;
	struct tap_lock_names names;
	int64_t waited_due_ns; /* CLOCK_MONOTONIC */
	int64_t whole_due_ns;
};

struct tap_lock_events {
	struct tap_instances *instances;
	struct tap_texts *texts;
	struct tap_lock_log log;
	struct tap_lock_order order;
	struct place places[TAP_INSTANCES_MAX];
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
	free(events);
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

/* When the engine says a wait began, in ns since the epoch; 0: it says nothing that can be. */
static int64_t wait_start_ns(int64_t wait_start_us)
{
	int64_t now_us = tap_clock_ns(CLOCK_REALTIME) / 1000;

	return wait_start_us > 0 && wait_start_us <= now_us ? wait_start_us * 1000 : 0;
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
				      .mode = record->mode,
				      .adopted = record->adopted,
				      .waited_ns = -1 };

	tap_attach_of(engine_of(events, record->row.instance))->lock_decode(record, &words);
	wait.row.parity = 0;
	wait.tag = words.tag;
	wait.wait_start_us = words.wait_start_us;
	tap_lock_object_of(wait.instance, &wait.tag, &wait.object);
	if (record->begin_ns)
		wait.begin_ns = tap_add_ns((int64_t)record->begin_ns, events->sched_to_real_ns);
	else
		wait.begin_ns = wait_start_ns(wait.wait_start_us);
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

/* --- tables ----------------------------------------------------------------------------------- */

/* What one reading of an instance's table is looked at with. */
struct look {
	struct tap_lock_events *events;
	const struct tap_followed *followed;
	const struct tap_target *target;
	uint32_t instance;
	struct tap_lock_table table;
	struct tap_lock_graph graph;
};

static const struct tap_lock_entry *waiting_entry(const struct tap_lock_table *table, int32_t pid)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->entries[i].wanted && table->entries[i].pid == pid)
			return &table->entries[i];
	}
	return NULL;
}

/* A session may wait for the same lock again and again: the engine's start tells, where both have it. */
static bool is_of_wait(const struct tap_lock_entry *entry, const struct tap_lock_wait *wait)
{
	return entry && entry->tag.type == wait->tag.type && entry->tag.field1 == wait->tag.field1 &&
	       entry->tag.field2 == wait->tag.field2 && entry->tag.field3 == wait->tag.field3 &&
	       entry->tag.field4 == wait->tag.field4 &&
	       (!entry->wait_start_us || !wait->wait_start_us || entry->wait_start_us == wait->wait_start_us);
}

static int statement_read(const struct look *look, int32_t pid, struct tap_statement *ret)
{
	return tap_attach_of(look->target->engine)->statement(look->target, pid, ret);
}

/* The row of what a process works on, and its text where it is new. */
static void row_of(struct look *look, const struct tap_statement *statement, struct tap_row_key *ret)
{
	struct tap_text_key key = { .instance = look->instance, .source = TAP_QUERY_ID_ENGINE };

	*ret = (struct tap_row_key){ .instance = look->instance,
				     .kind = statement->kind,
				     .database = statement->database,
				     .user = statement->user };
	key.query_id = statement->query_id;
	if (!key.query_id && *statement->text) {
		key.source = TAP_QUERY_ID_OWN;
		key.query_id =
			tap_terms_of(look->target->engine)->statement_id(statement->text, strlen(statement->text));
	}
	if (!key.query_id)
		return;
	ret->source = (uint8_t)key.source;
	ret->query_id = key.query_id;
	if (*statement->text)
		tap_texts_put(look->events->texts, &key, statement->text, strlen(statement->text), TAP_TEXT_RAW);
}

static void blocker_fill(struct look *look, const struct tap_lock_edge *edge, struct tap_lock_blocker *ret)
{
	struct tap_statement statement;

	*ret = (struct tap_lock_blocker){ .pid = edge->blocker, .xid = edge->xid, .soft = edge->soft };
	if (edge->blocker <= 0 || statement_read(look, edge->blocker, &statement))
		return;
	ret->state = (uint8_t)statement.state;
	row_of(look, &statement, &ret->row);
}

/* Holders first. */
static void blockers_fill(struct look *look, struct tap_lock_wait *wait)
{
	for (int soft = 0; soft < 2; soft++) {
		for (size_t i = 0; i < look->graph.n_edges; i++) {
			const struct tap_lock_edge *edge = &look->graph.edges[i];

			if (edge->waiter != wait->pid || edge->soft != soft)
				continue;
			if (wait->n_blockers < TAP_LOCK_BLOCKERS_MAX)
				blocker_fill(look, edge, &wait->blockers[wait->n_blockers++]);
			wait->n_blockers_all++;
		}
	}
	wait->blockers_known = wait->n_blockers > 0;
}

/* Waits that the table has and no record told of: they began before we came, or their record was lost. */
static int adopt_waits(struct look *look)
{
	struct tap_lock_log *log = &look->events->log;

	for (size_t i = 0; i < look->table.count; i++) {
		const struct tap_lock_entry *entry = &look->table.entries[i];
		struct tap_lock_wait wait = { .instance = look->instance,
					      .pid = entry->pid,
					      .tid = entry->pid,
					      .tag = entry->tag,
					      .mode = entry->wanted,
					      .waited_ns = -1,
					      .wait_start_us = entry->wait_start_us,
					      .begin_ns = wait_start_ns(entry->wait_start_us) };
		struct tap_statement statement;
		int status;

		if (!entry->wanted || !entry->pid || !wait.begin_ns ||
		    tap_lock_log_find(log, look->instance, entry->pid))
			continue;
		if (statement_read(look, entry->pid, &statement))
			continue;
		row_of(look, &statement, &wait.row);
		wait.adopted = wait.begin_ns < look->events->started_ns;
		tap_lock_object_of(look->instance, &entry->tag, &wait.object);
		status = tap_lock_log_begin(log, &wait);
		if (status)
			return status;
	}
	return 0;
}

/* Whether a wait's statement names a relation, as far as both are known. */
static bool mentions(void *context, const struct tap_lock_wait *wait, uint32_t relation)
{
	const struct look *look = context;
	const struct tap_relation_names *names = &look->events->places[look->instance].names.names;
	const struct tap_text_key key = { .instance = look->instance,
					  .source = wait->row.source,
					  .query_id = wait->row.query_id };
	const char *name = tap_relation_names_find(names, wait->row.database, relation);
	const struct tap_text *text = name ? tap_texts_find(look->events->texts, &key) : NULL;

	if (!text)
		return false;
	return tap_lock_names_mentioned(text->raw ? text->raw : text->normalised, name);
}

/* Blockers and orders of the waits that have none yet. */
static int settle_waits(struct look *look)
{
	struct tap_lock_log *log = &look->events->log;
	int status = 0;

	for (size_t i = 0; i < log->n_open && !status; i++) {
		struct tap_lock_wait *wait = &log->open[i];

		if (wait->instance != look->instance || !is_of_wait(waiting_entry(&look->table, wait->pid), wait))
			continue;
		wait->missing = 0;
		tap_lock_object_settle(&look->table, wait, mentions, look, &wait->object);
		if (!wait->blockers_known)
			blockers_fill(look, wait);
		if (look->table.complete)
			status = tap_lock_order_observe(&look->events->order, &look->table, wait, mentions, look);
	}
	return status;
}

/* Open waits that are not in the table any more: their end was lost, or it is in the ring still. */
static int sweep_waits(struct look *look)
{
	struct tap_lock_log *log = &look->events->log;
	int64_t now_ns = look->table.realtime_ns;

	for (size_t i = log->n_open; i-- > 0;) {
		struct tap_lock_wait *wait = &log->open[i];
		int status;

		if (wait->instance != look->instance || now_ns - wait->begin_ns < VANISHED_AGE_NS ||
		    is_of_wait(waiting_entry(&look->table, wait->pid), wait))
			continue;
		if (++wait->missing <= VANISHED_AFTER)
			continue;
		status = tap_lock_log_vanish(log, wait, now_ns);
		if (status)
			return status;
	}
	return 0;
}

/* --- cycles ----------------------------------------------------------------------------------- */

/* `look` is a whole reading: it has the row locks that tell which relation a wait for a transaction is about. */
static void member_fill(struct look *look, int32_t pid, int32_t next, struct tap_lock_cycle_member *ret)
{
	const struct tap_lock_entry *entry = waiting_entry(&look->table, pid);
	struct tap_lock_wait *wait = tap_lock_log_find(&look->events->log, look->instance, pid);
	struct tap_statement statement;

	*ret = (struct tap_lock_cycle_member){ .pid = pid, .waits_for = next };
	if (entry) {
		ret->tag = entry->tag;
		ret->mode = entry->wanted;
		ret->wait_start_us = entry->wait_start_us;
		tap_lock_object_of(look->instance, &entry->tag, &ret->object);
	}
	if (wait && is_of_wait(entry, wait)) {
		tap_lock_object_settle(&look->table, wait, mentions, look, &wait->object);
		ret->row = wait->row;
		ret->object = wait->object;
	}
	if (statement_read(look, pid, &statement))
		return;
	if (!ret->row.query_id)
		row_of(look, &statement, &ret->row);
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
static bool is_confirmed(const struct look *look, const int32_t *pids, size_t count, const struct look *second)
{
	for (size_t i = 0; i < count; i++) {
		const struct tap_lock_entry *before = waiting_entry(&look->table, pids[i]);
		const struct tap_lock_entry *after = waiting_entry(&second->table, pids[i]);
		const struct tap_lock_entry *next = waiting_entry(&second->table, pids[(i + 1) % count]);

		if (!before || !after || !next || before->wait_start_us != after->wait_start_us ||
		    memcmp(&before->tag, &after->tag, sizeof(before->tag)) ||
		    softness(&second->graph, pids[i], leader_of(next)) < 0)
			return false;
	}
	return true;
}

/* What kind of cycle it is by the second reading: queue order may have changed since the first. */
static int cycle_judge(const struct look *look, struct tap_lock_cycle *cycle)
{
	enum tap_lock_cycle_kind kind = TAP_LOCK_CYCLE_HARD;
	bool soft = false;
	int status = 0;

	for (size_t i = 0; i < cycle->n_members; i++)
		soft |= cycle->members[i].soft;
	if (soft)
		status = tap_lock_cycle_resolve(&look->table,
						leader_of(waiting_entry(&look->table, cycle->members[0].pid)), &kind);
	cycle->kind = (uint8_t)kind;
	return status;
}

static int cycle_report(struct look *look, int64_t at_ns, const int32_t *pids, size_t count)
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
			softness(&look->graph, pids[i], leader_of(waiting_entry(&look->table, next))) > 0;
	}
	status = cycle_judge(look, &cycle);
	if (status) {
		tap_lock_cycle_done(&cycle);
		return status;
	}
	status = tap_lock_log_cycle(&look->events->log, &cycle);
	return status == -EEXIST ? 0 : status;
}

/* Each is looked at twice, since the table was read while the server went on. */
static int look_for_cycles(struct look *look, struct place *place)
{
	struct look second = *look;
	int status = tap_lock_place_read(&place->tables, look->followed, true, &place->names.names, &second.table);
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

/* --- one instance, then all ------------------------------------------------------------------- */

static int look_at_table(struct look *look, struct place *place)
{
	int status = tap_lock_graph_make(&look->table, &look->graph);

	if (status)
		return status;
	status = adopt_waits(look);
	if (!status)
		status = tap_lock_names_want_table(&look->events->places[look->instance].names, &look->table);
	if (!status)
		status = settle_waits(look);
	if (!status && look->graph.n_cycles)
		status = look_for_cycles(look, place);
	if (!status)
		status = sweep_waits(look);
	tap_lock_graph_done(&look->graph);
	return status;
}

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

/* `cpu_ns`: of the CPU's clock when it began. On a busy host a reading lasts longer than it costs. */
static void place_rest(struct place *place, int64_t began_ns, int64_t cpu_ns, bool whole, enum tap_lock_source source)
{
	int64_t took_ns = tap_clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;

	/* It is the server that pays for an answer: how much, the time until it was there bounds. */
	if (source == TAP_LOCKS_ASKED) {
		took_ns = tap_clock_ns(CLOCK_MONOTONIC) - began_ns;
		place->waited_due_ns =
			began_ns + (took_ns * ASKED_SHARE > ASKED_REST_NS ? took_ns * ASKED_SHARE : ASKED_REST_NS);
		return;
	}
	place->waited_due_ns = due_next(place->waited_due_ns, began_ns, took_ns, WAITED_SHARE, WAITED_REST_MAX_NS);
	if (whole)
		place->whole_due_ns = due_next(place->whole_due_ns, began_ns, took_ns, WHOLE_SHARE, WHOLE_REST_MAX_NS);
}

static int look_at(struct tap_lock_events *events, uint32_t index, bool now)
{
	const struct tap_followed *followed = &events->instances->items[index];
	struct look look = { .events = events, .followed = followed, .target = &followed->target, .instance = index };
	struct place *place = &events->places[index];
	int64_t now_ns = tap_clock_ns(CLOCK_MONOTONIC);
	int64_t cpu_ns = tap_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	bool whole = now || now_ns >= place->whole_due_ns;
	int status = tap_lock_place_read(&place->tables, followed, whole, &place->names.names, &look.table);

	if (status) {
		place->waited_due_ns = now_ns + RETRY_NS;
		place->has_last = false;
		return status == -ENOMEM ? status : 0;
	}
	place->wanted = false;
	place->begun = true;
	status = look_at_table(&look, place);
	place_rest(place, now_ns, cpu_ns, whole, look.table.source);
	if (now) {
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
		if (all || ((place->wanted || !place->begun) && now_ns + READ_AT_ONCE_NS >= place->waited_due_ns))
			status = look_at(events, (uint32_t)i, all);
	}
	return status;
}

int tap_lock_events_due_ms(const struct tap_lock_events *events)
{
	int64_t now_ns = tap_clock_ns(CLOCK_MONOTONIC), due_ns = INT64_MAX;

	for (size_t i = 0; i < events->instances->count && i < TAP_INSTANCES_MAX; i++) {
		const struct place *place = &events->places[i];

		if (events->instances->items[i].alive && place->wanted && place->waited_due_ns < due_ns)
			due_ns = place->waited_due_ns;
	}
	if (due_ns == INT64_MAX)
		return -1;
	return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns + 999999) / 1000000);
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
