/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arrivals.h - notices cheaply that a server may have been started: which pids are new since the last look.
 *
 * tap_targets_find looks at every process; this one reads the list of pids and looks at the new ones only, so that it
 * can be asked every second on a host with thousands of processes. A pid that is given to another process between two
 * looks goes unnoticed.
 */
#ifndef TAP_USERSPACE_ATTACH_ARRIVALS_H
#define TAP_USERSPACE_ATTACH_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap_arrivals {
	int32_t *pids; /* at the last look, ascending */
	size_t count;
};

void tap_arrivals_init(struct tap_arrivals *arrivals);
void tap_arrivals_done(struct tap_arrivals *arrivals);

/*
 * Whether a process that is new since the last look is called like a server and is not the child of one of `servers`.
 * The first look, and one that fails, says true.
 */
bool tap_arrivals_look(struct tap_arrivals *arrivals, const char *proc_root, const int32_t *servers, size_t n_servers);

#endif
