// SPDX-License-Identifier: BSD-2-Clause
/* session.c - the list of sessions of session.h. */
#include "correlate/session.h"

#include <stdlib.h>
#include <string.h>

const char *tap_session_state_name(enum tap_session_state state)
{
	static const char *const names[TAP_SESSION_STATE_COUNT] = {
		[TAP_SESSION_ACTIVE] = "active",
		[TAP_SESSION_IDLE] = "idle",
		[TAP_SESSION_IDLE_IN_TRANSACTION] = "idle in transaction",
		[TAP_SESSION_IDLE_IN_TRANSACTION_ABORTED] = "idle in transaction (aborted)",
		[TAP_SESSION_FASTPATH] = "fastpath function call",
		[TAP_SESSION_DISABLED] = "disabled",
	};

	return (unsigned)state < TAP_SESSION_STATE_COUNT ? names[state] : NULL;
}

void tap_session_list_init(struct tap_session_list *list)
{
	*list = (struct tap_session_list){ 0 };
}

static void session_done(struct tap_session *session)
{
	free(session->database_name);
	free(session->user_name);
	free(session->application);
	free(session->client);
	free(session->query);
	free(session->wait_class);
	free(session->wait_name);
}

void tap_session_list_done(struct tap_session_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		session_done(&list->items[i]);
	free(list->items);
	tap_session_list_init(list);
}

struct tap_session *tap_session_list_add(struct tap_session_list *list)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 32;
		struct tap_session *items = reallocarray(list->items, capacity, sizeof(*items));

		if (!items)
			return NULL;
		list->items = items;
		list->capacity = capacity;
	}
	memset(&list->items[list->count], 0, sizeof(list->items[0]));
	return &list->items[list->count++];
}

const struct tap_session *tap_session_list_find(const struct tap_session_list *list, int32_t pid)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].pid == pid)
			return &list->items[i];
	}
	return NULL;
}

const struct tap_session *tap_session_list_find_owner(const struct tap_session_list *list, int32_t owner)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct tap_session *session = &list->items[i];

		if ((session->connection_id ? session->connection_id : session->pid) == owner)
			return session;
	}
	return NULL;
}
