// SPDX-License-Identifier: BSD-2-Clause
/* user_switch.c - changes the effective user and group for a moment, as user_switch.h says. */
#include "correlate/engine/user_switch.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

static int remember(struct tap_user_switch *own)
{
	int n = getgroups(0, NULL);

	if (n < 0)
		return -errno;
	own->groups = calloc((size_t)n + 1, sizeof(*own->groups));
	if (!own->groups)
		return -ENOMEM;
	own->n_groups = getgroups(n, own->groups);
	own->uid = geteuid();
	own->gid = getegid();
	return own->n_groups < 0 ? -errno : 0;
}

/* Every step is tried, also after one that failed; the user first: it brings back the right to do the others. */
static int go_back(const struct tap_user_switch *own)
{
	int r = seteuid(own->uid);

	r |= setegid(own->gid);
	r |= setgroups((size_t)own->n_groups, own->groups);
	return r ? -EPERM : 0;
}

static void forget(struct tap_user_switch *own)
{
	free(own->groups);
	*own = (struct tap_user_switch){ 0 };
}

int tap_user_switch_begin(struct tap_user_switch *own, uid_t uid, gid_t gid)
{
	int r;

	*own = (struct tap_user_switch){ 0 };
	r = remember(own);
	if (!r && (setgroups(1, &gid) || setegid(gid) || seteuid(uid))) {
		r = -errno;
		go_back(own);
	}
	own->switched = !r;
	if (r)
		forget(own);
	return r;
}

int tap_user_switch_end(struct tap_user_switch *own)
{
	int r = own->switched ? go_back(own) : 0;

	forget(own);
	return r;
}
