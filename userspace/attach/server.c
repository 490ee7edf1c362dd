// SPDX-License-Identifier: BSD-2-Clause
/* server.c - from /proc and the process's memory. */
#include "userspace/attach/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/attach/maps.h"
#include "userspace/attach/memory.h"

int tap_server_bias(const char *root, int32_t pid, struct tap_elf *elf, uint64_t *ret)
{
	char link[TAP_PROC_PATH_MAX];
	const struct tap_map *map;
	struct tap_maps maps;
	int err = tap_proc_exe_link(root, pid, link);

	if (!err)
		err = tap_maps_read(root, pid, &maps);
	if (err)
		return err;
	map = tap_maps_of_file(&maps, link);
	err = map ? tap_elf_load_bias(elf, map->start, map->offset, ret) : -ENOENT;
	tap_maps_done(&maps);
	return err;
}

int tap_server_text(int32_t pid, uint64_t address, size_t size, char **ret)
{
	char text[TAP_SERVER_TEXT_MAX];
	int err;

	*ret = NULL;
	if (!address)
		return 0;
	err = tap_memory_read_string(pid, address, text, size < sizeof(text) ? size : sizeof(text));
	if (err == -EFAULT || err == -ENAMETOOLONG || (!err && !*text))
		return 0;
	if (err)
		return err;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

int tap_server_path(const struct tap_target *target, const char *base, const char *path, char **ret)
{
	const char *root = target->proc_root;
	char text[TAP_SERVER_TEXT_MAX * 3];
	char prefix[TAP_SERVER_TEXT_MAX] = "";
	int length;

	if (!tap_proc_shares_paths(root, target->pid) &&
	    snprintf(prefix, sizeof(prefix), "%s/%d/root", root, target->pid) >= (int)sizeof(prefix))
		return -ENAMETOOLONG;
	if (*path == '/')
		length = snprintf(text, sizeof(text), "%s%s", prefix, path);
	else
		length = snprintf(text, sizeof(text), "%s%s/%s", prefix, base, path);
	if (length < 0 || length >= (int)sizeof(text))
		return -ENAMETOOLONG;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

int tap_server_identify(const char *root, const struct tap_proc *proc, enum tap_engine engine, uint16_t machine,
			const char build_id[TAP_ELF_BUILD_ID_MAX], struct tap_target *target)
{
	char path[TAP_PROC_PATH_MAX];
	int err = tap_proc_exe_path(root, proc->pid, path, NULL);

	if (err)
		return err;
	target->exe = strdup(path);
	target->proc_root = strdup(root);
	if (!target->exe || !target->proc_root)
		return -ENOMEM;
	target->engine = engine;
	target->pid = proc->pid;
	target->start_ticks = proc->start_ticks;
	target->machine = machine;
	memcpy(target->build_id, build_id, sizeof(target->build_id));
	return 0;
}
