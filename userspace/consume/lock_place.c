// SPDX-License-Identifier: BSD-2-Clause
/* lock_place.c - reads the lock tables from the server's memory, or asks for them over its connection. */
#include "userspace/consume/lock_place.h"

#include <errno.h>
#include <time.h>

#include "correlate/engine/client.h"
#include "correlate/engine/terms.h"
#include "userspace/base/clock.h"

enum {
	RETRY_NS = 2000000000,
};

void tap_lock_place_done(struct tap_lock_place *place)
{
	if (place->locks)
		tap_attach_of(place->engine)->locks_close(place->locks);
	place->locks = NULL;
}

/* Opens the tables, anew when it is another server now. */
static int open_tables(struct tap_lock_place *place, const struct tap_target *target)
{
	bool same = place->pid == target->pid && place->start_ticks == target->start_ticks;
	int64_t now_ns = tap_clock_ns(CLOCK_MONOTONIC);

	if (same && place->locks)
		return 0;
	if (same && now_ns < place->retry_ns)
		return -EAGAIN;
	tap_lock_place_done(place);
	place->engine = target->engine;
	place->pid = target->pid;
	place->start_ticks = target->start_ticks;
	place->retry_ns = now_ns + RETRY_NS;
	place->refused.text[0] = '\0';
	return tap_attach_of(place->engine)->locks_open(target, &place->locks, &place->refused);
}

static int read_tables(struct tap_lock_place *place, const struct tap_target *target, bool whole,
		       struct tap_relation_names *names, struct tap_lock_table *ret)
{
	int status = open_tables(place, target);

	if (!status)
		status = tap_attach_of(place->engine)
				 ->locks_read(place->locks, target, whole, ret, names, &place->refused);
	/* What was found to be something else has to be found anew. */
	if (status == -EBADMSG)
		tap_lock_place_done(place);
	return status;
}

static int ask_tables(const struct tap_followed *followed, struct tap_relation_names *names, struct tap_lock_table *ret,
		      struct tap_error *err)
{
	const struct tap_target *target = &followed->target;
	const struct tap_client *client = tap_client_of(target->engine);
	int status;

	if (!followed->conn || !client->locks)
		return tap_error_set(err, -ENOTCONN, "%s",
				     *followed->why_not ? followed->why_not : "it is not connected");
	status = client->locks(followed->conn, ret, names, err);
	if (status || !tap_attach_of(target->engine)->locks_pids)
		return status;
	return tap_attach_of(target->engine)->locks_pids(target, ret);
}

int tap_lock_place_read(struct tap_lock_place *place, const struct tap_followed *followed, bool whole,
			struct tap_relation_names *names, struct tap_lock_table *ret)
{
	struct tap_error unasked = { "" };
	const char *views;
	int status;

	tap_lock_table_init(ret);
	status = read_tables(place, &followed->target, whole, names, ret);
	if (!status) {
		place->why_not.text[0] = '\0';
		return 0;
	}
	tap_lock_table_done(ret);
	if (status == -ENOMEM)
		return status;
	views = tap_terms_of(followed->target.engine)->lock_views;
	status = ask_tables(followed, names, ret, &unasked);
	if (!status) {
		tap_error_set(&place->why_not, 0, "%s; %s are asked instead%s%s", place->refused.text, views,
			      *unasked.text ? "; " : "", unasked.text);
		return 0;
	}
	tap_lock_table_done(ret);
	return tap_error_set(&place->why_not, status, "%s; and %s cannot be asked: %s", place->refused.text, views,
			     unasked.text);
}
