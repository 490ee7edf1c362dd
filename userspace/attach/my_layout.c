// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_layout.c - rows of facts about MariaDB versions, and how they join what a binary tells.
 *
 * Called by my_find. To add a version: docs/mysql.md says how its row is found.
 */
#include "userspace/attach/my_layout.h"

#include <elf.h>
#include <errno.h>

/* MariaDB 10.11 as Debian builds it; found with 10.11.19, see docs/mysql.md. */
#define ROW_10_11 \
	{ \
		.version = 101100, .machine = EM_X86_64, .name = "10.11 x86-64", \
		.decoded = { \
			.query = 0x68, .database = 0xa0, .thread_id = 0x3f18, .command = 0x27d8, .security = 0x25f8, \
			.user = 8, .host = 0, .address = 0x10, .received = 0x1470, .memory = 0x28, \
		}, \
		.stage = 0x2600, .server_status = 0x3f34, .statement = 0x1f08, .first_block = 0x10, .block_header = 24, \
		.fields = { \
			.next = 0x10, .thread_id = 0x3f18, .thread = 0x3f10, .os_thread = 0x3f28, .start_time = 0x27e8, \
			.host = 0, .address = 0x10, \
		}, \
	}

static const struct tap_my_layout_row rows[] = {
	ROW_10_11,
};

const struct tap_my_layout_row *tap_my_layout_rows(size_t *ret_count)
{
	*ret_count = sizeof(rows) / sizeof(*rows);
	return rows;
}

const struct tap_my_layout_row *tap_my_layout_find(int32_t version_number, uint16_t machine)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].version == version_number / 100 * 100 && rows[i].machine == machine)
			return &rows[i];
	}
	return NULL;
}

/* The thread-local slot is not compared: the linker places it anew in each build. */
static const char *decoded_differs(const struct tap_my_decoded *row, const struct tap_my_decoded *decoded)
{
	if (row->query != decoded->query)
		return "the query text lies elsewhere";
	if (row->database != decoded->database)
		return "the database lies elsewhere";
	if (row->thread_id != decoded->thread_id)
		return "the connection id lies elsewhere";
	if (row->command != decoded->command)
		return "the command lies elsewhere";
	if (row->security != decoded->security || row->user != decoded->user || row->host != decoded->host ||
	    row->address != decoded->address)
		return "the user lies elsewhere";
	if (row->received != decoded->received)
		return "the counters lie elsewhere";
	if (row->memory != decoded->memory)
		return "the session's memory lies elsewhere";
	return NULL;
}

int tap_my_layout_make(const struct tap_my_layout_row *row, const struct tap_my_decoded *decoded,
		       const struct tap_my_status_offsets *status, struct tap_my_layout *ret, const char **ret_why)
{
	uint32_t base;

	*ret_why = decoded_differs(&row->decoded, decoded);
	if (*ret_why)
		return -EBADMSG;
	/* The kernel side reads both counters at once. */
	if (status->received != status->questions + 8 || status->received > decoded->received) {
		*ret_why = "the counters are in another order";
		return -EBADMSG;
	}
	base = decoded->received - status->received;
	*ret = (struct tap_my_layout){
		.thd = decoded->thd,
		.query = decoded->query,
		.database = decoded->database,
		.command = decoded->command,
		.stage = row->stage,
		.server_status = row->server_status,
		.connection = decoded->thread_id,
		.security = decoded->security,
		.user = decoded->user,
		.questions = base + status->questions,
		.executes = base + status->executes,
		.statement = row->statement,
		.memory = decoded->memory,
		.first_block = row->first_block,
		.block_header = row->block_header,
	};
	return 0;
}
