/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * task.bpf.h - what is read of the kernel's task_struct, for switches and iterators alike.
 */
#ifndef TAP_BPF_TASK_BPF_H
#define TAP_BPF_TASK_BPF_H

#include "vmlinux/vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi/task.h"

/* Plain loads: the verifier knows a trusted task_struct, and a faulting load gives 0. */
static __always_inline void counters_read(struct tap_counters *ret, struct task_struct *task)
{
	ret->sum_exec_ns = task->se.sum_exec_runtime;
	ret->run_delay_ns = task->sched_info.run_delay;
	ret->minor_faults = task->min_flt;
	ret->major_faults = task->maj_flt;
	ret->rchar_bytes = task->ioac.rchar;
	ret->wchar_bytes = task->ioac.wchar;
	ret->read_bytes = task->ioac.read_bytes;
	ret->dirtied_bytes = task->ioac.write_bytes;
}

/* The pid a process has in its own, innermost namespace: the one its database knows. */
static __always_inline __s32 namespace_pid(struct task_struct *task)
{
	struct pid *pid = task->thread_pid;
	__u32 level = pid->level;
	__s32 number = 0;

	if (level > 32)
		return 0;
	/* The array's own stride: here its elements have fewer members than the kernel's. */
	bpf_probe_read_kernel(&number, sizeof(number),
			      (const char *)&pid->numbers[0].nr + level * bpf_core_type_size(struct upid));
	return number;
}

#endif
