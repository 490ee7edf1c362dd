// SPDX-License-Identifier: BSD-2-Clause
/*
 * conn.c - libpq behind conn.h: always asynchronous, with a deadline of our own around every step.
 *
 * libpq's blocking calls are not used at all: a postmaster that is stopped accepts connections (the kernel does) and
 * then never answers. That goes for PQcancel too, so a statement that runs too long is stopped by the server itself, by
 * the statement_timeout of our session, and when not even that is answered the connection is closed.
 */
#include "correlate/engine/postgres/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include "correlate/engine/postgres/login.h"
#include "correlate/engine/user_switch.h"
#include "userspace/base/clock.h"

/* Of the column types: all others would need a decoder. */
#define BYTEA_OID 17
#define TEXT_OID 25

#define VERSION_MIN 130000
#define REASON_MAX 240

struct tap_pg_conn {
	PGconn *pg; /* NULL once lost or given up */
	char instance[64];
	int32_t backend_pid;
	int32_t version;
	int32_t query_timeout_ms;
};

/* ---- time and the socket ---- */

/* Until the socket is ready for any of `events`. -ETIMEDOUT once the deadline has passed, even if it is ready. */
static int wait_socket(PGconn *pg, short events, int64_t deadline_ms)
{
	struct pollfd fd = { .fd = PQsocket(pg), .events = events };
	int64_t left;
	int r;

	if (fd.fd < 0)
		return -ECONNRESET;
	do {
		left = deadline_ms - tap_clock_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		r = poll(&fd, 1, (int)left);
	} while (r <= 0); /* a signal, or the time is up */
	return fd.revents & POLLNVAL ? -ECONNRESET : fd.revents;
}

/* libpq's own prints to stderr. */
static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

/* ---- what went wrong, in one line ---- */

struct advice {
	const char *state; /* SQLSTATE or its beginning; the more specific first */
	int code;
	const char *text;
};

static const struct advice login_advice[] = {
	{ "53300", -EBUSY, "free a connection slot, or use a role with reserved ones" },
	{ "53", -EBUSY, "the server lacks a resource; try again later" },
	{ "28", -EACCES,
	  "name a role that may log in with --dsn NAME='user=...', its password in pgpass or a service file" },
	{ "3D000", -ENOENT, "name an existing database with --dsn NAME='dbname=...'" },
	{ "57P", -EAGAIN, "the server is starting up or shutting down; try again" },
	{ "", -ECONNREFUSED, "check --dsn, or use --no-connect" },
};

static const struct advice query_advice[] = {
	{ "57014", -ETIMEDOUT, "the server is busy; it stopped the statement" },
	{ "57P", -ECONNRESET, "the server ended the connection" },
	{ "22021", -EILSEQ, "one text is not valid in this database's encoding, so the server shows none" },
	{ "42501", -EACCES, "grant pg_monitor to the role, and USAGE on the schema if one is named" },
	{ "42", -ENOENT, "this server has no such object" },
	{ "3F000", -ENOENT, "this server has no such schema" },
	{ "55P03", -EBUSY, "a lock on the catalog is held; try again" },
	{ "55", -EOPNOTSUPP, "the server is not set up for it" },
	{ "", -EIO, "see the server's log" },
};

/* The tables end in an entry that fits everything. */
static const struct advice *find_advice(const struct advice *table, const char *state)
{
	while (strncmp(table->state, state, strlen(table->state)) != 0)
		table++;
	return table;
}

/* The SQLSTATE of a message of the verbose form "SEVERITY:  XXXXX: text": severities are translated, this is not. */
static const char *find_state(const char *message)
{
	static const char characters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (const char *at = strstr(message, ":  "); at; at = strstr(at + 1, ":  ")) {
		if (strspn(at + 3, characters) == 5 && at[8] == ':')
			return at + 3;
	}
	return "";
}

/* libpq's message without the address (ours may go through /proc/self/fd) and without the lines after the first. */
static void copy_reason(char reason[REASON_MAX], const char *message)
{
	static const char marker[] = " failed: ";
	const char *from = strstr(message, marker);

	from = from ? from + strlen(marker) : message;
	snprintf(reason, REASON_MAX, "%.*s", (int)strcspn(from, "\n"), from);
	if (!*reason)
		snprintf(reason, REASON_MAX, "connection lost");
}

static int login_failed(PGconn *pg, const char *instance, struct tap_error *err)
{
	const char *message = PQerrorMessage(pg);
	const char *state = PQconnectionNeedsPassword(pg) ? "28P01" : find_state(message);
	const struct advice *advice = find_advice(login_advice, state);
	char reason[REASON_MAX];

	copy_reason(reason, message);
	return tap_error_set(err, advice->code, "%s: cannot connect: %s; %s", instance, reason, advice->text);
}

static int out_of_memory(const char *instance, struct tap_error *err)
{
	return tap_error_set(err, -ENOMEM, "%s: cannot connect: out of memory", instance);
}

/* ---- logging in ---- */

static int finish_handshake(PGconn *pg, const struct tap_engine_where *where, int64_t deadline_ms,
			    struct tap_error *err)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	while (state != PGRES_POLLING_OK) {
		int r;

		if (state == PGRES_POLLING_FAILED)
			return login_failed(pg, where->instance, err);
		r = wait_socket(pg, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms);
		if (r == -ETIMEDOUT) {
			return tap_error_set(err, r,
					     "%s: cannot connect: no answer in time; the server is stopped or "
					     "overloaded, try again or use --no-connect",
					     where->instance);
		}
		if (r < 0)
			return login_failed(pg, where->instance, err);
		state = PQconnectPoll(pg);
	}
	return 0;
}

static int try_login(const struct tap_pg_login *login, const char *user, int64_t deadline_ms, PGconn **ret,
		     struct tap_error *err)
{
	char *conninfo = tap_pg_login_conninfo(login, user);
	PGconn *pg = conninfo ? PQconnectStart(conninfo) : NULL;
	int r;

	free(conninfo);
	if (!pg)
		return out_of_memory(login->where->instance, err);
	PQsetNoticeReceiver(pg, ignore_notice, NULL);
	PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
	if (PQstatus(pg) == CONNECTION_BAD)
		r = login_failed(pg, login->where->instance, err);
	else
		r = finish_handshake(pg, login->where, deadline_ms, err);
	if (r)
		PQfinish(pg);
	else
		*ret = pg;
	return r;
}

static int try_logins(const struct tap_pg_login *login, int64_t deadline_ms, PGconn **ret, struct tap_error *err)
{
	const char *user = tap_pg_login_user(login, 0);
	int r = -EACCES;

	for (int n = 1; user; n++) {
		r = try_login(login, user, deadline_ms, ret, err);
		/* Another name helps only where the name was the trouble. */
		if (r != -EACCES)
			return r;
		user = tap_pg_login_user(login, n);
	}
	return r;
}

static int identity_failed(const struct tap_engine_where *where, int code, struct tap_error *err)
{
	return tap_error_set(
		err, code,
		"%s: cannot connect: acting as the server's owner (uid %u) failed: %s; run as root, or name a "
		"role with --dsn NAME='user=...'",
		where->instance, where->uid, strerror(-code));
}

/* The handshake as a whole happens under the other identity: libpq may open more than one socket. */
static int log_in(const struct tap_pg_login *login, PGconn **ret, struct tap_error *err)
{
	const struct tap_engine_where *where = login->where;
	int32_t timeout_ms = where->connect_timeout_ms > 0 ? where->connect_timeout_ms : TAP_PG_CONNECT_TIMEOUT_MS;
	struct tap_user_switch own = { 0 };
	PGconn *pg = NULL;
	int r = login->switches ? tap_user_switch_begin(&own, where->uid, login->gid) : 0;
	int back;

	if (r)
		return identity_failed(where, r, err);
	r = try_logins(login, tap_clock_ms() + timeout_ms, &pg, err);
	back = tap_user_switch_end(&own);
	if (back) {
		PQfinish(pg);
		return identity_failed(where, back, err);
	}
	if (!r)
		*ret = pg;
	return r;
}

static int ignore_row(const struct tap_pg_value *values, void *arg)
{
	(void)values;
	(void)arg;
	return 0;
}

/* What cannot go with the login, as older servers would refuse it. A server that objects has no such limit to lift. */
static int finish_settings(struct tap_pg_conn *conn, struct tap_error *err)
{
	static const struct tap_pg_request request = {
		.name = "session settings",
		.sql = "SELECT pg_catalog.set_config('idle_session_timeout', '0', false)",
		.columns = 1,
		.rows_max = 1,
		.field_max = 64,
		.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
	};
	struct tap_error ignored = { "" };
	int r;

	if (conn->version < VERSION_MIN) {
		return tap_error_set(err, -ENOTSUP,
				     "%s: server version %d is not supported over a connection; 13 and newer are",
				     conn->instance, conn->version);
	}
	if (conn->version < 140000)
		return 0;
	r = tap_pg_conn_run(conn, &request, ignore_row, NULL, &ignored);
	return conn->pg ? 0 : tap_error_set(err, r, "%s", ignored.text);
}

static int make_conn(const struct tap_engine_where *where, PGconn *pg, struct tap_pg_conn **ret, struct tap_error *err)
{
	struct tap_pg_conn *conn = calloc(1, sizeof(*conn));
	int r;

	if (!conn) {
		PQfinish(pg);
		return out_of_memory(where->instance, err);
	}
	snprintf(conn->instance, sizeof(conn->instance), "%s", where->instance);
	conn->pg = pg;
	conn->backend_pid = PQbackendPID(pg);
	conn->version = PQserverVersion(pg);
	conn->query_timeout_ms = where->query_timeout_ms;
	PQsetnonblocking(pg, 1);
	r = finish_settings(conn, err);
	if (r)
		tap_pg_conn_close(conn);
	else
		*ret = conn;
	return r;
}

int tap_pg_conn_open(const struct tap_engine_where *where, struct tap_pg_conn **ret, struct tap_error *err)
{
	struct tap_pg_login login;
	PGconn *pg = NULL;
	int r = tap_pg_login_init(&login, where, err);

	if (!r)
		r = log_in(&login, &pg, err);
	tap_pg_login_done(&login);
	return r ? r : make_conn(where, pg, ret, err);
}

/* ---- the open connection ---- */

static void drop(struct tap_pg_conn *conn)
{
	PQfinish(conn->pg);
	conn->pg = NULL;
}

void tap_pg_conn_close(struct tap_pg_conn *conn)
{
	if (!conn)
		return;
	drop(conn);
	free(conn);
}

bool tap_pg_conn_alive(struct tap_pg_conn *conn)
{
	bool gone = false;

	if (!conn || !conn->pg)
		return false;
	/* The server's farewell comes first, the end of the stream is seen only by the read after it. */
	for (int i = 0; i < 3 && !gone; i++)
		gone = !PQconsumeInput(conn->pg) || PQstatus(conn->pg) != CONNECTION_OK;
	if (gone)
		drop(conn);
	return !gone;
}

int32_t tap_pg_conn_backend_pid(const struct tap_pg_conn *conn)
{
	return conn->backend_pid;
}

int32_t tap_pg_conn_version(const struct tap_pg_conn *conn)
{
	return conn->version;
}

const char *tap_pg_conn_instance(const struct tap_pg_conn *conn)
{
	return conn->instance;
}

/* ---- running a query ---- */

/* One query under way. */
struct run {
	struct tap_pg_conn *conn;
	const struct tap_pg_request *request;
	tap_pg_row_fn row;
	void *arg;
	int64_t deadline_ms;
	size_t rows;
	bool complete;
	int refused; /* the server's error, as a code; its text is in err */
	struct tap_error *err;
};

static int fail(const struct run *run, int code, const char *reason)
{
	return tap_error_set(run->err, code, "%s: query %s: %s", run->conn->instance, run->request->name, reason);
}

static int lost(const struct run *run)
{
	char reason[REASON_MAX];

	copy_reason(reason, PQerrorMessage(run->conn->pg));
	return fail(run, -ECONNRESET, reason);
}

static int wait_for(const struct run *run, short events)
{
	int r = wait_socket(run->conn->pg, events, run->deadline_ms);

	if (r == -ETIMEDOUT)
		return fail(run, r, "no answer in time; the server is stopped or overloaded");
	return r < 0 ? lost(run) : r;
}

static int send_query(const struct run *run)
{
	const struct tap_pg_request *request = run->request;
	PGconn *pg = run->conn->pg;
	int more;

	if (!PQsendQueryParams(pg, request->sql, request->n_params, NULL, request->params, NULL, NULL, 1) ||
	    !PQsetSingleRowMode(pg))
		return lost(run);
	while ((more = PQflush(pg)) == 1) {
		int r = wait_for(run, POLLIN | POLLOUT);

		if (r < 0)
			return r;
		/* A server that cannot write does not read either. */
		if ((r & ~POLLOUT) && !PQconsumeInput(pg))
			return lost(run);
	}
	return more ? lost(run) : 0;
}

static int check_shape(const struct run *run, const PGresult *result)
{
	const struct tap_pg_request *request = run->request;

	if (PQnfields(result) != request->columns || request->columns > TAP_PG_COLUMNS_MAX)
		return fail(run, -EPROTO, "the server answered with other columns than asked for");
	for (int i = 0; i < request->columns; i++) {
		Oid type = PQftype(result, i);

		if (PQfformat(result, i) != 1 || (type != TEXT_OID && type != BYTEA_OID))
			return fail(run, -EPROTO, "the server answered with other column types than asked for");
	}
	return 0;
}

static int take_rows(struct run *run, const PGresult *result)
{
	struct tap_pg_value values[TAP_PG_COLUMNS_MAX];
	int count = PQntuples(result);
	int r = check_shape(run, result);

	for (int i = 0; !r && i < count; i++) {
		if (run->rows++ == run->request->rows_max)
			return fail(run, -EPROTO, "the server answered with more rows than asked for");
		for (int j = 0; j < run->request->columns; j++) {
			int size = PQgetlength(result, i, j);

			if (size < 0 || (size_t)size > run->request->field_max)
				return fail(run, -EPROTO, "the server answered with longer fields than asked for");
			values[j].data = PQgetisnull(result, i, j) ? NULL : PQgetvalue(result, i, j);
			values[j].size = (size_t)size;
		}
		r = run->row(values, run->arg);
		if (r)
			fail(run, r, strerror(-r));
	}
	return r;
}

static void note_refusal(struct run *run, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const struct advice *advice = find_advice(query_advice, state ? state : "");
	char reason[REASON_MAX];

	/* libpq's own errors have no fields. */
	copy_reason(reason, message ? message : PQresultErrorMessage(result));
	run->refused =
		tap_error_set(run->err, advice->code, "%s: query %s: %s%s%s; %s", run->conn->instance,
			      run->request->name, reason, state ? ", SQLSTATE " : "", state ? state : "", advice->text);
}

static int take_result(struct run *run, const PGresult *result)
{
	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
		run->complete = true;
		return take_rows(run, result);
	case PGRES_SINGLE_TUPLE:
		return take_rows(run, result);
	case PGRES_FATAL_ERROR:
		note_refusal(run, result);
		return 0;
	default: /* COPY, for one, would go on for ever */
		return fail(run, -EPROTO, "the server answered with something else than rows");
	}
}

/* *ret NULL: that was all. */
static int next_result(const struct run *run, PGresult **ret)
{
	PGconn *pg = run->conn->pg;

	/* Also looks at the clock where the answer is always there, row after row. */
	if (tap_clock_ms() >= run->deadline_ms)
		return wait_for(run, POLLIN);
	while (PQisBusy(pg)) {
		int r = wait_for(run, POLLIN);

		if (r < 0)
			return r;
		if (!PQconsumeInput(pg))
			break; /* PQgetResult says so too, after what had come before */
	}
	*ret = PQgetResult(pg);
	return 0;
}

static int take_results(struct run *run)
{
	PGresult *result = NULL;
	int r;

	while (!(r = next_result(run, &result)) && result) {
		r = take_result(run, result);
		PQclear(result);
		if (r)
			return r;
	}
	if (r)
		return r;
	if (PQstatus(run->conn->pg) != CONNECTION_OK)
		return run->refused ? -ECONNRESET : lost(run);
	return run->complete || run->refused ? 0 : fail(run, -EPROTO, "the server answered with nothing");
}

int tap_pg_conn_run(struct tap_pg_conn *conn, const struct tap_pg_request *request, tap_pg_row_fn row, void *arg,
		    struct tap_error *err)
{
	struct run run = { .conn = conn, .request = request, .row = row, .arg = arg, .err = err };
	int32_t timeout_ms = request->timeout_ms;
	int r;

	if (!conn->pg)
		return fail(&run, -ECONNRESET, "the connection was lost before");
	if (conn->query_timeout_ms > 0 && conn->query_timeout_ms < timeout_ms)
		timeout_ms = conn->query_timeout_ms;
	run.deadline_ms = tap_clock_ms() + timeout_ms;
	r = send_query(&run);
	if (!r)
		r = take_results(&run);
	if (r)
		drop(conn);
	return r ? r : run.refused;
}
