/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.h - everything the kernel side knows at one moment, as plain values.
 *
 * userspace/consume takes it live; views are made of the difference of two. Cumulative since the attach.
 */
#ifndef TAP_CORRELATE_SNAPSHOT_H
#define TAP_CORRELATE_SNAPSHOT_H

#include <stdbool.h>

#include "bpf/abi/checkpoint.h"
#include "bpf/abi/loss.h"
#include "bpf/abi/task.h"
#include "correlate/io.h"
#include "correlate/memory.h"
#include "correlate/row.h"
#include "correlate/statement.h"

/* One living thread. */
struct tap_thread {
	int32_t tid;
	int32_t tgid;
	uint32_t instance;
	uint8_t role; /* enum tap_role */
	struct tap_identity identity;
	struct tap_row_key row; /* what it works for now */
	bool asleep;
	uint32_t event;		    /* when asleep */
	struct tap_account account; /* of all its rows since the attach, evicted ones included */
	int64_t wait_ns;
	uint64_t sleeps;
	uint64_t anon_bytes; /* private memory of its process, which other threads may share */
};

struct tap_snapshot {
	int64_t realtime_ns; /* since the epoch */
	int64_t monotonic_ns;
	uint32_t epoch; /* its number: what rows held at most after an earlier one says which that was */
	struct tap_row_set rows;
	struct tap_thread *threads;
	size_t n_threads;
	uint64_t losses[TAP_LOSS_COUNT];
	uint64_t torn; /* threads that switched whenever they were looked at */
	uint64_t statement_hits;
	uint64_t fingerprint_ns;
	uint64_t fingerprints;
	bool stalls_traced;
	struct tap_io_set io;
	struct tap_statement_set statements;
	struct tap_memory_set memory;
	struct tap_checkpoints *checkpoints; /* by instance; those past the last are not known */
	size_t n_checkpoints;
};

void tap_snapshot_init(struct tap_snapshot *snapshot);
void tap_snapshot_done(struct tap_snapshot *snapshot);

/*
 * Adds one thread as the snapshot iterator wrote it: what its ways hold, and what is in progress since its last
 * boundary (on a CPU, on a run queue, asleep). -EBADMSG when the record contradicts itself, -ENOMEM; 0 otherwise.
 */
int tap_snapshot_add_thread(struct tap_snapshot *snapshot, const struct tap_task_record *record,
			    const struct tap_way *ways);

/*
 * The kernel side keeps the peaks since the last snapshot: of a window that begins at snapshot `begin_epoch`, and was
 * looked at in `earlier`, `snapshot` gets those that were higher then.
 */
void tap_snapshot_keep_peaks(struct tap_snapshot *snapshot, const struct tap_snapshot *earlier, uint32_t begin_epoch);

/* Parses the iterator's whole output. -EBADMSG on a cut or contradictory stream: what came before it is in. */
int tap_snapshot_add_stream(struct tap_snapshot *snapshot, const void *stream, size_t size);

#endif
