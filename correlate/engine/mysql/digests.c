// SPDX-License-Identifier: BSD-2-Clause
/* digests.c - events_statements_summary_by_digest. See digests.h. */
#include "correlate/engine/mysql/digests.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/engine/mysql/digest.h"
#include "correlate/engine/mysql/field.h"
#include "correlate/engine/mysql/queries.h"

static const struct tap_my_request digests_query = {
	.name = "digests",
	.sql = "SELECT DISTINCT DIGEST, " TAP_MY_BYTES("DIGEST_TEXT") " FROM "
								      "performance_schema.events_statements_summary_by_"
								      "digest WHERE DIGEST IS NOT NULL" TAP_MY_LIMIT(
									      20000),
	.columns = 2,
	.rows_max = TAP_MY_DIGESTS_MAX,
	.field_max = TAP_MY_FIELD_MAX,
	.timeout_ms = TAP_MY_QUERY_TIMEOUT_MS,
};

static int make_room(struct tap_my_digests *digests)
{
	size_t wanted = digests->capacity ? digests->capacity * 2 : 64;
	struct tap_my_server_digest *items;

	if (digests->count < digests->capacity)
		return 0;
	items = reallocarray(digests->items, wanted, sizeof(*items));
	if (!items)
		return -ENOMEM;
	digests->items = items;
	digests->capacity = wanted;
	return 0;
}

static bool is_digest(const struct tap_my_value *value)
{
	for (size_t i = 0; i < value->size; i++) {
		if (!isxdigit((unsigned char)value->data[i]))
			return false;
	}
	return value->size && value->size <= TAP_MY_DIGEST_MAX;
}

static int take_digest(const struct tap_my_value *values, void *arg)
{
	struct tap_my_server_digest digest = { 0 };
	struct tap_my_digests *digests = arg;
	int r;

	if (!values[0].data || !values[1].data || !is_digest(&values[0]))
		return 0;
	digest.canonical = tap_my_digest_text_id(values[1].data, values[1].size);
	if (!digest.canonical)
		return 0;
	memcpy(digest.digest, values[0].data, values[0].size);
	r = make_room(digests);
	if (!r)
		digests->items[digests->count++] = digest;
	return r;
}

static int compare(const void *a, const void *b)
{
	const struct tap_my_server_digest *left = a, *right = b;

	return (left->canonical > right->canonical) - (left->canonical < right->canonical);
}

int tap_my_query_digests(struct tap_my_conn *conn, struct tap_my_digests *ret, struct tap_error *err)
{
	struct tap_my_digests digests = { 0 };
	struct tap_my_settings settings;
	int r = tap_my_query_settings(conn, &settings, err);

	if (!r && !settings.performance_schema)
		r = tap_error_set(err, -EOPNOTSUPP, "%s: performance_schema is off: the server keeps no digests",
				  tap_my_conn_instance(conn));
	if (!r)
		r = tap_my_conn_run(conn, &digests_query, take_digest, &digests, err);
	if (r) {
		tap_my_digests_done(&digests);
		return r;
	}
	if (digests.count)
		qsort(digests.items, digests.count, sizeof(*digests.items), compare);
	*ret = digests;
	return 0;
}

void tap_my_digests_done(struct tap_my_digests *digests)
{
	if (!digests)
		return;
	free(digests->items);
	*digests = (struct tap_my_digests){ 0 };
}

const char *tap_my_digests_find(const struct tap_my_digests *digests, const char *statement)
{
	const struct tap_my_server_digest wanted = { .canonical = tap_my_canonical_id(statement, strlen(statement)) };
	const struct tap_my_server_digest *end = digests->items + digests->count, *found = NULL;

	if (digests->count)
		found = bsearch(&wanted, digests->items, digests->count, sizeof(wanted), compare);
	if (!found)
		return NULL;
	while (found > digests->items && !compare(found - 1, &wanted))
		found--;
	for (const struct tap_my_server_digest *other = found + 1; other < end && !compare(other, &wanted); other++) {
		if (strcmp(other->digest, found->digest) != 0)
			return NULL;
	}
	return found->digest;
}
