// SPDX-License-Identifier: BSD-2-Clause
/* names.c - the sorted array of names.h. Instances have few databases and users, so inserting in place is cheap. */
#include "correlate/names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void tap_names_init(struct tap_names *names)
{
	*names = (struct tap_names){ 0 };
}

void tap_names_done(struct tap_names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i].text);
	free(names->items);
	tap_names_init(names);
}

static bool is_before(const struct tap_name *name, enum tap_name_kind kind, uint32_t oid)
{
	return name->kind != kind ? name->kind < kind : name->oid < oid;
}

/* Index of the first entry that is not before (kind, oid): where it is, or where it would go. */
static size_t lower_bound(const struct tap_names *names, enum tap_name_kind kind, uint32_t oid)
{
	size_t low = 0;
	size_t high = names->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_before(&names->items[middle], kind, oid))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct tap_names *names, size_t at, enum tap_name_kind kind, uint32_t oid)
{
	return at < names->count && names->items[at].kind == kind && names->items[at].oid == oid;
}

static int make_room(struct tap_names *names)
{
	size_t capacity = names->capacity ? names->capacity * 2 : 32;
	struct tap_name *items;

	if (names->count < names->capacity)
		return 0;
	items = realloc(names->items, capacity * sizeof(*items));
	if (!items)
		return -ENOMEM;
	names->items = items;
	names->capacity = capacity;
	return 0;
}

int tap_names_add(struct tap_names *names, enum tap_name_kind kind, uint32_t oid, const char *text, size_t size)
{
	size_t at;
	char *copy;

	if (!oid || !text || !size || !*text)
		return -EINVAL;
	copy = strndup(text, size < TAP_NAME_MAX ? size : TAP_NAME_MAX);
	if (!copy)
		return -ENOMEM;
	at = lower_bound(names, kind, oid);
	if (is_at(names, at, kind, oid)) {
		free(names->items[at].text);
		names->items[at].text = copy;
		return 0;
	}
	if (make_room(names)) {
		free(copy);
		return -ENOMEM;
	}
	memmove(&names->items[at + 1], &names->items[at], (names->count - at) * sizeof(names->items[0]));
	names->items[at] = (struct tap_name){ .kind = kind, .oid = oid, .text = copy };
	names->count++;
	return 0;
}

const char *tap_names_find(const struct tap_names *names, enum tap_name_kind kind, uint32_t oid)
{
	size_t at = lower_bound(names, kind, oid);

	return is_at(names, at, kind, oid) ? names->items[at].text : NULL;
}

static int add_unknown(struct tap_names *names, enum tap_name_kind kind, uint32_t oid, const char *text)
{
	if (!oid || !text || !*text || tap_names_find(names, kind, oid))
		return 0;
	return tap_names_add(names, kind, oid, text, strlen(text));
}

int tap_names_add_sessions(struct tap_names *names, const struct tap_session_list *sessions)
{
	for (size_t i = 0; i < sessions->count; i++) {
		const struct tap_session *session = &sessions->items[i];
		int r = add_unknown(names, TAP_NAME_DATABASE, session->database, session->database_name);

		if (!r)
			r = add_unknown(names, TAP_NAME_USER, session->user, session->user_name);
		if (r)
			return r;
	}
	return 0;
}
