/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.h - what is read of a server's process in the same way whatever its engine; for the engines' `find`.
 *
 * 0 or a negative errno: -ESRCH: gone; -EPERM, -EACCES: not ours to look at; -ENOMEM.
 */
#ifndef TAP_USERSPACE_ATTACH_SERVER_H
#define TAP_USERSPACE_ATTACH_SERVER_H

#include "userspace/attach/elf.h"
#include "userspace/attach/proc.h"
#include "userspace/attach/target.h"

enum {
	TAP_SERVER_TEXT_MAX = 4096,
};

/* What is to be added to the addresses of the process's executable, which is `elf`. -ENOENT: it does not map it. */
int tap_server_bias(const char *root, int32_t pid, struct tap_elf *elf, uint64_t *ret);

/*
 * The text at an address, malloc'd; NULL when the address is 0, and when it is empty or no text of less than `size`
 * bytes, at most TAP_SERVER_TEXT_MAX.
 */
int tap_server_text(int32_t pid, uint64_t address, size_t size, char **ret);

/*
 * A path of the process as this host sees it, malloc'd; a relative one is relative to `base`. tap_server_identify comes
 * first.
 */
int tap_server_path(const struct tap_target *target, const char *base, const char *path, char **ret);

/* Fills a zeroed target with which process it is, and of which binary. What it owns is the caller's also on errors. */
int tap_server_identify(const char *root, const struct tap_proc *proc, enum tap_engine engine, uint16_t machine,
			const char build_id[TAP_ELF_BUILD_ID_MAX], struct tap_target *target);

#endif
