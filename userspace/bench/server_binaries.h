/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server_binaries.h - where this host keeps a PostgreSQL server's programs.
 *
 * Called by throwaway.c. Looks, does not run anything: starting them is the throwaway's business.
 */
#ifndef TAP_USERSPACE_BENCH_SERVER_BINARIES_H
#define TAP_USERSPACE_BENCH_SERVER_BINARIES_H

#include "userspace/base/error.h"

/*
 * A folder with executable `initdb` and `postgres`, malloc'd: `wanted` if given (and nothing else), else the highest
 * version of `packages`/VERSION/bin (NULL: /usr/lib/postgresql), else the first such folder of `search_path` (NULL:
 * $PATH). -ENOENT: none.
 */
int tap_server_binaries_find(const char *wanted, const char *packages, const char *search_path, char **ret_folder,
			     struct tap_error *err);

#endif
