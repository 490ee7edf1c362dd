/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * my_binary.h - what the executable of a MariaDB or MySQL server says about itself: build, where its variables are, and
 * what its exported functions tell of a session's fields.
 *
 * Everything here is true of the file; what a running process holds is for my_server and my_session.
 */
#ifndef TAP_USERSPACE_ATTACH_MY_BINARY_H
#define TAP_USERSPACE_ATTACH_MY_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/attach/elf.h"
#include "userspace/attach/my_product.h"
#include "userspace/base/error.h"

/*
 * id, name, least size in bytes, need: RECOGNISE: without it, it is no server at all to us; LAYOUT: found but refused.
 * What leads to the sessions has a name of its own in each product.
 */
#define TAP_MY_SYMBOLS(X) \
	X(VERSION, "server_version", 8, RECOGNISE) \
	X(PORT, "mysqld_port", 4, RECOGNISE) \
	X(SOCKET, "mysqld_unix_port", 8, RECOGNISE) \
	X(DATA_DIR, "mysql_real_data_home", 8, RECOGNISE) \
	X(STARTED, "mysqld_server_started", 1, LAYOUT) \
	X(START_TIME, "server_start_time", 8, LAYOUT) \
	X(BIND_ADDRESS, "my_bind_addr_str", 8, LAYOUT) \
	X(STATUS, "status_vars", 24, LAYOUT) \
	X(COMMANDS, "com_status_vars", 24, LAYOUT) \
	X(THREAD_HANDLING, "thread_handling", 8, NOTHING) \
	X(THREAD_PLAIN, "_ZTVNSt6thread11_State_implINS_8_InvokerISt5tupleIJPFvvEEEEEEE", 24, NOTHING) \
	X(THREAD_POOL, \
	  "_ZTVNSt6thread11_State_implINS_8_InvokerISt5tupleIJMN5tpool19thread_pool_genericEFvPNS3_11worker_" \
	  "dataEEPS4_S6_EEEEEE", \
	  24, NOTHING)

enum tap_my_symbol {
#define X(id, name, size, need) TAP_MY_SYMBOL_##id,
	TAP_MY_SYMBOLS(X)
#undef X
	TAP_MY_SYMBOL_COUNT
};

enum tap_my_symbol_need {
	TAP_MY_NEED_RECOGNISE,
	TAP_MY_NEED_LAYOUT,
	TAP_MY_NEED_NOTHING,
};

struct tap_my_binary {
	struct tap_elf *elf;
	uint16_t machine;
	char build_id[TAP_ELF_BUILD_ID_MAX];
	enum tap_my_product product;
	uint64_t sessions; /* of the variable that leads to them; 0: not exported */
	bool found[TAP_MY_SYMBOL_COUNT];
	uint64_t value[TAP_MY_SYMBOL_COUNT]; /* before relocation */
	uint64_t size[TAP_MY_SYMBOL_COUNT];
	uint64_t stages[TAP_MY_STAGES_MAX]; /* in the order of the product's: texts, or PSI_stage_info; 0: not there */
	uint64_t page_cleaner; /* of MariaDB's variable that its page cleaner alone asks for; 0: not found */
	struct tap_my_decoded decoded;
	bool told[TAP_MY_FUNCTIONS_MAX]; /* by function of the product; what others would tell of `decoded` is 0 */
	const char *undecoded;		 /* the first function that tells nothing; NULL: all do */
};

/* `fd` stays the caller's and must outlive the object. Fails only on what is no usable ELF file at all. */
int tap_my_binary_read(int fd, struct tap_my_binary *ret, struct tap_error *err);
void tap_my_binary_done(struct tap_my_binary *binary);

/* Name of the first symbol of that need (or a stronger one) that is missing; NULL: all there. */
const char *tap_my_binary_lacks(const struct tap_my_binary *binary, enum tap_my_symbol_need need);

#endif
