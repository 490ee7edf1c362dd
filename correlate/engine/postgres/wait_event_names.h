/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait_event_names.h - the table behind wait_events: which names a class has, in which versions.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_WAIT_EVENT_NAMES_H
#define TAP_CORRELATE_ENGINE_POSTGRES_WAIT_EVENT_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum {
	TAP_PG_WAIT_CLASSES = 0x0b,
	TAP_PG_WAIT_MAJOR_MIN = 13, /* the versions whose names are known */
	TAP_PG_WAIT_MAJOR_MAX = 19,
};

struct tap_pg_wait_name {
	const char *name; /* NULL: these versions have a number here, and do not use it */
	int16_t first;	  /* major versions */
	int16_t last;
};

struct tap_pg_wait_names {
	const struct tap_pg_wait_name *list;
	size_t count;
	const char *beyond; /* name of every number past the end; NULL: such numbers are unknown */
};

/* By the class's number; without a list: no such class. */
extern const struct tap_pg_wait_names tap_pg_wait_names[TAP_PG_WAIT_CLASSES];

#endif
