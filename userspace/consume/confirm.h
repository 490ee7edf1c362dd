/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confirm.h - whether a server's memory is read at the right places, asked of the server itself: our own session runs a
 * marked statement over a connection, and memory has to show it, its user, database and number.
 *
 * Once a build: another server of the same build id has its fields at the same places. For instances and doctor.
 */
#ifndef TAP_USERSPACE_CONSUME_CONFIRM_H
#define TAP_USERSPACE_CONSUME_CONFIRM_H

#include <stdbool.h>
#include <stddef.h>

#include "correlate/engine/client.h"
#include "userspace/attach/target.h"

enum {
	TAP_CONFIRMED_MAX = 16,
};

/* Builds that were confirmed. Zeroed: none. */
struct tap_confirmed {
	char build_ids[TAP_CONFIRMED_MAX][41];
	size_t count;
};

/* Whether there is anything to confirm of its engine's servers. */
bool tap_target_wants_confirming(const struct tap_target *target);

/*
 * Takes up to about a second. 0: confirmed, and target->layout_source says so, or there is nothing to confirm.
 * -EBADMSG: the layout is another one, `err` is a whole message; others: it could not be seen, or the connection was
 * lost.
 */
int tap_target_confirm(struct tap_target *target, struct tap_engine_conn *conn, struct tap_confirmed *confirmed,
		       struct tap_error *err);

#endif
