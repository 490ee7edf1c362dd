// SPDX-License-Identifier: BSD-2-Clause
/* conn_absent.c - conn.h where dbtap is built without libmariadb: there is no connection, and `open` says so. */
#ifndef HAVE_LIBMARIADB

#include "correlate/engine/mysql/conn.h"

#include <errno.h>

void tap_my_conn_library(char ret[TAP_LIBRARY_MAX])
{
	*ret = '\0';
}

int tap_my_conn_open(const struct tap_engine_where *where, struct tap_my_conn **ret, struct tap_error *err)
{
	(void)ret;
	return tap_error_set(err, -ENOTSUP,
			     "%s: cannot connect: this dbtap was built without libmariadb; build it with "
			     "libmariadb-dev installed, or use --no-connect",
			     where->instance);
}

void tap_my_conn_close(struct tap_my_conn *conn)
{
	(void)conn;
}

bool tap_my_conn_alive(struct tap_my_conn *conn)
{
	(void)conn;
	return false;
}

uint64_t tap_my_conn_id(const struct tap_my_conn *conn)
{
	(void)conn;
	return 0;
}

int32_t tap_my_conn_version(const struct tap_my_conn *conn)
{
	(void)conn;
	return 0;
}

bool tap_my_conn_is_mariadb(const struct tap_my_conn *conn)
{
	(void)conn;
	return false;
}

bool tap_my_conn_sees_all(const struct tap_my_conn *conn)
{
	(void)conn;
	return false;
}

void tap_my_conn_set_sees_all(struct tap_my_conn *conn)
{
	(void)conn;
}

const char *tap_my_conn_instance(const struct tap_my_conn *conn)
{
	(void)conn;
	return "";
}

int tap_my_conn_run(struct tap_my_conn *conn, const struct tap_my_request *request, tap_my_row_fn row, void *arg,
		    struct tap_error *err)
{
	(void)conn;
	(void)row;
	(void)arg;
	return tap_error_set(err, -ECONNRESET, "query %s: there is no connection", request->name);
}

#else
typedef int tap_my_conn_is_in_conn_c; /* a file is not empty */
#endif
