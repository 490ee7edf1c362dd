// SPDX-License-Identifier: BSD-2-Clause
/* test_lock_queue_scripted.c - the order of queues, worked out and as pg_blocking_pids tells it, true or not. */
#include "correlate/engine/postgres/lock_queue.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/scripted_libpq.h"

static struct tap_pg_conn *conn;
static struct tap_error err;
static struct tap_lock_table table;

static void play(const struct tap_scripted_step *step)
{
	const struct tap_engine_where where = { .instance = "postgres-5432", .socket = "@x", .query_timeout_ms = 100 };
	static struct tap_scripted_step steps[2];

	steps[0] = (struct tap_scripted_step){ .outcome = TAP_SCRIPTED_LOGIN, .version = 130000 };
	if (step)
		steps[1] = *step;
	tap_scripted_play(steps, step ? 2 : 1);
	err.text[0] = '\0';
	ck_assert_msg(tap_pg_conn_open(&where, &conn, &err) == 0, "%s", err.text);
}

static void finish(void)
{
	tap_lock_table_done(&table);
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}

static void add(uint32_t lock, int32_t pid, int32_t leader, uint16_t held, uint8_t wanted)
{
	struct tap_lock_entry entry = { .tag = { .field1 = 5, .field2 = lock, .method = 1 },
					.pid = pid,
					.leader_pid = leader,
					.held = held,
					.wanted = wanted };

	ck_assert_int_eq(tap_lock_table_add(&table, &entry), 0);
}

/* One holder and three that want it alone, the last a worker of 40's; another lock with one waiter. */
static void three_in_a_queue(void)
{
	tap_lock_table_init(&table);
	add(1, 10, 10, 1u << TAP_LOCK_MODE_SHARE, 0);
	add(1, 20, 20, 0, TAP_LOCK_MODE_EXCLUSIVE);
	add(1, 30, 30, 0, TAP_LOCK_MODE_EXCLUSIVE);
	add(1, 41, 40, 0, TAP_LOCK_MODE_EXCLUSIVE);
	add(2, 10, 10, 1u << TAP_LOCK_MODE_SHARE, 0);
	add(2, 50, 50, 0, TAP_LOCK_MODE_EXCLUSIVE);
}

static const struct tap_scripted_step *step_of(const char *const (*cells)[2], int rows)
{
	static struct tap_scripted_step step;

	step = (struct tap_scripted_step){ .expect = "pg_blocking_pids",
					   .outcome = TAP_SCRIPTED_ROWS,
					   .columns = 2,
					   .rows = rows,
					   .cells = &cells[0][0] };
	return &step;
}

START_TEST(test_asked)
{
	static const char *const cells[][2] = {
		{ "20", "10" }, { "20", "40" }, { "20", "30" }, { "41", "10" }, { "41", "30" },
		{ "30", "10" }, { "30", "10" }, { "50", "10" }, { "50", "0" },	{ "77", "20" },
	};

	three_in_a_queue();
	play(step_of(cells, 10));
	ck_assert_msg(tap_pg_query_queues(conn, &table, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(table.entries[2].queue, 1);
	ck_assert_uint_eq(table.entries[3].queue, 2);
	ck_assert_uint_eq(table.entries[1].queue, 3);
	ck_assert_uint_eq(table.entries[0].queue, 0);
	finish();
}
END_TEST

/* One of the waiters is not in the answer: what was worked out stays. */
START_TEST(test_half_an_answer)
{
	static const char *const cells[][2] = {
		{ "20", "10" }, { "30", "10" }, { "x", "10" }, { "41", "99999999999" }
	};

	three_in_a_queue();
	table.entries[1].queue = 7;
	play(step_of(cells, 4));
	ck_assert_int_eq(tap_pg_query_queues(conn, &table, &err), 0);
	ck_assert_uint_eq(table.entries[1].queue, 7);
	finish();
}
END_TEST

/* Everybody stands behind everybody: it ends, and the places are bounded. */
START_TEST(test_lies)
{
	static const char *const cells[][2] = { { "20", "30" }, { "30", "20" }, { "20", "40" },
						{ "30", "40" }, { "41", "20" }, { "41", "30" } };

	three_in_a_queue();
	play(step_of(cells, 6));
	ck_assert_int_eq(tap_pg_query_queues(conn, &table, &err), 0);
	for (size_t i = 0; i < table.count; i++)
		ck_assert_uint_le(table.entries[i].queue, 20);
	finish();
}
END_TEST

START_TEST(test_nothing_to_ask)
{
	tap_lock_table_init(&table);
	add(1, 10, 10, 1u << TAP_LOCK_MODE_SHARE, 0);
	add(1, 20, 20, 0, TAP_LOCK_MODE_EXCLUSIVE);
	play(NULL);
	ck_assert_int_eq(tap_pg_query_queues(conn, &table, &err), 0);
	finish();
}
END_TEST

START_TEST(test_errors)
{
	const struct tap_scripted_step denied = { .outcome = TAP_SCRIPTED_ERROR,
						  .state = "42501",
						  .message = "denied" };

	three_in_a_queue();
	play(&denied);
	ck_assert_int_eq(tap_pg_query_queues(conn, &table, &err), -EACCES);
	ck_assert_uint_eq(table.entries[1].queue, 0);
	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_pg_query_queues(conn, &table, &err), -ENOMEM);
	tap_alloc_fail_at(0);
	finish();
}
END_TEST

/* Who holds what a waiter wants excluded goes before that waiter, or both would wait for each other. */
START_TEST(test_queue_order)
{
	struct tap_lock_entry entries[] = {
		{ .pid = 1, .leader_pid = 1, .held = 1u << TAP_LOCK_MODE_SHARE },
		{ .pid = 2, .leader_pid = 2, .wanted = TAP_LOCK_MODE_EXCLUSIVE, .wait_start_us = 10 },
		{ .pid = 3, .leader_pid = 3, .wanted = TAP_LOCK_MODE_ACCESS_SHARE, .wait_start_us = 5 },
		{ .pid = 4,
		  .leader_pid = 4,
		  .held = 1u << TAP_LOCK_MODE_ROW_SHARE,
		  .wanted = TAP_LOCK_MODE_ROW_EXCLUSIVE,
		  .wait_start_us = 20 },
		{ .pid = 5, .leader_pid = 5, .wanted = TAP_LOCK_MODE_ROW_EXCLUSIVE },
		{ .pid = 6, .leader_pid = 6, .wanted = TAP_LOCK_MODE_ROW_EXCLUSIVE, .wait_start_us = 30 },
	};
	const uint32_t places[] = { 0, 3, 1, 2, 5, 4 };

	tap_pg_locks_queue(entries, 6);
	for (size_t i = 0; i < 6; i++)
		ck_assert_msg(entries[i].queue == places[i], "process %d has place %u", entries[i].pid,
			      entries[i].queue);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lock_queue_scripted");
	TCase *tcase = tcase_create("queues");

	tcase_add_test(tcase, test_asked);
	tcase_add_test(tcase, test_half_an_answer);
	tcase_add_test(tcase, test_lies);
	tcase_add_test(tcase, test_nothing_to_ask);
	tcase_add_test(tcase, test_errors);
	tcase_add_test(tcase, test_queue_order);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
