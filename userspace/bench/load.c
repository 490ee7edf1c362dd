// SPDX-License-Identifier: BSD-2-Clause
/* load.c - what loads share, and the statements of PostgreSQL's roles and how they are sent; see load.h. */
#include "userspace/bench/load.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "userspace/bench/engine.h"
#include "userspace/bench/schema.h"

#define MAX_PARAMETERS 4
#define NUMBER_SIZE 24
#define SQL_SIZE 512

enum statement_id {
	SELECT_ACCOUNT,
	UPDATE_ACCOUNT,
	UPDATE_TELLER,
	UPDATE_BRANCH,
	INSERT_HISTORY,
};

/* Parameters are integers, each used once and in order: the simple protocol puts literals in their place. */
static const struct statement {
	const char *name;
	const char *sql;
	int parameters;
} statements[] = {
	[SELECT_ACCOUNT] = { "select_account", "SELECT abalance FROM pgbench_accounts WHERE aid = $1", 1 },
	[UPDATE_ACCOUNT] = { "update_account", "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2",
			     2 },
	[UPDATE_TELLER] = { "update_teller", "UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2", 2 },
	[UPDATE_BRANCH] = { "update_branch", "UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2", 2 },
	[INSERT_HISTORY] = { "insert_history",
			     "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) "
			     "VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)",
			     4 },
};

/* splitmix64: good enough to spread accounts, and a seed is all its state. */
static uint64_t next_random(struct tap_load_session *session)
{
	uint64_t x = session->random += 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

long tap_load_random_between(struct tap_load_session *session, long low, long high)
{
	return low + (long)(next_random(session) % (uint64_t)(high - low + 1));
}

/* Takes the result of one statement. */
static int take_result(struct tap_load_session *session, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		return -EIO;
	session->statements++;
	return 0;
}

static int run(struct tap_load_session *session, const char *sql)
{
	return take_result(session, PQexec(session->connection, sql));
}

static int run_numbered(struct tap_load_session *session, const char *format, long number)
	__attribute__((format(printf, 2, 0)));

static int run_numbered(struct tap_load_session *session, const char *format, long number)
{
	char sql[SQL_SIZE];

	snprintf(sql, sizeof(sql), format, number);
	return run(session, sql);
}

static int run_simple(struct tap_load_session *session, const struct statement *statement, const long *values)
{
	char sql[SQL_SIZE];
	size_t size = 0;

	for (const char *at = statement->sql; *at && size + NUMBER_SIZE < sizeof(sql); at++) {
		if (*at == '$')
			size += (size_t)snprintf(sql + size, NUMBER_SIZE, "%ld", values[*++at - '1']);
		else
			sql[size++] = *at;
	}
	sql[size] = '\0';
	return run(session, sql);
}

static int run_statement(struct tap_load_session *session, enum statement_id id, const long *values)
{
	const struct statement *statement = &statements[id];
	char numbers[MAX_PARAMETERS][NUMBER_SIZE];
	const char *pointers[MAX_PARAMETERS];

	if (session->protocol == TAP_PROTOCOL_SIMPLE)
		return run_simple(session, statement, values);
	for (int i = 0; i < statement->parameters; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%ld", values[i]);
		pointers[i] = numbers[i];
	}
	if (session->protocol == TAP_PROTOCOL_PREPARED)
		return take_result(session, PQexecPrepared(session->connection, statement->name, statement->parameters,
							   pointers, NULL, NULL, 0));
	return take_result(session, PQexecParams(session->connection, statement->sql, statement->parameters, NULL,
						 pointers, NULL, NULL, 0));
}

/* Preparing is not work done, so it is not counted. */
static int prepare_statements(struct tap_load_session *session)
{
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		PGresult *result;
		bool done;

		if (session->protocol != TAP_PROTOCOL_PREPARED)
			return 0;
		result = PQprepare(session->connection, statements[i].name, statements[i].sql, 0, NULL);
		done = PQresultStatus(result) == PGRES_COMMAND_OK;
		PQclear(result);
		if (!done)
			return -EIO;
	}
	return 0;
}

static int step_select(struct tap_load_session *session)
{
	long aid = tap_load_random_between(session, 1, (long)session->scale * TAP_SCHEMA_ACCOUNTS);

	return run_statement(session, SELECT_ACCOUNT, &aid);
}

static int step_tpcb(struct tap_load_session *session)
{
	long aid = tap_load_random_between(session, 1, (long)session->scale * TAP_SCHEMA_ACCOUNTS);
	long tid = tap_load_random_between(session, 1, (long)session->scale * TAP_SCHEMA_TELLERS);
	long bid = tap_load_random_between(session, 1, (long)session->scale);
	long delta = tap_load_random_between(session, -5000, 5000);
	int err = run(session, "BEGIN");

	if (!err)
		err = run_statement(session, UPDATE_ACCOUNT, (const long[]){ delta, aid });
	if (!err)
		err = run_statement(session, SELECT_ACCOUNT, &aid);
	if (!err)
		err = run_statement(session, UPDATE_TELLER, (const long[]){ delta, tid });
	if (!err)
		err = run_statement(session, UPDATE_BRANCH, (const long[]){ delta, bid });
	if (!err)
		err = run_statement(session, INSERT_HISTORY, (const long[]){ tid, bid, aid, delta });
	return err ? err : run(session, "END");
}

static void pause_inside(struct tap_load_session *session, uint32_t ms)
{
	if (session->pause)
		session->pause(session->context, ms);
}

/* Several sessions do this: each holds the row for a while, the others wait for its transaction. */
static int step_lock(struct tap_load_session *session)
{
	long id = tap_load_random_between(session, 1, TAP_SCHEMA_LOCKS / 2);
	int err = run(session, "BEGIN");

	if (!err)
		err = run_numbered(session, "UPDATE load_locks SET n = n + 1 WHERE id = %ld", id);
	if (!err)
		pause_inside(session, 150);
	return err ? err : run(session, "COMMIT");
}

static int open_sort(struct tap_load_session *session)
{
	return run(session, "SET work_mem = '1MB'");
}

static int step_sort(struct tap_load_session *session)
{
	return run(session,
		   "SELECT count(*) FROM (SELECT filler FROM pgbench_accounts ORDER BY md5(aid::text) OFFSET 0) s");
}

static int open_scan(struct tap_load_session *session)
{
	return run(session, "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; "
			    "SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2");
}

static int step_scan(struct tap_load_session *session)
{
	return run(session, "SELECT count(*), sum(abalance) FROM pgbench_accounts WHERE filler NOT LIKE 'x%'");
}

static int step_sleep(struct tap_load_session *session)
{
	return run(session, "SELECT pg_sleep(0.3)");
}

static int step_idle(struct tap_load_session *session)
{
	int err = run(session, "BEGIN");

	if (!err)
		err = run_numbered(session, "SELECT n FROM load_locks WHERE id = %ld", TAP_SCHEMA_LOCKS);
	if (!err)
		pause_inside(session, 700);
	return err ? err : run(session, "COMMIT");
}

static int step_temp(struct tap_load_session *session)
{
	int err = run(session,
		      "CREATE TEMP TABLE load_temp AS SELECT aid, abalance FROM pgbench_accounts WHERE aid <= 20000");

	if (!err)
		err = run(session, "SELECT sum(abalance) FROM load_temp");
	return err ? err : run(session, "DROP TABLE load_temp");
}

static int step_function(struct tap_load_session *session)
{
	return run_numbered(session, "SELECT load_balance(%ld, 500)",
			    tap_load_random_between(session, 1, (long)session->scale * TAP_SCHEMA_ACCOUNTS));
}

static int step_cpu(struct tap_load_session *session)
{
	return run(session, "SELECT load_spin(400000)");
}

/* After the data, a COPY's own result and then none; the connection is not usable before both were read. */
static int finish_copy(struct tap_load_session *session)
{
	int err = take_result(session, PQgetResult(session->connection));

	PQclear(PQgetResult(session->connection));
	return err;
}

static int copy_begin(struct tap_load_session *session, const char *sql, ExecStatusType wanted)
{
	PGresult *result = PQexec(session->connection, sql);
	bool begun = PQresultStatus(result) == wanted;

	PQclear(result);
	return begun ? 0 : -EIO;
}

static int copy_out(struct tap_load_session *session)
{
	char *line;
	int err = copy_begin(session, "COPY (SELECT * FROM pgbench_accounts WHERE aid <= 10000) TO STDOUT",
			     PGRES_COPY_OUT);

	if (err)
		return err;
	while (PQgetCopyData(session->connection, &line, 0) > 0)
		PQfreemem(line);
	return finish_copy(session);
}

static int copy_in(struct tap_load_session *session)
{
	int err = copy_begin(session, "COPY load_lines FROM STDIN", PGRES_COPY_IN);

	if (err)
		return err;
	for (int i = 0; i < 2000; i++) {
		char line[64];
		int size = snprintf(line, sizeof(line), "%d\ta line of the load, the %dth\n", i, i);

		if (PQputCopyData(session->connection, line, size) != 1)
			return -EIO;
	}
	if (PQputCopyEnd(session->connection, NULL) != 1)
		return -EIO;
	return finish_copy(session);
}

/* Rolled back, so that the table does not grow. */
static int step_copy(struct tap_load_session *session)
{
	int err = copy_out(session);

	if (!err)
		err = run(session, "BEGIN");
	if (!err)
		err = copy_in(session);
	return err ? err : run(session, "ROLLBACK");
}

static const struct tap_load_role select_role = { "select", prepare_statements, step_select, 0 };
static const struct tap_load_role tpcb_role = { "tpcb", prepare_statements, step_tpcb, 0 };

/* Pauses keep the roles that only burn processor time from drowning the others on a small host. */
static const struct tap_load_role mixed_roles[] = {
	{ "select", prepare_statements, step_select, 0 },
	{ "tpcb", prepare_statements, step_tpcb, 1 },
	{ "lock", NULL, step_lock, 20 },
	{ "lock", NULL, step_lock, 20 },
	{ "lock", NULL, step_lock, 20 },
	{ "sort", open_sort, step_sort, 500 },
	{ "scan", open_scan, step_scan, 300 },
	{ "sleep", NULL, step_sleep, 100 },
	{ "idle in transaction", NULL, step_idle, 100 },
	{ "temp", NULL, step_temp, 400 },
	{ "function", NULL, step_function, 50 },
	{ "copy", NULL, step_copy, 400 },
	{ "cpu", NULL, step_cpu, 200 },
};

#define MIXED_ROLES (sizeof(mixed_roles) / sizeof(mixed_roles[0]))

const struct tap_load_role *tap_load_role_of(enum tap_load_kind kind, uint32_t index)
{
	switch (kind) {
	case TAP_LOAD_SELECT:
		return &select_role;
	case TAP_LOAD_TPCB:
		return &tpcb_role;
	case TAP_LOAD_MIXED:
		return &mixed_roles[index % MIXED_ROLES];
	default:
		return NULL;
	}
}

uint32_t tap_load_role_count(enum tap_load_kind kind)
{
	return kind == TAP_LOAD_MIXED ? MIXED_ROLES : 1;
}

const char *tap_load_name(enum tap_load_kind kind)
{
	static const char *const names[TAP_LOAD_KINDS] = { "select", "tpcb", "mixed" };

	return (unsigned)kind < TAP_LOAD_KINDS ? names[kind] : NULL;
}

const char *tap_load_protocol_name(enum tap_load_protocol protocol)
{
	static const char *const names[TAP_PROTOCOLS] = { "simple", "extended", "prepared" };

	return (unsigned)protocol < TAP_PROTOCOLS ? names[protocol] : NULL;
}

static void swallow_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

void tap_load_error_text(const PGconn *connection, char *text, size_t size)
{
	size_t end;

	snprintf(text, size, "%s", PQerrorMessage(connection));
	end = strlen(text);
	while (end && strchr("\n\r\t ", text[end - 1]))
		text[--end] = '\0';
	for (char *at = text; *at; at++) {
		if (*at == '\n' || *at == '\t')
			*at = ' ';
	}
}

static int refuse(PGconn *connection, int code, struct tap_error *err)
{
	char text[TAP_LOAD_ERROR_MAX];

	tap_load_error_text(connection, text, sizeof(text));
	PQfinish(connection);
	return tap_error_set(err, code, "load: %s; check the connection string", *text ? text : "no memory");
}

int tap_load_connect(const char *conninfo, const char *application, PGconn **ret, struct tap_error *err)
{
	const char *const keywords[] = { "dbname", "application_name", NULL };
	const char *const values[] = { conninfo, application, NULL };
	PGconn *connection = PQconnectdbParams(keywords, values, 1);
	PGresult *result;
	bool done;

	if (PQstatus(connection) != CONNECTION_OK)
		return refuse(connection, -ECONNREFUSED, err);
	PQsetNoticeReceiver(connection, swallow_notice, NULL);
	result = PQexec(connection, "SET search_path = " TAP_SCHEMA ", pg_catalog; SET statement_timeout = '60s'");
	done = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	if (!done)
		return refuse(connection, -EIO, err);
	*ret = connection;
	return 0;
}

static int conclude(struct tap_load_session *session, int err)
{
	if (err)
		tap_bench_engine_or_default(session->engine)->recover(session);
	return err;
}

int tap_load_open(const struct tap_load_role *role, struct tap_load_session *session)
{
	return role->open ? conclude(session, role->open(session)) : 0;
}

int tap_load_step(const struct tap_load_role *role, struct tap_load_session *session)
{
	return conclude(session, role->step(session));
}
