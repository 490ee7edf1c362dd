// SPDX-License-Identifier: BSD-2-Clause
/*
 * files.c - reads the names of a path below a PostgreSQL data folder or tablespace as the file of an object.
 *
 * Called through correlate/engine/terms.h by correlate/file, which knows which folder a file lies below, or that it
 * knows none: then the names alone must do, and are believed only when all of them fit.
 */
#include "correlate/engine/postgres/files.h"

#include <string.h>

enum {
	TABLESPACE_DEFAULT = 1663,
	TABLESPACE_GLOBAL = 1664,
	WAL_NAME_DIGITS = 24, /* timeline, log, segment */
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

/* A file in the folder of a database (or in `global`), which is the path so far. */
static void decode_database(const char *name, struct tap_file_object *ret)
{
	bool temporary = false;

	tap_file_path_add_string(ret, "/");
	if (relation_name(name, ret, &temporary)) {
		ret->kind = temporary ? TAP_FILE_TEMP_RELATION : TAP_FILE_RELATION;
		tap_file_path_add(ret, name, stem_length(name));
		return;
	}
	ret->kind = is_control(name) ? TAP_FILE_CONTROL : TAP_FILE_SERVER;
	ret->tablespace = 0;
	ret->database = 0;
	tap_file_path_add_string(ret, name);
}

/* Spills: pgsql_tmp<pid>.<n>, or files of any name in a folder that is called so. `from` is the first below pgsql_tmp.
 */
static void decode_temp(const struct tap_file_place *place, int from, struct tap_file_object *ret)
{
	const char *at = from < place->count ? place->names[from] : "";
	uint32_t pid = text_take(&at, "pgsql_tmp") ? number_take(&at) : 0;

	ret->kind = TAP_FILE_TEMP;
	ret->tablespace = 0;
	if (pid <= INT32_MAX && *at == '.')
		ret->pid = (int32_t)pid;
	tap_file_path_add_string(ret, "/pgsql_tmp");
}

static void decode_server(const struct tap_file_place *place, enum tap_file_kind kind, struct tap_file_object *ret)
{
	ret->kind = kind;
	ret->tablespace = 0;
	tap_file_path_add_string(ret, place->names[0]);
}

/* Below the folder of a tablespace: PG_15_202209061/5/16384. Its number may be unknown (0). */
static void decode_tablespace(const struct tap_file_place *place, struct tap_file_object *ret)
{
	uint32_t database = place->count > 2 ? number_whole(place->names[1]) : 0;

	tap_file_path_add_string(ret, "pg_tblspc/");
	if (ret->tablespace)
		tap_file_path_add_number(ret, ret->tablespace);
	else
		tap_file_path_add_string(ret, "?");
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
	tap_file_path_add_string(ret, "/");
	tap_file_path_add_number(ret, database);
	decode_database(place->names[2], ret);
}

static void decode_base(const struct tap_file_place *place, struct tap_file_object *ret)
{
	uint32_t database = place->count > 2 ? number_whole(place->names[1]) : 0;

	if (place->count > 1 && !strcmp(place->names[1], "pgsql_tmp")) {
		tap_file_path_add_string(ret, "base");
		decode_temp(place, 2, ret);
		return;
	}
	if (place->count != 3 || !database) {
		decode_server(place, TAP_FILE_SERVER, ret);
		return;
	}
	ret->tablespace = TABLESPACE_DEFAULT;
	ret->database = database;
	tap_file_path_add_string(ret, "base/");
	tap_file_path_add_number(ret, database);
	decode_database(place->names[2], ret);
}

static void decode_global(const struct tap_file_place *place, struct tap_file_object *ret)
{
	if (place->count != 2) {
		decode_server(place, TAP_FILE_SERVER, ret);
		return;
	}
	ret->tablespace = TABLESPACE_GLOBAL;
	tap_file_path_add_string(ret, "global");
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

static void decode_data(const struct tap_file_place *place, struct tap_file_object *ret)
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

void tap_pg_file_below(const struct tap_file_root *root, const struct tap_file_place *place,
		       struct tap_file_object *ret)
{
	ret->tablespace = root->tablespace;
	if (root->wal) {
		ret->kind = TAP_FILE_WAL;
		tap_file_path_add_string(ret, "pg_wal");
	} else if (root->tablespace) {
		decode_tablespace(place, ret);
	} else {
		decode_data(place, ret);
	}
}

static bool is_version_folder(const char *name)
{
	const char *at = name;

	return text_take(&at, "PG_") && number_take(&at) && text_take(&at, "_") && number_whole(at);
}

/* Of the kinds that may be told from names alone, whether the file's own name fits too. */
static bool name_fits(const struct tap_file_object *object, const struct tap_file_place *place)
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

bool tap_pg_file_by_shape(const struct tap_file_place *place, struct tap_file_object *ret)
{
	struct tap_file_object object = *ret;

	if (is_version_folder(place->names[0])) {
		object.tablespace = number_whole(place->above);
		decode_tablespace(place, &object);
	} else {
		decode_data(place, &object);
	}
	if (!name_fits(&object, place))
		return false;
	*ret = object;
	return true;
}
