/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * programs.h - dbtap's BPF programs compiled for the host over kernel.h, and their maps.
 */
#ifndef TAP_TESTS_UNIT_BPF_FAKE_PROGRAMS_H
#define TAP_TESTS_UNIT_BPF_FAKE_PROGRAMS_H

#include "tests/unit/bpf/fake/kernel.h"

/* Entry programs have arguments that only the kernel's calling convention asks for. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

#include "bpf/maps.bpf.h"
/* The program's own is constant, as the verifier wants it. */
static bool fake_has_bpf_loop;
#define has_bpf_loop fake_has_bpf_loop
static bool fake_statement_depth;
#define statement_depth fake_statement_depth

#define IO_SLOT_BITS 5
#define IO_STREAM_BITS 4
#include "bpf/io_maps.bpf.h"
static bool fake_has_block_io_start __attribute__((unused)) = true;
static __u64 fake_direct_end_io __attribute__((unused)), fake_chain_end_io __attribute__((unused));
#define has_block_io_start fake_has_block_io_start
#define direct_end_io fake_direct_end_io
#define chain_end_io fake_chain_end_io

#include "bpf/account.bpf.h"
#include "bpf/checkpoint.bpf.h"
#include "bpf/compat.bpf.h"
#include "bpf/engine.bpf.h"
#include "bpf/io.bpf.h"
#include "bpf/lock.bpf.h"
#include "bpf/memory.bpf.h"
#include "bpf/my_lock.bpf.h"
#include "bpf/pg.bpf.h"
#include "bpf/spent.bpf.h"
#include "bpf/statement.bpf.h"
#include "bpf/statement_end.bpf.h"
#include "bpf/task.bpf.h"
#include "bpf/text.bpf.h"

static const size_t fake_storage_size = sizeof(struct tap_task);

int on_sched_switch(bool preempt, struct task_struct *prev);
int on_tick(struct bpf_perf_event_data *ctx);
int on_sched_process_fork(struct task_struct *parent, struct task_struct *child);
int on_sched_process_exec(struct task_struct *task);
int adopt(struct bpf_iter__task *ctx);
int snapshot(struct bpf_iter__task *ctx);
int tell_locks(struct bpf_iter__task *ctx);
int on_end_command(struct pt_regs *ctx);
int on_error_cleanup(struct pt_regs *ctx);

#undef __noinline
#define __noinline
#define LICENSE fake_license_sched
#include "bpf/sched.bpf.c"
#undef LICENSE
#define LICENSE fake_license_tasks
#include "bpf/tasks.bpf.c"
#undef LICENSE
#define LICENSE fake_license_calls
#include "bpf/calls.bpf.c"
#undef LICENSE
#pragma GCC diagnostic pop

/* The rows for what full maps cannot keep, both parities, as userspace puts them in before the gate opens. */
static inline void fake_rest_add(__u32 instance)
{
	struct tap_account nothing = { 0 };
	struct tap_wait_total no_waits = { 0 };

	for (__u8 parity = 0; parity < 2; parity++) {
		struct tap_row_key key = { .instance = instance, .kind = TAP_KIND_REST, .parity = parity };
		struct tap_wait_key wait = { .row = key, .event = TAP_EVENT_ANY };

		bpf_map_update_elem(&row_to_account, &key, &nothing, BPF_ANY);
		bpf_map_update_elem(&row_to_wait, &wait, &no_waits, BPF_ANY);
	}
}

enum {
	FAKE_LOCK_SUMS = 4,
	FAKE_STATEMENTS = 4,
};

/* A fresh kernel with the gate open and no instance yet. */
static inline void fake_programs_init(size_t rows_max, size_t waits_max)
{
	struct tap_scratch no_scratch = { 0 };
	struct tap_task no_copy = { 0 };
	struct tap_checkpoints no_checkpoints = { 0 };
	__u32 zero = 0;

	fake_kernel_done();
	fake_map_add(&instances, sizeof(__u32), sizeof(struct tap_instance), 4);
	fake_map_add(&checkpoints, sizeof(__u32), sizeof(struct tap_checkpoints), 4);
	fake_map_add(&adopted, sizeof(__u32), sizeof(struct tap_adoption), 64);
	fake_map_add(&row_to_account, sizeof(struct tap_row_key), sizeof(struct tap_account), rows_max);
	fake_map_add(&row_to_wait, sizeof(struct tap_wait_key), sizeof(struct tap_wait_total), waits_max);
	fake_array_add(&statement_totals, sizeof(struct tap_statement_total), FAKE_STATEMENTS);
	fake_map_add(&row_to_statements, sizeof(struct tap_row_key), sizeof(__u32), FAKE_STATEMENTS);
	fake_map_add(&statement_errors, sizeof(struct tap_statement_error_key), sizeof(__u64), FAKE_STATEMENTS);
	fake_map_add(&row_to_peak, sizeof(struct tap_row_key), sizeof(__u64), rows_max);
	fake_map_add(&text_sent, sizeof(struct tap_text_key), sizeof(__u8), FAKE_ENTRIES);
	fake_array_add(&lock_sums, sizeof(struct tap_lock_sum), FAKE_LOCK_SUMS);
	fake_map_add(&lock_key_to_sum, sizeof(struct tap_lock_sum_key), sizeof(__u32), FAKE_LOCK_SUMS);
	fake_map_add(&scratch, sizeof(__u32), sizeof(struct tap_scratch), 1);
	fake_array_add(&my_templates, sizeof(struct tap_my_template), TAP_MY_TEMPLATES);
	fake_map_add(&snapshot_copy, sizeof(__u32), sizeof(struct tap_task), 1);
	bpf_map_update_elem(&scratch, &zero, &no_scratch, BPF_ANY);
	bpf_map_update_elem(&snapshot_copy, &zero, &no_copy, BPF_ANY);
	bpf_map_update_elem(&checkpoints, &zero, &no_checkpoints, BPF_ANY);
	memset(&checkpoints_running, 0, sizeof(checkpoints_running));
	memset(lock_untold_ns, 0, sizeof(lock_untold_ns));
	lock_woken_ns = lock_tell_due_ns = lock_long_due_ns = 0;
	lock_round = lock_sums_used = 0;
	statement_totals_used = statement_slowest = statement_round = 0;
	statement_hits = statement_slow_ns = 0;
	wall_ahead_ns = 0;
	fake_statement_depth = false;
	kernel.second_storage = &task_to_text;
	memset(losses, 0, sizeof(losses));
	memset(&clock_pair, 0, sizeof(clock_pair));
	fingerprint_count = fingerprint_ns = 0;
	snapshot_epoch = 0;
	fake_has_bpf_loop = true;
	gate_open = true;
	kernel.clock_ns = 1000000;
}

#endif
