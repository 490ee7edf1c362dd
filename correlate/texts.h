/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * texts.h - the text of each query id, as seen first or best.
 *
 * Two texts an id at most: raw from memory, literals included and perhaps cut; and whole, normalised from the engine's
 * own statistics. What leaves for an output is chosen in correlate/model. An id of our own may have the engine's name
 * for the same statements besides.
 */
#ifndef TAP_CORRELATE_TEXTS_H
#define TAP_CORRELATE_TEXTS_H

#include "bpf/abi/text.h"
#include "userspace/base/hash.h"

struct tap_text {
	struct tap_text_key key; /* first, for the index */
	char *raw;		 /* NULL: not seen; an incomplete last character is cut off */
	char *normalised;	 /* NULL: the engine was not asked or does not know */
	char *digest;		 /* the engine's own name of what has this own id; NULL: likewise */
};

enum tap_text_form {
	TAP_TEXT_RAW,
	TAP_TEXT_NORMALISED,
	TAP_TEXT_DIGEST,
};

struct tap_texts {
	struct tap_text *items;
	size_t count;
	size_t capacity;
	struct tap_hash index;
};

void tap_texts_init(struct tap_texts *texts);
void tap_texts_done(struct tap_texts *texts);

/* Remembers the first text of a form (copied, cut at a NUL); later ones are passed over. 0 or -ENOMEM. */
int tap_texts_put(struct tap_texts *texts, const struct tap_text_key *key, const char *text, size_t size,
		  enum tap_text_form form);

/* NULL when there is none. Valid until the next put. */
const struct tap_text *tap_texts_find(const struct tap_texts *texts, const struct tap_text_key *key);

#endif
