/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * missing.h - what was looked for in the names of an instance and is not there yet, and when it is worth asking its
 * catalogs for it again.
 *
 * Kept by those who keep the names (correlate/objects of files, userspace/consume/lock_names of locks), by database,
 * since that is how catalogs are asked. What has got a name meanwhile may still be in the list: each look is given the
 * names, to pass over it.
 */
#ifndef TAP_CORRELATE_MISSING_H
#define TAP_CORRELATE_MISSING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/base/hash.h"

enum {
	TAP_MISSING_RETRY_MS = 1000, /* before it is asked for again; doubles each time */
	TAP_MISSING_RETRY_MAX_MS = 60000,
};

#define TAP_MISSING_ANY UINT32_MAX /* databases */

/* A relation's files, segments and forks together; or, with tablespace 0, a relation by its oid. Compared as bytes. */
struct tap_object_key {
	uint32_t database;   /* oid; 0: shared by all databases, to be had from any */
	uint32_t tablespace; /* oid, as paths have it: never 0, the database's own is resolved (1663 pg_default, ...) */
	uint32_t filenode;   /* pg_relation_filenode(), which knows mapped catalogs too; with tablespace 0 the oid */
};

struct tap_miss {
	struct tap_object_key key; /* first, for the index */
	uint32_t tries;
	int64_t due_ms; /* of a clock that only grows */
};

struct tap_missing {
	struct tap_miss *items;
	size_t count;
	size_t limit;
	size_t n_tried; /* asked for in vain, at least once */
	struct tap_hash index;
};

/* The names: whether they have it. */
struct tap_named {
	bool (*has)(const void *names, const struct tap_object_key *key);
	const void *names;
};

void tap_missing_init(struct tap_missing *missing, size_t limit);
void tap_missing_done(struct tap_missing *missing);

/*
 * Writes down what has no name; one that is in the list stays as it is. Where the list is full, what was asked for in
 * vain makes room, to be written down anew when it is looked for again. 0, -ENOMEM, or -ENOSPC: full of what nobody has
 * asked for yet.
 */
int tap_missing_add(struct tap_missing *missing, const struct tap_object_key *key, int64_t now_ms);

/* How many of a database, or of TAP_MISSING_ANY, are due. */
size_t tap_missing_due(const struct tap_missing *missing, uint32_t database, int64_t now_ms,
		       const struct tap_named *named);
/* The database of the first one that is due; false: none is. */
bool tap_missing_next(const struct tap_missing *missing, int64_t now_ms, const struct tap_named *named,
		      uint32_t *ret_database);
/* Those of a database that are due, at most `max`. */
size_t tap_missing_take(const struct tap_missing *missing, uint32_t database, int64_t now_ms,
			const struct tap_named *named, struct tap_object_key *ret, size_t max);

/* They were asked for (or could not be): those that have no name by now are due again only after a while. */
void tap_missing_put_off(struct tap_missing *missing, const struct tap_object_key *keys, size_t count, int64_t now_ms,
			 const struct tap_named *named);

#endif
