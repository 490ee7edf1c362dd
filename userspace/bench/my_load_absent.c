// SPDX-License-Identifier: BSD-2-Clause
/* my_load_absent.c - my_load.h where dbtap is built without libmariadb: there is no load for MariaDB. */
#ifndef HAVE_LIBMARIADB

#include <errno.h>

#include "userspace/bench/my_load.h"

int tap_my_load_build(const char *where, uint32_t scale, struct tap_error *err)
{
	(void)where;
	(void)scale;
	return tap_error_set(err, -EOPNOTSUPP, "%s", TAP_MY_LOAD_ABSENT);
}

const struct tap_load_role *tap_my_load_role_of(enum tap_load_kind kind, uint32_t index)
{
	(void)kind;
	(void)index;
	return NULL;
}

int tap_my_load_connect(const char *where, const char *application, void **ret, struct tap_error *err)
{
	(void)where;
	(void)application;
	(void)ret;
	return tap_error_set(err, -EOPNOTSUPP, "%s", TAP_MY_LOAD_ABSENT);
}

bool tap_my_load_is_lost(void *connection)
{
	(void)connection;
	return true;
}

void tap_my_load_recover(struct tap_load_session *session)
{
	(void)session;
}

void tap_my_load_disconnect(void *connection)
{
	(void)connection;
}

bool tap_my_load_answers(const char *where)
{
	(void)where;
	return false;
}

#endif
