// SPDX-License-Identifier: BSD-2-Clause
/* alias.c - own ids of the texts that have engine ids, sorted. See alias.h. */
#include "correlate/model/alias.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/kind.h"
#include "correlate/fingerprint.h"

void tap_aliases_init(struct tap_aliases *aliases, const struct tap_texts *texts)
{
	*aliases = (struct tap_aliases){ .texts = texts };
}

void tap_aliases_done(struct tap_aliases *aliases)
{
	free(aliases->items);
	tap_aliases_init(aliases, aliases->texts);
}

static int by_own_id(const void *a, const void *b)
{
	const struct tap_alias *left = a, *right = b;

	if (left->instance != right->instance)
		return left->instance < right->instance ? -1 : 1;
	return (left->own_id > right->own_id) - (left->own_id < right->own_id);
}

/* Leaves one of each own id. */
static void pack(struct tap_aliases *aliases)
{
	size_t kept = 0;

	qsort(aliases->items, aliases->count, sizeof(*aliases->items), by_own_id);
	for (size_t i = 0; i < aliases->count; i++) {
		struct tap_alias *last = kept ? &aliases->items[kept - 1] : NULL;

		if (last && !by_own_id(last, &aliases->items[i]))
			last->ambiguous |= last->engine_id != aliases->items[i].engine_id;
		else
			aliases->items[kept++] = aliases->items[i];
	}
	aliases->count = kept;
}

static int make(struct tap_aliases *aliases)
{
	const struct tap_texts *texts = aliases->texts;

	aliases->items = calloc(texts->count + 1, sizeof(*aliases->items));
	if (!aliases->items)
		return -ENOMEM;
	for (size_t i = 0; i < texts->count; i++) {
		const struct tap_text *text = &texts->items[i];
		const char *seen = text->raw ? text->raw : text->normalised;

		if (text->key.source != TAP_QUERY_ID_ENGINE || !seen)
			continue;
		aliases->items[aliases->count++] = (struct tap_alias){
			.instance = text->key.instance,
			.own_id = tap_fingerprint(seen, strlen(seen)),
			.engine_id = text->key.query_id,
		};
	}
	pack(aliases);
	aliases->made = true;
	return 0;
}

int tap_aliases_apply(struct tap_aliases *aliases, struct tap_row_key *row)
{
	struct tap_alias wanted = { .instance = row->instance, .own_id = row->query_id };
	const struct tap_alias *found;

	if (row->source != TAP_QUERY_ID_OWN || (row->kind != TAP_KIND_CLIENT && row->kind != TAP_KIND_PARALLEL))
		return 0;
	if (!aliases->made && make(aliases))
		return -ENOMEM;
	found = bsearch(&wanted, aliases->items, aliases->count, sizeof(*aliases->items), by_own_id);
	if (!found || found->ambiguous)
		return 0;
	row->source = TAP_QUERY_ID_ENGINE;
	row->query_id = found->engine_id;
	return 0;
}
