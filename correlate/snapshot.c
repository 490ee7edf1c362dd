// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot.c - from the kernel's records to rows, with what is in progress at the moment of the snapshot.
 *
 * A thread's time up to its last boundary is in its ways. From there to now it has been, in this order, off the CPU,
 * on a run queue, and on a CPU; how far it has come tells how to split the rest. Nothing is clamped: a later snapshot
 * has the exact figures, and the sum of windows is exact.
 */
#include "correlate/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"

void tap_snapshot_init(struct tap_snapshot *snapshot)
{
	*snapshot = (struct tap_snapshot){ 0 };
	tap_row_set_init(&snapshot->rows);
	tap_io_set_init(&snapshot->io);
	tap_statement_set_init(&snapshot->statements);
	tap_memory_set_init(&snapshot->memory);
}

void tap_snapshot_done(struct tap_snapshot *snapshot)
{
	if (!snapshot)
		return;
	tap_row_set_done(&snapshot->rows);
	free(snapshot->threads);
	free(snapshot->checkpoints);
	tap_io_set_done(&snapshot->io);
	tap_statement_set_done(&snapshot->statements);
	tap_memory_set_done(&snapshot->memory);
	tap_snapshot_init(snapshot);
}

static struct tap_thread *thread_add(struct tap_snapshot *snapshot)
{
	/* Grows at powers of two. */
	if (!(snapshot->n_threads & (snapshot->n_threads - 1))) {
		size_t capacity = snapshot->n_threads ? snapshot->n_threads * 2 : 1;
		struct tap_thread *threads = reallocarray(snapshot->threads, capacity, sizeof(*threads));

		if (!threads)
			return NULL;
		snapshot->threads = threads;
	}
	return memset(&snapshot->threads[snapshot->n_threads++], 0, sizeof(struct tap_thread));
}

static int add_account(struct tap_snapshot *snapshot, struct tap_thread *thread, const struct tap_row_key *key,
		       const struct tap_account *account)
{
	struct tap_row *row = tap_row_set_get(&snapshot->rows, key);
	struct tap_row sum = { .account = thread->account };

	if (!row)
		return -ENOMEM;
	tap_row_add_account(row, account);
	tap_row_add_account(&sum, account);
	thread->account = sum.account;
	return 0;
}

static int add_wait(struct tap_snapshot *snapshot, struct tap_thread *thread, const struct tap_row_key *key,
		    const struct tap_row_wait *wait)
{
	struct tap_row *row = tap_row_set_get(&snapshot->rows, key);

	if (!row)
		return -ENOMEM;
	thread->wait_ns = tap_add_ns(thread->wait_ns, wait->ns);
	thread->sleeps += wait->count;
	return tap_row_add_wait(row, wait->event, wait->count, wait->ns, wait->open);
}

static int add_way(struct tap_snapshot *snapshot, struct tap_thread *thread, const struct tap_way *way)
{
	int status = add_account(snapshot, thread, &way->key, &way->account);

	for (int i = 0; i < TAP_WAY_WAITS && !status; i++) {
		struct tap_row_wait wait = { .event = way->waits[i].event,
					     .count = way->waits[i].count,
					     .ns = way->waits[i].ns };

		if (wait.count || wait.ns)
			status = add_wait(snapshot, thread, &way->key, &wait);
	}
	return status;
}

/* What happened since the last boundary; differences of clocks, unsigned because a record may say anything. */
struct progress {
	uint64_t off_ns;
	uint64_t runq_ns;
	uint64_t cpu_ns;
};

/* When a thread that has not been at a boundary yet first waited for a CPU. */
static uint64_t first_queued_ns(const struct tap_task_record *record)
{
	if (record->last_arrival_ns)
		return record->last_arrival_ns - (record->current.run_delay_ns - record->seen.run_delay_ns);
	return record->last_queued_ns ? record->last_queued_ns : record->now_ns;
}

static struct progress progress_of(const struct tap_task_record *record)
{
	struct progress progress = { 0 };
	uint64_t last_ns = record->last_ns;

	progress.runq_ns = record->current.run_delay_ns - record->seen.run_delay_ns;
	/* Forked and never at a boundary: its time begins with its first wait for a CPU. */
	if (!last_ns)
		last_ns = first_queued_ns(record);
	if (record->on_cpu && record->last_arrival_ns != record->arrival_ns) {
		progress.off_ns = record->last_arrival_ns - last_ns - progress.runq_ns;
		progress.cpu_ns = record->now_ns - record->last_arrival_ns;
	} else if (record->on_cpu) {
		progress.cpu_ns = record->now_ns - last_ns;
	} else if (record->last_queued_ns) {
		progress.off_ns = record->last_queued_ns - last_ns - progress.runq_ns;
		progress.runq_ns += record->now_ns - record->last_queued_ns;
	} else {
		progress.off_ns = record->now_ns - last_ns - progress.runq_ns;
	}
	return progress;
}

/* Threads of a server share theirs. */
static bool has_own_memory(const struct tap_task_record *record)
{
	return record->role != TAP_ROLE_MY_THREAD;
}

static int add_progress(struct tap_snapshot *snapshot, struct tap_thread *thread, const struct tap_task_record *record)
{
	const struct tap_counters *now = &record->current, *seen = &record->seen;
	struct progress progress = progress_of(record);
	struct tap_account account = {
		.cpu_ns = progress.cpu_ns,
		.runq_ns = progress.runq_ns,
		.minor_faults = now->minor_faults - seen->minor_faults,
		.major_faults = now->major_faults - seen->major_faults,
		.rchar_bytes = now->rchar_bytes - seen->rchar_bytes,
		.wchar_bytes = now->wchar_bytes - seen->wchar_bytes,
		.read_bytes = now->read_bytes - seen->read_bytes,
		.dirtied_bytes = now->dirtied_bytes - seen->dirtied_bytes,
		.anon_bytes = has_own_memory(record) ? (int64_t)(record->anon_bytes - record->anon_bytes_seen) : 0,
	};
	bool sleeping = !record->on_cpu && !record->last_queued_ns;
	struct tap_row_wait wait = { .event = record->sleep_event, .ns = (int64_t)progress.off_ns };
	int status;

	/* A sleep that is over has ended, although the kernel side counts it only at the next boundary. */
	wait.open = sleeping;
	wait.count = !sleeping;
	thread->asleep = record->asleep && sleeping;
	thread->event = record->sleep_event;
	if (!record->asleep)
		account.unknown_ns = (int64_t)progress.off_ns;
	status = add_account(snapshot, thread, &record->current_row, &account);
	if (!status && record->asleep)
		status = add_wait(snapshot, thread, &record->sleep_row, &wait);
	return status;
}

/* The row of a thread that has not been at a boundary yet. */
static struct tap_row_key row_unknown_yet(const struct tap_task_record *record)
{
	return (struct tap_row_key){ .instance = record->instance, .kind = record->identity.kind };
}

int tap_snapshot_add_thread(struct tap_snapshot *snapshot, const struct tap_task_record *record,
			    const struct tap_way *ways)
{
	struct tap_task_record whole = *record;
	struct tap_thread *thread;
	struct tap_row *row;
	int status = 0;

	if (record->n_ways > TAP_WAYS || record->identity.kind >= TAP_KIND_COUNT)
		return -EBADMSG;
	thread = thread_add(snapshot);
	if (!thread)
		return -ENOMEM;
	if (whole.current_row.kind == TAP_KIND_NONE)
		whole.current_row = row_unknown_yet(record);
	thread->tid = record->tid;
	thread->tgid = record->tgid;
	thread->instance = record->instance;
	thread->role = record->role;
	thread->identity = record->identity;
	thread->row = whole.current_row;
	snapshot->torn += record->torn;
	thread->account = record->gone;
	thread->wait_ns = record->gone_wait_ns;
	thread->sleeps = record->gone_sleeps;
	thread->anon_bytes = record->anon_bytes;
	for (uint32_t i = 0; i < record->n_ways && !status; i++)
		status = add_way(snapshot, thread, &ways[i]);
	if (!status)
		status = add_progress(snapshot, thread, &whole);
	if (status)
		return status;
	row = tap_row_set_get(&snapshot->rows, &whole.current_row);
	if (row && record->in_statement && record->identity.kind == TAP_KIND_CLIENT)
		row->running++;
	if (row && has_own_memory(record))
		tap_row_add_peak(row, tap_peak_make(snapshot->epoch, record->anon_bytes >> 10));
	return row ? 0 : -ENOMEM;
}

void tap_snapshot_keep_peaks(struct tap_snapshot *snapshot, const struct tap_snapshot *earlier, uint32_t begin_epoch)
{
	for (size_t i = 0; i < snapshot->rows.count; i++) {
		struct tap_row *row = &snapshot->rows.rows[i];
		const struct tap_row *before = tap_row_set_find(&earlier->rows, &row->key);

		if (before && tap_peak_is_since(before->peak, begin_epoch) &&
		    tap_peak_bytes(before->peak) > tap_peak_bytes(row->peak))
			row->peak = tap_peak_make(snapshot->epoch, tap_peak_bytes(before->peak) >> 10);
	}
}

int tap_snapshot_add_stream(struct tap_snapshot *snapshot, const void *stream, size_t size)
{
	const char *at = stream;
	struct tap_way ways[TAP_WAYS];
	struct tap_task_record record;
	int status;

	while (size) {
		if (size < sizeof(record))
			return -EBADMSG;
		memcpy(&record, at, sizeof(record));
		if (record.n_ways > TAP_WAYS || record.size != sizeof(record) + record.n_ways * sizeof(ways[0]) ||
		    record.size > size)
			return -EBADMSG;
		memcpy(ways, at + sizeof(record), record.n_ways * sizeof(ways[0]));
		status = tap_snapshot_add_thread(snapshot, &record, ways);
		if (status)
			return status;
		at += record.size;
		size -= record.size;
	}
	return 0;
}
