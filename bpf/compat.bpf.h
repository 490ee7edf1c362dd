/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compat.bpf.h - one accessor per difference between kernels or machines.
 */
#ifndef TAP_BPF_COMPAT_BPF_H
#define TAP_BPF_COMPAT_BPF_H

#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>

/*
 * The system call a stopped thread is in. x86-64 keeps its number in orig_ax, arm64 in syscallno. -1: not to be had.
 * bpf_task_pt_regs is 5.15 (commit dd6e10fbd9fb), the floor.
 */
static __always_inline long task_syscall(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

#if defined(__TARGET_ARCH_x86)
	return (long)regs->orig_ax;
#elif defined(__TARGET_ARCH_arm64)
	return regs->syscallno;
#else
	return -1;
#endif
}

/* Numbers of the system calls in which PostgreSQL waits for its latch and sockets. */
static __always_inline bool is_epoll_wait(long number)
{
#if defined(__TARGET_ARCH_x86)
	return number == 232 || number == 281; /* epoll_wait, epoll_pwait */
#elif defined(__TARGET_ARCH_arm64)
	return number == 22; /* epoll_pwait */
#else
	return false;
#endif
}

#endif
