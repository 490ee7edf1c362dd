// SPDX-License-Identifier: BSD-2-Clause
/* lock_sums.c - reads the kernel side's sums, which only grow, and tells by how much they have. */
#include "userspace/consume/lock_sums.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

enum {
	BATCH_ENTRIES = 32,
	/* Of a map of TAP_LOCK_SUMS_MAX, all of whose entries may be in one bucket. */
	BATCH_ENTRIES_MAX = 2 * TAP_LOCK_SUMS_MAX,
};

void tap_lock_sums_init(struct tap_lock_sums *sums)
{
	*sums = (struct tap_lock_sums){ 0 };
	tap_hash_init(&sums->index, sizeof(struct tap_lock_sum_key));
}

void tap_lock_sums_done(struct tap_lock_sums *sums)
{
	if (!sums)
		return;
	free(sums->seen);
	free(sums->batch);
	tap_hash_done(&sums->index);
	tap_lock_sums_init(sums);
}

static struct tap_lock_sum_seen *seen_of(struct tap_lock_sums *sums, const struct tap_lock_sum_key *key)
{
	size_t place = tap_hash_find(&sums->index, sums->seen, sizeof(*sums->seen), key);
	size_t wanted = sums->capacity ? sums->capacity * 2 : 16;
	struct tap_lock_sum_seen *seen;

	if (place != TAP_HASH_NONE)
		return &sums->seen[place];
	if (sums->count == sums->capacity) {
		seen = reallocarray(sums->seen, wanted, sizeof(*seen));
		if (!seen)
			return NULL;
		sums->seen = seen;
		sums->capacity = wanted;
	}
	seen = &sums->seen[sums->count];
	memset(seen, 0, sizeof(*seen));
	seen->key = *key;
	if (tap_hash_add(&sums->index, sums->seen, sizeof(*sums->seen), sums->count))
		return NULL;
	sums->count++;
	return seen;
}

/* The longest of a round; 0: none was put down. */
static uint64_t longest_of(const struct tap_lock_sum *sum, uint32_t round)
{
	uint64_t longest = sum->longest[round & 1];
	uint64_t tag =
		(uint64_t)round << TAP_LOCK_LONGEST_BITS >> TAP_LOCK_LONGEST_BITS; /* as much as there is room for */

	return longest >> TAP_LOCK_LONGEST_BITS == tag ? longest & ((1ull << TAP_LOCK_LONGEST_BITS) - 1) : 0;
}

int tap_lock_sums_put(struct tap_lock_sums *sums, uint32_t round, const struct tap_lock_sum_key *key,
		      const struct tap_lock_sum *sum, tap_lock_sum_grown grown, void *context)
{
	struct tap_lock_sum_seen *seen = seen_of(sums, key);
	struct tap_lock_sum_growth growth;

	if (!seen)
		return -ENOMEM;
	if (sum->waits == seen->sum.waits)
		return 0;
	growth.waits = sum->waits - seen->sum.waits;
	growth.failed = sum->failed - seen->sum.failed;
	growth.ns = sum->ns - seen->sum.ns;
	growth.longest_ns = longest_of(sum, round);
	for (size_t i = 0; i < TAP_LOCK_WAIT_BUCKETS; i++)
		growth.buckets[i] = sum->buckets[i] - seen->sum.buckets[i];
	seen->sum = *sum;
	return grown(context, key, &growth);
}

static int batch_grow(struct tap_lock_sums *sums)
{
	uint32_t entries = sums->batch_entries ? sums->batch_entries * 2 : BATCH_ENTRIES;
	char *batch;

	if (entries > BATCH_ENTRIES_MAX)
		return -ENOSPC;
	batch = reallocarray(sums->batch, entries, sizeof(struct tap_lock_sum) + sizeof(struct tap_lock_sum_key));
	if (!batch)
		return -ENOMEM;
	sums->batch = batch;
	sums->batch_entries = entries;
	return 0;
}

int tap_lock_sums_read(struct tap_lock_sums *sums, int map_fd, uint32_t round, tap_lock_sum_grown grown, void *context)
{
	int status = sums->batch ? 0 : batch_grow(sums);
	uint32_t position = 0, next = 0;
	bool first = true, last = false;

	while (!status && !last) {
		uint32_t count = sums->batch_entries;
		struct tap_lock_sum *values = (void *)sums->batch;
		struct tap_lock_sum_key *keys = (void *)(values + sums->batch_entries);

		if (bpf_map_lookup_batch(map_fd, first ? NULL : &position, &next, keys, values, &count, NULL)) {
			last = errno == ENOENT;
			status = last ? 0 : errno == ENOSPC ? batch_grow(sums) : -errno;
			/* What fitted of a batch that did not is read again with the rest. */
			if (!last)
				continue;
		}
		for (uint32_t i = 0; i < count && !status; i++)
			status = tap_lock_sums_put(sums, round, &keys[i], &values[i], grown, context);
		position = next;
		first = false;
	}
	return status;
}
