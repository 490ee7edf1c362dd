// SPDX-License-Identifier: BSD-2-Clause
/* test_lookout.c - the search ahead is taken once, and given back when nobody takes it. */
#include "userspace/consume/lookout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

/* --- a host with one server --- */

static int searches, status, given_back;
static size_t known_seen;
static const void *context_seen;

static int find(struct tap_target_list *ret, struct tap_error *err)
{
	__atomic_fetch_add(&searches, 1, __ATOMIC_RELAXED);
	if (status)
		return tap_error_set(err, status, "no /proc");
	ret->items = calloc(1, sizeof(*ret->items));
	ret->count = ret->items ? 1 : 0;
	return ret->items ? 0 : -ENOMEM;
}

int tap_targets_find_within(const char *proc_root, const struct tap_target_scope *scope, struct tap_target_list *ret,
			    struct tap_error *err)
{
	known_seen = scope->n_known;
	context_seen = scope->context;
	return strcmp(proc_root, "/proc") != 0 ? -EINVAL : find(ret, err);
}

void tap_targets_done(struct tap_target_list *list)
{
	given_back += list->count != 0;
	free(list->items);
}

/* --- tests --- */

static struct tap_lookout lookout;
static struct tap_target_list list;
static struct tap_error err;

/* The caller's own is gone by the time it is used. */
static void begin(void)
{
	const struct tap_target_scope scope = { .context = &lookout };

	tap_lookout_begin(&lookout, "/proc", &scope);
}

static int take(void)
{
	static const struct tap_target_known known = { .pid = 7 };
	const struct tap_target_scope scope = { .known = &known, .n_known = 1 };

	return tap_lookout_take(&lookout, "/proc", &scope, &list, &err);
}

START_TEST(test_taken_once)
{
	begin();
	ck_assert_int_eq(take(), 0);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_int_eq(searches, 1);
	ck_assert_uint_eq(known_seen, 0);
	ck_assert_ptr_eq(context_seen, &lookout);
	tap_targets_done(&list);
	/* The next one is a search of its own, which needs no look at what is known. */
	ck_assert_int_eq(take(), 0);
	ck_assert_int_eq(searches, 2);
	ck_assert_uint_eq(known_seen, 1);
	tap_targets_done(&list);
	tap_lookout_done(&lookout);
	ck_assert_int_eq(given_back, 2);
}
END_TEST

START_TEST(test_never_taken)
{
	begin();
	tap_lookout_done(&lookout);
	ck_assert_int_eq(given_back, 1);
	tap_lookout_done(&lookout);
	ck_assert_int_eq(given_back, 1);
}
END_TEST

START_TEST(test_failed)
{
	status = -EACCES;
	begin();
	ck_assert_int_eq(take(), -EACCES);
	ck_assert_str_eq(err.text, "no /proc");
	begin();
	tap_lookout_done(&lookout);
	ck_assert_int_eq(given_back, 0);
}
END_TEST

/* Then the search is made when it is asked for. */
START_TEST(test_no_memory_for_a_thread)
{
	tap_alloc_fail_at(1);
	begin();
	tap_alloc_fail_at(0);
	ck_assert_int_eq(searches, 0);
	ck_assert_int_eq(take(), 0);
	ck_assert_int_eq(searches, 1);
	tap_targets_done(&list);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("consume/lookout");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, test_taken_once);
	tcase_add_test(tests, test_never_taken);
	tcase_add_test(tests, test_failed);
	tcase_add_test(tests, test_no_memory_for_a_thread);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
