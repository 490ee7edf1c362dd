// SPDX-License-Identifier: BSD-2-Clause
/* lock_stat.c - the sums and histograms of lock_stat.h. */
#include "correlate/lock_stat.h"

#include <stdlib.h>
#include <string.h>

#include "correlate/row.h"

void tap_lock_stats_init(struct tap_lock_stats *stats)
{
	*stats = (struct tap_lock_stats){ 0 };
	tap_hash_init(&stats->index, sizeof(struct tap_lock_stat_key));
}

void tap_lock_stats_done(struct tap_lock_stats *stats)
{
	if (!stats)
		return;
	free(stats->items);
	tap_hash_done(&stats->index);
	tap_lock_stats_init(stats);
}

void tap_lock_stats_clear(struct tap_lock_stats *stats)
{
	tap_hash_done(&stats->index);
	tap_hash_init(&stats->index, sizeof(struct tap_lock_stat_key));
	stats->count = 0;
	stats->last = 0;
	stats->dropped = 0;
}

static struct tap_lock_stat *stat_make(struct tap_lock_stats *stats, const struct tap_lock_stat_key *key)
{
	size_t wanted = stats->capacity ? stats->capacity * 2 : 16;
	struct tap_lock_stat *items;

	if (stats->count == TAP_LOCK_STATS_MAX)
		return NULL;
	if (stats->count == stats->capacity) {
		items = reallocarray(stats->items, wanted, sizeof(*items));
		if (!items)
			return NULL;
		stats->items = items;
		stats->capacity = wanted;
	}
	memset(&stats->items[stats->count], 0, sizeof(*stats->items));
	stats->items[stats->count].key = *key;
	if (tap_hash_add(&stats->index, stats->items, sizeof(*stats->items), stats->count))
		return NULL;
	stats->last = stats->count;
	return &stats->items[stats->count++];
}

static struct tap_lock_stat *stat_get(struct tap_lock_stats *stats, const struct tap_lock_stat_key *key)
{
	size_t place;

	if (stats->last < stats->count && !memcmp(&stats->items[stats->last].key, key, sizeof(*key)))
		return &stats->items[stats->last];
	place = tap_hash_find(&stats->index, stats->items, sizeof(*stats->items), key);
	if (place == TAP_HASH_NONE)
		return stat_make(stats, key);
	stats->last = place;
	return &stats->items[place];
}

uint32_t tap_lock_wait_bucket(int64_t ns)
{
	return tap_lock_sum_bucket(ns > 0 ? (uint64_t)ns : 0);
}

void tap_lock_stats_add(struct tap_lock_stats *stats, const struct tap_lock_stat_key *key, int64_t waited_ns,
			int64_t window_ns, bool failed)
{
	struct tap_lock_stat *stat = stat_get(stats, key);
	uint32_t *bucket;

	if (!stat) {
		stats->dropped++;
		return;
	}
	bucket = &stat->buckets[tap_lock_wait_bucket(waited_ns)];
	stat->waits++;
	stat->failed += failed;
	stat->ns = tap_add_ns(stat->ns, window_ns);
	*bucket += *bucket < UINT32_MAX;
	if (waited_ns > stat->max_ns)
		stat->max_ns = waited_ns;
}

void tap_lock_stats_add_sum(struct tap_lock_stats *stats, const struct tap_lock_stat_key *key,
			    const struct tap_lock_stat_sum *sum)
{
	struct tap_lock_stat *stat = stat_get(stats, key);

	if (!stat) {
		stats->dropped += sum->waits;
		return;
	}
	stat->waits += sum->waits;
	stat->failed += sum->failed;
	stat->ns = tap_add_ns(stat->ns, sum->ns);
	for (size_t i = 0; i < TAP_LOCK_WAIT_BUCKETS; i++) {
		uint32_t room = UINT32_MAX - stat->buckets[i];

		stat->buckets[i] += sum->buckets[i] < room ? sum->buckets[i] : room;
	}
	if (sum->max_ns > stat->max_ns)
		stat->max_ns = sum->max_ns;
}

int64_t tap_lock_stat_percentile_ns(const struct tap_lock_stat *stat, double percent)
{
	uint64_t total = 0, seen = 0;
	double rank;

	for (uint32_t i = 0; i < TAP_LOCK_WAIT_BUCKETS; i++)
		total += stat->buckets[i];
	if (!total)
		return -1;
	rank = (double)total * (percent > 100 ? 100 : percent) / 100.0;
	for (uint32_t i = 0; i < TAP_LOCK_WAIT_BUCKETS; i++) {
		int64_t middle_ns = (int64_t)tap_latency_middle_ns(i);

		seen += stat->buckets[i];
		/* The last bucket is open: its middle says nothing. */
		if (seen && (double)seen >= rank)
			return middle_ns > stat->max_ns || i + 1 == TAP_LOCK_WAIT_BUCKETS ? stat->max_ns : middle_ns;
	}
	return stat->max_ns;
}
