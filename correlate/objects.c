// SPDX-License-Identifier: BSD-2-Clause
/* objects.c - the names of relations' files. */
#include "correlate/objects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tap_objects_init(struct tap_objects *objects)
{
	*objects = (struct tap_objects){ 0 };
	tap_hash_init(&objects->index, sizeof(struct tap_object_key));
	tap_missing_init(&objects->missing, TAP_OBJECTS_MISSING_MAX);
}

void tap_objects_done(struct tap_objects *objects)
{
	if (!objects)
		return;
	for (size_t i = 0; i < objects->count; i++) {
		free(objects->items[i].name);
		free(objects->items[i].parent);
	}
	free(objects->items);
	tap_hash_done(&objects->index);
	tap_missing_done(&objects->missing);
	tap_objects_init(objects);
}

/* "schema.name", each cut; NULL: out of memory. */
static char *qualified(const char *schema, const char *name)
{
	char text[2 * TAP_OBJECT_NAME_MAX + 2];

	snprintf(text, sizeof(text), "%.*s.%.*s", TAP_OBJECT_NAME_MAX, schema, TAP_OBJECT_NAME_MAX, name);
	return strdup(text);
}

static bool is_named(const char *schema, const char *name)
{
	return schema && *schema && name && *name;
}

/* The place of a new object, entered into the index; NULL with *ret set. */
static struct tap_object *object_new(struct tap_objects *objects, const struct tap_object_key *key, int *ret)
{
	struct tap_object *items;
	size_t capacity;

	*ret = objects->count >= TAP_OBJECTS_MAX ? -ENOSPC : -ENOMEM;
	if (objects->count >= TAP_OBJECTS_MAX)
		return NULL;
	if (objects->count == objects->capacity) {
		capacity = objects->capacity ? objects->capacity * 2 : 256;
		items = reallocarray(objects->items, capacity, sizeof(*items));
		if (!items)
			return NULL;
		objects->items = items;
		objects->capacity = capacity;
	}
	objects->items[objects->count] = (struct tap_object){ .key = *key };
	if (tap_hash_add(&objects->index, objects->items, sizeof(*objects->items), objects->count))
		return NULL;
	return &objects->items[objects->count++];
}

static size_t place_of(const struct tap_objects *objects, const struct tap_object_key *key)
{
	return tap_hash_find(&objects->index, objects->items, sizeof(*objects->items), key);
}

int tap_objects_add(struct tap_objects *objects, const struct tap_object_key *key, const struct tap_object_info *info)
{
	bool has_parent = is_named(info->parent_schema, info->parent_name);
	struct tap_object *object = NULL;
	char *name, *parent = NULL;
	size_t place;
	int status = -ENOMEM;

	if (!key->filenode || !is_named(info->schema, info->name) || (unsigned)info->kind >= TAP_FILE_KIND_COUNT)
		return -EINVAL;
	name = qualified(info->schema, info->name);
	if (has_parent)
		parent = qualified(info->parent_schema, info->parent_name);
	if (name && (parent || !has_parent)) {
		place = place_of(objects, key);
		object = place == TAP_HASH_NONE ? object_new(objects, key, &status) : &objects->items[place];
	}
	if (!object) {
		free(name);
		free(parent);
		return status;
	}
	free(object->name);
	free(object->parent);
	object->oid = info->oid;
	object->kind = info->kind;
	object->name = name;
	object->parent = parent;
	return 0;
}

const struct tap_object *tap_objects_find(const struct tap_objects *objects, const struct tap_object_key *key)
{
	size_t place = place_of(objects, key);

	return place == TAP_HASH_NONE ? NULL : &objects->items[place];
}

size_t tap_objects_count(const struct tap_objects *objects)
{
	return objects->count;
}

/* ---- what is missing ---- */

static bool has(const void *names, const struct tap_object_key *key)
{
	return tap_objects_find(names, key) != NULL;
}

bool tap_objects_want(struct tap_objects *objects, const struct tap_object_key *key, int64_t now_ms)
{
	if (!key->filenode || tap_objects_find(objects, key))
		return true;
	/* One that finds no room is written down when it is looked for again. */
	tap_missing_add(&objects->missing, key, now_ms);
	return false;
}

size_t tap_objects_missing(const struct tap_objects *objects, uint32_t database, int64_t now_ms)
{
	const struct tap_named named = { has, objects };

	return tap_missing_due(&objects->missing, database, now_ms, &named);
}

bool tap_objects_next(const struct tap_objects *objects, int64_t now_ms, uint32_t *ret_database)
{
	const struct tap_named named = { has, objects };

	return tap_missing_next(&objects->missing, now_ms, &named, ret_database);
}

size_t tap_objects_take(const struct tap_objects *objects, uint32_t database, int64_t now_ms,
			struct tap_object_key *ret)
{
	const struct tap_named named = { has, objects };

	return tap_missing_take(&objects->missing, database, now_ms, &named, ret, TAP_OBJECTS_ASKED_MAX);
}

void tap_objects_asked_for(struct tap_objects *objects, const struct tap_object_key *keys, size_t count, int64_t now_ms)
{
	const struct tap_named named = { has, objects };

	tap_missing_put_off(&objects->missing, keys, count, now_ms, &named);
}
