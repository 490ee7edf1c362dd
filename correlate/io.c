// SPDX-License-Identifier: BSD-2-Clause
/* io.c - sets of block requests, dirtied pages, files, streams and disks, and the difference of two. */
#include "correlate/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_CAPACITY = 16,
	LATENCY_FIRST_LOG = 10, /* of the first bucket's lower end: tap_latency_bucket */
};

void tap_io_set_init(struct tap_io_set *set)
{
	*set = (struct tap_io_set){ 0 };
}

void tap_io_set_done(struct tap_io_set *set)
{
	if (!set)
		return;
	free(set->requests);
	free(set->dirty);
	free(set->files);
	free(set->streams);
	free(set->disks);
	tap_io_set_init(set);
}

/*
 * Room for one more item at the end of a list that holds `count`; NULL: out of memory. Lists grow at FIRST_CAPACITY
 * and at each power of two above it, so that no capacity has to be kept.
 */
static void *item_new(void **items, size_t *count, size_t item_size)
{
	bool full = !*count || (*count >= FIRST_CAPACITY && !(*count & (*count - 1)));
	size_t capacity = *count ? *count * 2 : FIRST_CAPACITY;
	void *grown;

	if (full) {
		grown = reallocarray(*items, capacity, item_size);
		if (!grown)
			return NULL;
		*items = grown;
	}
	return memset((char *)*items + (*count)++ * item_size, 0, item_size);
}

/* A new item of the list `list` of a set, or NULL. */
#define ITEM_NEW(set, list) \
	({ \
		void *items_ = (set)->list; \
		__typeof__((set)->list) item_ = item_new(&items_, &(set)->n_##list, sizeof(*(set)->list)); \
		(set)->list = items_; \
		item_; \
	})

int tap_io_set_add_request(struct tap_io_set *set, const struct tap_io_key *key, const struct tap_io *io)
{
	struct tap_io_entry *entry = ITEM_NEW(set, requests);

	if (!entry)
		return -ENOMEM;
	entry->key = *key;
	entry->io = *io;
	return 0;
}

int tap_io_set_add_dirty(struct tap_io_set *set, const struct tap_dirty_key *key, uint64_t bytes)
{
	struct tap_dirty_entry *entry = ITEM_NEW(set, dirty);

	if (!entry)
		return -ENOMEM;
	entry->key = *key;
	entry->bytes = bytes;
	return 0;
}

int tap_io_set_add_file(struct tap_io_set *set, const struct tap_file_key *key, const struct tap_file *file)
{
	struct tap_file_entry *entry = ITEM_NEW(set, files);

	if (!entry)
		return -ENOMEM;
	entry->key = *key;
	entry->file = *file;
	return 0;
}

int tap_io_set_add_stream(struct tap_io_set *set, const struct tap_stream_key *key,
			  const struct tap_stream_set *streams)
{
	struct tap_stream_entry *entry = ITEM_NEW(set, streams);

	if (!entry)
		return -ENOMEM;
	entry->key = *key;
	entry->set = *streams;
	return 0;
}

int tap_io_set_add_disk(struct tap_io_set *set, const struct tap_disk_entry *disk)
{
	struct tap_disk_entry *entry = ITEM_NEW(set, disks);

	if (!entry)
		return -ENOMEM;
	*entry = *disk;
	entry->name[sizeof(entry->name) - 1] = '\0';
	return 0;
}

static uint64_t add_u64(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static void add_counts(uint32_t *to, const uint32_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t sum = to[i] + from[i];

		to[i] = sum < from[i] ? UINT32_MAX : sum;
	}
}

void tap_io_of_total(struct tap_io *ret, const struct tap_io_total *total)
{
	*ret = (struct tap_io){ .failed = total->failed,
				.queue_ns = total->queue_ns,
				.device_ns = total->device_ns,
				.max_ns = total->max_ns };
	for (int i = 0; i < TAP_PATTERNS; i++) {
		ret->pattern_bytes[i] = total->pattern_bytes[i];
		ret->bytes = add_u64(ret->bytes, total->pattern_bytes[i]);
	}
	for (int i = 0; i < TAP_SIZE_BUCKETS; i++) {
		ret->sizes[i] = (uint32_t)total->sizes[i];
		ret->requests = add_u64(ret->requests, total->sizes[i]);
	}
	for (int i = 0; i < TAP_LATENCY_BUCKETS; i++) {
		ret->latency[i] = total->times[i].whole;
		ret->device_latency[i] = total->times[i].device;
	}
	if (total->key.op == TAP_IO_READ && ret->bytes > total->ahead_bytes)
		ret->asked_bytes = ret->bytes - total->ahead_bytes;
}

void tap_io_add(struct tap_io *to, const struct tap_io *from)
{
	to->requests = add_u64(to->requests, from->requests);
	to->bytes = add_u64(to->bytes, from->bytes);
	to->failed = add_u64(to->failed, from->failed);
	for (int i = 0; i < TAP_PATTERNS; i++)
		to->pattern_bytes[i] = add_u64(to->pattern_bytes[i], from->pattern_bytes[i]);
	to->asked_bytes = add_u64(to->asked_bytes, from->asked_bytes);
	to->queue_ns = add_u64(to->queue_ns, from->queue_ns);
	to->device_ns = add_u64(to->device_ns, from->device_ns);
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	add_counts(to->sizes, from->sizes, TAP_SIZE_BUCKETS);
	add_counts(to->latency, from->latency, TAP_LATENCY_BUCKETS);
	add_counts(to->device_latency, from->device_latency, TAP_LATENCY_BUCKETS);
}

uint64_t tap_latency_top_ns(uint32_t bucket)
{
	uint32_t log = LATENCY_FIRST_LOG + bucket / TAP_LATENCY_STEPS;
	uint64_t step = 1ull << (log - 3);

	return (1ull << log) + (bucket % TAP_LATENCY_STEPS + 1) * step - 1;
}

/* The longest time of a window: known when it is the longest of all, else not above the highest bucket that grew. */
static uint64_t window_max_ns(const struct tap_io *window, const struct tap_io *end, const struct tap_io *begin)
{
	if (end->max_ns > begin->max_ns)
		return end->max_ns;
	for (uint32_t i = TAP_LATENCY_BUCKETS; i-- > 0;) {
		if (window->latency[i])
			return tap_latency_top_ns(i) < end->max_ns ? tap_latency_top_ns(i) : end->max_ns;
	}
	return 0;
}

static void subtract_counts(uint32_t *from, const uint32_t *what, size_t n)
{
	for (size_t i = 0; i < n; i++)
		from[i] -= what[i];
}

/* What is read while the kernel adds to it may be a little torn: a figure that seems to have shrunk did not change. */
static uint64_t growth(uint64_t end, uint64_t begin)
{
	return end > begin ? end - begin : 0;
}

static void io_subtract(struct tap_io *io, const struct tap_io *begin)
{
	struct tap_io end = *io;

	io->requests = growth(io->requests, begin->requests);
	io->bytes = growth(io->bytes, begin->bytes);
	io->failed = growth(io->failed, begin->failed);
	for (int i = 0; i < TAP_PATTERNS; i++)
		io->pattern_bytes[i] = growth(io->pattern_bytes[i], begin->pattern_bytes[i]);
	io->asked_bytes = growth(io->asked_bytes, begin->asked_bytes);
	io->queue_ns = growth(io->queue_ns, begin->queue_ns);
	io->device_ns = growth(io->device_ns, begin->device_ns);
	subtract_counts(io->sizes, begin->sizes, TAP_SIZE_BUCKETS);
	subtract_counts(io->latency, begin->latency, TAP_LATENCY_BUCKETS);
	subtract_counts(io->device_latency, begin->device_latency, TAP_LATENCY_BUCKETS);
	io->max_ns = window_max_ns(io, &end, begin);
}

/* An index of a list's keys, each of which is its item's beginning. A key that is there twice (hostile) counts once. */
static int index_make(struct tap_hash *index, size_t key_size, const void *items, size_t item_size, size_t count)
{
	tap_hash_init(index, key_size);
	for (size_t i = 0; i < count; i++) {
		if (tap_hash_find(index, items, item_size, (const char *)items + i * item_size) != TAP_HASH_NONE)
			continue;
		if (tap_hash_add(index, items, item_size, i)) {
			tap_hash_done(index);
			return -ENOMEM;
		}
	}
	return 0;
}

static int subtract_requests(const struct tap_io_set *end, const struct tap_io_set *begin, struct tap_io_set *ret)
{
	struct tap_hash index;
	int status = index_make(&index, sizeof(struct tap_io_key), begin->requests, sizeof(*begin->requests),
				begin->n_requests);

	for (size_t i = 0; i < end->n_requests && !status; i++) {
		const struct tap_io_entry *entry = &end->requests[i];
		size_t place = tap_hash_find(&index, begin->requests, sizeof(*begin->requests), &entry->key);
		const struct tap_io *before = place == TAP_HASH_NONE ? NULL : &begin->requests[place].io;

		/* Bytes alone grow where all was merged into others' requests. */
		if (before && before->requests == entry->io.requests && before->bytes == entry->io.bytes)
			continue;
		status = tap_io_set_add_request(ret, &entry->key, &entry->io);
		/* Fewer than before: the entry had gone and was made anew. */
		if (!status && before && before->requests <= entry->io.requests && before->bytes <= entry->io.bytes)
			io_subtract(&ret->requests[ret->n_requests - 1].io, before);
	}
	tap_hash_done(&index);
	return status;
}

static int subtract_dirty(const struct tap_io_set *end, const struct tap_io_set *begin, struct tap_io_set *ret)
{
	struct tap_hash index;
	int status =
		index_make(&index, sizeof(struct tap_dirty_key), begin->dirty, sizeof(*begin->dirty), begin->n_dirty);

	for (size_t i = 0; i < end->n_dirty && !status; i++) {
		const struct tap_dirty_entry *entry = &end->dirty[i];
		size_t place = tap_hash_find(&index, begin->dirty, sizeof(*begin->dirty), &entry->key);
		uint64_t before = place == TAP_HASH_NONE ? 0 : begin->dirty[place].bytes;

		if (entry->bytes < before)
			before = 0;
		if (entry->bytes != before)
			status = tap_io_set_add_dirty(ret, &entry->key, entry->bytes - before);
	}
	tap_hash_done(&index);
	return status;
}

static void stream_subtract(struct tap_stream_set *set, const struct tap_stream_set *begin)
{
	set->requests -= begin->requests;
	for (int i = 0; i < TAP_PATTERNS; i++)
		set->bytes[i] = growth(set->bytes[i], begin->bytes[i]);
}

static int subtract_streams(const struct tap_io_set *end, const struct tap_io_set *begin, struct tap_io_set *ret)
{
	struct tap_hash index;
	int status = index_make(&index, sizeof(struct tap_stream_key), begin->streams, sizeof(*begin->streams),
				begin->n_streams);

	for (size_t i = 0; i < end->n_streams && !status; i++) {
		const struct tap_stream_entry *entry = &end->streams[i];
		size_t place = tap_hash_find(&index, begin->streams, sizeof(*begin->streams), &entry->key);
		const struct tap_stream_set *before = place == TAP_HASH_NONE ? NULL : &begin->streams[place].set;

		if (before && before->requests == entry->set.requests)
			continue;
		status = tap_io_set_add_stream(ret, &entry->key, &entry->set);
		if (!status && before && before->requests < entry->set.requests)
			stream_subtract(&ret->streams[ret->n_streams - 1].set, before);
	}
	tap_hash_done(&index);
	return status;
}

static const struct tap_disk_entry *disk_find(const struct tap_io_set *set, uint32_t disk)
{
	for (size_t i = 0; i < set->n_disks; i++) {
		if (set->disks[i].disk == disk)
			return &set->disks[i];
	}
	return NULL;
}

static bool disk_is_younger(const struct tap_disk_entry *end, const struct tap_disk_entry *begin)
{
	return end->reads < begin->reads || end->writes < begin->writes || end->read_bytes < begin->read_bytes ||
	       end->write_bytes < begin->write_bytes;
}

/* A disk whose counters at the beginning are not known has no difference: they count since it was found. */
static int subtract_disks(const struct tap_io_set *end, const struct tap_io_set *begin, struct tap_io_set *ret)
{
	for (size_t i = 0; i < end->n_disks; i++) {
		const struct tap_disk_entry *before = disk_find(begin, end->disks[i].disk);
		struct tap_disk_entry disk = end->disks[i];

		if (!before || disk_is_younger(&disk, before))
			continue;
		disk.reads -= before->reads;
		disk.read_bytes -= before->read_bytes;
		disk.writes -= before->writes;
		disk.write_bytes -= before->write_bytes;
		disk.discards = growth(disk.discards, before->discards);
		disk.discard_bytes = growth(disk.discard_bytes, before->discard_bytes);
		disk.flushes = growth(disk.flushes, before->flushes);
		if (tap_io_set_add_disk(ret, &disk))
			return -ENOMEM;
	}
	return 0;
}

int tap_io_set_subtract(const struct tap_io_set *end, const struct tap_io_set *begin, struct tap_io_set *ret)
{
	int status = subtract_requests(end, begin, ret);

	if (!status)
		status = subtract_dirty(end, begin, ret);
	if (!status)
		status = subtract_streams(end, begin, ret);
	if (!status)
		status = subtract_disks(end, begin, ret);
	if (status) {
		tap_io_set_done(ret);
		return status;
	}
	ret->traced = end->traced && begin->traced;
	return 0;
}

int64_t tap_latency_percentile_of(const uint32_t *histogram, uint32_t buckets, double percent)
{
	uint64_t total = 0, seen = 0, rank;

	for (uint32_t i = 0; i < buckets; i++)
		total += histogram[i];
	if (!total)
		return -1;
	if (!(percent > 0))
		percent = 0;
	if (percent > 100)
		percent = 100;
	/* The smallest count that is at least `percent` of them, and at least one. */
	rank = (uint64_t)((double)total * percent / 100.0);
	if (!rank || (double)rank * 100.0 < (double)total * percent)
		rank++;
	for (uint32_t i = 0; i < buckets - 1; i++) {
		seen += histogram[i];
		if (seen >= rank)
			return (int64_t)tap_latency_middle_ns(i);
	}
	return (int64_t)tap_latency_middle_ns(buckets - 1);
}

int64_t tap_latency_percentile_ns(const uint32_t histogram[TAP_LATENCY_BUCKETS], double percent)
{
	return tap_latency_percentile_of(histogram, TAP_LATENCY_BUCKETS, percent);
}
