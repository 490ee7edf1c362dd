// SPDX-License-Identifier: BSD-2-Clause
/* lock_words.c - words for locks. See lock_words.h. */
#include "correlate/engine/mysql/lock_words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "correlate/engine/mysql/field.h"
#include "correlate/engine/mysql/number.h"

enum {
	SUPREMUM = 1,	   /* place of what stands for the gap behind the last record of a page */
	ENCODED_MAX = 400, /* of a table's name as files are called; more plays no part in its number */
	PARTS_MAX = 8,	   /* of the name of a lock */
	DIGITS_MAX = 20,
};

/* ---- names ---- */

static bool text_copy(const struct tap_my_value *value, char ret[TAP_MY_LOCK_NAME_MAX])
{
	size_t size = value->data ? strnlen(value->data, value->size) : 0;

	if (!size || size >= TAP_MY_LOCK_NAME_MAX)
		return false;
	memcpy(ret, value->data, size);
	ret[size] = '\0';
	return true;
}

/* As files are called: what a file system may not take stands as its number. Bytes beyond ASCII stay as they are. */
static size_t encode(const char *name, char *ret, size_t at)
{
	for (; *name && at + 6 < ENCODED_MAX; name++) {
		unsigned char byte = (unsigned char)*name;

		if (isalnum(byte) || byte == '_' || byte >= 0x80)
			ret[at++] = (char)byte;
		else
			at += (size_t)snprintf(ret + at, 6, "@%04x", byte);
	}
	ret[at] = '\0';
	return at;
}

static void number_fill(struct tap_my_lock_name *name, const char *mark, const char *partition)
{
	char text[ENCODED_MAX + 8];
	size_t at = encode(name->schema, text, 0);

	text[at++] = '/';
	at = encode(name->table, text, at);
	if (partition && at + 8 < ENCODED_MAX)
		encode(partition, text, at + (size_t)snprintf(text + at, 8, "%s", mark));
	name->number = tap_my_table_number(text);
}

bool tap_my_lock_name(const struct tap_my_value *schema, const struct tap_my_value *table,
		      const struct tap_my_value *partition, struct tap_my_lock_name *ret)
{
	char part[TAP_MY_LOCK_NAME_MAX];
	struct tap_my_lock_name name;

	if (!text_copy(schema, name.schema) || !text_copy(table, name.table))
		return false;
	number_fill(&name, "#p#", text_copy(partition, part) ? part : NULL);
	*ret = name;
	return true;
}

/* What stands in backquotes at *at, two of which are one; *at is behind it then. */
static bool quoted_copy(const char **at, const char *end, char ret[TAP_MY_LOCK_NAME_MAX])
{
	size_t size = 0;
	const char *from = *at;

	if (from == end || *from++ != '`')
		return false;
	for (; from < end && size + 1 < TAP_MY_LOCK_NAME_MAX; from++) {
		if (*from == '`' && (from + 1 == end || from[1] != '`'))
			break;
		from += *from == '`';
		ret[size++] = *from;
	}
	if (from >= end || *from != '`' || !size)
		return false;
	ret[size] = '\0';
	*at = from + 1;
	return true;
}

bool tap_my_lock_name_quoted(const struct tap_my_value *text, struct tap_my_lock_name *ret)
{
	static const char before[] = " /* Partition ";
	const size_t length = sizeof(before) - 1;
	const char *at = text->data, *end = at ? at + strnlen(at, text->size) : NULL;
	char partition[TAP_MY_LOCK_NAME_MAX];
	struct tap_my_lock_name name;
	bool is_part = false;

	if (!at || !quoted_copy(&at, end, name.schema) || at == end || *at++ != '.' ||
	    !quoted_copy(&at, end, name.table))
		return false;
	if ((size_t)(end - at) > length && !memcmp(at, before, length)) {
		at += length;
		is_part = quoted_copy(&at, end, partition);
	}
	number_fill(&name, "#P#", is_part ? partition : NULL);
	*ret = name;
	return true;
}

/* ---- InnoDB ---- */

static bool is_word(const char *text, size_t size, const char *word)
{
	return size == strlen(word) && !memcmp(text, word, size);
}

/* A word of a list that commas part. */
static bool has_word(const struct tap_my_value *text, const char *word)
{
	const char *at = text->data, *end = at + text->size;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		size_t size = (size_t)((comma ? comma : end) - at);

		if (is_word(at, size, word))
			return true;
		at += size + 1;
	}
	return false;
}

/* A gap excludes nobody but who inserts there: who waits with one inserts, also where the view does not say so. */
static uint8_t record_mode(const struct tap_my_value *text, uint16_t heap, bool waits)
{
	bool exclusive = has_word(text, "X");

	if (!exclusive && !has_word(text, "S"))
		return 0;
	if (has_word(text, "INSERT_INTENTION"))
		return TAP_LOCK_RECORD_INSERT;
	if (heap == SUPREMUM || has_word(text, "GAP"))
		return waits ? TAP_LOCK_RECORD_INSERT : exclusive ? TAP_LOCK_RECORD_X_GAP : TAP_LOCK_RECORD_S_GAP;
	if (has_word(text, "REC_NOT_GAP"))
		return exclusive ? TAP_LOCK_RECORD_X_ONLY : TAP_LOCK_RECORD_S_ONLY;
	return exclusive ? TAP_LOCK_RECORD_X : TAP_LOCK_RECORD_S;
}

static uint8_t named_mode(uint8_t type, const char *text, size_t size)
{
	for (uint8_t mode = 1; mode < tap_lock_mode_count(type); mode++) {
		if (is_word(text, size, tap_lock_mode_name(type, mode)))
			return mode;
	}
	return 0;
}

uint8_t tap_my_lock_mode_parse(uint8_t type, const struct tap_my_value *text, uint16_t heap, bool waits)
{
	if (!text->data)
		return 0;
	return type == TAP_LOCK_RECORD ? record_mode(text, heap, waits) : named_mode(type, text->data, text->size);
}

bool tap_my_lock_place_parse(const struct tap_my_value *id, struct tap_lock_tag *tag)
{
	struct tap_my_value parts[PARTS_MAX];
	const char *at = id->data, *end = at ? at + id->size : NULL;
	int64_t space, page, heap;
	size_t count = 0;

	while (at && at <= end && count < PARTS_MAX) {
		const char *colon = memchr(at, ':', (size_t)(end - at));
		const char *stop = colon ? colon : end;

		parts[count++] = (struct tap_my_value){ at, (size_t)(stop - at) };
		at = colon ? colon + 1 : NULL;
	}
	/* Transaction, space, page, place and lock at least; newer ones have more before the space. */
	if (at || count < 5 || !tap_my_field_number(&parts[count - 4], 0, UINT32_MAX, &space) ||
	    !tap_my_field_number(&parts[count - 3], 0, UINT32_MAX, &page) ||
	    !tap_my_field_number(&parts[count - 2], 0, UINT16_MAX, &heap))
		return false;
	tag->field1 = (uint32_t)space;
	tag->field2 = (uint32_t)page;
	tag->field4 = (uint16_t)heap;
	return true;
}

/* ---- metadata locks ---- */

static const struct {
	const char *word;
	enum tap_my_lock_object object;
} object_words[] = {
	{ "BACKUP", TAP_MY_OBJECT_BACKUP },
	{ "Backup lock", TAP_MY_OBJECT_BACKUP },
	{ "SCHEMA", TAP_MY_OBJECT_SCHEMA },
	{ "Schema metadata lock", TAP_MY_OBJECT_SCHEMA },
	{ "TABLE", TAP_MY_OBJECT_TABLE },
	{ "Table metadata lock", TAP_MY_OBJECT_TABLE },
	{ "FUNCTION", TAP_MY_OBJECT_FUNCTION },
	{ "Stored function metadata lock", TAP_MY_OBJECT_FUNCTION },
	{ "PROCEDURE", TAP_MY_OBJECT_PROCEDURE },
	{ "Stored procedure metadata lock", TAP_MY_OBJECT_PROCEDURE },
	{ "PACKAGE BODY", TAP_MY_OBJECT_PACKAGE },
	{ "Stored package body metadata lock", TAP_MY_OBJECT_PACKAGE },
	{ "TRIGGER", TAP_MY_OBJECT_TRIGGER },
	{ "Trigger metadata lock", TAP_MY_OBJECT_TRIGGER },
	{ "EVENT", TAP_MY_OBJECT_EVENT },
	{ "Event metadata lock", TAP_MY_OBJECT_EVENT },
	{ "USER LEVEL LOCK", TAP_MY_OBJECT_USER_LOCK },
	{ "User lock", TAP_MY_OBJECT_USER_LOCK },
	{ "GLOBAL", TAP_MY_OBJECT_GLOBAL },
	{ "COMMIT", TAP_MY_OBJECT_COMMIT },
	{ "TABLESPACE", TAP_MY_OBJECT_TABLESPACE },
};

enum tap_my_lock_object tap_my_lock_object_parse(const struct tap_my_value *text)
{
	for (size_t i = 0; i < sizeof(object_words) / sizeof(*object_words); i++) {
		if (tap_my_field_is(text, object_words[i].word))
			return object_words[i].object;
	}
	return TAP_MY_OBJECT_OTHER;
}

static uint8_t type_of(enum tap_my_lock_object object)
{
	return object == TAP_MY_OBJECT_BACKUP	   ? TAP_LOCK_BACKUP
	       : object == TAP_MY_OBJECT_USER_LOCK ? TAP_LOCK_NAMED
						   : TAP_LOCK_METADATA;
}

uint8_t tap_my_metadata_mode_parse(enum tap_my_lock_object object, const struct tap_my_value *text)
{
	static const char prefix[] = "MDL_", low[] = "SHARED_WRITE_LOW_PRIO";
	const char *word = text->data;
	size_t size = text->size;

	if (!word)
		return 0;
	if (size > sizeof(prefix) - 1 && !memcmp(word, prefix, sizeof(prefix) - 1)) {
		word += sizeof(prefix) - 1;
		size -= sizeof(prefix) - 1;
	}
	/* MySQL has one more, which excludes the same and is only later in its turn. */
	if (is_word(word, size, low))
		return TAP_LOCK_METADATA_SW;
	return named_mode(type_of(object), word, size);
}

void tap_my_metadata_tag(enum tap_my_lock_object object, const char *schema, const char *name, struct tap_lock_tag *ret)
{
	struct tap_lock_tag tag = { .type = type_of(object), .method = 1, .field4 = (uint16_t)object };

	/* The backup lock is one; a user lock has its name in the one place or the other. */
	if (tag.type == TAP_LOCK_NAMED) {
		tag.field2 = tap_my_name_number(*name ? name : schema);
	} else if (tag.type == TAP_LOCK_METADATA) {
		tag.field1 = tap_my_name_number(schema);
		tag.field2 = tap_my_table_number(name);
	}
	*ret = tag;
}
