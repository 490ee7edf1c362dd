/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * figure.h - the figures of a row: one table for their names, units and meaning.
 *
 * JSON, CSV, the text columns, --sort and --help all read this table. A figure is either present or absent with a
 * reason; it is never 0 for "unknown".
 */
#ifndef TAP_CORRELATE_FIGURE_H
#define TAP_CORRELATE_FIGURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tap_unit {
	TAP_UNIT_COUNT,
	TAP_UNIT_NS,
	TAP_UNIT_BYTES,
};

/* id, name in JSON and CSV, unit, meaning */
#define TAP_FIGURES(X) \
	X(CALLS, calls, COUNT, "statements that ended in the window") \
	X(UNSEEN, calls_unseen, COUNT, \
	  "statements of these sessions, of any row, that may have ended unseen: at most") \
	X(RUNNING, running, COUNT, "statements unfinished at the end of the window") \
	X(ELAPSED, elapsed_ns, NS, "thread time, the sum of the next four") \
	X(CPU, cpu_ns, NS, "on a CPU") \
	X(RUNQ, runq_ns, NS, "runnable, waiting for a CPU") \
	X(WAIT, wait_ns, NS, "asleep, by the wait event the engine had set") \
	X(UNKNOWN, unknown_ns, NS, \
	  "neither: stolen by the hypervisor or interrupts, or asleep with an unreadable event") \
	X(SLEEPS, sleeps, COUNT, "voluntary context switches") \
	X(PREEMPTIONS, preemptions, COUNT, "involuntary context switches") \
	X(MINOR_FAULTS, minor_faults, COUNT, "page faults served from memory") \
	X(MAJOR_FAULTS, major_faults, COUNT, "page faults that read from a device") \
	X(RCHAR, rchar_bytes, BYTES, "asked of read system calls, page cache or not") \
	X(WCHAR, wchar_bytes, BYTES, "asked of write system calls") \
	X(READ, read_bytes, BYTES, "read from a device for the thread") \
	X(DIRTIED, dirtied_bytes, BYTES, "page cache dirtied by the thread") \
	X(READ_REQUESTS, read_requests, COUNT, "block requests that read") \
	X(CACHE_READ, cache_read_bytes, BYTES, "of rchar_bytes, what came from the page cache") \
	X(READ_SEQ, read_seq_bytes, BYTES, "read from a device in sequence") \
	X(READ_NEAR, read_near_bytes, BYTES, "read from a device close to the request before") \
	X(READ_RAND, read_rand_bytes, BYTES, "read from a device at random") \
	X(WRITE, write_bytes, BYTES, "written to a device by whomever, charged to who dirtied") \
	X(WRITE_REQUESTS, write_requests, COUNT, "block requests that write, by who submitted") \
	X(SUBMITTED_WRITE, submitted_write_bytes, BYTES, "written to a device by who submitted") \
	X(WRITE_SEQ, write_seq_bytes, BYTES, "submitted to a device in sequence") \
	X(WRITE_NEAR, write_near_bytes, BYTES, "submitted to a device close to the request before") \
	X(WRITE_RAND, write_rand_bytes, BYTES, "submitted to a device at random") \
	X(TEMP, temp_bytes, BYTES, "written to temporary files: page cache dirtied by spills") \
	X(ERRORS, errors, COUNT, "of the statements that ended, those that ended in an error") \
	X(ANON_GROWTH, anon_growth_bytes, BYTES, "private memory its processes gained, less what they gave back") \
	X(ANON_PEAK, anon_peak_bytes, BYTES, "the most private memory that one process held at a time") \
	X(RECLAIM, reclaim_ns, NS, "of its time, freeing memory before it got some (direct reclaim)") \
	X(RECLAIMS, reclaims, COUNT, "times that it had to") \
	X(COMPACT, compact_ns, NS, "of its time, moving pages together for a large one (compaction)")

enum tap_figure {
#define X(id, name, unit, meaning) TAP_FIGURE_##id,
	TAP_FIGURES(X)
#undef X
	TAP_FIGURE_COUNT
};

struct tap_figure_info {
	const char *name;
	enum tap_unit unit;
	const char *meaning;
};

/* Indexed by enum tap_figure. */
extern const struct tap_figure_info tap_figure_infos[TAP_FIGURE_COUNT];

/* The figure called `name`, or -ENOENT. */
int tap_figure_by_name(const char *name);

/* Why a figure or field is absent. */
#define TAP_REASONS(X) \
	X(NONE, "") \
	X(PIPELINED, "several in one string, pipelined or too fast to tell apart: needs --depth statement") \
	X(NO_CONNECTION, "needs a connection to the server") \
	X(NOT_LOCAL, "the client is not on this host") \
	X(NOT_TRACED, "this version does not trace it") \
	X(DEPTH_STATEMENT, "needs --depth statement") \
	X(UNPROBED, "the server could not be probed") \
	X(NO_ERRORS, "what this server does when a statement fails cannot be probed") \
	X(SAMPLED, "to stay inside the budget some sessions only were probed") \
	X(NOT_A_STATEMENT, "the row is no statement of a client") \
	X(IO_OFF, "block requests could not be traced on this kernel: dbtap doctor says why") \
	X(NO_DISK, "its files lie on no block device of this host: memory, network or an overlay of one") \
	X(NO_FILES, "the process reads from pipes or sockets too, which the kernel counts with files") \
	X(READ_AHEAD, "more was read from the device than it asked for: what the cache gave cannot be told") \
	X(ONE_PROCESS, "the server's threads share its memory") \
	X(NO_GROWTH, "no process gained or gave back memory for it in this window") \
	X(NO_RECLAIM, "the kernel has no tracepoints of reclaim: dbtap doctor says more") \
	X(SHARED, "figures of the rows this process worked for are in the queries view")

enum tap_reason {
#define X(id, text) TAP_REASON_##id,
	TAP_REASONS(X)
#undef X
	TAP_REASON_COUNT
};

extern const char *const tap_reason_texts[TAP_REASON_COUNT];

struct tap_figures {
	int64_t value[TAP_FIGURE_COUNT];
	uint8_t absent[TAP_FIGURE_COUNT]; /* enum tap_reason; NONE: `value` is the figure */
};

#endif
