// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_layout.c - memory layouts of PostgreSQL as data.
 *
 * Called by target and pg_layout_check. A test compiles tests/unit/userspace/attach/pg15_offsets.c against the server's
 * headers and compares. To add a version: add a row, extend that test.
 */
#include "userspace/attach/pg_layout.h"

#include <elf.h>

#include "bpf/abi/kind.h"

/*
 * PostgreSQL 15: src/include/utils/backend_status.h, storage/proc.h, miscadmin.h. Every member is a fixed-width
 * integer, an int-sized enum or atomic, a pointer or a struct of these, so all LP64 little-endian machines share one
 * layout. Debian's configure options (TLS, GSSAPI, systemd, ...) do not change it.
 */
#define LAYOUT_15 \
	{ \
		.status_size = 432, .status_changecount = 0, .status_procpid = 4, .status_backend_type = 8, \
		.status_proc_start = 16, .status_xact_start = 24, .status_activity_start = 32, \
		.status_state_start = 40, .status_database = 48, .status_user = 52, .status_client_addr = 56, \
		.status_state = 232, .status_appname = 240, .status_activity = 248, .status_progress_command = 256, \
		.status_query_id = 424, .proc_lock_group_leader = 840, .proc_pid = 64, .proc_wait_event_info = 712, \
		.proc_wait_lock = 112, .proc_wait_lock_mode = 128, .proc_wait_start = 136, .proc_wait_status = 32, \
		.lock_tag = 0, .kind_of_type = KINDS_15 \
	}

#define KINDS_15 \
	{ \
		[0] = TAP_KIND_UNKNOWN, [1] = TAP_KIND_AUTOVACUUM_LAUNCHER, [2] = TAP_KIND_AUTOVACUUM, \
		[3] = TAP_KIND_CLIENT, [4] = TAP_KIND_BGWORKER, [5] = TAP_KIND_BGWRITER, [6] = TAP_KIND_CHECKPOINTER, \
		[7] = TAP_KIND_STARTUP, [8] = TAP_KIND_WALRECEIVER, [9] = TAP_KIND_WALSENDER, \
		[10] = TAP_KIND_WALWRITER, [11] = TAP_KIND_ARCHIVER, [12] = TAP_KIND_LOGGER, \
		[13 ... TAP_PG_BACKEND_TYPES - 1] = TAP_KIND_UNKNOWN \
	}

static const struct tap_pg_layout_row rows[] = {
	{ .major = 15, .machine = EM_X86_64, .name = "15 x86-64", .proc_size = 880, .types = 13, .layout = LAYOUT_15 },
	{ .major = 15, .machine = EM_AARCH64, .name = "15 arm64", .proc_size = 880, .types = 13, .layout = LAYOUT_15 },
};

/* PostgreSQL 15: src/include/storage/lock.h, proc.h, shmem.h; 16 partitions, MAX_LOCKMODES 10. LP64 as above. */
#define LOCK_LAYOUT_15(elf_machine) \
	{ \
		.major = 15, .machine = elf_machine, .header_procs = 0, .header_count = 32, .proc_size = 880, \
		.proc_links = 0, .proc_xid = 52, .proc_pid = 64, .proc_backend_id = 76, .proc_database = 80, \
		.proc_wait_lock = 112, .proc_wait_share = 120, .proc_wait_mode = 128, .proc_wait_start = 136, \
		.proc_lists = 184, .proc_n_lists = 16, .proc_fast_bits = 760, .proc_fast_relations = 768, \
		.proc_fast_slots = 16, .proc_fast_vxid = 832, .proc_fast_lxid = 836, .lock_size = 152, .lock_tag = 0, \
		.lock_grant_mask = 16, .lock_wait_mask = 20, .lock_shares = 24, .lock_queue = 40, \
		.lock_queue_size = 56, .lock_requested = 64, .lock_granted = 108, .share_size = 64, .share_lock = 0, \
		.share_proc = 8, .share_leader = 16, .share_held = 24, .share_lock_link = 32, .share_proc_link = 48 \
	}

static const struct tap_pg_lock_layout lock_rows[] = {
	LOCK_LAYOUT_15(EM_X86_64),
	LOCK_LAYOUT_15(EM_AARCH64),
};

const struct tap_pg_lock_layout *tap_pg_lock_layout_find(int32_t version_number, uint16_t machine)
{
	for (size_t i = 0; i < sizeof(lock_rows) / sizeof(*lock_rows); i++) {
		if (lock_rows[i].major == version_number / 10000 && lock_rows[i].machine == machine)
			return &lock_rows[i];
	}
	return NULL;
}

const struct tap_pg_layout_row *tap_pg_layout_find(int32_t version_number, uint16_t machine)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].major == version_number / 10000 && rows[i].machine == machine)
			return &rows[i];
	}
	return NULL;
}

const struct tap_pg_layout_row *tap_pg_layout_rows(size_t *ret_count)
{
	*ret_count = sizeof(rows) / sizeof(*rows);
	return rows;
}
