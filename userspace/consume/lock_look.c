// SPDX-License-Identifier: BSD-2-Clause
/* lock_look.c - joins one reading of the lock tables with the log. */
#include "userspace/consume/lock_look.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "correlate/engine/terms.h"
#include "userspace/base/clock.h"
#include "userspace/consume/lock_cycles.h"

enum {
	VANISHED_AFTER = 2,	     /* readings without it */
	VANISHED_AGE_NS = 100000000, /* its record may still be under way before */
	SECOND_US = 1000000,
};

int64_t tap_lock_look_start_ns(int64_t wait_start_us)
{
	int64_t now_us = tap_clock_ns(CLOCK_REALTIME) / 1000;

	return wait_start_us > 0 && wait_start_us <= now_us ? wait_start_us * 1000 : 0;
}

const struct tap_lock_entry *tap_lock_look_waiting(const struct tap_lock_table *table, int32_t pid)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->entries[i].wanted && table->entries[i].pid == pid)
			return &table->entries[i];
	}
	return NULL;
}

static bool is_same_start(const struct tap_lock_entry *entry, int64_t wait_start_us)
{
	if (!entry->wait_start_us || !wait_start_us)
		return true;
	if (entry->start_is_second)
		return entry->wait_start_us / SECOND_US == wait_start_us / SECOND_US;
	return entry->wait_start_us == wait_start_us;
}

/* A session may wait for the same lock again and again: the engine's start tells, where both have it. */
bool tap_lock_look_is_of(const struct tap_lock_entry *entry, const struct tap_lock_wait *wait)
{
	return entry && entry->tag.type == wait->tag.type && entry->tag.field1 == wait->tag.field1 &&
	       entry->tag.field2 == wait->tag.field2 && entry->tag.field3 == wait->tag.field3 &&
	       entry->tag.field4 == wait->tag.field4 && is_same_start(entry, wait->wait_start_us);
}

int tap_lock_look_statement(const struct tap_lock_look *look, int32_t pid, struct tap_statement *ret)
{
	return tap_attach_of(look->target->engine)->statement(look->target, pid, ret);
}

void tap_lock_look_row(const struct tap_lock_look *look, const struct tap_statement *statement, struct tap_row_key *ret)
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
		tap_texts_put(look->texts, &key, statement->text, strlen(statement->text), TAP_TEXT_RAW);
}

static void blocker_fill(struct tap_lock_look *look, const struct tap_lock_edge *edge, struct tap_lock_blocker *ret)
{
	struct tap_statement statement;

	*ret = (struct tap_lock_blocker){ .pid = edge->blocker, .xid = edge->xid, .soft = edge->soft };
	if (edge->blocker <= 0 || tap_lock_look_statement(look, edge->blocker, &statement))
		return;
	ret->state = (uint8_t)statement.state;
	tap_lock_look_row(look, &statement, &ret->row);
}

/* Holders first. */
static void blockers_fill(struct tap_lock_look *look, struct tap_lock_wait *wait)
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

void tap_lock_look_starts(struct tap_lock_look *look)
{
	for (size_t i = 0; i < look->table.count; i++) {
		struct tap_lock_entry *entry = &look->table.entries[i];
		const struct tap_lock_wait *wait;

		if (!entry->wanted || (entry->wait_start_us && !entry->start_is_second))
			continue;
		wait = tap_lock_log_find(look->log, look->instance, entry->pid);
		if (!wait || !wait->begin_ns || !tap_lock_look_is_of(entry, wait))
			continue;
		entry->wait_start_us = wait->begin_ns / 1000;
		entry->start_is_second = false;
	}
}

/*
 * When a wait began that no record told of; 0: not known. One that began between two readings, or within a second,
 * began in the middle of that for all that is known.
 */
static int64_t begin_of(const struct tap_lock_look *look, const struct tap_lock_entry *entry)
{
	int64_t begin_ns = tap_lock_look_start_ns(entry->wait_start_us), end_ns = look->table.realtime_ns;

	if (begin_ns && !entry->start_is_second)
		return begin_ns;
	if (begin_ns && begin_ns + SECOND_US * 1000LL < end_ns)
		end_ns = begin_ns + SECOND_US * 1000LL;
	if (look->unfollowed && look->last_ns > begin_ns && look->last_ns < end_ns)
		begin_ns = look->last_ns;
	return begin_ns ? begin_ns + (end_ns - begin_ns) / 2 : 0;
}

/* Whether it may be the statement that waited when the table was read; else that wait is over by now. */
static bool is_current(const struct tap_lock_look *look, const struct tap_statement *statement)
{
	if (!look->unfollowed)
		return true;
	return statement->state == TAP_SESSION_ACTIVE && statement->query_start_us <= look->table.realtime_ns / 1000;
}

/* Waits that the table has and no record told of: they began before we came, or their record was lost. */
static int adopt_waits(struct tap_lock_look *look)
{
	struct tap_lock_log *log = look->log;

	for (size_t i = 0; i < look->table.count; i++) {
		const struct tap_lock_entry *entry = &look->table.entries[i];
		struct tap_lock_wait wait = { .instance = look->instance,
					      .pid = entry->pid,
					      .tid = entry->pid,
					      .tag = entry->tag,
					      .mode = entry->wanted,
					      .waited_ns = -1,
					      .wait_start_us = entry->wait_start_us,
					      .begin_ns = begin_of(look, entry) };
		struct tap_statement statement;
		int status;

		wait.adopted = wait.begin_ns < look->started_ns;
		if (!entry->wanted || !entry->pid || !wait.begin_ns || (look->some_untold && !wait.adopted) ||
		    tap_lock_log_find(log, look->instance, entry->pid))
			continue;
		if (tap_lock_look_statement(look, entry->pid, &statement) || !is_current(look, &statement))
			continue;
		tap_lock_look_row(look, &statement, &wait.row);
		tap_lock_object_of(look->instance, &entry->tag, &wait.object);
		status = tap_lock_log_begin(log, &wait);
		if (status)
			return status;
	}
	return 0;
}

bool tap_lock_look_mentions(void *context, const struct tap_lock_wait *wait, uint32_t relation)
{
	const struct tap_lock_look *look = context;
	const struct tap_relation_names *names = &look->names->names;
	const struct tap_text_key key = { .instance = look->instance,
					  .source = wait->row.source,
					  .query_id = wait->row.query_id };
	const char *name = tap_relation_names_find(names, wait->row.database, relation);
	const struct tap_text *text;

	/* Where numbers stand alone, whichever database they are of. */
	name = name ? name : tap_relation_names_find(names, 0, relation);
	text = name ? tap_texts_find(look->texts, &key) : NULL;
	if (!text)
		return false;
	return tap_lock_names_mentioned(text->raw ? text->raw : text->normalised, name);
}

/* Blockers and orders of the waits that have none yet. */
static int settle_waits(struct tap_lock_look *look)
{
	struct tap_lock_log *log = look->log;
	int status = 0;

	for (size_t i = 0; i < log->n_open && !status; i++) {
		struct tap_lock_wait *wait = &log->open[i];

		if (wait->instance != look->instance ||
		    !tap_lock_look_is_of(tap_lock_look_waiting(&look->table, wait->pid), wait))
			continue;
		wait->missing = 0;
		tap_lock_object_settle(&look->table, wait, tap_lock_look_mentions, look, &wait->object);
		if (!wait->blockers_known)
			blockers_fill(look, wait);
		if (look->table.complete)
			status = tap_lock_order_observe(look->order, &look->table, wait, tap_lock_look_mentions, look);
	}
	return status;
}

/* When a wait ended that the table has no more. */
static int64_t end_of(const struct tap_lock_look *look, const struct tap_lock_wait *wait)
{
	int64_t now_ns = look->table.realtime_ns;
	int64_t from_ns = look->last_ns > wait->begin_ns ? look->last_ns : wait->begin_ns;

	return look->unfollowed && from_ns < now_ns ? from_ns + (now_ns - from_ns) / 2 : now_ns;
}

/* Open waits that are not in the table any more: their end was lost, or it is in the ring still. */
static int sweep_waits(struct tap_lock_look *look)
{
	struct tap_lock_log *log = look->log;
	int64_t now_ns = look->table.realtime_ns;
	int64_t age_ns = look->unfollowed ? 0 : VANISHED_AGE_NS;

	for (size_t i = log->n_open; i-- > 0;) {
		struct tap_lock_wait *wait = &log->open[i];
		int status;

		if (wait->instance != look->instance || now_ns - wait->begin_ns < age_ns ||
		    tap_lock_look_is_of(tap_lock_look_waiting(&look->table, wait->pid), wait))
			continue;
		if (++wait->missing <= VANISHED_AFTER && !look->unfollowed)
			continue;
		status = tap_lock_log_vanish(log, wait, end_of(look, wait));
		if (status)
			return status;
	}
	return 0;
}

int tap_lock_look_apply(struct tap_lock_look *look)
{
	int status = tap_lock_graph_make(&look->table, &look->graph);

	if (status)
		return status;
	/* One that waits again has ended before. */
	if (look->unfollowed)
		status = sweep_waits(look);
	if (!status)
		status = adopt_waits(look);
	if (!status)
		status = tap_lock_names_want_table(look->names, &look->table);
	if (!status)
		status = settle_waits(look);
	if (!status && look->graph.n_cycles)
		status = tap_lock_cycles_look(look);
	if (!status && !look->unfollowed)
		status = sweep_waits(look);
	tap_lock_graph_done(&look->graph);
	return status;
}
