// SPDX-License-Identifier: BSD-2-Clause
/* test_memory.c - correlate/model/memory: whose process, what grew, what was killed; and what the renderers make of it.
 */
#include "tests/unit/correlate/model/two_snapshots.h"

#include <stdio.h>

#include "tests/lib/check_main.h"
#include "tests/unit/userspace/output/render_check.h"
#include "userspace/output/csv.h"
#include "userspace/output/json.h"
#include "userspace/output/text.h"

static struct tap_memory_kills kills;

static void set_up(void)
{
	two_init();
	kills = (struct tap_memory_kills){ .count = 0 };
	two.begin.memory.read = two.end.memory.read = true;
	two.begin.epoch = 5;
	two.end.epoch = 6;
	two.input.kills = &kills;
}

static void tear_down(void)
{
	two_done();
}

static void add_process(struct tap_snapshot *snapshot, int32_t pid, uint32_t instance, int64_t anon)
{
	struct tap_process_memory process = { .pid = pid,
					      .instance = instance,
					      .anon = anon,
					      .file = 10,
					      .shared = 20,
					      .swap = TAP_MEMORY_NONE,
					      .page_tables = 30 };

	ck_assert_int_eq(tap_memory_set_add_process(&snapshot->memory, &process), 0);
}

static void add_group(struct tap_snapshot *snapshot, const char *path, int64_t kills_so_far)
{
	char name[64];
	struct tap_memory_group group = {
		.path = name, .current = 100, .most = 200, .limit = 300, .oom_kills = kills_so_far
	};

	snprintf(name, sizeof(name), "%s", path);
	ck_assert_int_eq(tap_memory_set_add_group(&snapshot->memory, &group), 0);
}

START_TEST(test_processes)
{
	const struct tap_view *view;

	add_process(&two.begin, 101, 0, 1000);
	add_process(&two.end, 101, 0, 900);
	add_process(&two.end, 102, 0, 5000);
	add_process(&two.end, 103, 0, TAP_MEMORY_NONE);
	add_process(&two.end, 104, 127, 9000);
	view = two_view();
	/* Largest first; what could not be had is last; 104 is of no instance. */
	ck_assert_uint_eq(view->n_processes, 3);
	ck_assert_int_eq(view->processes[0].pid, 102);
	ck_assert_int_eq(view->processes[0].anon_growth, 5000);
	ck_assert_int_eq(view->processes[1].pid, 101);
	ck_assert_int_eq(view->processes[1].anon_growth, -100);
	ck_assert_int_eq(view->processes[2].anon_growth, TAP_MEMORY_NONE);
	two.input.options.limit = 1;
	ck_assert_uint_eq(two_view()->n_processes, 1);
	ck_assert_uint_eq(two.view->n_processes_all, 3);
}
END_TEST

START_TEST(test_groups_and_host)
{
	const struct tap_view *view;

	add_group(&two.begin, "/one", 2);
	add_group(&two.end, "/one", 5);
	add_group(&two.end, "/new", 1);
	add_group(&two.end, "/none", TAP_MEMORY_NONE);
	two.begin.memory.host.some_stall_ns = 1000;
	two.end.memory.host.some_stall_ns = 1500;
	view = two_view();
	ck_assert_uint_eq(view->n_memory_groups, 3);
	ck_assert_int_eq(view->memory_groups[0].oom_kills, 3);
	ck_assert_int_eq(view->memory_groups[1].oom_kills, 1);
	ck_assert_int_eq(view->memory_groups[2].oom_kills, TAP_MEMORY_NONE);
	ck_assert_uint_eq(view->n_host_memory, 1);
	ck_assert_int_eq(view->host_memory->some_stall_ns, 500);
	ck_assert_int_eq(view->host_memory->full_stall_ns, TAP_MEMORY_NONE);
}
END_TEST

START_TEST(test_kills)
{
	const struct tap_view *view;

	two_text(7, "select 'secret'", NULL);
	kills.items[kills.count++] = (struct tap_memory_kill){
		.row = two_key(0, TAP_KIND_CLIENT, APP, 7), .pid = 101, .realtime_ns = 1700000001000000000, .anon = 5000
	};
	kills.items[kills.count++] = (struct tap_memory_kill){ .row = two_key(127, TAP_KIND_CLIENT, APP, 7),
							       .realtime_ns = 1700000001000000000 };
	/* Before the window. */
	kills.items[kills.count++] = (struct tap_memory_kill){ .row = two_key(0, TAP_KIND_CLIENT, APP, 7),
							       .realtime_ns = 1699999999000000000 };
	view = two_view();
	ck_assert_uint_eq(view->n_kills, 1);
	ck_assert_str_eq(view->kills[0].query, "select $1");
	ck_assert_str_eq(view->kills[0].database, "app");
	ck_assert_int_eq(view->kills[0].anon, 5000);
	two.input.options.instance = "postgres-5433";
	ck_assert_uint_eq(two_view()->n_kills, 0);
}
END_TEST

START_TEST(test_peaks_and_stalls_of_a_query)
{
	struct tap_row *row = two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 30, 1, 0, 0);
	const struct tap_figures *figures;

	row->peak = tap_peak_make(5, 4000);
	row->stall = (struct tap_stall){ .reclaim_ns = 10, .reclaims = 2, .compact_ns = 3, .compactions = 1 };
	row->account.anon_bytes = -4096;
	two.end.stalls_traced = true;
	figures = &two_view()->queries[0].figures;
	ck_assert_int_eq(figures->value[TAP_FIGURE_ANON_PEAK], 4000 * 1024);
	ck_assert_int_eq(figures->value[TAP_FIGURE_ANON_GROWTH], -4096);
	ck_assert_int_eq(figures->value[TAP_FIGURE_RECLAIM], 10);
	ck_assert_int_eq(figures->value[TAP_FIGURE_RECLAIMS], 2);
	ck_assert_int_eq(figures->value[TAP_FIGURE_COMPACT], 3);
	/* Of an earlier window, and on a kernel without the tracepoints. */
	row->peak = tap_peak_make(4, 4000);
	two.end.stalls_traced = false;
	figures = &two_view()->queries[0].figures;
	ck_assert_int_eq(figures->absent[TAP_FIGURE_ANON_PEAK], TAP_REASON_NO_GROWTH);
	ck_assert_int_eq(figures->absent[TAP_FIGURE_RECLAIM], TAP_REASON_NO_RECLAIM);
}
END_TEST

/* The totals' peak is the highest of one process, not a sum. */
START_TEST(test_the_peak_of_all)
{
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 30, 1, 0, 0)->peak = tap_peak_make(5, 4000);
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 2), 30, 1, 0, 0)->peak = tap_peak_make(6, 300);
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 3), 30, 1, 0, 0);
	ck_assert_int_eq(two_view()->totals.value[TAP_FIGURE_ANON_PEAK], 4000 * 1024);
	ck_assert_int_eq(two.view->totals.absent[TAP_FIGURE_ANON_PEAK], TAP_REASON_NONE);
}
END_TEST

START_TEST(test_threads_share)
{
	two.instances[0].engine = TAP_ENGINE_MYSQL;
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 1), 30, 1, 0, 0)->peak = tap_peak_make(5, 4000);
	ck_assert_int_eq(two_view()->queries[0].figures.absent[TAP_FIGURE_ANON_PEAK], TAP_REASON_ONE_PROCESS);
	ck_assert_int_eq(two.view->queries[0].figures.absent[TAP_FIGURE_ANON_GROWTH], TAP_REASON_ONE_PROCESS);
}
END_TEST

/* An earlier look at the same window saw a higher one. */
START_TEST(test_peaks_of_earlier_looks)
{
	struct tap_row_key key = two_key(0, TAP_KIND_CLIENT, APP, 1);
	struct tap_snapshot earlier;

	tap_snapshot_init(&earlier);
	two_row(&earlier, &key)->peak = tap_peak_make(5, 4000);
	two_row(&two.end, &key)->peak = tap_peak_make(6, 30);
	tap_snapshot_keep_peaks(&two.end, &earlier, 6);
	ck_assert_uint_eq(tap_peak_bytes(two_row(&two.end, &key)->peak), 30 * 1024);
	tap_snapshot_keep_peaks(&two.end, &earlier, 5);
	ck_assert_uint_eq(tap_peak_bytes(two_row(&two.end, &key)->peak), 4000 * 1024);
	tap_snapshot_done(&earlier);
}
END_TEST

START_TEST(test_rendered)
{
	static const unsigned widths[] = { 80, 140, 250 };
	struct tap_strbuf out;

	add_process(&two.end, 101, 0, 5000);
	add_group(&two.end, hostile_texts[0], 5);
	two_text(7, hostile_texts[_i], hostile_texts[_i]);
	two_add(two_key(0, TAP_KIND_CLIENT, APP, 7), 30, 1, 0, 0)->peak = tap_peak_make(5, 4000);
	kills.items[kills.count++] = (struct tap_memory_kill){
		.row = two_key(0, TAP_KIND_CLIENT, APP, 7), .pid = 101, .realtime_ns = 1700000001000000000, .anon = 5000
	};
	two.input.options.raw_text = true;
	two_view();
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		tap_strbuf_init(&out);
		tap_text_render(two.view, TAP_PART_MEMORY, widths[i], &out);
		check_harmless(&out, false);
		check_holds(&out, "PROCESSES");
		check_holds(&out, "KILLED FOR WANT OF MEMORY");
		check_holds(&out, "3.91 MiB"); /* the peak */
		tap_strbuf_done(&out);
	}
	tap_strbuf_init(&out);
	tap_json_render(two.view, TAP_PART_MEMORY, &out);
	check_harmless(&out, false);
	check_holds(&out, "\"kills\"");
	check_holds(&out, "\"anon_bytes\": 5000");
	check_lacks(&out, "\"swap_bytes\"");
	tap_strbuf_done(&out);
	tap_strbuf_init(&out);
	tap_csv_render(two.view, TAP_PART_MEMORY, &out);
	check_harmless(&out, true);
	check_holds(&out, "page_table_bytes");
	tap_strbuf_done(&out);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("model/memory");
	TCase *tcase = tcase_create("memory");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_processes);
	tcase_add_test(tcase, test_groups_and_host);
	tcase_add_test(tcase, test_kills);
	tcase_add_test(tcase, test_peaks_and_stalls_of_a_query);
	tcase_add_test(tcase, test_the_peak_of_all);
	tcase_add_test(tcase, test_threads_share);
	tcase_add_test(tcase, test_peaks_of_earlier_looks);
	tcase_add_loop_test(tcase, test_rendered, 0, (int)N_HOSTILE_TEXTS);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
