// SPDX-License-Identifier: BSD-2-Clause
/* test_io.c - correlate/io: sets, the difference of two, sums, percentiles; torn and hostile figures; no memory. */
#include "correlate/io.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

static struct tap_io_set begin, end, window;

static void set_up(void)
{
	tap_io_set_init(&begin);
	tap_io_set_init(&end);
	tap_io_set_init(&window);
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_io_set_done(&begin);
	tap_io_set_done(&end);
	tap_io_set_done(&window);
	tap_io_set_done(&window);
	tap_io_set_done(NULL);
}

static struct tap_io_key key_of(uint64_t inode)
{
	return (struct tap_io_key){ .file = { .inode = inode }, .disk = 8 << 20, .op = TAP_IO_READ };
}

static void request(struct tap_io_set *set, uint64_t inode, const struct tap_io *io)
{
	struct tap_io_key key = key_of(inode);

	ck_assert_int_eq(tap_io_set_add_request(set, &key, io), 0);
}

static void subtract(void)
{
	tap_io_set_done(&window);
	ck_assert_int_eq(tap_io_set_subtract(&end, &begin, &window), 0);
}

/* What the kernel side does not keep follows from what it does. */
START_TEST(test_of_total)
{
	struct tap_io_total total = { .key = key_of(1),
				      .pattern_bytes = { 4096, 8192, 1024 },
				      .ahead_bytes = 5000,
				      .queue_ns = 7,
				      .device_ns = 8,
				      .max_ns = 9,
				      .failed = 2,
				      .sizes = { 1, 0, 1ull << 33 },
				      .times = { [3] = { 4, 5 }, [191] = { 6, 0xffffffff } } };
	struct tap_io io;

	tap_io_of_total(&io, &total);
	ck_assert_uint_eq(io.requests, (1ull << 33) + 1);
	ck_assert_uint_eq(io.bytes, 13312);
	ck_assert_uint_eq(io.pattern_bytes[2], 1024);
	ck_assert_uint_eq(io.asked_bytes, 13312 - 5000);
	ck_assert(io.queue_ns == 7 && io.device_ns == 8 && io.max_ns == 9 && io.failed == 2);
	ck_assert(io.sizes[0] == 1 && io.latency[3] == 4 && io.device_latency[3] == 5);
	ck_assert(io.latency[191] == 6 && io.device_latency[191] == 0xffffffff);
	/* A completion in between: ahead may be in already, its bytes not. */
	total.ahead_bytes = 20000;
	tap_io_of_total(&io, &total);
	ck_assert_uint_eq(io.asked_bytes, 0);
	total.ahead_bytes = 0;
	total.key.op = TAP_IO_WRITE;
	total.pattern_bytes[1] = UINT64_MAX;
	tap_io_of_total(&io, &total);
	ck_assert_uint_eq(io.asked_bytes, 0);
	ck_assert_uint_eq(io.bytes, UINT64_MAX);
}
END_TEST

START_TEST(test_difference_of_requests)
{
	struct tap_io one = { .requests = 1, .bytes = 4096, .pattern_bytes = { 4096 }, .max_ns = 5000 };
	struct tap_io many = { .requests = 3,
			       .bytes = 20480,
			       .failed = 1,
			       .pattern_bytes = { 4096, 8192, 8192 },
			       .asked_bytes = 7,
			       .queue_ns = 8,
			       .device_ns = 9,
			       .max_ns = 5000 };

	one.sizes[3] = 1;
	many.sizes[3] = 3;
	one.latency[20] = 1;
	many.latency[20] = 2;
	many.latency[2] = 1;
	many.device_latency[1] = 3;
	request(&begin, 1, &one);
	request(&begin, 2, &one);
	request(&end, 2, &one); /* did not change */
	request(&end, 1, &many);
	request(&end, 3, &one); /* new */
	subtract();
	ck_assert_uint_eq(window.n_requests, 2);
	ck_assert_uint_eq(window.requests[0].key.file.inode, 1);
	ck_assert_uint_eq(window.requests[0].io.requests, 2);
	ck_assert_uint_eq(window.requests[0].io.bytes, 16384);
	ck_assert_uint_eq(window.requests[0].io.failed, 1);
	ck_assert_uint_eq(window.requests[0].io.pattern_bytes[0], 0);
	ck_assert_uint_eq(window.requests[0].io.pattern_bytes[2], 8192);
	ck_assert_uint_eq(window.requests[0].io.asked_bytes, 7);
	ck_assert_uint_eq(window.requests[0].io.queue_ns, 8);
	ck_assert_uint_eq(window.requests[0].io.device_ns, 9);
	ck_assert_uint_eq(window.requests[0].io.sizes[3], 2);
	ck_assert_uint_eq(window.requests[0].io.latency[20], 1);
	ck_assert_uint_eq(window.requests[0].io.latency[2], 1);
	ck_assert_uint_eq(window.requests[0].io.device_latency[1], 3);
	ck_assert_uint_eq(window.requests[1].key.file.inode, 3);
	ck_assert_uint_eq(window.requests[1].io.bytes, 4096);
}
END_TEST

/* The longest time is that of the window, not of all time before it. */
START_TEST(test_longest_time_of_the_window)
{
	struct tap_io before = { .requests = 1, .max_ns = 9000000 }, after = { .requests = 2, .max_ns = 9000000 };
	uint32_t bucket = tap_latency_bucket(3000);

	before.latency[tap_latency_bucket(9000000)] = 1;
	after.latency[tap_latency_bucket(9000000)] = 1;
	after.latency[bucket] = 1;
	request(&begin, 1, &before);
	request(&end, 1, &after);
	subtract();
	/* The top of its bucket: nothing in the window took longer. */
	ck_assert_uint_ge(window.requests[0].io.max_ns, 3000);
	ck_assert_uint_eq(tap_latency_bucket(window.requests[0].io.max_ns), bucket);
	ck_assert_uint_eq(tap_latency_bucket(window.requests[0].io.max_ns + 1), bucket + 1);
	end.requests[0].io.max_ns = 9000001;
	subtract();
	ck_assert_uint_eq(window.requests[0].io.max_ns, 9000001);
	/* Never above the longest that was seen. */
	begin.requests[0].io.max_ns = end.requests[0].io.max_ns = 2900;
	subtract();
	ck_assert_uint_eq(window.requests[0].io.max_ns, 2900);
}
END_TEST

/* What is read while it is written to, or made anew between the two, never goes below nothing. */
START_TEST(test_figures_that_shrank)
{
	struct tap_io before = { .requests = 5, .bytes = 5000, .queue_ns = 50 };
	struct tap_io torn = { .requests = 6, .bytes = 6000, .queue_ns = 40 };
	struct tap_io anew = { .requests = 2, .bytes = 2000, .queue_ns = 20 };

	request(&begin, 1, &before);
	request(&begin, 2, &before);
	request(&begin, 3, &before); /* gone */
	request(&end, 1, &torn);
	request(&end, 2, &anew);
	subtract();
	ck_assert_uint_eq(window.n_requests, 2);
	ck_assert_uint_eq(window.requests[0].io.bytes, 1000);
	ck_assert_uint_eq(window.requests[0].io.queue_ns, 0);
	ck_assert_uint_eq(window.requests[1].io.requests, 2);
	ck_assert_uint_eq(window.requests[1].io.bytes, 2000);
}
END_TEST

START_TEST(test_difference_of_the_rest)
{
	struct tap_dirty_key dirty = { .file.inode = 1 }, same = { .file.inode = 2 }, fresh = { .file.inode = 3 };
	struct tap_stream_key stream = { .owner = 7 };
	struct tap_stream_set set = { .bytes = { 1, 2, 3 }, .requests = 6 };
	struct tap_file file = { .size_bytes = 5 };

	ck_assert_int_eq(tap_io_set_add_dirty(&begin, &dirty, 100), 0);
	ck_assert_int_eq(tap_io_set_add_dirty(&begin, &same, 100), 0);
	ck_assert_int_eq(tap_io_set_add_dirty(&end, &fresh, 10), 0);
	ck_assert_int_eq(tap_io_set_add_dirty(&end, &same, 100), 0);
	ck_assert_int_eq(tap_io_set_add_dirty(&end, &dirty, 130), 0);
	ck_assert_int_eq(tap_io_set_add_stream(&begin, &stream, &set), 0);
	set = (struct tap_stream_set){ .bytes = { 11, 2, 3 }, .requests = 7, .last = 3 };
	ck_assert_int_eq(tap_io_set_add_stream(&end, &stream, &set), 0);
	stream.owner = 8;
	ck_assert_int_eq(tap_io_set_add_stream(&begin, &stream, &set), 0);
	ck_assert_int_eq(tap_io_set_add_stream(&end, &stream, &set), 0);
	ck_assert_int_eq(tap_io_set_add_file(&end, &fresh.file, &file), 0);
	begin.traced = true;
	subtract();
	ck_assert(!window.traced);
	end.traced = true;
	subtract();
	ck_assert(window.traced);
	ck_assert_uint_eq(window.n_dirty, 2);
	ck_assert_uint_eq(window.dirty[0].bytes, 10);
	ck_assert_uint_eq(window.dirty[1].bytes, 30);
	ck_assert_uint_eq(window.n_streams, 1);
	ck_assert_uint_eq(window.streams[0].set.requests, 1);
	ck_assert_uint_eq(window.streams[0].set.bytes[0], 10);
	ck_assert_uint_eq(window.streams[0].set.bytes[1], 0);
	ck_assert_uint_eq(window.streams[0].set.last, 3);
	ck_assert_uint_eq(window.n_files, 0);
	ck_assert_uint_eq(end.files[0].file.size_bytes, 5);
}
END_TEST

START_TEST(test_difference_of_disks)
{
	struct tap_disk_entry disk = { .disk = 1,
				       .name = "vda",
				       .reads = 5,
				       .read_bytes = 50,
				       .writes = 6,
				       .write_bytes = 60,
				       .discards = 1,
				       .discard_bytes = 2,
				       .flushes = 3 };

	ck_assert_int_eq(tap_io_set_add_disk(&begin, &disk), 0);
	disk.read_bytes = 75;
	disk.reads = 6;
	disk.flushes = 10;
	ck_assert_int_eq(tap_io_set_add_disk(&end, &disk), 0);
	disk.disk = 2; /* found within the window: its counters are those since the boot */
	memset(disk.name, 'x', sizeof(disk.name));
	ck_assert_int_eq(tap_io_set_add_disk(&end, &disk), 0);
	ck_assert_uint_eq(strlen(end.disks[1].name), sizeof(disk.name) - 1);
	subtract();
	ck_assert_uint_eq(window.n_disks, 1);
	ck_assert_str_eq(window.disks[0].name, "vda");
	ck_assert_uint_eq(window.disks[0].reads, 1);
	ck_assert_uint_eq(window.disks[0].read_bytes, 25);
	ck_assert_uint_eq(window.disks[0].write_bytes, 0);
	ck_assert_uint_eq(window.disks[0].flushes, 7);
	/* Another device under the number of the one before. */
	end.disks[0].read_bytes = 49;
	subtract();
	ck_assert_uint_eq(window.n_disks, 0);
}
END_TEST

START_TEST(test_sums_do_not_wrap)
{
	struct tap_io to = { .requests = UINT64_MAX - 1, .bytes = 3, .max_ns = 7 };
	struct tap_io from = { .requests = 5, .bytes = 4, .max_ns = 6 };

	to.latency[0] = UINT32_MAX;
	from.latency[0] = 1;
	to.latency[191] = 1;
	from.latency[191] = 2;
	from.sizes[12] = 9;
	tap_io_add(&to, &from);
	ck_assert_uint_eq(to.requests, UINT64_MAX);
	ck_assert_uint_eq(to.bytes, 7);
	ck_assert_uint_eq(to.max_ns, 7);
	ck_assert_uint_eq(to.latency[0], UINT32_MAX);
	ck_assert_uint_eq(to.latency[191], 3);
	ck_assert_uint_eq(to.sizes[12], 9);
}
END_TEST

START_TEST(test_percentiles)
{
	uint32_t histogram[TAP_LATENCY_BUCKETS] = { 0 };

	ck_assert_int_eq(tap_latency_percentile_ns(histogram, 50), -1);
	histogram[10] = 1;
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, 0), (int64_t)tap_latency_middle_ns(10));
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, 100), (int64_t)tap_latency_middle_ns(10));
	histogram[10] = 95;
	histogram[50] = 4;
	histogram[TAP_LATENCY_BUCKETS - 1] = 1;
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, 50), (int64_t)tap_latency_middle_ns(10));
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, 95), (int64_t)tap_latency_middle_ns(10));
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, 95.1), (int64_t)tap_latency_middle_ns(50));
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, 99), (int64_t)tap_latency_middle_ns(50));
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, 99.5),
			 (int64_t)tap_latency_middle_ns(TAP_LATENCY_BUCKETS - 1));
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, 1e9),
			 (int64_t)tap_latency_middle_ns(TAP_LATENCY_BUCKETS - 1));
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, -1), (int64_t)tap_latency_middle_ns(10));
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, __builtin_nan("")), (int64_t)tap_latency_middle_ns(10));
	for (int i = 0; i < TAP_LATENCY_BUCKETS; i++)
		histogram[i] = UINT32_MAX;
	ck_assert_int_eq(tap_latency_percentile_ns(histogram, 50),
			 (int64_t)tap_latency_middle_ns(TAP_LATENCY_BUCKETS / 2 - 1));
}
END_TEST

/* Times of every size come back within 6.3 %. */
START_TEST(test_percentile_is_near)
{
	for (uint64_t ns = 1024; ns < 17000000000ull; ns += ns / 7 + 1) {
		uint32_t histogram[TAP_LATENCY_BUCKETS] = { 0 };
		double off;

		histogram[tap_latency_bucket(ns)] = 1;
		off = (double)tap_latency_percentile_ns(histogram, 95) / (double)ns - 1;
		ck_assert_double_lt(off, 0.0631);
		ck_assert_double_gt(off, -0.0631);
	}
}
END_TEST

/* Keys that are there twice, as no map has them, are no reason to fail. */
START_TEST(test_twice_the_same_key)
{
	struct tap_io io = { .requests = 1, .bytes = 1 }, more = { .requests = 3, .bytes = 3 };

	request(&begin, 1, &io);
	request(&begin, 1, &more);
	request(&end, 1, &more);
	request(&end, 1, &more);
	subtract();
	ck_assert_uint_eq(window.n_requests, 2);
	ck_assert_uint_eq(window.requests[1].io.bytes, 2);
}
END_TEST

START_TEST(test_many)
{
	struct tap_io io = { .requests = 1 };

	for (uint64_t i = 0; i < 1000; i++) {
		io.bytes = i;
		request(&end, i + 1, &io);
		if (i % 2)
			request(&begin, i + 1, &io);
	}
	subtract();
	ck_assert_uint_eq(window.n_requests, 500);
	for (size_t i = 0; i < 500; i++)
		ck_assert_uint_eq(window.requests[i].io.bytes, 2 * i);
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct tap_dirty_key dirty = { .file.inode = 1 };
	struct tap_stream_key stream = { .owner = 7 };
	struct tap_stream_set set = { .requests = 1 };
	struct tap_disk_entry disk = { .disk = 1 };
	struct tap_io io = { .requests = 1 };
	struct tap_io_key key = key_of(1);
	struct tap_file file = { 0 };
	long n;

	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_io_set_add_request(&end, &key, &io), -ENOMEM);
	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_io_set_add_dirty(&end, &dirty, 1), -ENOMEM);
	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_io_set_add_file(&end, &key.file, &file), -ENOMEM);
	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_io_set_add_stream(&end, &stream, &set), -ENOMEM);
	tap_alloc_fail_at(1);
	ck_assert_int_eq(tap_io_set_add_disk(&end, &disk), -ENOMEM);
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(end.n_requests + end.n_dirty + end.n_files + end.n_streams + end.n_disks, 0);
	request(&end, 1, &io);
	request(&begin, 2, &io);
	ck_assert_int_eq(tap_io_set_add_dirty(&end, &dirty, 1), 0);
	ck_assert_int_eq(tap_io_set_add_dirty(&begin, &dirty, 0), 0);
	ck_assert_int_eq(tap_io_set_add_file(&end, &key.file, &file), 0);
	ck_assert_int_eq(tap_io_set_add_stream(&end, &stream, &set), 0);
	stream.owner = 8;
	ck_assert_int_eq(tap_io_set_add_stream(&begin, &stream, &set), 0);
	ck_assert_int_eq(tap_io_set_add_disk(&end, &disk), 0);
	ck_assert_int_eq(tap_io_set_add_disk(&begin, &disk), 0);
	for (n = 1;; n++) {
		int status;

		tap_alloc_fail_at(n);
		status = tap_io_set_subtract(&end, &begin, &window);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert_int_eq(status, -ENOMEM);
		ck_assert_uint_eq(window.n_requests, 0);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_ge(n, 8);
	ck_assert_uint_eq(window.n_requests, 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("correlate/io");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_of_total);
	tcase_add_test(tests, test_difference_of_requests);
	tcase_add_test(tests, test_longest_time_of_the_window);
	tcase_add_test(tests, test_figures_that_shrank);
	tcase_add_test(tests, test_difference_of_the_rest);
	tcase_add_test(tests, test_difference_of_disks);
	tcase_add_test(tests, test_sums_do_not_wrap);
	tcase_add_test(tests, test_percentiles);
	tcase_add_test(tests, test_percentile_is_near);
	tcase_add_test(tests, test_twice_the_same_key);
	tcase_add_test(tests, test_many);
	tcase_add_test(tests, test_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
