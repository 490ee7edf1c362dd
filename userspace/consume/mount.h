/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount.h - which mount a folder is on, as a process's mountinfo tells.
 *
 * For file systems whose device number is no block device: what they are, and what they were mounted from.
 */
#ifndef TAP_USERSPACE_CONSUME_MOUNT_H
#define TAP_USERSPACE_CONSUME_MOUNT_H

#include <stdint.h>

struct tap_mount {
	uint32_t device; /* of the superblock: major << 20 | minor */
	char *type;	 /* "ext4", "btrfs", "tmpfs" */
	char *source;	 /* "/dev/sda1", "server:/export"; any text */
	char *point;	 /* in the process's own mount namespace */
	char *options;	 /* of the superblock, commas between */
};

/*
 * The mount of a number (statx's stx_mnt_id), or with `id` 0 the last one of superblock `device`. -ENOENT: none;
 * -ESRCH: no such process. `proc_root` is "/proc" but for tests.
 */
int tap_mount_find(const char *proc_root, int32_t pid, uint64_t id, uint32_t device, struct tap_mount *ret);
/* NULL is fine. */
void tap_mount_done(struct tap_mount *mount);

/* The value of "name=value" among the options, malloc'd; NULL: not there, or out of memory. */
char *tap_mount_option(const struct tap_mount *mount, const char *name);

#endif
