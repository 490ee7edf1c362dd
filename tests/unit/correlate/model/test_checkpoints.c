// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_checkpoints.c - correlate/model/checkpoints: what ran within a window, what others' requests took meanwhile, and
 * that no other figure knows a checkpoint from none.
 */
#include "tests/unit/correlate/model/two_io.h"

enum {
	KIB = 1 << 10,
	OTHER_DISK = 9 << 20,
	BEFORE_2000_S = 946684800,
	BEGIN_S = 1700000000, /* of the window, which is two seconds long */
};

static struct tap_file_key table;
static uint32_t disks[2] = { TWO_DISK, OTHER_DISK };

static const struct tap_row_key checkpointer = { .instance = 0, .kind = TAP_KIND_CHECKPOINTER };
static const struct tap_row_key kernel = { .instance = TAP_INSTANCE_NONE, .kind = TAP_KIND_KERNEL };
static const struct tap_row_key other = { .instance = TAP_INSTANCE_NONE, .kind = TAP_KIND_OTHER };

static void set_up(void)
{
	two_io_init();
	two.input.options.io = true;
	two.end.checkpoints = calloc(2, sizeof(*two.end.checkpoints));
	ck_assert_ptr_nonnull(two.end.checkpoints);
	two.end.n_checkpoints = 2;
	two.instances[0].checkpoints = two.instances[1].checkpoints = true;
	two.instances[0].disks = two.instances[1].disks = disks;
	two.instances[0].n_disks = two.instances[1].n_disks = 1;
	table = two_file(10, "16384", "5", "base");
}

static void tear_down(void)
{
	two_io_done();
}

static int64_t us(double seconds)
{
	return (int64_t)((BEGIN_S - BEFORE_2000_S + seconds) * 1000000);
}

/* Seconds since the beginning of the window. */
static void ran(uint32_t instance, double begin, double end)
{
	struct tap_checkpoints *all = &two.end.checkpoints[instance];

	all->kept[all->ended++].stats =
		(struct tap_pg_checkpoint){ .start_us = us(begin), .write_us = us(begin), .end_us = us(end) };
}

static void requests(struct tap_row_key row, uint8_t op, bool during, uint32_t count, uint64_t latency_ns)
{
	struct tap_io_key key = { .row = row, .file = table, .disk = TWO_DISK, .op = op, .checkpoint = during };
	struct tap_io io = { .requests = count, .bytes = count * 8 * KIB, .max_ns = latency_ns };

	io.pattern_bytes[0] = io.bytes;
	io.latency[tap_latency_bucket(latency_ns)] = count;
	ck_assert_int_eq(tap_io_set_add_request(&two.end.io, &key, &io), 0);
}

static struct tap_row_key client(void)
{
	return two_key(0, TAP_KIND_CLIENT, APP, 1);
}

static const char *absence(const struct tap_view_checkpoints *row, const char *field)
{
	for (size_t i = 0; i < row->n_absent; i++) {
		if (!strcmp(row->absent[i].field, field))
			return row->absent[i].reason;
	}
	return NULL;
}

static void assert_near(int64_t is, int64_t wanted)
{
	ck_assert_int_ge(is, wanted - wanted / 15);
	ck_assert_int_le(is, wanted + wanted / 15);
}

START_TEST(test_during_and_outside)
{
	const struct tap_view_checkpoints *row;

	ran(0, 0.5, 1);
	ran(0, 1.5, 5);
	requests(client(), TAP_IO_READ, false, 1000, 200000);
	requests(client(), TAP_IO_READ, true, 50, 20000000);
	requests(other, TAP_IO_READ, true, 50, 30000000);
	requests(client(), TAP_IO_WRITE, true, 7, 1000000);
	requests(client(), TAP_IO_FLUSH, true, 3, 8000000);
	requests(client(), TAP_IO_DISCARD, true, 9, 8000000);
	/* Those that make the checkpoint are not those that suffer it. */
	requests(checkpointer, TAP_IO_WRITE, true, 400, 500000000);
	requests(kernel, TAP_IO_READ, true, 400, 500000000);
	requests(kernel, TAP_IO_WRITE, true, 400, 500000000);
	two_view();
	ck_assert_uint_eq(two.view->n_checkpoints, 2);
	row = &two.view->checkpoints[0];
	ck_assert_str_eq(row->instance, "postgres-5432");
	ck_assert_str_eq(row->devices, "8:0");
	ck_assert_int_eq(row->count, 2);
	ck_assert_uint_eq(row->n_runs, 2);
	ck_assert_str_eq(row->runs[0].phase, "ended");
	ck_assert_int_eq(row->runs[0].begin_ns, BEGIN_S * 1000000000ll + 500000000);
	ck_assert_int_eq(row->runs[0].end_ns, BEGIN_S * 1000000000ll + 1000000000);
	ck_assert_int_eq(row->running_ns, 1000000000);
	ck_assert_double_eq_tol(row->running_percent, 50, 1e-9);
	ck_assert_int_eq(row->running_since_ns, -1);
	ck_assert_int_eq(row->submitted_write_bytes, 400 * 8 * KIB);
	ck_assert_int_eq(row->read_outside.requests, 1000);
	assert_near(row->read_outside.latency.p99, 200000);
	ck_assert_int_eq(row->read_during.requests, 100);
	assert_near(row->read_during.latency.p50, 20000000);
	assert_near(row->read_during.latency.p95, 30000000);
	ck_assert_int_eq(row->read_during.latency.max, 30000000);
	ck_assert_int_eq(row->write_during.requests, 7);
	ck_assert_int_eq(row->write_outside.requests, 0);
	ck_assert_int_eq(row->flush_during.requests, 3);
	assert_near(row->flush_during.latency.p50, 8000000);
	ck_assert_int_eq(row->flush_outside.requests, 0);
	ck_assert_int_eq(row->write_outside.latency.p50, -1);
	ck_assert_ptr_null(absence(row, "read_during_requests"));
	ck_assert_ptr_null(absence(row, "read_outside_requests"));
	/* The neighbour on the same disk had none: there is no "during" for it. */
	row = &two.view->checkpoints[1];
	ck_assert_int_eq(row->count, 0);
	ck_assert_int_eq(row->running_ns, 0);
	ck_assert_int_eq(row->read_during.requests, -1);
	ck_assert_str_eq(absence(row, "read_during_requests"), "no checkpoint ran in this window");
	ck_assert_int_eq(row->read_outside.requests, 1100);
}
END_TEST

START_TEST(test_none_ran)
{
	const struct tap_view_checkpoints *row;

	ran(0, -10, -5);
	requests(client(), TAP_IO_READ, false, 10, 200000);
	row = &two_view()->checkpoints[0];
	ck_assert_int_eq(row->count, 0);
	ck_assert_uint_eq(row->n_runs, 0);
	ck_assert_int_eq(row->running_ns, 0);
	ck_assert_int_eq(row->read_during.requests, -1);
	ck_assert_int_eq(row->write_during.latency.p95, -1);
	ck_assert_str_eq(absence(row, "write_during_latency_ns"), "no checkpoint ran in this window");
	ck_assert_int_eq(row->read_outside.requests, 10);
}
END_TEST

START_TEST(test_all_of_the_window)
{
	const struct tap_view_checkpoints *row;

	two.end.checkpoints[0].running = 1;
	two.end.checkpoints[0].now.start_us = us(-100);
	requests(client(), TAP_IO_READ, true, 10, 200000);
	row = &two_view()->checkpoints[0];
	ck_assert_int_eq(row->count, 1);
	ck_assert_int_eq(row->running_ns, 2000000000);
	ck_assert_int_eq(row->running_since_ns, (BEGIN_S - 100) * 1000000000ll);
	ck_assert_int_eq(row->runs[0].end_ns, -1);
	ck_assert_str_eq(row->runs[0].phase, "preparing");
	ck_assert_int_eq(row->read_during.requests, 10);
	ck_assert_int_eq(row->read_outside.requests, -1);
	ck_assert_str_eq(absence(row, "read_outside_latency_ns"), "a checkpoint ran during all of this window");
}
END_TEST

/* A server that shows nothing, one without a disk, no tracing at all: each with its reason, none with zeroes. */
START_TEST(test_not_known)
{
	const struct tap_view_checkpoints *row;

	ran(0, 0.5, 1);
	requests(client(), TAP_IO_READ, true, 10, 200000);
	two.instances[0].checkpoints = false;
	row = &two_view()->checkpoints[0];
	ck_assert_int_eq(row->count, -1);
	ck_assert_int_eq(row->running_ns, -1);
	ck_assert_ptr_nonnull(strstr(absence(row, "count"), "does not tell"));
	ck_assert_ptr_nonnull(strstr(absence(row, "read_outside_requests"), "does not tell"));
	ck_assert_int_eq(row->read_outside.requests, -1);
	two.instances[0].checkpoints = true;
	two.end.n_checkpoints = 0;
	ck_assert_int_eq(two_view()->checkpoints[0].count, -1);
	two.end.n_checkpoints = 2;
	two.instances[0].n_disks = 0;
	row = &two_view()->checkpoints[0];
	ck_assert_int_eq(row->count, 1);
	ck_assert_ptr_null(row->devices);
	ck_assert_ptr_nonnull(strstr(absence(row, "read_during_requests"), "no block device"));
	two.instances[0].n_disks = 1;
	two.end.io.traced = false;
	row = &two_view()->checkpoints[0];
	ck_assert_int_eq(row->count, 1);
	ck_assert_int_eq(row->write_bytes, -1);
	ck_assert_ptr_nonnull(strstr(absence(row, "write_bytes"), "could not be traced"));
	ck_assert_ptr_nonnull(strstr(absence(row, "write_during_requests"), "could not be traced"));
}
END_TEST

/* Bytes, requests, latency, blame: the same whether a checkpoint ran or not. */
START_TEST(test_other_figures_do_not_change)
{
	struct tap_view *without, *with;

	requests(client(), TAP_IO_READ, false, 100, 200000);
	requests(client(), TAP_IO_READ, false, 50, 20000000);
	requests(kernel, TAP_IO_WRITE, false, 30, 200000);
	requests(kernel, TAP_IO_WRITE, false, 10, 900000);
	two_dirty(&two.end, client(), table, 100 * 8 * KIB);
	two_view();
	without = two.view;
	two.view = NULL;
	ran(0, 0.5, 1);
	two.end.io.requests[1].key.checkpoint = 1;
	two.end.io.requests[3].key.checkpoint = 1;
	two_view();
	with = two.view;
	ck_assert_uint_eq(without->n_io_queries, with->n_io_queries);
	for (size_t i = 0; i < with->n_io_queries; i++) {
		ck_assert_mem_eq(&without->io_queries[i].read, &with->io_queries[i].read,
				 sizeof(with->io_queries[i].read));
		ck_assert_mem_eq(&without->io_queries[i].write, &with->io_queries[i].write,
				 sizeof(with->io_queries[i].write));
		ck_assert_uint_eq(without->io_queries[i].charged_write_bytes, with->io_queries[i].charged_write_bytes);
	}
	ck_assert_uint_eq(with->n_io_relations, 1);
	ck_assert_mem_eq(&without->io_relations[0].read, &with->io_relations[0].read,
			 sizeof(with->io_relations[0].read));
	ck_assert_mem_eq(&without->io_devices[0].write, &with->io_devices[0].write, sizeof(with->io_devices[0].write));
	ck_assert_uint_eq(without->n_io_blame, with->n_io_blame);
	for (size_t i = 0; i < with->n_io_blame; i++)
		ck_assert_uint_eq(without->io_blame[i].bytes, with->io_blame[i].bytes);
	ck_assert_mem_eq(without->totals.value, with->totals.value, sizeof(with->totals.value));
	tap_view_free(without);
}
END_TEST

START_TEST(test_only_the_wanted_instance)
{
	two.input.options.instance = "postgres-5433";
	ck_assert_uint_eq(two_view()->n_checkpoints, 1);
	ck_assert_str_eq(two.view->checkpoints[0].instance, "postgres-5433");
	two.input.options.io = false;
	ck_assert_uint_eq(two_view()->n_checkpoints, 0);
}
END_TEST

static const struct tap_view_hint *hint(void)
{
	two_view();
	for (size_t i = 0; i < two.view->n_hints; i++) {
		if (!strcmp(two.view->hints[i].hint, "checkpoint_latency"))
			return &two.view->hints[i];
	}
	return NULL;
}

/* The hint compares what others' requests took during checkpoints with the rest of the window. */
START_TEST(test_hint)
{
	const struct tap_view_hint *found;

	ran(0, 0.5, 1);
	requests(client(), TAP_IO_READ, false, 1000, 2000000);
	requests(client(), TAP_IO_READ, true, 60, 20000000);
	requests(client(), TAP_IO_WRITE, false, 60, 1000000);
	requests(client(), TAP_IO_WRITE, true, 60, 6000000);
	requests(checkpointer, TAP_IO_WRITE, true, 4096, 20000000);
	found = hint();
	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found->instance, "postgres-5432");
	/* Reads took ten times as long, writes only six. */
	ck_assert_double_eq_tol(found->confidence, 0.9, 0.06);
	ck_assert_ptr_nonnull(strstr(found->evidence, "checkpoints ran 500 ms of the window (25 %)"));
	ck_assert_ptr_nonnull(strstr(found->evidence, "60 reads of others took"));
	ck_assert_ptr_nonnull(strstr(found->evidence, "1000 reads of others took"));
	/* No slower than at other times. */
	two.end.io.requests[0].io.latency[tap_latency_bucket(20000000)] = 1000;
	two.end.io.requests[0].io.max_ns = 20000000;
	found = hint();
	ck_assert_ptr_nonnull(found);
	ck_assert_ptr_nonnull(strstr(found->evidence, "60 writes of others took"));
	two.end.io.requests[2].io.requests = 49;
	ck_assert_ptr_null(hint());
}
END_TEST

/* Not by what was merely written when nothing says that a checkpoint ran. */
START_TEST(test_no_hint_without_a_checkpoint)
{
	requests(client(), TAP_IO_READ, false, 150, 100000);
	requests(client(), TAP_IO_READ, false, 50, 50000000);
	requests(checkpointer, TAP_IO_WRITE, false, 4096, 20000000);
	ck_assert_ptr_null(hint());
	two.instances[0].checkpoints = false;
	ck_assert_ptr_nonnull(hint());
	ck_assert_ptr_nonnull(strstr(hint()->evidence, "nothing without a checkpoint to compare with"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("model/checkpoints");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_during_and_outside);
	tcase_add_test(tests, test_none_ran);
	tcase_add_test(tests, test_all_of_the_window);
	tcase_add_test(tests, test_not_known);
	tcase_add_test(tests, test_other_figures_do_not_change);
	tcase_add_test(tests, test_only_the_wanted_instance);
	tcase_add_test(tests, test_hint);
	tcase_add_test(tests, test_no_hint_without_a_checkpoint);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
