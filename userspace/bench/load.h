/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.h - what one session of the load does, one transaction at a time.
 *
 * A role is a kind of session: which statements, how often. A load is a list of roles for its workers. Sessions and
 * roles are the same for every engine (engine.h); the SQL and libpq of PostgreSQL's are here, MariaDB's in my_load.h.
 * Processes, counters and stopping are generator.h's, tables schema.h's.
 */
#ifndef TAP_USERSPACE_BENCH_LOAD_H
#define TAP_USERSPACE_BENCH_LOAD_H

#include <libpq-fe.h>
#include <stdint.h>

#include "userspace/base/error.h"

enum tap_load_kind {
	TAP_LOAD_SELECT, /* SELECT abalance FROM pgbench_accounts WHERE aid = $1, as `pgbench -S` */
	TAP_LOAD_TPCB,	 /* the seven statements of pgbench's default script */
	TAP_LOAD_MIXED,	 /* every role once, in turn: what a demonstration wants to see */
	TAP_LOAD_KINDS,
};

/* How TAP_LOAD_SELECT and TAP_LOAD_TPCB send their statements; the mixed load has its own ways. */
enum tap_load_protocol {
	TAP_PROTOCOL_SIMPLE,
	TAP_PROTOCOL_EXTENDED,
	TAP_PROTOCOL_PREPARED,
	TAP_PROTOCOLS,
};

#define TAP_LOAD_ERROR_MAX 192

struct tap_bench_engine;

struct tap_load_session {
	const struct tap_bench_engine *engine; /* NULL: PostgreSQL */
	void *connection;		       /* the engine's: a PGconn */
	enum tap_load_protocol protocol;
	uint32_t scale;			/* of the tables */
	uint64_t random;		/* state of the session's random numbers; any seed */
	uint64_t statements;		/* finished without an error */
	char error[TAP_LOAD_ERROR_MAX]; /* of the last open or step that failed */
	/* Waits between statements, for roles that pause inside a transaction; NULL: no pause at all. */
	void (*pause)(void *context, uint32_t ms);
	void *context;
};

struct tap_load_role {
	const char *name;			       /* application_name is "dbtap-load NAME" */
	int (*open)(struct tap_load_session *session); /* once a connection; NULL: nothing to do */
	int (*step)(struct tap_load_session *session); /* one transaction, or the like */
	uint32_t pause_ms;			       /* after each step */
};

/*
 * PostgreSQL's role of a load's worker `index`, from a constant table; NULL for a kind that does not exist. The mixed
 * load starts over after tap_load_role_count.
 */
const struct tap_load_role *tap_load_role_of(enum tap_load_kind kind, uint32_t index);
/* Workers after which all roles have been given out: 1, or for the mixed load what it takes to see everything. */
uint32_t tap_load_role_count(enum tap_load_kind kind);
/* As the command line names it: select, tpcb, mixed; NULL for none. */
const char *tap_load_name(enum tap_load_kind kind);

/* As the command line names it: simple, extended, prepared; NULL for none. */
const char *tap_load_protocol_name(enum tap_load_protocol protocol);

long tap_load_random_between(struct tap_load_session *session, long low, long high);

/* The connection's last error on one line. */
void tap_load_error_text(const PGconn *connection, char *text, size_t size);

/* Connects with the load's search_path, statement_timeout and a silent notice handler. -ECONNREFUSED, -EIO. */
int tap_load_connect(const char *conninfo, const char *application, PGconn **ret, struct tap_error *err);

/*
 * Opens or steps a role on the session's connection. -EIO: a statement failed, session->error has the text; a
 * transaction that was open is rolled back.
 */
int tap_load_open(const struct tap_load_role *role, struct tap_load_session *session);
int tap_load_step(const struct tap_load_role *role, struct tap_load_session *session);

#endif
