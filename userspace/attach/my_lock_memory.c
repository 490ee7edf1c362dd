// SPDX-License-Identifier: BSD-2-Clause
/* my_lock_memory.c - readings that agree. */
#include "userspace/attach/my_lock_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROUNDS = 6, /* readings, at most */
};

static int scan_once(const struct tap_my_lock_memory *memory, bool all, struct tap_relation_names *names,
		     struct tap_lock_table *ret)
{
	struct tap_my_scan scan = { .place = &memory->place, .all = all, .table = ret, .names = names };
	int err;

	tap_my_cache_init(&scan.cache, memory->read, memory->context);
	err = tap_my_scan_sessions(&scan);
	if (!err)
		err = tap_my_scan_rows(&scan);
	if (!err)
		err = tap_my_scan_metadata(&scan);
	tap_my_scan_done(&scan);
	if (!err)
		tap_lock_table_unite(ret);
	return err;
}

/* Places in a queue move when those ahead go: they are not compared. */
static bool is_alike(const struct tap_lock_entry *a, const struct tap_lock_entry *b)
{
	return a->held == b->held && a->wanted == b->wanted && a->wait_start_us == b->wait_start_us;
}

/*
 * How many entries are not in both, alike. With `leave`, only those that are stay in `after`.
 */
static size_t differences(const struct tap_lock_table *before, struct tap_lock_table *after, bool leave)
{
	size_t alike = 0, at = 0, different;

	for (size_t i = 0; i < after->count; i++) {
		const struct tap_lock_entry entry = after->entries[i];

		while (at < before->count && tap_lock_entry_compare(&before->entries[at], &entry) < 0)
			at++;
		if (at == before->count || tap_lock_entry_compare(&before->entries[at], &entry) ||
		    !is_alike(&before->entries[at], &entry))
			continue;
		if (leave)
			after->entries[alike] = entry;
		alike++;
	}
	different = before->count + after->count - 2 * alike;
	if (leave)
		after->count = alike;
	return different;
}

static void pause_for(const struct tap_my_lock_memory *memory, unsigned int round)
{
	if (memory->pause && round)
		memory->pause(memory->context, round);
}

int tap_my_lock_memory_read(const struct tap_my_lock_memory *memory, bool all, struct tap_lock_table *table,
			    struct tap_relation_names *names)
{
	struct tap_lock_table before = { 0 }, after = { 0 };
	unsigned int round = 0, whole = 0;
	int err = -EAGAIN;

	while (round < ROUNDS && (!err || err == -EAGAIN)) {
		pause_for(memory, round > 1 ? round - 1 : 0);
		err = scan_once(memory, all, names, &after);
		round++;
		if (!err && whole && (!differences(&before, &after, false) || round == ROUNDS))
			break;
		tap_lock_table_done(err ? &after : &before);
		if (err)
			continue;
		whole++;
		before = after;
		after = (struct tap_lock_table){ 0 };
		/* One reading alone proves nothing. */
		err = -EAGAIN;
	}
	if (!err) {
		size_t left = differences(&before, &after, true);

		*table = after;
		after = (struct tap_lock_table){ 0 };
		table->complete = all;
		table->torn += left;
		table->retries = round > 2 ? round - 2 : 0;
	}
	tap_lock_table_done(&before);
	tap_lock_table_done(&after);
	return err;
}
