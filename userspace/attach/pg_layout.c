// SPDX-License-Identifier: BSD-2-Clause
/*
 * pg_layout.c - memory layouts of PostgreSQL as data.
 *
 * Called by target and pg_layout_check. A test compiles tests/unit/userspace/attach/pg_offsets.c against the headers of
 * each version that are to be had and compares. To add a version: `make pg-layout-row HEADERS=...` prints its numbers.
 */
#include "userspace/attach/pg_layout.h"

#include <elf.h>

#include "bpf/abi/kind.h"

/*
 * src/include/utils/backend_status.h (before 14: pgstat.h), storage/proc.h, miscadmin.h. Every member is a fixed-width
 * integer, an int-sized enum or atomic, a pointer or a struct of these, so all LP64 little-endian machines share one
 * layout. Debian's configure options (TLS, GSSAPI, systemd, ...) do not change it.
 */
#define STATUS(size, query_id) \
	.status_size = (size), .status_changecount = 0, .status_procpid = 4, .status_backend_type = 8, \
	.status_proc_start = 16, .status_xact_start = 24, .status_activity_start = 32, .status_state_start = 40, \
	.status_database = 48, .status_user = 52, .status_client_addr = 56, .status_state = 232, \
	.status_appname = 240, .status_activity = 248, .status_progress_command = 256, .status_query_id = (query_id)

#define CHANGES(engine, own, extended, least) \
	.changes_of_one = { (engine), (own) }, .changes_extended = (extended), .changes_least = (least)

#define LAYOUT_13 \
	{ \
		STATUS(424, TAP_PG_ABSENT), CHANGES(12, 12, 0, 4), \
			.proc_lock_group_leader = 816, .proc_pid = 52, .proc_wait_event_info = 684, \
			.wait_event_offset = 684, .proc_wait_lock = 96, .proc_wait_lock_mode = 112, \
			.proc_wait_start = 0, .proc_wait_status = 32, .lock_tag = 0, .kind_of_type = KINDS_13, \
			.state_of = STATES_13 \
	}
#define LAYOUT_14_TO_16(kinds) \
	{ \
		STATUS(432, 424), CHANGES(14, 16, 18, 8), \
			.proc_lock_group_leader = 840, .proc_pid = 64, .proc_wait_event_info = 712, \
			.proc_wait_lock = 112, .proc_wait_lock_mode = 128, .proc_wait_start = 136, \
			.proc_wait_status = 32, .lock_tag = 0, .kind_of_type = kinds, .state_of = STATES_13 \
	}
#define LAYOUT_17 \
	{ \
		STATUS(432, 424), CHANGES(14, 16, 18, 8), \
			.proc_lock_group_leader = 848, .proc_pid = 60, .proc_wait_event_info = 712, \
			.proc_wait_lock = 112, .proc_wait_lock_mode = 128, .proc_wait_start = 136, \
			.proc_wait_status = 32, .lock_tag = 0, .kind_of_type = KINDS_17, .state_of = STATES_13 \
	}
#define LAYOUT_18 \
	{ \
		STATUS(440, 424), CHANGES(20, 20, 0, 8), \
			.proc_lock_group_leader = 792, .proc_pid = 60, .proc_wait_event_info = 712, \
			.proc_wait_lock = 112, .proc_wait_lock_mode = 128, .proc_wait_start = 136, \
			.proc_wait_status = 32, .lock_tag = 0, .kind_of_type = KINDS_18, .state_of = STATES_18 \
	}
#define LAYOUT_19 \
	{ \
		STATUS(440, 424), CHANGES(20, 20, 0, 8), \
			.proc_lock_group_leader = 384, .proc_pid = 24, .proc_wait_event_info = 856, \
			.proc_wait_lock = 424, .proc_wait_lock_mode = 456, .proc_wait_start = 464, \
			.proc_wait_status = 472, .lock_tag = 0, .kind_of_type = KINDS_18, .state_of = STATES_18 \
	}

#define NO_KINDS_FROM(type) [(type)... TAP_PG_BACKEND_TYPES - 1] = TAP_KIND_UNKNOWN
#define KINDS_13_TO_15 \
	[0] = TAP_KIND_UNKNOWN, [1] = TAP_KIND_AUTOVACUUM_LAUNCHER, [2] = TAP_KIND_AUTOVACUUM, [3] = TAP_KIND_CLIENT, \
	[4] = TAP_KIND_BGWORKER, [5] = TAP_KIND_BGWRITER, [6] = TAP_KIND_CHECKPOINTER, [7] = TAP_KIND_STARTUP, \
	[8] = TAP_KIND_WALRECEIVER, [9] = TAP_KIND_WALSENDER, [10] = TAP_KIND_WALWRITER, [11] = TAP_KIND_ARCHIVER
#define KINDS_13 \
	{ \
		KINDS_13_TO_15, [12] = TAP_KIND_STATS_COLLECTOR, [13] = TAP_KIND_LOGGER, NO_KINDS_FROM(14) \
	}
#define KINDS_15 \
	{ \
		KINDS_13_TO_15, [12] = TAP_KIND_LOGGER, NO_KINDS_FROM(13) \
	}
#define KINDS_16 \
	{ \
		[0] = TAP_KIND_UNKNOWN, [1] = TAP_KIND_ARCHIVER, [2] = TAP_KIND_AUTOVACUUM_LAUNCHER, \
		[3] = TAP_KIND_AUTOVACUUM, [4] = TAP_KIND_CLIENT, [5] = TAP_KIND_BGWORKER, [6] = TAP_KIND_BGWRITER, \
		[7] = TAP_KIND_CHECKPOINTER, [8] = TAP_KIND_LOGGER, [9] = TAP_KIND_CLIENT /* stand-alone */, \
		[10] = TAP_KIND_STARTUP, [11] = TAP_KIND_WALRECEIVER, [12] = TAP_KIND_WALSENDER, \
		[13] = TAP_KIND_WALWRITER, NO_KINDS_FROM(14) \
	}
#define KINDS_17 \
	{ \
		[0] = TAP_KIND_UNKNOWN, [1] = TAP_KIND_CLIENT, [2] = TAP_KIND_AUTOVACUUM_LAUNCHER, \
		[3] = TAP_KIND_AUTOVACUUM, [4] = TAP_KIND_BGWORKER, [5] = TAP_KIND_WALSENDER, \
		[6] = TAP_KIND_SLOTSYNC_WORKER, [7] = TAP_KIND_CLIENT /* stand-alone */, [8] = TAP_KIND_ARCHIVER, \
		[9] = TAP_KIND_BGWRITER, [10] = TAP_KIND_CHECKPOINTER, [11] = TAP_KIND_STARTUP, \
		[12] = TAP_KIND_WALRECEIVER, [13] = TAP_KIND_WALSUMMARIZER, [14] = TAP_KIND_WALWRITER, \
		[15] = TAP_KIND_LOGGER, NO_KINDS_FROM(16) \
	}
#define KINDS_18 \
	{ \
		[0] = TAP_KIND_UNKNOWN, [1] = TAP_KIND_CLIENT, [2] = TAP_KIND_STARTING /* to be turned away */, \
		[3] = TAP_KIND_AUTOVACUUM_LAUNCHER, [4] = TAP_KIND_AUTOVACUUM, [5] = TAP_KIND_BGWORKER, \
		[6] = TAP_KIND_WALSENDER, [7] = TAP_KIND_SLOTSYNC_WORKER, [8] = TAP_KIND_CLIENT /* stand-alone */, \
		[9] = TAP_KIND_ARCHIVER, [10] = TAP_KIND_BGWRITER, [11] = TAP_KIND_CHECKPOINTER, \
		[12] = TAP_KIND_IO_WORKER, [13] = TAP_KIND_STARTUP, [14] = TAP_KIND_WALRECEIVER, \
		[15] = TAP_KIND_WALSUMMARIZER, [16] = TAP_KIND_WALWRITER, [17] = TAP_KIND_LOGGER, NO_KINDS_FROM(18) \
	}

#define STATES_FROM(idle) \
	[(idle)] = TAP_PG_STATE_IDLE, [(idle) + 1] = TAP_PG_STATE_RUNNING, \
	[(idle) + 2] = TAP_PG_STATE_IDLE_IN_TRANSACTION, [(idle) + 3] = TAP_PG_STATE_FASTPATH, \
	[(idle) + 4] = TAP_PG_STATE_IDLE_IN_TRANSACTION_ABORTED, [(idle) + 5] = TAP_PG_STATE_DISABLED
#define STATES_13 \
	{ \
		[0] = TAP_PG_STATE_UNDEFINED, STATES_FROM(1), [7] = TAP_PG_STATE_COUNT \
	}
/* A session that logs in has a state of its own, which says no more than none. */
#define STATES_18 \
	{ \
		[0] = TAP_PG_STATE_UNDEFINED, [1] = TAP_PG_STATE_UNDEFINED, STATES_FROM(2) \
	}

#define ROWS(number, size, n_types, ...) \
	{ .major = (number), \
	  .machine = EM_X86_64, \
	  .name = #number " x86-64", \
	  .proc_size = (size), \
	  .types = (n_types), \
	  .layout = __VA_ARGS__ }, \
	{ \
		.major = (number), .machine = EM_AARCH64, .name = #number " arm64", .proc_size = (size), \
		.types = (n_types), .layout = __VA_ARGS__ \
	}

static const struct tap_pg_layout_row rows[] = {
	ROWS(13, 856, 14, LAYOUT_13),
	ROWS(14, 880, 14, LAYOUT_14_TO_16(KINDS_13)),
	ROWS(15, 880, 13, LAYOUT_14_TO_16(KINDS_15)),
	ROWS(16, 880, 14, LAYOUT_14_TO_16(KINDS_16)),
	ROWS(17, 888, 16, LAYOUT_17),
	ROWS(18, 832, 18, LAYOUT_18),
	ROWS(19, 896, 18, LAYOUT_19),
};

/* src/include/storage/lock.h, proc.h, shmem.h or lib/ilist.h; 16 partitions, MAX_LOCKMODES 10. LP64 as above. */
#define LOCK_AND_SHARE \
	.lock_size = 152, .lock_tag = 0, .lock_grant_mask = 16, .lock_wait_mask = 20, .lock_shares = 24, \
	.lock_queue = 40, .lock_queue_size = 56, .lock_requested = 64, .lock_granted = 108, .share_size = 64, \
	.share_lock = 0, .share_proc = 8, .share_leader = 16, .share_held = 24, .share_lock_link = 32, \
	.share_proc_link = 48, .proc_n_lists = 16, .proc_fast_slots = 16

#define LOCKS_13 \
	LOCK_AND_SHARE, .header_procs = 0, .header_xacts = 8, .xact_size = 12, .header_count = 16, .proc_size = 856, \
			.proc_links = 0, .proc_xid = 48, .proc_pid = 52, .proc_backend_id = 60, .proc_database = 64, \
			.proc_wait_lock = 96, .proc_wait_share = 104, .proc_wait_mode = 112, \
			.proc_wait_start = TAP_PG_ABSENT, .proc_lists = 160, .proc_fast_bits = 736, \
			.proc_fast_relations = 744, .proc_fast_vxid = 808, .proc_fast_lxid = 812
#define LOCKS_14_TO_16(size) \
	LOCK_AND_SHARE, .header_procs = 0, .header_count = 32, .proc_size = (size), .proc_links = 0, .proc_xid = 52, \
			.proc_pid = 64, .proc_backend_id = 76, .proc_database = 80, .proc_wait_lock = 112, \
			.proc_wait_share = 120, .proc_wait_mode = 128, .proc_wait_start = 136, .proc_lists = 184, \
			.proc_fast_bits = 760, .proc_fast_relations = 768, .proc_fast_vxid = 832, \
			.proc_fast_lxid = 836
#define LOCKS_17_TO_18 \
	LOCK_AND_SHARE, .header_procs = 0, .header_count = 32, .proc_links = 0, .proc_xid = 52, .proc_pid = 60, \
			.proc_backend_id = 68, .proc_database = 76, .proc_wait_lock = 112, .proc_wait_share = 120, \
			.proc_wait_mode = 128, .proc_wait_start = 136, .proc_lists = 184, .proc_fast_bits = 768, \
			.proc_fast_relations = 776
#define LOCKS_17 LOCKS_17_TO_18, .proc_size = 888, .proc_fast_vxid = 840, .proc_fast_lxid = 844
#define LOCKS_18 LOCKS_17_TO_18, .proc_size = 832, .proc_fast_vxid = 784, .proc_fast_lxid = 788, .fast_apart = true
#define LOCKS_19 \
	LOCK_AND_SHARE, .header_procs = 0, .header_count = 32, .proc_size = 896, .proc_links = 432, .proc_xid = 60, \
			.proc_pid = 24, .proc_backend_id = 52, .proc_database = 32, .proc_wait_lock = 424, \
			.proc_wait_share = 448, .proc_wait_mode = 456, .proc_wait_start = 464, .proc_lists = 480, \
			.proc_fast_bits = 752, .proc_fast_relations = 760, .proc_fast_vxid = 768, \
			.proc_fast_lxid = 772, .fast_apart = true

#define BOTH_MACHINES(number, ...) \
	{ .major = (number), .machine = EM_X86_64, __VA_ARGS__ }, \
	{ \
		.major = (number), .machine = EM_AARCH64, __VA_ARGS__ \
	}

static const struct tap_pg_lock_layout lock_rows[] = {
	BOTH_MACHINES(13, LOCKS_13),
	BOTH_MACHINES(14, LOCKS_14_TO_16(880)),
	BOTH_MACHINES(15, LOCKS_14_TO_16(880)),
	BOTH_MACHINES(16, LOCKS_14_TO_16(880)),
	BOTH_MACHINES(17, LOCKS_17),
	BOTH_MACHINES(18, LOCKS_18),
	BOTH_MACHINES(19, LOCKS_19),
};

/* src/include/storage/aio_internal.h, buf_internals.h; BLCKSZ as it is by default. */
#define AIO_18 \
	.control_iovec_count = 16, .control_iovecs = 24, .control_handle_count = 40, .control_handles = 48, \
	.handle_size = 144, .handle_state = 0, .handle_owner = 16, .handle_resowner = 40, .handle_iovec = 92, \
	.submitted = 4, .descriptor_size = 64, .descriptor_wait = 36, .block_size = 8192

static const struct tap_pg_aio_layout aio_rows[] = {
	BOTH_MACHINES(18, AIO_18),
	BOTH_MACHINES(19, AIO_18),
};

const struct tap_pg_aio_layout *tap_pg_aio_layout_find(int32_t version_number, uint16_t machine)
{
	for (size_t i = 0; i < sizeof(aio_rows) / sizeof(*aio_rows); i++) {
		if (aio_rows[i].major == version_number / 10000 && aio_rows[i].machine == machine)
			return &aio_rows[i];
	}
	return NULL;
}

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

const struct tap_pg_layout_row *tap_pg_layout_near(int32_t version_number, uint16_t machine)
{
	const struct tap_pg_layout_row *near = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].machine == machine && rows[i].major <= version_number / 10000)
			near = &rows[i];
	}
	return near;
}

const struct tap_pg_layout_row *tap_pg_layout_rows(size_t *ret_count)
{
	*ret_count = sizeof(rows) / sizeof(*rows);
	return rows;
}
