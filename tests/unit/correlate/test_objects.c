// SPDX-License-Identifier: BSD-2-Clause
/* test_objects.c - correlate/objects: names of files, rewrites and renames, what is missing and when; hostile names. */
#include "correlate/objects.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_objects objects;

static void set_up(void)
{
	tap_objects_init(&objects);
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_objects_done(&objects);
	tap_objects_done(&objects);
	tap_objects_done(NULL);
}

static struct tap_object_key key_of(uint32_t database, uint32_t filenode)
{
	return (struct tap_object_key){ .database = database, .tablespace = 1663, .filenode = filenode };
}

static int add(uint32_t database, uint32_t filenode, uint32_t oid, const char *name)
{
	struct tap_object_key key = key_of(database, filenode);
	struct tap_object_info info = { .oid = oid, .kind = TAP_FILE_TABLE, .schema = "public", .name = name };

	return tap_objects_add(&objects, &key, &info);
}

static const struct tap_object *find(uint32_t database, uint32_t filenode)
{
	struct tap_object_key key = key_of(database, filenode);

	return tap_objects_find(&objects, &key);
}

static bool want(uint32_t database, uint32_t filenode, int64_t now_ms)
{
	struct tap_object_key key = key_of(database, filenode);

	return tap_objects_want(&objects, &key, now_ms);
}

/* The catalogs were asked for all that is missing and due. */
static void asked(uint32_t database, int64_t now_ms)
{
	static struct tap_object_key keys[TAP_OBJECTS_MISSING_MAX];
	size_t count = 0;

	for (size_t i = 0; i < objects.missing.count; i++) {
		const struct tap_miss *miss = &objects.missing.items[i];

		if ((database == TAP_MISSING_ANY || miss->key.database == database) && miss->due_ms <= now_ms)
			keys[count++] = miss->key;
	}
	tap_objects_asked_for(&objects, keys, count, now_ms);
}

START_TEST(test_names)
{
	struct tap_object_key key = key_of(5, 20), shared = { .tablespace = 1664, .filenode = 1262 };
	struct tap_object_info index = { .oid = 21,
					 .kind = TAP_FILE_INDEX,
					 .schema = "public",
					 .name = "t_pkey",
					 .parent_schema = "public",
					 .parent_name = "t" };
	struct tap_object_info catalog = { 1, TAP_FILE_CATALOG, "pg_catalog", "pg_database", NULL, NULL };

	ck_assert_int_eq(add(5, 10, 11, "t"), 0);
	ck_assert_int_eq(tap_objects_add(&objects, &key, &index), 0);
	ck_assert_int_eq(tap_objects_add(&objects, &shared, &catalog), 0);
	ck_assert_str_eq(find(5, 10)->name, "public.t");
	ck_assert_ptr_null(find(5, 10)->parent);
	ck_assert_uint_eq(find(5, 10)->oid, 11);
	ck_assert_str_eq(find(5, 20)->parent, "public.t");
	ck_assert_int_eq(find(5, 20)->kind, TAP_FILE_INDEX);
	ck_assert_str_eq(tap_objects_find(&objects, &shared)->name, "pg_catalog.pg_database");
	ck_assert_ptr_null(find(6, 10));
	ck_assert_ptr_null(find(5, 11));
	key = key_of(5, 10);
	key.tablespace = 16400;
	ck_assert_ptr_null(tap_objects_find(&objects, &key));
	ck_assert_uint_eq(tap_objects_count(&objects), 3);
}
END_TEST

/* A rewrite is a new file of the same relation; a rename is a new name of the same file. */
START_TEST(test_rewritten_and_renamed)
{
	struct tap_object_key key = key_of(5, 10);
	struct tap_object_info info = { .oid = 11, .kind = TAP_FILE_INDEX, .schema = "s", .name = "i" };

	info.parent_schema = info.parent_name = "p";
	ck_assert_int_eq(add(5, 10, 11, "t"), 0);
	ck_assert_int_eq(add(5, 99, 11, "t"), 0);
	ck_assert_str_eq(find(5, 10)->name, "public.t");
	ck_assert_str_eq(find(5, 99)->name, "public.t");
	ck_assert_int_eq(add(5, 10, 11, "u"), 0);
	ck_assert_str_eq(find(5, 10)->name, "public.u");
	ck_assert_int_eq(tap_objects_add(&objects, &key, &info), 0);
	ck_assert_str_eq(find(5, 10)->parent, "p.p");
	ck_assert_int_eq(add(5, 10, 11, "u"), 0);
	ck_assert_ptr_null(find(5, 10)->parent);
	ck_assert_uint_eq(tap_objects_count(&objects), 2);
}
END_TEST

START_TEST(test_what_is_no_object)
{
	struct tap_object_key key = key_of(5, 10);
	struct tap_object_info info = { .kind = TAP_FILE_TABLE, .schema = "s", .name = "" };
	char name[1000];

	ck_assert_int_eq(add(5, 0, 1, "t"), -EINVAL);
	ck_assert_int_eq(add(5, 10, 1, NULL), -EINVAL);
	ck_assert_int_eq(tap_objects_add(&objects, &key, &info), -EINVAL);
	info = (struct tap_object_info){ .kind = TAP_FILE_TABLE, .name = "t" };
	ck_assert_int_eq(tap_objects_add(&objects, &key, &info), -EINVAL);
	info.schema = "s";
	info.kind = (enum tap_file_kind)TAP_FILE_KIND_COUNT;
	ck_assert_int_eq(tap_objects_add(&objects, &key, &info), -EINVAL);
	ck_assert_uint_eq(tap_objects_count(&objects), 0);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	info = (struct tap_object_info){ .kind = TAP_FILE_TABLE, .schema = name, .name = name };
	ck_assert_int_eq(tap_objects_add(&objects, &key, &info), 0);
	ck_assert_uint_eq(strlen(find(5, 10)->name), 2 * TAP_OBJECT_NAME_MAX + 1);
}
END_TEST

START_TEST(test_missing)
{
	ck_assert_int_eq(add(5, 10, 11, "t"), 0);
	ck_assert(want(5, 10, 0));
	ck_assert(want(5, 0, 0));
	ck_assert_uint_eq(tap_objects_missing(&objects, TAP_MISSING_ANY, 0), 0);
	ck_assert(!want(5, 20, 0));
	ck_assert(!want(5, 20, 0));
	ck_assert(!want(5, 21, 0));
	ck_assert(!want(6, 20, 0));
	ck_assert(!want(0, 30, 0));
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, 0), 2);
	ck_assert_uint_eq(tap_objects_missing(&objects, 0, 0), 1);
	ck_assert_uint_eq(tap_objects_missing(&objects, TAP_MISSING_ANY, 0), 4);
	/* Asked, and one was found. */
	ck_assert_int_eq(add(5, 20, 11, "t"), 0);
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, 0), 1);
	asked(5, 0);
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, TAP_MISSING_RETRY_MS - 1), 0);
	ck_assert_uint_eq(tap_objects_missing(&objects, 6, 0), 1);
	/* Looking for it again does not make it due. */
	ck_assert(!want(5, 21, 1));
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, 1), 0);
	/* A new one of the same database is. */
	ck_assert(!want(5, 22, 2));
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, 2), 1);
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, TAP_MISSING_RETRY_MS), 2);
}
END_TEST

/* A file that no catalog ever knows is asked for less and less, and never given up. */
START_TEST(test_asked_in_vain)
{
	int64_t now = 0, wait = 0;

	ck_assert(!want(5, 20, now));
	for (int i = 0; i < 20; i++) {
		int64_t before = wait;

		ck_assert_uint_eq(tap_objects_missing(&objects, 5, now), 1);
		asked(TAP_MISSING_ANY, now);
		for (wait = 1; !tap_objects_missing(&objects, 5, now + wait); wait++)
			ck_assert_int_le(wait, TAP_MISSING_RETRY_MAX_MS);
		ck_assert_int_ge(wait, before);
		now += wait;
	}
	ck_assert_int_eq(wait, TAP_MISSING_RETRY_MAX_MS);
	ck_assert_int_eq(add(5, 20, 11, "t"), 0);
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, now), 0);
}
END_TEST

START_TEST(test_more_missing_than_are_kept)
{
	for (uint32_t i = 1; i <= 2 * TAP_OBJECTS_MISSING_MAX; i++)
		ck_assert(!want(5, i, 0));
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, 0), TAP_OBJECTS_MISSING_MAX);
	for (uint32_t i = 1; i <= 10; i++)
		ck_assert_int_eq(add(5, i, i, "t"), 0);
	asked(5, 0);
	ck_assert(!want(5, 3 * TAP_OBJECTS_MISSING_MAX, 0));
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, 0), 1);
}
END_TEST

START_TEST(test_fifty_thousand)
{
	clock_t begin = clock();

	for (uint32_t i = 1; i <= 50000; i++)
		ck_assert_int_eq(add(5, i, i, "relation"), 0);
	for (uint32_t i = 1; i <= 50000; i++)
		ck_assert_uint_eq(find(5, i)->oid, i);
	ck_assert_ptr_null(find(5, 50001));
	ck_assert_uint_eq(tap_objects_count(&objects), 50000);
	/* With sanitizers on; a search through a list would take minutes. */
	ck_assert_double_lt((double)(clock() - begin) / CLOCKS_PER_SEC, 5);
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct tap_object_key key = key_of(5, 2);
	struct tap_object_info info = { .kind = TAP_FILE_INDEX, .schema = "s", .name = "i" };
	long n;

	info.parent_schema = info.parent_name = "p";
	for (n = 1;; n++) {
		int status;

		tap_alloc_fail_at(n);
		status = tap_objects_add(&objects, &key, &info);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert_int_eq(status, -ENOMEM);
		ck_assert_ptr_null(find(5, 2));
		tap_objects_done(&objects);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_ge(n, 4);
	ck_assert_str_eq(find(5, 2)->name, "s.i");
	for (n = 1; n <= 2; n++) {
		tap_alloc_fail_at(n);
		ck_assert(!want(5, 3, 0));
		tap_alloc_fail_at(0);
		ck_assert_uint_eq(tap_objects_missing(&objects, 5, 0), 0);
	}
	ck_assert(!want(5, 3, 0));
	ck_assert(!want(5, 4, 0));
	tap_alloc_fail_at(1); /* the index, made anew */
	asked(5, 0);
	tap_alloc_fail_at(0);
	ck_assert(!want(5, 3, 0));
	ck_assert_uint_eq(tap_objects_missing(&objects, 5, 0), 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/objects");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_names);
	tcase_add_test(tests, test_rewritten_and_renamed);
	tcase_add_test(tests, test_what_is_no_object);
	tcase_add_test(tests, test_missing);
	tcase_add_test(tests, test_asked_in_vain);
	tcase_add_test(tests, test_more_missing_than_are_kept);
	tcase_add_test(tests, test_fifty_thousand);
	tcase_add_test(tests, test_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
