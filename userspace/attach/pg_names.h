/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_names.h - names of the databases and users of sessions that were read from memory.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_NAMES_H
#define TAP_USERSPACE_ATTACH_PG_NAMES_H

#include <stddef.h>

#include "correlate/session.h"
#include "userspace/attach/target.h"

/*
 * Fills database_name and user_name of the sessions (their kinds, clients and numbers are there) from the process
 * titles; sessions of the same database or user help each other. What cannot be told stays NULL. 0 or -ENOMEM.
 */
int tap_pg_names_fill(const struct tap_target *target, struct tap_session *sessions, size_t count);

#endif
