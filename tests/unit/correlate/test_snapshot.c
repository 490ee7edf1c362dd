// SPDX-License-Identifier: BSD-2-Clause
/* test_snapshot.c - correlate/snapshot: what is in progress is split rightly; cut, contradictory and random streams. */
#include "correlate/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

enum {
	LOCK_EVENT = 0x03000004,
	IO_EVENT = 0x0a000012,
};

static struct tap_snapshot snapshot;

static void set_up(void)
{
	tap_snapshot_init(&snapshot);
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_snapshot_done(&snapshot);
	tap_snapshot_done(&snapshot);
	tap_snapshot_done(NULL);
}

static struct tap_row_key key_of(uint64_t query_id)
{
	return (struct tap_row_key){ .instance = 3, .kind = TAP_KIND_CLIENT, .source = 1, .query_id = query_id };
}

static const struct tap_row *row_of(uint64_t query_id)
{
	struct tap_row_key key = key_of(query_id);
	const struct tap_row *row = tap_row_set_find(&snapshot.rows, &key);

	ck_assert_ptr_nonnull(row);
	return row;
}

/* A client at 10,000 whose last boundary was at 9,000: it then went to sleep in query 1. Counters grew a little. */
static struct tap_task_record record_asleep(void)
{
	struct tap_task_record record = { .size = sizeof(record),
					  .tid = 50,
					  .tgid = 50,
					  .instance = 3,
					  .now_ns = 10000,
					  .last_ns = 9000,
					  .arrival_ns = 8500,
					  .last_arrival_ns = 8500,
					  .role = TAP_ROLE_BACKEND,
					  .off = TAP_OFF_SLEEP,
					  .asleep = 1,
					  .in_statement = 1,
					  .sleep_event = LOCK_EVENT };

	record.seen.run_delay_ns = 700;
	record.seen.sum_exec_ns = 333;
	record.current = record.seen;
	record.identity.kind = TAP_KIND_CLIENT;
	record.current_row = record.sleep_row = key_of(1);
	return record;
}

static void assert_split(int64_t cpu_ns, int64_t runq_ns, int64_t wait_ns, int64_t unknown_ns)
{
	const struct tap_row *row = row_of(1);

	ck_assert_int_eq((int64_t)row->account.cpu_ns, cpu_ns);
	ck_assert_int_eq((int64_t)row->account.runq_ns, runq_ns);
	ck_assert_int_eq(tap_row_wait_ns(row), wait_ns);
	ck_assert_int_eq(row->account.unknown_ns, unknown_ns);
}

START_TEST(test_asleep)
{
	struct tap_task_record record = record_asleep();

	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	assert_split(0, 0, 1000, 0);
	ck_assert_uint_eq(row_of(1)->waits[0].open, 1);
	ck_assert_uint_eq(row_of(1)->waits[0].count, 0);
	ck_assert_uint_eq(row_of(1)->waits[0].event, LOCK_EVENT);
	ck_assert_uint_eq(row_of(1)->running, 1);
	ck_assert_uint_eq(snapshot.n_threads, 1);
	ck_assert(snapshot.threads[0].asleep);
	ck_assert_uint_eq(snapshot.threads[0].event, LOCK_EVENT);
	ck_assert_int_eq(snapshot.threads[0].wait_ns, 1000);
	ck_assert_int_eq(snapshot.threads[0].tid, 50);
	ck_assert_uint_eq(snapshot.threads[0].row.query_id, 1);
}
END_TEST

/* Woken, and waits for a CPU; before that it was queued on another one for 40. */
START_TEST(test_queued_after_a_sleep)
{
	struct tap_task_record record = record_asleep();

	record.last_queued_ns = 9900;
	record.current.run_delay_ns += 40;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	assert_split(0, 140, 860, 0);
	ck_assert(!snapshot.threads[0].asleep);
}
END_TEST

/* Woken and on a CPU again, not at a boundary yet. */
START_TEST(test_on_cpu_after_a_sleep)
{
	struct tap_task_record record = record_asleep();

	record.on_cpu = 1;
	record.last_arrival_ns = 9800;
	record.current.run_delay_ns += 30;
	record.current.sum_exec_ns += 55; /* lags: the clock is what counts */
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	assert_split(200, 30, 770, 0);
	ck_assert(!snapshot.threads[0].asleep);
}
END_TEST

/* On the CPU since a tick. */
START_TEST(test_on_cpu_all_the_time)
{
	struct tap_task_record record = record_asleep();

	record.on_cpu = 1;
	record.asleep = 0;
	record.off = TAP_OFF_NONE;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	assert_split(1000, 0, 0, 0);
	ck_assert_uint_eq(row_of(1)->n_waits, 0);
}
END_TEST

START_TEST(test_preempted)
{
	struct tap_task_record record = record_asleep();

	record.asleep = 0;
	record.off = TAP_OFF_PREEMPTED;
	record.last_queued_ns = 9005;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	assert_split(0, 995, 0, 5);
	ck_assert(!snapshot.threads[0].asleep);
}
END_TEST

/* Asleep with an event that could not be read. */
START_TEST(test_asleep_for_what)
{
	struct tap_task_record record = record_asleep();

	record.asleep = 0;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	assert_split(0, 0, 0, 1000);
}
END_TEST

/* Adopted while it was on a run queue: what came before is taken off the delay. */
START_TEST(test_queued_since_before_the_adoption)
{
	struct tap_task_record record = record_asleep();

	record.asleep = 0;
	record.off = TAP_OFF_NONE;
	record.last_queued_ns = 8000;
	record.seen.run_delay_ns += 1000;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	assert_split(0, 1000, 0, 0);
}
END_TEST

static struct tap_task_record record_forked(void)
{
	struct tap_task_record record = record_asleep();

	record.last_ns = record.arrival_ns = record.last_arrival_ns = 0;
	record.asleep = record.in_statement = 0;
	record.off = TAP_OFF_NONE;
	record.seen.run_delay_ns = record.current.run_delay_ns = 0;
	record.identity.kind = TAP_KIND_STARTING;
	memset(&record.current_row, 0, sizeof(record.current_row));
	return record;
}

static const struct tap_row *row_starting(void)
{
	struct tap_row_key key = { .instance = 3, .kind = TAP_KIND_STARTING };

	return tap_row_set_find(&snapshot.rows, &key);
}

START_TEST(test_forked_and_on_its_first_cpu)
{
	struct tap_task_record record = record_forked();

	record.on_cpu = 1;
	record.last_arrival_ns = 9400;
	record.current.run_delay_ns = 60;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	ck_assert_uint_eq(row_starting()->account.cpu_ns, 600);
	ck_assert_uint_eq(row_starting()->account.runq_ns, 60);
	ck_assert_int_eq(row_starting()->account.unknown_ns, 0);
	ck_assert_uint_eq(row_starting()->running, 0);
	ck_assert_uint_eq(snapshot.threads[0].row.kind, TAP_KIND_STARTING);
}
END_TEST

START_TEST(test_forked_and_never_run)
{
	struct tap_task_record record = record_forked();

	record.last_queued_ns = 9950;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	ck_assert_uint_eq(row_starting()->account.cpu_ns, 0);
	ck_assert_uint_eq(row_starting()->account.runq_ns, 50);
	ck_assert_int_eq(row_starting()->account.unknown_ns, 0);
}
END_TEST

/* Not even queued: no time at all. */
START_TEST(test_forked_and_not_yet_woken)
{
	struct tap_task_record record = record_forked();

	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	ck_assert_int_eq(tap_row_elapsed_ns(row_starting()), 0);
}
END_TEST

START_TEST(test_counters_since_the_last_boundary)
{
	struct tap_task_record record = record_asleep();

	record.current.minor_faults = 1;
	record.current.major_faults = 2;
	record.current.rchar_bytes = 3;
	record.current.wchar_bytes = 4;
	record.current.read_bytes = 5;
	record.seen.dirtied_bytes = 1;
	record.current.dirtied_bytes = 7;
	record.torn = 1;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	ck_assert_uint_eq(row_of(1)->account.minor_faults, 1);
	ck_assert_uint_eq(row_of(1)->account.major_faults, 2);
	ck_assert_uint_eq(row_of(1)->account.rchar_bytes, 3);
	ck_assert_uint_eq(row_of(1)->account.wchar_bytes, 4);
	ck_assert_uint_eq(row_of(1)->account.read_bytes, 5);
	ck_assert_uint_eq(row_of(1)->account.dirtied_bytes, 6);
	ck_assert_uint_eq(snapshot.torn, 1);
	ck_assert_uint_eq(snapshot.threads[0].account.dirtied_bytes, 6);
}
END_TEST

static struct tap_way way_of(uint64_t query_id)
{
	struct tap_way way = { .key = key_of(query_id) };

	way.key.parity = 1; /* never, but it must not matter */
	way.account.cpu_ns = 100 * query_id;
	way.account.calls = query_id;
	way.waits[0] = (struct tap_wait){ .event = LOCK_EVENT, .count = 2, .ns = 20 };
	way.waits[7] = (struct tap_wait){ .event = IO_EVENT, .count = 1, .ns = -3 };
	way.waits[3] = (struct tap_wait){ .event = 99 }; /* free */
	return way;
}

START_TEST(test_ways)
{
	struct tap_task_record record = record_asleep();
	struct tap_way ways[] = { way_of(1), way_of(2), way_of(3) };

	record.n_ways = 3;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, ways), 0);
	ck_assert_uint_eq(snapshot.rows.count, 3);
	ck_assert_uint_eq(row_of(1)->n_waits, 2);
	ck_assert_int_eq(tap_row_wait_ns(row_of(1)), 17 + 1000);
	ck_assert_int_eq(tap_row_wait_ns(row_of(2)), 17);
	ck_assert_uint_eq(row_of(3)->account.cpu_ns, 300);
	ck_assert_uint_eq(row_of(3)->account.calls, 3);
	ck_assert_uint_eq(snapshot.threads[0].account.cpu_ns, 600);
	ck_assert_int_eq(snapshot.threads[0].wait_ns, 3 * 17 + 1000);
	ck_assert_uint_eq(snapshot.threads[0].sleeps, 9);
	/* The same rows of another thread. */
	record.tid = 51;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, ways), 0);
	ck_assert_uint_eq(snapshot.rows.count, 3);
	ck_assert_uint_eq(row_of(3)->account.cpu_ns, 600);
	ck_assert_uint_eq(row_of(1)->running, 2);
	ck_assert_uint_eq(row_of(1)->waits[0].open, 2);
}
END_TEST

START_TEST(test_contradictions)
{
	struct tap_task_record record = record_asleep();

	record.n_ways = TAP_WAYS + 1;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), -EBADMSG);
	record.n_ways = 0;
	record.identity.kind = TAP_KIND_COUNT;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), -EBADMSG);
	ck_assert_uint_eq(snapshot.n_threads, 0);
	ck_assert_uint_eq(snapshot.rows.count, 0);
}
END_TEST

/* Only a client has statements that run. */
START_TEST(test_running_is_for_clients)
{
	struct tap_task_record record = record_asleep();

	record.identity.kind = TAP_KIND_PARALLEL;
	ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
	ck_assert_uint_eq(row_of(1)->running, 0);
}
END_TEST

/* --- streams --- */

enum {
	STREAM_THREADS = 3,
};

/* Threads with one, two and three ways. Returns the size; the start of each in starts. */
static size_t stream_make(char *stream, size_t starts[STREAM_THREADS + 1])
{
	size_t size = 0;

	for (uint32_t i = 0; i < STREAM_THREADS; i++) {
		struct tap_task_record record = record_asleep();

		starts[i] = size;
		record.tid += (int32_t)i;
		record.n_ways = i + 1;
		record.size = (uint32_t)(sizeof(record) + record.n_ways * sizeof(struct tap_way));
		memcpy(stream + size, &record, sizeof(record));
		size += sizeof(record);
		for (uint32_t j = 0; j < record.n_ways; j++) {
			struct tap_way way = way_of(j + 1);

			memcpy(stream + size, &way, sizeof(way));
			size += sizeof(way);
		}
	}
	starts[STREAM_THREADS] = size;
	return size;
}

START_TEST(test_stream)
{
	char stream[8192];
	size_t starts[STREAM_THREADS + 1], size = stream_make(stream, starts);

	ck_assert_int_eq(tap_snapshot_add_stream(&snapshot, NULL, 0), 0);
	ck_assert_int_eq(tap_snapshot_add_stream(&snapshot, stream, size), 0);
	ck_assert_uint_eq(snapshot.n_threads, 3);
	ck_assert_uint_eq(row_of(1)->account.calls, 3);
	ck_assert_uint_eq(row_of(2)->account.calls, 2 * 2);
	ck_assert_uint_eq(row_of(3)->account.calls, 3);
}
END_TEST

/* Cut at every byte: in memory of exactly that size, so that a read past the end is seen. */
START_TEST(test_stream_cut_anywhere)
{
	char stream[8192];
	size_t starts[STREAM_THREADS + 1], size = stream_make(stream, starts);

	for (size_t cut = 0; cut <= size; cut++) {
		size_t whole = 0;
		char *copy = malloc(cut ? cut : 1);
		int status;

		memcpy(copy, stream, cut);
		while (whole < STREAM_THREADS && starts[whole + 1] <= cut)
			whole++;
		status = tap_snapshot_add_stream(&snapshot, copy, cut);
		ck_assert_int_eq(status, cut == starts[whole] ? 0 : -EBADMSG);
		ck_assert_uint_eq(snapshot.n_threads, whole);
		free(copy);
		tap_snapshot_done(&snapshot);
	}
}
END_TEST

/* The head of the second record is wrong in size or number of ways. */
static const struct {
	uint32_t size, n_ways;
} wrong_heads[] = {
	{ 0, 0 },
	{ 0, 2 },
	{ sizeof(struct tap_task_record), 2 },
	{ sizeof(struct tap_task_record) + 2 * sizeof(struct tap_way), 1 },
	{ sizeof(struct tap_task_record) + 2 * sizeof(struct tap_way), 3 },
	{ sizeof(struct tap_task_record) + 2 * sizeof(struct tap_way) + 1, 2 },
	{ sizeof(struct tap_task_record) + 13 * sizeof(struct tap_way), 13 },
	{ UINT32_MAX, UINT32_MAX },
	{ sizeof(struct tap_task_record), UINT32_MAX / 256 + 1 },
	{ sizeof(struct tap_task_record) + 12 * sizeof(struct tap_way), 12 }, /* more than there is */
};

START_TEST(test_stream_with_a_wrong_head)
{
	char stream[8192];
	size_t starts[STREAM_THREADS + 1], size = stream_make(stream, starts);
	struct tap_task_record record;

	memcpy(&record, stream + starts[1], sizeof(record));
	record.size = wrong_heads[_i].size;
	record.n_ways = wrong_heads[_i].n_ways;
	memcpy(stream + starts[1], &record, sizeof(record));
	ck_assert_int_eq(tap_snapshot_add_stream(&snapshot, stream, size), -EBADMSG);
	ck_assert_uint_eq(snapshot.n_threads, 1);
}
END_TEST

START_TEST(test_random_bytes)
{
	char stream[8192];
	size_t starts[STREAM_THREADS + 1], size = stream_make(stream, starts);

	srand((unsigned)_i + 1);
	for (int round = 0; round < 3000; round++) {
		char hostile[8192];
		int status;

		memcpy(hostile, stream, size);
		for (int i = rand() % 8; i >= 0; i--)
			hostile[(size_t)rand() % size] = (char)rand();
		if (round % 10 == 0) {
			for (size_t i = 0; i < size; i++)
				hostile[i] = (char)rand();
		}
		status = tap_snapshot_add_stream(&snapshot, hostile, size);
		ck_assert(status == 0 || status == -EBADMSG);
		if (round % 20 == 0)
			tap_snapshot_done(&snapshot);
	}
}
END_TEST

/* Figures of hostile size. */
START_TEST(test_extreme_numbers)
{
	static const uint64_t extremes[] = { 0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX };

	for (int i = 0; i < 5 * 5 * 5 * 5; i++) {
		struct tap_task_record record = record_asleep();

		record.now_ns = extremes[i % 5];
		record.last_ns = extremes[i / 5 % 5];
		record.last_arrival_ns = extremes[i / 25 % 5];
		record.last_queued_ns = extremes[i / 125 % 5];
		record.current.run_delay_ns = extremes[(i + 3) % 5];
		record.on_cpu = i % 2;
		ck_assert_int_eq(tap_snapshot_add_thread(&snapshot, &record, NULL), 0);
		tap_snapshot_done(&snapshot);
	}
}
END_TEST

START_TEST(test_out_of_memory)
{
	char stream[8192];
	size_t starts[STREAM_THREADS + 1], size = stream_make(stream, starts);
	long n;

	for (n = 1;; n++) {
		int status;

		tap_alloc_fail_at(n);
		status = tap_snapshot_add_stream(&snapshot, stream, size);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert_int_eq(status, -ENOMEM);
		tap_snapshot_done(&snapshot);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_gt(n, 6);
	ck_assert_uint_eq(snapshot.n_threads, 3);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/snapshot");
	TCase *one = tcase_create("one thread");
	TCase *streams = tcase_create("streams");

	tcase_add_checked_fixture(one, set_up, tear_down);
	tcase_add_test(one, test_asleep);
	tcase_add_test(one, test_queued_after_a_sleep);
	tcase_add_test(one, test_on_cpu_after_a_sleep);
	tcase_add_test(one, test_on_cpu_all_the_time);
	tcase_add_test(one, test_preempted);
	tcase_add_test(one, test_asleep_for_what);
	tcase_add_test(one, test_queued_since_before_the_adoption);
	tcase_add_test(one, test_forked_and_on_its_first_cpu);
	tcase_add_test(one, test_forked_and_never_run);
	tcase_add_test(one, test_forked_and_not_yet_woken);
	tcase_add_test(one, test_counters_since_the_last_boundary);
	tcase_add_test(one, test_ways);
	tcase_add_test(one, test_contradictions);
	tcase_add_test(one, test_running_is_for_clients);
	tcase_add_checked_fixture(streams, set_up, tear_down);
	tcase_set_timeout(streams, 60);
	tcase_add_test(streams, test_stream);
	tcase_add_test(streams, test_stream_cut_anywhere);
	tcase_add_loop_test(streams, test_stream_with_a_wrong_head, 0,
			    (int)(sizeof(wrong_heads) / sizeof(wrong_heads[0])));
	tcase_add_loop_test(streams, test_random_bytes, 0, 3);
	tcase_add_test(streams, test_extreme_numbers);
	tcase_add_test(streams, test_out_of_memory);
	suite_add_tcase(suite, one);
	suite_add_tcase(suite, streams);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
