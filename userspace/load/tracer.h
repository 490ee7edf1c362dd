/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracer.h - the BPF side as an object in stages: open (load), attach, add instances, gate; and what a reader needs of
 * it.
 *
 * Everything is detached when the object is freed or the process ends: links and maps live on its file descriptors
 * only.
 */
#ifndef TAP_USERSPACE_LOAD_TRACER_H
#define TAP_USERSPACE_LOAD_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/checkpoint.h"
#include "bpf/abi/io.h"
#include "bpf/abi/stall.h"
#include "bpf/abi/task.h"
#include "bpf/abi/text.h"
#include "userspace/base/error.h"

struct tap_lock_tell;
struct tap_tracer;

struct tap_tracer_options {
	uint32_t rows_max;  /* entries of the totals map; 0: default */
	uint32_t waits_max; /* ... of the waits map; 0: default */
	uint32_t tick_hz;   /* 0: default */
	uint32_t io_max;    /* ... of the map of request totals; 0: default */
	uint32_t dirty_max; /* ... of the map of dirtied bytes; 0: default */
	uint32_t files_max; /* ... of the map of files; 0: default */
	bool without_io;    /* no programs of block requests */
	bool statements;    /* what statement depth needs as well */
};

/* Loads all programs. -EPERM, -EOPNOTSUPP (kernel lacks something) and others, with what to do in `err`. */
int tap_tracer_open(const struct tap_tracer_options *options, struct tap_tracer **ret, struct tap_error *err);
/* NULL is fine. */
void tap_tracer_free(struct tap_tracer *tracer);

/* The ambient programs on or off, any number of times. Nothing is accounted while the gate is closed. */
int tap_tracer_attach(struct tap_tracer *tracer, struct tap_error *err);
void tap_tracer_detach(struct tap_tracer *tracer);
void tap_tracer_set_gate(struct tap_tracer *tracer, bool open);

/*
 * Makes the kernel side know an instance; `index` (below TAP_INSTANCES_MAX) is its number in every record. Reusing an
 * index replaces it.
 */
int tap_tracer_set_instance(struct tap_tracer *tracer, uint32_t index, const struct tap_instance *instance,
			    struct tap_error *err);

/* Threads that already run: stage each, then adopt all staged. Those adopted before are left alone. */
int tap_tracer_stage(struct tap_tracer *tracer, uint32_t tid, const struct tap_adoption *adoption);
int tap_tracer_adopt(struct tap_tracer *tracer, struct tap_error *err);

/*
 * Whether block requests and dirtied pages can be traced; if not, why (a literal). Nothing is before a disk is watched.
 */
bool tap_tracer_has_io(const struct tap_tracer *tracer);
const char *tap_tracer_io_missing(const struct tap_tracer *tracer);

/*
 * From here on the requests of this whole disk, and the pages dirtied in the file systems of this superblock device,
 * are looked at; numbers are major << 20 | minor. Asked for the same one again they do nothing. At most TAP_DISKS_MAX
 * disks. The first disk attaches the programs when the others are attached.
 */
int tap_tracer_watch_disk(struct tap_tracer *tracer, uint32_t disk, struct tap_error *err);
int tap_tracer_watch_device(struct tap_tracer *tracer, uint32_t device, struct tap_error *err);

/* An instance has files on a watched disk: while a checkpoint of it runs, the disk's requests are told apart. */
void tap_tracer_disk_holds(struct tap_tracer *tracer, uint32_t disk, uint32_t instance);

/*
 * What an instance's checkpointer, this process, is at: before it is adopted. Asked for the same process again it does
 * nothing. 0 or -errno.
 */
int tap_tracer_begin_checkpoints(struct tap_tracer *tracer, uint32_t instance, int32_t pid,
				 const struct tap_checkpoints *checkpoints);
/* Its checkpoints up to now. 0 or -errno. */
int tap_tracer_checkpoints(const struct tap_tracer *tracer, uint32_t instance, struct tap_checkpoints *ret);

/* Pairs the scheduler's and the monotonic clock anew: sleeps a moment. */
int tap_tracer_sync_clock(struct tap_tracer *tracer, struct tap_error *err);

/* The last pair. */
void tap_tracer_clock(const struct tap_tracer *tracer, struct tap_clock_pair *ret);

/* What is told of waits for locks: lock_tell.h. Lives as long as the tracer. */
struct tap_lock_tell *tap_tracer_locks(struct tap_tracer *tracer);

/*
 * The uprobes of statement depth, which the tracer was opened for: on the given file offset of a binary, in all
 * processes that run it. Once a place: asked for the same one again it does nothing.
 */
enum tap_tracer_point {
	TAP_POINT_END,	 /* what each statement that succeeds comes to */
	TAP_POINT_ERROR, /* what those that fail come to instead */
};
int tap_tracer_attach_calls(struct tap_tracer *tracer, enum tap_tracer_point point, const char *binary, uint64_t offset,
			    struct tap_error *err);
void tap_tracer_detach_calls(struct tap_tracer *tracer);
bool tap_tracer_has_calls(const struct tap_tracer *tracer);
/* In these processes alone, none with `count` 0, and in all again: probes.h. 0 or -errno. */
int tap_tracer_probe_some(struct tap_tracer *tracer, const int32_t *pids, size_t count);
int tap_tracer_probe_all(struct tap_tracer *tracer);

/* By how much the wall clock is ahead of the monotonic one: servers tell with it when a statement began. */
void tap_tracer_set_wall(struct tap_tracer *tracer, int64_t ahead_ns);
/*
 * Which statements are told of one by one: those that took so long or longer (0: none), and of each row the
 * slowest of a window, as many as TAP_STATEMENT_SLOWEST at most. Another `round` is another window.
 */
void tap_tracer_tell_statements(struct tap_tracer *tracer, uint64_t slow_ns, uint32_t slowest, uint32_t round);

/* The same program that counts nothing, for finding out what a trap costs. */
int tap_tracer_attach_trap(struct tap_tracer *tracer, const char *binary, uint64_t offset);
void tap_tracer_detach_trap(struct tap_tracer *tracer);

/* For consume/: file descriptors of maps, a new iterator over traced threads (the caller closes it), and counters. */
enum tap_tracer_map {
	TAP_MAP_ROWS,
	TAP_MAP_WAITS,
	TAP_MAP_STATEMENTS, /* array of tap_statement_total, tap_tracer_statements_used() of them in use */
	TAP_MAP_ERRORS,	    /* tap_statement_error_key -> uint64_t */
	TAP_MAP_STALLS,	    /* tap_row_key -> tap_stall */
	TAP_MAP_PEAKS,	    /* tap_row_key -> uint64_t, tap_peak_make */
	TAP_MAP_EVENTS,
	TAP_MAP_REQUESTS,  /* array of tap_io_total, tap_tracer_requests_used() of them in use */
	TAP_MAP_DIRTY,	   /* tap_dirty_key -> uint64_t */
	TAP_MAP_FILES,	   /* tap_file_key -> tap_file */
	TAP_MAP_STREAMS,   /* array of tap_stream_place */
	TAP_MAP_LOCK_SUMS, /* array of tap_lock_sum */
};

/* Before the totals of requests are read: ends those that completed without a program being run. 0 or -errno. */
int tap_tracer_end_unseen(struct tap_tracer *tracer);
int tap_tracer_map_fd(const struct tap_tracer *tracer, enum tap_tracer_map map);
/* Grows. */
uint32_t tap_tracer_requests_used(const struct tap_tracer *tracer);
uint32_t tap_tracer_statements_used(const struct tap_tracer *tracer);
int tap_tracer_snapshot_fd(struct tap_tracer *tracer, uint32_t epoch);
uint32_t tap_tracer_epoch(const struct tap_tracer *tracer);

struct tap_tracer_counters {
	const uint64_t *losses; /* TAP_LOSS_COUNT of them */
	uint64_t fingerprint_ns;
	uint64_t fingerprints;
	uint64_t statement_hits;
};

void tap_tracer_counters(const struct tap_tracer *tracer, struct tap_tracer_counters *ret);

/* Run statistics on or off, while the tracer lives; 0 or a negative errno. */
int tap_tracer_stats_on(struct tap_tracer *tracer);
int tap_tracer_stats_off(struct tap_tracer *tracer);
/* Sums over the attached ambient programs. */
int tap_tracer_stats(const struct tap_tracer *tracer, uint64_t *ret_runs, uint64_t *ret_ns);

/* One program's own. `misses`: times the kernel did not run it because it was running on that CPU already. */
struct tap_tracer_program {
	const char *name;
	uint64_t runs;
	uint64_t ns;
	uint64_t misses;
};

/* Of the ambient programs, counted from 0; -ENOENT past the last. */
int tap_tracer_program_stats(const struct tap_tracer *tracer, size_t index, struct tap_tracer_program *ret);

/* The empty program on the context switch, for `bench overhead`. */
int tap_tracer_attach_empty(struct tap_tracer *tracer, struct tap_error *err);
void tap_tracer_detach_empty(struct tap_tracer *tracer);
int tap_tracer_stats_empty(const struct tap_tracer *tracer, uint64_t *ret_runs, uint64_t *ret_ns);
/* ... and of the switch program alone. */
int tap_tracer_stats_switch(const struct tap_tracer *tracer, uint64_t *ret_runs, uint64_t *ret_ns);
/* ... and of the probe that each statement which succeeds comes to. */
int tap_tracer_stats_calls(const struct tap_tracer *tracer, uint64_t *ret_runs, uint64_t *ret_ns);

#endif
