// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_block.c - the programs of block requests over a fake disk: whose row each byte, request and nanosecond goes to,
 * and what odd requests do: in parts, failed, merged, flushed.
 */
#include "tests/unit/bpf/fake/one_disk.h"

#include "tests/lib/check_main.h"

static struct fake_request merged;

START_TEST(test_a_read)
{
	struct tap_io io;

	fake_request_init(&request, BLOCK_READ, &relation.pages[8], 4 * PAGE);
	calls(&other, SYSCALL_PREAD, 0, 2 * PAGE, 9 * PAGE);
	passes(&request);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.requests, 1);
	ck_assert_uint_eq(io.bytes, 4 * PAGE);
	ck_assert_uint_eq(io.pattern_bytes[TAP_PATTERN_RANDOM], 4 * PAGE);
	ck_assert_uint_eq(io.asked_bytes, 2 * PAGE);
	ck_assert_uint_eq(io.failed, 0);
	ck_assert_uint_eq(io.queue_ns, 300);
	ck_assert_uint_eq(io.device_ns, 5000);
	ck_assert_uint_eq(io.max_ns, 5300);
	ck_assert_uint_eq(io.sizes[tap_size_bucket(4 * PAGE)], 1);
	ck_assert_uint_eq(io.latency[tap_latency_bucket(5300)], 1);
	ck_assert_uint_eq(io.device_latency[tap_latency_bucket(5000)], 1);
	/* The next pages continue it, when it is not the same call that reads them ahead. */
	calls(&other, SYSCALL_PREAD, 0, PAGE, 11 * PAGE);
	fake_request_init(&request, BLOCK_READ, &relation.pages[12], PAGE);
	passes(&request);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.pattern_bytes[TAP_PATTERN_SEQUENTIAL], PAGE);
	ck_assert_uint_eq(io.requests, 2);
}
END_TEST

START_TEST(test_what_is_not_looked_at)
{
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	gate_open = false;
	passes(&request);
	gate_open = true;
	fake_disk.first_minor = 32;
	passes(&request);
	fake_disk.first_minor = 16;
	request.bio.bi_opf = 34; /* a driver's command */
	passes(&request);
	request.bio.bi_opf = 2; /* the flush machinery's own */
	passes(&request);
	request.bio.bi_opf = BLOCK_READ;
	request.rq.bio = NULL;
	passes(&request);
	/* Submitted before the attach. */
	on_block_rq_issue(&request.rq);
	on_block_rq_complete(&request.rq, 0, PAGE);
	ck_assert_uint_eq(io_totals_used, 0);
	ck_assert_uint_eq(slots_used(), 0);
}
END_TEST

/* Detached while it was on its way: its entry is of an earlier epoch. */
START_TEST(test_earlier_epoch)
{
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	submitted(&request, 10);
	io_epoch++;
	issued(&request, 10);
	on_block_rq_complete(&request.rq, 0, PAGE);
	ck_assert_uint_eq(bytes_of_all(), 0);
	passes(&request);
	ck_assert_uint_eq(bytes_of_all(), PAGE);
	ck_assert_uint_eq(slots_used(), 1);
}
END_TEST

START_TEST(test_partial_completions)
{
	struct tap_io io;

	fake_request_init(&request, BLOCK_READ, &relation.pages[0], 8 * PAGE);
	submitted(&request, 100);
	issued(&request, 1000);
	on_block_rq_complete(&request.rq, 0, 3 * PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.bytes, 3 * PAGE);
	ck_assert_uint_eq(io.requests, 0);
	request.rq.__data_len -= 3 * PAGE;
	request.bio.bi_iter.bi_size -= 3 * PAGE;
	clock_advance(500);
	on_block_rq_complete(&request.rq, 0, 5 * PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.bytes, 8 * PAGE);
	ck_assert_uint_eq(io.requests, 1);
	ck_assert_uint_eq(io.sizes[tap_size_bucket(8 * PAGE)], 1);
	ck_assert_uint_eq(io.device_ns, 1500);
}
END_TEST

START_TEST(test_failed)
{
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	submitted(&request, 0);
	issued(&request, 0);
	on_block_rq_complete(&request.rq, -5, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).failed, 1);
}
END_TEST

/* Time on the disk counts from the last issue. */
START_TEST(test_requeued)
{
	struct tap_io io;

	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	submitted(&request, 100);
	issued(&request, 1000);
	on_block_rq_requeue(&request.rq);
	clock_advance(4000);
	issued(&request, 700);
	on_block_rq_complete(&request.rq, 0, PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.queue_ns, 5100);
	ck_assert_uint_eq(io.device_ns, 700);
	/* Given up before it was issued again: nothing tells how long it was with the disk. */
	submitted(&request, 100);
	issued(&request, 1000);
	on_block_rq_requeue(&request.rq);
	on_block_rq_complete(&request.rq, -5, PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.queue_ns, 5100);
	ck_assert_uint_eq(io.device_ns, 700 + 1100);
}
END_TEST

/* Bytes of a bio that joined go to its own row and file; the request stays one, its owner's. */
START_TEST(test_merged_bios)
{
	fake_request_init(&request, BLOCK_WRITE, &relation.pages[0], 2 * PAGE);
	submitted(&request, 10);
	runs(&kworker);
	fake_bio_init(&merged, BLOCK_WRITE, &second.pages[0], 3 * PAGE);
	on_block_bio_backmerge(&merged.bio);
	fake_bio_append(&request, &merged);
	issued(&request, 10);
	on_block_rq_complete(&request.rq, 0, 5 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).bytes, 2 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).requests, 1);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).sizes[tap_size_bucket(5 * PAGE)], 1);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).bytes, 3 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).requests, 0);
	ck_assert_uint_eq(fake_map_of(&bio_to_io)->count, 0);
}
END_TEST

/* A completion that ends within a joined bio: what is left of it comes with the next one. */
START_TEST(test_merged_and_partial)
{
	fake_request_init(&request, BLOCK_WRITE, &relation.pages[0], 2 * PAGE);
	submitted(&request, 10);
	runs(&kworker);
	fake_bio_init(&merged, BLOCK_WRITE, &second.pages[0], 4 * PAGE);
	on_block_bio_frontmerge(&merged.bio);
	merged.bio.bi_next = &request.bio;
	request.rq.bio = &merged.bio;
	request.rq.__data_len += 4 * PAGE;
	on_block_rq_complete(&request.rq, 0, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).bytes, PAGE);
	merged.bio.bi_iter.bi_size -= PAGE;
	request.rq.__data_len -= PAGE;
	on_block_rq_complete(&request.rq, 0, 5 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).bytes, 4 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).bytes, 2 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).requests, 1);
}
END_TEST

START_TEST(test_merged_requests)
{
	fake_request_init(&request, BLOCK_WRITE, &relation.pages[0], 2 * PAGE);
	submitted(&request, 10);
	runs(&kworker);
	fake_request_init(&merged, BLOCK_WRITE, &second.pages[0], 3 * PAGE);
	submitted(&merged, 10);
	fake_bio_append(&request, &merged);
	on_block_rq_merge(&merged.rq);
	issued(&request, 10);
	on_block_rq_complete(&request.rq, 0, 5 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).bytes, 2 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).bytes, 3 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).requests, 0);
	/* The other request's structure is free for another. */
	on_block_rq_complete(&merged.rq, 0, 3 * PAGE);
	ck_assert_uint_eq(bytes_of_all(), 5 * PAGE);
}
END_TEST

/* More bios than are looked up: nothing is lost, the rest is the request's own. */
START_TEST(test_many_merged_bios)
{
	static struct fake_request many[BIOS_MAX + 8];

	fake_request_init(&request, BLOCK_WRITE, &relation.pages[0], PAGE);
	submitted(&request, 10);
	runs(&kworker);
	for (int i = 0; i < BIOS_MAX + 8; i++) {
		fake_bio_init(&many[i], BLOCK_WRITE, &second.pages[i], PAGE);
		on_block_bio_backmerge(&many[i].bio);
		fake_bio_append(&request, &many[i]);
	}
	on_block_rq_complete(&request.rq, 0, (BIOS_MAX + 9) * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).bytes, (BIOS_MAX - 1) * PAGE);
	ck_assert_uint_eq(bytes_of_all(), (BIOS_MAX + 9) * PAGE);
}
END_TEST

/* A write that is flushed behind: completed with its data, and once more without. */
START_TEST(test_flush_sequence)
{
	struct tap_io io;

	fake_request_init(&request, BLOCK_WRITE | FAKE_OP_PREFLUSH, &relation.pages[0], 2 * PAGE);
	submitted(&request, 10);
	request.rq.rq_flags = flag_flush_sequence();
	issued(&request, 500);
	on_block_rq_complete(&request.rq, 0, 2 * PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE);
	ck_assert_uint_eq(io.requests, 0);
	request.rq.rq_flags = 0;
	request.rq.__data_len = 0;
	request.bio.bi_iter.bi_size = 0;
	clock_advance(300);
	on_block_rq_complete(&request.rq, 0, 0);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE);
	ck_assert_uint_eq(io.requests, 1);
	ck_assert_uint_eq(io.bytes, 2 * PAGE);
	ck_assert_uint_eq(io.device_ns, 800);
}
END_TEST

START_TEST(test_flush_discard_zeroes)
{
	fake_request_init(&request, BLOCK_WRITE | FAKE_OP_PREFLUSH, NULL, 0);
	submitted(&request, 900);
	on_block_rq_complete(&request.rq, 0, 0);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_FLUSH).requests, 1);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_FLUSH).device_ns, 900);
	fake_request_init(&request, BLOCK_DISCARD, &relation.pages[0], 1 << 20);
	request.bio.bi_io_vec = NULL;
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_DISCARD).bytes, 1 << 20);
	/* Zeroes carry no pages, whatever their bio points to. */
	fake_request_init(&request, 9, &relation.pages[0], 1 << 20);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_WRITE).bytes, 1 << 20);
}
END_TEST

/* Where there is no block_io_start: the bio is met before its request. */
START_TEST(test_without_io_start)
{
	struct tap_io io;

	fake_has_block_io_start = false;
	fake_request_init(&request, BLOCK_WRITE, &relation.pages[0], 2 * PAGE);
	on_block_getrq(&request.bio);
	clock_advance(300);
	runs(&kworker);
	issued(&request, 5000);
	on_block_rq_complete(&request.rq, 0, 2 * PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE);
	ck_assert_uint_eq(io.bytes, 2 * PAGE);
	ck_assert_uint_eq(io.requests, 1);
	ck_assert_uint_eq(io.queue_ns, 300);
	ck_assert_uint_eq(io.device_ns, 5000);
	/* A flush is never issued itself. */
	fake_request_init(&request, BLOCK_WRITE | FAKE_OP_PREFLUSH, NULL, 0);
	on_block_getrq(&request.bio);
	on_block_rq_complete(&request.rq, 0, 0);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, NULL, TAP_IO_FLUSH).requests, 1);
	ck_assert_uint_eq(fake_map_of(&bio_to_io)->count, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/block");
	TCase *tests = tcase_create("requests");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_a_read);
	tcase_add_test(tests, test_what_is_not_looked_at);
	tcase_add_test(tests, test_earlier_epoch);
	tcase_add_test(tests, test_partial_completions);
	tcase_add_test(tests, test_failed);
	tcase_add_test(tests, test_requeued);
	tcase_add_test(tests, test_merged_bios);
	tcase_add_test(tests, test_merged_and_partial);
	tcase_add_test(tests, test_merged_requests);
	tcase_add_test(tests, test_many_merged_bios);
	tcase_add_test(tests, test_flush_sequence);
	tcase_add_test(tests, test_flush_discard_zeroes);
	tcase_add_test(tests, test_without_io_start);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
