/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.h - what the databases and users of one instance are called, by oid.
 *
 * Filled from the catalog over a connection (correlate/engine/<name>/queries) or from what the sessions show of
 * themselves; read when a window's rows get their names.
 */
#ifndef TAP_CORRELATE_NAMES_H
#define TAP_CORRELATE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "correlate/session.h"

#define TAP_NAME_MAX 255 /* bytes kept of one name */

enum tap_name_kind {
	TAP_NAME_DATABASE,
	TAP_NAME_USER,
};

struct tap_name {
	enum tap_name_kind kind;
	uint32_t oid;
	char *text;
};

/* Invariant: sorted by kind, then oid, each pair once. */
struct tap_names {
	struct tap_name *items;
	size_t count;
	size_t capacity;
};

void tap_names_init(struct tap_names *names);
/* NULL is fine. */
void tap_names_done(struct tap_names *names);

/*
 * Remember `size` raw bytes of `text` (cut at a NUL and at TAP_NAME_MAX) as the name, in place of an earlier one: oids
 * stay, names change. -EINVAL for oid 0 or an empty name, -ENOMEM.
 */
int tap_names_add(struct tap_names *names, enum tap_name_kind kind, uint32_t oid, const char *text, size_t size);

/* NULL: not known. Valid until the next add. */
const char *tap_names_find(const struct tap_names *names, enum tap_name_kind kind, uint32_t oid);

/*
 * Add the names that the sessions bring and `names` does not know yet. A known name is kept: it came from the catalog,
 * theirs may come from a process title. -ENOMEM.
 */
int tap_names_add_sessions(struct tap_names *names, const struct tap_session_list *sessions);

#endif
