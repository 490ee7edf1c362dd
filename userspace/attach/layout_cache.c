// SPDX-License-Identifier: BSD-2-Clause
/*
 * layout_cache.c - one small text file a build: a line a number, by its name. See layout_cache.h.
 *
 * Called by pg_layout_cache and my_layout_cache.
 */
#include "userspace/attach/layout_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/base/number.h"
#include "userspace/base/strbuf.h"

enum {
	FILE_MAX = 8192,
	BUILD_ID_MIN = 8, /* hex digits */
	LINE_MAX_BYTES = 128,
};

/* Hex and nothing else: it becomes a file's name. */
static bool is_build_id(const char *build_id)
{
	size_t length = strlen(build_id);

	return length >= BUILD_ID_MIN && strspn(build_id, "0123456789abcdef") == length;
}

static int folder_path(char ret[PATH_MAX])
{
	const char *cache = secure_getenv("XDG_CACHE_HOME"), *home = secure_getenv("HOME");
	int length;

	if (cache && *cache == '/')
		length = snprintf(ret, PATH_MAX, "%s/dbtap", cache);
	else if (!geteuid())
		length = snprintf(ret, PATH_MAX, "/var/cache/dbtap");
	else if (home && *home == '/')
		length = snprintf(ret, PATH_MAX, "%s/.cache/dbtap", home);
	else
		return -ENOENT;
	return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static bool is_ours_alone(int fd, mode_t type)
{
	struct stat st;

	return !fstat(fd, &st) && (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() && !(st.st_mode & 022);
}

/* The folder, made where `make`; -EPERM: others may write there. */
static int folder_open(bool make, int *ret)
{
	char path[PATH_MAX];
	int code = folder_path(path), fd;

	if (code)
		return code;
	if (make && mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (!is_ours_alone(fd, S_IFDIR)) {
		close(fd);
		return -EPERM;
	}
	*ret = fd;
	return 0;
}

/* ---- reading ---- */

static int text_read(const char *build_id, char ret[FILE_MAX])
{
	int folder, fd, code = folder_open(false, &folder);
	ssize_t n = 0, size = 0;

	if (code)
		return code;
	fd = openat(folder, build_id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	code = fd < 0 ? -errno : 0;
	close(folder);
	if (code)
		return code;
	if (!is_ours_alone(fd, S_IFREG))
		code = -EPERM;
	while (!code && size < FILE_MAX - 1 && (n = read(fd, ret + size, (size_t)(FILE_MAX - 1 - size))) > 0)
		size += n;
	if (n < 0)
		code = -errno;
	close(fd);
	ret[size] = '\0';
	return code;
}

/* A number of 1, 2 or 4 bytes, signed where it may be negative. */
static int64_t number_get(const struct tap_layout_number *number, const uint8_t *at)
{
	uint16_t two;
	uint32_t four;

	if (number->size == 1)
		return *at;
	if (number->size == 2) {
		memcpy(&two, at, sizeof(two));
		return two;
	}
	memcpy(&four, at, sizeof(four));
	return number->min < 0 ? (int64_t)(int32_t)four : (int64_t)four;
}

static void number_set(const struct tap_layout_number *number, uint8_t *at, int64_t value)
{
	uint8_t one = (uint8_t)value;
	uint16_t two = (uint16_t)value;
	uint32_t four = (uint32_t)value;

	memcpy(at, number->size == 1 ? (void *)&one : number->size == 2 ? (void *)&two : (void *)&four, number->size);
}

/* One that is repeated is "name[0]", "name[1]" and so on. */
static size_t repeats(const struct tap_layout_number *number)
{
	return number->repeat ? number->repeat : 1;
}

static void name_make(const struct tap_layout_number *number, size_t i, char ret[LINE_MAX_BYTES])
{
	if (number->repeat)
		snprintf(ret, LINE_MAX_BYTES, "%s[%zu]", number->name, i);
	else
		snprintf(ret, LINE_MAX_BYTES, "%s", number->name);
}

/* "name value\n" at *at, which moves on. */
static int line_read(const char **at, const char *name, const struct tap_layout_number *number, int64_t *ret)
{
	size_t length = strcspn(*at, "\n"), name_length = strlen(name);
	char line[LINE_MAX_BYTES];

	if (length >= sizeof(line) || (*at)[length] != '\n')
		return -EBADMSG;
	memcpy(line, *at, length);
	line[length] = '\0';
	if (strncmp(line, name, name_length) || line[name_length] != ' ' ||
	    tap_number_parse_int(line + name_length + 1, number->min, number->max, ret))
		return -EBADMSG;
	*at += length + 1;
	return 0;
}

static int number_read(const char **at, const struct tap_layout_number *number, uint8_t *row)
{
	int code = 0;

	for (size_t i = 0; i < repeats(number) && !code; i++) {
		char name[LINE_MAX_BYTES];
		int64_t value = 0;

		name_make(number, i, name);
		code = line_read(at, name, number, &value);
		if (!code)
			number_set(number, row + number->offset + i * number->size, value);
	}
	return code;
}

int tap_layout_cache_read(const struct tap_layout_form *form, const char *build_id, void *row)
{
	char text[FILE_MAX];
	size_t first = strlen(form->first_line);
	const char *at = text + first;
	int code = is_build_id(build_id) ? text_read(build_id, text) : -ENOENT;

	if (!code && strncmp(text, form->first_line, first))
		code = -EBADMSG;
	for (size_t i = 0; i < form->count && !code; i++)
		code = number_read(&at, &form->numbers[i], row);
	return !code && *at ? -EBADMSG : code;
}

/* ---- writing ---- */

static void row_print(struct tap_strbuf *text, const struct tap_layout_form *form, const uint8_t *row)
{
	tap_strbuf_add_string(text, form->first_line);
	for (size_t i = 0; i < form->count; i++) {
		const struct tap_layout_number *number = &form->numbers[i];

		for (size_t j = 0; j < repeats(number); j++) {
			char name[LINE_MAX_BYTES];

			name_make(number, j, name);
			tap_strbuf_printf(text, "%s %" PRId64 "\n", name,
					  number_get(number, row + number->offset + j * number->size));
		}
	}
}

/* Beside it first, so that nobody reads half of one. */
static int text_write(int folder, const char *build_id, const struct tap_strbuf *text)
{
	char beside[64];
	int code = 0, fd;

	snprintf(beside, sizeof(beside), ".%d", getpid());
	fd = openat(folder, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text->data, text->size) != (ssize_t)text->size)
		code = -EIO;
	close(fd);
	if (!code && renameat(folder, beside, folder, build_id))
		code = -errno;
	if (code)
		unlinkat(folder, beside, 0);
	return code;
}

int tap_layout_cache_write(const struct tap_layout_form *form, const char *build_id, const void *row)
{
	struct tap_strbuf text;
	int folder, code = is_build_id(build_id) ? folder_open(true, &folder) : -ENOENT;

	if (code)
		return code;
	tap_strbuf_init(&text);
	row_print(&text, form, row);
	code = text.failed ? -ENOMEM : text_write(folder, build_id, &text);
	tap_strbuf_done(&text);
	close(folder);
	return code;
}
