/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn.h - one connection to a MariaDB or MySQL server: logging in, running one bounded query, noticing that it is
 * gone.
 *
 * Owns everything that touches the client library (libmariadb, optional: conn_absent.c stands in where dbtap is built
 * without); queries.c says what is asked, the commands decide when to connect again. Nothing here waits longer than its
 * timeout, whatever the server does, and nothing is printed. The session is read only, and every query a transaction of
 * its own. Not thread-safe: logging in may change the effective user of the whole process for a moment.
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_CONN_H
#define TAP_CORRELATE_ENGINE_MYSQL_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/engine/client.h"
#include "userspace/base/error.h"

#define TAP_MY_CONNECT_TIMEOUT_MS 2000
#define TAP_MY_QUERY_TIMEOUT_MS 1500

/*
 * Logging in, beyond what struct tap_engine_where says of all engines: without a `user` under the name of our own user,
 * as unix_socket lets root in, else as the owner of the server's process and under its name. `socket` is a file of any
 * length. `conninfo` is key=value pairs (login.h); if it names a user, host, socket, defaults-file or defaults-group,
 * it is the user's own choice, and the library's options files count. If not, the login stays the automatic one: no
 * options file, no password, no plugin of the client library.
 */
struct tap_my_conn;

/* "libmariadb 3.3.20"; "": dbtap was built without it. */
void tap_my_conn_library(char ret[TAP_LIBRARY_MAX]);

/*
 * Log in. *ret is the caller's, for tap_my_conn_close. One line in `err` otherwise, and:
 *   -EINVAL     the connection string is broken or holds a password
 *   -EACCES     the server refused this user
 *   -EBUSY      no connection free
 *   -EAGAIN     the server is shutting down
 *   -ENOENT     no such database; no socket
 *   -ENOTSUP    dbtap was built without the client library; or the server cannot be made to keep to reading
 *   -ETIMEDOUT  no answer in time
 *   -EPERM      the effective user could not be changed
 *   -ECONNREFUSED everything else that the library reports; -ENOMEM
 */
int tap_my_conn_open(const struct tap_engine_where *where, struct tap_my_conn **ret, struct tap_error *err);

/* NULL is fine. Does not wait for the server. */
void tap_my_conn_close(struct tap_my_conn *conn);

/* Whether the server still holds its end, as far as the socket says; asks nothing and does not wait. NULL: false. */
bool tap_my_conn_alive(struct tap_my_conn *conn);

/* The number of this very connection. */
uint64_t tap_my_conn_id(const struct tap_my_conn *conn);

/* 101119 for 10.11.19. */
int32_t tap_my_conn_version(const struct tap_my_conn *conn);
/* MariaDB, not MySQL. */
bool tap_my_conn_is_mariadb(const struct tap_my_conn *conn);

/* A note of the callers': its user has been found to see other users' sessions. */
bool tap_my_conn_sees_all(const struct tap_my_conn *conn);
void tap_my_conn_set_sees_all(struct tap_my_conn *conn);

const char *tap_my_conn_instance(const struct tap_my_conn *conn);

/* One field: `size` raw bytes, not NUL-terminated; data is NULL for SQL NULL. Numbers come as their digits. */
struct tap_my_value {
	const char *data;
	size_t size;
};

/*
 * Takes one row; the values live until it returns. A negative errno stops the query, and costs the connection: what
 * has not been read yet is not waited for.
 */
typedef int (*tap_my_row_fn)(const struct tap_my_value *values, void *arg);

#define TAP_MY_COLUMNS_MAX 24

/* One query. */
struct tap_my_request {
	const char *name; /* for messages */
	const char *sql;
	size_t columns;	    /* exactly; 0: it has no rows; at most TAP_MY_COLUMNS_MAX */
	size_t rows_max;    /* more is a violation: the statement has a LIMIT */
	size_t field_max;   /* bytes */
	int32_t timeout_ms; /* for all of it */
	/* Called once while the server works on it, when it does not answer at once; its time is part of the timeout.
	 * May be NULL.
	 */
	void (*meanwhile)(void *arg);
	void *meanwhile_arg;
};

/*
 * Run it and hand every row to `row` (NULL where there are none). 0 when the server said it was complete. Otherwise one
 * line in `err`, and:
 *   -ECONNRESET lost, before or while it ran; connection closed
 *   -EPROTO     not what was asked for: columns, sizes, number of rows; closed
 *   what `row` returned; closed
 *   -ETIMEDOUT  not done in time; closed, unless the server itself stopped the statement
 *   -EACCES     the server's error, as all below, which leave the connection open: no permission
 *   -ENOENT     unknown table, function, column or variable
 *   -EBUSY      lock not available
 *   -EOPNOTSUPP the server is not in the state for it
 *   -EIO        any other
 */
int tap_my_conn_run(struct tap_my_conn *conn, const struct tap_my_request *request, tap_my_row_fn row, void *arg,
		    struct tap_error *err);

#endif
