// SPDX-License-Identifier: BSD-2-Clause
/* test_stream.c - sequential, near, random: the rule of bpf/abi/io.h on positions that are known. */
#include "tests/unit/bpf/fake/programs.h"

#include "bpf/stream.bpf.h"
#include "tests/lib/check_main.h"

enum {
	BLOCK = 8192,
};

static struct tap_stream_set set;
static const __u64 MIB = 1024 * 1024;

static void set_up(void)
{
	memset(&set, 0, sizeof(set));
	srand(1);
}

static enum tap_pattern at(__u64 begin, __u64 bytes)
{
	return stream_follow(&set, begin, begin + bytes, TAP_STREAM_NEAR);
}

START_TEST(test_first_request)
{
	ck_assert_int_eq(at(5 * MIB, BLOCK), TAP_PATTERN_RANDOM);
	set_up();
	ck_assert_int_eq(at(0, BLOCK), TAP_PATTERN_SEQUENTIAL);
}
END_TEST

/* A long request is a run by itself, wherever it lies. */
START_TEST(test_long_requests)
{
	ck_assert_int_eq(at(5 * MIB, TAP_STREAM_NEAR), TAP_PATTERN_SEQUENTIAL);
	ck_assert_int_eq(at(500 * MIB, MIB), TAP_PATTERN_SEQUENTIAL);
	ck_assert_int_eq(at(900 * MIB, TAP_STREAM_NEAR - BLOCK), TAP_PATTERN_RANDOM);
}
END_TEST

static enum tap_pattern by_call(__u64 begin, __u64 bytes, __u64 call, bool asked)
{
	return stream_follow_call(&set, begin, begin + bytes, TAP_STREAM_NEAR, call, asked);
}

/* Of random pages of a small file, many are neighbours by chance. */
START_TEST(test_random_in_a_small_file)
{
	unsigned random_ones = 0;

	for (int i = 0; i < 300; i++) {
		__u64 begin = (__u64)(rand() % 2170) * BLOCK;

		random_ones +=
			stream_follow(&set, begin, begin + BLOCK, stream_near(2170 * BLOCK)) == TAP_PATTERN_RANDOM;
	}
	ck_assert_uint_ge(random_ones, 285);
	ck_assert_uint_eq(stream_near(0), TAP_STREAM_GAP);
	ck_assert_uint_eq(stream_near(1ull << 40), TAP_STREAM_NEAR);
}
END_TEST

/* What a random read brings in ahead of itself is no scan; what the next read brings in ahead of a scan is one. */
START_TEST(test_read_ahead)
{
	for (__u64 i = 1; i < 50; i++) {
		__u64 begin = i * i * MIB;

		ck_assert_int_eq(by_call(begin, BLOCK, begin + 1, true), TAP_PATTERN_RANDOM);
		ck_assert_int_eq(by_call(begin + BLOCK, 4 * BLOCK, begin + 1, false), TAP_PATTERN_RANDOM);
		ck_assert_int_eq(by_call(begin + 5 * BLOCK, BLOCK, begin + 1, false), TAP_PATTERN_RANDOM);
	}
	set_up();
	by_call(MIB, BLOCK, MIB + 1, true);
	for (__u64 i = 1; i < 50; i++)
		ck_assert_int_eq(by_call(MIB + i * BLOCK, BLOCK, MIB + (i - 1) * BLOCK + 2, false),
				 TAP_PATTERN_SEQUENTIAL);
	/* Without a read call there is nothing that could have been asked for. */
	set_up();
	by_call(MIB, BLOCK, 0, false);
	ck_assert_int_eq(by_call(MIB + BLOCK, BLOCK, 0, false), TAP_PATTERN_SEQUENTIAL);
}
END_TEST

START_TEST(test_forwards_and_backwards)
{
	at(100 * MIB, BLOCK);
	for (__u64 i = 1; i < 100; i++)
		ck_assert_int_eq(at(100 * MIB + i * BLOCK, BLOCK), TAP_PATTERN_SEQUENTIAL);
	at(50 * MIB, BLOCK);
	for (__u64 i = 1; i < 100; i++)
		ck_assert_int_eq(at(50 * MIB - i * BLOCK, BLOCK), TAP_PATTERN_SEQUENTIAL);
	ck_assert_uint_eq(set.requests, 200);
}
END_TEST

/* Pages that were cached leave gaps. */
START_TEST(test_gap)
{
	at(10 * MIB, BLOCK);
	ck_assert_int_eq(at(10 * MIB + BLOCK + TAP_STREAM_GAP, BLOCK), TAP_PATTERN_SEQUENTIAL);
	ck_assert_int_eq(at(10 * MIB + 2 * BLOCK + 2 * TAP_STREAM_GAP + 1, BLOCK), TAP_PATTERN_NEAR);
}
END_TEST

/* A log's last block is written again and again, with more in it. */
START_TEST(test_last_block_again)
{
	at(16 * MIB, BLOCK);
	ck_assert_int_eq(at(16 * MIB, BLOCK), TAP_PATTERN_SEQUENTIAL);
	ck_assert_int_eq(at(16 * MIB, 2 * BLOCK), TAP_PATTERN_SEQUENTIAL);
	ck_assert_int_eq(at(16 * MIB + BLOCK, 4 * BLOCK), TAP_PATTERN_SEQUENTIAL);
}
END_TEST

START_TEST(test_near)
{
	at(10 * MIB, BLOCK);
	ck_assert_int_eq(at(10 * MIB + BLOCK + TAP_STREAM_NEAR, BLOCK), TAP_PATTERN_NEAR);
	ck_assert_int_eq(at(10 * MIB - TAP_STREAM_NEAR + BLOCK, BLOCK), TAP_PATTERN_RANDOM); /* near the one before */
	set_up();
	at(10 * MIB, BLOCK);
	ck_assert_int_eq(at(10 * MIB + BLOCK + TAP_STREAM_NEAR + 1, BLOCK), TAP_PATTERN_RANDOM);
	/* A position that was continued counts when it is not the last one, too. */
	set_up();
	at(10 * MIB, BLOCK);
	at(10 * MIB + BLOCK, BLOCK);
	at(500 * MIB, BLOCK);
	ck_assert_int_eq(at(10 * MIB - TAP_STREAM_NEAR, BLOCK), TAP_PATTERN_NEAR);
}
END_TEST

/* As many scans as there are positions take turns. */
START_TEST(test_interleaved_scans)
{
	for (__u64 turn = 0; turn < 50; turn++) {
		for (__u64 scan = 0; scan < TAP_STREAMS; scan++) {
			enum tap_pattern pattern = at((scan + 1) * 100 * MIB + turn * BLOCK, BLOCK);

			ck_assert_int_eq(pattern, turn ? TAP_PATTERN_SEQUENTIAL : TAP_PATTERN_RANDOM);
		}
	}
}
END_TEST

/* A scan beside nine random requests for each of its own is not pushed out. */
START_TEST(test_scan_among_random)
{
	at(0, BLOCK);
	at(BLOCK, BLOCK);
	for (__u64 i = 2; i < 300; i++) {
		ck_assert_int_eq(at(i * BLOCK, BLOCK), TAP_PATTERN_SEQUENTIAL);
		for (int other = 0; other < 9; other++)
			at(1000 * MIB + (__u64)rand() * BLOCK, BLOCK);
	}
}
END_TEST

/* Scans that ended make room in the end. */
START_TEST(test_dead_scans_go)
{
	for (__u64 scan = 0; scan < TAP_STREAMS; scan++) {
		at((scan + 1) * 100 * MIB, BLOCK);
		at((scan + 1) * 100 * MIB + BLOCK, BLOCK);
	}
	for (int i = 0; i < 2 * STREAM_GRACE; i++)
		at(100000 * MIB + (__u64)rand() * BLOCK, BLOCK);
	for (__u64 scan = 0; scan < TAP_STREAMS; scan++)
		ck_assert_int_eq(at((scan + 1) * 100 * MIB + 2 * BLOCK, BLOCK), TAP_PATTERN_RANDOM);
}
END_TEST

START_TEST(test_random_reads)
{
	unsigned counts[TAP_PATTERNS] = { 0 };

	for (int i = 0; i < 10000; i++)
		counts[at((__u64)(rand() % 131072) * BLOCK, BLOCK)]++; /* of 1 GiB */
	ck_assert_uint_gt(counts[TAP_PATTERN_RANDOM], 9800);
}
END_TEST

/* The tags pass over only what the rule says is far: a search without them finds the same. */
START_TEST(test_tags)
{
	for (int i = 0; i < 20000; i++) {
		__u64 bytes = (__u64)(rand() % 8 ? rand() % 64 + 1 : rand() % 4096 + 1) * 512;
		/* A tag's 16 bits are the same every 16 GiB. */
		__u64 begin = (__u64)(rand() % 65536) * 512 + (__u64)(rand() % 3) * 16384 * MIB, end = begin + bytes;
		__u32 expected = STREAM_NONE;

		for (__u32 j = TAP_STREAMS; j-- > 0;) {
			if (stream_continues(&set.streams[j], begin, end, j == set.last))
				expected = j;
		}
		if (expected < TAP_STREAMS)
			ck_assert_uint_eq(stream_search(&set, begin, end, TAP_STREAM_NEAR), expected);
		else
			ck_assert_uint_ge(stream_search(&set, begin, end, TAP_STREAM_NEAR), STREAM_NONE);
		at(begin, bytes);
	}
	/* A request too long for the tags leaves nothing out either. */
	set_up();
	at(8192 * MIB, BLOCK);
	ck_assert_uint_eq(stream_search(&set, 8192 * MIB - 4095 * MIB, 8192 * MIB, TAP_STREAM_NEAR), 0);
	set.reach = 0xfffffff0;
	ck_assert_uint_eq(stream_search(&set, 8192 * MIB + BLOCK, 8192 * MIB + 2 * BLOCK, TAP_STREAM_NEAR), 0);
}
END_TEST

/* Whatever another CPU left half written, and whatever a file says, stays within the set. */
START_TEST(test_garbage)
{
	for (int i = 0; i < 20000; i++) {
		unsigned char *byte = (unsigned char *)&set + rand() % (int)sizeof(set);
		__u64 begin = (__u64)rand() << 33 ^ (__u64)rand() << 11;

		*byte = (unsigned char)rand();
		ck_assert_int_lt(stream_follow(&set, begin, begin + (__u32)rand(), TAP_STREAM_NEAR), TAP_PATTERNS);
	}
	ck_assert_int_eq(stream_search(NULL, 0, 1, TAP_STREAM_NEAR), STREAM_NONE);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/stream");
	TCase *tests = tcase_create("pattern");

	tcase_add_checked_fixture(tests, set_up, NULL);
	tcase_add_test(tests, test_first_request);
	tcase_add_test(tests, test_long_requests);
	tcase_add_test(tests, test_read_ahead);
	tcase_add_test(tests, test_random_in_a_small_file);
	tcase_add_test(tests, test_forwards_and_backwards);
	tcase_add_test(tests, test_gap);
	tcase_add_test(tests, test_last_block_again);
	tcase_add_test(tests, test_near);
	tcase_add_test(tests, test_interleaved_scans);
	tcase_add_test(tests, test_scan_among_random);
	tcase_add_test(tests, test_dead_scans_go);
	tcase_add_test(tests, test_random_reads);
	tcase_add_test(tests, test_tags);
	tcase_add_test(tests, test_garbage);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
