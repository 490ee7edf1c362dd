// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_title.c - takes PostgreSQL's process titles apart.
 *
 * Called by pg_memory, which reads the titles and knows databases and users by number. The form is ps_status.c's and
 * BackendInitialize's in the server.
 */
#include "userspace/attach/pg_title.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* `text` after `prefix`; NULL when it does not begin so. */
static const char *after(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) ? NULL : text + length;
}

const char *tap_pg_title_body(const char *title, const char *cluster_name)
{
	const char *body = after(title, "postgres: ");

	if (!body || !cluster_name || !*cluster_name)
		return body;
	body = after(body, cluster_name);
	return body ? after(body, ": ") : NULL;
}

static bool ends_word(char byte)
{
	return !byte || byte == ' ';
}

/* Where the client's " [local]" begins, from `at` on; NULL: nowhere. */
static const char *find_local(const char *at)
{
	static const char mark[] = " [local]";

	for (; (at = strstr(at, mark)); at++) {
		if (ends_word(at[sizeof(mark) - 1]))
			return at;
	}
	return NULL;
}

/* The same for " HOST(PORT)"; HOST is an address or, with log_hostname, a name. */
static const char *find_remote(const char *at, uint16_t port)
{
	char mark[16];
	size_t length = (size_t)snprintf(mark, sizeof(mark), "(%u)", port);

	for (const char *found = at; (found = strstr(found, mark)); found++) {
		const char *start = found;

		while (start > at && start[-1] != ' ')
			start--;
		if (ends_word(found[length]) && start > at && start < found)
			return start - 1;
	}
	return NULL;
}

int tap_pg_title_names(const char *body, bool walsender, uint16_t client_port, char ret[TAP_PG_NAMES_MAX])
{
	const char *end, *more;
	size_t length;

	if (walsender)
		body = after(body, "walsender ");
	if (!body)
		return -ENOENT;
	end = client_port ? find_remote(body, client_port) : find_local(body);
	if (!end)
		return -ENOENT;
	more = client_port ? find_remote(end + 1, client_port) : find_local(end + 1);
	length = (size_t)(end - body);
	if (more || !length || length >= TAP_PG_NAMES_MAX)
		return -ENOENT;
	memcpy(ret, body, length);
	ret[length] = '\0';
	return 0;
}

const char *tap_pg_title_autovacuum_database(const char *body)
{
	const char *database = after(body, "autovacuum worker ");

	return database && *database && strlen(database) < TAP_PG_NAME_MAX ? database : NULL;
}

/* Where the space between the names is; NULL: several could be it, or none fits. */
static const char *find_gap(const char *names, const char *known_user, const char *known_database)
{
	size_t length = strlen(names);
	const char *gap = NULL;

	if (known_user) {
		gap = after(names, known_user);
	} else if (known_database) {
		size_t tail = strlen(known_database) + 1;

		gap = length > tail ? names + length - tail : NULL;
		if (gap && strcmp(gap + 1, known_database))
			gap = NULL;
	} else {
		gap = strchr(names, ' ');
	}
	return gap && *gap == ' ' ? gap : NULL;
}

int tap_pg_title_split(const char *names, const char *known_user, const char *known_database,
		       char ret_user[TAP_PG_NAME_MAX], char ret_database[TAP_PG_NAME_MAX])
{
	const char *gap = find_gap(names, known_user, known_database);
	size_t user_length;

	if (!gap)
		return -EBADMSG;
	if (!known_user && !known_database && strchr(gap + 1, ' '))
		return -EAGAIN;
	user_length = (size_t)(gap - names);
	if (!user_length || user_length >= TAP_PG_NAME_MAX || !gap[1] || strlen(gap + 1) >= TAP_PG_NAME_MAX)
		return -EBADMSG;
	if (known_user && known_database && strcmp(gap + 1, known_database))
		return -EBADMSG;
	memcpy(ret_user, names, user_length);
	ret_user[user_length] = '\0';
	memcpy(ret_database, gap + 1, strlen(gap + 1) + 1);
	return 0;
}
