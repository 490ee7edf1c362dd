// SPDX-License-Identifier: BSD-2-Clause
/*
 * locks.c - the statement of locks.h, and how its rows become entries.
 *
 * pg_locks has a row for each mode held or wanted; here a process's rows for one lock become one entry. A prepared
 * transaction has no pid: its rows are told by its virtual transaction, and its number is the lock it has on itself.
 */
#include "correlate/engine/postgres/locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/engine/postgres/lock_queue.h"
#include "userspace/base/clock.h"

enum column {
	COLUMN_TYPE,
	COLUMN_FIELD1,
	COLUMN_FIELD2,
	COLUMN_FIELD3,
	COLUMN_FIELD4,
	COLUMN_BACKEND,
	COLUMN_LXID,
	COLUMN_PID,
	COLUMN_LEADER,
	COLUMN_MODE,
	COLUMN_GRANTED,
	COLUMN_FAST,
	COLUMN_WAIT_START,
	COLUMN_COUNT
};

/*
 * The fields of the tag back from the columns that pg_lock_status takes them apart into. Waiters come first, so that a
 * cut answer has them.
 */
#define LOCKS_SQL(wait_start) \
	"SELECT l.locktype, " \
	"coalesce(split_part(l.virtualxid, '/', 1), l.transactionid::text, l.database::text), " \
	"coalesce(split_part(l.virtualxid, '/', 2), l.relation::text, l.classid::text, l.objid::text), " \
	"coalesce(l.page::text, CASE WHEN l.classid IS NOT NULL THEN l.objid::text END), " \
	"coalesce(l.tuple::text, l.objsubid::text), " \
	"split_part(l.virtualtransaction, '/', 1), split_part(l.virtualtransaction, '/', 2), l.pid::text, " \
	"a.leader_pid::text, l.mode, l.granted::text, l.fastpath::text, " wait_start \
	" FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_get_activity(NULL) a ON a.pid = l.pid " \
	"WHERE l.mode <> 'SIReadLock' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() " \
	"ORDER BY l.granted" TAP_PG_LIMIT(TAP_PG_LOCKS_MAX)

static const struct tap_pg_request locks_request = {
	.name = "locks",
	.sql = LOCKS_SQL("NULL::text"),
	.columns = COLUMN_COUNT,
	.rows_max = TAP_PG_LOCKS_MAX,
	.field_max = 256,
	.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
};
static const char newer_sql[] = LOCKS_SQL(TAP_PG_MICROSECONDS("l.waitstart"));

/* One row; `owner` tells prepared transactions apart. */
struct lock_row {
	struct tap_lock_entry entry;
	struct {
		int32_t backend;
		uint32_t lxid;
	} owner;
};

struct locks_read {
	struct lock_row *items;
	size_t count;
	size_t capacity;
	struct tap_pg_rows rows;
};

static bool read_type(const struct tap_pg_value *value, struct tap_lock_tag *tag)
{
	for (int type = 0; type < TAP_LOCK_PG_TYPE_COUNT; type++) {
		if (tap_pg_field_is(value, tap_lock_type_name((uint8_t)type))) {
			tag->type = (uint8_t)type;
			tag->method = type == TAP_LOCK_USERLOCK || type == TAP_LOCK_ADVISORY ? 2 : 1;
			return true;
		}
	}
	return false;
}

static bool read_tag(const struct tap_pg_value *values, struct tap_lock_tag *tag)
{
	int64_t field4;

	if (!read_type(&values[COLUMN_TYPE], tag) || !tap_pg_field_oid(&values[COLUMN_FIELD1], &tag->field1) ||
	    !tap_pg_field_oid(&values[COLUMN_FIELD2], &tag->field2) ||
	    !tap_pg_field_oid(&values[COLUMN_FIELD3], &tag->field3) ||
	    !tap_pg_field_number(&values[COLUMN_FIELD4], 0, UINT16_MAX, &field4))
		return false;
	tag->field4 = (uint16_t)field4;
	return true;
}

static bool read_mode(const struct tap_pg_value *values, struct tap_lock_entry *entry)
{
	bool granted = tap_pg_field_is(&values[COLUMN_GRANTED], "true");

	for (int mode = 1; mode < TAP_LOCK_MODE_COUNT; mode++) {
		if (!tap_pg_field_is(&values[COLUMN_MODE], tap_lock_mode_name(entry->tag.type, (uint8_t)mode)))
			continue;
		if (granted)
			entry->held = (uint16_t)(1u << mode);
		else
			entry->wanted = (uint8_t)mode;
		return granted || tap_pg_field_is(&values[COLUMN_GRANTED], "false");
	}
	return false;
}

static bool read_row(const struct tap_pg_value *values, struct lock_row *row)
{
	struct tap_lock_entry *entry = &row->entry;
	int64_t backend;

	if (!read_tag(values, &entry->tag) || !read_mode(values, entry) ||
	    !tap_pg_field_number(&values[COLUMN_BACKEND], -1, INT32_MAX, &backend) ||
	    !tap_pg_field_oid(&values[COLUMN_LXID], &row->owner.lxid) ||
	    !tap_pg_field_pid(&values[COLUMN_PID], &entry->pid) ||
	    !tap_pg_field_pid(&values[COLUMN_LEADER], &entry->leader_pid) ||
	    !tap_pg_field_number(&values[COLUMN_WAIT_START], 0, INT64_MAX, &entry->wait_start_us))
		return false;
	row->owner.backend = (int32_t)backend;
	entry->fast_path = tap_pg_field_is(&values[COLUMN_FAST], "true");
	if (!entry->leader_pid)
		entry->leader_pid = entry->pid;
	if (!entry->wanted)
		entry->wait_start_us = 0;
	return true;
}

static int take_lock(const struct tap_pg_value *values, void *arg)
{
	struct locks_read *read = arg;
	size_t wanted = read->capacity ? read->capacity * 2 : 256;
	struct lock_row row = { 0 };
	struct lock_row *items;

	read->rows.seen++;
	if (!read_row(values, &row)) {
		read->rows.skipped++;
		return 0;
	}
	if (read->count == read->capacity) {
		items = realloc(read->items, wanted * sizeof(*items));
		if (!items)
			return -ENOMEM;
		read->items = items;
		read->capacity = wanted;
	}
	read->items[read->count++] = row;
	return 0;
}

/* ---- rows to entries ---- */

/* Rows of one lock stand together, in them those of one owner. */
static int compare_rows(const void *a, const void *b)
{
	const struct lock_row *left = a, *right = b;
	int order = memcmp(&left->entry.tag, &right->entry.tag, sizeof(left->entry.tag));

	if (!order)
		order = left->entry.fast_path - right->entry.fast_path;
	if (!order)
		order = (left->entry.pid > right->entry.pid) - (left->entry.pid < right->entry.pid);
	return order ? order : memcmp(&left->owner, &right->owner, sizeof(left->owner));
}

/* The same of rows in the order of owners, to find a prepared transaction's lock on itself. */
static int compare_owners(const void *a, const void *b)
{
	const struct lock_row *left = a, *right = b;

	return memcmp(&left->owner, &right->owner, sizeof(left->owner));
}

static bool is_own_transaction(const struct lock_row *row)
{
	return !row->entry.pid && row->entry.tag.type == TAP_LOCK_TRANSACTION &&
	       row->entry.held & 1u << TAP_LOCK_MODE_EXCLUSIVE;
}

/* Gives the rows of prepared transactions their numbers. */
static int prepared_name(struct locks_read *read)
{
	struct lock_row *own = calloc(read->count + 1, sizeof(*own));
	size_t count = 0;

	if (!own)
		return -ENOMEM;
	for (size_t i = 0; i < read->count; i++) {
		if (is_own_transaction(&read->items[i]))
			own[count++] = read->items[i];
	}
	if (count)
		qsort(own, count, sizeof(*own), compare_owners);
	for (size_t i = 0; i < read->count && count; i++) {
		const struct lock_row *found;

		if (read->items[i].entry.pid)
			continue;
		found = bsearch(&read->items[i], own, count, sizeof(*own), compare_owners);
		if (found)
			read->items[i].entry.xid = found->entry.tag.field1;
	}
	free(own);
	return 0;
}

/* One entry for all rows of the run that begins at `first`; *ret_end is one past it. */
static struct tap_lock_entry rows_unite(const struct locks_read *read, size_t first, size_t *ret_end)
{
	struct tap_lock_entry entry = read->items[first].entry;
	size_t at = first + 1;

	for (; at < read->count && !compare_rows(&read->items[first], &read->items[at]); at++) {
		const struct tap_lock_entry *other = &read->items[at].entry;

		entry.held |= other->held;
		if (other->wanted) {
			entry.wanted = other->wanted;
			entry.wait_start_us = other->wait_start_us;
		}
	}
	*ret_end = at;
	return entry;
}

static void queues_number(struct tap_lock_table *table)
{
	size_t end;

	for (size_t first = 0; first < table->count; first = end) {
		const struct tap_lock_tag *tag = &table->entries[first].tag;

		for (end = first + 1; end < table->count; end++) {
			if (memcmp(tag, &table->entries[end].tag, sizeof(*tag)))
				break;
		}
		tap_pg_locks_queue(table->entries + first, end - first);
	}
}

static int rows_take(struct locks_read *read, struct tap_lock_table *table)
{
	size_t end;
	int err = prepared_name(read);

	if (read->count && !err)
		qsort(read->items, read->count, sizeof(*read->items), compare_rows);
	for (size_t first = 0; first < read->count && !err; first = end) {
		struct tap_lock_entry entry = rows_unite(read, first, &end);

		err = tap_lock_table_add(table, &entry);
	}
	if (!err)
		queues_number(table);
	return err;
}

int tap_pg_query_locks(struct tap_pg_conn *conn, struct tap_lock_table *table, struct tap_pg_rows *ret_rows,
		       struct tap_error *err)
{
	struct tap_pg_request request = locks_request;
	struct locks_read read = { 0 };
	int r;

	if (tap_pg_conn_version(conn) >= 140000)
		request.sql = newer_sql;
	r = tap_pg_conn_run(conn, &request, take_lock, &read, err);
	if (!r) {
		tap_pg_rows_finish(&read.rows, TAP_PG_LOCKS_MAX, ret_rows);
		table->realtime_ns = tap_clock_ns(CLOCK_REALTIME);
		table->complete = !read.rows.cut;
		table->source = TAP_LOCKS_ASKED;
		r = rows_take(&read, table);
		if (r)
			tap_error_set(err, r, "%s: out of memory", tap_pg_conn_instance(conn));
	}
	free(read.items);
	return r;
}

/* ---- prepared transactions ---- */

static const struct tap_pg_request prepared_request = {
	.name = "prepared transactions",
	.sql = "SELECT transaction::text, " TAP_PG_BYTES(
		"gid",
		200) ", database::text, owner::text, " TAP_PG_MICROSECONDS("prepared") " FROM "
										       "pg_catalog.pg_prepared_"
										       "xacts" TAP_PG_LIMIT(
											       TAP_PG_PREPARED_MAX),
	.columns = 5,
	.rows_max = TAP_PG_PREPARED_MAX,
	.field_max = 256,
	.timeout_ms = TAP_PG_QUERY_TIMEOUT_MS,
};

struct prepared_read {
	struct tap_lock_prepared_list *list;
	struct tap_pg_rows rows;
};

static int take_prepared(const struct tap_pg_value *values, void *arg)
{
	struct prepared_read *read = arg;
	struct tap_lock_prepared *one;
	int64_t prepared_us;
	uint32_t xid;
	int r;

	read->rows.seen++;
	if (!tap_pg_field_oid(&values[0], &xid) || !xid ||
	    !tap_pg_field_number(&values[4], 0, INT64_MAX, &prepared_us)) {
		read->rows.skipped++;
		return 0;
	}
	one = tap_lock_prepared_add(read->list);
	if (!one)
		return -ENOMEM;
	one->xid = xid;
	one->prepared_us = prepared_us;
	r = tap_pg_field_string(&values[1], &one->gid);
	r = r ? r : tap_pg_field_string(&values[2], &one->database);
	return r ? r : tap_pg_field_string(&values[3], &one->user);
}

int tap_pg_query_prepared(struct tap_pg_conn *conn, struct tap_lock_prepared_list *list, struct tap_pg_rows *ret_rows,
			  struct tap_error *err)
{
	struct prepared_read read = { .list = list };
	int r = tap_pg_conn_run(conn, &prepared_request, take_prepared, &read, err);

	if (!r)
		tap_pg_rows_finish(&read.rows, TAP_PG_PREPARED_MAX, ret_rows);
	return r;
}
