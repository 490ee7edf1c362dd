// SPDX-License-Identifier: BSD-2-Clause
/* relation_names.c - names of relations by database and oid, kept in the order they came with an index. */
#include "correlate/relation_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tap_relation_names_init(struct tap_relation_names *names)
{
	memset(names, 0, sizeof(*names));
	tap_hash_init(&names->index, sizeof(struct tap_relation_key));
}

void tap_relation_names_done(struct tap_relation_names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i].text);
	free(names->items);
	tap_hash_done(&names->index);
	tap_relation_names_init(names);
}

static size_t place_of(const struct tap_relation_names *names, uint32_t database, uint32_t oid)
{
	struct tap_relation_key key = { .database = database, .oid = oid };

	return tap_hash_find(&names->index, names->items, sizeof(*names->items), &key);
}

/* Takes `text` over when it succeeds. */
static int append(struct tap_relation_names *names, uint32_t database, uint32_t oid, char *text)
{
	size_t capacity = names->capacity ? names->capacity * 2 : 64;
	struct tap_relation_name *items;
	int err;

	if (names->count == names->capacity) {
		items = realloc(names->items, capacity * sizeof(*items));
		if (!items)
			return -ENOMEM;
		names->items = items;
		names->capacity = capacity;
	}
	names->items[names->count] = (struct tap_relation_name){ { database, oid }, text };
	err = tap_hash_add(&names->index, names->items, sizeof(*names->items), names->count);
	if (!err)
		names->count++;
	return err;
}

int tap_relation_names_add(struct tap_relation_names *names, uint32_t database, uint32_t oid, const char *schema,
			   size_t schema_size, const char *relation, size_t relation_size)
{
	char name[TAP_RELATION_NAME_MAX + 1];
	size_t place;
	char *text;
	int err;

	schema_size = schema ? strnlen(schema, schema_size) : 0;
	relation_size = relation ? strnlen(relation, relation_size) : 0;
	if (!oid || !schema_size || !relation_size)
		return -EINVAL;
	if (schema_size > TAP_RELATION_NAME_MAX)
		schema_size = TAP_RELATION_NAME_MAX;
	if (relation_size > TAP_RELATION_NAME_MAX)
		relation_size = TAP_RELATION_NAME_MAX;
	snprintf(name, sizeof(name), "%.*s.%.*s", (int)schema_size, schema, (int)relation_size, relation);
	text = strdup(name);
	if (!text)
		return -ENOMEM;
	place = place_of(names, database, oid);
	if (place != TAP_HASH_NONE) {
		free(names->items[place].text);
		names->items[place].text = text;
		return 0;
	}
	err = append(names, database, oid, text);
	if (err)
		free(text);
	return err;
}

const char *tap_relation_names_find(const struct tap_relation_names *names, uint32_t database, uint32_t oid)
{
	size_t place = names ? place_of(names, database, oid) : TAP_HASH_NONE;

	return place == TAP_HASH_NONE ? NULL : names->items[place].text;
}
