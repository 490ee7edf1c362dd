/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.h - what an engine tells of its servers from /proc and their memory alone.
 *
 * One table per engine: finding its servers, what the kernel side is told of them, and reading sessions and locks out
 * of their memory. Nothing is asked of a server here. target.c and userspace/consume call through it; what is marked so
 * may be NULL. Functions return 0 or a negative errno, with one line in `err` where there is one.
 */
#ifndef TAP_USERSPACE_ATTACH_ENGINE_H
#define TAP_USERSPACE_ATTACH_ENGINE_H

#include "bpf/abi/checkpoint.h"
#include "bpf/abi/engine.h"
#include "bpf/abi/lock.h"
#include "bpf/abi/task.h"
#include "correlate/engine/client.h"
#include "correlate/lock.h"
#include "correlate/objects.h"
#include "correlate/relation_names.h"
#include "correlate/session.h"
#include "userspace/attach/proc.h"
#include "userspace/attach/target.h"

/* The processes of this host, read once for all engines. */
struct tap_target_search {
	const char *proc_root;
	const struct tap_proc *procs; /* by pid */
	size_t n_procs;
	const struct tap_target_scope *scope;
};

/* Whether this one, named by tap_targets_name, is to be looked at closely: its layout, by all means there are. */
bool tap_target_needs_look(const struct tap_target_search *search, struct tap_target *target);

/*
 * For `find`: a zeroed target at the end of the list, NULL when out of memory; why it cannot be traced, as one line;
 * and ids for those from `first` on: "<stem>-<port>", which the oldest of a port gets, "<stem>-<port>-<pid>" for the
 * others,
 * "<stem>-pid-<pid>" without a data folder or port. Sorts them by port and start.
 */
struct tap_target *tap_targets_add(struct tap_target_list *list);
void tap_target_refuse(struct tap_target *target, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tap_targets_name(struct tap_target_list *list, size_t first, const char *stem);

/* A thread that runs when its instance is attached to, as the kernel side is to be told of it. */
struct tap_running {
	int32_t tid; /* as this host sees it */
	struct tap_adoption adoption;
	/* The text of the statement it runs, malloc'd, where the adoption has an own id made of it; else NULL. */
	char *text;
};

struct tap_running_list {
	struct tap_running *items;
	size_t count;
};
void tap_running_done(struct tap_running_list *list);

/* What one session works on right now. */
struct tap_statement {
	uint8_t kind; /* enum tap_kind */
	enum tap_session_state state;
	uint32_t database;
	uint32_t user;
	uint64_t query_id;	      /* of the statement that runs, or of the last one; 0: none */
	int64_t transaction_start_us; /* since the Unix epoch; 0: none */
	int64_t query_start_us;
	char text[TAP_TEXT_MAX]; /* literals included, perhaps cut; "": not to be had */
};

/* What a lock record of the kernel side says in the engine's own form. */
struct tap_lock_words {
	struct tap_lock_tag tag;
	uint8_t mode;
	int64_t wait_start_us; /* since the Unix epoch; 0: the engine does not say */
};

/* Never complete: each engine casts it to its own. */
struct tap_engine_locks;

/* Where in a data folder the server's files lie that may be links to elsewhere. */
struct tap_data_folder {
	const char *changed_at_start; /* a file of it that each start writes anew: tells two folders apart */
	const char *tablespaces;      /* folder of folders, or links to folders, called by their number; NULL: none */
	const char *wal;	      /* a folder, or a link to it; NULL: none */
};

struct tap_attach {
	const char *product;	   /* "PostgreSQL", for people */
	const char *statement_end; /* the function that a probe counts statements by; target.statement_end_offset */
	struct tap_data_folder folder;
	/* What the first process is adopted as, before all others: from then on no child of it is missed. */
	uint8_t first_role; /* enum tap_role */
	uint8_t first_kind; /* enum tap_kind */

	/*
	 * Adds the servers it recognises to `list`, those that cannot be traced with `refused` set; all have an id
	 * (tap_targets_name). -ENOMEM; what cannot be looked into is no error.
	 */
	int (*find)(const struct tap_target_search *search, struct tap_target_list *list);
	/* Frees target->own. May be NULL. */
	void (*target_done)(struct tap_target *target);

	/* What the kernel side needs to read the instance's memory. `engine` is set by the caller. */
	void (*instance)(const struct tap_target *target, struct tap_instance *ret);
	/* Every thread there is now, with `index` as its instance. *ret is the caller's to _done. */
	int (*running)(const struct tap_target *target, uint32_t index, struct tap_running_list *ret,
		       struct tap_error *err);
	/*
	 * What a running checkpointer is at; all 0, with none running, where that cannot be read. May be NULL: the
	 * engine has none that the kernel side follows.
	 */
	void (*checkpoints)(const struct tap_target *target, const struct tap_running *checkpointer,
			    struct tap_checkpoints *ret);
	/* Every session, appended to `list` (also, in part, when it fails). */
	int (*sessions)(const struct tap_target *target, struct tap_session_list *list, struct tap_error *err);
	/*
	 * Whether memory shows of our own session what the server says of it; right now it runs a statement with
	 * `marker` in its text. -EBADMSG: it shows something else, `err` says what as a phrase; -EAGAIN: it does not
	 * run it yet, or any more. May be NULL: nothing that `find` has not checked.
	 */
	int (*confirm)(const struct tap_target *target, const struct tap_engine_self *self, const char *marker,
		       struct tap_error *err);
	/*
	 * Of a session by its owner (tap_session_list_find_owner). -ESRCH: gone; -EAGAIN: it was being written each
	 * time; -ENODATA: no session; other negative errno.
	 */
	int (*statement)(const struct tap_target *target, int32_t owner, struct tap_statement *ret);

	/* The numbers of a lock record. */
	void (*lock_decode)(const struct tap_lock_event *record, struct tap_lock_words *ret);
	/*
	 * The lock tables: found and checked (*ret is the caller's to close), then read into the empty `table`; all
	 * locks, or only those somebody waits for. Names of what they are on, where the memory has them, go to `names`,
	 * which may be NULL. -ENOTSUP: not for this server; -EBADMSG: not what they should be; -ESRCH, -EPERM. What a
	 * failing reading has added stays there until tap_lock_table_done. `close` takes NULL.
	 */
	int (*locks_open)(const struct tap_target *target, struct tap_engine_locks **ret, struct tap_error *err);
	int (*locks_read)(const struct tap_engine_locks *locks, const struct tap_target *target, bool all,
			  struct tap_lock_table *table, struct tap_relation_names *names, struct tap_error *err);
	void (*locks_close)(struct tap_engine_locks *locks);
	/* Pids as the server counts them, in a table that came over a connection, to pids as this host does. May be
	 * NULL: owners are no pids. */
	int (*locks_pids)(const struct tap_target *target, struct tap_lock_table *table);

	/* Whether the kernel side tells when waits for locks begin. May be NULL: it does. */
	bool (*locks_followed)(const struct tap_target *target);

	/* Writes down large files of relations that have no name yet, in time before they are gone. May be NULL. */
	void (*want_relations)(const char *data_dir, struct tap_objects *objects, int64_t now_ms);
};

#define X(id, name) extern const struct tap_attach tap_attach_##name;
TAP_ENGINES(X)
#undef X

/* Never NULL: what is no engine has the first one's. */
const struct tap_attach *tap_attach_of(enum tap_engine engine);

#endif
