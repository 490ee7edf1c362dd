// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_pg_find.c - whose layout is looked for, in which order, and what of it is kept. The server is made up
 * (fake_pg.h), what a check or a search says of it is scripted here.
 */
#include <check.h>
#include <errno.h>

#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_pg.h"
#include "userspace/attach/pg_layout_cache.h"
#include "userspace/attach/pg_layout_check.h"
#include "userspace/attach/pg_layout_search.h"

static struct {
	unsigned row_misfits; /* this often the row of the table does not fit */
	bool remembered;
	bool cached_misfits;
	bool not_found;
	unsigned checks, searches, reads, writes;
} script;

static const char found[] = "found", kept[] = "kept";

int tap_pg_layout_check(const struct tap_target *target, const struct tap_pg_layout_row *row, size_t *ret_checked,
			struct tap_error *err)
{
	(void)target;
	script.checks++;
	*ret_checked = 3;
	if (!row->searched && script.row_misfits) {
		script.row_misfits--;
		return tap_error_set(err, -EBADMSG, "not this moment");
	}
	if (row->name == kept && script.cached_misfits)
		return tap_error_set(err, -EBADMSG, "an old one");
	return 0;
}

int tap_pg_layout_search(const struct tap_target *target, const struct tap_pg_layout_row *near,
			 struct tap_pg_layout_row *ret, struct tap_error *err)
{
	(void)target;
	script.searches++;
	if (script.not_found)
		return tap_error_set(err, -ENODATA, "nobody is there");
	*ret = *near;
	ret->name = found;
	ret->searched = true;
	return 0;
}

int tap_pg_layout_cache_read(const char *build_id, const struct tap_pg_layout_row *near, struct tap_pg_layout_row *ret)
{
	(void)build_id;
	script.reads++;
	if (!script.remembered)
		return -ENOENT;
	*ret = *near;
	ret->name = kept;
	ret->searched = true;
	return 0;
}

int tap_pg_layout_cache_write(const char *build_id, const struct tap_pg_layout_row *row)
{
	(void)build_id;
	ck_assert_ptr_eq(row->name, found);
	script.writes++;
	return 0;
}

static struct tap_target_list list;

static void setup(void)
{
	memset(&script, 0, sizeof(script));
	fake_pg_init();
}

static void teardown(void)
{
	tap_targets_done(&list);
	fake_pg_done();
}

static const struct tap_target *find(const struct tap_target_scope *scope)
{
	struct tap_error err = { "" };

	tap_targets_done(&list);
	ck_assert_msg(!tap_targets_find_within(fake_proc_tree.root, scope, &list, &err), "%s", err.text);
	ck_assert_uint_gt(list.count, 0);
	return &list.items[0];
}

static const struct tap_target_scope everyone;

START_TEST(test_a_row_that_fits)
{
	fake_pg_postmaster(5432);
	ck_assert_str_eq(find(&everyone)->layout_source, "table row 15 x86-64, checked against 3 processes");
	ck_assert_uint_eq(script.searches + script.reads + script.writes, 0);
}
END_TEST

/* A server that is starting, say: nothing of a search is kept, the next run would believe it before the table. */
START_TEST(test_a_row_that_fits_later)
{
	fake_pg_postmaster(5432);
	script.row_misfits = 1;
	ck_assert_str_eq(find(&everyone)->layout_source, "table row 15 x86-64, checked against 3 processes");
	ck_assert_uint_eq(script.searches, 1);
	ck_assert_uint_eq(script.writes, 0);
}
END_TEST

START_TEST(test_a_row_that_never_fits)
{
	const struct tap_target *target;

	fake_pg_postmaster(5432);
	script.row_misfits = 2;
	target = find(&everyone);
	ck_assert_str_eq(target->layout_source, "found by searching its memory, checked against 3 processes");
	ck_assert_str_eq(target->refused, "");
	ck_assert_uint_eq(script.writes, 1);
	script.row_misfits = 1;
	script.remembered = true;
	target = find(&everyone);
	ck_assert_str_eq(target->layout_source, "found by an earlier search, checked against 3 processes");
	ck_assert_uint_eq(script.searches, 1);
}
END_TEST

START_TEST(test_what_is_remembered_does_not_fit)
{
	fake_pg_write_exe(fake_exe, "PostgreSQL 77.1 on test, compiled by hand", EM_X86_64, NULL);
	fake_pg_postmaster(5432);
	script.remembered = script.cached_misfits = true;
	ck_assert_str_eq(find(&everyone)->layout_source, "found by searching its memory, checked against 3 processes");
	ck_assert_uint_eq(script.reads, 1);
	ck_assert_uint_eq(script.writes, 1);
}
END_TEST

START_TEST(test_none_is_found)
{
	const struct tap_target *target;

	fake_pg_write_exe(fake_exe, "PostgreSQL 77.1 on test, compiled by hand", EM_X86_64, NULL);
	fake_pg_postmaster(5432);
	script.not_found = true;
	target = find(&everyone);
	ck_assert_msg(strstr(target->refused, "this dbtap has no row for this version"), "%s", target->refused);
	ck_assert_msg(strstr(target->refused, "none was found by searching: nobody is there"), "%s", target->refused);
	ck_assert_uint_eq(script.writes, 0);
}
END_TEST

static bool is_second(const void *context, const struct tap_target *target)
{
	return context == &script && target->data_inode && !strcmp(target->id, "postgres-5433");
}

/* Whoever is not asked for keeps its name and place, and its memory is left alone. */
START_TEST(test_others_are_left_alone)
{
	const struct tap_target_scope scope = { .wants = is_second, .context = &script };

	fake_pg_postmaster(5432);
	fake_pg_postmaster(5433);
	find(&scope);
	ck_assert_uint_eq(list.count, 2);
	ck_assert_uint_eq(script.checks, 1);
	ck_assert_str_eq(list.items[0].id, "postgres-5432");
	ck_assert_str_eq(list.items[0].layout_source, "");
	ck_assert_str_eq(list.items[0].refused, "");
	ck_assert_str_eq(list.items[0].data_dir, fake_data);
	ck_assert_str_eq(list.items[1].layout_source, "table row 15 x86-64, checked against 3 processes");
}
END_TEST

START_TEST(test_known_ones_need_no_look)
{
	struct tap_target_known known;
	const struct tap_target_scope scope = { .known = &known, .n_known = 1 };

	fake_pg_postmaster(5432);
	known = (struct tap_target_known){ find(&everyone)->pid, list.items[0].start_ticks };
	script.checks = 0;
	find(&scope);
	ck_assert_uint_eq(script.checks, 0);
	known.start_ticks++; /* another process of that number */
	find(&scope);
	ck_assert_uint_eq(script.checks, 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("attach/pg_find");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_a_row_that_fits);
	tcase_add_test(tests, test_a_row_that_fits_later);
	tcase_add_test(tests, test_a_row_that_never_fits);
	tcase_add_test(tests, test_what_is_remembered_does_not_fit);
	tcase_add_test(tests, test_none_is_found);
	tcase_add_test(tests, test_others_are_left_alone);
	tcase_add_test(tests, test_known_ones_need_no_look);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
