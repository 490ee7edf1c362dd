// SPDX-License-Identifier: BSD-2-Clause
/* lock_order.c - learns who takes which lock before which, and finds orders that contradict each other. */
#include "correlate/model/lock_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/lock.h"

enum {
	/* Modes that go with row locks: ROW SHARE (SELECT FOR ...) and all stronger ones. */
	ROW_LOCKING_MODES = (1 << TAP_LOCK_MODE_COUNT) - (1 << TAP_LOCK_MODE_ROW_SHARE),
	HELD_MAX = 64, /* locks of one transaction that are looked at */
	/* InnoDB: modes of tables that go with locks of their rows, read and written. */
	READ_ROWS = 1 << TAP_LOCK_TABLE_IS | 1 << TAP_LOCK_TABLE_S,
	WRITTEN_ROWS = 1 << TAP_LOCK_TABLE_IX | 1 << TAP_LOCK_TABLE_X,
	READING_RECORDS = 1 << TAP_LOCK_RECORD_S_GAP | 1 << TAP_LOCK_RECORD_S_ONLY | 1 << TAP_LOCK_RECORD_S,
};

void tap_lock_order_init(struct tap_lock_order *order)
{
	*order = (struct tap_lock_order){ 0 };
	tap_hash_init(&order->index, sizeof(struct tap_lock_pair_key));
}

void tap_lock_order_done(struct tap_lock_order *order)
{
	if (!order)
		return;
	free(order->pairs);
	tap_hash_done(&order->index);
	tap_lock_order_init(order);
}

static int by_last_seen(const void *a, const void *b)
{
	const struct tap_lock_pair *left = a, *right = b;

	return (left->last_ns < right->last_ns) - (left->last_ns > right->last_ns);
}

/* The half that was not seen for longest makes room. */
static int forget_half(struct tap_lock_order *order)
{
	size_t keep = order->count / 2;

	qsort(order->pairs, order->count, sizeof(*order->pairs), by_last_seen);
	order->forgotten += order->count - keep;
	tap_hash_done(&order->index);
	tap_hash_init(&order->index, sizeof(struct tap_lock_pair_key));
	for (order->count = 0; order->count < keep; order->count++) {
		if (tap_hash_add(&order->index, order->pairs, sizeof(*order->pairs), order->count))
			return -ENOMEM;
	}
	return 0;
}

static int make_room(struct tap_lock_order *order)
{
	size_t wanted = order->capacity ? order->capacity * 2 : 64;
	struct tap_lock_pair *pairs;

	if (order->count == TAP_LOCK_PAIRS_MAX)
		return forget_half(order);
	if (order->count < order->capacity)
		return 0;
	pairs = reallocarray(order->pairs, wanted, sizeof(*pairs));
	if (!pairs)
		return -ENOMEM;
	order->pairs = pairs;
	order->capacity = wanted;
	return 0;
}

static struct tap_lock_pair *pair_get(struct tap_lock_order *order, const struct tap_lock_pair_key *key)
{
	size_t place = tap_hash_find(&order->index, order->pairs, sizeof(*order->pairs), key);

	if (place != TAP_HASH_NONE)
		return &order->pairs[place];
	if (make_room(order))
		return NULL;
	order->pairs[order->count] = (struct tap_lock_pair){ .key = *key };
	if (tap_hash_add(&order->index, order->pairs, sizeof(*order->pairs), order->count))
		return NULL;
	return &order->pairs[order->count++];
}

static bool objects_equal(const struct tap_lock_object *a, const struct tap_lock_object *b)
{
	return !memcmp(a, b, sizeof(*a));
}

int tap_lock_order_learn(struct tap_lock_order *order, const struct tap_lock_step *step)
{
	struct tap_lock_pair_key key;
	struct tap_lock_pair *pair;

	if (objects_equal(&step->before, &step->after))
		return -EINVAL;
	memset(&key, 0, sizeof(key));
	key.row = step->row;
	key.row.parity = 0;
	key.before = step->before;
	key.after = step->after;
	pair = pair_get(order, &key);
	if (!pair)
		return -ENOMEM;
	if (!pair->seen || pair->last_serial != step->serial)
		pair->seen++;
	if (step->sure && (!pair->seen_sure || pair->last_sure_serial != step->serial)) {
		pair->seen_sure++;
		pair->last_sure_serial = step->serial;
	}
	pair->last_serial = step->serial;
	if (!pair->first_ns)
		pair->first_ns = step->at_ns;
	pair->last_ns = step->at_ns;
	pair->held |= step->held;
	if (step->mode < 16)
		pair->wanted |= (uint16_t)(1u << step->mode);
	pair->rows |= step->rows;
	return 0;
}

/* --- from a table ----------------------------------------------------------------------------- */

static bool is_row_wait(const struct tap_lock_wait *wait)
{
	return wait->tag.type == TAP_LOCK_TUPLE || wait->tag.type == TAP_LOCK_TRANSACTION ||
	       wait->tag.type == TAP_LOCK_SPECTOKEN || wait->tag.type == TAP_LOCK_RECORD;
}

static bool is_user_relation(const struct tap_lock_entry *entry)
{
	return entry->tag.type == TAP_LOCK_RELATION && entry->tag.field2 >= TAP_LOCK_FIRST_USER_OID;
}

static const struct tap_lock_entry *tuple_held(const struct tap_lock_table *table, int32_t pid)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct tap_lock_entry *entry = &table->entries[i];

		if (entry->pid == pid && entry->tag.type == TAP_LOCK_TUPLE && entry->held)
			return entry;
	}
	return NULL;
}

/* The one relation that the statement names and has locked for writing; 0: none, or several. */
static uint32_t only_named(const struct tap_lock_table *table, const struct tap_lock_wait *wait,
			   tap_lock_mentions mentions, void *context, uint32_t *ret_database)
{
	uint32_t found = 0;

	for (size_t i = 0; i < table->count && mentions; i++) {
		const struct tap_lock_entry *entry = &table->entries[i];

		if (entry->pid != wait->pid || !is_user_relation(entry) || !(entry->held & ROW_LOCKING_MODES) ||
		    entry->tag.field2 == found || !mentions(context, wait, entry->tag.field2))
			continue;
		if (found)
			return 0;
		found = entry->tag.field2;
		*ret_database = entry->tag.field1;
	}
	return found;
}

void tap_lock_object_settle(const struct tap_lock_table *table, const struct tap_lock_wait *wait,
			    tap_lock_mentions mentions, void *context, struct tap_lock_object *object)
{
	const struct tap_lock_entry *tuple;
	uint32_t relation, database = 0;

	if (object->relation || (wait->tag.type != TAP_LOCK_TRANSACTION && wait->tag.type != TAP_LOCK_SPECTOKEN))
		return;
	tuple = tuple_held(table, wait->pid);
	if (tuple) {
		object->database = tuple->tag.field1;
		object->relation = tuple->tag.field2;
		return;
	}
	relation = only_named(table, wait, mentions, context, &database);
	if (!relation)
		return;
	object->database = database;
	object->relation = relation;
}

/*
 * The lock as others may want it: a relation for its rows too, an advisory or object lock as it is; false for the rest.
 * What is wanted of a relation, rows or the whole, is not part of it, so that both meet.
 */
static bool node_of(const struct tap_lock_object *object, struct tap_lock_object *ret)
{
	*ret = *object;
	if (object->relation && object->type == TAP_LOCK_METADATA)
		return true;
	if (object->relation && tap_lock_is_of_storage(object->type)) {
		ret->type = TAP_LOCK_ENGINE_TABLE;
		return true;
	}
	if (object->relation) {
		ret->type = TAP_LOCK_RELATION;
		return object->relation >= TAP_LOCK_FIRST_USER_OID;
	}
	return object->type == TAP_LOCK_ADVISORY || object->type == TAP_LOCK_OBJECT ||
	       object->type == TAP_LOCK_USERLOCK || object->type == TAP_LOCK_NAMED;
}

/* Of records as of their table; the lock for numbers of new rows is given back before the transaction ends. */
static uint16_t held_of(const struct tap_lock_entry *entry)
{
	if (entry->tag.type == TAP_LOCK_RECORD)
		return (uint16_t)((entry->held & READING_RECORDS ? 1 << TAP_LOCK_TABLE_IS : 0) |
				  (entry->held & ~READING_RECORDS ? 1 << TAP_LOCK_TABLE_IX : 0));
	if (entry->tag.type == TAP_LOCK_ENGINE_TABLE)
		return entry->held & (uint16_t) ~(1u << TAP_LOCK_TABLE_AUTO_INC);
	return entry->held;
}

static struct tap_lock_step step_of(const struct tap_lock_wait *wait)
{
	return (struct tap_lock_step){ .row = wait->row,
				       .mode = wait->mode,
				       .rows = is_row_wait(wait),
				       .serial = wait->serial,
				       .at_ns = wait->begin_ns };
}

/*
 * What the transaction holds while it waits. A relation that the waiting statement names itself may have been locked by
 * it, together with the one it waits in: that tells no order. Advisory locks and LOCK TABLE are taken one by one.
 */
static int observe_held(struct tap_lock_order *order, const struct tap_lock_table *table,
			const struct tap_lock_wait *wait, const struct tap_lock_object *after,
			tap_lock_mentions mentions, void *context)
{
	int status = 0;
	size_t looked = 0;

	for (size_t i = 0; i < table->count && !status && looked < HELD_MAX; i++) {
		const struct tap_lock_entry *entry = &table->entries[i];
		struct tap_lock_step step = step_of(wait);
		struct tap_lock_object held;

		if (entry->pid != wait->pid || !held_of(entry) || entry->tag.type == TAP_LOCK_TUPLE ||
		    entry->tag.type == TAP_LOCK_RECORD)
			continue;
		tap_lock_object_of(wait->instance, &entry->tag, &held);
		if (!node_of(&held, &step.before) || objects_equal(&step.before, after))
			continue;
		if (held.relation && mentions && mentions(context, wait, held.relation))
			continue;
		looked++;
		step.after = *after;
		step.held = held_of(entry);
		step.sure = !held.relation;
		status = tap_lock_order_learn(order, &step);
	}
	return status;
}

/* The entry of a process that waits for this transaction; NULL: it does not. */
static bool waits_for_xid(const struct tap_lock_entry *entry, uint32_t xid)
{
	return entry->wanted && entry->tag.type == TAP_LOCK_TRANSACTION && entry->tag.field1 == xid;
}

static uint32_t xid_of(const struct tap_lock_table *table, int32_t pid)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct tap_lock_entry *entry = &table->entries[i];

		if (entry->pid == pid && entry->tag.type == TAP_LOCK_TRANSACTION &&
		    entry->held & 1 << TAP_LOCK_MODE_EXCLUSIVE)
			return entry->tag.field1;
	}
	return 0;
}

/* A row as a node of its own, for orders within one relation. */
static struct tap_lock_object row_node(uint32_t instance, const struct tap_lock_tag *tuple)
{
	return (struct tap_lock_object){ .instance = instance,
					 .type = TAP_LOCK_TUPLE,
					 .database = tuple->field1,
					 .relation = tuple->field2,
					 .id1 = tuple->field3,
					 .id2 = tuple->field4 };
}

/* InnoDB's: page, and place in it. */
static struct tap_lock_object record_node(uint32_t instance, const struct tap_lock_tag *record)
{
	return (struct tap_lock_object){ .instance = instance,
					 .type = TAP_LOCK_RECORD,
					 .relation = record->field3,
					 .id1 = record->field2,
					 .id2 = record->field4 };
}

static int learn_row_order(struct tap_lock_order *order, const struct tap_lock_table *table,
			   const struct tap_lock_wait *wait, const struct tap_lock_tag *has)
{
	const struct tap_lock_entry *mine = tuple_held(table, wait->pid);
	const struct tap_lock_tag *wants = wait->tag.type == TAP_LOCK_TUPLE ? &wait->tag : mine ? &mine->tag : NULL;
	struct tap_lock_step step = step_of(wait);
	int status;

	if (!wants || wants->field1 != has->field1 || wants->field2 != has->field2)
		return 0;
	step.before = row_node(wait->instance, has);
	step.after = row_node(wait->instance, wants);
	step.held = ROW_LOCKING_MODES;
	step.sure = true;
	status = tap_lock_order_learn(order, &step);
	return status == -EINVAL ? 0 : status;
}

/* Others wait for this transaction in a row it has locked: that it had before what it waits for now, beyond doubt. */
static int observe_waited_for(struct tap_lock_order *order, const struct tap_lock_table *table,
			      const struct tap_lock_wait *wait, const struct tap_lock_object *after)
{
	uint32_t xid = xid_of(table, wait->pid);
	int status = 0;

	for (size_t i = 0; i < table->count && xid && !status; i++) {
		const struct tap_lock_entry *other = &table->entries[i];
		const struct tap_lock_entry *tuple;
		struct tap_lock_step step = step_of(wait);
		struct tap_lock_object held;

		if (other->pid == wait->pid || !waits_for_xid(other, xid))
			continue;
		tuple = tuple_held(table, other->pid);
		if (!tuple)
			continue;
		status = learn_row_order(order, table, wait, &tuple->tag);
		tap_lock_object_of(wait->instance, &tuple->tag, &held);
		if (status || !node_of(&held, &step.before) || objects_equal(&step.before, after))
			continue;
		step.after = *after;
		step.held = ROW_LOCKING_MODES;
		step.sure = true;
		status = tap_lock_order_learn(order, &step);
	}
	return status;
}

/* InnoDB: a record is in the table because somebody waits for it, so that who holds it had it before. */
static int observe_records(struct tap_lock_order *order, const struct tap_lock_table *table,
			   const struct tap_lock_wait *wait, const struct tap_lock_object *after)
{
	size_t looked = 0;
	int status = 0;

	for (size_t i = 0; i < table->count && !status && looked < HELD_MAX; i++) {
		const struct tap_lock_entry *entry = &table->entries[i];
		struct tap_lock_step step = step_of(wait);
		struct tap_lock_object held;

		if (entry->pid != wait->pid || !entry->held || entry->wanted || entry->tag.type != TAP_LOCK_RECORD)
			continue;
		looked++;
		tap_lock_object_of(wait->instance, &entry->tag, &held);
		if (!node_of(&held, &step.before))
			continue;
		step.after = *after;
		step.held = held_of(entry);
		step.sure = true;
		if (objects_equal(&step.before, after) && wait->tag.type == TAP_LOCK_RECORD) {
			step.before = record_node(wait->instance, &entry->tag);
			step.after = record_node(wait->instance, &wait->tag);
		}
		status = tap_lock_order_learn(order, &step);
		status = status == -EINVAL ? 0 : status;
	}
	return status;
}

int tap_lock_order_observe(struct tap_lock_order *order, const struct tap_lock_table *table,
			   const struct tap_lock_wait *wait, tap_lock_mentions mentions, void *context)
{
	struct tap_lock_object object = wait->object, after;
	int status;

	tap_lock_object_settle(table, wait, mentions, context, &object);
	if (!node_of(&object, &after))
		return 0;
	status = observe_held(order, table, wait, &after, mentions, context);
	if (!status)
		status = observe_waited_for(order, table, wait, &after);
	return status ? status : observe_records(order, table, wait, &after);
}

/* --- contradictions --------------------------------------------------------------------------- */

static int by_objects(const void *a, const void *b)
{
	const struct tap_lock_pair *left = *(const struct tap_lock_pair *const *)a;
	const struct tap_lock_pair *right = *(const struct tap_lock_pair *const *)b;
	int order = memcmp(&left->key.before, &right->key.before, sizeof(left->key.before));

	return order ? order : memcmp(&left->key.after, &right->key.after, sizeof(left->key.after));
}

/* First of those that go from `before` to `after`, in the sorted list. */
static size_t pairs_from(struct tap_lock_pair **sorted, size_t count, const struct tap_lock_object *before,
			 const struct tap_lock_object *after)
{
	struct tap_lock_pair wanted = { .key = { .before = *before, .after = *after } }, *wanted_at = &wanted;
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_objects(&sorted[middle], &wanted_at) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Modes of a relation that go with row locks which who waits for a row of it may meet. */
static uint16_t row_lockers(const struct tap_lock_pair *wanting)
{
	if (!tap_lock_is_of_storage(wanting->key.after.type))
		return ROW_LOCKING_MODES;
	return wanting->wanted & ~READING_RECORDS ? READ_ROWS | WRITTEN_ROWS : WRITTEN_ROWS;
}

/* Whether what one wants of a lock can be refused for what the other holds of it. */
static bool wants_conflict(const struct tap_lock_pair *wanting, const struct tap_lock_pair *holding)
{
	uint8_t type = wanting->key.after.type;

	if (wanting->rows && holding->held & row_lockers(wanting))
		return true;
	for (uint8_t want = 1; want < tap_lock_mode_count(type) && !wanting->rows; want++) {
		if (wanting->wanted >> want & 1 && tap_lock_mode_conflicts(type, want) & holding->held)
			return true;
	}
	return false;
}

static bool rows_equal(const struct tap_row_key *a, const struct tap_row_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* A statement that shows both orders by itself took both locks at once, unless others waiting for it tell more. */
static bool is_ambiguous(const struct tap_lock_order *order, const struct tap_lock_pair *pair)
{
	struct tap_lock_pair_key back = { .row = pair->key.row, .before = pair->key.after, .after = pair->key.before };

	return !pair->seen_sure &&
	       tap_hash_find(&order->index, order->pairs, sizeof(*order->pairs), &back) != TAP_HASH_NONE;
}

static bool contradict(const struct tap_lock_order *order, const struct tap_lock_pair *a, const struct tap_lock_pair *b)
{
	if (!wants_conflict(a, b) || !wants_conflict(b, a))
		return false;
	if (rows_equal(&a->key.row, &b->key.row))
		return a->seen_sure && b->seen_sure;
	return !is_ambiguous(order, a) && !is_ambiguous(order, b);
}

static struct tap_lock_inversion inversion_of(const struct tap_lock_pair *a, const struct tap_lock_pair *b)
{
	return (struct tap_lock_inversion){
		.first = a->key.row,
		.second = b->key.row,
		.a = a->key.before,
		.b = a->key.after,
		.first_seen = a->seen,
		.second_seen = b->seen,
		.sure = a->seen_sure && b->seen_sure,
		.last_ns = a->last_ns > b->last_ns ? a->last_ns : b->last_ns,
	};
}

static int by_seen(const void *a, const void *b)
{
	const struct tap_lock_inversion *left = a, *right = b;
	uint64_t l = left->first_seen < left->second_seen ? left->first_seen : left->second_seen;
	uint64_t r = right->first_seen < right->second_seen ? right->first_seen : right->second_seen;

	return l != r ? (l < r) - (l > r) : (left->last_ns < right->last_ns) - (left->last_ns > right->last_ns);
}

enum {
	INVERSIONS_MAX = 256,
};

static size_t find_inversions(const struct tap_lock_order *order, struct tap_lock_pair **sorted,
			      struct tap_lock_inversion *ret)
{
	size_t found = 0;

	for (size_t i = 0; i < order->count; i++) {
		const struct tap_lock_pair *a = sorted[i];
		size_t j;

		/* Each couple once: from the lesser object to the greater. */
		if (memcmp(&a->key.before, &a->key.after, sizeof(a->key.before)) > 0)
			continue;
		j = pairs_from(sorted, order->count, &a->key.after, &a->key.before);
		for (; j < order->count && objects_equal(&sorted[j]->key.before, &a->key.after) &&
		       objects_equal(&sorted[j]->key.after, &a->key.before);
		     j++) {
			if (found < INVERSIONS_MAX && contradict(order, a, sorted[j]))
				ret[found++] = inversion_of(a, sorted[j]);
		}
	}
	return found;
}

int tap_lock_order_inversions(const struct tap_lock_order *order, struct tap_lock_inversion **ret, size_t *ret_count)
{
	struct tap_lock_pair **sorted = reallocarray(NULL, order->count + 1, sizeof(*sorted));
	struct tap_lock_inversion *found = calloc(INVERSIONS_MAX, sizeof(*found));
	size_t count;

	if (!sorted || !found) {
		free(sorted);
		free(found);
		return -ENOMEM;
	}
	for (size_t i = 0; i < order->count; i++)
		sorted[i] = &order->pairs[i];
	qsort(sorted, order->count, sizeof(struct tap_lock_pair *), by_objects);
	count = find_inversions(order, sorted, found);
	qsort(found, count, sizeof(*found), by_seen);
	free(sorted);
	*ret = found;
	*ret_count = count;
	return 0;
}
