/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relation_names.h - what a database's catalog calls its relations, by their oids: for locks.
 *
 * Same rules as queries.h and relations.h: a catalog is read from inside its own database only.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_RELATION_NAMES_H
#define TAP_CORRELATE_ENGINE_POSTGRES_RELATION_NAMES_H

#include "correlate/engine/postgres/field.h"
#include "correlate/relation_names.h"

#define TAP_PG_RELATION_NAMES_MAX 4096 /* asked for at once */

/*
 * The relations of `database`, which `conn` must be connected to, that have one of these oids; of `database` 0 the
 * shared ones, over any connection. They are added to `names` (also, in part, when it fails halfway). Connected to
 * another database than it says, the server answers with nothing. The first TAP_PG_RELATION_NAMES_MAX count. `ret_rows`
 * may be NULL.
 */
int tap_pg_query_relation_names(struct tap_pg_conn *conn, uint32_t database, const uint32_t *oids, size_t n_oids,
				struct tap_relation_names *names, struct tap_pg_rows *ret_rows, struct tap_error *err);

#endif
