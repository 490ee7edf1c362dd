/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_ask.h - one asking for locks; private to locks.c, lock_rows.c and lock_meta.c.
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_LOCK_ASK_H
#define TAP_CORRELATE_ENGINE_MYSQL_LOCK_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "correlate/engine/mysql/lock_words.h"
#include "correlate/engine/mysql/locks.h"

struct tap_my_lock_ask {
	struct tap_my_conn *conn;
	struct tap_lock_table *table;
	struct tap_relation_names *names; /* NULL: not wanted */
	int32_t *waiting;		  /* owners of transactions that wait in InnoDB, sorted */
	size_t n_waiting;
	size_t waiting_capacity;
};

/* Notes the name of a number; one that cannot be is left out. 0 or -ENOMEM. */
int tap_my_lock_ask_name(struct tap_my_lock_ask *ask, uint32_t database, uint32_t number, const char *schema,
			 const char *name);
/* Whether the session's transaction waits in InnoDB. */
bool tap_my_lock_ask_waits(const struct tap_my_lock_ask *ask, int32_t owner);
/* An owner out of a field; 0: none, or one that no node can be called. */
int32_t tap_my_lock_ask_owner(const struct tap_my_value *value);

/* InnoDB's. */
int tap_my_lock_ask_rows(struct tap_my_lock_ask *ask, struct tap_error *err);
/* Metadata locks, with a phrase in `err` and 0 where the server does not tell. */
int tap_my_lock_ask_metadata(struct tap_my_lock_ask *ask, struct tap_error *err);

#endif
