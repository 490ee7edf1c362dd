// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_io.c - the block I/O of a view: figures and relations of queries, lists, blame, filters, what cannot be known,
 * and the time that many files take.
 */
#include "tests/unit/correlate/model/two_io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "tests/lib/alloc_fail.h"

static void set_up(void)
{
	two_io_init();
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	two_io_done();
}

static const struct tap_view_query *query_of(const char *query_id)
{
	for (size_t i = 0; i < two.view->n_queries; i++) {
		if (two.view->queries[i].query_id && !strcmp(two.view->queries[i].query_id, query_id))
			return &two.view->queries[i];
	}
	return NULL;
}

static int64_t figure(const char *query_id, enum tap_figure which)
{
	const struct tap_view_query *query = query_of(query_id);

	ck_assert_ptr_nonnull(query);
	ck_assert_uint_eq(query->figures.absent[which], TAP_REASON_NONE);
	return query->figures.value[which];
}

static const struct tap_view_io *row_of(const struct tap_view_io *rows, size_t count, const char *kind,
					const char *relation)
{
	for (size_t i = 0; i < count; i++) {
		if ((!kind || (rows[i].kind && !strcmp(rows[i].kind, kind))) &&
		    (!relation || (rows[i].relation && !strcmp(rows[i].relation, relation))))
			return &rows[i];
	}
	return NULL;
}

static const struct tap_view_io *owner_row(const char *kind)
{
	return row_of(two.view->io_queries, two.view->n_io_queries, kind, NULL);
}

static const struct tap_view_io *relation_row(const char *name)
{
	return row_of(two.view->io_relations, two.view->n_io_relations, NULL, name);
}

/* Of what `dirtied_by` dirtied, the bytes that `written_by` wrote. */
static uint64_t blamed(const char *dirtied_by, const char *written_by)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < two.view->n_io_blame; i++) {
		const struct tap_view_blame *row = &two.view->io_blame[i];

		if (!strcmp(row->dirtied_by, dirtied_by) && !strcmp(row->written_by, written_by))
			bytes += row->bytes;
	}
	return bytes;
}

static const struct tap_row_key client = { .instance = 0,
					   .kind = TAP_KIND_CLIENT,
					   .source = TAP_QUERY_ID_ENGINE,
					   .database = APP,
					   .user = ME,
					   .query_id = 1 };
static const struct tap_row_key checkpointer = { .instance = 0, .kind = TAP_KIND_CHECKPOINTER };
static const struct tap_row_key kernel = { .instance = TAP_INSTANCE_NONE, .kind = TAP_KIND_KERNEL };
static const struct tap_row_key other = { .instance = TAP_INSTANCE_NONE, .kind = TAP_KIND_OTHER };

START_TEST(test_figures_of_a_query)
{
	struct tap_file_key table = two_file(10, "16384", "5", "base"),
			    temp = two_file(11, "pgsql_tmp7.0", "pgsql_tmp", "base");

	two_add(client, 10, 3, 0, 0)->account.rchar_bytes = 100000;
	two_request(&two.begin, client, table, TAP_IO_READ, 1, 8192, 0);
	two_request(&two.end, client, table, TAP_IO_READ, 5, 8192 + 40960, 1);
	two_request(&two.end, client, table, TAP_IO_WRITE, 2, 16384, 2);
	two_dirty(&two.end, client, table, 8192);
	two_dirty(&two.end, client, temp, 4096);
	two_view();
	ck_assert_int_eq(figure("1", TAP_FIGURE_READ_REQUESTS), 4);
	ck_assert_int_eq(figure("1", TAP_FIGURE_READ_SEQ), 0);
	ck_assert_int_eq(figure("1", TAP_FIGURE_READ_NEAR), 8192 + 40960);
	ck_assert_int_eq(figure("1", TAP_FIGURE_WRITE_REQUESTS), 2);
	ck_assert_int_eq(figure("1", TAP_FIGURE_SUBMITTED_WRITE), 16384);
	ck_assert_int_eq(figure("1", TAP_FIGURE_WRITE_RAND), 16384);
	/* 8 KiB dirtied, and what else it submitted is its own: direct, or dirtied before the attach. */
	ck_assert_int_eq(figure("1", TAP_FIGURE_WRITE), 16384);
	ck_assert_int_eq(figure("1", TAP_FIGURE_TEMP), 4096);
	ck_assert_int_eq(figure("1", TAP_FIGURE_CACHE_READ), 100000 - 40960);
	ck_assert_uint_eq(query_of("1")->n_absent, 1); /* the text */
	ck_assert_int_gt(query_of("1")->io_latency_ns.p50, 0);
	ck_assert_int_ge(query_of("1")->io_latency_ns.max, query_of("1")->io_latency_ns.p99);
	ck_assert_uint_eq(query_of("1")->n_relations, 2);
	ck_assert_str_eq(query_of("1")->relations[0].name, "base/5/16384");
	ck_assert_str_eq(query_of("1")->relations[0].kind, "relation");
	ck_assert_uint_eq(query_of("1")->relations[0].read_bytes, 40960);
	ck_assert_uint_eq(query_of("1")->relations[0].read_requests, 4);
	ck_assert_uint_eq(query_of("1")->relations[0].write_bytes, 16384);
	ck_assert_str_eq(query_of("1")->relations[1].kind, "temp");
	ck_assert_uint_eq(query_of("1")->relations[1].dirtied_bytes, 4096);
	/* The lists belong to the io view. */
	ck_assert_uint_eq(two.view->n_io_queries + two.view->n_io_relations + two.view->n_io_devices, 0);
}
END_TEST

START_TEST(test_query_without_requests)
{
	two_add(client, 10, 3, 0, 0)->account.rchar_bytes = 5000;
	two_view();
	ck_assert_int_eq(figure("1", TAP_FIGURE_READ_REQUESTS), 0);
	ck_assert_int_eq(figure("1", TAP_FIGURE_CACHE_READ), 5000);
	ck_assert_int_eq(query_of("1")->io_latency_ns.p50, -1);
	ck_assert_int_eq(query_of("1")->io_latency_ns.max, -1);
	ck_assert_uint_eq(query_of("1")->n_relations, 0);
}
END_TEST

START_TEST(test_nothing_traced)
{
	two.begin.io.traced = _i & 1;
	two.end.io.traced = _i & 2;
	two.input.options.io = true;
	two_add(client, 10, 3, 0, 0);
	two_request(&two.end, client, two_file(10, "16384", "5", "base"), TAP_IO_READ, 1, 8192, 0);
	two_view();
	ck_assert_uint_eq(query_of("1")->figures.absent[TAP_FIGURE_READ_REQUESTS], TAP_REASON_IO_OFF);
	ck_assert_uint_eq(query_of("1")->figures.absent[TAP_FIGURE_WRITE], TAP_REASON_IO_OFF);
	ck_assert_uint_eq(query_of("1")->figures.absent[TAP_FIGURE_TEMP], TAP_REASON_IO_OFF);
	ck_assert_uint_eq(query_of("1")->figures.absent[TAP_FIGURE_READ], TAP_REASON_NONE);
	ck_assert_uint_eq(two.view->totals.absent[TAP_FIGURE_READ_REQUESTS], TAP_REASON_IO_OFF);
	ck_assert_uint_eq(two.view->n_io_queries + two.view->n_io_relations, 0);
	for (size_t i = 0; i < two.view->n_absent; i++) {
		if (!strcmp(two.view->absent[i].field, "relations"))
			return;
	}
	ck_abort_msg("relations are not said to be absent");
}
END_TEST

/* One of two instances lies in memory: its rows say so, and the sums are those of the other. */
START_TEST(test_instance_without_a_disk)
{
	struct tap_row_key there = two_key(1, TAP_KIND_CLIENT, APP, 2);

	two.instances[1].io_absent = TAP_REASON_NO_DISK;
	two_add(client, 10, 3, 0, 0);
	two_add(there, 10, 3, 0, 0);
	two_request(&two.end, client, two_file(10, "16384", "5", "base"), TAP_IO_READ, 1, 8192, 0);
	two_view();
	ck_assert_uint_eq(query_of("2")->figures.absent[TAP_FIGURE_READ_REQUESTS], TAP_REASON_NO_DISK);
	ck_assert_uint_eq(query_of("2")->n_absent, 3);
	ck_assert_str_eq(query_of("2")->absent[1].field, "io_latency_ns");
	ck_assert_int_eq(figure("1", TAP_FIGURE_READ_REQUESTS), 1);
	ck_assert_uint_eq(two.view->totals.absent[TAP_FIGURE_READ_REQUESTS], TAP_REASON_NONE);
	ck_assert_int_eq(two.view->totals.value[TAP_FIGURE_READ_REQUESTS], 1);
}
END_TEST

static const struct {
	uint8_t kind;
	const char *text;
	uint64_t rchar;
	uint64_t brought_in;
	enum tap_reason absent;
	int64_t cache;
} caches[] = {
	{ TAP_KIND_CLIENT, NULL, 1 << 20, 0, TAP_REASON_NONE, 1 << 20 },
	{ TAP_KIND_CLIENT, NULL, 1 << 20, 1 << 20, TAP_REASON_NONE, 0 },
	{ TAP_KIND_CLIENT, NULL, 1 << 20, (1 << 20) + 131072, TAP_REASON_NONE, 0 }, /* read ahead of the end */
	{ TAP_KIND_CLIENT, NULL, 1 << 20, 2 << 20, TAP_REASON_READ_AHEAD, 0 },
	{ TAP_KIND_CLIENT, NULL, 0, 1 << 20, TAP_REASON_READ_AHEAD, 0 },
	{ TAP_KIND_CLIENT, "COPY t FROM PROGRAM 'x'", 1 << 20, 0, TAP_REASON_NO_FILES, 0 },
	{ TAP_KIND_CLIENT, "copy t from stdin", 1 << 20, 0, TAP_REASON_NONE, 1 << 20 },
	{ TAP_KIND_CHILD, NULL, 1 << 20, 0, TAP_REASON_NO_FILES, 0 },
	{ TAP_KIND_LOGGER, NULL, 1 << 20, 0, TAP_REASON_NO_FILES, 0 },
};

START_TEST(test_page_cache)
{
	struct tap_row_key key = client;

	key.kind = caches[_i].kind;
	two_add(key, 10, 3, 0, 0)->account.rchar_bytes = caches[_i].rchar;
	if (caches[_i].text)
		two_text(1, NULL, caches[_i].text);
	if (caches[_i].brought_in)
		two_request(&two.end, key, two_file(10, "16384", "5", "base"), TAP_IO_READ, 1, caches[_i].brought_in,
			    0);
	/* The file system's own blocks were not asked for. */
	two_request(&two.end, key, (struct tap_file_key){ .device = TWO_DISK }, TAP_IO_READ, 1, 4096, 0);
	two_view();
	ck_assert_uint_eq(two.view->queries[0].figures.absent[TAP_FIGURE_CACHE_READ], caches[_i].absent);
	ck_assert_int_eq(two.view->queries[0].figures.value[TAP_FIGURE_CACHE_READ], caches[_i].cache);
	/* What has no such figure, or reads no files, does not spoil the sum. */
	ck_assert_uint_eq(two.view->totals.absent[TAP_FIGURE_CACHE_READ],
			  caches[_i].absent == TAP_REASON_READ_AHEAD ? TAP_REASON_READ_AHEAD : TAP_REASON_NONE);
}
END_TEST

/* The leader reads ahead what its worker asks for: a cold scan in parallel had nothing from the cache. */
START_TEST(test_page_cache_of_a_parallel_scan)
{
	struct tap_row_key worker = client;
	struct tap_file_key table = two_file(10, "16384", "5", "base");

	worker.kind = TAP_KIND_PARALLEL;
	two_add(client, 10, 1, 0, 0)->account.rchar_bytes = 30 << 20;
	two_add(worker, 10, 0, 0, 0)->account.rchar_bytes = 70 << 20;
	two_request(&two.end, client, table, TAP_IO_READ, 1, 50 << 20, 0);
	two_request(&two.end, worker, table, TAP_IO_READ, 1, 50 << 20, 0);
	two_view();
	ck_assert_uint_eq(two.view->totals.absent[TAP_FIGURE_CACHE_READ], TAP_REASON_NONE);
	ck_assert_int_eq(two.view->totals.value[TAP_FIGURE_CACHE_READ], 0);
	/* Half of it was cached: of both. */
	two.end.io.requests[0].io.bytes = two.end.io.requests[1].io.bytes = 25 << 20;
	two_view();
	for (size_t i = 0; i < two.view->n_queries; i++)
		ck_assert_int_eq(two.view->queries[i].figures.value[TAP_FIGURE_CACHE_READ],
				 two.view->queries[i].figures.value[TAP_FIGURE_RCHAR] / 2);
}
END_TEST

/* Dirtied by a statement that was over before the window, written in it: the statement's row is there. */
START_TEST(test_charged_to_a_statement_of_before)
{
	struct tap_file_key table = two_file(10, "16384", "5", "base");

	two.input.options.io = true;
	two_dirty(&two.begin, client, table, 65536);
	two_dirty(&two.end, client, table, 65536);
	two_request(&two.end, kernel, table, TAP_IO_WRITE, 4, 40960, 0);
	two_request(&two.end, kernel, (struct tap_file_key){ .device = TWO_DISK }, TAP_IO_WRITE, 1, 4096, 0);
	two_view();
	ck_assert_int_eq(figure("1", TAP_FIGURE_WRITE), 40960);
	ck_assert_int_eq(figure("1", TAP_FIGURE_SUBMITTED_WRITE), 0);
	ck_assert_int_eq(figure("1", TAP_FIGURE_CPU), 0);
	ck_assert_uint_eq(owner_row("kernel")->write.bytes, 45056);
	ck_assert_uint_eq(owner_row("kernel")->charged_write_bytes, 0);
	/* The file system's own: nobody was seen. */
	ck_assert_uint_eq(owner_row("unseen")->charged_write_bytes, 4096);
	ck_assert_ptr_null(owner_row("unseen")->instance);
	ck_assert_uint_eq(blamed("client", "kernel"), 40960);
	ck_assert_uint_eq(blamed("unseen", "kernel"), 4096);
	/* Kernel threads are no rows of an instance. */
	ck_assert_uint_eq(two.view->n_queries, 1);
}
END_TEST

/* A view that shows the disks alone has no other list. */
START_TEST(test_disks_alone)
{
	const struct tap_view *view;

	two_request(&two.end, client, two_file(10, "16384", "5", "base"), TAP_IO_READ, 3, 30000, 0);
	ck_assert_uint_eq(two_view()->n_io_devices, 0);
	two.input.options.disks = true;
	view = two_view();
	ck_assert_uint_eq(view->n_io_devices, 1);
	ck_assert_uint_eq(view->io_devices[0].read.bytes, 30000);
	ck_assert_uint_eq(view->n_io_queries + view->n_io_relations + view->n_io_streams + view->n_hints, 0);
}
END_TEST

START_TEST(test_sums_of_all_lists_agree)
{
	struct tap_file_key table = two_file(10, "16384", "5", "base"), index = two_file(11, "16390", "5", "base");
	const struct tap_view *view;
	uint64_t written = 0, charged = 0, blame = 0, relations = 0, read = 0;

	two.input.options.io = true;
	two_dirty(&two.end, client, table, 30000);
	two_dirty(&two.end, checkpointer, table, 50000);
	two_request(&two.end, client, table, TAP_IO_READ, 3, 30000, 0);
	two_request(&two.end, other, index, TAP_IO_READ, 3, 5000, 0);
	two_request(&two.end, checkpointer, table, TAP_IO_WRITE, 3, 70000, 1);
	two_request(&two.end, kernel, table, TAP_IO_WRITE, 3, 20000, 1);
	two_request(&two.end, kernel, index, TAP_IO_WRITE, 3, 1234, 1);
	two_request(&two.end, kernel, index, TAP_IO_FLUSH, 3, 0, 0);
	two_request(&two.end, kernel, index, TAP_IO_DISCARD, 1, 777, 0);
	two_request(&two.end, kernel, index, 99, 1, 777, 0); /* no operation at all */
	view = two_view();
	for (size_t i = 0; i < view->n_io_queries; i++) {
		written += view->io_queries[i].write.bytes;
		charged += view->io_queries[i].charged_write_bytes;
		read += view->io_queries[i].read.bytes;
	}
	for (size_t i = 0; i < view->n_io_blame; i++)
		blame += view->io_blame[i].bytes;
	for (size_t i = 0; i < view->n_io_relations; i++)
		relations += view->io_relations[i].charged_write_bytes;
	ck_assert_uint_eq(read, 35000);
	ck_assert_uint_eq(written, 91234);
	ck_assert_uint_eq(charged, 91234);
	ck_assert_uint_eq(blame, 91234);
	ck_assert_uint_eq(relations, 91234);
	ck_assert_uint_eq(view->n_io_devices, 1);
	ck_assert_uint_eq(view->io_devices[0].write.bytes, 91234);
	ck_assert_uint_eq(view->io_devices[0].read.bytes, 35000);
	ck_assert_uint_eq(view->io_devices[0].flushes, 3);
	ck_assert_uint_eq(view->io_devices[0].discard_bytes, 777);
	ck_assert_int_eq(view->io_devices[0].counted_read_bytes, -1);
	ck_assert_str_eq(view->io_devices[0].device, "8:0");
	ck_assert_str_eq(view->io_queries[0].kind, "checkpointer");
	ck_assert_uint_eq(relation_row("base/5/16384")->dirtied_bytes, 80000);
	ck_assert_str_eq(relation_row("base/5/16384")->database, "app");
	ck_assert_str_eq(relation_row("base/5/16384")->instance, "postgres-5432");
}
END_TEST

START_TEST(test_device_counters)
{
	struct tap_disk_entry disk = { .disk = TWO_DISK, .name = "sda", .read_bytes = 1000, .write_bytes = 2000 };
	struct tap_disk_entry idle = { .disk = TWO_DISK + 16, .name = "sdb", .read_bytes = 77 };

	two.input.options.io = true;
	ck_assert_int_eq(tap_io_set_add_disk(&two.begin.io, &disk), 0);
	ck_assert_int_eq(tap_io_set_add_disk(&two.begin.io, &idle), 0);
	ck_assert_int_eq(tap_io_set_add_disk(&two.end.io, &idle), 0);
	disk.read_bytes = 11000;
	disk.write_bytes = 2500;
	ck_assert_int_eq(tap_io_set_add_disk(&two.end.io, &disk), 0);
	two_request(&two.end, client, two_file(10, "16384", "5", "base"), TAP_IO_READ, 3, 9000, 0);
	two_request(&two.end, client, two_file(10, "16384", "5", "base"), TAP_IO_WRITE, 3, 600, 0);
	/* Only one instance is asked for: the device is still whole. */
	two.input.options.instance = "postgres-5433";
	two_view();
	ck_assert_uint_eq(two.view->n_io_queries, 0);
	ck_assert_uint_eq(two.view->n_io_devices, 2);
	ck_assert_str_eq(two.view->io_devices[0].device, "sda");
	ck_assert_int_eq(two.view->io_devices[0].counted_read_bytes, 10000);
	ck_assert_int_eq(two.view->io_devices[0].residual_read_bytes, 1000);
	ck_assert_int_eq(two.view->io_devices[0].counted_write_bytes, 500);
	ck_assert_int_eq(two.view->io_devices[0].counted_flushes, 0);
	ck_assert_int_eq(two.view->io_devices[0].residual_write_bytes, -100);
	ck_assert_str_eq(two.view->io_devices[1].device, "sdb");
	ck_assert_int_eq(two.view->io_devices[1].counted_read_bytes, 0);
	ck_assert_int_eq(two.view->io_devices[1].residual_read_bytes, 0);
}
END_TEST

/* Segments, forks, and the files before and after a rewrite are one relation; its index is another. */
START_TEST(test_objects_of_the_catalog)
{
	const struct tap_view_io *row;

	two.input.options.io = true;
	two_object(16384, 16384, TAP_FILE_TABLE, "accounts", NULL);
	two_object(16500, 16384, TAP_FILE_TABLE, "accounts", NULL);
	two_object(16390, 16390, TAP_FILE_INDEX, "accounts_pkey", "accounts");
	two_request(&two.end, client, two_file(10, "16384", "5", "base"), TAP_IO_READ, 1, 1000, 0);
	two_request(&two.end, client, two_file(11, "16384.1", "5", "base"), TAP_IO_READ, 1, 1000, 0);
	two_request(&two.end, client, two_file(12, "16384_vm", "5", "base"), TAP_IO_READ, 1, 1000, 0);
	two_request(&two.end, client, two_file(13, "16500", "5", "base"), TAP_IO_READ, 1, 1000, 0);
	two_request(&two.end, client, two_file(14, "16390", "5", "base"), TAP_IO_READ, 1, 500, 0);
	two_request(&two.end, client, two_file(15, "000000010000000000000001", "pg_wal", NULL), TAP_IO_WRITE, 1, 300,
		    0);
	two_request(&two.end, client, two_file(16, "000000010000000000000002", "pg_wal", NULL), TAP_IO_WRITE, 1, 300,
		    0);
	two_view();
	ck_assert_uint_eq(two.view->n_io_relations, 3);
	row = &two.view->io_relations[0];
	ck_assert_str_eq(row->relation, "public.accounts");
	ck_assert_str_eq(row->relation_kind, "table");
	ck_assert_ptr_null(row->relation_parent);
	ck_assert_uint_eq(row->read.bytes, 4000);
	ck_assert_str_eq(two.view->io_relations[1].relation, "pg_wal");
	ck_assert_str_eq(two.view->io_relations[1].relation_kind, "wal");
	ck_assert_uint_eq(two.view->io_relations[1].write.bytes, 600);
	ck_assert_str_eq(two.view->io_relations[2].relation, "public.accounts_pkey");
	ck_assert_str_eq(two.view->io_relations[2].relation_parent, "public.accounts");
	ck_assert_str_eq(query_of("1")->relations[0].name, "public.accounts");
	ck_assert_str_eq(query_of("1")->relations[2].parent, "public.accounts");
}
END_TEST

/* A file that the kernel side could not describe, one of no instance, and one below an overlay. */
START_TEST(test_files_without_a_name)
{
	struct tap_file_key lost = { .inode = 77, .device = TWO_DISK }, overlay;
	struct tap_file_key foreign = two_file(20, "data.bin", "backup", "srv");

	two.input.options.io = true;
	two_request(&two.end, client, lost, TAP_IO_READ, 1, 3000, 0);
	two_request(&two.end, other, foreign, TAP_IO_READ, 1, 2000, 0);
	two.roots[0].device = 1; /* as an overlay shows it */
	overlay = two_file(30, "16384", "5", "base");
	two_request(&two.end, kernel, overlay, TAP_IO_WRITE, 1, 1000, 0);
	two_dirty(&two.end, client, overlay, 1000);
	two_view();
	ck_assert_str_eq(two.view->io_relations[0].relation, "inode 77");
	ck_assert_str_eq(two.view->io_relations[0].relation_kind, "unknown");
	ck_assert_str_eq(two.view->io_relations[1].relation, "srv/backup/data.bin");
	ck_assert_ptr_null(two.view->io_relations[1].instance);
	ck_assert_str_eq(two.view->io_relations[2].relation, "base/5/16384");
	ck_assert_str_eq(two.view->io_relations[2].instance, "postgres-5432");
}
END_TEST

START_TEST(test_filters)
{
	struct tap_file_key mine = two_file(10, "16384", "5", "base"), theirs = two_file(11, "16384", "6", "base");
	struct tap_row_key there = two_key(0, TAP_KIND_CLIENT, OTHER, 2);

	two.input.options.io = true;
	two.input.options.database = "app";
	two_request(&two.end, client, mine, TAP_IO_READ, 1, 100, 0);
	two_request(&two.end, there, theirs, TAP_IO_READ, 1, 200, 0);
	two_request(&two.end, kernel, mine, TAP_IO_WRITE, 1, 300, 0);
	two_request(&two.end, kernel, theirs, TAP_IO_WRITE, 1, 400, 0);
	two_request(&two.end, checkpointer, mine, TAP_IO_WRITE, 1, 500, 0);
	two_view();
	ck_assert_uint_eq(two.view->n_io_relations, 1);
	ck_assert_uint_eq(two.view->io_relations[0].read.bytes, 100);
	ck_assert_uint_eq(two.view->io_relations[0].write.bytes, 800);
	ck_assert_uint_eq(owner_row("kernel")->write.bytes, 300);
	ck_assert_uint_eq(owner_row("checkpointer")->write.bytes, 500);
	ck_assert_ptr_null(query_of("2"));
	ck_assert_uint_eq(two.view->n_queries, 1);
	two.input.options.database = NULL;
	two.input.options.limit = 2;
	two_view();
	ck_assert_uint_eq(two.view->n_io_queries, 2);
	ck_assert_str_eq(two.view->io_queries[0].kind, "kernel");
	ck_assert_uint_eq(two.view->n_io_relations, 2);
	ck_assert_uint_eq(two.view->n_io_blame, 2);
}
END_TEST

START_TEST(test_streams)
{
	struct tap_file_key table = two_file(10, "16384", "5", "base"), more = two_file(11, "16384.1", "5", "base");
	struct tap_stream_set set = { .row = client, .requests = 10, .bytes = { 1000, 10, 20 } };
	struct tap_stream_key key = { .file = table, .owner = 4711, .op = TAP_IO_READ };

	two.input.options.io = true;
	ck_assert_int_eq(tap_io_set_add_stream(&two.end.io, &key, &set), 0);
	key.file = more;
	ck_assert_int_eq(tap_io_set_add_stream(&two.end.io, &key, &set), 0);
	key.op = TAP_IO_WRITE;
	set.bytes[TAP_PATTERN_RANDOM] = 5000;
	ck_assert_int_eq(tap_io_set_add_stream(&two.end.io, &key, &set), 0);
	key.owner = 4712;
	key.op = TAP_IO_READ;
	set.row = kernel;
	ck_assert_int_eq(tap_io_set_add_stream(&two.end.io, &key, &set), 0);
	key.op = 77;
	ck_assert_int_eq(tap_io_set_add_stream(&two.end.io, &key, &set), 0);
	two_view();
	ck_assert_uint_eq(two.view->n_io_streams, 2);
	ck_assert_int_eq(two.view->io_streams[0].pid, 4711);
	ck_assert_str_eq(two.view->io_streams[0].kind, "client");
	ck_assert_str_eq(two.view->io_streams[0].query_id, "1");
	ck_assert_str_eq(two.view->io_streams[0].pattern, "random");
	ck_assert_uint_eq(two.view->io_streams[0].read.requests, 20);
	ck_assert_uint_eq(two.view->io_streams[0].read.pattern_bytes[0], 2000);
	ck_assert_uint_eq(two.view->io_streams[0].read.bytes, 2060);
	ck_assert_uint_eq(two.view->io_streams[0].write.bytes, 6010);
	ck_assert_int_eq(two.view->io_streams[0].read.latency.p50, -1);
	ck_assert_str_eq(two.view->io_streams[1].kind, "kernel");
	ck_assert_str_eq(two.view->io_streams[1].instance, "postgres-5432");
}
END_TEST

START_TEST(test_latencies_and_sizes)
{
	struct tap_file_key table = two_file(10, "16384", "5", "base");
	struct tap_io io = { .requests = 100, .bytes = 100 * 8192, .max_ns = 5000000 };
	struct tap_io_key key = { .row = client, .file = table, .disk = TWO_DISK, .op = TAP_IO_READ };
	const struct tap_view_io *row;

	io.latency[tap_latency_bucket(100000)] = 90;
	io.latency[tap_latency_bucket(5000000)] = 10;
	io.device_latency[tap_latency_bucket(50000)] = 100;
	io.sizes[4] = 100;
	two.input.options.io = true;
	ck_assert_int_eq(tap_io_set_add_request(&two.end.io, &key, &io), 0);
	two_view();
	row = owner_row("client");
	ck_assert_int_eq(row->read.latency.p50, (int64_t)tap_latency_middle_ns(tap_latency_bucket(100000)));
	ck_assert_int_le(row->read.latency.p95, 5000000);
	ck_assert_int_eq(row->read.latency.max, 5000000);
	ck_assert_int_eq(row->read.device_latency.p99, (int64_t)tap_latency_middle_ns(tap_latency_bucket(50000)));
	ck_assert_int_eq(row->write.latency.p50, -1);
	ck_assert_uint_eq(row->read.sizes[4], 100);
	ck_assert_uint_eq(row->read.octaves[6], 90); /* 65,536 to 131,071 ns */
	ck_assert_uint_eq(row->read.octaves[12], 10);
}
END_TEST

/* Rows whose figures are all as large as they can be. */
START_TEST(test_hostile_figures)
{
	struct tap_file_key table = two_file(10, "16384", "5", "base");
	struct tap_row_key strange = { .instance = 5000, .kind = 200, .source = 99, .parity = 7, .pad = 9 };
	struct tap_io_key key = { .row = client, .file = table, .disk = TWO_DISK };
	struct tap_io io;

	memset(&io, 0xff, sizeof(io));
	two.input.options.io = true;
	for (uint8_t op = 0; op < 5; op++) {
		for (uint32_t disk = 0; disk < 100; disk++) {
			key.op = op;
			key.disk = disk;
			key.row = disk % 2 ? client : strange;
			key.row.query_id = disk % 3;
			ck_assert_int_eq(tap_io_set_add_request(&two.end.io, &key, &io), 0);
		}
	}
	two_dirty(&two.end, client, table, UINT64_MAX);
	two_dirty(&two.end, strange, table, UINT64_MAX);
	two_view();
	ck_assert_int_eq(figure("1", TAP_FIGURE_READ_REQUESTS), INT64_MAX);
	ck_assert_uint_eq(two.view->n_io_devices, TAP_DISKS_MAX);
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct tap_stream_key key = { .file = two_file(10, "16384", "5", "base"), .owner = 1 };
	struct tap_stream_set set = { .row = client, .requests = 1 };
	struct tap_view *view = NULL;
	long n;

	two.input.options.io = true;
	two_add(client, 10, 3, 0, 0);
	two_object(16384, 16384, TAP_FILE_TABLE, "accounts", NULL);
	two_request(&two.end, client, key.file, TAP_IO_READ, 1, 100, 0);
	two_request(&two.end, client, key.file, TAP_IO_WRITE, 1, 100, 0);
	two_dirty(&two.end, client, key.file, 50);
	ck_assert_int_eq(tap_io_set_add_stream(&two.end.io, &key, &set), 0);
	for (n = 1;; n++) {
		int status;

		tap_alloc_fail_at(n);
		status = tap_window_view(&two.input, &view);
		if (!tap_alloc_failed())
			break;
		tap_alloc_fail_at(0);
		ck_assert_int_eq(status, -ENOMEM);
		ck_assert_ptr_null(view);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_ge(n, 30);
	ck_assert_ptr_nonnull(view);
	tap_view_free(view);
}
END_TEST

/* 50,000 files and as many requests' totals as the kernel side keeps. */
START_TEST(test_many_files)
{
	struct timespec begin, end;
	char name[16];

	two.input.options.io = true;
	for (uint32_t i = 0; i < 50000; i++) {
		snprintf(name, sizeof(name), "%" PRIu32, 16384 + i);
		two_object(16384 + i, 16384 + i, TAP_FILE_TABLE, name, NULL);
		two_file(1000 + i, name, "5", "base");
	}
	for (uint32_t i = 0; i < 8192; i++) {
		struct tap_row_key row = client;
		struct tap_file_key file = { .inode = 1000 + i * 6, .device = TWO_DISK };

		row.query_id = i % 1000;
		two_request(&two.begin, row, file, i % 3 ? TAP_IO_READ : TAP_IO_WRITE, 1, 8192, i % 3);
		two_request(&two.end, row, file, i % 3 ? TAP_IO_READ : TAP_IO_WRITE, 3, 65536, i % 3);
		two_dirty(&two.begin, row, file, 8192);
		two_dirty(&two.end, row, file, 65536);
	}
	two_view();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	two_view();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	printf("50,000 files, 8,192 totals: %.1f ms\n",
	       (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6);
	ck_assert_uint_eq(two.view->n_io_relations, 8192);
	ck_assert_str_eq(two.view->io_relations[0].relation_kind, "table");
	/* With sanitizers and without optimisation; a walk of every file for every total would take minutes. */
	ck_assert_int_lt(end.tv_sec - begin.tv_sec, 10);
}
END_TEST

/* --sort puts the lists that have the figure in its order, before the limit cuts them; the others keep theirs. */
START_TEST(test_sort)
{
	struct tap_file_key small = two_file(90, "90", "5", "base"), large = two_file(91, "91", "5", "base");
	struct tap_row_key row = two_key(0, TAP_KIND_CLIENT, APP, 9);

	two.input.options.io = true;
	two_request(&two.end, row, small, TAP_IO_READ, 500, 500 * 4096, TAP_PATTERN_RANDOM);
	two_request(&two.end, row, large, TAP_IO_READ, 10, 10 << 20, TAP_PATTERN_SEQUENTIAL);
	two_view();
	ck_assert_uint_eq(two.view->n_io_relations, 2);
	ck_assert_str_eq(two.view->io_relations[0].relation, "base/5/91");
	two.input.options.io_sort = "read_requests";
	two.input.options.limit = 1;
	two_view();
	ck_assert_uint_eq(two.view->n_io_relations, 1);
	ck_assert_str_eq(two.view->io_relations[0].relation, "base/5/90");
	two.input.options.io_sort = "counted_flushes";
	two_view();
	ck_assert_str_eq(two.view->io_relations[0].relation, "base/5/91");
}
END_TEST

/* All of it was merged into others' requests: there are bytes, and no request of its own. */
START_TEST(test_merged_alone)
{
	struct tap_file_key file = two_file(92, "92", "5", "base");
	struct tap_row_key row = two_key(0, TAP_KIND_CLIENT, APP, 9);

	two.input.options.io = true;
	two_request(&two.begin, row, file, TAP_IO_WRITE, 0, 8192, TAP_PATTERN_SEQUENTIAL);
	two_request(&two.end, row, file, TAP_IO_WRITE, 0, 3 * 8192, TAP_PATTERN_SEQUENTIAL);
	two_view();
	ck_assert_uint_eq(two.view->n_io_relations, 1);
	ck_assert_uint_eq(two.view->io_relations[0].write.bytes, 2 * 8192);
	ck_assert_uint_eq(two.view->io_relations[0].write.requests, 0);
	ck_assert_int_eq(two.view->io_relations[0].write.latency.p50, -1);
	ck_assert_uint_eq(two.view->io_queries[0].write.bytes, 2 * 8192);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("model/io");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_figures_of_a_query);
	tcase_add_test(tests, test_query_without_requests);
	tcase_add_loop_test(tests, test_nothing_traced, 0, 3);
	tcase_add_test(tests, test_instance_without_a_disk);
	tcase_add_loop_test(tests, test_page_cache, 0, (int)(sizeof(caches) / sizeof(caches[0])));
	tcase_add_test(tests, test_page_cache_of_a_parallel_scan);
	tcase_add_test(tests, test_charged_to_a_statement_of_before);
	tcase_add_test(tests, test_disks_alone);
	tcase_add_test(tests, test_sums_of_all_lists_agree);
	tcase_add_test(tests, test_device_counters);
	tcase_add_test(tests, test_objects_of_the_catalog);
	tcase_add_test(tests, test_files_without_a_name);
	tcase_add_test(tests, test_filters);
	tcase_add_test(tests, test_streams);
	tcase_add_test(tests, test_latencies_and_sizes);
	tcase_add_test(tests, test_hostile_figures);
	tcase_add_test(tests, test_out_of_memory);
	tcase_add_test(tests, test_many_files);
	tcase_add_test(tests, test_sort);
	tcase_add_test(tests, test_merged_alone);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
