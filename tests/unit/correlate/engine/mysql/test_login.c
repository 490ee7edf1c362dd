// SPDX-License-Identifier: BSD-2-Clause
/* test_login.c - connection strings, sockets of any length, and whose name is tried. */
#include "correlate/engine/mysql/login.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/check_main.h"

static struct tap_engine_where where;
static struct tap_my_login login;
static struct tap_error err;

static void set_up(void)
{
	where = (struct tap_engine_where){ .instance = "mariadb-3306", .socket = "/tmp/mysqld.sock", .port = 3306 };
	err.text[0] = '\0';
}

static void tear_down(void)
{
	tap_my_login_done(&login);
}

static int read_given(const char *conninfo)
{
	where.conninfo = conninfo;
	return tap_my_login_init(&login, &where, &err);
}

START_TEST(test_given)
{
	ck_assert_int_eq(read_given("  user='o''brien x' database=shop port=3307 ssl-ca=/etc/ca.pem "), 0);
	ck_assert_str_eq(login.given[TAP_MY_LOGIN_USER], "o'brien x");
	ck_assert_str_eq(login.given[TAP_MY_LOGIN_SSL_CA], "/etc/ca.pem");
	ck_assert_str_eq(tap_my_login_database(&login), "shop");
	ck_assert_uint_eq(login.port, 3307);
	ck_assert(!login.automatic);
	where.database = "other";
	ck_assert_str_eq(tap_my_login_database(&login), "shop");
	where.this_database = true;
	ck_assert_str_eq(tap_my_login_database(&login), "other");
}
END_TEST

START_TEST(test_a_database_alone_is_no_choice)
{
	ck_assert_int_eq(read_given("database=shop"), 0);
	ck_assert(login.automatic);
	ck_assert_int_eq(strncmp(login.socket, "/proc/self/fd/", 14), 0);
	ck_assert_ptr_nonnull(strstr(login.socket, "/mysqld.sock"));
}
END_TEST

static const char *const broken[] = {
	"user",	     "user=a b", "=x",	       "colour=red", "user='open", "user='a'b",
	"user='a''", "port=0",	 "port=65536", "port=12x",   "user =x",	   "host=a ; drop",
};

START_TEST(test_broken)
{
	ck_assert_int_eq(read_given(broken[_i]), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot be understood"));
	ck_assert_int_eq(tap_my_login_check("mariadb-3306", broken[_i], &err), -EINVAL);
}
END_TEST

static const char *const secrets[] = { "password=hunter2", "user=a passwd=hunter2", "pwd='hunter2'",
				       "ssl-passphrase=hunter2" };

START_TEST(test_secrets)
{
	ck_assert_int_eq(tap_my_login_check("mariadb-3306", secrets[_i], &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "holds a password"));
	ck_assert_ptr_null(strstr(err.text, "hunter2"));
}
END_TEST

START_TEST(test_values_too_long)
{
	char text[2 * TAP_MY_LOGIN_VALUE_MAX] = "user=";

	memset(text + 5, 'x', TAP_MY_LOGIN_VALUE_MAX - 1);
	ck_assert_int_eq(tap_my_login_check("mariadb-3306", text, &err), 0);
	memset(text + 5, 'x', TAP_MY_LOGIN_VALUE_MAX);
	ck_assert_int_eq(tap_my_login_check("mariadb-3306", text, &err), -EINVAL);
}
END_TEST

START_TEST(test_socket_of_any_length)
{
	char path[1200] = "/tmp";
	size_t size = strlen(path);

	for (; size < 1000; size += 2) {
		path[size] = '/';
		path[size + 1] = '.';
	}
	snprintf(path + size, sizeof(path) - size, "/s.sock");
	where.socket = path;
	ck_assert_int_eq(read_given(NULL), 0);
	ck_assert_uint_lt(strlen(login.socket), 108);
	ck_assert_str_eq(strrchr(login.socket, '/'), "/s.sock");
}
END_TEST

START_TEST(test_a_socket_that_cannot_be)
{
	char path[300] = "/tmp/";

	memset(path + 5, 's', 200);
	where.socket = path;
	ck_assert_int_eq(read_given(NULL), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "too long"));
	tap_my_login_done(&login);
	where.socket = "/tmp/no such folder/s.sock";
	ck_assert_int_eq(read_given(NULL), -ENOENT);
	tap_my_login_done(&login);
	where.socket = NULL;
	ck_assert_int_eq(read_given(NULL), -ENOENT);
}
END_TEST

START_TEST(test_tcp)
{
	where.socket = NULL;
	where.host = "*";
	ck_assert_int_eq(read_given(NULL), 0);
	ck_assert_str_eq(login.host, "127.0.0.1");
	tap_my_login_done(&login);
	where.host = "::";
	ck_assert_int_eq(read_given(NULL), 0);
	ck_assert_str_eq(login.host, "::1");
	tap_my_login_done(&login);
	/* skip-networking. */
	where.port = 0;
	ck_assert_int_eq(read_given(NULL), -ENOENT);
	tap_my_login_done(&login);
	ck_assert_int_eq(read_given("host=db.example port=3310"), 0);
	ck_assert_str_eq(login.host, "db.example");
	ck_assert_str_eq(login.socket, "");
	ck_assert_uint_eq(login.port, 3310);
}
END_TEST

START_TEST(test_an_options_file_says_where)
{
	struct tap_my_login_try attempt;

	where.uid = 12345;
	ck_assert_int_eq(read_given("defaults-file=/root/.my.cnf"), 0);
	ck_assert_str_eq(login.socket, "");
	ck_assert_str_eq(login.host, "");
	ck_assert(tap_my_login_next(&login, 0, &attempt));
	ck_assert_str_eq(attempt.user, "");
	ck_assert(!attempt.as_owner);
	ck_assert(!tap_my_login_next(&login, 1, &attempt));
}
END_TEST

START_TEST(test_whose_name)
{
	struct tap_my_login_try attempt;

	where.uid = geteuid() + 4711;
	ck_assert_int_eq(read_given(NULL), 0);
	snprintf(login.owner, sizeof(login.owner), "dbowner");
	snprintf(login.self, sizeof(login.self), "root");
	ck_assert(tap_my_login_next(&login, 0, &attempt));
	ck_assert_str_eq(attempt.user, "root");
	ck_assert(!attempt.as_owner);
	ck_assert(tap_my_login_next(&login, 1, &attempt));
	ck_assert_str_eq(attempt.user, "dbowner");
	ck_assert(attempt.as_owner);
	ck_assert(!tap_my_login_next(&login, 2, &attempt));
	/* A user without a name on this host. */
	login.owner[0] = '\0';
	ck_assert(tap_my_login_next(&login, 1, &attempt));
	ck_assert_str_eq(attempt.user, "mysql");
	/* Our own server. */
	where.uid = geteuid();
	ck_assert(!tap_my_login_next(&login, 1, &attempt));
	where.user = "monitor";
	ck_assert(tap_my_login_next(&login, 0, &attempt));
	ck_assert_str_eq(attempt.user, "monitor");
	ck_assert(!tap_my_login_next(&login, 1, &attempt));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("mysql_login");
	TCase *tests = tcase_create("login");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_given);
	tcase_add_test(tests, test_a_database_alone_is_no_choice);
	tcase_add_loop_test(tests, test_broken, 0, sizeof(broken) / sizeof(*broken));
	tcase_add_loop_test(tests, test_secrets, 0, sizeof(secrets) / sizeof(*secrets));
	tcase_add_test(tests, test_values_too_long);
	tcase_add_test(tests, test_socket_of_any_length);
	tcase_add_test(tests, test_a_socket_that_cannot_be);
	tcase_add_test(tests, test_tcp);
	tcase_add_test(tests, test_an_options_file_says_where);
	tcase_add_test(tests, test_whose_name);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
