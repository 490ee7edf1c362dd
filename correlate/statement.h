/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * statement.h - what statement depth counts of each row: how many ended, how many of them in an error, how long they
 * took. Plain values: a set is cumulative or a window, the difference of two.
 */
#ifndef TAP_CORRELATE_STATEMENT_H
#define TAP_CORRELATE_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/statement.h"
#include "userspace/base/hash.h"

struct tap_statement_sum {
	struct tap_row_key key; /* parity 0; first, for the index */
	uint64_t ended;		/* with errors */
	uint64_t errors;
	uint64_t max_ns;
	uint32_t latency[TAP_STATEMENT_BUCKETS];
};

struct tap_statement_error {
	struct tap_statement_error_key key; /* first, for the index */
	uint64_t count;
};

struct tap_statement_set {
	struct tap_statement_sum *items;
	size_t count;
	size_t capacity;
	struct tap_hash index;
	struct tap_statement_error *errors;
	size_t n_errors;
	size_t errors_capacity;
	struct tap_hash errors_index;
};

void tap_statement_set_init(struct tap_statement_set *set);
void tap_statement_set_done(struct tap_statement_set *set);

/* Adds the kernel side's sums of one row. One that is not used yet is passed over. 0 or -ENOMEM. */
int tap_statement_set_add(struct tap_statement_set *set, const struct tap_statement_total *total);
int tap_statement_set_add_error(struct tap_statement_set *set, const struct tap_statement_error_key *key,
				uint64_t count);

/* NULL: none of this row ended. */
const struct tap_statement_sum *tap_statement_set_find(const struct tap_statement_set *set,
						       const struct tap_row_key *key);

/* end - begin, into the empty set *ret; rows in which nothing ended are left out. 0 or -ENOMEM. */
int tap_statement_set_subtract(const struct tap_statement_set *end, const struct tap_statement_set *begin,
			       struct tap_statement_set *ret);

/* The time below which `percent` of the row's statements stayed; -1: of none it is known. */
int64_t tap_statement_percentile_ns(const struct tap_statement_sum *statement, double percent);

/*
 * SQLSTATE of a PostgreSQL error: five letters of six bits each (src/include/utils/elog.h, MAKE_SQLSTATE). Not 0: the
 * code is no such thing.
 */
enum {
	TAP_SQLSTATE_SIZE = 6,
};
int tap_sqlstate_format(uint32_t code, char ret[TAP_SQLSTATE_SIZE]);

#endif
