// SPDX-License-Identifier: BSD-2-Clause
/* switches.c - sums /proc/PID/task/TID/schedstat, whose third number it is (Documentation/scheduler/sched-stats). */
#include "userspace/attach/switches.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "userspace/attach/proc.h"

/* 0 for a thread that has ended. */
static uint64_t thread_switches(const char *root, int32_t pid, const char *tid)
{
	char path[TAP_PROC_PATH_MAX];
	uint64_t switches = 0;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/%d/task/%s/schedstat", root, pid, tid) >= (int)sizeof(path))
		return 0;
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*u %*u %" SCNu64, &switches) != 1)
		switches = 0;
	fclose(file);
	return switches;
}

static uint64_t process_switches(const char *root, int32_t pid)
{
	char path[TAP_PROC_PATH_MAX];
	struct dirent *entry;
	uint64_t sum = 0;
	DIR *folder;

	if (snprintf(path, sizeof(path), "%s/%d/task", root, pid) >= (int)sizeof(path))
		return 0;
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (*entry->d_name != '.')
			sum += thread_switches(root, pid, entry->d_name);
	}
	if (folder)
		closedir(folder);
	return sum;
}

/* The server and everything below it. */
static int tree_switches(const char *root, const struct tap_proc *all, size_t n_all, int32_t pid, uint64_t *ret)
{
	struct tap_proc *tree;
	size_t count;
	int err = tap_proc_tree(all, n_all, pid, &tree, &count);

	*ret = 0;
	if (err)
		return err == -ESRCH ? 0 : err;
	for (size_t i = 0; i < count; i++)
		*ret += process_switches(root, tree[i].pid);
	free(tree);
	return 0;
}

int tap_switches_read(const char *proc_root, const struct tap_target_list *targets, uint64_t *ret)
{
	struct tap_proc *all;
	size_t n_all;
	int err = tap_proc_list(proc_root, &all, &n_all);

	if (err)
		return err;
	for (size_t i = 0; i < targets->count && !err; i++)
		err = tree_switches(proc_root, all, n_all, targets->items[i].pid, &ret[i]);
	free(all);
	return err;
}
