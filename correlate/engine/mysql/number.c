// SPDX-License-Identifier: BSD-2-Clause
/* number.c - numbers for names. See number.h. */
#include "correlate/engine/mysql/number.h"

#include <string.h>

#include "bpf/abi/my_layout.h"

static uint32_t number_of(const char *name, size_t bound)
{
	uint64_t words[TAP_MY_TABLE_NAME_SIZE / 8] = { 0 }, hash = 0;
	size_t size = name ? strnlen(name, bound - 1) : 0;

	if (!size)
		return 0;
	memcpy(words, name, size);
	for (size_t i = 0; 8 * i < size; i++)
		hash = tap_my_name_step(hash, words[i]);
	return tap_my_name_final(hash);
}

uint32_t tap_my_name_number(const char *name)
{
	return number_of(name, TAP_MY_NAME_SIZE);
}

uint32_t tap_my_table_number(const char *name)
{
	return number_of(name, TAP_MY_TABLE_NAME_SIZE);
}
