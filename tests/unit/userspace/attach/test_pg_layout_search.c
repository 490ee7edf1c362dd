// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_pg_layout_search.c - layouts are found in made-up memory that was laid out in another way, and refused where two
 * places could be meant.
 */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "bpf/abi/kind.h"
#include "tests/lib/check_main.h"
#include "userspace/attach/pg_layout_search.h"

enum {
	PROCESSES = 9,
	ACTIVITY = 1024,
	PROC_SIZE = 960,
	PROC_PID = 72,
	PROC_WAIT = 812,
};

#define SHARED 0x700000000000ULL
#define AREA 0x100000ULL

static struct tap_pg_sample samples[PROCESSES];
static struct tap_map map = { .start = SHARED, .end = SHARED + 8 * AREA, .readable = true, .shared = true };
static struct tap_pg_sample_list list;
static struct tap_target target;
static struct tap_pg_layout_row truth, found;
static struct tap_error err;
static int hostname_at;

static int64_t now(void)
{
	return ((int64_t)time(NULL) - 946684800) * 1000000;
}

static void put(struct tap_pg_sample *sample, int offset, const void *value, size_t size)
{
	memcpy(sample->status_bytes + offset, value, size);
}

static void put32(struct tap_pg_sample *sample, int offset, uint32_t value)
{
	put(sample, offset, &value, sizeof(value));
}

static void put64(struct tap_pg_sample *sample, int offset, uint64_t value)
{
	put(sample, offset, &value, sizeof(value));
}

static const struct {
	uint8_t kind;
	uint32_t type;
	enum tap_pg_sample_state state;
	uint32_t after_idle; /* number of the state; 99: none */
} made[PROCESSES] = {
	{ TAP_KIND_CLIENT, 3, TAP_PG_SAMPLE_IDLE, 0 },
	{ TAP_KIND_CHECKPOINTER, 6, TAP_PG_SAMPLE_NO_STATE, 99 },
	{ TAP_KIND_CLIENT, 3, TAP_PG_SAMPLE_RUNNING, 1 },
	{ TAP_KIND_BGWRITER, 5, TAP_PG_SAMPLE_NO_STATE, 99 },
	{ TAP_KIND_CLIENT, 3, TAP_PG_SAMPLE_IN_TRANSACTION, 2 },
	{ TAP_KIND_WALWRITER, 10, TAP_PG_SAMPLE_NO_STATE, 99 },
	{ TAP_KIND_AUTOVACUUM_LAUNCHER, 1, TAP_PG_SAMPLE_NO_STATE, 99 },
	{ TAP_KIND_CLIENT, 3, TAP_PG_SAMPLE_ABORTED, 4 },
	{ TAP_KIND_CLIENT, 3, TAP_PG_SAMPLE_IDLE, 0 },
};

static uint32_t idle_number(void)
{
	uint32_t number = 0;

	while (truth.layout.state_of[number] != TAP_PG_STATE_IDLE)
		number++;
	return number;
}

static void session_make(struct tap_pg_sample *sample, size_t i)
{
	const struct tap_pg_layout *layout = &truth.layout;
	uint64_t began = (uint64_t)sample->start + 5000 + i;
	bool in_transaction = made[i].state != TAP_PG_SAMPLE_IDLE;
	sa_family_t family = i % 2 ? AF_INET : AF_UNIX;

	put32(sample, layout->status_user, 10 + (uint32_t)(i % 3));
	put(sample, layout->status_client_addr, &family, sizeof(family));
	put32(sample, layout->status_client_addr + 128, family == AF_UNIX ? 2 : 16);
	put32(sample, layout->status_state, idle_number() + made[i].after_idle);
	put64(sample, layout->status_xact_start, in_transaction ? began - 10 : 0);
	put64(sample, layout->status_activity_start, began);
	put64(sample, layout->status_state_start, began + 100);
	if (layout->status_query_id != TAP_PG_ABSENT)
		put64(sample, layout->status_query_id, 0xfedcba9876543210ULL + i);
}

static void sample_make(struct tap_pg_sample *sample, size_t i)
{
	const struct tap_pg_layout *layout = &truth.layout;
	uint64_t slot = i * 3 % PROCESSES;
	int32_t pid = 4000 + (int32_t)i;

	*sample = (struct tap_pg_sample){ .status = SHARED + slot * layout->status_size,
					  .proc = SHARED + AREA + (i * 5 % PROCESSES) * truth.proc_size,
					  .pid = pid,
					  .database = made[i].after_idle == 99 ? 0 : 16384 + (uint32_t)(i % 2),
					  .backend_type = made[i].type,
					  .start = now() - 1000000 + (int64_t)i,
					  .kind = made[i].kind,
					  .state = made[i].state };
	sample->wait_event = sample->proc + layout->proc_wait_event_info;
	memcpy(sample->proc_bytes + layout->proc_pid, &pid, sizeof(pid));
	put32(sample, layout->status_changecount, 4 + 2 * (uint32_t)i);
	put32(sample, layout->status_procpid, (uint32_t)pid);
	put32(sample, layout->status_backend_type, sample->backend_type);
	put64(sample, layout->status_proc_start, (uint64_t)sample->start);
	put32(sample, layout->status_database, sample->database);
	put64(sample, layout->status_activity, SHARED + 2 * AREA + slot * ACTIVITY);
	put64(sample, layout->status_appname, SHARED + 3 * AREA + slot * 64);
	put64(sample, hostname_at, SHARED + 4 * AREA + slot * 64);
	if (made[i].after_idle != 99)
		session_make(sample, i);
}

static void memory_make(void)
{
	for (size_t i = 0; i < PROCESSES; i++)
		sample_make(&samples[i], i);
	list = (struct tap_pg_sample_list){ .items = samples, .count = PROCESSES, .maps = { &map, 1, NULL } };
}

static void setup(void)
{
	truth = *tap_pg_layout_find(150018, EM_X86_64);
	hostname_at = 192;
	target = (struct tap_target){ .version_number = 150018, .activity_size = ACTIVITY, .query_ids = true };
	target.start_us = ((int64_t)time(NULL) - 60) * 1000000;
	memset(&found, 0x55, sizeof(found));
}

static int search(int32_t version)
{
	memory_make();
	return tap_pg_layout_search_samples(&target, tap_pg_layout_near(version, EM_X86_64), &list, &found, &err);
}

/* What is found is what the memory was made by. */
static void check_found(void)
{
	struct tap_pg_layout expected = truth.layout;

	expected.lock_tag = found.layout.lock_tag;
	memcpy(expected.changes_of_one, found.layout.changes_of_one, sizeof(expected.changes_of_one));
	expected.changes_extended = found.layout.changes_extended;
	expected.changes_least = found.layout.changes_least;
	for (size_t number = 6; number < TAP_PG_BACKEND_STATES; number++)
		expected.state_of[number] = found.layout.state_of[number];
	ck_assert(found.searched);
	ck_assert_mem_eq(&found.layout, &expected, sizeof(expected));
}

START_TEST(test_the_versions_own)
{
	static const int32_t versions[] = { 140000, 150000, 170000 };

	truth = *tap_pg_layout_find(versions[_i], EM_X86_64);
	target.version_number = versions[_i];
	ck_assert_int_eq(search(versions[_i]), 0);
	/* Types were numbered in another way in 17: those that were seen count. */
	if (versions[_i] == 170000)
		memcpy(truth.layout.kind_of_type, found.layout.kind_of_type, sizeof(found.layout.kind_of_type));
	check_found();
	ck_assert_uint_eq(found.layout.changes_least, truth.layout.changes_least);
	ck_assert_uint_eq(found.layout.proc_wait_lock, truth.layout.proc_wait_lock);
}
END_TEST

/* The fields that a patch, or the next version, puts in between. */
static void shift_status(void)
{
	struct tap_pg_layout *layout = &truth.layout;

	layout->status_proc_start += 8;
	layout->status_xact_start += 16;
	layout->status_activity_start += 16;
	layout->status_state_start += 16;
	layout->status_database += 16;
	layout->status_user += 16;
	layout->status_client_addr += 16;
	layout->status_state += 16;
	layout->status_appname += 16;
	layout->status_activity += 16;
	layout->status_progress_command += 16;
	layout->status_query_id += 16;
	layout->status_size += 16;
	hostname_at += 16;
}

START_TEST(test_fields_put_in_between)
{
	shift_status();
	ck_assert_msg(search(150018) == 0, "%s", err.text);
	check_found();
	ck_assert_uint_eq(found.layout.status_size, 448);
}
END_TEST

/* Memory of 15 under the eyes of a dbtap that knows 19 as the newest: PGPROC, types and states differ, too. */
START_TEST(test_another_version)
{
	target.version_number = 210000;
	ck_assert_msg(search(210000) == 0, "%s", err.text);
	ck_assert_uint_eq(found.layout.status_size, truth.layout.status_size);
	ck_assert_uint_eq(found.layout.status_query_id, truth.layout.status_query_id);
	ck_assert_uint_eq(found.layout.status_state, truth.layout.status_state);
	ck_assert_uint_eq(found.layout.proc_pid, truth.layout.proc_pid);
	ck_assert_uint_eq(found.layout.proc_wait_event_info, truth.layout.proc_wait_event_info);
	ck_assert_uint_eq(found.layout.state_of[1], TAP_PG_STATE_IDLE);
	ck_assert_uint_eq(found.layout.state_of[5], TAP_PG_STATE_IDLE_IN_TRANSACTION_ABORTED);
	ck_assert_uint_eq(found.layout.kind_of_type[3], TAP_KIND_CLIENT);
	ck_assert_uint_eq(found.layout.kind_of_type[6], TAP_KIND_CHECKPOINTER);
	/* Nothing shows what type 12 is, who leads a group, where a wait for a lock is, how statements count. */
	ck_assert_uint_eq(found.layout.kind_of_type[12], TAP_KIND_UNKNOWN);
	ck_assert_uint_eq(found.layout.proc_lock_group_leader, TAP_PG_ABSENT);
	ck_assert_uint_eq(found.layout.proc_wait_lock, 0);
	ck_assert_uint_eq(found.layout.changes_of_one[0], 0);
}
END_TEST

START_TEST(test_another_process_record)
{
	truth.proc_size = PROC_SIZE;
	truth.layout.proc_pid = PROC_PID;
	truth.layout.proc_wait_event_info = PROC_WAIT;
	ck_assert_msg(search(150018) == 0, "%s", err.text);
	ck_assert_uint_eq(found.layout.proc_pid, PROC_PID);
	ck_assert_uint_eq(found.layout.proc_wait_event_info, PROC_WAIT);
	ck_assert_uint_eq(found.layout.proc_lock_group_leader, TAP_PG_ABSENT);
	ck_assert_uint_eq(found.proc_size % PROC_SIZE, 0);
}
END_TEST

START_TEST(test_without_query_ids)
{
	target.query_ids = false;
	ck_assert_int_eq(search(150018), 0);
	ck_assert_uint_eq(found.layout.status_query_id, TAP_PG_ABSENT);
}
END_TEST

static void check_refused(int code, const char *what)
{
	struct tap_pg_layout_row before = found;

	ck_assert_int_eq(
		tap_pg_layout_search_samples(&target, tap_pg_layout_near(150018, EM_X86_64), &list, &found, &err),
		code);
	ck_assert_msg(strstr(err.text, what), "%s", err.text);
	ck_assert_mem_eq(&before, &found, sizeof(found));
}

START_TEST(test_too_little_to_tell)
{
	memory_make();
	list.count = 2;
	check_refused(-ENODATA, "2 processes are too few");
	list.count = PROCESSES;
	for (size_t i = 0; i < PROCESSES; i++) {
		if (samples[i].state == TAP_PG_SAMPLE_IDLE)
			samples[i].state = TAP_PG_SAMPLE_NO_STATE;
	}
	check_refused(-ENODATA, "no session is idle");
	list.count = 0;
	check_refused(-ENODATA, "0 processes are too few");
	list.count = PROCESSES;
	target.activity_size = 0;
	check_refused(-ENODATA, "track_activity_query_size of 0");
}
END_TEST

/* Every single field in turn holds something else in one process: no other place has it. */
START_TEST(test_fields_that_are_nowhere)
{
	const struct tap_pg_layout *layout = &truth.layout;
	const struct {
		int offset;
		uint64_t value;
		size_t size;
		const char *what;
	} lies[] = {
		{ layout->status_procpid, 77, 4, "st_procpid" },
		{ layout->status_backend_type, 31, 4, "st_backendType" },
		{ layout->status_proc_start, 1, 8, "st_proc_start_timestamp" },
		{ layout->status_database, 1, 4, "st_databaseid" },
		{ layout->status_activity, 1, 8, "st_activity_raw" },
		{ layout->status_activity, UINT64_MAX, 8, "st_activity_raw" },
		{ layout->status_activity, SHARED, 8, "st_activity_raw" },
		{ layout->status_appname, 0, 8, "st_appname" },
		{ layout->status_state, 7, 4, "st_state" },
		{ layout->status_state, UINT32_MAX, 4, "st_state" },
		{ layout->status_activity_start, UINT64_MAX, 8, "_start_timestamp is nowhere" },
		{ layout->status_state_start, INT64_MAX, 8, "_start_timestamp is nowhere" },
		{ layout->status_changecount, 5, 4, "st_changecount" },
	};

	memory_make();
	/* The hosts' names would do for the applications'. */
	for (size_t i = 0; i < PROCESSES; i++)
		put64(&samples[i], hostname_at, 0);
	put(&samples[0], lies[_i].offset, &lies[_i].value, lies[_i].size);
	check_refused(-EBADMSG, lies[_i].what);
}
END_TEST

START_TEST(test_two_places)
{
	struct tap_pg_layout_row shifted = *tap_pg_layout_find(150018, EM_X86_64);

	/* The application's names are not where they are expected, and two arrays could be them. */
	memory_make();
	for (size_t i = 0; i < PROCESSES; i++) {
		uint64_t name;

		memcpy(&name, samples[i].status_bytes + truth.layout.status_appname, 8);
		put64(&samples[i], truth.layout.status_appname, 0);
		put64(&samples[i], truth.layout.status_appname - 24, name);
	}
	check_refused(-EBADMSG, "st_appname");
	(void)shifted;
}
END_TEST

START_TEST(test_hostile_bytes)
{
	unsigned int seed = 1;

	memory_make();
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < PROCESSES; i++) {
			for (size_t j = 0; j < sizeof(samples[i].status_bytes); j++)
				samples[i].status_bytes[j] = (uint8_t)(rand_r(&seed) >> (round % 3 ? 8 : 0));
			samples[i].status = ((uint64_t)rand_r(&seed) << 33) ^ (uint64_t)rand_r(&seed);
			samples[i].proc = ((uint64_t)rand_r(&seed) << 33) ^ (uint64_t)rand_r(&seed);
		}
		check_refused(-EBADMSG, "st_procpid");
	}
}
END_TEST

START_TEST(test_titles)
{
	static const struct {
		const char *body;
		uint8_t kind;
		enum tap_pg_sample_state state;
	} titles[] = {
		{ "app db [local] idle", TAP_KIND_CLIENT, TAP_PG_SAMPLE_IDLE },
		{ "app db 10.0.0.7(41234) idle in transaction", TAP_KIND_CLIENT, TAP_PG_SAMPLE_IN_TRANSACTION },
		{ "app db ::1(5) idle in transaction (aborted)", TAP_KIND_CLIENT, TAP_PG_SAMPLE_ABORTED },
		{ "app db [local] SELECT", TAP_KIND_CLIENT, TAP_PG_SAMPLE_RUNNING },
		{ "app db [local] UPDATE waiting", TAP_KIND_CLIENT, TAP_PG_SAMPLE_RUNNING },
		{ "app db [local] authentication", TAP_KIND_CLIENT, TAP_PG_SAMPLE_NO_STATE },
		{ "checkpointer idle [local] idle", TAP_KIND_CLIENT, TAP_PG_SAMPLE_IDLE },
		{ "checkpointer ", TAP_KIND_CHECKPOINTER, TAP_PG_SAMPLE_NO_STATE },
		{ "walwriter", TAP_KIND_WALWRITER, TAP_PG_SAMPLE_NO_STATE },
		{ "walsender repl [local] streaming 0/1", TAP_KIND_WALSENDER, TAP_PG_SAMPLE_NO_STATE },
		{ "autovacuum worker postgres", TAP_KIND_AUTOVACUUM, TAP_PG_SAMPLE_NO_STATE },
		{ "some extension's worker", TAP_KIND_UNKNOWN, TAP_PG_SAMPLE_NO_STATE },
		{ "", TAP_KIND_UNKNOWN, TAP_PG_SAMPLE_NO_STATE },
		{ "(((", TAP_KIND_UNKNOWN, TAP_PG_SAMPLE_NO_STATE },
		{ "(1)", TAP_KIND_UNKNOWN, TAP_PG_SAMPLE_NO_STATE },
	};

	for (size_t i = 0; i < sizeof(titles) / sizeof(*titles); i++) {
		enum tap_pg_sample_state state;

		ck_assert_msg(tap_pg_sample_kind(titles[i].body, &state) == titles[i].kind, "%s", titles[i].body);
		ck_assert_msg(state == titles[i].state, "%s", titles[i].body);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pg_layout_search");
	TCase *tcase = tcase_create("pg_layout_search");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, test_the_versions_own, 0, 3);
	tcase_add_test(tcase, test_fields_put_in_between);
	tcase_add_test(tcase, test_another_version);
	tcase_add_test(tcase, test_another_process_record);
	tcase_add_test(tcase, test_without_query_ids);
	tcase_add_test(tcase, test_too_little_to_tell);
	tcase_add_loop_test(tcase, test_fields_that_are_nowhere, 0, 13);
	tcase_add_test(tcase, test_two_places);
	tcase_add_test(tcase, test_hostile_bytes);
	tcase_add_test(tcase, test_titles);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
