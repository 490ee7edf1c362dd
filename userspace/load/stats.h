/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h - switching the kernel's run statistics of BPF programs on and off after the rights for it were given up.
 *
 * Statistics cost something at every run of every program, so they are on for short samples only; switching them on
 * takes CAP_SYS_ADMIN, which dbtap drops. A child process keeps that right and does nothing else: it reads one byte
 * from a socket, switches, and answers. It holds no other descriptor and ends with its parent.
 */
#ifndef TAP_USERSPACE_LOAD_STATS_H
#define TAP_USERSPACE_LOAD_STATS_H

struct tap_stats_switch;

/* Starts the child; before the rights are dropped. NULL when it cannot be: the figures are then absent. */
struct tap_stats_switch *tap_stats_switch_new(void);
/* Ends and reaps the child. NULL is fine. */
void tap_stats_switch_free(struct tap_stats_switch *stats);

/* 0 when statistics are on (off) now, else a negative errno. NULL: -ENOTCONN. */
int tap_stats_switch_on(struct tap_stats_switch *stats);
int tap_stats_switch_off(struct tap_stats_switch *stats);

#endif
