/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.h - the live source of views: the instances of this host, traced, from one window to the next.
 *
 * Owns the tracer, its reader, the instances found, their connections and everything gathered about them. Commands open
 * one, let time pass in it, and ask for views.
 */
#ifndef TAP_USERSPACE_CONSUME_LIVE_H
#define TAP_USERSPACE_CONSUME_LIVE_H

#include <signal.h>
#include <stdbool.h>

#include "correlate/model/window.h"
#include "userspace/base/error.h"
#include "userspace/load/tracer.h"

enum tap_depth {
	TAP_DEPTH_AMBIENT,
	TAP_DEPTH_STATEMENT,
};

struct tap_dsn {
	const char *instance;
	const char *conninfo;
};

struct tap_live_options {
	const char *instance; /* NULL: all */
	bool no_connect;
	enum tap_depth depth;
	double budget_percent; /* of one core, for traps */
	uint64_t slow_ns;      /* statements that take so long are told of one by one; 0: none */
	unsigned slowest;      /* ... and of each query so many of a window */
	bool locks;	       /* follow lock waits: events, blockers, cycles, orders */
	bool memory;	       /* what processes, their groups and the host hold is read with each snapshot */
	bool relations;	       /* the views name the relations that were read and written */
	double interval;       /* seconds between two looks for instances and at the cost; 0: 1 */
	const struct tap_dsn *dsns;
	size_t n_dsns;
	struct tap_tracer_options tracer;
};

struct tap_live;

/* One line for the user about something that could not be had; the run goes on without it. */
typedef void (*tap_live_note)(void *context, const char *text);

/*
 * Loads, attaches, finds and adopts; the window begins before this returns. -ENOENT: no instance, or none of that name.
 */
int tap_live_open(const struct tap_live_options *options, tap_live_note note, void *note_context, struct tap_live **ret,
		  struct tap_error *err);
/* Detaches everything. NULL is fine. */
void tap_live_free(struct tap_live *live);

/* Opens connections where wanted; each instance says in its view why it has none. */
void tap_live_connect(struct tap_live *live);

/* Lets time pass: drains, looks for new and vanished instances, measures the cost. Returns early when *stop is set. */
int tap_live_wait(struct tap_live *live, double seconds, const volatile sig_atomic_t *stop, struct tap_error *err);

/*
 * The same until something about locks has changed (a wait began or ended, a cycle closed) that is not taken yet
 * (tap_live_next, or tap_lock_log_changes_taken), and has been looked into. `*ret_changed`: there is such a thing.
 * Needs options.locks.
 */
int tap_live_wait_locks(struct tap_live *live, double seconds, const volatile sig_atomic_t *stop, bool *ret_changed,
			struct tap_error *err);

/* How many statements were told of in this window. */
size_t tap_live_statements(const struct tap_live *live);

/* The view from the last window's end (or the opening) to now. */
int tap_live_view(struct tap_live *live, const struct tap_window_options *options, struct tap_view **ret,
		  struct tap_error *err);
/* The next window begins where the last view ended. Without it the next view has the same begin. */
void tap_live_next(struct tap_live *live);

/* Adopts processes that were started while nothing was attached. Only measuring detaches in the middle of a run. */
int tap_live_adopt(struct tap_live *live, struct tap_error *err);
/* What is attached, for measuring. */
struct tap_tracer *tap_live_tracer(struct tap_live *live);

#endif
