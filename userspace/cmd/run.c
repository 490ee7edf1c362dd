// SPDX-License-Identifier: BSD-2-Clause
/* run.c - one live view from the options to the last byte written. */
#include "userspace/cmd/run.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "userspace/base/number.h"
#include "userspace/output/csv.h"
#include "userspace/output/dot.h"
#include "userspace/output/escape.h"
#include "userspace/output/json.h"
#include "userspace/output/svg.h"
#include "userspace/output/text.h"

enum {
	PIPE_COLUMNS = 160,
};

volatile sig_atomic_t tap_run_stop;

static void on_signal(int signal_number)
{
	(void)signal_number;
	tap_run_stop = 1;
}

void tap_run_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

void tap_complain(const char *text)
{
	fprintf(stderr, "dbtap: %s\n", text);
}

static void on_note(void *context, const char *text)
{
	*(bool *)context = true;
	tap_complain(text);
}

int tap_run_open(const struct tap_options *options, enum tap_view_part part, struct tap_live **ret, bool *partial)
{
	struct tap_live_options live_options = tap_options_live(options);
	struct tap_error err = { "" };

	live_options.locks = tap_part_whole(part) == TAP_PART_LOCKS;
	live_options.memory = tap_part_whole(part) == TAP_PART_MEMORY;
	live_options.relations = part == TAP_PART_QUERIES || tap_part_whole(part) == TAP_PART_IO;
	if (!tap_live_open(&live_options, on_note, partial, ret, &err))
		return TAP_EXIT_OK;
	tap_complain(err.text);
	return TAP_EXIT_FAILED;
}

static unsigned terminal_size(bool columns, const char *variable, unsigned fallback)
{
	const char *text = getenv(variable);
	struct winsize size;
	int64_t value;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col && size.ws_row)
		return columns ? size.ws_col : size.ws_row;
	if (text && !tap_number_parse_int(text, 20, 10000, &value))
		return (unsigned)value;
	return fallback;
}

unsigned tap_run_columns(unsigned fallback)
{
	return terminal_size(true, "COLUMNS", fallback);
}

unsigned tap_run_lines(unsigned fallback)
{
	return terminal_size(false, "LINES", fallback);
}

void tap_run_render(const struct tap_options *options, const struct tap_view *view, enum tap_view_part part,
		    unsigned width, struct tap_strbuf *out)
{
	struct tap_strbuf footer;

	switch (options->format) {
	case TAP_FORMAT_TEXT:
		tap_text_render(view, part, width, out);
		break;
	case TAP_FORMAT_JSON:
		tap_json_render(view, part, out);
		break;
	case TAP_FORMAT_CSV:
		tap_csv_render(view, part, out);
		/* What has no column is still said. */
		tap_strbuf_init(&footer);
		tap_text_render_footer(view, &footer);
		fputs(footer.data, stderr);
		tap_strbuf_done(&footer);
		break;
	case TAP_FORMAT_DOT:
		tap_dot_render(view, out);
		break;
	case TAP_FORMAT_SVG:
		tap_svg_render(view, out);
		break;
	}
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t wrote = write(fd, data, size);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		data += wrote;
		size -= (size_t)wrote;
	}
	return 0;
}

/* 0600: texts may hold what the database's users typed. */
static int open_output(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : fd;
}

static int write_text(const struct tap_options *options, const struct tap_strbuf *text)
{
	const char *where = options->output ? options->output : "standard output";
	int fd = options->output ? open_output(options->output) : STDOUT_FILENO;
	struct tap_error err;
	int status;

	if (text->failed) {
		tap_complain("out of memory while printing: use --limit");
		return TAP_EXIT_FAILED;
	}
	status = fd < 0 ? fd : write_all(fd, text->data, text->size);
	if (fd >= 0 && options->output && close(fd) && !status)
		status = -errno;
	if (!status)
		return TAP_EXIT_OK;
	tap_error_set(&err, status, "cannot write to %s: %s", where, strerror(-status));
	tap_complain(err.text);
	return TAP_EXIT_FAILED;
}

/* A terminal that does not speak UTF-8 gets no byte above ASCII. */
static bool needs_ascii(const struct tap_options *options)
{
	return !options->output && options->format == TAP_FORMAT_TEXT && isatty(STDOUT_FILENO) &&
	       strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

int tap_run_write(const struct tap_options *options, const struct tap_strbuf *text)
{
	struct tap_strbuf ascii;
	int status;

	if (text->failed || !needs_ascii(options))
		return write_text(options, text);
	tap_strbuf_init(&ascii);
	tap_escape_to_ascii(&ascii, text->data);
	status = write_text(options, &ascii);
	tap_strbuf_done(&ascii);
	return status;
}

/* An output that cannot be written is found before the time is spent, not after. */
static int check_output(const struct tap_options *options)
{
	struct tap_strbuf nothing;
	int status;

	if (!options->output)
		return TAP_EXIT_OK;
	tap_strbuf_init(&nothing);
	status = tap_run_write(options, &nothing);
	tap_strbuf_done(&nothing);
	return status;
}

struct tap_window_options tap_run_window(const struct tap_options *options, enum tap_view_part part)
{
	struct tap_window_options window = tap_options_window(options, options->format == TAP_FORMAT_TEXT);

	window.sessions = part == TAP_PART_SESSIONS || tap_part_whole(part) == TAP_PART_MEMORY;
	window.io = tap_part_whole(part) == TAP_PART_IO;
	window.locks = tap_part_whole(part) == TAP_PART_LOCKS;
	/* Of time nothing is shown there. */
	if (tap_part_whole(part) == TAP_PART_MEMORY && window.sort < 0)
		window.sort = TAP_FIGURE_ANON_PEAK;
	return window;
}

static int show(struct tap_live *live, const struct tap_options *options, enum tap_view_part part)
{
	struct tap_window_options window = tap_run_window(options, part);
	struct tap_error err = { "" };
	struct tap_view *view;
	struct tap_strbuf text;
	int status;

	if (tap_live_view(live, &window, &view, &err)) {
		tap_complain(err.text);
		return TAP_EXIT_FAILED;
	}
	tap_strbuf_init(&text);
	tap_run_render(options, view, part, tap_run_columns(PIPE_COLUMNS), &text);
	status = tap_run_write(options, &text);
	tap_strbuf_done(&text);
	tap_view_free(view);
	return status;
}

int tap_run_view(const struct tap_options *options, enum tap_view_part part)
{
	struct tap_error err = { "" };
	struct tap_live *live = NULL;
	bool partial = false;
	int status = check_output(options);

	tap_run_signals();
	if (status == TAP_EXIT_OK)
		status = tap_run_open(options, part, &live, &partial);
	if (status != TAP_EXIT_OK)
		return status;
	tap_live_connect(live);
	if (tap_live_wait(live, options->duration, &tap_run_stop, &err)) {
		tap_complain(err.text);
		partial = true;
	}
	status = show(live, options, part);
	tap_live_free(live);
	return status == TAP_EXIT_OK && partial ? TAP_EXIT_PARTIAL : status;
}
