/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generator.h - worker processes that keep a server busy and count what they finished.
 *
 * Owns the processes, their connections and the shared pages with their counters; what a worker does is load.h's. The
 * counters can be read at any moment without disturbing the workers: each has cache lines of its own and one writer.
 * Workers inherit no descriptor, so a BPF link the parent destroys is really gone, and they die with the thread that
 * started them. Called by `dbtap bench overhead`, `dbtap demo` and tests.
 */
#ifndef TAP_USERSPACE_BENCH_GENERATOR_H
#define TAP_USERSPACE_BENCH_GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/base/error.h"
#include "userspace/bench/engine.h"
#include "userspace/bench/load.h"

#define TAP_GENERATOR_MAX_WORKERS 1024

struct tap_generator_options {
	const struct tap_bench_engine *engine; /* NULL: PostgreSQL */
	const char *conninfo;		       /* the tables are there: engine->build */
	enum tap_load_kind load;
	enum tap_load_protocol protocol;
	uint32_t workers;		    /* 0: tap_load_role_count; at most TAP_GENERATOR_MAX_WORKERS */
	uint32_t scale;			    /* as given to tap_schema_build */
	uint64_t seed;			    /* of the random accounts; worker i has seed + i */
	uint64_t steps;			    /* a worker ends after so many transactions, failed ones too; 0: never */
	uint32_t connect_timeout_ms;	    /* for all workers together; 0: 30,000 */
	bool (*interrupted)(void *context); /* asked while waiting for the workers; NULL: never */
	void *context;
};

struct tap_generator_counts {
	uint64_t transactions;
	uint64_t statements;
	uint64_t errors;
};

struct tap_generator;

/*
 * Returns when every worker has connected and is at work. -EINVAL; -ECONNREFUSED or -EIO: a worker could not connect or
 * open its role, the server's text is in the error; -ETIMEDOUT; -EINTR; after a failure no worker is left.
 */
int tap_generator_start(const struct tap_generator_options *options, struct tap_generator **ret, struct tap_error *err);

/* Lets the load run for `ms`, to fill caches. -EINTR when `interrupted` said so; else as tap_generator_check. */
int tap_generator_warm_up(struct tap_generator *generator, uint32_t ms, struct tap_error *err);

/* Sums over the workers; never falls. */
struct tap_generator_counts tap_generator_counts(const struct tap_generator *generator);
struct tap_generator_counts tap_generator_worker_counts(const struct tap_generator *generator, uint32_t worker);
uint32_t tap_generator_workers(const struct tap_generator *generator);
pid_t tap_generator_worker_pid(const struct tap_generator *generator, uint32_t worker);
/* Text of the first error of any worker, "" when there was none. One line. `text` is always terminated. */
void tap_generator_first_error(const struct tap_generator *generator, char *text, size_t size);

/* Is the load still what it was? -EPIPE: a worker has died; -EIO: there were errors, the first is in the message. */
int tap_generator_check(struct tap_generator *generator, struct tap_error *err);

/* Waits until workers with a limited number of steps have ended. -ETIMEDOUT. */
int tap_generator_await_end(struct tap_generator *generator, uint32_t timeout_ms);

/*
 * Asks the workers to finish what they are at and close their connections, ends by force who has not within 2 s, reaps
 * all, frees. NULL is fine. Read the counts before.
 */
void tap_generator_stop(struct tap_generator *generator);

#endif
