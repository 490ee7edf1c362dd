// SPDX-License-Identifier: BSD-2-Clause
/*
 * file.c - reads the names of a file and of the folders above it as a path below a data folder or a tablespace.
 *
 * A place below a root is a list of components, topmost first. Where a file's root is not among the three folders that
 * the kernel side kept (a shared spill has four below the data folder) or shows another inode (overlay), the names
 * alone must do, and are believed only when all of them fit.
 */
#include "correlate/file.h"

#include <stdio.h>
#include <string.h>

enum {
	TABLESPACE_DEFAULT = 1663,
	TABLESPACE_GLOBAL = 1664,
	WAL_NAME_DIGITS = 24, /* timeline, log, segment */
};

static const char *const kind_names[TAP_FILE_KIND_COUNT] = {
#define X(id, name) [TAP_FILE_##id] = name,
	TAP_FILE_KINDS(X)
#undef X
};

static const char *const fork_names[TAP_FORK_COUNT] = { "main", "fsm", "vm", "init" };

const char *tap_file_kind_name(enum tap_file_kind kind)
{
	return kind_names[(unsigned)kind < TAP_FILE_KIND_COUNT ? kind : TAP_FILE_UNKNOWN];
}

const char *tap_fork_name(enum tap_fork fork)
{
	return fork_names[(unsigned)fork < TAP_FORK_COUNT ? fork : TAP_FORK_MAIN];
}

/* The components of a path below a root, topmost first; the last one is the file. */
struct place {
	const char *names[TAP_FILE_NAMES]; /* "" from `count` on */
	int count;
};

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* A number as the server writes it (no sign, no leading zero, not 0) at *at, which moves behind it; 0: none. */
static uint32_t number_take(const char **at)
{
	uint64_t number = 0;

	if (**at == '0')
		return 0;
	while (is_digit(**at)) {
		number = number * 10 + (uint64_t)(**at - '0');
		if (number > UINT32_MAX)
			return 0;
		(*at)++;
	}
	return (uint32_t)number;
}

static uint32_t number_whole(const char *text)
{
	uint32_t number = number_take(&text);

	return *text ? 0 : number;
}

static bool text_take(const char **at, const char *text)
{
	size_t size = strlen(text);

	if (strncmp(*at, text, size) != 0)
		return false;
	*at += size;
	return true;
}

static bool starts_with(const char *name, const char *text)
{
	return text_take(&name, text);
}

static size_t hex_digits(const char *name)
{
	return strspn(name, "0123456789ABCDEF");
}

/* "16384", "16384_fsm.1", "t3_16390": false, and *ret untouched, when it is no such name. */
static bool relation_name(const char *name, struct tap_file_object *ret, bool *ret_temporary)
{
	const char *at = name;
	enum tap_fork fork = TAP_FORK_MAIN;
	uint32_t filenode, segment = 0;
	bool temporary = *at == 't';

	if (temporary) {
		at++;
		if (!number_take(&at) || !text_take(&at, "_"))
			return false;
	}
	filenode = number_take(&at);
	if (!filenode)
		return false;
	if (text_take(&at, "_fsm"))
		fork = TAP_FORK_FSM;
	else if (text_take(&at, "_vm"))
		fork = TAP_FORK_VM;
	else if (text_take(&at, "_init"))
		fork = TAP_FORK_INIT;
	if (text_take(&at, ".")) {
		segment = number_take(&at);
		if (!segment)
			return false;
	}
	if (*at)
		return false;
	ret->filenode = filenode;
	ret->fork = fork;
	ret->segment = segment;
	*ret_temporary = temporary;
	return true;
}

static bool is_control(const char *name)
{
	return starts_with(name, "pg_control") || starts_with(name, "pg_filenode.map") ||
	       starts_with(name, "pg_internal.init") || !strcmp(name, "PG_VERSION");
}

/* The part of a relation's file name that its segments and forks share. */
static size_t stem_length(const char *name)
{
	size_t skip = name[0] == 't' ? strcspn(name, "_") + 1 : 0;

	return skip + strspn(name + skip, "0123456789");
}

/* Appends to the path of an object, as far as there is room. snprintf would be most of what decoding costs. */
static void path_add(struct tap_file_object *object, const char *text, size_t size)
{
	size_t used = strlen(object->path), room = sizeof(object->path) - 1 - used;

	size = size < room ? size : room;
	memcpy(object->path + used, text, size);
	object->path[used + size] = '\0';
}

static void path_add_string(struct tap_file_object *object, const char *text)
{
	path_add(object, text, strlen(text));
}

static void path_add_number(struct tap_file_object *object, uint32_t number)
{
	char digits[10];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	path_add(object, digits + at, sizeof(digits) - at);
}

/* A file in the folder of a database (or in `global`), which is the path so far. */
static void decode_database(const char *name, struct tap_file_object *ret)
{
	bool temporary = false;

	path_add_string(ret, "/");
	if (relation_name(name, ret, &temporary)) {
		ret->kind = temporary ? TAP_FILE_TEMP_RELATION : TAP_FILE_RELATION;
		path_add(ret, name, stem_length(name));
		return;
	}
	ret->kind = is_control(name) ? TAP_FILE_CONTROL : TAP_FILE_SERVER;
	ret->tablespace = 0;
	ret->database = 0;
	path_add_string(ret, name);
}

/* Spills: pgsql_tmp<pid>.<n>, or files of any name in a folder that is called so. `from` is the first below pgsql_tmp.
 */
static void decode_temp(const struct place *place, int from, struct tap_file_object *ret)
{
	const char *at = from < place->count ? place->names[from] : "";
	uint32_t pid = text_take(&at, "pgsql_tmp") ? number_take(&at) : 0;

	ret->kind = TAP_FILE_TEMP;
	ret->tablespace = 0;
	if (pid <= INT32_MAX && *at == '.')
		ret->pid = (int32_t)pid;
	path_add_string(ret, "/pgsql_tmp");
}

static void decode_server(const struct place *place, enum tap_file_kind kind, struct tap_file_object *ret)
{
	ret->kind = kind;
	ret->tablespace = 0;
	path_add_string(ret, place->names[0]);
}

/* Below the folder of a tablespace: PG_15_202209061/5/16384. Its number may be unknown (0). */
static void decode_tablespace(const struct place *place, struct tap_file_object *ret)
{
	uint32_t database = place->count > 2 ? number_whole(place->names[1]) : 0;

	path_add_string(ret, "pg_tblspc/");
	if (ret->tablespace)
		path_add_number(ret, ret->tablespace);
	else
		path_add_string(ret, "?");
	if (place->count > 1 && !strcmp(place->names[1], "pgsql_tmp")) {
		decode_temp(place, 2, ret);
		return;
	}
	if (place->count != 3 || !database) {
		ret->kind = TAP_FILE_SERVER;
		ret->tablespace = 0;
		return;
	}
	ret->database = database;
	path_add_string(ret, "/");
	path_add_number(ret, database);
	decode_database(place->names[2], ret);
}

static void decode_base(const struct place *place, struct tap_file_object *ret)
{
	uint32_t database = place->count > 2 ? number_whole(place->names[1]) : 0;

	if (place->count > 1 && !strcmp(place->names[1], "pgsql_tmp")) {
		path_add_string(ret, "base");
		decode_temp(place, 2, ret);
		return;
	}
	if (place->count != 3 || !database) {
		decode_server(place, TAP_FILE_SERVER, ret);
		return;
	}
	ret->tablespace = TABLESPACE_DEFAULT;
	ret->database = database;
	path_add_string(ret, "base/");
	path_add_number(ret, database);
	decode_database(place->names[2], ret);
}

static void decode_global(const struct place *place, struct tap_file_object *ret)
{
	if (place->count != 2) {
		decode_server(place, TAP_FILE_SERVER, ret);
		return;
	}
	ret->tablespace = TABLESPACE_GLOBAL;
	path_add_string(ret, "global");
	decode_database(place->names[1], ret);
}

/* Folders of the data folder whose files are all of one kind. */
static const struct {
	const char *name;
	enum tap_file_kind kind;
} folder_kinds[] = {
	{ "pg_wal", TAP_FILE_WAL },	   { "pg_xlog", TAP_FILE_WAL },	       { "pg_xact", TAP_FILE_XACT },
	{ "pg_clog", TAP_FILE_XACT },	   { "pg_multixact", TAP_FILE_XACT },  { "pg_subtrans", TAP_FILE_XACT },
	{ "pg_commit_ts", TAP_FILE_XACT }, { "pg_stat", TAP_FILE_STATISTICS }, { "pg_stat_tmp", TAP_FILE_STATISTICS },
	{ "log", TAP_FILE_LOG },	   { "pg_log", TAP_FILE_LOG },
};

static void decode_data(const struct place *place, struct tap_file_object *ret)
{
	const char *first = place->names[0];

	if (!strcmp(first, "base")) {
		decode_base(place, ret);
		return;
	}
	if (!strcmp(first, "global")) {
		decode_global(place, ret);
		return;
	}
	for (size_t i = 0; i < sizeof(folder_kinds) / sizeof(folder_kinds[0]) && place->count > 1; i++) {
		if (!strcmp(first, folder_kinds[i].name)) {
			decode_server(place, folder_kinds[i].kind, ret);
			return;
		}
	}
	decode_server(place, is_control(first) ? TAP_FILE_CONTROL : TAP_FILE_SERVER, ret);
}

/* The place whose topmost component is names[top]. */
static struct place place_from(const char names[TAP_FILE_NAMES][TAP_FILE_NAME_MAX], int top)
{
	struct place place = { .count = top + 1 };

	for (int i = 0; i < TAP_FILE_NAMES; i++)
		place.names[i] = i <= top ? names[top - i] : "";
	return place;
}

/* The root that holds the file, and in *ret_depth how many folders lie between; NULL: none. The nearest one wins. */
static const struct tap_file_root *root_find(const struct tap_file_key *key, const struct tap_file *file,
					     const struct tap_file_root *roots, size_t n_roots, int *ret_depth)
{
	const struct tap_file_root *found = NULL;
	int depth = TAP_FILE_NAMES - 1;

	for (size_t i = 0; i < n_roots; i++) {
		if (roots[i].device != key->device || !roots[i].inode)
			continue;
		for (int j = 0; j < depth; j++) {
			if (file->folders[j] == roots[i].inode) {
				found = &roots[i];
				depth = j;
			}
		}
	}
	*ret_depth = depth;
	return found;
}

static bool is_version_folder(const char *name)
{
	const char *at = name;

	return text_take(&at, "PG_") && number_take(&at) && text_take(&at, "_") && number_whole(at);
}

/* Of the kinds that may be told from names alone, whether the file's own name fits too. */
static bool name_fits(const struct tap_file_object *object, const struct place *place)
{
	const char *name = place->names[place->count - 1];

	switch (object->kind) {
	case TAP_FILE_RELATION:
	case TAP_FILE_TEMP_RELATION:
	case TAP_FILE_CONTROL:
		return true;
	case TAP_FILE_TEMP:
		return object->pid > 0;
	case TAP_FILE_WAL:
		return hex_digits(name) >= WAL_NAME_DIGITS || starts_with(name, "xlogtemp.");
	case TAP_FILE_XACT:
		return hex_digits(name) >= 4 && hex_digits(name) == strlen(name);
	default:
		return false;
	}
}

/* Whether the inodes of the device are those that the instance's own folders have: no overlay lies between. */
static bool instance_sees(uint32_t instance, const struct tap_file_key *key, const struct tap_file_root *roots,
			  size_t n_roots)
{
	for (size_t i = 0; i < n_roots; i++) {
		if (roots[i].instance == instance && roots[i].device == key->device)
			return true;
	}
	return false;
}

/*
 * Whether the names from names[top] on have the shape of a data folder or tablespace; fills *ret only then. On a device
 * whose inodes are `seen`, only what lies too deep for its root is believed: a copy of a data folder is none.
 */
static bool shape_try(const char names[TAP_FILE_NAMES][TAP_FILE_NAME_MAX], int top, uint32_t instance, bool seen,
		      struct tap_file_object *ret)
{
	struct place place = place_from(names, top);
	struct tap_file_object object = { .instance = instance };

	if (is_version_folder(names[top])) {
		object.tablespace = top + 1 < TAP_FILE_NAMES ? number_whole(names[top + 1]) : 0;
		decode_tablespace(&place, &object);
	} else {
		decode_data(&place, &object);
	}
	if (!name_fits(&object, &place) || (seen && place.count < TAP_FILE_NAMES))
		return false;
	*ret = object;
	return true;
}

/* What no instance owns: the last names of its path, as many as fit. */
static void decode_unknown(const char names[TAP_FILE_NAMES][TAP_FILE_NAME_MAX], struct tap_file_object *ret)
{
	size_t length = strlen(names[2]) + strlen(names[1]) + strlen(names[0]) + 2;

	ret->kind = TAP_FILE_UNKNOWN;
	if (names[2][0] && names[2][0] != '/' && length < sizeof(ret->path))
		snprintf(ret->path, sizeof(ret->path), "%s/%s/%s", names[2], names[1], names[0]);
	else if (names[1][0] && names[1][0] != '/')
		snprintf(ret->path, sizeof(ret->path), "%s/%s", names[1], names[0]);
	else
		snprintf(ret->path, sizeof(ret->path), "%s", names[0][0] ? names[0] : "unnamed");
}

void tap_file_decode(const struct tap_file_key *key, const struct tap_file *file, const struct tap_file_root *roots,
		     size_t n_roots, uint32_t instance_hint, struct tap_file_object *ret)
{
	char names[TAP_FILE_NAMES][TAP_FILE_NAME_MAX];
	const struct tap_file_root *root;
	struct place place;
	bool seen;
	int depth;

	*ret = (struct tap_file_object){ .instance = TAP_INSTANCE_NONE };
	if (!key->inode) {
		ret->kind = TAP_FILE_METADATA;
		path_add_string(ret, "metadata");
		return;
	}
	memcpy(names, file->names, sizeof(names));
	for (int i = 0; i < TAP_FILE_NAMES; i++)
		names[i][TAP_FILE_NAME_MAX - 1] = '\0';
	root = root_find(key, file, roots, n_roots, &depth);
	if (root) {
		place = place_from((const char(*)[TAP_FILE_NAME_MAX])names, depth);
		ret->instance = root->instance;
		ret->tablespace = root->tablespace;
		if (root->wal) {
			ret->kind = TAP_FILE_WAL;
			path_add_string(ret, "pg_wal");
		} else if (root->tablespace) {
			decode_tablespace(&place, ret);
		} else {
			decode_data(&place, ret);
		}
		return;
	}
	seen = instance_sees(instance_hint, key, roots, n_roots);
	for (int top = TAP_FILE_NAMES - 1; top > 0 && instance_hint != TAP_INSTANCE_NONE; top--) {
		if (shape_try((const char(*)[TAP_FILE_NAME_MAX])names, top, instance_hint, seen, ret))
			return;
	}
	decode_unknown((const char(*)[TAP_FILE_NAME_MAX])names, ret);
}
