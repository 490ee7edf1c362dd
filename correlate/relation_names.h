/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relation_names.h - what the relations of one instance are called, by the oids that lock tags carry.
 *
 * Filled from the catalogs of its databases over connections (correlate/engine/<name>/relations); read when locks get
 * their names. Filenodes, which files are named by, are other numbers and live in correlate/objects.
 */
#ifndef TAP_CORRELATE_RELATION_NAMES_H
#define TAP_CORRELATE_RELATION_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "userspace/base/hash.h"

#define TAP_RELATION_NAME_MAX 191 /* bytes kept of "schema.relation" */

struct tap_relation_key {
	uint32_t database; /* oid; 0: a relation all databases share */
	uint32_t oid;
};

struct tap_relation_name {
	struct tap_relation_key key; /* first, for the index */
	char *text;		     /* "public.accounts" */
};

struct tap_relation_names {
	struct tap_relation_name *items;
	size_t count;
	size_t capacity;
	struct tap_hash index;
};

void tap_relation_names_init(struct tap_relation_names *names);
/* NULL is fine. */
void tap_relation_names_done(struct tap_relation_names *names);

/*
 * Remember "schema.relation", each of `*_size` raw bytes (cut at a NUL, and in all at TAP_RELATION_NAME_MAX), in place
 * of an earlier name. -EINVAL for oid 0 or an empty part, -ENOMEM.
 */
int tap_relation_names_add(struct tap_relation_names *names, uint32_t database, uint32_t oid, const char *schema,
			   size_t schema_size, const char *relation, size_t relation_size);

/* NULL: not known. Valid until the next add. */
const char *tap_relation_names_find(const struct tap_relation_names *names, uint32_t database, uint32_t oid);

#endif
