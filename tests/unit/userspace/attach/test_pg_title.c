// SPDX-License-Identifier: BSD-2-Clause
/* test_pg_title.c - process titles: what they say for certain, and what they must not be taken to say. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/lib/check_main.h"
#include "userspace/attach/pg_title.h"

START_TEST(test_body)
{
	ck_assert_str_eq(tap_pg_title_body("postgres: logger ", NULL), "logger ");
	ck_assert_str_eq(tap_pg_title_body("postgres: logger ", ""), "logger ");
	ck_assert_str_eq(tap_pg_title_body("postgres: 15/main: logger", "15/main"), "logger");
	ck_assert_str_eq(tap_pg_title_body("postgres: a: b: c: d", "a: b"), "c: d");
	ck_assert_ptr_null(tap_pg_title_body("postgres: 15/main logger", "15/main"));
	ck_assert_ptr_null(tap_pg_title_body("postgres: 14/main: logger", "15/main"));
	ck_assert_ptr_null(tap_pg_title_body("postgres -D /x", NULL));
	ck_assert_ptr_null(tap_pg_title_body("", NULL));
}
END_TEST

static void check_names(const char *body, bool walsender, uint16_t port, const char *expected)
{
	char names[TAP_PG_NAMES_MAX] = "unchanged";
	int err = tap_pg_title_names(body, walsender, port, names);

	ck_assert_int_eq(err, expected ? 0 : -ENOENT);
	ck_assert_str_eq(names, expected ? expected : "unchanged");
}

START_TEST(test_names)
{
	char longest[400];

	check_names("joe shop [local] SELECT", false, 0, "joe shop");
	check_names("joe shop [local]", false, 0, "joe shop");
	check_names("joe  my shop [local] idle in transaction", false, 0, "joe  my shop");
	check_names("joe shop 10.0.0.7(5000) idle", false, 5000, "joe shop");
	check_names("joe shop ::1(5000)", false, 5000, "joe shop");
	check_names("joe shop host.example(5000) idle", false, 5000, "joe shop");
	check_names("walsender rep [local] streaming 0/3", true, 0, "rep");
	check_names("walsender rep db 10.0.0.7(50) START_REPLICATION", true, 50, "rep db");
	/* Not there. */
	check_names("", false, 0, NULL);
	check_names("joe shop", false, 0, NULL);
	check_names("joe shop 10.0.0.7(5000) idle", false, 0, NULL);
	check_names("joe shop 10.0.0.7(5000) idle", false, 500, NULL);
	check_names("joe shop [local]x", false, 0, NULL);
	check_names("[local] idle", false, 0, NULL);
	check_names(" [local] idle", false, 0, NULL);
	check_names("10.0.0.7(5000) idle", false, 5000, NULL);
	check_names("joe shop (5000) idle", false, 5000, NULL);
	check_names("joe shop 10.0.0.7(5000)x idle", false, 5000, NULL);
	check_names("rep [local] streaming", true, 0, NULL);
	/* In more than one place. */
	check_names("joe [local] shop [local] idle", false, 0, NULL);
	check_names("joe h(50) shop 10.0.0.7(50) idle", false, 50, NULL);
	check_names("walsender rep [local] sending backup \"a [local] b\"", true, 0, NULL);
	memset(longest, 'n', sizeof(longest));
	memcpy(longest + sizeof(longest) - 20, " [local] idle", 14);
	check_names(longest, false, 0, NULL);
}
END_TEST

START_TEST(test_autovacuum)
{
	char longest[100] = "autovacuum worker ";

	ck_assert_str_eq(tap_pg_title_autovacuum_database("autovacuum worker my shop"), "my shop");
	ck_assert_ptr_null(tap_pg_title_autovacuum_database("autovacuum worker "));
	ck_assert_ptr_null(tap_pg_title_autovacuum_database("autovacuum worker"));
	ck_assert_ptr_null(tap_pg_title_autovacuum_database("autovacuum launcher "));
	memset(longest + 18, 'd', 64);
	ck_assert_ptr_null(tap_pg_title_autovacuum_database(longest));
}
END_TEST

static void check_split(const char *names, const char *known_user, const char *known_database, int code,
			const char *user, const char *database)
{
	char got_user[TAP_PG_NAME_MAX] = "unchanged";
	char got_database[TAP_PG_NAME_MAX] = "unchanged";

	ck_assert_int_eq(tap_pg_title_split(names, known_user, known_database, got_user, got_database), code);
	ck_assert_str_eq(got_user, code ? "unchanged" : user);
	ck_assert_str_eq(got_database, code ? "unchanged" : database);
}

START_TEST(test_split)
{
	char longest[200];

	check_split("joe shop", NULL, NULL, 0, "joe", "shop");
	check_split("a b c", NULL, NULL, -EAGAIN, NULL, NULL);
	check_split("a b c", "a b", NULL, 0, "a b", "c");
	check_split("a b c", "a", NULL, 0, "a", "b c");
	check_split("a b c", NULL, "b c", 0, "a", "b c");
	check_split("a b c", NULL, "c", 0, "a b", "c");
	check_split("a b c", "a b", "c", 0, "a b", "c");
	check_split("a b c", "a", "c", -EBADMSG, NULL, NULL);
	check_split("a b c", "x", NULL, -EBADMSG, NULL, NULL);
	check_split("a b c", NULL, "x", -EBADMSG, NULL, NULL);
	check_split("a b c", NULL, "a b c", -EBADMSG, NULL, NULL);
	check_split("ab c", "a", NULL, -EBADMSG, NULL, NULL);
	check_split("a bc", NULL, "c", -EBADMSG, NULL, NULL);
	check_split("joe", NULL, NULL, -EBADMSG, NULL, NULL);
	check_split("", NULL, NULL, -EBADMSG, NULL, NULL);
	check_split(" shop", NULL, NULL, -EBADMSG, NULL, NULL);
	check_split("joe ", NULL, NULL, -EBADMSG, NULL, NULL);
	memset(longest, 'n', sizeof(longest));
	longest[10] = ' ';
	longest[10 + 1 + 63] = '\0';
	check_split(longest, NULL, NULL, 0, "nnnnnnnnnn", longest + 11);
	longest[10 + 1 + 63] = 'n';
	longest[10 + 1 + 64] = '\0';
	check_split(longest, NULL, NULL, -EBADMSG, NULL, NULL);
	memset(longest, 'n', 80);
	memcpy(longest + 64, " d", 3);
	check_split(longest, NULL, NULL, -EBADMSG, NULL, NULL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_title");
	TCase *tcase = tcase_create("pg_title");

	tcase_add_test(tcase, test_body);
	tcase_add_test(tcase, test_names);
	tcase_add_test(tcase, test_autovacuum);
	tcase_add_test(tcase, test_split);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
