// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_meta.c - metadata locks as performance_schema.metadata_locks tells.
 *
 * MySQL fills that view unless told not to, MariaDB only where its instrument is switched on: then it has at least what
 * the question itself holds. All of it is read only when somebody waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/engine/mysql/field.h"
#include "correlate/engine/mysql/lock_ask.h"

struct share {
	struct tap_lock_tag tag;
	int32_t owner;
	uint8_t mode;
	bool pending;
};

struct meta {
	struct tap_my_lock_ask *ask;
	bool mariadb;
	struct share *shares;
	size_t count;
	size_t capacity;
	size_t seen;
};

/* ---- is there anything ---- */

static const struct tap_my_request pending_query = {
	.name = "metadata locks",
	.sql = "SELECT COUNT(*), COALESCE(SUM(LOCK_STATUS = 'PENDING'), 0) FROM performance_schema.metadata_locks",
	.columns = 2,
	.rows_max = 1,
	.field_max = 64,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

struct pending {
	int64_t rows;
	int64_t pending;
};

static int take_pending(const struct tap_my_value *values, void *arg)
{
	struct pending found;

	if (!tap_my_field_number(&values[0], 0, INT64_MAX, &found.rows) ||
	    !tap_my_field_number(&values[1], 0, INT64_MAX, &found.pending))
		return -EPROTO;
	*(struct pending *)arg = found;
	return 0;
}

/* ---- who has what ---- */

static const struct tap_my_request shares_query = {
	.name = "metadata locks",
	.sql = "SELECT t.PROCESSLIST_ID, m.OBJECT_TYPE, m.OBJECT_SCHEMA, m.OBJECT_NAME, m.LOCK_TYPE, m.LOCK_STATUS "
	       "FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = "
	       "m.OWNER_THREAD_ID WHERE t.PROCESSLIST_ID IS NOT NULL AND m.LOCK_STATUS IN ('GRANTED', "
	       "'PENDING')" TAP_MY_LIMIT(50000),
	.columns = 6,
	.rows_max = TAP_MY_LOCK_META_MAX,
	.field_max = 1024,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

enum share_column {
	SHARE_OWNER,
	SHARE_OBJECT,
	SHARE_SCHEMA,
	SHARE_NAME,
	SHARE_MODE,
	SHARE_STATUS,
};

static void text_of(const struct tap_my_value *value, char ret[TAP_MY_LOCK_NAME_MAX])
{
	size_t size = value->data ? strnlen(value->data, value->size) : 0;

	size = size < TAP_MY_LOCK_NAME_MAX ? size : TAP_MY_LOCK_NAME_MAX - 1;
	if (size)
		memcpy(ret, value->data, size);
	ret[size] = '\0';
}

static int name_note(struct tap_my_lock_ask *ask, const struct tap_lock_tag *tag, const char *schema, const char *name)
{
	if (tag->type == TAP_LOCK_NAMED)
		return tap_my_lock_ask_name(ask, 0, tag->field2, "user lock", *name ? name : schema);
	return tap_my_lock_ask_name(ask, tag->field1, tag->field2, schema, name);
}

/* MariaDB's views of InnoDB do not tell which tables who waits has locked: to write to one takes this lock, too. */
static int table_note(struct meta *meta, const struct tap_my_value *values, const struct share *share)
{
	struct tap_lock_entry entry = { .pid = share->owner,
					.leader_pid = share->owner,
					.held = 1u << TAP_LOCK_TABLE_IX,
					.tag = { .type = TAP_LOCK_ENGINE_TABLE, .method = 1 } };
	struct tap_my_lock_name name;
	int r;

	if (!meta->mariadb || share->pending || share->mode != TAP_LOCK_METADATA_SW ||
	    share->tag.field4 != TAP_MY_OBJECT_TABLE || !tap_my_lock_ask_waits(meta->ask, share->owner) ||
	    !tap_my_lock_name(&values[SHARE_SCHEMA], &values[SHARE_NAME], &(struct tap_my_value){ 0 }, &name))
		return 0;
	entry.tag.field3 = name.number;
	r = tap_my_lock_ask_name(meta->ask, 0, name.number, name.schema, name.table);
	return r ? r : tap_lock_table_add(meta->ask->table, &entry);
}

static int share_add(struct meta *meta, const struct share *share)
{
	size_t wanted = meta->capacity ? meta->capacity * 2 : 64;
	struct share *shares;

	if (meta->count == meta->capacity) {
		shares = reallocarray(meta->shares, wanted, sizeof(*shares));
		if (!shares)
			return -ENOMEM;
		meta->shares = shares;
		meta->capacity = wanted;
	}
	meta->shares[meta->count++] = *share;
	return 0;
}

static int take_share(const struct tap_my_value *values, void *arg)
{
	enum tap_my_lock_object object = tap_my_lock_object_parse(&values[SHARE_OBJECT]);
	char schema[TAP_MY_LOCK_NAME_MAX], name[TAP_MY_LOCK_NAME_MAX];
	struct meta *meta = arg;
	struct share share = { .owner = tap_my_lock_ask_owner(&values[SHARE_OWNER]),
			       .mode = tap_my_metadata_mode_parse(object, &values[SHARE_MODE]),
			       .pending = tap_my_field_is(&values[SHARE_STATUS], "PENDING") };
	int r = 0;

	meta->seen++;
	if (!share.owner || !share.mode) {
		meta->ask->table->torn++;
		return 0;
	}
	text_of(&values[SHARE_SCHEMA], schema);
	text_of(&values[SHARE_NAME], name);
	tap_my_metadata_tag(object, schema, name, &share.tag);
	if (share.pending)
		r = name_note(meta->ask, &share.tag, schema, name);
	if (!r)
		r = table_note(meta, values, &share);
	return r ? r : share_add(meta, &share);
}

static int compare_shares(const void *a, const void *b)
{
	const struct share *left = a, *right = b;
	int by_tag = memcmp(&left->tag, &right->tag, sizeof(left->tag));

	return by_tag ? by_tag : (right->pending > left->pending) - (right->pending < left->pending);
}

/* Of what somebody waits for, everybody's share; what is waited for stands first of its own. */
static int shares_add(struct meta *meta)
{
	bool wanted = false;
	int r = 0;

	if (meta->count)
		qsort(meta->shares, meta->count, sizeof(*meta->shares), compare_shares);
	for (size_t i = 0; i < meta->count && !r; i++) {
		const struct share *share = &meta->shares[i];
		struct tap_lock_entry entry = { .tag = share->tag, .pid = share->owner, .leader_pid = share->owner };

		if (!i || memcmp(&share->tag, &meta->shares[i - 1].tag, sizeof(share->tag)) != 0)
			wanted = share->pending;
		if (!wanted)
			continue;
		if (share->pending)
			entry.wanted = share->mode;
		else
			entry.held = (uint16_t)(1u << share->mode);
		r = tap_lock_table_add(meta->ask->table, &entry);
	}
	return r;
}

static int shares_ask(struct meta *meta, struct tap_error *err)
{
	int r = tap_my_conn_run(meta->ask->conn, &shares_query, take_share, meta, err);

	if (!r && meta->seen == shares_query.rows_max)
		meta->ask->table->complete = false;
	return r ? r : shares_add(meta);
}

/* A refusal of the server's: the rest of the answer counts all the same. */
static bool is_refusal(int code)
{
	return code == -EACCES || code == -ENOENT || code == -EOPNOTSUPP;
}

int tap_my_lock_ask_metadata(struct tap_my_lock_ask *ask, struct tap_error *err)
{
	struct meta meta = { .ask = ask, .mariadb = tap_my_conn_is_mariadb(ask->conn) };
	struct pending pending = { 0 };
	struct tap_error why = { "" };
	int r = tap_my_conn_run(ask->conn, &pending_query, take_pending, &pending, &why);

	if (!r && (pending.pending || (pending.rows && meta.mariadb && ask->n_waiting)))
		r = shares_ask(&meta, &why);
	free(meta.shares);
	if (is_refusal(r))
		return tap_error_set(err, 0, "metadata locks are not told: %s", why.text);
	if (r)
		return tap_error_set(err, r, "%s", why.text);
	if (!pending.rows)
		return tap_error_set(err, 0,
				     "metadata locks are not told: performance_schema.metadata_locks is empty, switch "
				     "on performance_schema and its instrument wait/lock/metadata/sql/mdl");
	return 0;
}
