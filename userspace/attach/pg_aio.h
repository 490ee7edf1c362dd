/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_aio.h - where a PostgreSQL server keeps what is asked of its io workers, from version 18.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_AIO_H
#define TAP_USERSPACE_ATTACH_PG_AIO_H

#include "bpf/abi/pg_layout.h"
#include "userspace/attach/target.h"

/*
 * Finds the arrays and checks that they are what the layout says. -ENOTSUP: this version has none, or no layout for
 * them, or a symbol is missing; -EBADMSG: what is there is not what the layout says; other errors: memory could not be
 * read. Without it all an io worker reads is its own.
 */
int tap_pg_aio_find(const struct tap_target *target, struct tap_pg_aio *ret);

/*
 * Makes the pages of these arrays present in an io worker, where programs in the kernel can read no page that the
 * process itself has not touched: a read from outside brings them in and writes nothing. What fails is left out, and so
 * is what lies behind the first 64 MiB of the buffers' descriptors.
 */
void tap_pg_aio_prime(const struct tap_target *target, const struct tap_pg_aio *aio, int32_t pid);

#endif
