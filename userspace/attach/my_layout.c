// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_layout.c - rows of facts about versions of MariaDB and MySQL, and how they join what a binary tells.
 *
 * Called by my_find. To add a version: docs/mysql.md says how its row is found.
 */
#include "userspace/attach/my_layout.h"

#include <elf.h>
#include <errno.h>

/*
 * As Debian builds them; found with 10.5.23, 10.11.19, 11.8.6 and 9.7.4, see docs/mysql.md. What `decoded` has and no
 * function of the product tells is taken from here.
 */
static const struct tap_my_layout_row rows[] = {
	{
		.product = TAP_MY_MARIADB, .version = 100500, .machine = EM_X86_64, .name = "MariaDB 10.5 x86-64",
		.decoded = {
			.query = 0x68, .database = 0xa0, .thread_id = 0x3c38, .command = 0x2528, .security = 0x2380,
			.user = 8, .host = 0, .address = 0x10, .received = 0x1400, .memory = 0x28,
		},
		.stage = 0x2388, .server_status = 0x3c54, .statement = 0x1e20, .statement_query = 0x68,
		.first_block = 0x10, .block_header = 24,
		.fields = {
			.next = 0x10, .thread_id = 0x3c38, .thread = 0x3c30, .os_thread = 0x3c48, .start_time = 0x2538,
			.host = 0, .address = 0x10, .wide_id = 1,
		},
	},
	{
		.product = TAP_MY_MARIADB, .version = 101100, .machine = EM_X86_64, .name = "MariaDB 10.11 x86-64",
		.decoded = {
			.query = 0x68, .database = 0xa0, .thread_id = 0x3f18, .command = 0x27d8, .security = 0x25f8,
			.user = 8, .host = 0, .address = 0x10, .received = 0x1470, .memory = 0x28,
		},
		.stage = 0x2600, .server_status = 0x3f34, .statement = 0x1f08, .statement_query = 0x68,
		.first_block = 0x10, .block_header = 24,
		.fields = {
			.next = 0x10, .thread_id = 0x3f18, .thread = 0x3f10, .os_thread = 0x3f28, .start_time = 0x27e8,
			.host = 0, .address = 0x10, .wide_id = 1,
		},
	},
	{
		.product = TAP_MY_MARIADB, .version = 110800, .machine = EM_X86_64, .name = "MariaDB 11.8 x86-64",
		.decoded = {
			.query = 0x68, .database = 0xa0, .thread_id = 0x4058, .command = 0x2900, .security = 0x2720,
			.user = 8, .host = 0, .address = 0x10, .received = 0x1530, .memory = 0x28,
		},
		.stage = 0x2728, .server_status = 0x4074, .statement = 0x2030, .statement_query = 0x68,
		.first_block = 0x10, .block_header = 24,
		.fields = {
			.next = 0x10, .thread_id = 0x4058, .thread = 0x4050, .os_thread = 0x4068, .start_time = 0x2910,
			.host = 0, .address = 0x10, .wide_id = 1,
		},
	},
	{
		.product = TAP_MY_MYSQL, .version = 90700, .machine = EM_X86_64, .name = "MySQL 9.7 x86-64",
		.decoded = {
			.query = 0x510, .database = 0x558, .thread_id = 0x25d0, .command = 0x19b4, .security = 0x1800,
			.user = 0, .host = 0x20, .address = 0x40, .status = 0xaf8, .memory = 0x18,
			.record = 0x2a88,
		},
		.stage = 0x1878, .server_status = 0x25d8, .statement = 0x1410, .statement_query = 0x250,
		.first_block = 0, .block_header = 16, .record_statement = 0xea0, .record_text = 0x388,
		.fields = {
			.thread_id = 0x25d0, .thread = 0x25c8, .start_time = 0x19d0, .host = 0x20, .address = 0x40,
		},
	},
};

const struct tap_my_layout_row *tap_my_layout_rows(size_t *ret_count)
{
	*ret_count = sizeof(rows) / sizeof(*rows);
	return rows;
}

const struct tap_my_layout_row *tap_my_layout_find(enum tap_my_product product, int32_t version_number,
						   uint16_t machine)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].product == product && rows[i].version == version_number / 100 * 100 &&
		    rows[i].machine == machine)
			return &rows[i];
	}
	return NULL;
}

int tap_my_layout_infer(enum tap_my_product product, uint16_t machine, const struct tap_my_decoded *decoded,
			struct tap_my_layout_row *ret)
{
	const struct tap_my_layout_row *like = NULL;
	struct tap_my_layout_row row;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].product == product && rows[i].machine == machine)
			like = &rows[i];
	}
	if (!like)
		return -ENOENT;
	row = *like;
	row.inferred = true;
	row.name = product == TAP_MY_MYSQL ? "like MySQL's others" : "like MariaDB's others";
	row.decoded = *decoded;
	if (!decoded->database)
		row.decoded.database = decoded->query + like->decoded.database - like->decoded.query;
	row.stage = decoded->security + like->stage - like->decoded.security;
	row.server_status = decoded->thread_id + like->server_status - like->decoded.thread_id;
	row.fields.thread = decoded->thread_id + like->fields.thread - like->decoded.thread_id;
	row.fields.thread_id = decoded->thread_id;
	if (like->fields.os_thread)
		row.fields.os_thread = decoded->thread_id + like->fields.os_thread - like->decoded.thread_id;
	row.fields.start_time = decoded->command + like->fields.start_time - like->decoded.command;
	row.fields.host = decoded->host;
	row.fields.address = decoded->address;
	row.statement = 0;
	row.record_statement = 0;
	row.record_text = 0;
	*ret = row;
	return 0;
}

/* The thread-local slot is not compared: the linker places it anew in each build. */
static const char *decoded_differs(const struct tap_my_decoded *row, const struct tap_my_decoded *decoded)
{
	if (row->query != decoded->query)
		return "the query text lies elsewhere";
	if (decoded->database && row->database != decoded->database)
		return "the database lies elsewhere";
	if (row->thread_id != decoded->thread_id)
		return "the connection id lies elsewhere";
	if (row->command != decoded->command)
		return "the command lies elsewhere";
	if (row->security != decoded->security || row->user != decoded->user || row->host != decoded->host ||
	    row->address != decoded->address)
		return "the user lies elsewhere";
	if (row->received != decoded->received || row->status != decoded->status)
		return "the counters lie elsewhere";
	if (row->record != decoded->record)
		return "the performance schema's record lies elsewhere";
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
	if (decoded->received && status->received > decoded->received) {
		*ret_why = "the counters are in another order";
		return -EBADMSG;
	}
	base = decoded->received ? decoded->received - status->received : decoded->status;
	*ret = (struct tap_my_layout){
		.thd = decoded->thd,
		.query = decoded->query,
		.database = row->decoded.database,
		.command = decoded->command,
		.stage = row->stage,
		.server_status = row->server_status,
		.connection = decoded->thread_id,
		.security = decoded->security,
		.user = decoded->user,
		.questions = base + status->questions,
		.received = base + status->received,
		.executes = base + status->executes,
		.statement = row->statement,
		.statement_query = row->statement_query,
		.memory = decoded->memory,
		.first_block = row->first_block,
		.block_header = row->block_header,
		.record = row->record_text ? decoded->record : 0,
		.record_statement = row->record_statement,
		.record_text = row->record_text,
	};
	return 0;
}
