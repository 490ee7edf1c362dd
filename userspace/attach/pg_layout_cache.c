// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_layout_cache.c - one small text file a build: a line a number, by its name.
 *
 * Called by pg_find around pg_layout_search.
 */
#include "userspace/attach/pg_layout_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

static const char first_line[] = "dbtap layout 1\n";

/* The numbers of a row. */
static const struct number {
	const char *name;
	size_t offset;
	size_t size; /* 1 or 2 */
	uint16_t max;
} numbers[] = {
#define ROW(field, most) \
	{ \
#field, offsetof(struct tap_pg_layout_row, field), sizeof(((struct tap_pg_layout_row *)0)->field), \
			most \
	}
#define STATUS(field, bytes) ROW(layout.status_##field, TAP_PG_STATUS_MAX - (bytes))
#define PROC(field) ROW(layout.proc_##field, TAP_PG_ABSENT)
	ROW(proc_size, UINT16_MAX),
	ROW(types, TAP_PG_BACKEND_TYPES),
	ROW(layout.status_size, TAP_PG_STATUS_MAX),
	STATUS(changecount, 4),
	STATUS(procpid, 4),
	STATUS(backend_type, 4),
	STATUS(proc_start, 8),
	STATUS(xact_start, 8),
	STATUS(activity_start, 8),
	STATUS(state_start, 8),
	STATUS(database, 4),
	STATUS(user, 4),
	STATUS(client_addr, 132),
	STATUS(state, 4),
	STATUS(appname, 8),
	STATUS(activity, 8),
	STATUS(progress_command, 4),
	ROW(layout.status_query_id, TAP_PG_ABSENT),
	PROC(lock_group_leader),
	PROC(pid),
	PROC(wait_event_info),
	ROW(layout.wait_event_offset, UINT16_MAX),
	ROW(layout.changes_of_one[0], UINT8_MAX),
	ROW(layout.changes_of_one[1], UINT8_MAX),
	ROW(layout.changes_extended, UINT8_MAX),
	ROW(layout.changes_least, UINT8_MAX),
	PROC(wait_lock),
	PROC(wait_lock_mode),
	PROC(wait_start),
	PROC(wait_status),
	ROW(layout.lock_tag, UINT16_MAX),
#undef PROC
#undef STATUS
#undef ROW
};

enum {
	N_NUMBERS = sizeof(numbers) / sizeof(*numbers),
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

/* "name value\n" at *at, which moves on. */
static int number_read(const char **at, const struct number *number, uint8_t *row)
{
	size_t length = strcspn(*at, "\n"), name = strlen(number->name);
	char line[LINE_MAX_BYTES];
	int64_t value;
	uint16_t wide;

	if (length >= sizeof(line) || (*at)[length] != '\n')
		return -EBADMSG;
	memcpy(line, *at, length);
	line[length] = '\0';
	if (strncmp(line, number->name, name) || line[name] != ' ' ||
	    tap_number_parse_int(line + name + 1, 0, number->max, &value))
		return -EBADMSG;
	wide = (uint16_t)value;
	if (number->size == 1)
		row[number->offset] = (uint8_t)value;
	else
		memcpy(row + number->offset, &wide, sizeof(wide));
	*at += length + 1;
	return 0;
}

static int table_read(const char **at, const char *name, uint8_t *table, size_t count, uint16_t max)
{
	char full[LINE_MAX_BYTES];
	int code = 0;

	for (size_t i = 0; i < count && !code; i++) {
		struct number number = { .name = full, .offset = i, .size = 1, .max = max };

		snprintf(full, sizeof(full), "%s[%zu]", name, i);
		code = number_read(at, &number, table);
	}
	return code;
}

/* Every offset names bytes inside its struct, so that readers need not check again. */
static bool is_bounded(const struct tap_pg_layout_row *row)
{
	const struct tap_pg_layout *layout = &row->layout;
	const uint16_t ends[] = {
		layout->status_changecount + 4,	  layout->status_procpid + 4,
		layout->status_backend_type + 4,  layout->status_proc_start + 8,
		layout->status_xact_start + 8,	  layout->status_activity_start + 8,
		layout->status_state_start + 8,	  layout->status_database + 4,
		layout->status_user + 4,	  layout->status_state + 4,
		layout->status_appname + 8,	  layout->status_activity + 8,
		layout->status_client_addr + 132, layout->status_progress_command + 4,
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		if (ends[i] > layout->status_size || ends[i] % 4)
			return false;
	}
	return row->proc_size &&
	       (layout->status_query_id == TAP_PG_ABSENT ||
		(layout->status_query_id + 8 <= layout->status_size && !(layout->status_query_id % 8)));
}

int tap_pg_layout_cache_read(const char *build_id, const struct tap_pg_layout_row *near, struct tap_pg_layout_row *ret)
{
	struct tap_pg_layout_row row = *near;
	char text[FILE_MAX];
	const char *at = text + sizeof(first_line) - 1;
	int code = is_build_id(build_id) ? text_read(build_id, text) : -ENOENT;

	if (!code && strncmp(text, first_line, sizeof(first_line) - 1))
		code = -EBADMSG;
	for (size_t i = 0; i < N_NUMBERS && !code; i++)
		code = number_read(&at, &numbers[i], (uint8_t *)&row);
	if (!code)
		code = table_read(&at, "kind", row.layout.kind_of_type, TAP_PG_BACKEND_TYPES, TAP_KIND_COUNT - 1);
	if (!code)
		code = table_read(&at, "state", row.layout.state_of, TAP_PG_BACKEND_STATES, TAP_PG_STATE_COUNT);
	if (!code && (*at || !is_bounded(&row)))
		code = -EBADMSG;
	if (code)
		return code;
	row.searched = true;
	*ret = row;
	return 0;
}

/* ---- writing ---- */

static void row_print(struct tap_strbuf *text, const struct tap_pg_layout_row *row)
{
	tap_strbuf_add_string(text, first_line);
	for (size_t i = 0; i < N_NUMBERS; i++) {
		const uint8_t *field = (const uint8_t *)row + numbers[i].offset;
		uint16_t value = *field;

		if (numbers[i].size == 2)
			memcpy(&value, field, sizeof(value));
		tap_strbuf_printf(text, "%s %u\n", numbers[i].name, value);
	}
	for (size_t i = 0; i < TAP_PG_BACKEND_TYPES; i++)
		tap_strbuf_printf(text, "kind[%zu] %u\n", i, row->layout.kind_of_type[i]);
	for (size_t i = 0; i < TAP_PG_BACKEND_STATES; i++)
		tap_strbuf_printf(text, "state[%zu] %u\n", i, row->layout.state_of[i]);
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

int tap_pg_layout_cache_write(const char *build_id, const struct tap_pg_layout_row *row)
{
	struct tap_strbuf text;
	int folder, code = is_build_id(build_id) ? folder_open(true, &folder) : -ENOENT;

	if (code)
		return code;
	tap_strbuf_init(&text);
	row_print(&text, row);
	code = text.failed ? -ENOMEM : text_write(folder, build_id, &text);
	tap_strbuf_done(&text);
	close(folder);
	return code;
}
