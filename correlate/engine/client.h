/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.h - what a server can be asked over a connection, whatever its engine.
 *
 * One table per engine. userspace/consume and userspace/cmd keep a struct tap_engine_conn and hand it to the table of
 * the engine that opened it; behind it is that engine's own connection. Every question is bounded in rows and time,
 * read-only and a transaction of its own. Functions return 0 or a negative errno with one line in `err`. What is marked
 * so may be NULL: the engine has no such thing, or needs no server to know it.
 */
#ifndef TAP_CORRELATE_ENGINE_CLIENT_H
#define TAP_CORRELATE_ENGINE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/engine.h"
#include "correlate/lock.h"
#include "correlate/names.h"
#include "correlate/objects.h"
#include "correlate/relation_names.h"
#include "correlate/session.h"
#include "correlate/texts.h"
#include "userspace/base/error.h"

enum {
	TAP_TEXTS_ASKED_MAX = 4096, /* at once */
	TAP_RELATIONS_ASKED_MAX = 4096,
	TAP_ADVICE_MAX = 8,
	TAP_LIBRARY_MAX = 32,
};

/*
 * Where and as whom. Without `conninfo` dbtap logs in to the instance it found: over `socket`, else over TCP to `host`;
 * as `user`, else as one that the engine gives the owner of the server's process, or ourselves; with the effective user
 * `uid` while it acts as the owner, because that is what peer authentication looks at. No password is ever sent on this
 * way, neither from the environment nor from a password file: the server was found, not chosen.
 *
 * `conninfo` (from --dsn, in the engine's own form) goes on top. If it says where or as whom, it is the user's own
 * choice: nothing is switched, and the files and the environment of the engine's client library count. If not, the
 * login stays the automatic one. A place or a database that it leaves out is taken from here. A password in it is
 * refused.
 */
struct tap_engine_where {
	const char *instance; /* for messages: "postgres-5432" */
	const char *conninfo; /* NULL: automatic */
	const char *socket;   /* as struct tap_target has it; NULL: none */
	const char *host;     /* listen address or name; "*" and the any-addresses become loopback; NULL: none */
	int32_t port;
	int64_t start_us;     /* when the server started, since the Unix epoch: who says otherwise is another; 0: any */
	const char *database; /* NULL: the engine's own choice */
	bool this_database;   /* `database` counts even where `conninfo` names another */
	const char *user;     /* NULL: see above */
	uint32_t uid;	      /* owner of the server's process; 0: stay who we are */
	uint32_t gid;	      /* its group; 0: the owner's primary group */
	int32_t connect_timeout_ms; /* 0: the engine's own; all attempts together */
	int32_t query_timeout_ms;   /* upper bound for each query; 0: only the query's own */
};

/* What is worth changing in a server's settings, for doctor: constant lines such as "advice: track_activities = on". */
struct tap_engine_advice {
	const char *lines[TAP_ADVICE_MAX];
	size_t count;
};

/* Our own session, as the server tells it. */
struct tap_engine_self {
	int64_t connection_id;
	char user[TAP_NAME_MAX + 1];
	char database[TAP_NAME_MAX + 1]; /* "": none */
};

/* Called while a statement of our own runs. */
typedef void (*tap_engine_look_fn)(const struct tap_engine_self *self, void *arg);

/* Never complete: each engine casts it to its own. */
struct tap_engine_conn;

struct tap_client {
	/* The client library that it runs with: "libpq 15.18"; "": built without. May be NULL: there is none. */
	void (*library)(char ret[TAP_LIBRARY_MAX]);
	/* Checks a `conninfo` alone, before anything is done: -EINVAL when it is broken or holds a password. */
	int (*conninfo_check)(const char *instance, const char *conninfo, struct tap_error *err);

	/*
	 * Logs in. *ret is the caller's, for `close`. -EINVAL, -EACCES (refused), -EBUSY (no slot free), -EAGAIN
	 * (starting or shutting down), -ENOENT (no such database or socket), -ENOTSUP (too old), -ETIMEDOUT, -EPERM (we
	 * may not act as the server's owner), -EXDEV (another server answers), -ECONNREFUSED (all else), -ENOMEM.
	 */
	int (*open)(const struct tap_engine_where *where, struct tap_engine_conn **ret, struct tap_error *err);
	/* NULL is fine. Does not wait for the server. */
	void (*close)(struct tap_engine_conn *conn);
	/* Whether the server still holds its end; asks nothing and does not wait. NULL: false. */
	bool (*alive)(struct tap_engine_conn *conn);

	/* All databases and users, added to `names` (also, in part, when it fails halfway). */
	int (*names)(struct tap_engine_conn *conn, struct tap_names *names, struct tap_error *err);
	/* Every session, into the empty list. Pids are those of the server's pid namespace. */
	int (*sessions)(struct tap_engine_conn *conn, struct tap_session_list *ret, struct tap_error *err);
	/* Texts of query ids, at most TAP_TEXTS_ASKED_MAX, put under `instance` and the engine's own source. */
	int (*texts)(struct tap_engine_conn *conn, uint32_t instance, const uint64_t *ids, size_t count,
		     struct tap_texts *texts, struct tap_error *err);
	/*
	 * The server's own names of statements that have own ids, at most TAP_TEXTS_ASKED_MAX, put into `texts`, which
	 * has what they look like. -EOPNOTSUPP: the server keeps none. May be NULL: its names are the ids.
	 */
	int (*digests)(struct tap_engine_conn *conn, uint32_t instance, const uint64_t *ids, size_t count,
		       struct tap_texts *texts, struct tap_error *err);
	/*
	 * Who holds and who waits for which lock, into the empty `table`; pids of the server's namespace. Names of what
	 * they are on go to `names`, which may be NULL, where the answer has them. What the server did not tell all
	 * the same is a phrase in `err`, also with 0. May be NULL.
	 */
	int (*locks)(struct tap_engine_conn *conn, struct tap_lock_table *table, struct tap_relation_names *names,
		     struct tap_error *err);
	/* All prepared transactions, added to `list`. May be NULL. */
	int (*prepared)(struct tap_engine_conn *conn, struct tap_lock_prepared_list *list, struct tap_error *err);
	/*
	 * Runs a statement with `marker` (letters, digits, spaces) in its text that takes `for_ms`, and calls `look`
	 * meanwhile, once, if it gets so far. May be NULL.
	 */
	int (*mark)(struct tap_engine_conn *conn, const char *marker, int32_t for_ms, tap_engine_look_fn look,
		    void *arg, struct tap_error *err);
	/* What is worth changing. */
	int (*advise)(struct tap_engine_conn *conn, struct tap_engine_advice *ret, struct tap_error *err);

	/*
	 * Names of relations by number. May be NULL, all three: files and locks carry names. `catalog_open` logs in as
	 * `where` says, but to where the catalog of `database` is read; *ret is the caller's to close. `relations` are
	 * asked for by file, `relation_names` by oid; both add what they find, also in part. Database 0: what all
	 * databases share, over any connection. At most TAP_OBJECTS_ASKED_MAX and TAP_RELATIONS_ASKED_MAX.
	 */
	int (*catalog_open)(struct tap_engine_conn *conn, const struct tap_engine_where *where, uint32_t database,
			    struct tap_engine_conn **ret, struct tap_error *err);
	int (*relations)(struct tap_engine_conn *conn, uint32_t database, const struct tap_object_key *wanted,
			 size_t count, struct tap_objects *objects, struct tap_error *err);
	int (*relation_names)(struct tap_engine_conn *conn, uint32_t database, const uint32_t *oids, size_t count,
			      struct tap_relation_names *names, struct tap_error *err);
};

#define X(id, name) extern const struct tap_client tap_client_##name;
TAP_ENGINES(X)
#undef X

/* Never NULL: what is no engine has the first one's. */
const struct tap_client *tap_client_of(enum tap_engine engine);

#endif
