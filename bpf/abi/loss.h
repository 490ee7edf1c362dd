/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * loss.h - every way the kernel side can fail to see or keep something, counted by reason.
 */
#ifndef TAP_BPF_ABI_LOSS_H
#define TAP_BPF_ABI_LOSS_H

#define TAP_LOSSES(X) \
	X(TASK_STORAGE_FULL, "task_storage_full", "a thread got no accumulator: its time is in no row") \
	X(TOTALS_FULL, "totals_full", "the map of query totals was full: figures went to the row of kind rest") \
	X(WAITS_FULL, "waits_full", "the map of wait totals was full: waits went to the row of kind rest") \
	X(READ_FAILED, "read_failed", "a thread's memory could not be read: it kept its last known statement") \
	X(RING_FULL, "ring_full", "the event ring was full: a query text was not taken, it is tried again") \
	X(CALLS_FULL, "calls_full", \
	  "the map of statements was full: those of new queries went to the row of kind rest") \
	X(TEXT_FAILED, "text_failed", "a statement's text could not be read for its fingerprint") \
	X(REQUESTS_FULL, "requests_full", "the map of block requests under way was full: a request has no owner") \
	X(REQUESTS_MISSED, "requests_missed", "the kernel did not run a block program that was interrupted by itself") \
	X(COMPLETIONS_MISSED, "completions_missed", \
	  "the kernel ran no program at a request's completion: its bytes are counted, its latency is not") \
	X(IO_TOTALS_FULL, "io_totals_full", \
	  "the map of request totals was full: requests went to the row of kind rest") \
	X(DIRTY_FULL, "dirty_full", "the map of dirtied pages was full: pages have no owner") \
	X(FILES_FULL, "files_full", "the map of files was full: a file has no name") \
	X(LOCK_WAITS_LOST, "lock_waits_lost", "the event ring was full: a lock wait was not reported as it began") \
	X(STATEMENTS_LOST, "statements_lost", "the event ring was full: a slow statement was not reported") \
	X(STATEMENTS_TIMELESS, "statements_timeless", \
	  "when a statement began is not known, or the clock was set: it is counted, its latency is not") \
	X(ERRORS_FULL, "errors_full", "the map of errors by code was full: errors are counted, their codes are not") \
	X(PEAKS_FULL, "peaks_full", "the map of memory peaks was full: queries have no peak") \
	X(STALLS_FULL, "stalls_full", "the map of memory stalls was full: what a query waited for memory is missing")

enum tap_loss {
#define X(id, name, meaning) TAP_LOSS_##id,
	TAP_LOSSES(X)
#undef X
	TAP_LOSS_COUNT
};

#endif
