/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_words.h - the words by which MariaDB's and MySQL's views tell of locks, as the numbers that tags and modes have.
 *
 * Only the query functions call this. Pure; every text is hostile, and what is none of the words is told as such.
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_LOCK_WORDS_H
#define TAP_CORRELATE_ENGINE_MYSQL_LOCK_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "correlate/engine/mysql/conn.h"
#include "correlate/lock.h"

enum {
	TAP_MY_LOCK_NAME_MAX = 260, /* bytes of a schema's or table's name, in utf8, with its end */
};

/* What metadata locks are on, MariaDB's numbers first; lock_names.c has what they are called. */
enum tap_my_lock_object {
	TAP_MY_OBJECT_BACKUP,
	TAP_MY_OBJECT_SCHEMA,
	TAP_MY_OBJECT_TABLE,
	TAP_MY_OBJECT_FUNCTION,
	TAP_MY_OBJECT_PROCEDURE,
	TAP_MY_OBJECT_PACKAGE,
	TAP_MY_OBJECT_TRIGGER,
	TAP_MY_OBJECT_EVENT,
	TAP_MY_OBJECT_USER_LOCK,
	TAP_MY_OBJECT_GLOBAL,
	TAP_MY_OBJECT_COMMIT,
	TAP_MY_OBJECT_TABLESPACE,
	TAP_MY_OBJECT_OTHER,
};

struct tap_my_lock_name {
	char schema[TAP_MY_LOCK_NAME_MAX];
	char table[TAP_MY_LOCK_NAME_MAX];
	uint32_t number; /* as InnoDB calls it: tap_my_table_number */
};

/* Names as they are; `partition` may be SQL NULL. False: a name is missing. */
bool tap_my_lock_name(const struct tap_my_value *schema, const struct tap_my_value *table,
		      const struct tap_my_value *partition, struct tap_my_lock_name *ret);
/* Of "`schema`.`table`", with "Partition `part`" in a comment behind it. */
bool tap_my_lock_name_quoted(const struct tap_my_value *text, struct tap_my_lock_name *ret);

/* Modes of InnoDB's locks: "X,REC_NOT_GAP", "IX". 0: none of them. `heap` is a record's place in its page. */
uint8_t tap_my_lock_mode_parse(uint8_t type, const struct tap_my_value *text, uint16_t heap, bool waits);

/* Tablespace, page and place out of "...:4:3:8:0x..", as MySQL numbers a record's lock. */
bool tap_my_lock_place_parse(const struct tap_my_value *id, struct tap_lock_tag *tag);

/*
 * Kind of object, by the words of performance_schema.metadata_locks ("USER LEVEL LOCK") or of METADATA_LOCK_INFO ("User
 * lock").
 */
enum tap_my_lock_object tap_my_lock_object_parse(const struct tap_my_value *text);
/* Mode of a metadata lock of such an object; "MDL_" before it is no part of it. 0: none. */
uint8_t tap_my_metadata_mode_parse(enum tap_my_lock_object object, const struct tap_my_value *text);
/* The tag of one. Names of what has none are "". */
void tap_my_metadata_tag(enum tap_my_lock_object object, const char *schema, const char *name,
			 struct tap_lock_tag *ret);

#endif
