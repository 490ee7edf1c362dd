// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_window.c - correlate/model/window, build and queries: from two snapshots to the head, the instances, the losses,
 * the totals and the queries of a view. Sessions and events are in test_lists.c.
 */
#include "tests/unit/correlate/model/two_snapshots.h"

#include "tests/lib/check_main.h"

static void set_up(void)
{
	two_init();
}

static void tear_down(void)
{
	two_done();
}

static const struct tap_view_query *query_at(size_t at)
{
	ck_assert_uint_lt(at, two.view->n_queries);
	return &two.view->queries[at];
}

START_TEST(test_empty_window)
{
	const struct tap_view *view = two_view();

	ck_assert_uint_eq(view->n_queries, 0);
	ck_assert_uint_eq(view->n_sessions, 0);
	ck_assert_uint_eq(view->n_events, 0);
	ck_assert_uint_eq(view->n_instances, 2);
	ck_assert_uint_eq(view->n_losses, TAP_LOSS_COUNT + 1);
	ck_assert_double_eq(view->attributed_percent, 100.0);
	ck_assert_int_eq(view->totals.value[TAP_FIGURE_ELAPSED], 0);
}
END_TEST

START_TEST(test_head)
{
	const struct tap_view *view;

	two.begin.losses[TAP_LOSS_RING_FULL] = 5;
	two.end.losses[TAP_LOSS_RING_FULL] = 7;
	two.end.torn = 3;
	two.begin.fingerprint_ns = 1000;
	two.end.fingerprint_ns = 20001000;
	two.input.cost = (struct tap_window_cost){ 0.5, -1, 0.25, 4096, 5, "some", 2 };
	view = two_view();
	ck_assert_str_eq(view->tool_version, "1.2");
	ck_assert_str_eq(view->depth, "ambient");
	ck_assert_double_eq(view->seconds, 2.0);
	ck_assert_int_eq(view->start_realtime_ns, 1700000000000000000);
	ck_assert_int_eq(view->end_realtime_ns, 1700000002000000000);
	ck_assert_double_eq_tol(view->fingerprint_cpu_percent, 1.0, 1e-9);
	ck_assert_double_eq(view->bpf_cpu_percent, 0.5);
	ck_assert_double_eq(view->trap_cpu_percent, -1);
	ck_assert_double_eq(view->tool_cpu_percent, 0.25);
	ck_assert_int_eq(view->tool_rss_bytes, 4096);
	ck_assert_str_eq(view->losses[TAP_LOSS_RING_FULL].reason, "ring_full");
	ck_assert_uint_eq(view->losses[TAP_LOSS_RING_FULL].count, 2);
	ck_assert_uint_eq(view->losses[TAP_LOSS_TOTALS_FULL].count, 0);
	ck_assert_str_eq(view->losses[TAP_LOSS_COUNT].reason, "torn");
	ck_assert_uint_eq(view->losses[TAP_LOSS_COUNT].count, 3);
	ck_assert_ptr_nonnull(view->host_name);
	ck_assert_int_gt(view->cpus, 0);
	ck_assert_uint_gt(view->n_absent, 3);
	/* A figure that could not be measured is named. */
	ck_assert_str_eq(view->absent[view->n_absent - 1].field, "trap_cpu_percent");
}
END_TEST

START_TEST(test_window_of_no_length)
{
	two.end.monotonic_ns = two.begin.monotonic_ns;
	two.end.fingerprint_ns = 5;
	ck_assert_double_eq(two_view()->fingerprint_cpu_percent, 0);
	ck_assert_double_eq(two.view->seconds, 0);
}
END_TEST

START_TEST(test_instances)
{
	const struct tap_view_instance *first, *second;

	two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 30, 1, TRANSACTIONID, 70);
	two_add(two_key(0, TAP_KIND_CHECKPOINTER, 0, 0), 5, 0, 0, 0);
	two_add(two_key(1, TAP_KIND_CLIENT, APP, 1), 1000, 1, 0, 0);
	two_add(two_key(UNKNOWN_INSTANCE, TAP_KIND_CLIENT, APP, 1), 1000, 1, 0, 0);
	two_add(two_key(127, TAP_KIND_CLIENT, APP, 1), 1000, 1, 0, 0);
	first = &two_view()->instances[0];
	second = &two.view->instances[1];
	ck_assert_str_eq(first->id, "postgres-5432");
	ck_assert_str_eq(first->version, "15.18");
	ck_assert_str_eq(first->data_dir, "/data");
	ck_assert_str_eq(first->build_id, "abcd");
	ck_assert_int_eq(first->port, 5432);
	ck_assert(first->connected);
	ck_assert_ptr_null(first->not_connected_why);
	ck_assert_int_eq(first->figures.value[TAP_FIGURE_ELAPSED], 105);
	ck_assert_int_eq(first->figures.value[TAP_FIGURE_CALLS], 1);
	ck_assert_ptr_null(second->build_id);
	ck_assert_ptr_null(second->data_dir);
	ck_assert_str_eq(second->not_connected_why, "no role");
	ck_assert_int_eq(second->figures.value[TAP_FIGURE_CPU], 1000);
	/* Rows of an index that means nothing are not shown. */
	ck_assert_uint_eq(two.view->n_queries_all, 3);
	two.input.options.instance = "postgres-5433";
	ck_assert_uint_eq(two_view()->n_instances, 1);
	ck_assert_uint_eq(two.view->n_queries, 1);
	ck_assert_int_eq(two.view->totals.value[TAP_FIGURE_CPU], 1000);
	/* By the name it was asked for, which stayed with the server before it. */
	two.instances[1].before = "postgres-5439";
	two.input.options.instance = "postgres-5439";
	ck_assert_uint_eq(two_view()->n_instances, 1);
	ck_assert_uint_eq(two.view->n_queries, 1);
	two.input.options.instance = "none such";
	ck_assert_uint_eq(two_view()->n_instances, 0);
	ck_assert_uint_eq(two.view->n_queries_all, 0);
}
END_TEST

START_TEST(test_difference_and_figures)
{
	struct tap_row_key key = two_key(0, TAP_KIND_CLIENT, APP, (uint64_t)-7);
	struct tap_account before = { .cpu_ns = 5, .calls = 2, .minor_faults = 1 };
	struct tap_account after = { .cpu_ns = 15,
				     .runq_ns = 20,
				     .unknown_ns = -1,
				     .calls = 5,
				     .preemptions = 7,
				     .minor_faults = 9,
				     .major_faults = 9,
				     .rchar_bytes = 10,
				     .wchar_bytes = 11,
				     .read_bytes = 12,
				     .dirtied_bytes = 13 };
	const struct tap_view_query *query;
	const int64_t *value;

	tap_row_add_account(two_row(&two.begin, &key), &before);
	tap_row_add_account(two_row(&two.end, &key), &after);
	two_row(&two.end, &key)->running = 2;
	ck_assert_int_eq(tap_row_add_wait(two_row(&two.end, &key), TRANSACTIONID, 3, 100, 1), 0);
	two_text((uint64_t)-7, "select 'secret'", NULL);
	two_view();
	query = query_at(0);
	value = query->figures.value;
	ck_assert_str_eq(query->instance, "postgres-5432");
	ck_assert_str_eq(query->kind, "client");
	ck_assert_str_eq(query->database, "app");
	ck_assert_str_eq(query->user, "me");
	ck_assert_str_eq(query->query_id, "-7");
	ck_assert_str_eq(query->query_id_source, "engine");
	ck_assert_str_eq(query->query, "select $1");
	ck_assert_uint_eq(query->n_absent, 0);
	ck_assert_int_eq(value[TAP_FIGURE_CALLS], 3);
	ck_assert_int_eq(value[TAP_FIGURE_RUNNING], 2);
	ck_assert_int_eq(value[TAP_FIGURE_CPU], 10);
	ck_assert_int_eq(value[TAP_FIGURE_RUNQ], 20);
	ck_assert_int_eq(value[TAP_FIGURE_WAIT], 100);
	ck_assert_int_eq(value[TAP_FIGURE_UNKNOWN], -1);
	ck_assert_int_eq(value[TAP_FIGURE_ELAPSED], 129);
	ck_assert_int_eq(value[TAP_FIGURE_SLEEPS], 4);
	ck_assert_int_eq(value[TAP_FIGURE_PREEMPTIONS], 7);
	ck_assert_int_eq(value[TAP_FIGURE_MINOR_FAULTS], 8);
	ck_assert_int_eq(value[TAP_FIGURE_MAJOR_FAULTS], 9);
	ck_assert_int_eq(value[TAP_FIGURE_RCHAR], 10);
	ck_assert_int_eq(value[TAP_FIGURE_WCHAR], 11);
	ck_assert_int_eq(value[TAP_FIGURE_READ], 12);
	ck_assert_int_eq(value[TAP_FIGURE_DIRTIED], 13);
	ck_assert_uint_eq(query->n_waits, 1);
	ck_assert_str_eq(query->waits[0].class_name, "Lock");
	ck_assert_str_eq(query->waits[0].event_name, "transactionid");
	ck_assert_uint_eq(query->waits[0].count, 4);
	ck_assert_int_eq(query->waits[0].ns, 100);
	for (int i = 0; i < TAP_FIGURE_COUNT; i++)
		ck_assert_uint_eq(query->figures.absent[i], i == TAP_FIGURE_ERRORS	? TAP_REASON_DEPTH_STATEMENT
							    : i == TAP_FIGURE_ANON_PEAK ? TAP_REASON_NO_GROWTH
											: TAP_REASON_NONE);
	ck_assert_double_eq_tol(two.view->attributed_percent, 100.0 * (1 - 1.0 / 129), 1e-9);
}
END_TEST

START_TEST(test_totals_and_attributed)
{
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 30, 4, TRANSACTIONID, 70);
	two_add(two_key(0, TAP_KIND_IDLE, APP, 0), 50, 0, CLIENT_READ, 30);
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 2), 0, 6, 0, 0)->account.unknown_ns = 20;
	two_view();
	ck_assert_int_eq(two.view->totals.value[TAP_FIGURE_ELAPSED], 200);
	ck_assert_int_eq(two.view->totals.value[TAP_FIGURE_CALLS], 10);
	/* A row that cannot have calls takes nothing from the sum. */
	ck_assert_uint_eq(two.view->totals.absent[TAP_FIGURE_CALLS], TAP_REASON_NONE);
	ck_assert_double_eq_tol(two.view->attributed_percent, 90.0, 1e-9);
	/* The limit is for what is shown, not for what is summed. */
	two.input.options.limit = 1;
	two_view();
	ck_assert_uint_eq(two.view->n_queries, 1);
	ck_assert_uint_eq(two.view->n_queries_all, 3);
	ck_assert_int_eq(two.view->totals.value[TAP_FIGURE_ELAPSED], 200);
	ck_assert_int_eq(two.view->instances[0].figures.value[TAP_FIGURE_ELAPSED], 200);
	two.input.options.limit = 4;
	ck_assert_uint_eq(two_view()->n_queries, 3);
}
END_TEST

START_TEST(test_names)
{
	struct tap_row_key own = two_key(0, TAP_KIND_AUTOVACUUM, NAMELESS, 9);

	own.source = TAP_QUERY_ID_OWN;
	two_add(own, 10, 0, 0, 0);
	two_add(two_key(1, TAP_KIND_CLIENT, APP, 0), 5, 0, 0, 0);
	two_add(two_key(0, 200, 0, 0), 1, 0, 0, 0);
	two_view();
	/* What has no name shows its number; what has no number shows nothing. */
	ck_assert_str_eq(query_at(0)->database, "77");
	ck_assert_str_eq(query_at(0)->kind, "autovacuum");
	ck_assert_str_eq(query_at(0)->query_id, "9");
	ck_assert_str_eq(query_at(0)->query_id_source, "own");
	ck_assert_ptr_null(query_at(0)->query);
	ck_assert_uint_eq(query_at(0)->n_absent, 1);
	ck_assert_str_eq(query_at(0)->absent[0].field, "query");
	ck_assert_str_eq(query_at(1)->database, "5");
	ck_assert_ptr_null(query_at(1)->query_id);
	ck_assert_ptr_null(query_at(1)->query_id_source);
	ck_assert_uint_eq(query_at(1)->n_absent, 0);
	ck_assert_ptr_null(query_at(2)->database);
	ck_assert_ptr_null(query_at(2)->user);
	ck_assert_str_eq(query_at(2)->kind, "unknown");
}
END_TEST

START_TEST(test_database_filter)
{
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 10, 1, 0, 0);
	two_add(two_key(0, TAP_KIND_CLIENT, OTHER, 1), 20, 1, TRANSACTIONID, 5);
	two_add(two_key(0, TAP_KIND_CLIENT, NAMELESS, 1), 20, 1, 0, 0);
	two_add(two_key(0, TAP_KIND_CHECKPOINTER, 0, 0), 20, 1, 0, 0);
	two_add(two_key(1, TAP_KIND_CLIENT, OTHER, 1), 20, 1, 0, 0); /* its names are not known */
	two.input.options.database = "other";
	two_view();
	ck_assert_uint_eq(two.view->n_queries_all, 1);
	ck_assert_str_eq(query_at(0)->database, "other");
	ck_assert_int_eq(two.view->totals.value[TAP_FIGURE_ELAPSED], 25);
	ck_assert_uint_eq(two.view->n_events, 1);
	two.input.options.database = "none such";
	ck_assert_uint_eq(two_view()->n_queries_all, 0);
}
END_TEST

/* --- calls --- */

static enum tap_reason calls_absent(void)
{
	two_view();
	ck_assert_uint_eq(query_at(0)->figures.absent[TAP_FIGURE_CALLS], two.view->totals.absent[TAP_FIGURE_CALLS]);
	if (query_at(0)->figures.absent[TAP_FIGURE_CALLS])
		ck_assert_int_eq(query_at(0)->figures.value[TAP_FIGURE_CALLS], 0);
	return (enum tap_reason)query_at(0)->figures.absent[TAP_FIGURE_CALLS];
}

START_TEST(test_calls_pipelined)
{
	struct tap_row *row = two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 10, 100000, 0, 0);

	two_text(1, "select 1", NULL);
	row->account.uncounted = 1;
	ck_assert_int_eq(calls_absent(), TAP_REASON_NONE);
	row->account.uncounted = 50000;
	ck_assert_int_eq(calls_absent(), TAP_REASON_PIPELINED);
	row->account.calls = 0;
	ck_assert_int_eq(calls_absent(), TAP_REASON_PIPELINED);
}
END_TEST

static const struct {
	const char *raw;
	const char *normalised;
	enum tap_reason reason;
} call_texts[] = {
	{ "select 1; select 2", NULL, TAP_REASON_PIPELINED },
	{ "select 1; select 2", "select $1", TAP_REASON_PIPELINED },
	{ "select 1;", NULL, TAP_REASON_NONE },
	{ "select 1 ; ;\n ;", NULL, TAP_REASON_NONE },
	{ "select 'a;b'", NULL, TAP_REASON_NONE },
	{ "select 1 -- a; b", NULL, TAP_REASON_NONE },
	{ "select 1 /* ; */ ;", NULL, TAP_REASON_NONE },
	{ "select $$a;b$$", NULL, TAP_REASON_NONE },
	{ NULL, "select $1", TAP_REASON_NONE },
	{ NULL, NULL, TAP_REASON_NONE },
};

START_TEST(test_calls_and_texts)
{
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 10, 3, 0, 0);
	two_text(1, call_texts[_i].raw, call_texts[_i].normalised);
	ck_assert_int_eq(calls_absent(), call_texts[_i].reason);
	/* What is shown does not change what is known. */
	two.input.options.raw_text = true;
	ck_assert_int_eq(calls_absent(), call_texts[_i].reason);
}
END_TEST

/* Commands that report progress: their change count says nothing. */
START_TEST(test_calls_of_commands_with_progress)
{
	static const char *const texts[] = { "COPY t FROM stdin", "vacuum", "VACUUM t", "Create Index i on t (a)",
					     "refresh materialized view v" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 10, 1, 0, 0)->account.uncounted = 1;
		two_text(1, NULL, texts[i]);
		ck_assert_int_eq(calls_absent(), TAP_REASON_NONE);
		two_done();
		two_init();
	}
}
END_TEST

START_TEST(test_calls_of_no_statement)
{
	static const uint8_t kinds[] = { TAP_KIND_IDLE, TAP_KIND_PARALLEL, TAP_KIND_AUTOVACUUM, TAP_KIND_REST };

	for (size_t i = 0; i < sizeof(kinds); i++) {
		two_add(two_key(0, kinds[i], APP, 0), 10, 3, 0, 0);
		two.input.options.exact_calls = i % 2;
		two_view();
		ck_assert_uint_eq(query_at(0)->figures.absent[TAP_FIGURE_CALLS], TAP_REASON_NOT_A_STATEMENT);
		ck_assert_uint_eq(query_at(0)->figures.absent[TAP_FIGURE_RUNNING], TAP_REASON_NOT_A_STATEMENT);
		ck_assert_int_eq(query_at(0)->figures.value[TAP_FIGURE_CALLS], 0);
		ck_assert_uint_eq(two.view->totals.absent[TAP_FIGURE_CALLS], TAP_REASON_NONE);
		two_done();
		two_init();
	}
}
END_TEST

static void calls_add(struct tap_snapshot *snapshot, struct tap_row_key key, uint64_t count)
{
	tap_row_set_get(&snapshot->rows, &key)->exact_calls += count;
}

START_TEST(test_calls_exact_or_shed)
{
	struct tap_row_key key = two_key(0, TAP_KIND_CLIENT, APP, 1), other = two_key(0, TAP_KIND_CLIENT, APP, 2);

	two_add(key, 10, 3, 0, 0)->account.uncounted = 3;
	two_add(other, 5, 3, 0, 0);
	two_text(1, "select 1; select 2", NULL);
	calls_add(&two.begin, key, 100);
	calls_add(&two.end, other, 8);
	calls_add(&two.end, key, 142);
	two.input.options.exact_calls = true;
	ck_assert_int_eq(calls_absent(), TAP_REASON_NONE);
	ck_assert_int_eq(query_at(0)->figures.value[TAP_FIGURE_CALLS], 42);
	ck_assert_int_eq(query_at(1)->figures.value[TAP_FIGURE_CALLS], 8);
	ck_assert_int_eq(two.view->totals.value[TAP_FIGURE_CALLS], 50);
	/* A server that is not probed has none, whatever others have. */
	two.instances[0].unprobed = true;
	ck_assert_int_eq(calls_absent(), TAP_REASON_UNPROBED);
	two.instances[0].unprobed = false;
	/* Where some sessions only were probed what pulling counts is shown, or absent as at ambient depth. */
	two.input.options.exact_calls = false;
	two.input.options.sampled_calls = true;
	ck_assert_int_eq(calls_absent(), TAP_REASON_PIPELINED);
	ck_assert_uint_eq(query_at(0)->figures.absent[TAP_FIGURE_ERRORS], TAP_REASON_SAMPLED);
	ck_assert_int_eq(query_at(0)->figures.value[TAP_FIGURE_RUNNING], 0);
}
END_TEST

/* --- order and texts --- */

START_TEST(test_order)
{
	two_add(two_key(0, TAP_KIND_IDLE, APP, 0), 900, 0, 0, 0);
	two_add(two_key(0, TAP_KIND_IDLE_IN_TRANSACTION, APP, 0), 950, 0, 0, 0);
	two_add(two_key(0, TAP_KIND_CHECKPOINTER, 0, 0), 500, 0, 0, 0);
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 10, 7, TRANSACTIONID, 1);
	two_add(two_key(0, TAP_KIND_PARALLEL, APP, 1), 30, 0, 0, 0);
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 0), 20, 9, 0, 0);
	two_view();
	ck_assert_str_eq(query_at(0)->kind, "parallel");
	ck_assert_int_eq(query_at(1)->figures.value[TAP_FIGURE_CPU], 20);
	ck_assert_int_eq(query_at(2)->figures.value[TAP_FIGURE_CPU], 10);
	ck_assert_str_eq(query_at(3)->kind, "checkpointer");
	ck_assert_str_eq(query_at(4)->kind, "idle_in_transaction");
	ck_assert_str_eq(query_at(5)->kind, "idle");
	two.input.options.sort = TAP_FIGURE_CPU;
	two_view();
	for (size_t i = 1; i < 6; i++)
		ck_assert_int_ge(query_at(i - 1)->figures.value[TAP_FIGURE_CPU],
				 query_at(i)->figures.value[TAP_FIGURE_CPU]);
	two.input.options.sort = TAP_FIGURE_CALLS;
	two_view();
	ck_assert_int_eq(query_at(0)->figures.value[TAP_FIGURE_CALLS], 9);
	ck_assert_int_eq(query_at(1)->figures.value[TAP_FIGURE_CALLS], 7);
}
END_TEST

START_TEST(test_waits_are_sorted)
{
	struct tap_row *row = two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 10, 7, TRANSACTIONID, 5);

	tap_row_add_wait(row, 0, 2, 50, 0);
	tap_row_add_wait(row, TAP_EVENT_ANY, 1, 20, 0);
	tap_row_add_wait(row, 0xfe000001, 1, -3, 0);
	two_view();
	ck_assert_uint_eq(query_at(0)->n_waits, 4);
	ck_assert_str_eq(query_at(0)->waits[0].class_name, "None");
	ck_assert_str_eq(query_at(0)->waits[0].event_name, "CPU-or-kernel");
	ck_assert_str_eq(query_at(0)->waits[1].class_name, "rest");
	ck_assert_str_eq(query_at(0)->waits[2].event_name, "transactionid");
	ck_assert_str_eq(query_at(0)->waits[3].class_name, "unknown");
}
END_TEST

/* Literals leave only when asked for. */
START_TEST(test_redaction)
{
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 40, 1, 0, 0);
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 2), 30, 1, 0, 0);
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 3), 20, 1, 0, 0);
	two_text(1, "select 'secret'", "SELECT $1");
	two_text(2, "select 'secret', 42", NULL);
	two_text(3, NULL, "SELECT $1, $2");
	two_view();
	ck_assert_str_eq(query_at(0)->query, "SELECT $1");
	ck_assert_str_eq(query_at(1)->query, "select $1, $2");
	ck_assert_str_eq(query_at(2)->query, "SELECT $1, $2");
	two.input.options.raw_text = true;
	two_view();
	ck_assert_str_eq(query_at(0)->query, "select 'secret'");
	ck_assert_str_eq(query_at(1)->query, "select 'secret', 42");
	ck_assert_str_eq(query_at(2)->query, "SELECT $1, $2");
}
END_TEST

/* The view lives on when what it was made of is gone. */
START_TEST(test_borrows_nothing)
{
	struct tap_view *view;

	two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 40, 1, TRANSACTIONID, 3);
	two_text(1, "select 1", NULL);
	two_view();
	view = two.view;
	two.view = NULL;
	two_done();
	memset(&two, 0x55, sizeof(two));
	ck_assert_str_eq(view->queries[0].query, "select $1");
	ck_assert_str_eq(view->queries[0].database, "app");
	ck_assert_str_eq(view->instances[0].id, "postgres-5432");
	tap_view_free(view);
	two_init();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("model/window");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_empty_window);
	tcase_add_test(tests, test_head);
	tcase_add_test(tests, test_window_of_no_length);
	tcase_add_test(tests, test_instances);
	tcase_add_test(tests, test_difference_and_figures);
	tcase_add_test(tests, test_totals_and_attributed);
	tcase_add_test(tests, test_names);
	tcase_add_test(tests, test_database_filter);
	tcase_add_test(tests, test_calls_pipelined);
	tcase_add_loop_test(tests, test_calls_and_texts, 0, (int)(sizeof(call_texts) / sizeof(call_texts[0])));
	tcase_add_test(tests, test_calls_of_commands_with_progress);
	tcase_add_test(tests, test_calls_of_no_statement);
	tcase_add_test(tests, test_calls_exact_or_shed);
	tcase_add_test(tests, test_order);
	tcase_add_test(tests, test_waits_are_sorted);
	tcase_add_test(tests, test_redaction);
	tcase_add_test(tests, test_borrows_nothing);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
