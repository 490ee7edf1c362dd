/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * field.h - the typed reading of one field of a server's answer, and the account of its rows.
 *
 * Only the query functions (queries.c, statements.c) call this. Every value is hostile.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_FIELD_H
#define TAP_CORRELATE_ENGINE_POSTGRES_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/engine/postgres/conn.h"

#define TAP_PG_TEXT_MAX 8192	     /* bytes of one query text */
#define TAP_PG_TEXTS_MAX (32L << 20) /* bytes of all texts of one answer; the rest is left out */

/* For statements' texts. Numbers are asked for as text. */
#define TAP_PG_QUOTED(value) #value
#define TAP_PG_LIMIT(value) " LIMIT " TAP_PG_QUOTED(value)
#define TAP_PG_MICROSECONDS(column) "(extract(epoch FROM " column ") * 1000000)::bigint::text"
/*
 * The first bytes of a text of another session. Not characters: to look for their ends would fail on bytes that are not
 * valid in this database's encoding, and other databases have other encodings.
 */
#define TAP_PG_BYTES(column, size) "pg_catalog.substring(pg_catalog.textsend(" column "), 1, " TAP_PG_QUOTED(size) ")"

/* What the server shows in place of a text that the role may not see. */
#define TAP_PG_NO_PRIVILEGE "<insufficient privilege>"

/* How an answer was read. */
struct tap_pg_rows {
	size_t seen;	/* that the server sent */
	size_t skipped; /* malformed */
	size_t hidden;	/* the role may not see all of it */
	bool cut;	/* a limit was reached: there may be more rows or texts */
};

bool tap_pg_field_is(const struct tap_pg_value *value, const char *text);

/* Whole numbers within their bounds; NULL reads as 0. False: none, *ret unchanged. */
bool tap_pg_field_number(const struct tap_pg_value *value, int64_t min, int64_t max, int64_t *ret);
bool tap_pg_field_oid(const struct tap_pg_value *value, uint32_t *ret);
bool tap_pg_field_pid(const struct tap_pg_value *value, int32_t *ret);
/* SQL shows the 64 bits of a query id with a sign. */
bool tap_pg_field_query_id(const struct tap_pg_value *value, uint64_t *ret);

/*
 * A malloc'd copy in place of *ret, up to a NUL. NULL and the empty string are both "not known": *ret stays. -ENOMEM.
 */
int tap_pg_field_string(const struct tap_pg_value *value, char **ret);

/* Notes whether `limit` was reached and hands the account out; `ret_rows` may be NULL. */
void tap_pg_rows_finish(struct tap_pg_rows *rows, size_t limit, struct tap_pg_rows *ret_rows);

#endif
