/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * moment.h - a point in time as text, in UTC.
 *
 * Shared by the JSON, CSV and text renderers.
 */
#ifndef TAP_USERSPACE_OUTPUT_MOMENT_H
#define TAP_USERSPACE_OUTPUT_MOMENT_H

#include <stdint.h>

#define TAP_MOMENT_MAX 96

/* RFC 3339 with microseconds: "2026-01-02T03:04:05.123456Z". Returns `text`. */
char *tap_moment_format(char text[TAP_MOMENT_MAX], int64_t realtime_ns);
/* The time of day alone, with milliseconds: "03:04:05.123". Returns `text`. */
char *tap_moment_clock(char text[TAP_MOMENT_MAX], int64_t realtime_ns);

#endif
