/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_layout.h - where a session keeps its fields, put together from what the binary tells and a table of the rest.
 *
 * Most offsets are decoded from the server's own code and tables, so they hold for this very build. Those few that
 * nothing exported tells come from a row of facts about a version, which is believed only where all decoded offsets are
 * those that the row was made with.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_LAYOUT_H
#define TAP_USERSPACE_ATTACH_MY_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/my_layout.h"
#include "userspace/attach/my_binary.h"

/* What only userspace reads of a session: offsets in bytes. */
struct tap_my_fields {
	uint32_t next;	     /* the session after it in MariaDB's list */
	uint32_t thread_id;  /* uint32 or uint64, the connection's number */
	uint32_t thread;     /* pthread_t of the thread that serves it */
	uint32_t os_thread;  /* uint32, its number in the server's namespace; 0: only the C library has it */
	uint32_t start_time; /* uint64, seconds since the epoch at which what it does began; microseconds, uint64,
				behind */
	uint32_t host;	     /* of the security context: char * */
	uint32_t address;    /* of it: char * */
	uint8_t wide_id;     /* thread_id has 64 bits */
};

/* Places of counters within a session's status block, from the server's own tables. */
struct tap_my_status_offsets {
	uint32_t received;
	uint32_t questions;
	uint32_t executes;
};

/* "10.11 x86-64" and what was decoded when it was made. */
struct tap_my_layout_row {
	enum tap_my_product product;
	int32_t version; /* 101100: of 10.11.19 and all others of 10.11 */
	uint16_t machine;
	const char *name;
	struct tap_my_decoded decoded;
	uint32_t stage;
	uint32_t server_status;
	uint32_t statement;
	uint32_t statement_query;
	uint32_t first_block;
	uint32_t block_header;
	uint32_t record_statement;
	uint32_t record_text;
	struct tap_my_fields fields;
	bool inferred; /* of no known version: believed only where sessions agree */
};

/* NULL: this build has none, and nothing may be guessed. */
const struct tap_my_layout_row *tap_my_layout_find(enum tap_my_product product, int32_t version_number,
						   uint16_t machine);
/*
 * A row for a version that none was made of: what no function tells lay as far from what functions do tell in every
 * version of a product that is known. *ret->inferred is set. What keeps no such distance is left out: texts of prepared
 * statements, MySQL's texts of statements that are over. -ENOENT: no version of the product is known on that machine.
 */
int tap_my_layout_infer(enum tap_my_product product, uint16_t machine, const struct tap_my_decoded *decoded,
			struct tap_my_layout_row *ret);
/* All rows, for messages and tests. */
const struct tap_my_layout_row *tap_my_layout_rows(size_t *ret_count);

/*
 * The layout of a build. -EBADMSG: what was decoded contradicts the row or itself; *ret_why, a literal, says what.
 */
int tap_my_layout_make(const struct tap_my_layout_row *row, const struct tap_my_decoded *decoded,
		       const struct tap_my_status_offsets *status, struct tap_my_layout *ret, const char **ret_why);

#endif
