/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_load.h - what one session of the load does on a MariaDB server, by way of libmariadb.
 *
 * The shape of sysbench's oltp_point_select: one row of sbtest1 by its primary key, as a text or as a prepared
 * statement. `where` is the path of the server's socket. Functions are those of struct tap_bench_engine; where dbtap is
 * built without libmariadb they all fail.
 */
#ifndef TAP_USERSPACE_BENCH_MY_LOAD_H
#define TAP_USERSPACE_BENCH_MY_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "userspace/base/error.h"
#include "userspace/bench/load.h"

#define TAP_MY_LOAD_ROWS 10000 /* per unit of scale */

/* What this build lacks; NULL: nothing. */
#ifdef HAVE_LIBMARIADB
#define TAP_MY_LOAD_ABSENT NULL
#else
#define TAP_MY_LOAD_ABSENT \
	"this dbtap is built without libmariadb, which a load on MariaDB needs; install libmariadb-dev and build " \
	"again"
#endif

int tap_my_load_build(const char *where, uint32_t scale, struct tap_error *err);
const struct tap_load_role *tap_my_load_role_of(enum tap_load_kind kind, uint32_t index);
int tap_my_load_connect(const char *where, const char *application, void **ret, struct tap_error *err);
bool tap_my_load_is_lost(void *connection);
void tap_my_load_recover(struct tap_load_session *session);
void tap_my_load_disconnect(void *connection);
bool tap_my_load_answers(const char *where);

#endif
