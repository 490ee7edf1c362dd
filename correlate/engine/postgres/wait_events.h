/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait_events.h - PostgreSQL's wait event numbers as the words pg_stat_activity shows.
 *
 * The number is what a process stores in its wait event word: the class in the top byte, the event in the low 16 bits.
 * Numbers mean different things in different major versions, so every lookup names the version. Names are constants.
 */
#ifndef TAP_CORRELATE_ENGINE_POSTGRES_WAIT_EVENTS_H
#define TAP_CORRELATE_ENGINE_POSTGRES_WAIT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "correlate/engine/terms.h"

/* "LWLock", "Lock", ...; "None" for event 0; NULL for a class this build has no name for. Version as below. */
const char *tap_pg_wait_class(int32_t version_number, uint32_t event);

/*
 * "transactionid", "ClientRead", ...; "CPU-or-kernel" for event 0. NULL when this build does not know what the number
 * means in that version (`version_number` as 150018): it is never guessed from another version.
 */
const char *tap_pg_wait_event(int32_t version_number, uint32_t event);

/* Both names, always: "unknown" and "unknown-0x0b000001" stand in for what is not known. */
void tap_pg_wait_event_name(int32_t version_number, uint32_t event, char ret_class[TAP_WAIT_CLASS_MAX],
			    char ret_name[TAP_WAIT_NAME_MAX]);

/* Whether the wait is one for work to do (class Activity), not one within a task. */
bool tap_pg_wait_event_is_idle_class(uint32_t event);

#endif
