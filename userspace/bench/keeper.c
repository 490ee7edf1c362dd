// SPDX-License-Identifier: BSD-2-Clause
/* keeper.c - waits for its parent's end and removes a folder; see keeper.h. */
#include "userspace/bench/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "userspace/bench/child.h"
#include "userspace/bench/folder.h"

#define SERVER_END_POLLS 150 /* of 100 ms: a server kills its own children after 5 s */
#define REMOVE_TRIES 50	     /* of 100 ms */
#define DISMISS_WAIT_MS 2000

struct tap_keeper {
	int fd;
	pid_t pid;
};

struct server {
	const char *folder;
	const char *lock;
};

static void pause_tenth(void)
{
	const struct timespec tenth = { .tv_nsec = 100000000 };

	nanosleep(&tenth, NULL);
}

/* The server's lock file goes when it has ended; one that crashed leaves it, hence the bound. */
static void await_server_end(const struct server *server)
{
	char *lock = NULL;

	if (asprintf(&lock, "%s/%s", server->folder, server->lock) < 0)
		return;
	for (int i = 0; i < SERVER_END_POLLS && !access(lock, F_OK); i++)
		pause_tenth();
	free(lock);
}

static int keep(void *context)
{
	const struct server *server = context;
	char byte;
	ssize_t got;

	do
		got = read(TAP_CHILD_KEPT_FD, &byte, 1);
	while (got > 0 || (got < 0 && errno == EINTR));
	await_server_end(server);
	for (int i = 0; i < REMOVE_TRIES && tap_folder_remove(server->folder); i++)
		pause_tenth();
	return 0;
}

static int start_process(struct tap_keeper *keeper, struct server *server)
{
	struct tap_child_options options = {
		.own_session = true,
		.name = "dbtap-keeper",
	};
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	options.keep_fd = ends[0];
	err = tap_child_start(&options, keep, server, &keeper->pid);
	close(ends[0]);
	if (err) {
		close(ends[1]);
		return err;
	}
	keeper->fd = ends[1];
	return 0;
}

int tap_keeper_start(const char *folder, const char *lock, struct tap_keeper **ret)
{
	struct server server = { .folder = folder, .lock = lock };
	struct tap_keeper *keeper = calloc(1, sizeof(*keeper));
	int err;

	if (!keeper)
		return -ENOMEM;
	err = start_process(keeper, &server);
	if (err) {
		free(keeper);
		return err;
	}
	*ret = keeper;
	return 0;
}

void tap_keeper_dismiss(struct tap_keeper *keeper)
{
	const struct tap_child_step kill_it = { .signal = SIGKILL, .wait_ms = DISMISS_WAIT_MS };

	if (!keeper)
		return;
	/* Before the pipe closes, or it would take that for our end. */
	tap_child_end(keeper->pid, &kill_it, 1, NULL);
	close(keeper->fd);
	free(keeper);
}
