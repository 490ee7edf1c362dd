// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_block_file.c - of which file a request is and where in it, what the file is called, and what of it was asked
 * for.
 */
#include "tests/unit/bpf/fake/one_disk.h"

#include "tests/lib/check_main.h"

static struct fake_request rest; /* of a direct request that was too large */

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
	fake_request_init(&rest, BLOCK_READ, NULL, 3 * PAGE); /* what is left when the front is on its way */
	rest.bio.bi_end_io = (void *)DIRECT_END_IO;
	rest.bio.bi_private = &direct;
	fake_request_init(&request, BLOCK_READ, NULL, 5 * PAGE);
	request.bio.bi_end_io = (void *)CHAIN_END_IO;
	request.bio.bi_private = &rest.bio;
	passes(&request);
	passes(&rest);
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

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bpf/block_file");
	TCase *tests = tcase_create("files");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, test_name_of_a_file);
	tcase_add_test(tests, test_hostile_names);
	tcase_add_test(tests, test_pages);
	tcase_add_test(tests, test_direct);
	tcase_add_test(tests, test_asked);
	tcase_add_test(tests, test_a_read_that_goes_on);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
