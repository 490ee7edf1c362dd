/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * locks.h - the locks view under construction: what its lists share; private to correlate/model.
 *
 * locks.c makes the waits and holders of now, lock_past.c what the window saw end, lock_stats.c how long waits took,
 * lock_risks.c what it may lead to, lock_names.c what a lock is called.
 */
#ifndef TAP_CORRELATE_MODEL_LOCKS_H
#define TAP_CORRELATE_MODEL_LOCKS_H

#include "correlate/lock_event.h"
#include "correlate/model/build.h"
#include "correlate/model/lock_chain.h"

/* One instance's table, worked through. */
struct tap_lock_part {
	uint32_t instance;
	const char *id; /* in the arena */
	const struct tap_window_instance *info;
	const struct tap_lock_table *table;
	struct tap_lock_graph graph;
	struct tap_lock_chain chain;
};

/* A list that grows in the arena's place until it is known how long it is. */
struct tap_lock_list {
	void *items;
	size_t count;
	size_t capacity;
	size_t size; /* of an item */
	bool failed;
};

/* A zeroed item at the end; NULL (and `failed`) when out of memory. */
void *tap_lock_list_add(struct tap_lock_list *list);
/* The items in the arena, the first `limit` of them (0: all), and the list given up. */
void *tap_lock_list_take(struct tap_lock_list *list, struct tap_arena *arena, size_t limit, size_t *ret_count);

/* What a lock is called. Of a wait, what else its process holds in `table` tells which row a transaction stands for. */
void tap_lock_describe(struct tap_build *build, uint32_t instance, const struct tap_lock_tag *tag, uint8_t mode,
		       struct tap_view_lock *ret);
void tap_lock_describe_wait(struct tap_build *build, uint32_t instance, const struct tap_lock_table *table,
			    const struct tap_lock_entry *entry, struct tap_view_lock *ret);
/* The same with the relation that a wait seen earlier was found to be about. */
void tap_lock_describe_seen(struct tap_build *build, const struct tap_lock_tag *tag, uint8_t mode,
			    const struct tap_lock_object *object, struct tap_view_lock *ret);
/* Of an object that is the same in several waits. */
void tap_lock_describe_object(struct tap_build *build, const struct tap_lock_object *object, uint8_t mode,
			      struct tap_view_lock *ret);

/* Whether --instance and --database ask for a lock of a database (oid; 0: of none). */
bool tap_lock_is_wanted(const struct tap_build *build, uint32_t instance, uint32_t database);

/* What a cycle of that kind is called, and what becomes of it; the view has its victim and verdict. */
void tap_lock_cycle_words(struct tap_view_lock_cycle *view, enum tap_lock_cycle_kind kind);

/* The session of a process; NULL: not known. */
const struct tap_session *tap_lock_session(const struct tap_lock_part *part, int32_t pid);
/* Microseconds since the epoch to an age when the table was read; -1: not known. */
int64_t tap_lock_age_ns(const struct tap_lock_part *part, int64_t since_us);

/* The lists of the log; and patterns in the tables. 0 or -ENOMEM. */
int tap_lock_build_past(struct tap_build *build);
int tap_lock_build_stats(struct tap_build *build);
int tap_lock_build_risks(struct tap_build *build, const struct tap_lock_part *parts, size_t n_parts);

#endif
