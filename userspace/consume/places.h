/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places.h - the folders that hold an instance's files, and the disks below them.
 *
 * The data folder, every tablespace, and the WAL where it is a link; each as the server itself sees it, also in another
 * mount namespace.
 */
#ifndef TAP_USERSPACE_CONSUME_PLACES_H
#define TAP_USERSPACE_CONSUME_PLACES_H

#include "correlate/file.h"
#include "userspace/attach/target.h"
#include "userspace/consume/disks.h"

enum {
	TAP_PLACES_MAX = 1024, /* of one instance */
};

struct tap_place {
	struct tap_file_root root; /* device: as the kernel has it of the inodes that reach the disk */
	struct tap_disks disks;
	bool watched; /* the tracer was told of it */
};

struct tap_places {
	struct tap_place *items;
	size_t count;
	bool cut; /* there are more tablespaces */
	/* Tells whether the list of tablespaces changed: the folder's time of change. */
	int64_t changed_ns;
};

/*
 * Places of a server, by the names its engine has for them (struct tap_data_folder). Its data_dir is the path as this
 * host sees it, or one through <proc>/PID/root. -ENOENT and others: the data folder cannot be looked at. A tablespace
 * that cannot is left out.
 */
int tap_places_find(const struct tap_host_roots *roots, uint32_t instance, const struct tap_target *target,
		    struct tap_places *ret);
void tap_places_done(struct tap_places *places);

/* Whether tablespaces were made or dropped since. */
bool tap_places_changed(const struct tap_places *places, const struct tap_target *target);

#endif
