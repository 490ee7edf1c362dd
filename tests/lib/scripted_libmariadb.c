// SPDX-License-Identifier: BSD-2-Clause
/*
 * scripted_libmariadb.c - the mysql_* functions that the project calls, as scripted_libmariadb.h describes them.
 *
 * A connection has a real socket pair, so that poll() on it behaves: readable when the script has something to say.
 */
#ifdef HAVE_LIBMARIADB

#include "tests/lib/scripted_libmariadb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mysql.h>

enum {
	COLUMNS_MAX = 64,
	LOST = 2013,
};

/* The library's own type is never looked into. */
struct conn {
	MYSQL base;
	const struct tap_scripted_my_step *login;
	const struct tap_scripted_my_step *query; /* the last one */
	MYSQL_RES *result;			  /* that is out */
	unsigned number;
	const char *message;
	int ends[2]; /* ours to poll, and the server's; -1: there is none yet */
	int late;
	unsigned row;
	bool up;
};

static struct {
	const struct tap_scripted_my_step *steps;
	size_t count;
	size_t taken;
	int open; /* connections */
	struct conn *last;
	bool cut_off;
	char login[2048];
	char options[2048];
	char sql[4096];
} script;

static struct {
	char *cells[COLUMNS_MAX];
	unsigned long sizes[COLUMNS_MAX];
} shown;

/* Its address stands for the one result that can be out. */
static MYSQL_RES the_result;

__attribute__((noreturn)) static void broken(const char *what, const char *detail)
{
	fprintf(stderr, "scripted libmariadb: %s: %s\n", what, detail ? detail : "");
	abort();
}

void tap_scripted_my_play(const struct tap_scripted_my_step *steps, size_t count)
{
	memset(&script, 0, sizeof(script));
	script.steps = steps;
	script.count = count;
}

void tap_scripted_my_finish(void)
{
	if (script.taken != script.count)
		broken("step never taken", script.steps[script.taken].expect);
	if (script.open)
		broken("connection never closed", NULL);
}

const char *tap_scripted_my_login(void)
{
	return script.login;
}

const char *tap_scripted_my_options(void)
{
	return script.options;
}

const char *tap_scripted_my_sql(void)
{
	return script.sql;
}

bool tap_scripted_my_was_cut_off(void)
{
	return script.cut_off;
}

static const struct tap_scripted_my_step *take_step(const char *text)
{
	const struct tap_scripted_my_step *step;

	if (script.taken == script.count)
		broken("no step left for", text);
	step = &script.steps[script.taken++];
	if (step->expect && !strstr(text, step->expect)) {
		fprintf(stderr, "scripted libmariadb: expected: %s\n", step->expect);
		broken("got", text);
	}
	return step;
}

static struct conn *conn_of(MYSQL *my)
{
	return (struct conn *)my;
}

static void set_readable(struct conn *conn, bool readable)
{
	char bytes[16];

	if (readable && write(conn->ends[1], "x", 1) != 1)
		broken("cannot write", strerror(errno));
	while (!readable && recv(conn->ends[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static bool is_shut(const struct conn *conn)
{
	char byte;

	return conn->ends[1] >= 0 && !recv(conn->ends[1], &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

static void set_error(struct conn *conn, unsigned number, const char *message)
{
	conn->number = number;
	conn->message = message ? message : "Lost connection to MySQL server during query";
}

void tap_scripted_my_hang_up(void)
{
	close(script.last->ends[1]);
	script.last->ends[1] = -1;
}

/* ---- waiting: a step is done after `late` waits; one that hangs is done when it is told to give up ---- */

static int wait_begin(struct conn *conn, int late, bool hangs)
{
	conn->late = hangs ? -1 : late;
	set_readable(conn, false);
	if (late > 0 && !hangs)
		set_readable(conn, true);
	return hangs || late > 0 ? MYSQL_WAIT_READ : 0;
}

/* True: done. */
static bool wait_go_on(struct conn *conn, int events)
{
	char byte;

	if (events & MYSQL_WAIT_TIMEOUT) {
		set_error(conn, LOST, NULL);
		conn->up = false;
		return true;
	}
	if (conn->late < 0 || recv(conn->ends[0], &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		broken("told that the socket is ready, which it is not", script.sql);
	return --conn->late <= 0;
}

/* ---- logging in ---- */

MYSQL *mysql_init(MYSQL *my)
{
	struct conn *conn;

	if (my)
		broken("mysql_init", "not NULL");
	if (script.taken < script.count && script.steps[script.taken].outcome == TAP_SCRIPTED_MY_NO_MEMORY) {
		script.taken++;
		return NULL;
	}
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return NULL;
	conn->ends[0] = conn->ends[1] = -1;
	script.last = conn;
	script.open++;
	script.cut_off = false;
	*script.options = '\0';
	return &conn->base;
}

__attribute__((format(printf, 1, 2))) static void note_option(const char *format, ...)
{
	size_t used = strlen(script.options);
	va_list args;

	va_start(args, format);
	vsnprintf(script.options + used, sizeof(script.options) - used, format, args);
	va_end(args);
}

int mysql_options(MYSQL *my, enum mysql_option option, const void *value)
{
	(void)my;
	switch (option) {
	case MYSQL_OPT_NONBLOCK:
		note_option("nonblock\n");
		break;
	case MYSQL_PLUGIN_DIR:
		note_option("plugin-dir=%s\n", (const char *)value);
		break;
	case MYSQL_READ_DEFAULT_FILE:
		note_option("defaults-file=%s\n", (const char *)value);
		break;
	case MYSQL_READ_DEFAULT_GROUP:
		note_option("defaults-group=%s\n", (const char *)value);
		break;
	case MYSQL_OPT_SSL_CA:
		note_option("ssl-ca=%s\n", (const char *)value);
		break;
	case MYSQL_OPT_LOCAL_INFILE:
		note_option("local-infile=%u\n", *(const unsigned *)value);
		break;
	case MYSQL_OPT_MAX_ALLOWED_PACKET:
		note_option("max-packet=%lu\n", *(const unsigned long *)value);
		break;
	case MYSQL_SET_CHARSET_NAME:
		note_option("charset=%s\n", (const char *)value);
		break;
	default:
		broken("unknown option", NULL);
	}
	return 0;
}

int mysql_options4(MYSQL *my, enum mysql_option option, const void *name, const void *value)
{
	(void)my;
	if (option != MYSQL_OPT_CONNECT_ATTR_ADD)
		broken("unknown option", name);
	note_option("%s=%s\n", (const char *)name, (const char *)value);
	return 0;
}

static bool login_is_done(struct conn *conn)
{
	enum tap_scripted_my_outcome outcome = conn->login->outcome;

	conn->up = outcome == TAP_SCRIPTED_MY_LOGIN || outcome == TAP_SCRIPTED_MY_DEAF;
	if (!conn->up)
		set_error(conn, conn->login->number, conn->login->message);
	return conn->up;
}

int mysql_real_connect_start(MYSQL **ret, MYSQL *my, const char *host, const char *user, const char *password,
			     const char *database, unsigned port, const char *socket, unsigned long flags)
{
	struct conn *conn = conn_of(my);
	int status;

	if (flags)
		broken("flags of a login", NULL);
	snprintf(script.login, sizeof(script.login), "user=%s host=%s port=%u socket=%s database=%s password=%s",
		 user ? user : "-", host ? host : "-", port, socket ? socket : "-", database ? database : "-",
		 password ? password : "-");
	conn->login = take_step(script.login);
	*ret = NULL;
	if (conn->login->outcome == TAP_SCRIPTED_MY_NO_SOCKET)
		return MYSQL_WAIT_WRITE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, conn->ends))
		broken("socketpair", strerror(errno));
	status = wait_begin(conn, conn->login->late, conn->login->outcome == TAP_SCRIPTED_MY_HANG);
	if (!status && login_is_done(conn))
		*ret = my;
	return status;
}

int mysql_real_connect_cont(MYSQL **ret, MYSQL *my, int events)
{
	struct conn *conn = conn_of(my);

	if (!wait_go_on(conn, events))
		return MYSQL_WAIT_READ;
	if (!(events & MYSQL_WAIT_TIMEOUT) && login_is_done(conn))
		*ret = my;
	return 0;
}

my_socket mysql_get_socket(MYSQL *my)
{
	return conn_of(my)->ends[0];
}

unsigned long mysql_thread_id(MYSQL *my)
{
	(void)my;
	return TAP_SCRIPTED_MY_ID;
}

/* Versions of the library differ in a const. */
__typeof__(mysql_get_server_info(NULL)) mysql_get_server_info(MYSQL *my)
{
	const char *version = conn_of(my)->login->version;

	return (char *)(version ? version : "10.11.19-MariaDB");
}

unsigned long mysql_get_server_version(MYSQL *my)
{
	unsigned part[3] = { 0 };

	sscanf(mysql_get_server_info(my), "%u.%u.%u", &part[0], &part[1], &part[2]);
	return part[0] * 10000UL + part[1] * 100 + part[2];
}

const char *mysql_get_client_info(void)
{
	return "0.0.0";
}

unsigned mysql_errno(MYSQL *my)
{
	return conn_of(my)->number;
}

const char *mysql_error(MYSQL *my)
{
	return conn_of(my)->message ? conn_of(my)->message : "";
}

/* Only what waits for nobody: never connected, lost, or shut down before. */
void mysql_close(MYSQL *my)
{
	struct conn *conn = conn_of(my);

	if (!conn)
		return;
	if (conn->result)
		broken("result never freed", script.sql);
	if (conn->up && conn->ends[1] >= 0 && !is_shut(conn))
		broken("a farewell that may wait", NULL);
	script.cut_off = true;
	for (int i = 0; i < 2; i++) {
		if (conn->ends[i] >= 0)
			close(conn->ends[i]);
	}
	script.open--;
	free(conn);
}

int mysql_close_start(MYSQL *my)
{
	if (conn_of(my)->login->outcome == TAP_SCRIPTED_MY_DEAF)
		return MYSQL_WAIT_WRITE;
	conn_of(my)->up = false;
	mysql_close(my);
	script.cut_off = false;
	return 0;
}

int mysql_close_cont(MYSQL *my, int events)
{
	if (!(events & MYSQL_WAIT_TIMEOUT))
		broken("a farewell is waited for", NULL);
	mysql_close(my);
	return 0;
}

/* ---- a query ---- */

static int query_is_done(struct conn *conn)
{
	const struct tap_scripted_my_step *step = conn->query;

	if (step->outcome == TAP_SCRIPTED_MY_ERROR || (step->outcome == TAP_SCRIPTED_MY_LOST && !step->columns)) {
		set_error(conn, step->outcome == TAP_SCRIPTED_MY_ERROR ? step->number : LOST, step->message);
		return 1;
	}
	return 0;
}

int mysql_real_query_start(int *ret, MYSQL *my, const char *sql, unsigned long size)
{
	struct conn *conn = conn_of(my);
	int status;

	if (strlen(sql) != size)
		broken("length of a statement", sql);
	if (!conn->up || conn->result)
		broken("not ready for a statement", sql);
	snprintf(script.sql, sizeof(script.sql), "%s", sql);
	conn->query = take_step(sql);
	conn->row = 0;
	set_error(conn, 0, "");
	status = wait_begin(conn, conn->query->late,
			    conn->query->outcome == TAP_SCRIPTED_MY_HANG && !conn->query->columns);
	*ret = status ? -1 : query_is_done(conn);
	return status;
}

int mysql_real_query_cont(int *ret, MYSQL *my, int events)
{
	struct conn *conn = conn_of(my);

	if (!wait_go_on(conn, events))
		return MYSQL_WAIT_READ;
	*ret = events & MYSQL_WAIT_TIMEOUT ? 1 : query_is_done(conn);
	return 0;
}

unsigned mysql_field_count(MYSQL *my)
{
	return conn_of(my)->query->columns;
}

MYSQL_RES *mysql_use_result(MYSQL *my)
{
	struct conn *conn = conn_of(my);

	if (conn->query->outcome == TAP_SCRIPTED_MY_NO_RESULT)
		return NULL;
	if (conn->query->columns > COLUMNS_MAX)
		broken("columns", script.sql);
	conn->result = &the_result;
	return conn->result;
}

/* What comes behind the rows. */
static int rows_end(struct conn *conn)
{
	switch (conn->query->outcome) {
	case TAP_SCRIPTED_MY_HANG:
		return wait_begin(conn, 0, true);
	case TAP_SCRIPTED_MY_LOST:
		set_error(conn, LOST, NULL);
		conn->up = false;
		break;
	case TAP_SCRIPTED_MY_ERROR_AFTER:
		set_error(conn, conn->query->number, conn->query->message);
		break;
	default:
		break;
	}
	return 0;
}

int mysql_fetch_row_start(MYSQL_ROW *ret, MYSQL_RES *result)
{
	struct conn *conn = script.last;
	const struct tap_scripted_my_step *step = conn->query;

	if (result != conn->result)
		broken("no such result", script.sql);
	*ret = NULL;
	if (step->outcome == TAP_SCRIPTED_MY_ENDLESS && conn->row == step->rows)
		conn->row = 0;
	if (conn->row == step->rows)
		return rows_end(conn);
	for (unsigned i = 0; i < step->columns; i++) {
		size_t at = (size_t)conn->row * step->columns + i;

		shown.cells[i] = (char *)step->cells[at];
		shown.sizes[i] = step->sizes ? step->sizes[at] : shown.cells[i] ? strlen(shown.cells[i]) : 0;
	}
	conn->row++;
	*ret = shown.cells;
	return 0;
}

int mysql_fetch_row_cont(MYSQL_ROW *ret, MYSQL_RES *result, int events)
{
	(void)result;
	*ret = NULL;
	return wait_go_on(script.last, events) ? 0 : MYSQL_WAIT_READ;
}

unsigned long *mysql_fetch_lengths(MYSQL_RES *result)
{
	(void)result;
	return script.last->query->outcome == TAP_SCRIPTED_MY_NO_LENGTHS ? NULL : shown.sizes;
}

/* Reads what is left of it, which may be for ever, unless the socket is shut. */
void mysql_free_result(MYSQL_RES *result)
{
	struct conn *conn = script.last;

	if (!result)
		return;
	if (result != conn->result)
		broken("no such result", script.sql);
	if (conn->up && !is_shut(conn) && !conn->number &&
	    (conn->row < conn->query->rows || conn->query->outcome == TAP_SCRIPTED_MY_ENDLESS))
		broken("freeing the result may wait", script.sql);
	conn->result = NULL;
}

my_bool mysql_more_results(MYSQL *my)
{
	return conn_of(my)->query->outcome == TAP_SCRIPTED_MY_TWICE;
}

#else
typedef int tap_scripted_libmariadb_is_not_needed; /* a file is not empty */
#endif
