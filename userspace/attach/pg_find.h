/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_find.h - the PostgreSQL instances of this host, from /proc and their memory; for pg_engine.c.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_FIND_H
#define TAP_USERSPACE_ATTACH_PG_FIND_H

#include "userspace/attach/engine.h"

/* As `find` of struct tap_attach. */
int tap_pg_find(const struct tap_target_search *of, struct tap_target_list *list);

#endif
