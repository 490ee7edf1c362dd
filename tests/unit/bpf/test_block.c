// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_block.c - the programs of block requests and dirtied pages over a fake disk: whose row each byte, request and
 * nanosecond goes to, of which file, and what full maps and odd requests do.
 */
#include "tests/unit/bpf/fake/block.h"

#include "correlate/io.h"
#include "tests/lib/check_main.h"

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
static struct fake_request request, merged;

static void start_with(size_t totals_max)
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

static void set_up(void)
{
	start_with(64);
}

static void tear_down(void)
{
	pg_process_done(&backend);
	pg_process_done(&postmaster);
	pg_process_done(&other);
	fake_kernel_done();
}

static void runs(struct pg_process *process)
{
	kernel.current = &process->task;
	kernel.memory = process->memory;
}

/* A client in a statement that its last boundary knows. */
static void client_runs(__u64 query_id)
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

static void submitted(struct fake_request *of, __u64 wait_ns)
{
	on_block_io_start(&of->rq);
	clock_advance(wait_ns);
}

static void issued(struct fake_request *of, __u64 device_ns)
{
	on_block_rq_issue(&of->rq);
	clock_advance(device_ns);
}

/* A whole request: 300 ns until it is issued, 5,000 ns on the disk. */
static void passes(struct fake_request *of)
{
	submitted(of, 300);
	issued(of, 5000);
	on_block_rq_complete(&of->rq, 0, of->rq.__data_len);
}

static struct tap_io_key key_of(__u8 kind, __u64 query_id, const struct fake_file *file, __u8 op)
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

static const struct tap_io_total *total_at(__u32 index)
{
	return bpf_map_lookup_elem(&io_totals, &index);
}

/* A row's sums as they are now. */
static struct tap_io total(__u8 kind, __u64 query_id, const struct fake_file *file, __u8 op)
{
	struct tap_io_key key = key_of(kind, query_id, file, op);
	const __u32 *index = bpf_map_lookup_elem(&io_key_to_total, &key);
	struct tap_io io;

	ck_assert_msg(index, "no totals of kind %d, id %llu, op %d", kind, query_id, op);
	ck_assert_mem_eq(&total_at(*index)->key, &key, sizeof(key));
	tap_io_of_total(&io, total_at(*index));
	return io;
}

static __u64 bytes_of_all(void)
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
static const struct tap_stream_place *place(const struct fake_file *file, __u32 owner)
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

static void streams_forget(void)
{
	struct fake_map *map = fake_map_of(&stream_places);

	memset(map->values, 0, map->count * map->value_size);
}

/* Slots that some request has had. */
static unsigned slots_used(void)
{
	unsigned used = 0;

	for (__u32 i = 0; i < IO_SLOTS; i++)
		used += ((const struct io_request *)bpf_map_lookup_elem(&request_slots, &i))->number != 0;
	return used;
}

static void calls(struct pg_process *process, long number, __u64 second_arg, __u64 third, __u64 fourth)
{
	process->task.regs.orig_ax = (unsigned long)number;
	process->task.regs.si = second_arg;
	process->task.regs.dx = third;
	process->task.regs.r10 = fourth;
}

START_TEST(test_a_read)
{
	struct tap_io io;

	fake_request_init(&request, BLOCK_READ, &relation.pages[8], 4 * PAGE);
	calls(&other, SYSCALL_PREAD, 0, 2 * PAGE, 9 * PAGE);
	passes(&request);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.requests, 1);
	ck_assert_uint_eq(io.bytes, 4 * PAGE);
	ck_assert_uint_eq(io.pattern_bytes[TAP_PATTERN_RANDOM], 4 * PAGE);
	ck_assert_uint_eq(io.asked_bytes, 2 * PAGE);
	ck_assert_uint_eq(io.failed, 0);
	ck_assert_uint_eq(io.queue_ns, 300);
	ck_assert_uint_eq(io.device_ns, 5000);
	ck_assert_uint_eq(io.max_ns, 5300);
	ck_assert_uint_eq(io.sizes[tap_size_bucket(4 * PAGE)], 1);
	ck_assert_uint_eq(io.latency[tap_latency_bucket(5300)], 1);
	ck_assert_uint_eq(io.device_latency[tap_latency_bucket(5000)], 1);
	/* The next pages continue it, when it is not the same call that reads them ahead. */
	calls(&other, SYSCALL_PREAD, 0, PAGE, 11 * PAGE);
	fake_request_init(&request, BLOCK_READ, &relation.pages[12], PAGE);
	passes(&request);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.pattern_bytes[TAP_PATTERN_SEQUENTIAL], PAGE);
	ck_assert_uint_eq(io.requests, 2);
}
END_TEST

/* What lies between two requests was read in order, from the page cache: the open file knows where its last read ended.
 */
START_TEST(test_a_read_that_goes_on)
{
	struct file opened = { .f_ra.prev_pos = -1 }, *open_files[] = { NULL, &opened };
	struct fdtable table = { .max_fds = 2, .fd = open_files };
	struct files_struct opened_files = { .fdt = &table };
	static const struct {
		__u64 file;
		__s64 last; /* where the last read of it ended */
		bool goes_on;
	} cases[] = {
		{ 1, 40 * PAGE, true },
		{ 1, 40 * PAGE - TAP_STREAM_GAP, true },
		{ 1, 40 * PAGE - TAP_STREAM_GAP - 1, false },
		{ 1, 40 * PAGE + 1, false },
		{ 1, 0, false },
		{ 1, -1, false },
		{ 0, 40 * PAGE, false }, /* closed */
		{ 2, 40 * PAGE, false }, /* no such file */
		{ ~0ull, 40 * PAGE, false },
	};
	struct tap_io io;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		__u64 before;

		streams_forget();
		other.task.files = &opened_files;
		other.task.regs.di = cases[i].file;
		calls(&other, SYSCALL_PREAD, 0, PAGE, PAGE);
		fake_request_init(&request, BLOCK_READ, &relation.pages[1], PAGE);
		opened.f_ra.prev_pos = -1;
		passes(&request);
		before = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).pattern_bytes[TAP_PATTERN_SEQUENTIAL];
		opened.f_ra.prev_pos = cases[i].last;
		calls(&other, SYSCALL_PREAD, 0, PAGE, 40 * PAGE);
		fake_request_init(&request, BLOCK_READ, &relation.pages[40], PAGE);
		passes(&request);
		/* What the call brings in ahead is as what it asked for, even where it lies apart. */
		fake_request_init(&request, BLOCK_READ, &relation.pages[60], PAGE);
		passes(&request);
		io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
		ck_assert_msg(io.pattern_bytes[TAP_PATTERN_SEQUENTIAL] - before == (cases[i].goes_on ? 2 * PAGE : 0),
			      "case %zu: %llu bytes", i, io.pattern_bytes[TAP_PATTERN_SEQUENTIAL] - before);
	}
	other.task.files = NULL;
}
END_TEST

START_TEST(test_name_of_a_file)
{
	const struct tap_file *file;
	struct tap_file_key key;

	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	key = key_of(TAP_KIND_OTHER, 0, &relation, 0).file;
	file = bpf_map_lookup_elem(&files, &key);
	ck_assert_ptr_nonnull(file);
	ck_assert_str_eq(file->names[0], "16384");
	ck_assert_str_eq(file->names[1], "5");
	ck_assert_str_eq(file->names[2], "base");
	ck_assert_str_eq(file->names[3], "data");
	ck_assert_uint_eq(file->folders[0], 5001);
	ck_assert_uint_eq(file->folders[2], 5003);
	ck_assert_uint_eq(file->size_bytes, FAKE_FILE_PAGES * PAGE);
	ck_assert_uint_eq(file->unlinked, 0);
}
END_TEST

/* Names without end, names that are no addresses, no dentry at all; folders that are their own parents. */
START_TEST(test_hostile_names)
{
	struct tap_file_key key = key_of(TAP_KIND_OTHER, 0, &relation, 0).file;
	static char long_name[300];
	const struct tap_file *file;

	memset(long_name, 'x', sizeof(long_name) - 1);
	relation.inode.i_dentry.first = NULL;
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	ck_assert_ptr_null(bpf_map_lookup_elem(&files, &key));
	relation.inode.i_dentry.first = &relation.dentries[0].d_u.d_alias;
	relation.inode.i_nlink = 0;
	relation.dentries[0].d_name.name = (const unsigned char *)long_name;
	relation.dentries[1].d_name.name = (const unsigned char *)8;
	relation.dentries[1].d_parent = &relation.dentries[1];
	streams_forget(); /* it is met anew */
	passes(&request);
	file = bpf_map_lookup_elem(&files, &key);
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(strlen(file->names[0]), TAP_FILE_NAME_MAX - 1);
	ck_assert_str_eq(file->names[1], "");
	ck_assert_str_eq(file->names[2], "");
	ck_assert_uint_eq(file->folders[1], 0);
	ck_assert_uint_eq(file->unlinked, 1);
}
END_TEST

START_TEST(test_what_is_not_looked_at)
{
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	gate_open = false;
	passes(&request);
	gate_open = true;
	fake_disk.first_minor = 32;
	passes(&request);
	fake_disk.first_minor = 16;
	request.bio.bi_opf = 34; /* a driver's command */
	passes(&request);
	request.bio.bi_opf = 2; /* the flush machinery's own */
	passes(&request);
	request.bio.bi_opf = BLOCK_READ;
	request.rq.bio = NULL;
	passes(&request);
	/* Submitted before the attach. */
	on_block_rq_issue(&request.rq);
	on_block_rq_complete(&request.rq, 0, PAGE);
	ck_assert_uint_eq(io_totals_used, 0);
	ck_assert_uint_eq(slots_used(), 0);
}
END_TEST

/* Detached while it was on its way: its entry is of an earlier epoch. */
START_TEST(test_earlier_epoch)
{
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	submitted(&request, 10);
	io_epoch++;
	issued(&request, 10);
	on_block_rq_complete(&request.rq, 0, PAGE);
	ck_assert_uint_eq(bytes_of_all(), 0);
	passes(&request);
	ck_assert_uint_eq(bytes_of_all(), PAGE);
	ck_assert_uint_eq(slots_used(), 1);
}
END_TEST

START_TEST(test_partial_completions)
{
	struct tap_io io;

	fake_request_init(&request, BLOCK_READ, &relation.pages[0], 8 * PAGE);
	submitted(&request, 100);
	issued(&request, 1000);
	on_block_rq_complete(&request.rq, 0, 3 * PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.bytes, 3 * PAGE);
	ck_assert_uint_eq(io.requests, 0);
	request.rq.__data_len -= 3 * PAGE;
	request.bio.bi_iter.bi_size -= 3 * PAGE;
	clock_advance(500);
	on_block_rq_complete(&request.rq, 0, 5 * PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.bytes, 8 * PAGE);
	ck_assert_uint_eq(io.requests, 1);
	ck_assert_uint_eq(io.sizes[tap_size_bucket(8 * PAGE)], 1);
	ck_assert_uint_eq(io.device_ns, 1500);
}
END_TEST

START_TEST(test_failed)
{
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	submitted(&request, 0);
	issued(&request, 0);
	on_block_rq_complete(&request.rq, -5, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).failed, 1);
}
END_TEST

/* Time on the disk counts from the last issue. */
START_TEST(test_requeued)
{
	struct tap_io io;

	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	submitted(&request, 100);
	issued(&request, 1000);
	on_block_rq_requeue(&request.rq);
	clock_advance(4000);
	issued(&request, 700);
	on_block_rq_complete(&request.rq, 0, PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.queue_ns, 5100);
	ck_assert_uint_eq(io.device_ns, 700);
	/* Given up before it was issued again: nothing tells how long it was with the disk. */
	submitted(&request, 100);
	issued(&request, 1000);
	on_block_rq_requeue(&request.rq);
	on_block_rq_complete(&request.rq, -5, PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.queue_ns, 5100);
	ck_assert_uint_eq(io.device_ns, 700 + 1100);
}
END_TEST

/* Bytes of a bio that joined go to its own row and file; the request stays one, its owner's. */
START_TEST(test_merged_bios)
{
	fake_request_init(&request, BLOCK_WRITE, &relation.pages[0], 2 * PAGE);
	submitted(&request, 10);
	runs(&kworker);
	fake_bio_init(&merged, BLOCK_WRITE, &second.pages[0], 3 * PAGE);
	on_block_bio_backmerge(&merged.bio);
	fake_bio_append(&request, &merged);
	issued(&request, 10);
	on_block_rq_complete(&request.rq, 0, 5 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).bytes, 2 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).requests, 1);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).sizes[tap_size_bucket(5 * PAGE)], 1);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).bytes, 3 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).requests, 0);
	ck_assert_uint_eq(fake_map_of(&bio_to_io)->count, 0);
}
END_TEST

/* A completion that ends within a joined bio: what is left of it comes with the next one. */
START_TEST(test_merged_and_partial)
{
	fake_request_init(&request, BLOCK_WRITE, &relation.pages[0], 2 * PAGE);
	submitted(&request, 10);
	runs(&kworker);
	fake_bio_init(&merged, BLOCK_WRITE, &second.pages[0], 4 * PAGE);
	on_block_bio_frontmerge(&merged.bio);
	merged.bio.bi_next = &request.bio;
	request.rq.bio = &merged.bio;
	request.rq.__data_len += 4 * PAGE;
	on_block_rq_complete(&request.rq, 0, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).bytes, PAGE);
	merged.bio.bi_iter.bi_size -= PAGE;
	request.rq.__data_len -= PAGE;
	on_block_rq_complete(&request.rq, 0, 5 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).bytes, 4 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).bytes, 2 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).requests, 1);
}
END_TEST

START_TEST(test_merged_requests)
{
	fake_request_init(&request, BLOCK_WRITE, &relation.pages[0], 2 * PAGE);
	submitted(&request, 10);
	runs(&kworker);
	fake_request_init(&merged, BLOCK_WRITE, &second.pages[0], 3 * PAGE);
	submitted(&merged, 10);
	fake_bio_append(&request, &merged);
	on_block_rq_merge(&merged.rq);
	issued(&request, 10);
	on_block_rq_complete(&request.rq, 0, 5 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE).bytes, 2 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).bytes, 3 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).requests, 0);
	/* The other request's structure is free for another. */
	on_block_rq_complete(&merged.rq, 0, 3 * PAGE);
	ck_assert_uint_eq(bytes_of_all(), 5 * PAGE);
}
END_TEST

/* More bios than are looked up: nothing is lost, the rest is the request's own. */
START_TEST(test_many_merged_bios)
{
	static struct fake_request many[BIOS_MAX + 8];

	fake_request_init(&request, BLOCK_WRITE, &relation.pages[0], PAGE);
	submitted(&request, 10);
	runs(&kworker);
	for (int i = 0; i < BIOS_MAX + 8; i++) {
		fake_bio_init(&many[i], BLOCK_WRITE, &second.pages[i], PAGE);
		on_block_bio_backmerge(&many[i].bio);
		fake_bio_append(&request, &many[i]);
	}
	on_block_rq_complete(&request.rq, 0, (BIOS_MAX + 9) * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, &second, TAP_IO_WRITE).bytes, (BIOS_MAX - 1) * PAGE);
	ck_assert_uint_eq(bytes_of_all(), (BIOS_MAX + 9) * PAGE);
}
END_TEST

/* A write that is flushed behind: completed with its data, and once more without. */
START_TEST(test_flush_sequence)
{
	struct tap_io io;

	fake_request_init(&request, BLOCK_WRITE | FAKE_OP_PREFLUSH, &relation.pages[0], 2 * PAGE);
	submitted(&request, 10);
	request.rq.rq_flags = flag_flush_sequence();
	issued(&request, 500);
	on_block_rq_complete(&request.rq, 0, 2 * PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE);
	ck_assert_uint_eq(io.requests, 0);
	request.rq.rq_flags = 0;
	request.rq.__data_len = 0;
	request.bio.bi_iter.bi_size = 0;
	clock_advance(300);
	on_block_rq_complete(&request.rq, 0, 0);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE);
	ck_assert_uint_eq(io.requests, 1);
	ck_assert_uint_eq(io.bytes, 2 * PAGE);
	ck_assert_uint_eq(io.device_ns, 800);
}
END_TEST

START_TEST(test_flush_discard_zeroes)
{
	fake_request_init(&request, BLOCK_WRITE | FAKE_OP_PREFLUSH, NULL, 0);
	submitted(&request, 900);
	on_block_rq_complete(&request.rq, 0, 0);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_FLUSH).requests, 1);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_FLUSH).device_ns, 900);
	fake_request_init(&request, BLOCK_DISCARD, &relation.pages[0], 1 << 20);
	request.bio.bi_io_vec = NULL;
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_DISCARD).bytes, 1 << 20);
	/* Zeroes carry no pages, whatever their bio points to. */
	fake_request_init(&request, 9, &relation.pages[0], 1 << 20);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_WRITE).bytes, 1 << 20);
}
END_TEST

/* Of which file: a tail page, the middle of a split bio, memory that is no file, the disk's own pages. */
START_TEST(test_pages)
{
	const struct tap_stream_set *set;

	for (int i = 17; i < 20; i++) {
		relation.pages[i].compound_head = (unsigned long)(uintptr_t)&relation.pages[16] | 1;
		relation.pages[i].mapping = NULL;
	}
	fake_request_init(&request, BLOCK_READ, &relation.pages[18], PAGE);
	request.piece.offset = 512;
	request.bio.bi_iter.bi_bvec_done = 1024;
	passes(&request);
	ck_assert_ptr_nonnull(place(&relation, OTHER_PID));
	set = &place(&relation, OTHER_PID)->set;
	ck_assert_uint_eq(set->streams[set->last].begin, 18 * PAGE + 512 + 1024);
	/* The same page under a mask instead of its head's address. */
	ck_assert_uint_eq(page_head(0xffffea0000400080, 0xffffffffffff8001), 0xffffea0000400000);
	relation.pages[0].mapping = (struct address_space *)((uintptr_t)&relation.mapping | 1);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_READ).bytes, PAGE);
	fake_super.s_magic = MAGIC_TMPFS;
	fake_request_init(&request, BLOCK_READ, &relation.pages[1], PAGE);
	passes(&request);
	fake_super.s_magic = 0xef53;
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_READ).bytes, 2 * PAGE);
	relation.inode.i_mode = FAKE_MODE_BLOCK;
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, NULL, TAP_IO_READ).bytes, 3 * PAGE);
}
END_TEST

/* A direct request's file and place are in its file system's record; a large one comes in parts. */
START_TEST(test_direct)
{
	struct file file = { .f_inode = &relation.inode };
	struct kiocb call = { .ki_filp = &file, .ki_pos = 100 * PAGE };
	struct iomap_dio direct = { .iocb = &call, .size = 8 * PAGE };
	const struct tap_stream_set *set;

	fake_direct_end_io = DIRECT_END_IO;
	fake_chain_end_io = CHAIN_END_IO;
	fake_request_init(&merged, BLOCK_READ, NULL, 3 * PAGE); /* what is left when the front is on its way */
	merged.bio.bi_end_io = (void *)DIRECT_END_IO;
	merged.bio.bi_private = &direct;
	fake_request_init(&request, BLOCK_READ, NULL, 5 * PAGE);
	request.bio.bi_end_io = (void *)CHAIN_END_IO;
	request.bio.bi_private = &merged.bio;
	passes(&request);
	passes(&merged);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).bytes, 8 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).asked_bytes, 8 * PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).pattern_bytes[TAP_PATTERN_SEQUENTIAL],
			  3 * PAGE);
	ck_assert_ptr_nonnull(place(&relation, OTHER_PID));
	set = &place(&relation, OTHER_PID)->set;
	ck_assert_uint_eq(set->streams[set->last].begin, 105 * PAGE);
	ck_assert_uint_eq(stream_end(&set->streams[set->last]), 108 * PAGE);
}
END_TEST

static void asks(__u64 expected)
{
	struct tap_io io;
	__u64 before = 0;

	fake_request_init(&request, BLOCK_READ, &relation.pages[10], 4 * PAGE);
	if (io_totals_used)
		before = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).asked_bytes;
	passes(&request);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	ck_assert_uint_eq(io.asked_bytes - before, expected);
}

START_TEST(test_asked)
{
	struct io_piece pieces[3] = { { 1, PAGE }, { 2, 2 * PAGE }, { 3, 512 } };

	memcpy(other.memory + 512, pieces, sizeof(pieces));
	calls(&other, SYSCALL_PREAD, 0, 100 * PAGE, 0);
	asks(4 * PAGE);
	calls(&other, SYSCALL_PREAD, 0, PAGE, 14 * PAGE);
	asks(0);
	calls(&other, SYSCALL_PREADV, FAKE_MEMORY_START + 512, 3, 11 * PAGE);
	asks(3 * PAGE);
	calls(&other, SYSCALL_PREADV, FAKE_MEMORY_START + 512, 1, 11 * PAGE);
	asks(PAGE);
	calls(&other, SYSCALL_PREADV, 8, 3, 11 * PAGE); /* no memory there */
	asks(0);
	calls(&other, SYSCALL_PREADV, FAKE_MEMORY_START + 512, ~0ull, 11 * PAGE);
	asks(3 * PAGE);
	calls(&other, SYSCALL_PREAD, 0, ~0ull, 10 * PAGE);
	asks(0); /* a range that runs over is none */
	calls(&other, 0, 0, 100 * PAGE, 0);
	asks(0);
	calls(&other, 221, 11 * PAGE, 2 * PAGE, 3);
	asks(2 * PAGE);
}
END_TEST

START_TEST(test_owner_is_the_statement)
{
	client_runs(77);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 77, &relation, TAP_IO_READ).bytes, PAGE);
	/* The next statement has begun since the last switch: nobody but its own memory says so. */
	pg_report_idle(&backend, TAP_PG_STATE_IDLE);
	pg_report_running(&backend, "select 2");
	pg_report_query_id(&backend, 78);
	fake_request_init(&request, BLOCK_READ, &relation.pages[1], PAGE);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 78, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 77, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(pg_account(&backend)->seq & 1, 0);
}
END_TEST

static unsigned ticks;

static void tick_once(void)
{
	if (ticks++ == 0) {
		on_tick(NULL);
		on_sched_switch(true, &backend.task);
	}
}

/* A tick, or on a kernel that may preempt programs a switch, in the middle of bringing a row up to date. */
START_TEST(test_interrupted_refresh)
{
	client_runs(77);
	pg_report_running(&backend, "select 2");
	pg_report_query_id(&backend, 79);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	ticks = 0;
	kernel.before_user_read = tick_once;
	passes(&request);
	kernel.before_user_read = NULL;
	ck_assert_uint_gt(ticks, 1);
	for (int i = 0; i < TAP_WAYS; i++)
		ck_assert_uint_eq(pg_account(&backend)->ways[i].account.preemptions, 0);
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 79, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(pg_account(&backend)->seq & 1, 0);
}
END_TEST

/* Threads of io_uring work for their process; others that a backend started are its children. */
START_TEST(test_owner_of_io_worker)
{
	struct pg_process worker;

	client_runs(77);
	pg_fork(&backend, &worker, 201);
	worker.task.group_leader = &backend.task;
	runs(&worker);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	worker.task.flags |= PF_IO_WORKER;
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 77, &relation, TAP_IO_READ).bytes, PAGE);
	/* The backend is at a boundary for as long as we look: not its row then. */
	pg_account(&backend)->seq++;
	passes(&request);
	pg_account(&backend)->seq++;
	ck_assert_uint_eq(total(TAP_KIND_CLIENT, 77, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(bytes_of_all(), 2 * PAGE);
	pg_process_done(&worker);
}
END_TEST

START_TEST(test_parallel_group)
{
	struct tap_instance instance = pg_instance();
	__s32 worker_number = 0, leader_pid = 321;
	__u32 zero = 0;

	instance.addresses.my_proc = FAKE_MEMORY_START + 64;
	instance.layout.proc_lock_group_leader = 8;
	instance.layout.proc_pid = 16;
	bpf_map_update_elem(&instances, &zero, &instance, BPF_ANY);
	pg_put_u64(&backend, 64, FAKE_MEMORY_START + 128);	/* MyProc */
	pg_put_u64(&backend, 128 + 8, FAKE_MEMORY_START + 160); /* its leader */
	memcpy(backend.memory + 160 + 16, &leader_pid, sizeof(leader_pid));
	memcpy(backend.memory + PG_WORKER, &worker_number, sizeof(worker_number));
	pg_login(&backend, PG_TYPE_BGWORKER, DATABASE, USER);
	pg_report_running(&backend, "select 1");
	pg_report_query_id(&backend, 77);
	pg_tick(&backend);
	runs(&backend);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	ck_assert_ptr_nonnull(place(&relation, 321));
	ck_assert_uint_eq(total(TAP_KIND_PARALLEL, 77, &relation, TAP_IO_READ).bytes, PAGE);
}
END_TEST

/* More requests under way than there are slots near theirs: counted, and the others are whole. */
START_TEST(test_requests_full)
{
	static struct fake_request many[2 * IO_SLOTS];
	__u64 missed;

	for (int i = 0; i < 2 * IO_SLOTS; i++) {
		fake_request_init(&many[i], BLOCK_READ, &relation.pages[i % FAKE_FILE_PAGES], PAGE);
		submitted(&many[i], 1);
	}
	missed = losses[TAP_LOSS_REQUESTS_FULL];
	ck_assert_uint_ge(missed, IO_SLOTS);
	for (int i = 0; i < 2 * IO_SLOTS; i++)
		on_block_rq_complete(&many[i].rq, 0, PAGE);
	ck_assert_uint_eq(bytes_of_all(), (2 * IO_SLOTS - missed) * PAGE);
	/* One after the other all of them find a place: a slot is whose request needs it. */
	for (int i = 0; i < 2 * IO_SLOTS; i++)
		passes(&many[i]);
	ck_assert_uint_eq(losses[TAP_LOSS_REQUESTS_FULL], missed);
	ck_assert_uint_eq(bytes_of_all(), (4 * IO_SLOTS - missed) * PAGE);
}
END_TEST

/* A completion that was missed: its bytes are counted when the request is used again, which is of its own. */
START_TEST(test_missed_completion)
{
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	submitted(&request, 10);
	fake_request_init(&request, BLOCK_READ, &second.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &second, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).requests, 1);
	ck_assert_uint_eq(losses[TAP_LOSS_COMPLETIONS_MISSED], 1);
	ck_assert_uint_eq(slots_used(), 1);
}
END_TEST

static void end_all_unseen(void)
{
	for (__u32 i = 0; i < IO_SLOTS; i++) {
		struct bpf_iter__bpf_map_elem context = { .key = &i };

		end_unseen(&context);
	}
	end_unseen(&(struct bpf_iter__bpf_map_elem){ 0 });
}

/* One that is not used again: its bytes are counted at the next snapshot, once, and not while it is under way. */
START_TEST(test_missed_completion_without_reuse)
{
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	submitted(&request, 10);
	end_all_unseen();
	ck_assert_uint_eq(bytes_of_all(), 0);
	request.rq.ref.counter = 0;
	end_all_unseen();
	end_all_unseen();
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).requests, 1);
	ck_assert_uint_eq(losses[TAP_LOSS_COMPLETIONS_MISSED], 1);
	ck_assert_uint_eq(slots_used(), 1);
	fake_request_init(&request, BLOCK_READ, &second.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(bytes_of_all(), 2 * PAGE);
	ck_assert_uint_eq(losses[TAP_LOSS_COMPLETIONS_MISSED], 1);
	ck_assert_uint_eq(slots_used(), 1);
}
END_TEST

/* The rest's row of a kind of operation, as userspace puts it in. */
static __u32 rest_add(__u8 op)
{
	struct tap_io_key rest = key_of(TAP_KIND_REST, 0, NULL, op);
	__u32 index = io_totals_used++;

	rest.file.device = 0;
	((struct tap_io_total *)bpf_map_lookup_elem(&io_totals, &index))->key = rest;
	bpf_map_update_elem(&io_key_to_total, &rest, &index, BPF_ANY);
	return index;
}

START_TEST(test_totals_full)
{
	struct tap_io io;
	__u32 rest;

	tear_down();
	start_with(2);
	rest = rest_add(TAP_IO_READ);
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	fake_request_init(&request, BLOCK_READ, &second.pages[0], 2 * PAGE);
	passes(&request);
	ck_assert_uint_eq(losses[TAP_LOSS_IO_TOTALS_FULL], 1);
	passes(&request);
	ck_assert_uint_eq(losses[TAP_LOSS_IO_TOTALS_FULL], 2);
	ck_assert_uint_eq(io_totals_used, 2);
	tap_io_of_total(&io, total_at(rest));
	ck_assert_uint_eq(io.bytes, 4 * PAGE);
	ck_assert_uint_eq(io.requests, 2);
	ck_assert_uint_eq(bytes_of_all(), 5 * PAGE);
	/* Nor has the rest of writes a place: lost, and counted. */
	fake_request_init(&request, BLOCK_WRITE, &second.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(losses[TAP_LOSS_IO_TOTALS_FULL], 3);
	ck_assert_uint_eq(bytes_of_all(), 5 * PAGE);
}
END_TEST

/* Memory for the index is short: the entry is the next row's. */
START_TEST(test_index_full)
{
	struct tap_io io;
	__u32 rest;

	tear_down();
	start_with(3);
	rest = rest_add(TAP_IO_READ);
	fake_map_of(&io_key_to_total)->max = 1;
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(io_totals_used, 1);
	ck_assert_uint_eq(losses[TAP_LOSS_IO_TOTALS_FULL], 1);
	tap_io_of_total(&io, total_at(rest));
	ck_assert_uint_eq(io.bytes, PAGE);
	fake_map_of(&io_key_to_total)->max = 3;
	fake_request_init(&request, BLOCK_READ, &second.pages[0], PAGE);
	passes(&request);
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &second, TAP_IO_READ).bytes, PAGE);
	ck_assert_uint_eq(io_totals_used, 2);
}
END_TEST

/* More owners than there are places: each has its own again when it comes back, and what is charged stays right. */
START_TEST(test_streams_full)
{
	enum {
		OWNERS = 4 * IO_STREAM_PLACES,
	};

	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < OWNERS; i++) {
			other.task.tgid = OTHER_PID + i;
			passes(&request);
			ck_assert_ptr_nonnull(place(&relation, (__u32)(OTHER_PID + i)));
		}
	}
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).bytes, 2 * OWNERS * PAGE);
	ck_assert_uint_eq(io_totals_used, 1);
}
END_TEST

/* One that is used again and again keeps its place while others come and go. */
START_TEST(test_recent_streams_stay)
{
	const struct tap_stream_place *steady;

	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	steady = place(&relation, OTHER_PID);
	for (int i = 1; i < 4 * IO_STREAM_PLACES; i++) {
		other.task.tgid = OTHER_PID + i;
		passes(&request);
		other.task.tgid = OTHER_PID;
		passes(&request);
	}
	ck_assert_ptr_eq(place(&relation, OTHER_PID), steady);
	ck_assert_uint_eq(steady->set.requests, 4 * IO_STREAM_PLACES);
}
END_TEST

/* A place that another CPU is about to take: the request goes without positions, not without its row. */
START_TEST(test_streams_claimed)
{
	for (__u32 i = 0; i < IO_STREAM_PLACES; i++)
		((struct tap_stream_place *)bpf_map_lookup_elem(&stream_places, &i))->claimed = 1;
	fake_request_init(&request, BLOCK_READ, &relation.pages[8], PAGE);
	passes(&request);
	ck_assert_ptr_null(place(&relation, OTHER_PID));
	ck_assert_uint_eq(total(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ).bytes, PAGE);
}
END_TEST

/* Where there is no block_io_start: the bio is met before its request. */
START_TEST(test_without_io_start)
{
	struct tap_io io;

	fake_has_block_io_start = false;
	fake_request_init(&request, BLOCK_WRITE, &relation.pages[0], 2 * PAGE);
	on_block_getrq(&request.bio);
	clock_advance(300);
	runs(&kworker);
	issued(&request, 5000);
	on_block_rq_complete(&request.rq, 0, 2 * PAGE);
	io = total(TAP_KIND_OTHER, 0, &relation, TAP_IO_WRITE);
	ck_assert_uint_eq(io.bytes, 2 * PAGE);
	ck_assert_uint_eq(io.requests, 1);
	ck_assert_uint_eq(io.queue_ns, 300);
	ck_assert_uint_eq(io.device_ns, 5000);
	/* A flush is never issued itself. */
	fake_request_init(&request, BLOCK_WRITE | FAKE_OP_PREFLUSH, NULL, 0);
	on_block_getrq(&request.bio);
	on_block_rq_complete(&request.rq, 0, 0);
	ck_assert_uint_eq(total(TAP_KIND_KERNEL, 0, NULL, TAP_IO_FLUSH).requests, 1);
	ck_assert_uint_eq(fake_map_of(&bio_to_io)->count, 0);
}
END_TEST

static const __u64 *dirtied(__u8 kind, __u64 query_id, const struct fake_file *file)
{
	struct tap_io_key io = key_of(kind, query_id, file, 0);
	struct tap_dirty_key key = { .row = io.row, .file = io.file };

	return bpf_map_lookup_elem(&dirty_totals, &key);
}

static struct tap_io total_during(bool checkpoint)
{
	struct tap_io_key key = key_of(TAP_KIND_OTHER, 0, &relation, TAP_IO_READ);
	struct tap_io io = { 0 };
	const __u32 *index;

	key.checkpoint = checkpoint;
	index = bpf_map_lookup_elem(&io_key_to_total, &key);
	if (index)
		tap_io_of_total(&io, total_at(*index));
	return io;
}

/* A checkpoint of an instance marks the requests of its disks, as they are submitted, and of no others. */
START_TEST(test_checkpoint)
{
	struct tap_instance_set *of_disk = &disk_instances[tap_number_slot(FAKE_DISK, 0)];

	of_disk->words[0] = 1ull << 3;
	of_disk->words[1] = 1ull << 63;
	fake_request_init(&request, BLOCK_READ, &relation.pages[0], PAGE);
	passes(&request);
	/* Of an instance elsewhere. */
	checkpoints_running.words[0] = 1ull << 2 | 1ull << 4;
	checkpoints_running.words[1] = 1;
	passes(&request);
	ck_assert_uint_eq(total_during(false).requests, 2);
	ck_assert_uint_eq(total_during(true).requests, 0);
	/* It ends while the request is on its way. */
	checkpoints_running.words[0] = 1ull << 3;
	submitted(&request, 300);
	issued(&request, 5000);
	checkpoints_running.words[0] = 0;
	on_block_rq_complete(&request.rq, 0, PAGE);
	ck_assert_uint_eq(total_during(true).requests, 1);
	ck_assert_uint_eq(total_during(true).bytes, PAGE);
	ck_assert_uint_eq(total_during(true).latency[tap_latency_bucket(5300)], 1);
	ck_assert_uint_eq(total_during(false).requests, 2);
	/* The last instance of all; and one that begins while the request is on its way. */
	checkpoints_running.words[1] = 1ull << 63;
	passes(&request);
	ck_assert_uint_eq(total_during(true).requests, 2);
	checkpoints_running.words[1] = 0;
	submitted(&request, 300);
	checkpoints_running.words[0] = 1ull << 3;
	issued(&request, 5000);
	on_block_rq_complete(&request.rq, 0, PAGE);
	ck_assert_uint_eq(total_during(false).requests, 3);
	ck_assert_uint_eq(total_during(true).requests, 2);
	ck_assert_uint_eq(bytes_of_all(), 5 * PAGE);
	ck_assert_uint_eq(losses[TAP_LOSS_IO_TOTALS_FULL], 0);
}
END_TEST

START_TEST(test_dirty)
{
	client_runs(77);
	on_writeback_dirty_page(&relation.pages[0], &relation.mapping);
	relation.pages[4].flags = 1ul << PG_head;
	relation.pages[4]._nr_pages = 4;
	on_writeback_dirty_page(&relation.pages[4], &relation.mapping);
	ck_assert_uint_eq(*dirtied(TAP_KIND_CLIENT, 77, &relation), 5 * PAGE);
	runs(&kworker);
	relation.inode.i_mode = FAKE_MODE_BLOCK;
	relation.inode.i_rdev = FAKE_PARTITION;
	on_writeback_dirty_page(&relation.pages[0], &relation.mapping);
	ck_assert_uint_eq(*dirtied(TAP_KIND_KERNEL, 0, NULL), PAGE);
	ck_assert_uint_eq(losses[TAP_LOSS_DIRTY_FULL], 0);
	on_writeback_dirty_page(&second.pages[0], &second.mapping);
	ck_assert_uint_eq(losses[TAP_LOSS_DIRTY_FULL], 1);
	fake_super.s_dev = 99;
	on_writeback_dirty_page(&second.pages[0], &second.mapping);
	fake_super.s_dev = FAKE_PARTITION;
	gate_open = false;
	on_writeback_dirty_page(&second.pages[0], &second.mapping);
	ck_assert_uint_eq(losses[TAP_LOSS_DIRTY_FULL], 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/block");
	TCase *tests = tcase_create("requests");
	TCase *owners = tcase_create("owners");
	TCase *limits = tcase_create("limits");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_a_read);
	tcase_add_test(tests, test_a_read_that_goes_on);
	tcase_add_test(tests, test_name_of_a_file);
	tcase_add_test(tests, test_hostile_names);
	tcase_add_test(tests, test_what_is_not_looked_at);
	tcase_add_test(tests, test_earlier_epoch);
	tcase_add_test(tests, test_partial_completions);
	tcase_add_test(tests, test_failed);
	tcase_add_test(tests, test_requeued);
	tcase_add_test(tests, test_merged_bios);
	tcase_add_test(tests, test_merged_and_partial);
	tcase_add_test(tests, test_merged_requests);
	tcase_add_test(tests, test_many_merged_bios);
	tcase_add_test(tests, test_flush_sequence);
	tcase_add_test(tests, test_flush_discard_zeroes);
	tcase_add_test(tests, test_pages);
	tcase_add_test(tests, test_direct);
	tcase_add_test(tests, test_asked);
	tcase_add_checked_fixture(owners, set_up, tear_down);
	tcase_add_test(owners, test_owner_is_the_statement);
	tcase_add_test(owners, test_interrupted_refresh);
	tcase_add_test(owners, test_owner_of_io_worker);
	tcase_add_test(owners, test_parallel_group);
	tcase_add_test(owners, test_checkpoint);
	tcase_add_test(owners, test_dirty);
	tcase_add_checked_fixture(limits, set_up, tear_down);
	tcase_add_test(limits, test_requests_full);
	tcase_add_test(limits, test_missed_completion);
	tcase_add_test(limits, test_missed_completion_without_reuse);
	tcase_add_test(limits, test_totals_full);
	tcase_add_test(limits, test_index_full);
	tcase_add_test(limits, test_streams_full);
	tcase_add_test(limits, test_recent_streams_stay);
	tcase_add_test(limits, test_streams_claimed);
	tcase_add_test(limits, test_without_io_start);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, owners);
	suite_add_tcase(suite, limits);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
