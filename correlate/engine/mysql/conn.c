// SPDX-License-Identifier: BSD-2-Clause
/*
 * conn.c - libmariadb behind conn.h: always its non-blocking half, with a deadline of our own around every step.
 *
 * The blocking half has timeouts too, but one for each read: a server that sends a byte now and then would hold us for
 * ever. What waits for too long is told that it has waited long enough and ends; then the connection is closed, with
 * its socket shut first, so that nothing the library still wants to read or say is waited for.
 */
#ifdef HAVE_LIBMARIADB

#include "correlate/engine/mysql/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <mysql.h>

#include "correlate/engine/mysql/login.h"
#include "correlate/engine/user_switch.h"
#include "userspace/base/clock.h"

#define REASON_MAX 240
#define ANSWER_MAX (16L << 20) /* bytes of one row */

struct tap_my_conn {
	MYSQL *my; /* NULL once lost or given up */
	char instance[64];
	uint64_t id;
	int32_t version;
	bool mariadb;
	bool sees_all;
	int32_t query_timeout_ms;
};

/* ---- time and the socket ---- */

/*
 * Until the socket is ready for what the library waits for: what it is to be told then. MYSQL_WAIT_TIMEOUT once the
 * deadline has passed, even if it is ready.
 */
static int wait_socket(MYSQL *my, int wanted, int64_t deadline_ms)
{
	struct pollfd fd = { .fd = mysql_get_socket(my) };
	int64_t left;
	int r;

	fd.events = (short)((wanted & MYSQL_WAIT_READ ? POLLIN : 0) | (wanted & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
			    (wanted & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
	do {
		left = deadline_ms - tap_clock_ms();
		if (left <= 0)
			return MYSQL_WAIT_TIMEOUT;
		r = poll(&fd, 1, (int)left);
	} while (r <= 0); /* a signal, or the time is up */
	r = (fd.revents & POLLIN ? MYSQL_WAIT_READ : 0) | (fd.revents & POLLOUT ? MYSQL_WAIT_WRITE : 0) |
	    (fd.revents & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
	/* An error shows when it goes on. */
	return r ? r : wanted & ~MYSQL_WAIT_TIMEOUT;
}

/* Without a word to the server and without waiting for one. `result` may be NULL. */
static void cut_off(MYSQL *my, MYSQL_RES *result)
{
	int fd = my ? mysql_get_socket(my) : -1;

	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
	mysql_free_result(result);
	mysql_close(my);
}

/* With a farewell, if the socket takes it at once: a server logs clients that leave without. */
static void say_goodbye(MYSQL *my)
{
	int status = mysql_close_start(my);

	if (status)
		shutdown(mysql_get_socket(my), SHUT_RDWR);
	while (status)
		status = mysql_close_cont(my, MYSQL_WAIT_TIMEOUT);
}

/* ---- what went wrong, in one line ---- */

struct advice {
	unsigned number; /* of the server or the library; 0: any */
	int code;
	const char *text;
};

static const struct advice login_advice[] = {
	{ 1045, -EACCES, "name a user that may log in with --dsn NAME='user=... defaults-file=...'" },
	{ 1698, -EACCES, "name a user that may log in with --dsn NAME='user=... defaults-file=...'" },
	{ 1130, -EACCES, "this host may not log in; name another way with --dsn NAME='socket=...'" },
	{ 1251, -EACCES, "the user's way of logging in is not known to the client library" },
	{ 1524, -EACCES, "the user's way of logging in is not known to the server" },
	{ 2059, -EACCES,
	  "the user's way of logging in is not known to the client library; name another user with --dsn" },
	{ 1862, -EACCES, "the user's password has expired" },
	{ 4151, -EACCES, "the account is locked" },
	{ 1040, -EBUSY, "free a connection, or use --no-connect" },
	{ 1203, -EBUSY, "free a connection of this user, or use --no-connect" },
	{ 1226, -EBUSY, "free a connection of this user, or use --no-connect" },
	{ 1049, -ENOENT, "name an existing database with --dsn NAME='database=...'" },
	{ 1044, -EACCES, "name a database that the user may use with --dsn NAME='database=...'" },
	{ 1053, -EAGAIN, "the server is shutting down; try again" },
	{ 2008, -ENOMEM, "out of memory" },
	{ 0, -ECONNREFUSED, "check --dsn, or use --no-connect" },
};

static const struct advice query_advice[] = {
	{ 1969, -ETIMEDOUT, "the server is busy; it stopped the statement" }, /* max_statement_time */
	{ 3024, -ETIMEDOUT, "the server is busy; it stopped the statement" }, /* MySQL's max_execution_time */
	{ 1317, -ETIMEDOUT, "somebody stopped the statement" },
	{ 1044, -EACCES, "grant PROCESS, and SELECT on performance_schema, to the user" },
	{ 1142, -EACCES, "grant PROCESS, and SELECT on performance_schema, to the user" },
	{ 1143, -EACCES, "grant PROCESS, and SELECT on performance_schema, to the user" },
	{ 1227, -EACCES, "grant PROCESS, and SELECT on performance_schema, to the user" },
	{ 1370, -EACCES, "grant EXECUTE on it to the user" },
	{ 1054, -ENOENT, "this server has no such column" },
	{ 1109, -ENOENT, "this server has no such table" },
	{ 1146, -ENOENT, "this server has no such table" },
	{ 1193, -ENOENT, "this server has no such variable" },
	{ 1305, -ENOENT, "this server has no such function" },
	{ 1205, -EBUSY, "a lock is held; try again" },
	{ 1213, -EBUSY, "a lock is held; try again" },
	{ 1286, -EOPNOTSUPP, "the server runs without that engine" },
	{ 1235, -EOPNOTSUPP, "the server is not set up for it" },
	{ 0, -EIO, "see the server's log" },
};

/* The tables end in an entry that fits everything. */
static const struct advice *find_advice(const struct advice *table, unsigned number)
{
	while (table->number && table->number != number)
		table++;
	return table;
}

/* Errors of the client library itself, most of which mean that the connection is gone. */
static bool is_library_error(unsigned number)
{
	return number >= 2000 && number < 3000;
}

static void copy_reason(char reason[REASON_MAX], MYSQL *my)
{
	const char *message = mysql_error(my);

	snprintf(reason, REASON_MAX, "%.*s", (int)strcspn(message, "\n"), message);
	if (!*reason)
		snprintf(reason, REASON_MAX, "connection lost");
}

static int out_of_memory(const char *instance, struct tap_error *err)
{
	return tap_error_set(err, -ENOMEM, "%s: cannot connect: out of memory", instance);
}

static int login_late(const char *instance, struct tap_error *err)
{
	return tap_error_set(err, -ETIMEDOUT,
			     "%s: cannot connect: no answer in time; the server is stopped or overloaded, try again "
			     "or use --no-connect",
			     instance);
}

static int login_failed(MYSQL *my, const char *instance, struct tap_error *err)
{
	const struct advice *advice = find_advice(login_advice, mysql_errno(my));
	char reason[REASON_MAX];

	copy_reason(reason, my);
	return tap_error_set(err, advice->code, "%s: cannot connect: %s (error %u); %s", instance, reason,
			     mysql_errno(my), advice->text);
}

/* ---- logging in ---- */

/*
 * What a server that was merely found may ask of us is nothing: no file of this host, no plugin (one of them would ask
 * for a password on the terminal), no options file.
 */
static void set_options(MYSQL *my, const struct tap_my_login *login)
{
	const char *file = login->given[TAP_MY_LOGIN_DEFAULTS_FILE], *group = login->given[TAP_MY_LOGIN_DEFAULTS_GROUP];
	unsigned long answer_max = ANSWER_MAX;
	unsigned local_files = 0;

	mysql_options(my, MYSQL_OPT_NONBLOCK, NULL);
	mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (login->automatic) {
		mysql_options(my, MYSQL_PLUGIN_DIR, "/dev/null");
	} else {
		if (*file)
			mysql_options(my, MYSQL_READ_DEFAULT_FILE, file);
		mysql_options(my, MYSQL_READ_DEFAULT_GROUP, *group ? group : "client");
	}
	if (*login->given[TAP_MY_LOGIN_SSL_CA])
		mysql_options(my, MYSQL_OPT_SSL_CA, login->given[TAP_MY_LOGIN_SSL_CA]);
	mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &local_files);
	mysql_options(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &answer_max);
	mysql_options4(my, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "dbtap");
}

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static int try_login(const struct tap_my_login *login, const char *user, int64_t deadline_ms, MYSQL **ret,
		     struct tap_error *err)
{
	const char *password = login->automatic ? "" : NULL;
	MYSQL *my = mysql_init(NULL), *done = NULL;
	int status, r = 0;

	if (!my)
		return out_of_memory(login->where->instance, err);
	set_options(my, login);
	status = mysql_real_connect_start(&done, my, or_null(login->host), or_null(user), password,
					  tap_my_login_database(login), login->port, or_null(login->socket), 0);
	while (status)
		status = mysql_real_connect_cont(&done, my, wait_socket(my, status, deadline_ms));
	if (!done)
		r = tap_clock_ms() >= deadline_ms ? login_late(login->where->instance, err)
						  : login_failed(my, login->where->instance, err);
	if (r)
		cut_off(my, NULL);
	else
		*ret = my;
	return r;
}

static int identity_failed(const struct tap_engine_where *where, int code, struct tap_error *err)
{
	return tap_error_set(err, code,
			     "%s: cannot connect: acting as the server's owner (uid %u) failed: %s; run as root, or "
			     "name a user with --dsn NAME='user=...'",
			     where->instance, where->uid, strerror(-code));
}

static int try_as_owner(const struct tap_my_login *login, const char *user, int64_t deadline_ms, MYSQL **ret,
			struct tap_error *err)
{
	struct tap_user_switch own;
	MYSQL *my = NULL;
	int r = tap_user_switch_begin(&own, login->where->uid, login->gid), back;

	if (r)
		return identity_failed(login->where, r, err);
	r = try_login(login, user, deadline_ms, &my, err);
	back = tap_user_switch_end(&own);
	if (back) {
		cut_off(my, NULL);
		return identity_failed(login->where, back, err);
	}
	if (!r)
		*ret = my;
	return r;
}

static int log_in(const struct tap_my_login *login, MYSQL **ret, struct tap_error *err)
{
	int32_t timeout_ms = login->where->connect_timeout_ms;
	int64_t deadline_ms = tap_clock_ms() + (timeout_ms > 0 ? timeout_ms : TAP_MY_CONNECT_TIMEOUT_MS);
	struct tap_my_login_try attempt;
	int r = -EACCES;

	/* Another name helps only where the name was the trouble. */
	for (int n = 0; r == -EACCES && tap_my_login_next(login, n, &attempt); n++)
		r = attempt.as_owner ? try_as_owner(login, attempt.user, deadline_ms, ret, err)
				     : try_login(login, attempt.user, deadline_ms, ret, err);
	return r;
}

/* The first must hold. Of the others a server may not have all: then it has nothing of the kind to limit. */
static const char *const settings[] = {
	"SET SESSION TRANSACTION READ ONLY",
	"SET SESSION autocommit = 1, sql_mode = '', lock_wait_timeout = 1, character_set_results = NULL",
	"SET SESSION max_statement_time = 1",
	"SET SESSION max_execution_time = 1000",
	"SET SESSION innodb_lock_wait_timeout = 1",
};

static int finish_settings(struct tap_my_conn *conn, struct tap_error *err)
{
	struct tap_my_request request = { .name = "session settings", .timeout_ms = TAP_MY_QUERY_TIMEOUT_MS };
	struct tap_error why = { "" };

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		int r;

		if (i == (conn->mariadb ? 3 : 2))
			continue;
		request.sql = settings[i];
		r = tap_my_conn_run(conn, &request, NULL, NULL, &why);
		if (r && !conn->my)
			return tap_error_set(err, r, "%s", why.text);
		if (r && i == 0)
			return tap_error_set(err, -ENOTSUP, "%s: cannot be asked to keep to reading: %s",
					     conn->instance, why.text);
	}
	return 0;
}

static int make_conn(const struct tap_engine_where *where, MYSQL *my, struct tap_my_conn **ret, struct tap_error *err)
{
	struct tap_my_conn *conn = calloc(1, sizeof(*conn));
	const char *info = mysql_get_server_info(my);
	int r;

	if (!conn) {
		cut_off(my, NULL);
		return out_of_memory(where->instance, err);
	}
	snprintf(conn->instance, sizeof(conn->instance), "%s", where->instance);
	conn->my = my;
	conn->id = mysql_thread_id(my);
	conn->version = (int32_t)mysql_get_server_version(my);
	conn->mariadb = info && strstr(info, "MariaDB");
	conn->query_timeout_ms = where->query_timeout_ms;
	r = finish_settings(conn, err);
	if (r)
		tap_my_conn_close(conn);
	else
		*ret = conn;
	return r;
}

int tap_my_conn_open(const struct tap_engine_where *where, struct tap_my_conn **ret, struct tap_error *err)
{
	struct tap_my_login login;
	MYSQL *my = NULL;
	int r = tap_my_login_init(&login, where, err);

	if (!r)
		r = log_in(&login, &my, err);
	tap_my_login_done(&login);
	return r ? r : make_conn(where, my, ret, err);
}

/* ---- the open connection ---- */

void tap_my_conn_library(char ret[TAP_LIBRARY_MAX])
{
	snprintf(ret, TAP_LIBRARY_MAX, "libmariadb %s", mysql_get_client_info());
}

void tap_my_conn_close(struct tap_my_conn *conn)
{
	if (!conn)
		return;
	if (conn->my)
		say_goodbye(conn->my);
	free(conn);
}

bool tap_my_conn_alive(struct tap_my_conn *conn)
{
	struct pollfd fd = { .events = POLLRDHUP };

	if (!conn || !conn->my)
		return false;
	fd.fd = mysql_get_socket(conn->my);
	if (fd.fd >= 0 && !(poll(&fd, 1, 0) > 0 && fd.revents))
		return true;
	cut_off(conn->my, NULL);
	conn->my = NULL;
	return false;
}

uint64_t tap_my_conn_id(const struct tap_my_conn *conn)
{
	return conn->id;
}

int32_t tap_my_conn_version(const struct tap_my_conn *conn)
{
	return conn->version;
}

bool tap_my_conn_is_mariadb(const struct tap_my_conn *conn)
{
	return conn->mariadb;
}

bool tap_my_conn_sees_all(const struct tap_my_conn *conn)
{
	return conn->sees_all;
}

void tap_my_conn_set_sees_all(struct tap_my_conn *conn)
{
	conn->sees_all = true;
}

const char *tap_my_conn_instance(const struct tap_my_conn *conn)
{
	return conn->instance;
}

/* ---- running a query ---- */

/* One query under way. */
struct run {
	struct tap_my_conn *conn;
	const struct tap_my_request *request;
	tap_my_row_fn row;
	void *arg;
	int64_t deadline_ms;
	MYSQL_RES *result;
	bool looked; /* `meanwhile` was called */
	int refused; /* the server's error, as a code; its text is in err */
	struct tap_error *err;
};

static int fail(const struct run *run, int code, const char *reason)
{
	return tap_error_set(run->err, code, "%s: query %s: %s", run->conn->instance, run->request->name, reason);
}

/* What the library or the server said when something failed. A refusal by the server leaves the connection open. */
static int failed(struct run *run)
{
	unsigned number = mysql_errno(run->conn->my);
	const struct advice *advice = find_advice(query_advice, number);
	char reason[REASON_MAX];

	if (tap_clock_ms() >= run->deadline_ms)
		return fail(run, -ETIMEDOUT, "no answer in time; the server is stopped or overloaded");
	copy_reason(reason, run->conn->my);
	/* Killed, or shutting down. */
	if (!number || is_library_error(number) || number == 1053 || number == 1927)
		return fail(run, -ECONNRESET, reason);
	run->refused = tap_error_set(run->err, advice->code, "%s: query %s: %s (error %u); %s", run->conn->instance,
				     run->request->name, reason, number, advice->text);
	return 0;
}

static int wait_for(struct run *run, int wanted)
{
	if ((wanted & MYSQL_WAIT_READ) && run->request->meanwhile && !run->looked) {
		run->looked = true;
		run->request->meanwhile(run->request->meanwhile_arg);
	}
	return wait_socket(run->conn->my, wanted, run->deadline_ms);
}

static int send_query(struct run *run)
{
	MYSQL *my = run->conn->my;
	int r = -1;
	int status = mysql_real_query_start(&r, my, run->request->sql, strlen(run->request->sql));

	while (status)
		status = mysql_real_query_cont(&r, my, wait_for(run, status));
	return r ? failed(run) : 0;
}

static int take_row(struct run *run, MYSQL_ROW row)
{
	struct tap_my_value values[TAP_MY_COLUMNS_MAX];
	unsigned long *sizes = mysql_fetch_lengths(run->result);
	int r;

	if (!sizes)
		return fail(run, -EPROTO, "the server answered with fields of no length");
	for (size_t i = 0; i < run->request->columns; i++) {
		if (row[i] && sizes[i] > run->request->field_max)
			return fail(run, -EPROTO, "the server answered with longer fields than asked for");
		values[i] = (struct tap_my_value){ row[i], row[i] ? sizes[i] : 0 };
	}
	r = run->row(values, run->arg);
	return r ? fail(run, r, strerror(-r)) : 0;
}

/* *ret NULL: that was all, or an error that mysql_errno tells. */
static void next_row(struct run *run, MYSQL_ROW *ret)
{
	int status = mysql_fetch_row_start(ret, run->result);

	while (status)
		status = mysql_fetch_row_cont(ret, run->result, wait_for(run, status));
}

static int take_rows(struct run *run)
{
	MYSQL_ROW row = NULL;
	size_t count = 0;
	int r = 0;

	while (!r) {
		/* Also where the answer is always there, row after row. */
		if (tap_clock_ms() >= run->deadline_ms)
			return fail(run, -ETIMEDOUT, "no answer in time; the server is stopped or overloaded");
		next_row(run, &row);
		if (!row)
			break;
		if (count++ == run->request->rows_max)
			return fail(run, -EPROTO, "the server answered with more rows than asked for");
		r = take_row(run, row);
	}
	if (!r && mysql_errno(run->conn->my))
		r = failed(run);
	return r;
}

static int take_result(struct run *run)
{
	MYSQL *my = run->conn->my;
	int r;

	if (mysql_field_count(my) != run->request->columns || run->request->columns > TAP_MY_COLUMNS_MAX)
		return fail(run, -EPROTO, "the server answered with other columns than asked for");
	if (run->request->columns) {
		run->result = mysql_use_result(my);
		if (!run->result)
			return fail(run, -ENOMEM, "out of memory");
		r = take_rows(run);
		if (r)
			return r;
		/* All of it has been read: nothing is waited for. */
		mysql_free_result(run->result);
		run->result = NULL;
	}
	return !run->refused && mysql_more_results(my) ? fail(run, -EPROTO, "the server answered twice") : 0;
}

int tap_my_conn_run(struct tap_my_conn *conn, const struct tap_my_request *request, tap_my_row_fn row, void *arg,
		    struct tap_error *err)
{
	struct run run = { .conn = conn, .request = request, .row = row, .arg = arg, .err = err };
	int32_t timeout_ms = request->timeout_ms;
	int r;

	if (!conn->my)
		return fail(&run, -ECONNRESET, "the connection was lost before");
	if (conn->query_timeout_ms > 0 && conn->query_timeout_ms < timeout_ms)
		timeout_ms = conn->query_timeout_ms;
	run.deadline_ms = tap_clock_ms() + timeout_ms;
	r = send_query(&run);
	if (!r && !run.refused)
		r = take_result(&run);
	if (r) {
		cut_off(conn->my, run.result);
		conn->my = NULL;
	}
	return r ? r : run.refused;
}

#else
typedef int tap_my_conn_is_in_conn_absent_c; /* a file is not empty */
#endif
