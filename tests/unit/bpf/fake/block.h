/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block.h - a disk with files that the test drives: pages, bios and requests as the kernel's own structs, and the
 * programs of block.bpf.c over them.
 */
#ifndef TAP_TESTS_UNIT_BPF_FAKE_BLOCK_H
#define TAP_TESTS_UNIT_BPF_FAKE_BLOCK_H

#include "tests/unit/bpf/fake/pg_process.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

int on_block_io_start(struct request *rq);
int on_block_getrq(struct bio *bio);
int on_block_bio_backmerge(struct bio *bio);
int on_block_bio_frontmerge(struct bio *bio);
int on_block_rq_issue(struct request *rq);
int on_block_rq_requeue(struct request *rq);
int on_block_rq_merge(struct request *rq);
int on_block_rq_complete(struct request *rq, int error, unsigned int bytes);
int end_unseen(struct bpf_iter__bpf_map_elem *ctx);
int on_writeback_dirty_folio(struct folio *folio, struct address_space *mapping);
int on_writeback_dirty_page(struct page *page, struct address_space *mapping);

/* The one program that another goes on to; what BPF_PROG calls the tracepoint's arguments. */
static void *const ctx = NULL;
#define bpf_tail_call(context, programs, index) ((void)(context), on_block_getrq(bio))
#pragma GCC diagnostic ignored "-Wshadow"
#define LICENSE fake_license_block
#include "bpf/block.bpf.c"
#undef LICENSE
#undef bpf_tail_call
#pragma GCC diagnostic pop

enum {
	FAKE_DISK = 8 << 20 | 16,
	FAKE_PARTITION = 8 << 20 | 17, /* where the file system is */
	FAKE_PAGE_BYTES = 4096,
	FAKE_FILE_PAGES = 64,
	FAKE_NAMES = 6,
	FAKE_MODE_FILE = 0100600,
	FAKE_MODE_BLOCK = 0060600,
	FAKE_OP_PREFLUSH = 1 << 18,
	FAKE_RQF_FLUSH_SEQ = 1, /* 1 << the value that the compiler gives __RQF_FLUSH_SEQ here */
};

static struct gendisk fake_disk = { .major = 8, .first_minor = 16 };
static struct block_device fake_partition = { .bd_disk = &fake_disk, .bd_dev = FAKE_PARTITION };
static struct request_queue fake_queue = { .disk = &fake_disk };
static struct super_block fake_super = { .s_dev = FAKE_PARTITION, .s_magic = 0xef53 };

/* A file with FAKE_FILE_PAGES pages in the page cache, in folders that are as deep as there are names. */
struct fake_file {
	struct inode inode;
	struct address_space mapping;
	struct page pages[FAKE_FILE_PAGES];
	struct inode folders[FAKE_NAMES];
	struct dentry dentries[FAKE_NAMES];
};

/* `names`: its own and those of the folders above, nearest first, up to the root "/", then NULL. */
static inline void fake_file_init(struct fake_file *file, unsigned long number, const char *const *names)
{
	memset(file, 0, sizeof(*file));
	file->inode = (struct inode){ .i_mode = FAKE_MODE_FILE,
				      .i_sb = &fake_super,
				      .i_ino = number,
				      .i_nlink = 1,
				      .i_size = FAKE_FILE_PAGES * FAKE_PAGE_BYTES,
				      .i_generation = 7 };
	file->mapping.host = &file->inode;
	for (size_t i = 0; i < FAKE_FILE_PAGES; i++) {
		file->pages[i].mapping = &file->mapping;
		file->pages[i].index = i;
	}
	for (size_t i = 0; i < FAKE_NAMES && names[i]; i++) {
		file->folders[i].i_ino = number + i;
		file->dentries[i].d_name.name = (const unsigned char *)names[i];
		file->dentries[i].d_inode = i ? &file->folders[i] : &file->inode;
		file->dentries[i].d_parent =
			i + 1 < FAKE_NAMES && names[i + 1] ? &file->dentries[i + 1] : &file->dentries[i];
	}
	file->inode.i_dentry.first = &file->dentries[0].d_u.d_alias;
}

/* A request of one bio of one piece; more bios are chained by the test. */
struct fake_request {
	struct page_piece piece;
	struct bio bio;
	struct request rq;
};

static inline void fake_bio_init(struct fake_request *request, __u32 op, struct page *page, __u32 bytes)
{
	memset(request, 0, sizeof(*request));
	request->piece = (struct page_piece){ .page = (__u64)(uintptr_t)page, .bytes = bytes };
	request->bio.bi_bdev = &fake_partition;
	request->bio.bi_opf = op;
	request->bio.bi_iter.bi_size = bytes;
	request->bio.bi_iter.bi_sector = 1000;
	request->bio.bi_io_vec = (struct bio_vec *)&request->piece;
}

static inline void fake_request_init(struct fake_request *request, __u32 op, struct page *page, __u32 bytes)
{
	fake_bio_init(request, op, page, bytes);
	request->rq = (struct request){
		.q = &fake_queue,
		.__data_len = bytes,
		.bio = &request->bio,
		.biotail = &request->bio,
		.ref = { .counter = 1 },
	};
}

static inline void fake_bio_append(struct fake_request *to, struct fake_request *from)
{
	to->rq.biotail->bi_next = &from->bio;
	to->rq.biotail = &from->bio;
	to->rq.__data_len += from->bio.bi_iter.bi_size;
}

/* The disk watched, its maps empty. After fake_programs_init. */
static inline void fake_block_init(size_t totals_max)
{
	fake_array_add(&request_slots, sizeof(struct io_request), IO_SLOTS);
	fake_map_add(&bio_to_io, sizeof(__u64), sizeof(struct io_request), 64);
	fake_array_add(&io_totals, sizeof(struct tap_io_total), (__u32)totals_max);
	fake_map_add(&io_key_to_total, sizeof(struct tap_io_key), sizeof(__u32), totals_max);
	fake_map_add(&dirty_totals, sizeof(struct tap_dirty_key), sizeof(__u64), 2);
	fake_map_add(&files, sizeof(struct tap_file_key), sizeof(struct tap_file), 64);
	fake_array_add(&stream_places, sizeof(struct tap_stream_place), IO_STREAM_PLACES);
	fake_array_add(&io_space, sizeof(struct io_scratch), 1);
	memset(&watched_disks, 0, sizeof(watched_disks));
	memset(&watched_devices, 0, sizeof(watched_devices));
	memset(disk_instances, 0, sizeof(disk_instances));
	watched_disks.slots[tap_number_slot(FAKE_DISK, 0)] = FAKE_DISK;
	watched_devices.slots[tap_number_slot(FAKE_PARTITION, 0)] = FAKE_PARTITION;
	fake_has_block_io_start = true;
	fake_direct_end_io = fake_chain_end_io = 0;
	io_epoch = 1;
	io_totals_used = 0;
}

#endif
