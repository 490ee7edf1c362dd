// SPDX-License-Identifier: BSD-2-Clause
/* throwaway.c - from an empty folder to a server that answers, and back to nothing; see throwaway.h. */
#include "userspace/bench/throwaway.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "userspace/base/clock.h"
#include "userspace/bench/child.h"
#include "userspace/bench/engine.h"
#include "userspace/bench/folder.h"
#include "userspace/bench/keeper.h"
#include "userspace/bench/server_program.h"

#define DEFAULT_PORT 5432
#define DEFAULT_TIMEOUT_MS 60000
#define POLL_MS 10
#define FAST_STOP_MS 10000
#define IMMEDIATE_STOP_MS 10000 /* the server itself waits 5 s before it kills its children */
#define KILL_WAIT_MS 5000
#define REMOVE_TRIES 50 /* of 20 ms: a killed server's last children may still write */

struct tap_throwaway {
	const struct tap_bench_engine *engine;
	struct tap_server_user user;
	struct tap_keeper *keeper;
	struct tap_bench_programs programs;
	char *folder;
	char *conninfo;
	uint32_t port;
	uint32_t version;
	pid_t pid; /* 0: not running */
	bool keep;
};

/* Wait in small steps for one of three: the child's end, the caller's interrupt, the deadline. */
struct patience {
	const struct tap_throwaway_options *options;
	uint64_t deadline_ms;
};

static struct patience new_patience(const struct tap_throwaway_options *options)
{
	return (struct patience){
		.options = options,
		.deadline_ms =
			(uint64_t)tap_clock_ms() + (options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS),
	};
}

static int is_out(const struct patience *patience)
{
	const struct tap_throwaway_options *options = patience->options;

	if (options->interrupted && options->interrupted(options->context))
		return -EINTR;
	return (uint64_t)tap_clock_ms() >= patience->deadline_ms ? -ETIMEDOUT : 0;
}

static struct tap_bench_place place_of(const struct tap_throwaway *throwaway)
{
	return (struct tap_bench_place){
		.folder = throwaway->folder,
		.port = throwaway->port,
		.version = throwaway->version,
		.pid = throwaway->pid,
	};
}

static void end_process(pid_t pid, int signal_first, unsigned wait_ms, int signal_then)
{
	const struct tap_child_step asked[] = {
		{ .signal = signal_first, .wait_ms = wait_ms },
		{ .signal = signal_then, .wait_ms = IMMEDIATE_STOP_MS },
	};

	if (tap_child_end(pid, asked, 2, NULL) != -ETIMEDOUT)
		return;
	tap_server_program_kill(pid);
	tap_child_wait(pid, KILL_WAIT_MS, NULL);
}

static int fail_with_words(const struct tap_throwaway *throwaway, const char *program, int code, struct tap_error *err)
{
	char words[256];

	if (code == -EINTR)
		return tap_error_set(err, code, "throwaway server: interrupted while starting");
	tap_server_program_last_words(throwaway->folder, words, sizeof(words));
	return tap_error_set(err, code, "throwaway server: %s %s (%s); try another bin folder or TMPDIR", program,
			     code == -ETIMEDOUT ? "did not finish in time" : "failed", *words ? words : "no message");
}

/* A program of the engine with its arguments, which it takes. */
static int start_program(struct tap_throwaway *throwaway, const char *folder, const char *name, int death_signal,
			 struct tap_arguments *arguments, pid_t *ret_pid)
{
	const struct tap_server_program program = {
		.bin_folder = folder,
		.name = name,
		.arguments = arguments->texts,
		.folder = throwaway->folder,
		.user = throwaway->user,
		.death_signal = death_signal,
	};
	int code = arguments->failed ? -E2BIG : tap_server_program_start(&program, ret_pid);

	tap_arguments_done(arguments);
	return code;
}

static int run_installer(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options,
			 struct tap_error *err)
{
	const struct tap_bench_engine *engine = throwaway->engine;
	struct tap_bench_place place = place_of(throwaway);
	struct patience patience = new_patience(options);
	struct tap_arguments arguments = { 0 };
	int code, status = 0;
	pid_t pid;

	engine->installer_arguments(&place, &arguments);
	code = start_program(throwaway, throwaway->programs.installer_folder, engine->installer, SIGTERM, &arguments,
			     &pid);
	if (code)
		return fail_with_words(throwaway, engine->installer, code, err);
	while ((code = tap_child_wait(pid, POLL_MS, &status)) == -ETIMEDOUT) {
		code = is_out(&patience);
		if (code) {
			end_process(pid, SIGTERM, KILL_WAIT_MS, SIGQUIT);
			return fail_with_words(throwaway, engine->installer, code, err);
		}
	}
	if (!code && !status)
		throwaway->version = engine->version(&place);
	return code || !throwaway->version ? fail_with_words(throwaway, engine->installer, code ? code : -EIO, err) : 0;
}

static int launch_server(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options)
{
	const struct tap_bench_engine *engine = throwaway->engine;
	struct tap_bench_place place = place_of(throwaway);
	struct tap_arguments arguments = { 0 };

	engine->server_arguments(&place, options, &arguments);
	return start_program(throwaway, throwaway->programs.server_folder, engine->server,
			     throwaway->keep ? 0 : engine->quick_signal, &arguments, &throwaway->pid);
}

static int await_server(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options)
{
	struct patience patience = new_patience(options);
	int code;

	while (!throwaway->engine->answers(throwaway->conninfo)) {
		code = tap_child_wait(throwaway->pid, POLL_MS, NULL);
		if (code != -ETIMEDOUT) {
			throwaway->pid = 0;
			return -EIO;
		}
		code = is_out(&patience);
		if (code)
			return code;
	}
	return 0;
}

static int run_server(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options,
		      struct tap_error *err)
{
	int code = launch_server(throwaway, options);

	if (!code)
		code = await_server(throwaway, options);
	return code ? fail_with_words(throwaway, throwaway->engine->server, code, err) : 0;
}

static int make_folder(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options,
		       struct tap_error *err)
{
	const struct tap_server_user *user = &throwaway->user;
	int code = tap_folder_make(options->parent_folder, user->uid, user->gid, &throwaway->folder);

	if (code)
		return tap_error_set(
			err, code, "throwaway server: cannot make a folder in %s: %s; set TMPDIR to another",
			options->parent_folder ? options->parent_folder : "$TMPDIR or /tmp", strerror(-code));
	if (throwaway->keep)
		return 0;
	code = tap_keeper_start(throwaway->folder, throwaway->engine->lock, &throwaway->keeper);
	return code ? tap_error_set(err, code, "throwaway server: cannot start a process: %s; free some",
				    strerror(-code))
		    : 0;
}

static int find_place(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options,
		      struct tap_error *err)
{
	const struct tap_bench_engine *engine = throwaway->engine;
	struct tap_bench_place place;
	int code;

	if (engine->absent)
		return tap_error_set(err, -EOPNOTSUPP, "%s", engine->absent);
	code = engine->find(options->bin_folder, &throwaway->programs, err);
	if (!code)
		code = tap_server_user_find(engine->users, engine->product, &throwaway->user, err);
	if (!code)
		code = make_folder(throwaway, options, err);
	if (code)
		return code;
	place = place_of(throwaway);
	return engine->where(&place, &throwaway->conninfo, err);
}

static int set_up(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options, struct tap_error *err)
{
	int code = find_place(throwaway, options, err);

	if (!code)
		code = run_installer(throwaway, options, err);
	return code ? code : run_server(throwaway, options, err);
}

static int remove_folder(const char *folder)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	int code = tap_folder_remove(folder);

	for (int i = 0; code && i < REMOVE_TRIES; i++) {
		nanosleep(&pause, NULL);
		code = tap_folder_remove(folder);
	}
	return code;
}

static void free_throwaway(struct tap_throwaway *throwaway)
{
	tap_bench_programs_done(&throwaway->programs);
	free(throwaway->folder);
	free(throwaway->conninfo);
	free(throwaway);
}

/* Ends and removes all there is; also of one that never got far. */
static int clear_away(struct tap_throwaway *throwaway, struct tap_error *err)
{
	int code = 0;

	if (throwaway->pid)
		end_process(throwaway->pid, throwaway->engine->stop_signal, FAST_STOP_MS,
			    throwaway->engine->quick_signal);
	if (throwaway->folder)
		code = remove_folder(throwaway->folder);
	if (code)
		code = tap_error_set(err, -EIO, "%s: cannot be removed: %s; remove it by hand", throwaway->folder,
				     strerror(-code));
	tap_keeper_dismiss(throwaway->keeper);
	free_throwaway(throwaway);
	return code;
}

int tap_throwaway_start(const struct tap_throwaway_options *options, struct tap_throwaway **ret, struct tap_error *err)
{
	struct tap_throwaway *throwaway = calloc(1, sizeof(*throwaway));
	int code;

	if (!throwaway)
		return tap_error_set(err, -ENOMEM, "throwaway server: no memory; free some");
	throwaway->engine = tap_bench_engine_or_default(options->engine);
	throwaway->keep = options->keep;
	throwaway->port = options->port ? options->port : DEFAULT_PORT;
	code = set_up(throwaway, options, err);
	if (code) {
		clear_away(throwaway, NULL);
		return code;
	}
	*ret = throwaway;
	return 0;
}

int tap_throwaway_stop(struct tap_throwaway *throwaway, struct tap_error *err)
{
	if (!throwaway)
		return 0;
	if (throwaway->keep) {
		free_throwaway(throwaway);
		return 0;
	}
	return clear_away(throwaway, err);
}

const char *tap_throwaway_conninfo(const struct tap_throwaway *throwaway)
{
	return throwaway->conninfo;
}

const char *tap_throwaway_folder(const struct tap_throwaway *throwaway)
{
	return throwaway->folder;
}

const char *tap_throwaway_bin_folder(const struct tap_throwaway *throwaway)
{
	return throwaway->programs.server_folder;
}

uint32_t tap_throwaway_port(const struct tap_throwaway *throwaway)
{
	return throwaway->port;
}

pid_t tap_throwaway_pid(const struct tap_throwaway *throwaway)
{
	return throwaway->pid;
}

uint32_t tap_throwaway_version(const struct tap_throwaway *throwaway)
{
	return throwaway->version;
}

void tap_throwaway_instance(const struct tap_throwaway *throwaway, char *text, size_t size)
{
	struct tap_bench_place place = place_of(throwaway);

	throwaway->engine->instance(&place, text, size);
}
