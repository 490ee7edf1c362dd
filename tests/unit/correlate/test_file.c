// SPDX-License-Identifier: BSD-2-Clause
/* test_file.c - correlate/file: paths below data folders, tablespaces and moved WAL; overlays; hostile names. */
#include "correlate/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/check_main.h"

enum {
	DEVICE = 8 << 20 | 1,
	OVERLAY = 0 << 20 | 40, /* what the roots of an instance on an overlay show */
	DATA = 100,		/* inodes of folders */
	SPACE = 200,
	WAL = 300,
	OTHER_DATA = 400,
	ELSEWHERE = 999,
};

static const struct tap_file_root roots[] = {
	{ .instance = 0, .device = DEVICE, .inode = DATA },
	{ .instance = 0, .device = DEVICE, .inode = SPACE, .tablespace = 16400 },
	{ .instance = 0, .device = DEVICE, .inode = WAL, .wal = true },
	{ .instance = 1, .device = DEVICE, .inode = OTHER_DATA },
	{ .instance = 2, .device = OVERLAY, .inode = DATA },
};

static struct tap_file_object object;

/*
 * Decodes a path like "base/5/16384", whose topmost component lies in the folder `root`, whose own name is `above`.
 * Folders above that are not kept, as in the kernel.
 */
static void decode(uint64_t root, const char *above, const char *path, uint32_t hint)
{
	struct tap_file_key key = { .inode = 7, .device = DEVICE };
	struct tap_file file = { .size_bytes = 1 };
	char copy[400], *parts[16], *save = NULL;
	int count = 0, kept = 0;

	snprintf(copy, sizeof(copy), "%s/%s", above, path);
	for (char *at = strtok_r(copy, "/", &save); at && count < 16; at = strtok_r(NULL, "/", &save))
		parts[count++] = at;
	for (int i = count - 1; i >= 0 && kept < TAP_FILE_NAMES; i--, kept++) {
		snprintf(file.names[kept], TAP_FILE_NAME_MAX, "%s", parts[i]);
		if (kept)
			file.folders[kept - 1] = i == 0 ? root : ELSEWHERE + (uint64_t)i;
	}
	tap_file_decode(&key, &file, roots, sizeof(roots) / sizeof(roots[0]), hint, &object);
}

static const struct {
	uint64_t root;
	const char *path;
	uint32_t instance;
	enum tap_file_kind kind;
	uint32_t tablespace, database, filenode;
	enum tap_fork fork;
	uint32_t segment;
	int32_t pid;
	const char *name;
} paths[] = {
	{ DATA, "base/5/16384", 0, TAP_FILE_RELATION, 1663, 5, 16384, TAP_FORK_MAIN, 0, 0, "base/5/16384" },
	{ DATA, "base/5/16384.7", 0, TAP_FILE_RELATION, 1663, 5, 16384, TAP_FORK_MAIN, 7, 0, "base/5/16384" },
	{ DATA, "base/5/16384_fsm", 0, TAP_FILE_RELATION, 1663, 5, 16384, TAP_FORK_FSM, 0, 0, "base/5/16384" },
	{ DATA, "base/5/16384_vm.1", 0, TAP_FILE_RELATION, 1663, 5, 16384, TAP_FORK_VM, 1, 0, "base/5/16384" },
	{ DATA, "base/5/16384_init", 0, TAP_FILE_RELATION, 1663, 5, 16384, TAP_FORK_INIT, 0, 0, "base/5/16384" },
	{ DATA, "base/4294967295/4294967295", 0, TAP_FILE_RELATION, 1663, 4294967295u, 4294967295u, 0, 0, 0,
	  "base/4294967295/4294967295" },
	{ OTHER_DATA, "base/5/16384", 1, TAP_FILE_RELATION, 1663, 5, 16384, 0, 0, 0, "base/5/16384" },
	{ DATA, "base/5/t3_16390.2", 0, TAP_FILE_TEMP_RELATION, 1663, 5, 16390, 0, 2, 0, "base/5/t3_16390" },
	{ DATA, "base/5/t3_16390_fsm", 0, TAP_FILE_TEMP_RELATION, 1663, 5, 16390, TAP_FORK_FSM, 0, 0,
	  "base/5/t3_16390" },
	{ DATA, "global/1262", 0, TAP_FILE_RELATION, 1664, 0, 1262, 0, 0, 0, "global/1262" },
	{ DATA, "global/pg_control", 0, TAP_FILE_CONTROL, 0, 0, 0, 0, 0, 0, "global/pg_control" },
	{ DATA, "global/pg_filenode.map", 0, TAP_FILE_CONTROL, 0, 0, 0, 0, 0, 0, "global/pg_filenode.map" },
	{ DATA, "base/5/pg_internal.init.77", 0, TAP_FILE_CONTROL, 0, 0, 0, 0, 0, 0, "base/5/pg_internal.init.77" },
	{ DATA, "base/5/PG_VERSION", 0, TAP_FILE_CONTROL, 0, 0, 0, 0, 0, 0, "base/5/PG_VERSION" },
	{ DATA, "PG_VERSION", 0, TAP_FILE_CONTROL, 0, 0, 0, 0, 0, 0, "PG_VERSION" },
	{ DATA, "base/pgsql_tmp/pgsql_tmp4711.3", 0, TAP_FILE_TEMP, 0, 0, 0, 0, 0, 4711, "base/pgsql_tmp" },
	{ DATA, "pg_wal/000000010000000000000001", 0, TAP_FILE_WAL, 0, 0, 0, 0, 0, 0, "pg_wal" },
	{ DATA, "pg_wal/archive_status/000000010000000000000001.done", 0, TAP_FILE_WAL, 0, 0, 0, 0, 0, 0, "pg_wal" },
	{ WAL, "000000010000000000000001", 0, TAP_FILE_WAL, 0, 0, 0, 0, 0, 0, "pg_wal" },
	{ WAL, "archive_status/x", 0, TAP_FILE_WAL, 0, 0, 0, 0, 0, 0, "pg_wal" },
	{ DATA, "pg_xact/0000", 0, TAP_FILE_XACT, 0, 0, 0, 0, 0, 0, "pg_xact" },
	{ DATA, "pg_multixact/members/0000", 0, TAP_FILE_XACT, 0, 0, 0, 0, 0, 0, "pg_multixact" },
	{ DATA, "pg_subtrans/0000", 0, TAP_FILE_XACT, 0, 0, 0, 0, 0, 0, "pg_subtrans" },
	{ DATA, "pg_commit_ts/0000", 0, TAP_FILE_XACT, 0, 0, 0, 0, 0, 0, "pg_commit_ts" },
	{ DATA, "pg_stat/pgstat.stat", 0, TAP_FILE_STATISTICS, 0, 0, 0, 0, 0, 0, "pg_stat" },
	{ DATA, "pg_stat_tmp/db_5.stat", 0, TAP_FILE_STATISTICS, 0, 0, 0, 0, 0, 0, "pg_stat_tmp" },
	{ DATA, "log/postgresql.log", 0, TAP_FILE_LOG, 0, 0, 0, 0, 0, 0, "log" },
	{ DATA, "postmaster.pid", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "postmaster.pid" },
	{ DATA, "log", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "log" },
	{ DATA, "pg_replslot/s/state", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "pg_replslot" },
	{ SPACE, "PG_15_202209061/5/16385.1", 0, TAP_FILE_RELATION, 16400, 5, 16385, 0, 1, 0,
	  "pg_tblspc/16400/5/16385" },
	{ SPACE, "PG_15_202209061/pgsql_tmp/pgsql_tmp12.0", 0, TAP_FILE_TEMP, 0, 0, 0, 0, 0, 12,
	  "pg_tblspc/16400/pgsql_tmp" },
	{ SPACE, "PG_15_202209061/5/PG_VERSION", 0, TAP_FILE_CONTROL, 0, 0, 0, 0, 0, 0,
	  "pg_tblspc/16400/5/PG_VERSION" },
	/* What looks like a relation and is none. */
	{ DATA, "base/5/0", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base/5/0" },
	{ DATA, "base/5/016384", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base/5/016384" },
	{ DATA, "base/5/4294967296", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base/5/4294967296" },
	{ DATA, "base/5/99999999999999999999999999", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0,
	  "base/5/99999999999999999999999999" },
	{ DATA, "base/5/16384x", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base/5/16384x" },
	{ DATA, "base/5/16384.", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base/5/16384." },
	{ DATA, "base/5/16384.0", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base/5/16384.0" },
	{ DATA, "base/5/16384_vmx", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base/5/16384_vmx" },
	{ DATA, "base/5/t_16384", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base/5/t_16384" },
	{ DATA, "base/5/t3", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base/5/t3" },
	{ DATA, "base/-5/16384", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base" },
	{ DATA, "base/16384", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "base" },
	{ SPACE, "16384", 0, TAP_FILE_SERVER, 0, 0, 0, 0, 0, 0, "pg_tblspc/16400" },
	{ DATA, "base/pgsql_tmp/pgsql_tmp99999999999.1", 0, TAP_FILE_TEMP, 0, 0, 0, 0, 0, 0, "base/pgsql_tmp" },
	{ DATA, "base/pgsql_tmp/pgsql_tmp4294967295.1", 0, TAP_FILE_TEMP, 0, 0, 0, 0, 0, 0, "base/pgsql_tmp" },
	/* Of nobody. */
	{ ELSEWHERE, "base/5/16384", TAP_INSTANCE_NONE, TAP_FILE_UNKNOWN, 0, 0, 0, 0, 0, 0, "base/5/16384" },
	{ ELSEWHERE, "log/postgresql/server.log", TAP_INSTANCE_NONE, TAP_FILE_UNKNOWN, 0, 0, 0, 0, 0, 0,
	  "log/postgresql/server.log" },
};

START_TEST(test_paths)
{
	decode(paths[_i].root, "main", paths[_i].path, TAP_INSTANCE_NONE);
	ck_assert_msg(!strcmp(object.path, paths[_i].name), "%s: %s", paths[_i].path, object.path);
	ck_assert_uint_eq(object.instance, paths[_i].instance);
	ck_assert_msg(object.kind == paths[_i].kind, "%s: %s", paths[_i].path, tap_file_kind_name(object.kind));
	ck_assert_uint_eq(object.tablespace, paths[_i].tablespace);
	ck_assert_uint_eq(object.database, paths[_i].database);
	ck_assert_uint_eq(object.filenode, paths[_i].filenode);
	ck_assert_int_eq(object.fork, paths[_i].fork);
	ck_assert_uint_eq(object.segment, paths[_i].segment);
	ck_assert_int_eq(object.pid, paths[_i].pid);
}
END_TEST

START_TEST(test_metadata)
{
	struct tap_file_key key = { .device = DEVICE };
	struct tap_file file = { .names = { "16384", "5", "base" } };

	tap_file_decode(&key, &file, roots, 5, 0, &object);
	ck_assert_int_eq(object.kind, TAP_FILE_METADATA);
	ck_assert_uint_eq(object.instance, TAP_INSTANCE_NONE);
	ck_assert_str_eq(object.path, "metadata");
}
END_TEST

/* The same inode number on another device is another folder. */
START_TEST(test_root_of_another_device)
{
	struct tap_file_key key = { .inode = 7, .device = DEVICE + 1 };
	struct tap_file file = { .folders = { 1, 2, DATA }, .names = { "16384", "5", "base", "main" } };

	tap_file_decode(&key, &file, roots, 5, TAP_INSTANCE_NONE, &object);
	ck_assert_int_eq(object.kind, TAP_FILE_UNKNOWN);
	tap_file_decode(&key, &file, NULL, 0, TAP_INSTANCE_NONE, &object);
	ck_assert_int_eq(object.kind, TAP_FILE_UNKNOWN);
}
END_TEST

/* A tablespace that lies within a data folder belongs to the nearer root. */
START_TEST(test_nearest_root)
{
	struct tap_file_key key = { .inode = 7, .device = DEVICE };
	struct tap_file file = { .folders = { 1, SPACE, DATA }, .names = { "x", "PG_15_1", "space", "main" } };

	tap_file_decode(&key, &file, roots, 5, TAP_INSTANCE_NONE, &object);
	ck_assert_str_eq(object.path, "pg_tblspc/16400");
}
END_TEST

/* An overlay shows other inodes than its folders have: the names must do. */
static const struct {
	const char *path;
	enum tap_file_kind kind;
	uint32_t tablespace, database, filenode;
	const char *name;
} shapes[] = {
	{ "base/5/16384.1", TAP_FILE_RELATION, 1663, 5, 16384, "base/5/16384" },
	{ "global/1262", TAP_FILE_RELATION, 1664, 0, 1262, "global/1262" },
	{ "global/pg_control", TAP_FILE_CONTROL, 0, 0, 0, "global/pg_control" },
	{ "pg_wal/000000010000000000000001", TAP_FILE_WAL, 0, 0, 0, "pg_wal" },
	{ "pg_xact/0001", TAP_FILE_XACT, 0, 0, 0, "pg_xact" },
	{ "base/pgsql_tmp/pgsql_tmp9.0", TAP_FILE_TEMP, 0, 0, 0, "base/pgsql_tmp" },
	{ "base/pgsql_tmp/pgsql_tmp9.0.fileset/o3of8.p1.0", TAP_FILE_TEMP, 0, 0, 0, "base/pgsql_tmp" },
	{ "pg_tblspc/16400/PG_15_202209061/5/16385", TAP_FILE_RELATION, 16400, 5, 16385, "pg_tblspc/16400/5/16385" },
	{ "space/PG_15_202209061/5/16385", TAP_FILE_RELATION, 0, 5, 16385, "pg_tblspc/?/5/16385" },
	{ "log/postgresql.log", TAP_FILE_UNKNOWN, 0, 0, 0, NULL },
	{ "pg_wal/notes.txt", TAP_FILE_UNKNOWN, 0, 0, 0, NULL },
	{ "pg_xact/notes", TAP_FILE_UNKNOWN, 0, 0, 0, NULL },
	{ "base/5/notes", TAP_FILE_UNKNOWN, 0, 0, 0, NULL },
	{ "base/pgsql_tmp/notes", TAP_FILE_UNKNOWN, 0, 0, 0, NULL },
	{ "16384", TAP_FILE_UNKNOWN, 0, 0, 0, NULL },
};

START_TEST(test_shapes)
{
	decode(ELSEWHERE, "main", shapes[_i].path, 2);
	ck_assert_msg(object.kind == shapes[_i].kind, "%s: %s", shapes[_i].path, tap_file_kind_name(object.kind));
	ck_assert_uint_eq(object.instance, shapes[_i].name ? 2 : TAP_INSTANCE_NONE);
	ck_assert_uint_eq(object.tablespace, shapes[_i].tablespace);
	ck_assert_uint_eq(object.database, shapes[_i].database);
	ck_assert_uint_eq(object.filenode, shapes[_i].filenode);
	if (shapes[_i].name)
		ck_assert_str_eq(object.path, shapes[_i].name);
	/* Nobody of an instance used it: the names alone do not say whose it is. */
	decode(ELSEWHERE, "main", shapes[_i].path, TAP_INSTANCE_NONE);
	ck_assert_int_eq(object.kind, TAP_FILE_UNKNOWN);
}
END_TEST

/* A session that copies data folders about does not make the copy its instance's, where inodes can be compared. */
START_TEST(test_copy_of_a_data_folder)
{
	decode(ELSEWHERE, "copy", "base/5/16384", 0);
	ck_assert_int_eq(object.kind, TAP_FILE_UNKNOWN);
	ck_assert_uint_eq(object.instance, TAP_INSTANCE_NONE);
	decode(ELSEWHERE, "copy", "pg_wal/000000010000000000000001", 0);
	ck_assert_int_eq(object.kind, TAP_FILE_UNKNOWN);
	/* What lies too deep for its root to be seen is believed. */
	decode(DATA, "main", "base/pgsql_tmp/pgsql_tmp9.0.sharedfileset/0.0", 0);
	ck_assert_int_eq(object.kind, TAP_FILE_TEMP);
	ck_assert_uint_eq(object.instance, 0);
	ck_assert_int_eq(object.pid, 9);
}
END_TEST

START_TEST(test_hostile_names)
{
	struct tap_file_key key = { .inode = 7, .device = DEVICE };
	struct tap_file file;

	/* Not ended by a NUL anywhere. */
	memset(&file, 'a', sizeof(file));
	tap_file_decode(&key, &file, roots, 5, 0, &object);
	ck_assert_int_eq(object.kind, TAP_FILE_UNKNOWN);
	ck_assert_uint_eq(strlen(object.path), 2 * (TAP_FILE_NAME_MAX - 1) + 1);
	memset(&file, '1', sizeof(file));
	file.folders[2] = DATA;
	tap_file_decode(&key, &file, roots, 5, 0, &object);
	ck_assert_int_eq(object.kind, TAP_FILE_SERVER);
	memset(&file, 0, sizeof(file));
	tap_file_decode(&key, &file, roots, 5, 0, &object);
	ck_assert_str_eq(object.path, "unnamed");
	file.folders[0] = DATA;
	tap_file_decode(&key, &file, roots, 5, 0, &object);
	ck_assert_int_eq(object.kind, TAP_FILE_SERVER);
	file.folders[0] = 0;
	file.folders[2] = SPACE;
	tap_file_decode(&key, &file, roots, 5, 0, &object);
	ck_assert_int_eq(object.kind, TAP_FILE_SERVER);
	/* A root that is none. */
	tap_file_decode(&key, &file, &(struct tap_file_root){ .device = DEVICE }, 1, TAP_INSTANCE_NONE, &object);
	ck_assert_int_eq(object.kind, TAP_FILE_UNKNOWN);
}
END_TEST

/* Random pieces of real names: whatever comes out is whole, in bounds, and says the same twice. */
START_TEST(test_random_names)
{
	static const char *const pieces[] = { "base", "global", "pg_wal", "5",	  "16384",     "_fsm", ".",	  "t3_",
					      "PG_",  "_",	"15",	  "\xff", "pgsql_tmp", "/",    "pg_xact", "0" };
	static const uint64_t folders[] = { 0, DATA, SPACE, WAL, ELSEWHERE };
	unsigned seed = 1;

	for (int round = 0; round < 200000; round++) {
		struct tap_file_key key = { .inode = (uint64_t)(round % 50), .device = DEVICE };
		struct tap_file file = { 0 };
		struct tap_file_object again;

		for (int i = 0; i < TAP_FILE_NAMES; i++) {
			for (int j = 0; j < 3; j++) {
				const char *piece = pieces[(unsigned)rand_r(&seed) % 16];

				if (j == 0 || rand_r(&seed) % 3 == 0)
					strncat(file.names[i], piece, TAP_FILE_NAME_MAX - 1 - strlen(file.names[i]));
			}
			if (i < TAP_FILE_NAMES - 1)
				file.folders[i] = folders[(unsigned)rand_r(&seed) % 5];
		}
		memset(&object, 0xaa, sizeof(object));
		memset(&again, 0x55, sizeof(again));
		tap_file_decode(&key, &file, roots, 5, (uint32_t)(round % 4), &object);
		tap_file_decode(&key, &file, roots, 5, (uint32_t)(round % 4), &again);
		ck_assert_uint_lt((unsigned)object.kind, TAP_FILE_KIND_COUNT);
		ck_assert_ptr_nonnull(memchr(object.path, 0, sizeof(object.path)));
		ck_assert_str_eq(object.path, again.path);
		ck_assert_uint_eq(object.filenode, again.filenode);
		ck_assert(object.path[0]);
		ck_assert((object.filenode != 0) ==
			  (object.kind == TAP_FILE_RELATION || object.kind == TAP_FILE_TEMP_RELATION));
	}
}
END_TEST

START_TEST(test_names_of_kinds)
{
	ck_assert_str_eq(tap_file_kind_name(TAP_FILE_WAL), "wal");
	ck_assert_str_eq(tap_file_kind_name((enum tap_file_kind)1000), "unknown");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/file");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, test_paths, 0, (int)(sizeof(paths) / sizeof(paths[0])));
	tcase_add_test(tests, test_metadata);
	tcase_add_test(tests, test_root_of_another_device);
	tcase_add_test(tests, test_nearest_root);
	tcase_add_loop_test(tests, test_shapes, 0, (int)(sizeof(shapes) / sizeof(shapes[0])));
	tcase_add_test(tests, test_copy_of_a_data_folder);
	tcase_add_test(tests, test_hostile_names);
	tcase_add_test(tests, test_random_names);
	tcase_add_test(tests, test_names_of_kinds);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
