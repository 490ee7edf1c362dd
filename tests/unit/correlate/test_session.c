// SPDX-License-Identifier: BSD-2-Clause
/* test_session.c - correlate/session and the end of correlate/view. */
#include "correlate/session.h"

#include <stdlib.h>
#include <string.h>

#include "correlate/view.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

START_TEST(test_state_names)
{
	ck_assert_ptr_null(tap_session_state_name(TAP_SESSION_NONE));
	ck_assert_str_eq(tap_session_state_name(TAP_SESSION_ACTIVE), "active");
	ck_assert_str_eq(tap_session_state_name(TAP_SESSION_IDLE_IN_TRANSACTION_ABORTED),
			 "idle in transaction (aborted)");
	for (int state = TAP_SESSION_ACTIVE; state < TAP_SESSION_STATE_COUNT; state++)
		ck_assert_ptr_nonnull(tap_session_state_name(state));
	ck_assert_ptr_null(tap_session_state_name(TAP_SESSION_STATE_COUNT));
	ck_assert_ptr_null(tap_session_state_name(-1));
}
END_TEST

START_TEST(test_list)
{
	struct tap_session_list list;

	tap_session_list_init(&list);
	ck_assert_ptr_null(tap_session_list_find(&list, 1));
	for (int pid = 1; pid <= 100; pid++) {
		struct tap_session *session = tap_session_list_add(&list);

		ck_assert_ptr_nonnull(session);
		ck_assert_int_eq(session->pid, 0);
		ck_assert_ptr_null(session->query);
		session->pid = pid;
		/* All that it owns; the leak checker sees to the rest. */
		session->database_name = strdup("app");
		session->user_name = strdup("me");
		session->application = strdup("psql");
		session->client = strdup("[local]");
		session->query = strdup("select 1");
		session->wait_class = strdup("Lock");
		session->wait_name = strdup("tuple");
	}
	ck_assert_int_eq(tap_session_list_find(&list, 77)->pid, 77);
	ck_assert_ptr_null(tap_session_list_find(&list, 101));
	tap_session_list_done(&list);
	ck_assert_uint_eq(list.count, 0);
	tap_session_list_done(&list);
	tap_session_list_done(NULL);
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct tap_session_list list;

	tap_session_list_init(&list);
	tap_alloc_fail_at(1);
	ck_assert_ptr_null(tap_session_list_add(&list));
	tap_alloc_fail_at(0);
	for (int i = 0; i < 32; i++)
		tap_session_list_add(&list)->pid = i;
	tap_alloc_fail_at(1);
	ck_assert_ptr_null(tap_session_list_add(&list));
	ck_assert_uint_eq(list.count, 32);
	ck_assert_int_eq(tap_session_list_find(&list, 31)->pid, 31);
	tap_alloc_fail_at(0);
	tap_session_list_done(&list);
}
END_TEST

START_TEST(test_view_free)
{
	struct tap_view *view = calloc(1, sizeof(*view));

	tap_arena_init(&view->memory);
	view->host_name = tap_arena_string(&view->memory, "host");
	tap_view_free(view);
	tap_view_free(NULL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/session");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, test_state_names);
	tcase_add_test(tests, test_list);
	tcase_add_test(tests, test_out_of_memory);
	tcase_add_test(tests, test_view_free);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
