/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_names.h - names for the relations that locks of one instance are on, asked of its catalogs when they are
 * missing.
 */
#ifndef TAP_USERSPACE_CONSUME_LOCK_NAMES_H
#define TAP_USERSPACE_CONSUME_LOCK_NAMES_H

#include "correlate/lock_event.h"
#include "correlate/missing.h"
#include "correlate/relation_names.h"
#include "userspace/consume/objects.h"

enum {
	TAP_LOCK_NAMES_MISSING_MAX = 4096,
	TAP_LOCK_NAMES_MAX = 65536,
};

struct tap_lock_names {
	struct tap_relation_names names;
	struct tap_missing missing;
};

void tap_lock_names_init(struct tap_lock_names *names);
/* NULL is fine. */
void tap_lock_names_done(struct tap_lock_names *names);

/* A relation whose name will be wanted; database 0: one that all share. 0 or -ENOMEM. */
int tap_lock_names_want(struct tap_lock_names *names, uint32_t database, uint32_t relation);
/* Those of a whole table. */
int tap_lock_names_want_table(struct tap_lock_names *names, const struct tap_lock_table *table);

/* Asks the catalogs for those that are missing and due, database by database while `budget_ms` last. */
void tap_lock_names_learn(struct tap_lock_names *names, const struct tap_catalog *catalog, int64_t budget_ms);

/* Whether a statement's text names a relation ("schema.relation"), whatever the schema; unquoted spelling counts. */
bool tap_lock_names_mentioned(const char *text, const char *relation);

#endif
