/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.h - takes snapshots from an attached tracer, and drains the query texts it sent.
 */
#ifndef TAP_USERSPACE_CONSUME_READER_H
#define TAP_USERSPACE_CONSUME_READER_H

#include "correlate/snapshot.h"
#include "correlate/texts.h"
#include "userspace/base/error.h"
#include "userspace/load/tracer.h"

struct tap_reader;

/* Borrows the tracer, which must outlive the reader. */
int tap_reader_new(struct tap_tracer *tracer, struct tap_reader **ret, struct tap_error *err);
/* NULL is fine. */
void tap_reader_free(struct tap_reader *reader);

struct tap_reader_wants {
	const uint32_t *disks; /* whose own counters are read, major << 20 | minor */
	size_t n_disks;
	size_t n_instances; /* whose checkpoints are read */
	bool streams;	    /* as well: many and large */
	bool memory;	    /* what processes, groups and the host hold: a few files a process */
};

/* Everything the kernel side knows now, into an initialised, empty snapshot. Exact: no row is counted twice or missed.
 */
int tap_reader_take(struct tap_reader *reader, const struct tap_reader_wants *wants, struct tap_snapshot *ret,
		    struct tap_error *err);

/* The files seen so far alone, into an initialised, empty set. 0 or a negative errno. */
int tap_reader_take_files(struct tap_reader *reader, struct tap_io_set *ret);

/* What is to be done with each record of a lock wait; 0 or a negative errno, which ends the draining. */
struct tap_lock_event;
typedef int (*tap_reader_on_lock)(void *context, const struct tap_lock_event *record);
void tap_reader_set_on_lock(struct tap_reader *reader, tap_reader_on_lock on_lock, void *context);

/* ... with each record of a statement, tap_statement_event and its text. */
typedef int (*tap_reader_on_statement)(void *context, const void *record, size_t size);
void tap_reader_set_on_statement(struct tap_reader *reader, tap_reader_on_statement on_statement, void *context);
/* ... of each process that was chosen to be killed. */
struct tap_kill_event;
typedef int (*tap_reader_on_kill)(void *context, const struct tap_kill_event *record);
void tap_reader_set_on_kill(struct tap_reader *reader, tap_reader_on_kill on_kill, void *context);

/* Sleeps until the kernel side has something that cannot wait, at most `ms`, or a signal comes. */
void tap_reader_sleep(struct tap_reader *reader, int ms);

/* Moves the texts that arrived into `texts`, and hands out the records of lock waits. */
int tap_reader_drain(struct tap_reader *reader, struct tap_texts *texts);

#endif
