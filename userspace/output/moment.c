// SPDX-License-Identifier: BSD-2-Clause
/* moment.c - the notations of moment.h. An int64_t of nanoseconds ends in the year 2262, so the year has four digits.
 */
#include "userspace/output/moment.h"

#include <stdio.h>
#include <time.h>

/* By strftime's `format`; returns the microseconds of the second. */
static int format_seconds(char text[TAP_MOMENT_MAX], const char *format, int64_t realtime_ns)
{
	int64_t us = realtime_ns / 1000 - (realtime_ns % 1000 < 0);
	time_t seconds = us / 1000000 - (us % 1000000 < 0);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(text, TAP_MOMENT_MAX, format, &tm))
		text[0] = '\0';
	return (int)(us - (int64_t)seconds * 1000000);
}

char *tap_moment_format(char text[TAP_MOMENT_MAX], int64_t realtime_ns)
{
	char seconds[TAP_MOMENT_MAX];
	int us = format_seconds(seconds, "%Y-%m-%dT%H:%M:%S", realtime_ns);

	snprintf(text, TAP_MOMENT_MAX, "%s.%06dZ", seconds, us);
	return text;
}

char *tap_moment_clock(char text[TAP_MOMENT_MAX], int64_t realtime_ns)
{
	char seconds[TAP_MOMENT_MAX];
	int us = format_seconds(seconds, "%H:%M:%S", realtime_ns);

	snprintf(text, TAP_MOMENT_MAX, "%s.%03d", seconds, us / 1000);
	return text;
}
