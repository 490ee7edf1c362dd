/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_find.h - the MariaDB and MySQL instances of this host, from /proc and their memory; for my_engine.c.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_FIND_H
#define TAP_USERSPACE_ATTACH_MY_FIND_H

#include "userspace/attach/engine.h"

/* As `find` and `target_done` of struct tap_attach. */
int tap_my_find(const struct tap_target_search *of, struct tap_target_list *list);
void tap_my_target_done(struct tap_target *target);

#endif
