/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digests.h - the server's own digests, of its performance schema, and which statements they are of.
 *
 * A digest hashes the server's own tokens, so none can be made here; but each comes with its text, and that leads to
 * the statements that have it (digest.h).
 */
#ifndef TAP_CORRELATE_ENGINE_MYSQL_DIGESTS_H
#define TAP_CORRELATE_ENGINE_MYSQL_DIGESTS_H

#include <stddef.h>
#include <stdint.h>

#include "correlate/engine/mysql/conn.h"

#define TAP_MY_DIGESTS_MAX 20000
#define TAP_MY_DIGEST_MAX 64 /* hex digits */

struct tap_my_server_digest {
	uint64_t canonical; /* tap_my_digest_text_id of its text */
	char digest[TAP_MY_DIGEST_MAX + 1];
};

struct tap_my_digests {
	struct tap_my_server_digest *items; /* by canonical id; those whose text was cut are left out */
	size_t count;
	size_t capacity;
};

/* All that the server keeps, at most TAP_MY_DIGESTS_MAX. *ret is the caller's to _done. -EOPNOTSUPP: it keeps none. */
int tap_my_query_digests(struct tap_my_conn *conn, struct tap_my_digests *ret, struct tap_error *err);
void tap_my_digests_done(struct tap_my_digests *digests);

/* Of a statement with its literals; NULL: the server has none of it, or several. Valid until _done. */
const char *tap_my_digests_find(const struct tap_my_digests *digests, const char *statement);

#endif
