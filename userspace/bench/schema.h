/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema.h - the tables the load works on.
 *
 * The four tables of pgbench's standard schema with its columns and sizes (scale 1: 100,000 accounts, 10 tellers, 1
 * branch), so that figures can be compared with pgbench's, and for the mixed load a few rows to fight over and two
 * functions. All are in a schema of their own, TAP_SCHEMA, in the database one is connected to: a running server's own
 * objects are never touched. Called by the commands before generator.h runs and after.
 */
#ifndef TAP_USERSPACE_BENCH_SCHEMA_H
#define TAP_USERSPACE_BENCH_SCHEMA_H

#include <stdint.h>

#include "userspace/base/error.h"

#define TAP_SCHEMA "dbtap_load"
#define TAP_SCHEMA_MAX_SCALE 1000
#define TAP_SCHEMA_ACCOUNTS 100000 /* per unit of scale */
#define TAP_SCHEMA_TELLERS 10
#define TAP_SCHEMA_LOCKS 4

/*
 * Builds the tables, replacing those of an earlier run. -EEXIST: a schema of that name is there which we did not make;
 * -EINVAL: scale; -ECONNREFUSED; -EIO: the server refused a statement, its text is in the error.
 */
int tap_schema_build(const char *conninfo, uint32_t scale, struct tap_error *err);
/* Drops what tap_schema_build made; nothing there is fine. Errors as above. */
int tap_schema_drop(const char *conninfo, struct tap_error *err);

#endif
