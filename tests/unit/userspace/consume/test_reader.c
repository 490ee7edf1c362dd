// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_reader.c - userspace/consume/reader over maps, an iterator and a ring of the test's own, which change while they
 * are read, end early, or contradict themselves.
 */
#include "userspace/consume/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/abi/kind.h"
#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"

enum {
	ENTRIES_MAX = 2048,
	KEY_MAX = sizeof(struct tap_dirty_key),
	VALUE_MAX = sizeof(struct tap_io_total),
	STREAM_MAX = 1024 * 1024,
	NO_STREAM = -1,
};

/* Check's own assertions allocate: within what is made to run out of memory they would be what fails. */
static void must(bool hold)
{
	if (!hold)
		abort();
}

/* One map; its number is its file descriptor. */
struct map {
	size_t key_size, value_size, count;
	char keys[ENTRIES_MAX][KEY_MAX];
	char values[ENTRIES_MAX][VALUE_MAX];
	uint32_t bucket; /* a batch of fewer entries does not do */
	int fail_after;	 /* batches; 0: never */
	int fail_with;
	int batches;
};

/* Stands in for userspace/load/tracer and what of libbpf the reader calls. */
struct tap_tracer {
	struct map maps[TAP_MAP_LOCK_SUMS + 1];
	bool has_io;
	uint32_t requests_used;
	uint32_t statements_used;
	char stream[STREAM_MAX];
	size_t stream_size;
	int stream_fd; /* NO_STREAM: from `stream`; otherwise this, or the error */
	uint32_t epoch;
	void (*on_threads)(void); /* called when the threads are read */
	uint64_t losses[TAP_LOSS_COUNT];
};

static struct tap_tracer tracer;
static struct tap_reader *reader;
static struct tap_snapshot snapshot;
static struct tap_reader_wants wants;

static struct {
	ring_buffer_sample_fn callback;
	void *context;
	struct tap_text_event events[8];
	size_t sizes[8];
	size_t count;
	int status;
	bool missing;
} ring;

int tap_tracer_map_fd(const struct tap_tracer *from, enum tap_tracer_map map)
{
	must(from == &tracer);
	return (int)map;
}

bool tap_tracer_has_io(const struct tap_tracer *from)
{
	return from->has_io;
}

uint32_t tap_tracer_requests_used(const struct tap_tracer *from)
{
	return from->requests_used;
}

uint32_t tap_tracer_statements_used(const struct tap_tracer *from)
{
	return from->statements_used;
}

uint32_t tap_tracer_epoch(const struct tap_tracer *from)
{
	return from->epoch;
}

int tap_tracer_snapshot_fd(struct tap_tracer *from, uint32_t epoch)
{
	int fd;

	must(epoch == from->epoch + 1);
	from->epoch = epoch;
	if (from->on_threads)
		from->on_threads();
	if (from->stream_fd != NO_STREAM)
		return from->stream_fd;
	fd = memfd_create("stream", MFD_CLOEXEC);
	must(fd >= 0);
	must(write(fd, from->stream, from->stream_size) == (ssize_t)from->stream_size);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

void tap_tracer_counters(const struct tap_tracer *from, struct tap_tracer_counters *ret)
{
	*ret = (struct tap_tracer_counters){ from->losses, 11, 12, 13 };
}

/* Half of what is asked for at most, as a kernel with long buckets does. */
int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, __u32 *count,
			 const struct bpf_map_batch_opts *opts)
{
	struct map *map = &tracer.maps[fd];
	uint32_t from = 0, n;

	must(!opts);
	if (in_batch)
		memcpy(&from, in_batch, sizeof(from));
	if (map->fail_after && ++map->batches >= map->fail_after) {
		*count = 0;
		errno = map->fail_with;
		return -errno;
	}
	if (*count < map->bucket) {
		*count = 0;
		errno = ENOSPC;
		return -errno;
	}
	n = (*count + 1) / 2;
	if (n > map->count - from)
		n = (uint32_t)map->count - from;
	for (uint32_t i = 0; i < n; i++) {
		memcpy((char *)keys + i * map->key_size, map->keys[from + i], map->key_size);
		memcpy((char *)values + i * map->value_size, map->values[from + i], map->value_size);
	}
	*count = n;
	from += n;
	memcpy(out_batch, &from, sizeof(from));
	if (from < map->count)
		return 0;
	errno = ENOENT;
	return -ENOENT;
}

struct ring_buffer *ring_buffer__new(int map_fd, ring_buffer_sample_fn callback, void *context,
				     const struct ring_buffer_opts *opts)
{
	must(map_fd == TAP_MAP_EVENTS);
	must(!opts);
	ring.callback = callback;
	ring.context = context;
	return ring.missing ? NULL : (struct ring_buffer *)&ring;
}

void ring_buffer__free(struct ring_buffer *buffer)
{
	must(!buffer || buffer == (struct ring_buffer *)&ring);
}

int ring_buffer__consume(struct ring_buffer *buffer)
{
	must(buffer == (struct ring_buffer *)&ring);
	for (size_t i = 0; i < ring.count; i++) {
		int status = ring.callback(ring.context, &ring.events[i], ring.sizes[i]);

		if (status < 0)
			return status;
	}
	return ring.status ? ring.status : (int)ring.count;
}

static const struct {
	size_t key, value;
} sizes[TAP_MAP_LOCK_SUMS + 1] = {
	[TAP_MAP_ROWS] = { sizeof(struct tap_row_key), sizeof(struct tap_account) },
	[TAP_MAP_WAITS] = { sizeof(struct tap_wait_key), sizeof(struct tap_wait_total) },
	[TAP_MAP_STATEMENTS] = { sizeof(uint32_t), sizeof(struct tap_statement_total) },
	[TAP_MAP_ERRORS] = { sizeof(struct tap_statement_error_key), sizeof(uint64_t) },
	[TAP_MAP_REQUESTS] = { sizeof(uint32_t), sizeof(struct tap_io_total) },
	[TAP_MAP_DIRTY] = { sizeof(struct tap_dirty_key), sizeof(uint64_t) },
	[TAP_MAP_FILES] = { sizeof(struct tap_file_key), sizeof(struct tap_file) },
	[TAP_MAP_STREAMS] = { sizeof(uint32_t), sizeof(struct tap_stream_place) },
};

static void set_up(void)
{
	struct tap_error err = { "" };

	memset(&tracer, 0, sizeof(tracer));
	memset(&ring, 0, sizeof(ring));
	tracer.stream_fd = NO_STREAM;
	for (int i = 0; i <= TAP_MAP_STREAMS; i++) {
		tracer.maps[i].key_size = sizes[i].key;
		tracer.maps[i].value_size = sizes[i].value;
	}
	wants = (struct tap_reader_wants){ 0 };
	tap_snapshot_init(&snapshot);
	ck_assert_int_eq(tap_reader_new(&tracer, &reader, &err), 0);
}

static void tear_down(void)
{
	tap_snapshot_done(&snapshot);
	tap_reader_free(reader);
}

static void put(enum tap_tracer_map number, const void *key, const void *value)
{
	struct map *map = &tracer.maps[number];

	ck_assert_uint_lt(map->count, ENTRIES_MAX);
	memcpy(map->keys[map->count], key, map->key_size);
	memcpy(map->values[map->count++], value, map->value_size);
}

static struct tap_row_key key_of(uint64_t query_id, uint8_t parity)
{
	return (struct tap_row_key){
		.kind = TAP_KIND_CLIENT, .source = TAP_QUERY_ID_ENGINE, .parity = parity, .query_id = query_id
	};
}

static void put_row(uint64_t query_id, uint8_t parity, uint64_t cpu_ns)
{
	struct tap_row_key key = key_of(query_id, parity);
	struct tap_account account = { .cpu_ns = cpu_ns };

	put(TAP_MAP_ROWS, &key, &account);
}

static void put_wait(uint64_t query_id, uint8_t parity, uint32_t event, int64_t ns)
{
	struct tap_wait_key key = { .row = key_of(query_id, parity), .event = event };
	struct tap_wait_total total = { .count = 1, .ns = ns };

	put(TAP_MAP_WAITS, &key, &total);
}

static void put_thread(uint64_t query_id, uint64_t cpu_ns)
{
	struct tap_task_record record = { .size = sizeof(record) + sizeof(struct tap_way),
					  .tid = 7,
					  .n_ways = 1,
					  .identity.kind = TAP_KIND_CLIENT,
					  .current_row = key_of(query_id, 0) };
	struct tap_way way = { .key = key_of(query_id, 0), .account.cpu_ns = cpu_ns };

	ck_assert_uint_le(tracer.stream_size + record.size, STREAM_MAX);
	memcpy(tracer.stream + tracer.stream_size, &record, sizeof(record));
	memcpy(tracer.stream + tracer.stream_size + sizeof(record), &way, sizeof(way));
	tracer.stream_size += record.size;
}

static int take(void)
{
	struct tap_error err = { "" };
	int status;

	tap_snapshot_done(&snapshot);
	status = tap_reader_take(reader, &wants, &snapshot, &err);
	ck_assert_int_eq(!status, !*err.text);
	return status;
}

static const struct tap_row *row(uint64_t query_id)
{
	struct tap_row_key key = key_of(query_id, 0);

	return tap_row_set_find(&snapshot.rows, &key);
}

static void put_statements(uint64_t id, uint64_t ended, uint64_t errors)
{
	struct tap_statement_total total = { .key = key_of(id, 0), .ended = ended, .errors = errors };
	struct tap_statement_error_key error = { .row = total.key, .code = 33816706 };

	total.latency[7] = (uint32_t)ended;
	put(TAP_MAP_STATEMENTS, &tracer.statements_used, &total);
	tracer.statements_used++;
	if (errors)
		put(TAP_MAP_ERRORS, &error, &errors);
}

/* Totals of both parities and what threads hold are one row; the calls of a row have no parity. */
START_TEST(test_everything_adds_up)
{
	struct tap_row_key key = key_of(1, 0);
	const struct tap_statement_sum *sum;

	for (uint8_t parity = 0; parity < 2; parity++) {
		put_row(1, parity, 100);
		put_wait(1, parity, 5, 1000);
	}
	put_thread(1, 7);
	put_thread(2, 8);
	put_statements(1, 40, 3);
	put_statements(2, 0, 0); /* taken, and not used yet */
	tracer.losses[TAP_LOSS_RING_FULL] = 3;
	ck_assert_int_eq(take(), 0);
	ck_assert_uint_eq(snapshot.rows.count, 2);
	ck_assert_uint_eq(row(1)->account.cpu_ns, 207);
	ck_assert_uint_eq(row(1)->exact_calls, 40);
	sum = tap_statement_set_find(&snapshot.statements, &key);
	ck_assert(sum && sum->ended == 40 && sum->errors == 3 && sum->latency[7] == 40);
	ck_assert_uint_eq(snapshot.statements.count, 1);
	ck_assert_uint_eq(snapshot.statements.n_errors, 1);
	ck_assert_uint_eq(snapshot.statements.errors[0].count, 3);
	ck_assert_uint_eq(row(1)->n_waits, 1);
	ck_assert_int_eq(row(1)->waits[0].ns, 2000);
	ck_assert_uint_eq(row(1)->waits[0].count, 2);
	ck_assert_uint_eq(row(2)->account.cpu_ns, 8);
	ck_assert_uint_eq(snapshot.n_threads, 2);
	ck_assert_uint_eq(snapshot.losses[TAP_LOSS_RING_FULL], 3);
	ck_assert(snapshot.fingerprint_ns == 11 && snapshot.fingerprints == 12 && snapshot.statement_hits == 13);
	ck_assert_int_gt(snapshot.realtime_ns, 1700000000ll * 1000000000);
	ck_assert_int_gt(snapshot.monotonic_ns, 0);
}
END_TEST

static uint8_t evict_parity;

/* A thread that moves a row to the totals while the threads are read. */
static void evict(void)
{
	put_row(1, evict_parity, 1000);
	put_wait(1, evict_parity, 5, 1000);
}

/* Entries of the last snapshot's parity are complete before the threads are read, those of this one's after. */
START_TEST(test_evictions_meanwhile)
{
	tracer.on_threads = evict;
	for (uint32_t epoch = 1; epoch <= 4; epoch++) {
		evict_parity = epoch & 1;
		tracer.maps[TAP_MAP_ROWS].count = tracer.maps[TAP_MAP_WAITS].count = 0;
		ck_assert_int_eq(take(), 0);
		ck_assert_uint_eq(row(1)->account.cpu_ns, 1000);
		ck_assert_int_eq(tap_row_wait_ns(row(1)), 1000);
	}
	/* Of threads that were read already: the next snapshot's. */
	evict_parity = 0;
	tracer.maps[TAP_MAP_ROWS].count = tracer.maps[TAP_MAP_WAITS].count = 0;
	ck_assert_int_eq(take(), 0);
	ck_assert_ptr_null(row(1));
	tracer.on_threads = NULL;
	ck_assert_int_eq(take(), 0);
	ck_assert_uint_eq(row(1)->account.cpu_ns, 1000);
}
END_TEST

/* More entries than a batch holds, and a stream longer than its buffer. */
START_TEST(test_many)
{
	for (uint64_t id = 1; id <= 2000; id++) {
		put_row(id, id & 1, id);
		put_wait(id, id & 1, 5, (int64_t)id);
	}
	for (uint64_t id = 1; id <= 1200; id++)
		put_thread(id, 1);
	ck_assert_int_eq(take(), 0);
	ck_assert_uint_eq(snapshot.rows.count, 2000);
	ck_assert_uint_eq(snapshot.n_threads, 1200);
	for (uint64_t id = 1; id <= 2000; id++) {
		ck_assert_uint_eq(row(id)->account.cpu_ns, id + (id <= 1200));
		ck_assert_int_eq(tap_row_wait_ns(row(id)), (int64_t)id);
	}
	/* The buffer is used again. */
	ck_assert_int_eq(take(), 0);
	ck_assert_uint_eq(snapshot.n_threads, 1200);
}
END_TEST

START_TEST(test_nothing)
{
	ck_assert_int_eq(take(), 0);
	ck_assert_uint_eq(snapshot.rows.count + snapshot.n_threads, 0);
}
END_TEST

START_TEST(test_map_cannot_be_read)
{
	static const enum tap_tracer_map maps[] = { TAP_MAP_ROWS, TAP_MAP_WAITS, TAP_MAP_STATEMENTS };
	struct map *map = &tracer.maps[maps[_i % 3]];

	for (uint64_t id = 1; id <= 2000; id++) {
		put_row(id, 0, id);
		put_wait(id, 0, 5, 1);
		put_statements(id, 1, 0);
	}
	map->fail_after = 1 + _i / 3;
	map->fail_with = EIO;
	ck_assert_int_eq(take(), -EIO);
}
END_TEST

/* Entries that the kernel keeps together and hands out together or not at all: what is read grows, within bounds. */
START_TEST(test_long_bucket)
{
	for (uint64_t id = 1; id <= 2000; id++)
		put_row(id, 0, id);
	tracer.maps[TAP_MAP_ROWS].bucket = 10000;
	ck_assert_int_eq(take(), 0);
	ck_assert_uint_eq(snapshot.rows.count, 2000);
	for (uint64_t id = 1; id <= 2000; id++)
		ck_assert_uint_eq(row(id)->account.cpu_ns, id);
	tracer.maps[TAP_MAP_ROWS].bucket = 100000000;
	ck_assert_int_eq(take(), -ENOSPC);
}
END_TEST

/* --- block I/O --- */

static void put_io(uint32_t number)
{
	struct tap_dirty_key dirty = { 0 };
	struct tap_file_key file = { .inode = number };
	struct tap_io_total total = { .key.row.query_id = number, .sizes = { number }, .pattern_bytes = { 512 } };
	struct tap_stream_place stream = { .key.file = file, .set.requests = number };
	struct tap_file place = { .size_bytes = number };
	uint32_t index = tracer.requests_used++;
	uint64_t bytes = 4096 * number;

	dirty.row.query_id = number;
	put(TAP_MAP_REQUESTS, &index, &total);
	put(TAP_MAP_DIRTY, &dirty, &bytes);
	put(TAP_MAP_FILES, &file, &place);
	put(TAP_MAP_STREAMS, &index, &stream);
}

/* An entry that was taken and has no figures, one that nobody took yet, a place without positions. */
static void put_unused(void)
{
	struct tap_io_total total = { .key.row.query_id = 3 };
	struct tap_stream_place stream = { .key.owner = 3 };
	uint32_t index = tracer.requests_used++;

	put(TAP_MAP_REQUESTS, &index, &total);
	put(TAP_MAP_STREAMS, &index, &stream);
	index++;
	total.sizes[0] = 1;
	put(TAP_MAP_REQUESTS, &index, &total);
}

START_TEST(test_io)
{
	struct tap_io_set files;

	put_io(1);
	put_io(2);
	put_unused();
	/* Not traced: the maps are not looked at. */
	ck_assert_int_eq(take(), 0);
	ck_assert(!snapshot.io.traced);
	ck_assert_uint_eq(snapshot.io.n_requests + snapshot.io.n_dirty + snapshot.io.n_files, 0);
	tracer.has_io = true;
	ck_assert_int_eq(take(), 0);
	ck_assert(snapshot.io.traced);
	ck_assert_uint_eq(snapshot.io.n_requests, 2);
	ck_assert_uint_eq(snapshot.io.n_dirty, 2);
	ck_assert_uint_eq(snapshot.io.n_files, 2);
	ck_assert_uint_eq(snapshot.io.n_streams, 0);
	wants.streams = true;
	ck_assert_int_eq(take(), 0);
	ck_assert_uint_eq(snapshot.io.n_streams, 2);
	tap_io_set_init(&files);
	ck_assert_int_eq(tap_reader_take_files(reader, &files), 0);
	ck_assert_uint_eq(files.n_files, 2);
	ck_assert_uint_eq(files.n_requests, 0);
	tap_io_set_done(&files);
}
END_TEST

START_TEST(test_io_cannot_be_read)
{
	struct tap_io_set files;

	put_io(1);
	tracer.has_io = wants.streams = true;
	tracer.maps[TAP_MAP_REQUESTS + _i].fail_after = 1;
	tracer.maps[TAP_MAP_REQUESTS + _i].fail_with = EIO;
	ck_assert_int_eq(take(), -EIO);
	tap_io_set_init(&files);
	ck_assert_int_eq(tap_reader_take_files(reader, &files), _i == TAP_MAP_FILES - TAP_MAP_REQUESTS ? -EIO : 0);
	tap_io_set_done(&files);
}
END_TEST

START_TEST(test_no_iterator)
{
	tracer.stream_fd = -EMFILE;
	ck_assert_int_eq(take(), -EMFILE);
	tracer.stream_fd = 1000000; /* and one that cannot be read */
	ck_assert_int_eq(take(), -EBADF);
}
END_TEST

static const struct {
	size_t at;
	uint32_t value;
} damages[] = {
	{ offsetof(struct tap_task_record, size), 0 },
	{ offsetof(struct tap_task_record, size), 0xffffffff },
	{ offsetof(struct tap_task_record, size), sizeof(struct tap_task_record) },
	{ offsetof(struct tap_task_record, n_ways), 2 },
	{ offsetof(struct tap_task_record, n_ways), 0xffffffff },
	{ offsetof(struct tap_task_record, identity.kind), 0xffffffff },
};

START_TEST(test_contradictory_stream)
{
	put_thread(1, 1);
	put_thread(2, 1);
	memcpy(tracer.stream + tracer.stream_size / 2 + damages[_i].at, &damages[_i].value, sizeof(uint32_t));
	ck_assert_int_eq(take(), -EBADMSG);
}
END_TEST

START_TEST(test_cut_stream)
{
	put_thread(1, 1);
	for (size_t size = tracer.stream_size - 1; size; size -= size > 50 ? 50 : 1) {
		tracer.stream_size = size;
		ck_assert_int_eq(take(), -EBADMSG);
	}
}
END_TEST

/* --- texts --- */

static void put_event(size_t at, uint64_t query_id, const char *text)
{
	struct tap_text_event *event = &ring.events[at];

	event->key = (struct tap_text_key){ .source = TAP_QUERY_ID_ENGINE, .query_id = query_id };
	event->text_size = (uint32_t)strlen(text);
	memcpy(event->text, text, strlen(text));
	ring.sizes[at] = sizeof(*event);
	ring.count = at + 1;
}

START_TEST(test_drain)
{
	struct tap_text_key key = { .source = TAP_QUERY_ID_ENGINE, .query_id = 2 };
	struct tap_texts texts;

	tap_texts_init(&texts);
	put_event(0, 1, "select 1");
	put_event(1, 2, "select 2");
	put_event(2, 3, "too short to be one");
	ring.sizes[2] = sizeof(struct tap_text_event) - 1;
	put_event(3, 4, "longer than it can be");
	ring.events[3].text_size = sizeof(ring.events[3].text) + 1;
	ck_assert_int_eq(tap_reader_drain(reader, &texts), 0);
	ck_assert_uint_eq(texts.count, 2);
	ck_assert_str_eq(tap_texts_find(&texts, &key)->raw, "select 2");
	ring.count = 0;
	ring.status = -EINVAL;
	ck_assert_int_eq(tap_reader_drain(reader, &texts), -EINVAL);
	/* Nobody asked: an event between two drains goes nowhere. */
	ck_assert_int_eq(ring.callback(ring.context, &ring.events[0], ring.sizes[0]), 0);
	ck_assert_uint_eq(texts.count, 2);
	tap_texts_done(&texts);
}
END_TEST

/* --- memory --- */

START_TEST(test_new_out_of_memory)
{
	struct tap_reader *other = NULL;
	struct tap_error err = { "" };
	long n = 1;

	for (;; n++) {
		int status;

		tap_alloc_fail_at(n);
		status = tap_reader_new(&tracer, &other, &err);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(status, -ENOMEM);
		ck_assert_ptr_null(other);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_ge(n, 3);
	tap_reader_free(other);
	ring.missing = true;
	ck_assert_int_eq(tap_reader_new(&tracer, &other, &err), -ENOMEM);
	tap_reader_free(NULL);
}
END_TEST

START_TEST(test_take_out_of_memory)
{
	long n = 1;

	for (uint64_t id = 1; id <= 3; id++) {
		put_row(id, id & 1, 1);
		put_wait(10 + id, id & 1, 5, 1);
		put_thread(20 + id, 1);
	}
	put_statements(9, 1, 1);
	for (;; n++) {
		int status;

		/* A reader that never took one has no buffer yet. */
		tear_down();
		tap_snapshot_init(&snapshot);
		ck_assert_int_eq(tap_reader_new(&tracer, &reader, NULL), 0);
		tap_alloc_fail_at(n);
		status = tap_reader_take(reader, &wants, &snapshot, NULL);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(status, -ENOMEM);
	}
	tap_alloc_fail_at(0);
	ck_assert_int_ge(n, 5);
	ck_assert_uint_eq(snapshot.rows.count, 10);
}
END_TEST

static int stalls;

static void stall(void)
{
	if (stalls-- > 0)
		usleep(30000);
}

/* Threads that could not be read at about one moment are read again, a few times; nothing is counted twice. */
START_TEST(test_stall)
{
	put_row(1, 0, 100);
	put_row(1, 1, 100);
	put_thread(1, 7);
	tracer.on_threads = stall;
	for (int n = 0; n < 5; n++) {
		uint32_t epoch = tracer.epoch;

		stalls = n;
		ck_assert_int_eq(take(), 0);
		ck_assert_uint_eq(tracer.epoch - epoch, n + 1);
		ck_assert_uint_eq(row(1)->account.cpu_ns, 207);
		ck_assert_uint_eq(snapshot.n_threads, 1);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("consume/reader");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_everything_adds_up);
	tcase_add_test(tests, test_evictions_meanwhile);
	tcase_add_test(tests, test_stall);
	tcase_add_test(tests, test_many);
	tcase_add_test(tests, test_nothing);
	tcase_add_loop_test(tests, test_map_cannot_be_read, 0, 5);
	tcase_add_test(tests, test_long_bucket);
	tcase_add_test(tests, test_io);
	tcase_add_loop_test(tests, test_io_cannot_be_read, 0, 4);
	tcase_add_test(tests, test_no_iterator);
	tcase_add_loop_test(tests, test_contradictory_stream, 0, sizeof(damages) / sizeof(damages[0]));
	tcase_add_test(tests, test_cut_stream);
	tcase_add_test(tests, test_drain);
	tcase_add_test(tests, test_new_out_of_memory);
	tcase_add_test(tests, test_take_out_of_memory);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
