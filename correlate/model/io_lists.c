// SPDX-License-Identifier: BSD-2-Clause
/* io_lists.c - the lists of the io view: by query, by relation, by device, by stream, and who dirtied what was written.
 */
#include "correlate/model/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/io_order.h"

/* --- what rows have in common
 * ----------------------------------------------------------------------------------------- */

static struct tap_view_latency latency_of(const uint32_t histogram[TAP_LATENCY_BUCKETS])
{
	return (struct tap_view_latency){ tap_latency_percentile_ns(histogram, 50),
					  tap_latency_percentile_ns(histogram, 95),
					  tap_latency_percentile_ns(histogram, 99),
					  tap_latency_percentile_ns(histogram, 100) };
}

static void requests_fill(struct tap_view_requests *ret, const struct tap_io *io)
{
	/* Of what was merged into others' requests there are bytes alone. */
	if (!io->requests && !io->bytes)
		return; /* as row_init left it */
	ret->requests = io->requests;
	ret->bytes = io->bytes;
	memcpy(ret->pattern_bytes, io->pattern_bytes, sizeof(ret->pattern_bytes));
	ret->asked_bytes = io->asked_bytes;
	ret->failed = io->failed;
	ret->queue_ns = io->queue_ns;
	ret->device_ns = io->device_ns;
	ret->latency = tap_io_latency(io);
	ret->device_latency = latency_of(io->device_latency);
	for (int i = 0; i < TAP_SIZE_BUCKETS; i++)
		ret->sizes[i] = io->sizes[i];
	for (int i = 0; i < TAP_LATENCY_BUCKETS; i++)
		ret->octaves[i / TAP_LATENCY_STEPS] += io->latency[i];
}

static void row_init(struct tap_view_io *row)
{
	static const struct tap_view_latency none = { -1, -1, -1, -1 };

	row->read.latency = row->read.device_latency = none;
	row->write.latency = row->write.device_latency = none;
	row->counted_read_bytes = row->counted_write_bytes = row->counted_flushes = -1;
	row->residual_read_bytes = row->residual_write_bytes = -1;
}

static void sum_fill(struct tap_view_io *row, const struct tap_io_sum *sum)
{
	requests_fill(&row->read, &sum->read);
	requests_fill(&row->write, &sum->write);
	row->charged_write_bytes = sum->charged_bytes;
	row->dirtied_bytes = sum->dirtied_bytes;
	row->flushes = sum->flushes;
	row->discard_bytes = sum->discard_bytes;
}

static void owner_fill(struct tap_build *build, struct tap_view_io *row, const struct tap_row_key *key)
{
	const struct tap_window_instance *instance = tap_build_instance(build, key->instance);

	row->instance = instance ? tap_arena_string(build->arena, instance->id) : NULL;
	row->kind = key->kind == TAP_KIND_NONE ? "unseen" : tap_build_kind(key->kind);
	row->database = tap_build_name(build, key->instance, TAP_NAME_DATABASE, key->database);
	row->user = tap_build_name(build, key->instance, TAP_NAME_USER, key->user);
	row->query_id = tap_build_query_id(build, key->source, key->query_id);
	row->query_id_source = tap_build_source(key->source);
}

static void object_fill(struct tap_build *build, struct tap_view_io *row, const struct tap_io_object *object)
{
	row->relation = tap_io_object_name(build->io, object);
	row->relation_kind = tap_file_kind_name(object->kind);
	row->relation_parent = tap_io_object_parent(build->io, object);
}

/* What a row moved: what it read, and the larger of what it wrote and what was written for it. */
static uint64_t bytes_of(const struct tap_view_io *row)
{
	uint64_t bytes = row->write.bytes > row->charged_write_bytes ? row->write.bytes : row->charged_write_bytes;

	tap_io_sum_u64(&bytes, row->read.bytes);
	return bytes;
}

static int by_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

static int by_number(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int by_bytes(const void *a, const void *b)
{
	const struct tap_view_io *left = a, *right = b;
	const char *const l[] = { left->instance, left->database, left->kind,	       left->user,
				  left->query_id, left->relation, left->relation_kind, left->device };
	const char *const r[] = { right->instance, right->database, right->kind,	  right->user,
				  right->query_id, right->relation, right->relation_kind, right->device };
	int order = by_number(bytes_of(left), bytes_of(right));

	if (!order)
		order = by_number(left->dirtied_bytes, right->dirtied_bytes);
	for (size_t i = 0; i < sizeof(l) / sizeof(l[0]) && !order; i++)
		order = by_text(l[i], r[i]);
	return order ? order : (left->pid > right->pid) - (left->pid < right->pid);
}

/* As --sort says, else by bytes; returns how many are shown. */
static size_t ordered(const struct tap_build *build, enum tap_io_list list, struct tap_view_io *rows, size_t count)
{
	const struct tap_window_options *options = &build->input->options;

	tap_io_order_sort(list, options->io_sort, rows, count, sizeof(*rows), by_bytes);
	return options->limit && options->limit < count ? options->limit : count;
}

/* --- queries ---------------------------------------------------------------------------------- */

/* What the page cache gave is a figure of the queries' rows: known only where it is known there. */
static void cache_fill(const struct tap_build *build, struct tap_view_io *row, const struct tap_io_owner *owner)
{
	const struct tap_row *account = tap_row_set_find(&build->rows, &owner->row);
	struct tap_figures figures = { 0 };

	if (!account)
		return;
	tap_io_figures_fill(build, account, row->query, &figures);
	if (figures.absent[TAP_FIGURE_CACHE_READ])
		return;
	row->rchar_bytes = tap_io_signed(account->account.rchar_bytes);
	row->cache_read_bytes = figures.value[TAP_FIGURE_CACHE_READ];
}

static int queries_build(struct tap_build *build)
{
	struct tap_view *view = build->view;
	size_t count = 0;

	view->io_queries = tap_arena_new(build->arena, build->io->owners.count, sizeof(*view->io_queries));
	if (!view->io_queries)
		return -ENOMEM;
	for (size_t i = 0; i < build->io->owners.count; i++) {
		const struct tap_io_owner *owner = tap_io_owner_at(build->io, i);
		struct tap_view_io *row = &view->io_queries[count];

		if (!owner->n_cells)
			continue;
		row_init(row);
		owner_fill(build, row, &owner->row);
		row->query = tap_io_owner_text(build->io, (uint32_t)i);
		sum_fill(row, owner->sum);
		cache_fill(build, row, owner);
		count++;
	}
	view->n_io_queries = ordered(build, TAP_IO_LIST_QUERIES, view->io_queries, count);
	return 0;
}

/* --- relations -------------------------------------------------------------------------------- */

static int relations_build(struct tap_build *build)
{
	struct tap_view *view = build->view;
	size_t count = 0;

	/* Objects without I/O are many more than those with. */
	for (size_t i = 0; i < build->io->objects.count; i++)
		count += tap_io_object_at(build->io, i)->sum != NULL;
	view->io_relations = tap_arena_new(build->arena, count, sizeof(*view->io_relations));
	if (!view->io_relations)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < build->io->objects.count; i++) {
		const struct tap_io_object *object = tap_io_object_at(build->io, i);
		struct tap_view_io *row = &view->io_relations[count];

		if (!object->sum)
			continue;
		row_init(row);
		row->instance = tap_arena_string(build->arena, tap_io_object_instance(build->io, object));
		row->database = tap_build_name(build, object->key.instance, TAP_NAME_DATABASE, object->key.database);
		object_fill(build, row, object);
		sum_fill(row, object->sum);
		count++;
	}
	view->n_io_relations = ordered(build, TAP_IO_LIST_RELATIONS, view->io_relations, count);
	return 0;
}

/* --- devices ---------------------------------------------------------------------------------- */

static const struct tap_disk_entry *counters_find(const struct tap_io_set *window, uint32_t disk)
{
	for (size_t i = 0; i < window->n_disks; i++) {
		if (window->disks[i].disk == disk)
			return &window->disks[i];
	}
	return NULL;
}

static const struct tap_io_sum *disk_sum(const struct tap_io_model *model, uint32_t disk)
{
	static const struct tap_io_sum nothing;

	for (size_t i = 0; i < model->n_disks; i++) {
		if (model->disks[i].disk == disk)
			return model->disks[i].sum;
	}
	return &nothing;
}

/* Signed: what a request had moved when it was counted here may lie on the other side of the window's edge there. */
static void counters_fill(struct tap_view_io *row, const struct tap_disk_entry *counters)
{
	row->counted_read_bytes = tap_io_signed(counters->read_bytes);
	row->counted_write_bytes = tap_io_signed(counters->write_bytes);
	row->counted_flushes = tap_io_signed(counters->flushes);
	row->residual_read_bytes = row->counted_read_bytes - tap_io_signed(row->read.bytes);
	row->residual_write_bytes = row->counted_write_bytes - tap_io_signed(row->write.bytes);
}

static void device_fill(struct tap_build *build, struct tap_view_io *row, uint32_t disk)
{
	const struct tap_disk_entry *counters = counters_find(&build->io->window, disk);
	char name[32];

	row_init(row);
	if (counters && counters->name[0])
		snprintf(name, sizeof(name), "%s", counters->name);
	else
		snprintf(name, sizeof(name), "%" PRIu32 ":%" PRIu32, disk >> 20, disk & 0xfffff);
	row->device = tap_arena_string(build->arena, name);
	sum_fill(row, disk_sum(build->io, disk));
	if (counters)
		counters_fill(row, counters);
}

int tap_build_disks(struct tap_build *build)
{
	const struct tap_io_model *model = build->io;
	struct tap_view *view = build->view;
	size_t count = 0;

	view->io_devices =
		tap_arena_new(build->arena, model->n_disks + model->window.n_disks, sizeof(*view->io_devices));
	if (!view->io_devices)
		return -ENOMEM;
	for (size_t i = 0; i < model->window.n_disks; i++)
		device_fill(build, &view->io_devices[count++], model->window.disks[i].disk);
	for (size_t i = 0; i < model->n_disks; i++) {
		if (!counters_find(&model->window, model->disks[i].disk))
			device_fill(build, &view->io_devices[count++], model->disks[i].disk);
	}
	view->n_io_devices = ordered(build, TAP_IO_LIST_DEVICES, view->io_devices, count);
	return 0;
}

/* --- streams ---------------------------------------------------------------------------------- */

struct stream_key {
	uint32_t object;
	uint32_t pid;
};

/* All positions of one process in one object. */
struct stream {
	struct stream_key key; /* first, for the index */
	struct tap_row_key row;
	uint64_t row_requests; /* of the file that `row` is from: the busiest */
	uint64_t requests[2];  /* read, write */
	uint64_t bytes[2][TAP_PATTERNS];
};

static int stream_add(struct tap_build *build, struct tap_io_table *table, const struct tap_stream_entry *entry)
{
	struct stream_key key = { tap_io_file_object(build->io, &entry->key.file), entry->key.owner };
	bool write = entry->key.op == TAP_IO_WRITE;
	struct stream *stream;
	uint32_t place;

	if (key.object == TAP_IO_NONE)
		return -ENOMEM;
	if (entry->key.op > TAP_IO_WRITE ||
	    (!tap_build_row_is_wanted(build, &entry->set.row) && !tap_io_object_at(build->io, key.object)->wanted))
		return 0;
	place = tap_io_table_get(table, &key);
	if (place == TAP_IO_NONE)
		return -ENOMEM;
	stream = &((struct stream *)table->items)[place];
	tap_io_sum_u64(&stream->requests[write], entry->set.requests);
	for (int i = 0; i < TAP_PATTERNS; i++)
		tap_io_sum_u64(&stream->bytes[write][i], entry->set.bytes[i]);
	if (entry->set.requests >= stream->row_requests) {
		stream->row = entry->set.row;
		stream->row_requests = entry->set.requests;
	}
	return 0;
}

static void stream_requests(struct tap_view_requests *ret, uint64_t requests, const uint64_t bytes[TAP_PATTERNS])
{
	ret->requests = requests;
	for (int i = 0; i < TAP_PATTERNS; i++) {
		ret->pattern_bytes[i] = bytes[i];
		tap_io_sum_u64(&ret->bytes, bytes[i]);
	}
}

static const char *pattern_of(const struct stream *stream)
{
	static const char *const names[TAP_PATTERNS] = { "sequential", "near", "random" };
	uint64_t bytes[TAP_PATTERNS];
	int most = 0;

	for (int i = 0; i < TAP_PATTERNS; i++) {
		bytes[i] = stream->bytes[0][i];
		tap_io_sum_u64(&bytes[i], stream->bytes[1][i]);
		if (bytes[i] > bytes[most])
			most = i;
	}
	return names[most];
}

static const char *text_of(struct tap_build *build, const struct tap_row_key *row)
{
	const struct tap_io_owner *owner = tap_io_owner_find(build->io, row);

	if (owner)
		return tap_io_owner_text(build->io, (uint32_t)(owner - tap_io_owner_at(build->io, 0)));
	return tap_build_text(build, row->instance, row->source, row->query_id);
}

static void stream_fill(struct tap_build *build, struct tap_view_io *row, const struct stream *stream)
{
	const struct tap_io_object *object = tap_io_object_at(build->io, stream->key.object);

	row_init(row);
	owner_fill(build, row, &stream->row);
	row->query = text_of(build, &stream->row);
	if (!row->instance)
		row->instance = tap_arena_string(build->arena, tap_io_object_instance(build->io, object));
	object_fill(build, row, object);
	row->pid = stream->key.pid;
	row->pattern = pattern_of(stream);
	stream_requests(&row->read, stream->requests[0], stream->bytes[0]);
	stream_requests(&row->write, stream->requests[1], stream->bytes[1]);
}

static int streams_fill(struct tap_build *build, struct tap_io_table *table)
{
	const struct tap_io_set *window = &build->io->window;
	struct tap_view *view = build->view;
	int status = 0;

	for (size_t i = 0; i < window->n_streams && !status; i++)
		status = stream_add(build, table, &window->streams[i]);
	if (status)
		return status;
	view->io_streams = tap_arena_new(build->arena, table->count, sizeof(*view->io_streams));
	if (!view->io_streams)
		return -ENOMEM;
	for (size_t i = 0; i < table->count; i++)
		stream_fill(build, &view->io_streams[i], &((struct stream *)table->items)[i]);
	view->n_io_streams = ordered(build, TAP_IO_LIST_STREAMS, view->io_streams, table->count);
	return 0;
}

static int streams_build(struct tap_build *build)
{
	struct tap_io_table table;
	int status;

	tap_io_table_init(&table, sizeof(struct stream), sizeof(struct stream_key));
	status = streams_fill(build, &table);
	tap_io_table_done(&table);
	return status;
}

/* --- blame ------------------------------------------------------------------------------------ */

static int by_blame(const void *a, const void *b)
{
	const struct tap_view_blame *left = a, *right = b;
	const char *const l[] = { left->instance, left->relation, left->dirtied_by, left->query_id, left->written_by };
	const char *const r[] = { right->instance, right->relation, right->dirtied_by, right->query_id,
				  right->written_by };
	int order = by_number(left->bytes, right->bytes);

	for (size_t i = 0; i < sizeof(l) / sizeof(l[0]) && !order; i++)
		order = by_text(l[i], r[i]);
	return order;
}

static int blame_build(struct tap_build *build)
{
	const struct tap_window_options *options = &build->input->options;
	struct tap_io_model *model = build->io;
	struct tap_view *view = build->view;
	size_t count = model->charges.count;

	view->io_blame = tap_arena_new(build->arena, count, sizeof(*view->io_blame));
	if (!view->io_blame)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct tap_io_charge *charge = &((struct tap_io_charge *)model->charges.items)[i];
		const struct tap_io_object *object = tap_io_object_at(model, charge->key.object);
		const struct tap_row_key *dirtier = &tap_io_owner_at(model, charge->key.dirtier)->row;
		struct tap_view_blame *row = &view->io_blame[i];

		row->instance = tap_arena_string(build->arena, tap_io_object_instance(model, object));
		row->relation = tap_io_object_name(model, object);
		row->relation_kind = tap_file_kind_name(object->kind);
		row->dirtied_by = dirtier->kind == TAP_KIND_NONE ? "unseen" : tap_build_kind(dirtier->kind);
		row->query_id = tap_build_query_id(build, dirtier->source, dirtier->query_id);
		row->query = tap_io_owner_text(model, charge->key.dirtier);
		row->written_by = tap_build_kind((uint8_t)charge->key.writer_kind);
		row->bytes = charge->bytes;
	}
	tap_io_order_sort(TAP_IO_LIST_BLAME, options->io_sort, view->io_blame, count, sizeof(*view->io_blame),
			  by_blame);
	view->n_io_blame = options->limit && options->limit < count ? options->limit : count;
	return 0;
}

int tap_build_io(struct tap_build *build)
{
	int status = queries_build(build);

	if (!status)
		status = relations_build(build);
	if (!status)
		status = streams_build(build);
	if (!status)
		status = blame_build(build);
	return build->arena->failed ? -ENOMEM : status;
}
