// SPDX-License-Identifier: BSD-2-Clause
/* lock_names.c - locks as people call them: relation names, rows, transactions. */
#include "correlate/model/locks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "userspace/base/strbuf.h"

static bool is_of_database(uint8_t type)
{
	return type == TAP_LOCK_RELATION || type == TAP_LOCK_EXTEND || type == TAP_LOCK_PAGE ||
	       type == TAP_LOCK_TUPLE || type == TAP_LOCK_FROZENID || type == TAP_LOCK_OBJECT ||
	       type == TAP_LOCK_USERLOCK || type == TAP_LOCK_ADVISORY || type == TAP_LOCK_METADATA;
}

static const char *relation_name(struct tap_build *build, uint32_t instance, uint32_t database, uint32_t relation)
{
	const struct tap_window_instance *info = tap_build_instance(build, instance);
	const char *name = info ? tap_relation_names_find(info->relations, database, relation) : NULL;
	char digits[16];

	if (!relation)
		return NULL;
	snprintf(digits, sizeof(digits), "%" PRIu32, relation);
	return tap_arena_string(build->arena, name ? name : digits);
}

/* pg_advisory_lock(bigint) puts 1 into the last field, (int, int) 2: src/backend/utils/adt/lockfuncs.c. */
static void add_advisory(struct tap_strbuf *text, const struct tap_lock_tag *tag)
{
	if (tag->field4 == 1)
		tap_strbuf_printf(text, "advisory %" PRId64, (int64_t)((uint64_t)tag->field2 << 32 | tag->field3));
	else
		tap_strbuf_printf(text, "advisory (%" PRId32 ",%" PRId32 ")", (int32_t)tag->field2,
				  (int32_t)tag->field3);
}

static void add_tuple(struct tap_strbuf *text, const struct tap_lock_tag *tag, const char *relation)
{
	tap_strbuf_printf(text, "tuple (%" PRIu32 ",%u) of %s", tag->field3, tag->field4, relation ? relation : "?");
}

/* Without a prefix that stands in for a schema: "index.PRIMARY", "user lock.x". */
static const char *bare_name(struct tap_build *build, uint32_t instance, uint32_t database, uint32_t number)
{
	const struct tap_window_instance *info = tap_build_instance(build, instance);
	const char *name = info ? tap_relation_names_find(info->relations, database, number) : NULL;
	const char *dot = name ? strchr(name, '.') : NULL;

	return dot ? dot + 1 : NULL;
}

/* An index is known by the page a record is in: database stands for the tablespace, 1 higher. */
static void add_record(struct tap_build *build, uint32_t instance, struct tap_strbuf *text,
		       const struct tap_lock_tag *tag, const char *relation)
{
	const char *index = bare_name(build, instance, tag->field1 + 1, tag->field2);

	if (tag->field4 == 1)
		tap_strbuf_printf(text, "gap at the end of page %" PRIu32, tag->field2);
	else
		tap_strbuf_printf(text, "record (%" PRIu32 ",%u)", tag->field2, tag->field4);
	tap_strbuf_printf(text, " of %s%s%s", index ? index : "", index ? " of " : "", relation ? relation : "?");
}

static void add_metadata(struct tap_strbuf *text, const struct tap_lock_tag *tag, const char *relation,
			 const char *database)
{
	static const char *const kinds[] = {
		"backup",  "database", "table",	    "function", "procedure", "package",
		"trigger", "event",    "user lock", "server",	"commit",    "tablespace"
	};
	const char *kind = tag->field4 < sizeof(kinds) / sizeof(*kinds) ? kinds[tag->field4] : "object";

	if (relation || (!tag->field2 && tag->field1))
		tap_strbuf_printf(text, "metadata of %s %s", kind, relation ? relation : database ? database : "?");
	else
		tap_strbuf_printf(text, "metadata of %s", kind);
}

static void add_phrase(struct tap_build *build, uint32_t instance, struct tap_strbuf *text,
		       const struct tap_lock_tag *tag, const char *relation, const char *database)
{
	const char *name;

	switch (tag->type) {
	case TAP_LOCK_RECORD:
		add_record(build, instance, text, tag, relation);
		break;
	case TAP_LOCK_ENGINE_TABLE:
		tap_strbuf_printf(text, "table %s", relation ? relation : "?");
		break;
	case TAP_LOCK_METADATA:
		add_metadata(text, tag, relation, database);
		break;
	case TAP_LOCK_NAMED:
		name = bare_name(build, instance, 0, tag->field2);
		tap_strbuf_printf(text, "user lock %s", name ? name : "?");
		break;
	case TAP_LOCK_BACKUP:
		tap_strbuf_add_string(text, "backup lock");
		break;
	case TAP_LOCK_RELATION:
		tap_strbuf_printf(text, "relation %s", relation ? relation : "?");
		break;
	case TAP_LOCK_EXTEND:
		tap_strbuf_printf(text, "extension of %s", relation ? relation : "?");
		break;
	case TAP_LOCK_FROZENID:
		tap_strbuf_printf(text, "frozen ids of database %s", database ? database : "?");
		break;
	case TAP_LOCK_PAGE:
		tap_strbuf_printf(text, "page %" PRIu32 " of %s", tag->field3, relation ? relation : "?");
		break;
	case TAP_LOCK_TUPLE:
		add_tuple(text, tag, relation);
		break;
	case TAP_LOCK_TRANSACTION:
		tap_strbuf_printf(text, "transaction %" PRIu32, tag->field1);
		break;
	case TAP_LOCK_VIRTUALXID:
		tap_strbuf_printf(text, "virtual transaction %" PRId32 "/%" PRIu32, (int32_t)tag->field1, tag->field2);
		break;
	case TAP_LOCK_SPECTOKEN:
		tap_strbuf_printf(text, "speculative insertion %" PRIu32 " of transaction %" PRIu32, tag->field2,
				  tag->field1);
		break;
	case TAP_LOCK_ADVISORY:
		add_advisory(text, tag);
		break;
	default:
		tap_strbuf_printf(text, "%s %" PRIu32 "/%" PRIu32, tap_lock_type_name(tag->type), tag->field2,
				  tag->field3);
	}
}

/* `row` is the tuple a wait for a transaction is about; NULL: none, or not known. */
static const char *phrase_of(struct tap_build *build, uint32_t instance, const struct tap_lock_tag *tag,
			     const struct tap_lock_tag *row, const struct tap_view_lock *lock)
{
	struct tap_strbuf text;
	const char *copy;

	tap_strbuf_init(&text);
	add_phrase(build, instance, &text, tag, lock->relation, lock->database);
	if (row) {
		tap_strbuf_add_string(&text, ", for ");
		add_tuple(&text, row, lock->relation);
	}
	copy = text.failed ? NULL : tap_arena_string(build->arena, text.data);
	build->arena->failed |= text.failed;
	tap_strbuf_done(&text);
	return copy;
}

static void describe(struct tap_build *build, uint32_t instance, const struct tap_lock_tag *tag, uint8_t mode,
		     const struct tap_lock_tag *row, struct tap_view_lock *ret)
{
	const struct tap_lock_tag *place = row ? row : tag;
	uint32_t database, relation;

	*ret = (struct tap_view_lock){ .type = tap_lock_type_name(tag->type) };
	if (mode > TAP_LOCK_MODE_NONE && mode < tap_lock_mode_count(tag->type))
		ret->mode = tap_lock_mode_name(tag->type, mode);
	if (is_of_database(place->type))
		ret->database = tap_build_name(build, instance, TAP_NAME_DATABASE, place->field1);
	if (tap_lock_tag_relation(place, &database, &relation))
		ret->relation = relation_name(build, instance, database, relation);
	ret->name = phrase_of(build, instance, tag, row, ret);
}

void tap_lock_describe(struct tap_build *build, uint32_t instance, const struct tap_lock_tag *tag, uint8_t mode,
		       struct tap_view_lock *ret)
{
	describe(build, instance, tag, mode, NULL, ret);
}

/* Who waits for a row's writer locks the row itself first, so that no later one overtakes him. */
static const struct tap_lock_tag *row_of(const struct tap_lock_table *table, const struct tap_lock_entry *entry)
{
	if (entry->tag.type != TAP_LOCK_TRANSACTION)
		return NULL;
	for (size_t i = 0; i < table->count; i++) {
		const struct tap_lock_entry *other = &table->entries[i];

		if (other->pid == entry->pid && other->tag.type == TAP_LOCK_TUPLE && other->held)
			return &other->tag;
	}
	return NULL;
}

void tap_lock_describe_wait(struct tap_build *build, uint32_t instance, const struct tap_lock_table *table,
			    const struct tap_lock_entry *entry, struct tap_view_lock *ret)
{
	describe(build, instance, &entry->tag, entry->wanted, row_of(table, entry), ret);
}

void tap_lock_describe_seen(struct tap_build *build, const struct tap_lock_tag *tag, uint8_t mode,
			    const struct tap_lock_object *object, struct tap_view_lock *ret)
{
	struct tap_strbuf text;

	describe(build, object->instance, tag, mode, NULL, ret);
	if (ret->relation || !object->relation)
		return;
	ret->database = tap_build_name(build, object->instance, TAP_NAME_DATABASE, object->database);
	ret->relation = relation_name(build, object->instance, object->database, object->relation);
	tap_strbuf_init(&text);
	tap_strbuf_printf(&text, "%s, for a row of %s", ret->name ? ret->name : "?",
			  ret->relation ? ret->relation : "?");
	ret->name = text.failed ? NULL : tap_arena_string(build->arena, text.data);
	build->arena->failed |= text.failed;
	tap_strbuf_done(&text);
}

void tap_lock_describe_object(struct tap_build *build, const struct tap_lock_object *object, uint8_t mode,
			      struct tap_view_lock *ret)
{
	struct tap_strbuf text;

	*ret = (struct tap_view_lock){ .type = tap_lock_type_name(object->type) };
	if (mode > TAP_LOCK_MODE_NONE && mode < tap_lock_mode_count(object->type))
		ret->mode = tap_lock_mode_name(object->type, mode);
	ret->database = tap_build_name(build, object->instance, TAP_NAME_DATABASE, object->database);
	ret->relation = relation_name(build, object->instance, object->database, object->relation);
	tap_strbuf_init(&text);
	if (ret->relation && object->type == TAP_LOCK_RELATION)
		tap_strbuf_printf(&text, "relation %s", ret->relation);
	else if (ret->relation && object->type == TAP_LOCK_EXTEND)
		tap_strbuf_printf(&text, "extension of %s", ret->relation);
	else if (ret->relation)
		tap_strbuf_printf(&text, "rows of %s", ret->relation);
	else if (object->type == TAP_LOCK_TRANSACTION)
		tap_strbuf_add_string(&text, "transactions");
	else if (object->id1 || object->id2)
		tap_strbuf_printf(&text, "%s %" PRIu32 "/%" PRIu32, ret->type, object->id1, object->id2);
	else
		tap_strbuf_add_string(&text, ret->type);
	ret->name = text.failed ? NULL : tap_arena_string(build->arena, text.data);
	build->arena->failed |= text.failed;
	tap_strbuf_done(&text);
}
