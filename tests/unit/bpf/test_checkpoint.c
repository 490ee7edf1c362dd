// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_checkpoint.c - bpf/checkpoint.bpf.h on the host: when a checkpoint is said to run, what is kept of those that
 * are over, and that waking up for less is none.
 */
#include "tests/unit/bpf/fake/one_backend.h"

#include "tests/lib/check_main.h"

enum {
	PG_CHECKPOINT = 2304, /* in user memory */
	PG_TYPE_CHECKPOINTER = 6,
	CHECKPOINTER_MAIN = 0x05000004,
	WRITE_DELAY = 0x09000003,
	FILE_SYNC = 0x0a000010,
};

static struct tap_pg_checkpoint *stats(void)
{
	return (struct tap_pg_checkpoint *)(backend.memory + PG_CHECKPOINT);
}

static const struct tap_checkpoints *known(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&checkpoints, &zero);
}

static bool runs(void)
{
	ck_assert_uint_eq(known()->seq & 1, 0);
	ck_assert_int_eq(known()->running, checkpoints_running.words[0] == 1);
	ck_assert_uint_eq(checkpoints_running.words[1], 0);
	return known()->running;
}

static void checkpoint_set_up(void)
{
	struct tap_instance *instance;
	__u32 zero = 0;

	set_up();
	instance = bpf_map_lookup_elem(&instances, &zero);
	instance->layout.kind_of_type[PG_TYPE_CHECKPOINTER] = TAP_KIND_CHECKPOINTER;
	instance->addresses.checkpoint_stats = FAKE_MEMORY_START + PG_CHECKPOINT;
	pg_login(&backend, PG_TYPE_CHECKPOINTER, 0, 0);
	pg_status_of(&backend)->state = TAP_PG_STATE_UNDEFINED;
	pg_cpu(&backend, 100);
	pg_sleep_for(&backend, CHECKPOINTER_MAIN, 1000, 0);
}

static void begins(__s64 start_us)
{
	*stats() = (struct tap_pg_checkpoint){ .start_us = start_us };
	pg_cpu(&backend, 10);
}

START_TEST(test_one)
{
	ck_assert(!runs());
	begins(1000);
	ck_assert(!runs());
	pg_sleep_for(&backend, FILE_SYNC, 1000, 0);
	ck_assert(runs());
	stats()->write_us = 1100;
	stats()->counts[0] = 7;
	pg_sleep_for(&backend, WRITE_DELAY, 100000, 0);
	pg_cpu(&backend, 10);
	pg_preempt(&backend, 5);
	pg_arrive(&backend);
	ck_assert(runs());
	ck_assert_int_eq(known()->now.write_us, 1100);
	stats()->sync_us = 1200;
	stats()->sync_end_us = 1300;
	pg_tick(&backend);
	ck_assert(runs());
	stats()->end_us = 1400;
	stats()->counts[4] = 3;
	ck_assert_uint_eq(known()->ended, 0);
	pg_sleep(&backend, CHECKPOINTER_MAIN);
	ck_assert(!runs());
	ck_assert_uint_eq(known()->ended, 1);
	ck_assert_int_eq(known()->kept[0].stats.start_us, 1000);
	ck_assert_int_eq(known()->kept[0].stats.end_us, 1400);
	ck_assert_uint_eq(known()->kept[0].stats.counts[0], 7);
	ck_assert_uint_eq(known()->kept[0].stats.counts[4], 3);
	ck_assert_uint_eq(known()->kept[0].seen_ns, kernel.clock_ns);
	assert_conserved();
}
END_TEST

/* The checkpointer wakes up for other processes' requests to sync, and its record is still that of the last one. */
START_TEST(test_waking_up_for_less)
{
	__u32 seq;

	*stats() = (struct tap_pg_checkpoint){ .start_us = 1000, .write_us = 1100, .end_us = 1400 };
	pg_sleep_for(&backend, CHECKPOINTER_MAIN, 1000, 0);
	ck_assert_uint_eq(known()->ended, 1);
	for (int i = 0; i < 5; i++) {
		pg_cpu(&backend, 10);
		pg_tick(&backend);
		pg_preempt(&backend, 5);
		pg_arrive(&backend);
		seq = known()->seq;
		pg_sleep_for(&backend, CHECKPOINTER_MAIN, 1000, 0);
		ck_assert(!runs());
	}
	ck_assert_uint_eq(known()->ended, 1);
	ck_assert_uint_eq(known()->seq & 1, seq & 1);
}
END_TEST

/* Nothing had happened since the last one: the server skips it, its record begins and never ends. */
START_TEST(test_skipped)
{
	begins(1000);
	pg_sleep_for(&backend, CHECKPOINTER_MAIN, 1000, 0);
	ck_assert(!runs());
	pg_cpu(&backend, 10);
	pg_preempt(&backend, 5);
	pg_arrive(&backend);
	ck_assert(!runs());
	/* Seen to run before it was skipped. */
	begins(2000);
	pg_preempt(&backend, 5);
	pg_arrive(&backend);
	ck_assert(runs());
	pg_sleep_for(&backend, CHECKPOINTER_MAIN, 1000, 0);
	ck_assert(!runs());
	ck_assert_uint_eq(known()->ended, 0);
}
END_TEST

/* An error in the middle: the checkpointer waits for work, and the end was never written down. */
START_TEST(test_failed)
{
	begins(1000);
	stats()->write_us = 1100;
	pg_sleep_for(&backend, FILE_SYNC, 1000, 0);
	ck_assert(runs());
	pg_sleep(&backend, CHECKPOINTER_MAIN);
	ck_assert(!runs());
	ck_assert_uint_eq(known()->ended, 1);
	ck_assert_int_eq(known()->kept[0].stats.end_us, 0);
	ck_assert_uint_eq(known()->kept[0].seen_ns, kernel.clock_ns);
}
END_TEST

/* It begins and ends, or ends and the next begins, without a boundary between. */
START_TEST(test_between_boundaries)
{
	begins(1000);
	stats()->end_us = 1400;
	pg_tick(&backend);
	ck_assert(!runs());
	ck_assert_uint_eq(known()->ended, 1);
	begins(2000);
	pg_tick(&backend);
	ck_assert(runs());
	begins(3000);
	pg_tick(&backend);
	ck_assert(runs());
	ck_assert_uint_eq(known()->ended, 2);
	ck_assert_int_eq(known()->kept[1].stats.start_us, 2000);
	ck_assert_int_eq(known()->kept[1].stats.end_us, 0);
	ck_assert_int_eq(known()->now.start_us, 3000);
}
END_TEST

/* The process is killed, and its memory gone; the next one begins with none. */
START_TEST(test_exit)
{
	begins(1000);
	pg_tick(&backend);
	ck_assert(runs());
	kernel.memory_is_gone = true;
	pg_exit(&backend);
	kernel.memory_is_gone = false;
	ck_assert(!runs());
	ck_assert_uint_eq(known()->ended, 1);
	ck_assert_int_eq(known()->kept[0].stats.end_us, 0);
	pg_process_done(&backend);
	pg_fork(&postmaster, &backend, 201);
	pg_arrive(&backend);
	pg_login(&backend, PG_TYPE_CHECKPOINTER, 0, 0);
	pg_sleep_for(&backend, CHECKPOINTER_MAIN, 1000, 0);
	ck_assert(!runs());
	ck_assert_uint_eq(known()->ended, 1);
	begins(5000);
	pg_tick(&backend);
	ck_assert(runs());
}
END_TEST

/* As many as there may be: the last ones are kept. */
START_TEST(test_many)
{
	for (int i = 1; i <= 3 * TAP_CHECKPOINTS_KEPT + 2; i++) {
		begins(1000 * i);
		stats()->end_us = 1000 * i + 500;
		pg_tick(&backend);
		ck_assert_uint_eq(known()->ended, i);
		ck_assert_int_eq(known()->kept[(i - 1) % TAP_CHECKPOINTS_KEPT].stats.start_us, 1000 * i);
	}
	ck_assert_int_eq(known()->kept[2].stats.start_us, 1000 * (2 * TAP_CHECKPOINTS_KEPT + 3));
}
END_TEST

/* No address, memory that is not there, another kind of process: nothing is read, nothing is said. */
START_TEST(test_nothing_to_read)
{
	__u32 zero = 0, seq = known()->seq;
	struct tap_instance *instance;

	begins(1000);
	kernel.memory_is_gone = true;
	pg_tick(&backend);
	kernel.memory_is_gone = false;
	ck_assert(!runs());
	ck_assert_uint_eq(known()->seq, seq);
	instance = bpf_map_lookup_elem(&instances, &zero);
	instance->addresses.checkpoint_stats = 0;
	pg_tick(&backend);
	ck_assert(!runs());
	instance->addresses.checkpoint_stats = FAKE_MEMORY_START + PG_CHECKPOINT;
	pg_account(&backend)->role = TAP_ROLE_FIXED;
	pg_tick(&backend);
	ck_assert(!runs());
	pg_account(&backend)->role = TAP_ROLE_BACKEND;
	pg_account(&backend)->identity.kind = TAP_KIND_CLIENT;
	pg_tick(&backend);
	ck_assert(!runs());
	ck_assert_uint_eq(known()->seq, seq);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/checkpoint");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, checkpoint_set_up, tear_down);
	tcase_add_test(tests, test_one);
	tcase_add_test(tests, test_waking_up_for_less);
	tcase_add_test(tests, test_skipped);
	tcase_add_test(tests, test_failed);
	tcase_add_test(tests, test_between_boundaries);
	tcase_add_test(tests, test_exit);
	tcase_add_test(tests, test_many);
	tcase_add_test(tests, test_nothing_to_read);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
