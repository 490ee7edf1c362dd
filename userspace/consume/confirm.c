// SPDX-License-Identifier: BSD-2-Clause
/* confirm.c - a marked statement, and looks at memory meanwhile. See confirm.h. */
#include "userspace/consume/confirm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "userspace/attach/engine.h"

enum {
	FIRST_MS = 40, /* what the statement takes at the first attempt; twice as long at each that follows */
	ATTEMPTS = 5,
	PAUSE_MS = 5,
};

struct look {
	const struct tap_target *target;
	char marker[40];
	int32_t for_ms;
	int code;
	struct tap_error why;
};

/* Until memory shows the statement, or for as long as that takes. */
static void look(const struct tap_engine_self *self, void *arg)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000 * 1000 };
	struct look *look = arg;

	for (int32_t waited = 0; waited < look->for_ms && look->code; waited += PAUSE_MS) {
		nanosleep(&pause, NULL);
		look->code = tap_attach_of(look->target->engine)->confirm(look->target, self, look->marker, &look->why);
	}
}

static void make_marker(char ret[40])
{
	uint64_t number[2] = { 0 };

	/* Without random numbers the marker is a fixed one, which serves as well. */
	if (getrandom(number, sizeof(number), GRND_NONBLOCK) < 0)
		number[0] = 1;
	snprintf(ret, 40, "dbtap%016" PRIx64 "%016" PRIx64, number[0], number[1]);
}

static bool is_confirmed(const struct tap_confirmed *confirmed, const char *build_id)
{
	for (size_t i = 0; *build_id && i < confirmed->count; i++) {
		if (!strcmp(confirmed->build_ids[i], build_id))
			return true;
	}
	return false;
}

static void note(struct tap_target *target, struct tap_confirmed *confirmed)
{
	size_t length = strlen(target->layout_source);

	snprintf(target->layout_source + length, sizeof(target->layout_source) - length,
		 ", confirmed by our own session");
	if (*target->build_id && !is_confirmed(confirmed, target->build_id) && confirmed->count < TAP_CONFIRMED_MAX)
		memcpy(confirmed->build_ids[confirmed->count++], target->build_id, sizeof(target->build_id));
}

bool tap_target_wants_confirming(const struct tap_target *target)
{
	return tap_client_of(target->engine)->mark && tap_attach_of(target->engine)->confirm;
}

int tap_target_confirm(struct tap_target *target, struct tap_engine_conn *conn, struct tap_confirmed *confirmed,
		       struct tap_error *err)
{
	struct look looking = { .target = target, .code = -EAGAIN };
	int status = 0;

	if (!tap_target_wants_confirming(target))
		return 0;
	if (is_confirmed(confirmed, target->build_id))
		looking.code = 0;
	make_marker(looking.marker);
	/* A server that is slow may not have begun with it, or be done with it, at each of our looks. */
	for (int i = 0; i < ATTEMPTS && looking.code && !status; i++) {
		looking.for_ms = FIRST_MS << i;
		status = tap_client_of(target->engine)->mark(conn, looking.marker, looking.for_ms, look, &looking, err);
	}
	if (!looking.code)
		note(target, confirmed);
	if (looking.code == -EBADMSG)
		return tap_error_set(err, -EBADMSG,
				     "%s: our own session is not where memory layout \"%s\" has it: %s; report it with "
				     "the build id %s",
				     target->id, target->layout_source, looking.why.text, target->build_id);
	return status ? status : looking.code;
}
