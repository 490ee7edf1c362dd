// SPDX-License-Identifier: BSD-2-Clause
/* test_lists.c - correlate/model/events and sessions, and the whole model when memory runs out. */
#include "tests/unit/correlate/model/two_snapshots.h"

#include <errno.h>
#include <stdio.h>

#include "correlate/fingerprint.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static void set_up(void)
{
	two_init();
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	two_done();
}

/* --- events --- */

static const struct tap_view_event *event_at(size_t at)
{
	ck_assert_uint_lt(at, two.view->n_events);
	return &two.view->events[at];
}

START_TEST(test_events)
{
	struct tap_row *row;

	row = two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 0, 0, TRANSACTIONID, 30);
	tap_row_add_wait(row, 0, 5, 25, 0);
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 2), 0, 0, TRANSACTIONID, 45)->waits[0].open = 2;
	two_add(two_key(0, TAP_KIND_IDLE, APP, 0), 0, 0, CLIENT_READ, 1000);
	two_add(two_key(0, TAP_KIND_CHECKPOINTER, 0, 0), 0, 0, ACTIVITY, 500);
	two_add(two_key(1, TAP_KIND_CLIENT, APP, 1), 0, 0, TRANSACTIONID, 7);
	two_text(2, "select 2", NULL);
	two_view();
	ck_assert_uint_eq(two.view->n_events_all, 5);
	ck_assert_str_eq(event_at(0)->event_name, "transactionid");
	ck_assert_str_eq(event_at(0)->class_name, "Lock");
	ck_assert_str_eq(event_at(0)->instance, "postgres-5432");
	ck_assert_int_eq(event_at(0)->ns, 75);
	ck_assert_uint_eq(event_at(0)->count, 4);
	ck_assert_uint_eq(event_at(0)->sessions, 2);
	ck_assert_double_eq_tol(event_at(0)->percent, 75.0, 1e-9);
	ck_assert_str_eq(event_at(0)->top_query_id, "2");
	ck_assert_str_eq(event_at(0)->top_query, "select $1");
	ck_assert_str_eq(event_at(0)->top_kind, "client");
	ck_assert_int_eq(event_at(0)->top_ns, 45);
	ck_assert(!event_at(0)->idle);
	ck_assert_str_eq(event_at(1)->class_name, "None");
	ck_assert_double_eq_tol(event_at(1)->percent, 25.0, 1e-9);
	ck_assert_str_eq(event_at(2)->instance, "postgres-5433");
	ck_assert_double_eq_tol(event_at(2)->percent, 100.0, 1e-9);
	/* Waits for work come last and are part of nothing. */
	ck_assert(event_at(3)->idle);
	ck_assert_int_eq(event_at(3)->ns, 1000);
	ck_assert_double_eq(event_at(3)->percent, 0);
	ck_assert_ptr_null(event_at(3)->top_query_id);
	ck_assert_str_eq(event_at(4)->class_name, "Activity");
	two.input.options.limit = 2;
	two_view();
	ck_assert_uint_eq(two.view->n_events, 2);
	ck_assert_uint_eq(two.view->n_events_all, 5);
}
END_TEST

/* The same event within a statement and while idle are two. */
START_TEST(test_client_read_of_a_statement)
{
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 0, 0, CLIENT_READ, 30); /* COPY FROM stdin */
	two_add(two_key(0, TAP_KIND_IDLE, APP, 0), 0, 0, CLIENT_READ, 50);
	two_add(two_key(0, TAP_KIND_IDLE_IN_TRANSACTION, APP, 0), 0, 0, CLIENT_READ, 60);
	two_view();
	ck_assert_uint_eq(two.view->n_events, 2);
	ck_assert(!event_at(0)->idle);
	ck_assert_int_eq(event_at(0)->ns, 30);
	ck_assert_double_eq(event_at(0)->percent, 100);
	ck_assert(event_at(1)->idle);
	ck_assert_int_eq(event_at(1)->ns, 110);
}
END_TEST

/* --- sessions --- */

static struct tap_session *session_add(int32_t pid, enum tap_session_state state)
{
	struct tap_session *session = tap_session_list_add(&two.sessions);

	session->pid = pid;
	session->kind = state == TAP_SESSION_NONE ? TAP_KIND_CHECKPOINTER : TAP_KIND_CLIENT;
	session->state = state;
	return session;
}

static void thread_add(struct tap_snapshot *snapshot, int32_t tid, uint32_t instance, uint64_t cpu_ns, int64_t wait_ns)
{
	struct tap_thread *threads = realloc(snapshot->threads, (snapshot->n_threads + 1) * sizeof(*threads));

	snapshot->threads = threads;
	threads[snapshot->n_threads++] = (struct tap_thread){
		.tid = tid, .tgid = tid, .instance = instance, .account.cpu_ns = cpu_ns, .wait_ns = wait_ns
	};
}

static const struct tap_view_session *session_at(size_t at)
{
	ck_assert_uint_lt(at, two.view->n_sessions);
	return &two.view->sessions[at];
}

START_TEST(test_session_fields)
{
	struct tap_session *session = session_add(501, TAP_SESSION_IDLE_IN_TRANSACTION);
	const struct tap_view_session *view;

	session->leader_pid = 500;
	session->database = APP;
	session->user = ME;
	session->user_name = strdup("own name");
	session->application = strdup("psql");
	session->client = strdup("10.0.0.7:41234");
	session->query = strdup("select 'secret'");
	session->query_id = 7;
	session->state_change_us = 1700000001000000;
	session->transaction_start_us = 1700000000500000;
	session->wait_event = TRANSACTIONID;
	two_view();
	view = session_at(0);
	ck_assert_str_eq(view->instance, "postgres-5432");
	ck_assert_int_eq(view->pid, 501);
	ck_assert_int_eq(view->tid, 501);
	ck_assert_int_eq(view->leader_pid, 500);
	ck_assert_str_eq(view->kind, "client");
	ck_assert_str_eq(view->database, "app");
	ck_assert_str_eq(view->user, "own name");
	ck_assert_str_eq(view->application, "psql");
	ck_assert_str_eq(view->client, "10.0.0.7:41234");
	ck_assert_str_eq(view->state, "idle in transaction");
	ck_assert_int_eq(view->state_since_ns, 1000000000);
	ck_assert_int_eq(view->transaction_since_ns, 1500000000);
	ck_assert_str_eq(view->wait_class, "Lock");
	ck_assert_str_eq(view->wait_event, "transactionid");
	ck_assert_str_eq(view->query, "select $1");
	ck_assert_str_eq(view->query_id, "7");
	ck_assert_str_eq(view->query_id_source, "engine");
	two.input.options.raw_text = true;
	two_view();
	ck_assert_str_eq(session_at(0)->query, "select 'secret'");
}
END_TEST

START_TEST(test_session_with_little)
{
	struct tap_session *session = session_add(501, TAP_SESSION_ACTIVE);
	char digits[32];

	session->query = strdup("select 5");
	session->wait_class = strdup("IO");
	session->wait_name = strdup("DataFileRead");
	session->wait_event = TRANSACTIONID; /* the server's word counts */
	session_add(502, TAP_SESSION_NONE);
	two_view();
	/* No id of the engine: the one of the text. */
	snprintf(digits, sizeof(digits), "%lld", (long long)tap_fingerprint("select 5", 8));
	ck_assert_str_eq(session_at(0)->query_id, digits);
	ck_assert_str_eq(session_at(0)->query_id_source, "own");
	ck_assert_str_eq(session_at(0)->wait_class, "IO");
	ck_assert_str_eq(session_at(0)->wait_event, "DataFileRead");
	ck_assert_int_eq(session_at(0)->state_since_ns, -1);
	ck_assert_int_eq(session_at(0)->transaction_since_ns, -1);
	ck_assert_ptr_null(session_at(1)->state);
	ck_assert_ptr_null(session_at(1)->query);
	ck_assert_ptr_null(session_at(1)->query_id);
	ck_assert_ptr_null(session_at(1)->wait_class);
	ck_assert_ptr_null(session_at(1)->database);
	ck_assert_str_eq(session_at(1)->kind, "checkpointer");
}
END_TEST

/* Times come from another process's memory: whatever they say, no age is less than none, and nothing overflows. */
START_TEST(test_session_with_hostile_times)
{
	static const int64_t times[] = { INT64_MAX, INT64_MIN, INT64_MAX / 1000, INT64_MIN / 1000, 1700000003000000 };

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct tap_session *session = session_add((int32_t)i + 1, TAP_SESSION_ACTIVE);

		session->state_change_us = times[i];
		session->transaction_start_us = times[i];
	}
	two_view();
	for (size_t i = 0; i < two.view->n_sessions; i++) {
		ck_assert_int_ge(session_at(i)->state_since_ns, -1);
		ck_assert_int_ge(session_at(i)->transaction_since_ns, -1);
	}
}
END_TEST

START_TEST(test_session_figures)
{
	session_add(501, TAP_SESSION_ACTIVE);
	session_add(502, TAP_SESSION_ACTIVE);
	session_add(503, TAP_SESSION_ACTIVE);
	session_add(504, TAP_SESSION_ACTIVE);
	thread_add(&two.begin, 501, 0, 100, 10);
	thread_add(&two.end, 501, 0, 175, 15);
	thread_add(&two.end, 501, 1, 9999, 0); /* another instance's */
	thread_add(&two.end, 502, 0, 50, 5);   /* began within the window */
	thread_add(&two.begin, 503, 0, 1000, 5);
	thread_add(&two.end, 503, 0, 7, 1); /* another process with the same pid */
	two_view();
	ck_assert_int_eq(session_at(0)->pid, 501);
	ck_assert_int_eq(session_at(0)->figures.value[TAP_FIGURE_CPU], 75);
	ck_assert_int_eq(session_at(0)->figures.value[TAP_FIGURE_WAIT], 5);
	ck_assert_int_eq(session_at(0)->figures.value[TAP_FIGURE_ELAPSED], 80);
	ck_assert_uint_eq(session_at(0)->figures.absent[TAP_FIGURE_CALLS], TAP_REASON_SHARED);
	ck_assert_uint_eq(session_at(0)->figures.absent[TAP_FIGURE_RUNNING], TAP_REASON_SHARED);
	ck_assert_int_eq(session_at(1)->figures.value[TAP_FIGURE_CPU], 50);
	ck_assert_int_eq(session_at(2)->pid, 503);
	ck_assert_int_eq(session_at(2)->figures.value[TAP_FIGURE_CPU], 7);
	ck_assert_int_eq(session_at(3)->pid, 504);
	for (int i = 0; i < TAP_FIGURE_COUNT; i++)
		ck_assert_uint_eq(session_at(3)->figures.absent[i], TAP_REASON_NOT_TRACED);
	ck_assert_uint_eq(two.view->instances[0].processes, 3);
}
END_TEST

START_TEST(test_session_order_and_limit)
{
	static const enum tap_session_state states[] = { TAP_SESSION_NONE,   TAP_SESSION_IDLE,
							 TAP_SESSION_ACTIVE, TAP_SESSION_IDLE_IN_TRANSACTION,
							 TAP_SESSION_ACTIVE, TAP_SESSION_IDLE_IN_TRANSACTION_ABORTED };
	static const int32_t order[] = { 5, 3, 4, 6, 2, 1 };

	for (int i = 0; i < 6; i++)
		session_add(i + 1, states[i]);
	thread_add(&two.end, 5, 0, 100, 0);
	thread_add(&two.end, 1, 0, 1000, 0);
	two_view();
	for (size_t i = 0; i < 6; i++)
		ck_assert_int_eq(session_at(i)->pid, order[i]);
	two.input.options.sort = TAP_FIGURE_CPU;
	two.input.options.limit = 2;
	two_view();
	ck_assert_uint_eq(two.view->n_sessions, 2);
	ck_assert_uint_eq(two.view->n_sessions_all, 6);
	ck_assert_int_eq(session_at(0)->pid, 1);
	ck_assert_int_eq(session_at(1)->pid, 5);
}
END_TEST

START_TEST(test_session_filters)
{
	struct tap_session *session;

	session_add(1, TAP_SESSION_ACTIVE)->database = APP;
	session_add(2, TAP_SESSION_ACTIVE)->database = NAMELESS;
	session_add(3, TAP_SESSION_ACTIVE)->database_name = strdup("app");
	session_add(4, TAP_SESSION_NONE);
	session = tap_session_list_add(&two.other_sessions);
	session->pid = 5;
	session->database_name = strdup("app");
	session = tap_session_list_add(&two.other_sessions);
	session->pid = 6;
	session->database = APP; /* an instance without names */
	ck_assert_uint_eq(two_view()->n_sessions, 6);
	two.input.options.database = "app";
	ck_assert_uint_eq(two_view()->n_sessions, 3);
	two.input.options.instance = "postgres-5432";
	ck_assert_uint_eq(two_view()->n_sessions, 2);
	two.input.options.database = NULL;
	ck_assert_uint_eq(two_view()->n_sessions, 4);
	two.instances[0].sessions = NULL;
	ck_assert_uint_eq(two_view()->n_sessions, 0);
}
END_TEST

/* --- no memory --- */

START_TEST(test_out_of_memory)
{
	struct tap_session *session;
	long n, came_all_the_same = 0;
	char text[64];

	for (uint64_t id = 1; id <= 70; id++) {
		struct tap_row *row = two_add(two_key(0, TAP_KIND_CLIENT, APP, id), id, 1, TRANSACTIONID, 5);

		tap_row_add_wait(row, (uint32_t)id, 1, 1, 0);
		snprintf(text, sizeof(text), "select %d, 'x'; select 1", (int)id);
		two_text(id, text, NULL);
	}
	session = session_add(501, TAP_SESSION_ACTIVE);
	session->query = strdup("select 'secret'");
	for (n = 1;; n++) {
		struct tap_view *view = NULL;
		int status;

		tap_alloc_fail_at(n);
		status = tap_window_view(&two.input, &view);
		if (!tap_alloc_failed()) {
			tap_alloc_fail_at(0);
			tap_view_free(view);
			break;
		}
		tap_alloc_fail_at(0);
		if (!status)
			came_all_the_same++;
		else
			ck_assert_int_eq(status, -ENOMEM);
		ck_assert(!status == !!view);
		tap_view_free(view);
	}
	ck_assert_int_gt(n, 100);
	ck_assert_msg(!came_all_the_same, "%ld of %ld failed allocations were not noticed", came_all_the_same, n);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("model/lists");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_events);
	tcase_add_test(tests, test_client_read_of_a_statement);
	tcase_add_test(tests, test_session_fields);
	tcase_add_test(tests, test_session_with_little);
	tcase_add_test(tests, test_session_with_hostile_times);
	tcase_add_test(tests, test_session_figures);
	tcase_add_test(tests, test_session_order_and_limit);
	tcase_add_test(tests, test_session_filters);
	tcase_add_test(tests, test_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
