/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folder.h - a private temporary folder, possibly another user's, and its safe removal.
 *
 * Called by throwaway.c. Removal may run as root over a tree that an unprivileged server wrote: it goes by descriptors
 * and follows no symbolic link, so that no name in the tree leads out of it.
 */
#ifndef TAP_USERSPACE_BENCH_FOLDER_H
#define TAP_USERSPACE_BENCH_FOLDER_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Makes PARENT/dbtap-XXXXXX with mode 0700, owned by uid and gid; `parent` NULL is $TMPDIR or /tmp. `ret_path` is
 * malloc'd.
 */
int tap_folder_make(const char *parent, uid_t uid, gid_t gid, char **ret_path);

/* Removes the folder with all that is in it; one that is not there is fine. -ELOOP: nested deeper than 64 folders. */
int tap_folder_remove(const char *path);

#endif
