/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.h - which object of MariaDB or MySQL a file is, by its name; for terms.c.
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_FILES_H
#define TAP_CORRELATE_ENGINE_MYSQL_FILES_H

#include "correlate/file.h"

/* As file_below and file_by_shape of struct tap_terms. */
void tap_my_file_below(const struct tap_file_root *root, const struct tap_file_place *place,
		       struct tap_file_object *ret);
bool tap_my_file_by_shape(const struct tap_file_place *place, struct tap_file_object *ret);

#endif
