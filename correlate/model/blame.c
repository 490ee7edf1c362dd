// SPDX-License-Identifier: BSD-2-Clause
/* blame.c - the balance of one file, in whole bytes: every division hands out exactly what it was given. */
#include "correlate/model/blame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"

/* Weights and how much of their sum is handed out so far. */
struct division {
	uint64_t total;
	uint64_t weights; /* their sum; not less than `total` */
	uint64_t seen;
};

/*
 * The next part: in proportion to its weight, never more than it. Sums of rounded-down prefixes leave nothing over; 128
 * bits hold the product of any two 64-bit numbers.
 */
static uint64_t division_next(struct division *division, uint64_t weight)
{
	uint64_t low, high;

	if (!division->weights)
		return 0;
	low = (uint64_t)((unsigned __int128)division->total * division->seen / division->weights);
	division->seen += weight;
	high = (uint64_t)((unsigned __int128)division->total * division->seen / division->weights);
	return high - low;
}

/* Adds at most what keeps the sum within 64 bits; returns what was added. */
static uint64_t sum_add(uint64_t *sum, uint64_t bytes)
{
	uint64_t room = UINT64_MAX - *sum;

	bytes = bytes < room ? bytes : room;
	*sum += bytes;
	return bytes;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint8_t kind_of(const struct tap_row_key *row)
{
	return row->kind < TAP_KIND_COUNT ? row->kind : TAP_KIND_UNKNOWN;
}

struct balance {
	const struct tap_blame_party *dirtiers;
	const struct tap_blame_party *writers;
	size_t n_dirtiers;
	size_t n_writers;
	uint64_t *charged; /* of each dirtier: still to be paired with who wrote it */
	uint64_t *fresh;   /* of each dirtier: dirtied in the window, within 64 bits in all */
	uint64_t *given;   /* of each writer: still to be paired */
	uint64_t written;
	tap_blame_fn *charge;
	void *context;
};

static void emit(const struct balance *balance, const struct tap_row_key *dirtier, uint8_t writer_kind, uint64_t bytes)
{
	if (bytes)
		balance->charge(balance->context, dirtier, writer_kind, bytes);
}

/* What each dirtier owes at the beginning of the window, into `charged`; returns the sum. */
static uint64_t owed_fill(struct balance *balance)
{
	struct division paid = { 0 };
	uint64_t written_before = 0, owed = 0;

	for (size_t i = 0; i < balance->n_writers; i++)
		sum_add(&written_before, balance->writers[i].before);
	for (size_t i = 0; i < balance->n_dirtiers; i++)
		balance->charged[i] = sum_add(&paid.weights, balance->dirtiers[i].before);
	paid.total = min_u64(written_before, paid.weights);
	for (size_t i = 0; i < balance->n_dirtiers; i++) {
		balance->charged[i] -= division_next(&paid, balance->charged[i]);
		owed += balance->charged[i];
	}
	return owed;
}

/* Charges the dirtiers; returns what nobody owes. */
static uint64_t charges_fill(struct balance *balance)
{
	struct division old = { .weights = owed_fill(balance) }, fresh = { 0 };

	for (size_t i = 0; i < balance->n_writers; i++)
		balance->given[i] = sum_add(&balance->written, balance->writers[i].bytes);
	for (size_t i = 0; i < balance->n_dirtiers; i++)
		balance->fresh[i] = sum_add(&fresh.weights, balance->dirtiers[i].bytes);
	old.total = min_u64(balance->written, old.weights);
	fresh.total = min_u64(balance->written - old.total, fresh.weights);
	for (size_t i = 0; i < balance->n_dirtiers; i++)
		balance->charged[i] =
			division_next(&old, balance->charged[i]) + division_next(&fresh, balance->fresh[i]);
	return balance->written - old.total - fresh.total;
}

/* Both lists are sorted alike. */
static void pair_own(struct balance *balance)
{
	size_t i = 0, j = 0;

	while (i < balance->n_dirtiers && j < balance->n_writers) {
		const struct tap_row_key *row = &balance->dirtiers[i].row;
		int order = memcmp(row, &balance->writers[j].row, sizeof(*row));

		if (!order) {
			uint64_t bytes = min_u64(balance->charged[i], balance->given[j]);

			emit(balance, row, kind_of(row), bytes);
			balance->charged[i] -= bytes;
			balance->given[j] -= bytes;
		}
		i += order <= 0;
		j += order >= 0;
	}
}

/* What nobody owes, taken from what the writers wrote of others. */
static void pair_unowed(struct balance *balance, uint64_t unowed)
{
	struct division division = { .total = unowed };

	for (size_t j = 0; j < balance->n_writers; j++)
		division.weights += balance->given[j];
	for (size_t j = 0; j < balance->n_writers; j++) {
		const struct tap_row_key *row = &balance->writers[j].row;
		uint64_t bytes = division_next(&division, balance->given[j]);

		emit(balance, row->kind == TAP_KIND_KERNEL ? NULL : row, kind_of(row), bytes);
		balance->given[j] -= bytes;
	}
}

/* What is left on both sides is the same sum. */
static void pair_rest(struct balance *balance)
{
	uint64_t kinds[TAP_KIND_COUNT] = { 0 }, left = 0;

	for (size_t j = 0; j < balance->n_writers; j++)
		kinds[kind_of(&balance->writers[j].row)] += balance->given[j];
	for (size_t i = 0; i < balance->n_dirtiers; i++)
		left += balance->charged[i];
	for (int kind = 0; kind < TAP_KIND_COUNT; kind++) {
		struct division division = { .total = kinds[kind], .weights = left };

		for (size_t i = 0; i < balance->n_dirtiers && kinds[kind]; i++) {
			uint64_t bytes = division_next(&division, balance->charged[i]);

			emit(balance, &balance->dirtiers[i].row, kind, bytes);
			balance->charged[i] -= bytes;
		}
		left -= kinds[kind];
	}
}

int tap_blame_file(const struct tap_blame_party *dirtiers, size_t n_dirtiers, const struct tap_blame_party *writers,
		   size_t n_writers, tap_blame_fn *charge, void *context)
{
	struct balance balance = { .dirtiers = dirtiers,
				   .writers = writers,
				   .n_dirtiers = n_dirtiers,
				   .n_writers = n_writers,
				   .charge = charge,
				   .context = context };
	uint64_t *memory = calloc(2 * n_dirtiers + n_writers + 1, sizeof(*memory));
	uint64_t unowed;

	if (!memory)
		return -ENOMEM;
	balance.charged = memory;
	balance.fresh = memory + n_dirtiers;
	balance.given = memory + 2 * n_dirtiers;
	unowed = charges_fill(&balance);
	pair_own(&balance);
	pair_unowed(&balance, unowed);
	pair_rest(&balance);
	free(memory);
	return 0;
}
