// SPDX-License-Identifier: BSD-2-Clause
/* login.c - reads connection strings and finds the way in, as login.h says. */
#include "correlate/engine/mysql/login.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "userspace/base/number.h"

#define NOBODY_GID 65534

static const struct {
	const char *keyword;
	bool choice;
} keys[TAP_MY_LOGIN_KEY_COUNT] = {
#define X(id, word, chooses) [TAP_MY_LOGIN_##id] = { .keyword = word, .choice = chooses },
	TAP_MY_LOGIN_KEYS(X)
#undef X
};

/* ---- the connection string: key=value and key='it''s a value' ---- */

/* What is broken is not quoted in a message: it may hold a password. */
static int refuse_given(const struct tap_my_login *login, struct tap_error *err)
{
	return tap_error_set(err, -EINVAL,
			     "%s: the connection string cannot be understood; write key=value pairs of user, host, "
			     "port, socket, database, defaults-file, defaults-group, ssl-ca",
			     login->where->instance);
}

static int refuse_secret(const struct tap_my_login *login, struct tap_error *err)
{
	return tap_error_set(err, -EINVAL,
			     "%s: the connection string holds a password, which every user of this host can read in "
			     "the process list; put it into an options file and name that with defaults-file=",
			     login->where->instance);
}

static bool is_secret(const char *keyword, size_t size)
{
	static const char *const secrets[] = { "pass", "pwd", "secret" };

	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		if (memmem(keyword, size, secrets[i], strlen(secrets[i])))
			return true;
	}
	return false;
}

static int find_key(const char *keyword, size_t size)
{
	for (int i = 0; i < TAP_MY_LOGIN_KEY_COUNT; i++) {
		if (strlen(keys[i].keyword) == size && !memcmp(keys[i].keyword, keyword, size))
			return i;
	}
	return -1;
}

/* A value from *at on, which is left behind it; false: too long, or a quote is open. */
static bool read_value(const char **at, char ret[TAP_MY_LOGIN_VALUE_MAX])
{
	const char *from = *at;
	bool quoted = *from == '\'', closed = !quoted;
	size_t size = 0;

	from += quoted;
	while (*from && (quoted || *from != ' ')) {
		closed = quoted && *from == '\'' && *++from != '\'';
		if (closed)
			break;
		if (size == TAP_MY_LOGIN_VALUE_MAX - 1)
			return false;
		ret[size++] = *from++;
		closed = !quoted;
	}
	if (!closed || (*from && *from != ' '))
		return false;
	ret[size] = '\0';
	*at = from;
	return true;
}

static int parse_pair(struct tap_my_login *login, const char **at, struct tap_error *err)
{
	size_t size = strcspn(*at, "= ");
	char value[TAP_MY_LOGIN_VALUE_MAX];
	int key = find_key(*at, size);

	if (is_secret(*at, size))
		return refuse_secret(login, err);
	if (key < 0 || (*at)[size] != '=')
		return refuse_given(login, err);
	*at += size + 1;
	if (!read_value(at, value))
		return refuse_given(login, err);
	memcpy(login->given[key], value, sizeof(value));
	if (keys[key].choice && *value)
		login->automatic = false;
	return 0;
}

static int parse_port(struct tap_my_login *login, struct tap_error *err)
{
	const char *text = login->given[TAP_MY_LOGIN_PORT];
	int64_t port;

	login->port = login->where->port > 0 ? (uint32_t)login->where->port : 0;
	if (!*text)
		return 0;
	if (tap_number_parse_int(text, 1, 65535, &port))
		return refuse_given(login, err);
	login->port = (uint32_t)port;
	return 0;
}

static int parse_given(struct tap_my_login *login, struct tap_error *err)
{
	const char *at = login->where->conninfo ? login->where->conninfo : "";
	int r = 0;

	at += strspn(at, " ");
	while (*at && !r) {
		r = parse_pair(login, &at, err);
		at += r ? 0 : strspn(at, " ");
	}
	return r ? r : parse_port(login, err);
}

/* ---- where and as whom ---- */

/*
 * The folder goes by its descriptor: a socket's address holds 107 bytes only, and a path through another process's root
 * may not be open to the user we are going to be.
 */
static int use_socket(struct tap_my_login *login)
{
	const char *path =
		*login->given[TAP_MY_LOGIN_SOCKET] ? login->given[TAP_MY_LOGIN_SOCKET] : login->where->socket;
	const char *slash = path ? strrchr(path, '/') : NULL;
	char folder[4096];
	int size;

	if (!path || !*path)
		return -ENOENT;
	if (!slash) {
		size = snprintf(login->socket, sizeof(login->socket), "%s", path);
		return size < 108 ? 0 : -ENAMETOOLONG;
	}
	if (snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path + 1), path) >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	login->dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (login->dir < 0)
		return -errno;
	size = snprintf(login->socket, sizeof(login->socket), "/proc/self/fd/%d%s", login->dir, slash);
	/* The library would cut it, and call at another door. */
	return size < 108 ? 0 : -ENAMETOOLONG;
}

static const char *reachable_host(const char *listen)
{
	if (!strcmp(listen, "*") || !strcmp(listen, "0.0.0.0"))
		return "127.0.0.1";
	return !strcmp(listen, "::") ? "::1" : listen;
}

static int find_place(struct tap_my_login *login, struct tap_error *err)
{
	const struct tap_engine_where *where = login->where;
	int r;

	if (*login->given[TAP_MY_LOGIN_HOST]) {
		snprintf(login->host, sizeof(login->host), "%s", login->given[TAP_MY_LOGIN_HOST]);
		return 0;
	}
	if (*login->given[TAP_MY_LOGIN_DEFAULTS_FILE] && !*login->given[TAP_MY_LOGIN_SOCKET])
		return 0;
	r = use_socket(login);
	if (!r)
		return 0;
	*login->socket = '\0';
	if (where->host && where->port > 0 && !*login->given[TAP_MY_LOGIN_SOCKET]) {
		snprintf(login->host, sizeof(login->host), "%s", reachable_host(where->host));
		return 0;
	}
	return tap_error_set(err, -ENOENT, "%s: cannot connect: socket %s: %s; say where with --dsn NAME='host=...'",
			     where->instance, where->socket ? where->socket : "(none)", strerror(-r));
}

/* A user of a container may have no name on this host. */
static void look_up(uid_t uid, char ret[TAP_MY_USER_MAX], gid_t *ret_gid)
{
	char space[4096];
	struct passwd entry;
	struct passwd *found = NULL;

	if (getpwuid_r(uid, &entry, space, sizeof(space), &found) || !found)
		return;
	snprintf(ret, TAP_MY_USER_MAX, "%s", entry.pw_name);
	if (ret_gid)
		*ret_gid = entry.pw_gid;
}

static void look_up_users(struct tap_my_login *login)
{
	const struct tap_engine_where *where = login->where;

	login->gid = NOBODY_GID;
	look_up(geteuid(), login->self, NULL);
	if (where->uid)
		look_up(where->uid, login->owner, &login->gid);
	if (where->gid)
		login->gid = where->gid;
}

static void login_start(struct tap_my_login *login, const struct tap_engine_where *where)
{
	*login = (struct tap_my_login){ .where = where, .automatic = true, .dir = -1 };
}

int tap_my_login_init(struct tap_my_login *login, const struct tap_engine_where *where, struct tap_error *err)
{
	int r;

	login_start(login, where);
	r = parse_given(login, err);
	if (r)
		return r;
	look_up_users(login);
	return find_place(login, err);
}

int tap_my_login_check(const char *instance, const char *conninfo, struct tap_error *err)
{
	struct tap_engine_where where = { .instance = instance, .conninfo = conninfo };
	struct tap_my_login login;

	login_start(&login, &where);
	return parse_given(&login, err);
}

void tap_my_login_done(struct tap_my_login *login)
{
	if (login->dir >= 0)
		close(login->dir);
	login->dir = -1;
}

/*
 * unix_socket lets each user of the host in under its own name: first who we are (root may do all, and nothing is
 * switched), then the owner of the server.
 */
bool tap_my_login_next(const struct tap_my_login *login, int n, struct tap_my_login_try *ret)
{
	const struct tap_engine_where *where = login->where;
	bool owner = *login->socket && where->uid && where->uid != geteuid();

	if (!login->automatic || where->user) {
		*ret = (struct tap_my_login_try){ login->automatic ? where->user : login->given[TAP_MY_LOGIN_USER],
						  login->automatic && owner };
		return n == 0;
	}
	if (n == 0) {
		*ret = (struct tap_my_login_try){ *login->self ? login->self : "root", false };
		return true;
	}
	*ret = (struct tap_my_login_try){ *login->owner ? login->owner : "mysql", true };
	return n == 1 && owner;
}

const char *tap_my_login_database(const struct tap_my_login *login)
{
	const struct tap_engine_where *where = login->where;
	const char *given = login->given[TAP_MY_LOGIN_DATABASE];

	if (*given && !(where->this_database && where->database))
		return given;
	return where->database;
}
