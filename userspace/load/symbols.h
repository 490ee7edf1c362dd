/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols.h - addresses of kernel functions, for programs that tell a callback by its address.
 */
#ifndef TAP_USERSPACE_LOAD_SYMBOLS_H
#define TAP_USERSPACE_LOAD_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct tap_symbol {
	const char *name;
	uint64_t address; /* 0: there is none, there are several, or the kernel does not tell */
};

/* Looks all of them up in /proc/kallsyms (or the file `path`, when it is not NULL), in one pass. */
void tap_symbols_find(struct tap_symbol *symbols, size_t n, const char *path);

#endif
