// SPDX-License-Identifier: BSD-2-Clause
/* client.c - the table of what servers can be asked, by engine. */
#include "correlate/engine/client.h"

static const struct tap_client *const all[TAP_ENGINE_COUNT] = {
#define X(id, name) [TAP_ENGINE_##id] = &tap_client_##name,
	TAP_ENGINES(X)
#undef X
};

const struct tap_client *tap_client_of(enum tap_engine engine)
{
	return all[(unsigned)engine < TAP_ENGINE_COUNT ? engine : 0];
}
