/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window.h - from two snapshots and what is known of the instances to a view.
 *
 * Pure: everything it needs is in the input, live or replayed.
 */
#ifndef TAP_CORRELATE_MODEL_WINDOW_H
#define TAP_CORRELATE_MODEL_WINDOW_H

#include "bpf/abi/engine.h"
#include "correlate/file.h"
#include "correlate/lock_event.h"
#include "correlate/model/lock_order.h"
#include "correlate/memory.h"
#include "correlate/names.h"
#include "correlate/objects.h"
#include "correlate/relation_names.h"
#include "correlate/session.h"
#include "correlate/snapshot.h"
#include "correlate/texts.h"
#include "correlate/view.h"

struct tap_window_instance {
	bool present; /* the index is in use */
	const char *id;
	const char *before; /* the name of the server in whose place it runs; NULL or "": none, it has its own */
	enum tap_engine engine;
	const char *engine_name; /* NULL: the engine's own */
	const char *version;
	int32_t version_number;
	int32_t pid;
	int32_t port;
	const char *data_dir;
	const char *build_id;
	const char *layout;
	bool unprobed;	/* statement depth was asked for, and its statements are not counted */
	bool no_errors; /* ... those that fail are not */
	bool connected;
	const char *not_connected_why;
	const struct tap_names *names;
	const struct tap_session_list *sessions; /* at the end of the window */
	const struct tap_lock_table *locks;	 /* at the end of the window; NULL: not wanted, or `locks_why_not` */
	const char *locks_why_not;		 /* also why they come from pg_locks; NULL or "": as they should */
	const struct tap_lock_prepared_list *prepared; /* NULL: not known */
	const struct tap_relation_names *relations;    /* by oid, for the names of locks; NULL: none are known */
	const struct tap_objects *objects;	       /* what the catalogs call its files; NULL: none was read */
	enum tap_reason io_absent; /* why its block requests are not known: NO_DISK, ...; NONE: they are */
	const uint32_t *disks;	   /* its files lie on, major << 20 | minor, each once */
	size_t n_disks;
	bool checkpoints;	   /* its checkpointer's own record of them can be read */
	const char *io_why_not;	   /* which of its folders are not traced, in words; NULL or "": all are */
	const char *names_why_not; /* why some of its relations have no name; NULL or "": all have */
};

/* Negative: could not be measured. */
struct tap_window_cost {
	double bpf_cpu_percent;
	double trap_cpu_percent;
	double tool_cpu_percent;
	int64_t tool_rss_bytes;
	double budget_percent; /* of one core; 0: none */
	const char *probed;    /* which sessions, at the end; NULL: ambient depth */
	uint64_t shed_steps;   /* taken in the window to stay inside the budget, or back */
};

struct tap_window_options {
	const char *instance; /* NULL: all */
	const char *database; /* NULL: all */
	int sort;	      /* enum tap_figure, or -1: the view's own order */
	const char *io_sort;  /* a figure of the io view's lists (correlate/io_order.h); NULL: their own order */
	size_t limit;	      /* 0: none */
	bool raw_text;
	bool sessions;	    /* the view is one of sessions: they are read anew */
	bool io;	    /* the view is one of block I/O: its lists are built */
	bool disks;	    /* ... or shows the disks alone */
	bool locks;	    /* the view is one of locks: who waits for whom is read anew */
	bool exact_calls;   /* statement depth was on for the whole window */
	bool sampled_calls; /* ... for some sessions, or a part of it */
	size_t slowest;	    /* of each row so many statements are shown, besides those that were slow */
	bool as_they_came;  /* statements in the order of their ends; otherwise the longest first */
};

/* What was seen of locks; all NULL or 0: not wanted. */
struct tap_window_locks {
	const struct tap_lock_log *log;
	const struct tap_lock_inversion *inversions;
	size_t n_inversions;
};

struct tap_statement_log;

struct tap_window_input {
	const char *tool_version;
	const char *depth;
	const struct tap_snapshot *begin;
	const struct tap_snapshot *end;
	const struct tap_window_instance *instances; /* by index in the records */
	size_t n_instances;
	const struct tap_file_root *roots; /* of all instances */
	size_t n_roots;
	const struct tap_texts *texts;
	const struct tap_statement_log *statements; /* told of one by one; NULL: none are */
	struct tap_window_locks locks;
	const struct tap_memory_kills *kills; /* in the window; NULL: not known */
	struct tap_window_cost cost;
	struct tap_window_options options;
};

/* 0 or -ENOMEM. The view borrows nothing. */
/* Whether its instance is asked for: also by the name it would have, had another server not had it before. */
bool tap_window_wants(const struct tap_window_options *options, const struct tap_window_instance *instance);

int tap_window_view(const struct tap_window_input *input, struct tap_view **ret);

#endif
