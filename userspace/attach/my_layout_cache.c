// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_layout_cache.c - what of a layout is kept. See my_layout_cache.h.
 *
 * Called by my_find.
 */
#include "userspace/attach/my_layout_cache.h"

#include <errno.h>
#include <string.h>

#include "userspace/attach/layout_cache.h"

enum {
	OFFSET_MAX = 1 << 17, /* no session is larger */
	BELOW_MOST = 1 << 20, /* of thread-local storage */
};

static const struct tap_layout_number numbers[] = {
#define ROW(field, least, most) \
	{ \
#field, offsetof(struct tap_my_layout_row, field), sizeof(((struct tap_my_layout_row *)0)->field), 0, \
			least, most \
	}
#define OFFSET(field) ROW(field, 0, OFFSET_MAX)
	ROW(product, 0, TAP_MY_PRODUCTS - 1),
	ROW(machine, 0, UINT16_MAX),
	ROW(decoded.thd, -BELOW_MOST, -1),
	OFFSET(decoded.query),
	OFFSET(decoded.database),
	OFFSET(decoded.thread_id),
	OFFSET(decoded.command),
	OFFSET(decoded.security),
	OFFSET(decoded.user),
	OFFSET(decoded.host),
	OFFSET(decoded.address),
	OFFSET(decoded.received),
	OFFSET(decoded.status),
	OFFSET(decoded.memory),
	OFFSET(decoded.record),
	OFFSET(stage),
	OFFSET(server_status),
	OFFSET(statement),
	OFFSET(statement_query),
	OFFSET(first_block),
	OFFSET(block_header),
	OFFSET(record_statement),
	OFFSET(record_text),
	OFFSET(fields.next),
	OFFSET(fields.thread_id),
	OFFSET(fields.thread),
	OFFSET(fields.os_thread),
	OFFSET(fields.start_time),
	OFFSET(fields.host),
	OFFSET(fields.address),
	ROW(fields.wide_id, 0, 1),
#undef OFFSET
#undef ROW
};

static const struct tap_layout_form form = {
	.first_line = "dbtap MariaDB and MySQL layout 1\n",
	.numbers = numbers,
	.count = sizeof(numbers) / sizeof(*numbers),
};

int tap_my_layout_cache_read(const char *build_id, const struct tap_my_layout_row *near, struct tap_my_layout_row *ret)
{
	struct tap_my_layout_row row = *near;
	int code = tap_layout_cache_read(&form, build_id, &row);

	if (!code && (row.product != near->product || row.machine != near->machine))
		code = -EBADMSG;
	if (!code)
		*ret = row;
	return code;
}

int tap_my_layout_cache_write(const char *build_id, const struct tap_my_layout_row *row)
{
	return tap_layout_cache_write(&form, build_id, row);
}

bool tap_my_layout_cache_is_same(const struct tap_my_layout_row *a, const struct tap_my_layout_row *b)
{
	for (size_t i = 0; i < form.count; i++) {
		if (memcmp((const char *)a + numbers[i].offset, (const char *)b + numbers[i].offset, numbers[i].size))
			return false;
	}
	return true;
}
