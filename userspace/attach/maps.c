// SPDX-License-Identifier: BSD-2-Clause
/*
 * maps.c - parses /proc/PID/maps.
 *
 * Called by target (where the executable was loaded) and pg_layout_check (what kind of memory a pointer leads to).
 */
#include "userspace/attach/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAPS_SIZE_MAX = 16 << 20, /* bytes of text; the kernel's default limit of 65530 mappings fits */
};

/* The kernel writes a newline in a path as \012; nothing else is escaped. */
static void path_unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++) {
		bool escaped = !strncmp(from, "\\012", 4);

		*to = escaped ? '\n' : *from;
		from += escaped ? 4 : 1;
	}
	*to = '\0';
}

/* "start-end perms offset device inode   path"; source: proc(5). */
static int line_parse(char *line, struct tap_map *ret)
{
	unsigned long long start, end, offset;
	char perms[5];
	int path_at = 0;

	if (sscanf(line, "%llx-%llx %4[rwxsp-] %llx %*x:%*x %*u %n", &start, &end, perms, &offset, &path_at) != 4)
		return -EBADMSG;
	if (strlen(perms) != 4 || end <= start || !path_at)
		return -EBADMSG;
	path_unescape(line + path_at);
	*ret = (struct tap_map){
		.start = start,
		.end = end,
		.offset = offset,
		.readable = perms[0] == 'r',
		.writable = perms[1] == 'w',
		.shared = perms[3] == 's',
		.path = line + path_at,
	};
	return 0;
}

/* A proc file's size is not known before it is read. */
static int text_read(int fd, char **ret)
{
	size_t capacity = 65536;
	size_t size = 0;
	char *text = malloc(capacity);
	ssize_t n = 0;
	int err = text ? 0 : -ENOMEM;

	while (!err && (n = read(fd, text + size, capacity - size - 1)) > 0) {
		char *bigger;

		size += (size_t)n;
		if (capacity - size > 1)
			continue;
		if (capacity >= MAPS_SIZE_MAX) {
			err = -EFBIG;
			break;
		}
		bigger = realloc(text, capacity * 2);
		if (!bigger) {
			err = -ENOMEM;
			break;
		}
		text = bigger;
		capacity *= 2;
	}
	if (!err && n < 0)
		err = -errno;
	if (err) {
		free(text);
		return err;
	}
	text[size] = '\0';
	*ret = text;
	return 0;
}

static size_t count_lines(const char *text)
{
	size_t lines = 1;

	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines;
}

static int maps_parse(struct tap_maps *maps)
{
	char *save = NULL;

	maps->items = calloc(count_lines(maps->text), sizeof(*maps->items));
	if (!maps->items)
		return -ENOMEM;
	for (char *line = strtok_r(maps->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int err = line_parse(line, &maps->items[maps->count]);

		if (err)
			return err;
		maps->count++;
	}
	return 0;
}

int tap_maps_read(const char *root, int32_t pid, struct tap_maps *ret)
{
	struct tap_maps maps = { 0 };
	char path[4096];
	int fd, err;

	if (snprintf(path, sizeof(path), "%s/%d/maps", root, pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	err = text_read(fd, &maps.text);
	close(fd);
	if (!err)
		err = maps_parse(&maps);
	if (err) {
		tap_maps_done(&maps);
		return err;
	}
	*ret = maps;
	return 0;
}

void tap_maps_done(struct tap_maps *maps)
{
	if (!maps)
		return;
	free(maps->items);
	free(maps->text);
	*maps = (struct tap_maps){ 0 };
}

const struct tap_map *tap_maps_at(const struct tap_maps *maps, uint64_t address, uint64_t size)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct tap_map *map = &maps->items[i];

		if (address >= map->start && address < map->end)
			return size <= map->end - address ? map : NULL;
	}
	return NULL;
}

const struct tap_map *tap_maps_of_file(const struct tap_maps *maps, const char *path)
{
	for (size_t i = 0; i < maps->count; i++) {
		if (!strcmp(maps->items[i].path, path))
			return &maps->items[i];
	}
	return NULL;
}
