// SPDX-License-Identifier: BSD-2-Clause
/* test_locks_scripted.c - what views of locks say, whole, in part and not at all, against the scripted library. */
#include "correlate/engine/mysql/locks.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "correlate/engine/mysql/number.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/lib/scripted_libmariadb.h"
#include "tests/lib/scripted_libpq.h"

static struct tap_my_conn *conn;
static struct tap_lock_table table;
static struct tap_relation_names names;
static struct tap_error err;

static void set_up(void)
{
	tap_lock_table_init(&table);
	tap_relation_names_init(&names);
	err.text[0] = '\0';
}

static void tear_down(void)
{
	tap_lock_table_done(&table);
	tap_relation_names_done(&names);
}

#ifdef HAVE_LIBMARIADB

#define OK(text) \
	{ \
		.expect = text, .outcome = TAP_SCRIPTED_MY_ROWS \
	}
#define OPENED \
	{ .version = NULL }, OK("READ ONLY"), OK("autocommit"), OK("max_statement_time"), OK("innodb_lock_wait_timeout")
#define OPENED_MYSQL \
	{ .version = "9.7.4" }, OK("READ ONLY"), OK("autocommit"), OK("max_execution_time"), \
		OK("innodb_lock_wait_timeout")
#define ANSWER(text, n_columns, n_rows, values) \
	{ \
		.expect = text, .columns = n_columns, .rows = n_rows, .cells = values \
	}
#define REFUSED(text, error) \
	{ \
		.expect = text, .outcome = TAP_SCRIPTED_MY_ERROR, .number = error, .message = "no" \
	}
#define ROWS(values, n_columns) (sizeof(values) / sizeof(*(values)) / (n_columns))
#define TRXS(values) ANSWER("INNODB_TRX", 4, ROWS(values, 4), values)
#define LOCKS(values) ANSWER("INNODB_LOCKS", 11, ROWS(values, 11), values)
#define PAIRS(values) ANSWER("INNODB_LOCK_WAITS", 3, ROWS(values, 3), values)
#define MY_LOCKS(values) ANSWER("data_locks", 11, ROWS(values, 11), values)
#define MY_PAIRS(values) ANSWER("data_lock_waits", 3, ROWS(values, 3), values)
#define SHARES(values) ANSWER("PROCESSLIST_ID", 6, ROWS(values, 6), values)
#define SEES_ALL ANSWER("PROCESS'", 3, 1, sees_all)
#define NO_METADATA ANSWER("COUNT(*)", 2, 1, nothing)
#define QUIET_METADATA ANSWER("COUNT(*)", 2, 1, quiet)

static const char *const sees_all[] = { "1", "1", "0" }, *const sees_own[] = { "1", "0", "0" };
static const char *const nothing[] = { "0", "0" }, *const quiet[] = { "7", "0" }, *const pending[] = { "9", "2" };

static void open_with(const struct tap_scripted_my_step *steps, size_t count)
{
	const struct tap_engine_where where = { .instance = "mariadb-3306", .socket = "/tmp/s.sock" };

	tap_scripted_identity(0, NULL);
	tap_scripted_my_play(steps, count);
	ck_assert_int_eq(tap_my_conn_open(&where, &conn, &err), 0);
}
#define OPEN(steps) open_with(steps, sizeof(steps) / sizeof((steps)[0]))

static void close_all(void)
{
	tap_my_conn_close(conn);
	tap_scripted_my_finish();
}

static int ask(void)
{
	tap_lock_table_done(&table);
	return tap_my_query_locks(conn, &table, &names, &err);
}

static const struct tap_lock_entry *entry_of(int32_t pid, uint8_t type)
{
	const struct tap_lock_entry *found = NULL;

	for (size_t i = 0; i < table.count; i++) {
		if (table.entries[i].pid == pid && table.entries[i].tag.type == type)
			found = &table.entries[i];
	}
	ck_assert_msg(found != NULL, "no entry of %d", pid);
	return found;
}

/* "5<4 7<4s": who waits for whom; s: who is ahead in the queue. */
static const char *edges(void)
{
	static char text[256];
	struct tap_lock_graph graph;
	size_t at = 0;

	ck_assert_int_eq(tap_lock_graph_make(&table, &graph), 0);
	text[0] = '\0';
	for (size_t i = 0; i < graph.n_edges; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d<%d%s", i ? " " : "", graph.edges[i].waiter,
				       graph.edges[i].blocker, graph.edges[i].soft ? "s" : "");
	tap_lock_graph_done(&graph);
	return text;
}

/* 5 has a row; 7 and 9 want it, in this order; 10 inserts where 11 has the gap. */
static const char *const trxs[] = { "27",	  "5",		NULL, NULL,	  "29",		"7",  "29:6:3:8",
				    "1700000001", "33",		"9",  "33:6:3:8", "1700000002", "36", "10",
				    "36:6:3:1",	  "1700000003", "35", "11",	  NULL,		NULL };
static const char *const locks[] = {
	"27:6:3:8", "27", "RECORD", "X", "`shop`.`items`", NULL, NULL, "PRIMARY", "6", "3", "8", /* */
	"29:6:3:8", "29", "RECORD", "X", "`shop`.`items`", NULL, NULL, "PRIMARY", "6", "3", "8", /* */
	"33:6:3:8", "33", "RECORD", "X", "`shop`.`items`", NULL, NULL, "PRIMARY", "6", "3", "8", /* */
	"35:6:3:1", "35", "RECORD", "X", "`shop`.`items`", NULL, NULL, "PRIMARY", "6", "3", "1", /* */
	"36:6:3:1", "36", "RECORD", "X", "`shop`.`items`", NULL, NULL, "PRIMARY", "6", "3", "1",
};
static const char *const pairs[] = {
	"33:6:3:8", "29:6:3:8", "29", "33:6:3:8", "27:6:3:8", "27",
	"29:6:3:8", "27:6:3:8", "27", "36:6:3:1", "35:6:3:1", "35",
};

START_TEST(test_rows)
{
	static const struct tap_scripted_my_step steps[] = { OPENED,	   SEES_ALL,	 TRXS(trxs),
							     LOCKS(locks), PAIRS(pairs), NO_METADATA };
	const struct tap_lock_entry *entry;

	OPEN(steps);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(edges(), "7<5 9<5 9<7s 10<11");
	ck_assert(table.complete && table.is_told && table.source == TAP_LOCKS_ASKED && !table.torn);
	entry = entry_of(9, TAP_LOCK_RECORD);
	ck_assert_uint_eq(entry->tag.field1, 6);
	ck_assert_uint_eq(entry->tag.field2, 3);
	ck_assert_uint_eq(entry->tag.field3, tap_my_table_number("shop/items"));
	ck_assert_uint_eq(entry->tag.field4, 8);
	ck_assert_uint_eq(entry->wanted, TAP_LOCK_RECORD_X);
	ck_assert(entry->start_is_second);
	ck_assert_int_eq(entry->wait_start_us, 1700000002000000);
	ck_assert_uint_eq(entry_of(10, TAP_LOCK_RECORD)->wanted, TAP_LOCK_RECORD_INSERT);
	ck_assert_uint_eq(entry_of(11, TAP_LOCK_RECORD)->held, 1 << TAP_LOCK_RECORD_X_GAP);
	ck_assert_str_eq(tap_relation_names_find(&names, 0, entry->tag.field3), "shop.items");
	ck_assert_str_eq(tap_relation_names_find(&names, 7, 3), "index.PRIMARY");
	/* What is not told is said. */
	ck_assert_ptr_nonnull(strstr(err.text, "metadata locks are not told"));
	close_all();
}
END_TEST

/* Nobody waits: one statement, beside the one for metadata locks; privileges were asked for once. */
START_TEST(test_nobody_waits)
{
	static const struct tap_scripted_my_step steps[] = { OPENED,
							     SEES_ALL,
							     ANSWER("INNODB_TRX", 4, 1, trxs),
							     QUIET_METADATA,
							     ANSWER("INNODB_TRX", 4, 0, trxs),
							     QUIET_METADATA };

	OPEN(steps);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(err.text, "");
	ck_assert_int_eq(ask(), 0);
	ck_assert(!table.count && !table.n_told && table.realtime_ns > 0);
	close_all();
}
END_TEST

/* Both have read the row and want to write it: what they hold and what they want has one name. */
START_TEST(test_upgrade)
{
	static const char *const both[] = { "1", "5", "1:6:3:8", "1700000001", "2", "7", "2:6:3:8", "1700000001" };
	static const char *const two_locks[] = {
		"1:6:3:8", "1", "RECORD", "S", "`shop`.`items`", NULL, NULL, "PRIMARY", "6", "3", "8", /* */
		"2:6:3:8", "2", "RECORD", "S", "`shop`.`items`", NULL, NULL, "PRIMARY", "6", "3", "8",
	};
	static const char *const two_pairs[] = { "1:6:3:8", "2:6:3:8", "2",	  "2:6:3:8", "1:6:3:8",
						 "1",	    "2:6:3:8", "1:6:3:8", "1" };
	static const struct tap_scripted_my_step steps[] = { OPENED,	       SEES_ALL,	 TRXS(both),
							     LOCKS(two_locks), PAIRS(two_pairs), NO_METADATA };
	struct tap_lock_graph graph;

	OPEN(steps);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(edges(), "5<7 7<5");
	ck_assert_int_eq(tap_lock_graph_make(&table, &graph), 0);
	ck_assert_uint_eq(graph.n_cycles, 1);
	ck_assert(!graph.cycle_soft[0]);
	tap_lock_graph_done(&graph);
	close_all();
}
END_TEST

/* MariaDB's transactions that only read have no number: one of them is known, of several nobody can tell. */
START_TEST(test_without_number)
{
	static const char *const one[] = { "0", "5", NULL, NULL, "29", "7", "29:6:3:8", "1700000001" };
	static const char *const two[] = { "0",	 "5",  NULL, NULL, "0",	       "6",
					   NULL, NULL, "29", "7",  "29:6:3:8", "1700000001" };
	static const char *const prepared[] = { "27", "0", NULL, NULL, "29", "7", "29:6:3:8", "1700000001" };
	static const char *const their_locks[] = {
		"0:6:3:8",  "0",  "RECORD", "S", "`shop`.`items`", NULL, NULL, "PRIMARY", "6", "3", "8", /* */
		"27:6:3:8", "27", "RECORD", "X", "`shop`.`items`", NULL, NULL, "PRIMARY", "6", "3", "8", /* */
		"29:6:3:8", "29", "RECORD", "X", "`shop`.`items`", NULL, NULL, "PRIMARY", "6", "3", "8",
	};
	static const char *const unnumbered[] = { "29:6:3:8", "0:6:3:8", "0" };
	static const char *const numbered[] = { "29:6:3:8", "27:6:3:8", "27" };
	static const struct tap_scripted_my_step steps[] = {
		OPENED,		SEES_ALL,	    TRXS(one),		LOCKS(their_locks), PAIRS(unnumbered),
		NO_METADATA,	TRXS(two),	    LOCKS(their_locks), PAIRS(unnumbered),  NO_METADATA,
		TRXS(prepared), LOCKS(their_locks), PAIRS(numbered),	NO_METADATA,
	};

	OPEN(steps);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(edges(), "7<5");
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(edges(), "");
	ck_assert_uint_eq(table.torn, 1);
	ck_assert_uint_eq(entry_of(7, TAP_LOCK_RECORD)->wanted, TAP_LOCK_RECORD_X);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(edges(), "7<0");
	ck_assert_uint_eq(entry_of(0, TAP_LOCK_RECORD)->xid, 27);
	close_all();
}
END_TEST

/* None of it makes sense; what does is taken. */
START_TEST(test_hostile_rows)
{
	static const char *const bad_trxs[] = {
		"x",
		"5",
		NULL,
		NULL, /* */
		NULL,
		"5",
		NULL,
		NULL, /* */
		"-1",
		"5",
		NULL,
		NULL, /* */
		"29",
		"7",
		"29:6:3:8",
		"soon", /* */
		"30",
		"-77",
		"30:6:3:8",
		"1", /* */
		"31",
		"99999999999",
		"31:6:3:8",
		"1", /* */
		"32",
		"8",
		"99:1:1:1",
		"99999999999999999999", /* */
		"33",
		"12",
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
		"1",
	};
	static const char *const bad_locks[] = {
		"29:6:3:8", "29", "RECORD", "X",  "`shop`.`items`",
		NULL,	    NULL, NULL,	    "6",  "3",
		"8", /* good */
		"29:6:3:8", "29", "RECORD", "Q",  "`shop`.`items`",
		NULL,	    NULL, NULL,	    "6",  "3",
		"8", /* */
		"a",	    "29", "RECORD", NULL, "`shop`.`items`",
		NULL,	    NULL, NULL,	    "6",  "3",
		"8", /* */
		"b",	    "29", "RECORD", "X",  "shop.items",
		NULL,	    NULL, NULL,	    "6",  "3",
		"8", /* */
		"c",	    "29", "RECORD", "X",  "`shop`.`items",
		NULL,	    NULL, NULL,	    "6",  "3",
		"8", /* */
		"d",	    "29", "RECORD", "X",  "`",
		NULL,	    NULL, NULL,	    "6",  "3",
		"8", /* */
		"e",	    "29", "RECORD", "X",  NULL,
		NULL,	    NULL, NULL,	    "6",  "3",
		"8", /* */
		"f",	    "29", "RECORD", "X",  "`shop`.`items`",
		NULL,	    NULL, NULL,	    NULL, "3",
		"8", /* */
		"g",	    "29", "RECORD", "X",  "`shop`.`items`",
		NULL,	    NULL, NULL,	    "6",  "3",
		"65536", /* */
		"h",	    "29", "RECORD", "X",  "`shop`.`items`",
		NULL,	    NULL, NULL,	    "6",  "-3",
		"8", /* */
		"i",	    "29", "PLANET", "X",  "`shop`.`items`",
		NULL,	    NULL, NULL,	    "6",  "3",
		"8", /* */
		"j",	    "x",  "RECORD", "X",  "`shop`.`items`",
		NULL,	    NULL, NULL,	    "6",  "3",
		"8", /* */
		NULL,	    "29", "RECORD", "X",  "`shop`.`items`",
		NULL,	    NULL, NULL,	    "6",  "3",
		"8",
	};
	static const char *const bad_pairs[] = {
		"29:6:3:8", "nowhere",	"27",	"nowhere",  "29:6:3:8", "27", NULL,	  "29:6:3:8", "27",
		"29:6:3:8", "29:6:3:8", "many", "29:6:3:8", "29:6:3:8", "29", "29:6:3:8", "29:6:3:8", "77",
	};
	static const struct tap_scripted_my_step steps[] = { OPENED,	       SEES_ALL,	 TRXS(bad_trxs),
							     LOCKS(bad_locks), PAIRS(bad_pairs), NO_METADATA };

	OPEN(steps);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(edges(), "");
	ck_assert_uint_eq(table.count, 1);
	ck_assert_int_eq(entry_of(7, TAP_LOCK_RECORD)->wait_start_us, 0);
	ck_assert_uint_gt(table.torn, 15);
	close_all();
}
END_TEST

/* ---- MySQL ---- */

static const char *const my_trxs[] = {
	"27", "5", NULL, NULL, "29", "7", "946:2:3:4:8:11", "1700000001", "281475", "9", "950:2:3:4:8:12", "1700000002",
};
static const char *const my_locks[] = {
	"946:2:3:4:8:11",
	"29",
	"RECORD",
	"X,REC_NOT_GAP",
	"shop",
	"items",
	"p0",
	"PRIMARY",
	NULL,
	NULL,
	NULL, /* */
	"940:2:3:4:8:10",
	"27",
	"RECORD",
	"X,REC_NOT_GAP",
	"shop",
	"items",
	"p0",
	"PRIMARY",
	NULL,
	NULL,
	NULL, /* */
	"950:2:3:4:8:12",
	"281475",
	"RECORD",
	"S,REC_NOT_GAP",
	"shop",
	"items",
	"p0",
	"PRIMARY",
	NULL,
	NULL,
	NULL,
	/* Tables: of who waits, of who does not. */
	"946:2:1064:13",
	"29",
	"TABLE",
	"IX",
	"shop",
	"own",
	NULL,
	NULL,
	NULL,
	NULL,
	NULL, /* */
	"940:2:1064:14",
	"27",
	"TABLE",
	"IX",
	"shop",
	"own",
	NULL,
	NULL,
	NULL,
	NULL,
	NULL,
	/* No place, too many parts, numbers that are none. */
	"946:2:3:4",
	"29",
	"RECORD",
	"X",
	"shop",
	"items",
	NULL,
	"PRIMARY",
	NULL,
	NULL,
	NULL, /* */
	"1:2:3:4:5:6:7:8:9",
	"29",
	"RECORD",
	"X",
	"shop",
	"items",
	NULL,
	"PRIMARY",
	NULL,
	NULL,
	NULL, /* */
	"946:2:-3:4:8:11",
	"29",
	"RECORD",
	"X",
	"shop",
	"items",
	NULL,
	"PRIMARY",
	NULL,
	NULL,
	NULL, /* */
	"946:2:3:4:99999:11",
	"29",
	"RECORD",
	"X",
	"shop",
	"items",
	NULL,
	"PRIMARY",
	NULL,
	NULL,
	NULL, /* */
	":::::",
	"29",
	"RECORD",
	"X",
	"shop",
	"",
	NULL,
	"PRIMARY",
	NULL,
	NULL,
	NULL,
};
static const char *const my_pairs[] = {
	"946:2:3:4:8:11", "940:2:3:4:8:10", "27", "950:2:3:4:8:12", "940:2:3:4:8:10", "27",
	"950:2:3:4:8:12", "946:2:3:4:8:11", "29",
};

START_TEST(test_mysql_rows)
{
	static const struct tap_scripted_my_step steps[] = { OPENED_MYSQL, TRXS(my_trxs), MY_LOCKS(my_locks),
							     MY_PAIRS(my_pairs), QUIET_METADATA };
	const struct tap_lock_entry *entry;

	OPEN(steps);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(err.text, "");
	ck_assert_str_eq(edges(), "7<5 9<5 9<7s");
	entry = entry_of(9, TAP_LOCK_RECORD);
	ck_assert_uint_eq(entry->tag.field1, 3);
	ck_assert_uint_eq(entry->tag.field2, 4);
	ck_assert_uint_eq(entry->tag.field4, 8);
	ck_assert_uint_eq(entry->tag.field3, tap_my_table_number("shop/items#p#p0"));
	ck_assert_uint_eq(entry->wanted, TAP_LOCK_RECORD_S_ONLY);
	entry = entry_of(7, TAP_LOCK_ENGINE_TABLE);
	ck_assert_uint_eq(entry->held, 1 << TAP_LOCK_TABLE_IX);
	ck_assert_uint_eq(entry->tag.field3, tap_my_table_number("shop/own"));
	ck_assert_uint_eq(table.count, 4);
	ck_assert_uint_eq(table.torn, 5);
	close_all();
}
END_TEST

START_TEST(test_mysql_without_schema)
{
	static const char *const is_off[] = { "0" }, *const is_on[] = { "1" };
	static const struct tap_scripted_my_step steps[] = {
		OPENED_MYSQL,
		TRXS(my_trxs),
		ANSWER("data_locks", 11, 0, my_locks),
		ANSWER("@@performance_schema", 1, 1, is_off),
		TRXS(my_trxs),
		ANSWER("data_locks", 11, 0, my_locks),
		ANSWER("@@performance_schema", 1, 1, is_on),
		ANSWER("data_lock_waits", 3, 0, my_pairs),
		QUIET_METADATA,
	};

	OPEN(steps);
	ck_assert_int_eq(ask(), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(err.text, "performance_schema is off"));
	/* All of them ended between the two statements. */
	ck_assert_int_eq(ask(), 0);
	ck_assert_uint_eq(table.count, 0);
	ck_assert_uint_eq(table.torn, 2);
	close_all();
}
END_TEST

/* ---- metadata locks ---- */

static const char *const shares[] = {
	"5",
	"TABLE",
	"shop",
	"items",
	"SHARED_READ",
	"GRANTED", /* */
	"7",
	"TABLE",
	"shop",
	"items",
	"SHARED_UPGRADABLE",
	"GRANTED", /* */
	"7",
	"TABLE",
	"shop",
	"items",
	"EXCLUSIVE",
	"PENDING", /* */
	"8",
	"TABLE",
	"shop",
	"items",
	"SHARED_READ",
	"PENDING", /* */
	"9",
	"TABLE",
	"shop",
	"other",
	"SHARED_WRITE",
	"GRANTED", /* nobody waits for it */
	"11",
	"USER LEVEL LOCK",
	NULL,
	"mine",
	"EXCLUSIVE",
	"GRANTED", /* */
	"12",
	"USER LEVEL LOCK",
	NULL,
	"mine",
	"EXCLUSIVE",
	"PENDING", /* */
	"13",
	"GLOBAL",
	NULL,
	NULL,
	"SHARED",
	"GRANTED", /* */
	"14",
	"GLOBAL",
	NULL,
	NULL,
	"INTENTION_EXCLUSIVE",
	"PENDING", /* */
	"15",
	"BACKUP",
	NULL,
	NULL,
	"BACKUP_FTWRL1",
	"GRANTED", /* */
	"16",
	"BACKUP",
	NULL,
	NULL,
	"BACKUP_TRANS_DML",
	"PENDING", /* */
	/* None of these is a share of anything. */
	"0",
	"TABLE",
	"shop",
	"items",
	"SHARED_READ",
	"GRANTED", /* */
	"x",
	"TABLE",
	"shop",
	"items",
	"SHARED_READ",
	"GRANTED", /* */
	"17",
	"TABLE",
	"shop",
	"items",
	"GREEDY",
	"PENDING", /* */
	"18",
	"TABLE",
	"shop",
	"items",
	NULL,
	"PENDING", /* */
	"19",
	NULL,
	NULL,
	NULL,
	"BACKUP_FTWRL1",
	"PENDING",
};

START_TEST(test_metadata)
{
	static const struct tap_scripted_my_step steps[] = { OPENED_MYSQL, ANSWER("INNODB_TRX", 4, 0, my_trxs),
							     ANSWER("COUNT(*)", 2, 1, pending), SHARES(shares) };
	const struct tap_lock_entry *entry;

	OPEN(steps);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(edges(), "7<5 8<7s 12<11 14<13 16<15");
	entry = entry_of(7, TAP_LOCK_METADATA);
	ck_assert_uint_eq(entry->wanted, TAP_LOCK_METADATA_X);
	ck_assert_uint_eq(entry->held, 1 << TAP_LOCK_METADATA_SU);
	ck_assert_int_eq(entry->wait_start_us, 0);
	ck_assert_str_eq(tap_relation_names_find(&names, tap_my_name_number("shop"), tap_my_table_number("items")),
			 "shop.items");
	ck_assert_str_eq(tap_relation_names_find(&names, 0, tap_my_name_number("mine")), "user lock.mine");
	ck_assert_uint_eq(table.torn, 5);
	ck_assert_str_eq(err.text, "");
	close_all();
}
END_TEST

/* MariaDB: which tables who waits for a row has written to, metadata locks tell. */
START_TEST(test_written_tables)
{
	static const char *const written[] = {
		"7", "TABLE", "shop", "a-b",  "SHARED_WRITE", "GRANTED", /* */
		"7", "TABLE", "shop", "read", "SHARED_READ",  "GRANTED", /* */
		"5", "TABLE", "shop", "a-b",  "SHARED_WRITE", "GRANTED",
	};
	static const struct tap_scripted_my_step steps[] = { OPENED,	   SEES_ALL,	   TRXS(trxs),	   LOCKS(locks),
							     PAIRS(pairs), QUIET_METADATA, SHARES(written) };
	size_t count = 0;

	OPEN(steps);
	ck_assert_int_eq(ask(), 0);
	for (size_t i = 0; i < table.count; i++)
		count += table.entries[i].tag.type == TAP_LOCK_ENGINE_TABLE;
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(entry_of(7, TAP_LOCK_ENGINE_TABLE)->tag.field3, tap_my_table_number("shop/a@002db"));
	ck_assert_str_eq(edges(), "7<5 9<5 9<7s 10<11");
	close_all();
}
END_TEST

/* ---- refusals and losses ---- */

START_TEST(test_no_privilege)
{
	static const struct tap_scripted_my_step steps[] = { OPENED, ANSWER("PROCESS'", 3, 1, sees_own) };
	static const struct tap_scripted_my_step mysql[] = { OPENED_MYSQL, REFUSED("INNODB_TRX", 1227), TRXS(my_trxs),
							     REFUSED("data_locks", 1142) };

	OPEN(steps);
	ck_assert_int_eq(ask(), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "grant PROCESS"));
	close_all();
	OPEN(mysql);
	ck_assert_int_eq(ask(), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "grant PROCESS"));
	ck_assert_int_eq(ask(), -EACCES);
	close_all();
}
END_TEST

/* Row locks are told all the same. */
START_TEST(test_metadata_refused)
{
	static const struct tap_scripted_my_step steps[] = { OPENED,
							     SEES_ALL,
							     TRXS(trxs),
							     LOCKS(locks),
							     PAIRS(pairs),
							     REFUSED("COUNT(*)", 1142),
							     TRXS(trxs),
							     LOCKS(locks),
							     PAIRS(pairs),
							     QUIET_METADATA,
							     REFUSED("PROCESSLIST_ID", 1146) };

	OPEN(steps);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(edges(), "7<5 9<5 9<7s 10<11");
	ck_assert_ptr_nonnull(strstr(err.text, "metadata locks are not told: "));
	ck_assert_ptr_nonnull(strstr(err.text, "SELECT on performance_schema"));
	ck_assert_int_eq(ask(), 0);
	close_all();
}
END_TEST

START_TEST(test_lost_and_late)
{
	static const struct tap_scripted_my_step lost[] = {
		OPENED,
		SEES_ALL,
		TRXS(trxs),
		{ .expect = "INNODB_LOCKS", .outcome = TAP_SCRIPTED_MY_LOST, .columns = 11, .rows = 2, .cells = locks }
	};
	static const struct tap_scripted_my_step late[] = { OPENED,	  SEES_ALL,	TRXS(trxs),
							    LOCKS(locks), PAIRS(pairs), REFUSED("COUNT(*)", 1969) };
	static const struct tap_scripted_my_step odd[] = { OPENED, SEES_ALL, TRXS(trxs), LOCKS(locks),
							   ANSWER("INNODB_LOCK_WAITS", 2, 1, pairs) };

	OPEN(lost);
	ck_assert_int_eq(ask(), -ECONNRESET);
	ck_assert_str_ne(err.text, "");
	close_all();
	OPEN(late);
	ck_assert_int_eq(ask(), -ETIMEDOUT);
	close_all();
	OPEN(odd);
	ck_assert_int_eq(ask(), -EPROTO);
	close_all();
}
END_TEST

START_TEST(test_out_of_memory)
{
	static const struct tap_scripted_my_step steps[] = { OPENED,	    SEES_ALL,
							     TRXS(trxs),    LOCKS(locks),
							     PAIRS(pairs),  ANSWER("COUNT(*)", 2, 1, pending),
							     SHARES(shares) };

	for (long n = 1;; n++) {
		int r;

		tap_relation_names_done(&names);
		tap_lock_table_done(&table);
		tap_relation_names_init(&names);
		OPEN(steps);
		tap_alloc_fail_at(n);
		r = tap_my_query_locks(conn, &table, &names, &err);
		tap_my_conn_close(conn);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(r, -ENOMEM);
		/* What was not asked any more. */
		tap_scripted_my_play(NULL, 0);
	}
	tap_alloc_fail_at(0);
	tap_scripted_my_finish();
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, test_rows);
	tcase_add_test(tests, test_nobody_waits);
	tcase_add_test(tests, test_upgrade);
	tcase_add_test(tests, test_without_number);
	tcase_add_test(tests, test_hostile_rows);
	tcase_add_test(tests, test_mysql_rows);
	tcase_add_test(tests, test_mysql_without_schema);
	tcase_add_test(tests, test_metadata);
	tcase_add_test(tests, test_written_tables);
	tcase_add_test(tests, test_no_privilege);
	tcase_add_test(tests, test_metadata_refused);
	tcase_add_test(tests, test_lost_and_late);
	tcase_add_test(tests, test_out_of_memory);
}

#else

START_TEST(test_built_without)
{
	ck_assert_int_eq(tap_my_query_locks(NULL, &table, &names, &err), -ECONNRESET);
}
END_TEST

static void add_tests(TCase *tests)
{
	(void)conn;
	tcase_add_test(tests, test_built_without);
}

#endif

static Suite *make_suite(void)
{
	Suite *suite = suite_create("mysql locks");
	TCase *tests = tcase_create("answers");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	add_tests(tests);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
