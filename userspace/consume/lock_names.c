// SPDX-License-Identifier: BSD-2-Clause
/* lock_names.c - which relations have no name yet, and when it is worth asking for them again. */
#include "userspace/consume/lock_names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "correlate/engine/client.h"
#include "userspace/base/clock.h"

enum {
	RETRY_MS = 1000, /* doubles each time */
	RETRY_MAX_MS = 60000,
	TRIES_MAX = 6,
};

void tap_lock_names_init(struct tap_lock_names *names)
{
	*names = (struct tap_lock_names){ 0 };
	tap_relation_names_init(&names->names);
	tap_hash_init(&names->missing_index, sizeof(struct tap_relation_key));
}

void tap_lock_names_done(struct tap_lock_names *names)
{
	if (!names)
		return;
	tap_relation_names_done(&names->names);
	free(names->missing);
	tap_hash_done(&names->missing_index);
	tap_lock_names_init(names);
}

/* Drops what is known by now; all of it when that makes no room. */
static int missing_compact(struct tap_lock_names *names)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->n_missing; i++) {
		const struct tap_relation_key *key = &names->missing[i].key;

		if (!tap_relation_names_find(&names->names, key->database, key->oid))
			names->missing[kept++] = names->missing[i];
	}
	names->n_missing = kept < TAP_LOCK_NAMES_MISSING_MAX ? kept : 0;
	tap_hash_done(&names->missing_index);
	tap_hash_init(&names->missing_index, sizeof(struct tap_relation_key));
	for (size_t i = 0; i < names->n_missing; i++) {
		if (tap_hash_add(&names->missing_index, names->missing, sizeof(*names->missing), i)) {
			names->n_missing = i;
			return -ENOMEM;
		}
	}
	return 0;
}

int tap_lock_names_want(struct tap_lock_names *names, uint32_t database, uint32_t relation)
{
	struct tap_lock_name_miss miss = { .key = { .database = database, .oid = relation } };
	int status = 0;

	if (!relation || names->names.count >= TAP_LOCK_NAMES_MAX ||
	    tap_relation_names_find(&names->names, database, relation) ||
	    tap_hash_find(&names->missing_index, names->missing, sizeof(*names->missing), &miss.key) != TAP_HASH_NONE)
		return 0;
	if (!names->missing)
		names->missing = calloc(TAP_LOCK_NAMES_MISSING_MAX, sizeof(*names->missing));
	if (!names->missing)
		return -ENOMEM;
	if (names->n_missing == TAP_LOCK_NAMES_MISSING_MAX)
		status = missing_compact(names);
	if (status)
		return status;
	names->missing[names->n_missing] = miss;
	status = tap_hash_add(&names->missing_index, names->missing, sizeof(*names->missing), names->n_missing);
	if (!status)
		names->n_missing++;
	return status;
}

int tap_lock_names_want_table(struct tap_lock_names *names, const struct tap_lock_table *table)
{
	int status = 0;

	for (size_t i = 0; i < table->count && !status; i++) {
		const struct tap_lock_tag *tag = &table->entries[i].tag;

		if (tag->type == TAP_LOCK_RELATION || tag->type == TAP_LOCK_EXTEND || tag->type == TAP_LOCK_PAGE ||
		    tag->type == TAP_LOCK_TUPLE)
			status = tap_lock_names_want(names, tag->field1, tag->field2);
	}
	return status;
}

static bool is_due(const struct tap_lock_names *names, const struct tap_lock_name_miss *miss, int64_t now_ms)
{
	return miss->due_ms <= now_ms && !tap_relation_names_find(&names->names, miss->key.database, miss->key.oid);
}

static bool next_database(const struct tap_lock_names *names, int64_t now_ms, uint32_t *ret)
{
	for (size_t i = 0; i < names->n_missing; i++) {
		if (is_due(names, &names->missing[i], now_ms)) {
			*ret = names->missing[i].key.database;
			return true;
		}
	}
	return false;
}

/* Takes the due ones of a database, and puts each off: one that is found is not asked for again anyway. */
static size_t take_due(struct tap_lock_names *names, uint32_t database, int64_t now_ms, uint32_t *oids)
{
	size_t count = 0;

	for (size_t i = 0; i < names->n_missing && count < TAP_RELATIONS_ASKED_MAX; i++) {
		struct tap_lock_name_miss *miss = &names->missing[i];
		int64_t pause_ms = (int64_t)RETRY_MS << (miss->tries < TRIES_MAX ? miss->tries : TRIES_MAX);

		if (miss->key.database != database || !is_due(names, miss, now_ms))
			continue;
		oids[count++] = miss->key.oid;
		miss->tries++;
		miss->due_ms = now_ms + (pause_ms < RETRY_MAX_MS ? pause_ms : RETRY_MAX_MS);
	}
	return count;
}

static void ask(struct tap_lock_names *names, const struct tap_catalog *catalog, uint32_t database,
		const uint32_t *oids, size_t count)
{
	const struct tap_client *client = tap_client_of(catalog->target->engine);
	struct tap_engine_conn *own = NULL;
	struct tap_error err;

	if (!database) {
		client->relation_names(catalog->conn, 0, oids, count, &names->names, &err);
		return;
	}
	if (tap_catalog_open(catalog, database, &own, &err))
		return;
	client->relation_names(own, database, oids, count, &names->names, &err);
	client->close(own);
}

void tap_lock_names_learn(struct tap_lock_names *names, const struct tap_catalog *catalog, int64_t budget_ms)
{
	int64_t now_ms = tap_clock_ms(), until_ms = now_ms + budget_ms;
	uint32_t database, *oids;

	if (!catalog->conn || !tap_client_of(catalog->target->engine)->relation_names ||
	    !next_database(names, now_ms, &database))
		return;
	oids = malloc(TAP_RELATIONS_ASKED_MAX * sizeof(*oids));
	while (oids && tap_clock_ms() < until_ms && next_database(names, now_ms, &database)) {
		size_t count = take_due(names, database, now_ms, oids);

		ask(names, catalog, database, oids, count);
	}
	free(oids);
}

static bool is_word(char byte)
{
	return isalnum((unsigned char)byte) || byte == '_' || byte == '$' || (unsigned char)byte >= 0x80;
}

bool tap_lock_names_mentioned(const char *text, const char *relation)
{
	const char *dot = strchr(relation, '.');
	const char *name = dot ? dot + 1 : relation;
	size_t size = strlen(name);

	if (!size)
		return false;
	for (const char *at = text; *at; at++) {
		if ((at == text || !is_word(at[-1])) && !strncasecmp(at, name, size) && !is_word(at[size]))
			return true;
	}
	return false;
}
