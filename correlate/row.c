// SPDX-License-Identifier: BSD-2-Clause
/* row.c - rows and sets of rows. */
#include "correlate/row.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"

void tap_row_set_init(struct tap_row_set *set)
{
	*set = (struct tap_row_set){ 0 };
	tap_hash_init(&set->index, sizeof(struct tap_row_key));
}

void tap_row_set_done(struct tap_row_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++)
		free(set->rows[i].waits);
	free(set->rows);
	tap_hash_done(&set->index);
	tap_row_set_init(set);
}

static struct tap_row_key key_plain(const struct tap_row_key *key)
{
	struct tap_row_key plain = *key;

	plain.parity = 0;
	plain.pad = 0;
	return plain;
}

const struct tap_row *tap_row_set_find(const struct tap_row_set *set, const struct tap_row_key *key)
{
	struct tap_row_key plain = key_plain(key);
	size_t place = tap_hash_find(&set->index, set->rows, sizeof(*set->rows), &plain);

	return place == TAP_HASH_NONE ? NULL : &set->rows[place];
}

static bool reserve(struct tap_row_set *set)
{
	size_t capacity = set->capacity ? set->capacity * 2 : 64;
	struct tap_row *rows;

	if (set->count < set->capacity)
		return true;
	rows = reallocarray(set->rows, capacity, sizeof(*rows));
	if (!rows)
		return false;
	set->rows = rows;
	set->capacity = capacity;
	return true;
}

struct tap_row *tap_row_set_get(struct tap_row_set *set, const struct tap_row_key *key)
{
	struct tap_row_key plain = key_plain(key);
	size_t place = tap_hash_find(&set->index, set->rows, sizeof(*set->rows), &plain);

	if (place != TAP_HASH_NONE)
		return &set->rows[place];
	if (!reserve(set))
		return NULL;
	set->rows[set->count] = (struct tap_row){ .key = plain };
	if (tap_hash_add(&set->index, set->rows, sizeof(*set->rows), set->count))
		return NULL;
	return &set->rows[set->count++];
}

/* struct tap_account as an array: every member is 64 bits wide and additive. */
#define ACCOUNT_FIELDS (sizeof(struct tap_account) / sizeof(uint64_t))

void tap_row_add_account(struct tap_row *row, const struct tap_account *account)
{
	uint64_t to[ACCOUNT_FIELDS], from[ACCOUNT_FIELDS];

	memcpy(to, &row->account, sizeof(to));
	memcpy(from, account, sizeof(from));
	for (size_t i = 0; i < ACCOUNT_FIELDS; i++)
		to[i] += from[i];
	memcpy(&row->account, to, sizeof(to));
}

void tap_row_add_stall(struct tap_row *row, const struct tap_stall *stall)
{
	row->stall.reclaim_ns += stall->reclaim_ns;
	row->stall.reclaims += stall->reclaims;
	row->stall.compact_ns += stall->compact_ns;
	row->stall.compactions += stall->compactions;
}

static void stall_subtract(struct tap_stall *from, const struct tap_stall *what)
{
	from->reclaim_ns -= what->reclaim_ns;
	from->reclaims -= what->reclaims;
	from->compact_ns -= what->compact_ns;
	from->compactions -= what->compactions;
}

void tap_row_add_peak(struct tap_row *row, uint64_t peak)
{
	if (peak > row->peak)
		row->peak = peak;
}

static void account_subtract(struct tap_account *from, const struct tap_account *what)
{
	uint64_t to[ACCOUNT_FIELDS], minus[ACCOUNT_FIELDS];

	memcpy(to, from, sizeof(to));
	memcpy(minus, what, sizeof(minus));
	for (size_t i = 0; i < ACCOUNT_FIELDS; i++)
		to[i] -= minus[i];
	memcpy(from, to, sizeof(to));
}

static struct tap_row_wait *wait_get(struct tap_row *row, uint32_t event)
{
	for (size_t i = 0; i < row->n_waits; i++) {
		if (row->waits[i].event == event)
			return &row->waits[i];
	}
	if (row->n_waits == row->waits_capacity) {
		size_t capacity = row->waits_capacity ? row->waits_capacity * 2 : 4;
		struct tap_row_wait *waits = reallocarray(row->waits, capacity, sizeof(*waits));

		if (!waits)
			return NULL;
		row->waits = waits;
		row->waits_capacity = capacity;
	}
	row->waits[row->n_waits] = (struct tap_row_wait){ .event = event };
	return &row->waits[row->n_waits++];
}

int tap_row_add_wait(struct tap_row *row, uint32_t event, uint64_t count, int64_t ns, uint64_t open)
{
	struct tap_row_wait *wait = wait_get(row, event);

	if (!wait)
		return -ENOMEM;
	wait->count += count;
	wait->ns = tap_add_ns(wait->ns, ns);
	wait->open += open;
	return 0;
}

int64_t tap_row_wait_ns(const struct tap_row *row)
{
	int64_t sum = 0;

	for (size_t i = 0; i < row->n_waits; i++)
		sum = tap_add_ns(sum, row->waits[i].ns);
	return sum;
}

uint64_t tap_row_sleeps(const struct tap_row *row)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < row->n_waits; i++)
		sum += row->waits[i].count + row->waits[i].open;
	return sum;
}

int64_t tap_row_elapsed_ns(const struct tap_row *row)
{
	return (int64_t)(row->account.cpu_ns + row->account.runq_ns + (uint64_t)row->account.unknown_ns +
			 (uint64_t)tap_row_wait_ns(row));
}

static bool row_is_empty(const struct tap_row *row)
{
	static const struct tap_account nothing;

	return !memcmp(&row->account, &nothing, sizeof(nothing)) && !row->n_waits && !row->running &&
	       !row->exact_calls && !row->stall.reclaims && !row->stall.compactions;
}

/* Keeps only waits that say something. */
static void waits_pack(struct tap_row *row)
{
	size_t kept = 0;

	for (size_t i = 0; i < row->n_waits; i++) {
		if (row->waits[i].count || row->waits[i].open || row->waits[i].ns)
			row->waits[kept++] = row->waits[i];
	}
	row->n_waits = kept;
}

int tap_row_add(struct tap_row *to, const struct tap_row *from)
{
	tap_row_add_account(to, &from->account);
	to->running += from->running;
	to->exact_calls += from->exact_calls;
	tap_row_add_stall(to, &from->stall);
	tap_row_add_peak(to, from->peak);
	for (size_t i = 0; i < from->n_waits; i++) {
		const struct tap_row_wait *wait = &from->waits[i];

		if (tap_row_add_wait(to, wait->event, wait->count, wait->ns, wait->open))
			return -ENOMEM;
	}
	return 0;
}

static int row_subtract(struct tap_row *row, const struct tap_row *begin)
{
	account_subtract(&row->account, &begin->account);
	row->exact_calls -= begin->exact_calls;
	stall_subtract(&row->stall, &begin->stall);
	for (size_t i = 0; i < begin->n_waits; i++) {
		const struct tap_row_wait *wait = &begin->waits[i];

		if (tap_row_add_wait(row, wait->event, -wait->count, (int64_t)(0 - (uint64_t)wait->ns), 0))
			return -ENOMEM;
	}
	waits_pack(row);
	return 0;
}

static bool account_is_less(const struct tap_account *end, const struct tap_account *begin)
{
	struct tap_account now = *end, before = *begin;
	uint64_t to[ACCOUNT_FIELDS], from[ACCOUNT_FIELDS];

	/* These may shrink of themselves. */
	now.unknown_ns = before.unknown_ns = 0;
	now.anon_bytes = before.anon_bytes = 0;
	memcpy(to, &now, sizeof(to));
	memcpy(from, &before, sizeof(from));
	for (size_t i = 0; i < ACCOUNT_FIELDS; i++) {
		if (to[i] < from[i])
			return true;
	}
	return false;
}

static bool wait_is_less(const struct tap_row *end, const struct tap_row_wait *begin)
{
	for (size_t i = 0; i < end->n_waits; i++) {
		const struct tap_row_wait *wait = &end->waits[i];

		if (wait->event == begin->event)
			return wait->ns < begin->ns || wait->count + wait->open < begin->count + begin->open;
	}
	return true;
}

static bool row_is_less(const struct tap_row *end, const struct tap_row *begin)
{
	bool less = account_is_less(&end->account, &begin->account) || end->exact_calls < begin->exact_calls;

	for (size_t i = 0; i < begin->n_waits && !less; i++)
		less = wait_is_less(end, &begin->waits[i]);
	return less;
}

static void row_clear(struct tap_row *row)
{
	memset(&row->account, 0, sizeof(row->account));
	row->running = 0;
	row->exact_calls = 0;
	row->stall = (struct tap_stall){ 0 };
	row->n_waits = 0;
}

void tap_row_set_forget_moved(struct tap_row_set *begin, const struct tap_row_set *end)
{
	for (size_t i = 0; i < begin->count; i++) {
		struct tap_row *row = &begin->rows[i];
		const struct tap_row *now;

		if (row->key.kind != TAP_KIND_CLIENT || row->key.source == TAP_QUERY_ID_ENGINE)
			continue;
		now = tap_row_set_find(end, &row->key);
		if (!now || row_is_less(now, row))
			row_clear(row);
	}
}

int tap_row_set_add(struct tap_row_set *to, const struct tap_row_set *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct tap_row *row = tap_row_set_get(to, &from->rows[i].key);

		if (!row || tap_row_add(row, &from->rows[i]))
			return -ENOMEM;
	}
	return 0;
}

static int subtract_one(const struct tap_row *end, const struct tap_row *begin, const struct tap_row_key *key,
			struct tap_row_set *ret)
{
	struct tap_row difference = { .key = *key };
	struct tap_row *row;
	int status = 0;

	if (end)
		status = tap_row_add(&difference, end);
	if (!status && begin)
		status = row_subtract(&difference, begin);
	if (!status && !row_is_empty(&difference)) {
		row = tap_row_set_get(ret, key);
		status = row ? tap_row_add(row, &difference) : -ENOMEM;
	}
	free(difference.waits);
	return status;
}

int tap_row_set_subtract(const struct tap_row_set *end, const struct tap_row_set *begin, struct tap_row_set *ret)
{
	int status = 0;

	for (size_t i = 0; i < end->count && !status; i++) {
		const struct tap_row *row = &end->rows[i];

		status = subtract_one(row, tap_row_set_find(begin, &row->key), &row->key, ret);
	}
	for (size_t i = 0; i < begin->count && !status; i++) {
		const struct tap_row *row = &begin->rows[i];

		if (!tap_row_set_find(end, &row->key))
			status = subtract_one(NULL, row, &row->key, ret);
	}
	return status;
}
