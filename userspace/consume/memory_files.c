// SPDX-License-Identifier: BSD-2-Clause
/*
 * memory_files.c - /proc/PID/status, /proc/PID/cgroup, /proc/meminfo, /proc/pressure/memory, and the files of the
 * memory controller in both its versions (Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst).
 */
#include "userspace/consume/memory_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILE_MAX = 8192,
	/* Version 1 says "no limit" by a number of pages near the largest. */
	LIMITS_BELOW_SHIFT = 60,
};

/* The beginning of a file, ended by a NUL; false: it cannot be read. */
static bool file_read(char text[FILE_MAX], const char *path)
{
	FILE *file = fopen(path, "re");
	size_t size;

	if (!file)
		return false;
	size = fread(text, 1, FILE_MAX - 1, file);
	text[size] = '\0';
	fclose(file);
	return size > 0;
}

static int64_t number_at(const char *text)
{
	char *end;
	long long value;

	text += strspn(text, " \t");
	if (*text < '0' || *text > '9')
		return TAP_MEMORY_NONE;
	errno = 0;
	value = strtoll(text, &end, 10);
	return errno ? TAP_MEMORY_NONE : value;
}

/* The number behind a key at the beginning of a line, `scale` times. */
static int64_t number_of(const char *text, const char *key, int64_t scale)
{
	size_t size = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		int64_t value;

		if (strncmp(line, key, size) != 0)
			continue;
		value = number_at(line + size);
		return value == TAP_MEMORY_NONE || value > INT64_MAX / scale ? TAP_MEMORY_NONE : value * scale;
	}
	return TAP_MEMORY_NONE;
}

static int process_read(const char *proc, const struct tap_thread *thread, struct tap_memory_set *set)
{
	struct tap_process_memory process = { .pid = thread->tgid, .instance = thread->instance };
	char path[PATH_MAX], text[FILE_MAX];

	snprintf(path, sizeof(path), "%s/%d/status", proc, thread->tgid);
	if (!file_read(text, path))
		return 0;
	process.anon = number_of(text, "RssAnon:", 1024);
	process.file = number_of(text, "RssFile:", 1024);
	process.shared = number_of(text, "RssShmem:", 1024);
	process.swap = number_of(text, "VmSwap:", 1024);
	process.page_tables = number_of(text, "VmPTE:", 1024);
	return tap_memory_set_add_process(set, &process);
}

/* The path in a line of /proc/PID/cgroup whose list of controllers has `controller`; "" is version 2. */
static bool group_path(const char *text, const char *controller, char ret[PATH_MAX])
{
	size_t size = strlen(controller);

	for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		const char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
		const char *end = strchr(line, '\n');

		if (!path || (end && path > end) || path - list - 1 != (ptrdiff_t)size ||
		    strncmp(list + 1, controller, size) != 0)
			continue;
		path++;
		snprintf(ret, PATH_MAX, "%.*s", end ? (int)(end - path) : (int)strlen(path), path);
		return true;
	}
	return false;
}

static bool group_file(const char *folder, const char *name, char text[FILE_MAX])
{
	char path[PATH_MAX];
	int size = snprintf(path, sizeof(path), "%s/%s", folder, name);

	return size > 0 && (size_t)size < sizeof(path) && file_read(text, path);
}

static int64_t group_number(const char *folder, const char *name)
{
	char text[FILE_MAX];

	return group_file(folder, name, text) ? number_at(text) : TAP_MEMORY_NONE;
}

static int64_t group_kills(const char *folder, const char *name)
{
	char text[FILE_MAX];

	return group_file(folder, name, text) ? number_of(text, "oom_kill ", 1) : TAP_MEMORY_NONE;
}

/* A group of version 2, then of version 1; false: it is neither, or of a host that hides it. */
static bool group_read(const char *cgroup, const char *path, bool unified, struct tap_memory_group *ret)
{
	char folder[PATH_MAX];

	if (strstr(path, "/.."))
		return false;
	if (unified) {
		snprintf(folder, sizeof(folder), "%.2048s%.2000s", cgroup, path);
		ret->current = group_number(folder, "memory.current");
		ret->most = group_number(folder, "memory.peak");
		ret->limit = group_number(folder, "memory.max");
		ret->oom_kills = group_kills(folder, "memory.events");
	} else {
		snprintf(folder, sizeof(folder), "%.2048s/memory%.2000s", cgroup, path);
		ret->current = group_number(folder, "memory.usage_in_bytes");
		ret->most = group_number(folder, "memory.max_usage_in_bytes");
		ret->limit = group_number(folder, "memory.limit_in_bytes");
		ret->oom_kills = group_kills(folder, "memory.oom_control");
		if (ret->limit >> LIMITS_BELOW_SHIFT)
			ret->limit = TAP_MEMORY_NONE;
	}
	return ret->current != TAP_MEMORY_NONE;
}

static int group_of(const struct tap_memory_roots *roots, const struct tap_thread *thread, struct tap_memory_set *set)
{
	struct tap_memory_group group = { .instance = thread->instance };
	char path[PATH_MAX], text[FILE_MAX];

	snprintf(path, sizeof(path), "%s/%d/cgroup", roots->proc, thread->tgid);
	if (!file_read(text, path))
		return 0;
	group.path = path;
	for (int unified = 0; unified < 2; unified++) {
		if (!group_path(text, unified ? "" : "memory", path))
			continue;
		if (tap_memory_set_find_group(set, path))
			return 0;
		if (group_read(roots->cgroup, path, unified, &group))
			return tap_memory_set_add_group(set, &group);
	}
	return 0;
}

static void host_read(const char *proc, struct tap_host_memory *host)
{
	char path[PATH_MAX], text[FILE_MAX];
	const char *total;

	snprintf(path, sizeof(path), "%s/meminfo", proc);
	if (file_read(text, path)) {
		host->total = number_of(text, "MemTotal:", 1024);
		host->available = number_of(text, "MemAvailable:", 1024);
		host->swap_total = number_of(text, "SwapTotal:", 1024);
		host->swap_free = number_of(text, "SwapFree:", 1024);
	}
	snprintf(path, sizeof(path), "%s/pressure/memory", proc);
	if (!file_read(text, path))
		return;
	for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		int64_t *stall = !strncmp(line, "some ", 5)   ? &host->some_stall_ns
				 : !strncmp(line, "full ", 5) ? &host->full_stall_ns
							      : NULL;

		total = strstr(line, "total=");
		if (stall && total && number_at(total + 6) != TAP_MEMORY_NONE)
			*stall = number_at(total + 6) * 1000;
	}
}

int tap_memory_files_read(const struct tap_memory_roots *roots, struct tap_snapshot *snapshot)
{
	struct tap_memory_set *set = &snapshot->memory;
	int status = 0;

	set->read = true;
	host_read(roots->proc, &set->host);
	for (size_t i = 0; i < snapshot->n_threads && !status; i++) {
		const struct tap_thread *thread = &snapshot->threads[i];

		/* Threads come in the order of their numbers: those of other processes may stand between. */
		if (tap_memory_set_find_process(set, thread->tgid))
			continue;
		status = process_read(roots->proc, thread, set);
		if (!status)
			status = group_of(roots, thread, set);
	}
	return status;
}
