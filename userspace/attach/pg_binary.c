// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_binary.c - symbols and version of a server's executable.
 *
 * Called by target, once per file. Which of the symbols' contents make a process an instance is decided in
 * pg_postmaster.
 */
#include "userspace/attach/pg_binary.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint64_t size;
	enum tap_pg_symbol_need need;
} symbol_infos[TAP_PG_SYMBOL_COUNT] = {
#define X(id, symbol, bytes, needed) \
	[TAP_PG_SYMBOL_##id] = { .name = symbol, .size = bytes, .need = TAP_PG_NEED_##needed },
	TAP_PG_SYMBOLS(X)
#undef X
};

static const char version_prefix[] = "PostgreSQL ";

enum {
	VERSION_TEXT_MAX = 512,
};

/* "15.18" is 150018; "19beta1", "17rc1" and "18devel" are 190000 and so on. */
int tap_pg_version_parse(const char *text, char ret[32], int32_t *ret_number)
{
	size_t length;
	unsigned long major, minor = 0;
	char *end;

	if (strncmp(text, version_prefix, sizeof(version_prefix) - 1))
		return -EBADMSG;
	text += sizeof(version_prefix) - 1;
	length = strcspn(text, " ,(");
	if (!isdigit((unsigned char)*text) || length >= 32)
		return -EBADMSG;
	major = strtoul(text, &end, 10);
	if (*end == '.' && isdigit((unsigned char)end[1]))
		minor = strtoul(end + 1, &end, 10);
	/* Versions of three numbers ended with 9.6. */
	if (major < 10 || major > 99 || minor > 9999 || *end == '.')
		return -EBADMSG;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '.')
			return -EBADMSG;
	}
	memcpy(ret, text, length);
	ret[length] = '\0';
	*ret_number = (int32_t)(major * 10000 + minor);
	return 0;
}

/*
 * The text that SELECT version() shows is a constant of the binary, and the only one that starts so and names a
 * compiler. Where a build has no such text, any constant "PostgreSQL <number> ..." will do.
 */
static void version_find(struct tap_pg_binary *binary, const char *data, size_t size)
{
	const char *end = data + size;
	const char *at = data;

	while ((at = memmem(at, (size_t)(end - at), version_prefix, sizeof(version_prefix) - 1))) {
		char version[32];
		int32_t number;
		size_t left = (size_t)(end - at);
		bool whole =
			(at == data || !at[-1]) && memchr(at, '\0', left < VERSION_TEXT_MAX ? left : VERSION_TEXT_MAX);

		if (whole && !tap_pg_version_parse(at, version, &number)) {
			bool certain = strstr(at, ", compiled by ");

			if (certain || !binary->version_number) {
				snprintf(binary->version, sizeof(binary->version), "%s", version);
				binary->version_number = number;
			}
			if (certain)
				return;
		}
		at++;
	}
}

static int symbols_read(struct tap_pg_binary *binary, struct tap_error *err)
{
	struct tap_elf_symbol symbols[TAP_PG_SYMBOL_COUNT] = { 0 };
	int code;

	for (size_t i = 0; i < TAP_PG_SYMBOL_COUNT; i++)
		symbols[i].name = symbol_infos[i].name;
	code = tap_elf_find_symbols(binary->elf, symbols, TAP_PG_SYMBOL_COUNT, err);
	if (code)
		return code;
	for (size_t i = 0; i < TAP_PG_SYMBOL_COUNT; i++) {
		binary->found[i] =
			symbols[i].found && !symbols[i].is_function && symbols[i].size == symbol_infos[i].size;
		binary->value[i] = symbols[i].value;
	}
	return 0;
}

static uint64_t function_offset(struct tap_elf *elf, const char *name)
{
	struct tap_elf_symbol symbol = { .name = name };
	uint64_t offset;
	uint8_t first;
	size_t size;

	if (tap_elf_find_symbols(elf, &symbol, 1, NULL) || tap_elf_function(elf, &symbol, &offset, &first, 1, &size))
		return 0;
	return offset;
}

/*
 * Address that the first load of a pointer in x86-64 code refers to: REX.W 8b /r with a displacement from the next
 * instruction (Intel SDM volume 2, "MOV" and 2.2.1.6). 0: there is none.
 */
static uint64_t first_pointer_loaded(const uint8_t *code, size_t size, uint64_t address)
{
	const size_t length = 7;

	for (size_t at = 0; at + length <= size; at++) {
		int32_t displacement;

		if ((code[at] & 0xfb) != 0x48 || code[at + 1] != 0x8b || (code[at + 2] & 0xc7) != 0x05)
			continue;
		memcpy(&displacement, code + at + 3, sizeof(displacement));
		return address + at + length + (uint64_t)(int64_t)displacement;
	}
	return 0;
}

/*
 * In version 13 MyBEEntry is static: the function that reports what a session does loads it before anything else.
 * Whether it is that, the check of the layout finds out.
 */
static void entry_pointer_find(struct tap_pg_binary *binary)
{
	struct tap_elf_symbol symbol = { .name = "pgstat_report_activity" };
	uint64_t offset, address;
	uint8_t code[64];
	size_t size;

	if (binary->found[TAP_PG_SYMBOL_MY_BEENTRY] || binary->version_number / 10000 != 13 ||
	    binary->machine != EM_X86_64 || tap_elf_find_symbols(binary->elf, &symbol, 1, NULL) ||
	    tap_elf_function(binary->elf, &symbol, &offset, code, sizeof(code), &size))
		return;
	address = first_pointer_loaded(code, size, symbol.value);
	binary->found[TAP_PG_SYMBOL_MY_BEENTRY] = address != 0;
	binary->value[TAP_PG_SYMBOL_MY_BEENTRY] = address;
}

static int32_t le32(const uint8_t *at)
{
	int32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/*
 * What geterrcode, `return errordata[errordata_stack_depth].sqlerrcode;`, says of its data: movslq depth(%rip),%rax,
 * then imul $size,%rax,%rax, lea array(%rip),%reg and mov offset(%reg,%rax),%eax (Intel SDM volume 2). Anything else is
 * no answer.
 */
static bool errors_decode(const uint8_t *code, size_t size, uint64_t address, struct tap_pg_errors *ret)
{
	struct tap_pg_errors errors = { 0 };
	uint64_t array = 0;

	if (size < 7 || code[0] != 0x48 || code[1] != 0x63 || code[2] != 0x05)
		return false;
	errors.depth = address + 7 + (uint64_t)(int64_t)le32(code + 3);
	for (size_t at = 7; at + 4 <= size; at++) {
		const uint8_t *next = code + at;
		bool whole = at + 7 <= size;

		if (whole && !errors.size && next[0] == 0x48 && next[1] == 0x69 && next[2] == 0xc0)
			errors.size = (uint32_t)le32(next + 3);
		if (whole && !array && next[0] == 0x48 && next[1] == 0x8d && (next[2] & 0xc7) == 0x05)
			array = address + at + 7 + (uint64_t)(int64_t)le32(next + 3);
		if (next[0] == 0x8b && next[1] == 0x44 && array && errors.size) {
			errors.code = array + next[3];
			break;
		}
	}
	if (!errors.code || errors.size < 64 || errors.size > 1024)
		return false;
	*ret = errors;
	return true;
}

static void errors_find(struct tap_pg_binary *binary)
{
	struct tap_elf_symbol symbol = { .name = "geterrcode" };
	uint64_t offset;
	uint8_t code[48];
	size_t size;

	if (binary->machine != EM_X86_64 || tap_elf_find_symbols(binary->elf, &symbol, 1, NULL) || !symbol.found ||
	    tap_elf_function(binary->elf, &symbol, &offset, code, sizeof(code), &size))
		return;
	errors_decode(code, size, symbol.value, &binary->errors);
}

int tap_pg_binary_read(int fd, struct tap_pg_binary *ret, struct tap_error *err)
{
	struct tap_pg_binary binary = { 0 };
	const void *data;
	size_t size;
	int code;

	code = tap_elf_open(fd, &binary.elf, err);
	if (code)
		return code;
	code = symbols_read(&binary, err);
	if (code) {
		tap_pg_binary_done(&binary);
		return code;
	}
	binary.machine = tap_elf_machine(binary.elf);
	tap_elf_build_id(binary.elf, binary.build_id);
	binary.end_command_offset = function_offset(binary.elf, "EndCommand");
	binary.error_cleanup_offset = function_offset(binary.elf, "PortalErrorCleanup");
	errors_find(&binary);
	if (!tap_elf_section(binary.elf, ".rodata", &data, &size))
		version_find(&binary, data, size);
	entry_pointer_find(&binary);
	*ret = binary;
	return 0;
}

void tap_pg_binary_done(struct tap_pg_binary *binary)
{
	if (!binary)
		return;
	tap_elf_free(binary->elf);
	binary->elf = NULL;
}

static enum tap_pg_symbol_need need_of(const struct tap_pg_binary *binary, size_t symbol)
{
	enum tap_pg_symbol_need need = symbol_infos[symbol].need;

	int32_t major = binary->version_number / 10000;

	if (need == TAP_PG_NEED_LAYOUT_14)
		return major >= 14 ? TAP_PG_NEED_LAYOUT : TAP_PG_NEED_EXTRA_18;
	return need == TAP_PG_NEED_EXTRA_18 && major >= 18 ? TAP_PG_NEED_EXTRA : need;
}

const char *tap_pg_binary_lacks(const struct tap_pg_binary *binary, enum tap_pg_symbol_need need)
{
	for (size_t i = 0; i < TAP_PG_SYMBOL_COUNT; i++) {
		if (need_of(binary, i) <= need && !binary->found[i])
			return symbol_infos[i].name;
	}
	return NULL;
}
