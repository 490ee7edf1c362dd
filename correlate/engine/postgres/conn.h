/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn.h - one connection to a PostgreSQL server: logging in, running one bounded query, noticing that it is gone.
 *
 * Owns everything that touches libpq; queries.c says what is asked, the commands decide when to connect again. Nothing
 * here waits longer than its timeout, whatever the server does, and nothing is printed. There is never an open
 * transaction: every query is a statement of its own. Not thread-safe: logging in may change the effective user of
 * the whole process for a moment.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_CONN_H
#define TAP_CORRELATE_ENGINE_POSTGRES_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/engine/client.h"
#include "userspace/base/error.h"

#define TAP_PG_CONNECT_TIMEOUT_MS 2000
#define TAP_PG_QUERY_TIMEOUT_MS 1500

/*
 * Logging in, beyond what struct tap_engine_where says of all engines: without a `user` as the role named like the
 * owner of the server's process, else as "postgres"; without a database to "postgres". `socket` is the folder, of any
 * length;
 * "@..." is abstract. `conninfo` is key=value pairs or a postgresql:// URI; if it names a user, host, hostaddr or
 * service, it is the user's own choice, and libpq's password file, service file and environment count. If not (only
 * dbname=app, say), the login stays the automatic one.
 */
struct tap_pg_conn;

/*
 * Log in. *ret is the caller's, for tap_pg_conn_close. One line in `err` otherwise, and:
 *   -EINVAL     the connection string is broken or holds a password
 *   -EACCES     the server refused this user, or wants a password
 *   -EBUSY      no connection slot free, or another resource of the server is exhausted
 *   -EAGAIN     the server is starting up or shutting down
 *   -ENOENT     no such database; no socket directory
 *   -ENOTSUP    server older than the queries understand
 *   -ETIMEDOUT  no answer in time
 *   -EPERM      the effective user could not be changed
 *   -ECONNREFUSED everything else that libpq reports; -ENOMEM
 * A host name in `conninfo` is resolved by the system's resolver, whose own timeouts then apply.
 */
int tap_pg_conn_open(const struct tap_engine_where *where, struct tap_pg_conn **ret, struct tap_error *err);

/* NULL is fine. Does not wait for the server. */
void tap_pg_conn_close(struct tap_pg_conn *conn);

/* Whether the server still holds its end, as far as the socket says; asks nothing and does not wait. NULL: false. */
bool tap_pg_conn_alive(struct tap_pg_conn *conn);

/* The server process of this very connection, as the server's pid namespace counts. */
int32_t tap_pg_conn_backend_pid(const struct tap_pg_conn *conn);

/* 150018 for 15.18. */
int32_t tap_pg_conn_version(const struct tap_pg_conn *conn);

const char *tap_pg_conn_instance(const struct tap_pg_conn *conn);

/* One field: `size` raw bytes, not NUL-terminated; data is NULL for SQL NULL. */
struct tap_pg_value {
	const char *data;
	size_t size;
};

/*
 * Takes one row; the values live until it returns. A negative errno stops the query, and costs the connection: what
 * has not been read yet is not waited for.
 */
typedef int (*tap_pg_row_fn)(const struct tap_pg_value *values, void *arg);

#define TAP_PG_COLUMNS_MAX 24

/* One query. All its columns must be text or bytea: they travel in binary form, byte by byte as the server has them. */
struct tap_pg_request {
	const char *name; /* for messages */
	const char *sql;
	const char *const *params; /* NUL-terminated text each, NULL is SQL NULL */
	int n_params;
	int columns;	    /* exactly; at most TAP_PG_COLUMNS_MAX */
	size_t rows_max;    /* more is a violation: the statement has a LIMIT */
	size_t field_max;   /* bytes */
	int32_t timeout_ms; /* for all of it */
};

/*
 * Run it and hand every row to `row`. 0 when the server said it was complete. Otherwise one line in `err`, and:
 *   -ECONNRESET lost, before or while it ran; connection closed
 *   -EPROTO     not what was asked for: columns, types, sizes, number of rows; closed
 *   what `row` returned; closed
 *   -ETIMEDOUT  not done in time; closed, unless the server itself stopped the statement
 *   -EACCES     the server's error, as all below, which leave the connection open: no permission
 *   -ENOENT     unknown relation, function, column or schema
 *   -EBUSY      lock not available
 *   -EOPNOTSUPP the server is not in the state for it
 *   -EILSEQ     text that is not valid in the database's encoding
 *   -EIO        any other
 */
int tap_pg_conn_run(struct tap_pg_conn *conn, const struct tap_pg_request *request, tap_pg_row_fn row, void *arg,
		    struct tap_error *err);

#endif
