// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_render_io.c - the io view through the text, JSON and CSV renderers: what stands where, at which width, and what
 * damaged counts and hostile names make of it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#if __has_include(<jansson.h>)
#include <jansson.h>
#define HAVE_JANSSON 1
#endif

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/output/render_check.h"
#include "tests/unit/userspace/output/sample_io.h"
#include "userspace/output/csv.h"
#include "userspace/output/escape.h"
#include "userspace/output/json.h"
#include "userspace/output/text.h"
#include "userspace/output/text_tables.h"

static void render_text(const struct tap_view *view, enum tap_view_part part, unsigned width, struct tap_strbuf *out)
{
	tap_strbuf_init(out);
	tap_text_render(view, part, width, out);
	ck_assert(!out->failed);
}

/* clang-format off: tables are to be seen as they are */
static const char devices_at_80[] = "DEVICE      READ  R/S        READ 50/95/99%   WRITTEN  W/S  UNATTRIBUTED\n"
				    "vda     7.81 MiB  100  85.0us/1.20ms/9.00ms  4.00 MiB    4  0.1% / 0.0%\n"
				    "vda reads: latency from 1 us .....▁█▂..▁..▁.......... to 17 s, at most 12.0 ms;\n"
				    "  2.00 ms in the queue, 110 ms in the device; sizes up to 8.00 KiB 97%, 128 KiB\n"
				    "  2%, over 1.00 MiB 1%\n"
				    "vda writes: latency from 1 us ..........█............. to 17 s, at most 4.00 ms;\n"
				    "  1.00 ms in the queue, 40.0 ms in the device; sizes up to 128 KiB 100%; failed\n"
				    "  2\n"
				    "vda: 7 flushes, 64.0 KiB discarded\n"
				    "\n";

static const char relations_at_80[] =
	"KIND       READ  SEQ/NEAR/RND%        READ 50/95/99%   WRITTEN  RELATION\n"
	"table  7.81 MiB        15/5/80  85.0us/1.20ms/9.00ms  4.00 MiB  public.accounts\n";

static const char queries_at_80[] = "    READ  CACHE%  SEQ/NEAR/RND%  WRITTEN  QUERY\n"
				    "7.81 MiB      90        15/5/80  512 KiB  SELECT * FROM accounts WHERE id = $1\n"
				    "       0       -              -        0  [checkpointer]\n";

static const char streams_at_80[] =
	" PID  PATTERN      READ  WRITTEN  RELATION       QUERY\n"
	"4712  random   7.81 MiB        0  public.orders  SELECT region, sum(total) FROM" TAP_ELLIPSIS "\n";

static const char blame_at_80[] =
	" WRITTEN  DIRTIED BY  WRITTEN BY    KIND   RELATION         QUERY\n"
	"3.00 MiB  client      checkpointer  table  public.accounts  UPDATE accounts SET" TAP_ELLIPSIS "\n";

static const char checkpoints_at_80[] =
	"CHECKPOINTS (--by checkpoint)\n"
	"postgres-5432: 2 checkpoints, 4.50 s of the window (45 %); charged with 96.0 MiB\n"
	"  written, submitted 1.00 MiB\n"
	"- from 12:00:00.000 to 12:00:02.500, ended: wrote 12,345 buffers in 2.00 s,\n"
	"  synced 12 files in 340 ms (longest 120 ms)\n"
	"- from 12:00:08.000, writing: wrote 17 buffers\n"
	"- others' reads on vda, 50/95/99 %: 12.0 ms / 40.0 ms / 80.0 ms during (1,234);\n"
	"  300 us / 1.00 ms / 2.00 ms outside (12,000)\n"
	"- others' writes on vda, 50/95/99 %: 5.00 ms / 6.00 ms / 7.00 ms during (7);\n"
	"  none outside\n";

static const char hints_at_80[] = "HINTS\n"
				  "random_heap (80 %) on public.accounts in shop: 80 % of 7.81 MiB read at random.\n"
				  "  A covering index would spare the heap\n"
				  "- query: SELECT * FROM accounts WHERE id = $1\n";
/* clang-format on */

START_TEST(test_overview_has_all_lists)
{
	struct tap_view view = sample_io_view();
	struct tap_strbuf out;

	render_text(&view, TAP_PART_IO, 80, &out);
	check_holds(&out, devices_at_80);
	check_holds(&out, relations_at_80);
	check_holds(&out, queries_at_80);
	check_holds(&out, streams_at_80);
	check_holds(&out, blame_at_80);
	check_holds(&out, checkpoints_at_80);
	check_holds(&out, hints_at_80);
	check_width(&out, 80);
	tap_strbuf_done(&out);
	render_text(&view, TAP_PART_IO, 160, &out);
	check_holds(&out, "1us.......1ms.......1s..");
	check_holds(&out, "WRITE 50/95/99%");
	check_width(&out, 160);
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_one_list)
{
	struct tap_view view = sample_io_view();
	struct tap_strbuf out;

	render_text(&view, TAP_PART_IO_RELATIONS, 80, &out);
	check_holds(&out, relations_at_80);
	check_lacks(&out, "HINTS");
	check_lacks(&out, "vda");
	tap_strbuf_done(&out);
	render_text(&view, TAP_PART_IO_DEVICES, 80, &out);
	check_holds(&out, devices_at_80);
	check_lacks(&out, "accounts");
	tap_strbuf_done(&out);
	render_text(&view, TAP_PART_IO_STREAMS, 80, &out);
	check_holds(&out, streams_at_80);
	tap_strbuf_done(&out);
	render_text(&view, TAP_PART_IO_HINTS, 80, &out);
	check_holds(&out, hints_at_80);
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_overview_is_short)
{
	struct tap_view view = sample_io_view();
	struct tap_view_io many[9];
	struct tap_strbuf out;

	for (int i = 0; i < 9; i++)
		many[i] = sample_io_relations[0];
	view.io_relations = many;
	view.n_io_relations = 9;
	render_text(&view, TAP_PART_IO, 80, &out);
	check_holds(&out, "RELATIONS (--by relation), 5 of 9\n");
	ck_assert_uint_eq(count_of(&out, "table  7.81 MiB"), 5);
	tap_strbuf_done(&out);
	render_text(&view, TAP_PART_IO_RELATIONS, 80, &out);
	ck_assert_uint_eq(count_of(&out, "table  7.81 MiB"), 9);
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_nothing)
{
	struct tap_view view = sample_view();
	struct tap_strbuf out;

	view.absent = (struct tap_absence[]){ { "io", "block requests could not be traced" } };
	render_text(&view, TAP_PART_IO, 80, &out);
	check_holds(&out, "\nno block I/O in this window\n");
	check_holds(&out, "- is io: block requests could not be traced\n");
	tap_strbuf_done(&out);
	render_text(&view, TAP_PART_IO_STREAMS, 80, &out);
	check_holds(&out, "no streams with block I/O in this window\n");
	tap_strbuf_done(&out);
	/* And in the queries view no line about disks. */
	render_text(&view, TAP_PART_QUERIES, 80, &out);
	check_lacks(&out, "disks:");
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_rates_of_disks)
{
	struct tap_view view = sample_io_view();
	struct tap_strbuf out;

	render_text(&view, TAP_PART_QUERIES, 160, &out);
	check_holds(&out, "\ndisks: vda read 800 KiB/s (100 requests) written 410 KiB/s (4 requests)\n");
	tap_strbuf_done(&out);
	view.seconds = 0;
	render_text(&view, TAP_PART_QUERIES, 160, &out);
	check_lacks(&out, "disks:");
	tap_strbuf_done(&out);
}
END_TEST

/* A terminal without UTF-8 still sees the shape. */
START_TEST(test_histogram_in_ascii)
{
	struct tap_view view = sample_io_view();
	struct tap_strbuf out, ascii;

	render_text(&view, TAP_PART_IO_DEVICES, 160, &out);
	tap_strbuf_init(&ascii);
	tap_escape_to_ascii(&ascii, out.data);
	check_holds(&ascii, "....._#,.._..");
	check_lacks(&ascii, "?");
	tap_strbuf_done(&ascii);
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_csv_lists)
{
	struct tap_view view = sample_io_view();
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	tap_csv_render(&view, TAP_PART_IO_DEVICES, &out);
	check_holds(&out, "device,read_bytes,read_asked_bytes,read_requests,read_failed,read_seq_bytes,");
	check_holds(&out, "\r\nvda,8192000,8110080,1000,0,1228800,409600,6553600,2000000,110000000,85000,1200000,");
	check_holds(&out,
		    ",\"8192=970;131072=20;>1048576=10\",\"32768=10;65536=800;131072=150;1048576=30;8388608=10\",");
	check_holds(&out, ",7,65536,8200000,4194304,9,8000,0,\r\n");
	tap_strbuf_clear(&out);
	/* Without a choice the list is that of the queries. */
	tap_csv_render(&view, TAP_PART_IO, &out);
	check_holds(&out, "instance,engine,database,user,kind,query_id,");
	ck_assert_uint_eq(count_lines(&out), 3);
	tap_strbuf_clear(&out);
	tap_csv_render(&view, TAP_PART_IO_CHECKPOINTS, &out);
	check_holds(&out, "postgres-5432,postgres,vda,2,false,4500000000,45,2025-06-01T12:00:08.000000Z,");
	check_holds(&out, ",\"ended=2025-06-01T12:00:00.000000Z/2025-06-01T12:00:02.500000Z/2000000000/340000000/"
			  "120000000/12345/12;writing=2025-06-01T12:00:08.000000Z/17\",");
	check_holds(&out, "write_outside_latency_ns=none of them\r\n");
	tap_strbuf_clear(&out);
	tap_csv_render(&view, TAP_PART_IO_BLAME, &out);
	ck_assert_str_eq(out.data,
			 "instance,engine,relation,relation_kind,dirtied_by,query_id,query,written_by,bytes,absent\r\n"
			 "postgres-5432,postgres,public.accounts,table,client,-4182334091263846512,"
			 "UPDATE accounts SET balance = balance + $1 WHERE id = $2,checkpointer,3145728,\r\n");
	tap_strbuf_done(&out);
}
END_TEST

#ifdef HAVE_JANSSON
static json_t *load_json(const struct tap_view *view, enum tap_view_part part, size_t flags)
{
	struct tap_strbuf out;
	json_error_t error;
	json_t *root;

	tap_strbuf_init(&out);
	tap_json_render(view, part, &out);
	check_harmless(&out, false);
	root = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES | flags, &error);
	ck_assert_msg(root != NULL, "line %d: %s", error.line, error.text);
	tap_strbuf_done(&out);
	return root;
}

static json_t *render_json(const struct tap_view *view, enum tap_view_part part)
{
	return load_json(view, part, 0);
}

static json_t *row_of(json_t *root, const char *list, size_t index)
{
	json_t *row = json_array_get(json_object_get(json_object_get(root, "io"), list), index);

	ck_assert_msg(json_is_object(row), "no row %zu of %s", index, list);
	return row;
}

static int64_t int_at(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	ck_assert_msg(json_is_integer(value), "no integer %s", key);
	return json_integer_value(value);
}

START_TEST(test_json_lists)
{
	struct tap_view view = sample_io_view();
	json_t *root = render_json(&view, TAP_PART_IO_STREAMS), *row, *item;

	/* All of them, and the queries as the queries view has them, whichever list was asked for. */
	ck_assert_uint_eq(json_array_size(json_object_get(root, "queries")), 4);
	ck_assert_uint_eq(json_object_size(json_object_get(root, "io")), 7);
	row = row_of(root, "checkpoints", 0);
	ck_assert_int_eq(int_at(row, "count"), 2);
	ck_assert_int_eq(int_at(row, "running_ns"), 4500 * MS);
	ck_assert_str_eq(json_string_value(json_object_get(row, "running_since")), "2025-06-01T12:00:08.000000Z");
	ck_assert_int_eq(int_at(row, "read_during_requests"), 1234);
	ck_assert_int_eq(int_at(json_object_get(row, "read_during_latency_ns"), "p95"), 40 * MS);
	ck_assert_ptr_null(json_object_get(row, "write_outside_requests"));
	ck_assert_ptr_null(json_object_get(row, "write_outside_latency_ns"));
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(row, "absent"), "write_outside_latency_ns")),
			 "none of them");
	item = json_array_get(json_object_get(row, "runs"), 1);
	ck_assert_str_eq(json_string_value(json_object_get(item, "phase")), "writing");
	ck_assert_ptr_null(json_object_get(item, "end"));
	ck_assert_ptr_null(json_object_get(item, "files_synced"));
	ck_assert_int_eq(int_at(item, "buffers_written"), 17);
	row = row_of(root, "devices", 0);
	ck_assert_int_eq(int_at(row, "read_bytes"), 8192000);
	ck_assert_int_eq(int_at(row, "read_rand_bytes"), 8192 * 800);
	ck_assert_int_eq(int_at(row, "read_asked_bytes"), 8192 * 990);
	ck_assert_int_eq(int_at(row, "write_bytes"), 4 * 1024 * KIB);
	ck_assert_int_eq(int_at(row, "write_failed"), 2);
	ck_assert_int_eq(int_at(row, "read_queue_ns"), 2 * MS);
	ck_assert_int_eq(int_at(row, "residual_read_bytes"), 8000);
	ck_assert_int_eq(int_at(row, "residual_write_bytes"), 0);
	ck_assert_int_eq(int_at(json_object_get(row, "read_latency_ns"), "p99"), 9 * MS);
	ck_assert_int_eq(int_at(json_object_get(row, "read_device_latency_ns"), "max"), 11 * MS);
	item = json_object_get(row, "read_sizes");
	ck_assert_uint_eq(json_array_size(item), 3);
	ck_assert_int_eq(int_at(json_array_get(item, 0), "up_to_bytes"), 8192);
	ck_assert_int_eq(int_at(json_array_get(item, 0), "count"), 970);
	ck_assert_int_eq(int_at(json_array_get(item, 2), "over_bytes"), 1 << 20);
	ck_assert_ptr_null(json_object_get(json_array_get(item, 2), "up_to_bytes"));
	item = json_object_get(row, "read_latency_histogram");
	ck_assert_uint_eq(json_array_size(item), 5);
	ck_assert_int_eq(int_at(json_array_get(item, 1), "from_ns"), 65536);
	row = row_of(root, "queries", 0);
	ck_assert_int_eq(int_at(row, "write_bytes"), 512 * KIB);
	ck_assert_int_eq(int_at(row, "submitted_write_bytes"), 0);
	ck_assert_int_eq(int_at(row, "cache_read_bytes"), 73728 * 1000);
	/* Of no request there is no latency; of no read no share of the cache. */
	ck_assert_ptr_null(json_object_get(row, "write_latency_ns"));
	row = row_of(root, "queries", 1);
	ck_assert_ptr_null(json_object_get(row, "read_latency_ns"));
	ck_assert_ptr_null(json_object_get(row, "rchar_bytes"));
	ck_assert_ptr_null(json_object_get(row, "cache_read_bytes"));
	ck_assert_ptr_null(json_object_get(row, "residual_read_bytes"));
	row = row_of(root, "streams", 0);
	ck_assert_int_eq(int_at(row, "pid"), 4712);
	ck_assert_str_eq(json_string_value(json_object_get(row, "pattern")), "random");
	ck_assert_int_eq(int_at(row_of(root, "blame", 0), "bytes"), 3 * 1024 * KIB);
	ck_assert_double_eq(json_number_value(json_object_get(row_of(root, "hints", 0), "confidence")), 0.8);
	json_decref(root);
}
END_TEST

/* The first bucket holds everything shorter, too. */
START_TEST(test_json_histogram_begins_at_zero)
{
	struct tap_view view = sample_io_view();
	struct tap_view_io device = sample_io_devices[0];
	json_t *root, *list;

	memset(&device.read.octaves, 0, sizeof(device.read.octaves));
	memset(&device.read.sizes, 0, sizeof(device.read.sizes));
	device.read.octaves[0] = 3;
	device.read.octaves[1] = INT64_MAX;
	device.read.sizes[0] = 5;
	view.io_devices = &device;
	device.residual_read_bytes = -512;
	root = render_json(&view, TAP_PART_IO);
	list = json_object_get(row_of(root, "devices", 0), "read_latency_histogram");
	ck_assert_int_eq(int_at(json_array_get(list, 0), "from_ns"), 0);
	ck_assert_int_eq(int_at(json_array_get(list, 1), "from_ns"), 2048);
	list = json_object_get(row_of(root, "devices", 0), "read_sizes");
	ck_assert_int_eq(int_at(json_array_get(list, 0), "up_to_bytes"), 512);
	ck_assert_int_eq(int_at(row_of(root, "devices", 0), "residual_read_bytes"), -512);
	json_decref(root);
}
END_TEST

START_TEST(test_json_of_a_query)
{
	struct tap_view view = sample_io_view();
	struct tap_view_query queries[2] = { sample_queries[0], sample_queries[1] };
	json_t *root, *row;

	queries[0].io_latency_ns = (struct tap_view_latency){ 1, 2, 3, 4 };
	queries[0].relations = sample_query_relations;
	queries[0].n_relations = 2;
	queries[1].io_latency_ns = (struct tap_view_latency){ -1, -1, -1, -1 };
	queries[1].absent = (struct tap_absence[]){ { "io_latency_ns", "no request" } };
	queries[1].n_absent = 1;
	view.queries = queries;
	view.n_queries = 2;
	root = render_json(&view, TAP_PART_QUERIES);
	ck_assert_ptr_null(json_object_get(root, "io"));
	row = json_array_get(json_object_get(root, "queries"), 0);
	ck_assert_int_eq(int_at(json_object_get(row, "io_latency_ns"), "p95"), 2);
	row = json_array_get(json_object_get(row, "relations"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(row, "name")), "public.accounts");
	ck_assert_str_eq(json_string_value(json_object_get(row, "kind")), "table");
	ck_assert_int_eq(int_at(row, "read_seq_bytes"), 8192 * 150);
	ck_assert_int_eq(int_at(row, "write_bytes"), 512 * KIB);
	ck_assert_ptr_null(json_object_get(row, "parent"));
	row = json_array_get(json_object_get(json_array_get(json_object_get(root, "queries"), 0), "relations"), 1);
	ck_assert_str_eq(json_string_value(json_object_get(row, "parent")), "public.accounts");
	row = json_array_get(json_object_get(root, "queries"), 1);
	ck_assert_ptr_null(json_object_get(row, "io_latency_ns"));
	ck_assert_uint_eq(json_array_size(json_object_get(row, "relations")), 0);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(row, "absent"), "io_latency_ns")),
			 "no request");
	json_decref(root);
}
END_TEST
#endif

/* Every list with one row whose texts are all `text`. */
static void spoil(struct tap_view *view, struct tap_view_io *row, struct tap_view_blame *blame,
		  struct tap_view_hint *hint, const char *text)
{
	row->instance = row->database = row->user = row->kind = row->query_id = row->query_id_source = text;
	row->query = row->relation = row->relation_kind = row->relation_parent = row->device = row->pattern = text;
	*blame = (struct tap_view_blame){ text, text, text, text, text, text, text, 1 };
	*hint = (struct tap_view_hint){ text, text, text, text, text, text, 0.5, text, text };
	view->io_devices = view->io_queries = view->io_relations = view->io_streams = row;
	view->n_io_devices = view->n_io_queries = view->n_io_relations = view->n_io_streams = 1;
	view->io_blame = blame;
	view->hints = hint;
}

static void check_all_outputs(const struct tap_view *view)
{
	static const unsigned widths[] = { 0, 1, 40, 80, 160 };

	for (int part = TAP_PART_IO; part <= TAP_PART_IO_HINTS; part++) {
		struct tap_strbuf out;

		for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
			render_text(view, part, widths[i], &out);
			check_harmless(&out, false);
			check_lacks(&out, "nan");
			if (widths[i] >= 80)
				check_width(&out, widths[i]);
			tap_strbuf_done(&out);
		}
		tap_strbuf_init(&out);
		tap_csv_render(view, part, &out);
		check_harmless(&out, true);
		ck_assert_uint_eq(count_lines(&out), 2);
		tap_strbuf_done(&out);
#ifdef HAVE_JANSSON
		/* Damaged counts may be more than this parser's integers hold. */
		json_decref(load_json(view, part, JSON_DECODE_INT_AS_REAL));
#endif
	}
}

START_TEST(test_hostile_texts)
{
	for (size_t i = 0; i < N_HOSTILE_TEXTS; i++) {
		struct tap_view view = sample_io_view();
		struct tap_view_io row = sample_io_devices[0];
		struct tap_view_blame blame;
		struct tap_view_hint hint;

		spoil(&view, &row, &blame, &hint, hostile_texts[i]);
		check_all_outputs(&view);
	}
}
END_TEST

/* All bits set, or only some of what belongs together: dashes or numbers, never a crash. */
START_TEST(test_damaged_counts)
{
	struct tap_view view = sample_io_view();
	struct tap_view_io row;
	struct tap_view_blame blame;
	struct tap_view_hint hint;

	memset(&row, 0xff, sizeof(row));
	spoil(&view, &row, &blame, &hint, NULL);
	hint.confidence = NAN;
	check_all_outputs(&view);
	row.rchar_bytes = 1;
	row.cache_read_bytes = INT64_MIN;
	row.counted_read_bytes = 1;
	row.residual_read_bytes = INT64_MIN;
	row.read.requests = 1;
	row.read.latency = (struct tap_view_latency){ INT64_MAX, INT64_MIN, 0, -1 };
	hint.confidence = INFINITY;
	view.seconds = -1;
	check_all_outputs(&view);
	memset(&row.read, 0, sizeof(row.read));
	row.read.requests = 5;
	view.seconds = 1e-300;
	row.write.requests = 0;
	check_all_outputs(&view);
}
END_TEST

static void text_out(const struct tap_view *view, struct tap_strbuf *out)
{
	tap_text_render(view, TAP_PART_IO, 160, out);
}

static void json_out(const struct tap_view *view, struct tap_strbuf *out)
{
	tap_json_render(view, TAP_PART_IO, out);
}

static void csv_out(const struct tap_view *view, struct tap_strbuf *out)
{
	tap_csv_render(view, TAP_PART_IO, out);
}

START_TEST(test_out_of_memory)
{
	static render_fn *const renderers[] = { text_out, json_out, csv_out };
	struct tap_view view = sample_io_view();

	check_out_of_memory(&view, renderers, sizeof(renderers) / sizeof(renderers[0]));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/output/render_io");
	TCase *text = tcase_create("text"), *data = tcase_create("data"), *hostile = tcase_create("hostile");

	tcase_add_test(text, test_overview_has_all_lists);
	tcase_add_test(text, test_one_list);
	tcase_add_test(text, test_overview_is_short);
	tcase_add_test(text, test_nothing);
	tcase_add_test(text, test_rates_of_disks);
	tcase_add_test(text, test_histogram_in_ascii);
	suite_add_tcase(suite, text);
	tcase_add_test(data, test_csv_lists);
#ifdef HAVE_JANSSON
	tcase_add_test(data, test_json_lists);
	tcase_add_test(data, test_json_histogram_begins_at_zero);
	tcase_add_test(data, test_json_of_a_query);
#endif
	suite_add_tcase(suite, data);
	tcase_set_timeout(hostile, 60);
	tcase_add_test(hostile, test_hostile_texts);
	tcase_add_test(hostile, test_damaged_counts);
	tcase_add_test(hostile, test_out_of_memory);
	suite_add_tcase(suite, hostile);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
