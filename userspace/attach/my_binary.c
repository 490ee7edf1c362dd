// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_binary.c - symbols of a server's executable, and the fields that its one-line functions load.
 *
 * Called by my_find, once per file.
 */
#include "userspace/attach/my_binary.h"

#include <elf.h>
#include <errno.h>

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

enum {
	STAGE_SIZE_LEAST = 24, /* of a PSI_stage_info: its key, its name, its flags, and in MySQL a pointer more */
	STAGE_SIZE_MOST = 32,
	MARKS = TAP_MY_PRODUCTS, /* the variables that tell the product */
	NAMES = TAP_MY_SYMBOL_COUNT + MARKS + TAP_MY_STAGES_MAX + TAP_MY_FUNCTIONS_MAX,
};

/* Everything that is looked up, in one pass over a table that may have many thousands of symbols. */
struct lookup {
	struct tap_elf_symbol all[NAMES];
	struct tap_elf_symbol *variables, *marks, *stages, *functions;
};

static const char NO_NAME[] = "";

static enum tap_my_product product_of(const struct tap_elf_symbol *marks)
{
	enum tap_my_product product = TAP_MY_MARIADB;

	while (product < TAP_MY_PRODUCTS - 1 && !marks[product].found)
		product++;
	return product;
}

static void lookup_init(struct lookup *lookup)
{
	*lookup = (struct lookup){ .variables = lookup->all };
	lookup->marks = lookup->variables + TAP_MY_SYMBOL_COUNT;
	lookup->stages = lookup->marks + MARKS;
	lookup->functions = lookup->stages + TAP_MY_STAGES_MAX;
	for (size_t i = 0; i < NAMES; i++)
		lookup->all[i].name = NO_NAME;
	for (size_t i = 0; i < TAP_MY_SYMBOL_COUNT; i++)
		lookup->variables[i].name = symbol_infos[i].name;
	for (size_t i = 0; i < MARKS; i++)
		lookup->marks[i].name = tap_my_product_info((enum tap_my_product)i)->sessions;
}

/* The product has to be known before its functions and stages can be asked for. */
static int lookup_run(struct tap_my_binary *binary, struct lookup *lookup, struct tap_error *err)
{
	const struct tap_my_product_info *info;
	int code = tap_elf_find_symbols(binary->elf, lookup->all, TAP_MY_SYMBOL_COUNT + MARKS, err);

	if (code)
		return code;
	binary->product = product_of(lookup->marks);
	info = tap_my_product_info(binary->product);
	for (size_t i = 0; i < TAP_MY_STAGES_MAX; i++)
		lookup->stages[i].name =
			info->stages[i].name && !info->stages[i].is_text ? info->stages[i].name : NO_NAME;
	for (size_t i = 0; i < TAP_MY_FUNCTIONS_MAX; i++)
		lookup->functions[i].name = info->functions[i].symbol ? info->functions[i].symbol : NO_NAME;
	return tap_elf_find_symbols(binary->elf, lookup->stages, TAP_MY_STAGES_MAX + TAP_MY_FUNCTIONS_MAX, err);
}

static void variables_note(struct tap_my_binary *binary, const struct lookup *lookup)
{
	const struct tap_elf_symbol *mark = &lookup->marks[binary->product];

	for (size_t i = 0; i < TAP_MY_SYMBOL_COUNT; i++) {
		const struct tap_elf_symbol *symbol = &lookup->variables[i];

		binary->found[i] = symbol->found && !symbol->is_function && symbol->size >= symbol_infos[i].size;
		binary->value[i] = symbol->value;
		binary->size[i] = symbol->size;
	}
	if (mark->found && !mark->is_function && mark->size >= sizeof(uint64_t))
		binary->sessions = mark->value;
}

static void stages_note(struct tap_my_binary *binary, const struct lookup *lookup)
{
	const struct tap_my_stage *stages = tap_my_product_info(binary->product)->stages;

	for (size_t i = 0; i < TAP_MY_STAGES_MAX; i++) {
		const struct tap_elf_symbol *symbol = &lookup->stages[i];

		if (stages[i].name && stages[i].is_text) {
			if (tap_elf_find_text(binary->elf, stages[i].name, &binary->stages[i]))
				binary->stages[i] = 0;
		} else if (stages[i].name && symbol->found && !symbol->is_function &&
			   symbol->size >= STAGE_SIZE_LEAST && symbol->size <= STAGE_SIZE_MOST) {
			binary->stages[i] = symbol->value;
		}
	}
}

/* What the loader writes at `place`; 0: nothing that is known before. */
static uint64_t relocated(const Elf64_Rela *entries, size_t count, uint64_t place)
{
	for (size_t i = 0; i < count; i++) {
		if (entries[i].r_offset == place && ELF64_R_TYPE(entries[i].r_info) == R_X86_64_RELATIVE)
			return (uint64_t)entries[i].r_addend;
	}
	return 0;
}

/*
 * InnoDB lists its threads for the performance schema: the address of a key, and the thread's name behind it. The key
 * is what the thread asks for when it begins.
 */
static uint64_t thread_key(const struct tap_my_binary *binary, const char *name)
{
	const void *section;
	uint64_t text;
	size_t size;

	if (binary->product != TAP_MY_MARIADB || binary->machine != EM_X86_64 ||
	    tap_elf_find_text(binary->elf, name, &text) || tap_elf_section(binary->elf, ".rela.dyn", &section, &size) ||
	    (uintptr_t)section % _Alignof(Elf64_Rela))
		return 0;
	for (size_t i = 0; i < size / sizeof(Elf64_Rela); i++) {
		const Elf64_Rela *entry = (const Elf64_Rela *)section + i;

		if ((uint64_t)entry->r_addend == text && ELF64_R_TYPE(entry->r_info) == R_X86_64_RELATIVE)
			return relocated(section, size / sizeof(Elf64_Rela), entry->r_offset - sizeof(uint64_t));
	}
	return 0;
}

/* ---- what functions tell ---- */

static int field_decode(const struct tap_my_function *function, uint16_t machine, const uint8_t *code, size_t size,
			uint32_t *ret)
{
	struct tap_my_code_field field = { 0 };
	int err = tap_my_code_field(machine, code, size, &field);

	if (err || field.size != (function->shape == TAP_MY_SHAPE_FIELD ? function->size : 0))
		return -ENOENT;
	*ret = field.offset;
	return 0;
}

/* All parts are of one security context, which the first tells. */
static int part_decode(uint16_t machine, const uint8_t *code, size_t size, struct tap_my_decoded *decoded,
		       uint32_t *ret)
{
	uint32_t part = 0;
	int err = tap_my_code_part(machine, code, size, &part, ret);

	if (err)
		return err;
	if (!decoded->security)
		decoded->security = part;
	return part == decoded->security ? 0 : -ENOENT;
}

static int function_decode(const struct tap_my_function *function, uint16_t machine, const uint8_t *code, size_t size,
			   struct tap_my_decoded *decoded)
{
	void *to = (char *)decoded + function->to;

	switch ((enum tap_my_shape)function->shape) {
	case TAP_MY_SHAPE_THREAD_LOCAL:
		return tap_my_code_thread_local(machine, code, size, to);
	case TAP_MY_SHAPE_FIELD:
	case TAP_MY_SHAPE_ADDRESS:
		return field_decode(function, machine, code, size, to);
	case TAP_MY_SHAPE_TEXT:
		return tap_my_code_text(machine, code, size, to);
	case TAP_MY_SHAPE_PART:
		return part_decode(machine, code, size, decoded, to);
	case TAP_MY_SHAPE_COUNTER:
		return tap_my_code_counter(machine, code, size, to);
	case TAP_MY_SHAPE_HANDED_ON:
		return tap_my_code_handed_on(machine, code, size, to);
	case TAP_MY_SHAPE_HANDED_OUT:
		return tap_my_code_handed_out(machine, code, size, to);
	case TAP_MY_SHAPE_STORED:
		return tap_my_code_stored(machine, code, size, to);
	case TAP_MY_SHAPE_FLAGGED_ADDRESS:
		return tap_my_code_flagged_address(machine, code, size, to);
	}
	return -ENOENT;
}

static void functions_decode(struct tap_my_binary *binary, const struct lookup *lookup)
{
	const struct tap_my_product_info *info = tap_my_product_info(binary->product);

	if (info->thread_slot && tap_elf_thread_local(binary->elf, info->thread_slot, &binary->decoded.thd))
		binary->undecoded = info->thread_slot;
	for (size_t i = 0; i < TAP_MY_FUNCTIONS_MAX && info->functions[i].symbol; i++) {
		uint8_t code[TAP_MY_CODE_MAX];
		uint64_t offset;
		size_t size;

		if (!tap_elf_function(binary->elf, &lookup->functions[i], &offset, code, sizeof(code), &size) &&
		    !function_decode(&info->functions[i], binary->machine, code, size, &binary->decoded)) {
			binary->told[i] = true;
			continue;
		}
		if (!binary->undecoded)
			binary->undecoded = info->functions[i].symbol;
	}
}

int tap_my_binary_read(int fd, struct tap_my_binary *ret, struct tap_error *err)
{
	struct tap_my_binary binary = { 0 };
	struct lookup lookup;
	int code;

	code = tap_elf_open(fd, &binary.elf, err);
	if (code)
		return code;
	lookup_init(&lookup);
	code = lookup_run(&binary, &lookup, err);
	if (code) {
		tap_my_binary_done(&binary);
		return code;
	}
	binary.machine = tap_elf_machine(binary.elf);
	tap_elf_build_id(binary.elf, binary.build_id);
	variables_note(&binary, &lookup);
	stages_note(&binary, &lookup);
	binary.page_cleaner = thread_key(&binary, "page_cleaner_thread");
	functions_decode(&binary, &lookup);
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
	if (need == TAP_MY_NEED_LAYOUT && !binary->sessions)
		return tap_my_product_info(binary->product)->sessions;
	return NULL;
}
