/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_layout.h - the table of PostgreSQL memory layouts this build knows.
 *
 * A row is a fact about a major version and machine, taken from the server's own headers; whether it holds for the
 * instance at hand is for pg_layout_check to find out.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_LAYOUT_H
#define TAP_USERSPACE_ATTACH_PG_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/pg_layout.h"

struct tap_pg_layout_row {
	int32_t major;
	uint16_t machine;   /* of the ELF header */
	const char *name;   /* "15 x86-64" */
	uint16_t proc_size; /* sizeof(PGPROC), the stride of that array */
	uint16_t types;	    /* how many BackendType values there are */
	struct tap_pg_layout layout;
};

/* NULL: this build has none, and nothing may be guessed. */
const struct tap_pg_layout_row *tap_pg_layout_find(int32_t version_number, uint16_t machine);

/* All rows, for messages and tests. */
const struct tap_pg_layout_row *tap_pg_layout_rows(size_t *ret_count);

#endif
