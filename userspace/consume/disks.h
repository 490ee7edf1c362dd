/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disks.h - from a file system's device to the whole disks whose requests carry its bytes.
 *
 * Requests are counted where they are made: on the first device below the file system that has a request queue. A
 * partition's are its disk's. A loop device has a queue: its backing file's disk is not looked at for it. What only
 * passes bios on (device-mapper linear, striped, crypt; md; bcache) has none, so the devices it is made of are taken in
 * its place. Nothing is counted twice, and each disk's figures can be held against its own line in /proc/diskstats.
 */
#ifndef TAP_USERSPACE_CONSUME_DISKS_H
#define TAP_USERSPACE_CONSUME_DISKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TAP_DISKS_OF_ONE_MAX = 32, /* disks below one file system */
	TAP_DISKS_WHY_MAX = 160,
};

/* Where this host's file systems of the kernel are: "/proc" and "/sys" but for tests. */
struct tap_host_roots {
	const char *proc;
	const char *sys;
};

extern const struct tap_host_roots tap_host_roots;

/* Numbers are major << 20 | minor. */
struct tap_disks {
	uint32_t items[TAP_DISKS_OF_ONE_MAX]; /* each once */
	size_t count;
	char why_not[TAP_DISKS_WHY_MAX]; /* what is not traced, and why: "tmpfs: no block device"; "" when all is */
};

/* Says why something is not traced; the first reason stays. */
void tap_disks_say_why(struct tap_disks *disks, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether a number is a block device's. */
bool tap_disks_is_block(const struct tap_host_roots *roots, uint32_t device);

/* Adds the disks of a block device. What cannot be had is said in why_not. */
void tap_disks_add(const struct tap_host_roots *roots, uint32_t device, struct tap_disks *disks);

/* Adds all devices of the btrfs that `device` is one of. */
void tap_disks_add_btrfs(const struct tap_host_roots *roots, uint32_t device, struct tap_disks *disks);

#endif
