/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switches.h - how often the threads of servers have got a CPU, as /proc counts it: what ambient tracing costs goes
 * with it. Called by doctor.
 */
#ifndef TAP_USERSPACE_ATTACH_SWITCHES_H
#define TAP_USERSPACE_ATTACH_SWITCHES_H

#include "userspace/attach/target.h"

/*
 * The sum over all threads that each target has now, since they began; 0 for one that is gone. `ret` has room for all
 * targets. One that ends takes its part of the sum along. 0, or -errno when /proc cannot be read.
 */
int tap_switches_read(const char *proc_root, const struct tap_target_list *targets, uint64_t *ret);

#endif
