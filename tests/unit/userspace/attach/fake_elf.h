/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_elf.h - writes small, valid 64-bit ELF files for tests: dynamic symbols, a build id, read-only text.
 */
#ifndef TAP_TESTS_UNIT_USERSPACE_ATTACH_FAKE_ELF_H
#define TAP_TESTS_UNIT_USERSPACE_ATTACH_FAKE_ELF_H

#include <check.h>
#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_symbol {
	const char *name;
	uint64_t value;
	uint64_t size;
	unsigned char type; /* STT_OBJECT, STT_FUNC, ... */
	bool undefined;
};

struct fake_elf {
	uint16_t type; /* ET_EXEC or ET_DYN */
	uint16_t machine;
	uint64_t address; /* where offset 0 is linked to */
	const struct fake_symbol *symbols;
	size_t n_symbols;
	const void *rodata;
	size_t rodata_size;
	const void *build_id;
	size_t build_id_size;
	/* Of the thread-local segment; size 0: there is none. */
	uint64_t thread_local_address;
	uint64_t thread_local_size;
	uint64_t thread_local_align;
};

enum {
	FAKE_ELF_TEXT = 0x200, /* offset of 64 bytes that count up from 0: the code */
	FAKE_ELF_NOTE = 0x300,
	FAKE_ELF_SECTIONS = 0x400,
	FAKE_ELF_BODY = 0x800,
	FAKE_ELF_N_SECTIONS = 5,
};

static const char fake_elf_section_names[] = "\0.dynsym\0.dynstr\0.rodata\0.shstrtab";

struct fake_elf_file {
	uint8_t *bytes;
	size_t size;
};

static inline void fake_elf_put(struct fake_elf_file *file, size_t offset, const void *from, size_t size)
{
	if (offset + size > file->size) {
		file->bytes = realloc(file->bytes, offset + size);
		ck_assert_ptr_nonnull(file->bytes);
		memset(file->bytes + file->size, 0, offset + size - file->size);
		file->size = offset + size;
	}
	if (size)
		memcpy(file->bytes + offset, from, size);
}

static inline size_t fake_elf_append(struct fake_elf_file *file, const void *from, size_t size)
{
	size_t at = (file->size + 7) & ~(size_t)7;

	fake_elf_put(file, at, from, size);
	return at;
}

static inline void fake_elf_note(struct fake_elf_file *file, const struct fake_elf *elf)
{
	Elf64_Nhdr note = { .n_namesz = 4, .n_descsz = (Elf64_Word)elf->build_id_size, .n_type = NT_GNU_BUILD_ID };

	fake_elf_put(file, FAKE_ELF_NOTE, &note, sizeof(note));
	fake_elf_put(file, FAKE_ELF_NOTE + sizeof(note), "GNU", 4);
	fake_elf_put(file, FAKE_ELF_NOTE + sizeof(note) + 4, elf->build_id, elf->build_id_size);
}

static inline void fake_elf_symbols(struct fake_elf_file *file, const struct fake_elf *elf, Elf64_Shdr *sections)
{
	struct fake_elf_file table = { 0 }, names = { 0 };

	fake_elf_put(&table, 0, &(Elf64_Sym){ 0 }, sizeof(Elf64_Sym));
	fake_elf_put(&names, 0, "", 1);
	for (size_t i = 0; i < elf->n_symbols; i++) {
		const struct fake_symbol *from = &elf->symbols[i];
		Elf64_Sym symbol = {
			.st_name = (Elf64_Word)names.size,
			.st_info = ELF64_ST_INFO(STB_GLOBAL, from->type),
			.st_shndx = from->undefined ? SHN_UNDEF : 1,
			.st_value = from->value,
			.st_size = from->size,
		};

		fake_elf_put(&names, names.size, from->name, strlen(from->name) + 1);
		fake_elf_put(&table, table.size, &symbol, sizeof(symbol));
	}
	sections[1] =
		(Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_DYNSYM, .sh_link = 2, .sh_entsize = sizeof(Elf64_Sym) };
	sections[1].sh_size = table.size;
	sections[1].sh_offset = fake_elf_append(file, table.bytes, table.size);
	sections[2] = (Elf64_Shdr){ .sh_name = 9, .sh_type = SHT_STRTAB, .sh_size = names.size };
	sections[2].sh_offset = fake_elf_append(file, names.bytes, names.size);
	free(table.bytes);
	free(names.bytes);
}

static inline struct fake_elf_file fake_elf_make(const struct fake_elf *elf)
{
	struct fake_elf_file file = { 0 };
	Elf64_Shdr sections[FAKE_ELF_N_SECTIONS] = { 0 };
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = elf->type,
		.e_machine = elf->machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_shoff = FAKE_ELF_SECTIONS,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = elf->thread_local_size ? 3 : 2,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = FAKE_ELF_N_SECTIONS,
		.e_shstrndx = 4,
	};
	Elf64_Phdr segments[3] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = elf->address, .p_align = 4096 },
		{ .p_type = PT_NOTE,
		  .p_offset = FAKE_ELF_NOTE,
		  .p_filesz = elf->build_id ? 16 + elf->build_id_size : 0 },
		{ .p_type = PT_TLS,
		  .p_vaddr = elf->thread_local_address,
		  .p_memsz = elf->thread_local_size,
		  .p_align = elf->thread_local_align },
	};
	uint8_t code[64];

	for (size_t i = 0; i < sizeof(code); i++)
		code[i] = (uint8_t)i;
	fake_elf_put(&file, FAKE_ELF_BODY - 1, "", 1);
	fake_elf_put(&file, FAKE_ELF_TEXT, code, sizeof(code));
	if (elf->build_id)
		fake_elf_note(&file, elf);
	fake_elf_symbols(&file, elf, sections);
	sections[3] = (Elf64_Shdr){ .sh_name = 17, .sh_type = SHT_PROGBITS, .sh_size = elf->rodata_size };
	sections[3].sh_offset = fake_elf_append(&file, elf->rodata, elf->rodata_size);
	sections[4] = (Elf64_Shdr){ .sh_name = 25, .sh_type = SHT_STRTAB, .sh_size = sizeof(fake_elf_section_names) };
	sections[4].sh_offset = fake_elf_append(&file, fake_elf_section_names, sizeof(fake_elf_section_names));
	segments[0].p_filesz = segments[0].p_memsz = file.size;
	fake_elf_put(&file, 0, &header, sizeof(header));
	fake_elf_put(&file, header.e_phoff, segments, sizeof(segments));
	fake_elf_put(&file, header.e_shoff, sections, sizeof(sections));
	return file;
}

static inline void fake_elf_write(const char *path, const struct fake_elf *elf)
{
	struct fake_elf_file file = fake_elf_make(elf);
	FILE *out = fopen(path, "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(file.bytes, 1, file.size, out), file.size);
	ck_assert_int_eq(fclose(out), 0);
	free(file.bytes);
}

#endif
