/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_snapshot.h - a snapshot of the fake kernel in the order in which userspace takes one of the real one (see
 * userspace/consume/reader.c): totals of the last parity, every thread, totals of this parity.
 */
#ifndef TAP_TESTS_UNIT_BPF_FAKE_PG_SNAPSHOT_H
#define TAP_TESTS_UNIT_BPF_FAKE_PG_SNAPSHOT_H

#include "correlate/snapshot.h"
#include "tests/lib/check_main.h"
#include "tests/unit/bpf/fake/pg_process.h"

static inline void totals_add(struct tap_snapshot *to, __u8 parity)
{
	const struct fake_map *rows = fake_map_of(&row_to_account), *waits = fake_map_of(&row_to_wait);

	for (size_t i = 0; i < rows->count; i++) {
		const struct tap_row_key *key = (const void *)(rows->keys + i * rows->key_size);

		if (key->parity == parity)
			tap_row_add_account(tap_row_set_get(&to->rows, key),
					    (const void *)(rows->values + i * rows->value_size));
	}
	for (size_t i = 0; i < waits->count; i++) {
		const struct tap_wait_key *key = (const void *)(waits->keys + i * waits->key_size);
		const struct tap_wait_total *total = (const void *)(waits->values + i * waits->value_size);

		if (key->row.parity == parity)
			tap_row_add_wait(tap_row_set_get(&to->rows, &key->row), key->event, total->count, total->ns, 0);
	}
}

static inline void peaks_add(struct tap_snapshot *to)
{
	const struct fake_map *peaks = fake_map_of(&row_to_peak);

	for (size_t i = 0; i < peaks->count; i++)
		tap_row_add_peak(tap_row_set_get(&to->rows, (const void *)(peaks->keys + i * peaks->key_size)),
				 *(const __u64 *)(const void *)(peaks->values + i * peaks->value_size));
}

/* What the iterator writes of one thread goes into the snapshot. Also keeps the two clocks the same. */
static inline void thread_take(struct tap_snapshot *to, struct pg_process *process)
{
	static struct seq_file seq;
	struct bpf_iter_meta meta = { &seq };
	struct bpf_iter__task context = { &meta, &process->task };

	seq.size = 0;
	snapshot(&context);
	ck_assert_int_eq(tap_snapshot_add_stream(to, seq.bytes, seq.size), 0);
}

/* `between` (may be NULL) is called before each thread and before the last totals: whatever else happens meanwhile. */
static inline void snapshot_take(struct tap_snapshot *ret, struct pg_process **processes, size_t n,
				 void (*between)(size_t at, void *context), void *context)
{
	__u32 epoch = snapshot_epoch + 1;

	tap_snapshot_init(ret);
	totals_add(ret, (epoch + 1) & 1);
	snapshot_epoch = epoch;
	ret->epoch = epoch;
	for (size_t i = 0; i < n; i++) {
		if (between)
			between(i, context);
		thread_take(ret, processes[i]);
	}
	if (between)
		between(n, context);
	totals_add(ret, epoch & 1);
	peaks_add(ret);
}

#endif
