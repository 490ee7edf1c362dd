// SPDX-License-Identifier: BSD-2-Clause
/*
 * my_server.c - a server's variables, read from its process.
 *
 * Called by my_find. Names of users and processes play no part: what counts is what the process holds.
 */
#include "userspace/attach/my_server.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/attach/memory.h"
#include "userspace/attach/server.h"

enum {
	PATH_SIZE = 512, /* FN_REFLEN: what the server keeps paths in */
	NAME_SIZE = 64,
	STATUS_ROWS_MAX = 1024,
	STATUS_OFFSET_MAX = 16384, /* of counters in a session's status block */
	POOL_OF_THREADS = 2,	   /* of MariaDB's enum scheduler_types */
	STAGE_NAME = 8,		   /* of a PSI_stage_info: its text */
};

/* A row of a table of SHOW STATUS; for a session's counters the value is an offset. */
struct status_row {
	uint64_t name;
	uint64_t value;
	uint32_t type;
	uint32_t pad;
};

/* The settings as the memory holds them. */
struct variables {
	char version[64];
	uint32_t port;
	uint64_t socket;
	char data_dir[PATH_SIZE];
	uint32_t started;
	int64_t start_time;
	uint64_t bind_address;
};

int tap_my_version_parse(const char *text, char ret[32], int32_t *ret_number)
{
	unsigned part[3] = { 0 };
	size_t length;

	if (sscanf(text, "%2u.%2u.%2u", &part[0], &part[1], &part[2]) != 3 || !isdigit((unsigned char)*text))
		return -EBADMSG;
	length = strspn(text, "0123456789.");
	if (length >= 32)
		return -EBADMSG;
	memcpy(ret, text, length);
	ret[length] = '\0';
	*ret_number = (int32_t)(part[0] * 10000 + part[1] * 100 + part[2]);
	return 0;
}

static int variables_read(int32_t pid, const struct tap_my_binary *binary, uint64_t bias, struct variables *ret)
{
	struct variables v = { 0 };
#define READ(symbol, where, bytes) \
	{ \
		bias + binary->value[TAP_MY_SYMBOL_##symbol], (where), \
			!binary->found[TAP_MY_SYMBOL_##symbol]		 ? 0 \
			: (bytes) < binary->size[TAP_MY_SYMBOL_##symbol] ? (bytes) \
									 : binary->size[TAP_MY_SYMBOL_##symbol], \
			false \
	}
	struct tap_memory_read reads[] = {
		READ(VERSION, v.version, sizeof(v.version) - 1),
		READ(PORT, &v.port, sizeof(v.port)),
		READ(SOCKET, &v.socket, sizeof(v.socket)),
		READ(DATA_DIR, v.data_dir, sizeof(v.data_dir) - 1),
		READ(STARTED, &v.started, sizeof(v.started)),
		READ(START_TIME, &v.start_time, sizeof(v.start_time)),
		READ(BIND_ADDRESS, &v.bind_address, sizeof(v.bind_address)),
	};
#undef READ
	int err = tap_memory_read_many(pid, reads, sizeof(reads) / sizeof(*reads));

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
		if (!reads[i].ok)
			return -ENOENT;
	}
	*ret = v;
	return 0;
}

/* As tap_server_path, without slashes at the end. */
static int path_read(const struct tap_target *target, const char *base, const char *path, char **ret)
{
	int err = tap_server_path(target, base, path, ret);

	if (err)
		return err;
	for (size_t length = strlen(*ret); length > 1 && (*ret)[length - 1] == '/'; length--)
		(*ret)[length - 1] = '\0';
	return 0;
}

static int paths_fill(struct tap_target *target, const struct variables *v)
{
	char *socket = NULL;
	int err = path_read(target, "", v->data_dir, &target->data_dir);

	if (!err)
		err = tap_server_text(target->pid, v->socket, PATH_SIZE, &socket);
	if (!err && socket)
		err = path_read(target, v->data_dir, socket, &target->socket);
	free(socket);
	if (!err)
		err = tap_server_text(target->pid, v->bind_address, PATH_SIZE, &target->listen);
	return err;
}

int tap_my_server_read(const char *root, const struct tap_proc *proc, const struct tap_my_binary *binary,
		       struct tap_target *ret, uint64_t *ret_bias)
{
	struct tap_target target = { 0 };
	struct variables v = { 0 };
	uint64_t bias;
	int err = tap_server_bias(root, proc->pid, binary->elf, &bias);

	if (!err)
		err = variables_read(proc->pid, binary, bias, &v);
	if (err)
		return err;
	/* A server that starts, or runs to make a data folder, has not started; where nothing tells, it has. */
	if (v.data_dir[0] != '/' || (binary->found[TAP_MY_SYMBOL_STARTED] && v.started != 1) ||
	    tap_my_version_parse(v.version, target.version, &target.version_number))
		return -ENOENT;
	err = tap_server_identify(root, proc, TAP_ENGINE_MYSQL, binary->machine, binary->build_id, &target);
	if (!err)
		err = paths_fill(&target, &v);
	if (err) {
		tap_target_done(&target);
		return err;
	}
	target.port = (int32_t)(v.port & 0xffff);
	target.start_us = v.start_time * 1000000;
	*ret = target;
	*ret_bias = bias;
	return 0;
}

/* The offset of one counter in a table of rows. */
static int row_find(int32_t pid, const struct status_row *rows, size_t count, const char *wanted, uint32_t *ret)
{
	for (size_t i = 0; i < count && rows[i].name; i++) {
		char name[NAME_SIZE];
		int err;

		/* Of all others the value is an address. */
		if (rows[i].value > STATUS_OFFSET_MAX)
			continue;
		err = tap_memory_read_string(pid, rows[i].name, name, sizeof(name));
		if (err == -ESRCH || err == -EPERM)
			return err;
		if (!err && !strcmp(name, wanted)) {
			*ret = (uint32_t)rows[i].value;
			return 0;
		}
	}
	return -EBADMSG;
}

static int table_read(int32_t pid, uint64_t address, uint64_t size, struct status_row **ret, size_t *ret_count)
{
	size_t count = size / sizeof(struct status_row);
	struct status_row *rows;
	int err;

	if (!count || count > STATUS_ROWS_MAX)
		return -EBADMSG;
	rows = calloc(count, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	err = tap_memory_read(pid, address, rows, count * sizeof(*rows));
	if (err) {
		free(rows);
		return err;
	}
	*ret = rows;
	*ret_count = count;
	return 0;
}

int tap_my_server_status_offsets(const struct tap_target *target, const struct tap_my_binary *binary, uint64_t bias,
				 struct tap_my_status_offsets *ret)
{
	struct tap_my_status_offsets offsets = { 0 };
	struct status_row *rows;
	size_t count;
	int err = table_read(target->pid, bias + binary->value[TAP_MY_SYMBOL_STATUS],
			     binary->size[TAP_MY_SYMBOL_STATUS], &rows, &count);

	if (err)
		return err;
	err = row_find(target->pid, rows, count, "Bytes_received", &offsets.received);
	if (!err)
		err = row_find(target->pid, rows, count, "Questions", &offsets.questions);
	free(rows);
	if (!err)
		err = table_read(target->pid, bias + binary->value[TAP_MY_SYMBOL_COMMANDS],
				 binary->size[TAP_MY_SYMBOL_COMMANDS], &rows, &count);
	if (err)
		return err;
	err = row_find(target->pid, rows, count, "stmt_execute", &offsets.executes);
	free(rows);
	if (!err)
		*ret = offsets;
	return err;
}

static void stage_add(struct tap_my_stages *stages, size_t *count, uint64_t text, uint8_t wait)
{
	if (text <= stages->base || text - stages->base > UINT32_MAX || *count == TAP_MY_STAGES)
		return;
	stages->offset[*count] = (uint32_t)(text - stages->base);
	stages->wait[(*count)++] = wait;
}

void tap_my_server_stages(const struct tap_target *target, const struct tap_my_binary *binary, uint64_t bias,
			  struct tap_my_stages *ret)
{
	const struct tap_my_product_info *info = tap_my_product_info(binary->product);
	struct tap_my_stages stages = { .base = bias };
	size_t count = 0;

	for (size_t i = 0; i < TAP_MY_STAGES_MAX; i++) {
		uint64_t text = bias + binary->stages[i];

		if (!binary->stages[i] ||
		    (!info->stages[i].is_text && tap_memory_read(target->pid, text + STAGE_NAME, &text, sizeof(text))))
			continue;
		stage_add(&stages, &count, text, info->stages[i].wait);
	}
	*ret = stages;
}

bool tap_my_server_is_pooled(const struct tap_target *target, const struct tap_my_binary *binary, uint64_t bias)
{
	uint64_t handling = 0;

	return binary->product == TAP_MY_MARIADB && binary->found[TAP_MY_SYMBOL_THREAD_HANDLING] &&
	       !tap_memory_read(target->pid, bias + binary->value[TAP_MY_SYMBOL_THREAD_HANDLING], &handling,
				sizeof(handling)) &&
	       handling == POOL_OF_THREADS;
}
