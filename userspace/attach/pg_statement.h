/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_statement.h - what one PostgreSQL process works on right now, read from its memory with a few system calls.
 *
 * For those who have a pid and need to know at once; whoever wants all sessions takes pg_memory.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_STATEMENT_H
#define TAP_USERSPACE_ATTACH_PG_STATEMENT_H

#include "bpf/abi/task.h"
#include "correlate/session.h"
#include "userspace/attach/target.h"

struct tap_pg_statement {
	uint8_t kind;	  /* enum tap_kind */
	uint8_t pg_state; /* enum tap_pg_state */
	enum tap_session_state state;
	uint32_t database;
	uint32_t user;
	uint64_t query_id;	      /* of the statement that runs, or of the last one; 0: none */
	int64_t transaction_start_us; /* since the Unix epoch; 0: none */
	int64_t query_start_us;
	char text[TAP_TEXT_MAX]; /* literals included, perhaps cut; "": not to be had */
};

/* -ESRCH: gone; -EAGAIN: it was being written each time; -ENODATA: no session; other negative errno. */
int tap_pg_statement_read(const struct tap_target *target, int32_t pid, struct tap_pg_statement *ret);

#endif
