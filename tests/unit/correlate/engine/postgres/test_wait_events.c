// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_wait_events.c - wait event names: what is known, what is not, and, for every version whose binary is to be had,
 * every number against the names that binary itself has (it is run once with pg_names_preload.c loaded into it; no
 * server).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "correlate/engine/postgres/wait_event_names.h"
#include "correlate/engine/postgres/wait_events.h"
#include "tests/lib/check_main.h"

enum {
	PG15 = 150018,
};

static void check_pair(uint32_t event, const char *class_name, const char *event_name)
{
	char got_class[TAP_WAIT_CLASS_MAX];
	char got_name[TAP_WAIT_NAME_MAX];

	tap_pg_wait_event_name(PG15, event, got_class, got_name);
	ck_assert_str_eq(got_class, class_name);
	ck_assert_str_eq(got_name, event_name);
}

START_TEST(test_known_events)
{
	check_pair(0, "None", "CPU-or-kernel");
	check_pair(0x01000001, "LWLock", "ShmemIndex");
	check_pair(0x01000007 + 1, "LWLock", "WALWrite");
	check_pair(0x01000038, "LWLock", "BufferContent");
	check_pair(0x03000005, "Lock", "transactionid");
	check_pair(0x04000000, "BufferPin", "BufferPin");
	check_pair(0x05000003, "Activity", "BgWriterMain");
	check_pair(0x06000000, "Client", "ClientRead");
	check_pair(0x07000000, "Extension", "Extension");
	check_pair(0x0800000b, "IPC", "ExecuteGather");
	check_pair(0x09000002, "Timeout", "PgSleep");
	check_pair(0x0a000011, "IO", "DataFileRead");
}
END_TEST

START_TEST(test_extension_tranches_share_a_name)
{
	check_pair(0x0100004a, "LWLock", "PgStatsData");
	check_pair(0x0100004b, "LWLock", "extension");
	check_pair(0x0100ffff, "LWLock", "extension");
	check_pair(0x07000005, "Extension", "Extension");
}
END_TEST

/* Content locks of buffers are no lightweight locks any more, and have a class with the pins. */
START_TEST(test_buffers_from_19_on)
{
	ck_assert_str_eq(tap_pg_wait_class(180004, 0x04000000), "BufferPin");
	ck_assert_str_eq(tap_pg_wait_event(180004, 0x04000000), "BufferPin");
	ck_assert_str_eq(tap_pg_wait_class(190000, 0x04000000), "Buffer");
	ck_assert_str_eq(tap_pg_wait_event(190000, 0x04000000), "BufferCleanup");
	ck_assert_str_eq(tap_pg_wait_event(190000, 0x04000003), "BufferShareExclusive");
	ck_assert_ptr_null(tap_pg_wait_event(190000, 0x04000004));
	ck_assert_ptr_null(tap_pg_wait_event(180004, 0x04000001));
}
END_TEST

START_TEST(test_unknown_numbers)
{
	check_pair(0x01000000, "LWLock", "unknown-0x01000000");
	check_pair(0x0100000a, "LWLock", "unknown-0x0100000a");
	check_pair(0x0300000b, "Lock", "unknown-0x0300000b");
	check_pair(0x02000001, "unknown", "unknown-0x02000001");
	check_pair(0x0b000001, "unknown", "unknown-0x0b000001");
	check_pair(0xffffffff, "unknown", "unknown-0xffffffff");
	check_pair(0x00000001, "unknown", "unknown-0x00000001");
	ck_assert_ptr_null(tap_pg_wait_class(PG15, 0x0b000000));
	ck_assert_ptr_null(tap_pg_wait_event(PG15, 0x0b000000));
}
END_TEST

START_TEST(test_other_versions_are_not_guessed)
{
	ck_assert_ptr_null(tap_pg_wait_event(120002, 0x06000000));
	ck_assert_ptr_null(tap_pg_wait_event(990000, 0x06000000));
	ck_assert_ptr_null(tap_pg_wait_event(0, 0x06000000));
	ck_assert_ptr_null(tap_pg_wait_event(-1, 0x06000000));
	ck_assert_str_eq(tap_pg_wait_class(PG15, 0x06000000), "Client");
	ck_assert_str_eq(tap_pg_wait_event(160000, 0), "CPU-or-kernel");
	ck_assert_str_eq(tap_pg_wait_event(150000, 0x06000000), "ClientRead");
}
END_TEST

START_TEST(test_names_are_constants)
{
	ck_assert_ptr_eq(tap_pg_wait_event(PG15, 0x06000000), tap_pg_wait_event(PG15, 0x06000000));
	ck_assert_ptr_eq(tap_pg_wait_class(PG15, 0x06000000), tap_pg_wait_class(PG15, 0x06000001));
}
END_TEST

START_TEST(test_idle_class)
{
	ck_assert(tap_pg_wait_event_is_idle_class(0x05000000));
	ck_assert(tap_pg_wait_event_is_idle_class(0x0500000b));
	ck_assert(!tap_pg_wait_event_is_idle_class(0));
	ck_assert(!tap_pg_wait_event_is_idle_class(0x06000000));
}
END_TEST

/* The words with which the server says that it has no name. */
static bool server_has_no_name(const char *name)
{
	return !*name || !strcmp(name, "???") || strstr(name, "unknown") || name[0] == '<';
}

/* One "NUMBER CLASS EVENT" line of the server's binary; whether it was a named event. */
static bool compare_line(char *line, int major)
{
	char *save = NULL;
	const char *number_text = strtok_r(line, "\t", &save);
	const char *class_name = strtok_r(NULL, "\t", &save);
	const char *event_name = strtok_r(NULL, "\n", &save);
	uint32_t number;

	ck_assert(number_text && class_name);
	number = (uint32_t)strtoul(number_text, NULL, 10);
	ck_assert_str_eq(tap_pg_wait_class(major * 10000, number), class_name);
	if (!event_name || server_has_no_name(event_name)) {
		const char *ours = tap_pg_wait_event(major * 10000, number);

		/* An older minor version may lack what a later one has added at the end. */
		ck_assert_msg(!ours || !strcmp(ours, "WalReceiverUpstreamCatchup"),
			      "%d: 0x%08x is %s, the server has none", major, number, ours);
		return false;
	}
	ck_assert_msg(tap_pg_wait_event(major * 10000, number), "%d: 0x%08x is %s", major, number, event_name);
	ck_assert_str_eq(tap_pg_wait_event(major * 10000, number), event_name);
	return true;
}

static void compare_with_binary(const char *library, int major, const char *server)
{
	char command[512], line[256];
	size_t named = 0;
	FILE *names;

	snprintf(command, sizeof(command), "LD_PRELOAD=%s %s --version", library, server);
	names = popen(command, "r");
	ck_assert_ptr_nonnull(names);
	while (fgets(line, sizeof(line), names))
		named += compare_line(line, major);
	ck_assert_int_eq(pclose(names), 0);
	ck_assert_uint_gt(named, 250);
}

/* Those that are installed, and those that tests/lib/pg_versions.py has fetched. */
START_TEST(test_against_the_servers_binaries)
{
	static const char *const places[] = { "/usr/lib/postgresql/%1$d/bin/postgres", "%2$s/%1$d/bin/postgres",
					      "%2$s/%1$d-debian/root/usr/lib/postgresql/%1$d/bin/postgres" };
	const char *cache = getenv("TAP_SERVERS");
	char library[] = "/tmp/tap_pg_names_XXXXXX", command[1200], server[256];
	int fd = mkstemp(library);

	ck_assert_int_ge(fd, 0);
	close(fd);
	snprintf(command, sizeof(command), "cc -shared -fPIC -o %s '%.*s/pg_names_preload.c'", library,
		 (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
	ck_assert_int_eq(system(command), 0);
	chmod(library, 0755);
	for (int major = TAP_PG_WAIT_MAJOR_MIN; major <= TAP_PG_WAIT_MAJOR_MAX; major++) {
		bool found = false;

		for (size_t i = 0; i < sizeof(places) / sizeof(*places) && !found; i++) {
			snprintf(server, sizeof(server), places[i], major, cache ? cache : "build/servers");
			found = !access(server, X_OK);
		}
		if (found)
			compare_with_binary(library, major, server);
		else
			printf("# %d: not compared with a server's names: none is there\n", major);
	}
	unlink(library);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("wait_events");
	TCase *tcase = tcase_create("wait_events");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_known_events);
	tcase_add_test(tcase, test_extension_tranches_share_a_name);
	tcase_add_test(tcase, test_buffers_from_19_on);
	tcase_add_test(tcase, test_unknown_numbers);
	tcase_add_test(tcase, test_other_versions_are_not_guessed);
	tcase_add_test(tcase, test_names_are_constants);
	tcase_add_test(tcase, test_idle_class);
	tcase_add_test(tcase, test_against_the_servers_binaries);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
