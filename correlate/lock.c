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

#undef BIT
#undef FROM_SHARE

/* ---- InnoDB ---- */

static const char *const record_names[TAP_LOCK_RECORD_COUNT] = {
	[0] = "?",
	[TAP_LOCK_RECORD_S_GAP] = "S,GAP",
	[TAP_LOCK_RECORD_X_GAP] = "X,GAP",
	[TAP_LOCK_RECORD_INSERT] = "X,INSERT_INTENTION",
	[TAP_LOCK_RECORD_S_ONLY] = "S,REC_NOT_GAP",
	[TAP_LOCK_RECORD_X_ONLY] = "X,REC_NOT_GAP",
	[TAP_LOCK_RECORD_S] = "S",
	[TAP_LOCK_RECORD_X] = "X",
};

#define BIT(mode) (1u << TAP_LOCK_RECORD_##mode)

/*
 * The manual's chapter "InnoDB Lock Modes": gaps exclude nobody but who inserts there, an insert waits for nobody's
 * insert, and nobody waits for it.
 */
static const uint16_t record_conflicts[TAP_LOCK_RECORD_COUNT] = {
	[TAP_LOCK_RECORD_INSERT] = BIT(S_GAP) | BIT(X_GAP) | BIT(S) | BIT(X),
	[TAP_LOCK_RECORD_S_ONLY] = BIT(X_ONLY) | BIT(X),
	[TAP_LOCK_RECORD_X_ONLY] = BIT(S_ONLY) | BIT(X_ONLY) | BIT(S) | BIT(X),
	[TAP_LOCK_RECORD_S] = BIT(X_ONLY) | BIT(X),
	[TAP_LOCK_RECORD_X] = BIT(S_ONLY) | BIT(X_ONLY) | BIT(S) | BIT(X),
};
#undef BIT

static const char *const table_names[TAP_LOCK_TABLE_COUNT] = {
	[0] = "?",
	[TAP_LOCK_TABLE_IS] = "IS",
	[TAP_LOCK_TABLE_IX] = "IX",
	[TAP_LOCK_TABLE_AUTO_INC] = "AUTO_INC",
	[TAP_LOCK_TABLE_S] = "S",
	[TAP_LOCK_TABLE_X] = "X",
};

#define BIT(mode) (1u << TAP_LOCK_TABLE_##mode)
static const uint16_t table_conflicts[TAP_LOCK_TABLE_COUNT] = {
	[TAP_LOCK_TABLE_IS] = BIT(X),
	[TAP_LOCK_TABLE_IX] = BIT(S) | BIT(X),
	[TAP_LOCK_TABLE_AUTO_INC] = BIT(AUTO_INC) | BIT(S) | BIT(X),
	[TAP_LOCK_TABLE_S] = BIT(IX) | BIT(AUTO_INC) | BIT(X),
	[TAP_LOCK_TABLE_X] = BIT(IS) | BIT(IX) | BIT(AUTO_INC) | BIT(S) | BIT(X),
};
#undef BIT

/* ---- metadata locks ---- */

static const char *const metadata_names[TAP_LOCK_METADATA_COUNT] = {
	[0] = "?",
	[TAP_LOCK_METADATA_IX] = "INTENTION_EXCLUSIVE",
	[TAP_LOCK_METADATA_S] = "SHARED",
	[TAP_LOCK_METADATA_SH] = "SHARED_HIGH_PRIO",
	[TAP_LOCK_METADATA_SR] = "SHARED_READ",
	[TAP_LOCK_METADATA_SW] = "SHARED_WRITE",
	[TAP_LOCK_METADATA_SU] = "SHARED_UPGRADABLE",
	[TAP_LOCK_METADATA_SRO] = "SHARED_READ_ONLY",
	[TAP_LOCK_METADATA_SNW] = "SHARED_NO_WRITE",
	[TAP_LOCK_METADATA_SNRW] = "SHARED_NO_READ_WRITE",
	[TAP_LOCK_METADATA_X] = "EXCLUSIVE",
};

#define BIT(mode) (1u << TAP_LOCK_METADATA_##mode)
#define NO_READERS (BIT(SNRW) | BIT(X))
#define NO_WRITERS (BIT(SNW) | NO_READERS)

/* Granted ones: objects and databases have modes of their own, but for S and X, and what those exclude adds up. */
static const uint16_t metadata_conflicts[TAP_LOCK_METADATA_COUNT] = {
	[TAP_LOCK_METADATA_IX] = BIT(S) | BIT(X),
	[TAP_LOCK_METADATA_S] = BIT(IX) | BIT(X),
	[TAP_LOCK_METADATA_SH] = BIT(X),
	[TAP_LOCK_METADATA_SR] = NO_READERS,
	[TAP_LOCK_METADATA_SW] = BIT(SRO) | NO_WRITERS,
	[TAP_LOCK_METADATA_SU] = BIT(SU) | NO_WRITERS,
	[TAP_LOCK_METADATA_SRO] = BIT(SW) | NO_READERS,
	[TAP_LOCK_METADATA_SNW] = BIT(SW) | BIT(SU) | NO_WRITERS,
	[TAP_LOCK_METADATA_SNRW] = BIT(SR) | BIT(SW) | BIT(SU) | BIT(SRO) | NO_WRITERS,
	[TAP_LOCK_METADATA_X] = BIT(IX) | BIT(S) | BIT(SH) | BIT(SR) | BIT(SW) | BIT(SU) | BIT(SRO) | NO_WRITERS,
};

/* Pending ones: whoever came first, the stronger goes first. */
static const uint16_t metadata_yields[TAP_LOCK_METADATA_COUNT] = {
	[TAP_LOCK_METADATA_IX] = BIT(S) | BIT(X), [TAP_LOCK_METADATA_S] = BIT(X),
	[TAP_LOCK_METADATA_SR] = NO_READERS,	  [TAP_LOCK_METADATA_SW] = NO_WRITERS,
	[TAP_LOCK_METADATA_SU] = BIT(X),	  [TAP_LOCK_METADATA_SRO] = BIT(SW) | NO_READERS,
	[TAP_LOCK_METADATA_SNW] = BIT(X),	  [TAP_LOCK_METADATA_SNRW] = BIT(X),
};
#undef NO_READERS
#undef NO_WRITERS
#undef BIT

/* ---- the lock of BACKUP STAGE, FLUSH TABLES WITH READ LOCK and whatever changes something ---- */

static const char *const backup_names[TAP_LOCK_BACKUP_COUNT] = {
	[0] = "?",
	[TAP_LOCK_BACKUP_START] = "BACKUP_START",
	[TAP_LOCK_BACKUP_FLUSH] = "BACKUP_FLUSH",
	[TAP_LOCK_BACKUP_WAIT_FLUSH] = "BACKUP_WAIT_FLUSH",
	[TAP_LOCK_BACKUP_WAIT_DDL] = "BACKUP_WAIT_DDL",
	[TAP_LOCK_BACKUP_WAIT_COMMIT] = "BACKUP_WAIT_COMMIT",
	[TAP_LOCK_BACKUP_FTWRL1] = "BACKUP_FTWRL1",
	[TAP_LOCK_BACKUP_FTWRL2] = "BACKUP_FTWRL2",
	[TAP_LOCK_BACKUP_DML] = "BACKUP_DML",
	[TAP_LOCK_BACKUP_TRANS_DML] = "BACKUP_TRANS_DML",
	[TAP_LOCK_BACKUP_SYS_DML] = "BACKUP_SYS_DML",
	[TAP_LOCK_BACKUP_DDL] = "BACKUP_DDL",
	[TAP_LOCK_BACKUP_BLOCK_DDL] = "BACKUP_BLOCK_DDL",
	[TAP_LOCK_BACKUP_ALTER_COPY] = "BACKUP_ALTER_COPY",
	[TAP_LOCK_BACKUP_COMMIT] = "BACKUP_COMMIT",
};

#define BIT(mode) (1u << TAP_LOCK_BACKUP_##mode)
#define FTWRL (BIT(FTWRL1) | BIT(FTWRL2))
#define STAGES (BIT(FLUSH) | BIT(WAIT_FLUSH) | BIT(WAIT_DDL) | BIT(WAIT_COMMIT))
#define DATA (BIT(DML) | BIT(TRANS_DML) | BIT(SYS_DML) | BIT(DDL) | BIT(ALTER_COPY))

static const uint16_t backup_conflicts[TAP_LOCK_BACKUP_COUNT] = {
	[TAP_LOCK_BACKUP_START] = BIT(START) | STAGES | BIT(BLOCK_DDL),
	[TAP_LOCK_BACKUP_FLUSH] = BIT(START),
	[TAP_LOCK_BACKUP_WAIT_FLUSH] = BIT(START) | BIT(DML),
	[TAP_LOCK_BACKUP_WAIT_DDL] = BIT(START) | BIT(DML) | BIT(DDL),
	[TAP_LOCK_BACKUP_WAIT_COMMIT] = BIT(START) | BIT(DML) | BIT(SYS_DML) | BIT(DDL) | BIT(COMMIT),
	[TAP_LOCK_BACKUP_FTWRL1] = DATA,
	[TAP_LOCK_BACKUP_FTWRL2] = DATA | BIT(COMMIT),
	[TAP_LOCK_BACKUP_DML] = STAGES | FTWRL,
	[TAP_LOCK_BACKUP_TRANS_DML] = FTWRL,
	[TAP_LOCK_BACKUP_SYS_DML] = BIT(WAIT_COMMIT) | FTWRL,
	[TAP_LOCK_BACKUP_DDL] = BIT(WAIT_DDL) | BIT(WAIT_COMMIT) | FTWRL | BIT(BLOCK_DDL),
	[TAP_LOCK_BACKUP_BLOCK_DDL] = BIT(START) | STAGES | BIT(BLOCK_DDL) | BIT(DDL),
	[TAP_LOCK_BACKUP_ALTER_COPY] = FTWRL,
	[TAP_LOCK_BACKUP_COMMIT] = BIT(WAIT_COMMIT) | BIT(FTWRL2),
};

static const uint16_t backup_yields[TAP_LOCK_BACKUP_COUNT] = {
	[TAP_LOCK_BACKUP_START] = STAGES | BIT(BLOCK_DDL),
	[TAP_LOCK_BACKUP_DML] = STAGES | FTWRL,
	[TAP_LOCK_BACKUP_TRANS_DML] = FTWRL,
	[TAP_LOCK_BACKUP_SYS_DML] = BIT(WAIT_COMMIT) | FTWRL,
	[TAP_LOCK_BACKUP_DDL] = BIT(WAIT_DDL) | BIT(WAIT_COMMIT) | FTWRL | BIT(BLOCK_DDL),
	[TAP_LOCK_BACKUP_BLOCK_DDL] = BIT(START),
	[TAP_LOCK_BACKUP_ALTER_COPY] = FTWRL,
	[TAP_LOCK_BACKUP_COMMIT] = BIT(WAIT_COMMIT) | BIT(FTWRL2),
};
#undef FTWRL
#undef STAGES
#undef DATA
#undef BIT

/* ---- all kinds ---- */

enum {
	QUEUE = 1,     /* waiters stand in one */
	REORDERED = 2, /* which the server changes to undo a cycle */
};

static const struct {
	const char *const *names;
	const uint16_t *conflicts;
	const uint16_t *yields;
	uint8_t count;
	uint8_t flags;
} kinds[] = {
	[TAP_LOCK_MODES_HEAVYWEIGHT] = { mode_names, conflicts, conflicts, TAP_LOCK_MODE_COUNT, QUEUE | REORDERED },
	[TAP_LOCK_MODES_RECORD] = { record_names, record_conflicts, record_conflicts, TAP_LOCK_RECORD_COUNT, QUEUE },
	[TAP_LOCK_MODES_TABLE] = { table_names, table_conflicts, table_conflicts, TAP_LOCK_TABLE_COUNT, QUEUE },
	[TAP_LOCK_MODES_METADATA] = { metadata_names, metadata_conflicts, metadata_yields, TAP_LOCK_METADATA_COUNT, 0 },
	[TAP_LOCK_MODES_BACKUP] = { backup_names, backup_conflicts, backup_yields, TAP_LOCK_BACKUP_COUNT, 0 },
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

uint16_t tap_lock_mode_yields(uint8_t type, uint8_t mode)
{
	return mode < tap_lock_mode_count(type) ? kinds[kind_of(type)].yields[mode] : 0;
}

bool tap_lock_is_queue(uint8_t type)
{
	return kinds[kind_of(type)].flags & QUEUE;
}

bool tap_lock_is_of_storage(uint8_t type)
{
	return type == TAP_LOCK_RECORD || type == TAP_LOCK_ENGINE_TABLE;
}

bool tap_lock_is_reordered(uint8_t type)
{
	return kinds[kind_of(type)].flags & REORDERED;
}

bool tap_lock_tag_relation(const struct tap_lock_tag *tag, uint32_t *ret_database, uint32_t *ret_relation)
{
	switch (tag->type) {
	case TAP_LOCK_RELATION:
	case TAP_LOCK_EXTEND:
	case TAP_LOCK_PAGE:
	case TAP_LOCK_TUPLE:
		*ret_database = tag->field1;
		*ret_relation = tag->field2;
		return true;
	case TAP_LOCK_METADATA:
		if (!tag->field2)
			return false;
		*ret_database = tag->field1;
		*ret_relation = tag->field2;
		return true;
	case TAP_LOCK_RECORD:
	case TAP_LOCK_ENGINE_TABLE:
		*ret_database = 0;
		*ret_relation = tag->field3;
		return true;
	default:
		return false;
	}
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
	free(table->told);
	memset(table, 0, sizeof(*table));
}

static int make_room(void **items, size_t *capacity, size_t count, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*items, wanted, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

int tap_lock_table_add(struct tap_lock_table *table, const struct tap_lock_entry *entry)
{
	int err = make_room((void **)&table->entries, &table->capacity, table->count, sizeof(*table->entries));

	if (!err)
		table->entries[table->count++] = *entry;
	return err;
}

int tap_lock_table_tell(struct tap_lock_table *table, const struct tap_lock_told *told)
{
	int err = make_room((void **)&table->told, &table->told_capacity, table->n_told, sizeof(*table->told));

	if (!err)
		table->told[table->n_told++] = *told;
	return err;
}

int tap_lock_entry_compare(const void *a, const void *b)
{
	const struct tap_lock_entry *left = a, *right = b;
	int by_tag = memcmp(&left->tag, &right->tag, sizeof(left->tag));

	if (by_tag)
		return by_tag;
	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return (left->xid > right->xid) - (left->xid < right->xid);
}

void tap_lock_table_unite(struct tap_lock_table *table)
{
	size_t kept = 0;

	if (table->count)
		qsort(table->entries, table->count, sizeof(*table->entries), tap_lock_entry_compare);
	for (size_t i = 0; i < table->count; i++) {
		const struct tap_lock_entry *entry = &table->entries[i];
		struct tap_lock_entry *last = kept ? &table->entries[kept - 1] : NULL;

		if (!last || tap_lock_entry_compare(last, entry)) {
			table->entries[kept++] = *entry;
			continue;
		}
		last->held |= entry->held;
		if (!last->wanted && entry->wanted) {
			last->wanted = entry->wanted;
			last->queue = entry->queue;
			last->wait_start_us = entry->wait_start_us;
			last->start_is_second = entry->start_is_second;
		}
	}
	table->count = kept;
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
