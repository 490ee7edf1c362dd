// SPDX-License-Identifier: BSD-2-Clause
/* throwaway.c - from an empty folder to a server that answers, and back to nothing; see throwaway.h. */
#include "userspace/bench/throwaway.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "userspace/base/clock.h"
#include "userspace/base/strbuf.h"
#include "userspace/bench/child.h"
#include "userspace/bench/folder.h"
#include "userspace/bench/keeper.h"
#include "userspace/bench/server_binaries.h"
#include "userspace/bench/server_program.h"

#define DEFAULT_PORT 5432
#define DEFAULT_BUFFERS_MB 64
#define DEFAULT_CONNECTIONS 100
#define DEFAULT_TIMEOUT_MS 60000
#define POLL_MS 10
#define FAST_STOP_MS 10000
#define IMMEDIATE_STOP_MS 10000 /* the server itself waits 5 s before it kills its children */
#define KILL_WAIT_MS 5000
#define REMOVE_TRIES 50 /* of 20 ms: a killed server's last children may still write */
#define FIRST_VERSION_WITH_QUERY_ID 14
#define MAX_EXTRA_SETTINGS 32
#define OWN_ARGUMENTS 2 /* -D data */

struct tap_throwaway {
	struct tap_server_user user;
	struct tap_keeper *keeper;
	char *bin_folder;
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

static void end_process(pid_t pid, int signal_first, unsigned wait_ms)
{
	const struct tap_child_step asked[] = {
		{ .signal = signal_first, .wait_ms = wait_ms },
		{ .signal = SIGQUIT, .wait_ms = IMMEDIATE_STOP_MS },
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

static int run_initdb(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options,
		      struct tap_error *err)
{
	char *arguments[] = { "-D", "data", "-U",	  "postgres",  "-A", "trust",
			      "-E", "UTF8", "--locale=C", "--no-sync", NULL };
	const struct tap_server_program program = {
		.bin_folder = throwaway->bin_folder,
		.name = "initdb",
		.arguments = arguments,
		.folder = throwaway->folder,
		.user = throwaway->user,
		.death_signal = SIGTERM,
	};
	struct patience patience = new_patience(options);
	int code, status = 0;
	pid_t pid;

	code = tap_server_program_start(&program, &pid);
	if (code)
		return fail_with_words(throwaway, "initdb", code, err);
	while ((code = tap_child_wait(pid, POLL_MS, &status)) == -ETIMEDOUT) {
		code = is_out(&patience);
		if (code) {
			end_process(pid, SIGTERM, KILL_WAIT_MS);
			return fail_with_words(throwaway, "initdb", code, err);
		}
	}
	return code || status ? fail_with_words(throwaway, "initdb", code ? code : -EIO, err) : 0;
}

static int read_version(struct tap_throwaway *throwaway, struct tap_error *err)
{
	char *path = NULL;
	FILE *file;
	unsigned version = 0;

	if (asprintf(&path, "%s/data/PG_VERSION", throwaway->folder) < 0)
		return -ENOMEM;
	file = fopen(path, "re");
	free(path);
	if (file) {
		if (fscanf(file, "%4u", &version) != 1)
			version = 0;
		fclose(file);
	}
	if (!version)
		return fail_with_words(throwaway, "initdb", -EIO, err);
	throwaway->version = version;
	return 0;
}

/* Arguments "-c name=value"; the strings live until done. */
struct settings {
	char *arguments[TAP_SERVER_PROGRAM_MAX_ARGUMENTS + 1];
	size_t count;
	bool failed;
};

static void settings_add(struct settings *settings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void settings_add(struct settings *settings, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int size;

	va_start(args, format);
	size = vasprintf(&text, format, args);
	va_end(args);
	if (size < 0 || settings->count + 2 > TAP_SERVER_PROGRAM_MAX_ARGUMENTS) {
		if (size >= 0)
			free(text);
		settings->failed = true;
		return;
	}
	settings->arguments[settings->count++] = "-c";
	settings->arguments[settings->count++] = text;
}

static void settings_done(struct settings *settings)
{
	for (size_t i = OWN_ARGUMENTS + 1; i < settings->count; i += 2)
		free(settings->arguments[i]);
}

static void settings_make(const struct tap_throwaway *throwaway, const struct tap_throwaway_options *options,
			  struct settings *settings)
{
	uint32_t buffers_mb = options->shared_buffers_mb ? options->shared_buffers_mb : DEFAULT_BUFFERS_MB;

	settings_add(settings, "listen_addresses=");
	settings_add(settings, "unix_socket_directories=%s", throwaway->folder);
	settings_add(settings, "unix_socket_permissions=0700");
	settings_add(settings, "port=%u", throwaway->port);
	settings_add(settings, "logging_collector=off");
	settings_add(settings, "log_destination=stderr");
	settings_add(settings, "fsync=%s", options->fsync ? "on" : "off");
	settings_add(settings, "shared_buffers=%uMB", buffers_mb);
	settings_add(settings, "max_connections=%u",
		     options->max_connections ? options->max_connections : DEFAULT_CONNECTIONS);
	if (throwaway->version >= FIRST_VERSION_WITH_QUERY_ID)
		settings_add(settings, "compute_query_id=on");
	if (options->preload)
		settings_add(settings, "shared_preload_libraries=%s", options->preload);
	for (size_t i = 0; options->settings && options->settings[i] && i < MAX_EXTRA_SETTINGS; i++)
		settings_add(settings, "%s", options->settings[i]);
}

static int launch_server(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options)
{
	struct settings settings = { .arguments = { "-D", "data" }, .count = OWN_ARGUMENTS };
	const struct tap_server_program program = {
		.bin_folder = throwaway->bin_folder,
		.name = "postgres",
		.arguments = settings.arguments,
		.folder = throwaway->folder,
		.user = throwaway->user,
		.death_signal = throwaway->keep ? 0 : SIGQUIT,
	};
	int code;

	settings_make(throwaway, options, &settings);
	code = settings.failed ? -E2BIG : tap_server_program_start(&program, &throwaway->pid);
	settings_done(&settings);
	return code;
}

static int await_server(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options)
{
	struct patience patience = new_patience(options);
	int code;

	while (PQping(throwaway->conninfo) != PQPING_OK) {
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
	return code ? fail_with_words(throwaway, "postgres", code, err) : 0;
}

static int set_conninfo(struct tap_throwaway *throwaway, struct tap_error *err)
{
	struct tap_strbuf text;

	if (strlen(throwaway->folder) + sizeof("/.s.PGSQL.65535") > sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return tap_error_set(err, -ENAMETOOLONG, "%s: too long for a socket's path; use a shorter folder",
				     throwaway->folder);
	tap_strbuf_init(&text);
	tap_strbuf_add_string(&text, "host='");
	for (const char *at = throwaway->folder; *at; at++) {
		if (*at == '\'' || *at == '\\')
			tap_strbuf_add_char(&text, '\\');
		tap_strbuf_add_char(&text, *at);
	}
	tap_strbuf_printf(&text, "' port=%u user=postgres dbname=postgres connect_timeout=10", throwaway->port);
	throwaway->conninfo = tap_strbuf_take(&text);
	return throwaway->conninfo ? 0 : -ENOMEM;
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
	code = tap_keeper_start(throwaway->folder, &throwaway->keeper);
	return code ? tap_error_set(err, code, "throwaway server: cannot start a process: %s; free some",
				    strerror(-code))
		    : 0;
}

static int set_up(struct tap_throwaway *throwaway, const struct tap_throwaway_options *options, struct tap_error *err)
{
	int code = tap_server_binaries_find(options->bin_folder, NULL, NULL, &throwaway->bin_folder, err);

	if (!code)
		code = tap_server_user_find(&throwaway->user, err);
	if (!code)
		code = make_folder(throwaway, options, err);
	if (!code)
		code = set_conninfo(throwaway, err);
	if (!code)
		code = run_initdb(throwaway, options, err);
	if (!code)
		code = read_version(throwaway, err);
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
	free(throwaway->bin_folder);
	free(throwaway->folder);
	free(throwaway->conninfo);
	free(throwaway);
}

/* Ends and removes all there is; also of one that never got far. */
static int clear_away(struct tap_throwaway *throwaway, struct tap_error *err)
{
	int code = 0;

	if (throwaway->pid)
		end_process(throwaway->pid, SIGINT, FAST_STOP_MS);
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
	return throwaway->bin_folder;
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
