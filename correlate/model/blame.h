/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blame.h - who dirtied what was written to one file.
 *
 * The kernel knows who made a page dirty (from clean) and who wrote it, not which page of the one is whose of the
 * other. Per file this is a balance: what each has dirtied since the attach less what of it was written. What is
 * written in the window is charged
 *   1. to what was owed when the window began, in proportion, since the kernel writes the oldest first;
 *   2. then to what was dirtied within the window, in proportion;
 *   3. what nobody owes was dirtied before the attach, or is direct I/O or the file system's own: it is charged to who
 *      submitted it, and to nobody when that was a kernel thread, which never writes for itself.
 * The sum of what is charged is the sum of what was written, and nobody is charged more than it dirtied. Of two who
 * could have written a page, who dirtied it comes first: a session's own fsync or eviction.
 */
#ifndef TAP_CORRELATE_MODEL_BLAME_H
#define TAP_CORRELATE_MODEL_BLAME_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/account.h"

/* Bytes that one row dirtied in the file, or wrote to it. */
struct tap_blame_party {
	struct tap_row_key row;
	uint64_t before; /* since the attach, up to the beginning of the window */
	uint64_t bytes;	 /* within the window */
};

/* `dirtier` NULL: nobody that was seen. `writer_kind` is an enum tap_kind. */
typedef void tap_blame_fn(void *context, const struct tap_row_key *dirtier, uint8_t writer_kind, uint64_t bytes);

/*
 * Charges one file; `charge` is called with parts that are not 0, in the same order for the same input. Both lists are
 * sorted by the bytes of their rows, each row once. Sums beyond 64 bits are cut. 0, or -ENOMEM before anything was
 * charged.
 */
int tap_blame_file(const struct tap_blame_party *dirtiers, size_t n_dirtiers, const struct tap_blame_party *writers,
		   size_t n_writers, tap_blame_fn *charge, void *context);

#endif
