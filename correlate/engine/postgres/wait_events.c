// SPDX-License-Identifier: BSD-2-Clause
/*
 * wait_events.c - looks wait events up in the table of wait_event_names.
 *
 * Called where views are made. How the number is read belongs to the BPF programs and userspace/attach.
 */
#include "correlate/engine/postgres/wait_events.h"

#include <stdio.h>

#include "correlate/engine/postgres/wait_event_names.h"

enum {
	CLASS_LWLOCK = 0x01,
	CLASS_LOCK = 0x03,
	CLASS_BUFFER = 0x04,
	CLASS_ACTIVITY = 0x05,
	CLASS_CLIENT = 0x06,
	CLASS_EXTENSION = 0x07,
	CLASS_IPC = 0x08,
	CLASS_TIMEOUT = 0x09,
	CLASS_IO = 0x0a,
	CLASS_COUNT = TAP_PG_WAIT_CLASSES,

	MAJOR_BUFFER_PIN = 18, /* up to here class and only event are called after pins */

	EVENT_MASK = 0xffff, /* the byte between class and event is reserved */
};

static const char *const class_names[CLASS_COUNT] = {
	[CLASS_LWLOCK] = "LWLock",     [CLASS_LOCK] = "Lock",	    [CLASS_BUFFER] = "Buffer",
	[CLASS_ACTIVITY] = "Activity", [CLASS_CLIENT] = "Client",   [CLASS_EXTENSION] = "Extension",
	[CLASS_IPC] = "IPC",	       [CLASS_TIMEOUT] = "Timeout", [CLASS_IO] = "IO",
};

const char *tap_pg_wait_class(int32_t version_number, uint32_t event)
{
	uint32_t number = event >> 24;

	if (!event)
		return "None";
	if (number == CLASS_BUFFER && version_number / 10000 <= MAJOR_BUFFER_PIN)
		return "BufferPin";
	return number < CLASS_COUNT ? class_names[number] : NULL;
}

static const char *name_find(const struct tap_pg_wait_names *names, int32_t major, uint32_t number)
{
	uint32_t at = 0;

	for (size_t i = 0; i < names->count; i++) {
		const struct tap_pg_wait_name *name = &names->list[i];

		if (major >= name->first && major <= name->last && at++ == number)
			return name->name;
	}
	return names->beyond;
}

const char *tap_pg_wait_event(int32_t version_number, uint32_t event)
{
	int32_t major = version_number / 10000;

	if (!event)
		return "CPU-or-kernel";
	if (major < TAP_PG_WAIT_MAJOR_MIN || major > TAP_PG_WAIT_MAJOR_MAX || event >> 24 >= CLASS_COUNT)
		return NULL;
	return name_find(&tap_pg_wait_names[event >> 24], major, event & EVENT_MASK);
}

void tap_pg_wait_event_name(int32_t version_number, uint32_t event, char ret_class[TAP_WAIT_CLASS_MAX],
			    char ret_name[TAP_WAIT_NAME_MAX])
{
	const char *class_name = tap_pg_wait_class(version_number, event);
	const char *event_name = tap_pg_wait_event(version_number, event);

	snprintf(ret_class, TAP_WAIT_CLASS_MAX, "%s", class_name ? class_name : "unknown");
	if (event_name)
		snprintf(ret_name, TAP_WAIT_NAME_MAX, "%s", event_name);
	else
		snprintf(ret_name, TAP_WAIT_NAME_MAX, "unknown-0x%08x", event);
}

bool tap_pg_wait_event_is_idle_class(uint32_t event)
{
	return event >> 24 == CLASS_ACTIVITY;
}
