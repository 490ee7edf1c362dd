// SPDX-License-Identifier: BSD-2-Clause
/* diskstats.c - parses /proc/diskstats; Documentation/admin-guide/iostats.rst has the fields. */
#include "userspace/consume/diskstats.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECTOR = 512, /* whatever the disk's own block size is */
	LINES_MAX = 65536,
	/* Numbers behind the name. */
	READS = 0,
	READ_SECTORS = 2,
	WRITES = 4,
	WRITE_SECTORS = 6,
	NUMBERS_MIN = 11,
	DISCARDS = 11, /* from 4.18 */
	DISCARD_SECTORS = 13,
	FLUSHES = 15, /* from 5.5 */
	NUMBERS_MAX = 17,
};

static size_t parse_numbers(const char *text, uint64_t numbers[NUMBERS_MAX])
{
	size_t count = 0;

	for (; count < NUMBERS_MAX; count++) {
		char *end;

		text += strspn(text, " ");
		if (*text < '0' || *text > '9')
			break;
		numbers[count] = strtoull(text, &end, 10);
		text = end;
	}
	return count;
}

static bool parse_line(const char *line, struct tap_disk_entry *ret)
{
	struct tap_disk_entry disk = { 0 };
	uint64_t numbers[NUMBERS_MAX] = { 0 };
	unsigned int major_number, minor_number;
	int length = 0;

	if (sscanf(line, " %4u %7u %31s%n", &major_number, &minor_number, disk.name, &length) != 3 || !length ||
	    line[length] != ' ' || major_number > 0xfff || minor_number > 0xfffff ||
	    parse_numbers(line + length, numbers) < NUMBERS_MIN)
		return false;
	disk.disk = major_number << 20 | minor_number;
	disk.reads = numbers[READS];
	disk.read_bytes = numbers[READ_SECTORS] * SECTOR;
	disk.writes = numbers[WRITES];
	disk.write_bytes = numbers[WRITE_SECTORS] * SECTOR;
	disk.discards = numbers[DISCARDS];
	disk.discard_bytes = numbers[DISCARD_SECTORS] * SECTOR;
	disk.flushes = numbers[FLUSHES];
	*ret = disk;
	return true;
}

static bool is_wanted(uint32_t disk, const uint32_t *disks, size_t n_disks)
{
	for (size_t i = 0; i < n_disks; i++) {
		if (disks[i] == disk)
			return true;
	}
	return false;
}

static bool is_there(const struct tap_io_set *set, uint32_t disk)
{
	for (size_t i = 0; i < set->n_disks; i++) {
		if (set->disks[i].disk == disk)
			return true;
	}
	return false;
}

int tap_diskstats_read(const char *proc_root, const uint32_t *disks, size_t n_disks, struct tap_io_set *ret)
{
	struct tap_disk_entry disk;
	char path[PATH_MAX];
	char line[512];
	int status = 0;
	FILE *file;

	if (!n_disks)
		return 0;
	snprintf(path, sizeof(path), "%s/diskstats", proc_root);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	for (size_t i = 0; i < LINES_MAX && !status && fgets(line, sizeof(line), file); i++) {
		if (parse_line(line, &disk) && is_wanted(disk.disk, disks, n_disks) && !is_there(ret, disk.disk))
			status = tap_io_set_add_disk(ret, &disk);
	}
	fclose(file);
	return status;
}
