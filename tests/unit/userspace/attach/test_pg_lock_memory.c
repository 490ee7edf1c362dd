// SPDX-License-Identifier: BSD-2-Clause
/* test_pg_lock_memory.c - lock tables out of an image: whole, changing under the reader, and hostile. */
#include "userspace/attach/pg_lock_memory.h"

#include <errno.h>
#include <stdio.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_locks.h"

static struct fl_scene scene;
static struct tap_lock_table table;

static int read_table(enum tap_pg_lock_scope scope)
{
	struct tap_pg_lock_memory memory = fl_memory();

	tap_lock_table_done(&table);
	return tap_pg_lock_memory_read(&memory, scope, &table);
}

static const struct tap_lock_entry *find(int pid, uint8_t type)
{
	for (size_t i = 0; i < table.count; i++) {
		if (table.entries[i].pid == pid && table.entries[i].tag.type == type)
			return &table.entries[i];
	}
	return NULL;
}

/* "101>100 102>101 103>101 103>102~ ...", ~ soft, of the table read last. */
static const char *edges(void)
{
	static char text[1024];
	struct tap_lock_graph graph;
	size_t size = 0;

	ck_assert_int_eq(tap_lock_graph_make(&table, &graph), 0);
	text[0] = '\0';
	for (size_t i = 0; i < graph.n_edges; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%d>%d%s", i ? " " : "",
					 graph.edges[i].waiter, graph.edges[i].blocker, graph.edges[i].soft ? "~" : "");
	tap_lock_graph_done(&graph);
	return text;
}

#define SCENE_EDGES "101>100 102>101 103>101 103>102~ 105>104 106>105~ 107>0 110>108"

static void set_up(void)
{
	fl_scene(&scene);
	tap_lock_table_init(&table);
}

static void tear_down(void)
{
	tap_lock_table_done(&table);
}

START_TEST(test_the_scene)
{
	const struct tap_lock_entry *entry;

	ck_assert_int_eq(read_table(TAP_PG_LOCKS_ALL), 0);
	ck_assert(table.complete);
	ck_assert_uint_eq(table.torn, 0);
	ck_assert_uint_eq(table.retries, 0);
	ck_assert_uint_eq(table.count, 15);
	ck_assert_str_eq(edges(), SCENE_EDGES);
	entry = find(103, TAP_LOCK_TUPLE);
	ck_assert_ptr_nonnull(entry);
	ck_assert_uint_eq(entry->queue, 2);
	ck_assert_uint_eq(entry->wanted, TAP_LOCK_MODE_EXCLUSIVE);
	ck_assert_int_eq(entry->wait_start_us, 946684800000000ll + 3000000);
	ck_assert_uint_eq(find(101, TAP_LOCK_TUPLE)->held, 1u << TAP_LOCK_MODE_EXCLUSIVE);
	ck_assert_uint_eq(find(101, TAP_LOCK_TRANSACTION)->held, 0);
	ck_assert_int_eq(find(109, TAP_LOCK_ADVISORY)->leader_pid, 108);
	entry = find(0, TAP_LOCK_RELATION);
	ck_assert_uint_eq(entry->xid, FL_XID);
	ck_assert_uint_eq(entry->tag.field2, 16386);
	entry = find(111, TAP_LOCK_RELATION);
	ck_assert(entry->fast_path);
	ck_assert_uint_eq(entry->held, 1u << TAP_LOCK_MODE_ACCESS_SHARE);
	ck_assert_uint_eq(entry->tag.field2, 16390);
	ck_assert_uint_eq(find(111, TAP_LOCK_VIRTUALXID)->tag.field2, 17);
}
END_TEST

START_TEST(test_waited_ones_alone)
{
	ck_assert_int_eq(read_table(TAP_PG_LOCKS_WAITED), 0);
	ck_assert(!table.complete);
	ck_assert_uint_eq(table.torn, 0);
	ck_assert_str_eq(edges(), SCENE_EDGES);
	ck_assert_ptr_null(find(111, TAP_LOCK_RELATION));
}
END_TEST

/* --- the server goes on ------------------------------------------------------------------------------------------- */

static int change_at;

/* A whole step of the server's: the holder ends, who waited for it is next. */
static void hand_over(int number)
{
	if (number == change_at)
		fl_hand_over(scene.holder, scene.first);
}

START_TEST(test_a_change_at_every_read)
{
	enum tap_pg_lock_scope scope = _i % 2 ? TAP_PG_LOCKS_ALL : TAP_PG_LOCKS_WAITED;

	change_at = _i / 2 + 1;
	fl.before = hand_over;
	ck_assert_int_eq(read_table(scope), 0);
	ck_assert_uint_eq(table.torn, 0);
	if (strcmp(edges(), SCENE_EDGES))
		ck_assert_str_eq(edges(), SCENE_EDGES + strlen("101>100 "));
	else
		ck_assert_ptr_nonnull(find(100, TAP_LOCK_TRANSACTION));
}
END_TEST

static uint64_t half_way_address;
static uint64_t half_way_value;

/* The server is half way for one read, done at the next: the reader sees a state that never was. */
static void half_way(int number)
{
	uint64_t lock = scene.tuple;

	if (number == change_at) {
		half_way_address = lock + fl.layout->lock_queue_size;
		half_way_value = fl_get32(half_way_address);
		fl_put32(half_way_address, 1);
	} else if (number == change_at + 1) {
		fl_put32(half_way_address, (uint32_t)half_way_value);
	}
}

START_TEST(test_half_a_change_at_every_read)
{
	change_at = _i + 1;
	fl.before = half_way;
	ck_assert_int_eq(read_table(TAP_PG_LOCKS_ALL), 0);
	ck_assert_uint_eq(table.torn, 0);
	ck_assert_str_eq(edges(), SCENE_EDGES);
}
END_TEST

/* One that never settles costs its own edges, not the others', and is said. */
START_TEST(test_what_stays_torn_is_left_out)
{
	fl_put32(scene.tuple + fl.layout->lock_queue_size, 1);
	ck_assert_int_eq(read_table(TAP_PG_LOCKS_ALL), 0);
	ck_assert_uint_eq(table.torn, 1);
	ck_assert_uint_gt(table.retries, 0);
	ck_assert_str_eq(edges(), "101>100 105>104 106>105~ 107>0 110>108");
}
END_TEST

static int n_pauses;

static void count_pause(void *context, unsigned int round)
{
	(void)context;
	ck_assert_uint_gt(round, 0);
	n_pauses++;
}

START_TEST(test_the_server_is_given_time)
{
	struct tap_pg_lock_memory memory = fl_memory();

	n_pauses = 0;
	memory.pause = count_pause;
	fl_put32(scene.tuple + fl.layout->lock_queue_size, 1);
	ck_assert_int_eq(tap_pg_lock_memory_read(&memory, TAP_PG_LOCKS_WAITED, &table), 0);
	ck_assert_int_gt(n_pauses, 3);
}
END_TEST

/* --- what is written twice must say the same ---------------------------------------------------------------------- */

/* Everything of the lock on the table, and its shares, that is not beyond all checking. */
static const struct spoiled {
	const char *what;
	bool of_lock; /* else of the share `ddl` */
	size_t offset;
	uint64_t value;
} spoiled[] = {
#define LOCK_FIELD(member, value) \
	{ \
#member, true, offsetof(struct tap_pg_lock_layout, member), value \
	}
#define SHARE_FIELD(member, value) \
	{ \
#member, false, offsetof(struct tap_pg_lock_layout, member), value \
	}
	LOCK_FIELD(lock_grant_mask, 0xff),
	LOCK_FIELD(lock_wait_mask, 0),
	LOCK_FIELD(lock_shares, 0),
	LOCK_FIELD(lock_queue, FL_BASE + 8),
	LOCK_FIELD(lock_queue_size, 0),
	LOCK_FIELD(lock_queue_size, 0x7fffffff),
	LOCK_FIELD(lock_queue_size, 0xffffffff),
	LOCK_FIELD(lock_granted, 7),
	LOCK_FIELD(lock_requested, 0xffffffff00000000),
	SHARE_FIELD(share_lock, FL_BASE + 64),
	SHARE_FIELD(share_proc, FL_BASE + 8),
	SHARE_FIELD(share_proc, 0),
	SHARE_FIELD(share_leader, 1),
	SHARE_FIELD(share_held, 0xffffffff),
	SHARE_FIELD(share_lock_link, 0),
	SHARE_FIELD(share_lock_link, FL_BASE + FL_SIZE),
};

START_TEST(test_contradictions)
{
	const struct spoiled *one = &spoiled[_i];
	uint16_t offset;

	memcpy(&offset, (const char *)fl.layout + one->offset, sizeof(offset));
	fl_put64((one->of_lock ? scene.table : scene.ddl) + offset, one->value);
	ck_assert_int_eq(read_table(TAP_PG_LOCKS_ALL), 0);
	ck_assert_msg(table.torn >= 1, "%s = %llx was believed", one->what, (unsigned long long)one->value);
	ck_assert_str_eq(edges(), "101>100 102>101 103>101 103>102~ 107>0 110>108");
	ck_assert_int_eq(read_table(TAP_PG_LOCKS_WAITED), 0);
	ck_assert_str_eq(edges(), "101>100 102>101 103>101 103>102~ 107>0 110>108");
}
END_TEST

START_TEST(test_lists_that_never_end)
{
	uint64_t link = scene.reader + fl.layout->share_lock_link;
	uint64_t own = scene.reader + fl.layout->share_proc_link;
	uint64_t head = fl_get64(own); /* its process's list */

	fl_put64(link + 8, link);
	ck_assert_int_eq(read_table(TAP_PG_LOCKS_ALL), 0);
	ck_assert_uint_ge(table.torn, 1);
	fl_put64(own + 8, own);
	ck_assert_int_eq(read_table(TAP_PG_LOCKS_ALL), 0);
	/* A head of which half is empty: neither a list nor none. */
	fl_put64(head + 8, head);
	ck_assert_int_eq(read_table(TAP_PG_LOCKS_ALL), 0);
	ck_assert_uint_ge(table.torn, 2);
	ck_assert_str_eq(edges(), "101>100 102>101 103>101 103>102~ 107>0 110>108");
}
END_TEST

/* The slot is freed and used anew for another table between its two readings. */
static void reuse_slot(int number)
{
	if (number == change_at)
		fl_put32(fl_proc(11) + fl.layout->proc_fast_relations + 4, 16391);
}

START_TEST(test_a_fast_path_lock_that_changes)
{
	int reads;

	ck_assert_int_eq(read_table(TAP_PG_LOCKS_ALL), 0);
	ck_assert_ptr_nonnull(find(111, TAP_LOCK_RELATION));
	reads = fl.reads;
	for (change_at = 2; change_at <= reads; change_at++) {
		fl_scene(&scene);
		fl.before = reuse_slot;
		ck_assert_int_eq(read_table(TAP_PG_LOCKS_ALL), 0);
		ck_assert_ptr_null(find(111, TAP_LOCK_RELATION));
		ck_assert_ptr_nonnull(find(111, TAP_LOCK_VIRTUALXID));
	}
}
END_TEST

/* --- arrays that are not where they are said to be -------------------------------------------- */

START_TEST(test_hostile_heads)
{
	struct tap_pg_lock_memory memory = fl_memory();

	memory.n_procs = 0;
	ck_assert_int_eq(tap_pg_lock_memory_read(&memory, TAP_PG_LOCKS_ALL, &table), -EBADMSG);
	memory = fl_memory();
	memory.n_procs = UINT32_MAX;
	ck_assert_int_eq(tap_pg_lock_memory_read(&memory, TAP_PG_LOCKS_ALL, &table), -EBADMSG);
	memory = fl_memory();
	memory.procs += 4;
	ck_assert_int_eq(tap_pg_lock_memory_read(&memory, TAP_PG_LOCKS_ALL, &table), -EBADMSG);
	memory = fl_memory();
	memory.procs = FL_BASE + FL_SIZE - 8;
	ck_assert_int_eq(tap_pg_lock_memory_read(&memory, TAP_PG_LOCKS_ALL, &table), -EBADMSG);
	memory = fl_memory();
	memory.prepared = 0;
	ck_assert_int_eq(tap_pg_lock_memory_read(&memory, TAP_PG_LOCKS_ALL, &table), -EBADMSG);
	memory = fl_memory();
	memory.end = memory.start;
	ck_assert_int_eq(tap_pg_lock_memory_read(&memory, TAP_PG_LOCKS_ALL, &table), -EBADMSG);
}
END_TEST

START_TEST(test_the_process_ends)
{
	for (int at = 1;; at++) {
		fl.fail_at = at;
		if (!read_table(TAP_PG_LOCKS_ALL))
			break;
		ck_assert_int_lt(at, 100);
	}
	ck_assert_int_gt(fl.reads, 3);
}
END_TEST

START_TEST(test_without_memory)
{
	fl_put32(scene.tuple + fl.layout->lock_queue_size, 1);
	for (long n = 1;; n++) {
		int err;

		tap_alloc_fail_at(n);
		err = read_table(TAP_PG_LOCKS_ALL);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert_int_eq(err, -ENOMEM);
	}
	tap_alloc_fail_at(0);
}
END_TEST

/*
 * Before version 14: they are in an array of their own, whose elements are 12 bytes; what is in PGPROC is another
 * number.
 */
START_TEST(test_xids_apart)
{
	struct tap_pg_lock_layout layout = *fl.layout;
	struct tap_pg_lock_memory memory = fl_memory();

	layout.xact_size = 12;
	memory.layout = &layout;
	memory.xacts = FL_BASE + FL_SIZE - 12 * (FL_PROCS + FL_PREPARED) - 8;
	for (int i = 0; i < FL_PREPARED; i++) {
		fl_put32(memory.xacts + 12 * (FL_PROCS + (uint64_t)i), (uint32_t)(FL_XID + i));
		fl_put32(fl_proc(FL_PROCS + i) + layout.proc_xid, 3);
	}
	for (int scope = 0; scope < 2; scope++) {
		tap_lock_table_done(&table);
		ck_assert_int_eq(
			tap_pg_lock_memory_read(&memory, scope ? TAP_PG_LOCKS_WAITED : TAP_PG_LOCKS_ALL, &table), 0);
		ck_assert_str_eq(edges(), SCENE_EDGES);
		ck_assert_uint_eq(find(0, TAP_LOCK_RELATION)->xid, FL_XID);
	}
	for (int i = 0; i < 3; i++) {
		static const uint64_t nowhere[] = { 0, FL_BASE + FL_SIZE, UINT64_MAX - 7 };

		memory.xacts = nowhere[i];
		tap_lock_table_done(&table);
		ck_assert_int_eq(tap_pg_lock_memory_read(&memory, TAP_PG_LOCKS_ALL, &table), -EBADMSG);
	}
}
END_TEST

/* Any one word of the image may be anything: it ends, and what is told has names that exist. */
START_TEST(test_every_word_spoiled)
{
	static const uint64_t values[] = { 0, 1, UINT64_MAX, FL_BASE, FL_BASE + 888, FL_BASE + FL_SIZE - 8 };
	size_t words = (fl_share(fl.n_shares) - FL_BASE) / 8;
	uint64_t value = values[_i];

	for (size_t word = 0; word < words; word++) {
		uint64_t address = FL_BASE + word * 8, before = fl_get64(address);

		fl_put64(address, value);
		ck_assert_int_eq(read_table(word % 2 ? TAP_PG_LOCKS_ALL : TAP_PG_LOCKS_WAITED), 0);
		for (size_t i = 0; i < table.count; i++) {
			ck_assert_uint_lt(table.entries[i].wanted, TAP_LOCK_MODE_COUNT);
			ck_assert_uint_lt(table.entries[i].tag.type, TAP_LOCK_PG_TYPE_COUNT);
			ck_assert(table.entries[i].pid > 0 || table.entries[i].xid);
			ck_assert(table.entries[i].held || table.entries[i].wanted);
		}
		edges();
		fl_put64(address, before);
	}
	ck_assert_int_eq(read_table(TAP_PG_LOCKS_ALL), 0);
	ck_assert_str_eq(edges(), SCENE_EDGES);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_lock_memory");
	TCase *tcase = tcase_create("image");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_the_scene);
	tcase_add_test(tcase, test_waited_ones_alone);
	tcase_add_test(tcase, test_xids_apart);
	tcase_add_loop_test(tcase, test_a_change_at_every_read, 0, 24);
	tcase_add_loop_test(tcase, test_half_a_change_at_every_read, 0, 12);
	tcase_add_test(tcase, test_what_stays_torn_is_left_out);
	tcase_add_test(tcase, test_the_server_is_given_time);
	tcase_add_loop_test(tcase, test_contradictions, 0, sizeof(spoiled) / sizeof(*spoiled));
	tcase_add_test(tcase, test_lists_that_never_end);
	tcase_add_test(tcase, test_a_fast_path_lock_that_changes);
	tcase_add_test(tcase, test_hostile_heads);
	tcase_add_test(tcase, test_the_process_ends);
	tcase_add_test(tcase, test_without_memory);
	tcase_add_loop_test(tcase, test_every_word_spoiled, 0, 6);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
