/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * instances.h - the database instances a live source follows: found, adopted by the tracer, connected, gone.
 */
#ifndef TAP_USERSPACE_CONSUME_INSTANCES_H
#define TAP_USERSPACE_CONSUME_INSTANCES_H

#include "correlate/engine/client.h"
#include "correlate/model/window.h"
#include "correlate/texts.h"
#include "userspace/attach/arrivals.h"
#include "userspace/attach/target.h"
#include "userspace/consume/confirm.h"
#include "userspace/consume/live.h"
#include "userspace/consume/lookout.h"
#include "userspace/consume/objects.h"

struct tap_followed {
	struct tap_target target;
	bool alive;
	/* The name it was found by, where that had to stay with an earlier server; "": its own. */
	char before[sizeof(((struct tap_target *)0)->id)];
	struct tap_engine_conn *conn; /* NULL: none */
	char why_not[TAP_ERROR_MAX];
	bool asked;		/* a connection was tried since the last start */
	bool unprobed;		/* statement depth was asked for, and its statements cannot be counted */
	int64_t digests_due_ms; /* when the server may be asked for its own names of statements again */
	struct tap_names names;
	struct tap_session_list sessions; /* as of the last read */
	struct tap_instance_files files;
	struct tap_lock_prepared_list prepared; /* as of the last read */
};

struct tap_instances {
	const struct tap_live_options *options;
	struct tap_followed *items; /* the place is the index in the kernel's records */
	size_t count;
	size_t n_refused; /* found, but not traceable, in the last search */
	char *refused;	  /* why, of the first one; malloc'd */
	/* Why statements of one cannot be counted at statement depth, of the first one since the caller last cleared
	 * it. */
	struct tap_error unprobed;
	/* Found by the last search and not asked for: they stay so, whatever name they go by later; malloc'd. */
	struct tap_target_known *passed_over;
	size_t n_passed_over;
	struct tap_error renamed;   /* that a new server could not have its name, since the caller last cleared it */
	struct tap_lookout lookout; /* begun by whoever knows that a search will follow */
	struct tap_arrivals arrivals;
	struct tap_disk_list disks; /* of all of them */
	struct tap_confirmed confirmed;
};

/* What --dsn says for an instance; NULL: nothing. */
const char *tap_dsn_find(const struct tap_dsn *dsns, size_t count, const char *instance);
/* How to log in to an instance: by `conninfo`, else as the owner of its server. *ret borrows both. */
void tap_target_where(const struct tap_target *target, const char *conninfo, struct tap_engine_where *ret);
/* Logs in there; *ret is for the `close` of its engine's client. Errors as `open` of struct tap_client. */
int tap_target_login(const struct tap_target *target, const char *conninfo, struct tap_engine_conn **ret,
		     struct tap_error *err);

void tap_instances_init(struct tap_instances *instances, const struct tap_live_options *options);
void tap_instances_done(struct tap_instances *instances);

/* A search ahead, in a thread of its own, whose outcome the first tap_instances_search takes. */
void tap_instances_begin_search(struct tap_instances *instances);

/*
 * Looks for instances and hands new ones to the tracer. One that came back, which its data folder tells, gets its old
 * place, and its name where it has its port. Another server that came where one had been gets a name of its own:
 * `renamed` says so.
 */
int tap_instances_search(struct tap_instances *instances, struct tap_tracer *tracer, struct tap_texts *texts,
			 struct tap_error *err);
/* Adopts again what is not adopted yet. */
int tap_instances_adopt(struct tap_instances *instances, struct tap_tracer *tracer, struct tap_texts *texts,
			struct tap_error *err);
/* Notices those that ended, and that there may be new ones. True: it is time for another search. */
bool tap_instances_check(struct tap_instances *instances);

void tap_instances_connect(struct tap_instances *instances);
/* Reads the sessions of all living instances, from memory or over their connection, and their texts and names. */
void tap_instances_read_sessions(struct tap_instances *instances, struct tap_texts *texts);
/* Whether some row's database or user has no name yet: a reason to read sessions or to ask the catalog again. */
bool tap_instances_lack_names(const struct tap_instances *instances, const struct tap_row_set *rows);
/* Asks connected servers for the texts of the ids in `rows` that are still unknown. */
void tap_instances_read_texts(struct tap_instances *instances, const struct tap_row_set *rows, struct tap_texts *texts);

/* Asks an instance that is connected what its prepared transactions are called. */
void tap_instances_read_prepared(struct tap_instances *instances, size_t place);

/* Fills one row per place. *ret is malloc'd; its strings are borrowed. */
int tap_instances_describe(const struct tap_instances *instances, struct tap_window_instance **ret);

#endif
