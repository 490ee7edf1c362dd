// SPDX-License-Identifier: BSD-2-Clause
/* lock_names.c - which relations have no name yet, and asking for them. */
#include "userspace/consume/lock_names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "correlate/engine/client.h"
#include "userspace/base/clock.h"

void tap_lock_names_init(struct tap_lock_names *names)
{
	*names = (struct tap_lock_names){ 0 };
	tap_relation_names_init(&names->names);
	tap_missing_init(&names->missing, TAP_LOCK_NAMES_MISSING_MAX);
}

void tap_lock_names_done(struct tap_lock_names *names)
{
	if (!names)
		return;
	tap_relation_names_done(&names->names);
	tap_missing_done(&names->missing);
	tap_lock_names_init(names);
}

static bool has(const void *names, const struct tap_object_key *key)
{
	return tap_relation_names_find(names, key->database, key->filenode) != NULL;
}

int tap_lock_names_want(struct tap_lock_names *names, uint32_t database, uint32_t relation)
{
	const struct tap_object_key key = { .database = database, .filenode = relation };
	int status;

	if (!relation || names->names.count >= TAP_LOCK_NAMES_MAX || has(&names->names, &key))
		return 0;
	status = tap_missing_add(&names->missing, &key, 0);
	return status == -ENOMEM ? status : 0;
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

static void ask(struct tap_lock_names *names, const struct tap_catalog *catalog, uint32_t database,
		const struct tap_object_key *wanted, size_t count)
{
	uint32_t oids[TAP_RELATIONS_ASKED_MAX];
	const struct tap_client *client = tap_client_of(catalog->target->engine);
	struct tap_engine_conn *own = NULL;
	struct tap_error err;

	for (size_t i = 0; i < count; i++)
		oids[i] = wanted[i].filenode;
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
	const struct tap_named named = { has, &names->names };
	int64_t now_ms = tap_clock_ms(), until_ms = now_ms + budget_ms;
	struct tap_object_key *wanted;
	uint32_t database;

	if (!catalog->conn || !tap_client_of(catalog->target->engine)->relation_names ||
	    !tap_missing_next(&names->missing, now_ms, &named, &database))
		return;
	wanted = malloc(TAP_RELATIONS_ASKED_MAX * sizeof(*wanted));
	while (wanted && tap_clock_ms() < until_ms && tap_missing_next(&names->missing, now_ms, &named, &database)) {
		size_t count =
			tap_missing_take(&names->missing, database, now_ms, &named, wanted, TAP_RELATIONS_ASKED_MAX);

		ask(names, catalog, database, wanted, count);
		tap_missing_put_off(&names->missing, wanted, count, now_ms, &named);
	}
	free(wanted);
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
