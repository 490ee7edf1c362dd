/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * row.h - rows (a query, an auxiliary process, an idle state) with their figures, and sets of them.
 *
 * A set is either cumulative (everything since the attach) or a window (the difference of two). Plain values: no names,
 * no texts, no kernel.
 */
#ifndef TAP_CORRELATE_ROW_H
#define TAP_CORRELATE_ROW_H

#include <stdint.h>

#include "bpf/abi/account.h"
#include "bpf/abi/stall.h"
#include "userspace/base/hash.h"

struct tap_row_wait {
	uint32_t event;
	uint64_t count; /* sleeps that ended */
	uint64_t open;	/* sleeps going on when the set was taken */
	int64_t ns;
};

struct tap_row {
	struct tap_row_key key; /* parity 0; first, for the index */
	struct tap_account account;
	uint64_t running;     /* statements unfinished when the set was taken */
	uint64_t exact_calls; /* counted by the uprobe */
	struct tap_stall stall;
	uint64_t peak; /* tap_peak_make of private memory; of two the larger one; 0: none was seen */
	struct tap_row_wait *waits;
	size_t n_waits;
	size_t waits_capacity;
};

struct tap_row_set {
	struct tap_row *rows;
	size_t count;
	size_t capacity;
	struct tap_hash index;
};

/* Sum that wraps instead of being undefined: records may say anything. */
static inline int64_t tap_add_ns(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

void tap_row_set_init(struct tap_row_set *set);
void tap_row_set_done(struct tap_row_set *set);

/* The row of a key (its parity ignored), made when missing; NULL when out of memory. Earlier row pointers may move. */
struct tap_row *tap_row_set_get(struct tap_row_set *set, const struct tap_row_key *key);
const struct tap_row *tap_row_set_find(const struct tap_row_set *set, const struct tap_row_key *key);

/* Adds all figures of a row to another. 0 or -ENOMEM. */
int tap_row_add(struct tap_row *to, const struct tap_row *from);
/* Adds figures to a row. 0 or -ENOMEM. */
void tap_row_add_account(struct tap_row *row, const struct tap_account *account);
int tap_row_add_wait(struct tap_row *row, uint32_t event, uint64_t count, int64_t ns, uint64_t open);

void tap_row_add_stall(struct tap_row *row, const struct tap_stall *stall);
/* Raises the row's peak of private memory to this one (tap_peak_make). */
void tap_row_add_peak(struct tap_row *row, uint64_t peak);

/* Sum of the row's waits. */
int64_t tap_row_wait_ns(const struct tap_row *row);
/* Sleeps that ended, and those going on. */
uint64_t tap_row_sleeps(const struct tap_row *row);
/* cpu + run queue + waits + unknown. */
int64_t tap_row_elapsed_ns(const struct tap_row *row);

/*
 * end - begin, row by row, into the empty set *ret; `open` and `running` are those of the end. A row whose figures did
 * not change and that has nothing open is left out. A row that only `begin` has (a statement whose id became known
 * since) is there with what it gave up, so that sums hold. 0 or -ENOMEM.
 */
int tap_row_set_subtract(const struct tap_row_set *end, const struct tap_row_set *begin, struct tap_row_set *ret);

/*
 * Statements of clients whose id is not final may move to another row, with all they had. Where one did since `begin`,
 * which shows by its row being less at the end, that row of `begin` is emptied: what it had is let into the window,
 * instead of being missing from a row that gave it up.
 */
void tap_row_set_forget_moved(struct tap_row_set *begin, const struct tap_row_set *end);

/* Adds every row of `from` to `to`. 0 or -ENOMEM. */
int tap_row_set_add(struct tap_row_set *to, const struct tap_row_set *from);

#endif
