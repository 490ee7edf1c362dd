/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * number.h - the number that stands for the name of a database, user or table; see bpf/abi/my_layout.h.
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_NUMBER_H
#define TAP_CORRELATE_ENGINE_MYSQL_NUMBER_H

#include <stdint.h>

/* 0 for NULL and "". The one that the kernel side makes of the same name. */
uint32_t tap_my_name_number(const char *name);
/* The same of a table, as InnoDB calls it: "database/table". */
uint32_t tap_my_table_number(const char *name);

#endif
