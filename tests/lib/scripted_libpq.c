// SPDX-License-Identifier: BSD-2-Clause
/*
 * scripted_libpq.c - the PQ* functions that the project calls, as scripted_libpq.h describes them.
 *
 * A connection has a real socket pair, so that poll() on it behaves: readable when the script has something to say,
 * never writable when it does not listen.
 */
#include "tests/lib/scripted_libpq.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libpq-fe.h>

#define TEXT_OID 25
#define PARAMS_MAX 4
#define VALUE_MAX 1024

struct pg_result {
	const struct tap_scripted_step *step; /* NULL: not in use */
	ExecStatusType status;
	int row; /* shown by it */
	int rows;
};

struct pg_conn {
	const struct tap_scripted_step *login;
	const struct tap_scripted_step *query; /* under way; NULL: idle */
	struct pg_result result;	       /* the one that is out */
	char message[VALUE_MAX];
	int ends[2]; /* ours to poll, and the server's */
	int polls;
	int flushes;
	int late;
	int row;
	bool ended; /* the last result of the query is out */
	bool single_rows;
	bool gone;
};

static struct {
	const struct tap_scripted_step *steps;
	size_t count;
	size_t taken;
	int open; /* connections */
	struct pg_conn *last;
	char conninfo[4 * VALUE_MAX];
	char sql[4 * VALUE_MAX];
	char params[PARAMS_MAX][VALUE_MAX];
	bool has_param[PARAMS_MAX];
} script;

__attribute__((noreturn)) static void broken(const char *what, const char *detail)
{
	fprintf(stderr, "scripted libpq: %s: %s\n", what, detail ? detail : "");
	abort();
}

/* ---- the script ---- */

void tap_scripted_play(const struct tap_scripted_step *steps, size_t count)
{
	memset(&script, 0, sizeof(script));
	script.steps = steps;
	script.count = count;
}

void tap_scripted_finish(void)
{
	if (script.taken != script.count)
		broken("step never taken", script.steps[script.taken].expect);
	if (script.open)
		broken("connection never closed", NULL);
}

static const struct tap_scripted_step *take_step(const char *text)
{
	const struct tap_scripted_step *step;

	if (script.taken == script.count)
		broken("no step left for", text);
	step = &script.steps[script.taken++];
	if (step->expect && !strstr(text, step->expect)) {
		fprintf(stderr, "scripted libpq: expected: %s\n", step->expect);
		broken("got", text);
	}
	return step;
}

static void set_readable(struct pg_conn *conn, bool readable)
{
	char bytes[16];

	if (readable && write(conn->ends[1], "x", 1) != 1)
		broken("cannot write", strerror(errno));
	while (!readable && read(conn->ends[0], bytes, sizeof(bytes)) > 0)
		;
}

static void set_unwritable(struct pg_conn *conn)
{
	char bytes[4096] = { 0 };

	while (write(conn->ends[0], bytes, sizeof(bytes)) > 0)
		;
}

static void hang_up(struct pg_conn *conn, const char *message)
{
	conn->gone = true;
	snprintf(conn->message, sizeof(conn->message), "%s", message);
}

void tap_scripted_hang_up(void)
{
	hang_up(script.last, "server closed the connection unexpectedly\n\tmore");
}

const char *tap_scripted_sql(void)
{
	return script.sql;
}

const char *tap_scripted_param(int n)
{
	return n < PARAMS_MAX && script.has_param[n] ? script.params[n] : NULL;
}

/* ---- connection strings: key=value and key='va\'lue' ---- */

static const char *const keywords[] = { "service",
					"user",
					"password",
					"passfile",
					"hostaddr",
					"host",
					"port",
					"dbname",
					"options",
					"sslpassword",
					"oauth_client_secret",
					"application_name",
					"client_encoding",
					"gssencmode",
					"target_session_attrs",
					"sslmode" };
#define KEYWORDS (sizeof(keywords) / sizeof(keywords[0]))

/* One pair from *at on; false at the end or when there is none. */
static bool next_pair(const char **at, char keyword[64], char value[VALUE_MAX])
{
	const char *from = *at + strspn(*at, " ");
	size_t size = strcspn(from, "= ");
	bool quoted;

	if (!*from || from[size] != '=' || size >= 64)
		return false;
	memcpy(keyword, from, size);
	keyword[size] = '\0';
	from += size + 1;
	quoted = *from == '\'';
	from += quoted;
	size = 0;
	while (*from && *from != (quoted ? '\'' : ' ') && size < VALUE_MAX - 1) {
		from += *from == '\\' && from[1];
		value[size++] = *from++;
	}
	value[size] = '\0';
	*at = from + (quoted && *from);
	return true;
}

static int find_keyword(const char *keyword)
{
	for (size_t i = 0; i < KEYWORDS; i++) {
		if (strcmp(keywords[i], keyword) == 0)
			return (int)i;
	}
	return -1;
}

const char *tap_scripted_conninfo(const char *keyword)
{
	static char found[VALUE_MAX];
	const char *at = script.conninfo;
	char name[64], value[VALUE_MAX];
	bool given = false;

	while (next_pair(&at, name, value)) {
		if (find_keyword(name) < 0)
			broken("libpq does not know", name);
		if (strcmp(name, keyword) == 0) {
			given = true;
			memcpy(found, value, sizeof(found));
		}
	}
	if (at[strspn(at, " ")])
		broken("connection string", at);
	return given ? found : NULL;
}

void PQconninfoFree(PQconninfoOption *options)
{
	for (PQconninfoOption *option = options; option && option->keyword; option++)
		free(option->val);
	free(options);
}

void PQfreemem(void *memory)
{
	free(memory);
}

static PQconninfoOption *new_options(void)
{
	PQconninfoOption *options = calloc(KEYWORDS + 1, sizeof(*options));

	for (size_t i = 0; options && i < KEYWORDS; i++) {
		options[i].keyword = (char *)keywords[i];
		options[i].dispchar = strcmp(keywords[i], "password") == 0 ? "*" : "";
	}
	return options;
}

/* Sets what the string says. False: it is broken. *full is cleared when out of memory. */
static bool parse(PQconninfoOption *options, const char *conninfo, bool *ret_full)
{
	char name[64], value[VALUE_MAX];

	while (next_pair(&conninfo, name, value)) {
		int i = find_keyword(name);

		if (i < 0)
			return false;
		free(options[i].val);
		options[i].val = strdup(value);
		*ret_full = options[i].val;
		if (!*ret_full)
			return false;
	}
	return !conninfo[strspn(conninfo, " ")];
}

PQconninfoOption *PQconninfoParse(const char *conninfo, char **errmsg)
{
	PQconninfoOption *options = new_options();
	bool full = true;

	*errmsg = NULL;
	if (options && parse(options, conninfo, &full))
		return options;
	if (options && full)
		*errmsg = strdup(conninfo);
	PQconninfoFree(options);
	return NULL;
}

/* ---- logging in ---- */

PGconn *PQconnectStart(const char *conninfo)
{
	const struct tap_scripted_step *step = take_step(conninfo);
	struct pg_conn *conn;

	snprintf(script.conninfo, sizeof(script.conninfo), "%s", conninfo);
	if (step->outcome == TAP_SCRIPTED_NO_MEMORY)
		return NULL;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, conn->ends))
		broken("socketpair", strerror(errno));
	conn->login = step;
	script.last = conn;
	script.open++;
	if (step->message)
		snprintf(conn->message, sizeof(conn->message), "%s", step->message);
	return conn;
}

PostgresPollingStatusType PQconnectPoll(PGconn *conn)
{
	enum tap_scripted_outcome outcome = conn->login->outcome;

	conn->polls++;
	if (conn->polls == 1 && outcome != TAP_SCRIPTED_HANG)
		set_readable(conn, true);
	if (conn->polls == 1)
		return PGRES_POLLING_READING;
	if (outcome != TAP_SCRIPTED_LOGIN)
		return PGRES_POLLING_FAILED;
	set_readable(conn, false);
	return conn->polls < 3 ? PGRES_POLLING_WRITING : PGRES_POLLING_OK;
}

ConnStatusType PQstatus(const PGconn *conn)
{
	if (conn->gone || conn->login->outcome == TAP_SCRIPTED_UNREACHABLE)
		return CONNECTION_BAD;
	return conn->polls < 3 ? CONNECTION_STARTED : CONNECTION_OK;
}

int PQsocket(const PGconn *conn)
{
	return conn->login->outcome == TAP_SCRIPTED_NO_SOCKET ? -1 : conn->ends[0];
}

char *PQerrorMessage(const PGconn *conn)
{
	return (char *)conn->message;
}

int PQconnectionNeedsPassword(const PGconn *conn)
{
	return conn->login->outcome == TAP_SCRIPTED_WANTS_PASSWORD;
}

int PQbackendPID(const PGconn *conn)
{
	(void)conn;
	return TAP_SCRIPTED_PID;
}

int PQserverVersion(const PGconn *conn)
{
	return conn->login->version ? conn->login->version : 150018;
}

/* The default one prints: the code under test must replace it by one that stands a notice. */
PQnoticeReceiver PQsetNoticeReceiver(PGconn *conn, PQnoticeReceiver receiver, void *arg)
{
	if (!receiver)
		broken("notices would be printed", NULL);
	receiver(arg, &conn->result);
	return NULL;
}

PGVerbosity PQsetErrorVerbosity(PGconn *conn, PGVerbosity verbosity)
{
	(void)conn;
	return verbosity;
}

int PQsetnonblocking(PGconn *conn, int on)
{
	(void)conn;
	return on ? 0 : -1;
}

void PQfinish(PGconn *conn)
{
	if (!conn)
		return;
	if (conn->result.step)
		broken("result never cleared", NULL);
	close(conn->ends[0]);
	close(conn->ends[1]);
	script.open--;
	free(conn);
}

/* ---- a query ---- */

int PQsendQueryParams(PGconn *conn, const char *sql, int n_params, const Oid *types, const char *const *params,
		      const int *lengths, const int *formats, int result_format)
{
	const struct tap_scripted_step *step = take_step(sql);

	if (types || lengths || formats || n_params > PARAMS_MAX || result_format != 1)
		broken("parameters", sql);
	if (conn->query)
		broken("another query is under way", sql);
	snprintf(script.sql, sizeof(script.sql), "%s", sql);
	for (int i = 0; i < PARAMS_MAX; i++) {
		script.has_param[i] = i < n_params && params[i];
		snprintf(script.params[i], VALUE_MAX, "%s", script.has_param[i] ? params[i] : "");
	}
	conn->query = step;
	conn->flushes = conn->row = 0;
	conn->late = step->late;
	conn->ended = conn->single_rows = false;
	set_readable(conn, false);
	if (step->outcome == TAP_SCRIPTED_FLUSH_HANGS)
		set_unwritable(conn);
	else if (step->outcome != TAP_SCRIPTED_HANG)
		set_readable(conn, true);
	if (step->outcome == TAP_SCRIPTED_SEND_FAILS)
		hang_up(conn, "could not send data to server: Broken pipe\n");
	return step->outcome != TAP_SCRIPTED_SEND_FAILS;
}

int PQsetSingleRowMode(PGconn *conn)
{
	conn->single_rows = true;
	return 1;
}

int PQflush(PGconn *conn)
{
	enum tap_scripted_outcome outcome = conn->query->outcome;

	if (outcome == TAP_SCRIPTED_FLUSH_FAILS) {
		hang_up(conn, "could not send data to server: Connection reset by peer\n");
		return -1;
	}
	if (outcome == TAP_SCRIPTED_FLUSH_SLOW)
		return conn->flushes++ < 3;
	return outcome == TAP_SCRIPTED_FLUSH_HANGS || outcome == TAP_SCRIPTED_FLUSH_LOST;
}

/* Whether the rows are all out and nothing follows them. */
static bool is_silent(const struct pg_conn *conn)
{
	return conn->query->outcome == TAP_SCRIPTED_HANG && conn->row >= conn->query->rows;
}

static bool hangs_up_now(const struct pg_conn *conn)
{
	enum tap_scripted_outcome outcome = conn->query ? conn->query->outcome : TAP_SCRIPTED_ROWS;

	return outcome == TAP_SCRIPTED_FLUSH_LOST || (outcome == TAP_SCRIPTED_LOST && conn->row >= conn->query->rows);
}

int PQconsumeInput(PGconn *conn)
{
	if (conn->late > 0)
		conn->late--;
	if (hangs_up_now(conn))
		hang_up(conn, "server closed the connection unexpectedly\n\tThis probably means\n");
	return !conn->gone;
}

int PQisBusy(PGconn *conn)
{
	if (!conn->query || conn->ended || conn->gone)
		return 0;
	if (is_silent(conn))
		set_readable(conn, false);
	return conn->late > 0 || is_silent(conn) || hangs_up_now(conn);
}

static PGresult *put_out(struct pg_conn *conn, ExecStatusType status, int rows)
{
	if (conn->result.step)
		broken("result never cleared", NULL);
	conn->result.step = conn->query;
	conn->result.status = status;
	conn->result.row = conn->row;
	conn->result.rows = rows;
	if (status != PGRES_SINGLE_TUPLE)
		conn->ended = true;
	return &conn->result;
}

static PGresult *last_result(struct pg_conn *conn)
{
	switch (conn->query->outcome) {
	case TAP_SCRIPTED_FATAL:
		hang_up(conn, conn->query->message);
		return put_out(conn, PGRES_FATAL_ERROR, 0);
	case TAP_SCRIPTED_ERROR:
		return put_out(conn, PGRES_FATAL_ERROR, 0);
	case TAP_SCRIPTED_COPY:
		return put_out(conn, PGRES_COPY_OUT, 0);
	case TAP_SCRIPTED_NOTHING:
		conn->query = NULL;
		return NULL;
	default:
		return put_out(conn, conn->gone ? PGRES_FATAL_ERROR : PGRES_TUPLES_OK, 0);
	}
}

PGresult *PQgetResult(PGconn *conn)
{
	PGresult *result;

	if (PQisBusy(conn))
		broken("PQgetResult would block", script.sql);
	if (!conn->query || conn->ended) {
		conn->query = NULL;
		return NULL;
	}
	if (!conn->single_rows)
		broken("not in single-row mode", script.sql);
	if (conn->gone || conn->row >= conn->query->rows)
		return last_result(conn);
	result = put_out(conn, PGRES_SINGLE_TUPLE, 1);
	conn->row++;
	if (conn->query->outcome == TAP_SCRIPTED_ENDLESS)
		conn->row %= conn->query->rows;
	return result;
}

/* ---- a result ---- */

ExecStatusType PQresultStatus(const PGresult *result)
{
	return result->status;
}

char *PQresultErrorField(const PGresult *result, int field)
{
	if (!result->step->state)
		return NULL;
	return (char *)(field == PG_DIAG_SQLSTATE ? result->step->state : result->step->message);
}

char *PQresultErrorMessage(const PGresult *result)
{
	return (char *)(result->step->message ? result->step->message : script.last->message);
}

int PQntuples(const PGresult *result)
{
	return result->rows;
}

int PQnfields(const PGresult *result)
{
	return result->step->columns;
}

Oid PQftype(const PGresult *result, int column)
{
	(void)column;
	return result->step->type ? result->step->type : TEXT_OID;
}

int PQfformat(const PGresult *result, int column)
{
	(void)column;
	return !result->step->as_text;
}

static size_t cell_at(const PGresult *result, int column)
{
	return (size_t)result->row * (size_t)result->step->columns + (size_t)column;
}

int PQgetisnull(const PGresult *result, int row, int column)
{
	(void)row;
	return !result->step->cells[cell_at(result, column)];
}

char *PQgetvalue(const PGresult *result, int row, int column)
{
	(void)row;
	return (char *)result->step->cells[cell_at(result, column)];
}

int PQgetlength(const PGresult *result, int row, int column)
{
	size_t at = cell_at(result, column);
	const char *cell = result->step->cells[at];

	(void)row;
	if (result->step->sizes)
		return result->step->sizes[at];
	return cell ? (int)strlen(cell) : 0;
}

void PQclear(PGresult *result)
{
	if (result)
		result->step = NULL;
}

/* ---- who we are ---- */

static struct {
	uid_t uid;
	const char *failing;
	char log[256];
} identity;

void tap_scripted_identity(uid_t uid, const char *failing)
{
	memset(&identity, 0, sizeof(identity));
	identity.uid = uid;
	identity.failing = failing;
}

const char *tap_scripted_identity_log(void)
{
	return identity.log;
}

static int change(const char *call, unsigned id)
{
	char text[64];
	size_t used = strlen(identity.log);

	snprintf(text, sizeof(text), "%s(%u)", call, id);
	snprintf(identity.log + used, sizeof(identity.log) - used, "%s ", text);
	if (!identity.failing || !strstr(identity.failing, text))
		return 0;
	errno = EPERM;
	return -1;
}

uid_t geteuid(void)
{
	return identity.uid;
}

gid_t getegid(void)
{
	return 4;
}

int getgroups(int size, gid_t groups[])
{
	const char *failing = identity.failing ? identity.failing : "";

	if (strstr(failing, size ? "getgroups(2)" : "getgroups(0)")) {
		errno = EINVAL;
		return -1;
	}
	for (int i = 0; i < size; i++)
		groups[i] = 5 + (gid_t)i;
	return 2;
}

int setgroups(size_t count, const gid_t *groups)
{
	return change(count == 1 ? "setgroups" : "setgroups_back", groups[0]);
}

int setegid(gid_t gid)
{
	return change("setegid", gid);
}

int seteuid(uid_t uid)
{
	return change("seteuid", uid);
}

int getpwuid_r(uid_t uid, struct passwd *entry, char *space, size_t size, struct passwd **ret)
{
	(void)space;
	(void)size;
	*ret = NULL;
	if (uid == 90)
		return EIO;
	if (uid == 70 || uid == 80) {
		*entry = (struct passwd){ .pw_name = uid == 70 ? "postgres" : "pgadmin", .pw_gid = uid + 1 };
		*ret = entry;
	}
	return 0;
}
