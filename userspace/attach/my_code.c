// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_code.c - decodes functions of one load and a return, x86-64 so far.
 *
 * Called by my_binary. Only forms that compilers make of such functions are known; a function that checks its argument
 * first, or does anything else, is refused rather than understood in part.
 */
#include "userspace/attach/my_code.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
	OFFSET_MAX = 1 << 17, /* no session object is larger */
	RETURN = 0xc3,
	REGISTER_RAX = 0,
	REGISTER_RDX = 2,
	REGISTER_RSI = 6,
	REGISTER_RDI = 7,
};

struct cursor {
	const uint8_t *code;
	size_t size;
};

static bool skip(struct cursor *at, const uint8_t *bytes, size_t size)
{
	if (at->size < size || memcmp(at->code, bytes, size))
		return false;
	at->code += size;
	at->size -= size;
	return true;
}

static bool take_int32(struct cursor *at, int32_t *ret)
{
	if (at->size < sizeof(*ret))
		return false;
	memcpy(ret, at->code, sizeof(*ret));
	at->code += sizeof(*ret);
	at->size -= sizeof(*ret);
	return true;
}

static bool take_byte(struct cursor *at, uint8_t *ret)
{
	if (!at->size)
		return false;
	*ret = *at->code++;
	at->size--;
	return true;
}

/* endbr64, at the start of functions of builds with control-flow protection. */
static void skip_prologue(struct cursor *at)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	skip(at, endbr64, sizeof(endbr64));
}

static bool returns(struct cursor *at)
{
	uint8_t byte;

	return take_byte(at, &byte) && byte == RETURN;
}

/* Thread-local storage lies below the thread pointer. */
static bool is_below(int32_t offset)
{
	return offset < 0 && offset >= -(1 << 20);
}

/* mov %fs:disp32,%rax; ret */
static bool take_direct(struct cursor at, int32_t *ret)
{
	static const uint8_t load[] = { 0x64, 0x48, 0x8b, 0x04, 0x25 };

	return skip(&at, load, sizeof(load)) && take_int32(&at, ret) && returns(&at);
}

/* The thread pointer first, as position-independent code was linked to: mov %fs:0,%rax; mov disp32(%rax),%rax; ret */
static bool take_through_pointer(struct cursor at, int32_t *ret)
{
	static const uint8_t enter[] = { 0x55, 0x48, 0x89, 0xe5 };
	static const uint8_t pointer[] = { 0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0 };
	static const uint8_t leave[] = { 0x5d };
	static const uint8_t load[] = { 0x48, 0x8b, 0x80 };
	static const uint8_t padding[] = { 0x66 };
	bool framed = skip(&at, enter, sizeof(enter));

	while (skip(&at, padding, sizeof(padding)))
		;
	return skip(&at, pointer, sizeof(pointer)) && (!framed || skip(&at, leave, sizeof(leave))) &&
	       skip(&at, load, sizeof(load)) && take_int32(&at, ret) && returns(&at);
}

int tap_my_code_thread_local(uint16_t machine, const uint8_t *code, size_t size, int32_t *ret)
{
	struct cursor at = { code, size };
	int32_t offset;

	if (machine != EM_X86_64)
		return -ENOENT;
	skip_prologue(&at);
	if ((!take_direct(at, &offset) && !take_through_pointer(at, &offset)) || !is_below(offset))
		return -ENOENT;
	*ret = offset;
	return 0;
}

/* ModRM of `disp(base)` and `reg`, and the displacement that follows. */
static bool take_operand(struct cursor *at, unsigned base, unsigned reg, uint32_t *ret)
{
	uint8_t modrm, byte;
	int32_t offset = 0;

	if (!take_byte(at, &modrm) || (unsigned)(modrm & 7) != base || (unsigned)(modrm >> 3 & 7) != reg)
		return false;
	if (modrm >> 6 == 1) {
		if (!take_byte(at, &byte))
			return false;
		/* Sign-extended, as the processor does. */
		offset = byte < 128 ? byte : byte - 256;
	} else if (modrm >> 6 == 2) {
		if (!take_int32(at, &offset))
			return false;
	} else if (modrm >> 6 != 0) {
		return false;
	}
	if (offset < 0 || offset > OFFSET_MAX)
		return false;
	*ret = (uint32_t)offset;
	return true;
}

/* What is loaded, or that an address is made. */
static bool take_load(struct cursor *at, struct tap_my_code_field *field)
{
	static const struct {
		uint8_t bytes[3];
		uint8_t n_bytes;
		uint8_t size;
	} loads[] = {
		{ { 0x48, 0x8b }, 2, 8 },	/* mov r64 */
		{ { 0x8b }, 1, 4 },		/* mov r32 */
		{ { 0x48, 0x63 }, 2, 4 },	/* movslq */
		{ { 0x0f, 0xb7 }, 2, 2 },	/* movzwl */
		{ { 0x48, 0x0f, 0xb7 }, 3, 2 }, /* movzwq */
		{ { 0x0f, 0xb6 }, 2, 1 },	/* movzbl */
		{ { 0x48, 0x8d }, 2, 0 },	/* lea */
	};

	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
		if (!skip(at, loads[i].bytes, loads[i].n_bytes))
			continue;
		field->size = loads[i].size;
		field->address = !loads[i].size;
		return true;
	}
	return false;
}

int tap_my_code_field(uint16_t machine, const uint8_t *code, size_t size, struct tap_my_code_field *ret)
{
	struct cursor at = { code, size };
	struct tap_my_code_field field;

	if (machine != EM_X86_64)
		return -ENOENT;
	skip_prologue(&at);
	if (!take_load(&at, &field) || !take_operand(&at, REGISTER_RDI, REGISTER_RAX, &field.offset) || !returns(&at))
		return -ENOENT;
	*ret = field;
	return 0;
}

int tap_my_code_part(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret_part, uint32_t *ret_field)
{
	static const uint8_t load[] = { 0x48, 0x8b };
	static const uint8_t test[] = { 0x48, 0x85, 0xc0, 0x74 };
	struct cursor at = { code, size };
	uint32_t part, field;
	uint8_t jump;

	if (machine != EM_X86_64)
		return -ENOENT;
	skip_prologue(&at);
	if (!skip(&at, load, sizeof(load)) || !take_operand(&at, REGISTER_RDI, REGISTER_RAX, &part) ||
	    !skip(&at, test, sizeof(test)) || !take_byte(&at, &jump) || !skip(&at, load, sizeof(load)) ||
	    !take_operand(&at, REGISTER_RAX, REGISTER_RAX, &field) || !returns(&at))
		return -ENOENT;
	*ret_part = part;
	*ret_field = field;
	return 0;
}

int tap_my_code_counter(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret)
{
	static const uint8_t test[] = { 0x48, 0x85, 0xff, 0x74 };
	static const uint8_t add[] = { 0x48, 0x01 };
	struct cursor at = { code, size };
	uint32_t field;
	uint8_t jump;

	if (machine != EM_X86_64)
		return -ENOENT;
	skip_prologue(&at);
	if (!skip(&at, test, sizeof(test)) || !take_byte(&at, &jump) || !skip(&at, add, sizeof(add)) ||
	    !take_operand(&at, REGISTER_RDI, REGISTER_RSI, &field) || !returns(&at))
		return -ENOENT;
	*ret = field;
	return 0;
}

int tap_my_code_handed_on(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret)
{
	static const uint8_t load[] = { 0x48, 0x8b };
	static const uint8_t jump[] = { 0xe9 };
	struct cursor at = { code, size };
	uint32_t field;

	if (machine != EM_X86_64)
		return -ENOENT;
	skip_prologue(&at);
	if (!skip(&at, load, sizeof(load)) || !take_operand(&at, REGISTER_RDI, REGISTER_RDI, &field) ||
	    !skip(&at, jump, sizeof(jump)))
		return -ENOENT;
	*ret = field;
	return 0;
}

int tap_my_code_text(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret)
{
	static const uint8_t load[] = { 0x48, 0x8b };
	struct cursor at = { code, size };
	uint32_t text, length;

	if (machine != EM_X86_64)
		return -ENOENT;
	skip_prologue(&at);
	if (!skip(&at, load, sizeof(load)) || !take_operand(&at, REGISTER_RDI, REGISTER_RAX, &text) ||
	    !skip(&at, load, sizeof(load)) || !take_operand(&at, REGISTER_RDI, REGISTER_RDX, &length) ||
	    !returns(&at) || length != text + 8)
		return -ENOENT;
	*ret = text;
	return 0;
}

int tap_my_code_stored(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret)
{
	static const uint8_t store[] = { 0x89 };
	static const uint8_t hand_on[] = { 0x89, 0xf7, 0xe9 };
	struct cursor at = { code, size };
	uint32_t field;

	if (machine != EM_X86_64)
		return -ENOENT;
	skip_prologue(&at);
	if (!skip(&at, store, sizeof(store)) || !take_operand(&at, REGISTER_RDI, REGISTER_RSI, &field) ||
	    !skip(&at, hand_on, sizeof(hand_on)))
		return -ENOENT;
	*ret = field;
	return 0;
}

int tap_my_code_handed_out(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret)
{
	static const uint8_t test[] = { 0x48, 0x85, 0xf6, 0x74 };
	static const uint8_t load[] = { 0x48, 0x8b };
	static const uint8_t store[] = { 0x48, 0x89, 0x06 };
	struct cursor at = { code, size };
	uint32_t field;
	uint8_t jump;

	if (machine != EM_X86_64)
		return -ENOENT;
	skip_prologue(&at);
	if (!skip(&at, test, sizeof(test)) || !take_byte(&at, &jump) || !skip(&at, load, sizeof(load)) ||
	    !take_operand(&at, REGISTER_RDI, REGISTER_RAX, &field) || !skip(&at, store, sizeof(store)))
		return -ENOENT;
	*ret = field;
	return 0;
}

int tap_my_code_flagged_address(uint16_t machine, const uint8_t *code, size_t size, uint32_t *ret)
{
	static const uint8_t load[] = { 0x0f, 0xb6 };
	static const uint8_t store[] = { 0x88, 0x06 };
	static const uint8_t address[] = { 0x48, 0x8d };
	struct cursor at = { code, size };
	uint32_t flag, field;

	if (machine != EM_X86_64)
		return -ENOENT;
	skip_prologue(&at);
	if (!skip(&at, load, sizeof(load)) || !take_operand(&at, REGISTER_RDI, REGISTER_RAX, &flag) ||
	    !skip(&at, store, sizeof(store)) || !skip(&at, address, sizeof(address)) ||
	    !take_operand(&at, REGISTER_RDI, REGISTER_RAX, &field) || !returns(&at))
		return -ENOENT;
	*ret = field;
	return 0;
}
