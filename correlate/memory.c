// SPDX-License-Identifier: BSD-2-Clause
/* memory.c - the lists of memory.h. */
#include "correlate/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tap_memory_set_init(struct tap_memory_set *set)
{
	*set = (struct tap_memory_set){ 0 };
	set->host = (struct tap_host_memory){ TAP_MEMORY_NONE, TAP_MEMORY_NONE, TAP_MEMORY_NONE,
					      TAP_MEMORY_NONE, TAP_MEMORY_NONE, TAP_MEMORY_NONE };
}

void tap_memory_set_done(struct tap_memory_set *set)
{
	for (size_t i = 0; i < set->n_groups; i++)
		free(set->groups[i].path);
	free(set->groups);
	free(set->processes);
	tap_memory_set_init(set);
}

/* Room for one more item of a list that grows at powers of two; NULL: out of memory, the list is as it was. */
static void *room(void *items, size_t count, size_t size)
{
	if (count & (count - 1))
		return items;
	return reallocarray(items, count ? count * 2 : 1, size);
}

int tap_memory_set_add_process(struct tap_memory_set *set, const struct tap_process_memory *process)
{
	struct tap_process_memory *processes = room(set->processes, set->n_processes, sizeof(*processes));

	if (!processes)
		return -ENOMEM;
	set->processes = processes;
	processes[set->n_processes++] = *process;
	return 0;
}

int tap_memory_set_add_group(struct tap_memory_set *set, const struct tap_memory_group *group)
{
	struct tap_memory_group *groups = room(set->groups, set->n_groups, sizeof(*groups));
	char *path = strdup(group->path);

	if (groups)
		set->groups = groups;
	if (!groups || !path) {
		free(path);
		return -ENOMEM;
	}
	groups[set->n_groups] = *group;
	groups[set->n_groups++].path = path;
	return 0;
}

const struct tap_process_memory *tap_memory_set_find_process(const struct tap_memory_set *set, int32_t pid)
{
	for (size_t i = 0; i < set->n_processes; i++) {
		if (set->processes[i].pid == pid)
			return &set->processes[i];
	}
	return NULL;
}

const struct tap_memory_group *tap_memory_set_find_group(const struct tap_memory_set *set, const char *path)
{
	for (size_t i = 0; i < set->n_groups; i++) {
		if (!strcmp(set->groups[i].path, path))
			return &set->groups[i];
	}
	return NULL;
}
