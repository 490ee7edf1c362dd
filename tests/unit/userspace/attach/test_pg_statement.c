// SPDX-License-Identifier: BSD-2-Clause
/* test_pg_statement.c - one session's entry, read from a process: this one, made to look like a server's. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bpf/abi/kind.h"
#include "tests/lib/check_main.h"
#include "userspace/attach/pg_layout.h"
#include "userspace/attach/pg_statement.h"

enum {
	X86_64 = 62,
};

static uint8_t entry[TAP_PG_STATUS_MAX] __attribute__((aligned(8)));
static char activity[2048];
static uint64_t my_beentry;
static struct tap_target target;
static struct tap_statement statement;

static void put(uint16_t offset, uint64_t value, size_t size)
{
	memcpy(entry + offset, &value, size);
}

static void set_up(void)
{
	const struct tap_pg_layout *layout = &target.layout;

	target.layout = tap_pg_layout_find(150000, X86_64)->layout;
	target.addresses.my_beentry = (uintptr_t)&my_beentry;
	target.activity_size = 1024;
	my_beentry = (uintptr_t)entry;
	memset(entry, 0, sizeof(entry));
	memset(activity, 0, sizeof(activity));
	strcpy(activity, "update a set v = 1");
	put(layout->status_changecount, 4, 4);
	put(layout->status_procpid, (uint64_t)getpid(), 4);
	put(layout->status_backend_type, 3, 4);
	put(layout->status_xact_start, 1000, 8);
	put(layout->status_activity_start, 2000, 8);
	put(layout->status_database, 5, 4);
	put(layout->status_user, 10, 4);
	put(layout->status_state, TAP_PG_STATE_IDLE_IN_TRANSACTION, 4);
	put(layout->status_activity, (uintptr_t)activity, 8);
	put(layout->status_query_id, 77, 8);
}

START_TEST(test_read)
{
	ck_assert_int_eq(tap_pg_statement_read(&target, getpid(), &statement), 0);
	ck_assert_uint_eq(statement.kind, TAP_KIND_CLIENT);
	ck_assert_int_eq(statement.state, TAP_SESSION_IDLE_IN_TRANSACTION);
	ck_assert_uint_eq(statement.database, 5);
	ck_assert_uint_eq(statement.user, 10);
	ck_assert_uint_eq(statement.query_id, 77);
	ck_assert_int_eq(statement.query_start_us - statement.transaction_start_us, 1000);
	ck_assert_str_eq(statement.text, "update a set v = 1");
}
END_TEST

START_TEST(test_hostile)
{
	/* A text without an end, cut within a character. */
	memset(activity, 'x', sizeof(activity));
	memcpy(activity + TAP_TEXT_MAX - 3, "\xe2\x82\xac", 3);
	ck_assert_int_eq(tap_pg_statement_read(&target, getpid(), &statement), 0);
	ck_assert_uint_eq(strlen(statement.text), TAP_TEXT_MAX - 3);
	target.activity_size = 1 << 30;
	ck_assert_int_eq(tap_pg_statement_read(&target, getpid(), &statement), 0);
	ck_assert_uint_lt(strlen(statement.text), TAP_TEXT_MAX);
	target.activity_size = -5;
	ck_assert_int_eq(tap_pg_statement_read(&target, getpid(), &statement), 0);
	put(target.layout.status_activity, 8, 8);
	ck_assert_int_eq(tap_pg_statement_read(&target, getpid(), &statement), 0);
	ck_assert_str_eq(statement.text, "");
	put(target.layout.status_state, 0xffffffff, 4);
	put(target.layout.status_backend_type, 0xffffffff, 4);
	ck_assert_int_eq(tap_pg_statement_read(&target, getpid(), &statement), 0);
	ck_assert_int_eq(statement.state, TAP_SESSION_NONE);
	ck_assert_uint_lt(statement.kind, TAP_KIND_COUNT);
}
END_TEST

START_TEST(test_failures)
{
	put(target.layout.status_changecount, 5, 4);
	ck_assert_int_eq(tap_pg_statement_read(&target, getpid(), &statement), -EAGAIN);
	my_beentry = 0;
	ck_assert_int_eq(tap_pg_statement_read(&target, getpid(), &statement), -ENODATA);
	my_beentry = 16;
	ck_assert_int_lt(tap_pg_statement_read(&target, getpid(), &statement), 0);
	target.addresses.my_beentry = 16;
	ck_assert_int_lt(tap_pg_statement_read(&target, getpid(), &statement), 0);
	ck_assert_int_eq(tap_pg_statement_read(&target, 0, &statement), -EINVAL);
	ck_assert_int_eq(tap_pg_statement_read(&target, -1, &statement), -EINVAL);
	target.layout.status_size = TAP_PG_STATUS_MAX + 1;
	ck_assert_int_eq(tap_pg_statement_read(&target, getpid(), &statement), -EINVAL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_statement");
	TCase *tcase = tcase_create("pg_statement");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, test_read);
	tcase_add_test(tcase, test_hostile);
	tcase_add_test(tcase, test_failures);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
