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
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "userspace/base/clock.h"
#include "userspace/consume/diskstats.h"
#include "userspace/consume/memory_files.h"
#include "userspace/load/features.h"

enum {
	STREAM_CHUNK = 64 * 1024,
	/* Of entries read at once: keys and values. Several of the largest ones, many of the small ones. */
	BATCH_BYTES = 256 * 1024,
	BATCH_BYTES_MAX = 64 << 20,
	/* Within this the threads are read when nothing stands in between; 300 of them took a millisecond. */
	PROMPT_NS = 5000000,
	PROMPT_NS_PER_THREAD = 10000,
	ATTEMPTS = 8,
};

struct tap_reader {
	struct tap_tracer *tracer;
	struct ring_buffer *ring;
	struct tap_texts *draining;
	tap_reader_on_lock on_lock;
	void *lock_context;
	tap_reader_on_statement on_statement;
	void *statement_context;
	tap_reader_on_kill on_kill;
	void *kill_context;
	char *stream;
	size_t stream_capacity;
	char *batch;
	size_t batch_capacity;
};

static int on_event(void *context, void *data, size_t size)
{
	struct tap_reader *reader = context;
	const struct tap_text_event *event = data;

	if (size == sizeof(struct tap_kill_event))
		return reader->on_kill ? reader->on_kill(reader->kill_context, data) : 0;
	if (size == sizeof(struct tap_lock_event))
		return reader->on_lock ? reader->on_lock(reader->lock_context, data) : 0;
	if (size == sizeof(struct tap_statement_event) + TAP_STATEMENT_TEXT ||
	    size == sizeof(struct tap_statement_event) + TAP_STATEMENT_TEXT_LONG)
		return reader->on_statement ? reader->on_statement(reader->statement_context, data, size) : 0;
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
	reader->batch = malloc(BATCH_BYTES);
	reader->batch_capacity = BATCH_BYTES;
	reader->ring = ring_buffer__new(tap_tracer_map_fd(tracer, TAP_MAP_EVENTS), on_event, reader, NULL);
	if (!reader->batch || !reader->ring) {
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
	free(reader->batch);
	free(reader);
}

void tap_reader_set_on_lock(struct tap_reader *reader, tap_reader_on_lock on_lock, void *context)
{
	reader->on_lock = on_lock;
	reader->lock_context = context;
}

void tap_reader_set_on_statement(struct tap_reader *reader, tap_reader_on_statement on_statement, void *context)
{
	reader->on_statement = on_statement;
	reader->statement_context = context;
}

void tap_reader_set_on_kill(struct tap_reader *reader, tap_reader_on_kill on_kill, void *context)
{
	reader->on_kill = on_kill;
	reader->kill_context = context;
}

/* Not ring_buffer__poll: it takes records out, and they are for drain alone. */
void tap_reader_sleep(struct tap_reader *reader, int ms)
{
	struct epoll_event event;

	epoll_wait(ring_buffer__epoll_fd(reader->ring), &event, 1, ms);
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

static int statement_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	const struct tap_statement_total *total = value;
	struct tap_row *row;

	(void)key;
	(void)parity;
	if (!total->ended)
		return 0;
	row = tap_row_set_get(&snapshot->rows, &total->key);
	if (!row)
		return -ENOMEM;
	row->exact_calls += total->ended;
	return tap_statement_set_add(&snapshot->statements, total);
}

static int error_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	uint64_t count;

	(void)parity;
	memcpy(&count, value, sizeof(count));
	return tap_statement_set_add_error(&snapshot->statements, key, count);
}

static int stall_entry_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	struct tap_row *row = tap_row_set_get(&snapshot->rows, key);

	(void)parity;
	if (row)
		tap_row_add_stall(row, value);
	return row ? 0 : -ENOMEM;
}

static int peak_entry_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	struct tap_row *row = tap_row_set_get(&snapshot->rows, key);
	uint64_t peak;

	(void)parity;
	memcpy(&peak, value, sizeof(peak));
	if (row)
		tap_row_add_peak(row, peak);
	return row ? 0 : -ENOMEM;
}

/* What was taken and not used, or not yet, has no figures. */
static int request_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	const struct tap_io_total *total = value;
	struct tap_io io;

	(void)key;
	(void)parity;
	tap_io_of_total(&io, total);
	return io.requests || io.bytes ? tap_io_set_add_request(&snapshot->io, &total->key, &io) : 0;
}

static int dirty_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	uint64_t bytes;

	(void)parity;
	memcpy(&bytes, value, sizeof(bytes));
	return tap_io_set_add_dirty(&snapshot->io, key, bytes);
}

static int file_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	(void)parity;
	return tap_io_set_add_file(&snapshot->io, key, value);
}

static int stream_add(struct tap_snapshot *snapshot, const void *key, const void *value, uint8_t parity)
{
	const struct tap_stream_place *place = value;

	(void)key;
	(void)parity;
	return place->set.requests ? tap_io_set_add_stream(&snapshot->io, &place->key, &place->set) : 0;
}

/* What is read of a map in batches. */
struct relation {
	enum tap_tracer_map map;
	size_t key_size;
	size_t value_size;
	entry_add add;
};

static const struct relation rows = { TAP_MAP_ROWS, sizeof(struct tap_row_key), sizeof(struct tap_account),
				      row_entry_add };
static const struct relation waits = { TAP_MAP_WAITS, sizeof(struct tap_wait_key), sizeof(struct tap_wait_total),
				       wait_entry_add };
static const struct relation statements = { TAP_MAP_STATEMENTS, sizeof(uint32_t), sizeof(struct tap_statement_total),
					    statement_add };
static const struct relation errors = { TAP_MAP_ERRORS, sizeof(struct tap_statement_error_key), sizeof(uint64_t),
					error_add };
static const struct relation peaks = { TAP_MAP_PEAKS, sizeof(struct tap_row_key), sizeof(uint64_t), peak_entry_add };
static const struct relation stalls = { TAP_MAP_STALLS, sizeof(struct tap_row_key), sizeof(struct tap_stall),
					stall_entry_add };
static const struct relation requests = { TAP_MAP_REQUESTS, sizeof(uint32_t), sizeof(struct tap_io_total),
					  request_add };
static const struct relation dirty = { TAP_MAP_DIRTY, sizeof(struct tap_dirty_key), sizeof(uint64_t), dirty_add };
static const struct relation files = { TAP_MAP_FILES, sizeof(struct tap_file_key), sizeof(struct tap_file), file_add };
static const struct relation streams = { TAP_MAP_STREAMS, sizeof(uint32_t), sizeof(struct tap_stream_place),
					 stream_add };

/* One bucket of the map holds more entries than a batch. */
static int batch_grow(struct tap_reader *reader)
{
	size_t capacity = reader->batch_capacity * 2;
	char *batch;

	if (capacity > BATCH_BYTES_MAX)
		return -ENOSPC;
	batch = realloc(reader->batch, capacity);
	if (!batch)
		return -ENOMEM;
	reader->batch = batch;
	reader->batch_capacity = capacity;
	return 0;
}

static int batch_add(const struct relation *relation, const char *keys, const char *values, uint32_t count,
		     struct tap_snapshot *snapshot, uint8_t parity)
{
	int status = 0;

	for (uint32_t i = 0; i < count && !status; i++)
		status = relation->add(snapshot, keys + i * relation->key_size, values + i * relation->value_size,
				       parity);
	return status;
}

/* Walks the first `left` entries of a map in batches: values first in the buffer, which keeps both aligned. */
static int entries_read(struct tap_reader *reader, const struct relation *relation, uint32_t left,
			struct tap_snapshot *snapshot, uint8_t parity)
{
	int fd = tap_tracer_map_fd(reader->tracer, relation->map);
	uint32_t position = 0, next = 0;
	bool first = true, last = false;
	int status = 0;

	while (!last && !status && left) {
		uint32_t room = (uint32_t)(reader->batch_capacity / (relation->key_size + relation->value_size));
		uint32_t count = room < left ? room : left;
		char *keys = reader->batch + count * relation->value_size;

		if (!bpf_map_lookup_batch(fd, first ? NULL : &position, &next, keys, reader->batch, &count, NULL)) {
			status = batch_add(relation, keys, reader->batch, count, snapshot, parity);
		} else if (errno == ENOENT) {
			last = true;
			status = batch_add(relation, keys, reader->batch, count, snapshot, parity);
		} else {
			/* What fitted of a batch that did not is read again with the rest. */
			status = errno == ENOSPC ? batch_grow(reader) : -errno;
			continue;
		}
		left -= count < left ? count : left;
		position = next;
		first = false;
	}
	return status;
}

static int map_read(struct tap_reader *reader, const struct relation *relation, struct tap_snapshot *snapshot,
		    uint8_t parity)
{
	return entries_read(reader, relation, UINT32_MAX, snapshot, parity);
}

static int totals_read(struct tap_reader *reader, struct tap_snapshot *snapshot, uint32_t epoch)
{
	uint8_t parity = epoch & 1;
	int status = map_read(reader, &rows, snapshot, parity);

	return status ? status : map_read(reader, &waits, snapshot, parity);
}

/* Of errors first: none is there that its statement does not have. */
static int statements_read(struct tap_reader *reader, struct tap_snapshot *snapshot)
{
	uint32_t used = tap_tracer_statements_used(reader->tracer);
	int status = used ? map_read(reader, &errors, snapshot, 0) : 0;

	return status ? status : entries_read(reader, &statements, used, snapshot, 0);
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

/*
 * The disks' own counters and the traced requests at one moment, as near as can be. The kernel counts a request and
 * hands it to the tracer in one go, so what comes between the two readings is all they can differ by.
 */
static int io_read(struct tap_reader *reader, const struct tap_reader_wants *wants, struct tap_snapshot *snapshot)
{
	int status;

	if (!tap_tracer_has_io(reader->tracer))
		return 0;
	snapshot->io.traced = true;
	status = tap_tracer_end_unseen(reader->tracer);
	if (!status)
		status = tap_diskstats_read("/proc", wants->disks, wants->n_disks, &snapshot->io);
	if (!status)
		status = entries_read(reader, &requests, tap_tracer_requests_used(reader->tracer), snapshot, 0);
	if (!status)
		status = map_read(reader, &dirty, snapshot, 0);
	if (!status)
		status = map_read(reader, &files, snapshot, 0);
	if (!status && wants->streams)
		status = map_read(reader, &streams, snapshot, 0);
	return status;
}

/* One that is written to whenever it is looked at is as if none were known of: another snapshot has it. */
static int checkpoints_read(const struct tap_reader *reader, size_t n_instances, struct tap_snapshot *snapshot)
{
	if (!n_instances)
		return 0;
	snapshot->checkpoints = calloc(n_instances, sizeof(*snapshot->checkpoints));
	if (!snapshot->checkpoints)
		return -ENOMEM;
	snapshot->n_checkpoints = n_instances;
	for (size_t i = 0; i < n_instances; i++) {
		int status = tap_tracer_checkpoints(reader->tracer, (uint32_t)i, &snapshot->checkpoints[i]);

		if (status && status != -EAGAIN)
			return status;
	}
	return 0;
}

int tap_reader_take_files(struct tap_reader *reader, struct tap_io_set *ret)
{
	struct tap_snapshot snapshot;
	int status = 0;

	tap_snapshot_init(&snapshot);
	if (tap_tracer_has_io(reader->tracer))
		status = map_read(reader, &files, &snapshot, 0);
	if (!status) {
		*ret = snapshot.io;
		tap_io_set_init(&snapshot.io);
	}
	tap_snapshot_done(&snapshot);
	return status;
}

/* The moment is the middle of reading the threads; *ret_took_ns: how long that was. */
static int rows_take(struct tap_reader *reader, struct tap_snapshot *ret, int64_t *ret_took_ns)
{
	uint32_t epoch = tap_tracer_epoch(reader->tracer) + 1;
	int status = totals_read(reader, ret, epoch + 1);
	int64_t realtime_ns = tap_clock_ns(CLOCK_REALTIME), monotonic_ns = tap_clock_ns(CLOCK_MONOTONIC);

	ret->epoch = epoch;
	if (!status)
		status = threads_read(reader, ret, epoch);
	*ret_took_ns = tap_clock_ns(CLOCK_MONOTONIC) - monotonic_ns;
	ret->realtime_ns = realtime_ns + *ret_took_ns / 2;
	ret->monotonic_ns = monotonic_ns + *ret_took_ns / 2;
	return status ? status : totals_read(reader, ret, epoch);
}

/*
 * Each thread is read up to its own moment, so a CPU that stood still meanwhile (a virtual one is taken away for tens
 * of milliseconds) makes rows longer than the window between two snapshots. Then all is read again: nothing was zeroed.
 */
static int rows_take_promptly(struct tap_reader *reader, struct tap_snapshot *ret)
{
	int64_t took_ns;
	int status;

	for (int attempt = 1;; attempt++) {
		status = rows_take(reader, ret, &took_ns);
		if (status || attempt == ATTEMPTS ||
		    took_ns <= PROMPT_NS + PROMPT_NS_PER_THREAD * (int64_t)ret->n_threads)
			return status;
		tap_snapshot_done(ret);
		tap_snapshot_init(ret);
	}
}

int tap_reader_take(struct tap_reader *reader, const struct tap_reader_wants *wants, struct tap_snapshot *ret,
		    struct tap_error *err)
{
	int status = rows_take_promptly(reader, ret);

	if (!status)
		status = statements_read(reader, ret);
	if (!status)
		status = map_read(reader, &peaks, ret, 0);
	ret->stalls_traced = tap_feature_has(TAP_FEATURE_RECLAIM);
	if (!status)
		status = map_read(reader, &stalls, ret, 0);
	if (!status)
		status = io_read(reader, wants, ret);
	if (!status)
		status = checkpoints_read(reader, wants->n_instances, ret);
	if (!status && wants->memory)
		status = tap_memory_files_read(&(struct tap_memory_roots){ "/proc", "/sys/fs/cgroup" }, ret);
	counters_copy(reader, ret);
	if (status)
		return tap_error_set(err, status, "cannot read the figures from the kernel: %s", strerror(-status));
	return 0;
}
