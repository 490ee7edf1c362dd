/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_statement.h - what one PostgreSQL process works on right now, read from its memory with a few system calls.
 *
 * For those who have a pid and need to know at once; whoever wants all sessions takes pg_memory.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_STATEMENT_H
#define TAP_USERSPACE_ATTACH_PG_STATEMENT_H

#include "userspace/attach/engine.h"

/* As `statement` of struct tap_attach. */
int tap_pg_statement_read(const struct tap_target *target, int32_t pid, struct tap_statement *ret);

#endif
