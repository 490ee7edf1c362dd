// SPDX-License-Identifier: BSD-2-Clause
/* disks.c - walks /sys/dev/block and /sys/fs/btrfs. */
#include "userspace/consume/disks.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 8, /* crypt on LVM on md is 3 */
	ENTRIES_MAX = 256,
};

const struct tap_host_roots tap_host_roots = { .proc = "/proc", .sys = "/sys" };

void tap_disks_say_why(struct tap_disks *disks, const char *format, ...)
{
	va_list args;

	if (*disks->why_not)
		return;
	va_start(args, format);
	vsnprintf(disks->why_not, sizeof(disks->why_not), format, args);
	va_end(args);
}

/* The folder of a device below /sys/dev/block. Paths that are too long are cut, and then not there. */
static void folder_of(const struct tap_host_roots *roots, uint32_t device, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s/dev/block/%u:%u", roots->sys, device >> 20, device & 0xfffff);
}

static bool has(const char *folder, const char *name)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path) && !access(path, F_OK);
}

bool tap_disks_is_block(const struct tap_host_roots *roots, uint32_t device)
{
	char folder[PATH_MAX];

	folder_of(roots, device, folder);
	return has(folder, "dev");
}

/* "8:16\n" in the file `dev` of a device's folder. */
static bool read_number(const char *folder, uint32_t *ret)
{
	unsigned int major_number, minor_number;
	char path[PATH_MAX];
	FILE *file;
	int fields;

	if (snprintf(path, sizeof(path), "%s/dev", folder) >= (int)sizeof(path))
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	fields = fscanf(file, "%4u:%7u", &major_number, &minor_number);
	fclose(file);
	if (fields != 2 || major_number > 0xfff || minor_number > 0xfffff)
		return false;
	*ret = major_number << 20 | minor_number;
	return true;
}

static void remember(struct tap_disks *disks, uint32_t disk)
{
	for (size_t i = 0; i < disks->count; i++) {
		if (disks->items[i] == disk)
			return;
	}
	if (disks->count == TAP_DISKS_OF_ONE_MAX)
		tap_disks_say_why(disks,
				  "more than %d disks below one file system: the others' requests are not traced",
				  TAP_DISKS_OF_ONE_MAX);
	else
		disks->items[disks->count++] = disk;
}

/* The devices whose folders are in `parent`; at most `max`, each as the number in its file `dev`. */
static size_t list_devices(const char *parent, uint32_t *devices, size_t max)
{
	DIR *dir = opendir(parent);
	struct dirent *entry;
	size_t count = 0;

	if (!dir)
		return 0;
	for (size_t i = 0; i < ENTRIES_MAX && count < max && (entry = readdir(dir)); i++) {
		char folder[PATH_MAX];

		if (*entry->d_name == '.' ||
		    snprintf(folder, sizeof(folder), "%s/%s", parent, entry->d_name) >= (int)sizeof(folder))
			continue;
		if (read_number(folder, &devices[count]))
			count++;
	}
	closedir(dir);
	return count;
}

static void add_at_depth(const struct tap_host_roots *roots, uint32_t device, int depth, struct tap_disks *disks);

static void add_slaves(const struct tap_host_roots *roots, const char *folder, int depth, struct tap_disks *disks)
{
	uint32_t slaves[TAP_DISKS_OF_ONE_MAX];
	char path[PATH_MAX];
	uint32_t self = 0;
	size_t count = 0;

	if (snprintf(path, sizeof(path), "%s/slaves", folder) < (int)sizeof(path))
		count = list_devices(path, slaves, TAP_DISKS_OF_ONE_MAX);
	for (size_t i = 0; i < count; i++)
		add_at_depth(roots, slaves[i], depth + 1, disks);
	read_number(folder, &self);
	if (!count)
		tap_disks_say_why(disks, "block device %u:%u makes no requests that could be traced", self >> 20,
				  self & 0xfffff);
}

static void add_at_depth(const struct tap_host_roots *roots, uint32_t device, int depth, struct tap_disks *disks)
{
	char folder[PATH_MAX];
	uint32_t disk = device;

	folder_of(roots, device, folder);
	/* A partition's folder lies in that of its disk. */
	if (has(folder, "partition")) {
		size_t length = strlen(folder);

		snprintf(folder + length, sizeof(folder) - length, "/..");
	}
	if (depth > DEPTH_MAX || !read_number(folder, &disk)) {
		tap_disks_say_why(disks, "block device %u:%u is not in %s/dev/block", device >> 20, device & 0xfffff,
				  roots->sys);
		return;
	}
	/* Since 5.0 every driver with a request queue is a multi-queue one, and that shows in its folder. */
	if (has(folder, "mq"))
		remember(disks, disk);
	else
		add_slaves(roots, folder, depth, disks);
}

void tap_disks_add(const struct tap_host_roots *roots, uint32_t device, struct tap_disks *disks)
{
	add_at_depth(roots, device, 0, disks);
}

/* All devices of one mounted btrfs; 0 when `device` is not among them. */
static size_t btrfs_members(const char *folder, uint32_t device, uint32_t *members, size_t max)
{
	char path[PATH_MAX];
	size_t count = 0;

	if (snprintf(path, sizeof(path), "%s/devices", folder) < (int)sizeof(path))
		count = list_devices(path, members, max);
	for (size_t i = 0; i < count; i++) {
		if (members[i] == device)
			return count;
	}
	return 0;
}

void tap_disks_add_btrfs(const struct tap_host_roots *roots, uint32_t device, struct tap_disks *disks)
{
	uint32_t members[TAP_DISKS_OF_ONE_MAX];
	char parent[PATH_MAX], folder[PATH_MAX];
	struct dirent *entry;
	size_t count = 0;
	DIR *dir;

	snprintf(parent, sizeof(parent), "%s/fs/btrfs", roots->sys);
	dir = opendir(parent);
	while (dir && !count && (entry = readdir(dir))) {
		if (*entry->d_name != '.' &&
		    snprintf(folder, sizeof(folder), "%s/%s", parent, entry->d_name) < (int)sizeof(folder))
			count = btrfs_members(folder, device, members, TAP_DISKS_OF_ONE_MAX);
	}
	if (dir)
		closedir(dir);
	if (!count)
		tap_disks_add(roots, device, disks);
	for (size_t i = 0; i < count; i++)
		tap_disks_add(roots, members[i], disks);
}
