// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_slot.c - looks through threads' own storage. See my_slot.h.
 *
 * Called by my_find. A thread may let go of its session while it is looked at: what the next round shows, too, counts.
 */
#include "userspace/attach/my_slot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "bpf/abi/my_layout.h"
#include "userspace/attach/memory.h"
#include "userspace/attach/my_session.h"

enum {
	BELOW = 8192, /* of the thread pointer: the executable's own storage comes first */
	WORDS = BELOW / 8,
	ROUNDS = 3,
	ROUND_PAUSE_NS = 5 * 1000 * 1000,
};

/* A client's, and a thread is said to serve it. */
static bool is_asked(const struct tap_my_session *session)
{
	return session->user && session->received && session->thread && session->tid &&
	       session->command != TAP_MY_COM_DAEMON && session->command != TAP_MY_COM_CONNECT;
}

/* Strikes out what does not lead to it. False: the thread has gone. */
static bool session_strike(const struct tap_target *target, const struct tap_my_session *session, bool fits[WORDS])
{
	uint64_t words[WORDS];

	if (session->thread < BELOW || tap_memory_read(target->pid, session->thread - BELOW, words, sizeof(words)))
		return false;
	for (size_t i = 0; i < WORDS; i++)
		fits[i] &= words[i] == session->thd;
	return true;
}

static int round_strike(const struct tap_target *target, bool fits[WORDS], size_t *ret_asked, struct tap_error *err)
{
	struct tap_my_session_list list;
	int code = tap_my_sessions_walk(target, &list, err);

	if (code)
		return code;
	*ret_asked = 0;
	for (size_t i = 0; i < list.count; i++) {
		if (is_asked(&list.items[i]))
			*ret_asked += session_strike(target, &list.items[i], fits);
	}
	tap_my_sessions_done(&list);
	return 0;
}

int tap_my_slot_find(const struct tap_target *target, int32_t *ret, struct tap_error *err)
{
	const struct timespec pause = { .tv_nsec = ROUND_PAUSE_NS };
	bool fits[WORDS];
	size_t asked = 0;
	int code = 0;

	memset(fits, true, sizeof(fits));
	for (int round = 0; round < ROUNDS && !code; round++) {
		if (round)
			nanosleep(&pause, NULL);
		code = round_strike(target, fits, &asked, err);
		if (!code && !asked)
			code = tap_error_set(err, -ENODATA,
					     "nobody is connected whose session would show that it does");
	}
	for (size_t i = WORDS; i-- > 0 && !code;) {
		if (fits[i]) {
			*ret = (int32_t)(i * 8) - BELOW;
			return 0;
		}
	}
	return code ? code : tap_error_set(err, -EBADMSG, "no thread's own storage leads to its session");
}
