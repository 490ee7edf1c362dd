// SPDX-License-Identifier: BSD-2-Clause
/* arrivals.c - the pids of /proc, compared with those of the last time. */
#include "userspace/attach/arrivals.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/attach/proc.h"

enum {
	PIDS_FIRST = 512,
};

void tap_arrivals_init(struct tap_arrivals *arrivals)
{
	*arrivals = (struct tap_arrivals){ 0 };
}

void tap_arrivals_done(struct tap_arrivals *arrivals)
{
	free(arrivals->pids);
	tap_arrivals_init(arrivals);
}

static int by_pid(const void *a, const void *b)
{
	int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;

	return (left > right) - (left < right);
}

static bool pid_add(int32_t **pids, size_t *count, size_t *capacity, int32_t pid)
{
	if (*count == *capacity) {
		size_t more = *capacity ? *capacity * 2 : PIDS_FIRST;
		int32_t *grown = reallocarray(*pids, more, sizeof(**pids));

		if (!grown)
			return false;
		*pids = grown;
		*capacity = more;
	}
	(*pids)[(*count)++] = pid;
	return true;
}

static bool pids_read(const char *root, int32_t **ret, size_t *ret_count)
{
	DIR *folder = opendir(root);
	size_t count = 0, capacity = 0;
	int32_t *pids = NULL;
	struct dirent *entry;
	bool whole = folder != NULL;

	while (whole && (entry = readdir(folder))) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid <= INT32_MAX)
			whole = pid_add(&pids, &count, &capacity, (int32_t)pid);
	}
	if (folder)
		closedir(folder);
	if (!whole) {
		free(pids);
		return false;
	}
	if (count)
		qsort(pids, count, sizeof(*pids), by_pid);
	*ret = pids;
	*ret_count = count;
	return true;
}

/* What the engines' servers are called; "postmaster" was PostgreSQL's name before. */
static bool is_server_name(const char *name)
{
	return strstr(name, "postgres") || strstr(name, "postmaster") || !strcmp(name, "mariadbd") ||
	       !strcmp(name, "mysqld");
}

static bool could_be_server(const char *root, int32_t pid, const int32_t *servers, size_t n_servers)
{
	char path[TAP_PROC_PATH_MAX];
	struct tap_proc proc;
	const char *base;

	if (tap_proc_read(root, pid, &proc))
		return false;
	for (size_t i = 0; i < n_servers; i++) {
		if (proc.ppid == servers[i])
			return false;
	}
	if (is_server_name(proc.comm))
		return true;
	if (tap_proc_exe_path(root, pid, path, NULL))
		return false;
	base = strrchr(path, '/');
	return is_server_name(base ? base + 1 : path);
}

bool tap_arrivals_look(struct tap_arrivals *arrivals, const char *proc_root, const int32_t *servers, size_t n_servers)
{
	size_t count = 0, old = 0;
	int32_t *pids = NULL;
	bool found = !arrivals->pids;

	if (!pids_read(proc_root, &pids, &count))
		return true;
	for (size_t i = 0; i < count && !found; i++) {
		while (old < arrivals->count && arrivals->pids[old] < pids[i])
			old++;
		if (old == arrivals->count || arrivals->pids[old] != pids[i])
			found = could_be_server(proc_root, pids[i], servers, n_servers);
	}
	free(arrivals->pids);
	arrivals->pids = pids;
	arrivals->count = count;
	return found;
}
