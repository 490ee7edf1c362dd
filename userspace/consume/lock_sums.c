// SPDX-License-Identifier: BSD-2-Clause
/* lock_sums.c - reads the kernel side's sums, which only grow, and tells by how much they have. */
#include "userspace/consume/lock_sums.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

enum {
	BATCH = 64,
};

void tap_lock_sums_init(struct tap_lock_sums *sums)
{
	*sums = (struct tap_lock_sums){ 0 };
}

void tap_lock_sums_done(struct tap_lock_sums *sums)
{
	if (!sums)
		return;
	free(sums->seen);
	free(sums->batch);
	tap_lock_sums_init(sums);
}

/* Room for this place and all before it. */
static int seen_reserve(struct tap_lock_sums *sums, uint32_t place)
{
	uint32_t wanted = sums->capacity ? sums->capacity : 16;
	struct tap_lock_sum *seen;

	if (place >= TAP_LOCK_SUMS_MAX)
		return -ERANGE;
	while (wanted <= place)
		wanted *= 2;
	if (wanted > sums->capacity) {
		seen = reallocarray(sums->seen, wanted, sizeof(*seen));
		if (!seen)
			return -ENOMEM;
		sums->seen = seen;
		sums->capacity = wanted;
	}
	while (sums->count <= place)
		memset(&sums->seen[sums->count++], 0, sizeof(*sums->seen));
	return 0;
}

/* The longest of a round; 0: none was put down. */
static uint64_t longest_of(const struct tap_lock_sum *sum, uint32_t round)
{
	uint64_t longest = sum->longest[round & 1];
	uint64_t tag =
		(uint64_t)round << TAP_LOCK_LONGEST_BITS >> TAP_LOCK_LONGEST_BITS; /* as much as there is room for */

	return longest >> TAP_LOCK_LONGEST_BITS == tag ? longest & ((1ull << TAP_LOCK_LONGEST_BITS) - 1) : 0;
}

int tap_lock_sums_put(struct tap_lock_sums *sums, uint32_t round, uint32_t place, const struct tap_lock_sum *sum,
		      tap_lock_sum_grown grown, void *context)
{
	struct tap_lock_sum_growth growth;
	struct tap_lock_sum *seen;
	int status = seen_reserve(sums, place);

	if (status)
		return status;
	seen = &sums->seen[place];
	if (sum->waits == seen->waits)
		return 0;
	growth.waits = sum->waits - seen->waits;
	growth.failed = sum->failed - seen->failed;
	growth.ns = sum->ns - seen->ns;
	growth.longest_ns = longest_of(sum, round);
	for (size_t i = 0; i < TAP_LOCK_WAIT_BUCKETS; i++)
		growth.buckets[i] = sum->buckets[i] - seen->buckets[i];
	*seen = *sum;
	return grown(context, &sum->key, &growth);
}

int tap_lock_sums_read(struct tap_lock_sums *sums, int map_fd, uint32_t used, uint32_t round, tap_lock_sum_grown grown,
		       void *context)
{
	uint32_t position = 0, places[BATCH];
	int status = 0;

	if (used > TAP_LOCK_SUMS_MAX)
		used = TAP_LOCK_SUMS_MAX;
	if (used && !sums->batch)
		sums->batch = calloc(BATCH, sizeof(*sums->batch));
	if (used && !sums->batch)
		return -ENOMEM;
	for (uint32_t place = 0; place < used && !status;) {
		uint32_t count = used - place < BATCH ? used - place : BATCH;

		/* That there are no more is said with the last of them. */
		if (bpf_map_lookup_batch(map_fd, place ? &position : NULL, &position, places, sums->batch, &count,
					 NULL) &&
		    errno != ENOENT)
			return -errno;
		for (uint32_t i = 0; i < count && !status; i++)
			status = tap_lock_sums_put(sums, round, place + i, &sums->batch[i], grown, context);
		if (!count)
			break;
		place += count;
	}
	return status;
}
