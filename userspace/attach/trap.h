/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trap.h - how the kernel gets over the instruction that a uprobe replaces: what a trap costs goes with it. Called by
 * doctor.
 */
#ifndef TAP_USERSPACE_ATTACH_TRAP_H
#define TAP_USERSPACE_ATTACH_TRAP_H

#include <stddef.h>
#include <stdint.h>

enum tap_trap {
	TAP_TRAP_UNKNOWN,  /* another machine's code, or none */
	TAP_TRAP_EMULATED, /* done by the kernel */
	TAP_TRAP_STEPPED,  /* run in a place of its own, one step: some 30 times as expensive */
};

/* Of the instruction that `code` begins with, for a machine of the ELF header. */
enum tap_trap tap_trap_of(uint16_t machine, const uint8_t *code, size_t size);
/* Of the one at an offset of a file, such as /proc/PID/exe. */
enum tap_trap tap_trap_at(uint16_t machine, const char *path, uint64_t offset);

#endif
