/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io_order.h - the figures that the rows of the io view's lists can be put in order by, under the names that CSV gives
 * them.
 *
 * A test holds this table against the fields that are printed (userspace/output/part_io.c).
 */
#ifndef TAP_CORRELATE_IO_ORDER_H
#define TAP_CORRELATE_IO_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tap_io_list {
	TAP_IO_LIST_QUERIES = 1 << 0,
	TAP_IO_LIST_RELATIONS = 1 << 1,
	TAP_IO_LIST_DEVICES = 1 << 2,
	TAP_IO_LIST_STREAMS = 1 << 3,
	TAP_IO_LIST_BLAME = 1 << 4,
	TAP_IO_LIST_CHECKPOINTS = 1 << 5,
	TAP_IO_LISTS_ALL = (1 << 6) - 1,
};

struct tap_io_order {
	const char *name;
	unsigned lists; /* that have it */
	size_t offset;	/* in the row */
	enum {
		TAP_IO_ORDER_COUNT,  /* uint64_t */
		TAP_IO_ORDER_KNOWN,  /* int64_t; -1: absent */
		TAP_IO_ORDER_DOUBLE, /* not finite: absent */
	} type;
};

/* All of them; a name is there once for each meaning it has, in lists of its own. */
const struct tap_io_order *tap_io_orders(size_t *ret_count);

/* The one of that name in one of these lists; NULL: none of them has it. */
const struct tap_io_order *tap_io_order_find(unsigned lists, const char *name);

/*
 * Puts the rows of one list in order: largest first, those that lack the figure last, equal ones by `otherwise` (as
 * qsort). `name` NULL, or no figure of this list: all by `otherwise`, and where that is NULL they stay as they are.
 */
void tap_io_order_sort(enum tap_io_list list, const char *name, void *rows, size_t count, size_t size,
		       int (*otherwise)(const void *, const void *));

#endif
