/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compat.bpf.h - one accessor per difference between kernels or machines.
 */
#ifndef TAP_BPF_COMPAT_BPF_H
#define TAP_BPF_COMPAT_BPF_H

#include "vmlinux/vmlinux.h"
#include <bpf/bpf_core_read.h>
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

/* The address that a thread's own storage is found by; 0: not to be had. */
static __always_inline __u64 task_thread_pointer(struct task_struct *task)
{
#if defined(__TARGET_ARCH_arm64)
	return task->thread.uw.tp_value;
#else
	return task->thread.fsbase;
#endif
}

/* What a thread that sleeps in a system call waits for, as far as the call tells. */
enum call_class {
	CALL_OTHER,
	CALL_NONE, /* in no system call: a fault */
	CALL_SOCKET,
	CALL_READ,
	CALL_WRITE,
	CALL_SYNC,
	CALL_FILE,
	CALL_ASYNC,
	CALL_FUTEX,
	CALL_MEMORY,
	CALL_TIMER,
};

static __always_inline enum call_class call_class_of(long number)
{
#if defined(__TARGET_ARCH_x86)
	switch (number) {
	case -1:
		return CALL_NONE;
	case 7:	  /* poll */
	case 23:  /* select */
	case 42:  /* connect */
	case 43:  /* accept */
	case 44:  /* sendto */
	case 45:  /* recvfrom */
	case 46:  /* sendmsg */
	case 47:  /* recvmsg */
	case 232: /* epoll_wait */
	case 270: /* pselect6 */
	case 271: /* ppoll */
	case 281: /* epoll_pwait */
	case 288: /* accept4 */
		return CALL_SOCKET;
	case 0:	  /* read */
	case 17:  /* pread64 */
	case 19:  /* readv */
	case 295: /* preadv */
		return CALL_READ;
	case 1:	  /* write */
	case 18:  /* pwrite64 */
	case 20:  /* writev */
	case 296: /* pwritev */
		return CALL_WRITE;
	case 26:  /* msync */
	case 74:  /* fsync */
	case 75:  /* fdatasync */
	case 162: /* sync */
	case 277: /* sync_file_range */
	case 306: /* syncfs */
		return CALL_SYNC;
	case 2:	  /* open */
	case 3:	  /* close */
	case 4:	  /* stat */
	case 76:  /* truncate */
	case 77:  /* ftruncate */
	case 82:  /* rename */
	case 87:  /* unlink */
	case 257: /* openat */
	case 285: /* fallocate */
		return CALL_FILE;
	case 208: /* io_getevents */
	case 209: /* io_submit */
	case 426: /* io_uring_enter */
		return CALL_ASYNC;
	case 202: /* futex */
		return CALL_FUTEX;
	case 9:	 /* mmap */
	case 10: /* mprotect */
	case 11: /* munmap */
	case 12: /* brk */
	case 28: /* madvise */
		return CALL_MEMORY;
	case 34:  /* pause */
	case 35:  /* nanosleep */
	case 128: /* rt_sigtimedwait */
	case 230: /* clock_nanosleep */
		return CALL_TIMER;
	}
#elif defined(__TARGET_ARCH_arm64)
	switch (number) {
	case -1:
		return CALL_NONE;
	case 22:  /* epoll_pwait */
	case 72:  /* pselect6 */
	case 73:  /* ppoll */
	case 202: /* accept */
	case 203: /* connect */
	case 206: /* sendto */
	case 207: /* recvfrom */
	case 211: /* sendmsg */
	case 212: /* recvmsg */
	case 242: /* accept4 */
		return CALL_SOCKET;
	case 63: /* read */
	case 65: /* readv */
	case 67: /* pread64 */
	case 69: /* preadv */
		return CALL_READ;
	case 64: /* write */
	case 66: /* writev */
	case 68: /* pwrite64 */
	case 70: /* pwritev */
		return CALL_WRITE;
	case 81:  /* sync */
	case 82:  /* fsync */
	case 83:  /* fdatasync */
	case 84:  /* sync_file_range */
	case 227: /* msync */
		return CALL_SYNC;
	case 35: /* unlinkat */
	case 38: /* renameat */
	case 45: /* truncate */
	case 46: /* ftruncate */
	case 47: /* fallocate */
	case 56: /* openat */
	case 57: /* close */
		return CALL_FILE;
	case 2:	  /* io_submit */
	case 4:	  /* io_getevents */
	case 426: /* io_uring_enter */
		return CALL_ASYNC;
	case 98: /* futex */
		return CALL_FUTEX;
	case 214: /* brk */
	case 215: /* munmap */
	case 222: /* mmap */
	case 226: /* mprotect */
	case 233: /* madvise */
		return CALL_MEMORY;
	case 101: /* nanosleep */
	case 115: /* clock_nanosleep */
	case 137: /* rt_sigtimedwait */
		return CALL_TIMER;
	}
#endif
	return CALL_OTHER;
}

/* How a system call says which part of a file it wants. */
enum read_call {
	READ_CALL_NONE,
	READ_CALL_PREAD,   /* (file, buffer, bytes, position) */
	READ_CALL_PREADV,  /* (file, pieces, number of pieces, position) */
	READ_CALL_FADVISE, /* (file, position, bytes, advice) */
};

static __always_inline enum read_call read_call_of(long number)
{
#if defined(__TARGET_ARCH_x86)
	if (number == 17)
		return READ_CALL_PREAD;
	if (number == 295 || number == 327)
		return READ_CALL_PREADV; /* preadv, preadv2 */
	return number == 221 ? READ_CALL_FADVISE : READ_CALL_NONE;
#elif defined(__TARGET_ARCH_arm64)
	if (number == 67)
		return READ_CALL_PREAD;
	if (number == 69 || number == 286)
		return READ_CALL_PREADV;
	return number == 223 ? READ_CALL_FADVISE : READ_CALL_NONE;
#else
	return READ_CALL_NONE;
#endif
}

/* The second to fourth arguments of the system call a thread is in. */
struct syscall_arguments {
	__u64 second;
	__u64 third;
	__u64 fourth;
};

static __always_inline void task_syscall_arguments(struct task_struct *task, struct syscall_arguments *ret)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

#if defined(__TARGET_ARCH_x86)
	ret->second = regs->si;
	ret->third = regs->dx;
	ret->fourth = regs->r10;
#elif defined(__TARGET_ARCH_arm64)
	ret->second = regs->user_regs.regs[1];
	ret->third = regs->user_regs.regs[2];
	ret->fourth = regs->user_regs.regs[3];
#else
	ret->second = ret->third = ret->fourth = 0;
#endif
}

/* Numbers that kernels gave new values: request flags became an enumeration in 6.11 (commit 5f89154e8e9e). */
enum rqf_flags {
	__RQF_FLUSH_SEQ,
};

static __always_inline __u32 flag_flush_sequence(void)
{
	if (bpf_core_enum_value_exists(enum rqf_flags, __RQF_FLUSH_SEQ))
		return 1u << bpf_core_enum_value(enum rqf_flags, __RQF_FLUSH_SEQ);
	return 1u << 4;
}

/*
 * What tells a tail page from others: bit 0 of this word. Renamed in 7.x, where the rest may be a mask that makes the
 * head's address of the tail's, instead of that address itself.
 */
static __always_inline __u64 page_compound_word(const void *page)
{
	unsigned long word = 0;

	if (bpf_core_field_exists(struct page___head, compound_head))
		bpf_core_read(&word, sizeof(word), &((const struct page___head *)page)->compound_head);
	else if (bpf_core_field_exists(struct page___info, compound_info))
		bpf_core_read(&word, sizeof(word), &((const struct page___info *)page)->compound_info);
	return word;
}

static __always_inline __u64 page_head(__u64 page, __u64 word)
{
	if (!(word & 1))
		return page;
	/* No address of the page array has 32 leading ones on x86-64 or arm64. */
	return word >> 32 == 0xffffffff ? page & word : word - 1;
}

/*
 * Lets the verifier take an address for a pointer to a kernel type, so that what it points to is loaded, not copied by
 * a helper. 6.2 (commit a35b9af4ec2c), so wherever block_io_start is.
 */
extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym __weak;

#define CAST_KERNEL(address, type) \
	((const type *)bpf_rdonly_cast((const void *)(address), bpf_core_type_id_kernel(type)))

/* Before folios, 5.16 (commit 7b230db3b8d3), the index is the page's; in 6.16 it left struct page. */
static __always_inline __u64 page_index(const void *head)
{
	unsigned long index = 0;

	if (bpf_core_field_exists(struct folio, index))
		bpf_core_read(&index, sizeof(index), &((const struct folio *)head)->index);
	else if (bpf_core_field_exists(struct page___index, index))
		bpf_core_read(&index, sizeof(index), &((const struct page___index *)head)->index);
	return index;
}

/* Pages of a folio: _folio_nr_pages in 5.18 (commit 46de8b979492), _nr_pages from 6.15 on; before: one. */
enum pageflags {
	PG_head,
};

static __always_inline __u32 folio_pages(const void *folio)
{
	unsigned long flags = 0;
	__u32 pages = 1;

	/* The flags are first, of a plain or of a wrapped type. */
	bpf_probe_read_kernel(&flags, sizeof(flags), folio);
	if (!(flags >> bpf_core_enum_value(enum pageflags, PG_head) & 1))
		return 1;
	if (bpf_core_field_exists(struct folio___nr, _nr_pages))
		bpf_core_read(&pages, sizeof(pages), &((const struct folio___nr *)folio)->_nr_pages);
	else if (bpf_core_field_exists(struct folio___pages, _folio_nr_pages))
		bpf_core_read(&pages, sizeof(pages), &((const struct folio___pages *)folio)->_folio_nr_pages);
	return pages;
}

/* Where a dentry is linked into its inode's list: in a union that lost its name in 7.x. */
static __always_inline __u64 dentry_alias_offset(void)
{
	if (bpf_core_field_exists(struct dentry___named, d_u.d_alias))
		return bpf_core_field_offset(struct dentry___named, d_u.d_alias);
	return bpf_core_field_offset(struct dentry___plain, d_alias);
}

#endif
