/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alias.h - one row for a statement that some of its processes knew before, or without, the engine's id.
 *
 * A parallel worker of CREATE INDEX never gets the engine's id, and what a session reads from a disk while it parses
 * has the text's own fingerprint, since the id comes later. Where one statement of the instance, and one only, has both
 * this text and an engine id, the row is that statement's.
 */
#ifndef TAP_CORRELATE_MODEL_ALIAS_H
#define TAP_CORRELATE_MODEL_ALIAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/account.h"
#include "correlate/texts.h"

struct tap_alias {
	uint32_t instance;
	uint64_t own_id;
	uint64_t engine_id;
	bool ambiguous; /* several engine ids have this text */
};

struct tap_aliases {
	const struct tap_texts *texts;
	struct tap_alias *items; /* sorted by instance and own id, each once; made at the first use */
	size_t count;
	bool made;
};

/* Borrows the texts. */
void tap_aliases_init(struct tap_aliases *aliases, const struct tap_texts *texts);
void tap_aliases_done(struct tap_aliases *aliases);

/* Gives a row with an own id the engine's where it is known. 0, or -ENOMEM with the row as it was. */
int tap_aliases_apply(struct tap_aliases *aliases, struct tap_row_key *row);

#endif
