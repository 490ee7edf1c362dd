// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_lock_order.c - orders learnt from tables and waits, and the contradictions among them: two tables in opposite
 * orders, the same order, one statement that takes both, advisory locks, rows of one relation, upgrades of strength.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/model/lock_order.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

enum {
	DATABASE = 5,
	A = 16384,
	B = 16390,
	CATALOG = 1259,
	UPDATE_A = 100, /* query ids */
	UPDATE_B = 200,
	BOTH = 300,
};

#define HELD(mode) (1u << TAP_LOCK_MODE_##mode)

static struct tap_lock_order order;
static struct tap_lock_table table;
static uint64_t serial;

static void set_up(void)
{
	tap_lock_order_init(&order);
	tap_lock_table_init(&table);
	table.complete = true;
	serial = 0;
}

static void tear_down(void)
{
	tap_lock_order_done(&order);
	tap_lock_table_done(&table);
}

static void table_clear(void)
{
	tap_lock_table_done(&table);
	tap_lock_table_init(&table);
	table.complete = true;
}

static void entry(int32_t pid, uint8_t type, uint32_t field1, uint32_t field2, uint32_t field3, uint16_t field4,
		  uint16_t held, uint8_t wanted)
{
	struct tap_lock_entry one = {
		.tag = { .field1 = field1, .field2 = field2, .field3 = field3, .field4 = field4, .type = type },
		.pid = pid,
		.leader_pid = pid,
		.held = held,
		.wanted = wanted,
	};

	ck_assert_int_eq(tap_lock_table_add(&table, &one), 0);
}

static void holds(int32_t pid, uint32_t relation, uint16_t held)
{
	entry(pid, TAP_LOCK_RELATION, DATABASE, relation, 0, 0, held, 0);
}

/* A wait for the row (block 0, `row`) of a relation by way of its last writer's transaction, as PostgreSQL does it. */
static struct tap_lock_wait row_wait(int32_t pid, uint64_t query_id, uint32_t relation, uint16_t row, uint32_t xid)
{
	struct tap_lock_wait wait = {
		.instance = 1,
		.pid = pid,
		.row = { .instance = 1, .kind = TAP_KIND_CLIENT, .source = TAP_QUERY_ID_ENGINE, .query_id = query_id },
		.tag = { .field1 = xid, .type = TAP_LOCK_TRANSACTION },
		.mode = TAP_LOCK_MODE_SHARE,
		.begin_ns = 1000 + (int64_t)serial,
		.serial = ++serial,
	};

	tap_lock_object_of(1, &wait.tag, &wait.object);
	entry(pid, TAP_LOCK_TUPLE, DATABASE, relation, 0, row, HELD(EXCLUSIVE), 0);
	entry(pid, TAP_LOCK_TRANSACTION, xid, 0, 0, 0, 0, TAP_LOCK_MODE_SHARE);
	holds(pid, relation, HELD(ROW_EXCLUSIVE));
	return wait;
}

static struct tap_lock_wait tag_wait(int32_t pid, uint64_t query_id, uint8_t type, uint32_t field2, uint32_t field3,
				     uint8_t mode)
{
	struct tap_lock_wait wait = row_wait(pid, query_id, A, 1, 0);

	table_clear();
	wait.tag = (struct tap_lock_tag){ .field1 = DATABASE, .field2 = field2, .field3 = field3, .type = type };
	wait.mode = mode;
	tap_lock_object_of(1, &wait.tag, &wait.object);
	entry(pid, type, DATABASE, field2, field3, 0, 0, mode);
	return wait;
}

static void observe(const struct tap_lock_wait *wait, tap_lock_mentions mentions)
{
	ck_assert_int_eq(tap_lock_order_observe(&order, &table, wait, mentions, NULL), 0);
}

static size_t inversions(struct tap_lock_inversion *first)
{
	struct tap_lock_inversion *found;
	size_t count;

	ck_assert_int_eq(tap_lock_order_inversions(&order, &found, &count), 0);
	if (count)
		*first = found[0];
	free(found);
	return count;
}

/* Every statement here names the table it updates; BOTH names both. */
static bool names(void *context, const struct tap_lock_wait *wait, uint32_t relation)
{
	(void)context;
	if (wait->row.query_id == BOTH)
		return relation == A || relation == B;
	return relation == (wait->row.query_id == UPDATE_A ? A : B);
}

static void waits_in_holding(uint64_t query_id, uint32_t in, uint32_t holding, tap_lock_mentions mentions)
{
	struct tap_lock_wait wait;

	table_clear();
	holds(10, holding, HELD(ROW_EXCLUSIVE));
	holds(10, CATALOG, HELD(ACCESS_SHARE));
	wait = row_wait(10, query_id, in, 1, 700);
	observe(&wait, mentions);
}

START_TEST(test_opposite_orders)
{
	struct tap_lock_inversion found;

	for (int i = 0; i < 3; i++)
		waits_in_holding(UPDATE_B, B, A, names);
	ck_assert_uint_eq(inversions(&found), 0);
	waits_in_holding(UPDATE_A, A, B, names);
	ck_assert_uint_eq(inversions(&found), 1);
	ck_assert_uint_eq(found.a.relation, A);
	ck_assert_uint_eq(found.b.relation, B);
	ck_assert_uint_eq(found.first.query_id, UPDATE_B);
	ck_assert_uint_eq(found.first_seen, 3);
	ck_assert_uint_eq(found.second.query_id, UPDATE_A);
	ck_assert_uint_eq(found.second_seen, 1);
	ck_assert(!found.sure);
}
END_TEST

START_TEST(test_one_order_is_no_risk)
{
	struct tap_lock_inversion found;

	for (int i = 0; i < 50; i++) {
		struct tap_lock_wait wait;

		waits_in_holding(UPDATE_B, B, A, names);
		/* The first statement of the same transactions waits, too, with nothing else in its hands. */
		table_clear();
		wait = row_wait(11, UPDATE_A, A, 2, 701);
		observe(&wait, names);
	}
	ck_assert_uint_eq(order.count, 1);
	ck_assert_uint_eq(order.pairs[0].seen, 50);
	ck_assert_uint_eq(inversions(&found), 0);
}
END_TEST

/* The same wait looked at again, in a later reading of the table, is one observation. */
START_TEST(test_a_wait_counts_once)
{
	struct tap_lock_wait wait;

	holds(10, A, HELD(ROW_EXCLUSIVE));
	wait = row_wait(10, UPDATE_B, B, 1, 700);
	for (int i = 0; i < 5; i++)
		observe(&wait, names);
	ck_assert_uint_eq(order.count, 1);
	ck_assert_uint_eq(order.pairs[0].seen, 1);
}
END_TEST

/* One statement that locks both tables at once shows both orders and proves none. */
START_TEST(test_one_statement_with_both)
{
	struct tap_lock_inversion found;

	waits_in_holding(BOTH, B, A, names);
	waits_in_holding(BOTH, A, B, names);
	ck_assert_uint_eq(order.count, 0);
	/* Without names it is told by the contradiction with itself, and accuses nobody else either. */
	waits_in_holding(BOTH, B, A, NULL);
	waits_in_holding(BOTH, A, B, NULL);
	waits_in_holding(UPDATE_A, A, B, NULL);
	ck_assert_uint_eq(order.count, 3);
	ck_assert_uint_eq(inversions(&found), 0);
}
END_TEST

/* ... unless others wait for what it has: then it had that first. */
START_TEST(test_sure_orders)
{
	struct tap_lock_inversion found;
	struct tap_lock_wait wait;

	for (int turn = 0; turn < 2; turn++) {
		uint32_t first = turn ? B : A, second = turn ? A : B;

		table_clear();
		entry(10, TAP_LOCK_TRANSACTION, 500, 0, 0, 0, HELD(EXCLUSIVE), 0);
		holds(10, first, HELD(ROW_EXCLUSIVE));
		wait = row_wait(10, BOTH, second, 1, 700);
		/* Somebody waits for transaction 500 in a row of the first table. */
		row_wait(12, UPDATE_A, first, 4, 500);
		observe(&wait, names);
	}
	ck_assert_uint_eq(inversions(&found), 1);
	ck_assert(found.sure);
	ck_assert_uint_eq(found.first.query_id, BOTH);
	ck_assert_uint_eq(found.second.query_id, BOTH);
}
END_TEST

/* Rows of one relation: told only when the same two rows were seen both ways. */
START_TEST(test_rows_of_one_relation)
{
	struct tap_lock_inversion found;
	struct tap_lock_wait wait;

	for (uint16_t turn = 0; turn < 3; turn++) {
		/* (1 then 2), (2 then 3): no contradiction; then (2 then 1). */
		uint16_t has = turn == 0 ? 1 : 2, wants = turn == 0 ? 2 : turn == 1 ? 3 : 1;

		ck_assert_uint_eq(inversions(&found), 0);
		table_clear();
		entry(10, TAP_LOCK_TRANSACTION, 500, 0, 0, 0, HELD(EXCLUSIVE), 0);
		wait = row_wait(10, UPDATE_A, A, wants, 700);
		row_wait(12, UPDATE_A, A, has, 500);
		observe(&wait, names);
	}
	ck_assert_uint_eq(inversions(&found), 1);
	ck_assert(found.sure);
	ck_assert_uint_eq(found.a.type, TAP_LOCK_TUPLE);
	ck_assert_uint_eq(found.a.relation, A);
}
END_TEST

/* ---- InnoDB ---- */

#define TABLE_HELD(mode) (1u << TAP_LOCK_TABLE_##mode)
#define RECORD_HELD(mode) (1u << TAP_LOCK_RECORD_##mode)

/* Number 7 is below PostgreSQL's own: here it is a table like others. */
enum {
	SMALL = 7,
};

static void has_table(int32_t pid, uint32_t number, uint16_t held)
{
	entry(pid, TAP_LOCK_ENGINE_TABLE, number, 0, number, 0, held, 0);
}

static struct tap_lock_wait record_wait(int32_t pid, uint64_t query_id, uint32_t number, uint16_t place, uint8_t mode)
{
	struct tap_lock_wait wait = row_wait(pid, query_id, A, 1, 0);

	table_clear();
	wait.tag = (struct tap_lock_tag){
		.field1 = 6, .field2 = 3, .field3 = number, .field4 = place, .type = TAP_LOCK_RECORD
	};
	wait.mode = mode;
	tap_lock_object_of(1, &wait.tag, &wait.object);
	entry(pid, TAP_LOCK_RECORD, 6, 3, number, place, 0, mode);
	has_table(pid, number, TABLE_HELD(IX));
	return wait;
}

static void record_waits_holding(uint64_t query_id, uint32_t in, uint8_t mode, uint32_t holding, uint16_t held)
{
	struct tap_lock_wait wait = record_wait(10, query_id, in, 8, mode);

	has_table(10, holding, held);
	observe(&wait, names);
}

START_TEST(test_innodb_tables)
{
	struct tap_lock_inversion found;

	record_waits_holding(UPDATE_B, B, TAP_LOCK_RECORD_X_ONLY, A, TABLE_HELD(IX));
	record_waits_holding(UPDATE_B, B, TAP_LOCK_RECORD_X_ONLY, A, TABLE_HELD(IX));
	ck_assert_uint_eq(inversions(&found), 0);
	/* What is held for the numbers of new rows is given back with the statement. */
	record_waits_holding(UPDATE_A, A, TAP_LOCK_RECORD_X_ONLY, B, TABLE_HELD(AUTO_INC));
	ck_assert_uint_eq(inversions(&found), 0);
	record_waits_holding(UPDATE_A, A, TAP_LOCK_RECORD_X_ONLY, B, TABLE_HELD(IX));
	ck_assert_uint_eq(inversions(&found), 1);
	ck_assert_uint_eq(found.a.type, TAP_LOCK_ENGINE_TABLE);
	ck_assert_uint_eq(found.first_seen + found.second_seen, 3);
	ck_assert(!found.sure);
}
END_TEST

/* Who only reads rows and who only reads rows do not meet; with a writer they do. */
START_TEST(test_innodb_modes)
{
	struct tap_lock_inversion found;

	record_waits_holding(UPDATE_B, B, TAP_LOCK_RECORD_S_ONLY, SMALL, TABLE_HELD(IS));
	record_waits_holding(UPDATE_A, SMALL, TAP_LOCK_RECORD_S_ONLY, B, TABLE_HELD(IS));
	ck_assert_uint_eq(inversions(&found), 0);
	record_waits_holding(UPDATE_A, SMALL, TAP_LOCK_RECORD_X, B, TABLE_HELD(IX));
	ck_assert_uint_eq(inversions(&found), 1);
}
END_TEST

/* A record is in the table because somebody waits for it: beyond doubt, also within one table and one statement. */
START_TEST(test_innodb_records)
{
	struct tap_lock_inversion found;
	struct tap_lock_wait wait = record_wait(10, UPDATE_A, A, 8, TAP_LOCK_RECORD_X_ONLY);

	entry(10, TAP_LOCK_RECORD, 6, 3, A, 9, RECORD_HELD(X_ONLY), 0);
	entry(11, TAP_LOCK_RECORD, 6, 3, A, 9, 0, TAP_LOCK_RECORD_X_ONLY);
	observe(&wait, names);
	ck_assert_uint_eq(inversions(&found), 0);
	wait = record_wait(10, UPDATE_A, A, 9, TAP_LOCK_RECORD_X_ONLY);
	entry(10, TAP_LOCK_RECORD, 6, 3, A, 8, RECORD_HELD(X_ONLY), 0);
	observe(&wait, names);
	ck_assert_uint_eq(inversions(&found), 1);
	ck_assert(found.sure);
	ck_assert_uint_eq(found.a.type, TAP_LOCK_RECORD);
	ck_assert_uint_eq(found.a.id1, 3);
	ck_assert(found.a.id2 + found.b.id2 == 17);
	/* Of another table: the tables are told, and that it had the first before, whatever its text names. */
	wait = record_wait(10, BOTH, B, 8, TAP_LOCK_RECORD_X_ONLY);
	entry(10, TAP_LOCK_RECORD, 6, 3, A, 9, RECORD_HELD(X_ONLY), 0);
	observe(&wait, names);
	wait = record_wait(10, UPDATE_A, A, 8, TAP_LOCK_RECORD_X_ONLY);
	entry(10, TAP_LOCK_RECORD, 6, 3, B, 9, RECORD_HELD(S_ONLY), 0);
	observe(&wait, names);
	ck_assert_uint_eq(inversions(&found), 2);
}
END_TEST

START_TEST(test_user_and_metadata_locks)
{
	struct tap_lock_inversion found;

	for (uint32_t first = 0; first < 2; first++) {
		struct tap_lock_wait wait =
			tag_wait(10, UPDATE_A + first, TAP_LOCK_NAMED, 50 + first, 0, TAP_LOCK_METADATA_X);

		entry(10, TAP_LOCK_NAMED, 0, 51 - first, 0, 0, 1u << TAP_LOCK_METADATA_X, 0);
		observe(&wait, NULL);
	}
	ck_assert_uint_eq(inversions(&found), 1);
	for (uint32_t first = 0; first < 2; first++) {
		struct tap_lock_wait wait =
			tag_wait(10, UPDATE_A + first, TAP_LOCK_METADATA, 60 + first, 0, TAP_LOCK_METADATA_X);

		entry(10, TAP_LOCK_METADATA, DATABASE, 61 - first, 0, 0, 1u << TAP_LOCK_METADATA_SR, 0);
		observe(&wait, NULL);
	}
	ck_assert_uint_eq(inversions(&found), 2);
}
END_TEST

START_TEST(test_advisory_locks)
{
	struct tap_lock_inversion found;
	struct tap_lock_wait wait;

	wait = tag_wait(10, BOTH, TAP_LOCK_ADVISORY, 0, 2, TAP_LOCK_MODE_EXCLUSIVE);
	entry(10, TAP_LOCK_ADVISORY, DATABASE, 0, 1, 0, HELD(EXCLUSIVE), 0);
	observe(&wait, NULL);
	wait = tag_wait(11, BOTH, TAP_LOCK_ADVISORY, 0, 3, TAP_LOCK_MODE_EXCLUSIVE);
	entry(11, TAP_LOCK_ADVISORY, DATABASE, 0, 2, 0, HELD(EXCLUSIVE), 0);
	observe(&wait, NULL);
	ck_assert_uint_eq(inversions(&found), 0);
	wait = tag_wait(12, BOTH, TAP_LOCK_ADVISORY, 0, 1, TAP_LOCK_MODE_EXCLUSIVE);
	entry(12, TAP_LOCK_ADVISORY, DATABASE, 0, 2, 0, HELD(EXCLUSIVE), 0);
	observe(&wait, NULL);
	ck_assert_uint_eq(inversions(&found), 1);
	ck_assert(found.sure);
	ck_assert_uint_eq(found.a.type, TAP_LOCK_ADVISORY);
}
END_TEST

/* Orders of locks that do not exclude each other are harmless. */
START_TEST(test_compatible_modes)
{
	struct tap_lock_inversion found;
	struct tap_lock_wait wait;

	wait = tag_wait(10, UPDATE_B, TAP_LOCK_RELATION, B, 0, TAP_LOCK_MODE_ACCESS_SHARE);
	holds(10, A, HELD(ACCESS_SHARE));
	observe(&wait, names);
	wait = tag_wait(11, UPDATE_A, TAP_LOCK_RELATION, A, 0, TAP_LOCK_MODE_ROW_EXCLUSIVE);
	holds(11, B, HELD(ACCESS_SHARE));
	observe(&wait, names);
	ck_assert_uint_eq(inversions(&found), 0);
	/* A reader that goes on to B, and DDL on B that goes on to A: each waits for the other one day. */
	wait = tag_wait(12, BOTH + 1, TAP_LOCK_RELATION, A, 0, TAP_LOCK_MODE_ACCESS_EXCLUSIVE);
	holds(12, B, HELD(ACCESS_EXCLUSIVE));
	observe(&wait, NULL);
	ck_assert_uint_eq(inversions(&found), 1);
	ck_assert_uint_eq(found.first.query_id == BOTH + 1 || found.second.query_id == BOTH + 1, 1);
}
END_TEST

START_TEST(test_settle)
{
	struct tap_lock_object object;
	struct tap_lock_wait wait = row_wait(10, UPDATE_A, A, 1, 700);

	object = wait.object;
	tap_lock_object_settle(&table, &wait, NULL, NULL, &object);
	ck_assert_uint_eq(object.relation, A);
	ck_assert_uint_eq(object.database, DATABASE);
	/* No row lock (a unique key being inserted twice): the one relation that the statement names. */
	table_clear();
	holds(10, A, HELD(ROW_EXCLUSIVE));
	holds(10, B, HELD(ROW_EXCLUSIVE));
	object = wait.object;
	tap_lock_object_settle(&table, &wait, NULL, NULL, &object);
	ck_assert_uint_eq(object.relation, 0);
	tap_lock_object_settle(&table, &wait, names, NULL, &object);
	ck_assert_uint_eq(object.relation, A);
	wait.row.query_id = BOTH;
	object = wait.object;
	tap_lock_object_settle(&table, &wait, names, NULL, &object);
	ck_assert_uint_eq(object.relation, 0);
}
END_TEST

START_TEST(test_bounded)
{
	struct tap_lock_step step = { .row = { .kind = TAP_KIND_CLIENT },
				      .before = { .type = TAP_LOCK_RELATION, .relation = A },
				      .held = HELD(EXCLUSIVE),
				      .mode = TAP_LOCK_MODE_EXCLUSIVE,
				      .after = { .type = TAP_LOCK_RELATION } };
	struct tap_lock_inversion found;

	for (uint32_t i = 0; i < 3 * TAP_LOCK_PAIRS_MAX; i++) {
		step.after.relation = B + i;
		step.at_ns = i;
		step.serial = i + 1;
		ck_assert_int_eq(tap_lock_order_learn(&order, &step), 0);
	}
	ck_assert_uint_le(order.count, TAP_LOCK_PAIRS_MAX);
	ck_assert_uint_eq(order.count + order.forgotten, 3 * TAP_LOCK_PAIRS_MAX);
	ck_assert_uint_eq(inversions(&found), 0);
	/* The newest is still known. */
	step.before = step.after;
	step.after.relation = A;
	step.row.query_id = 9;
	ck_assert_int_eq(tap_lock_order_learn(&order, &step), 0);
	ck_assert_uint_eq(inversions(&found), 1);
	step.after = step.before;
	ck_assert_int_eq(tap_lock_order_learn(&order, &step), -EINVAL);
}
END_TEST

START_TEST(test_hostile_table)
{
	struct tap_lock_wait wait = row_wait(10, UPDATE_A, A, 1, 700);

	for (unsigned i = 0; i < 2000; i++)
		entry((int32_t)(i % 3 ? 10 : i), (uint8_t)(i * 37), i, i * 16384, i, (uint16_t)i, (uint16_t)(i * 97),
		      (uint8_t)i);
	wait.mode = 255;
	observe(&wait, names);
	wait.tag.type = 255;
	wait.object.type = 255;
	observe(&wait, NULL);
	ck_assert_uint_le(order.count, TAP_LOCK_PAIRS_MAX);
}
END_TEST

START_TEST(test_out_of_memory)
{
	bool failed = true;

	for (long n = 1; failed; n++) {
		struct tap_lock_inversion *found = NULL;
		struct tap_lock_wait wait;
		int learnt, listed;
		size_t count = 0;

		tear_down();
		set_up();
		holds(10, A, HELD(ROW_EXCLUSIVE));
		wait = row_wait(10, UPDATE_B, B, 1, 700);
		tap_alloc_fail_at(n);
		learnt = tap_lock_order_observe(&order, &table, &wait, names, NULL);
		listed = tap_lock_order_inversions(&order, &found, &count);
		failed = tap_alloc_failed();
		tap_alloc_fail_at(0);
		free(found);
		ck_assert(learnt == 0 || (failed && learnt == -ENOMEM));
		ck_assert(listed == 0 || (failed && listed == -ENOMEM));
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lock_order");
	TCase *tcase = tcase_create("lock_order");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_opposite_orders);
	tcase_add_test(tcase, test_one_order_is_no_risk);
	tcase_add_test(tcase, test_a_wait_counts_once);
	tcase_add_test(tcase, test_one_statement_with_both);
	tcase_add_test(tcase, test_sure_orders);
	tcase_add_test(tcase, test_rows_of_one_relation);
	tcase_add_test(tcase, test_innodb_tables);
	tcase_add_test(tcase, test_innodb_modes);
	tcase_add_test(tcase, test_innodb_records);
	tcase_add_test(tcase, test_user_and_metadata_locks);
	tcase_add_test(tcase, test_advisory_locks);
	tcase_add_test(tcase, test_compatible_modes);
	tcase_add_test(tcase, test_settle);
	tcase_add_test(tcase, test_bounded);
	tcase_add_test(tcase, test_hostile_table);
	tcase_add_test(tcase, test_out_of_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
