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

/* By the number of the system call. */
static const __u8 call_classes[] = {
#if defined(__TARGET_ARCH_x86)
	[0] = CALL_READ,     /* read */
	[1] = CALL_WRITE,    /* write */
	[2] = CALL_FILE,     /* open */
	[3] = CALL_FILE,     /* close */
	[4] = CALL_FILE,     /* stat */
	[7] = CALL_SOCKET,   /* poll */
	[9] = CALL_MEMORY,   /* mmap */
	[10] = CALL_MEMORY,  /* mprotect */
	[11] = CALL_MEMORY,  /* munmap */
	[12] = CALL_MEMORY,  /* brk */
	[17] = CALL_READ,    /* pread64 */
	[18] = CALL_WRITE,   /* pwrite64 */
	[19] = CALL_READ,    /* readv */
	[20] = CALL_WRITE,   /* writev */
	[23] = CALL_SOCKET,  /* select */
	[26] = CALL_SYNC,    /* msync */
	[28] = CALL_MEMORY,  /* madvise */
	[34] = CALL_TIMER,   /* pause */
	[35] = CALL_TIMER,   /* nanosleep */
	[42] = CALL_SOCKET,  /* connect */
	[43] = CALL_SOCKET,  /* accept */
	[44] = CALL_SOCKET,  /* sendto */
	[45] = CALL_SOCKET,  /* recvfrom */
	[46] = CALL_SOCKET,  /* sendmsg */
	[47] = CALL_SOCKET,  /* recvmsg */
	[74] = CALL_SYNC,    /* fsync */
	[75] = CALL_SYNC,    /* fdatasync */
	[76] = CALL_FILE,    /* truncate */
	[77] = CALL_FILE,    /* ftruncate */
	[82] = CALL_FILE,    /* rename */
	[87] = CALL_FILE,    /* unlink */
	[128] = CALL_TIMER,  /* rt_sigtimedwait */
	[162] = CALL_SYNC,   /* sync */
	[202] = CALL_FUTEX,  /* futex */
	[208] = CALL_ASYNC,  /* io_getevents */
	[209] = CALL_ASYNC,  /* io_submit */
	[230] = CALL_TIMER,  /* clock_nanosleep */
	[232] = CALL_SOCKET, /* epoll_wait */
	[257] = CALL_FILE,   /* openat */
	[270] = CALL_SOCKET, /* pselect6 */
	[271] = CALL_SOCKET, /* ppoll */
	[277] = CALL_SYNC,   /* sync_file_range */
	[281] = CALL_SOCKET, /* epoll_pwait */
	[285] = CALL_FILE,   /* fallocate */
	[288] = CALL_SOCKET, /* accept4 */
	[295] = CALL_READ,   /* preadv */
	[296] = CALL_WRITE,  /* pwritev */
	[306] = CALL_SYNC,   /* syncfs */
	[426] = CALL_ASYNC,  /* io_uring_enter */
#elif defined(__TARGET_ARCH_arm64)
	[2] = CALL_ASYNC,    /* io_submit */
	[4] = CALL_ASYNC,    /* io_getevents */
	[22] = CALL_SOCKET,  /* epoll_pwait */
	[35] = CALL_FILE,    /* unlinkat */
	[38] = CALL_FILE,    /* renameat */
	[45] = CALL_FILE,    /* truncate */
	[46] = CALL_FILE,    /* ftruncate */
	[47] = CALL_FILE,    /* fallocate */
	[56] = CALL_FILE,    /* openat */
	[57] = CALL_FILE,    /* close */
	[63] = CALL_READ,    /* read */
	[64] = CALL_WRITE,   /* write */
	[65] = CALL_READ,    /* readv */
	[66] = CALL_WRITE,   /* writev */
	[67] = CALL_READ,    /* pread64 */
	[68] = CALL_WRITE,   /* pwrite64 */
	[69] = CALL_READ,    /* preadv */
	[70] = CALL_WRITE,   /* pwritev */
	[72] = CALL_SOCKET,  /* pselect6 */
	[73] = CALL_SOCKET,  /* ppoll */
	[81] = CALL_SYNC,    /* sync */
	[82] = CALL_SYNC,    /* fsync */
	[83] = CALL_SYNC,    /* fdatasync */
	[84] = CALL_SYNC,    /* sync_file_range */
	[98] = CALL_FUTEX,   /* futex */
	[101] = CALL_TIMER,  /* nanosleep */
	[115] = CALL_TIMER,  /* clock_nanosleep */
	[137] = CALL_TIMER,  /* rt_sigtimedwait */
	[202] = CALL_SOCKET, /* accept */
	[203] = CALL_SOCKET, /* connect */
	[206] = CALL_SOCKET, /* sendto */
	[207] = CALL_SOCKET, /* recvfrom */
	[211] = CALL_SOCKET, /* sendmsg */
	[212] = CALL_SOCKET, /* recvmsg */
	[214] = CALL_MEMORY, /* brk */
	[215] = CALL_MEMORY, /* munmap */
	[222] = CALL_MEMORY, /* mmap */
	[226] = CALL_MEMORY, /* mprotect */
	[227] = CALL_SYNC,   /* msync */
	[233] = CALL_MEMORY, /* madvise */
	[242] = CALL_SOCKET, /* accept4 */
	[426] = CALL_ASYNC,  /* io_uring_enter */
#else
	[0] = CALL_OTHER,
#endif
};

static __always_inline enum call_class call_class_of(long number)
{
	if (number == -1)
		return CALL_NONE;
	return number >= 0 && number < (long)sizeof(call_classes) ? call_classes[number] : CALL_OTHER;
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

/* The first four arguments of the system call a thread is in. */
struct syscall_arguments {
	__u64 first;
	__u64 second;
	__u64 third;
	__u64 fourth;
};

static __always_inline void task_syscall_arguments(struct task_struct *task, struct syscall_arguments *ret)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

#if defined(__TARGET_ARCH_x86)
	ret->first = regs->di;
	ret->second = regs->si;
	ret->third = regs->dx;
	ret->fourth = regs->r10;
#elif defined(__TARGET_ARCH_arm64)
	ret->first = regs->user_regs.regs[0];
	ret->second = regs->user_regs.regs[1];
	ret->third = regs->user_regs.regs[2];
	ret->fourth = regs->user_regs.regs[3];
#else
	ret->first = ret->second = ret->third = ret->fourth = 0;
#endif
}

/*
 * Pages of private memory that a task's process holds. Since 6.2 (commit f1a7941243c1) each CPU keeps up to 32 of them
 * to itself (on hosts of more than 16 CPUs twice as many as CPUs), before that each thread up to 64.
 */
enum {
	MM_ANONPAGES = 1,
};

static __always_inline __s64 task_anon_pages(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	__s64 pages = 0;
	long shared = 0;
	int own = 0;

	if (!mm)
		return 0;
	if (bpf_core_field_exists(struct mm_struct, rss_stat[0].count)) {
		pages = mm->rss_stat[MM_ANONPAGES].count;
	} else if (bpf_core_field_exists(struct mm_struct___split, rss_stat.count)) {
		bpf_core_read(&shared, sizeof(shared),
			      &((const struct mm_struct___split *)mm)->rss_stat.count[MM_ANONPAGES].counter);
		if (bpf_core_field_exists(struct task_struct___split, rss_stat.count))
			bpf_core_read(&own, sizeof(own),
				      &((const struct task_struct___split *)task)->rss_stat.count[MM_ANONPAGES]);
		pages = (__s64)shared + own;
	}
	return pages > 0 ? pages : 0;
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
