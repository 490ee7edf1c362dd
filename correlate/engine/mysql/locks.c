// SPDX-License-Identifier: BSD-2-Clause
/* locks.c - puts together what a server's views tell of locks. See locks.h. */
#include "correlate/engine/mysql/locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "correlate/engine/mysql/field.h"
#include "correlate/engine/mysql/lock_ask.h"
#include "correlate/engine/mysql/queries.h"
#include "userspace/base/clock.h"

enum {
	NAMES_MAX = 1 << 16,
};

int tap_my_lock_ask_name(struct tap_my_lock_ask *ask, uint32_t database, uint32_t number, const char *schema,
			 const char *name)
{
	int r = 0;

	if (ask->names && number && *schema && *name &&
	    (ask->names->count < NAMES_MAX || tap_relation_names_find(ask->names, database, number)))
		r = tap_relation_names_add(ask->names, database, number, schema, strlen(schema), name, strlen(name));
	return r == -ENOMEM ? r : 0;
}

static int compare_owners(const void *a, const void *b)
{
	int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;

	return (left > right) - (left < right);
}

bool tap_my_lock_ask_waits(const struct tap_my_lock_ask *ask, int32_t owner)
{
	return ask->n_waiting &&
	       bsearch(&owner, ask->waiting, ask->n_waiting, sizeof(*ask->waiting), compare_owners) != NULL;
}

int32_t tap_my_lock_ask_owner(const struct tap_my_value *value)
{
	int64_t owner;

	return tap_my_field_number(value, 1, INT32_MAX, &owner) ? (int32_t)owner : 0;
}

/*
 * MariaDB answers who may not see transactions as if there were none. Whether he may is asked where none was seen, once
 * a connection.
 */
static int privilege_check(struct tap_my_conn *conn, struct tap_error *err)
{
	struct tap_my_settings settings;
	int r;

	if (!tap_my_conn_is_mariadb(conn) || tap_my_conn_sees_all(conn))
		return 0;
	r = tap_my_query_settings(conn, &settings, err);
	if (r)
		return r;
	if (!settings.sees_all)
		return tap_error_set(err, -EACCES, "grant PROCESS to the user dbtap logs in as");
	tap_my_conn_set_sees_all(conn);
	return 0;
}

int tap_my_query_locks(struct tap_my_conn *conn, struct tap_lock_table *table, struct tap_relation_names *names,
		       struct tap_error *err)
{
	struct tap_my_lock_ask ask = { .conn = conn, .table = table, .names = names };
	int r = privilege_check(conn, err);

	table->source = TAP_LOCKS_ASKED;
	table->complete = true;
	table->is_told = true;
	/* It is as of then, or later: what began since then is not in it. */
	table->realtime_ns = tap_clock_ns(CLOCK_REALTIME);
	if (!r)
		r = tap_my_lock_ask_rows(&ask, err);
	if (!r && ask.n_waiting)
		qsort(ask.waiting, ask.n_waiting, sizeof(*ask.waiting), compare_owners);
	if (!r)
		r = tap_my_lock_ask_metadata(&ask, err);
	free(ask.waiting);
	if (!r)
		tap_lock_table_unite(table);
	return r;
}
