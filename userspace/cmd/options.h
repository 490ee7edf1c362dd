/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - the options of all commands: one table for parsing and help, one result that never changes afterwards.
 */
#ifndef TAP_USERSPACE_CMD_OPTIONS_H
#define TAP_USERSPACE_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "userspace/base/error.h"
#include "userspace/consume/live.h"

enum tap_option_group {
	TAP_OPTIONS_VIEW = 1 << 0,   /* what is shown, of what, for how long */
	TAP_OPTIONS_OUTPUT = 1 << 1, /* --format, --output */
	TAP_OPTIONS_TRACE = 1 << 2,  /* depth, budget, limits of the kernel side */
	TAP_OPTIONS_TOP = 1 << 3,
	TAP_OPTIONS_DEMO = 1 << 4,
	TAP_OPTIONS_BENCH = 1 << 5,
	TAP_OPTIONS_SELECT = 1 << 6, /* --instance, --no-connect, --dsn */
	TAP_OPTIONS_IO = 1 << 7,
	TAP_OPTIONS_LOCKS = 1 << 8,	  /* --watch; --by; --format with the forms of a graph, --output */
	TAP_OPTIONS_SORT = 1 << 9,	  /* --sort by a figure of queries */
	TAP_OPTIONS_STATEMENTS = 1 << 10, /* --slow, --slowest, --watch */
};

enum tap_format {
	TAP_FORMAT_TEXT,
	TAP_FORMAT_JSON,
	TAP_FORMAT_CSV,
	TAP_FORMAT_DOT,
	TAP_FORMAT_SVG,
};

/* Which list of the io view, or of the locks view, text and CSV show. */
enum tap_by {
	TAP_BY_ALL,
	TAP_BY_QUERY,
	TAP_BY_RELATION,
	TAP_BY_DEVICE,
	TAP_BY_STREAM,
	TAP_BY_CHECKPOINT,
	TAP_BY_SESSION,
	TAP_BY_LOCK,
	TAP_BY_BLOCKER,
	TAP_BY_EVENT,
};

enum {
	TAP_DSNS_MAX = 128,
	TAP_ARGUMENTS_MAX = 4,
};

struct tap_options {
	double duration;
	bool duration_given;
	double interval;
	enum tap_format format;
	const char *output; /* NULL: stdout */
	const char *instance;
	const char *database;
	long limit;	     /* -1: the format's default */
	int sort;	     /* enum tap_figure or -1 */
	const char *io_sort; /* a figure of the io view's lists; NULL */
	enum tap_depth depth;
	double budget;	/* percent of a core; negative: the depth's default */
	double slow_ms; /* negative: the default of statements */
	long slowest;	/* negative: the default of statements */
	bool no_connect;
	bool raw_text;
	struct tap_dsn dsns[TAP_DSNS_MAX];
	size_t n_dsns;
	unsigned max_rows; /* 0: default */
	unsigned max_waits;
	unsigned max_requests;
	enum tap_by by;
	bool watch;
	bool once;
	bool keep;
	long pairs;
	long window_ms;
	long clients;
	bool floor;	      /* bench an empty program */
	const char *load;     /* "select", "tpcb", "both" */
	const char *engine;   /* of the bench: "postgres", "mariadb" */
	const char *protocol; /* "simple", "extended", "prepared" */
	bool help;
	const char *arguments[TAP_ARGUMENTS_MAX];
	int n_arguments;
};

/*
 * Parses what follows the command's name. -EINVAL with one line in err for anything wrong. The result borrows from
 * argv.
 */
int tap_options_parse(unsigned groups, int max_arguments, int argc, char *const *argv, struct tap_options *ret,
		      struct tap_error *err);
void tap_options_done(struct tap_options *options);

struct tap_strbuf;
/* The options of some groups as help text. */
void tap_options_help(unsigned groups, struct tap_strbuf *out);

/* What the live source needs of them. */
struct tap_live_options tap_options_live(const struct tap_options *options);
struct tap_window_options tap_options_window(const struct tap_options *options, bool text);

#endif
