// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_lock_look.c - readings of a server whose waits nobody tells of: when they began and ended, whose statement it
 * was, and starts that are whole seconds.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "bpf/abi/kind.h"
#include "tests/lib/check_main.h"
#include "userspace/base/clock.h"
#include "userspace/consume/lock_look.h"

enum {
	RECORD_PLACE = 8,
	TABLE_NUMBER = 77,
};

#define MS 1000000LL
#define SECOND (1000 * MS)

static struct tap_lock_log journal;
static struct tap_lock_order order;
static struct tap_texts texts;
static struct tap_lock_names names;
static struct tap_lock_place place;
static struct tap_target target;
static struct tap_lock_look look;
static int64_t now_ns;

/* --- what sessions do: stands in for their memory --- */

static struct tap_statement doing;
static int doing_status;

static int read_statement(const struct tap_target *of, int32_t owner, struct tap_statement *ret)
{
	(void)of;
	(void)owner;
	*ret = doing;
	return doing_status;
}

const struct tap_attach *tap_attach_of(enum tap_engine engine)
{
	static const struct tap_attach fake = { .statement = read_statement };

	(void)engine;
	return &fake;
}

static void set_up(void)
{
	now_ns = tap_clock_ns(CLOCK_REALTIME) - 100 * SECOND;
	now_ns -= now_ns % SECOND;
	tap_lock_log_init(&journal, now_ns);
	tap_lock_order_init(&order);
	tap_texts_init(&texts);
	tap_lock_names_init(&names);
	target.engine = TAP_ENGINE_MYSQL;
	doing = (struct tap_statement){ .kind = TAP_KIND_CLIENT,
					.state = TAP_SESSION_ACTIVE,
					.query_id = 5,
					.query_start_us = (now_ns - 10 * SECOND) / 1000 };
	doing_status = 0;
	look = (struct tap_lock_look){ .log = &journal,
				       .order = &order,
				       .texts = &texts,
				       .names = &names,
				       .place = &place,
				       .target = &target,
				       .started_ns = now_ns,
				       .unfollowed = true };
}

static void tear_down(void)
{
	tap_lock_table_done(&look.table);
	tap_lock_log_done(&journal);
	tap_lock_order_done(&order);
	tap_texts_done(&texts);
	tap_lock_names_done(&names);
}

/* The next reading begins, as of then. */
static void read_at(int64_t at_ns)
{
	look.last_ns = look.table.realtime_ns;
	tap_lock_table_done(&look.table);
	look.table.realtime_ns = at_ns;
	look.table.complete = true;
}

static struct tap_lock_entry *waits(int32_t pid, int64_t start_s)
{
	struct tap_lock_entry entry = {
		.tag = { .type = TAP_LOCK_RECORD, .field2 = 3, .field3 = TABLE_NUMBER, .field4 = RECORD_PLACE },
		.pid = pid,
		.leader_pid = pid,
		.wanted = TAP_LOCK_RECORD_X,
		.wait_start_us = start_s * 1000000,
		.start_is_second = true
	};

	ck_assert_int_eq(tap_lock_table_add(&look.table, &entry), 0);
	return &look.table.entries[look.table.count - 1];
}

static void apply(void)
{
	ck_assert_int_eq(tap_lock_look_apply(&look), 0);
}

static const struct tap_lock_wait *open_wait(int32_t pid)
{
	return tap_lock_log_find(&journal, 0, pid);
}

/* Between two readings is all that is known: the middle, or what a second's bounds leave of that. */
START_TEST(test_begin_and_end)
{
	read_at(now_ns + 100 * MS);
	apply();
	read_at(now_ns + 500 * MS);
	waits(10, now_ns / SECOND);
	apply();
	ck_assert_uint_eq(journal.n_open, 1);
	ck_assert_int_eq(open_wait(10)->begin_ns, now_ns + 300 * MS);
	ck_assert(!open_wait(10)->adopted);
	ck_assert_uint_eq(open_wait(10)->row.query_id, 5);
	read_at(now_ns + 900 * MS);
	waits(10, now_ns / SECOND);
	apply();
	ck_assert_uint_eq(journal.n_open, 1);
	ck_assert_int_eq(open_wait(10)->begin_ns, now_ns + 300 * MS);
	/* Gone at the next one: it ended before. */
	read_at(now_ns + 1100 * MS);
	apply();
	ck_assert_uint_eq(journal.n_open, 0);
	ck_assert_uint_eq(journal.n_past, 1);
	ck_assert_int_eq(journal.past[0].end_ns, now_ns + 1000 * MS);
	/* The last reading was in the second before the one that it began in. */
	read_at(now_ns + 2400 * MS);
	waits(10, now_ns / SECOND + 2);
	apply();
	ck_assert_int_eq(open_wait(10)->begin_ns, now_ns + 2200 * MS);
}
END_TEST

/* He waits again when he is looked for: that is another wait. */
START_TEST(test_waits_again)
{
	read_at(now_ns + 100 * MS);
	apply();
	read_at(now_ns + 300 * MS);
	waits(10, now_ns / SECOND);
	apply();
	read_at(now_ns + 1500 * MS);
	waits(10, now_ns / SECOND + 1);
	apply();
	ck_assert_uint_eq(journal.n_open, 1);
	ck_assert_uint_eq(journal.n_past, 1);
	ck_assert_int_ge(open_wait(10)->begin_ns, now_ns + SECOND);
	ck_assert_int_ge(journal.past[0].end_ns, journal.past[0].begin_ns);
}
END_TEST

/* When we came it waited already; where the server tells no start there is none. */
START_TEST(test_before_us)
{
	look.started_ns = now_ns + 50 * SECOND;
	read_at(now_ns + 51 * SECOND);
	waits(10, now_ns / SECOND);
	waits(11, 0)->tag.type = TAP_LOCK_METADATA;
	apply();
	ck_assert_uint_eq(journal.n_open, 1);
	ck_assert(open_wait(10)->adopted);
	ck_assert_int_eq(open_wait(10)->begin_ns, now_ns + 500 * MS);
	/* A start that cannot be is none. */
	read_at(now_ns + 51 * SECOND + 200 * MS);
	waits(12, INT64_MAX / 2000000);
	apply();
	ck_assert_int_eq(open_wait(12)->begin_ns, now_ns + 51 * SECOND + 100 * MS);
}
END_TEST

/* What the session does now is not what it waited with. */
START_TEST(test_statement_of_later)
{
	read_at(now_ns + 100 * MS);
	apply();
	read_at(now_ns + 300 * MS);
	doing.query_start_us = (now_ns + 301 * MS) / 1000;
	waits(10, now_ns / SECOND);
	apply();
	ck_assert_uint_eq(journal.n_open, 0);
	doing.query_start_us = 0;
	doing.state = TAP_SESSION_IDLE_IN_TRANSACTION;
	apply();
	ck_assert_uint_eq(journal.n_open, 0);
	doing.state = TAP_SESSION_ACTIVE;
	doing_status = -ENODATA;
	apply();
	ck_assert_uint_eq(journal.n_open, 0);
	doing_status = 0;
	apply();
	ck_assert_uint_eq(journal.n_open, 1);
}
END_TEST

/* A record tells the moment, the view the second that it lies in. */
START_TEST(test_starts)
{
	struct tap_lock_entry *entry;
	struct tap_lock_wait wait = { .pid = 10,
				      .tid = 10,
				      .mode = TAP_LOCK_RECORD_X,
				      .begin_ns = now_ns + 700 * MS,
				      .wait_start_us = (now_ns + 700 * MS) / 1000 };

	read_at(now_ns + 900 * MS);
	entry = waits(10, now_ns / SECOND);
	wait.tag = entry->tag;
	ck_assert(tap_lock_look_is_of(entry, &wait));
	entry->start_is_second = false;
	ck_assert(!tap_lock_look_is_of(entry, &wait));
	entry->start_is_second = true;
	wait.wait_start_us += 400000;
	ck_assert(!tap_lock_look_is_of(entry, &wait));
	wait.wait_start_us = 0;
	ck_assert(tap_lock_look_is_of(entry, &wait));
	/* What is known better is what is shown. */
	ck_assert_int_eq(tap_lock_log_begin(&journal, &wait), 0);
	tap_lock_look_starts(&look);
	ck_assert_int_eq(entry->wait_start_us, (now_ns + 700 * MS) / 1000);
	ck_assert(!entry->start_is_second);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lock_look");
	TCase *tcase = tcase_create("unfollowed");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_begin_and_end);
	tcase_add_test(tcase, test_waits_again);
	tcase_add_test(tcase, test_before_us);
	tcase_add_test(tcase, test_statement_of_later);
	tcase_add_test(tcase, test_starts);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
