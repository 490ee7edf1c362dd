/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.bpf.h - every map and global of the programs. Weak: each program file sees the same one.
 *
 * Names read as relations. Sizes marked "resized" are set by userspace before the load.
 */
#ifndef TAP_BPF_MAPS_BPF_H
#define TAP_BPF_MAPS_BPF_H

#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "bpf/abi/checkpoint.h"
#include "bpf/abi/kind.h"
#include "bpf/abi/loss.h"
#include "bpf/abi/my_template.h"
#include "bpf/abi/statement.h"
#include "bpf/abi/stall.h"
#include "bpf/abi/task.h"
#include "bpf/abi/text.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tap_task);
} task_to_account __weak SEC(".maps");

/* Text of a statement for a uprobe, which, unlike a switch, can be preempted: each thread has its own. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tap_scratch);
} task_to_text __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TAP_INSTANCES_MAX);
	__type(key, __u32);
	__type(value, struct tap_instance);
} instances __weak SEC(".maps");

/* ... and their checkpoints. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TAP_INSTANCES_MAX);
	__type(key, __u32);
	__type(value, struct tap_checkpoints);
} checkpoints __weak SEC(".maps");

/* Threads to adopt, by host tid; filled by userspace before it runs the `adopt` iterator. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct tap_adoption);
} adopted __weak SEC(".maps");

/* Sessions of MariaDB's thread pools that no thread serves right now. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TAP_MY_POOLED_MAX);
	__type(key, struct tap_my_pooled_key);
	__type(value, struct tap_my_pooled);
} session_to_pooled __weak SEC(".maps");

/* Rows that no living thread holds any more; resized. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct tap_row_key);
	__type(value, struct tap_account);
} row_to_account __weak SEC(".maps");

/* ... and their waits; resized. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct tap_wait_key);
	__type(value, struct tap_wait_total);
} row_to_wait __weak SEC(".maps");

/* The most private memory that a process held while it worked for a row, tap_peak_make; resized. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct tap_row_key);
	__type(value, __u64);
} row_to_peak __weak SEC(".maps");

/* What a row waited because memory was short. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct tap_row_key);
	__type(value, struct tap_stall);
} row_to_stall __weak SEC(".maps");

/* When a thread, with the kind of stall above its number, began to. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} stall_begins __weak SEC(".maps");

/* Sums of statements at statement depth, the first statement_totals_used of them in use; resized. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tap_statement_total);
} statement_totals __weak SEC(".maps");

/* Where each row's is; resized. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct tap_row_key);
	__type(value, __u32);
} row_to_statements __weak SEC(".maps");

/* Errors by code. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct tap_statement_error_key);
	__type(value, __u64);
} statement_errors __weak SEC(".maps");

/* Query ids whose text went up already; resized. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct tap_text_key);
	__type(value, __u8);
} text_sent __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024);
} events __weak SEC(".maps");

/* Waits for locks that no record tells of, the first lock_sums_used of them in use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TAP_LOCK_SUMS_MAX);
	__type(key, __u32);
	__type(value, struct tap_lock_sum);
} lock_sums __weak SEC(".maps");

/* Where each is. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TAP_LOCK_SUMS_MAX);
	__type(key, struct tap_lock_sum_key);
	__type(value, __u32);
} lock_key_to_sum __weak SEC(".maps");

/* Space too large for the stack; its users run with interrupts off. */
struct tap_scratch {
	__u8 status[512]; /* a copy of an engine's status entry */
	char text[TAP_TEXT_MAX + TAP_TEXT_PIECE];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tap_scratch);
} scratch __weak SEC(".maps");

/* Statements of MariaDB and MySQL that were seen; users as of the scratch. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TAP_MY_TEMPLATES);
	__type(key, __u32);
	__type(value, struct tap_my_template);
} my_templates __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tap_task);
} snapshot_copy __weak SEC(".maps");

/* Set by userspace before the load. */
const volatile bool has_bpf_loop __weak = false;
const volatile __u32 page_shift __weak = 12;
/* ... Ambient depth is loaded without what only statement depth does. */
const volatile bool statement_depth __weak = false;

/* The gate: nothing is accounted, and no thread adopted at its fork, while it is closed. */
bool gate_open __weak = false;
/*
 * Of block requests. Set by userspace at each attach, never 0: what was under way at an earlier one is not mistaken for
 * this one's. Here, since it is read where the gate is: one cache line.
 */
__u32 io_epoch __weak = 0;
/* Number of the snapshot being taken, see tap_task.read_epoch. */
__u32 snapshot_epoch __weak = 0;
struct tap_clock_pair clock_pair __weak = {};
__u64 losses[TAP_LOSS_COUNT] __weak = {};
/* Whether waits for locks are reported. */
bool lock_events_on __weak = false;
/* The reader's number for the sums of waits from here on, see tap_lock_sum.longest. */
__u32 lock_round __weak = 0;
__u32 lock_sums_used __weak = 0;
/* All of the scheduler's clock: when the reader was last woken for a wait, and when the next one may be told of. */
__u64 lock_woken_ns __weak = 0;
__u64 lock_tell_due_ns __weak = 0;
__u64 lock_long_due_ns __weak = 0;
/* By instance, to the millisecond: when a wait last began of which nobody was told. */
__u64 lock_untold_ns[TAP_INSTANCES_MAX] __weak = {};
/* What the iterator that tells of such waits is to do: of those at least so old so many at most. */
__u64 lock_late_age_ns __weak = 0;
__u32 lock_late_left __weak = 0;
/* Instances at which a checkpoint runs. */
_Static_assert(TAP_INSTANCE_WORDS * 64 == TAP_INSTANCES_MAX, "a bit for each instance");
struct tap_instance_set checkpoints_running __weak = {};
/* Cost of own fingerprints, printed apart. */
__u64 fingerprint_ns __weak = 0;
__u64 fingerprint_count __weak = 0;
/* Traps of traced threads. */
__u64 statement_hits __weak = 0;
__u32 statement_totals_used __weak = 0;
/* What the servers' clocks are ahead of the monotonic one: since 1970, UTC. */
__s64 wall_ahead_ns __weak = 0;
/* From which time on each statement is told of, 0: none; and how many of a row's slowest in a window. */
__u64 statement_slow_ns __weak = 0;
__u32 statement_slowest __weak = 0;
/* The reader's number of the window. */
__u32 statement_round __weak = 0;

static __always_inline void count_loss(enum tap_loss reason)
{
	__sync_fetch_and_add(&losses[reason], 1);
}

#endif
