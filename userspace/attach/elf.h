/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf.h - what dbtap needs of an executable: exported symbols, build id, sections, where it was loaded.
 *
 * Only 64-bit little-endian executables and shared objects. The file is hostile: every count, offset and size in it is
 * checked against the file before it is used, and a broken one is an error (-EBADMSG), never a crash.
 */
#ifndef TAP_USERSPACE_ATTACH_ELF_H
#define TAP_USERSPACE_ATTACH_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/base/error.h"

enum {
	TAP_ELF_BUILD_ID_MAX = 41, /* 20 bytes as hex digits and NUL; longer ids are cut */
};

struct tap_elf;

/* One name to look up, and what was found. */
struct tap_elf_symbol {
	const char *name;
	bool found;
	bool is_function;
	uint64_t value; /* address before relocation */
	uint64_t size;
};

/* `fd` stays the caller's and must stay open as long as the object lives. */
int tap_elf_open(int fd, struct tap_elf **ret, struct tap_error *err);
void tap_elf_free(struct tap_elf *elf);

uint16_t tap_elf_machine(const struct tap_elf *elf); /* EM_X86_64, EM_AARCH64, ... */
bool tap_elf_relocatable(const struct tap_elf *elf); /* position-independent: loaded anywhere */

/* Looks all names up in the dynamic symbol table in one pass; what is not defined there has `found` false. */
int tap_elf_find_symbols(struct tap_elf *elf, struct tap_elf_symbol *symbols, size_t count, struct tap_error *err);

/*
 * A thread-local variable of the executable itself: where it lies from the thread pointer. -ENOENT: there is none of
 * that name, or nothing is known of the machine.
 */
int tap_elf_thread_local(struct tap_elf *elf, const char *name, int32_t *ret);

/* Hex digits of the GNU build id; "" when there is none. */
void tap_elf_build_id(struct tap_elf *elf, char ret[TAP_ELF_BUILD_ID_MAX]);

/* What to add to a symbol's value, given that the file's part at `offset` was mapped at `start`. -ENOENT: no such part.
 */
int tap_elf_load_bias(struct tap_elf *elf, uint64_t start, uint64_t offset, uint64_t *ret);

/*
 * A function's place in the file (what a uprobe wants) and its first bytes, at most `size` and not past its end.
 * -ENOENT: not in a loaded, executable part of the file.
 */
int tap_elf_function(struct tap_elf *elf, const struct tap_elf_symbol *symbol, uint64_t *ret_offset, uint8_t *ret_bytes,
		     size_t size, size_t *ret_size);

/* Address before relocation of a NUL-terminated text among the file's constants. -ENOENT: it is not there. */
int tap_elf_find_text(struct tap_elf *elf, const char *text, uint64_t *ret);

/* Contents of a section, at most 64 MiB; valid as long as the object. -ENOENT: none of that name. */
int tap_elf_section(struct tap_elf *elf, const char *name, const void **ret, size_t *ret_size);

#endif
