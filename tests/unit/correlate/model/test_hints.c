// SPDX-License-Identifier: BSD-2-Clause
/* test_hints.c - correlate/model/hints: each rule with what makes it speak, and what keeps it silent. */
#include "tests/unit/correlate/model/two_io.h"

enum {
	MIB = 1 << 20,
	SIZE = 100 * MIB, /* of two_file's files */
};

static struct tap_file_key table;

static const struct tap_row_key checkpointer = { .instance = 0, .kind = TAP_KIND_CHECKPOINTER };
static const struct tap_row_key kernel = { .instance = TAP_INSTANCE_NONE, .kind = TAP_KIND_KERNEL };

static void set_up(void)
{
	two_io_init();
	two.input.options.io = true;
	two_object(16384, 16384, TAP_FILE_TABLE, "accounts", NULL);
	table = two_file(10, "16384", "5", "base");
}

static void tear_down(void)
{
	two_io_done();
}

static struct tap_row_key client(uint64_t query_id)
{
	return two_key(0, TAP_KIND_CLIENT, APP, query_id);
}

static const struct tap_view_hint *hint(const char *name)
{
	two_view();
	for (size_t i = 0; i < two.view->n_hints; i++) {
		if (!strcmp(two.view->hints[i].hint, name))
			return &two.view->hints[i];
	}
	return NULL;
}

static void statement(uint64_t query_id, uint64_t calls, uint64_t rchar)
{
	two_add(client(query_id), 10, calls, 0, 0)->account.rchar_bytes = rchar;
}

START_TEST(test_full_scan)
{
	const struct tap_view_hint *found;

	statement(1, 10, 10ull * SIZE);
	two_text(1, NULL, "select sum(x) from accounts");
	two_request(&two.end, client(1), table, TAP_IO_READ, 8000, 10ull * SIZE, TAP_PATTERN_SEQUENTIAL);
	found = hint("full_scan");
	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found->instance, "postgres-5432");
	ck_assert_str_eq(found->database, "app");
	ck_assert_str_eq(found->relation, "public.accounts");
	ck_assert_str_eq(found->query_id, "1");
	ck_assert_str_eq(found->query, "select sum(x) from accounts");
	ck_assert_double_eq_tol(found->confidence, 0.8, 1e-9);
	ck_assert_str_eq(found->evidence, "10 executions read 1000 MiB of it from the device, 100 MiB each; 100 % in "
					  "sequence; its files had 100 MiB when they were first seen; how many rows it "
					  "returned is not known");
	ck_assert_ptr_nonnull(found->advice);
}
END_TEST

/* Leader and workers are one statement; executions are the leader's. */
START_TEST(test_full_scan_in_parallel)
{
	struct tap_row_key worker = client(1);

	worker.kind = TAP_KIND_PARALLEL;
	statement(1, 1, SIZE);
	two_request(&two.end, client(1), table, TAP_IO_READ, 800, SIZE / 3, TAP_PATTERN_SEQUENTIAL);
	two_request(&two.end, worker, table, TAP_IO_READ, 800, SIZE / 3, TAP_PATTERN_SEQUENTIAL);
	ck_assert_ptr_nonnull(hint("full_scan"));
	ck_assert_double_eq_tol(hint("full_scan")->confidence, 0.4, 1e-9);
	ck_assert_uint_eq(two.view->n_hints, 1);
}
END_TEST

static const struct {
	const char *text;
	uint64_t calls;
	uint64_t rchar;
	uint64_t bytes;
	int pattern;
	bool several;
	double confidence; /* negative: none */
} scans[] = {
	/* Mostly from the cache, but all of it asked for. */
	{ "select 1", 2, 2ull * SIZE, SIZE / 2, TAP_PATTERN_SEQUENTIAL, false, 0.4 + 0.3 / 9 },
	{ "select 1", 2, 2ull * SIZE, SIZE / 50, TAP_PATTERN_SEQUENTIAL, false, -1 },
	{ "select 1", 100, 10ull * SIZE, 10ull * SIZE, TAP_PATTERN_SEQUENTIAL, false, -1 },
	{ "select 1", 1, SIZE, SIZE, TAP_PATTERN_RANDOM, false, -1 },
	{ "vacuum accounts", 1, SIZE, SIZE, TAP_PATTERN_SEQUENTIAL, false, -1 },
	{ "COPY accounts TO stdout", 1, SIZE, SIZE, TAP_PATTERN_SEQUENTIAL, false, -1 },
	/* Executions that could not be counted. */
	{ "select 1; select 2", 1, SIZE, SIZE, TAP_PATTERN_SEQUENTIAL, true, 0.3 },
	{ "select 1; select 2", 1, SIZE, SIZE / 2, TAP_PATTERN_SEQUENTIAL, true, -1 },
};

START_TEST(test_full_scan_or_not)
{
	const struct tap_view_hint *found;

	statement(1, scans[_i].calls, scans[_i].rchar);
	two_text(1, scans[_i].several ? scans[_i].text : NULL, scans[_i].several ? NULL : scans[_i].text);
	two_request(&two.end, client(1), table, TAP_IO_READ, 100, scans[_i].bytes, scans[_i].pattern);
	found = hint("full_scan");
	ck_assert(!found == (scans[_i].confidence < 0));
	if (found)
		ck_assert_double_eq_tol(found->confidence, scans[_i].confidence, 1e-9);
}
END_TEST

START_TEST(test_no_full_scan_of_a_small_table_or_index)
{
	struct tap_file_key index = two_file(11, "16390", "5", "base");

	two_object(16390, 16390, TAP_FILE_INDEX, "accounts_pkey", "accounts");
	two.end.io.files[0].file.size_bytes = 63 * MIB;
	statement(1, 1, 2ull * SIZE);
	two_request(&two.end, client(1), table, TAP_IO_READ, 100, 63 * MIB, TAP_PATTERN_SEQUENTIAL);
	two_request(&two.end, client(1), index, TAP_IO_READ, 100, SIZE, TAP_PATTERN_SEQUENTIAL);
	ck_assert_ptr_null(hint("full_scan"));
}
END_TEST

START_TEST(test_random_heap)
{
	const struct tap_view_hint *found;

	statement(1, 1000, 100 * MIB);
	two_request(&two.end, client(1), table, TAP_IO_READ, 1000, 8 * MIB, TAP_PATTERN_RANDOM);
	found = hint("random_heap");
	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found->relation, "public.accounts");
	ck_assert_double_eq_tol(found->confidence, 0.8, 1e-9);
	ck_assert_ptr_nonnull(strstr(found->evidence, "1000 executions made 1000 read requests"));
	/* Few of them say nothing. */
	two.end.io.requests[0].io.requests = 499;
	ck_assert_ptr_null(hint("random_heap"));
}
END_TEST

START_TEST(test_random_index_is_no_heap)
{
	two_object(16384, 16384, TAP_FILE_INDEX, "accounts_pkey", "accounts");
	statement(1, 1000, 100 * MIB);
	two_request(&two.end, client(1), table, TAP_IO_READ, 1000, 8 * MIB, TAP_PATTERN_RANDOM);
	ck_assert_ptr_null(hint("random_heap"));
}
END_TEST

START_TEST(test_temp_spill)
{
	struct tap_file_key temp = two_file(12, "pgsql_tmp7.0", "pgsql_tmp", "base");
	const struct tap_view_hint *found;

	statement(1, 4, 0);
	two_text(1, NULL, "select * from accounts order by x");
	two_dirty(&two.end, client(1), temp, 40 * MIB);
	found = hint("temp_spill");
	ck_assert_ptr_nonnull(found);
	ck_assert_double_eq(found->confidence, 0.95);
	ck_assert_ptr_nonnull(
		strstr(found->evidence, "4 executions wrote 40.0 MiB into temporary files, 10.0 MiB each"));
	ck_assert_ptr_nonnull(strstr(found->advice, "work_mem"));
	ck_assert_ptr_null(strstr(found->advice, "maintenance_work_mem"));
	two.end.io.dirty[0].bytes = MIB - 1;
	ck_assert_ptr_null(hint("temp_spill"));
}
END_TEST

START_TEST(test_temp_spill_of_a_command)
{
	struct tap_file_key temp = two_file(12, "pgsql_tmp7.0", "pgsql_tmp", "base");

	statement(1, 1, 0);
	two_text(1, NULL, "create index on accounts (x)");
	two_dirty(&two.end, client(1), temp, 40 * MIB);
	ck_assert_ptr_nonnull(strstr(hint("temp_spill")->advice, "maintenance_work_mem"));
}
END_TEST

START_TEST(test_checkpoint_latency)
{
	struct tap_io_key key = { .row = client(1), .file = table, .disk = TWO_DISK, .op = TAP_IO_READ };
	struct tap_io io = { .requests = 200, .bytes = MIB, .max_ns = 50000000 };
	const struct tap_view_hint *found;

	io.latency[tap_latency_bucket(100000)] = 150;
	io.latency[tap_latency_bucket(50000000)] = 50;
	statement(1, 10, 0);
	ck_assert_int_eq(tap_io_set_add_request(&two.end.io, &key, &io), 0);
	two_dirty(&two.end, checkpointer, table, 64 * MIB);
	two_request(&two.end, kernel, table, TAP_IO_WRITE, 100, 32 * MIB, 0);
	found = hint("checkpoint_latency");
	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found->instance, "postgres-5432");
	ck_assert_ptr_null(found->query_id);
	ck_assert_double_eq_tol(found->confidence, 0.6, 1e-9);
	ck_assert_ptr_nonnull(strstr(found->evidence, "32.0 MiB"));
	ck_assert_ptr_nonnull(strstr(found->evidence, "200 requests"));
	/* Slow, but no slower than usual. */
	two.end.io.requests[0].io.latency[tap_latency_bucket(100000)] = 0;
	ck_assert_ptr_null(hint("checkpoint_latency"));
}
END_TEST

START_TEST(test_backend_writes)
{
	const struct tap_view_hint *found;

	statement(1, 10, 0);
	statement(2, 10, 0);
	two_dirty(&two.end, client(1), table, 10 * MIB);
	two_dirty(&two.end, client(2), table, 20 * MIB);
	two_dirty(&two.end, checkpointer, table, 30 * MIB);
	found = hint("backend_writes");
	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found->query_id, "2");
	ck_assert_double_eq_tol(found->confidence, 0.55, 1e-9);
	ck_assert_ptr_nonnull(strstr(found->evidence, "clients wrote 30.0 MiB of relations' pages themselves, 50 %"));
	two_text(2, NULL, "COPY accounts FROM stdin");
	ck_assert_double_eq_tol(hint("backend_writes")->confidence, 0.275, 1e-9);
	/* Mostly the checkpointer's. */
	two.end.io.dirty[2].bytes = 300 * MIB;
	ck_assert_ptr_null(hint("backend_writes"));
}
END_TEST

START_TEST(test_order_limit_and_silence)
{
	struct tap_file_key temp = two_file(12, "pgsql_tmp7.0", "pgsql_tmp", "base");

	ck_assert_ptr_null(hint("full_scan"));
	ck_assert_uint_eq(two.view->n_hints, 0);
	for (uint64_t id = 1; id <= 5; id++) {
		statement(id, 1, SIZE);
		two_dirty(&two.end, client(id), temp, 2 * MIB);
		two_request(&two.end, client(id), table, TAP_IO_READ, 100, SIZE, TAP_PATTERN_SEQUENTIAL);
	}
	two_view();
	ck_assert_uint_eq(two.view->n_hints, 10);
	for (size_t i = 1; i < 10; i++) {
		const struct tap_view_hint *before = &two.view->hints[i - 1], *after = &two.view->hints[i];

		ck_assert_double_ge(before->confidence, after->confidence);
		ck_assert(strcmp(before->hint, after->hint) != 0 || strcmp(before->query_id, after->query_id) < 0);
	}
	two.input.options.limit = 3;
	two_view();
	ck_assert_uint_eq(two.view->n_hints, 3);
	two.input.options.io = false;
	two_view();
	ck_assert_uint_eq(two.view->n_hints, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("model/hints");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_full_scan);
	tcase_add_test(tests, test_full_scan_in_parallel);
	tcase_add_loop_test(tests, test_full_scan_or_not, 0, (int)(sizeof(scans) / sizeof(scans[0])));
	tcase_add_test(tests, test_no_full_scan_of_a_small_table_or_index);
	tcase_add_test(tests, test_random_heap);
	tcase_add_test(tests, test_random_index_is_no_heap);
	tcase_add_test(tests, test_temp_spill);
	tcase_add_test(tests, test_temp_spill_of_a_command);
	tcase_add_test(tests, test_checkpoint_latency);
	tcase_add_test(tests, test_backend_writes);
	tcase_add_test(tests, test_order_limit_and_silence);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
