// SPDX-License-Identifier: BSD-2-Clause
/*
 * unseen.c - can the calls of a row be told, given what ended unseen?
 *
 * A session whose client answers faster than the server gets to sleep runs on from one statement into the next. The
 * kernel side then knows that statements ended between two looks, and at most how many, but not which: any row of the
 * same database and user may be low by them. Calls are shown while that is under 0.5 % of the row, or under 0.1 % of
 * all statements of the database and user.
 */
#include "correlate/model/build.h"

#include <stdlib.h>

#include "bpf/abi/kind.h"

enum {
	ROW_SHARE = 200,
	GROUP_SHARE = 1000,
	NOISE = 3, /* some utility commands write to the entry once or twice more than a query */
};

/* The sessions of one user in one database; the key is first, for the index. */
struct group_key {
	uint32_t instance;
	uint32_t database;
	uint32_t user;
};

struct group {
	struct group_key key;
	uint64_t calls;
	uint64_t unseen;
};

struct tap_unseen {
	struct group *groups;
	size_t count;
	struct tap_hash index;
};

static struct group_key key_of(const struct tap_row *row)
{
	return (struct group_key){ row->key.instance, row->key.database, row->key.user };
}

static struct group *group_of(struct tap_unseen *unseen, const struct tap_row *row)
{
	struct group_key key = key_of(row);
	size_t place = tap_hash_find(&unseen->index, unseen->groups, sizeof(*unseen->groups), &key);

	if (place != TAP_HASH_NONE)
		return &unseen->groups[place];
	unseen->groups[unseen->count] = (struct group){ .key = key };
	if (tap_hash_add(&unseen->index, unseen->groups, sizeof(*unseen->groups), unseen->count))
		return NULL;
	return &unseen->groups[unseen->count++];
}

/* False: out of memory. */
static bool row_count(struct tap_unseen *unseen, struct tap_build *build, const struct tap_row *row)
{
	const struct tap_row_key *key = &row->key;
	struct group *group;

	if (key->kind != TAP_KIND_CLIENT)
		return true;
	group = group_of(unseen, row);
	if (!group)
		return false;
	group->calls += row->account.calls;
	if (row->account.uncounted &&
	    !tap_build_reports_progress(build, key->instance,
					tap_build_text(build, key->instance, key->source, key->query_id)))
		group->unseen += row->account.uncounted;
	return true;
}

struct tap_unseen *tap_unseen_new(struct tap_build *build)
{
	struct tap_unseen *unseen = calloc(1, sizeof(*unseen));
	bool whole;

	if (!unseen)
		return NULL;
	tap_hash_init(&unseen->index, sizeof(struct group_key));
	unseen->groups = calloc(build->rows.count + 1, sizeof(*unseen->groups));
	whole = unseen->groups != NULL;
	for (size_t i = 0; i < build->rows.count && whole; i++)
		whole = row_count(unseen, build, &build->rows.rows[i]);
	if (whole)
		return unseen;
	tap_unseen_free(unseen);
	return NULL;
}

void tap_unseen_free(struct tap_unseen *unseen)
{
	if (!unseen)
		return;
	tap_hash_done(&unseen->index);
	free(unseen->groups);
	free(unseen);
}

bool tap_unseen_spoils(const struct tap_unseen *unseen, const struct tap_row *row)
{
	struct group_key key = key_of(row);
	size_t place = tap_hash_find(&unseen->index, unseen->groups, sizeof(*unseen->groups), &key);
	const struct group *group = place == TAP_HASH_NONE ? NULL : &unseen->groups[place];

	return group && group->unseen > NOISE && group->unseen * ROW_SHARE > row->account.calls &&
	       group->unseen * GROUP_SHARE > group->calls;
}
