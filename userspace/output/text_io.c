// SPDX-License-Identifier: BSD-2-Clause
/* text_io.c - the io view as text: one table a list, histograms as rows of blocks, hints as paragraphs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "userspace/base/number.h"
#include "userspace/output/paragraph.h"
#include "userspace/output/text_column.h"
#include "userspace/output/text_sections.h"
#include "userspace/output/text_tables.h"

enum {
	SHORT = 5,	   /* rows of each list where all lists are shown */
	LEAST_PERCENT = 1, /* of the requests: smaller shares of a size are not named */
};

static int64_t clamp(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* --- cells ------------------------------------------------------------------------------------------------------- */

/* "93/2/5": sequential, near and random, in percent of the bytes. */
static void put_pattern(const struct tap_text_context *context, const struct tap_view_requests *requests)
{
	char part[TAP_PATTERNS][TAP_NUMBER_MAX], text[TAP_PATTERNS * TAP_NUMBER_MAX];
	double all = 0;

	for (int i = 0; i < TAP_PATTERNS; i++)
		all += (double)requests->pattern_bytes[i];
	if (!(all > 0)) {
		tap_table_cell(context->table, NULL);
		return;
	}
	for (int i = 0; i < TAP_PATTERNS; i++)
		tap_number_percent(part[i], 100.0 * (double)requests->pattern_bytes[i] / all, 0);
	snprintf(text, sizeof(text), "%s/%s/%s", part[TAP_PATTERN_SEQUENTIAL], part[TAP_PATTERN_NEAR],
		 part[TAP_PATTERN_RANDOM]);
	tap_table_cell(context->table, text);
}

static void put_latency(const struct tap_text_context *context, const struct tap_view_requests *requests)
{
	struct tap_view_latency none = { -1, -1, -1, -1 };

	tap_cell_latency(context, requests->requests ? &requests->latency : &none);
}

static void put_histogram(const struct tap_text_context *context, const struct tap_view_requests *requests)
{
	struct tap_strbuf text;

	if (!requests->requests) {
		tap_table_cell(context->table, NULL);
		return;
	}
	tap_strbuf_init(&text);
	tap_text_add_octaves(&text, requests->octaves, TAP_LATENCY_OCTAVES);
	tap_cell_buffer(context, &text);
}

static void put_average(const struct tap_text_context *context, const struct tap_view_requests *requests)
{
	if (requests->requests)
		tap_cell_bytes(context, requests->bytes / requests->requests);
	else
		tap_table_cell(context->table, NULL);
}

static void put_rate(const struct tap_text_context *context, uint64_t count)
{
	char text[TAP_NUMBER_MAX];
	double rate = (double)count / context->view->seconds;

	if (context->view->seconds > 0 && rate < 1e15)
		tap_table_cell(context->table, tap_number_count(text, (int64_t)(rate + 0.5)));
	else
		tap_table_cell(context->table, NULL);
}

static void add_share(struct tap_strbuf *text, int64_t part, int64_t whole)
{
	char number[TAP_NUMBER_MAX];

	if (whole > 0 && part != -1)
		tap_strbuf_printf(text, "%s%%", tap_number_percent(number, 100.0 * (double)part / (double)whole, 1));
	else
		tap_strbuf_add_char(text, '-');
}

TAP_TEXT_CELL(io_instance, tap_view_io, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(io_kind, tap_view_io, tap_table_cell(context->table, row->kind))
TAP_TEXT_CELL(io_database, tap_view_io, tap_table_cell(context->table, row->database))
TAP_TEXT_CELL(io_user, tap_view_io, tap_table_cell(context->table, row->user))
TAP_TEXT_CELL(io_query, tap_view_io, tap_cell_query(context, row->kind, row->query, !context->compact))
TAP_TEXT_CELL(io_relation, tap_view_io, tap_table_cell(context->table, row->relation))
TAP_TEXT_CELL(io_relation_kind, tap_view_io, tap_table_cell(context->table, row->relation_kind))
TAP_TEXT_CELL(io_device, tap_view_io, tap_table_cell(context->table, row->device))
TAP_TEXT_CELL(io_pattern, tap_view_io, tap_table_cell(context->table, row->pattern))
TAP_TEXT_CELL(io_read, tap_view_io, tap_cell_bytes(context, row->read.bytes))
TAP_TEXT_CELL(io_read_rate, tap_view_io, put_rate(context, row->read.requests))
TAP_TEXT_CELL(io_read_average, tap_view_io, put_average(context, &row->read))
TAP_TEXT_CELL(io_read_pattern, tap_view_io, put_pattern(context, &row->read))
TAP_TEXT_CELL(io_read_latency, tap_view_io, put_latency(context, &row->read))
TAP_TEXT_CELL(io_read_histogram, tap_view_io, put_histogram(context, &row->read))
TAP_TEXT_CELL(io_read_requests, tap_view_io, tap_cell_count(context, row->read.requests))
TAP_TEXT_CELL(io_submitted, tap_view_io, tap_cell_bytes(context, row->write.bytes))
TAP_TEXT_CELL(io_write_rate, tap_view_io, put_rate(context, row->write.requests))
TAP_TEXT_CELL(io_write_latency, tap_view_io, put_latency(context, &row->write))
TAP_TEXT_CELL(io_write_histogram, tap_view_io, put_histogram(context, &row->write))
TAP_TEXT_CELL(io_charged, tap_view_io, tap_cell_bytes(context, row->charged_write_bytes))
TAP_TEXT_CELL(io_dirtied, tap_view_io, tap_cell_bytes(context, row->dirtied_bytes))

static void io_pid(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_io *row = row_pointer;

	if (row->pid > 0)
		tap_cell_int(context, row->pid);
	else
		tap_table_cell(context->table, NULL);
}

/* Of what was asked of the kernel, what the page cache gave. */
static void io_cache(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_io *row = row_pointer;
	char text[TAP_NUMBER_MAX];

	if (row->rchar_bytes > 0)
		tap_table_cell(
			context->table,
			tap_number_percent(text, 100.0 * (double)row->cache_read_bytes / (double)row->rchar_bytes, 0));
	else
		tap_table_cell(context->table, NULL);
}

/* Of the device's own counters, what no row has: read and written. */
static void io_residual(const struct tap_text_context *context, const void *row_pointer)
{
	const struct tap_view_io *row = row_pointer;
	struct tap_strbuf text;

	tap_strbuf_init(&text);
	add_share(&text, row->residual_read_bytes, row->counted_read_bytes);
	tap_strbuf_add_string(&text, " / ");
	add_share(&text, row->residual_write_bytes, row->counted_write_bytes);
	tap_cell_buffer(context, &text);
}

TAP_TEXT_CELL(blame_bytes, tap_view_blame, tap_cell_bytes(context, row->bytes))
TAP_TEXT_CELL(blame_instance, tap_view_blame, tap_table_cell(context->table, row->instance))
TAP_TEXT_CELL(blame_dirtied_by, tap_view_blame, tap_table_cell(context->table, row->dirtied_by))
TAP_TEXT_CELL(blame_written_by, tap_view_blame, tap_table_cell(context->table, row->written_by))
TAP_TEXT_CELL(blame_relation, tap_view_blame, tap_table_cell(context->table, row->relation))
TAP_TEXT_CELL(blame_relation_kind, tap_view_blame, tap_table_cell(context->table, row->relation_kind))
TAP_TEXT_CELL(blame_query, tap_view_blame, tap_table_cell(context->table, row->query))

/* --- columns ------------------------------------------------------------------------------------------------------ */

#define HISTOGRAM_TITLE "1us.......1ms.......1s.."

static const struct tap_text_column query_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, io_instance },
	{ { "KIND", .max = 19 }, TAP_TEXT_IF_WIDE, io_kind },
	{ { "DATABASE", .max = 16, .rank = 5 }, TAP_TEXT_ALWAYS, io_database },
	{ { "USER", .max = 16, .rank = 10 }, TAP_TEXT_ALWAYS, io_user },
	{ { "READ", .right = true }, TAP_TEXT_ALWAYS, io_read },
	{ { "CACHE%", .right = true, .rank = 3 }, TAP_TEXT_ALWAYS, io_cache },
	{ { "SEQ/NEAR/RND%", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, io_read_pattern },
	{ { "AVG READ", .right = true, .rank = 7 }, TAP_TEXT_ALWAYS, io_read_average },
	{ { "R/S", .right = true, .rank = 8 }, TAP_TEXT_ALWAYS, io_read_rate },
	{ { "READ 50/95/99%", .right = true, .rank = 4 }, TAP_TEXT_ALWAYS, io_read_latency },
	{ { HISTOGRAM_TITLE, .rank = 11 }, TAP_TEXT_ALWAYS, io_read_histogram },
	{ { "WRITTEN", .right = true, .rank = 2 }, TAP_TEXT_ALWAYS, io_charged },
	{ { "SUBMITTED", .right = true, .rank = 6 }, TAP_TEXT_ALWAYS, io_submitted },
	{ { "DIRTIED", .right = true, .rank = 9 }, TAP_TEXT_ALWAYS, io_dirtied },
	{ { "QUERY", .min = 24 }, TAP_TEXT_ALWAYS, io_query },
};

static const struct tap_text_column relation_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, io_instance },
	{ { "DATABASE", .max = 16, .rank = 5 }, TAP_TEXT_ALWAYS, io_database },
	{ { "KIND", .max = 13, .rank = 2 }, TAP_TEXT_ALWAYS, io_relation_kind },
	{ { "READ", .right = true }, TAP_TEXT_ALWAYS, io_read },
	{ { "SEQ/NEAR/RND%", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, io_read_pattern },
	{ { "AVG READ", .right = true, .rank = 6 }, TAP_TEXT_ALWAYS, io_read_average },
	{ { "R/S", .right = true, .rank = 7 }, TAP_TEXT_ALWAYS, io_read_rate },
	{ { "READ 50/95/99%", .right = true, .rank = 3 }, TAP_TEXT_ALWAYS, io_read_latency },
	{ { HISTOGRAM_TITLE, .rank = 10 }, TAP_TEXT_ALWAYS, io_read_histogram },
	{ { "WRITTEN", .right = true }, TAP_TEXT_ALWAYS, io_submitted },
	{ { "W/S", .right = true, .rank = 9 }, TAP_TEXT_ALWAYS, io_write_rate },
	{ { "DIRTIED", .right = true, .rank = 4 }, TAP_TEXT_ALWAYS, io_dirtied },
	{ { "RELATION", .min = 24 }, TAP_TEXT_ALWAYS, io_relation },
};

static const struct tap_text_column device_columns[] = {
	{ { "DEVICE", .max = 16 }, TAP_TEXT_ALWAYS, io_device },
	{ { "READ", .right = true }, TAP_TEXT_ALWAYS, io_read },
	{ { "R/S", .right = true, .rank = 1 }, TAP_TEXT_ALWAYS, io_read_rate },
	{ { "SEQ/NEAR/RND%", .right = true, .rank = 5 }, TAP_TEXT_ALWAYS, io_read_pattern },
	{ { "READ 50/95/99%", .right = true, .rank = 3 }, TAP_TEXT_ALWAYS, io_read_latency },
	{ { HISTOGRAM_TITLE, .rank = 8 }, TAP_TEXT_ALWAYS, io_read_histogram },
	{ { "WRITTEN", .right = true }, TAP_TEXT_ALWAYS, io_submitted },
	{ { "W/S", .right = true, .rank = 2 }, TAP_TEXT_ALWAYS, io_write_rate },
	{ { "WRITE 50/95/99%", .right = true, .rank = 4 }, TAP_TEXT_ALWAYS, io_write_latency },
	{ { HISTOGRAM_TITLE, .rank = 9 }, TAP_TEXT_ALWAYS, io_write_histogram },
	{ { "UNATTRIBUTED", .min = 14 }, TAP_TEXT_ALWAYS, io_residual },
};

static const struct tap_text_column stream_columns[] = {
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, io_instance },
	{ { "PID", .right = true }, TAP_TEXT_ALWAYS, io_pid },
	{ { "KIND", .max = 19 }, TAP_TEXT_IF_WIDE, io_kind },
	{ { "PATTERN", .max = 10 }, TAP_TEXT_ALWAYS, io_pattern },
	{ { "READ", .right = true }, TAP_TEXT_ALWAYS, io_read },
	{ { "WRITTEN", .right = true }, TAP_TEXT_ALWAYS, io_submitted },
	{ { "SEQ/NEAR/RND%", .right = true, .rank = 3 }, TAP_TEXT_ALWAYS, io_read_pattern },
	{ { "READS", .right = true, .rank = 4 }, TAP_TEXT_ALWAYS, io_read_requests },
	{ { "AVG READ", .right = true, .rank = 5 }, TAP_TEXT_ALWAYS, io_read_average },
	{ { "DEVICE", .max = 16, .rank = 6 }, TAP_TEXT_ALWAYS, io_device },
	{ { "RELATION", .max = 40, .rank = 1, .min = 16 }, TAP_TEXT_ALWAYS, io_relation },
	{ { "QUERY", .min = 20 }, TAP_TEXT_ALWAYS, io_query },
};

static const struct tap_text_column blame_columns[] = {
	{ { "WRITTEN", .right = true }, TAP_TEXT_ALWAYS, blame_bytes },
	{ { "INSTANCE", .max = 24 }, TAP_TEXT_IF_MANY, blame_instance },
	{ { "DIRTIED BY", .max = 19 }, TAP_TEXT_ALWAYS, blame_dirtied_by },
	{ { "WRITTEN BY", .max = 19 }, TAP_TEXT_ALWAYS, blame_written_by },
	{ { "KIND", .max = 13, .rank = 2 }, TAP_TEXT_ALWAYS, blame_relation_kind },
	{ { "RELATION", .max = 40, .rank = 1, .min = 16 }, TAP_TEXT_ALWAYS, blame_relation },
	{ { "QUERY", .min = 16 }, TAP_TEXT_ALWAYS, blame_query },
};

_Static_assert(COUNT_OF(query_columns) <= TAP_TEXT_COLUMNS_MAX, "columns of queries");
_Static_assert(COUNT_OF(relation_columns) <= TAP_TEXT_COLUMNS_MAX, "columns of relations");

#define TABLE(columns, fields) \
	{ \
		columns, COUNT_OF(columns), fields \
	}

static const struct tap_text_table tables[] = {
	[TAP_PART_IO_QUERIES - TAP_PART_IO] =
		TABLE(query_columns, " io kind database user read_bytes cache_read_bytes read_requests read_seq_bytes "
				     "read_near_bytes read_rand_bytes io_latency_ns write_bytes dirtied_bytes query "),
	[TAP_PART_IO_RELATIONS - TAP_PART_IO] = TABLE(relation_columns, " io relation relations database "),
	[TAP_PART_IO_DEVICES - TAP_PART_IO] =
		TABLE(device_columns, " io device counted_read_bytes counted_write_bytes "),
	[TAP_PART_IO_STREAMS - TAP_PART_IO] = TABLE(stream_columns, " io streams pattern "),
	[TAP_PART_IO_BLAME - TAP_PART_IO] = TABLE(blame_columns, " io blame dirtied_bytes "),
};

const struct tap_text_table *tap_text_io_table(enum tap_view_part part)
{
	size_t index = part - TAP_PART_IO;

	return index < COUNT_OF(tables) && tables[index].columns ? &tables[index] : NULL;
}

/* --- what stands around the tables -------------------------------------------------------------------------------- */

/* "8.00 KiB 90 %, 128 KiB 10 %": which sizes the requests have. */
static void add_sizes(struct tap_strbuf *line, const struct tap_view_requests *requests)
{
	const struct tap_buckets buckets = { .count = TAP_SIZE_BUCKETS, .last = "over", .first = 512 };
	const char *separator = "";

	for (size_t i = 0; i < TAP_SIZE_BUCKETS; i++) {
		double percent = 100.0 * (double)requests->sizes[i] / (double)requests->requests;
		char size[TAP_NUMBER_MAX], share[TAP_NUMBER_MAX];
		uint64_t bound;
		const char *over = tap_buckets_bound(&buckets, i, &bound);

		if (percent < LEAST_PERCENT)
			continue;
		tap_strbuf_printf(line, "%s%s%s %s%%", separator, over ? "over " : "",
				  tap_number_bytes(size, clamp(bound)), tap_number_percent(share, percent, 0));
		separator = ", ";
	}
}

static void add_direction(const struct tap_view_io *device, const char *direction,
			  const struct tap_view_requests *requests, size_t width, struct tap_strbuf *out)
{
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	if (!requests->requests)
		return;
	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%s %s: latency from 1 us ", device->device ? device->device : "?", direction);
	tap_text_add_octaves(&line, requests->octaves, TAP_LATENCY_OCTAVES);
	tap_strbuf_printf(&line, " to 17 s, at most %s;", tap_number_ns(number, requests->latency.max));
	tap_strbuf_printf(&line, " %s in the queue,", tap_number_ns(number, clamp(requests->queue_ns)));
	tap_strbuf_printf(&line, " %s in the device; sizes up to ", tap_number_ns(number, clamp(requests->device_ns)));
	add_sizes(&line, requests);
	if (requests->failed)
		tap_strbuf_printf(&line, "; failed %s", tap_number_grouped(number, clamp(requests->failed)));
	tap_text_flush_line(out, &line, width);
}

static void add_device(const struct tap_view_io *device, size_t width, struct tap_strbuf *out)
{
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	add_direction(device, "reads", &device->read, width, out);
	add_direction(device, "writes", &device->write, width, out);
	if (!device->flushes && !device->discard_bytes)
		return;
	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%s: %s flushes", device->device ? device->device : "?",
			  tap_number_grouped(number, clamp(device->flushes)));
	tap_strbuf_printf(&line, ", %s discarded", tap_number_bytes(number, clamp(device->discard_bytes)));
	tap_text_flush_line(out, &line, width);
}

static void add_hint(const struct tap_view_hint *hint, size_t width, struct tap_strbuf *out)
{
	char number[TAP_NUMBER_MAX];
	struct tap_strbuf line;

	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "%s (%s %%)", hint->hint ? hint->hint : "hint",
			  tap_number_percent(number, 100 * hint->confidence, 0));
	if (hint->relation)
		tap_strbuf_printf(&line, " on %s", hint->relation);
	if (hint->database)
		tap_strbuf_printf(&line, " in %s", hint->database);
	if (hint->evidence)
		tap_strbuf_printf(&line, ": %s", hint->evidence);
	if (hint->advice)
		tap_strbuf_printf(&line, ". %s", hint->advice);
	tap_text_flush_line(out, &line, width);
	if (!hint->query)
		return;
	tap_strbuf_init(&line);
	tap_strbuf_printf(&line, "- query: %s", hint->query);
	tap_text_flush_line(out, &line, width);
}

static void add_hints(const struct tap_view *view, size_t limit, size_t width, struct tap_strbuf *out)
{
	if (!view->n_hints)
		return;
	tap_strbuf_add_string(out, "\nHINTS\n");
	for (size_t i = 0; i < view->n_hints && (!limit || i < limit); i++)
		add_hint(&view->hints[i], width, out);
}

static void add_table(const struct tap_view *view, enum tap_view_part part, size_t limit, size_t width,
		      struct tap_strbuf *out)
{
	if (tap_text_table_render(view, part, limit, width, out))
		out->failed = true;
}

/* One list of many: nothing at all where it is empty. */
static void add_section(const struct tap_view *view, enum tap_view_part part, const char *title, size_t limit,
			size_t width, struct tap_strbuf *out)
{
	struct tap_rows rows;

	tap_rows_init(&rows, view, part);
	if (!rows.count)
		return;
	if (limit && rows.count > limit)
		tap_strbuf_printf(out, "\n%s, %zu of %zu\n", title, limit, rows.count);
	else
		tap_strbuf_printf(out, "\n%s\n", title);
	add_table(view, part, limit, width, out);
}

static void add_overview(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	if (!view->n_io_devices && !view->n_io_queries && !view->n_io_relations)
		tap_strbuf_add_string(out, "no block I/O in this window\n");
	if (view->n_io_devices) {
		add_table(view, TAP_PART_IO_DEVICES, 0, width, out);
		for (size_t i = 0; i < view->n_io_devices && i < SHORT; i++)
			add_device(&view->io_devices[i], width, out);
	}
	add_section(view, TAP_PART_IO_RELATIONS, "RELATIONS (--by relation)", SHORT, width, out);
	add_section(view, TAP_PART_IO_QUERIES, "QUERIES (--by query)", SHORT, width, out);
	add_section(view, TAP_PART_IO_STREAMS, "STREAMS (--by stream)", SHORT, width, out);
	add_section(view, TAP_PART_IO_BLAME, "WRITTEN FOR WHOM", SHORT, width, out);
	tap_text_checkpoints_render(view, false, width, out);
	add_hints(view, SHORT, width, out);
}

void tap_text_io_render(const struct tap_view *view, enum tap_view_part part, size_t width, struct tap_strbuf *out)
{
	struct tap_rows rows;

	if (part == TAP_PART_IO) {
		add_overview(view, width, out);
		return;
	}
	if (part == TAP_PART_IO_CHECKPOINTS) {
		tap_text_checkpoints_render(view, true, width, out);
		return;
	}
	tap_rows_init(&rows, view, part);
	if (!rows.count)
		tap_strbuf_printf(out, "no %s with block I/O in this window\n", tap_part_name(part));
	else if (part == TAP_PART_IO_HINTS)
		add_hints(view, 0, width, out);
	else
		add_table(view, part, 0, width, out);
	if (part == TAP_PART_IO_DEVICES)
		for (size_t i = 0; i < view->n_io_devices; i++)
			add_device(&view->io_devices[i], width, out);
}

/* "12.3 MiB/s (300/s)" */
static void add_rate(struct tap_strbuf *line, const char *verb, const struct tap_view_requests *requests,
		     double seconds)
{
	double bytes = (double)requests->bytes / seconds, count = (double)requests->requests / seconds;
	char number[TAP_NUMBER_MAX];

	if (!(bytes < 1e18 && count < 1e18))
		return;
	tap_strbuf_printf(line, " %s %s/s", verb, tap_number_bytes(number, (int64_t)bytes));
	tap_strbuf_printf(line, " (%s requests)", tap_number_count(number, (int64_t)(count + 0.5)));
}

void tap_text_io_rates(const struct tap_view *view, size_t width, struct tap_strbuf *out)
{
	struct tap_strbuf line;

	if (!view->n_io_devices || !(view->seconds > 0))
		return;
	tap_strbuf_init(&line);
	tap_strbuf_add_string(&line, "disks:");
	for (size_t i = 0; i < view->n_io_devices && i < SHORT; i++) {
		const struct tap_view_io *device = &view->io_devices[i];

		tap_strbuf_printf(&line, "%s %s", i ? ";" : "", device->device ? device->device : "?");
		add_rate(&line, "read", &device->read, view->seconds);
		add_rate(&line, "written", &device->write, view->seconds);
	}
	tap_text_flush_line(out, &line, width);
}
