/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * field.h - the typed reading of one field of a MariaDB or MySQL server's answer.
 *
 * Only the query functions call this. Every value is hostile.
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_FIELD_H
#define TAP_CORRELATE_ENGINE_MYSQL_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "correlate/engine/mysql/conn.h"

#define TAP_MY_FIELD_MAX 8192	     /* bytes asked of one text */
#define TAP_MY_TEXTS_MAX (32L << 20) /* bytes of all texts of one answer; the rest is left out */

/* For statements' texts. */
#define TAP_MY_QUOTED(value) #value
#define TAP_MY_LIMIT(value) " LIMIT " TAP_MY_QUOTED(value)
/* The first bytes of a text, as they are stored. */
#define TAP_MY_BYTES(column) "LEFT(CAST(" column " AS BINARY), 8192)"

bool tap_my_field_is(const struct tap_my_value *value, const char *text);
/* Whole numbers within their bounds; NULL reads as 0. False: none, *ret unchanged. */
bool tap_my_field_number(const struct tap_my_value *value, int64_t min, int64_t max, int64_t *ret);
/*
 * A malloc'd copy in place of *ret, up to a NUL. NULL and the empty string are both "not known": *ret stays. -ENOMEM.
 */
int tap_my_field_string(const struct tap_my_value *value, char **ret);

#endif
