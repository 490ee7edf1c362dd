// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_objects.c - userspace/consume/objects over folders, a tracer and catalogs of the test's own making: what is
 * watched, what is said when it cannot be, which database is asked for which files.
 */
#include "userspace/consume/objects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/engine/postgres/relations.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "userspace/consume/instances.h"

/* --- folders --- */

static struct {
	struct tap_place items[TAP_DISKS_MAX + 8];
	size_t count;
	int status;
	bool cut;
} folders;

int tap_places_find(const struct tap_host_roots *roots, uint32_t instance, const struct tap_target *of,
		    struct tap_places *ret)
{
	(void)roots;
	(void)instance;
	(void)of;
	if (folders.status)
		return folders.status;
	ret->items = malloc(folders.count * sizeof(*ret->items) + 1);
	memcpy(ret->items, folders.items, folders.count * sizeof(*ret->items));
	ret->count = folders.count;
	ret->cut = folders.cut;
	return 0;
}

static struct tap_place *folder_add(uint32_t tablespace, uint32_t disk)
{
	struct tap_place *place = &folders.items[folders.count++];

	*place = (struct tap_place){ .root = { .device = 0x100000 + disk, .tablespace = tablespace } };
	place->disks.items[0] = disk;
	place->disks.count = disk != 0;
	if (!disk)
		snprintf(place->disks.why_not, sizeof(place->disks.why_not), "tmpfs: no known block device");
	return place;
}

/* --- the tracer --- */

struct tap_tracer {
	bool no_io;
	uint32_t disks[TAP_DISKS_MAX + 8];
	size_t n_disks, n_devices, n_held;
	uint32_t held_disk, held_instance; /* last */
	int status;
};

static struct tap_tracer tracer;

bool tap_tracer_has_io(const struct tap_tracer *of)
{
	return !of->no_io;
}

int tap_tracer_watch_disk(struct tap_tracer *to, uint32_t disk, struct tap_error *err)
{
	if (to->status)
		return tap_error_set(err, to->status, "no room for disk %u", disk);
	to->disks[to->n_disks++] = disk;
	return 0;
}

void tap_tracer_disk_holds(struct tap_tracer *to, uint32_t disk, uint32_t instance)
{
	to->held_disk = disk;
	to->held_instance = instance;
	to->n_held++;
}

int tap_tracer_watch_device(struct tap_tracer *to, uint32_t device, struct tap_error *err)
{
	(void)device;
	(void)err;
	to->n_devices++;
	return 0;
}

/* --- catalogs --- */

struct tap_pg_conn {
	char database[32];
};

static struct tap_pg_conn main_conn = { "postgres" };
static struct {
	struct tap_pg_conn conn;
	int open;
	int status; /* of logging in */
	bool closed, template;
	unsigned asked[4]; /* by database */
	size_t wanted;	   /* in the last question */
	uint32_t known;	   /* files below this number are in the catalog */
	int error;
} server;

int tap_pg_query_database(struct tap_pg_conn *conn, uint32_t oid, struct tap_pg_database *ret, struct tap_error *err)
{
	char name[32];

	ck_assert_ptr_eq(conn, &main_conn);
	if (oid == 3)
		return tap_error_set(err, -ENOENT, "no database has the number 3 any more");
	snprintf(name, sizeof(name), "db%u", oid);
	*ret = (struct tap_pg_database){ strdup(name), !server.closed, server.template };
	return 0;
}

void tap_pg_database_done(struct tap_pg_database *database)
{
	free(database->name);
}

int tap_pg_conn_open(const struct tap_engine_where *where, struct tap_pg_conn **ret, struct tap_error *err)
{
	ck_assert_str_eq(where->instance, "postgres-1");
	ck_assert_str_eq(where->conninfo, "user=mon");
	ck_assert(where->this_database);
	if (server.status)
		return tap_error_set(err, server.status, "no entry to %s", where->database);
	snprintf(server.conn.database, sizeof(server.conn.database), "%s", where->database);
	server.open++;
	*ret = &server.conn;
	return 0;
}

void tap_pg_conn_close(struct tap_pg_conn *conn)
{
	server.open -= conn != NULL;
}

int tap_pg_query_relations(struct tap_pg_conn *conn, uint32_t database, const struct tap_object_key *wanted,
			   size_t n_wanted, struct tap_objects *objects, struct tap_pg_rows *ret_rows,
			   struct tap_error *err)
{
	const struct tap_object_info info = { .oid = 1, .kind = TAP_FILE_TABLE, .schema = "public", .name = "t" };
	char expected[32];

	(void)ret_rows;
	snprintf(expected, sizeof(expected), database ? "db%u" : "postgres", database);
	ck_assert_str_eq(conn->database, expected);
	ck_assert_uint_le(n_wanted, TAP_OBJECTS_ASKED_MAX);
	server.asked[database]++;
	server.wanted = n_wanted;
	if (server.error)
		return tap_error_set(err, server.error, "the server is busy");
	for (size_t i = 0; i < n_wanted; i++) {
		ck_assert_uint_eq(wanted[i].database, database);
		if (wanted[i].filenode < server.known)
			ck_assert_int_eq(tap_objects_add(objects, &wanted[i], &info), 0);
	}
	return 0;
}

/* --- fixture --- */

static struct tap_instance_files files;
static struct tap_disk_list list;
static struct tap_target target;
static struct tap_catalog catalog;
static const struct tap_asking now = { .budget_ms = 5000 };
static const struct tap_asking ahead = { .budget_ms = 5000, .ahead_ms = 4 * TAP_MISSING_RETRY_MS };

static void set_up(void)
{
	memset(&folders, 0, sizeof(folders));
	memset(&tracer, 0, sizeof(tracer));
	memset(&server, 0, sizeof(server));
	memset(&list, 0, sizeof(list));
	server.known = UINT32_MAX;
	target = (struct tap_target){ .id = "postgres-1" };
	catalog = (struct tap_catalog){ .target = &target,
					.conninfo = "user=mon",
					.conn = (struct tap_engine_conn *)&main_conn };
	tap_instance_files_init(&files);
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	ck_assert_int_eq(server.open, 0);
	tap_instance_files_done(&files);
	tap_instance_files_done(NULL);
}

static void find_and_watch(void)
{
	ck_assert_int_eq(tap_instance_files_find(&files, &tap_host_roots, 0, &target), 0);
	tap_instance_files_watch(&files, &tracer, &list);
}

/* --- disks --- */

START_TEST(test_each_disk_once)
{
	folder_add(0, 7);
	folder_add(16384, 8);
	folder_add(16385, 7);
	find_and_watch();
	ck_assert(list.count == 2 && list.items[0] == 7 && list.items[1] == 8);
	ck_assert(tracer.n_disks == 2 && tracer.n_devices == 3);
	ck_assert_str_eq(files.io_why_not.text, "");
	ck_assert_int_eq(tap_instance_files_absence(&files), TAP_REASON_NONE);
	/* Found anew: nothing is lost, nothing is twice. */
	find_and_watch();
	ck_assert_uint_eq(list.count, 2);
	ck_assert_uint_eq(tracer.n_disks, 2);
}
END_TEST

START_TEST(test_folders_without_a_disk)
{
	folder_add(0, 7);
	folder_add(16384, 0);
	find_and_watch();
	ck_assert_str_eq(files.io_why_not.text, "tablespace 16384 on tmpfs: no known block device");
	ck_assert_int_eq(tap_instance_files_absence(&files), TAP_REASON_NONE);
	folder_add(16385, 0);
	folders.items[0].disks.count = 0;
	snprintf(folders.items[0].disks.why_not, 32, "nfs4: \x1b[1m");
	find_and_watch();
	ck_assert_str_eq(files.io_why_not.text, "data folder on nfs4: ?[1m (and 2 folders more)");
	ck_assert_int_eq(tap_instance_files_absence(&files), TAP_REASON_NO_DISK);
}
END_TEST

START_TEST(test_the_wal_is_named)
{
	folder_add(0, 7);
	folder_add(0, 0)->root.wal = true;
	find_and_watch();
	ck_assert_str_eq(files.io_why_not.text, "WAL folder on tmpfs: no known block device");
}
END_TEST

START_TEST(test_no_data_folder)
{
	folders.status = -EACCES;
	find_and_watch();
	ck_assert_str_eq(files.io_why_not.text, "its data folder cannot be looked at: Permission denied");
	ck_assert_int_eq(tap_instance_files_absence(&files), TAP_REASON_NO_DISK);
	folders.status = -ENOMEM;
	ck_assert_int_eq(tap_instance_files_find(&files, &tap_host_roots, 0, &target), -ENOMEM);
}
END_TEST

START_TEST(test_more_tablespaces)
{
	folder_add(0, 7);
	folders.cut = true;
	find_and_watch();
	ck_assert_ptr_nonnull(strstr(files.io_why_not.text, "tablespaces"));
}
END_TEST

START_TEST(test_more_disks)
{
	for (uint32_t disk = 1; disk <= TAP_DISKS_MAX + 3; disk++)
		folder_add(disk, disk);
	find_and_watch();
	ck_assert(list.count == TAP_DISKS_MAX && tracer.n_disks == TAP_DISKS_MAX);
	ck_assert_ptr_nonnull(strstr(files.io_why_not.text, "more than 64 disks on this host (and 2 folders more)"));
}
END_TEST

START_TEST(test_the_tracer_refuses)
{
	folder_add(0, 7);
	tracer.status = -EPERM;
	find_and_watch();
	ck_assert_uint_eq(list.count, 0);
	ck_assert_str_eq(files.io_why_not.text, "data folder on a disk that is not traced: no room for disk 7");
	ck_assert_int_eq(tap_instance_files_absence(&files), TAP_REASON_IO_OFF);
}
END_TEST

START_TEST(test_a_kernel_without)
{
	folder_add(0, 7);
	tracer.no_io = true;
	find_and_watch();
	ck_assert_uint_eq(list.count + tracer.n_disks, 0);
	ck_assert_str_eq(files.io_why_not.text, "");
}
END_TEST

/* --- names --- */

static struct tap_object_key key_of(uint32_t database, uint32_t filenode)
{
	return (struct tap_object_key){ .database = database, .tablespace = 1663, .filenode = filenode };
}

static void want(uint32_t database, uint32_t filenode)
{
	const struct tap_object_key key = key_of(database, filenode);

	tap_objects_want(&files.objects, &key, 0);
}

static bool knows(uint32_t database, uint32_t filenode)
{
	const struct tap_object_key key = key_of(database, filenode);

	return tap_objects_find(&files.objects, &key) != NULL;
}

START_TEST(test_each_database_is_asked_once)
{
	want(1, 16384);
	want(2, 16385);
	want(1, 16386);
	want(0, 1262);
	tap_instance_files_learn(&files, &catalog, &now);
	ck_assert(server.asked[0] == 1 && server.asked[1] == 1 && server.asked[2] == 1);
	ck_assert(knows(1, 16384) && knows(1, 16386) && knows(2, 16385) && knows(0, 1262));
	ck_assert_str_eq(files.names_why_not.text, "");
	/* Nothing is missing: nobody is asked. */
	tap_instance_files_learn(&files, &catalog, &now);
	ck_assert(server.asked[0] == 1 && server.asked[1] == 1 && server.asked[2] == 1);
}
END_TEST

/* A file that is in no catalog: asked for again after a while, sooner for a view, more rarely each time. */
START_TEST(test_what_stays_missing)
{
	server.known = 20000;
	want(1, 30000);
	tap_instance_files_learn(&files, &catalog, &now);
	tap_instance_files_learn(&files, &catalog, &now);
	ck_assert_uint_eq(server.asked[1], 1);
	tap_instance_files_learn(&files, &catalog, &ahead);
	ck_assert_uint_eq(server.asked[1], 2);
	tap_instance_files_learn(&files, &catalog, &ahead);
	ck_assert_uint_eq(server.asked[1], 2);
	want(1, 16384); /* a new one does not make the old one due */
	tap_instance_files_learn(&files, &catalog, &now);
	ck_assert_uint_eq(server.asked[1], 3);
	ck_assert_uint_eq(server.wanted, 1);
	ck_assert(knows(1, 16384) && !knows(1, 30000));
}
END_TEST

START_TEST(test_more_than_one_question_holds)
{
	for (uint32_t i = 0; i < TAP_OBJECTS_ASKED_MAX + 10; i++)
		want(1, 16384 + i);
	server.known = 16384 + 5;
	tap_instance_files_learn(&files, &catalog, &now);
	ck_assert_uint_eq(server.asked[1], 2);
	ck_assert_uint_eq(server.wanted, 10);
	server.known = UINT32_MAX;
	tap_instance_files_learn(&files, &catalog, &ahead);
	ck_assert(knows(1, 16384 + TAP_OBJECTS_ASKED_MAX + 9) && knows(1, 16384));
}
END_TEST

static const struct {
	int login, query;
	bool closed, template;
	uint32_t database;
	const char *why;
} refusals[] = {
	{ .login = -EACCES, .database = 1, .why = "no entry to db1" },
	{ .query = -ETIMEDOUT, .database = 1, .why = "the server is busy" },
	{ .query = -ETIMEDOUT, .database = 0, .why = "the server is busy" },
	{ .closed = true, .database = 1, .why = "postgres-1: database db1: it takes no connections" },
	{ .template = true,
	  .database = 1,
	  .why = "postgres-1: database db1: a template, which a connection would keep from being copied" },
	{ .database = 3, .why = "no database has the number 3 any more" },
};

START_TEST(test_refusals_are_said)
{
	server.status = refusals[_i].login;
	server.error = refusals[_i].query;
	server.closed = refusals[_i].closed;
	server.template = refusals[_i].template;
	want(refusals[_i].database, 16384);
	tap_instance_files_learn(&files, &catalog, &now);
	ck_assert_str_eq(files.names_why_not.text, refusals[_i].why);
	/* Once it is known, there is nothing to say any more. */
	server.status = server.error = 0;
	server.closed = server.template = false;
	tap_instance_files_learn(&files, &catalog, &ahead);
	ck_assert_int_eq(!*files.names_why_not.text, refusals[_i].database != 3);
}
END_TEST

START_TEST(test_no_connection)
{
	catalog.conn = NULL;
	want(1, 16384);
	tap_instance_files_learn(&files, &catalog, &now);
	ck_assert_str_eq(files.names_why_not.text, "not connected");
	catalog.why_not = "--no-connect";
	tap_instance_files_learn(&files, &catalog, &ahead);
	ck_assert_str_eq(files.names_why_not.text, "--no-connect");
	ck_assert_uint_eq(server.asked[1], 0);
}
END_TEST

START_TEST(test_no_time)
{
	const struct tap_asking none = { .budget_ms = 0 };

	want(1, 16384);
	tap_instance_files_learn(&files, &catalog, &none);
	ck_assert_uint_eq(server.asked[1], 0);
	/* It is due still. */
	tap_instance_files_learn(&files, &catalog, &now);
	ck_assert_uint_eq(server.asked[1], 1);
	want(1, 16385);
	tap_alloc_fail_at(1);
	tap_instance_files_learn(&files, &catalog, &now);
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(server.asked[1], 1);
}
END_TEST

/* --- wants --- */

static struct tap_instance_files *files_of(void *context, uint32_t instance)
{
	return instance == 0 ? context : NULL;
}

static void file_add(struct tap_io_set *io, uint64_t inode, uint64_t top, const char *name)
{
	/* An overlay's files have another device than what the server sees. */
	const struct tap_file_key key = { .inode = inode, .device = top == 3000 ? 78 : 77 };
	struct tap_file file = { .folders = { 500 + inode, 400, top } };

	snprintf(file.names[0], sizeof(file.names[0]), "%s", name);
	snprintf(file.names[1], sizeof(file.names[1]), "5");
	snprintf(file.names[2], sizeof(file.names[2]), "base");
	snprintf(file.names[3], sizeof(file.names[3]), "data");
	ck_assert_int_eq(tap_io_set_add_file(io, &key, &file), 0);
}

START_TEST(test_wants)
{
	const struct tap_file_root roots[] = { { .instance = 0, .device = 77, .inode = 1000 },
					       { .instance = 1, .device = 77, .inode = 2000 } };
	const struct tap_io_key request = { .row = { .instance = 0 }, .file = { .inode = 5, .device = 78 } };
	const struct tap_dirty_key dirty = { .row = { .instance = TAP_INSTANCE_NONE },
					     .file = { .inode = 6, .device = 78 } };
	const struct tap_io nothing = { 0 };
	struct tap_io_set io;
	long n;

	tap_io_set_init(&io);
	file_add(&io, 1, 1000, "16384");
	file_add(&io, 2, 1000, "16384.1"); /* the same relation */
	file_add(&io, 3, 1000, "no_relation");
	file_add(&io, 4, 2000, "16385"); /* of an instance that is not there any more */
	file_add(&io, 5, 3000, "16386"); /* below an overlay: who read it tells */
	file_add(&io, 6, 3000, "16387"); /* of nobody */
	file_add(&io, 1, 1000, "16384"); /* twice, which no map holds */
	ck_assert_int_eq(tap_io_set_add_request(&io, &request, &nothing), 0);
	ck_assert_int_eq(tap_io_set_add_dirty(&io, &dirty, 1), 0);
	ck_assert_int_eq(tap_files_want(&io, roots, 2, files_of, &files), 0);
	ck_assert_uint_eq(tap_objects_missing(&files.objects, 5, INT64_MAX), 2);
	ck_assert_uint_eq(tap_objects_missing(&files.objects, TAP_MISSING_ANY, INT64_MAX), 2);
	for (n = 1;; n++) {
		int status;

		tap_alloc_fail_at(n);
		status = tap_files_want(&io, roots, 2, files_of, &files);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert_int_eq(status, -ENOMEM);
	}
	ck_assert_int_gt(n, 1);
	tap_io_set_done(&io);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("consume/objects");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_each_disk_once);
	tcase_add_test(tests, test_folders_without_a_disk);
	tcase_add_test(tests, test_the_wal_is_named);
	tcase_add_test(tests, test_no_data_folder);
	tcase_add_test(tests, test_more_tablespaces);
	tcase_add_test(tests, test_more_disks);
	tcase_add_test(tests, test_the_tracer_refuses);
	tcase_add_test(tests, test_a_kernel_without);
	tcase_add_test(tests, test_each_database_is_asked_once);
	tcase_add_test(tests, test_what_stays_missing);
	tcase_add_test(tests, test_more_than_one_question_holds);
	tcase_add_loop_test(tests, test_refusals_are_said, 0, sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tests, test_no_connection);
	tcase_add_test(tests, test_no_time);
	tcase_add_test(tests, test_wants);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
