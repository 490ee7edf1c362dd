/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pingpong.h - two processes that do nothing but switch to each other on one processor.
 *
 * For the price of a program on sched_switch with tasks that no database owns: the caller attaches, lets this run, and
 * divides the growth of the program's run time (BPF statistics) by the growth of its run count. Every hand-over is one
 * context switch: the giver wakes the other through a futex and sleeps on it.
 */
#ifndef TAP_USERSPACE_BENCH_PINGPONG_H
#define TAP_USERSPACE_BENCH_PINGPONG_H

#include <stdint.h>
#include <sys/types.h>

#include "userspace/base/error.h"

struct tap_pingpong;

/*
 * Starts both on processor `cpu` and returns once they have switched. -EINVAL: no such processor, or not allowed to
 * this process; -ETIMEDOUT: they do not get to run. They die with the calling thread.
 */
int tap_pingpong_start(unsigned cpu, struct tap_pingpong **ret, struct tap_error *err);
/* Ends and reaps both, frees. NULL is fine. */
void tap_pingpong_stop(struct tap_pingpong *pingpong);

void tap_pingpong_pids(const struct tap_pingpong *pingpong, pid_t ret_pids[2]);
/* Hand-overs so far. */
uint64_t tap_pingpong_switches(const struct tap_pingpong *pingpong);

#endif
