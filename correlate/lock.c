// SPDX-License-Identifier: BSD-2-Clause
/* lock.c - names of locks, which modes exclude which, and the table both readers fill. */
#include "correlate/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[TAP_LOCK_TYPE_COUNT] = {
#define X(id, name, modes) [TAP_LOCK_##id] = name,
	TAP_LOCK_TYPES(X)
#undef X
};

static const char *const mode_names[TAP_LOCK_MODE_COUNT] = {
	[TAP_LOCK_MODE_NONE] = "?",
	[TAP_LOCK_MODE_ACCESS_SHARE] = "AccessShareLock",
	[TAP_LOCK_MODE_ROW_SHARE] = "RowShareLock",
	[TAP_LOCK_MODE_ROW_EXCLUSIVE] = "RowExclusiveLock",
	[TAP_LOCK_MODE_SHARE_UPDATE_EXCLUSIVE] = "ShareUpdateExclusiveLock",
	[TAP_LOCK_MODE_SHARE] = "ShareLock",
	[TAP_LOCK_MODE_SHARE_ROW_EXCLUSIVE] = "ShareRowExclusiveLock",
	[TAP_LOCK_MODE_EXCLUSIVE] = "ExclusiveLock",
	[TAP_LOCK_MODE_ACCESS_EXCLUSIVE] = "AccessExclusiveLock",
};

#define BIT(mode) (1u << TAP_LOCK_MODE_##mode)
/* What writers of rows collide with, and each stronger mode on top of the one before. */
#define FROM_SHARE (BIT(SHARE_ROW_EXCLUSIVE) | BIT(EXCLUSIVE) | BIT(ACCESS_EXCLUSIVE))

/* The table "Conflicting Lock Modes" of PostgreSQL's manual, chapter Explicit Locking; it is symmetric. */
static const uint16_t conflicts[TAP_LOCK_MODE_COUNT] = {
	[TAP_LOCK_MODE_ACCESS_SHARE] = BIT(ACCESS_EXCLUSIVE),
	[TAP_LOCK_MODE_ROW_SHARE] = BIT(EXCLUSIVE) | BIT(ACCESS_EXCLUSIVE),
	[TAP_LOCK_MODE_ROW_EXCLUSIVE] = BIT(SHARE) | FROM_SHARE,
	[TAP_LOCK_MODE_SHARE_UPDATE_EXCLUSIVE] = BIT(SHARE_UPDATE_EXCLUSIVE) | BIT(SHARE) | FROM_SHARE,
	[TAP_LOCK_MODE_SHARE] = BIT(ROW_EXCLUSIVE) | BIT(SHARE_UPDATE_EXCLUSIVE) | FROM_SHARE,
	[TAP_LOCK_MODE_SHARE_ROW_EXCLUSIVE] =
		BIT(ROW_EXCLUSIVE) | BIT(SHARE_UPDATE_EXCLUSIVE) | BIT(SHARE) | FROM_SHARE,
	[TAP_LOCK_MODE_EXCLUSIVE] =
		BIT(ROW_SHARE) | BIT(ROW_EXCLUSIVE) | BIT(SHARE_UPDATE_EXCLUSIVE) | BIT(SHARE) | FROM_SHARE,
	[TAP_LOCK_MODE_ACCESS_EXCLUSIVE] = BIT(ACCESS_SHARE) | BIT(ROW_SHARE) | BIT(ROW_EXCLUSIVE) |
					   BIT(SHARE_UPDATE_EXCLUSIVE) | BIT(SHARE) | FROM_SHARE,
};

static const struct {
	const char *const *names;
	const uint16_t *conflicts;
	uint8_t count;
} kinds[] = {
	[TAP_LOCK_MODES_HEAVYWEIGHT] = { mode_names, conflicts, TAP_LOCK_MODE_COUNT },
};

static const uint8_t kind_of_type[TAP_LOCK_TYPE_COUNT] = {
#define X(id, name, modes) [TAP_LOCK_##id] = TAP_LOCK_MODES_##modes,
	TAP_LOCK_TYPES(X)
#undef X
};

/* A type that nobody knows has the modes of the first kind. */
static uint8_t kind_of(uint8_t type)
{
	return type < TAP_LOCK_TYPE_COUNT ? kind_of_type[type] : 0;
}

const char *tap_lock_type_name(uint8_t type)
{
	return type < TAP_LOCK_TYPE_COUNT ? type_names[type] : "?";
}

uint8_t tap_lock_mode_count(uint8_t type)
{
	return kinds[kind_of(type)].count;
}

const char *tap_lock_mode_name(uint8_t type, uint8_t mode)
{
	return mode < tap_lock_mode_count(type) ? kinds[kind_of(type)].names[mode] : "?";
}

uint16_t tap_lock_mode_conflicts(uint8_t type, uint8_t mode)
{
	return mode < tap_lock_mode_count(type) ? kinds[kind_of(type)].conflicts[mode] : 0;
}

bool tap_lock_modes_conflict(uint8_t type, uint8_t a, uint8_t b)
{
	return b < tap_lock_mode_count(type) && tap_lock_mode_conflicts(type, a) >> b & 1;
}

void tap_lock_table_init(struct tap_lock_table *table)
{
	memset(table, 0, sizeof(*table));
}

void tap_lock_table_done(struct tap_lock_table *table)
{
	if (!table)
		return;
	free(table->entries);
	memset(table, 0, sizeof(*table));
}

int tap_lock_table_add(struct tap_lock_table *table, const struct tap_lock_entry *entry)
{
	size_t wanted = table->capacity ? table->capacity * 2 : 64;
	struct tap_lock_entry *entries;

	if (table->count == table->capacity) {
		entries = realloc(table->entries, wanted * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		table->entries = entries;
		table->capacity = wanted;
	}
	table->entries[table->count++] = *entry;
	return 0;
}

struct tap_lock_prepared *tap_lock_prepared_add(struct tap_lock_prepared_list *list)
{
	size_t wanted = list->capacity ? list->capacity * 2 : 8;
	struct tap_lock_prepared *items;

	if (list->count == list->capacity) {
		items = realloc(list->items, wanted * sizeof(*items));
		if (!items)
			return NULL;
		list->items = items;
		list->capacity = wanted;
	}
	memset(&list->items[list->count], 0, sizeof(*list->items));
	return &list->items[list->count++];
}

void tap_lock_prepared_done(struct tap_lock_prepared_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].gid);
		free(list->items[i].database);
		free(list->items[i].user);
	}
	free(list->items);
	memset(list, 0, sizeof(*list));
}

const struct tap_lock_prepared *tap_lock_prepared_find(const struct tap_lock_prepared_list *list, uint32_t xid)
{
	for (size_t i = 0; list && i < list->count; i++) {
		if (list->items[i].xid == xid)
			return &list->items[i];
	}
	return NULL;
}
