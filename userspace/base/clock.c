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

int64_t tap_clock_ahead_ns(void)
{
	int64_t closest = INT64_MAX, ahead = 0;

	for (int i = 0; i < 8; i++) {
		int64_t before = tap_clock_ns(CLOCK_MONOTONIC), wall = tap_clock_ns(CLOCK_REALTIME);
		int64_t after = tap_clock_ns(CLOCK_MONOTONIC);

		if (after - before >= closest)
			continue;
		closest = after - before;
		ahead = wall - before - closest / 2;
	}
	return ahead;
}
