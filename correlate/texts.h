/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * texts.h - the text of each query id, as seen first or best.
 *
 * Keeps raw texts; what leaves for an output is normalised by the caller unless literals were asked for. Texts from the
 * engine's own statistics (already normalised, never cut) replace those from memory.
 */
#ifndef TAP_CORRELATE_TEXTS_H
#define TAP_CORRELATE_TEXTS_H

#include <stdbool.h>

#include "bpf/abi/text.h"
#include "userspace/base/hash.h"

struct tap_text {
	struct tap_text_key key; /* first, for the index */
	char *text;              /* NUL-terminated; an incomplete last character is cut off */
	bool from_engine;        /* from the engine's statistics */
};

struct tap_texts {
	struct tap_text *items;
	size_t count;
	size_t capacity;
	struct tap_hash index;
};

void tap_texts_init(struct tap_texts *texts);
void tap_texts_done(struct tap_texts *texts);

/* Remembers a text (copied, cut at a NUL). 0 or -ENOMEM. */
int tap_texts_put(struct tap_texts *texts, const struct tap_text_key *key, const char *text, size_t size, bool from_engine);

/* NULL when there is none. Valid until the next put. */
const struct tap_text *tap_texts_find(const struct tap_texts *texts, const struct tap_text_key *key);

#endif
