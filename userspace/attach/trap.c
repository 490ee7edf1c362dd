// SPDX-License-Identifier: BSD-2-Clause
/*
 * trap.c - the instructions that arch/x86/kernel/uprobes.c emulates: nops, pushes of a register, calls and jumps to a
 * relative address.
 */
#include "userspace/attach/trap.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

enum {
	CODE_BYTES = 16,
};

static bool is_push(uint8_t first, uint8_t second)
{
	return (first & 0xf8) == 0x50 || (first == 0x41 && (second & 0xf8) == 0x50);
}

static bool is_nop(uint8_t first, uint8_t second)
{
	return first == 0x90 || (first == 0x0f && second == 0x1f);
}

static bool is_relative_branch(uint8_t first, uint8_t second)
{
	return first == 0xe8 || first == 0xe9 || first == 0xeb || (first & 0xf0) == 0x70 ||
	       (first == 0x0f && (second & 0xf0) == 0x80);
}

enum tap_trap tap_trap_of(uint16_t machine, const uint8_t *code, size_t size)
{
	if (machine != EM_X86_64 || size < 2)
		return TAP_TRAP_UNKNOWN;
	if (is_push(code[0], code[1]) || is_nop(code[0], code[1]) || is_relative_branch(code[0], code[1]))
		return TAP_TRAP_EMULATED;
	return TAP_TRAP_STEPPED;
}

enum tap_trap tap_trap_at(uint16_t machine, const char *path, uint64_t offset)
{
	uint8_t code[CODE_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : pread(fd, code, sizeof(code), (off_t)offset);

	if (fd >= 0)
		close(fd);
	return n < 0 ? TAP_TRAP_UNKNOWN : tap_trap_of(machine, code, (size_t)n);
}
