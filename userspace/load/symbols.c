// SPDX-License-Identifier: BSD-2-Clause
/* symbols.c - one pass over the kernel's list of symbols. */
#include "userspace/load/symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "ffffffff81763350 T iomap_dio_bio_end_io", with "\t[module]" behind the name of one in a module. */
static const char *line_name(char *line, uint64_t *ret_address)
{
	char *rest, *name;

	*ret_address = strtoull(line, &rest, 16);
	if (rest == line || rest[0] != ' ' || !rest[1] || rest[2] != ' ')
		return NULL;
	name = rest + 3;
	name[strcspn(name, " \t\n")] = '\0';
	return name;
}

void tap_symbols_find(struct tap_symbol *symbols, size_t n, const char *path)
{
	FILE *file = fopen(path ? path : "/proc/kallsyms", "re");
	char line[512];

	for (size_t i = 0; i < n; i++)
		symbols[i].address = 0;
	while (file && fgets(line, sizeof(line), file)) {
		uint64_t address;
		const char *name = line_name(line, &address);

		for (size_t i = 0; name && i < n; i++) {
			if (strcmp(symbols[i].name, name) != 0)
				continue;
			/* Of two functions with one name neither is known. */
			symbols[i].address = symbols[i].address ? UINT64_MAX : address;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (symbols[i].address == UINT64_MAX)
			symbols[i].address = 0;
	}
	if (file)
		fclose(file);
}
