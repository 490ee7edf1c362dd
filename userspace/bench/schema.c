// SPDX-License-Identifier: BSD-2-Clause
/* schema.c - creates, fills and drops the load's tables; see schema.h. */
#include "userspace/bench/schema.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "userspace/bench/load.h"

/* The schema's comment says that we may drop it. */
#define MARK "made by dbtap; may be dropped"

static int fail(const PGconn *connection, struct tap_error *err)
{
	char text[TAP_LOAD_ERROR_MAX];

	tap_load_error_text(connection, text, sizeof(text));
	return tap_error_set(err, -EIO, "load tables: %s; give a role that may create a schema in this database", text);
}

static int run(PGconn *connection, const char *sql, struct tap_error *err)
{
	PGresult *result = PQexec(connection, sql);
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return 0;
	return fail(connection, err);
}

/* 1: ours, 0: not there, -EEXIST: someone else's. */
static int whose(PGconn *connection, struct tap_error *err)
{
	PGresult *result = PQexec(connection, "SELECT coalesce(obj_description(oid, 'pg_namespace'), '') "
					      "FROM pg_namespace WHERE nspname = '" TAP_SCHEMA "'");
	int answer;

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		answer = fail(connection, err);
	else if (PQntuples(result) == 0)
		answer = 0;
	else if (!strcmp(PQgetvalue(result, 0, 0), MARK))
		answer = 1;
	else
		answer = tap_error_set(err, -EEXIST,
				       "schema " TAP_SCHEMA
				       " exists and was not made by dbtap; rename it or use another database");
	PQclear(result);
	return answer;
}

static int drop(PGconn *connection, struct tap_error *err)
{
	int answer = whose(connection, err);

	return answer > 0 ? run(connection, "DROP SCHEMA " TAP_SCHEMA " CASCADE", err) : answer;
}

static int create_tables(PGconn *connection, struct tap_error *err)
{
	return run(
		connection,
		"CREATE SCHEMA " TAP_SCHEMA ";"
		"COMMENT ON SCHEMA " TAP_SCHEMA " IS '" MARK "';"
		"SET search_path = " TAP_SCHEMA ", pg_catalog;"
		"CREATE TABLE pgbench_branches (bid int NOT NULL, bbalance int, filler char(88)) WITH (fillfactor = "
		"100);"
		"CREATE TABLE pgbench_tellers (tid int NOT NULL, bid int, tbalance int, filler char(84))"
		" WITH (fillfactor = 100);"
		"CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84))"
		" WITH (fillfactor = 100);"
		"CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));"
		"CREATE TABLE load_locks (id int PRIMARY KEY, n int);"
		"CREATE TABLE load_lines (n int, line text)",
		err);
}

static int create_functions(PGconn *connection, struct tap_error *err)
{
	return run(connection,
		   "CREATE FUNCTION load_balance(first int, many int) RETURNS bigint LANGUAGE plpgsql AS $$"
		   " DECLARE total bigint := 0; one int;"
		   " BEGIN FOR i IN first .. first + many - 1 LOOP"
		   " SELECT abalance INTO one FROM pgbench_accounts WHERE aid = i; total := total + coalesce(one, 0);"
		   " END LOOP; RETURN total; END $$;"
		   "CREATE FUNCTION load_spin(rounds int) RETURNS bigint LANGUAGE plpgsql AS $$"
		   " DECLARE x bigint := 1;"
		   " BEGIN FOR i IN 1 .. rounds LOOP x := (x * 1103515245 + 12345) % 2147483648; END LOOP; RETURN x; "
		   "END $$",
		   err);
}

static int fill(PGconn *connection, uint32_t scale, struct tap_error *err)
{
	char sql[1024];

	snprintf(sql, sizeof(sql),
		 "INSERT INTO pgbench_branches SELECT i, 0 FROM generate_series(1, %u) i;"
		 "INSERT INTO pgbench_tellers SELECT i, (i - 1) / %d + 1, 0 FROM generate_series(1, %u) i;"
		 "INSERT INTO pgbench_accounts SELECT i, (i - 1) / %d + 1, 0, '' FROM generate_series(1, %u) i;"
		 "INSERT INTO load_locks SELECT i, 0 FROM generate_series(1, %d) i",
		 scale, TAP_SCHEMA_TELLERS, scale * TAP_SCHEMA_TELLERS, TAP_SCHEMA_ACCOUNTS,
		 scale * TAP_SCHEMA_ACCOUNTS, TAP_SCHEMA_LOCKS);
	return run(connection, sql, err);
}

static int finish(PGconn *connection, struct tap_error *err)
{
	int code = run(connection,
		       "ALTER TABLE pgbench_branches ADD PRIMARY KEY (bid);"
		       "ALTER TABLE pgbench_tellers ADD PRIMARY KEY (tid);"
		       "ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)",
		       err);

	/* Not in a transaction block, so one statement a string. */
	if (!code)
		code = run(connection, "VACUUM ANALYZE pgbench_accounts", err);
	if (!code)
		code = run(connection, "VACUUM ANALYZE pgbench_tellers", err);
	return code ? code : run(connection, "VACUUM ANALYZE pgbench_branches", err);
}

int tap_schema_build(const char *conninfo, uint32_t scale, struct tap_error *err)
{
	PGconn *connection;
	int code;

	if (scale < 1 || scale > TAP_SCHEMA_MAX_SCALE)
		return tap_error_set(err, -EINVAL, "scale: %u is out of range; give 1 to %d", scale,
				     TAP_SCHEMA_MAX_SCALE);
	code = tap_load_connect(conninfo, "dbtap-load prepare", &connection, err);
	if (code)
		return code;
	/* Filling takes as long as it takes. */
	code = run(connection, "SET statement_timeout = 0", err);
	if (!code)
		code = drop(connection, err);
	if (!code)
		code = create_tables(connection, err);
	if (!code)
		code = create_functions(connection, err);
	if (!code)
		code = fill(connection, scale, err);
	if (!code)
		code = finish(connection, err);
	PQfinish(connection);
	return code;
}

int tap_schema_drop(const char *conninfo, struct tap_error *err)
{
	PGconn *connection;
	int code = tap_load_connect(conninfo, "dbtap-load clean", &connection, err);

	if (code)
		return code;
	code = drop(connection, err);
	PQfinish(connection);
	return code;
}
