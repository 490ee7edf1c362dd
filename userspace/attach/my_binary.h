/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_binary.h - what the executable of a MariaDB server says about itself: build, where its variables are, and what its
 * exported functions tell of a session's fields.
 *
 * Everything here is true of the file; what a running process holds is for my_server and my_session.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_BINARY_H
#define TAP_USERSPACE_ATTACH_MY_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/attach/elf.h"
#include "userspace/base/error.h"

/* id, name, least size in bytes, need: RECOGNISE: without it, it is no server at all to us; LAYOUT: found but refused.
 */
#define TAP_MY_SYMBOLS(X) \
	X(VERSION, "server_version", 8, RECOGNISE) \
	X(PORT, "mysqld_port", 4, RECOGNISE) \
	X(SOCKET, "mysqld_unix_port", 8, RECOGNISE) \
	X(DATA_DIR, "mysql_real_data_home", 8, RECOGNISE) \
	X(STARTED, "mysqld_server_started", 4, LAYOUT) \
	X(START_TIME, "server_start_time", 8, LAYOUT) \
	X(BIND_ADDRESS, "my_bind_addr_str", 8, LAYOUT) \
	X(SESSIONS, "server_threads", 32, LAYOUT) \
	X(STATUS, "status_vars", 24, LAYOUT) \
	X(COMMANDS, "com_status_vars", 24, LAYOUT)

/*
 * Stages that say what a session waits for, enum tap_my_wait: exported ones by the name of the variable, others by the
 * text they show. At most TAP_MY_STAGES together.
 */
#define TAP_MY_STAGE_TEXTS(X) \
	X("Waiting for table metadata lock", METADATA_LOCK) \
	X("Waiting for schema metadata lock", METADATA_LOCK)

#define TAP_MY_STAGE_SYMBOLS(X) \
	X("stage_user_sleep", USER_SLEEP) \
	X("stage_user_lock", USER_LOCK) \
	X("stage_table_lock", TABLE_LOCK) \
	X("stage_waiting_for_prior_transaction_to_commit", COMMIT_ORDER) \
	X("stage_waiting_for_prior_transaction_to_start_commit", COMMIT_ORDER) \
	X("stage_waiting_for_ftwrl", GLOBAL_LOCK)

enum tap_my_symbol {
#define X(id, name, size, need) TAP_MY_SYMBOL_##id,
	TAP_MY_SYMBOLS(X)
#undef X
	TAP_MY_SYMBOL_COUNT
};

enum tap_my_symbol_need {
	TAP_MY_NEED_RECOGNISE,
	TAP_MY_NEED_LAYOUT,
};

enum {
	TAP_MY_STAGE_SYMBOLS_MAX = 8,
	TAP_MY_STAGE_TEXTS_MAX = 2,
};

/* Offsets in a session that the exported functions tell, as struct tap_my_layout names them. */
struct tap_my_decoded {
	int32_t thd;
	uint32_t query;
	uint32_t database;
	uint32_t thread_id;
	uint32_t command;
	uint32_t security;
	uint32_t user; /* of the security context, like the two that follow */
	uint32_t host;
	uint32_t address;
	uint32_t received;
	uint32_t memory;
};

struct tap_my_binary {
	struct tap_elf *elf;
	uint16_t machine;
	char build_id[TAP_ELF_BUILD_ID_MAX];
	bool found[TAP_MY_SYMBOL_COUNT];
	uint64_t value[TAP_MY_SYMBOL_COUNT]; /* before relocation */
	uint64_t size[TAP_MY_SYMBOL_COUNT];
	uint64_t stages[TAP_MY_STAGE_SYMBOLS_MAX]; /* of PSI_stage_info, in the order above; 0: not exported */
	uint64_t texts[TAP_MY_STAGE_TEXTS_MAX];	   /* of stages known by their text; 0: not there */
	struct tap_my_decoded decoded;
	const char *undecoded; /* the first function that tells nothing; NULL: all do */
};

/* `fd` stays the caller's and must outlive the object. Fails only on what is no usable ELF file at all. */
int tap_my_binary_read(int fd, struct tap_my_binary *ret, struct tap_error *err);
void tap_my_binary_done(struct tap_my_binary *binary);

/* Name of the first symbol of that need (or a stronger one) that is missing; NULL: all there. */
const char *tap_my_binary_lacks(const struct tap_my_binary *binary, enum tap_my_symbol_need need);

#endif
