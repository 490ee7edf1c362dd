/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - the time of a clock as one number. The scheduler's own clock is not here: see bpf/sched.bpf.c.
 */
#ifndef TAP_USERSPACE_BASE_CLOCK_H
#define TAP_USERSPACE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC, CLOCK_REALTIME (since the epoch), CLOCK_PROCESS_CPUTIME_ID, ... */
int64_t tap_clock_ns(clockid_t clock);

/* Milliseconds of CLOCK_MONOTONIC, for deadlines. */
int64_t tap_clock_ms(void);

/*
 * By how many ns CLOCK_REALTIME is ahead of CLOCK_MONOTONIC: the closest of a few readings of the two, mostly off by
 * less than a tenth of a microsecond. It changes when somebody sets the clock and not otherwise: both are slewed alike.
 */
int64_t tap_clock_ahead_ns(void);

#endif
