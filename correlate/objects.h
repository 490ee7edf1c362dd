/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects.h - what the catalogs of one instance call the files of its relations.
 *
 * Filled by correlate/engine/<name>/relations over a connection, read by correlate/model. A file is known by what its
 * path says (struct tap_file_object). What was looked for and is not here is written down, so that whoever fills the
 * store knows which database's catalog to read again.
 */
#ifndef TAP_CORRELATE_OBJECTS_H
#define TAP_CORRELATE_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/file.h"
#include "correlate/missing.h"
#include "userspace/base/hash.h"

enum {
	TAP_OBJECTS_MAX = 1 << 20,	 /* kept of one instance */
	TAP_OBJECTS_MISSING_MAX = 65536, /* written down: as many as the kernel side keeps files */
	TAP_OBJECTS_ASKED_MAX = 4096,	 /* asked for at once */
	TAP_OBJECT_NAME_MAX = 255,	 /* bytes kept of a schema, a relation */
};

/* What the catalog says. Strings are raw bytes of the database and hostile. */
struct tap_object_info {
	uint32_t oid;		 /* the relation's own number, which a rewrite leaves as it is */
	enum tap_file_kind kind; /* TABLE, INDEX, TOAST, SEQUENCE, MATVIEW, CATALOG; RELATION: none of these */
	const char *schema;
	const char *name;
	const char *parent_schema; /* of an index or a TOAST table: its table's; NULL: none */
	const char *parent_name;
};

struct tap_object {
	struct tap_object_key key; /* first, for the index */
	uint32_t oid;
	enum tap_file_kind kind;
	char *name;   /* "public.accounts" */
	char *parent; /* "public.accounts" of its index or TOAST table; NULL: none */
};

struct tap_objects {
	struct tap_object *items;
	size_t count;
	size_t capacity;
	struct tap_hash index;
	struct tap_missing missing; /* looked for, and in no catalog read so far: dropped, not committed yet, or new */
};

void tap_objects_init(struct tap_objects *objects);
/* NULL is fine. */
void tap_objects_done(struct tap_objects *objects);

/*
 * Remember what a catalog says of a file. In place of what was said of the same file before (a relation renamed, or a
 * filenode used again); a rewritten relation (VACUUM FULL, TRUNCATE) has a new filenode, and the old one keeps its
 * name, since requests for it are still in the window. -EINVAL without a filenode, schema or name; -ENOSPC; -ENOMEM.
 */
int tap_objects_add(struct tap_objects *objects, const struct tap_object_key *key, const struct tap_object_info *info);

/* NULL: not known. Valid until the next add. */
const struct tap_object *tap_objects_find(const struct tap_objects *objects, const struct tap_object_key *key);

/* How many relations' files have a name. */
size_t tap_objects_count(const struct tap_objects *objects);

/*
 * Look a file up and write it down when it is not known; true: known, or no relation's file. `now_ms` is any clock that
 * only grows.
 */
bool tap_objects_want(struct tap_objects *objects, const struct tap_object_key *key, int64_t now_ms);

/* How many files of a database (0: the shared ones; or TAP_MISSING_ANY) are missing and due to be asked for. */
size_t tap_objects_missing(const struct tap_objects *objects, uint32_t database, int64_t now_ms);
/* The database of the first one that is; false: none is. */
bool tap_objects_next(const struct tap_objects *objects, int64_t now_ms, uint32_t *ret_database);
/* Those of a database, at most TAP_OBJECTS_ASKED_MAX. */
size_t tap_objects_take(const struct tap_objects *objects, uint32_t database, int64_t now_ms,
			struct tap_object_key *ret);

/* Some files' catalog was asked for them (or could not be): those still missing are due again only after a while. */
void tap_objects_asked_for(struct tap_objects *objects, const struct tap_object_key *keys, size_t count,
			   int64_t now_ms);

#endif
