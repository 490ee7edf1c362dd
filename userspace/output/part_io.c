// SPDX-License-Identifier: BSD-2-Clause
/*
 * part_io.c - the fields of the io view's lists.
 *
 * Names are those of the figures where they mean the same: write_bytes is charged to who dirtied, submitted_write_bytes
 * and everything else about writes to who submitted. Of a device both are one: write_bytes.
 */
#include "userspace/output/part_fields.h"

#define IO(name, kind, member) FIELD(tap_view_io, NULL, name, kind, member)

#define OWNER \
	IO("instance", STRING, instance), IO("engine", ENGINE, instance), IO("database", STRING, database), \
		IO("user", STRING, user), IO("kind", STRING, kind), IO("query_id", STRING, query_id), \
		IO("query_id_source", STRING, query_id_source), IO("query", STRING, query)

/* Requests of one direction beside their bytes. */
#define REQUESTS(direction) \
	IO(#direction "_requests", COUNT, direction.requests), IO(#direction "_failed", COUNT, direction.failed), \
		IO(#direction "_seq_bytes", COUNT, direction.pattern_bytes[TAP_PATTERN_SEQUENTIAL]), \
		IO(#direction "_near_bytes", COUNT, direction.pattern_bytes[TAP_PATTERN_NEAR]), \
		IO(#direction "_rand_bytes", COUNT, direction.pattern_bytes[TAP_PATTERN_RANDOM]), \
		IO(#direction "_queue_ns", COUNT, direction.queue_ns), \
		IO(#direction "_device_ns", COUNT, direction.device_ns), \
		LATENCY(tap_view_io, #direction "_latency_ns", direction.latency), \
		LATENCY(tap_view_io, #direction "_device_latency_ns", direction.device_latency), \
		IO(#direction "_sizes", SIZES, direction.sizes), \
		IO(#direction "_latency_histogram", OCTAVES, direction.octaves)

#define READS IO("read_bytes", COUNT, read.bytes), IO("read_asked_bytes", COUNT, read.asked_bytes), REQUESTS(read)
#define WRITES \
	IO("write_bytes", COUNT, charged_write_bytes), IO("submitted_write_bytes", COUNT, write.bytes), \
		REQUESTS(write), IO("dirtied_bytes", COUNT, dirtied_bytes), IO("flushes", COUNT, flushes), \
		IO("discard_bytes", COUNT, discard_bytes)

static const struct tap_field query_fields[] = {
	OWNER,
	READS,
	IO("rchar_bytes", POSITIVE, rchar_bytes),
	{ .name = "cache_read_bytes",
	  .type = TAP_FIELD_PART_OF,
	  .offset = offsetof(struct tap_view_io, cache_read_bytes),
	  .count_offset = offsetof(struct tap_view_io, rchar_bytes) },
	WRITES,
};

static const struct tap_field relation_fields[] = {
	IO("instance", STRING, instance),
	IO("engine", ENGINE, instance),
	IO("database", STRING, database),
	IO("relation", STRING, relation),
	IO("relation_kind", STRING, relation_kind),
	IO("relation_parent", STRING, relation_parent),
	READS,
	WRITES,
};

static const struct tap_field device_fields[] = {
	IO("device", STRING, device),
	READS,
	IO("write_bytes", COUNT, write.bytes),
	REQUESTS(write),
	IO("flushes", COUNT, flushes),
	IO("discard_bytes", COUNT, discard_bytes),
	IO("counted_read_bytes", AGE, counted_read_bytes),
	IO("counted_write_bytes", AGE, counted_write_bytes),
	IO("counted_flushes", AGE, counted_flushes),
	IO("residual_read_bytes", RESIDUAL, residual_read_bytes),
	IO("residual_write_bytes", RESIDUAL, residual_write_bytes),
};

static const struct tap_field stream_fields[] = {
	IO("instance", STRING, instance),
	IO("engine", ENGINE, instance),
	IO("database", STRING, database),
	IO("user", STRING, user),
	IO("kind", STRING, kind),
	IO("pid", POSITIVE, pid),
	IO("query_id", STRING, query_id),
	IO("query_id_source", STRING, query_id_source),
	IO("query", STRING, query),
	IO("relation", STRING, relation),
	IO("relation_kind", STRING, relation_kind),
	IO("relation_parent", STRING, relation_parent),
	IO("device", STRING, device),
	IO("pattern", STRING, pattern),
	IO("read_requests", COUNT, read.requests),
	IO("read_bytes", COUNT, read.bytes),
	IO("read_seq_bytes", COUNT, read.pattern_bytes[TAP_PATTERN_SEQUENTIAL]),
	IO("read_near_bytes", COUNT, read.pattern_bytes[TAP_PATTERN_NEAR]),
	IO("read_rand_bytes", COUNT, read.pattern_bytes[TAP_PATTERN_RANDOM]),
	IO("write_requests", COUNT, write.requests),
	IO("submitted_write_bytes", COUNT, write.bytes),
	IO("write_seq_bytes", COUNT, write.pattern_bytes[TAP_PATTERN_SEQUENTIAL]),
	IO("write_near_bytes", COUNT, write.pattern_bytes[TAP_PATTERN_NEAR]),
	IO("write_rand_bytes", COUNT, write.pattern_bytes[TAP_PATTERN_RANDOM]),
};

static const struct tap_field blame_fields[] = {
	FIELD(tap_view_blame, NULL, "instance", STRING, instance),
	FIELD(tap_view_blame, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_blame, NULL, "relation", STRING, relation),
	FIELD(tap_view_blame, NULL, "relation_kind", STRING, relation_kind),
	FIELD(tap_view_blame, NULL, "dirtied_by", STRING, dirtied_by),
	FIELD(tap_view_blame, NULL, "query_id", STRING, query_id),
	FIELD(tap_view_blame, NULL, "query", STRING, query),
	FIELD(tap_view_blame, NULL, "written_by", STRING, written_by),
	FIELD(tap_view_blame, NULL, "bytes", COUNT, bytes),
};

#define RUN(name, kind, member) FIELD(tap_view_checkpoint_run, NULL, name, kind, member)

static const struct tap_field run_fields[] = {
	RUN("phase", STRING, phase),
	RUN("begin", TIME, begin_ns),
	RUN("end", TIME, end_ns),
	RUN("write_ns", AGE, write_ns),
	RUN("sync_ns", AGE, sync_ns),
	RUN("longest_sync_ns", AGE, longest_sync_ns),
	RUN("buffers_written", AGE, buffers),
	RUN("files_synced", AGE, files),
};
static const struct tap_row_shape run_shape = SHAPE(tap_view_checkpoint_run, run_fields);

#define CHECKPOINT(name, kind, member) FIELD(tap_view_checkpoints, NULL, name, kind, member)

#define SPAN(span) \
	CHECKPOINT(#span "_requests", AGE, span.requests), \
		LATENCY(tap_view_checkpoints, #span "_latency_ns", span.latency)

static const struct tap_field checkpoint_fields[] = {
	CHECKPOINT("instance", STRING, instance),
	CHECKPOINT("engine", ENGINE, instance),
	CHECKPOINT("devices", STRING, devices),
	CHECKPOINT("count", AGE, count),
	CHECKPOINT("count_is_bound", BOOL, cut),
	CHECKPOINT("running_ns", AGE, running_ns),
	CHECKPOINT("running_percent", DOUBLE, running_percent),
	CHECKPOINT("running_since", TIME, running_since_ns),
	CHECKPOINT("write_bytes", AGE, write_bytes),
	CHECKPOINT("submitted_write_bytes", AGE, submitted_write_bytes),
	SPAN(read_during),
	SPAN(read_outside),
	SPAN(write_during),
	SPAN(write_outside),
	SPAN(flush_during),
	SPAN(flush_outside),
	LIST(tap_view_checkpoints, "runs", ROWS, runs, &run_shape),
};

static const struct tap_absence *checkpoint_absent(const void *row, size_t *ret_count)
{
	const struct tap_view_checkpoints *checkpoints = row;

	*ret_count = checkpoints->n_absent;
	return checkpoints->absent;
}

static const struct tap_field hint_fields[] = {
	FIELD(tap_view_hint, NULL, "hint", STRING, hint),
	FIELD(tap_view_hint, NULL, "instance", STRING, instance),
	FIELD(tap_view_hint, NULL, "engine", ENGINE, instance),
	FIELD(tap_view_hint, NULL, "database", STRING, database),
	FIELD(tap_view_hint, NULL, "relation", STRING, relation),
	FIELD(tap_view_hint, NULL, "query_id", STRING, query_id),
	FIELD(tap_view_hint, NULL, "query", STRING, query),
	FIELD(tap_view_hint, NULL, "confidence", DOUBLE, confidence),
	FIELD(tap_view_hint, NULL, "evidence", STRING, evidence),
	FIELD(tap_view_hint, NULL, "advice", STRING, advice),
};

void tap_part_io_rows(struct tap_rows *rows, enum tap_view_part part)
{
	const struct tap_view *view = rows->view;

	switch (part) {
	case TAP_PART_IO_RELATIONS:
		SET_ROWS(rows, view->io_relations, view->n_io_relations, relation_fields);
		break;
	case TAP_PART_IO_DEVICES:
		SET_ROWS(rows, view->io_devices, view->n_io_devices, device_fields);
		break;
	case TAP_PART_IO_STREAMS:
		SET_ROWS(rows, view->io_streams, view->n_io_streams, stream_fields);
		break;
	case TAP_PART_IO_BLAME:
		SET_ROWS(rows, view->io_blame, view->n_io_blame, blame_fields);
		break;
	case TAP_PART_IO_CHECKPOINTS:
		SET_ROWS(rows, view->checkpoints, view->n_checkpoints, checkpoint_fields);
		rows->absent = checkpoint_absent;
		break;
	case TAP_PART_IO_HINTS:
		SET_ROWS(rows, view->hints, view->n_hints, hint_fields);
		break;
	default:
		SET_ROWS(rows, view->io_queries, view->n_io_queries, query_fields);
		break;
	}
}
