// SPDX-License-Identifier: BSD-2-Clause
/* mount.c - parses /proc/PID/mountinfo; proc_pid_mountinfo(5) has the format. */
#include "userspace/consume/mount.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIELDS_MAX = 64, /* ten, and the optional ones */
	LINE_MAX_BYTES = 1 << 20,
	FIELD_ID = 0,
	FIELD_DEVICE = 2,
	FIELD_POINT = 4,
};

/* Blanks, newlines and backslashes are written as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
			     from[3] >= '0' && from[3] <= '7';

		if (octal) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

static size_t split(char *line, char *fields[FIELDS_MAX])
{
	size_t count = 0;
	char *rest = line;
	char *field;

	line[strcspn(line, "\n")] = '\0';
	while (count < FIELDS_MAX && (field = strsep(&rest, " ")))
		fields[count++] = field;
	return count;
}

/* Place of the "-" that ends the optional fields; 0: none, or fewer than three fields behind it. */
static size_t find_separator(char *const fields[], size_t count)
{
	for (size_t i = FIELD_POINT + 2; i + 3 < count; i++) {
		if (!strcmp(fields[i], "-"))
			return i;
	}
	return 0;
}

static bool parse_device(const char *text, uint32_t *ret)
{
	unsigned int major_number, minor_number;
	char end;

	if (sscanf(text, "%4u:%7u%c", &major_number, &minor_number, &end) != 2 || major_number > 0xfff ||
	    minor_number > 0xfffff)
		return false;
	*ret = major_number << 20 | minor_number;
	return true;
}

static char *copy(const char *text)
{
	char *ret = strdup(text);

	if (ret)
		unescape(ret);
	return ret;
}

static int fill(char *const fields[], size_t separator, uint32_t device, struct tap_mount *ret)
{
	struct tap_mount mount = {
		.device = device,
		.type = copy(fields[separator + 1]),
		.source = copy(fields[separator + 2]),
		.point = copy(fields[FIELD_POINT]),
		.options = copy(fields[separator + 3]),
	};

	if (!mount.type || !mount.source || !mount.point || !mount.options) {
		tap_mount_done(&mount);
		return -ENOMEM;
	}
	tap_mount_done(ret);
	*ret = mount;
	return 0;
}

/* A line that is not understood is none that fits. */
static int try_line(char *line, uint64_t id, uint32_t device, struct tap_mount *ret)
{
	char *fields[FIELDS_MAX];
	size_t count = split(line, fields);
	size_t separator = find_separator(fields, count);
	uint32_t line_device;

	if (!separator || !parse_device(fields[FIELD_DEVICE], &line_device))
		return 0;
	if (id ? strtoull(fields[FIELD_ID], NULL, 10) != id : line_device != device)
		return 0;
	return fill(fields, separator, line_device, ret);
}

int tap_mount_find(const char *proc_root, int32_t pid, uint64_t id, uint32_t device, struct tap_mount *ret)
{
	struct tap_mount found = { 0 };
	char path[PATH_MAX];
	char *line = NULL;
	size_t capacity = 0;
	int status = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%d/mountinfo", proc_root, pid);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!status && capacity < LINE_MAX_BYTES && getline(&line, &capacity, file) >= 0)
		status = try_line(line, id, device, &found);
	free(line);
	fclose(file);
	if (!status && !found.type)
		status = -ENOENT;
	if (status)
		tap_mount_done(&found);
	else
		*ret = found;
	return status;
}

void tap_mount_done(struct tap_mount *mount)
{
	if (!mount)
		return;
	free(mount->type);
	free(mount->source);
	free(mount->point);
	free(mount->options);
	*mount = (struct tap_mount){ 0 };
}

char *tap_mount_option(const struct tap_mount *mount, const char *name)
{
	size_t length = strlen(name);
	const char *at = mount->options;

	while (at && *at) {
		size_t size = strcspn(at, ",");

		if (size > length && !strncmp(at, name, length) && at[length] == '=')
			return strndup(at + length + 1, size - length - 1);
		at += size;
		at += *at == ',';
	}
	return NULL;
}
