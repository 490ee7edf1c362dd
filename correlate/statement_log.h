/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * statement_log.h - the statements of a window that were told of one by one, as they came.
 */
#ifndef TAP_CORRELATE_STATEMENT_LOG_H
#define TAP_CORRELATE_STATEMENT_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/statement.h"

enum {
	TAP_STATEMENT_LOG_MAX = 20000, /* of a window; of more the shortest give way */
};

struct tap_statement_told {
	struct tap_statement_event event;
	int64_t ended_realtime_ns;
	char *text; /* as the client sent it; cut at a NUL */
};

struct tap_statement_log {
	struct tap_statement_told *items; /* as they came, but for those that gave way */
	size_t count;
	size_t capacity;
	uint64_t dropped; /* in this window */
};

void tap_statement_log_init(struct tap_statement_log *log);
void tap_statement_log_done(struct tap_statement_log *log);

/*
 * A record of the ring, `size` bytes with its text. `ahead_ns`: the wall clock's lead over the monotonic one. 0,
 * -ENOMEM, or -EBADMSG when it contradicts itself.
 */
int tap_statement_log_put(struct tap_statement_log *log, const void *record, size_t size, int64_t ahead_ns);

/* The next window begins: with none. */
void tap_statement_log_next(struct tap_statement_log *log);

#endif
