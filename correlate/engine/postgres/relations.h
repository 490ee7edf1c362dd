/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relations.h - what a database's catalog calls the files of its relations.
 *
 * Same rules as queries.h. A catalog is read from inside its own database only, so whoever asks opens a connection to
 * each database whose files were seen, for this one statement.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_RELATIONS_H
#define TAP_CORRELATE_ENGINE_POSTGRES_RELATIONS_H

#include "correlate/engine/postgres/field.h"
#include "correlate/objects.h"

/* Rows of one answer. */
#define TAP_PG_RELATIONS_MAX 8192

struct tap_pg_database {
	char *name; /* malloc'd, raw bytes */
	bool connectable;
	bool template;
};

/* One database by its oid; *ret is the caller's to _done. -ENOENT: there is none any more. */
int tap_pg_query_database(struct tap_pg_conn *conn, uint32_t oid, struct tap_pg_database *ret, struct tap_error *err);
void tap_pg_database_done(struct tap_pg_database *database);

/*
 * The relations of `database`, which `conn` must be connected to, that have one of the files of `wanted` (whose
 * databases do not count); of `database` 0 the shared ones, over any connection. They are added to `objects` (also, in
 * part, when it fails halfway). Connected to another database than it says, the server answers with nothing. The first
 * TAP_OBJECTS_ASKED_MAX count. `ret_rows` may be NULL.
 */
int tap_pg_query_relations(struct tap_pg_conn *conn, uint32_t database, const struct tap_object_key *wanted,
			   size_t n_wanted, struct tap_objects *objects, struct tap_pg_rows *ret_rows,
			   struct tap_error *err);

#endif
