// SPDX-License-Identifier: BSD-2-Clause
/* my_load.c - point selects through libmariadb; see my_load.h. */
#ifdef HAVE_LIBMARIADB

#include "userspace/bench/my_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mysql.h>

#include "userspace/bench/schema.h"

#define COLUMN_SIZE 128
#define SQL_SIZE 512

struct connection {
	MYSQL *my;
	MYSQL_STMT *statement; /* NULL: nothing was prepared */
	MYSQL_BIND parameter;
	MYSQL_BIND column;
	int32_t id;
	char c[COLUMN_SIZE];
};

/* ---- connections ---- */

static void error_text(const char *message, char *text, size_t size)
{
	snprintf(text, size, "%.*s", (int)strcspn(message, "\r\n"), message);
}

/* Of the connection, or of its prepared statement, whichever failed last. */
static void last_error(const struct connection *connection, char *text, size_t size)
{
	const char *message = mysql_error(connection->my);

	if (!*message && connection->statement)
		message = mysql_stmt_error(connection->statement);
	error_text(*message ? message : "no message", text, size);
}

void tap_my_load_disconnect(void *context)
{
	struct connection *connection = context;

	if (!connection)
		return;
	if (connection->statement)
		mysql_stmt_close(connection->statement);
	if (connection->my)
		mysql_close(connection->my);
	free(connection);
}

static int refuse(struct connection *connection, int code, struct tap_error *err)
{
	char text[TAP_LOAD_ERROR_MAX];

	if (connection && connection->my)
		last_error(connection, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "no memory");
	tap_my_load_disconnect(connection);
	return tap_error_set(err, code, "load: %s; see the server's log", text);
}

/* No file of this host and no plugin is asked for. */
static MYSQL *log_in(MYSQL *my, const char *socket, const char *application)
{
	unsigned timeout_s = 10, protocol = MYSQL_PROTOCOL_SOCKET;

	mysql_options(my, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_s);
	mysql_options(my, MYSQL_PLUGIN_DIR, "/dev/null");
	mysql_options4(my, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", application);
	return mysql_real_connect(my, NULL, "root", "", NULL, 0, socket, 0);
}

int tap_my_load_connect(const char *where, const char *application, void **ret, struct tap_error *err)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return refuse(NULL, -ENOMEM, err);
	connection->my = mysql_init(NULL);
	if (!connection->my)
		return refuse(connection, -ENOMEM, err);
	if (!log_in(connection->my, where, application))
		return refuse(connection, -ECONNREFUSED, err);
	*ret = connection;
	return 0;
}

bool tap_my_load_answers(const char *where)
{
	void *connection = NULL;

	if (tap_my_load_connect(where, "dbtap-load look", &connection, NULL))
		return false;
	tap_my_load_disconnect(connection);
	return true;
}

/* Errors of the library itself mean that the connection is gone. */
bool tap_my_load_is_lost(void *context)
{
	const struct connection *connection = context;
	unsigned number = mysql_errno(connection->my);

	if (!number && connection->statement)
		number = mysql_stmt_errno(connection->statement);
	return number >= 2000 && number < 3000;
}

void tap_my_load_recover(struct tap_load_session *session)
{
	last_error(session->connection, session->error, sizeof(session->error));
}

/* ---- statements ---- */

static int run(struct connection *connection, const char *sql)
{
	MYSQL_RES *result;

	if (mysql_real_query(connection->my, sql, strlen(sql)))
		return -EIO;
	result = mysql_store_result(connection->my);
	if (!result && mysql_field_count(connection->my))
		return -EIO;
	mysql_free_result(result);
	return 0;
}

static int step_text(struct tap_load_session *session, long id)
{
	char sql[SQL_SIZE];

	snprintf(sql, sizeof(sql), "SELECT c FROM sbtest1 WHERE id=%ld", id);
	return run(session->connection, sql);
}

static int step_prepared(struct tap_load_session *session, long id)
{
	struct connection *connection = session->connection;
	int got;

	connection->id = (int32_t)id;
	if (mysql_stmt_execute(connection->statement) || mysql_stmt_store_result(connection->statement))
		return -EIO;
	do
		got = mysql_stmt_fetch(connection->statement);
	while (!got || got == MYSQL_DATA_TRUNCATED);
	mysql_stmt_free_result(connection->statement);
	return got == MYSQL_NO_DATA ? 0 : -EIO;
}

static int step_select(struct tap_load_session *session)
{
	long id = tap_load_random_between(session, 1, (long)session->scale * TAP_MY_LOAD_ROWS);
	int err = session->protocol == TAP_PROTOCOL_PREPARED ? step_prepared(session, id) : step_text(session, id);

	session->statements += !err;
	return err;
}

static int prepare(struct connection *connection)
{
	static const char sql[] = "SELECT c FROM sbtest1 WHERE id=?";

	connection->statement = mysql_stmt_init(connection->my);
	if (!connection->statement || mysql_stmt_prepare(connection->statement, sql, sizeof(sql) - 1))
		return -EIO;
	connection->parameter = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONG, .buffer = &connection->id };
	connection->column = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING,
					   .buffer = connection->c,
					   .buffer_length = sizeof(connection->c) };
	return mysql_stmt_bind_param(connection->statement, &connection->parameter) ||
			       mysql_stmt_bind_result(connection->statement, &connection->column)
		       ? -EIO
		       : 0;
}

static int open_select(struct tap_load_session *session)
{
	if (run(session->connection, "USE " TAP_SCHEMA))
		return -EIO;
	return session->protocol == TAP_PROTOCOL_PREPARED ? prepare(session->connection) : 0;
}

const struct tap_load_role *tap_my_load_role_of(enum tap_load_kind kind, uint32_t index)
{
	static const struct tap_load_role select_role = { "select", open_select, step_select, 0 };

	(void)index;
	return kind == TAP_LOAD_SELECT ? &select_role : NULL;
}

/* ---- the table ---- */

static int fill(struct connection *connection, uint32_t scale)
{
	char sql[SQL_SIZE];

	snprintf(
		sql, sizeof(sql),
		"INSERT INTO sbtest1 (k, c, pad) SELECT seq %% 4999, RPAD(MD5(seq), 119, '-'), RPAD(MD5(-seq), 59, '-')"
		" FROM seq_1_to_%u",
		scale * TAP_MY_LOAD_ROWS);
	return run(connection, sql);
}

/* The server is our own: nobody else's database can be there. */
int tap_my_load_build(const char *where, uint32_t scale, struct tap_error *err)
{
	static const char *const statements[] = {
		"CREATE DATABASE " TAP_SCHEMA,
		"USE " TAP_SCHEMA,
		"CREATE TABLE sbtest1 (id INTEGER NOT NULL AUTO_INCREMENT, k INTEGER DEFAULT 0 NOT NULL,"
		" c CHAR(120) DEFAULT '' NOT NULL, pad CHAR(60) DEFAULT '' NOT NULL, PRIMARY KEY (id)) ENGINE = InnoDB",
	};
	void *connection;
	int code;

	if (scale < 1 || scale > TAP_SCHEMA_MAX_SCALE)
		return tap_error_set(err, -EINVAL, "scale: %u is out of range; give 1 to %d", scale,
				     TAP_SCHEMA_MAX_SCALE);
	code = tap_my_load_connect(where, "dbtap-load prepare", &connection, err);
	if (code)
		return code;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]) && !code; i++)
		code = run(connection, statements[i]);
	if (!code)
		code = fill(connection, scale);
	if (!code)
		code = run(connection, "CREATE INDEX k_1 ON sbtest1 (k)");
	if (code)
		return refuse(connection, code, err);
	tap_my_load_disconnect(connection);
	return 0;
}

#endif
