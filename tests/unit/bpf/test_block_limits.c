// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_block_limits.c - requests whose completion is missed, and maps that are full.
 */
#include "tests/unit/bpf/fake/one_disk.h"

#include "tests/lib/check_main.h"

/* More requests under way than there are slots near theirs: counted, and the others are whole. */
START_TEST(test_requests_full)
{
	static struct fake_request many[2 * IO_SLOTS];
	__u64 missed;

	for (int i = 0; i < 2 * IO_SLOTS; i++) {
		fake_request_init(&many[i], BLOCK_READ, &relation.pages[i % FAKE_FILE_PAGES], PAGE);
		submitted(&many[i], 1);
	}
	missed = losses[TAP_LOSS_REQUESTS_FULL];
	ck_assert_uint_ge(missed, IO_SLOTS);
	for (int i = 0; i < 2 * IO_SLOTS; i++)
		on_block_rq_complete(&many[i].rq, 0, PAGE);
	ck_assert_uint_eq(bytes_of_all(), (2 * IO_SLOTS - missed) * PAGE);
	/* One after the other all of them find a place: a slot is whose request needs it. */
	for (int i = 0; i < 2 * IO_SLOTS; i++)
		passes(&many[i]);
	ck_assert_uint_eq(losses[TAP_LOSS_REQUESTS_FULL], missed);
	ck_assert_uint_eq(bytes_of_all(), (4 * IO_SLOTS - missed) * PAGE);
}
END_TEST

/* A completion that was missed: its bytes are counted when the request is used again, which is of its own. */
START_TEST(test_missed_completion)
{
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	submitted(&request, 10);
	fake_request_init(&request, BLOCK_READ, &second.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &second, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).requests, 1);
	ck_assert_uint_eq(losses[TAP_LOSS_COMPLETIONS_MISSED], 1);
	ck_assert_uint_eq(slots_used(), 1);
}
END_TEST

static void end_all_unseen(void)
{
	for (__u32 i = 0; i < IO_SLOTS; i++) {
		struct bpf_iter__bpf_map_elem context = { .key = &i };

		end_unseen(&context);
	}
	end_unseen(&(struct bpf_iter__bpf_map_elem){ 0 });
}

/* One that is not used again: its bytes are counted at the next snapshot, once, and not while it is under way. */
START_TEST(test_missed_completion_without_reuse)
{
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	submitted(&request, 10);
	end_all_unseen();
	ck_assert_uint_eq(bytes_of_all(), 0);
	request.rq.ref.counter = 0;
	end_all_unseen();
	end_all_unseen();
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).requests, 1);
	ck_assert_uint_eq(losses[TAP_LOSS_COMPLETIONS_MISSED], 1);
	ck_assert_uint_eq(slots_used(), 1);
	fake_request_init(&request, BLOCK_READ, &second.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(bytes_of_all(), 2 * PAGE);
	ck_assert_uint_eq(losses[TAP_LOSS_COMPLETIONS_MISSED], 1);
	ck_assert_uint_eq(slots_used(), 1);
}
END_TEST

/* The rest's row of a kind of operation, as userspace puts it in. */
static __u32 rest_add(__u8 op)
{
	struct tap_io_key rest = key_of(TAP_KIND_REST, 0, NULL, op);
	__u32 index = io_totals_used++;

	rest.file.device = 0;
	((struct tap_io_total *)bpf_map_lookup_elem(&io_totals, &index))->key = rest;
	bpf_map_update_elem(&io_key_to_total, &rest, &index, BPF_ANY);
	return index;
}

START_TEST(test_totals_full)
{
	struct tap_io io;
	__u32 rest;

	tear_down();
	start_with(2);
	rest = rest_add(TAP_IO_READ);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	fake_request_init(&request, BLOCK_READ, &second.pages[0], 2 * PAGE);
	passes(&request);
	ck_assert_uint_eq(losses[TAP_LOSS_IO_TOTALS_FULL], 1);
	passes(&request);
	ck_assert_uint_eq(losses[TAP_LOSS_IO_TOTALS_FULL], 2);
	ck_assert_uint_eq(io_totals_used, 2);
	tap_io_of_total(&io, total_at(rest));
	ck_assert_uint_eq(io.bytes, 4 * PAGE);
	ck_assert_uint_eq(io.requests, 2);
	ck_assert_uint_eq(bytes_of_all(), 5 * PAGE);
	/* Nor has the rest of writes a place: lost, and counted. */
	fake_request_init(&request, BLOCK_WRITE, &second.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(losses[TAP_LOSS_IO_TOTALS_FULL], 3);
	ck_assert_uint_eq(bytes_of_all(), 5 * PAGE);
}
END_TEST

/* Memory for the index is short: the entry is the next row's. */
START_TEST(test_index_full)
{
	struct tap_io io;
	__u32 rest;

	tear_down();
	start_with(3);
	rest = rest_add(TAP_IO_READ);
	fake_map_of(&io_key_to_total)->max = 1;
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(io_totals_used, 1);
	ck_assert_uint_eq(losses[TAP_LOSS_IO_TOTALS_FULL], 1);
	tap_io_of_total(&io, total_at(rest));
	ck_assert_uint_eq(io.bytes, PAGE);
	fake_map_of(&io_key_to_total)->max = 3;
	fake_request_init(&request, BLOCK_READ, &second.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &second, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(io_totals_used, 2);
}
END_TEST

/* More owners than there are places: each has its own again when it comes back, and what is charged stays right. */
START_TEST(test_streams_full)
{
	enum {
		OWNERS = 4 * IO_STREAM_PLACES,
	};

	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < OWNERS; i++) {
			other.task.tgid = OTHER_PID + i;
			passes(&request);
			ck_assert_ptr_nonnull(place(&relation, (__u32)(OTHER_PID + i)));
		}
	}
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).bytes, 2 * OWNERS * PAGE);
	ck_assert_uint_eq(io_totals_used, 1);
}
END_TEST

/* One that is used again and again keeps its place while others come and go. */
START_TEST(test_recent_streams_stay)
{
	const struct tap_stream_place *steady;

	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	steady = place(&relation, OTHER_PID);
	for (int i = 1; i < 4 * IO_STREAM_PLACES; i++) {
		other.task.tgid = OTHER_PID + i;
		passes(&request);
		other.task.tgid = OTHER_PID;
		passes(&request);
	}
	ck_assert_ptr_eq(place(&relation, OTHER_PID), steady);
	ck_assert_uint_eq(steady->set.requests, 4 * IO_STREAM_PLACES);
}
END_TEST

/* A place that another CPU is about to take: the request goes without positions, not without its row. */
START_TEST(test_streams_claimed)
{
	for (__u32 i = 0; i < IO_STREAM_PLACES; i++)
		((struct tap_stream_place *)bpf_map_lookup_elem(&stream_places, &i))->claimed = 1;
	fake_request_init(&request, BLOCK_READ, &relation.pages[8], PAGE);
	passes(&request);
	ck_assert_ptr_null(place(&relation, OTHER_PID));
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).bytes, PAGE);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/block_limits");
	TCase *tests = tcase_create("limits");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_requests_full);
	tcase_add_test(tests, test_missed_completion);
	tcase_add_test(tests, test_missed_completion_without_reuse);
	tcase_add_test(tests, test_totals_full);
	tcase_add_test(tests, test_index_full);
	tcase_add_test(tests, test_streams_full);
	tcase_add_test(tests, test_recent_streams_stay);
	tcase_add_test(tests, test_streams_claimed);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
