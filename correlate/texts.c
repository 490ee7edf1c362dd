// SPDX-License-Identifier: BSD-2-Clause
/* texts.c - query texts by instance, source and id. */
#include "correlate/texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tap_texts_init(struct tap_texts *texts)
{
	*texts = (struct tap_texts){ 0 };
	tap_hash_init(&texts->index, sizeof(struct tap_text_key));
}

void tap_texts_done(struct tap_texts *texts)
{
	if (!texts)
		return;
	for (size_t i = 0; i < texts->count; i++) {
		free(texts->items[i].raw);
		free(texts->items[i].normalised);
		free(texts->items[i].digest);
	}
	free(texts->items);
	tap_hash_done(&texts->index);
	tap_texts_init(texts);
}

const struct tap_text *tap_texts_find(const struct tap_texts *texts, const struct tap_text_key *key)
{
	size_t place = tap_hash_find(&texts->index, texts->items, sizeof(*texts->items), key);

	return place == TAP_HASH_NONE ? NULL : &texts->items[place];
}

/* Length without the first bytes of a UTF-8 character whose rest was cut off. */
static size_t whole_characters(const char *text, size_t size)
{
	size_t back = 0;

	while (back < 3 && back < size && ((unsigned char)text[size - 1 - back] & 0xc0) == 0x80)
		back++;
	if (back < size) {
		unsigned char lead = (unsigned char)text[size - 1 - back];
		size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;

		if (need > back + 1)
			return size - 1 - back;
	}
	return size;
}

/* The entry of a key, made when missing. */
static struct tap_text *entry_of(struct tap_texts *texts, const struct tap_text_key *key)
{
	size_t place = tap_hash_find(&texts->index, texts->items, sizeof(*texts->items), key);

	if (place != TAP_HASH_NONE)
		return &texts->items[place];
	if (texts->count == texts->capacity) {
		size_t capacity = texts->capacity ? texts->capacity * 2 : 64;
		struct tap_text *items = reallocarray(texts->items, capacity, sizeof(*items));

		if (!items)
			return NULL;
		texts->items = items;
		texts->capacity = capacity;
	}
	texts->items[texts->count] = (struct tap_text){ .key = *key };
	if (tap_hash_add(&texts->index, texts->items, sizeof(*texts->items), texts->count))
		return NULL;
	return &texts->items[texts->count++];
}

int tap_texts_put(struct tap_texts *texts, const struct tap_text_key *key, const char *text, size_t size,
		  enum tap_text_form form)
{
	struct tap_text *entry = entry_of(texts, key);
	char **place;

	if (!entry)
		return -ENOMEM;
	place = form == TAP_TEXT_RAW ? &entry->raw : form == TAP_TEXT_NORMALISED ? &entry->normalised : &entry->digest;
	if (*place)
		return 0;
	size = strnlen(text, size);
	*place = strndup(text, whole_characters(text, size));
	return *place ? 0 : -ENOMEM;
}
