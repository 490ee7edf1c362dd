// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_elf.c - reading executables: made ones, the test's own, and thousands of broken ones (cut short, bits flipped,
 * counts and sizes that lie). A broken file may be refused or half understood, but never crash or run away.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/alloc_fail.h"
#include "tests/lib/check_main.h"
#include "tests/unit/userspace/attach/fake_elf.h"
#include "userspace/attach/elf.h"

static const struct fake_symbol symbols[] = {
	{ "Variable", 0x401234, 8, STT_OBJECT, false },	 { "Absent", 0, 0, STT_OBJECT, true },
	{ "EndCommand", 0x400210, 20, STT_FUNC, false }, { "Local", 0x10, 4, STT_TLS, false },
	{ "Outside", 0x900000, 20, STT_FUNC, false },	 { "Nothing", 0x400220, 0, STT_FUNC, false },
};
static const uint8_t build_id[20] = { 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
static const char rodata[] = "\0PostgreSQL 15.18 on test, compiled by hand\0";

static struct fake_elf plain(void)
{
	return (struct fake_elf){
		.type = ET_EXEC,
		.machine = EM_X86_64,
		.address = 0x400000,
		.symbols = symbols,
		.n_symbols = sizeof(symbols) / sizeof(*symbols),
		.rodata = rodata,
		.rodata_size = sizeof(rodata),
		.build_id = build_id,
		.build_id_size = sizeof(build_id),
	};
}

static int file_of(const void *bytes, size_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, size, 0), (ssize_t)size);
	return fd;
}

static int make(const struct fake_elf *elf)
{
	struct fake_elf_file file = fake_elf_make(elf);
	int fd = file_of(file.bytes, file.size);

	free(file.bytes);
	return fd;
}

START_TEST(test_what_is_in_a_file)
{
	struct tap_elf_symbol wanted[] = { { .name = "EndCommand" }, { .name = "Variable" }, { .name = "Absent" },
					   { .name = "Local" },	     { .name = "Variable" }, { .name = "Never" } };
	struct fake_elf fake = plain();
	char id[TAP_ELF_BUILD_ID_MAX];
	int fd = make(&fake);
	struct tap_elf *elf;
	const void *data;
	size_t size;

	ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
	ck_assert_uint_eq(tap_elf_machine(elf), EM_X86_64);
	ck_assert(!tap_elf_relocatable(elf));
	ck_assert_int_eq(tap_elf_find_symbols(elf, wanted, 6, NULL), 0);
	ck_assert(wanted[0].found && wanted[0].is_function && wanted[0].value == 0x400210 && wanted[0].size == 20);
	ck_assert(wanted[1].found && !wanted[1].is_function && wanted[1].value == 0x401234 && wanted[1].size == 8);
	ck_assert(!wanted[2].found && !wanted[3].found && !wanted[5].found);
	ck_assert(wanted[4].found && wanted[4].value == 0x401234);
	tap_elf_build_id(elf, id);
	ck_assert_str_eq(id, "deadbeef0102030405060708090a0b0c0d0e0f10");
	ck_assert_int_eq(tap_elf_section(elf, ".rodata", &data, &size), 0);
	ck_assert_uint_eq(size, sizeof(rodata));
	ck_assert_mem_eq(data, rodata, size);
	ck_assert_int_eq(tap_elf_section(elf, ".data", &data, &size), -ENOENT);
	tap_elf_free(elf);
	close(fd);
}
END_TEST

/* The segment ends at the thread pointer, but for its alignment. */
START_TEST(test_thread_locals)
{
	static const struct {
		uint64_t address, size, align;
		int err;
		int32_t offset;
	} cases[] = {
		{ 0x1000, 0x20, 16, 0, 0x10 - 0x20 },	 { 0x1000, 0x21, 16, 0, 0x10 - 0x30 },
		{ 0x1008, 0x20, 16, 0, 0x10 - 0x28 },	 { 0x1000, 0x20, 0, 0, 0x10 - 0x20 },
		{ 0x1000, 0x10, 16, -EBADMSG, 0 },	 { 0x1000, 0x20, 24, -EBADMSG, 0 },
		{ 0x1000, UINT64_MAX, 16, -EBADMSG, 0 }, { 0x1000, 0x20, 1ull << 40, -EBADMSG, 0 },
		{ 0x1000, 0, 16, -ENOENT, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fake_elf fake = plain();
		struct tap_elf *elf;
		int32_t offset = 0;
		int fd;

		fake.machine = EM_X86_64;
		fake.thread_local_address = cases[i].address;
		fake.thread_local_size = cases[i].size;
		fake.thread_local_align = cases[i].align;
		fd = make(&fake);
		ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
		ck_assert_msg(tap_elf_thread_local(elf, "Local", &offset) == cases[i].err, "case %zu", i);
		ck_assert_msg(offset == cases[i].offset, "case %zu: %d", i, offset);
		ck_assert_int_eq(tap_elf_thread_local(elf, "EndCommand", &offset), -ENOENT);
		tap_elf_free(elf);
		close(fd);
	}
}
END_TEST

START_TEST(test_functions)
{
	struct tap_elf_symbol wanted[] = { { .name = "EndCommand" },
					   { .name = "Outside" },
					   { .name = "Variable" },
					   { .name = "Never" },
					   { .name = "Nothing" } };
	struct fake_elf fake = plain();
	uint8_t bytes[64] = { 0 };
	uint64_t offset = 42;
	int fd = make(&fake);
	struct tap_elf *elf;
	size_t size = 42;

	ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
	ck_assert_int_eq(tap_elf_find_symbols(elf, wanted, 5, NULL), 0);
	for (size_t i = 1; i < 4; i++)
		ck_assert_int_eq(tap_elf_function(elf, &wanted[i], &offset, bytes, 4, &size), -ENOENT);
	ck_assert(offset == 42 && size == 42);
	ck_assert_int_eq(tap_elf_function(elf, &wanted[0], &offset, bytes, sizeof(bytes), &size), 0);
	ck_assert_uint_eq(offset, 0x210);
	ck_assert_uint_eq(size, 20);
	ck_assert_uint_eq(bytes[0], 0x10);
	ck_assert_uint_eq(bytes[19], 0x23);
	ck_assert_uint_eq(bytes[20], 0);
	ck_assert_int_eq(tap_elf_function(elf, &wanted[4], &offset, bytes, 8, &size), 0);
	ck_assert_uint_eq(size, 8);
	wanted[0].size = 0;
	wanted[0].value = 0x400000 + 0x7ff;
	ck_assert_int_eq(tap_elf_function(elf, &wanted[0], &offset, bytes, sizeof(bytes), &size), 0);
	tap_elf_free(elf);
	close(fd);
}
END_TEST

START_TEST(test_load_bias)
{
	struct fake_elf fake = plain();
	struct tap_elf *elf;
	uint64_t bias = 42;
	int fd = make(&fake);

	ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
	ck_assert_int_eq(tap_elf_load_bias(elf, 0x400000, 0, &bias), 0);
	ck_assert_uint_eq(bias, 0);
	ck_assert_int_eq(tap_elf_load_bias(elf, 0x500000, 0, &bias), -EBADMSG);
	ck_assert_int_eq(tap_elf_load_bias(elf, 0x400000, 0x1000, &bias), -ENOENT);
	tap_elf_free(elf);
	close(fd);
	fake.type = ET_DYN;
	fake.address = 0;
	fd = make(&fake);
	ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
	ck_assert(tap_elf_relocatable(elf));
	ck_assert_int_eq(tap_elf_load_bias(elf, 0x555500000000, 0, &bias), 0);
	ck_assert_uint_eq(bias, 0x555500000000);
	tap_elf_free(elf);
	close(fd);
}
END_TEST

START_TEST(test_build_ids)
{
	uint8_t longer[64];
	struct fake_elf fake = plain();
	char id[TAP_ELF_BUILD_ID_MAX];
	struct tap_elf *elf;
	int fd;

	memset(longer, 0xab, sizeof(longer));
	fake.build_id = longer;
	fake.build_id_size = sizeof(longer);
	fd = make(&fake);
	ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
	tap_elf_build_id(elf, id);
	ck_assert_uint_eq(strlen(id), 40);
	tap_elf_free(elf);
	close(fd);
	fake.build_id = NULL;
	fd = make(&fake);
	ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
	tap_elf_build_id(elf, id);
	ck_assert_str_eq(id, "");
	tap_elf_free(elf);
	close(fd);
}
END_TEST

static void check_refused(const void *bytes, size_t size, int code)
{
	struct tap_error err = { "" };
	struct tap_elf *elf = NULL;
	int fd = file_of(bytes, size);

	ck_assert_int_eq(tap_elf_open(fd, &elf, &err), code);
	ck_assert_ptr_null(elf);
	ck_assert_str_ne(err.text, "");
	close(fd);
}

START_TEST(test_what_is_no_executable)
{
	struct fake_elf fake = plain();
	struct fake_elf_file file = fake_elf_make(&fake);
	Elf64_Ehdr *header = (Elf64_Ehdr *)file.bytes;
	const Elf64_Ehdr good = *header;
	struct tap_elf *elf;

	check_refused("", 0, -EBADMSG);
	check_refused("#!/bin/sh\n", 10, -EBADMSG);
	check_refused(rodata, sizeof(rodata), -EBADMSG);
	header->e_ident[0] = 'x';
	check_refused(file.bytes, file.size, -ENOEXEC);
	*header = good;
	header->e_ident[EI_CLASS] = ELFCLASS32;
	check_refused(file.bytes, file.size, -ENOEXEC);
	*header = good;
	header->e_ident[EI_DATA] = ELFDATA2MSB;
	check_refused(file.bytes, file.size, -ENOEXEC);
	*header = good;
	header->e_type = ET_CORE;
	check_refused(file.bytes, file.size, -ENOEXEC);
	free(file.bytes);
	ck_assert_int_eq(tap_elf_open(-1, &elf, NULL), -EBADF);
	tap_elf_free(NULL);
}
END_TEST

START_TEST(test_lying_counts)
{
	struct fake_elf fake = plain();
	struct fake_elf_file file = fake_elf_make(&fake);
	Elf64_Ehdr *header = (Elf64_Ehdr *)file.bytes;
	const Elf64_Ehdr good = *header;

#define LIE(field, value) \
	do { \
		*header = good; \
		header->field = value; \
		check_refused(file.bytes, file.size, -EBADMSG); \
	} while (0)
	LIE(e_phnum, 0);
	LIE(e_phnum, 0xffff);
	LIE(e_phnum, 255);
	LIE(e_phentsize, 1);
	LIE(e_phoff, UINT64_MAX);
	LIE(e_shnum, 0);
	LIE(e_shnum, 0xffff);
	LIE(e_shnum, 4000);
	LIE(e_shentsize, 0);
	LIE(e_shoff, UINT64_MAX - 64);
#undef LIE
	free(file.bytes);
}
END_TEST

/* Sections whose offset, size, link or entry size lies. */
START_TEST(test_lying_sections)
{
	static const uint64_t lies[] = { 0, 1, 23, 4096, 1 << 20, 64 << 20, 1ULL << 40, UINT64_MAX, UINT64_MAX - 8 };
	struct fake_elf fake = plain();

	for (size_t section = 1; section < FAKE_ELF_N_SECTIONS; section++) {
		for (size_t field = 0; field < sizeof(Elf64_Shdr) / 8; field++) {
			for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
				struct fake_elf_file file = fake_elf_make(&fake);
				struct tap_elf_symbol symbol = { .name = "Variable" };
				struct tap_elf *elf;
				const void *data;
				size_t size;
				int fd;

				memcpy(file.bytes + FAKE_ELF_SECTIONS + section * sizeof(Elf64_Shdr) + field * 8,
				       &lies[i], 8);
				fd = file_of(file.bytes, file.size);
				if (!tap_elf_open(fd, &elf, NULL)) {
					tap_elf_find_symbols(elf, &symbol, 1, NULL);
					tap_elf_section(elf, ".rodata", &data, &size);
					tap_elf_free(elf);
				}
				close(fd);
				free(file.bytes);
			}
		}
	}
}
END_TEST

START_TEST(test_lying_notes)
{
	static const uint32_t lies[] = { 0, 1, 3, 5, 21, 0x7fffffff, 0xfffffffc, 0xffffffff };
	struct fake_elf fake = plain();

	for (size_t word = 0; word < 3; word++) {
		for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
			struct fake_elf_file file = fake_elf_make(&fake);
			char id[TAP_ELF_BUILD_ID_MAX];
			struct tap_elf *elf;
			int fd;

			memcpy(file.bytes + FAKE_ELF_NOTE + word * 4, &lies[i], 4);
			fd = file_of(file.bytes, file.size);
			ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
			tap_elf_build_id(elf, id);
			ck_assert_uint_le(strlen(id), 40);
			tap_elf_free(elf);
			close(fd);
			free(file.bytes);
		}
	}
}
END_TEST

START_TEST(test_no_symbol_table)
{
	struct tap_elf_symbol symbol = { .name = "Variable" };
	struct fake_elf fake = plain();
	struct fake_elf_file file = fake_elf_make(&fake);
	Elf64_Shdr *sections = (Elf64_Shdr *)(file.bytes + FAKE_ELF_SECTIONS);
	struct tap_error err = { "" };
	struct tap_elf *elf;
	int fd;

	sections[1].sh_type = SHT_PROGBITS;
	fd = file_of(file.bytes, file.size);
	ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
	ck_assert_int_eq(tap_elf_find_symbols(elf, &symbol, 1, &err), -ENOENT);
	ck_assert_str_eq(err.text, "no dynamic symbol table");
	tap_elf_free(elf);
	close(fd);
	free(file.bytes);
}
END_TEST

/* Everything the interface offers, on whatever the file is. */
static void exercise(int fd)
{
	struct tap_elf_symbol wanted[] = { { .name = "EndCommand" }, { .name = "Variable" }, { .name = "main" } };
	char id[TAP_ELF_BUILD_ID_MAX];
	uint8_t bytes[16];
	struct tap_elf *elf;
	const void *data;
	uint64_t value;
	size_t size;

	if (tap_elf_open(fd, &elf, NULL))
		return;
	tap_elf_build_id(elf, id);
	ck_assert_uint_le(strlen(id), 40);
	if (!tap_elf_find_symbols(elf, wanted, 3, NULL)) {
		for (size_t i = 0; i < 3; i++)
			tap_elf_function(elf, &wanted[i], &value, bytes, sizeof(bytes), &size);
	}
	tap_elf_load_bias(elf, 0x7f0000000000, 0, &value);
	if (!tap_elf_section(elf, ".rodata", &data, &size) && size)
		ck_assert_int_ge(((const uint8_t *)data)[size - 1], 0); /* readable to the end */
	tap_elf_free(elf);
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static void mutate(const struct fake_elf_file *file, size_t bits_in, unsigned rounds, unsigned flips)
{
	uint64_t random = 20240607;
	int fd = file_of(file->bytes, file->size);

	for (unsigned round = 0; round < rounds; round++) {
		size_t at[16];

		for (unsigned i = 0; i < flips; i++) {
			uint8_t byte;

			at[i] = next_random(&random) % bits_in;
			ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at[i]), 1);
			byte ^= (uint8_t)(1u << (next_random(&random) & 7));
			ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at[i]), 1);
		}
		exercise(fd);
		for (unsigned i = 0; i < flips; i++)
			ck_assert_int_eq(pwrite(fd, file->bytes + at[i], 1, (off_t)at[i]), 1);
	}
	close(fd);
}

START_TEST(test_flipped_bits)
{
	struct fake_elf fake = plain();
	struct fake_elf_file file = fake_elf_make(&fake);

	mutate(&file, file.size, 4000, 1);
	mutate(&file, 0x100, 2000, 2);
	mutate(&file, file.size, 2000, 16);
	free(file.bytes);
}
END_TEST

START_TEST(test_cut_short)
{
	struct fake_elf fake = plain();
	struct fake_elf_file file = fake_elf_make(&fake);

	for (size_t size = 0; size <= file.size; size += size % 64 ? 1 : 3) {
		int fd = file_of(file.bytes, size);

		exercise(fd);
		close(fd);
	}
	free(file.bytes);
}
END_TEST

/* Cut while it is open: what was checked at first no longer holds. */
START_TEST(test_cut_while_open)
{
	struct tap_elf_symbol symbol = { .name = "Variable" };
	struct fake_elf fake = plain();
	char id[TAP_ELF_BUILD_ID_MAX];
	struct tap_elf *elf;
	const void *data;
	size_t size;
	int fd = make(&fake);

	ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_int_lt(tap_elf_find_symbols(elf, &symbol, 1, NULL), 0);
	ck_assert_int_lt(tap_elf_section(elf, ".rodata", &data, &size), 0);
	tap_elf_build_id(elf, id);
	ck_assert_str_eq(id, "");
	tap_elf_free(elf);
	close(fd);
}
END_TEST

static struct fake_elf_file read_whole(const char *path)
{
	struct fake_elf_file file = { 0 };
	char chunk[65536];
	FILE *in = fopen(path, "r");
	size_t n;

	while (in && (n = fread(chunk, 1, sizeof(chunk), in)))
		fake_elf_put(&file, file.size, chunk, n);
	if (in)
		fclose(in);
	return file;
}

START_TEST(test_real_programs)
{
	static const char *const paths[] = { "/proc/self/exe", "/bin/true", "/usr/lib/postgresql/15/bin/postgres" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct fake_elf_file file = read_whole(paths[i]);
		int fd;

		if (!file.size) {
			printf("# not tried: %s\n", paths[i]);
			continue;
		}
		fd = file_of(file.bytes, file.size);
		exercise(fd);
		close(fd);
		mutate(&file, 4096 < file.size ? 4096 : file.size, 60, 2);
		mutate(&file, file.size, 20, 8);
		free(file.bytes);
	}
}
END_TEST

START_TEST(test_own_program)
{
	struct tap_elf *elf;
	char id[TAP_ELF_BUILD_ID_MAX];
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct tap_elf_symbol symbol = { .name = "stdout" };

	ck_assert_int_eq(tap_elf_open(fd, &elf, NULL), 0);
	ck_assert_int_eq(tap_elf_find_symbols(elf, &symbol, 1, NULL), 0);
	tap_elf_build_id(elf, id);
	ck_assert_uint_eq(strlen(id), 40);
	tap_elf_free(elf);
	close(fd);
}
END_TEST

START_TEST(test_out_of_memory)
{
	struct fake_elf fake = plain();
	int fd = make(&fake);
	struct tap_elf *elf;

	for (long n = 1;; n++) {
		int err;

		tap_alloc_fail_at(n);
		err = tap_elf_open(fd, &elf, NULL);
		if (!tap_alloc_failed())
			break;
		ck_assert_int_eq(err, -ENOMEM);
	}
	tap_alloc_fail_at(0);
	tap_alloc_fail_at(1);
	{
		char id[TAP_ELF_BUILD_ID_MAX];

		tap_elf_build_id(elf, id);
		ck_assert_str_eq(id, "");
	}
	tap_alloc_fail_at(0);
	tap_elf_free(elf);
	close(fd);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("elf");
	TCase *tcase = tcase_create("elf");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_what_is_in_a_file);
	tcase_add_test(tcase, test_thread_locals);
	tcase_add_test(tcase, test_functions);
	tcase_add_test(tcase, test_load_bias);
	tcase_add_test(tcase, test_build_ids);
	tcase_add_test(tcase, test_what_is_no_executable);
	tcase_add_test(tcase, test_lying_counts);
	tcase_add_test(tcase, test_lying_sections);
	tcase_add_test(tcase, test_lying_notes);
	tcase_add_test(tcase, test_no_symbol_table);
	tcase_add_test(tcase, test_flipped_bits);
	tcase_add_test(tcase, test_cut_short);
	tcase_add_test(tcase, test_cut_while_open);
	tcase_add_test(tcase, test_real_programs);
	tcase_add_test(tcase, test_own_program);
	tcase_add_test(tcase, test_out_of_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return tap_test_run(make_suite());
}
