// SPDX-License-Identifier: BSD-2-Clause
/*
 * files.c - names of files below a data folder: a folder a database, a file or two a table.
 */
#include "correlate/engine/mysql/files.h"

#include <stdbool.h>
#include <string.h>

enum {
	LOG_DIGITS = 6, /* at least, of the number of a part of a log */
};

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

static bool ends_with(const char *text, const char *suffix)
{
	size_t length = strlen(text), end = strlen(suffix);

	return length > end && !strcmp(text + length - end, suffix);
}

/* Length of the name before a number of six digits or more: "mysql-bin.000042" is a part of a log; 0: it is none. */
static size_t log_length(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t digits = dot ? strspn(dot + 1, "0123456789") : 0;

	return dot && digits >= LOG_DIGITS && !dot[1 + digits] ? (size_t)(dot - name) : 0;
}

static enum tap_file_kind kind_at_top(const char *name)
{
	static const struct {
		const char *prefix;
		enum tap_file_kind kind;
	} begins[] = {
		{ "ib_logfile", TAP_FILE_WAL }, { "aria_log", TAP_FILE_WAL }, { "ib_redo", TAP_FILE_WAL },
		{ "#ib_redo", TAP_FILE_WAL },	{ "ibtmp", TAP_FILE_TEMP },   { "#sql", TAP_FILE_TEMP },
		{ "ibdata", TAP_FILE_SYSTEM },	{ "undo_", TAP_FILE_UNDO },   { "undo0", TAP_FILE_UNDO },
	};

	if (ends_with(name, ".dblwr") || ends_with(name, ".bdblwr"))
		return TAP_FILE_DOUBLEWRITE;
	if (!strcmp(name, "mysql.ibd"))
		return TAP_FILE_SYSTEM;
	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++) {
		if (starts_with(name, begins[i].prefix))
			return begins[i].kind;
	}
	return log_length(name) ? TAP_FILE_BINLOG : TAP_FILE_SERVER;
}

/* MySQL has folders of its own for these. */
static enum tap_file_kind kind_in_folder(const char *folder)
{
	if (!strcmp(folder, "#innodb_redo"))
		return TAP_FILE_WAL;
	return !strcmp(folder, "#innodb_temp") ? TAP_FILE_TEMP : TAP_FILE_SERVER;
}

static void path_fill(const struct tap_file_place *place, size_t last_length, struct tap_file_object *ret)
{
	for (int i = 0; i + 1 < place->count; i++) {
		tap_file_path_add_string(ret, place->names[i]);
		tap_file_path_add_string(ret, "/");
	}
	tap_file_path_add(ret, place->names[place->count - 1], last_length);
}

/* ---- a table's name ---- */

static int hex_digit(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = digit ? strchr(digits, digit >= 'A' && digit <= 'F' ? digit + 'a' - 'A' : digit) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* "@002d" is a character by its number; -1: no such thing. */
static int32_t character_at(const char *text, size_t length)
{
	int32_t number = 0;

	if (length < 5 || *text != '@')
		return -1;
	for (size_t i = 1; i < 5; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return -1;
		number = number << 4 | digit;
	}
	return number < 0x20 || (number >= 0xd800 && number < 0xe000) ? -1 : number;
}

static void character_add(struct tap_file_object *ret, int32_t number)
{
	char bytes[3];
	size_t size = 0;

	if (number < 0x80) {
		bytes[size++] = (char)number;
	} else if (number < 0x800) {
		bytes[size++] = (char)(0xc0 | number >> 6);
		bytes[size++] = (char)(0x80 | (number & 0x3f));
	} else {
		bytes[size++] = (char)(0xe0 | number >> 12);
		bytes[size++] = (char)(0x80 | (number >> 6 & 0x3f));
		bytes[size++] = (char)(0x80 | (number & 0x3f));
	}
	tap_file_path_add(ret, bytes, size);
}

/* Names of files have characters that file systems may not like as numbers. */
static void name_add(struct tap_file_object *ret, const char *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		int32_t number = character_at(text + i, length - i);

		if (number >= 0)
			character_add(ret, number);
		else
			tap_file_path_add(ret, text + i, 1);
		i += number >= 0 ? 5 : 1;
	}
}

/* "#P#" or "#SP#", in either case, at or behind `from`; `length` when there is none. */
static size_t mark_find(const char *name, size_t from, size_t length, size_t *ret_size)
{
	for (size_t i = from; i + 3 <= length; i++) {
		size_t sub = i + 4 <= length && (name[i + 1] | 0x20) == 's';

		if (name[i] == '#' && (name[i + 1 + sub] | 0x20) == 'p' && name[i + 2 + sub] == '#') {
			*ret_size = 3 + sub;
			return i;
		}
	}
	return length;
}

/* "shop.items"; of a partition "shop.items(p0)", of a part of that "shop.items(p0,s1)". */
static void table_name(const struct tap_file_place *place, size_t length, struct tap_file_object *ret)
{
	const char *name = place->names[1];
	size_t mark = 0, at = mark_find(name, 1, length, &mark), next;
	bool parted = at < length;

	name_add(ret, place->names[0], strlen(place->names[0]));
	tap_file_path_add_string(ret, ".");
	name_add(ret, name, at);
	for (const char *before = "("; at < length; before = ",") {
		size_t from = at + mark;

		next = mark_find(name, from, length, &mark);
		tap_file_path_add_string(ret, before);
		name_add(ret, name + from, next - from);
		at = next;
	}
	if (parted)
		tap_file_path_add_string(ret, ")");
}

static void below_top(const struct tap_file_place *place, struct tap_file_object *ret)
{
	const char *name = place->names[place->count - 1];
	enum tap_file_kind in_folder = place->count == 2 ? kind_in_folder(place->names[0]) : TAP_FILE_SERVER;

	ret->kind = place->count == 1 ? kind_at_top(name) : in_folder;
	/* Parts of one log are one. */
	if (ret->kind == TAP_FILE_BINLOG)
		path_fill(place, log_length(name), ret);
	else if (in_folder != TAP_FILE_SERVER)
		tap_file_path_add_string(ret, place->names[0]);
	else
		path_fill(place, strlen(name), ret);
}

void tap_my_file_below(const struct tap_file_root *root, const struct tap_file_place *place,
		       struct tap_file_object *ret)
{
	const char *name = place->count > 0 ? place->names[place->count - 1] : "";
	size_t length = place->count == 2 && *place->names[0] != '#' ? table_length(name) : 0;

	(void)root;
	if (!place->count) {
		ret->kind = TAP_FILE_SERVER;
		return;
	}
	if (!length) {
		below_top(place, ret);
		return;
	}
	ret->kind = starts_with(name, "#sql") ? TAP_FILE_TEMP_RELATION : TAP_FILE_TABLE;
	table_name(place, length, ret);
}

/* Names alone say little: any folder may hold a file called so. */
bool tap_my_file_by_shape(const struct tap_file_place *place, struct tap_file_object *ret)
{
	(void)place;
	(void)ret;
	return false;
}
