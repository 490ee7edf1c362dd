// SPDX-License-Identifier: BSD-2-Clause
/* terms.c - the table of engines' words, and which engine an instance's id is of. */
#include "correlate/engine/terms.h"

#include <string.h>

static const struct tap_terms *const all[TAP_ENGINE_COUNT] = {
#define X(id, name) [TAP_ENGINE_##id] = &tap_terms_##name,
	TAP_ENGINES(X)
#undef X
};

const struct tap_terms *tap_terms_of(enum tap_engine engine)
{
	return all[(unsigned)engine < TAP_ENGINE_COUNT ? engine : 0];
}

static bool has_stem(const char *id, const char *stem)
{
	size_t length = strlen(stem);

	return !strncmp(id, stem, length) && id[length] == '-';
}

bool tap_engine_of_id(const char *id, enum tap_engine *ret)
{
	for (int i = 0; i < TAP_ENGINE_COUNT; i++) {
		for (const char *const *stem = all[i]->stems; *stem; stem++) {
			if (has_stem(id, *stem)) {
				*ret = (enum tap_engine)i;
				return true;
			}
		}
	}
	return false;
}
