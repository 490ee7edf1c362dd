// SPDX-License-Identifier: BSD-2-Clause
/* statement_log.c - records copied out of the ring. */
#include "correlate/statement_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tap_statement_log_init(struct tap_statement_log *log)
{
	*log = (struct tap_statement_log){ 0 };
}

void tap_statement_log_next(struct tap_statement_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->items[i].text);
	log->count = 0;
	log->dropped = 0;
}

void tap_statement_log_done(struct tap_statement_log *log)
{
	if (!log)
		return;
	tap_statement_log_next(log);
	free(log->items);
	tap_statement_log_init(log);
}

/* The place of the shortest. */
static size_t shortest(const struct tap_statement_log *log)
{
	size_t at = 0;

	for (size_t i = 1; i < log->count; i++) {
		if (log->items[i].event.duration_ns < log->items[at].event.duration_ns)
			at = i;
	}
	return at;
}

/* Where one more goes; NULL: nowhere, with *ret_status why: 0, it is the shortest of too many. */
static struct tap_statement_told *place_make(struct tap_statement_log *log, uint64_t duration_ns, int *ret_status)
{
	size_t capacity = log->capacity ? log->capacity * 2 : 64;
	struct tap_statement_told *items;

	*ret_status = 0;
	if (log->count == TAP_STATEMENT_LOG_MAX) {
		struct tap_statement_told *least = &log->items[shortest(log)];

		log->dropped++;
		if (least->event.duration_ns >= duration_ns)
			return NULL;
		free(least->text);
		return least;
	}
	if (log->count == log->capacity) {
		items = reallocarray(log->items, capacity, sizeof(*items));
		if (!items) {
			*ret_status = -ENOMEM;
			return NULL;
		}
		log->items = items;
		log->capacity = capacity;
	}
	return &log->items[log->count++];
}

int tap_statement_log_put(struct tap_statement_log *log, const void *record, size_t size, int64_t ahead_ns)
{
	struct tap_statement_told *told;
	struct tap_statement_event event;
	char *text;
	int status;

	if (size < sizeof(event))
		return -EBADMSG;
	memcpy(&event, record, sizeof(event));
	if (event.text_size > size - sizeof(event) || event.key.kind == 0)
		return -EBADMSG;
	text = strndup((const char *)record + sizeof(event), event.text_size);
	if (!text)
		return -ENOMEM;
	told = place_make(log, event.duration_ns, &status);
	if (!told) {
		free(text);
		return status;
	}
	*told = (struct tap_statement_told){
		.event = event,
		.ended_realtime_ns = (int64_t)(event.monotonic_ns + (uint64_t)ahead_ns),
		.text = text,
	};
	return 0;
}
