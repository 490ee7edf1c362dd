// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_names.c - which number is which name, over all sessions of an instance.
 *
 * Called by pg_memory. Memory holds numbers only; each title holds names but not where one ends. A title with two words
 * is certain; what it teaches settles others, round by round, until nothing new is learnt.
 */
#include "userspace/attach/pg_names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "userspace/attach/pg_title.h"
#include "userspace/attach/proc.h"

/* "USER DATABASE" of a session not taken apart yet; "" when there is nothing to take apart. */
struct open_title {
	char names[TAP_PG_NAMES_MAX];
};

static bool has_title(uint8_t kind)
{
	return kind == TAP_KIND_CLIENT || kind == TAP_KIND_WALSENDER || kind == TAP_KIND_AUTOVACUUM;
}

static int name_set(char **name, const char *value)
{
	if (*name)
		return 0;
	*name = strdup(value);
	return *name ? 0 : -ENOMEM;
}

static uint16_t client_port(const struct tap_session *session)
{
	const char *colon = session->client ? strrchr(session->client, ':') : NULL;

	return colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
}

/* What a title says at once goes to the session, what is left to tell to `ret`. */
static int title_take(const struct tap_target *target, struct tap_session *session, struct open_title *ret)
{
	const char *root = target->proc_root ? target->proc_root : "/proc";
	char title[TAP_PG_TITLE_MAX];
	const char *body;

	ret->names[0] = '\0';
	if (!has_title(session->kind) || tap_proc_title(root, session->pid, title, sizeof(title)))
		return 0;
	body = tap_pg_title_body(title, target->cluster_name);
	if (!body)
		return 0;
	if (session->kind == TAP_KIND_AUTOVACUUM) {
		const char *database = tap_pg_title_autovacuum_database(body);

		return database && session->database ? name_set(&session->database_name, database) : 0;
	}
	if (!session->client ||
	    tap_pg_title_names(body, session->kind == TAP_KIND_WALSENDER, client_port(session), ret->names))
		return 0;
	if (session->database || !session->user)
		return 0;
	/* A physical walsender is in no database: all of it is the user. */
	if (strlen(ret->names) < TAP_PG_NAME_MAX && name_set(&session->user_name, ret->names))
		return -ENOMEM;
	ret->names[0] = '\0';
	return 0;
}

static const char *known_database(const struct tap_session *sessions, size_t count, uint32_t database)
{
	for (size_t i = 0; database && i < count; i++) {
		if (sessions[i].database == database && sessions[i].database_name)
			return sessions[i].database_name;
	}
	return NULL;
}

static const char *known_user(const struct tap_session *sessions, size_t count, uint32_t user)
{
	for (size_t i = 0; user && i < count; i++) {
		if (sessions[i].user == user && sessions[i].user_name)
			return sessions[i].user_name;
	}
	return NULL;
}

/* A user may have been renamed under its sessions, a database cannot: what does not fit is tried without the user. */
static int names_split(const char *names, const char *user, const char *database, char ret_user[TAP_PG_NAME_MAX],
		       char ret_database[TAP_PG_NAME_MAX])
{
	int err = tap_pg_title_split(names, user, database, ret_user, ret_database);

	if (err && user)
		err = tap_pg_title_split(names, NULL, database, ret_user, ret_database);
	return err;
}

/* One round over the titles still open; *ret_learnt tells whether another may help. */
static int round_run(struct tap_session *sessions, struct open_title *titles, size_t count, bool *ret_learnt)
{
	*ret_learnt = false;
	for (size_t i = 0; i < count; i++) {
		struct tap_session *session = &sessions[i];
		char user[TAP_PG_NAME_MAX], database[TAP_PG_NAME_MAX];

		if (!titles[i].names[0])
			continue;
		if (names_split(titles[i].names, known_user(sessions, count, session->user),
				known_database(sessions, count, session->database), user, database))
			continue;
		if (name_set(&session->user_name, user) || name_set(&session->database_name, database))
			return -ENOMEM;
		titles[i].names[0] = '\0';
		*ret_learnt = true;
	}
	return 0;
}

/* Sessions without a title of their own (parallel workers) take the names their numbers have elsewhere. */
static int rest_fill(struct tap_session *sessions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct tap_session *session = &sessions[i];
		const char *database = known_database(sessions, count, session->database);
		const char *user = known_user(sessions, count, session->user);

		if (database && name_set(&session->database_name, database))
			return -ENOMEM;
		if (user && name_set(&session->user_name, user))
			return -ENOMEM;
	}
	return 0;
}

int tap_pg_names_fill(const struct tap_target *target, struct tap_session *sessions, size_t count)
{
	struct open_title *titles;
	bool learnt = true;
	int err = 0;

	if (!count)
		return 0;
	titles = calloc(count, sizeof(*titles));
	if (!titles)
		return -ENOMEM;
	for (size_t i = 0; !err && i < count; i++)
		err = title_take(target, &sessions[i], &titles[i]);
	while (!err && learnt)
		err = round_run(sessions, titles, count, &learnt);
	free(titles);
	return err ? err : rest_fill(sessions, count);
}
