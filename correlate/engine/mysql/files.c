// SPDX-License-Identifier: BSD-2-Clause
/*
 * files.c - names of files below a data folder: a folder a database, a file or two a table.
 */
#include "correlate/engine/mysql/files.h"

#include <string.h>

/* Files of a table, and what is in them is its rows or its indexes alike. */
static const char *const table_suffixes[] = { ".ibd", ".MYD", ".MYI", ".MAD", ".MAI", ".CSV", ".frm", ".ARZ" };

static bool starts_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* Length of the name before a suffix of a table's file; 0: it is none. */
static size_t table_length(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof(table_suffixes) / sizeof(*table_suffixes); i++) {
		size_t suffix = strlen(table_suffixes[i]);

		if (length > suffix && !strcmp(name + length - suffix, table_suffixes[i]))
			return length - suffix;
	}
	return 0;
}

static enum tap_file_kind kind_at_top(const char *name)
{
	if (starts_with(name, "ib_logfile") || starts_with(name, "aria_log") || starts_with(name, "ib_redo"))
		return TAP_FILE_WAL;
	if (starts_with(name, "ibtmp") || starts_with(name, "#ib") || starts_with(name, "#sql"))
		return TAP_FILE_TEMP;
	return TAP_FILE_SERVER;
}

static void path_fill(const struct tap_file_place *place, size_t last_length, struct tap_file_object *ret)
{
	for (int i = 0; i + 1 < place->count; i++) {
		tap_file_path_add_string(ret, place->names[i]);
		tap_file_path_add_string(ret, "/");
	}
	tap_file_path_add(ret, place->names[place->count - 1], last_length);
}

void tap_my_file_below(const struct tap_file_root *root, const struct tap_file_place *place,
		       struct tap_file_object *ret)
{
	const char *name = place->count > 0 ? place->names[place->count - 1] : "";
	size_t length = place->count == 2 ? table_length(name) : 0;

	(void)root;
	if (!place->count) {
		ret->kind = TAP_FILE_SERVER;
		return;
	}
	ret->kind = length ? TAP_FILE_TABLE : place->count == 1 ? kind_at_top(name) : TAP_FILE_SERVER;
	if (length && starts_with(name, "#sql"))
		ret->kind = TAP_FILE_TEMP_RELATION;
	path_fill(place, length ? length : strlen(name), ret);
}

/* Names alone say little: any folder may hold a file called so. */
bool tap_my_file_by_shape(const struct tap_file_place *place, struct tap_file_object *ret)
{
	(void)place;
	(void)ret;
	return false;
}
