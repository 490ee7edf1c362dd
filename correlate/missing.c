// SPDX-License-Identifier: BSD-2-Clause
/* missing.c - the list in the order things were first looked for, with an index. See missing.h. */
#include "correlate/missing.h"

#include <errno.h>
#include <stdlib.h>

void tap_missing_init(struct tap_missing *missing, size_t limit)
{
	*missing = (struct tap_missing){ .limit = limit };
	tap_hash_init(&missing->index, sizeof(struct tap_object_key));
}

void tap_missing_done(struct tap_missing *missing)
{
	free(missing->items);
	tap_hash_done(&missing->index);
	tap_missing_init(missing, missing->limit);
}

static size_t place_of(const struct tap_missing *missing, const struct tap_object_key *key)
{
	return tap_hash_find(&missing->index, missing->items, sizeof(*missing->items), key);
}

/* Keeps the first `kept` items, and indexes them anew. */
static void keep(struct tap_missing *missing, size_t kept)
{
	missing->count = 0;
	missing->n_tried = 0;
	tap_hash_done(&missing->index);
	tap_hash_init(&missing->index, sizeof(struct tap_object_key));
	/* Out of memory: the rest is forgotten, and written down again when it is looked for again. */
	for (size_t i = 0; i < kept; i++) {
		if (tap_hash_add(&missing->index, missing->items, sizeof(*missing->items), i))
			return;
		missing->n_tried += missing->items[i].tries > 0;
		missing->count++;
	}
}

static void drop_tried(struct tap_missing *missing)
{
	size_t kept = 0;

	for (size_t i = 0; i < missing->count; i++) {
		if (!missing->items[i].tries)
			missing->items[kept++] = missing->items[i];
	}
	keep(missing, kept);
}

static void drop_named(struct tap_missing *missing, const struct tap_named *named)
{
	size_t kept = 0;

	for (size_t i = 0; i < missing->count; i++) {
		if (!named->has(named->names, &missing->items[i].key))
			missing->items[kept++] = missing->items[i];
	}
	keep(missing, kept);
}

int tap_missing_add(struct tap_missing *missing, const struct tap_object_key *key, int64_t now_ms)
{
	int status;

	if (place_of(missing, key) != TAP_HASH_NONE)
		return 0;
	if (missing->count == missing->limit && missing->n_tried)
		drop_tried(missing);
	if (missing->count == missing->limit)
		return -ENOSPC;
	if (!missing->items)
		missing->items = calloc(missing->limit, sizeof(*missing->items));
	if (!missing->items)
		return -ENOMEM;
	missing->items[missing->count] = (struct tap_miss){ .key = *key, .due_ms = now_ms };
	status = tap_hash_add(&missing->index, missing->items, sizeof(*missing->items), missing->count);
	if (!status)
		missing->count++;
	return status;
}

static bool is_due(const struct tap_miss *miss, uint32_t database, int64_t now_ms, const struct tap_named *named)
{
	return (database == TAP_MISSING_ANY || miss->key.database == database) && miss->due_ms <= now_ms &&
	       !named->has(named->names, &miss->key);
}

size_t tap_missing_due(const struct tap_missing *missing, uint32_t database, int64_t now_ms,
		       const struct tap_named *named)
{
	size_t count = 0;

	for (size_t i = 0; i < missing->count; i++)
		count += is_due(&missing->items[i], database, now_ms, named);
	return count;
}

bool tap_missing_next(const struct tap_missing *missing, int64_t now_ms, const struct tap_named *named,
		      uint32_t *ret_database)
{
	for (size_t i = 0; i < missing->count; i++) {
		if (is_due(&missing->items[i], TAP_MISSING_ANY, now_ms, named)) {
			*ret_database = missing->items[i].key.database;
			return true;
		}
	}
	return false;
}

size_t tap_missing_take(const struct tap_missing *missing, uint32_t database, int64_t now_ms,
			const struct tap_named *named, struct tap_object_key *ret, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < missing->count && count < max; i++) {
		if (is_due(&missing->items[i], database, now_ms, named))
			ret[count++] = missing->items[i].key;
	}
	return count;
}

static int64_t retry_ms(uint32_t tries)
{
	int64_t ms = TAP_MISSING_RETRY_MS;

	while (tries-- > 1 && ms < TAP_MISSING_RETRY_MAX_MS)
		ms *= 2;
	return ms < TAP_MISSING_RETRY_MAX_MS ? ms : TAP_MISSING_RETRY_MAX_MS;
}

void tap_missing_put_off(struct tap_missing *missing, const struct tap_object_key *keys, size_t count, int64_t now_ms,
			 const struct tap_named *named)
{
	for (size_t i = 0; i < count; i++) {
		size_t place = place_of(missing, &keys[i]);

		if (place == TAP_HASH_NONE)
			continue;
		missing->items[place].tries++;
		missing->items[place].due_ms = now_ms + retry_ms(missing->items[place].tries);
	}
	drop_named(missing, named);
}
