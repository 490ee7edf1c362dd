// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_block_owner.c - whose a request or a dirtied page is, and which of them fall into a checkpoint.
 */
#include "tests/unit/bpf/fake/one_disk.h"

#include "tests/lib/check_main.h"

START_TEST(test_owner_is_the_statement)
{
	client_runs(77);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 77, &relation, TAP_IO_READ).bytes, PAGE);
	/* The next statement has begun since the last switch: nobody but its own memory says so. */
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_report_running(&backend, "select 2");
	pg_report_query_id(&backend, 78);
	fake_request_init(&request, BLOCK_READ, &relation.pages[1], PAGE);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 78, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 77, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(pg_account(&backend)->seq & 1, 0);
}
END_TEST

static unsigned ticks;

static void tick_once(void)
{
	if (ticks++ == 0) {
		on_tick(NULL);
		on_sched_switch(true, &backend.task);
	}
}

/* A tick, or on a kernel that may preempt programs a switch, in the middle of bringing a row up to date. */
START_TEST(test_interrupted_refresh)
{
	client_runs(77);
	pg_report_running(&backend, "select 2");
	pg_report_query_id(&backend, 79);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	ticks = 0;
	kernel.before_user_read = tick_once;
	passes(&request);
	kernel.before_user_read = NULL;
	ck_assert_uint_gt(ticks, 1);
	for (int i = 0; i < TAP_WAYS; i++)
		ck_assert_uint_eq(pg_account(&backend)->ways[i].account.preemptions, 0);
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 79, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(pg_account(&backend)->seq & 1, 0);
}
END_TEST

/* Threads of io_uring work for their process; others that a backend started are its children. */
START_TEST(test_owner_of_io_worker)
{
	struct pg_process worker;

	client_runs(77);
	pg_fork(&backend, &worker, 201);
	worker.task.group_leader = &backend.task;
	runs(&worker);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	worker.task.flags |= PF_IO_WORKER;
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 77, &relation, TAP_IO_READ).bytes, PAGE);
	/* The backend is at a boundary for as long as we look: not its row then. */
	pg_account(&backend)->seq++;
	passes(&request);
	pg_account(&backend)->seq++;
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 77, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(bytes_of_all(), 2 * PAGE);
	pg_process_done(&worker);
}
END_TEST

START_TEST(test_parallel_group)
{
	struct tap_instance instance = pg_instance();
	__s32 worker_number = 0, leader_pid = 321;
	__u32 zero = 0;

	instance.addresses.my_proc = FAKE_MEMORY_START + 64;
	instance.layout.proc_lock_group_leader = 8;
	instance.layout.proc_pid = 16;
	bpf_map_update_elem(&instances, &zero, &instance, BPF_ANY);
	pg_put_u64(&backend, 64, FAKE_MEMORY_START + 128);	/* MyProc */
	pg_put_u64(&backend, 128 + 8, FAKE_MEMORY_START + 160); /* its leader */
	memcpy(backend.memory + 160 + 16, &leader_pid, sizeof(leader_pid));
	memcpy(backend.memory + PG_WORKER, &worker_number, sizeof(worker_number));
	pg_login(&backend, PG_TYPE_BGWORKER, DATABASE, USER);
	pg_report_running(&backend, "select 1");
	pg_report_query_id(&backend, 77);
	pg_tick(&backend);
	runs(&backend);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	ck_assert_ptr_nonnull(place(&relation, 321));
	ck_assert_uint_eq(total(TAP_KIND_PARALLEL, 77, &relation, TAP_IO_READ).bytes, PAGE);
}
END_TEST

static const __u64 *dirtied(__u8 kind, __u64 query_id, const struct fake_file *file)
{
	struct tap_io_key io = key_of(kind, query_id, file, 0);
	struct tap_dirty_key key = { .row = io.row, .file = io.file };

	return bpf_map_lookup_elem(&dirty_totals, &key);
}

static struct tap_io total_during(bool checkpoint)
{
	struct tap_io_key key = key_of(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	struct tap_io io = { 0 };
	const __u32 *index;

	key.checkpoint = checkpoint;
	index = bpf_map_lookup_elem(&io_key_to_total, &key);
	if (index)
		tap_io_of_total(&io, total_at(*index));
	return io;
}

/* A checkpoint of an instance marks the requests of its disks, as they are submitted, and of no others. */
START_TEST(test_checkpoint)
{
	struct tap_instance_set *of_disk = &disk_instances[tap_number_slot(FAKE_DISK, 0)];

	of_disk->words[0] = 1ull << 3;
	of_disk->words[1] = 1ull << 63;
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	/* Of an instance elsewhere. */
	checkpoints_running.words[0] = 1ull << 2 | 1ull << 4;
	checkpoints_running.words[1] = 1;
	passes(&request);
	ck_assert_uint_eq(total_during(false).requests, 2);
	ck_assert_uint_eq(total_during(true).requests, 0);
	/* It ends while the request is on its way. */
	checkpoints_running.words[0] = 1ull << 3;
	submitted(&request, 300);
	issued(&request, 5000);
	checkpoints_running.words[0] = 0;
	on_block_rq_complete(&request.rq, 0, PAGE);
	ck_assert_uint_eq(total_during(true).requests, 1);
	ck_assert_uint_eq(total_during(true).bytes, PAGE);
	ck_assert_uint_eq(total_during(true).latency[tap_latency_bucket(5300)], 1);
	ck_assert_uint_eq(total_during(false).requests, 2);
	/* The last instance of all; and one that begins while the request is on its way. */
	checkpoints_running.words[1] = 1ull << 63;
	passes(&request);
	ck_assert_uint_eq(total_during(true).requests, 2);
	checkpoints_running.words[1] = 0;
	submitted(&request, 300);
	checkpoints_running.words[0] = 1ull << 3;
	issued(&request, 5000);
	on_block_rq_complete(&request.rq, 0, PAGE);
	ck_assert_uint_eq(total_during(false).requests, 3);
	ck_assert_uint_eq(total_during(true).requests, 2);
	ck_assert_uint_eq(bytes_of_all(), 5 * PAGE);
	ck_assert_uint_eq(losses[TAP_LOSS_IO_TOTALS_FULL], 0);
}
END_TEST

START_TEST(test_dirty)
{
	client_runs(77);
	on_writeback_dirty_page(&relation.pages[0], &relation.mapping);
	relation.pages[4].flags = 1ul << PG_head;
	relation.pages[4]._nr_pages = 4;
	on_writeback_dirty_page(&relation.pages[4], &relation.mapping);
	ck_assert_uint_eq(*dirtied(TAP_KIND_CLIENT, 77, &relation), 5 * PAGE);
	runs(&kworker);
	relation.inode.i_mode = FAKE_MODE_BLOCK;
	relation.inode.i_rdev = FAKE_PARTITION;
	on_writeback_dirty_page(&relation.pages[0], &relation.mapping);
	ck_assert_uint_eq(*dirtied(TAP_KIND_KERNEL, 0, NULL), PAGE);
	ck_assert_uint_eq(losses[TAP_LOSS_DIRTY_FULL], 0);
	on_writeback_dirty_page(&second.pages[0], &second.mapping);
	ck_assert_uint_eq(losses[TAP_LOSS_DIRTY_FULL], 1);
	fake_super.s_dev = 99;
	on_writeback_dirty_page(&second.pages[0], &second.mapping);
	fake_super.s_dev = FAKE_PARTITION;
	gate_open = false;
	on_writeback_dirty_page(&second.pages[0], &second.mapping);
	ck_assert_uint_eq(losses[TAP_LOSS_DIRTY_FULL], 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/block_owner");
	TCase *tests = tcase_create("owners");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_owner_is_the_statement);
	tcase_add_test(tests, test_interrupted_refresh);
	tcase_add_test(tests, test_owner_of_io_worker);
	tcase_add_test(tests, test_parallel_group);
	tcase_add_test(tests, test_checkpoint);
	tcase_add_test(tests, test_dirty);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
