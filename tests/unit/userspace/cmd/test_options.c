// SPDX-License-Identifier: BSD-2-Clause
/* test_options.c - userspace/cmd/options: every option in every spelling, its bounds, its group, and what is wrong
 * usage. */
#include "userspace/cmd/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/figure.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "userspace/base/strbuf.h"

enum {
	ALL = 0x7f | TAP_OPTIONS_SORT,
};

static struct tap_options options;
static struct tap_error err;

static void set_up(void)
{
	memset(&options, 0, sizeof(options));
	err.text[0] = '\0';
}

static void tear_down(void)
{
	tap_alloc_fail_at(0);
	tap_options_done(&options);
	tap_options_done(&options);
}

/* Parses words up to a NULL. A second parse forgets the first. */
static int parse_of(unsigned groups, int max_arguments, const char *const *words)
{
	int count = 0;

	while (words[count])
		count++;
	tap_options_done(&options);
	err.text[0] = '\0';
	return tap_options_parse(groups, max_arguments, count, (char *const *)words, &options, &err);
}

#define PARSE(...) parse_of(ALL, 0, (const char *const[]){ __VA_ARGS__, NULL })

/* Refused with a line that has `part` in it. */
static void assert_refused(int status, const char *part)
{
	ck_assert_int_eq(status, -EINVAL);
	ck_assert_msg(strstr(err.text, part) != NULL, "\"%s\" is not in \"%s\"", part, err.text);
	ck_assert_ptr_null(strchr(err.text, '\n'));
	ck_assert_uint_eq(options.n_dsns, 0);
}

START_TEST(test_defaults)
{
	struct tap_live_options live;
	struct tap_window_options window;

	ck_assert_int_eq(parse_of(ALL, 0, (const char *const[]){ NULL }), 0);
	ck_assert_double_eq(options.duration, 10);
	ck_assert_double_eq(options.interval, 1);
	ck_assert_int_eq(options.format, TAP_FORMAT_TEXT);
	ck_assert_int_eq(options.limit, -1);
	ck_assert_int_eq(options.sort, -1);
	ck_assert_double_lt(options.budget, 0);
	ck_assert_int_eq(options.pairs, 400);
	ck_assert_int_eq(options.window_ms, 150);
	ck_assert_int_eq(options.clients, 0);
	ck_assert_str_eq(options.load, "both");
	ck_assert_str_eq(options.engine, "postgres");
	ck_assert_str_eq(options.protocol, "simple");
	ck_assert_ptr_null(options.output);
	ck_assert(!options.no_connect && !options.raw_text && !options.once && !options.keep && !options.help);
	ck_assert_int_eq(options.n_arguments, 0);
	live = tap_options_live(&options);
	ck_assert_double_eq(live.budget_percent, 1);
	ck_assert_int_eq(live.depth, TAP_DEPTH_AMBIENT);
	ck_assert_uint_eq(live.tracer.rows_max, 0);
	window = tap_options_window(&options, true);
	ck_assert_uint_eq(window.limit, 20);
	ck_assert_uint_eq(tap_options_window(&options, false).limit, 0);
	ck_assert_int_eq(window.sort, -1);
}
END_TEST

START_TEST(test_all_at_once)
{
	struct tap_live_options live;
	struct tap_window_options window;

	ck_assert_int_eq(PARSE("--duration", "2.5", "--interval=0.5", "--format", "json", "--output", "file",
			       "--instance", "pg", "--database=app", "--limit", "7", "--sort", "cpu_ns", "--raw-text",
			       "--depth", "statement", "--budget", "3", "--no-connect", "--dsn", "a=dbname=x user=y",
			       "--dsn=b=host=h", "--max-rows", "16", "--max-waits", "4194304", "--once", "--keep",
			       "--engine", "mariadb", "--protocol=prepared", "--load", "tpcb", "--pairs", "4",
			       "--window", "10", "--clients", "1000", "--help"),
			 0);
	ck_assert_double_eq(options.duration, 2.5);
	ck_assert_double_eq(options.interval, 0.5);
	ck_assert_int_eq(options.format, TAP_FORMAT_JSON);
	ck_assert_str_eq(options.output, "file");
	ck_assert_int_eq(options.sort, TAP_FIGURE_CPU);
	ck_assert_uint_eq(options.n_dsns, 2);
	ck_assert_str_eq(options.dsns[0].instance, "a");
	ck_assert_str_eq(options.dsns[0].conninfo, "dbname=x user=y");
	ck_assert_str_eq(options.dsns[1].instance, "b");
	ck_assert_str_eq(options.dsns[1].conninfo, "host=h");
	ck_assert(options.no_connect && options.raw_text && options.once && options.keep && options.help);
	ck_assert_str_eq(options.load, "tpcb");
	ck_assert_str_eq(options.engine, "mariadb");
	ck_assert_str_eq(options.protocol, "prepared");
	ck_assert_int_eq(options.pairs, 4);
	ck_assert_int_eq(options.window_ms, 10);
	ck_assert_int_eq(options.clients, 1000);
	live = tap_options_live(&options);
	ck_assert_str_eq(live.instance, "pg");
	ck_assert(live.no_connect);
	ck_assert_int_eq(live.depth, TAP_DEPTH_STATEMENT);
	ck_assert_double_eq(live.budget_percent, 3);
	ck_assert_uint_eq(live.n_dsns, 2);
	ck_assert_uint_eq(live.tracer.rows_max, 16);
	ck_assert_uint_eq(live.tracer.waits_max, 4194304);
	window = tap_options_window(&options, true);
	ck_assert_str_eq(window.instance, "pg");
	ck_assert_str_eq(window.database, "app");
	ck_assert_uint_eq(window.limit, 7);
	ck_assert_int_eq(window.sort, TAP_FIGURE_CPU);
	ck_assert(window.raw_text);
}
END_TEST

START_TEST(test_spellings)
{
	ck_assert_int_eq(PARSE("-d", "3"), 0);
	ck_assert_double_eq(options.duration, 3);
	ck_assert_int_eq(PARSE("-d3"), 0);
	ck_assert_double_eq(options.duration, 3);
	ck_assert_int_eq(PARSE("-i", "2", "-fcsv", "-o", "x", "-n0", "-h"), 0);
	ck_assert_int_eq(options.format, TAP_FORMAT_CSV);
	ck_assert_int_eq(options.limit, 0);
	ck_assert(options.help);
	/* No rows left out when asked for all. */
	ck_assert_uint_eq(tap_options_window(&options, true).limit, 0);
	/* A value may look like an option; the last of two counts. */
	ck_assert_int_eq(PARSE("--output", "--format", "--instance", "a", "--instance", "b"), 0);
	ck_assert_str_eq(options.output, "--format");
	ck_assert_str_eq(options.instance, "b");
	ck_assert_int_eq(PARSE("--depth", "statement"), 0);
	ck_assert_double_eq(tap_options_live(&options).budget_percent, 5);
	ck_assert_int_eq(PARSE("--depth=ambient", "--format=text"), 0);
}
END_TEST

static const struct {
	const char *name;
	const char *low, *below, *high, *above;
} bounds[] = {
	{ "duration", "0.1", "0.09", "86400", "86400.1" },
	{ "interval", "0.1", "0", "3600", "3601" },
	{ "budget", "0.01", "0.009", "100", "100.1" },
	{ "limit", "0", "-1", "1000000", "1000001" },
	{ "max-rows", "16", "15", "4194304", "4194305" },
	{ "max-waits", "16", "15", "4194304", "4194305" },
	{ "max-requests", "16", "15", "4194304", "4194305" },
	{ "pairs", "4", "3", "1000000", "1000001" },
	{ "window", "10", "9", "10000", "10001" },
	{ "clients", "1", "0", "1000", "1001" },
};

START_TEST(test_bounds)
{
	static const char *const nonsense[] = { "",    " 1",  "1 ",  "1x",   "x",   "nan", "inf",
						"1e1", "0x1", "--5", "1..2", "1,5", "٣",   "99999999999999999999" };
	char word[64], option[64];

	snprintf(option, sizeof(option), "--%s", bounds[_i].name);
	ck_assert_int_eq(PARSE(option, bounds[_i].low), 0);
	ck_assert_int_eq(PARSE(option, bounds[_i].high), 0);
	assert_refused(PARSE(option, bounds[_i].below), option);
	ck_assert_ptr_nonnull(strstr(err.text, bounds[_i].below));
	snprintf(word, sizeof(word), "%s=%s", option, bounds[_i].above);
	assert_refused(PARSE(word), bounds[_i].above);
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		assert_refused(PARSE(option, nonsense[i]), option);
}
END_TEST

START_TEST(test_words)
{
	assert_refused(PARSE("--format", "xml"), "text, json or csv, not \"xml\"");
	assert_refused(PARSE("--format", "JSON"), "json");
	assert_refused(PARSE("--depth", "deep"), "not in this version");
	assert_refused(PARSE("--depth", "low"), "ambient or statement");
	assert_refused(PARSE("--load", "oltp"), "select, tpcb or both");
	ck_assert_int_eq(PARSE("--load", "select", "--load", "both"), 0);
	assert_refused(PARSE("--instance", ""), "not an empty text");
	assert_refused(PARSE("--database="), "not an empty text");
	assert_refused(PARSE("--output", ""), "not an empty text");
	assert_refused(PARSE("--sort", "speed"), ", not \"speed\"");
	for (int i = 0; i < TAP_FIGURE_COUNT; i++) {
		ck_assert_int_eq(PARSE("--sort", tap_figure_infos[i].name), 0);
		ck_assert_int_eq(options.sort, i);
	}
}
END_TEST

START_TEST(test_dsn)
{
	static const char *const wrong[] = { "a", "=dbname=x", "a=", "", "=" };
	char *words[2 * (TAP_DSNS_MAX + 1)];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused(PARSE("--dsn", "ok=dbname=x", "--dsn", wrong[i]), "INSTANCE=CONNINFO");
	for (int i = 0; i < 2 * (TAP_DSNS_MAX + 1); i += 2) {
		words[i] = (char *)"--dsn";
		words[i + 1] = (char *)"a=dbname=b";
	}
	ck_assert_int_eq(tap_options_parse(ALL, 0, 2 * TAP_DSNS_MAX, words, &options, &err), 0);
	ck_assert_uint_eq(options.n_dsns, TAP_DSNS_MAX);
	tap_options_done(&options);
	assert_refused(tap_options_parse(ALL, 0, 2 * (TAP_DSNS_MAX + 1), words, &options, &err), "more than 128");
	assert_refused(PARSE("--dsn", "a=dbname=b password=secret"), "holds a password");
	ck_assert_ptr_null(strstr(err.text, "secret"));
	tap_alloc_fail_at(1);
	ck_assert_int_eq(PARSE("--dsn", "a=dbname=b"), -ENOMEM);
	tap_alloc_fail_at(0);
	ck_assert_uint_eq(options.n_dsns, 0);
}
END_TEST

START_TEST(test_wrong_usage)
{
	assert_refused(PARSE("--nonsense"), "unknown option --nonsense");
	assert_refused(PARSE("--durations=1"), "unknown option");
	assert_refused(PARSE("--dur", "1"), "unknown option");
	assert_refused(PARSE("--=1"), "unknown option");
	assert_refused(PARSE("---duration", "1"), "unknown option");
	assert_refused(PARSE("-x"), "unknown option -x");
	assert_refused(PARSE("-\x01"), "unknown option -?");
	assert_refused(PARSE("--once=1"), "--once takes no value");
	assert_refused(PARSE("-hx"), "--help takes no value");
	assert_refused(PARSE("--duration"), "--duration wants SECS");
	assert_refused(PARSE("-d"), "--duration wants SECS");
	assert_refused(PARSE("extra"), "unexpected argument \"extra\"");
	assert_refused(PARSE("-"), "unexpected argument \"-\"");
	ck_assert_int_eq(tap_options_parse(ALL, 0, 1, (char *const[]){ (char *)"-x" }, &options, NULL), -EINVAL);
}
END_TEST

START_TEST(test_arguments)
{
	const char *words[] = { "first", "-d", "3", "second", "--", "--duration", NULL };

	ck_assert_int_eq(parse_of(ALL, 3, words), 0);
	ck_assert_int_eq(options.n_arguments, 3);
	ck_assert_str_eq(options.arguments[0], "first");
	ck_assert_str_eq(options.arguments[1], "second");
	ck_assert_str_eq(options.arguments[2], "--duration");
	ck_assert_double_eq(options.duration, 3);
	assert_refused(parse_of(ALL, 2, words), "unexpected argument \"--duration\"");
	/* However many a command allows, there is room for so many. */
	assert_refused(parse_of(ALL, 100, (const char *const[]){ "1", "2", "3", "4", "5", NULL }),
		       "unexpected argument \"5\"");
	ck_assert_int_eq(parse_of(ALL, 0, (const char *const[]){ "--", NULL }), 0);
}
END_TEST

/* An option is known to the commands of its groups only; help to all. */
START_TEST(test_groups)
{
	ck_assert_int_eq(parse_of(TAP_OPTIONS_DEMO, 0, (const char *const[]){ "--keep", NULL }), 0);
	assert_refused(parse_of(TAP_OPTIONS_VIEW, 0, (const char *const[]){ "--keep", NULL }), "unknown option --keep");
	assert_refused(parse_of(TAP_OPTIONS_DEMO, 0, (const char *const[]){ "-d", "3", NULL }), "unknown option -d");
	ck_assert_int_eq(parse_of(0, 0, (const char *const[]){ "--help", NULL }), 0);
	ck_assert_int_eq(parse_of(0, 0, (const char *const[]){ "-h", NULL }), 0);
	ck_assert_int_eq(parse_of(TAP_OPTIONS_TOP, 0, (const char *const[]){ "--sort", "calls", NULL }), 0);
}
END_TEST

START_TEST(test_io_and_locks)
{
	static const char *const lists[] = { "all", "query", "relation", "device", "stream" };

	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(parse_of(TAP_OPTIONS_IO, 0, (const char *const[]){ "--by", lists[i], NULL }), 0);
		ck_assert_int_eq(options.by, i);
	}
	ck_assert_int_eq(parse_of(TAP_OPTIONS_IO, 0, (const char *const[]){ NULL }), 0);
	ck_assert_int_eq(options.by, TAP_BY_ALL);
	assert_refused(parse_of(TAP_OPTIONS_IO, 0, (const char *const[]){ "--by=queries", NULL }),
		       "query, relation, device, stream, checkpoint or all, not \"queries\"");
	ck_assert_int_eq(parse_of(TAP_OPTIONS_LOCKS, 0, (const char *const[]){ "--by=lock", NULL }), 0);
	ck_assert_int_eq(options.by, TAP_BY_LOCK);
	assert_refused(parse_of(TAP_OPTIONS_LOCKS, 0, (const char *const[]){ "--by=relation", NULL }),
		       "session, query, lock, blocker, event or all, not \"relation\"");
	assert_refused(parse_of(TAP_OPTIONS_TOP, 0, (const char *const[]){ "--by=query", NULL }), "unknown option");
	ck_assert_int_eq(parse_of(TAP_OPTIONS_LOCKS, 0, (const char *const[]){ "-w", "-fsvg", "-ox", NULL }), 0);
	ck_assert(options.watch);
	ck_assert_int_eq(options.format, TAP_FORMAT_SVG);
	ck_assert_str_eq(options.output, "x");
	ck_assert_int_eq(parse_of(TAP_OPTIONS_LOCKS, 0, (const char *const[]){ "--format", "dot", NULL }), 0);
	ck_assert_int_eq(options.format, TAP_FORMAT_DOT);
	assert_refused(parse_of(TAP_OPTIONS_LOCKS, 0, (const char *const[]){ "--format", "png", NULL }),
		       "text, json, csv, dot or svg, not \"png\"");
	/* Only a command that draws takes the forms of a drawing. */
	assert_refused(PARSE("--format", "dot"), "text, json or csv, not \"dot\"");
	assert_refused(PARSE("--watch"), "unknown option");
	ck_assert(!options.duration_given);
	ck_assert_int_eq(PARSE("-d1"), 0);
	ck_assert(options.duration_given);
}
END_TEST

START_TEST(test_sort_of_io)
{
	static const char *const lists[] = { "all", "query", "relation", "device", "stream", "checkpoint" };
	struct tap_window_options window;

	ck_assert_int_eq(parse_of(TAP_OPTIONS_IO, 0, (const char *const[]){ "--sort", "read_latency_ns_p95", NULL }),
			 0);
	window = tap_options_window(&options, true);
	ck_assert_str_eq(window.io_sort, "read_latency_ns_p95");
	ck_assert_int_eq(window.sort, -1);
	/* The queries beside the lists have it, too. */
	ck_assert_int_eq(parse_of(TAP_OPTIONS_IO, 0, (const char *const[]){ "--sort", "dirtied_bytes", NULL }), 0);
	ck_assert_int_eq(tap_options_window(&options, true).sort, TAP_FIGURE_DIRTIED);
	/* What one list has another has not, whichever of the two options comes first. */
	ck_assert_int_eq(
		parse_of(TAP_OPTIONS_IO, 0, (const char *const[]){ "--by=device", "--sort=residual_read_bytes", NULL }),
		0);
	assert_refused(
		parse_of(TAP_OPTIONS_IO, 0, (const char *const[]){ "--sort=dirtied_bytes", "--by=stream", NULL }),
		"not \"dirtied_bytes\"");
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		assert_refused(parse_of(TAP_OPTIONS_IO, 0,
					(const char *const[]){ "--sort", "beauty", "--by", lists[i], NULL }),
			       ", not \"beauty\"");
	assert_refused(parse_of(TAP_OPTIONS_IO, 0, (const char *const[]){ "--sort", "cpu_ns", NULL }),
		       "read|write_latency_ns_p50|p95|p99|max");
	assert_refused(parse_of(TAP_OPTIONS_IO, 0, (const char *const[]){ "--sort", "", NULL }), "wants one of");
	assert_refused(parse_of(TAP_OPTIONS_VIEW, 0, (const char *const[]){ "--sort", "cpu_ns", NULL }),
		       "unknown option --sort");
}
END_TEST

static size_t lines_of(const char *text, const char *option)
{
	size_t count = 0;

	for (const char *at = strstr(text, option); at; at = strstr(at + 1, option))
		count++;
	return count;
}

START_TEST(test_help)
{
	static const char *const names[] = { "-d, --duration SECS",
					     "-i, --interval SECS",
					     "-f, --format FORMAT",
					     "-o, --output FILE",
					     "--instance NAME",
					     "--database NAME",
					     "-n, --limit N",
					     "--sort FIGURE",
					     "--raw-text ",
					     "--depth DEPTH",
					     "--budget PERCENT",
					     "--no-connect ",
					     "--dsn NAME=CONNINFO",
					     "--max-rows N",
					     "--max-waits N",
					     "--max-requests N",
					     "--once ",
					     "--keep ",
					     "--engine ENGINE",
					     "--load LOAD",
					     "--protocol PROTOCOL",
					     "--pairs N",
					     "--window MS",
					     "--clients N",
					     "--floor ",
					     "-h, --help " };
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	tap_options_help(ALL, &text);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(lines_of(text.data, names[i]) == 1, "%s", names[i]);
	ck_assert_uint_eq(lines_of(text.data, "\n"), sizeof(names) / sizeof(names[0]));
	tap_strbuf_clear(&text);
	tap_options_help(TAP_OPTIONS_DEMO, &text);
	ck_assert_uint_eq(lines_of(text.data, "\n"), 2);
	ck_assert_uint_eq(lines_of(text.data, "--keep"), 1);
	ck_assert_uint_eq(lines_of(text.data, "--help"), 1);
	tap_strbuf_done(&text);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd/options");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_defaults);
	tcase_add_test(tests, test_all_at_once);
	tcase_add_test(tests, test_spellings);
	tcase_add_loop_test(tests, test_bounds, 0, (int)(sizeof(bounds) / sizeof(bounds[0])));
	tcase_add_test(tests, test_words);
	tcase_add_test(tests, test_dsn);
	tcase_add_test(tests, test_wrong_usage);
	tcase_add_test(tests, test_arguments);
	tcase_add_test(tests, test_groups);
	tcase_add_test(tests, test_io_and_locks);
	tcase_add_test(tests, test_sort_of_io);
	tcase_add_test(tests, test_help);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
