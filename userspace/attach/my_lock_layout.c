// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_lock_layout.c - offsets of MariaDB's locks. docs/mysql.md says how they were found.
 */
#include "userspace/attach/my_lock_layout.h"

#include <elf.h>
#include <stddef.h>

struct row {
	int32_t version; /* 101100: all of 10.11 */
	uint16_t machine;
	struct tap_my_lock_layout layout;
};

/* What has stayed where it is; found with Debian's 10.11.19 and 11.8.6. */
#define ROW(number, trx_of_thd, thd_of_trx) \
	{ \
		.version = number, .machine = EM_X86_64, .layout = { \
			.trx = trx_of_thd, \
			.metadata = 0x160, \
			.trx_id = 0x48, \
			.wait_lock = 0x80, \
			.wait_start = 0xc0, \
			.trx_state = 0x5c, \
			.trx_active = 2, \
			.trx_victim = 0xc8, \
			.trx_thd = thd_of_trx, \
			.trx_locks = 0x7d0, \
			.trx_n_locks = 0x7c8, \
			.lock_trx = 0, \
			.lock_next = 0x10, \
			.lock_index = 0x18, \
			.lock_chain = 0x20, \
			.lock_place = 0x38, \
			.lock_table_next = 0x48, \
			.lock_mode = 0x50, \
			.lock_type_table = 8, \
			.lock_size = 0x58, \
			.index_name = 0x10, \
			.index_table = 0x18, \
			.table_id = 0, \
			.table_name = 0x10, \
			.context_owner = 0x88, \
			.context_status = 0x68, \
			.context_ticket = 0x108, \
			.ticket_link = 8, \
			.ticket_mode = 0x30, \
			.ticket_context = 0x38, \
			.ticket_lock = 0x40, \
			.key = 0, \
			.granted = 0x200, \
			.waiting = 0x250, \
		} \
	}

static const struct row rows[] = {
	ROW(101100, 0x2a80, 0x8d0),
	ROW(110800, 0x2c28, 0x8c0),
};

const struct tap_my_lock_layout *tap_my_lock_layout_find(int32_t version_number, uint16_t machine)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].version == version_number / 100 * 100 && rows[i].machine == machine)
			return &rows[i].layout;
	}
	return NULL;
}
