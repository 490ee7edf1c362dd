/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * statements.h - what dbtap asks pg_stat_statements, where that extension is there: texts by query id, and calls.
 *
 * Same rules as queries.h. The commands ask for texts of ids that they have seen and do not know yet; tests compare
 * calls.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_STATEMENTS_H
#define TAP_CORRELATE_ENGINE_POSTGRES_STATEMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "correlate/engine/postgres/field.h"

#define TAP_PG_STATEMENTS_MAX 20000
#define TAP_PG_WANTED_MAX 4096

/* The normalised text of one query id. */
struct tap_pg_text {
	uint64_t query_id;
	char *text; /* malloc'd, raw bytes, at most TAP_PG_TEXT_MAX */
};

struct tap_pg_texts {
	struct tap_pg_text *items; /* sorted by query id as unsigned, each once */
	size_t count;
	size_t capacity;
};

void tap_pg_texts_done(struct tap_pg_texts *texts);
/* NULL: not there. */
const char *tap_pg_texts_find(const struct tap_pg_texts *texts, uint64_t query_id);

/*
 * Texts from pg_stat_statements: of `n_wanted` query ids (the first TAP_PG_WANTED_MAX count), or with `wanted` NULL of
 * as many as the limits allow. Makes the server read its file of texts: ask for new ids, not every second. *ret is the
 * caller's to _done. -ENOENT: not installed in this database, -EOPNOTSUPP: not loaded by the server; `err` says which.
 */
int tap_pg_query_statement_texts(struct tap_pg_conn *conn, const uint64_t *wanted, size_t n_wanted,
				 struct tap_pg_texts *ret, struct tap_pg_rows *ret_rows, struct tap_error *err);

struct tap_pg_calls {
	uint64_t query_id;
	uint32_t database;
	uint32_t user;
	uint64_t calls;	    /* ended without an error, since the server's statistics were reset */
	int64_t elapsed_us; /* summed over them */
};

/* What pg_stat_statements counted. *ret is malloc'd and the caller's. Same failures as above. */
int tap_pg_query_statement_calls(struct tap_pg_conn *conn, struct tap_pg_calls **ret, size_t *ret_count,
				 struct tap_pg_rows *ret_rows, struct tap_error *err);

#endif
