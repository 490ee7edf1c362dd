// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_my_session.c - sessions in memory of our own: walked as a server's are, and broken in every way: loops, lengths
 * that no text has, pointers to nowhere, bits that flip.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/abi/task.h"
#include "tests/lib/check_main.h"
#include "userspace/attach/my_server.h"
#include "userspace/attach/my_session.h"
#include "userspace/attach/my_slot.h"

enum {
	SESSIONS = 3,
	BELOW = 64, /* words of a thread's own storage */
	SLOT = -0x68,
};

/* A session, as this test's server lays it out. */
struct thd {
	uint64_t functions, previous, next; /* links lead to `previous` less 8 */
	uint64_t thread_id, thread;
	uint32_t os_thread, command, status, pad;
	uint64_t start_time[2];
	uint64_t questions, received, executes;
	uint64_t security, stage;
	uint64_t database[2], query[2];
	uint64_t words_of_security[3];
};

struct thread {
	uint64_t below[1024 + BELOW];
	uint64_t self;
};

static struct {
	uint64_t first, end;
} head;
static struct thd thds[SESSIONS], intact[SESSIONS];
static struct thread threads[SESSIONS];
static struct tap_my_own own;
static struct tap_target target;
static char text[] = "select 1", user[] = "root", stage[] = "Sending data", database[] = "shop";

static uint64_t address_of(const void *thing)
{
	return (uint64_t)(uintptr_t)thing;
}

static void session_make(int i)
{
	struct thd *thd = &thds[i];

	*thd = (struct thd){
		.previous = i ? address_of(&thds[i - 1].next) : address_of(&head),
		.next = i + 1 < SESSIONS ? address_of(&thds[i + 1]) : address_of(&head.end),
		.thread_id = (uint64_t)i + 10,
		.thread = address_of(&threads[i].self),
		.os_thread = (uint32_t)getpid(),
		.command = TAP_MY_COM_QUERY,
		.status = TAP_MY_STATUS_AUTOCOMMIT,
		.start_time = { 1700000000, 5 },
		.questions = 7,
		.received = 700,
		.security = address_of(thd->words_of_security),
		.stage = address_of(stage),
		.database = { address_of(database), 4 },
		.query = { address_of(text), sizeof(text) - 1 },
		.words_of_security = { address_of(user), 0, 0 },
	};
	threads[i].self = address_of(&threads[i].self);
	threads[i].below[1024 + BELOW + SLOT / 8] = address_of(thd);
}

static void setup(void)
{
	memset(&target, 0, sizeof(target));
	memset(&own, 0, sizeof(own));
	memset(threads, 0, sizeof(threads));
	head.first = address_of(&thds[0]);
	for (int i = 0; i < SESSIONS; i++)
		session_make(i);
	memcpy(intact, thds, sizeof(intact));
	own.fields = (struct tap_my_fields){
		.next = offsetof(struct thd, next),
		.thread_id = offsetof(struct thd, thread_id),
		.thread = offsetof(struct thd, thread),
		.os_thread = offsetof(struct thd, os_thread),
		.start_time = offsetof(struct thd, start_time),
		.host = 8,
		.address = 16,
		.wide_id = 1,
	};
	own.instance.layout = (struct tap_my_layout){
		.thd = SLOT,
		.query = offsetof(struct thd, query),
		.database = offsetof(struct thd, database),
		.command = offsetof(struct thd, command),
		.stage = offsetof(struct thd, stage),
		.server_status = offsetof(struct thd, status),
		.security = offsetof(struct thd, security),
		.questions = offsetof(struct thd, questions),
		.received = offsetof(struct thd, received),
		.executes = offsetof(struct thd, executes),
	};
	own.sessions = address_of(&head);
	target.pid = getpid();
	target.proc_root = "/proc";
	target.own = &own;
}

START_TEST(walks_what_is_there)
{
	struct tap_my_session_list list;
	size_t checked = 0;

	ck_assert_int_eq(tap_my_sessions_walk(&target, &list, NULL), 0);
	ck_assert_uint_eq(list.count, SESSIONS);
	ck_assert_uint_eq(list.items[2].id, 12);
	ck_assert_str_eq(list.items[0].query, text);
	ck_assert_str_eq(list.items[1].user, user);
	ck_assert_str_eq(list.items[1].database, database);
	ck_assert(list.items[0].served);
	ck_assert_uint_eq(list.items[0].thread, address_of(&threads[0].self));
	tap_my_sessions_done(&list);
	ck_assert_int_eq(tap_my_sessions_check(&target, &checked, NULL), 0);
	ck_assert_uint_eq(checked, SESSIONS);
}
END_TEST

/* What the end of the walk is told by must come: a list that leads back into itself, or nowhere, is given up. */
START_TEST(loops)
{
	const uint64_t ends[] = {
		address_of(&thds[0]), address_of(&thds[1]), address_of(&thds[2]), 0, 8, UINT64_MAX - 7
	};
	struct tap_my_session_list list = { 0 };

	thds[2].next = ends[_i];
	ck_assert_int_eq(tap_my_sessions_walk(&target, &list, NULL), -EAGAIN);
	ck_assert_ptr_null(list.items);
}
END_TEST

START_TEST(texts_that_are_none)
{
	struct tap_my_session_list list;
	size_t checked;

	thds[0].query[1] = UINT64_MAX;
	thds[1].query[0] = 1;
	thds[1].database[0] = UINT64_MAX - 3;
	thds[1].stage = 16;
	thds[2].security = 8;
	ck_assert_int_eq(tap_my_sessions_walk(&target, &list, NULL), 0);
	ck_assert_uint_eq(list.count, SESSIONS);
	/* As much of it as is wanted, or nothing. */
	ck_assert(!list.items[0].query || strlen(list.items[0].query) < TAP_TEXT_MAX);
	ck_assert_ptr_null(list.items[1].query);
	ck_assert_ptr_null(list.items[1].database);
	ck_assert_ptr_null(list.items[1].stage);
	ck_assert(!list.items[1].stage_known);
	ck_assert_ptr_null(list.items[2].user);
	tap_my_sessions_done(&list);
	/* A query that cannot be read is no session's. */
	ck_assert_int_eq(tap_my_sessions_check(&target, &checked, NULL), -EBADMSG);
}
END_TEST

/* A bit anywhere: walked, or refused; the memory of the tests is watched by the sanitizer. */
START_TEST(bits_that_flip)
{
	unsigned seed = 1;

	for (int round = 0; round < 200; round++) {
		unsigned char *bytes = (unsigned char *)thds;
		struct tap_my_session_list list = { 0 };

		memcpy(thds, intact, sizeof(thds));
		for (int i = 0; i < 3; i++) {
			size_t at = (size_t)rand_r(&seed) % sizeof(thds);

			/* Links are the matter of another test: each that breaks is waited for. */
			if (at % sizeof(struct thd) >= offsetof(struct thd, thread_id))
				bytes[at] ^= (unsigned char)(1 << rand_r(&seed) % 8);
		}
		if (!tap_my_sessions_walk(&target, &list, NULL))
			ck_assert_uint_eq(list.count, SESSIONS);
		tap_my_sessions_done(&list);
	}
}
END_TEST

START_TEST(partitions_with_counts_of_their_own)
{
	static struct {
		uint32_t key;
		int32_t count;
		uint64_t words[60];
	} partitions[8];
	static const int32_t counts[] = { -1, 61, INT32_MAX, INT32_MIN };
	uint64_t manager = address_of(partitions);
	struct tap_my_session_list list = { 0 };

	own.product = TAP_MY_MYSQL;
	own.fields.next = 0;
	own.sessions = address_of(&manager);
	memset(partitions, 0, sizeof(partitions));
	partitions[3].count = 2;
	partitions[3].words[0] = address_of(&thds[0]);
	partitions[3].words[1] = address_of(&thds[2]);
	ck_assert_int_eq(tap_my_sessions_walk(&target, &list, NULL), 0);
	ck_assert_uint_eq(list.count, 2);
	tap_my_sessions_done(&list);
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		partitions[3].count = counts[i];
		partitions[3].words[0] = 64;
		partitions[3].words[1] = UINT64_MAX / 8;
		ck_assert_int_eq(tap_my_sessions_walk(&target, &list, NULL), -EAGAIN);
	}
	manager = 0;
	ck_assert_int_eq(tap_my_sessions_walk(&target, &list, NULL), -EAGAIN);
}
END_TEST

START_TEST(the_slot_is_the_one_that_all_threads_have)
{
	struct tap_error err;
	int32_t slot = 0;

	/* Further up for one of them only, and nowhere for another. */
	threads[0].below[1024 + BELOW - 1] = address_of(&thds[0]);
	own.instance.layout.thd = 0;
	ck_assert_int_eq(tap_my_slot_find(&target, &slot, &err), 0);
	ck_assert_int_eq(slot, SLOT);
	threads[1].below[1024 + BELOW + SLOT / 8] = 0;
	slot = 1;
	ck_assert_int_eq(tap_my_slot_find(&target, &slot, &err), -EBADMSG);
	ck_assert_int_eq(slot, 1);
	for (int i = 0; i < SESSIONS; i++)
		thds[i].thread = 4096;
	ck_assert_int_eq(tap_my_slot_find(&target, &slot, &err), -ENODATA);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("my_session");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, walks_what_is_there);
	tcase_add_loop_test(tests, loops, 0, 6);
	tcase_add_test(tests, texts_that_are_none);
	tcase_add_test(tests, bits_that_flip);
	tcase_add_test(tests, partitions_with_counts_of_their_own);
	tcase_add_test(tests, the_slot_is_the_one_that_all_threads_have);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
