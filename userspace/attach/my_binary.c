// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_binary.c - symbols of a MariaDB server's executable, and the fields that its one-line functions load.
 *
 * Called by my_find, once per file.
 */
#include "userspace/attach/my_binary.h"

#include <string.h>

#include "userspace/attach/my_code.h"

static const struct {
	const char *name;
	uint64_t size;
	enum tap_my_symbol_need need;
} symbol_infos[TAP_MY_SYMBOL_COUNT] = {
#define X(id, symbol, bytes, needed) \
	[TAP_MY_SYMBOL_##id] = { .name = symbol, .size = bytes, .need = TAP_MY_NEED_##needed },
	TAP_MY_SYMBOLS(X)
#undef X
};

static const char *const stage_names[] = {
#define X(name, wait) name,
	TAP_MY_STAGE_SYMBOLS(X)
#undef X
};
_Static_assert(sizeof(stage_names) / sizeof(*stage_names) <= TAP_MY_STAGE_SYMBOLS_MAX, "all stages have a place");

enum {
	STAGES = sizeof(stage_names) / sizeof(*stage_names),
	STAGE_SIZE = 24, /* of a PSI_stage_info: its key, its name, its flags */
};

static void texts_find(struct tap_my_binary *binary)
{
	static const char *const texts[TAP_MY_STAGE_TEXTS_MAX] = {
#define X(text, wait) text,
		TAP_MY_STAGE_TEXTS(X)
#undef X
	};

	for (size_t i = 0; i < TAP_MY_STAGE_TEXTS_MAX; i++) {
		if (tap_elf_find_text(binary->elf, texts[i], &binary->texts[i]))
			binary->texts[i] = 0;
	}
}

static int variables_read(struct tap_my_binary *binary, struct tap_error *err)
{
	struct tap_elf_symbol symbols[TAP_MY_SYMBOL_COUNT + STAGES] = { 0 };
	int code;

	for (size_t i = 0; i < TAP_MY_SYMBOL_COUNT; i++)
		symbols[i].name = symbol_infos[i].name;
	for (size_t i = 0; i < STAGES; i++)
		symbols[TAP_MY_SYMBOL_COUNT + i].name = stage_names[i];
	code = tap_elf_find_symbols(binary->elf, symbols, TAP_MY_SYMBOL_COUNT + STAGES, err);
	if (code)
		return code;
	for (size_t i = 0; i < TAP_MY_SYMBOL_COUNT; i++) {
		binary->found[i] =
			symbols[i].found && !symbols[i].is_function && symbols[i].size >= symbol_infos[i].size;
		binary->value[i] = symbols[i].value;
		binary->size[i] = symbols[i].size;
	}
	for (size_t i = 0; i < STAGES; i++) {
		const struct tap_elf_symbol *stage = &symbols[TAP_MY_SYMBOL_COUNT + i];

		if (stage->found && !stage->is_function && stage->size == STAGE_SIZE)
			binary->stages[i] = stage->value;
	}
	return 0;
}

/* The first bytes of a function; *ret_size 0: there is none. */
static void code_read(const struct tap_my_binary *binary, const char *name, uint8_t ret[TAP_MY_CODE_MAX],
		      size_t *ret_size)
{
	struct tap_elf_symbol symbol = { .name = name };
	uint64_t offset;

	*ret_size = 0;
	if (tap_elf_find_symbols(binary->elf, &symbol, 1, NULL) ||
	    tap_elf_function(binary->elf, &symbol, &offset, ret, TAP_MY_CODE_MAX, ret_size))
		*ret_size = 0;
}

static void note(struct tap_my_binary *binary, const char *name, bool decoded)
{
	if (!decoded && !binary->undecoded)
		binary->undecoded = name;
}

/* A field of a known size; address: the function returns where it is. */
static void field_read(struct tap_my_binary *binary, const char *name, unsigned size, uint32_t *ret)
{
	struct tap_my_code_field field = { 0 };
	uint8_t code[TAP_MY_CODE_MAX];
	size_t length;
	bool decoded;

	code_read(binary, name, code, &length);
	decoded = !tap_my_code_field(binary->machine, code, length, &field) && field.size == size;
	note(binary, name, decoded);
	*ret = field.offset;
}

static void part_read(struct tap_my_binary *binary, const char *name, uint32_t *ret)
{
	uint8_t code[TAP_MY_CODE_MAX];
	uint32_t part = 0;
	size_t length;
	bool decoded;

	code_read(binary, name, code, &length);
	decoded = !tap_my_code_part(binary->machine, code, length, &part, ret);
	/* All parts are of one security context. */
	if (decoded && !binary->decoded.security)
		binary->decoded.security = part;
	note(binary, name, decoded && part == binary->decoded.security);
}

static void fields_decode(struct tap_my_binary *binary)
{
	struct tap_my_decoded *decoded = &binary->decoded;
	uint8_t code[TAP_MY_CODE_MAX];
	size_t length;

	code_read(binary, "_current_thd", code, &length);
	note(binary, "_current_thd", !tap_my_code_thread_local(binary->machine, code, length, &decoded->thd));
	field_read(binary, "thd_query_string", 0, &decoded->query);
	field_read(binary, "thd_current_db", 0, &decoded->database);
	field_read(binary, "thd_get_thread_id", 8, &decoded->thread_id);
	field_read(binary, "thd_current_command", 4, &decoded->command);
	part_read(binary, "thd_user_name", &decoded->user);
	part_read(binary, "thd_client_host", &decoded->host);
	part_read(binary, "thd_client_ip", &decoded->address);
	code_read(binary, "thd_increment_bytes_received", code, &length);
	note(binary, "thd_increment_bytes_received",
	     !tap_my_code_counter(binary->machine, code, length, &decoded->received));
	code_read(binary, "thd_alloc", code, &length);
	note(binary, "thd_alloc", !tap_my_code_handed_on(binary->machine, code, length, &decoded->memory));
}

int tap_my_binary_read(int fd, struct tap_my_binary *ret, struct tap_error *err)
{
	struct tap_my_binary binary = { 0 };
	int code;

	code = tap_elf_open(fd, &binary.elf, err);
	if (code)
		return code;
	code = variables_read(&binary, err);
	if (code) {
		tap_my_binary_done(&binary);
		return code;
	}
	binary.machine = tap_elf_machine(binary.elf);
	tap_elf_build_id(binary.elf, binary.build_id);
	fields_decode(&binary);
	texts_find(&binary);
	*ret = binary;
	return 0;
}

void tap_my_binary_done(struct tap_my_binary *binary)
{
	if (!binary)
		return;
	tap_elf_free(binary->elf);
	binary->elf = NULL;
}

const char *tap_my_binary_lacks(const struct tap_my_binary *binary, enum tap_my_symbol_need need)
{
	for (size_t i = 0; i < TAP_MY_SYMBOL_COUNT; i++) {
		if (symbol_infos[i].need <= need && !binary->found[i])
			return symbol_infos[i].name;
	}
	return NULL;
}
