/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * read_call.bpf.h - what the system call that a thread is in asks of a file, and whether that goes on from its last
 * one.
 */
#ifndef TAP_BPF_READ_CALL_BPF_H
#define TAP_BPF_READ_CALL_BPF_H

#include "bpf/account.bpf.h"
#include "bpf/compat.bpf.h"
#include "bpf/io_maps.bpf.h"

/* Bytes that two ranges share. */
static __always_inline __u64 overlap_bytes(__u64 begin, __u64 bytes, __u64 other, __u64 other_bytes)
{
	__u64 from = begin > other ? begin : other;
	__u64 to = begin + bytes < other + other_bytes ? begin + bytes : other + other_bytes;

	return from < to ? to - from : 0;
}

TAP_LOCAL __u64 pieces_bytes(__u64 address, __u64 count)
{
	struct io_scratch *space;
	__u64 bytes = 0;
	__u32 zero = 0;

	space = bpf_map_lookup_elem(&io_space, &zero);
	if (!space)
		return 0;
	if (count > IO_PIECES_MAX)
		count = IO_PIECES_MAX;
	barrier_var(count);
	if (bpf_probe_read_user(space->pieces, count * sizeof(struct io_piece) & (sizeof(space->pieces) * 2 - 1),
				(const void *)address))
		return 0;
	for (__u32 i = 0; i < IO_PIECES_MAX && i < count; i++)
		bytes += space->pieces[i].bytes;
	return bytes;
}

/*
 * How much of [begin, begin + bytes) the system call that the thread is in has asked for, and where it asked from, plus
 * one; *ret_call stays as it is when it is no read call.
 */
TAP_GLOBAL __u32 asked_bytes(__u64 begin, __u32 bytes, __u64 *ret_call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscall_arguments arguments;

	if (!ret_call)
		return 0;
	switch (read_call_of(task_syscall(task))) {
	case READ_CALL_PREAD:
		task_syscall_arguments(task, &arguments);
		*ret_call = arguments.fourth + 1;
		return overlap_bytes(begin, bytes, arguments.fourth, arguments.third);
	case READ_CALL_PREADV:
		task_syscall_arguments(task, &arguments);
		*ret_call = arguments.fourth + 1;
		return overlap_bytes(begin, bytes, arguments.fourth, pieces_bytes(arguments.second, arguments.third));
	case READ_CALL_FADVISE:
		task_syscall_arguments(task, &arguments);
		return overlap_bytes(begin, bytes, arguments.second, arguments.third);
	default:
		return 0;
	}
}

/*
 * Whether the read call that the thread is in, which asks from `begin`, goes on where the last one ended. The kernel
 * keeps that with every open file, wherever what was read came from: so it is known of one who reads in order what
 * others have already read, too.
 */
TAP_GLOBAL int read_call_goes_on(__u64 begin)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscall_arguments arguments;
	const struct files_struct *opened = task->files;
	const struct file *file = NULL;
	const struct fdtable *table;
	__s64 end = 0;

	task_syscall_arguments(task, &arguments);
	if (!opened)
		return 0;
	table = opened->fdt;
	if (arguments.first >= table->max_fds ||
	    bpf_probe_read_kernel(&file, sizeof(file), table->fd + arguments.first) || !file ||
	    bpf_core_read(&end, sizeof(end), &file->f_ra.prev_pos))
		return 0;
	return end > 0 && begin >= (__u64)end && begin - (__u64)end <= TAP_STREAM_GAP;
}

#endif
