/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalogs.h - keeps the files of all followed instances known while time passes: new tablespaces, new relations.
 */
#ifndef TAP_USERSPACE_CONSUME_CATALOGS_H
#define TAP_USERSPACE_CONSUME_CATALOGS_H

#include "userspace/consume/instances.h"

/* The folders of all instances; *ret is malloc'd. 0 or -ENOMEM. */
int tap_instances_roots(const struct tap_instances *instances, struct tap_file_root **ret, size_t *ret_count);

/* Finds the folders of living instances anew where tablespaces were made or dropped. */
int tap_instances_refresh_files(struct tap_instances *instances, struct tap_tracer *tracer, struct tap_error *err);

/*
 * Asks connected servers' catalogs for the relations that files of `io` belong to and that are not known; the budget is
 * for all of them. Why some have no name is kept with the instance. 0 or -ENOMEM.
 */
int tap_instances_read_catalogs(struct tap_instances *instances, const struct tap_io_set *io,
				const struct tap_asking *asking);

#endif
