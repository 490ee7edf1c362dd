/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_relation_files.h - the large relations' files of a PostgreSQL instance, by a look into its data folder.
 *
 * A relation that VACUUM FULL or TRUNCATE rewrites within a window has another file afterwards, and no catalog knows
 * the old one. What is large is therefore asked for when the window begins; the live source calls this.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_RELATION_FILES_H
#define TAP_USERSPACE_ATTACH_PG_RELATION_FILES_H

#include "correlate/objects.h"

enum {
	TAP_PG_RELATION_FILE_LARGE = 1 << 20, /* bytes */
	TAP_PG_RELATION_FILES_LOOKS = 20000,  /* files that are looked at, of one instance */
};

/*
 * Writes down as wanted the large files of the databases in `data_dir`, a path as this host sees it. What cannot be
 * read is passed over: names are had later, when the file is seen. `now_ms` as in tap_objects_want.
 */
void tap_pg_relation_files_want(const char *data_dir, struct tap_objects *objects, int64_t now_ms);

#endif
