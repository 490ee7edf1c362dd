// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_render.c - a view through the text, JSON and CSV renderers: exact text at two widths, the contract of JSON,
 * hostile strings in every place where one can stand, memory that runs out.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if __has_include(<jansson.h>)
#include <jansson.h>
#define HAVE_JANSSON 1
#endif

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/output/render_check.h"
#include "tests/unit/userspace/output/sample_view.h"
#include "userspace/output/csv.h"
#include "userspace/output/escape.h"
#include "userspace/output/json.h"
#include "userspace/output/text.h"
#include "userspace/output/text_tables.h"
#include "userspace/output/utf8.h"

/* clang-format off: tables are to be seen as they are */
static const char queries_at_80[] =
	"dbtap 0.1.0 on db1, Linux 6.1.0-30-amd64, 8 CPUs: 10.0 s from 2026-01-02\n"
	"  03:04:05 UTC, depth ambient\n"
	"postgres-5432: postgres 15.18, pid 812, port 5432, connected\n"
	"\n"
	"CALLS    TIME  CPU%  WAIT%  TOP WAIT                    QUERY\n"
	" 1203  7.50 s     6     93  Lock:transactionid          UPDATE accounts SET bal" TAP_ELLIPSIS "\n"
	"    -  2.00 s    83     16  IO:DataFileRead             [parallel] SELECT regio" TAP_ELLIPSIS "\n"
	"    0  10.0 s     1     95  Timeout:CheckpointWriteDe" TAP_ELLIPSIS "  [checkpointer]\n"
	"    0  9.00 s     0    100  Client:ClientRead           [idle_in_transaction]\n"
	"\n"
	"4 of 31 queries shown (--limit)\n"
	"- is calls (1 row): several in one string, pipelined or too fast to tell apart:\n"
	"  needs --depth statement\n"
	"- is user (1 row): needs a connection to the server\n"
	"time: 98.53 % attributed of all 28.5 s = CPU 2.17 s + run queue 102 ms + waits\n"
	"  25.8 s + unknown 418 ms\n"
	"loss: none\n"
	"overhead, of one core: BPF 0.41 % (fingerprints 0.02 %), traps -, dbtap itself\n"
	"  0.30 % and 21.0 MiB\n";

static const char queries_at_160[] =
	"dbtap 0.1.0 on db1, Linux 6.1.0-30-amd64, 8 CPUs: 10.0 s from 2026-01-02 03:04:05 UTC, depth ambient\n"
	"postgres-5432: postgres 15.18, pid 812, port 5432, connected\n"
	"\n"
	"KIND                 DATABASE  USER              QUERY ID  CALLS    TIME  CPU%  RUNQ%  WAIT%  TOP WAIT        "
	"                  READ  QUERY\n"
	"client               shop      app   -4182334091263846512   1203  7.50 s     6      1     93  "
	"Lock:transactionid            48.0 KiB  UPDATE accounts SET balan" TAP_ELLIPSIS "\n"
	"parallel             shop      -                 88172633      -  2.00 s    83      2     16  IO:DataFileRead "
	"               256 MiB  SELECT region, sum(total)" TAP_ELLIPSIS "\n"
	"checkpointer         -         -                        -      0  10.0 s     1      0     95  "
	"Timeout:CheckpointWriteDelay         0  -\n"
	"idle_in_transaction  shop      app                      -      0  9.00 s     0      0    100  "
	"Client:ClientRead                    0  -\n"
	"\n"
	"4 of 31 queries shown (--limit)\n"
	"- is calls (1 row): several in one string, pipelined or too fast to tell apart: needs --depth statement\n"
	"- is user (1 row): needs a connection to the server\n"
	"time: 98.53 % attributed of all 28.5 s = CPU 2.17 s + run queue 102 ms + waits 25.8 s + unknown 418 ms\n"
	"loss: none\n"
	"overhead, of one core: BPF 0.41 % (fingerprints 0.02 %), traps -, dbtap itself 0.30 % and 21.0 MiB\n";

static const char sessions_at_80[] =
	"dbtap 0.1.0 on db1, Linux 6.1.0-30-amd64, 8 CPUs: 10.0 s from 2026-01-02\n"
	"  03:04:05 UTC, depth ambient\n"
	"postgres-5432: postgres 15.18, pid 812, port 5432, connected\n"
	"\n"
	" PID  STATE            AGE  WAIT                          CPU%  QUERY\n"
	"4711  active        1.53 s  Lock:transactionid             2.1  UPDATE accounts" TAP_ELLIPSIS "\n"
	"4702  checkpointer       -  Timeout:CheckpointWriteDelay   1.0  -\n"
	"\n"
	"time: 98.53 % attributed of all 28.5 s = CPU 2.17 s + run queue 102 ms + waits\n"
	"  25.8 s + unknown 418 ms\n"
	"loss: none\n"
	"overhead, of one core: BPF 0.41 % (fingerprints 0.02 %), traps -, dbtap itself\n"
	"  0.30 % and 21.0 MiB\n";

static const char waits_at_160[] =
	"dbtap 0.1.0 on db1, Linux 6.1.0-30-amd64, 8 CPUs: 10.0 s from 2026-01-02 03:04:05 UTC, depth ambient\n"
	"postgres-5432: postgres 15.18, pid 812, port 5432, connected\n"
	"\n"
	"CLASS     EVENT             COUNT   TOTAL     AVG     %  NOW  TOP QUERY\n"
	"Lock      transactionid        41  6.10 s  149 ms  83.4    3  UPDATE accounts SET balance = balance + $1 "
	"WHERE id = $2\n"
	"Activity  CheckpointerMain      2  500 ms  250 ms  idle    0  [checkpointer]\n"
	"\n"
	"time: 98.53 % attributed of all 28.5 s = CPU 2.17 s + run queue 102 ms + waits 25.8 s + unknown 418 ms\n"
	"loss: none\n"
	"overhead, of one core: BPF 0.41 % (fingerprints 0.02 %), traps -, dbtap itself 0.30 % and 21.0 MiB\n";
/* clang-format on */

static void check_text(const struct tap_view *view, enum tap_view_part part, unsigned width, const char *expected)
{
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	tap_text_render(view, part, width, &out);
	ck_assert(!out.failed);
	ck_assert_str_eq(out.data, expected);
	tap_strbuf_done(&out);
}

START_TEST(test_text_golden)
{
	struct tap_view view = sample_view();
	struct tap_view_query queries[4];

	memcpy(queries, sample_queries, sizeof(queries));
	queries[1].figures.absent[TAP_FIGURE_CALLS] = TAP_REASON_PIPELINED;
	view.queries = queries;
	check_text(&view, TAP_PART_QUERIES, 80, queries_at_80);
	check_text(&view, TAP_PART_QUERIES, 160, queries_at_160);
	check_text(&view, TAP_PART_SESSIONS, 80, sessions_at_80);
	check_text(&view, TAP_PART_WAITS, 160, waits_at_160);
}
END_TEST

/* Renders into `out`, which the caller frees. */
static void render_text(const struct tap_view *view, enum tap_view_part part, unsigned width, struct tap_strbuf *out)
{
	tap_strbuf_init(out);
	tap_text_render(view, part, width, out);
	ck_assert(!out->failed);
}

START_TEST(test_text_of_several_instances)
{
	struct tap_view view = sample_view();
	struct tap_strbuf out;

	view.n_instances = 2;
	render_text(&view, TAP_PART_INSTANCES, 200, &out);
	check_holds(&out, "2 instances, 1 of them connected");
	check_holds(&out, "postgres-5433  postgres 15.18  990     -  no");
	check_holds(&out, "postgres-5433: not connected: password authentication failed\n");
	check_lacks(&out, "postgres-5432: not connected");
	tap_strbuf_done(&out);
	render_text(&view, TAP_PART_QUERIES, 0, &out);
	check_holds(&out, "INSTANCE       KIND");
	check_holds(&out, "cwwwwwwwwww");
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_text_of_one_unconnected_instance)
{
	struct tap_view view = sample_view();
	struct tap_strbuf out;

	view.instances = &sample_instances[1];
	view.host_name = view.kernel = view.depth = view.tool_version = NULL;
	view.cpus = 1;
	view.start_realtime_ns = -1;
	render_text(&view, TAP_PART_INSTANCES, 0, &out);
	check_holds(&out, "dbtap on this host, 1 CPU: 10.0 s from 1969-12-31 23:59:59 UTC\n");
	check_holds(&out, "postgres-5433: postgres 15.18, pid 990, not connected: password authentication failed\n");
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_text_without_rows)
{
	struct tap_view view = sample_view();
	struct tap_strbuf out;

	view.queries = NULL;
	view.n_queries = view.n_queries_all = 0;
	view.instances = NULL;
	view.n_instances = 0;
	render_text(&view, TAP_PART_QUERIES, 80, &out);
	check_holds(&out, "no queries in this window\n");
	check_holds(&out, "0 instances");
	tap_strbuf_done(&out);
	render_text(&view, TAP_PART_INSTANCES, 80, &out);
	check_holds(&out, "no instances in this window\n");
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_limits_are_said)
{
	struct tap_view view = sample_view();
	struct tap_strbuf out;

	view.n_sessions_all = 9;
	view.n_events_all = 7;
	render_text(&view, TAP_PART_SESSIONS, 0, &out);
	check_holds(&out, "2 of 9 sessions shown (--limit)\n");
	tap_strbuf_done(&out);
	render_text(&view, TAP_PART_WAITS, 0, &out);
	check_holds(&out, "2 of 7 waits shown (--limit)\n");
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_absent_figures_have_a_note)
{
	static struct tap_absence everywhere[] = { { "database", "needs a connection to the server" },
						   { "temp_bytes", "not shown in text" } };
	struct tap_view_query queries[4];
	struct tap_view view = sample_view();
	struct tap_strbuf out;

	memcpy(queries, sample_queries, sizeof(queries));
	view.queries = queries;
	view.absent = everywhere;
	view.n_absent = 2;
	for (int i = 0; i < 3; i++)
		queries[i].figures.absent[TAP_FIGURE_CPU] = TAP_REASON_SHARED;
	queries[2].figures.absent[TAP_FIGURE_CALLS] = TAP_REASON_NOT_A_STATEMENT;
	queries[3].figures.absent[TAP_FIGURE_READ] = 250; /* a reason that does not exist */
	view.totals.absent[TAP_FIGURE_RUNQ] = TAP_REASON_SHARED;
	render_text(&view, TAP_PART_QUERIES, 0, &out);
	check_holds(&out, "- is database, user (1 row): needs a connection to the server\n");
	check_holds(&out, "- is cpu_ns (3 rows): figures of the rows this process worked for");
	check_holds(&out, "- is read_bytes (1 row): not known\n");
	check_holds(&out, "+ run queue - +");
	check_lacks(&out, "temp_bytes");
	check_lacks(&out, "- is calls");
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_footer)
{
	static struct tap_view_loss losses[] = { { "ring_full", "the ring was full", UINT64_MAX },
						 { "read_failed", NULL, 1234567 },
						 { "other", "never", 0 } };
	struct tap_view view = sample_view();
	struct tap_strbuf out;

	view.losses = losses;
	view.n_losses = 3;
	view.tool_rss_bytes = 0;
	view.bpf_cpu_percent = NAN;
	tap_strbuf_init(&out);
	tap_text_render_footer(&view, &out);
	ck_assert_str_eq(out.data,
			 "time: 98.53 % attributed of all 28.5 s = CPU 2.17 s + run queue 102 ms + waits 25.8 s + "
			 "unknown 418 ms\n"
			 "loss: ring_full 9,223,372,036,854,775,807: the ring was full\n"
			 "loss: read_failed 1,234,567\n"
			 "overhead, of one core: BPF - (fingerprints 0.02 %), traps -, dbtap itself 0.30 %\n");
	tap_strbuf_done(&out);
}
END_TEST

START_TEST(test_shown_fields_are_whole_words)
{
	ck_assert(tap_text_table_shows(TAP_PART_QUERIES, "calls"));
	ck_assert(tap_text_table_shows(TAP_PART_QUERIES, "query"));
	ck_assert(tap_text_table_shows(TAP_PART_QUERIES, "query_id"));
	ck_assert(!tap_text_table_shows(TAP_PART_QUERIES, "call"));
	ck_assert(!tap_text_table_shows(TAP_PART_QUERIES, "bytes"));
	ck_assert(!tap_text_table_shows(TAP_PART_QUERIES, "id"));
	ck_assert(!tap_text_table_shows(TAP_PART_QUERIES, ""));
	ck_assert(!tap_text_table_shows(TAP_PART_SESSIONS, "calls"));
}
END_TEST

/* Rows whose numbers make no sense: a dash or a number, never a crash or an overflow. */
START_TEST(test_damaged_numbers)
{
	struct tap_view_query query = sample_queries[0];
	struct tap_view_session session = sample_sessions[0];
	struct tap_view_event event = sample_events[0];
	struct tap_view view = sample_view();

	for (int i = 0; i < TAP_FIGURE_COUNT; i++)
		query.figures.value[i] = session.figures.value[i] = i % 2 ? INT64_MIN : INT64_MAX;
	event.count = UINT64_MAX;
	event.ns = INT64_MIN;
	event.percent = NAN;
	view.queries = &query;
	view.sessions = &session;
	view.events = &event;
	view.n_queries = view.n_sessions = view.n_events = 1;
	view.seconds = 0;
	for (int round = 0; round < 2; round++) {
		for (int part = 0; part < TAP_PART_COUNT; part++) {
			struct tap_strbuf out;

			render_text(&view, part, 0, &out);
			tap_json_render(&view, part, &out);
			tap_csv_render(&view, part, &out);
			check_lacks(&out, "nan");
			check_lacks(&out, "inf");
			tap_strbuf_done(&out);
		}
		query.figures.value[TAP_FIGURE_ELAPSED] = 0;
		query.figures.value[TAP_FIGURE_CPU] = query.figures.value[TAP_FIGURE_WAIT] = -1;
		query.figures.value[TAP_FIGURE_RUNQ] = query.figures.value[TAP_FIGURE_UNKNOWN] = 0;
		event.count = 0;
		view.start_realtime_ns = INT64_MIN;
		view.end_realtime_ns = INT64_MAX;
	}
}
END_TEST

static void spoil(struct tap_view *view, const char *text, struct tap_view_query *query,
		  struct tap_view_session *session, struct tap_view_event *event, struct tap_view_instance *instance,
		  struct tap_view_wait *wait)
{
	*wait = (struct tap_view_wait){ text, text, 1, 1 };
	*query = sample_queries[0];
	query->instance = query->database = query->user = query->kind = query->query = text;
	query->query_id = query->query_id_source = text;
	query->waits = wait;
	query->n_waits = 1;
	*session = sample_sessions[0];
	session->database = session->user = session->application = session->client = session->state = text;
	session->kind = session->wait_class = session->wait_event = session->query = session->query_id = text;
	*event = sample_events[0];
	event->class_name = event->event_name = event->top_query = event->top_kind = text;
	*instance = sample_instances[1];
	instance->id = instance->engine = instance->version = instance->data_dir = text;
	instance->layout = instance->not_connected_why = text;
	view->host_name = view->kernel = view->depth = view->tool_version = text;
	view->queries = query;
	view->sessions = session;
	view->events = event;
	view->instances = instance;
	view->n_queries = view->n_sessions = view->n_events = view->n_instances = 1;
}

static void check_json(const struct tap_strbuf *out)
{
#ifdef HAVE_JANSSON
	json_error_t error;
	json_t *root = json_loadb(out->data, out->size, JSON_REJECT_DUPLICATES, &error);

	ck_assert_msg(root != NULL, "line %d: %s", error.line, error.text);
	ck_assert_int_eq(json_integer_value(json_object_get(root, "schema")), 1);
	json_decref(root);
#endif
	check_harmless(out, false);
}

static void check_all_outputs(const struct tap_view *view)
{
	static const unsigned widths[] = { 0, 1, 40, 80, 160 };

	for (int part = 0; part <= TAP_PART_INSTANCES; part++) {
		struct tap_strbuf out;

		for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
			render_text(view, part, widths[i], &out);
			check_harmless(&out, false);
			tap_strbuf_done(&out);
		}
		tap_strbuf_init(&out);
		tap_json_render(view, part, &out);
		check_json(&out);
		tap_strbuf_clear(&out);
		tap_csv_render(view, part, &out);
		check_harmless(&out, true);
		ck_assert_uint_eq(count_lines(&out), 2);
		tap_strbuf_done(&out);
	}
}

START_TEST(test_hostile_strings_everywhere)
{
	for (size_t i = 0; i < N_HOSTILE_TEXTS; i++) {
		struct tap_view view = sample_view();
		struct tap_view_instance instance;
		struct tap_view_session session;
		struct tap_view_query query;
		struct tap_view_event event;
		struct tap_view_wait wait;

		spoil(&view, hostile_texts[i], &query, &session, &event, &instance, &wait);
		check_all_outputs(&view);
	}
}
END_TEST

START_TEST(test_a_megabyte_of_text)
{
	size_t size = 1 << 20;
	char *text = malloc(size + 1);
	struct tap_view view = sample_view();
	struct tap_view_query query = sample_queries[0];
	struct tap_strbuf out;

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < size; i++)
		text[i] = "S\x1b\xff "[i % 4];
	text[size] = '\0';
	query.query = text;
	view.queries = &query;
	view.n_queries = 1;
	render_text(&view, TAP_PART_QUERIES, 100, &out);
	ck_assert_uint_lt(out.size, 3000);
	tap_strbuf_done(&out);
	render_text(&view, TAP_PART_QUERIES, 0, &out);
	ck_assert_uint_gt(out.size, size);
	tap_strbuf_clear(&out);
	tap_json_render(&view, TAP_PART_QUERIES, &out);
	check_json(&out);
	tap_strbuf_clear(&out);
	tap_csv_render(&view, TAP_PART_QUERIES, &out);
	check_harmless(&out, true);
	tap_strbuf_done(&out);
	free(text);
}
END_TEST

static void render_csv(const struct tap_view *view, enum tap_view_part part, const char *expected)
{
	struct tap_strbuf out;

	tap_strbuf_init(&out);
	tap_csv_render(view, part, &out);
	ck_assert_str_eq(out.data, expected);
	tap_strbuf_done(&out);
}

START_TEST(test_csv)
{
	struct tap_view view = sample_view();
	struct tap_view_query query = sample_queries[1];

	view.absent = NULL;
	view.n_absent = 0;
	render_csv(
		&view, TAP_PART_WAITS,
		"instance,engine,class,event,count,ns,percent,sessions,idle,top_kind,top_query_id,top_query,top_ns,"
		"absent\r\n"
		"postgres-5432,postgres,Lock,transactionid,41,6100000000,83.4,3,false,client,-4182334091263846512,"
		"UPDATE accounts SET balance = balance + $1 WHERE id = $2,6000000000,\r\n"
		"postgres-5432,postgres,Activity,CheckpointerMain,2,500000000,0,0,true,checkpointer,,,500000000,\r\n");
	query.figures.absent[TAP_FIGURE_CALLS] = TAP_REASON_DEPTH_STATEMENT;
	query.waits = (struct tap_view_wait[]){ { "Ext:a", "b;c=1/2", 3, -4 }, { NULL, "x", 1, 2 } };
	query.n_waits = 2;
	query.io_latency_ns = (struct tap_view_latency){ 1, 2, 3, -1 };
	query.latency_ns = (struct tap_view_latency){ 4, 5, 6, 7 };
	query.errors = (struct tap_view_error[]){ { "22012", 3 }, { NULL, 1 } };
	query.n_errors = 2;
	query.relations = (struct tap_view_relation[]){ { "public.a;b", "table", NULL, 1, 2, { 3, 4, 5 }, 6, 7 },
							{ NULL, "index", "a:b", 8, 0, { 0, 0, 0 }, 0, 9 } };
	query.n_relations = 2;
	query.digest = "0123abcd";
	view.queries = &query;
	view.n_queries = 1;
	render_csv(&view, TAP_PART_QUERIES,
		   "instance,engine,database,user,kind,query_id,query_id_source,query,calls,calls_unseen,running,"
		   "elapsed_ns,cpu_ns,"
		   "runq_ns,"
		   "wait_ns,unknown_ns,sleeps,preemptions,minor_faults,major_faults,rchar_bytes,wchar_bytes,read_bytes,"
		   "dirtied_bytes,read_requests,cache_read_bytes,read_seq_bytes,read_near_bytes,read_rand_bytes,"
		   "write_bytes,write_requests,submitted_write_bytes,write_seq_bytes,write_near_bytes,write_rand_bytes,"
		   "temp_bytes,errors,anon_growth_bytes,anon_peak_bytes,reclaim_ns,reclaims,compact_ns,waits,latency_"
		   "ns_p50,latency_ns_p95,latency_ns_p99,latency_ns_max,errors_by_code,"
		   "io_latency_ns_p50,io_latency_ns_p95,io_latency_ns_p99,io_latency_ns_max,relations,"
		   "digest,absent\r\n"
		   "postgres-5432,postgres,shop,,parallel,88172633,engine,"
		   "\"SELECT region, sum(total) FROM orders GROUP BY "
		   "region\",,0,0,2000000000,1650000000,30000000,310000000,"
		   "10000000,0,0,0,0,0,0,268435456,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,\"Ext_a:b_c_1_2=3/-4;:x=1/2\","
		   "4,5,6,7,\"22012=3;=1\",1,2,3,,"
		   "\"public.a_b:table:=1/2/3/4/5/6/7;:index:a_b=8/0/0/0/0/0/9\",0123abcd,"
		   "\"calls=needs --depth statement;user=needs a connection to the server\"\r\n");
}
END_TEST

#ifdef HAVE_JANSSON
/* The caller drops the reference. */
static json_t *render_json(const struct tap_view *view, enum tap_view_part part)
{
	struct tap_strbuf out;
	json_error_t error;
	json_t *root;

	tap_strbuf_init(&out);
	tap_json_render(view, part, &out);
	root = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(root != NULL, "%s", error.text);
	tap_strbuf_done(&out);
	return root;
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	ck_assert_msg(text != NULL, "no text %s", key);
	return text;
}

static int64_t int_at(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	ck_assert_msg(json_is_integer(value), "no integer %s", key);
	return json_integer_value(value);
}

static double real_at(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	ck_assert_msg(json_is_number(value), "no number %s", key);
	return json_number_value(value);
}

START_TEST(test_json_head)
{
	struct tap_view view = sample_view();
	json_t *root, *part;

	view.start_realtime_ns = -1;
	root = render_json(&view, TAP_PART_WAITS);
	ck_assert_int_eq(int_at(root, "schema"), 1);
	ck_assert_str_eq(text_at(json_object_get(root, "tool"), "name"), "dbtap");
	ck_assert_str_eq(text_at(json_object_get(root, "tool"), "version"), "0.1.0");
	ck_assert_str_eq(text_at(json_object_get(root, "host"), "kernel"), "6.1.0-30-amd64");
	ck_assert_int_eq(int_at(json_object_get(root, "host"), "cpus"), 8);
	part = json_object_get(root, "window");
	ck_assert_str_eq(text_at(part, "start"), "1969-12-31T23:59:59.999999Z");
	ck_assert_str_eq(text_at(part, "end"), "2026-01-02T03:04:15.125456Z");
	ck_assert_double_eq(real_at(part, "seconds"), 10.002);
	ck_assert_str_eq(text_at(root, "depth"), "ambient");
	part = json_object_get(root, "loss");
	ck_assert_uint_eq(json_object_size(part), 2);
	ck_assert_int_eq(int_at(part, "ring_full"), 0);
	part = json_object_get(root, "overhead");
	ck_assert_double_eq(real_at(part, "bpf_cpu_percent"), 0.41);
	ck_assert_ptr_null(json_object_get(part, "trap_cpu_percent"));
	ck_assert_int_eq(int_at(part, "tool_rss_bytes"), 22020096);
	part = json_object_get(root, "totals");
	ck_assert_int_eq(int_at(part, "elapsed_ns"), 28500 * MS);
	ck_assert_double_eq(real_at(part, "attributed_percent"), 98.53);
	part = json_object_get(root, "absent");
	ck_assert_str_eq(text_at(part, "temp_bytes"), "not measured by this version");
	ck_assert_str_eq(text_at(part, "trap_cpu_percent"), "not measured");
	ck_assert_ptr_null(json_object_get(root, "queries"));
	part = json_array_get(json_object_get(root, "waits"), 0);
	ck_assert_str_eq(text_at(part, "event"), "transactionid");
	ck_assert_int_eq(int_at(json_object_get(part, "top"), "ns"), 6000 * MS);
	ck_assert(json_is_true(json_object_get(json_array_get(json_object_get(root, "waits"), 1), "idle")));
	json_decref(root);
}
END_TEST

START_TEST(test_json_queries)
{
	struct tap_view view = sample_view();
	struct tap_view_query queries[4];
	json_t *root, *row;

	memcpy(queries, sample_queries, sizeof(queries));
	queries[1].figures.absent[TAP_FIGURE_CALLS] = TAP_REASON_PIPELINED;
	queries[2].instance = "of nobody";
	view.queries = queries;
	view.totals.absent[TAP_FIGURE_CALLS] = TAP_REASON_PIPELINED;
	root = render_json(&view, TAP_PART_QUERIES);
	ck_assert_uint_eq(json_array_size(json_object_get(root, "queries")), 4);
	row = json_array_get(json_object_get(root, "queries"), 0);
	ck_assert_str_eq(text_at(row, "engine"), "postgres");
	ck_assert_str_eq(text_at(row, "query_id"), "-4182334091263846512");
	ck_assert_str_eq(text_at(row, "query"), sample_queries[0].query);
	for (int i = 0; i < TAP_FIGURE_COUNT; i++)
		ck_assert_int_eq(int_at(row, tap_figure_infos[i].name), queries[0].figures.value[i]);
	ck_assert_ptr_null(json_object_get(row, "absent"));
	ck_assert_int_eq(int_at(json_array_get(json_object_get(row, "waits"), 1), "count"), 212);
	row = json_array_get(json_object_get(root, "queries"), 1);
	ck_assert_ptr_null(json_object_get(row, "calls"));
	ck_assert_str_eq(text_at(json_object_get(row, "absent"), "calls"), tap_reason_texts[TAP_REASON_PIPELINED]);
	ck_assert_str_eq(text_at(json_object_get(row, "absent"), "user"), "needs a connection to the server");
	row = json_array_get(json_object_get(root, "queries"), 2);
	ck_assert_ptr_null(json_object_get(row, "database"));
	ck_assert_ptr_null(json_object_get(row, "query_id"));
	ck_assert_ptr_null(json_object_get(row, "engine"));
	ck_assert_ptr_nonnull(json_object_get(json_object_get(json_object_get(root, "totals"), "absent"), "calls"));
	ck_assert_ptr_null(json_object_get(json_array_get(json_object_get(root, "instances"), 0), "calls"));
	json_decref(root);
}
END_TEST

START_TEST(test_json_sessions_and_instances)
{
	struct tap_view view = sample_view();
	json_t *root, *row;

	view.n_instances = 2;
	root = render_json(&view, TAP_PART_SESSIONS);
	row = json_array_get(json_object_get(root, "sessions"), 0);
	ck_assert_int_eq(int_at(row, "pid"), 4711);
	ck_assert_int_eq(int_at(row, "transaction_since_ns"), 75000 * MS);
	ck_assert_ptr_null(json_object_get(row, "leader_pid"));
	row = json_array_get(json_object_get(root, "sessions"), 1);
	ck_assert_ptr_null(json_object_get(row, "state"));
	ck_assert_ptr_null(json_object_get(row, "state_since_ns"));
	ck_assert_ptr_null(json_object_get(row, "waits"));
	json_decref(root);

	root = render_json(&view, TAP_PART_INSTANCES);
	row = json_array_get(json_object_get(root, "instances"), 0);
	ck_assert_int_eq(int_at(row, "cpu_ns"), 2170 * MS);
	ck_assert(json_is_true(json_object_get(row, "connected")));
	row = json_array_get(json_object_get(root, "instances"), 1);
	ck_assert_str_eq(text_at(row, "not_connected_why"), "password authentication failed");
	ck_assert_ptr_null(json_object_get(row, "port"));
	json_decref(root);
}
END_TEST

/* The same field named twice, and by the view too, is one key. */
START_TEST(test_json_absent_names_each_field_once)
{
	static struct tap_absence twice[] = { { "calls", "one" },
					      { "user", "two" },
					      { "user", "three" },
					      { "temp_bytes", "not measured by this version" } };
	struct tap_view view = sample_view();
	struct tap_view_query query = sample_queries[0];
	json_t *root, *absent;

	query.absent = twice;
	query.n_absent = 4;
	query.figures.absent[TAP_FIGURE_CALLS] = TAP_REASON_PIPELINED;
	view.queries = &query;
	view.n_queries = 1;
	view.bpf_cpu_percent = view.fingerprint_cpu_percent = view.tool_cpu_percent = -1;
	view.tool_rss_bytes = 0;
	view.seconds = NAN;
	root = render_json(&view, TAP_PART_QUERIES);
	absent = json_object_get(json_array_get(json_object_get(root, "queries"), 0), "absent");
	ck_assert_uint_eq(json_object_size(absent), 2);
	ck_assert_str_eq(text_at(absent, "calls"), tap_reason_texts[TAP_REASON_PIPELINED]);
	ck_assert_str_eq(text_at(absent, "user"), "two");
	ck_assert_uint_eq(json_object_size(json_object_get(root, "absent")), 6);
	ck_assert_uint_eq(json_object_size(json_object_get(root, "overhead")), 0);
	json_decref(root);
}
END_TEST
#endif

START_TEST(test_too_many_absences_are_bounded)
{
	static struct tap_absence many[TAP_ABSENT_MAX * 2];
	static char names[TAP_ABSENT_MAX * 2][8];
	struct tap_view_query query = sample_queries[0];
	struct tap_view view = sample_view();

	for (int i = 0; i < TAP_ABSENT_MAX * 2; i++) {
		snprintf(names[i], sizeof(names[i]), "f%d", i);
		many[i] = (struct tap_absence){ names[i], "a reason" };
	}
	query.absent = view.absent = many;
	query.n_absent = view.n_absent = TAP_ABSENT_MAX * 2;
	view.queries = &query;
	view.n_queries = 1;
	check_all_outputs(&(struct tap_view){ .queries = &query,
					      .n_queries = 1,
					      .instances = sample_instances,
					      .n_instances = 1,
					      .sessions = sample_sessions,
					      .n_sessions = 1,
					      .events = sample_events,
					      .n_events = 1 });
	view.n_sessions = view.n_events = 1;
	check_all_outputs(&view);
}
END_TEST

static void text_out(const struct tap_view *view, struct tap_strbuf *out)
{
	tap_text_render(view, TAP_PART_QUERIES, 80, out);
}

static void json_out(const struct tap_view *view, struct tap_strbuf *out)
{
	tap_json_render(view, TAP_PART_QUERIES, out);
}

static void csv_out(const struct tap_view *view, struct tap_strbuf *out)
{
	tap_csv_render(view, TAP_PART_QUERIES, out);
}

START_TEST(test_out_of_memory)
{
	static render_fn *const renderers[] = { text_out, json_out, csv_out };
	struct tap_view view = sample_view();

	view.n_instances = 2;
	check_out_of_memory(&view, renderers, sizeof(renderers) / sizeof(renderers[0]));
}
END_TEST

START_TEST(test_part_names)
{
	ck_assert_str_eq(tap_part_name(TAP_PART_QUERIES), "queries");
	ck_assert_str_eq(tap_part_name(TAP_PART_SESSIONS), "sessions");
	ck_assert_str_eq(tap_part_name(TAP_PART_WAITS), "waits");
	ck_assert_str_eq(tap_part_name(TAP_PART_INSTANCES), "instances");
	ck_assert_str_eq(tap_part_name(TAP_PART_IO_BLAME), "blame");
	ck_assert_str_eq(tap_part_group(TAP_PART_IO_BLAME), "io");
	ck_assert_str_eq(tap_part_group(TAP_PART_LOCK_PAST), "locks");
	ck_assert_ptr_null(tap_part_group(TAP_PART_LOCKS));
	for (int part = 0; part < TAP_PART_COUNT; part++) {
		const char *group = tap_part_group(part);

		/* The object's name is that of the part for all its lists. */
		if (group)
			ck_assert_str_eq(tap_part_name(tap_part_whole(part)), group);
		else
			ck_assert_int_eq(tap_part_whole(part), part);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("userspace/output/render");
	TCase *text = tcase_create("text"), *data = tcase_create("data"), *hostile = tcase_create("hostile");

	tcase_add_test(text, test_text_golden);
	tcase_add_test(text, test_text_of_several_instances);
	tcase_add_test(text, test_text_of_one_unconnected_instance);
	tcase_add_test(text, test_text_without_rows);
	tcase_add_test(text, test_limits_are_said);
	tcase_add_test(text, test_absent_figures_have_a_note);
	tcase_add_test(text, test_footer);
	tcase_add_test(text, test_shown_fields_are_whole_words);
	suite_add_tcase(suite, text);
	tcase_add_test(data, test_part_names);
	tcase_add_test(data, test_csv);
#ifdef HAVE_JANSSON
	tcase_add_test(data, test_json_head);
	tcase_add_test(data, test_json_queries);
	tcase_add_test(data, test_json_sessions_and_instances);
	tcase_add_test(data, test_json_absent_names_each_field_once);
#endif
	suite_add_tcase(suite, data);
	tcase_set_timeout(hostile, 60);
	tcase_add_test(hostile, test_damaged_numbers);
	tcase_add_test(hostile, test_hostile_strings_everywhere);
	tcase_add_test(hostile, test_a_megabyte_of_text);
	tcase_add_test(hostile, test_too_many_absences_are_bounded);
	tcase_add_test(hostile, test_out_of_memory);
	suite_add_tcase(suite, hostile);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
