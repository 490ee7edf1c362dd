/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel.h - a kernel small enough for a unit test: the types, helpers and maps that dbtap's BPF programs use, on the
 * host.
 *
 * It takes the place of vmlinux/vmlinux.h and of libbpf's headers by their include guards, so the programs' own sources
 * compile unchanged. One per program: everything here is static. The maps' tables come with programs.h.
 */
#ifndef TAP_TESTS_UNIT_BPF_FAKE_KERNEL_H
#define TAP_TESTS_UNIT_BPF_FAKE_KERNEL_H

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The headers that must not come in. */
#define TAP_VMLINUX_H
#define __BPF_HELPERS__
#define __BPF_TRACING_H__
#define __BPF_CORE_READ_H__
#define __TARGET_ARCH_x86

#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000
#define TASK_RUNNING 0x00000000
#define TASK_INTERRUPTIBLE 0x00000001
#define TASK_DEAD 0x00000080

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_MMAPABLE = 1024,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

#define SEC(name) __attribute__((unused))
#define __weak __attribute__((unused))
/* Also keeps functions meant for other files from wanting a prototype. programs.h takes it back for the programs. */
#define __noinline static inline
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define __uint(name, number) int(*name)[number]
#define __type(name, of) of *name
#define barrier_var(variable) __asm__ volatile("" : "+r"(variable))
#define barrier() __asm__ volatile("" : : : "memory")
#define BPF_PROG(name, ...) name(__VA_ARGS__)

/* Here every member and value is there. */
#define bpf_core_field_exists(type, member) (sizeof(((type *)NULL)->member) > 0)
#define bpf_core_field_offset(type, member) __builtin_offsetof(type, member)
#define bpf_core_type_id_kernel(type) 0
#define __ksym
#define bpf_core_type_size(type) sizeof(type)
#define bpf_core_enum_value_exists(type, value) ((void)(value), true)
#define bpf_core_enum_value(type, value) (value)

#define pt_regs fake_pt_regs
struct fake_pt_regs {
	unsigned long r10;
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long orig_ax;
};

struct sched_entity {
	__u64 sum_exec_runtime;
};

struct sched_info {
	unsigned long long run_delay;
	unsigned long long last_arrival;
	unsigned long long last_queued;
};

struct task_io_accounting {
	__u64 rchar;
	__u64 wchar;
	__u64 read_bytes;
	__u64 write_bytes;
};

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[2];
};

/* Both machines' members, for whichever the programs are compiled for. */
struct fake_thread {
	unsigned long fsbase;
	struct {
		unsigned long tp_value;
	} uw;
};

struct percpu_counter {
	long long count;
};

struct mm_struct {
	struct percpu_counter rss_stat[4];
};

/* As kernels before 6.2 have it; not used here. */
struct mm_struct___split {
	struct {
		struct {
			long counter;
		} count[4];
	} rss_stat;
};

struct task_struct___split {
	struct {
		int count[4];
	} rss_stat;
};

struct task_struct {
	unsigned int __state;
	unsigned int flags;
	int on_cpu;
	struct sched_entity se;
	struct sched_info sched_info;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	unsigned long min_flt;
	unsigned long maj_flt;
	struct task_io_accounting ioac;
	struct files_struct *files;
	struct mm_struct *mm;
	struct fake_thread thread;
	struct fake_pt_regs regs;
	void *storage; /* value of task_to_account; NULL: none */
	bool storage_is_full;
};

/* What the iterators write. */
struct seq_file {
	char bytes[64 * 1024];
	size_t size;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *key;
};

struct bpf_perf_event_data;

/* --- files, pages and block requests; one type for what kernels name differently --- */

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	__u32 i_rdev;
	__s64 i_size;
	__u32 i_generation;
	struct hlist_head i_dentry;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	union {
		struct hlist_node d_alias;
	} d_u;
	struct hlist_node d_alias; /* where 7.x has it; not used here */
};
#define dentry___named dentry
#define dentry___plain dentry

struct file_ra_state {
	__s64 prev_pos;
};

struct file {
	struct inode *f_inode;
	struct file_ra_state f_ra;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct kiocb {
	struct file *ki_filp;
	__s64 ki_pos;
};

struct iomap_dio {
	struct kiocb *iocb;
	__s64 size;
};

struct address_space {
	struct inode *host;
};

#define FAKE_PAGE_MEMBERS \
	unsigned long flags; \
	unsigned long compound_head; \
	unsigned long compound_info; /* not used here */ \
	struct address_space *mapping; \
	unsigned long index; \
	unsigned int _nr_pages; \
	unsigned int _folio_nr_pages; \
	unsigned long pad[2];

struct page {
	FAKE_PAGE_MEMBERS
};

struct folio {
	FAKE_PAGE_MEMBERS
};
#define page___head page
#define page___info page
#define page___index page
#define folio___nr folio
#define folio___pages folio

struct gendisk {
	int major;
	int first_minor;
};

struct block_device {
	struct gendisk *bd_disk;
	__u32 bd_dev;
};

struct bvec_iter {
	__u64 bi_sector;
	unsigned int bi_size;
	unsigned int bi_idx;
	unsigned int bi_bvec_done;
};

struct bio_vec;

struct bio {
	struct bio *bi_next;
	struct block_device *bi_bdev;
	unsigned int bi_opf;
	struct bvec_iter bi_iter;
	void *bi_end_io;
	void *bi_private;
	struct bio_vec *bi_io_vec;
};

struct request_queue {
	struct gendisk *disk;
};

struct request {
	struct request_queue *q;
	unsigned int rq_flags;
	unsigned int __data_len;
	struct bio *bio;
	struct bio *biotail;
	struct {
		int counter;
	} ref;
};

enum {
	FAKE_MEMORY = 4096, /* bytes of a process's memory */
	FAKE_MAPS = 24,
	FAKE_ENTRIES = 2048, /* most of one map */
};

static const __u64 FAKE_MEMORY_START = 0x10000;

/* A map as a list; no test has enough entries for that to matter. */
struct fake_map {
	const void *identity; /* address of the program's own map variable */
	size_t key_size;
	size_t value_size;
	size_t max;
	size_t count;
	char *keys;
	char *values;
};

/* Everything that is not in the programs' own globals. */
struct fake_kernel {
	__u64 clock_ns;
	struct task_struct *current;
	char *memory; /* FAKE_MEMORY bytes of the process that runs, seen from FAKE_MEMORY_START on */
	unsigned user_reads;
	bool memory_is_gone;	    /* every read of user memory fails */
	const void *second_storage; /* the other storage map, one value for all: texts of uprobes */
	char second[4096];
	struct fake_map maps[FAKE_MAPS];
	size_t n_maps;
	struct {
		char bytes[20000];
		unsigned sent;
		bool full;
		__u64 size; /* of the record that was reserved last */
	} ring;
	/* Called as a record is asked for, and with each that is sent. */
	void (*on_reserve)(void);
	void (*on_submit)(const void *event, __u64 size, __u64 flags);
	/* Called between the copy of a thread's accumulators and what follows it, and at each read of user memory. */
	void (*after_kernel_read)(void);
	void (*before_user_read)(void);
};

static struct fake_kernel kernel;

/* Size of a task's storage, known once the programs are. */
static const size_t fake_storage_size;

static inline struct fake_map *fake_map_of(const void *identity)
{
	for (size_t i = 0; i < kernel.n_maps; i++) {
		if (kernel.maps[i].identity == identity)
			return &kernel.maps[i];
	}
	abort(); /* a map that programs.h does not know */
}

static inline void fake_map_add(const void *identity, size_t key_size, size_t value_size, size_t max)
{
	struct fake_map *map = &kernel.maps[kernel.n_maps++];

	if (kernel.n_maps > FAKE_MAPS || max > FAKE_ENTRIES)
		abort();
	*map = (struct fake_map){ .identity = identity, .key_size = key_size, .value_size = value_size, .max = max };
	map->keys = calloc(max, key_size);
	map->values = calloc(max, value_size);
}

static inline void fake_kernel_done(void)
{
	for (size_t i = 0; i < kernel.n_maps; i++) {
		free(kernel.maps[i].keys);
		free(kernel.maps[i].values);
	}
	memset(&kernel, 0, sizeof(kernel));
}

static inline void *bpf_map_lookup_elem(const void *identity, const void *key)
{
	struct fake_map *map = fake_map_of(identity);

	for (size_t i = 0; i < map->count; i++) {
		if (!memcmp(map->keys + i * map->key_size, key, map->key_size))
			return map->values + i * map->value_size;
	}
	return NULL;
}

static inline long bpf_map_update_elem(const void *identity, const void *key, const void *value, __u64 flags)
{
	struct fake_map *map = fake_map_of(identity);
	char *place = bpf_map_lookup_elem(identity, key);

	if (place && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!place) {
		if (map->count == map->max)
			return -E2BIG;
		memcpy(map->keys + map->count * map->key_size, key, map->key_size);
		place = map->values + map->count++ * map->value_size;
	}
	memcpy(place, value, map->value_size);
	return 0;
}

/* An array: all of its entries are there, zeroed. */
static inline void fake_array_add(const void *identity, size_t value_size, __u32 entries)
{
	void *nothing = calloc(1, value_size);

	fake_map_add(identity, sizeof(__u32), value_size, entries);
	for (__u32 i = 0; i < entries; i++)
		bpf_map_update_elem(identity, &i, nothing, BPF_ANY);
	free(nothing);
}

static inline long bpf_map_delete_elem(const void *identity, const void *key)
{
	struct fake_map *map = fake_map_of(identity);
	char *place = bpf_map_lookup_elem(identity, key);
	size_t at, last;

	if (!place)
		return -ENOENT;
	at = (size_t)(place - map->values) / map->value_size;
	last = --map->count;
	memmove(map->keys + at * map->key_size, map->keys + last * map->key_size, map->key_size);
	memmove(map->values + at * map->value_size, map->values + last * map->value_size, map->value_size);
	return 0;
}

static inline long fake_user_read(void *to, __u32 size, const void *from)
{
	__u64 address = (__u64)(uintptr_t)from;

	if (kernel.before_user_read)
		kernel.before_user_read();
	kernel.user_reads++;
	memset(to, 0, size);
	if (!kernel.memory || kernel.memory_is_gone || address < FAKE_MEMORY_START || size > FAKE_MEMORY ||
	    address - FAKE_MEMORY_START > FAKE_MEMORY - size)
		return -EFAULT;
	memcpy(to, kernel.memory + (address - FAKE_MEMORY_START), size);
	return 0;
}

static inline long bpf_probe_read_user(void *to, __u32 size, const void *from)
{
	return fake_user_read(to, size, from);
}

static inline long bpf_probe_read_user_str(void *to, __u32 size, const void *from)
{
	char *text = to;

	for (__u32 i = 0; i < size; i++) {
		if (fake_user_read(&text[i], 1, (const char *)from + i))
			return -EFAULT;
		if (!text[i])
			return i + 1;
	}
	text[size - 1] = '\0';
	return size;
}

static inline long bpf_probe_read_kernel(void *to, __u32 size, const void *from)
{
	if ((uintptr_t)from < FAKE_MEMORY_START)
		return -EFAULT;
	memcpy(to, from, size);
	if (kernel.after_kernel_read)
		kernel.after_kernel_read();
	return 0;
}

/* What is near 0 is no address. */
static inline long bpf_core_read(void *to, __u32 size, const void *from)
{
	memset(to, 0, size);
	if ((uintptr_t)from < FAKE_MEMORY_START)
		return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

static inline long bpf_probe_read_kernel_str(char *to, __u32 size, const void *from)
{
	size_t length;

	if ((uintptr_t)from < FAKE_MEMORY_START)
		return -EFAULT;
	length = strnlen(from, size - 1);
	memcpy(to, from, length);
	to[length] = '\0';
	return (long)length + 1;
}

/* Types mean nothing here; the programs declare it once more, which leaves it as it is. */
static inline void *bpf_rdonly_cast(const void *address, __u32 type)
{
	(void)type;
	return (void *)address;
}

static inline __u64 bpf_ktime_get_ns(void)
{
	return kernel.clock_ns;
}

/* All threads are called like the server. */
static inline long bpf_get_current_comm(void *to, __u32 size)
{
	memset(to, 0, size);
	memcpy(to, "mariadbd", sizeof("mariadbd"));
	return 0;
}

static inline struct task_struct *bpf_get_current_task_btf(void)
{
	return kernel.current;
}

static inline long bpf_task_pt_regs(struct task_struct *task)
{
	return (long)&task->regs;
}

/* The storage map of these programs, and the one for texts. */
static inline void *bpf_task_storage_get(const void *identity, struct task_struct *task, const void *value, __u64 flags)
{
	(void)value;
	if (identity == kernel.second_storage)
		return kernel.second;
	if (!task->storage && flags == BPF_LOCAL_STORAGE_GET_F_CREATE && !task->storage_is_full)
		task->storage = calloc(1, fake_storage_size);
	return task->storage;
}

static inline long bpf_loop(__u32 count, long (*step)(__u32, void *), void *context, __u64 flags)
{
	(void)flags;
	for (__u32 i = 0; i < count; i++) {
		if (step(i, context))
			return i + 1;
	}
	return count;
}

static inline void *bpf_ringbuf_reserve(const void *ring, __u64 size, __u64 flags)
{
	(void)ring;
	(void)flags;
	if (kernel.on_reserve)
		kernel.on_reserve();
	kernel.ring.size = size;
	return kernel.ring.full || size > sizeof(kernel.ring.bytes) ? NULL : kernel.ring.bytes;
}

static inline void bpf_ringbuf_submit(const void *event, __u64 flags)
{
	kernel.ring.sent++;
	if (kernel.on_submit)
		kernel.on_submit(event, kernel.ring.size, flags);
}

static inline void bpf_ringbuf_discard(const void *event, __u64 flags)
{
	(void)event;
	(void)flags;
}

static inline long bpf_seq_write(struct seq_file *seq, const void *bytes, __u32 size)
{
	if (size > sizeof(seq->bytes) - seq->size)
		return -EOVERFLOW;
	memcpy(seq->bytes + seq->size, bytes, size);
	seq->size += size;
	return 0;
}

#endif
