// SPDX-License-Identifier: BSD-2-Clause
/* server_program.c - user, environment, log and end of the server's programs; see server_program.h. */
#include "userspace/bench/server_program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/bench/child.h"

#define LOG_TAIL 4096
#define EXEC_FAILED 127

int tap_server_user_find(const char *const *names, const char *product, struct tap_server_user *ret,
			 struct tap_error *err)
{
	struct tap_server_user user = { .uid = geteuid(), .gid = getegid() };

	if (user.uid != 0) {
		*ret = user;
		return 0;
	}
	for (size_t i = 0; names[i]; i++) {
		const struct passwd *entry = getpwnam(names[i]);

		if (!entry || entry->pw_uid == 0)
			continue;
		*ret = (struct tap_server_user){ .change = true, .uid = entry->pw_uid, .gid = entry->pw_gid };
		return 0;
	}
	return tap_error_set(err, -ENOENT, "%s refuses to run as root and there is no user %s or nobody; add one",
			     product, names[0]);
}

struct launch {
	const char *folder;
	const char *path;
	char **argv;
};

static int become_program(void *context)
{
	static char *const environment[] = { "LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin", NULL };
	const struct launch *launch = context;
	int log_fd;

	umask(077);
	if (chdir(launch->folder))
		return EXEC_FAILED;
	log_fd = open("log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (log_fd < 0 || dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0)
		return EXEC_FAILED;
	execve(launch->path, launch->argv, environment);
	dprintf(STDERR_FILENO, "FATAL:  cannot execute %s: %s\n", launch->path, strerror(errno));
	return EXEC_FAILED;
}

int tap_server_program_start(const struct tap_server_program *program, pid_t *ret_pid)
{
	const struct tap_child_options options = {
		.death_signal = program->death_signal,
		.keep_fd = -1,
		.own_session = true,
		.change_user = program->user.change,
		.uid = program->user.uid,
		.gid = program->user.gid,
	};
	char *argv[TAP_SERVER_PROGRAM_MAX_ARGUMENTS + 2] = { NULL };
	struct launch launch = { .folder = program->folder, .argv = argv };
	char *path = NULL;
	int err;

	for (size_t i = 0; program->arguments[i]; i++) {
		if (i >= TAP_SERVER_PROGRAM_MAX_ARGUMENTS)
			return -E2BIG;
		argv[i + 1] = program->arguments[i];
	}
	if (asprintf(&path, "%s/%s", program->bin_folder, program->name) < 0)
		return -ENOMEM;
	argv[0] = path;
	launch.path = path;
	err = tap_child_start(&options, become_program, &launch, ret_pid);
	free(path);
	return err;
}

/* The log belongs to the server's user: only a regular file is read, and only its end. */
static size_t read_log_tail(const char *folder, char *tail, size_t size)
{
	char *path = NULL;
	struct stat info;
	ssize_t got = -1;
	int fd;

	if (asprintf(&path, "%s/log", folder) < 0)
		return 0;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return 0;
	if (!fstat(fd, &info) && S_ISREG(info.st_mode))
		got = pread(fd, tail, size, info.st_size > (off_t)size ? info.st_size - (off_t)size : 0);
	close(fd);
	return got > 0 ? (size_t)got : 0;
}

void tap_server_program_last_words(const char *folder, char *text, size_t size)
{
	char tail[LOG_TAIL + 1];
	char *rest = tail, *line, *words = "";

	tail[read_log_tail(folder, tail, LOG_TAIL)] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		if (strspn(line, " \t\r") == strlen(line))
			continue;
		words = line;
		if (strstr(line, "FATAL:") || strstr(line, "PANIC:") || strstr(line, "[ERROR]"))
			break;
	}
	snprintf(text, size, "%s", words);
}

/* Field 4 of /proc/PID/stat, behind a name that may hold anything, parentheses too; 0: gone. */
static pid_t parent_of(const char *pid_name)
{
	char path[64], text[512];
	const char *behind;
	int fd, parent = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid_name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	behind = strrchr(text, ')');
	return behind && sscanf(behind, ") %*c %d", &parent) == 1 ? parent : 0;
}

static void kill_children(pid_t parent)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	while (processes && (entry = readdir(processes))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 1 && parent_of(entry->d_name) == parent)
			kill(pid, SIGKILL);
	}
	if (processes)
		closedir(processes);
}

void tap_server_program_kill(pid_t pid)
{
	/* Stopped, it can neither start more of them nor reap one, so no number changes hands. */
	kill(pid, SIGSTOP);
	kill_children(pid);
	kill(pid, SIGKILL);
}
