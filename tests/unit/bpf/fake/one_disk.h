/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * one_disk.h - the fixture of the tests of the block programs: one disk, two files on it, and who reads and writes
 * them: one backend of one instance, another process, a kernel thread. Static: one program, one disk.
 */
#ifndef TAP_TESTS_UNIT_BPF_FAKE_ONE_DISK_H
#define TAP_TESTS_UNIT_BPF_FAKE_ONE_DISK_H

#include "tests/unit/bpf/fake/block.h"

#include <check.h>

#include "correlate/io.h"

enum {
	DATABASE = 5,
	USER = 10,
	PAGE = FAKE_PAGE_BYTES,
	SYSCALL_PREAD = 17,
	SYSCALL_PREADV = 295,
	DIRECT_END_IO = 0x1234560,
	CHAIN_END_IO = 0x7654320,
	KERNEL_PID = 77,
	OTHER_PID = 4000,
};

static const char *const relation_names[] = { "16384", "5", "base", "data", "/", NULL };

static struct pg_process postmaster, backend, other, kworker;
static struct fake_file relation, second;
static struct fake_request request;

static inline void start_with(size_t totals_max)
{
	struct tap_instance instance = pg_instance();
	__u32 zero = 0;

	fake_programs_init(FAKE_ENTRIES, FAKE_ENTRIES);
	fake_block_init(totals_max);
	bpf_map_update_elem(&instances, &zero, &instance, BPF_ANY);
	pg_postmaster_init(&postmaster);
	pg_fork(&postmaster, &backend, 200);
	pg_arrive(&backend);
	pg_process_init(&other, OTHER_PID);
	pg_process_init(&kworker, KERNEL_PID);
	kworker.task.flags |= PF_KTHREAD;
	fake_file_init(&relation, 5000, relation_names);
	fake_file_init(&second, 6000, relation_names);
	kernel.current = &other.task;
	kernel.memory = other.memory;
}

static inline void set_up(void)
{
	start_with(64);
}

static inline void tear_down(void)
{
	pg_process_done(&backend);
	pg_process_done(&postmaster);
	pg_process_done(&other);
	fake_kernel_done();
}

static inline void runs(struct pg_process *process)
{
	kernel.current = &process->task;
	kernel.memory = process->memory;
}

/* A client in a statement that its last boundary knows. */
static inline void client_runs(__u64 query_id)
{
	pg_login(&backend, PG_TYPE_CLIENT, DATABASE, USER);
	pg_cpu(&backend, 100);
	pg_sleep_for(&backend, TAP_PG_CLIENT_READ, 1000, 0);
	pg_report_running(&backend, "select 1");
	pg_report_query_id(&backend, query_id);
	pg_cpu(&backend, 10);
	pg_tick(&backend);
	runs(&backend);
}

static inline void submitted(struct fake_request *of, __u64 wait_ns)
{
	on_block_io_start(&of->rq);
	clock_advance(wait_ns);
}

static inline void issued(struct fake_request *of, __u64 device_ns)
{
	on_block_rq_issue(&of->rq);
	clock_advance(device_ns);
}

/* A whole request: 300 ns until it is issued, 5,000 ns on the disk. */
static inline void passes(struct fake_request *of)
{
	submitted(of, 300);
	issued(of, 5000);
	on_block_rq_complete(&of->rq, 0, of->rq.__data_len);
}

static inline struct tap_io_key key_of(__u8 kind, __u64 query_id, const struct fake_file *file, __u8 op)
{
	bool traced = kind != TAP_KIND_OTHER && kind != TAP_KIND_KERNEL && kind != TAP_KIND_REST;
	struct tap_io_key key = { .row = { .instance = traced ? 0 : TAP_INSTANCE_NONE,
					   .kind = kind,
					   .source = query_id ? TAP_QUERY_ID_ENGINE : TAP_QUERY_ID_NONE,
					   .database = traced ? DATABASE : 0,
					   .user = traced ? USER : 0,
					   .query_id = query_id },
				  .file = { .inode = file ? file->inode.i_ino : 0,
					    .device = FAKE_PARTITION,
					    .generation = file ? file->inode.i_generation : 0 },
				  .disk = FAKE_DISK,
				  .op = op };

	return key;
}

static inline const struct tap_io_total *total_at(__u32 index)
{
	return bpf_map_lookup_elem(&io_totals, &index);
}

/* A row's sums as they are now. */
static inline struct tap_io total(__u8 kind, __u64 query_id, const struct fake_file *file, __u8 op)
{
	struct tap_io_key key = key_of(kind, query_id, file, op);
	const __u32 *index = bpf_map_lookup_elem(&io_key_to_total, &key);
	struct tap_io io;

	ck_assert_msg(index, "no totals of kind %d, id %llu, op %d", kind, query_id, op);
	ck_assert_mem_eq(&total_at(*index)->key, &key, sizeof(key));
	tap_io_of_total(&io, total_at(*index));
	return io;
}

static inline __u64 bytes_of_all(void)
{
	__u64 bytes = 0;
	struct tap_io io;

	for (__u32 i = 0; i < io_totals_used; i++) {
		tap_io_of_total(&io, total_at(i));
		bytes += io.bytes;
	}
	return bytes;
}

/* The place of the positions that the other process reads a file from. */
static inline const struct tap_stream_place *place(const struct fake_file *file, __u32 owner)
{
	struct tap_stream_key key = { .file = key_of(TAP_KIND_OTHER, 0, file, 0).file, .owner = owner };
	const struct tap_stream_place *found = NULL;

	for (__u32 i = 0; i < IO_STREAM_PLACES; i++) {
		const struct tap_stream_place *at = bpf_map_lookup_elem(&stream_places, &i);

		if (memcmp(&at->key, &key, sizeof(key)))
			continue;
		ck_assert_ptr_null(found);
		found = at;
	}
	return found;
}

static inline void streams_forget(void)
{
	struct fake_map *map = fake_map_of(&stream_places);

	memset(map->values, 0, map->count * map->value_size);
}

/* Slots that some request has had. */
static inline unsigned slots_used(void)
{
	unsigned used = 0;

	for (__u32 i = 0; i < IO_SLOTS; i++)
		used += ((const struct io_request *)bpf_map_lookup_elem(&request_slots, &i))->number != 0;
	return used;
}

static inline void calls(struct pg_process *process, long number, __u64 second_arg, __u64 third, __u64 fourth)
{
	process->task.regs.orig_ax = (unsigned long)number;
	process->task.regs.si = second_arg;
	process->task.regs.dx = third;
	process->task.regs.r10 = fourth;
}

#endif
