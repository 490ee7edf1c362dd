// SPDX-License-Identifier: BSD-2-Clause
/* test_statement_log.c - correlate/statement_log: records as the kernel sends them, and as it would never. */
#include "correlate/statement_log.h"

#include <errno.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_statement_log slow;

static struct {
	struct tap_statement_event event;
	char text[TAP_STATEMENT_TEXT];
} record;

static void set_up(void)
{
	tap_statement_log_init(&slow);
	memset(&record, 'x', sizeof(record));
	memset(&record.event, 0, sizeof(record.event));
	record.event.key.kind = TAP_KIND_CLIENT;
	record.event.monotonic_ns = 500;
}

static void tear_down(void)
{
	tap_statement_log_done(&slow);
}

static int put(uint64_t duration_ns)
{
	record.event.duration_ns = duration_ns;
	return tap_statement_log_put(&slow, &record, sizeof(record), 1000);
}

START_TEST(test_kept)
{
	memcpy(record.text, "select 1", 9);
	record.event.text_size = 8;
	ck_assert_int_eq(put(7), 0);
	ck_assert_uint_eq(slow.count, 1);
	ck_assert_str_eq(slow.items[0].text, "select 1");
	ck_assert_int_eq(slow.items[0].ended_realtime_ns, 1500);
	tap_statement_log_next(&slow);
	ck_assert_uint_eq(slow.count, 0);
	/* A text that nothing ends is as long as the record says. */
	record.event.text_size = TAP_STATEMENT_TEXT;
	memset(record.text, 'y', sizeof(record.text));
	ck_assert_int_eq(put(7), 0);
	ck_assert_uint_eq(strlen(slow.items[0].text), TAP_STATEMENT_TEXT);
	tap_statement_log_done(NULL);
}
END_TEST

START_TEST(test_contradictions)
{
	ck_assert_int_eq(tap_statement_log_put(&slow, &record, sizeof(record.event) - 1, 0), -EBADMSG);
	record.event.text_size = TAP_STATEMENT_TEXT + 1;
	ck_assert_int_eq(put(1), -EBADMSG);
	record.event.text_size = UINT32_MAX;
	ck_assert_int_eq(put(1), -EBADMSG);
	record.event.text_size = 0;
	record.event.key.kind = TAP_KIND_NONE;
	ck_assert_int_eq(put(1), -EBADMSG);
	ck_assert_uint_eq(slow.count, 0);
}
END_TEST

/* Of too many the shortest give way, and are counted. */
START_TEST(test_full)
{
	for (uint64_t i = 0; i < TAP_STATEMENT_LOG_MAX; i++)
		ck_assert_int_eq(put(100 + i), 0);
	ck_assert_int_eq(put(50), 0);
	ck_assert_uint_eq(slow.dropped, 1);
	ck_assert_uint_eq(slow.items[0].event.duration_ns, 100);
	ck_assert_int_eq(put(1000000), 0);
	ck_assert_uint_eq(slow.dropped, 2);
	ck_assert_uint_eq(slow.count, TAP_STATEMENT_LOG_MAX);
	ck_assert_uint_eq(slow.items[0].event.duration_ns, 1000000);
}
END_TEST

START_TEST(test_out_of_memory)
{
	for (long n = 1; n <= 2; n++) {
		tap_alloc_fail_at(n);
		ck_assert_int_eq(put(1), -ENOMEM);
		tap_alloc_fail_at(0);
		ck_assert_uint_eq(slow.count, 0);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/statement_log");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_add_test(all, test_kept);
	tcase_add_test(all, test_contradictions);
	tcase_add_test(all, test_full);
	tcase_add_test(all, test_out_of_memory);
	suite_add_tcase(suite, all);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
