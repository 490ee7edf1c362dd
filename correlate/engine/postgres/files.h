/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.h - which object of a PostgreSQL instance a file is, told from its names; for terms.c.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_FILES_H
#define TAP_CORRELATE_ENGINE_POSTGRES_FILES_H

#include <stdbool.h>

#include "correlate/file.h"

/* As struct tap_terms has them. */
void tap_pg_file_below(const struct tap_file_root *root, const struct tap_file_place *place,
		       struct tap_file_object *ret);
bool tap_pg_file_by_shape(const struct tap_file_place *place, struct tap_file_object *ret);

#endif
