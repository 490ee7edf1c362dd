/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - one process of an instance as the engine describes it.
 *
 * Two sources fill the same records: the server's own views over a connection (correlate/engine/<name>/queries) and the
 * processes' memory (userspace/attach/<name>_memory). What only a connection gives is NULL or 0 from memory.
 */
#ifndef TAP_CORRELATE_SESSION_H
#define TAP_CORRELATE_SESSION_H

#include <stddef.h>
#include <stdint.h>

/* The engine-neutral state of a client session; PostgreSQL's words in tap_session_state_name. */
enum tap_session_state {
	TAP_SESSION_NONE, /* a background process, or not said yet */
	TAP_SESSION_ACTIVE,
	TAP_SESSION_IDLE,
	TAP_SESSION_IDLE_IN_TRANSACTION,
	TAP_SESSION_IDLE_IN_TRANSACTION_ABORTED,
	TAP_SESSION_FASTPATH,
	TAP_SESSION_DISABLED, /* track_activities is off */
	TAP_SESSION_STATE_COUNT
};

/* "active", "idle in transaction (aborted)", ...; NULL for NONE. */
const char *tap_session_state_name(enum tap_session_state state);

/* Strings are malloc'd, NUL-terminated, raw; NULL is "not known". Times: microseconds since the Unix epoch, 0 unknown.
 */
struct tap_session {
	int32_t pid;	       /* as this host sees it; the thread's where sessions are threads */
	int32_t leader_pid;    /* of a parallel worker; 0 otherwise */
	int64_t connection_id; /* the engine's number of the session, where it has one that is no pid; 0 otherwise */
	uint8_t kind;	       /* enum tap_kind */
	enum tap_session_state state;
	uint32_t database; /* oid, 0 none */
	uint32_t user;
	char *database_name;
	char *user_name;
	char *application;
	char *client;	   /* "[local]", "10.0.0.7:41234", "[::1]:5000"; NULL: a background process */
	uint64_t query_id; /* 0: none */
	char *query;	   /* text as the engine shows it, literals included */
	int64_t backend_start_us;
	int64_t transaction_start_us;
	int64_t query_start_us;
	int64_t state_change_us;
	uint32_t wait_event; /* the engine's number; only from memory */
	char *wait_class;    /* names, only from a connection */
	char *wait_name;
};

struct tap_session_list {
	struct tap_session *items;
	size_t count;
	size_t capacity;
};

void tap_session_list_init(struct tap_session_list *list);
/* Frees every session and its strings. NULL is fine. */
void tap_session_list_done(struct tap_session_list *list);
/* A zeroed session at the end of the list, owned by it; NULL when out of memory. Invalidates earlier pointers. */
struct tap_session *tap_session_list_add(struct tap_session_list *list);
/* By pid; NULL when there is none. */
const struct tap_session *tap_session_list_find(const struct tap_session_list *list, int32_t pid);
/* By what locks belong to: the engine's number of the session, where it has one, else the pid. */
const struct tap_session *tap_session_list_find_owner(const struct tap_session_list *list, int32_t owner);

#endif
