/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_event.h - waits for heavyweight locks as they were seen to begin and end, and the list of those of one window.
 *
 * userspace/consume/lock_events fills the log from the kernel's records and, for who blocked, from the lock table as it
 * was read within milliseconds of the beginning. correlate/model/locks makes views of it. Plain values; all times are
 * of CLOCK_REALTIME in ns since the epoch.
 */
#ifndef TAP_CORRELATE_LOCK_EVENT_H
#define TAP_CORRELATE_LOCK_EVENT_H

#include "bpf/abi/account.h"
#include "correlate/lock.h"
#include "correlate/lock_stat.h"
#include "userspace/base/hash.h"

enum {
	TAP_LOCK_BLOCKERS_MAX = 8,   /* kept of one wait */
	TAP_LOCK_PAST_MAX = 16384,   /* ended waits kept of one window, the longer ones; all are in the sums */
	TAP_LOCK_LOSSES_MAX = 4096,  /* kept apart in one window */
	TAP_LOCK_CYCLES_MAX = 1024,  /* kept of one window */
	TAP_LOCK_MEMBERS_MAX = 32,   /* of one cycle */
	TAP_LOCK_KNOWN_CYCLES = 256, /* remembered, so that none is told twice */
};

enum tap_lock_outcome {
	TAP_LOCK_WAITS, /* still */
	TAP_LOCK_GRANTED,
	TAP_LOCK_FAILED,   /* deadlock, timeout, cancelled */
	TAP_LOCK_VANISHED, /* the process is gone, or the end was not seen */
};

/* Who stood in the way, as read just after the wait had begun. */
struct tap_lock_blocker {
	int32_t pid;   /* of the group's leader; 0: a prepared transaction */
	uint32_t xid;  /* of that */
	bool soft;     /* ahead in the queue, not a holder */
	uint8_t state; /* enum tap_session_state; NONE: not known */
	/*
	 * Its statement then: the one that runs, or, in a session that is idle in a transaction, the last one that ran.
	 * Kind NONE: not known.
	 */
	struct tap_row_key row;
};

struct tap_lock_wait {
	uint32_t instance;
	int32_t pid; /* as this host sees it */
	int32_t tid;
	struct tap_row_key row; /* the waiter's statement */
	struct tap_lock_tag tag;
	uint8_t mode;	 /* enum tap_lock_mode */
	uint8_t outcome; /* enum tap_lock_outcome */
	bool adopted;	 /* it had begun before dbtap did: begin_ns is what the engine says */
	bool blockers_known;
	uint8_t missing;       /* readings of the lock table in a row that did not have it */
	int64_t begin_ns;      /* 0: not known */
	int64_t end_ns;	       /* 0 while it waits */
	int64_t waited_ns;     /* in all; while it waits: -1, take the clock */
	int64_t wait_start_us; /* when the engine says it began, since the Unix epoch; 0: it does not say */
	struct tap_lock_object object;
	struct tap_lock_blocker blockers[TAP_LOCK_BLOCKERS_MAX]; /* holders first; [0] is the one that losses name */
	uint32_t n_blockers;
	uint32_t n_blockers_all;
	uint64_t serial; /* of the log: a later wait has a higher one */
};

/* Time lost by one query to another over one lock, of waits that have ended. */
struct tap_lock_loss_key {
	struct tap_row_key row; /* the waiter's */
	struct tap_row_key blocker;
	struct tap_lock_object object;
	uint8_t mode;
	uint8_t blocker_state; /* enum tap_session_state */
	uint8_t blocker_known;
	uint8_t pad[5];
};

struct tap_lock_loss {
	struct tap_lock_loss_key key; /* first, for the index */
	uint64_t waits;
	int64_t ns;	/* within the window */
	int64_t max_ns; /* of one wait, in all */
};

struct tap_lock_cycle_member {
	int32_t pid;
	int32_t waits_for;	 /* pid */
	struct tap_row_key row;	 /* kind NONE: not known */
	struct tap_lock_tag tag; /* that it waits for */
	uint8_t mode;
	bool soft; /* it waits for who is ahead in the queue, not for a holder */
	struct tap_lock_object object;
	int64_t wait_start_us;
	char *query; /* as the engine shows it, literals included; malloc'd; NULL: not known */
};

struct tap_lock_cycle {
	uint32_t instance;
	int64_t at_ns;	    /* when it was seen */
	uint8_t kind;	    /* enum tap_lock_cycle_kind */
	int32_t victim;	    /* pid whose wait the engine ended with an error; 0: none so far */
	int64_t verdict_ns; /* when, or when a soft one was undone; 0: not yet */
	struct tap_lock_cycle_member *members;
	size_t n_members;
};

struct tap_lock_waiter {
	uint32_t instance;
	int32_t pid;
};

struct tap_lock_log {
	struct tap_lock_wait *open;
	struct tap_lock_waiter *waiters; /* of each open one: it is looked for with each record */
	size_t n_open;
	size_t open_capacity;
	size_t waiters_capacity;
	struct tap_lock_wait *past; /* ended within the window */
	size_t n_past;
	size_t next_past; /* once all places are taken: where to look for a shorter one */
	size_t past_capacity;
	uint64_t past_dropped; /* ended within the window, in the sums only */
	struct tap_lock_loss *losses;
	size_t n_losses;
	size_t losses_capacity;
	uint64_t losses_dropped; /* waits that found no room for another pair */
	int64_t losses_dropped_ns;
	struct tap_hash losses_index;
	struct tap_lock_stats by_query; /* of the waits that have ended within the window */
	struct tap_lock_stats by_lock;
	struct tap_lock_cycle *cycles;
	size_t n_cycles;
	size_t cycles_capacity;
	uint64_t cycles_dropped;
	uint64_t known_cycles[TAP_LOCK_KNOWN_CYCLES];
	size_t next_known;
	uint64_t n_changes; /* waits begun and ended, and cycles, since the caller has seen them */
	int64_t window_begin_ns;
	uint64_t serial;
	uint64_t begun; /* waits since the log was made */
	uint64_t ended;
};

void tap_lock_log_init(struct tap_lock_log *log, int64_t now_ns);
void tap_lock_log_done(struct tap_lock_log *log);
/* The next window begins: what has ended and what has changed is forgotten, what is open stays. */
void tap_lock_log_next(struct tap_lock_log *log, int64_t now_ns);

/*
 * A wait begins: `wait` is copied. One of the same thread that is still open has ended unseen; when it is the same wait
 * (same tag and the same engine's start) it is merged. 0 or -ENOMEM.
 */
int tap_lock_log_begin(struct tap_lock_log *log, const struct tap_lock_wait *wait);
/*
 * A wait ends: the open one of `wait`'s thread, if any, else `wait` itself with what it says. A waiter's row that
 * became known since is taken over. 0 or -ENOMEM.
 */
int tap_lock_log_end(struct tap_lock_log *log, const struct tap_lock_wait *wait);
/*
 * Waits of one row for one object that began and ended without a record: they are in all sums, not among the single
 * ones, and who stood in their way is not known.
 */
void tap_lock_log_add_sum(struct tap_lock_log *log, const struct tap_row_key *row, const struct tap_lock_object *object,
			  uint8_t mode, const struct tap_lock_stat_sum *sum);
/* An open wait whose end was not seen: it is over by `now_ns` at the latest. 0 or -ENOMEM. */
int tap_lock_log_vanish(struct tap_lock_log *log, struct tap_lock_wait *open, int64_t now_ns);
/* The open wait of a process; NULL: none. Valid until the next change. */
struct tap_lock_wait *tap_lock_log_find(struct tap_lock_log *log, uint32_t instance, int32_t pid);
/* Takes `members` over (malloc'd, their queries too) also on failure. 0, -EEXIST when it is known already (or
 * there is no room), -ENOMEM. */
int tap_lock_log_cycle(struct tap_lock_log *log, struct tap_lock_cycle *cycle);
/* Frees what a cycle holds that no log has taken. */
void tap_lock_cycle_done(struct tap_lock_cycle *cycle);
/* Whether an open wait that began at `until_ns` at the latest is a later one than that of `serial`. */
bool tap_lock_log_has_lasting(const struct tap_lock_log *log, uint64_t serial, int64_t until_ns);
/* Forgets the changes: the caller has seen them. */
void tap_lock_log_changes_taken(struct tap_lock_log *log);

/* The object of a tag by itself. */
void tap_lock_object_of(uint32_t instance, const struct tap_lock_tag *tag, struct tap_lock_object *ret);

#endif
