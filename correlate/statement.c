// SPDX-License-Identifier: BSD-2-Clause
/* statement.c - sets of sums; what was read while the kernel adds to it may be a little torn. */
#include "correlate/statement.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/io.h"

void tap_statement_set_init(struct tap_statement_set *set)
{
	*set = (struct tap_statement_set){ 0 };
	tap_hash_init(&set->index, sizeof(struct tap_row_key));
	tap_hash_init(&set->errors_index, sizeof(struct tap_statement_error_key));
}

void tap_statement_set_done(struct tap_statement_set *set)
{
	if (!set)
		return;
	free(set->items);
	free(set->errors);
	tap_hash_done(&set->index);
	tap_hash_done(&set->errors_index);
	tap_statement_set_init(set);
}

/* Room for one more; false when out of memory. */
static bool reserve(void **items, size_t item_size, size_t count, size_t *capacity)
{
	size_t wanted = *capacity ? *capacity * 2 : 16;
	void *grown;

	if (count < *capacity)
		return true;
	grown = reallocarray(*items, wanted, item_size);
	if (!grown)
		return false;
	*items = grown;
	*capacity = wanted;
	return true;
}

static struct tap_statement_sum *statement_get(struct tap_statement_set *set, const struct tap_row_key *key)
{
	struct tap_row_key plain = *key;
	size_t place;

	plain.parity = 0;
	plain.pad = 0;
	place = tap_hash_find(&set->index, set->items, sizeof(*set->items), &plain);
	if (place != TAP_HASH_NONE)
		return &set->items[place];
	if (!reserve((void **)&set->items, sizeof(*set->items), set->count, &set->capacity))
		return NULL;
	set->items[set->count] = (struct tap_statement_sum){ .key = plain };
	if (tap_hash_add(&set->index, set->items, sizeof(*set->items), set->count))
		return NULL;
	return &set->items[set->count++];
}

static struct tap_statement_error *error_get(struct tap_statement_set *set, const struct tap_statement_error_key *key)
{
	size_t place = tap_hash_find(&set->errors_index, set->errors, sizeof(*set->errors), key);

	if (place != TAP_HASH_NONE)
		return &set->errors[place];
	if (!reserve((void **)&set->errors, sizeof(*set->errors), set->n_errors, &set->errors_capacity))
		return NULL;
	set->errors[set->n_errors] = (struct tap_statement_error){ .key = *key };
	if (tap_hash_add(&set->errors_index, set->errors, sizeof(*set->errors), set->n_errors))
		return NULL;
	return &set->errors[set->n_errors++];
}

int tap_statement_set_add(struct tap_statement_set *set, const struct tap_statement_total *total)
{
	struct tap_statement_sum *statement;

	if (total->key.kind == TAP_KIND_NONE)
		return 0;
	statement = statement_get(set, &total->key);
	if (!statement)
		return -ENOMEM;
	statement->ended += total->ended;
	statement->errors += total->errors;
	if (total->max_ns > statement->max_ns)
		statement->max_ns = total->max_ns;
	for (int i = 0; i < TAP_STATEMENT_BUCKETS; i++)
		statement->latency[i] += total->latency[i];
	return 0;
}

int tap_statement_set_add_error(struct tap_statement_set *set, const struct tap_statement_error_key *key,
				uint64_t count)
{
	struct tap_statement_error *error = error_get(set, key);

	if (!error)
		return -ENOMEM;
	error->count += count;
	return 0;
}

const struct tap_statement_sum *tap_statement_set_find(const struct tap_statement_set *set,
						       const struct tap_row_key *key)
{
	size_t place = tap_hash_find(&set->index, set->items, sizeof(*set->items), key);

	return place == TAP_HASH_NONE ? NULL : &set->items[place];
}

static uint64_t growth(uint64_t end, uint64_t begin)
{
	return end > begin ? end - begin : 0;
}

/* The longest of a window: known when it is the longest of all, else not above the highest bucket that grew. */
static uint64_t window_max_ns(const struct tap_statement_sum *window, uint64_t end_ns, uint64_t begin_ns)
{
	if (end_ns > begin_ns)
		return end_ns;
	for (uint32_t i = TAP_STATEMENT_BUCKETS; i-- > 0;) {
		if (window->latency[i])
			return tap_latency_top_ns(i) < end_ns ? tap_latency_top_ns(i) : end_ns;
	}
	return 0;
}

static int subtract_statements(const struct tap_statement_set *end, const struct tap_statement_set *begin,
			       struct tap_statement_set *ret)
{
	for (size_t i = 0; i < end->count; i++) {
		const struct tap_statement_sum *now = &end->items[i],
					       *before = tap_statement_set_find(begin, &now->key);
		struct tap_statement_sum *window;

		if (before && growth(now->ended, before->ended) == 0)
			continue;
		window = statement_get(ret, &now->key);
		if (!window)
			return -ENOMEM;
		*window = *now;
		if (!before)
			continue;
		window->ended = growth(now->ended, before->ended);
		window->errors = growth(now->errors, before->errors);
		for (int j = 0; j < TAP_STATEMENT_BUCKETS; j++)
			window->latency[j] = now->latency[j] - before->latency[j];
		window->max_ns = window_max_ns(window, now->max_ns, before->max_ns);
	}
	return 0;
}

static int subtract_errors(const struct tap_statement_set *end, const struct tap_statement_set *begin,
			   struct tap_statement_set *ret)
{
	for (size_t i = 0; i < end->n_errors; i++) {
		const struct tap_statement_error *now = &end->errors[i];
		size_t place = tap_hash_find(&begin->errors_index, begin->errors, sizeof(*begin->errors), &now->key);
		uint64_t count = growth(now->count, place == TAP_HASH_NONE ? 0 : begin->errors[place].count);

		if (count && tap_statement_set_add_error(ret, &now->key, count))
			return -ENOMEM;
	}
	return 0;
}

int tap_statement_set_subtract(const struct tap_statement_set *end, const struct tap_statement_set *begin,
			       struct tap_statement_set *ret)
{
	int status = subtract_statements(end, begin, ret);

	return status ? status : subtract_errors(end, begin, ret);
}

/* The middle of a bucket may lie above the longest time itself. */
int64_t tap_statement_percentile_ns(const struct tap_statement_sum *statement, double percent)
{
	int64_t ns = tap_latency_percentile_of(statement->latency, TAP_STATEMENT_BUCKETS, percent);
	int64_t max_ns = statement->max_ns > INT64_MAX ? INT64_MAX : (int64_t)statement->max_ns;

	return ns > max_ns && max_ns > 0 ? max_ns : ns;
}

int tap_sqlstate_format(uint32_t code, char ret[TAP_SQLSTATE_SIZE])
{
	char text[TAP_SQLSTATE_SIZE] = "";

	if (!code || code >> 30)
		return -EBADMSG;
	for (int i = 0; i < TAP_SQLSTATE_SIZE - 1; i++, code >>= 6) {
		char letter = (char)((code & 0x3f) + '0');

		if ((letter < '0' || letter > '9') && (letter < 'A' || letter > 'Z'))
			return -EBADMSG;
		text[i] = letter;
	}
	memcpy(ret, text, sizeof(text));
	return 0;
}
