/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diskstats.h - the kernel's own counters of whole disks, to hold the traced requests against.
 */
#ifndef TAP_USERSPACE_CONSUME_DISKSTATS_H
#define TAP_USERSPACE_CONSUME_DISKSTATS_H

#include <stddef.h>
#include <stdint.h>

#include "correlate/io.h"

/*
 * Appends the counters of those of `disks` (major << 20 | minor) that /proc/diskstats has, each once. `proc_root` is
 * "/proc" but for tests. A line that is not understood is passed over. -ENOMEM, or why the file could not be read.
 */
int tap_diskstats_read(const char *proc_root, const uint32_t *disks, size_t n_disks, struct tap_io_set *ret);

#endif
