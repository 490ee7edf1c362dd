// SPDX-License-Identifier: BSD-2-Clause
/* options.c - the option table, its parser and its help. */
#include "userspace/cmd/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/statement.h"
#include "correlate/engine/client.h"
#include "correlate/engine/terms.h"
#include "correlate/figure.h"
#include "correlate/io_order.h"
#include "userspace/base/number.h"
#include "userspace/base/strbuf.h"

enum {
	TEXT_LIMIT = 20,
};

/* A parser writes one option's value; `text` is NULL for options that take none. */
typedef int (*parse_fn)(struct tap_options *options, const char *name, const char *text, struct tap_error *err);

struct option_info {
	const char *name;     /* without the dashes */
	char letter;	      /* 0: none */
	const char *argument; /* NULL: takes none */
	unsigned groups;
	const char *help;
	parse_fn parse;
};

static int parse_number(const char *name, const char *text, double min, double max, double *ret, struct tap_error *err)
{
	if (!tap_number_parse_decimal(text, min, max, ret))
		return 0;
	return tap_error_set(err, -EINVAL, "--%s wants a number from %g to %g, not \"%s\"", name, min, max, text);
}

static int parse_whole(const char *name, const char *text, int64_t min, int64_t max, long *ret, struct tap_error *err)
{
	int64_t value;

	if (tap_number_parse_int(text, min, max, &value))
		return tap_error_set(err, -EINVAL, "--%s wants a whole number from %lld to %lld, not \"%s\"", name,
				     (long long)min, (long long)max, text);
	*ret = (long)value;
	return 0;
}

static int parse_duration(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	options->duration_given = true;
	return parse_number(name, text, 0.1, 86400, &options->duration, err);
}

static int parse_interval(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_number(name, text, 0.1, 3600, &options->interval, err);
}

static int parse_budget(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_number(name, text, 0.01, 100, &options->budget, err);
}

static int parse_slow(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_number(name, text, 0, 86400000, &options->slow_ms, err);
}

/* The place of `text` among `count` words, or -1. */
static int find_word(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(text, words[i]))
			return (int)i;
	return -1;
}

static const char *const formats[] = {
	[TAP_FORMAT_TEXT] = "text", [TAP_FORMAT_JSON] = "json", [TAP_FORMAT_CSV] = "csv",
	[TAP_FORMAT_DOT] = "dot",   [TAP_FORMAT_SVG] = "svg",
};

static int parse_format(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	int found = find_word(text, formats, TAP_FORMAT_CSV + 1);

	if (found < 0)
		return tap_error_set(err, -EINVAL, "--%s is text, json or csv, not \"%s\"", name, text);
	options->format = (enum tap_format)found;
	return 0;
}

static int parse_graph_format(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	int found = find_word(text, formats, TAP_FORMAT_SVG + 1);

	if (found < 0)
		return tap_error_set(err, -EINVAL, "--%s is text, json, csv, dot or svg, not \"%s\"", name, text);
	options->format = (enum tap_format)found;
	return 0;
}

static int parse_by(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	static const char *const lists[] = {
		[TAP_BY_ALL] = "all",	    [TAP_BY_QUERY] = "query",	[TAP_BY_RELATION] = "relation",
		[TAP_BY_DEVICE] = "device", [TAP_BY_STREAM] = "stream", [TAP_BY_CHECKPOINT] = "checkpoint",
	};
	int found = find_word(text, lists, sizeof(lists) / sizeof(lists[0]));

	if (found < 0)
		return tap_error_set(err, -EINVAL,
				     "--%s is query, relation, device, stream, checkpoint or all, not \"%s\"", name,
				     text);
	options->by = (enum tap_by)found;
	return 0;
}

static int parse_by_lock(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	static const struct {
		const char *word;
		enum tap_by by;
	} lists[] = {
		{ "all", TAP_BY_ALL },	 { "session", TAP_BY_SESSION }, { "query", TAP_BY_QUERY },
		{ "lock", TAP_BY_LOCK }, { "blocker", TAP_BY_BLOCKER }, { "event", TAP_BY_EVENT },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (!strcmp(text, lists[i].word)) {
			options->by = lists[i].by;
			return 0;
		}
	}
	return tap_error_set(err, -EINVAL, "--%s is session, query, lock, blocker, event or all, not \"%s\"", name,
			     text);
}

static int parse_depth(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	if (!strcmp(text, "ambient"))
		options->depth = TAP_DEPTH_AMBIENT;
	else if (!strcmp(text, "statement"))
		options->depth = TAP_DEPTH_STATEMENT;
	else if (!strcmp(text, "deep"))
		return tap_error_set(err, -EINVAL, "--%s deep is not in this version: use statement", name);
	else
		return tap_error_set(err, -EINVAL, "--%s is ambient or statement, not \"%s\"", name, text);
	return 0;
}

static int parse_sort(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	int figure = tap_figure_by_name(text);
	struct tap_strbuf names;
	int status;

	if (figure >= 0) {
		options->sort = figure;
		return 0;
	}
	tap_strbuf_init(&names);
	for (int i = 0; i < TAP_FIGURE_COUNT; i++)
		tap_strbuf_printf(&names, "%s%s", i ? ", " : "", tap_figure_infos[i].name);
	status = tap_error_set(err, -EINVAL, "--%s wants one of %s, not \"%s\"", name, names.data, text);
	tap_strbuf_done(&names);
	return status;
}

/* The lists that --by chooses from. */
static unsigned io_lists(enum tap_by by)
{
	static const unsigned lists[] = {
		[TAP_BY_ALL] = TAP_IO_LISTS_ALL,	   [TAP_BY_QUERY] = TAP_IO_LIST_QUERIES,
		[TAP_BY_RELATION] = TAP_IO_LIST_RELATIONS, [TAP_BY_DEVICE] = TAP_IO_LIST_DEVICES,
		[TAP_BY_STREAM] = TAP_IO_LIST_STREAMS,	   [TAP_BY_CHECKPOINT] = TAP_IO_LIST_CHECKPOINTS,
	};

	return lists[by];
}

/* What --by says may come later: which lists are meant is known at the end. */
static int parse_io_sort(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	(void)name;
	(void)err;
	options->io_sort = text;
	options->sort = tap_figure_by_name(text); /* the figures of queries that JSON shows beside them */
	if (options->sort < 0)
		options->sort = -1;
	return 0;
}

/* What comes after a prefix of a name; NULL: it has another. */
static const char *after(const char *name, const char *prefix)
{
	size_t size = strlen(prefix);

	return strncmp(name, prefix, size) ? NULL : name + size;
}

static bool has_order(unsigned lists, const char *prefix, const char *rest)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s", prefix, rest);
	return tap_io_order_find(lists, name) != NULL;
}

/* One name for a figure that both directions have, or all percentiles: the others are left out. */
static void add_order_name(struct tap_strbuf *out, unsigned lists, const char *name)
{
	const char *of_write = after(name, "write_"), *of_read = after(name, "read_");
	bool of_both = of_read && has_order(lists, "write_", of_read);

	if (strstr(name, "_ns_p95") || strstr(name, "_ns_p99") || strstr(name, "_ns_max") ||
	    (of_write && has_order(lists, "read_", of_write)))
		return;
	tap_strbuf_printf(out, "%s%s%s%s", out->size ? ", " : "", of_both ? "read|write_" : "",
			  of_both ? of_read : name, strstr(name, "_ns_p50") ? "|p95|p99|max" : "");
}

static int check_io_sort(const struct tap_options *options, struct tap_error *err)
{
	unsigned lists, named;
	const struct tap_io_order *orders;
	struct tap_strbuf names;
	size_t count;
	int status;

	if (!options->io_sort)
		return 0;
	lists = named = io_lists(options->by);
	if (tap_io_order_find(lists, options->io_sort))
		return 0;
	/* All are too many for one line. */
	if (options->by == TAP_BY_ALL)
		named = TAP_IO_LIST_QUERIES;
	tap_strbuf_init(&names);
	orders = tap_io_orders(&count);
	for (size_t i = 0; i < count; i++) {
		/* Each name once: the first of its meanings. */
		if (orders[i].lists & named && tap_io_order_find(named, orders[i].name) == &orders[i])
			add_order_name(&names, named, orders[i].name);
	}
	status = tap_error_set(err, -EINVAL, "--sort wants one of %s%s, not \"%s\"", names.data,
			       named == lists ? "" : " (--by device and checkpoint have others)", options->io_sort);
	tap_strbuf_done(&names);
	return status;
}

static int parse_limit(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_whole(name, text, 0, 1000000, &options->limit, err);
}

static int parse_text(const char *name, const char *text, const char **ret, struct tap_error *err)
{
	if (!*text)
		return tap_error_set(err, -EINVAL, "--%s wants a name, not an empty text", name);
	*ret = text;
	return 0;
}

static int parse_instance(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_text(name, text, &options->instance, err);
}

static int parse_database(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_text(name, text, &options->database, err);
}

static int parse_output(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_text(name, text, &options->output, err);
}

/* In the form of the engine that the name is of; of a name that is no engine's, in any engine's form. */
static int check_conninfo(const char *instance, const char *conninfo, struct tap_error *err)
{
	enum tap_engine engine;
	int status = 0;

	if (tap_engine_of_id(instance, &engine))
		return tap_client_of(engine)->conninfo_check(instance, conninfo, err);
	for (int i = TAP_ENGINE_COUNT; i-- > 0;) {
		status = tap_client_of((enum tap_engine)i)->conninfo_check(instance, conninfo, err);
		if (!status)
			return 0;
	}
	return status;
}

/* NAME=CONNINFO; the name is copied, since the text is cut there. */
static int parse_dsn(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	const char *equals = strchr(text, '=');
	char *instance;

	if (!equals || equals == text || !equals[1])
		return tap_error_set(err, -EINVAL,
				     "--%s wants INSTANCE=CONNINFO, such as postgres-5432=\"dbname=app user=monitor\"",
				     name);
	if (options->n_dsns == TAP_DSNS_MAX)
		return tap_error_set(err, -EINVAL, "more than %d --%s", TAP_DSNS_MAX, name);
	instance = strndup(text, (size_t)(equals - text));
	if (!instance)
		return tap_error_set(err, -ENOMEM, "out of memory");
	options->dsns[options->n_dsns++] = (struct tap_dsn){ instance, equals + 1 };
	return check_conninfo(instance, equals + 1, err);
}

static int parse_slowest(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_whole(name, text, 0, TAP_STATEMENT_SLOWEST, &options->slowest, err);
}

static int parse_max_rows(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	long value = 0;
	int status = parse_whole(name, text, 16, 1 << 22, &value, err);

	options->max_rows = status ? 0 : (unsigned)value;
	return status;
}

static int parse_max_waits(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	long value = 0;
	int status = parse_whole(name, text, 16, 1 << 22, &value, err);

	options->max_waits = status ? 0 : (unsigned)value;
	return status;
}

static int parse_max_requests(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	long value = 0;
	int status = parse_whole(name, text, 16, 1 << 22, &value, err);

	options->max_requests = status ? 0 : (unsigned)value;
	return status;
}

static int parse_pairs(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_whole(name, text, 4, 1000000, &options->pairs, err);
}

static int parse_window(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_whole(name, text, 10, 10000, &options->window_ms, err);
}

static int parse_clients(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	return parse_whole(name, text, 1, 1000, &options->clients, err);
}

static int parse_load(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	if (strcmp(text, "select") && strcmp(text, "tpcb") && strcmp(text, "both"))
		return tap_error_set(err, -EINVAL, "--%s is select, tpcb or both, not \"%s\"", name, text);
	options->load = text;
	return 0;
}

static int parse_engine(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	if (strcmp(text, "postgres") && strcmp(text, "mariadb"))
		return tap_error_set(err, -EINVAL, "--%s is postgres or mariadb, not \"%s\"", name, text);
	options->engine = text;
	return 0;
}

static int parse_protocol(struct tap_options *options, const char *name, const char *text, struct tap_error *err)
{
	if (strcmp(text, "simple") && strcmp(text, "extended") && strcmp(text, "prepared"))
		return tap_error_set(err, -EINVAL, "--%s is simple, extended or prepared, not \"%s\"", name, text);
	options->protocol = text;
	return 0;
}

#define FLAG(field) \
	static int parse_##field(struct tap_options *options, const char *name, const char *text, \
				 struct tap_error *err) \
	{ \
		(void)name; \
		(void)text; \
		(void)err; \
		options->field = true; \
		return 0; \
	}
FLAG(no_connect)
FLAG(raw_text)
FLAG(watch)
FLAG(once)
FLAG(keep)
FLAG(floor)
FLAG(help)
#undef FLAG

static const struct option_info infos[] = {
	{ "duration", 'd', "SECS", TAP_OPTIONS_VIEW, "how long to observe (10)", parse_duration },
	{ "interval", 'i', "SECS", TAP_OPTIONS_VIEW | TAP_OPTIONS_TOP,
	  "time between two looks: screens of top, new instances (1)", parse_interval },
	{ "format", 'f', "FORMAT", TAP_OPTIONS_OUTPUT, "text, json or csv (text)", parse_format },
	{ "format", 'f', "FORMAT", TAP_OPTIONS_LOCKS, "text, json, csv, dot or svg (text)", parse_graph_format },
	{ "output", 'o', "FILE", TAP_OPTIONS_OUTPUT | TAP_OPTIONS_LOCKS,
	  "write there instead of standard output, with mode 0600", parse_output },
	{ "instance", 0, "NAME", TAP_OPTIONS_SELECT, "only this instance, as `dbtap instances` names it",
	  parse_instance },
	{ "database", 0, "NAME", TAP_OPTIONS_VIEW | TAP_OPTIONS_TOP, "only rows of this database", parse_database },
	{ "limit", 'n', "N", TAP_OPTIONS_VIEW, "at most so many rows; 0: all (text 20, json and csv all)",
	  parse_limit },
	{ "sort", 0, "FIGURE", TAP_OPTIONS_SORT | TAP_OPTIONS_TOP, "largest first by this figure, such as cpu_ns",
	  parse_sort },
	{ "sort", 0, "FIGURE", TAP_OPTIONS_IO, "largest first by this figure of the lists, such as read_latency_ns_p95",
	  parse_io_sort },
	{ "raw-text", 0, NULL, TAP_OPTIONS_VIEW | TAP_OPTIONS_TOP, "show query texts with their literals",
	  parse_raw_text },
	{ "depth", 0, "DEPTH", TAP_OPTIONS_TRACE, "ambient (no probe in the database) or statement (exact calls)",
	  parse_depth },
	{ "budget", 0, "PERCENT", TAP_OPTIONS_TRACE,
	  "of one core, above which probes are taken off (5 at statement depth)", parse_budget },
	{ "no-connect", 0, NULL, TAP_OPTIONS_SELECT, "do not log in to the servers: memory only", parse_no_connect },
	{ "dsn", 0, "NAME=CONNINFO", TAP_OPTIONS_SELECT,
	  "how to log in to an instance; no password in it (use pgpass or a service file)", parse_dsn },
	{ "max-rows", 0, "N", TAP_OPTIONS_TRACE, "rows the kernel side keeps for ended sessions (32768)",
	  parse_max_rows },
	{ "max-waits", 0, "N", TAP_OPTIONS_TRACE, "... and their wait events (65536)", parse_max_waits },
	{ "max-requests", 0, "N", TAP_OPTIONS_TRACE, "... and sums of block requests by row and file (8192)",
	  parse_max_requests },
	{ "by", 0, "LIST", TAP_OPTIONS_IO,
	  "text and csv: query, relation, device, stream or checkpoint (text all, csv query)", parse_by },
	{ "by", 0, "LIST", TAP_OPTIONS_LOCKS,
	  "text and csv: session, query, lock, blocker or event (text all, csv session)", parse_by_lock },
	{ "slow", 0, "MS", TAP_OPTIONS_STATEMENTS,
	  "each statement that takes so many milliseconds or more; 0: all (100)", parse_slow },
	{ "slowest", 0, "N", TAP_OPTIONS_STATEMENTS, "of each query the N slowest, at most 8; 0: none (3)",
	  parse_slowest },
	{ "watch", 'w', NULL, TAP_OPTIONS_STATEMENTS, "print each one as it ends, until stopped or --duration is over",
	  parse_watch },
	{ "watch", 'w', NULL, TAP_OPTIONS_LOCKS,
	  "print again at each change and each --interval, until stopped or --duration is over", parse_watch },
	{ "once", 0, NULL, TAP_OPTIONS_TOP, "print one screen and end", parse_once },
	{ "keep", 0, NULL, TAP_OPTIONS_DEMO, "leave the throwaway server running", parse_keep },
	{ "engine", 0, "ENGINE", TAP_OPTIONS_BENCH, "postgres or mariadb (postgres)", parse_engine },
	{ "load", 0, "LOAD", TAP_OPTIONS_BENCH, "select, tpcb or both (both); mariadb has select alone", parse_load },
	{ "protocol", 0, "PROTOCOL", TAP_OPTIONS_BENCH, "simple, extended or prepared (simple); mariadb: not extended",
	  parse_protocol },
	{ "pairs", 0, "N", TAP_OPTIONS_BENCH, "on/off pairs per load (400)", parse_pairs },
	{ "window", 0, "MS", TAP_OPTIONS_BENCH, "length of each on or off window (150)", parse_window },
	{ "clients", 0, "N", TAP_OPTIONS_BENCH, "connections of the load (2 per CPU)", parse_clients },
	{ "floor", 0, NULL, TAP_OPTIONS_BENCH, "attach an empty program instead: what the tracepoint alone costs",
	  parse_floor },
	{ "help", 'h', NULL, ~0u, "this text", parse_help },
};

static const struct option_info *info_by_name(unsigned groups, const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
		if ((infos[i].groups & groups || infos[i].parse == parse_help) && strlen(infos[i].name) == size &&
		    !memcmp(infos[i].name, name, size))
			return &infos[i];
	}
	return NULL;
}

static const struct option_info *info_by_letter(unsigned groups, char letter)
{
	for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
		if ((infos[i].groups & groups || infos[i].parse == parse_help) && infos[i].letter == letter)
			return &infos[i];
	}
	return NULL;
}

/* One "--name=value", "--name value", "-x value" or "-xvalue". Moves *at past what it used. */
static int parse_one(unsigned groups, int argc, char *const *argv, int *at, struct tap_options *ret,
		     struct tap_error *err)
{
	const char *word = argv[*at], *value = NULL;
	const struct option_info *info;

	if (word[1] == '-') {
		size_t size = strcspn(word + 2, "=");

		info = info_by_name(groups, word + 2, size);
		if (word[2 + size] == '=')
			value = word + 2 + size + 1;
	} else {
		info = info_by_letter(groups, word[1]);
		if (word[2])
			value = word + 2;
	}
	if (!info)
		return tap_error_set(err, -EINVAL, "unknown option %s", word);
	(*at)++;
	if (!info->argument && value)
		return tap_error_set(err, -EINVAL, "--%s takes no value", info->name);
	if (info->argument && !value) {
		if (*at >= argc)
			return tap_error_set(err, -EINVAL, "--%s wants %s", info->name, info->argument);
		value = argv[(*at)++];
	}
	return info->parse(ret, info->name, value, err);
}

static int add_argument(struct tap_options *ret, int max_arguments, const char *text, struct tap_error *err)
{
	if (ret->n_arguments >= max_arguments || ret->n_arguments >= TAP_ARGUMENTS_MAX)
		return tap_error_set(err, -EINVAL, "unexpected argument \"%s\"", text);
	ret->arguments[ret->n_arguments++] = text;
	return 0;
}

int tap_options_parse(unsigned groups, int max_arguments, int argc, char *const *argv, struct tap_options *ret,
		      struct tap_error *err)
{
	bool only_arguments = false;
	int at = 0, status = 0;

	*ret = (struct tap_options){ .duration = 10,
				     .interval = 1,
				     .limit = -1,
				     .sort = -1,
				     .budget = -1,
				     .slow_ms = -1,
				     .slowest = -1,
				     .pairs = 400,
				     .window_ms = 150,
				     .load = "both",
				     .engine = "postgres",
				     .protocol = "simple" };
	/* Options and arguments in any order; after "--" all are arguments. */
	while (!status && at < argc) {
		if (!only_arguments && !strcmp(argv[at], "--")) {
			only_arguments = true;
			at++;
		} else if (!only_arguments && argv[at][0] == '-' && argv[at][1]) {
			status = parse_one(groups, argc, argv, &at, ret, err);
		} else {
			status = add_argument(ret, max_arguments, argv[at++], err);
		}
	}
	if (!status)
		status = check_io_sort(ret, err);
	if (status)
		tap_options_done(ret);
	return status;
}

void tap_options_done(struct tap_options *options)
{
	for (size_t i = 0; i < options->n_dsns; i++)
		free((void *)options->dsns[i].instance);
	options->n_dsns = 0;
}

void tap_options_help(unsigned groups, struct tap_strbuf *out)
{
	for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
		const struct option_info *info = &infos[i];
		size_t start = out->size;

		if (!(info->groups & groups) && info->parse != parse_help)
			continue;
		if (info->letter)
			tap_strbuf_printf(out, "  -%c, --%s", info->letter, info->name);
		else
			tap_strbuf_printf(out, "      --%s", info->name);
		if (info->argument)
			tap_strbuf_printf(out, " %s", info->argument);
		tap_strbuf_add_repeated(out, ' ', out->size - start < 28 ? 28 - (out->size - start) : 1);
		tap_strbuf_printf(out, "%s\n", info->help);
	}
}

struct tap_live_options tap_options_live(const struct tap_options *options)
{
	static const double default_budgets[] = { [TAP_DEPTH_AMBIENT] = 1, [TAP_DEPTH_STATEMENT] = 5 };

	return (struct tap_live_options){
		.instance = options->instance,
		.no_connect = options->no_connect,
		.depth = options->depth,
		/* All, with a threshold of 0: none takes no time. */
		.slow_ns = options->slow_ms < 0	  ? 0
			   : options->slow_ms > 0 ? (uint64_t)(options->slow_ms * 1e6)
						  : 1,
		.slowest = options->slowest > 0 ? (unsigned)options->slowest : 0,
		.interval = options->interval,
		.budget_percent = options->budget < 0 ? default_budgets[options->depth] : options->budget,
		.dsns = options->dsns,
		.n_dsns = options->n_dsns,
		.tracer = { .rows_max = options->max_rows,
			    .waits_max = options->max_waits,
			    .io_max = options->max_requests },
	};
}

struct tap_window_options tap_options_window(const struct tap_options *options, bool text)
{
	return (struct tap_window_options){
		.instance = options->instance,
		.database = options->database,
		.sort = options->sort,
		.io_sort = options->io_sort,
		.limit = options->limit >= 0 ? (size_t)options->limit
			 : text		     ? TEXT_LIMIT
					     : 0,
		.raw_text = options->raw_text,
		.slowest = options->slowest > 0 ? (size_t)options->slowest : 0,
	};
}
