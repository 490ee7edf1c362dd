// SPDX-License-Identifier: BSD-2-Clause
/* clock.c - reads clocks. */
#include "userspace/base/clock.h"

int64_t tap_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t tap_clock_ms(void)
{
	return tap_clock_ns(CLOCK_MONOTONIC) / 1000000;
}
