// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_lock_events.c - from records of the ring to the log: times of two clocks, waits adopted asleep, records that
 * make no sense, an instance whose lock tables cannot be read, and waits that nobody was told of.
 */
#include <string.h>
#include <unistd.h>

#include "bpf/abi/kind.h"
#include "tests/lib/check_main.h"
#include "userspace/consume/lock_events.h"

static const int64_t AHEAD_NS = 1700000000000000000;
static const int64_t PG_EPOCH_US = 946684800LL * 1000000;

static struct tap_live_options options;
static struct tap_instances instances;
static struct tap_followed followed;
static struct tap_texts texts;
static struct tap_lock_events *events;

static void set_up(void)
{
	memset(&followed, 0, sizeof(followed));
	tap_texts_init(&texts);
	instances = (struct tap_instances){ .options = &options, .items = &followed, .count = 1 };
	followed.target.pid = getpid();
	followed.alive = true;
	ck_assert_int_eq(tap_lock_events_new(&instances, &texts, &events), 0);
	tap_lock_events_set_clock(events, AHEAD_NS);
}

static void tear_down(void)
{
	tap_lock_events_free(events);
	tap_texts_done(&texts);
}

static struct tap_lock_event record_of(__u8 kind, __u64 begin_ns, __u64 end_ns)
{
	return (struct tap_lock_event){
		.kind = kind,
		.mode = TAP_LOCK_MODE_SHARE,
		.pid = 100,
		.tid = 100,
		.ns_pid = 100,
		.row = { .kind = TAP_KIND_CLIENT, .source = TAP_QUERY_ID_ENGINE, .query_id = 7, .parity = 1 },
		.lock = 0x1000,
		.wait_start = 500,
		.begin_ns = begin_ns,
		.end_ns = end_ns,
		.tag = { 742, 0, 0, TAP_LOCK_TRANSACTION << 16 | 1u << 24 },
	};
}

/* --- the kernel side: these stand in for the tracer's own --- */

static struct {
	uint64_t untold_ns;
	uint64_t age_ns;
	uint32_t most, late; /* how many were asked for, and how many there are */
	unsigned asked;
	uint32_t round;
} kernel_side;

uint64_t tap_lock_tell_untold_ns(const struct tap_lock_tell *tell, uint32_t instance)
{
	(void)tell;
	return instance ? 0 : kernel_side.untold_ns;
}

int tap_lock_tell_late(struct tap_lock_tell *tell, uint64_t age_ns, uint32_t most, uint32_t *ret_told)
{
	(void)tell;
	kernel_side.age_ns = age_ns;
	kernel_side.most = most;
	kernel_side.asked++;
	*ret_told = kernel_side.late < most ? kernel_side.late : most;
	return 0;
}

uint32_t tap_lock_tell_next_round(const struct tap_lock_tell *tell, uint32_t *ret_used)
{
	(void)tell;
	*ret_used = 0;
	return kernel_side.round++;
}

static void put(struct tap_lock_event record)
{
	ck_assert_int_eq(tap_lock_events_put(events, &record), 0);
}

START_TEST(test_begin_and_end)
{
	const struct tap_lock_log *log = tap_lock_events_log(events);
	struct tap_lock_event end = record_of(TAP_LOCK_EVENT_END, 1000, 51000);

	put(record_of(TAP_LOCK_EVENT_BEGIN, 1000, 0));
	ck_assert_uint_eq(log->n_open, 1);
	ck_assert_int_eq(log->open[0].begin_ns, AHEAD_NS + 1000);
	ck_assert_int_eq(log->open[0].wait_start_us, PG_EPOCH_US + 500);
	ck_assert_uint_eq(log->open[0].tag.type, TAP_LOCK_TRANSACTION);
	ck_assert_uint_eq(log->open[0].tag.field1, 742);
	ck_assert_uint_eq(log->open[0].row.parity, 0);
	ck_assert(!log->open[0].adopted);
	/* The two clocks have drifted since: the length is of one clock. */
	tap_lock_events_set_clock(events, AHEAD_NS + 5000000);
	end.status = TAP_LOCK_STATUS_ERROR;
	put(end);
	ck_assert_uint_eq(log->n_open, 0);
	ck_assert_uint_eq(log->n_past, 1);
	ck_assert_int_eq(log->past[0].waited_ns, 50000);
	ck_assert_uint_eq(log->past[0].outcome, TAP_LOCK_FAILED);
}
END_TEST

START_TEST(test_adopted)
{
	const struct tap_lock_log *log = tap_lock_events_log(events);
	struct tap_lock_event begin = record_of(TAP_LOCK_EVENT_BEGIN, 0, 0), end = begin;

	begin.adopted = 1;
	put(begin);
	ck_assert_int_eq(log->open[0].begin_ns, (PG_EPOCH_US + 500) * 1000);
	ck_assert(log->open[0].adopted);
	end.kind = TAP_LOCK_EVENT_END;
	end.end_ns = 9000;
	put(end);
	ck_assert_int_eq(log->past[0].waited_ns, AHEAD_NS + 9000 - (PG_EPOCH_US + 500) * 1000);
	/* It says nothing of what it waited for, and nobody else does: nothing to tell. */
	end.lock = 0;
	end.wait_start = 0;
	memset(end.tag, 0, sizeof(end.tag));
	put(end);
	ck_assert_uint_eq(log->n_past, 1);
}
END_TEST

START_TEST(test_hostile_records)
{
	const struct tap_lock_log *log = tap_lock_events_log(events);
	struct tap_lock_event record = record_of(TAP_LOCK_EVENT_BEGIN, 1000, 0);

	record.row.instance = TAP_INSTANCES_MAX;
	put(record);
	record.row.instance = 0xffffffff;
	put(record);
	record = record_of(77, 1000, 0);
	put(record);
	ck_assert_uint_eq(log->n_open, 0);
	record = record_of(TAP_LOCK_EVENT_BEGIN, UINT64_MAX, 0);
	record.wait_start = INT64_MAX;
	put(record);
	record.begin_ns = 0;
	record.wait_start = INT64_MIN;
	record.mode = 255;
	put(record);
	record = record_of(TAP_LOCK_EVENT_END, 5000, 1000);
	record.status = 99;
	put(record);
	record.begin_ns = 0;
	record.wait_start = INT64_MAX - 1;
	put(record);
	for (size_t i = 0; i < log->n_past; i++)
		ck_assert_int_ge(log->past[i].waited_ns, 0);
}
END_TEST

/* This process is no server: its tables cannot be read, which is said, tried again later, and stops nothing. */
START_TEST(test_unreadable)
{
	const char *why = NULL;

	ck_assert_int_eq(tap_lock_events_due_ms(events), -1);
	put(record_of(TAP_LOCK_EVENT_BEGIN, 1000, 0));
	ck_assert_int_eq(tap_lock_events_due_ms(events), 0);
	ck_assert_int_eq(tap_lock_events_settle(events, false), 0);
	ck_assert_int_gt(tap_lock_events_due_ms(events), 500);
	ck_assert_ptr_null(tap_lock_events_table(events, 0, &why));
	ck_assert_ptr_nonnull(why);
	ck_assert_str_ne(why, "");
	ck_assert_int_eq(tap_lock_events_settle(events, true), 0);
	ck_assert_uint_eq(tap_lock_events_log(events)->n_open, 1);
	ck_assert_ptr_null(tap_lock_events_table(events, TAP_INSTANCES_MAX, &why));
	/* The server has ended: so have its waits. */
	followed.alive = false;
	ck_assert_int_eq(tap_lock_events_settle(events, false), 0);
	ck_assert_uint_eq(tap_lock_events_log(events)->n_open, 0);
	ck_assert_uint_eq(tap_lock_events_log(events)->past[0].outcome, TAP_LOCK_VANISHED);
	ck_assert_int_eq(tap_lock_events_due_ms(events), -1);
	tap_lock_events_free(NULL);
}
END_TEST

/* Where nobody is told of some waits: their tables are read, and those that last are asked for, as long as need be. */
START_TEST(test_untold)
{
	struct tap_lock_tell tell = { NULL, NULL };

	memset(&kernel_side, 0, sizeof(kernel_side));
	ck_assert_int_eq(tap_lock_events_ask(events, true), 0);
	ck_assert_uint_eq(kernel_side.asked, 0);
	tap_lock_events_set_tell(events, &tell, -1);
	ck_assert_int_eq(tap_lock_events_ask(events, false), 0);
	ck_assert_uint_eq(kernel_side.asked, 0);
	ck_assert(!tap_lock_events_are_many(events));
	ck_assert_int_eq(tap_lock_events_due_ms(events), -1);
	ck_assert_int_eq(tap_lock_events_step_ms(events), -1);
	kernel_side.untold_ns = 5000;
	ck_assert_int_eq(tap_lock_events_ask(events, false), 0);
	ck_assert_uint_eq(kernel_side.asked, 1);
	ck_assert_uint_eq(kernel_side.age_ns, TAP_LOCK_LONG_NS);
	ck_assert(tap_lock_events_are_many(events));
	ck_assert_int_eq(tap_lock_events_due_ms(events), 0);
	ck_assert_int_gt(tap_lock_events_step_ms(events), 0);
	/* Not at each step; but at each view, for all of them, and then the sums are read. */
	ck_assert_int_eq(tap_lock_events_ask(events, false), 0);
	ck_assert_uint_eq(kernel_side.asked, 1);
	ck_assert_uint_eq(kernel_side.round, 0);
	ck_assert_int_eq(tap_lock_events_ask(events, true), 0);
	ck_assert_uint_eq(kernel_side.asked, 2);
	ck_assert_uint_eq(kernel_side.age_ns, 0);
	ck_assert_uint_eq(kernel_side.round, 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lock_events");
	TCase *tcase = tcase_create("lock_events");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_begin_and_end);
	tcase_add_test(tcase, test_adopted);
	tcase_add_test(tcase, test_hostile_records);
	tcase_add_test(tcase, test_unreadable);
	tcase_add_test(tcase, test_untold);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
