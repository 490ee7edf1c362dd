// SPDX-License-Identifier: BSD-2-Clause
/* login.c - composes connection strings, as login.h says. */
#include "correlate/engine/postgres/login.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

#define NOBODY_GID 65534

/*
 * The session's own settings, sent with the login so that they hold from its first statement on, whatever the role's or
 * the database's defaults say. search_path: nothing that a user of the database created may be called by accident.
 */
static const char session_options[] =
	"-c statement_timeout=1000 -c lock_timeout=100 -c default_transaction_read_only=on "
	"-c idle_in_transaction_session_timeout=5000 -c jit=off -c search_path=pg_catalog "
	"-c max_parallel_workers_per_gather=0 -c work_mem=16MB";

/* libpq skips a password file that it cannot find without a word, while "" would mean the default one. */
static const char no_password_file[] = "/dev/null/none";

/* ---- the connection string ---- */

static void add_setting(struct tap_strbuf *conninfo, const char *keyword, const char *value)
{
	tap_strbuf_printf(conninfo, "%s='", keyword);
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			tap_strbuf_add_char(conninfo, '\\');
		tap_strbuf_add_char(conninfo, *value);
	}
	tap_strbuf_add_string(conninfo, "' ");
}

static bool is_secret(const PQconninfoOption *option)
{
	return option->dispchar[0] == '*' || strstr(option->keyword, "password") || strstr(option->keyword, "secret");
}

static int refuse_secret(const struct tap_pg_login *login, struct tap_error *err)
{
	return tap_error_set(
		err, -EINVAL,
		"%s: the connection string holds a password, which every user of this host can read in the "
		"process list; put it into pgpass or a service file",
		login->where->instance);
}

/* Take over one setting of the user's connection string. */
static void add_given(struct tap_pg_login *login, const PQconninfoOption *option)
{
	const char *keyword = option->keyword;
	bool service = strcmp(keyword, "service") == 0;
	bool place = service || strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0;

	login->has_place |= place;
	login->has_database |= service || strcmp(keyword, "dbname") == 0;
	if (place || strcmp(keyword, "user") == 0)
		login->automatic = false;
	if (strcmp(keyword, "options") == 0)
		tap_strbuf_printf(&login->options, "%s ", option->val);
	else
		add_setting(&login->given, keyword, option->val);
}

static int add_all_given(struct tap_pg_login *login, const PQconninfoOption *options, struct tap_error *err)
{
	for (const PQconninfoOption *option = options; option->keyword; option++) {
		if (!option->val)
			continue;
		if (is_secret(option))
			return refuse_secret(login, err);
		add_given(login, option);
	}
	return 0;
}

static int out_of_memory(const struct tap_pg_login *login, struct tap_error *err)
{
	return tap_error_set(err, -ENOMEM, "%s: cannot connect: out of memory", login->where->instance);
}

/* libpq's own words about a broken string would quote it, and it may hold a password. */
static int refuse_given(const struct tap_pg_login *login, struct tap_error *err)
{
	return tap_error_set(err, -EINVAL,
			     "%s: the connection string cannot be understood; write key=value pairs or a "
			     "postgresql:// URI",
			     login->where->instance);
}

static int parse_given(struct tap_pg_login *login, struct tap_error *err)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(login->where->conninfo, &message);
	int r;

	if (!options) {
		r = message ? refuse_given(login, err) : out_of_memory(login, err);
		PQfreemem(message);
		return r;
	}
	r = add_all_given(login, options, err);
	PQconninfoFree(options);
	return r;
}

char *tap_pg_login_conninfo(const struct tap_pg_login *login, const char *user)
{
	struct tap_strbuf conninfo;
	char port[16];

	tap_strbuf_init(&conninfo);
	if (login->automatic) {
		add_setting(&conninfo, "hostaddr", "");
		add_setting(&conninfo, "password", "");
		add_setting(&conninfo, "passfile", no_password_file);
		add_setting(&conninfo, "gssencmode", "disable");
		add_setting(&conninfo, "target_session_attrs", "any");
	}
	if (*login->host) {
		snprintf(port, sizeof(port), "%d", (int)login->where->port);
		add_setting(&conninfo, "host", login->host);
		add_setting(&conninfo, "port", port);
	}
	if (!login->has_database)
		add_setting(&conninfo, "dbname", login->where->database ? login->where->database : "postgres");
	if (*user)
		add_setting(&conninfo, "user", user);
	tap_strbuf_add(&conninfo, login->given.data, login->given.size);
	/* Of two the last one counts. */
	if (login->has_database && login->where->this_database && login->where->database)
		add_setting(&conninfo, "dbname", login->where->database);
	add_setting(&conninfo, "options", login->options.data);
	add_setting(&conninfo, "application_name", "dbtap");
	/* The server then sends its bytes as they are: a text that is not valid in its encoding cannot fail a query. */
	add_setting(&conninfo, "client_encoding", "SQL_ASCII");
	return tap_strbuf_take(&conninfo);
}

/* ---- where and as whom ---- */

static const char *reachable_host(const char *listen)
{
	if (strcmp(listen, "*") == 0 || strcmp(listen, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(listen, "::") == 0 ? "::1" : listen;
}

/*
 * The directory goes by its descriptor: a socket's address holds 107 bytes only, and a path through another process's
 * root may not be open to the user we are going to be. Not where the user chose the login: pgpass knows the path.
 */
static int use_socket(struct tap_pg_login *login)
{
	const char *path = login->where->socket;

	if (!path)
		return -ENOENT;
	if (*path == '@' || !login->automatic) {
		int size = snprintf(login->host, sizeof(login->host), "%s", path);

		return size < (int)sizeof(login->host) ? 0 : -ENAMETOOLONG;
	}
	login->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (login->dir < 0)
		return -errno;
	snprintf(login->host, sizeof(login->host), "/proc/self/fd/%d", login->dir);
	return 0;
}

static int find_place(struct tap_pg_login *login, struct tap_error *err)
{
	const struct tap_engine_where *where = login->where;
	int r;

	if (login->has_place)
		return 0;
	r = use_socket(login);
	if (!r) {
		login->switches = login->automatic && where->uid && where->uid != geteuid();
		return 0;
	}
	if (where->host) {
		snprintf(login->host, sizeof(login->host), "%s", reachable_host(where->host));
		return 0;
	}
	return tap_error_set(err, -ENOENT,
			     "%s: cannot connect: socket directory %s: %s; say where with --dsn NAME='host=...'",
			     where->instance, where->socket ? where->socket : "(none)", strerror(-r));
}

/* Name and primary group of the owner. A user of a container may have none on this host. */
static void look_up_owner(struct tap_pg_login *login)
{
	char space[4096];
	struct passwd entry;
	struct passwd *found = NULL;

	login->gid = NOBODY_GID;
	if (login->where->uid && !getpwuid_r(login->where->uid, &entry, space, sizeof(space), &found) && found) {
		snprintf(login->owner, sizeof(login->owner), "%s", entry.pw_name);
		login->gid = entry.pw_gid;
	}
	if (login->where->gid)
		login->gid = login->where->gid;
}

int tap_pg_login_init(struct tap_pg_login *login, const struct tap_engine_where *where, struct tap_error *err)
{
	int r = 0;

	*login = (struct tap_pg_login){ .where = where, .automatic = true, .dir = -1 };
	tap_strbuf_init(&login->given);
	tap_strbuf_init(&login->options);
	if (where->conninfo)
		r = parse_given(login, err);
	if (r)
		return r;
	tap_strbuf_add_string(&login->options, session_options);
	if (login->given.failed || login->options.failed)
		return out_of_memory(login, err);
	look_up_owner(login);
	return find_place(login, err);
}

int tap_pg_login_check(const char *instance, const char *conninfo, struct tap_error *err)
{
	struct tap_engine_where where = { .instance = instance, .conninfo = conninfo };
	struct tap_pg_login login = { .where = &where, .automatic = true, .dir = -1 };
	int status;

	tap_strbuf_init(&login.given);
	tap_strbuf_init(&login.options);
	status = parse_given(&login, err);
	tap_pg_login_done(&login);
	return status;
}

void tap_pg_login_done(struct tap_pg_login *login)
{
	tap_strbuf_done(&login->given);
	tap_strbuf_done(&login->options);
	if (login->dir >= 0)
		close(login->dir);
	login->dir = -1;
}

const char *tap_pg_login_user(const struct tap_pg_login *login, int n)
{
	static const char usual[] = "postgres";

	if (!login->automatic)
		return n == 0 ? "" : NULL;
	if (login->where->user)
		return n == 0 ? login->where->user : NULL;
	if (n == 0)
		return *login->owner ? login->owner : usual;
	return n == 1 && *login->owner && strcmp(login->owner, usual) != 0 ? usual : NULL;
}
