// SPDX-License-Identifier: BSD-2-Clause
/*
 * file.c - which instance's folder a file lies below, so that the instance's engine can say what it is.
 *
 * A place below a root is a list of components, topmost first. Where a file's root is not among the three folders that
 * the kernel side kept (a shared spill of PostgreSQL has four below the data folder) or shows another inode (overlay),
 * the names alone must do, and are believed only when all of them fit. What the names mean is the engine's
 * (correlate/engine/terms.h).
 */
#include "correlate/file.h"

#include <stdio.h>
#include <string.h>

#include "correlate/engine/terms.h"

static const char *const kind_names[TAP_FILE_KIND_COUNT] = {
#define X(id, name) [TAP_FILE_##id] = name,
	TAP_FILE_KINDS(X)
#undef X
};

const char *tap_file_kind_name(enum tap_file_kind kind)
{
	return kind_names[(unsigned)kind < TAP_FILE_KIND_COUNT ? kind : TAP_FILE_UNKNOWN];
}

/* By hand: snprintf would be most of what decoding costs. */
void tap_file_path_add(struct tap_file_object *object, const char *text, size_t size)
{
	size_t used = strlen(object->path), room = sizeof(object->path) - 1 - used;

	size = size < room ? size : room;
	memcpy(object->path + used, text, size);
	object->path[used + size] = '\0';
}

void tap_file_path_add_string(struct tap_file_object *object, const char *text)
{
	tap_file_path_add(object, text, strlen(text));
}

void tap_file_path_add_number(struct tap_file_object *object, uint32_t number)
{
	char digits[10];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	tap_file_path_add(object, digits + at, sizeof(digits) - at);
}

/* The place whose topmost component is names[top]. */
static struct tap_file_place place_from(const char names[TAP_FILE_NAMES][TAP_FILE_NAME_MAX], int top)
{
	struct tap_file_place place = { .count = top + 1, .above = top + 1 < TAP_FILE_NAMES ? names[top + 1] : "" };

	for (int i = 0; i < TAP_FILE_NAMES; i++)
		place.names[i] = i <= top ? names[top - i] : "";
	return place;
}

/* The root that holds the file, and in *ret_depth how many folders lie between; NULL: none. The nearest one wins. */
static const struct tap_file_root *root_find(const struct tap_file_key *key, const struct tap_file *file,
					     const struct tap_file_root *roots, size_t n_roots, int *ret_depth)
{
	const struct tap_file_root *found = NULL;
	int depth = TAP_FILE_NAMES - 1;

	for (size_t i = 0; i < n_roots; i++) {
		if (roots[i].device != key->device || !roots[i].inode)
			continue;
		for (int j = 0; j < depth; j++) {
			if (file->folders[j] == roots[i].inode) {
				found = &roots[i];
				depth = j;
			}
		}
	}
	*ret_depth = depth;
	return found;
}

/* Whether the inodes of the device are those that the instance's own folders have: no overlay lies between. */
static bool instance_sees(uint32_t instance, const struct tap_file_key *key, const struct tap_file_root *roots,
			  size_t n_roots)
{
	for (size_t i = 0; i < n_roots; i++) {
		if (roots[i].instance == instance && roots[i].device == key->device)
			return true;
	}
	return false;
}

/*
 * Whether the names from names[top] on have the shape of a part of the engine's data folder; fills *ret only then. On a
 * device whose inodes are `seen`, only what lies too deep for its root is believed: a copy of a data folder is none.
 */
static bool shape_try(const struct tap_terms *terms, const char names[TAP_FILE_NAMES][TAP_FILE_NAME_MAX], int top,
		      uint32_t instance, bool seen, struct tap_file_object *ret)
{
	struct tap_file_place place = place_from(names, top);
	struct tap_file_object object = { .instance = instance };

	if ((seen && place.count < TAP_FILE_NAMES) || !terms->file_by_shape(&place, &object))
		return false;
	*ret = object;
	return true;
}

/* The engine of an instance, as its folders have it; TAP_ENGINE_COUNT: it has none. */
static enum tap_engine engine_of(uint32_t instance, const struct tap_file_root *roots, size_t n_roots)
{
	for (size_t i = 0; i < n_roots; i++) {
		if (roots[i].instance == instance)
			return roots[i].engine;
	}
	return TAP_ENGINE_COUNT;
}

/* From the most names to the fewest; of an instance none of whose folders is known, in the shape of any engine. */
static bool shapes_try(const char names[TAP_FILE_NAMES][TAP_FILE_NAME_MAX], uint32_t instance, enum tap_engine known,
		       bool seen, struct tap_file_object *ret)
{
	for (int top = TAP_FILE_NAMES - 1; top > 0; top--) {
		for (int engine = 0; engine < TAP_ENGINE_COUNT; engine++) {
			if ((known == TAP_ENGINE_COUNT || known == (enum tap_engine)engine) &&
			    shape_try(tap_terms_of((enum tap_engine)engine), names, top, instance, seen, ret))
				return true;
		}
	}
	return false;
}

/* What no instance owns: the last names of its path, as many as fit. */
static void decode_unknown(const char names[TAP_FILE_NAMES][TAP_FILE_NAME_MAX], struct tap_file_object *ret)
{
	size_t length = strlen(names[2]) + strlen(names[1]) + strlen(names[0]) + 2;

	ret->kind = TAP_FILE_UNKNOWN;
	if (names[2][0] && names[2][0] != '/' && length < sizeof(ret->path))
		snprintf(ret->path, sizeof(ret->path), "%s/%s/%s", names[2], names[1], names[0]);
	else if (names[1][0] && names[1][0] != '/')
		snprintf(ret->path, sizeof(ret->path), "%s/%s", names[1], names[0]);
	else
		snprintf(ret->path, sizeof(ret->path), "%s", names[0][0] ? names[0] : "unnamed");
}

void tap_file_decode(const struct tap_file_key *key, const struct tap_file *file, const struct tap_file_root *roots,
		     size_t n_roots, uint32_t instance_hint, struct tap_file_object *ret)
{
	char names[TAP_FILE_NAMES][TAP_FILE_NAME_MAX];
	const struct tap_file_root *root;
	struct tap_file_place place;
	int depth;

	*ret = (struct tap_file_object){ .instance = TAP_INSTANCE_NONE };
	if (!key->inode) {
		ret->kind = TAP_FILE_METADATA;
		tap_file_path_add_string(ret, "metadata");
		return;
	}
	memcpy(names, file->names, sizeof(names));
	for (int i = 0; i < TAP_FILE_NAMES; i++)
		names[i][TAP_FILE_NAME_MAX - 1] = '\0';
	root = root_find(key, file, roots, n_roots, &depth);
	if (root) {
		place = place_from((const char(*)[TAP_FILE_NAME_MAX])names, depth);
		ret->instance = root->instance;
		tap_terms_of(root->engine)->file_below(root, &place, ret);
		return;
	}
	if (instance_hint != TAP_INSTANCE_NONE &&
	    shapes_try((const char(*)[TAP_FILE_NAME_MAX])names, instance_hint, engine_of(instance_hint, roots, n_roots),
		       instance_sees(instance_hint, key, roots, n_roots), ret))
		return;
	decode_unknown((const char(*)[TAP_FILE_NAME_MAX])names, ret);
}
