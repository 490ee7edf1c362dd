// SPDX-License-Identifier: BSD-2-Clause
/* test_locks_scripted.c - pg_locks: rows to entries, and every way the question can go wrong. */
#include "correlate/engine/postgres/locks.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/scripted_libpq.h"

enum {
	COLUMNS = 13,
};

static struct tap_pg_conn *conn;
static struct tap_error err;
static struct tap_pg_rows rows;
static struct tap_lock_table table;

static void play(const struct tap_scripted_step *step, int version)
{
	static const char *const zero[] = { "0" };
	static struct tap_scripted_step steps[3];
	size_t count = 0;
	const struct tap_engine_where where = { .instance = "postgres-5432", .socket = "@x", .query_timeout_ms = 100 };

	steps[count++] = (struct tap_scripted_step){ .outcome = TAP_SCRIPTED_LOGIN, .version = version };
	if (version >= 140000)
		steps[count++] = (struct tap_scripted_step){ .expect = "idle_session_timeout",
							     .outcome = TAP_SCRIPTED_ROWS,
							     .columns = 1,
							     .rows = 1,
							     .cells = zero };
	steps[count++] = *step;
	tap_scripted_play(steps, count);
	memset(&rows, 0, sizeof(rows));
	tap_lock_table_done(&table);
	err.text[0] = '\0';
	ck_assert_msg(tap_pg_conn_open(&where, &conn, &err) == 0, "%s", err.text);
}

static void finish(void)
{
	tap_lock_table_done(&table);
	tap_pg_conn_close(conn);
	tap_scripted_finish();
}

/* type, the tag's fields, virtual transaction, pid, leader, mode, granted, fastpath, start of the wait */
static const char *const good[][COLUMNS] = {
	{ "relation", "5", "16384", NULL, NULL, "3", "7", "100", NULL, "AccessShareLock", "true", "false", NULL },
	{ "relation", "5", "16384", NULL, NULL, "3", "7", "100", NULL, "RowExclusiveLock", "true", "false", NULL },
	{ "relation", "5", "16384", NULL, NULL, "4", "9", "101", "100", "AccessShareLock", "true", "false", NULL },
	{ "relation", "5", "16384", NULL, NULL, "6", "1", "103", NULL, "AccessShareLock", "false", "false", "3000" },
	{ "relation", "5", "16384", NULL, NULL, "5", "2", "102", NULL, "AccessExclusiveLock", "false", "false",
	  "2000" },
	{ "tuple", "5", "16384", "3", "7", "3", "7", "100", NULL, "ExclusiveLock", "true", "false", NULL },
	{ "virtualxid", "3", "7", NULL, NULL, "3", "7", "100", NULL, "ExclusiveLock", "true", "true", NULL },
	{ "transactionid", "742", NULL, NULL, NULL, "9", "1", NULL, NULL, "ExclusiveLock", "true", "false", NULL },
	{ "relation", "5", "16400", NULL, NULL, "9", "1", NULL, NULL, "RowExclusiveLock", "true", "false", NULL },
	{ "advisory", "5", "0", "42", "1", "3", "7", "100", NULL, "ShareLock", "true", "false", NULL },
};

static const struct tap_lock_entry *find(int pid, uint8_t type, uint32_t field2)
{
	for (size_t i = 0; i < table.count; i++) {
		const struct tap_lock_entry *entry = &table.entries[i];

		if (entry->pid == pid && entry->tag.type == type && entry->tag.field2 == field2)
			return entry;
	}
	return NULL;
}

START_TEST(test_rows)
{
	const struct tap_scripted_step step = { .expect = "l.waitstart",
						.outcome = TAP_SCRIPTED_ROWS,
						.columns = COLUMNS,
						.rows = sizeof(good) / sizeof(*good),
						.cells = &good[0][0] };
	const struct tap_lock_entry *entry;

	play(&step, 150018);
	ck_assert_msg(tap_pg_query_locks(conn, &table, &rows, &err) == 0, "%s", err.text);
	ck_assert(table.complete);
	ck_assert_int_eq(table.source, TAP_LOCKS_ASKED);
	ck_assert_uint_eq(rows.seen, 10);
	ck_assert_uint_eq(rows.skipped, 0);
	ck_assert_uint_eq(table.count, 9);
	entry = find(100, TAP_LOCK_RELATION, 16384);
	ck_assert_uint_eq(entry->held, 1u << TAP_LOCK_MODE_ACCESS_SHARE | 1u << TAP_LOCK_MODE_ROW_EXCLUSIVE);
	ck_assert_int_eq(entry->leader_pid, 100);
	ck_assert_int_eq(find(101, TAP_LOCK_RELATION, 16384)->leader_pid, 100);
	entry = find(102, TAP_LOCK_RELATION, 16384);
	ck_assert_uint_eq(entry->wanted, TAP_LOCK_MODE_ACCESS_EXCLUSIVE);
	ck_assert_uint_eq(entry->queue, 1);
	ck_assert_int_eq(entry->wait_start_us, 2000);
	ck_assert_uint_eq(find(103, TAP_LOCK_RELATION, 16384)->queue, 2);
	entry = find(100, TAP_LOCK_TUPLE, 16384);
	ck_assert_uint_eq(entry->tag.field3, 3);
	ck_assert_uint_eq(entry->tag.field4, 7);
	ck_assert(find(100, TAP_LOCK_VIRTUALXID, 7)->fast_path);
	ck_assert_uint_eq(find(0, TAP_LOCK_RELATION, 16400)->xid, 742);
	ck_assert_uint_eq(find(0, TAP_LOCK_TRANSACTION, 0)->xid, 742);
	entry = find(100, TAP_LOCK_ADVISORY, 0);
	ck_assert_uint_eq(entry->tag.method, 2);
	ck_assert_uint_eq(entry->tag.field3, 42);
	finish();
}
END_TEST

/* Before version 14 nobody says when a wait began: no places, but for the only one in a queue. */
START_TEST(test_old_server)
{
	static const char *const old[][COLUMNS] = {
		{ "relation", "5", "1", NULL, NULL, "6", "1", "103", NULL, "ShareLock", "false", "false", NULL },
		{ "relation", "5", "1", NULL, NULL, "5", "2", "102", NULL, "ExclusiveLock", "false", "false", NULL },
		{ "relation", "5", "2", NULL, NULL, "7", "2", "104", NULL, "ExclusiveLock", "false", "false", NULL },
	};
	const struct tap_scripted_step step = {
		.expect = "NULL::text", .outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS, .rows = 3, .cells = &old[0][0]
	};

	play(&step, 130000);
	ck_assert_msg(tap_pg_query_locks(conn, &table, &rows, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(find(103, TAP_LOCK_RELATION, 1)->queue, 0);
	ck_assert_uint_eq(find(102, TAP_LOCK_RELATION, 1)->queue, 0);
	ck_assert_uint_eq(find(104, TAP_LOCK_RELATION, 2)->queue, 1);
	finish();
}
END_TEST

/* One cell of a good row is nonsense: the row is passed over and counted, the others stay. */
START_TEST(test_nonsense)
{
	static const char *const bad[] = { "x", "-1", "4294967296", "", "\xff\xfe", "1e3", "relation ", "SIReadLock" };
	const char *cells[2][COLUMNS];
	const struct tap_scripted_step step = {
		.outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS, .rows = 2, .cells = &cells[0][0]
	};
	int column = _i / 8;

	memcpy(cells[0], good[0], sizeof(cells[0]));
	memcpy(cells[1], good[5], sizeof(cells[1]));
	cells[0][column] = bad[_i % 8];
	play(&step, 150018);
	ck_assert_msg(tap_pg_query_locks(conn, &table, &rows, &err) == 0, "%s", err.text);
	ck_assert_ptr_nonnull(find(100, TAP_LOCK_TUPLE, 16384));
	/* -1 is a backend of recovered transactions, 2^32 a time; whether a lock is on the fast path is a yes or not.
	 */
	if (column != COLUMNS - 2 && !(column == 5 && _i % 8 == 1) && !(column == COLUMNS - 1 && _i % 8 == 2))
		ck_assert_uint_eq(rows.skipped, 1);
	finish();
}
END_TEST

static const struct outcome {
	struct tap_scripted_step step;
	int code;
} outcomes[] = {
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS }, 0 },
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = 12, .rows = 1, .cells = &good[0][0] }, -EPROTO },
	{ { .outcome = TAP_SCRIPTED_ROWS, .columns = COLUMNS, .rows = 1, .cells = &good[0][0], .type = 23 }, -EPROTO },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "42501", .message = "denied" }, -EACCES },
	{ { .outcome = TAP_SCRIPTED_ERROR, .state = "57014", .message = "timeout" }, -ETIMEDOUT },
	{ { .outcome = TAP_SCRIPTED_LOST, .columns = COLUMNS, .rows = 1, .cells = &good[0][0] }, -ECONNRESET },
	{ { .outcome = TAP_SCRIPTED_HANG, .columns = COLUMNS, .rows = 1, .cells = &good[0][0] }, -ETIMEDOUT },
};

START_TEST(test_outcomes)
{
	int r;

	play(&outcomes[_i].step, 150018);
	r = tap_pg_query_locks(conn, &table, &rows, &err);
	ck_assert_msg(r == outcomes[_i].code, "%d: %s", r, err.text);
	ck_assert_uint_eq(table.count, 0);
	ck_assert_int_eq(r != 0, *err.text != '\0');
	finish();
}
END_TEST

START_TEST(test_without_memory)
{
	const struct tap_scripted_step step = { .outcome = TAP_SCRIPTED_ROWS,
						.columns = COLUMNS,
						.rows = sizeof(good) / sizeof(*good),
						.cells = &good[0][0] };

	for (long n = 1;; n++) {
		bool reached;
		int r;

		play(&step, 150018);
		tap_alloc_fail_at(n);
		r = tap_pg_query_locks(conn, &table, &rows, &err);
		reached = tap_alloc_failed();
		tap_alloc_fail_at(0);
		/* Without room for its order a queue has no places; all else is an error. */
		ck_assert(!r || r == -ENOMEM);
		finish();
		if (!reached)
			break;
	}
}
END_TEST

START_TEST(test_prepared)
{
	static const char *const cells[][5] = {
		{ "742", "kept", "app", "me", "1000" },
		{ "0", "none", "app", "me", "1000" },
		{ "x", "none", "app", "me", "1000" },
		{ "743", NULL, NULL, NULL, NULL },
	};
	const struct tap_scripted_step step = { .expect = "pg_prepared_xacts",
						.outcome = TAP_SCRIPTED_ROWS,
						.columns = 5,
						.rows = 4,
						.cells = &cells[0][0] };
	struct tap_lock_prepared_list list = { 0 };

	play(&step, 150018);
	ck_assert_msg(tap_pg_query_prepared(conn, &list, &rows, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(list.count, 2);
	ck_assert_uint_eq(rows.skipped, 2);
	ck_assert_str_eq(tap_lock_prepared_find(&list, 742)->gid, "kept");
	ck_assert_str_eq(tap_lock_prepared_find(&list, 742)->user, "me");
	ck_assert_int_eq(tap_lock_prepared_find(&list, 742)->prepared_us, 1000);
	ck_assert_ptr_null(tap_lock_prepared_find(&list, 743)->gid);
	ck_assert_ptr_null(tap_lock_prepared_find(&list, 1));
	ck_assert_ptr_null(tap_lock_prepared_find(NULL, 1));
	tap_lock_prepared_done(&list);
	finish();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("locks_scripted");
	TCase *tcase = tcase_create("locks");

	tcase_add_test(tcase, test_rows);
	tcase_add_test(tcase, test_old_server);
	tcase_add_loop_test(tcase, test_nonsense, 0, 8 * COLUMNS);
	tcase_add_loop_test(tcase, test_outcomes, 0, sizeof(outcomes) / sizeof(*outcomes));
	tcase_add_test(tcase, test_without_memory);
	tcase_add_test(tcase, test_prepared);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
