// SPDX-License-Identifier: BSD-2-Clause
/*
 * reader.c - one snapshot: the totals of the parity that is complete, every thread, the totals of the other parity.
 *
 * The kernel side evicts into entries whose parity tells the first snapshot that may count them (tap_task.read_epoch):
 * those of snapshot k are complete once every thread has been read, those of k - 1 before the first one is.
 */
#include "userspace/consume/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "userspace/base/clock.h"

enum {
	BATCH = 1024,
	STREAM_CHUNK = 64 * 1024,
	KEY_MAX = sizeof(struct tap_wait_key), /* of the maps read in batches */
	VALUE_MAX = sizeof(struct tap_account),
};

struct tap_reader {
	struct tap_tracer *tracer;
	struct ring_buffer *ring;
	struct tap_texts *draining;
	char *stream;
	size_t stream_capacity;
	char *keys;
	char *values;
};

static int on_event(void *context, void *data, size_t size)
{
	struct tap_reader *reader = context;
	const struct tap_text_event *event = data;

	if (size < sizeof(*event) || event->text_size > sizeof(event->text) || !reader->draining)
		return 0;
	return tap_texts_put(reader->draining, &event->key, event->text, event->text_size, TAP_TEXT_RAW);
}

int tap_reader_new(struct tap_tracer *tracer, struct tap_reader **ret, struct tap_error *err)
{
	struct tap_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return tap_error_set(err, -ENOMEM, "out of memory");
	reader->tracer = tracer;
	reader->keys = malloc(BATCH * KEY_MAX);
	reader->values = malloc(BATCH * VALUE_MAX);
	reader->ring = ring_buffer__new(tap_tracer_map_fd(tracer, TAP_MAP_EVENTS), on_event, reader, NULL);
	if (!reader->keys || !reader->values || !reader->ring) {
		tap_reader_free(reader);
		return tap_error_set(err, -ENOMEM, "cannot read from the kernel side: out of memory");
	}
	*ret = reader;
	return 0;
}

void tap_reader_free(struct tap_reader *reader)
{
	if (!reader)
		return;
	ring_buffer__free(reader->ring);
	free(reader->stream);
	free(reader->keys);
	free(reader->values);
	free(reader);
}

int tap_reader_drain(struct tap_reader *reader, struct tap_texts *texts)
{
	int status;

	reader->draining = texts;
	status = ring_buffer__consume(reader->ring);
	reader->draining = NULL;
	return status < 0 ? status : 0;
}

typedef int (*entry_add)(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity);

static int row_entry_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	const struct tap_row_key *row_key = key;
	struct tap_row *row;

	if (row_key->parity != parity)
		return 0;
	row = tap_row_set_get(&snapshot->rows, row_key);
	if (!row)
		return -ENOMEM;
	tap_row_add_account(row, value);
	return 0;
}

static int wait_entry_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	const struct tap_wait_key *wait_key = key;
	const struct tap_wait_total *total = value;
	struct tap_row *row;

	if (wait_key->row.parity != parity)
		return 0;
	row = tap_row_set_get(&snapshot->rows, &wait_key->row);
	return row ? tap_row_add_wait(row, wait_key->event, total->count, total->ns, 0) : -ENOMEM;
}

static int calls_entry_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	struct tap_row *row = tap_row_set_get(&snapshot->rows, key);
	uint64_t count;

	(void)parity;
	memcpy(&count, value, sizeof(count));
	if (row)
		row->exact_calls += count;
	return row ? 0 : -ENOMEM;
}

/* Walks a whole hash map in batches. */
static int map_read(struct tap_reader *reader, enum tap_tracer_map map, size_t key_size, size_t value_size,
		    struct tap_snapshot *snapshot, uint8_t parity, entry_add add)
{
	int fd = tap_tracer_map_fd(reader->tracer, map);
	uint32_t position = 0, count, batch = BATCH;
	bool first = true, last = false;

	while (!last) {
		count = batch;
		if (bpf_map_lookup_batch(fd, first ? NULL : &position, &position, reader->keys, reader->values, &count,
					 NULL)) {
			/* ENOENT is the end; ENOSPC: one bucket holds more than a batch, which BATCH rules out. */
			if (errno != ENOENT)
				return -errno;
			last = true;
		}
		first = false;
		for (uint32_t i = 0; i < count; i++) {
			int status =
				add(snapshot, reader->keys + i * key_size, reader->values + i * value_size, parity);

			if (status)
				return status;
		}
	}
	return 0;
}

static int totals_read(struct tap_reader *reader, struct tap_snapshot *snapshot, uint32_t epoch)
{
	uint8_t parity = epoch & 1;
	int status = map_read(reader, TAP_MAP_ROWS, sizeof(struct tap_row_key), sizeof(struct tap_account), snapshot,
			      parity, row_entry_add);

	if (!status)
		status = map_read(reader, TAP_MAP_WAITS, sizeof(struct tap_wait_key), sizeof(struct tap_wait_total),
				  snapshot, parity, wait_entry_add);
	return status;
}

static int stream_reserve(struct tap_reader *reader, size_t size)
{
	size_t capacity = reader->stream_capacity ? reader->stream_capacity * 2 : (size_t)4 * STREAM_CHUNK;
	char *stream;

	if (size <= reader->stream_capacity)
		return 0;
	stream = realloc(reader->stream, capacity);
	if (!stream)
		return -ENOMEM;
	reader->stream = stream;
	reader->stream_capacity = capacity;
	return 0;
}

static int threads_read(struct tap_reader *reader, struct tap_snapshot *snapshot, uint32_t epoch)
{
	int fd = tap_tracer_snapshot_fd(reader->tracer, epoch);
	size_t size = 0;
	ssize_t got = 1;
	int status = 0;

	if (fd < 0)
		return fd;
	while (!status && got) {
		status = stream_reserve(reader, size + STREAM_CHUNK);
		if (status)
			break;
		got = read(fd, reader->stream + size, STREAM_CHUNK);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			status = -errno;
		else
			size += (size_t)got;
	}
	close(fd);
	return status ? status : tap_snapshot_add_stream(snapshot, reader->stream, size);
}

static void counters_copy(struct tap_reader *reader, struct tap_snapshot *snapshot)
{
	struct tap_tracer_counters counters;

	tap_tracer_counters(reader->tracer, &counters);
	memcpy(snapshot->losses, counters.losses, sizeof(snapshot->losses));
	snapshot->fingerprint_ns = counters.fingerprint_ns;
	snapshot->fingerprints = counters.fingerprints;
	snapshot->statement_hits = counters.statement_hits;
}

int tap_reader_take(struct tap_reader *reader, struct tap_snapshot *ret, struct tap_error *err)
{
	uint32_t epoch = tap_tracer_epoch(reader->tracer) + 1;
	int status;

	status = totals_read(reader, ret, epoch + 1);
	ret->realtime_ns = tap_clock_ns(CLOCK_REALTIME);
	ret->monotonic_ns = tap_clock_ns(CLOCK_MONOTONIC);
	if (!status)
		status = threads_read(reader, ret, epoch);
	if (!status)
		status = totals_read(reader, ret, epoch);
	if (!status)
		status = map_read(reader, TAP_MAP_CALLS, sizeof(struct tap_row_key), sizeof(uint64_t), ret, 0,
				  calls_entry_add);
	counters_copy(reader, ret);
	if (status)
		return tap_error_set(err, status, "cannot read the figures from the kernel: %s", strerror(-status));
	return 0;
}
