/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server_program.h - runs a server or its installer as an unprivileged user, with a log in the throwaway's folder.
 *
 * Called by throwaway.c; what arguments they get engine.h says. Processes themselves: child.h.
 */
#ifndef TAP_USERSPACE_BENCH_SERVER_PROGRAM_H
#define TAP_USERSPACE_BENCH_SERVER_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "userspace/base/error.h"

/* Who a server runs as. */
struct tap_server_user {
	bool change; /* we are root: become this user; else stay who we are */
	uid_t uid;
	gid_t gid;
};

/*
 * The first of `names` (NULL-terminated) that is there when we are root, ourselves otherwise. -ENOENT: we are root and
 * there is none; `product`, for the message, is whose server refuses root.
 */
int tap_server_user_find(const char *const *names, const char *product, struct tap_server_user *ret,
			 struct tap_error *err);

struct tap_server_program {
	const char *bin_folder;
	const char *name;
	char *const *arguments; /* NULL-terminated, without argv[0] */
	const char *folder;	/* working folder; FOLDER/log gets stdout and stderr */
	struct tap_server_user user;
	int death_signal; /* see child.h */
};

#define TAP_SERVER_PROGRAM_MAX_ARGUMENTS 128

/*
 * Starts the program in a session of its own, with an environment of its own (LC_ALL=C, no PG* variables). -E2BIG: too
 * many arguments. A program that cannot be executed ends with status 127.
 */
int tap_server_program_start(const struct tap_server_program *program, pid_t *ret_pid);

/* The first FATAL, PANIC or [ERROR] line of the log's last 4 KiB, else its last line that is not empty, else "".
 * NUL-terminated.
 */
void tap_server_program_last_words(const char *folder, char *text, size_t size);

/*
 * The last resort: kills the process and its direct children (a server's backends are session leaders, out of reach of
 * a signal to the group). The caller reaps.
 */
void tap_server_program_kill(pid_t pid);

#endif
