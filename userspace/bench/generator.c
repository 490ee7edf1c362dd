// SPDX-License-Identifier: BSD-2-Clause
/* generator.c - starts, watches and ends the load's workers; see generator.h. */
#include "userspace/bench/generator.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "userspace/base/clock.h"
#include "userspace/bench/child.h"

#define CACHE_LINE 64
#define POLL_MS 5
#define PAUSE_SLICE_MS 20
#define RECONNECT_MS 200
#define DEFAULT_CONNECT_MS 30000
#define STOP_MS 2000
#define KILL_MS 2000

enum worker_state {
	WORKER_CONNECTING,
	WORKER_RUNNING,
	WORKER_FAILED, /* before it ever ran */
};

/* One writer each, the worker. Two lines, since processors fetch lines in pairs. */
struct slot {
	_Alignas(2 * CACHE_LINE) _Atomic uint64_t transactions;
	_Atomic uint64_t statements;
	_Atomic uint64_t errors;
	_Atomic uint32_t state;
};

/* MAP_SHARED between the parent and all workers. */
struct board {
	_Alignas(2 * CACHE_LINE) _Atomic uint32_t stop;
	_Atomic uint32_t error_claimed; /* by the first worker with an error, who alone writes the text */
	_Atomic uint32_t error_written;
	_Atomic int32_t error_code;
	char error[TAP_LOAD_ERROR_MAX];
	struct slot slots[];
};

struct tap_generator {
	struct tap_generator_options options;
	struct board *board;
	size_t board_size;
	uint32_t workers;
	bool *ended; /* by worker: reaped */
	pid_t *pids; /* by worker, 0: never started */
};

/* A worker's own side. */
struct worker {
	const struct tap_generator_options *options;
	const struct tap_load_role *role;
	struct board *board;
	struct slot *slot;
	uint32_t index;
	uint64_t steps; /* done */
};

static bool is_stopped(const struct board *board)
{
	return atomic_load_explicit(&board->stop, memory_order_acquire) != 0;
}

static void sleep_ms(uint32_t ms)
{
	const struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&span, NULL);
}

/* Ends early when the workers are to stop. */
static void worker_pause(void *context, uint32_t ms)
{
	const struct worker *worker = context;
	uint64_t until_ms = (uint64_t)tap_clock_ms() + ms, now_ms;

	while (!is_stopped(worker->board) && (now_ms = (uint64_t)tap_clock_ms()) < until_ms) {
		uint64_t left_ms = until_ms - now_ms;

		sleep_ms(left_ms < PAUSE_SLICE_MS ? (uint32_t)left_ms : PAUSE_SLICE_MS);
	}
}

static void count_up(_Atomic uint64_t *counter, uint64_t by)
{
	uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, before + by, memory_order_relaxed);
}

static void note_error(struct worker *worker, int code, const char *text)
{
	struct board *board = worker->board;
	uint32_t unclaimed = 0;

	count_up(&worker->slot->errors, 1);
	if (!atomic_compare_exchange_strong(&board->error_claimed, &unclaimed, 1))
		return;
	snprintf(board->error, sizeof(board->error), "%s", text);
	atomic_store_explicit(&board->error_code, code, memory_order_relaxed);
	atomic_store_explicit(&board->error_written, 1, memory_order_release);
}

static int worker_connect(struct worker *worker, struct tap_load_session *session)
{
	char application[64];
	struct tap_error err = { "" };
	int code;

	snprintf(application, sizeof(application), "dbtap-load %s", worker->role->name);
	code = session->engine->connect(worker->options->conninfo, application, &session->connection, &err);
	if (code) {
		note_error(worker, code, err.text);
		return code;
	}
	code = tap_load_open(worker->role, session);
	if (code) {
		note_error(worker, code, session->error);
		session->engine->disconnect(session->connection);
		session->connection = NULL;
	}
	return code;
}

/* A lost connection is an error like others; the server may come back. */
static bool worker_reconnect(struct worker *worker, struct tap_load_session *session)
{
	session->engine->disconnect(session->connection);
	session->connection = NULL;
	while (!is_stopped(worker->board)) {
		worker_pause(worker, RECONNECT_MS);
		if (!is_stopped(worker->board) && !worker_connect(worker, session))
			return true;
	}
	return false;
}

static bool worker_step(struct worker *worker, struct tap_load_session *session)
{
	uint64_t statements = session->statements;
	int code = tap_load_step(worker->role, session);

	worker->steps++;
	count_up(&worker->slot->statements, session->statements - statements);
	if (!code) {
		count_up(&worker->slot->transactions, 1);
	} else {
		note_error(worker, code, session->error);
		if (session->engine->is_lost(session->connection))
			return worker_reconnect(worker, session);
	}
	if (worker->role->pause_ms)
		worker_pause(worker, worker->role->pause_ms);
	return true;
}

static int work(void *context)
{
	struct worker *worker = context;
	struct tap_load_session session = {
		.engine = worker->options->engine,
		.protocol = worker->options->protocol,
		.scale = worker->options->scale,
		.random = worker->options->seed + worker->index,
		.pause = worker_pause,
		.context = worker,
	};

	/* A terminal's Ctrl-C reaches us too; when to stop is the parent's to say. */
	signal(SIGINT, SIG_IGN);
	if (worker_connect(worker, &session)) {
		atomic_store_explicit(&worker->slot->state, WORKER_FAILED, memory_order_release);
		return 1;
	}
	atomic_store_explicit(&worker->slot->state, WORKER_RUNNING, memory_order_release);
	while (!is_stopped(worker->board) && (!worker->options->steps || worker->steps < worker->options->steps)) {
		if (!worker_step(worker, &session))
			break;
	}
	session.engine->disconnect(session.connection);
	return 0;
}

static int start_worker(struct tap_generator *generator, uint32_t index)
{
	const struct tap_child_options options = { .death_signal = SIGKILL, .keep_fd = -1, .name = "dbtap-load" };
	struct worker worker = {
		.options = &generator->options,
		.role = generator->options.engine->role_of(generator->options.load, index),
		.board = generator->board,
		.slot = &generator->board->slots[index],
		.index = index,
	};

	return tap_child_start(&options, work, &worker, &generator->pids[index]);
}

static int start_workers(struct tap_generator *generator, struct tap_error *err)
{
	for (uint32_t i = 0; i < generator->workers; i++) {
		int code = start_worker(generator, i);

		if (code)
			return tap_error_set(err, code, "load: cannot start worker %u: %s; ask for fewer", i,
					     strerror(-code));
	}
	return 0;
}

static bool has_ended(struct tap_generator *generator, uint32_t index)
{
	if (!generator->ended[index])
		generator->ended[index] = tap_child_wait(generator->pids[index], 0, NULL) != -ETIMEDOUT;
	return generator->ended[index];
}

void tap_generator_first_error(const struct tap_generator *generator, char *text, size_t size)
{
	bool written = atomic_load_explicit(&generator->board->error_written, memory_order_acquire) != 0;

	snprintf(text, size, "%s", written ? generator->board->error : "");
}

static int startup_failed(const struct tap_generator *generator, struct tap_error *err)
{
	char text[TAP_LOAD_ERROR_MAX];
	int code = atomic_load_explicit(&generator->board->error_code, memory_order_relaxed);

	tap_generator_first_error(generator, text, sizeof(text));
	if (!*text)
		return tap_error_set(err, -EIO, "load: a worker died while connecting; check the memory limits");
	return tap_error_set(err, code, "%s", text);
}

static uint32_t count_state(const struct tap_generator *generator, enum worker_state state)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < generator->workers; i++)
		count += atomic_load_explicit(&generator->board->slots[i].state, memory_order_acquire) == state;
	return count;
}

static bool any_died_early(struct tap_generator *generator)
{
	for (uint32_t i = 0; i < generator->workers; i++) {
		/* In this order: one that ends after it was seen to connect is no failure. */
		bool ended = has_ended(generator, i);

		if (ended &&
		    atomic_load_explicit(&generator->board->slots[i].state, memory_order_acquire) != WORKER_RUNNING)
			return true;
	}
	return false;
}

static bool is_interrupted(const struct tap_generator *generator)
{
	return generator->options.interrupted && generator->options.interrupted(generator->options.context);
}

static int await_workers(struct tap_generator *generator, struct tap_error *err)
{
	uint32_t timeout_ms = generator->options.connect_timeout_ms;
	uint64_t until_ms = (uint64_t)tap_clock_ms() + (timeout_ms ? timeout_ms : DEFAULT_CONNECT_MS);

	while (count_state(generator, WORKER_RUNNING) < generator->workers) {
		if (count_state(generator, WORKER_FAILED) || any_died_early(generator))
			return startup_failed(generator, err);
		if (is_interrupted(generator))
			return tap_error_set(err, -EINTR, "load: interrupted while connecting");
		if ((uint64_t)tap_clock_ms() >= until_ms)
			return tap_error_set(err, -ETIMEDOUT, "load: %u of %u workers connected in time; ask for fewer",
					     count_state(generator, WORKER_RUNNING), generator->workers);
		sleep_ms(POLL_MS);
	}
	return 0;
}

static int check_options(const struct tap_generator_options *options, struct tap_error *err)
{
	const struct tap_bench_engine *engine = tap_bench_engine_or_default(options->engine);

	if (engine->absent)
		return tap_error_set(err, -EOPNOTSUPP, "%s", engine->absent);
	if (!engine->role_of(options->load, 0) || (unsigned)options->protocol >= TAP_PROTOCOLS ||
	    !(engine->protocols >> options->protocol & 1))
		return tap_error_set(err, -EINVAL, "load: no such load or protocol; see --help");
	if (options->workers > TAP_GENERATOR_MAX_WORKERS)
		return tap_error_set(err, -EINVAL, "workers: %u is out of range; give 1 to %d", options->workers,
				     TAP_GENERATOR_MAX_WORKERS);
	if (options->scale < 1)
		return tap_error_set(err, -EINVAL, "scale: 0 is out of range; give what the tables were built with");
	return 0;
}

static void free_generator(struct tap_generator *generator)
{
	if (generator->board)
		munmap(generator->board, generator->board_size);
	free(generator->pids);
	free(generator->ended);
	free(generator);
}

static struct tap_generator *new_generator(const struct tap_generator_options *options)
{
	struct tap_generator *generator = calloc(1, sizeof(*generator));
	void *board;

	if (!generator)
		return NULL;
	generator->options = *options;
	generator->options.engine = tap_bench_engine_or_default(options->engine);
	generator->workers = options->workers ? options->workers : tap_load_role_count(options->load);
	generator->pids = calloc(generator->workers, sizeof(*generator->pids));
	generator->ended = calloc(generator->workers, sizeof(*generator->ended));
	generator->board_size = sizeof(struct board) + generator->workers * sizeof(struct slot);
	board = mmap(NULL, generator->board_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board != MAP_FAILED)
		generator->board = board;
	if (generator->pids && generator->ended && generator->board)
		return generator;
	free_generator(generator);
	return NULL;
}

int tap_generator_start(const struct tap_generator_options *options, struct tap_generator **ret, struct tap_error *err)
{
	struct tap_generator *generator;
	int code = check_options(options, err);

	if (code)
		return code;
	generator = new_generator(options);
	if (!generator)
		return tap_error_set(err, -ENOMEM, "load: no memory; ask for fewer workers");
	code = start_workers(generator, err);
	if (!code)
		code = await_workers(generator, err);
	if (code) {
		tap_generator_stop(generator);
		return code;
	}
	/* Only the workers' copies may be used from here on: the caller's strings need not live. */
	generator->options.conninfo = NULL;
	*ret = generator;
	return 0;
}

int tap_generator_warm_up(struct tap_generator *generator, uint32_t ms, struct tap_error *err)
{
	uint64_t until_ms = (uint64_t)tap_clock_ms() + ms;

	while ((uint64_t)tap_clock_ms() < until_ms) {
		if (is_interrupted(generator))
			return tap_error_set(err, -EINTR, "load: interrupted while warming up");
		sleep_ms(POLL_MS);
	}
	return tap_generator_check(generator, err);
}

struct tap_generator_counts tap_generator_worker_counts(const struct tap_generator *generator, uint32_t worker)
{
	const struct slot *slot;

	if (worker >= generator->workers)
		return (struct tap_generator_counts){ 0 };
	slot = &generator->board->slots[worker];
	return (struct tap_generator_counts){
		.transactions = atomic_load_explicit(&slot->transactions, memory_order_relaxed),
		.statements = atomic_load_explicit(&slot->statements, memory_order_relaxed),
		.errors = atomic_load_explicit(&slot->errors, memory_order_relaxed),
	};
}

struct tap_generator_counts tap_generator_counts(const struct tap_generator *generator)
{
	struct tap_generator_counts sum = { 0 };

	for (uint32_t i = 0; i < generator->workers; i++) {
		struct tap_generator_counts one = tap_generator_worker_counts(generator, i);

		sum.transactions += one.transactions;
		sum.statements += one.statements;
		sum.errors += one.errors;
	}
	return sum;
}

uint32_t tap_generator_workers(const struct tap_generator *generator)
{
	return generator->workers;
}

pid_t tap_generator_worker_pid(const struct tap_generator *generator, uint32_t worker)
{
	return worker < generator->workers ? generator->pids[worker] : 0;
}

int tap_generator_check(struct tap_generator *generator, struct tap_error *err)
{
	char text[TAP_LOAD_ERROR_MAX];

	for (uint32_t i = 0; i < generator->workers && !generator->options.steps; i++) {
		if (has_ended(generator, i))
			return tap_error_set(err, -EPIPE, "load: worker %u has died; check the memory limits", i);
	}
	if (!tap_generator_counts(generator).errors)
		return 0;
	tap_generator_first_error(generator, text, sizeof(text));
	return tap_error_set(err, -EIO, "load: statements fail: %s; check the server's log",
			     *text ? text : "no text yet");
}

int tap_generator_await_end(struct tap_generator *generator, uint32_t timeout_ms)
{
	uint64_t until_ms = (uint64_t)tap_clock_ms() + timeout_ms;

	for (uint32_t i = 0; i < generator->workers; i++) {
		while (!has_ended(generator, i)) {
			if ((uint64_t)tap_clock_ms() >= until_ms)
				return -ETIMEDOUT;
			sleep_ms(POLL_MS);
		}
	}
	return 0;
}

void tap_generator_stop(struct tap_generator *generator)
{
	const struct tap_child_step kill_it = { .signal = SIGKILL, .wait_ms = KILL_MS };

	if (!generator)
		return;
	atomic_store_explicit(&generator->board->stop, 1, memory_order_release);
	/* One that was never started has pid 0, which counts as ended. */
	tap_generator_await_end(generator, STOP_MS);
	for (uint32_t i = 0; i < generator->workers; i++) {
		if (!has_ended(generator, i))
			tap_child_end(generator->pids[i], &kill_it, 1, NULL);
	}
	free_generator(generator);
}
