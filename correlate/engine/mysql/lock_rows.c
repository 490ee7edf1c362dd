// SPDX-License-Identifier: BSD-2-Clause
/*
 * lock_rows.c - InnoDB's locks as its views tell: transactions, locks, and which lock waits for which.
 *
 * Three statements: the views are made of one picture of InnoDB, which MariaDB keeps for a tenth of a second, and what
 * has changed in between finds no partner here and is counted. A statement that joined them would have the server
 * compare every row with every other one. With nobody waiting the first is the only one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/engine/mysql/field.h"
#include "correlate/engine/mysql/lock_ask.h"

enum {
	ID_MAX = 96, /* of a lock's name, with its end */
	SECOND_US = 1000000,
	STARTS_MAX = 1 << 30, /* seconds beyond this since the epoch, times four, are none */
};

struct trx {
	uint64_t id; /* MariaDB: 0 for those that have changed nothing and locked rows to read them */
	int32_t owner;
	bool waits;
	int64_t start_s;
	char lock[ID_MAX]; /* that it waits for */
};

struct lock {
	char id[ID_MAX];
	uint64_t trx;
	struct tap_lock_tag tag;
	uint8_t held; /* the mode, when it is held, and when it is waited for */
	uint8_t wanted;
};

/* One lock waits for another, by their places among the locks. */
struct pair {
	size_t requested;
	size_t blocking;
	uint64_t trx; /* that has the other one */
};

struct rows {
	struct tap_my_lock_ask *ask;
	bool mariadb;
	struct trx *trxs; /* by id */
	size_t n_trxs;
	size_t trxs_capacity;
	struct lock *locks; /* by name */
	size_t n_locks;
	size_t locks_capacity;
	struct pair *pairs;
	size_t n_pairs;
	size_t pairs_capacity;
	size_t seen;	      /* rows of the answer that is read */
	struct trx **waiting; /* by the lock's name */
	size_t n_waiting;
};

static int make_room(void **items, size_t *capacity, size_t count, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*items, wanted, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

static bool id_copy(const struct tap_my_value *value, char ret[ID_MAX])
{
	if (!value->data || !value->size || value->size >= ID_MAX || memchr(value->data, '\0', value->size))
		return false;
	memcpy(ret, value->data, value->size);
	ret[value->size] = '\0';
	return true;
}

/* MySQL numbers transactions that only read by 2^48 and more. */
static bool trx_number(const struct tap_my_value *value, uint64_t *ret)
{
	int64_t number;

	if (!value->data || !tap_my_field_number(value, 0, INT64_MAX, &number))
		return false;
	*ret = (uint64_t)number;
	return true;
}

/* ---- transactions ---- */

static const struct tap_my_request trxs_query = {
	.name = "transactions",
	.sql = "SELECT trx_id, trx_mysql_thread_id, trx_requested_lock_id, UNIX_TIMESTAMP(trx_wait_started) FROM "
	       "information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT' OR trx_lock_structs > 0" TAP_MY_LIMIT(
		       20000),
	.columns = 4,
	.rows_max = TAP_MY_LOCK_TRXS_MAX,
	.field_max = 256,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

static int take_trx(const struct tap_my_value *values, void *arg)
{
	struct rows *rows = arg;
	struct trx trx = { 0 };

	rows->seen++;
	if (!trx_number(&values[0], &trx.id)) {
		rows->ask->table->torn++;
		return 0;
	}
	trx.owner = tap_my_lock_ask_owner(&values[1]);
	trx.waits = trx.owner && id_copy(&values[2], trx.lock);
	if (!tap_my_field_number(&values[3], 0, (int64_t)STARTS_MAX * 4, &trx.start_s))
		trx.start_s = 0;
	if (make_room((void **)&rows->trxs, &rows->trxs_capacity, rows->n_trxs, sizeof(*rows->trxs)))
		return -ENOMEM;
	rows->trxs[rows->n_trxs++] = trx;
	rows->n_waiting += trx.waits;
	return 0;
}

static int compare_trxs(const void *a, const void *b)
{
	const struct trx *left = a, *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

static int compare_waiting(const void *a, const void *b)
{
	return strcmp((*(struct trx *const *)a)->lock, (*(struct trx *const *)b)->lock);
}

static int waiting_note(struct tap_my_lock_ask *ask, int32_t owner)
{
	int r = make_room((void **)&ask->waiting, &ask->waiting_capacity, ask->n_waiting, sizeof(*ask->waiting));

	if (!r)
		ask->waiting[ask->n_waiting++] = owner;
	return r;
}

static int trxs_sort(struct rows *rows)
{
	size_t count = 0;
	int r = 0;

	rows->waiting = calloc(rows->n_waiting + 1, sizeof(*rows->waiting));
	if (!rows->waiting)
		return -ENOMEM;
	if (rows->n_trxs)
		qsort(rows->trxs, rows->n_trxs, sizeof(*rows->trxs), compare_trxs);
	for (size_t i = 0; i < rows->n_trxs && !r; i++) {
		if (!rows->trxs[i].waits)
			continue;
		rows->waiting[count++] = &rows->trxs[i];
		r = waiting_note(rows->ask, rows->trxs[i].owner);
	}
	if (count)
		qsort(rows->waiting, count, sizeof(struct trx *), compare_waiting);
	return r;
}

/* ---- locks ---- */

static const struct tap_my_request mariadb_locks = {
	.name = "locks",
	.sql = "SELECT lock_id, lock_trx_id, lock_type, lock_mode, lock_table, NULL, NULL, lock_index, lock_space, "
	       "lock_page, lock_rec FROM information_schema.INNODB_LOCKS" TAP_MY_LIMIT(50000),
	.columns = 11,
	.rows_max = TAP_MY_LOCK_ROWS_MAX,
	.field_max = 2048,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

/* Tables' locks of all, which are few: in which order who waits has taken them. */
static const struct tap_my_request mysql_locks = {
	.name = "locks",
	.sql = "SELECT ENGINE_LOCK_ID, ENGINE_TRANSACTION_ID, LOCK_TYPE, LOCK_MODE, OBJECT_SCHEMA, OBJECT_NAME, "
	       "PARTITION_NAME, INDEX_NAME, NULL, NULL, NULL FROM performance_schema.data_locks WHERE LOCK_STATUS = "
	       "'WAITING' OR LOCK_TYPE = 'TABLE' OR ENGINE_LOCK_ID IN (SELECT BLOCKING_ENGINE_LOCK_ID FROM "
	       "performance_schema.data_lock_waits)" TAP_MY_LIMIT(50000),
	.columns = 11,
	.rows_max = TAP_MY_LOCK_ROWS_MAX,
	.field_max = 2048,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

static const struct tap_my_request schema_query = {
	.name = "performance_schema",
	.sql = "SELECT @@performance_schema",
	.columns = 1,
	.rows_max = 1,
	.field_max = 64,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

static int take_schema(const struct tap_my_value *values, void *arg)
{
	*(bool *)arg = tap_my_field_is(&values[0], "1");
	return 0;
}

enum lock_column {
	LOCK_ID,
	LOCK_TRX,
	LOCK_TYPE,
	LOCK_MODE,
	LOCK_SCHEMA, /* MariaDB: both names, quoted */
	LOCK_TABLE,
	LOCK_PARTITION,
	LOCK_INDEX,
	LOCK_SPACE, /* MySQL has these in the lock's name */
	LOCK_PAGE,
	LOCK_PLACE,
};

static bool place_read(const struct rows *rows, const struct tap_my_value *values, struct tap_lock_tag *tag)
{
	int64_t space, page, place;

	if (!rows->mariadb)
		return tap_my_lock_place_parse(&values[LOCK_ID], tag);
	if (!values[LOCK_SPACE].data || !values[LOCK_PAGE].data || !values[LOCK_PLACE].data ||
	    !tap_my_field_number(&values[LOCK_SPACE], 0, UINT32_MAX, &space) ||
	    !tap_my_field_number(&values[LOCK_PAGE], 0, UINT32_MAX, &page) ||
	    !tap_my_field_number(&values[LOCK_PLACE], 0, UINT16_MAX, &place))
		return false;
	tag->field1 = (uint32_t)space;
	tag->field2 = (uint32_t)page;
	tag->field4 = (uint16_t)place;
	return true;
}

/* The index is known by the page that the record is in. */
static int index_note(struct tap_my_lock_ask *ask, const struct tap_lock_tag *tag, const struct tap_my_value *index)
{
	char name[TAP_MY_LOCK_NAME_MAX];
	size_t size = index->data ? strnlen(index->data, index->size) : 0;

	if (!size || size >= sizeof(name) || tag->field1 == UINT32_MAX)
		return 0;
	memcpy(name, index->data, size);
	name[size] = '\0';
	return tap_my_lock_ask_name(ask, tag->field1 + 1, tag->field2, "index", name);
}

/* 0; -EINVAL: it makes no sense. */
static int lock_read(struct rows *rows, const struct tap_my_value *values, struct lock *lock)
{
	struct tap_my_lock_name name;
	bool of_table = tap_my_field_is(&values[LOCK_TYPE], "TABLE");
	int r;

	lock->tag = (struct tap_lock_tag){ .type = of_table ? TAP_LOCK_ENGINE_TABLE : TAP_LOCK_RECORD, .method = 1 };
	if ((!of_table && !tap_my_field_is(&values[LOCK_TYPE], "RECORD")) || !id_copy(&values[LOCK_ID], lock->id) ||
	    !trx_number(&values[LOCK_TRX], &lock->trx) ||
	    !(rows->mariadb
		      ? tap_my_lock_name_quoted(&values[LOCK_SCHEMA], &name)
		      : tap_my_lock_name(&values[LOCK_SCHEMA], &values[LOCK_TABLE], &values[LOCK_PARTITION], &name)) ||
	    (!of_table && !place_read(rows, values, &lock->tag)))
		return -EINVAL;
	lock->tag.field3 = name.number;
	lock->held = tap_my_lock_mode_parse(lock->tag.type, &values[LOCK_MODE], lock->tag.field4, false);
	lock->wanted = tap_my_lock_mode_parse(lock->tag.type, &values[LOCK_MODE], lock->tag.field4, true);
	if (!lock->held || !lock->wanted)
		return -EINVAL;
	r = tap_my_lock_ask_name(rows->ask, 0, name.number, name.schema, name.table);
	return r || of_table ? r : index_note(rows->ask, &lock->tag, &values[LOCK_INDEX]);
}

static int take_lock(const struct tap_my_value *values, void *arg)
{
	struct rows *rows = arg;
	struct lock lock;
	int r = lock_read(rows, values, &lock);

	rows->seen++;
	if (r == -EINVAL) {
		rows->ask->table->torn++;
		return 0;
	}
	if (!r)
		r = make_room((void **)&rows->locks, &rows->locks_capacity, rows->n_locks, sizeof(*rows->locks));
	if (!r)
		rows->locks[rows->n_locks++] = lock;
	return r;
}

static int compare_locks(const void *a, const void *b)
{
	return strcmp(((const struct lock *)a)->id, ((const struct lock *)b)->id);
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct lock *)item)->id);
}

static const struct lock *lock_find(const struct rows *rows, const char *id)
{
	return rows->n_locks ? bsearch(id, rows->locks, rows->n_locks, sizeof(*rows->locks), compare_name) : NULL;
}

/* ---- which waits for which ---- */

static const struct tap_my_request mariadb_pairs = {
	.name = "lock waits",
	.sql = "SELECT requested_lock_id, blocking_lock_id, blocking_trx_id FROM "
	       "information_schema.INNODB_LOCK_WAITS" TAP_MY_LIMIT(200000),
	.columns = 3,
	.rows_max = TAP_MY_LOCK_PAIRS_MAX,
	.field_max = 256,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

static const struct tap_my_request mysql_pairs = {
	.name = "lock waits",
	.sql = "SELECT REQUESTING_ENGINE_LOCK_ID, BLOCKING_ENGINE_LOCK_ID, BLOCKING_ENGINE_TRANSACTION_ID FROM "
	       "performance_schema.data_lock_waits" TAP_MY_LIMIT(200000),
	.columns = 3,
	.rows_max = TAP_MY_LOCK_PAIRS_MAX,
	.field_max = 256,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

static int take_pair(const struct tap_my_value *values, void *arg)
{
	char requested[ID_MAX], blocking[ID_MAX];
	const struct lock *left, *right;
	struct rows *rows = arg;
	uint64_t trx;

	rows->seen++;
	if (!id_copy(&values[0], requested) || !id_copy(&values[1], blocking) || !trx_number(&values[2], &trx) ||
	    !(left = lock_find(rows, requested)) || !(right = lock_find(rows, blocking))) {
		rows->ask->table->torn++;
		return 0;
	}
	if (make_room((void **)&rows->pairs, &rows->pairs_capacity, rows->n_pairs, sizeof(*rows->pairs)))
		return -ENOMEM;
	rows->pairs[rows->n_pairs++] =
		(struct pair){ (size_t)(left - rows->locks), (size_t)(right - rows->locks), trx };
	return 0;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;

	if (left->requested != right->requested)
		return left->requested < right->requested ? -1 : 1;
	return (left->blocking > right->blocking) - (left->blocking < right->blocking);
}

/* ---- all of it together ---- */

/* Those that wait for this lock: first of them, and how many. In MariaDB those without a number share its name. */
static size_t waiting_for(const struct rows *rows, const struct lock *lock, size_t *ret_count)
{
	size_t low = 0, high = rows->n_waiting, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(rows->waiting[middle]->lock, lock->id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < rows->n_waiting && !strcmp(rows->waiting[end]->lock, lock->id);)
		end++;
	*ret_count = end - low;
	return low;
}

/*
 * The transaction that has a lock. Those of MariaDB that only read have no number: with one of them that can be meant
 * it is this; with several nobody can tell.
 */
static const struct trx *trx_find(const struct rows *rows, const struct pair *pair, const struct trx *waiter)
{
	const struct trx key = { .id = pair->trx }, *found;
	const struct trx *only = NULL;

	if (!rows->n_trxs)
		return NULL;
	if (pair->trx || !rows->mariadb) {
		found = bsearch(&key, rows->trxs, rows->n_trxs, sizeof(key), compare_trxs);
		return found;
	}
	for (size_t i = 0; i < rows->n_trxs && !rows->trxs[i].id; i++) {
		if (&rows->trxs[i] == waiter)
			continue;
		if (only)
			return NULL;
		only = &rows->trxs[i];
	}
	return only;
}

static bool has_pair(const struct rows *rows, size_t requested, size_t blocking)
{
	const struct pair key = { .requested = requested, .blocking = blocking };

	return bsearch(&key, rows->pairs, rows->n_pairs, sizeof(key), compare_pairs) != NULL;
}

/*
 * Whether the other one is ahead in the queue and holds nothing. In MariaDB what one holds of a record and what he
 * wants of it have one name: then who is told twice, or waits for the waiter in turn, holds it.
 */
static bool is_soft(const struct rows *rows, size_t place, const struct trx *blocker)
{
	const struct pair *pair = &rows->pairs[place];

	if (!blocker->waits || strcmp(blocker->lock, rows->locks[pair->blocking].id) != 0)
		return false;
	if (!rows->mariadb)
		return true;
	return !(place && !compare_pairs(pair, pair - 1)) &&
	       !(place + 1 < rows->n_pairs && !compare_pairs(pair, pair + 1)) &&
	       !has_pair(rows, pair->blocking, pair->requested);
}

static int pair_add(struct rows *rows, size_t place, const struct trx *waiter)
{
	const struct pair *pair = &rows->pairs[place];
	const struct trx *blocker = trx_find(rows, pair, waiter);
	struct tap_lock_table *table = rows->ask->table;
	struct tap_lock_entry entry = { .tag = rows->locks[pair->requested].tag };
	struct tap_lock_told told = { .waiter = waiter->owner };
	int r;

	if (!blocker) {
		table->torn++;
		return 0;
	}
	if (blocker == waiter)
		return 0;
	told.blocker = entry.pid = entry.leader_pid = blocker->owner;
	told.xid = entry.xid = blocker->owner ? 0 : (uint32_t)blocker->id;
	told.soft = is_soft(rows, place, blocker);
	r = tap_lock_table_tell(table, &told);
	if (r || told.soft)
		return r;
	entry.held = (uint16_t)(1u << rows->locks[pair->blocking].held);
	return tap_lock_table_add(table, &entry);
}

static int pairs_add(struct rows *rows)
{
	int r = 0;

	if (rows->n_pairs)
		qsort(rows->pairs, rows->n_pairs, sizeof(*rows->pairs), compare_pairs);
	for (size_t i = 0; i < rows->n_pairs && !r; i++) {
		size_t count, first = waiting_for(rows, &rows->locks[rows->pairs[i].requested], &count);

		for (size_t j = first; j < first + count && !r; j++)
			r = pair_add(rows, i, rows->waiting[j]);
	}
	return r;
}

static int waits_add(struct rows *rows)
{
	int r = 0;

	for (size_t i = 0; i < rows->n_waiting && !r; i++) {
		const struct trx *trx = rows->waiting[i];
		const struct lock *lock = lock_find(rows, trx->lock);
		struct tap_lock_entry entry = { .pid = trx->owner,
						.leader_pid = trx->owner,
						.wait_start_us = trx->start_s * SECOND_US,
						.start_is_second = true };

		if (!lock) {
			rows->ask->table->torn++;
			continue;
		}
		entry.tag = lock->tag;
		entry.wanted = lock->wanted;
		r = tap_lock_table_add(rows->ask->table, &entry);
	}
	return r;
}

/* Tables that who waits has locked, where the server tells of them. */
static int tables_add(struct rows *rows)
{
	int r = 0;

	for (size_t i = 0; i < rows->n_locks && !r; i++) {
		const struct lock *lock = &rows->locks[i];
		const struct trx key = { .id = lock->trx };
		const struct trx *trx = NULL;
		struct tap_lock_entry entry = { .tag = lock->tag, .held = (uint16_t)(1u << lock->held) };

		if (lock->tag.type == TAP_LOCK_ENGINE_TABLE && lock->trx)
			trx = bsearch(&key, rows->trxs, rows->n_trxs, sizeof(key), compare_trxs);
		if (!trx || !trx->waits || !strcmp(trx->lock, lock->id))
			continue;
		entry.pid = entry.leader_pid = trx->owner;
		r = tap_lock_table_add(rows->ask->table, &entry);
	}
	return r;
}

/* Asks, and notes whether there was more than that. */
static int run(struct rows *rows, const struct tap_my_request *request, tap_my_row_fn row, struct tap_error *err)
{
	int r;

	rows->seen = 0;
	r = tap_my_conn_run(rows->ask->conn, request, row, rows, err);
	if (!r && rows->seen == request->rows_max)
		rows->ask->table->complete = false;
	return r;
}

/* MySQL's view of locks is there but empty then. */
static int schema_check(struct rows *rows, struct tap_error *err)
{
	bool on = false;
	int r = tap_my_conn_run(rows->ask->conn, &schema_query, take_schema, &on, err);

	if (!r && !on)
		r = tap_error_set(err, -EOPNOTSUPP, "%s: performance_schema is off: the server does not tell its locks",
				  tap_my_conn_instance(rows->ask->conn));
	return r;
}

static int waits_ask(struct rows *rows, struct tap_error *err)
{
	int r = run(rows, rows->mariadb ? &mariadb_locks : &mysql_locks, take_lock, err);

	if (!r && !rows->n_locks && !rows->mariadb)
		r = schema_check(rows, err);
	if (!r && rows->n_locks)
		qsort(rows->locks, rows->n_locks, sizeof(*rows->locks), compare_locks);
	if (!r)
		r = run(rows, rows->mariadb ? &mariadb_pairs : &mysql_pairs, take_pair, err);
	if (!r)
		r = waits_add(rows);
	if (!r)
		r = pairs_add(rows);
	return r ? r : tables_add(rows);
}

int tap_my_lock_ask_rows(struct tap_my_lock_ask *ask, struct tap_error *err)
{
	struct rows rows = { .ask = ask, .mariadb = tap_my_conn_is_mariadb(ask->conn) };
	int r = run(&rows, &trxs_query, take_trx, err);

	if (!r)
		r = trxs_sort(&rows);
	if (!r && rows.n_waiting)
		r = waits_ask(&rows, err);
	free(rows.trxs);
	free(rows.locks);
	free(rows.pairs);
	free(rows.waiting);
	return r;
}
