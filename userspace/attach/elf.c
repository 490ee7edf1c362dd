// SPDX-License-Identifier: BSD-2-Clause
/*
 * elf.c - reads executables through libelf, behind checks of its own.
 *
 * Called by pg_binary, which knows which names matter. libelf reads (it does not map: a file cut short meanwhile must
 * not be a SIGBUS), and sees the file only after the counts in its header were bounded.
 */
#include "userspace/attach/elf.h"

#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SEGMENTS_MAX = 256,
	SECTIONS_MAX = 4096,
	SECTION_SIZE_MAX = 64 << 20,
	NOTES_SIZE_MAX = 64 << 10,
	THREAD_LOCAL_MAX = 1 << 20,
	NAME_MAX_LOOKED_AT = 256, /* of a symbol or section: longer ones are not what we look for */
};

struct tap_elf {
	int fd;
	Elf *elf;
	uint64_t file_size;
	Elf64_Ehdr header;
	Elf64_Phdr *segments;
	size_t n_segments;
};

static bool in_file(uint64_t file_size, uint64_t offset, uint64_t size)
{
	return offset <= file_size && size <= file_size - offset;
}

static int read_exactly(int fd, uint64_t offset, void *to, size_t size)
{
	for (size_t got = 0; got < size;) {
		ssize_t n = pread(fd, (char *)to + got, size - got, (off_t)(offset + got));

		if (n < 0)
			return -errno;
		if (!n)
			return -EBADMSG;
		got += (size_t)n;
	}
	return 0;
}

static int header_check(const Elf64_Ehdr *header, uint64_t file_size, struct tap_error *err)
{
	if (memcmp(header->e_ident, ELFMAG, SELFMAG))
		return tap_error_set(err, -ENOEXEC, "not an ELF file");
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return tap_error_set(err, -ENOEXEC, "not a 64-bit little-endian ELF file");
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return tap_error_set(err, -ENOEXEC, "not an executable: ELF type %u", header->e_type);
	if (!header->e_phnum || header->e_phnum > SEGMENTS_MAX || header->e_phentsize != sizeof(Elf64_Phdr) ||
	    !in_file(file_size, header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr)))
		return tap_error_set(err, -EBADMSG, "broken ELF file: %u segments", header->e_phnum);
	if (!header->e_shnum || header->e_shnum > SECTIONS_MAX || header->e_shentsize != sizeof(Elf64_Shdr) ||
	    !in_file(file_size, header->e_shoff, (uint64_t)header->e_shnum * sizeof(Elf64_Shdr)))
		return tap_error_set(err, -EBADMSG, "broken ELF file: %u sections", header->e_shnum);
	return 0;
}

static int elf_start(struct tap_elf *elf, struct tap_error *err)
{
	struct stat st;
	size_t size;
	int code;

	if (fstat(elf->fd, &st))
		return tap_error_set(err, -errno, "cannot stat: %s", strerror(errno));
	elf->file_size = (uint64_t)st.st_size;
	code = read_exactly(elf->fd, 0, &elf->header, sizeof(elf->header));
	if (code)
		return tap_error_set(err, code, "no ELF header: %s", strerror(-code));
	code = header_check(&elf->header, elf->file_size, err);
	if (code)
		return code;
	elf->n_segments = elf->header.e_phnum;
	size = elf->n_segments * sizeof(*elf->segments);
	elf->segments = malloc(size);
	if (!elf->segments)
		return tap_error_set(err, -ENOMEM, "out of memory");
	code = read_exactly(elf->fd, elf->header.e_phoff, elf->segments, size);
	if (code)
		return tap_error_set(err, code, "segments cannot be read: %s", strerror(-code));
	if (elf_version(EV_CURRENT) == EV_NONE)
		return tap_error_set(err, -ENOTSUP, "libelf: %s", elf_errmsg(-1));
	elf->elf = elf_begin(elf->fd, ELF_C_READ, NULL);
	if (!elf->elf || elf_kind(elf->elf) != ELF_K_ELF)
		return tap_error_set(err, -EBADMSG, "broken ELF file: %s", elf_errmsg(-1));
	return 0;
}

int tap_elf_open(int fd, struct tap_elf **ret, struct tap_error *err)
{
	struct tap_elf *elf = calloc(1, sizeof(*elf));
	int code;

	if (!elf)
		return tap_error_set(err, -ENOMEM, "out of memory");
	elf->fd = fd;
	code = elf_start(elf, err);
	if (code) {
		tap_elf_free(elf);
		return code;
	}
	*ret = elf;
	return 0;
}

void tap_elf_free(struct tap_elf *elf)
{
	if (!elf)
		return;
	elf_end(elf->elf);
	free(elf->segments);
	free(elf);
}

uint16_t tap_elf_machine(const struct tap_elf *elf)
{
	return elf->header.e_machine;
}

bool tap_elf_relocatable(const struct tap_elf *elf)
{
	return elf->header.e_type == ET_DYN;
}

/* Bytes of a section; the section's data belong to libelf. */
static int section_data(struct tap_elf *elf, Elf_Scn *section, const GElf_Shdr *header, const Elf_Data **ret)
{
	Elf_Data *data;

	if (header->sh_type == SHT_NOBITS)
		return -ENOENT;
	if (header->sh_size > SECTION_SIZE_MAX || !in_file(elf->file_size, header->sh_offset, header->sh_size))
		return -EBADMSG;
	data = elf_rawdata(section, NULL);
	if (!data || !data->d_buf || data->d_size > header->sh_size)
		return -EBADMSG;
	*ret = data;
	return 0;
}

static Elf_Scn *section_of_type(struct tap_elf *elf, uint32_t type, GElf_Shdr *ret_header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf->elf, section))) {
		if (gelf_getshdr(section, ret_header) && ret_header->sh_type == type)
			return section;
	}
	return NULL;
}

/* A string table; NULL for what is not a string of bearable length inside it. */
static const char *string_at(const Elf_Data *strings, uint64_t offset)
{
	const char *base = strings->d_buf;
	size_t left;

	if (offset >= strings->d_size)
		return NULL;
	left = strings->d_size - offset;
	return memchr(base + offset, '\0', left < NAME_MAX_LOOKED_AT ? left : NAME_MAX_LOOKED_AT) ? base + offset
												  : NULL;
}

static int string_table(struct tap_elf *elf, uint32_t index, const Elf_Data **ret)
{
	Elf_Scn *section = elf_getscn(elf->elf, index);
	GElf_Shdr header;

	if (!section || !gelf_getshdr(section, &header))
		return -EBADMSG;
	return section_data(elf, section, &header, ret);
}

struct symbol_table {
	const Elf_Data *symbols;
	const Elf_Data *names;
};

static int symbol_table_read(struct tap_elf *elf, struct symbol_table *ret, struct tap_error *err)
{
	GElf_Shdr header;
	Elf_Scn *section = section_of_type(elf, SHT_DYNSYM, &header);

	if (!section) {
		tap_error_set(err, -ENOENT, "no dynamic symbol table");
		return -ENOENT;
	}
	if (header.sh_entsize != sizeof(Elf64_Sym) || section_data(elf, section, &header, &ret->symbols) ||
	    string_table(elf, header.sh_link, &ret->names)) {
		tap_error_set(err, -EBADMSG, "broken ELF file: dynamic symbol table");
		return -EBADMSG;
	}
	return 0;
}

static void symbol_match(const Elf64_Sym *from, const char *name, struct tap_elf_symbol *symbols, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (symbols[i].found || strcmp(symbols[i].name, name))
			continue;
		symbols[i].found = true;
		symbols[i].is_function = ELF64_ST_TYPE(from->st_info) == STT_FUNC;
		symbols[i].value = from->st_value;
		symbols[i].size = from->st_size;
	}
}

int tap_elf_find_symbols(struct tap_elf *elf, struct tap_elf_symbol *symbols, size_t count, struct tap_error *err)
{
	struct symbol_table table = { 0 };
	int code = symbol_table_read(elf, &table, err);

	if (code)
		return code;
	for (size_t i = 0; i < count; i++)
		symbols[i] = (struct tap_elf_symbol){ .name = symbols[i].name };
	for (size_t i = 0; i < table.symbols->d_size / sizeof(Elf64_Sym); i++) {
		Elf64_Sym symbol; /* copied: the table is perhaps not aligned */
		const char *name;

		memcpy(&symbol, (const char *)table.symbols->d_buf + i * sizeof(symbol), sizeof(symbol));
		if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) == STT_TLS)
			continue;
		name = string_at(table.names, symbol.st_name);
		if (name)
			symbol_match(&symbol, name, symbols, count);
	}
	return 0;
}

static bool thread_local_find(const struct symbol_table *table, const char *wanted, uint64_t *ret)
{
	for (size_t i = 0; i < table->symbols->d_size / sizeof(Elf64_Sym); i++) {
		Elf64_Sym symbol;
		const char *name;

		memcpy(&symbol, (const char *)table->symbols->d_buf + i * sizeof(symbol), sizeof(symbol));
		if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) != STT_TLS)
			continue;
		name = string_at(table->names, symbol.st_name);
		if (name && !strcmp(name, wanted)) {
			*ret = symbol.st_value;
			return true;
		}
	}
	return false;
}

/*
 * The executable's own block lies right below the thread pointer on x86-64, its end at the pointer but for what keeps
 * its beginning aligned: ELF Handling For Thread-Local Storage, variant II.
 */
static int thread_local_place(const Elf64_Phdr *segment, uint64_t value, int32_t *ret)
{
	uint64_t align = segment->p_align ? segment->p_align : 1, into, below;

	if (align & (align - 1) || align > THREAD_LOCAL_MAX || segment->p_memsz > THREAD_LOCAL_MAX ||
	    value >= segment->p_memsz)
		return -EBADMSG;
	into = -segment->p_vaddr & (align - 1);
	below = ((segment->p_memsz - (into < segment->p_memsz ? into : 0) + align - 1) & ~(align - 1)) + into;
	*ret = (int32_t)value - (int32_t)below;
	return 0;
}

int tap_elf_thread_local(struct tap_elf *elf, const char *name, int32_t *ret)
{
	struct symbol_table table = { 0 };
	uint64_t value;
	int err = symbol_table_read(elf, &table, NULL);

	if (err)
		return err;
	if (tap_elf_machine(elf) != EM_X86_64 || !thread_local_find(&table, name, &value))
		return -ENOENT;
	for (size_t i = 0; i < elf->n_segments; i++) {
		if (elf->segments[i].p_type == PT_TLS)
			return thread_local_place(&elf->segments[i], value, ret);
	}
	return -ENOENT;
}

static void hex_write(const uint8_t *bytes, size_t size, char ret[TAP_ELF_BUILD_ID_MAX])
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;

	for (size_t i = 0; i < size && at + 2 < TAP_ELF_BUILD_ID_MAX; i++) {
		ret[at++] = digits[bytes[i] >> 4];
		ret[at++] = digits[bytes[i] & 15];
	}
	ret[at] = '\0';
}

/* Walks {name size, description size, type, name, description}, each padded to 4 bytes. */
static bool notes_find_build_id(const uint8_t *notes, size_t size, char ret[TAP_ELF_BUILD_ID_MAX])
{
	for (size_t at = 0; size - at >= sizeof(Elf64_Nhdr);) {
		Elf64_Nhdr note;
		size_t left = size - at - sizeof(note);
		uint64_t name_size, size_padded;

		memcpy(&note, notes + at, sizeof(note));
		name_size = ((uint64_t)note.n_namesz + 3) & ~3ULL;
		size_padded = ((uint64_t)note.n_descsz + 3) & ~3ULL;
		if (name_size > left || note.n_descsz > left - name_size)
			return false;
		at += sizeof(note);
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) && note.n_descsz &&
		    !memcmp(notes + at, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU))) {
			hex_write(notes + at + name_size, note.n_descsz, ret);
			return true;
		}
		if (size_padded > left - name_size)
			return false;
		at += name_size + size_padded;
	}
	return false;
}

static bool segment_find_build_id(struct tap_elf *elf, const Elf64_Phdr *segment, char ret[TAP_ELF_BUILD_ID_MAX])
{
	uint8_t *notes;
	bool found;

	if (segment->p_filesz > NOTES_SIZE_MAX || !in_file(elf->file_size, segment->p_offset, segment->p_filesz))
		return false;
	notes = malloc(segment->p_filesz + 1);
	if (!notes)
		return false;
	found = !read_exactly(elf->fd, segment->p_offset, notes, segment->p_filesz) &&
		notes_find_build_id(notes, segment->p_filesz, ret);
	free(notes);
	return found;
}

void tap_elf_build_id(struct tap_elf *elf, char ret[TAP_ELF_BUILD_ID_MAX])
{
	ret[0] = '\0';
	for (size_t i = 0; i < elf->n_segments; i++) {
		if (elf->segments[i].p_type == PT_NOTE && segment_find_build_id(elf, &elf->segments[i], ret))
			return;
	}
}

int tap_elf_load_bias(struct tap_elf *elf, uint64_t start, uint64_t offset, uint64_t *ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < elf->n_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];
		uint64_t bias;

		if (segment->p_type != PT_LOAD || (segment->p_offset & ~(page - 1)) != offset)
			continue;
		bias = start - (segment->p_vaddr & ~(page - 1));
		if (!tap_elf_relocatable(elf) && bias)
			return -EBADMSG;
		*ret = bias;
		return 0;
	}
	return -ENOENT;
}

static const Elf64_Phdr *segment_of_code(const struct tap_elf *elf, uint64_t address)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];

		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) && address >= segment->p_vaddr &&
		    address - segment->p_vaddr < segment->p_filesz)
			return segment;
	}
	return NULL;
}

int tap_elf_function(struct tap_elf *elf, const struct tap_elf_symbol *symbol, uint64_t *ret_offset, uint8_t *ret_bytes,
		     size_t size, size_t *ret_size)
{
	const Elf64_Phdr *segment;
	uint64_t into, offset;
	int err;

	if (!symbol->found || !symbol->is_function)
		return -ENOENT;
	segment = segment_of_code(elf, symbol->value);
	if (!segment)
		return -ENOENT;
	into = symbol->value - segment->p_vaddr;
	if (size > segment->p_filesz - into)
		size = segment->p_filesz - into;
	if (symbol->size && size > symbol->size)
		size = symbol->size;
	if (!in_file(elf->file_size, segment->p_offset, into) ||
	    !in_file(elf->file_size, segment->p_offset + into, size))
		return -EBADMSG;
	offset = segment->p_offset + into;
	err = read_exactly(elf->fd, offset, ret_bytes, size);
	if (err)
		return err;
	*ret_offset = offset;
	*ret_size = size;
	return 0;
}

/* A section by its name, with its header. */
static int section_find(struct tap_elf *elf, const char *name, GElf_Shdr *ret_header, const Elf_Data **ret)
{
	Elf_Scn *section = NULL;
	const Elf_Data *names;
	int err = string_table(elf, elf->header.e_shstrndx, &names);

	if (err)
		return err;
	while ((section = elf_nextscn(elf->elf, section))) {
		const char *found;

		if (!gelf_getshdr(section, ret_header))
			continue;
		found = string_at(names, ret_header->sh_name);
		if (found && !strcmp(found, name))
			return section_data(elf, section, ret_header, ret);
	}
	return -ENOENT;
}

int tap_elf_section(struct tap_elf *elf, const char *name, const void **ret, size_t *ret_size)
{
	const Elf_Data *data;
	GElf_Shdr header;
	int err = section_find(elf, name, &header, &data);

	if (err)
		return err;
	*ret = data->d_buf;
	*ret_size = data->d_size;
	return 0;
}

int tap_elf_find_text(struct tap_elf *elf, const char *text, uint64_t *ret)
{
	size_t size = strlen(text) + 1;
	const char *begin, *at;
	const Elf_Data *data;
	GElf_Shdr header;
	int err = section_find(elf, ".rodata", &header, &data);

	if (err)
		return err;
	begin = data->d_buf;
	for (at = begin; (at = memmem(at, data->d_size - (size_t)(at - begin), text, size)); at++) {
		/* The end of a longer text is another one. */
		if (at == begin || !at[-1]) {
			*ret = header.sh_addr + (uint64_t)(at - begin);
			return 0;
		}
	}
	return -ENOENT;
}
