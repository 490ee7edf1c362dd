/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_switch.h - acting as another user of this host while logging in: peer authentication looks at who we are.
 *
 * Called by the engines' connections. It is the whole process that changes: no other thread may run meanwhile.
 */
#ifndef TAP_CORRELATE_ENGINE_USER_SWITCH_H
#define TAP_CORRELATE_ENGINE_USER_SWITCH_H

#include <stdbool.h>
#include <sys/types.h>

/* Who we were before. Zeroed: nobody else. */
struct tap_user_switch {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int n_groups;
	bool switched;
};

/*
 * Make `uid` and `gid` the effective user and the only group of this process until _end. Only the effective ids change,
 * so nobody may signal or trace us meanwhile. A negative errno leaves everything as it was.
 */
int tap_user_switch_begin(struct tap_user_switch *own, uid_t uid, gid_t gid);
/* -EPERM when the system refuses to let us be who we were; nothing sensible can be done then but to end. */
int tap_user_switch_end(struct tap_user_switch *own);

#endif
