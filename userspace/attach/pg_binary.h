/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pg_binary.h - what a PostgreSQL server's executable file says about itself: version, build, where its variables are.
 *
 * Everything here is true of the file; what the running processes hold is for target and pg_backend.
 */
#ifndef TAP_USERSPACE_ATTACH_PG_BINARY_H
#define TAP_USERSPACE_ATTACH_PG_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/checkpoint.h"
#include "userspace/attach/elf.h"
#include "userspace/attach/proc.h"
#include "userspace/base/error.h"

/*
 * id, name, size in bytes, need. RECOGNISE: without these it is no server at all to us; LAYOUT: without these an
 * instance is found but refused, LAYOUT_14: from version 14 on; EXTRA: without these a field of the target is unknown,
 * EXTRA_18: from version 18 on.
 */
#define TAP_PG_SYMBOLS(X) \
	X(MY_PROC_PID, "MyProcPid", 4, RECOGNISE) \
	X(POSTMASTER_PID, "PostmasterPid", 4, RECOGNISE) \
	X(IS_POSTMASTER_ENVIRONMENT, "IsPostmasterEnvironment", 1, RECOGNISE) \
	X(IS_UNDER_POSTMASTER, "IsUnderPostmaster", 1, RECOGNISE) \
	X(PG_START_TIME, "PgStartTime", 8, RECOGNISE) \
	X(DATA_DIR, "DataDir", 8, RECOGNISE) \
	X(PORT, "PostPortNumber", 4, RECOGNISE) \
	X(MY_BEENTRY, "MyBEEntry", 8, LAYOUT) \
	X(MY_WAIT_EVENT_INFO, "my_wait_event_info", 8, LAYOUT_14) \
	X(MY_PROC, "MyProc", 8, LAYOUT) \
	X(PARALLEL_WORKER_NUMBER, "ParallelWorkerNumber", 4, LAYOUT) \
	X(QUERY_ID_ENABLED, "query_id_enabled", 1, LAYOUT_14) \
	X(MY_DATABASE_ID, "MyDatabaseId", 4, LAYOUT) \
	X(MY_START_TIMESTAMP, "MyStartTimestamp", 8, LAYOUT) \
	X(MY_BACKEND_TYPE, "MyBackendType", 4, LAYOUT) \
	X(ACTIVITY_SIZE, "pgstat_track_activity_query_size", 4, LAYOUT) \
	X(EXITING, "proc_exit_inprogress", 1, LAYOUT) \
	X(MAX_BACKENDS, "MaxBackends", 4, EXTRA) \
	X(PROC_GLOBAL, "ProcGlobal", 8, EXTRA) \
	X(PREPARED_PROCS, "PreparedXactProcs", 8, EXTRA) \
	X(MAX_PREPARED, "max_prepared_xacts", 4, EXTRA) \
	X(FAST_GROUPS, "FastPathLockGroupsPerBackend", 4, EXTRA_18) \
	X(AIO_CONTROL, "pgaio_ctl", 8, EXTRA_18) \
	X(BUFFER_BLOCKS, "BufferBlocks", 8, EXTRA_18) \
	X(BUFFER_DESCRIPTORS, "BufferDescriptors", 8, EXTRA_18) \
	X(N_BUFFERS, "NBuffers", 4, EXTRA_18) \
	X(COMPUTE_QUERY_ID, "compute_query_id", 4, EXTRA) \
	X(MY_LOGICAL_WORKER, "MyLogicalRepWorker", 8, EXTRA) \
	X(SOCKET_DIRECTORIES, "Unix_socket_directories", 8, EXTRA) \
	X(LISTEN_ADDRESSES, "ListenAddresses", 8, EXTRA) \
	X(CLUSTER_NAME, "cluster_name", 8, EXTRA) \
	X(CHECKPOINT_STATS, "CheckpointStats", sizeof(struct tap_pg_checkpoint), EXTRA) \
	X(DEBUG_QUERY_STRING, "debug_query_string", 8, EXTRA)

enum tap_pg_symbol {
#define X(id, name, size, need) TAP_PG_SYMBOL_##id,
	TAP_PG_SYMBOLS(X)
#undef X
	TAP_PG_SYMBOL_COUNT
};

enum tap_pg_symbol_need {
	TAP_PG_NEED_RECOGNISE,
	TAP_PG_NEED_LAYOUT,
	TAP_PG_NEED_LAYOUT_14,
	TAP_PG_NEED_EXTRA,
	TAP_PG_NEED_EXTRA_18,
};

/* Where the codes of the errors at hand are, before relocation: an array of ErrorData, and the place of the last. */
struct tap_pg_errors {
	uint64_t depth; /* int; 0: not known, and nothing of the rest is */
	uint64_t code;	/* int, of the first one */
	uint32_t size;	/* of one */
};

struct tap_pg_binary {
	struct tap_elf *elf;
	uint16_t machine;
	char build_id[TAP_ELF_BUILD_ID_MAX];
	char version[32];	       /* "15.18", "19beta1"; "" when the file does not say */
	int32_t version_number;	       /* 150018; 0 with "" */
	uint64_t end_command_offset;   /* of the function EndCommand in the file; 0: not exported */
	uint64_t error_cleanup_offset; /* of PortalErrorCleanup */
	struct tap_pg_errors errors;
	bool found[TAP_PG_SYMBOL_COUNT];
	uint64_t value[TAP_PG_SYMBOL_COUNT]; /* before relocation */
};

/* `fd` stays the caller's and must outlive the object. Fails only on what is no usable ELF file at all. */
int tap_pg_binary_read(int fd, struct tap_pg_binary *ret, struct tap_error *err);
void tap_pg_binary_done(struct tap_pg_binary *binary);

/*
 * Name of the first symbol of that need (or a stronger one) that is missing or of an unexpected size, though the
 * file's version has it; NULL: all there.
 */
const char *tap_pg_binary_lacks(const struct tap_pg_binary *binary, enum tap_pg_symbol_need need);

/*
 * The version in a text such as "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc".
 * -EBADMSG when it is none.
 */
int tap_pg_version_parse(const char *text, char ret[32], int32_t *ret_number);

#endif
