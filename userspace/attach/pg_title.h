/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_title.h - user and database names from PostgreSQL's process titles.
 *
 * "postgres: [CLUSTER: ][walsender ]USER DATABASE CLIENT ACTIVITY", where names may hold spaces and anything else. What
 * a title does not say for certain is not guessed; what other sessions of the same database or user showed may settle
 * it.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_TITLE_H
#define TAP_USERSPACE_ATTACH_PG_TITLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TAP_PG_NAME_MAX = 64,	 /* NAMEDATALEN */
	TAP_PG_TITLE_MAX = 2048, /* longer ones are cut */
	TAP_PG_NAMES_MAX = 2 * TAP_PG_NAME_MAX,
};

/* What follows "postgres: [CLUSTER: ]", inside `title`; NULL: no such title. `cluster_name` NULL or "": none. */
const char *tap_pg_title_body(const char *title, const char *cluster_name);

/*
 * "USER DATABASE" (or "USER") out of the body of a client session or walsender, given the client's port (0: local).
 * -ENOENT: not there, or in more than one place it could end.
 */
int tap_pg_title_names(const char *body, bool walsender, uint16_t client_port, char ret[TAP_PG_NAMES_MAX]);

/* The database an autovacuum worker shows; NULL: none. Inside `body`. */
const char *tap_pg_title_autovacuum_database(const char *body);

/*
 * Splits "USER DATABASE". With several spaces one of the names must be known (NULL: is not).
 * -EAGAIN: cannot be told; -EBADMSG: what is known does not fit. Outputs are written only on success.
 */
int tap_pg_title_split(const char *names, const char *known_user, const char *known_database,
		       char ret_user[TAP_PG_NAME_MAX], char ret_database[TAP_PG_NAME_MAX]);

#endif
